"""Prompts as charts: how far they are from each other, for whole texts and for each token."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from activation_flow import charts_shift
from activation_flow import charts_theme as theme
from activation_flow import picture_prompts as prompts
from activation_flow.charts_shift import DrawnShift
from activation_flow.charts_sliders import layer_parameter
from activation_flow.charts_tokens import finite
from activation_flow.data import main_layer
from activation_flow.picture import model_line, number, shortened
from activation_flow.result_prompts import PromptComparison, PromptsResult

CELL = 64  # of the matrix
PAIRS = 30  # that are drawn as bars
WHAT = "total shift Δ of all aligned tokens, special ones included"
MATRIX = "the more a cell stands out, the larger"
_NAME = 28  # letters of a prompt


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
                        "ink": theme.ink(place) if place is not None else theme.INK,
                        "said": "" if a == b else few_digits(float(drift[a, b])),
                        "mean": number(float(mean[a, b])),
                        "anchor": number(float(r.anchor_shift[k, a, b])),
                        "cosine": number(float(r.anchor_cosine[k, a, b])),
                        "ratio": "" if pair is None else _ratio(pair, k),
                    }
                )
        return found

    def shifts(self) -> Iterator[tuple[PromptComparison, DrawnShift]]:
        """Every comparison, token by token, at the layer that is drawn."""
        for one in self.result.comparisons:
            yield one, self.shift(one.a, one.b)

    def shift(self, a: int, b: int) -> DrawnShift:
        """The same of the prompts at two places, in either order."""
        between = self.result.between(a, b, self.layer)
        title = (self.title, f"A: {self.names[a]}", f"B: {self.names[b]}")
        n = theme.how_many(len(between), self.n)
        parts = tuple(map(str, self.result.parts_between(a, b)))
        return DrawnShift(between, n, name=f"{self.name}_{a}_{b}", names=title, parts=parts)


def few_digits(value: float) -> str:
    """A number beside a bar or in a cell.

    >>> few_digits(35.6), few_digits(12345.6), few_digits(0.01234)
    ('35.60', '12,346', '0.01234')
    """
    if value == 0 or 1 <= value < 1000:
        return f"{value:.2f}"
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.4g}"


def prompt_name(prompt: str | None) -> str:
    """A prompt on one line.

    >>> prompt_name("Summarize"), prompt_name(None)
    ('Summarize', '(bare text)')
    """
    return prompts.name(None if prompt is None else shortened(prompt, _NAME)).strip() or "(empty)"


def _ratio(pair: PromptComparison, k: int) -> str:
    found = pair.concentration[k]
    if found.high_ratio is None or found.high_share is None:
        return "none"
    return f"{number(found.high_ratio)} (by chance {number(found.high_share)})"


TOLD = {
    **{"prompt_a": "A", "prompt_b": "B", "said": "total Δ", "mean": "mean Δ"},
    **{"anchor": "Δ of the anchor", "cosine": "1 − cos of the anchor", "ratio": "R_H"},
    "layer_name": "layer",
}


def _hover() -> list[Any]:
    import altair as alt

    return [alt.Tooltip(f"{field}:N", title=title) for field, title in TOLD.items()]


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
    base = _live(drawn, alt.Chart(theme.data(drawn.cells())), params)
    axis = {"ticks": False, "domain": False, "labelOverlap": False, "labelLimit": 0, "title": None}
    gap = alt.Scale(padding=0.03)
    x = alt.X("b:O", scale=gap, axis=alt.Axis(**axis, labelAngle=0, labelExpr="datum.value + 1"))
    named = f"prompts{drawn.name}[datum.value]"
    y = alt.Y("a:O", scale=gap, axis=alt.Axis(**axis, labelExpr=named))
    base = base.encode(x=x, y=y, tooltip=_hover())
    colour = alt.Fill("place:Q", scale=alt.Scale(domain=[0, 1], range=theme.PURPLES), legend=None)
    cells = base.transform_filter("datum.place !== null").mark_rect().encode(fill=colour)
    cells = cells.properties(name=f"{theme.TURNED}{drawn.name}")
    own = base.transform_filter("datum.a === datum.b").mark_rect(fill=theme.GREY, opacity=0.15)
    ink = alt.Color("ink:N", scale=None)
    said = base.mark_text(fontSize=theme.SIZE).encode(text=alt.Text("said:N"), color=ink)
    side = CELL * len(drawn.names)
    notes = [*drawn.notes(WHAT), MATRIX]
    title = theme.heading([drawn.title], notes, side + 200)
    return alt.layer(
        *(own, cells, said, *_layer_name(drawn)),
        params=[one.param for one in params],
        width=side,
        height=CELL / 2 * len(drawn.names) + 40,
        title=title,
    )


def _layer_name(drawn: DrawnPrompts) -> list[Any]:
    """Which layer it is, beside a chart in which it can change."""
    import altair as alt

    if not drawn.live or len(drawn.layers) == 1:
        return []
    head = drawn.result.provenance
    rows = [{"layer": layer, "layer_name": head.layer_name(layer)} for layer in drawn.layers]
    base = alt.Chart(theme.data(rows))
    which = base.transform_filter(f"datum.layer === layer{drawn.name}")
    text = which.mark_text(align="left", dx=8, fontSize=theme.SIZE)
    return [
        text.encode(x=alt.XValue("width"), y=alt.YValue("height"), text=alt.Text("layer_name:N"))
    ]


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
    base = _live(drawn, alt.Chart(theme.data(rows)), params)
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
    said = base.mark_text(align="left", dx=5, fontSize=theme.SMALL).encode(text=alt.Text("said:N"))
    left = len(drawn.result.comparisons) - len(pairs)
    notes = drawn.notes(f"{WHAT}; {left:,} more pairs are not drawn" if left else WHAT)
    title = theme.heading([drawn.title], notes, theme.NARROW + 120)
    chart = alt.layer(bars, said, *_layer_name(drawn)).add_params(*params)
    return chart.properties(width=theme.NARROW, height=30 * len(pairs), title=title)


def picture(drawn: DrawnPrompts) -> Any:
    """Two prompts: token by token. More: the matrix."""
    if len(drawn.result.prompts) == 2:
        return charts_shift.bars(next(drawn.shifts())[1])
    return matrix(drawn)


def drawn_prompts(
    result: PromptsResult, layer: int | None, n: int, lead: str, name: str
) -> DrawnPrompts:
    """One text, at a layer or at the usual one."""
    usual = main_layer(result.layers, result.provenance)
    return DrawnPrompts(result, usual if layer is None else layer, n, lead, name)
