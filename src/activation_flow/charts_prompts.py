"""Prompts as charts: how far they are from each other, for whole texts and for each token."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from activation_flow import charts_shift
from activation_flow import charts_theme as theme
from activation_flow.charts_layers import layer_axis
from activation_flow.charts_shift import DrawnShift
from activation_flow.charts_sliders import first_layer, layer_parameter
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import finite
from activation_flow.picture import model_line, number, shade, shortened, visible
from activation_flow.result_prompts import PromptComparison, PromptsResult

CELL = 64  # of the matrix
SERIES = len(theme.SERIES)  # pairs of prompts that lines can be told apart of
PAIRS = 30  # that are drawn as bars
_NAME = 28  # letters of a prompt
_ANCHORS = {
    "cls": "the cls token",
    "last": "the last token",
    "mean": "the mean vector",
}


@dataclass(frozen=True)
class DrawnPrompts:
    """One text under several prompts.

    Attributes:
        result: of the text.
        layer: the one that is drawn, or first drawn.
        n: so many rows of a comparison are drawn.
        lead: what stands before its title, "text 3".
        name: ends the names of its parameters.
        live: True if a slider chooses among all layers.
    """

    result: PromptsResult
    layer: int
    n: int
    lead: str = ""
    name: str = ""
    live: bool = False

    @property
    def title(self) -> str:
        """The text."""
        text = self.result.text or "(empty)"
        return f"{self.lead}: {text}" if self.lead else text

    @property
    def names(self) -> list[str]:
        """The prompts, each on one line."""
        return [prompt_name(prompt) for prompt in self.result.prompts]

    @property
    def layers(self) -> tuple[int, ...]:
        """Those whose numbers are in the chart."""
        return self.result.layers if self.live else (self.layer,)

    def notes(self, more: str) -> list[str]:
        """Model, layers, engine; what is drawn."""
        return [model_line(self.result.provenance, self.layers), more]

    def cells(self) -> list[dict[str, Any]]:
        """A row for each layer and two prompts; ``place`` is on a scale from 0 to the largest."""
        r, found = self.result, []
        of_pair = {(one.a, one.b): one for one in r.comparisons}
        for layer in self.layers:
            k = r.layers.index(layer)
            drift, mean = r.drift[k], r.mean_drift[k]
            end = float(drift.max())
            for a, b in ((a, b) for a in range(len(drift)) for b in range(len(drift))):
                pair = of_pair.get((min(a, b), max(a, b)))
                place = drift[a, b] / end if end > 0 and a != b else None
                found.append(
                    {
                        "a": a,
                        "b": b,
                        "prompt_a": self.names[a],
                        "prompt_b": self.names[b],
                        **{"layer": layer, "layer_name": r.provenance.layer_name(layer)},
                        "drift": finite(drift[a, b]),
                        "place": place,
                        "ink": shade(place)[1] if place is not None else theme.INK,
                        "said": "" if a == b else f"{drift[a, b]:,.4g}",
                        "mean": number(float(mean[a, b])),
                        "anchor": number(float(r.anchor_shift[k, a, b])),
                        "cosine": number(float(r.anchor_cosine[k, a, b])),
                        "ratio": "" if pair is None else _ratio(pair, k),
                    }
                )
        return found

    def shifts(self) -> Iterator[tuple[PromptComparison, DrawnShift]]:
        """Every comparison, token by token, at the layer that is drawn."""
        r = self.result
        for one in r.comparisons:
            between = r.between(one.a, one.b, self.layer)
            name = f"{self.name}_{one.a}_{one.b}"
            title = (self.title, f"A: {self.names[one.a]}", f"B: {self.names[one.b]}")
            n = min(len(between), self.n)
            parts = tuple(map(str, one.part))
            yield one, DrawnShift(between, n, name=name, names=title, parts=parts)


def prompt_name(prompt: str | None) -> str:
    """A prompt on one line.

    >>> prompt_name("Summarize"), prompt_name(None)
    ('Summarize', '(no prompt)')
    """
    if prompt is None:
        return "(no prompt)"
    return visible(shortened(prompt, _NAME)).strip() or "(empty)"


def _ratio(pair: PromptComparison, k: int) -> str:
    found = pair.concentration[k]
    if found.high_ratio is None or found.high_share is None:
        return "none"
    return f"{number(found.high_ratio)} (by chance {number(found.high_share)})"


_TOLD = {
    **{"prompt_a": "A", "prompt_b": "B", "said": "total Δ", "mean": "mean Δ"},
    **{"anchor": "Δ of the anchor", "cosine": "1 − cos of the anchor", "ratio": "R_H"},
    "layer_name": "layer",
}


def _hover() -> list[Any]:
    import altair as alt

    return [alt.Tooltip(f"{field}:N", title=title) for field, title in _TOLD.items()]


def _live(drawn: DrawnPrompts, base: Any, params: list[Any]) -> Any:
    """The data of the layer that a slider chooses; its name stands beside the chart."""
    if not drawn.live or len(drawn.layers) == 1:
        return base
    head, name = drawn.result.provenance, drawn.name
    params.append(layer_parameter(head, drawn.layers, drawn.lead, name))
    return base.transform_filter(f"datum.layer === layer{name}")


def matrix(drawn: DrawnPrompts) -> Any:
    """Prompts by prompts: the total shift of each two, in numbers and colours."""
    import altair as alt

    labels = [f"{i + 1}  {name}" for i, name in enumerate(drawn.names)]
    names = alt.param(f"prompts{drawn.name}", value=labels)
    params = [names]
    base = _live(drawn, alt.Chart(alt.InlineData(values=drawn.cells())), params)
    axis = {"ticks": False, "domain": False, "labelOverlap": False, "labelLimit": 0, "title": None}
    gap = alt.Scale(padding=0.03)
    x = alt.X("b:O", scale=gap, axis=alt.Axis(**axis, labelAngle=0, labelExpr="datum.value + 1"))
    named = f"prompts{drawn.name}[datum.value]"
    y = alt.Y("a:O", scale=gap, axis=alt.Axis(**axis, labelExpr=named))
    base = base.encode(x=x, y=y, tooltip=_hover())
    colour = alt.Fill("place:Q", scale=alt.Scale(domain=[0, 1], range=theme.PURPLES), legend=None)
    cells = base.transform_filter("datum.place !== null").mark_rect().encode(fill=colour)
    own = base.transform_filter("datum.a === datum.b").mark_rect(fill=theme.GREY, opacity=0.15)
    ink = alt.Color("ink:N", scale=None)
    said = base.mark_text(fontSize=theme.SIZE).encode(text="said:N", color=ink)
    side = CELL * len(drawn.names)
    what = "total shift Δ of all aligned tokens, special ones included; dark: the largest"
    title = theme.heading([drawn.title], drawn.notes(what), side + 200)
    chart = alt.layer(own, cells, said, *_layer_name(drawn)).add_params(*params)
    return chart.properties(width=side, height=CELL / 2 * len(drawn.names) + 40, title=title)


def _layer_name(drawn: DrawnPrompts) -> list[Any]:
    """Which layer it is, beside a chart in which it can change."""
    import altair as alt

    if not drawn.live or len(drawn.layers) == 1:
        return []
    head = drawn.result.provenance
    rows = [{"layer": layer, "layer_name": head.layer_name(layer)} for layer in drawn.layers]
    base = alt.Chart(alt.InlineData(values=rows))
    which = base.transform_filter(f"datum.layer === layer{drawn.name}")
    text = which.mark_text(align="left", dx=8, fontSize=theme.SIZE)
    return [text.encode(x=alt.value("width"), y=alt.value("height"), text="layer_name:N")]


def drift_bars(drawn: DrawnPrompts) -> Any:
    """A bar for each pair of prompts: the total shift between them."""
    import altair as alt

    pairs = [(one.a, one.b) for one in drawn.result.comparisons][:PAIRS]
    rows = []
    for cell in drawn.cells():
        if (cell["a"], cell["b"]) in pairs:
            rows.append({**cell, "pair": pairs.index((cell["a"], cell["b"]))})
    labels = [f"{drawn.names[a]} – {drawn.names[b]}" for a, b in pairs]
    params = [alt.param(f"pairs{drawn.name}", value=labels)]
    base = _live(drawn, alt.Chart(alt.InlineData(values=rows)), params)
    y = alt.Y(
        "pair:O",
        scale=alt.Scale(domain=list(range(len(pairs))), paddingInner=0.3),
        axis=alt.Axis(
            title=None,
            labelExpr=f"pairs{drawn.name}[datum.value]",
            labelOverlap=False,
            labelLimit=0,
            ticks=False,
            domain=False,
        ),
    )
    x = alt.X(
        "drift:Q",
        title="total shift Δ (bars from 0)",
        scale=theme.from_zero(max((row["drift"] for row in rows), default=0)),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )
    base = base.encode(x=x, y=y, tooltip=_hover())
    bars = base.mark_bar(fill=theme.LOOKS["token"][0], stroke=theme.LOOKS["token"][1])
    said = base.mark_text(align="left", dx=5, fontSize=theme.SMALL).encode(text="said:N")
    left = len(drawn.result.comparisons) - len(pairs)
    what = "total shift Δ of all aligned tokens, special ones included"
    notes = drawn.notes(f"{what}; {left:,} more pairs are not drawn" if left else what)
    title = theme.heading([drawn.title], notes, theme.NARROW + 120)
    chart = alt.layer(bars, said, *_layer_name(drawn)).add_params(*params)
    return chart.properties(width=theme.NARROW, height=30 * len(pairs), title=title)


def anchor_lines(drawn: DrawnPrompts) -> Any:
    """A line for each pair of prompts over the layers: how far the anchor moves."""
    import altair as alt

    r = drawn.result
    pairs = [(one.a, one.b) for one in r.comparisons][:SERIES]
    rows = []
    for p, (a, b) in enumerate(pairs):
        for k, layer in enumerate(r.layers):
            row = {"pair": p, "prompt_a": drawn.names[a], "prompt_b": drawn.names[b], "k": k}
            row["layer_name"] = r.provenance.layer_name(layer)
            shift, angle = float(r.anchor_shift[k, a, b]), float(r.anchor_cosine[k, a, b])
            row |= {"anchor_shift": finite(shift), "anchor_cosine": finite(angle)}
            rows.append({**row, "anchor": number(shift), "cosine": number(angle)})
    labels = [f"{drawn.names[a]} – {drawn.names[b]}" for a, b in pairs]
    axis, layer_names = layer_axis(r.provenance, r.layers, f"layers{drawn.name}")
    legend = alt.Legend(
        title=None, columns=2, labelExpr=f"lines{drawn.name}[datum.value]", labelLimit=0
    )
    domain = list(range(len(pairs)))
    colours, shapes = list(theme.SERIES[: len(pairs)]), list(theme.SHAPES[: len(pairs)])
    colour = alt.Color("pair:N", legend=legend, scale=alt.Scale(domain=domain, range=colours))
    shape = alt.Shape("pair:N", legend=legend, scale=alt.Scale(domain=domain, range=shapes))
    x = alt.X("k:O", axis=axis, scale=alt.Scale(domain=list(range(len(r.layers)))))
    told = ("prompt_a", "prompt_b", "anchor", "cosine", "layer_name")
    tip = [alt.Tooltip(f"{field}:N", title=_TOLD[field]) for field in told]
    base = alt.Chart(alt.InlineData(values=rows))
    panels = []
    for field, name in (("anchor_shift", "shift Δ"), ("anchor_cosine", "1 − cos")):
        quiet = alt.Axis(tickCount=4, domain=False, ticks=False)
        y = alt.Y(f"{field}:Q", title=name, scale=alt.Scale(domainMin=0, nice=True), axis=quiet)
        known = base.transform_filter(f"datum.{field} !== null").encode(x=x, y=y)
        panels.append(
            alt.layer(
                known.mark_line(strokeWidth=2).encode(color=colour),
                known.mark_point(filled=True, size=60, opacity=1).encode(
                    color=colour, shape=shape, tooltip=tip
                ),
            ).properties(width=theme.plot_width(min(max(len(r.layers), 5), 12)), height=150)
        )
    left = len(r.comparisons) - len(pairs)
    what = f"how far {_ANCHORS[r.anchor]} moves; raw Δ of two layers cannot be compared"
    more = [what, f"{left:,} more pairs are not drawn" if left else ""]
    whole = DrawnPrompts(r, drawn.layer, drawn.n, live=True)
    title = theme.heading([drawn.title], [whole.notes("")[0], *more], theme.WIDE)
    params = [layer_names, alt.param(f"lines{drawn.name}", value=labels)]
    return alt.vconcat(*panels, spacing=16).add_params(*params).properties(title=title)


def picture(drawn: DrawnPrompts) -> Any:
    """Two prompts: token by token. More: the matrix."""
    if len(drawn.result.prompts) == 2:
        return charts_shift.bars(next(drawn.shifts())[1])
    return matrix(drawn)


def drawn_prompts(
    result: PromptsResult, layer: int | None, n: int, lead: str, name: str
) -> DrawnPrompts:
    """One text, at a layer or at the usual one."""
    usual = first_layer(result.provenance, result.layers)
    return DrawnPrompts(result, usual if layer is None else layer, n, lead, name)


def figures(drawn: DrawnPrompts, name: str, limit: int) -> Iterator[Figure]:
    """Matrix, bars, lines over the layers; then the first comparisons token by token."""
    r = drawn.result
    live = DrawnPrompts(r, drawn.layer, drawn.n, drawn.lead, drawn.name, live=True)
    lead = f", {drawn.lead}" if drawn.lead else ""
    said = "How far the same text is moved when one prompt is put in the place of the other."
    if len(r.prompts) > 2:
        yield Figure(f"drift-{name}", f"Drift{lead}", said, theme.finished(matrix(live)))
    if len(r.prompts) > 1:
        chart = theme.finished(drift_bars(live))
        yield Figure(f"pairs-{name}", f"Drift of each pair of prompts{lead}", said, chart)
    if len(r.layers) > 1 and len(r.prompts) > 1:
        said = "Where in depth the prompts act: each line is a pair of prompts."
        chart = theme.finished(anchor_lines(drawn))
        yield Figure(f"anchor-{name}", f"Anchor, layer by layer{lead}", said, chart)
    for one, shift in list(drawn.shifts())[:limit]:
        yield charts_shift.figure(shift, f"shift-{name}-{one.a}-{one.b}")
