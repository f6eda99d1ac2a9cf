"""A run that compares as charts: what each pair of prompts moves, layer by layer and by kind.

Every number is one of the summary's table; a band or a line through a mark is its 95 % interval
over texts. Prompts are in the data only, and in the values of parameters.
"""

from collections.abc import Iterator
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_layers import layer_axis
from activation_flow.charts_run import BAND, NONE, ORDER, STEP, Row, Shown, about, labels, places
from activation_flow.charts_theme import Figure
from activation_flow.picture import number, shortened, visible
from activation_flow.result_shift_summary import ShiftSummary

PAIRS = len(theme.SERIES)  # pairs of prompts that lines can be told apart of
_ROWS = 30  # pairs of prompts that are drawn as rows
_NAME = 24  # letters of a prompt
_RATIO = "R_H: part of the shift that HIGH tokens hold, %"
# Measure: title, axis.
BY_LAYER = {
    "anchor_cosine": ("How far the anchor turns", "1 − cos of the anchor"),
    "anchor_shift": ("How far the anchor moves", "Δ of the anchor"),
}
_DRIFT = ("How far the tokens of a text move", "sum of Δ over a text's aligned tokens")


def pair_name(summary: ShiftSummary, pair: tuple[str | None, str | None]) -> str:
    """From what to what, on one line."""
    if not summary.prompts:
        return "first text → second"
    names = ("bare text" if p is None else visible(shortened(p, _NAME)) for p in pair)
    return " → ".join(names)


def means(summary: ShiftSummary, name: str, layer: int) -> Iterator[Row]:
    """The mean of a measure over texts, for each pair of prompts."""
    for i, pair in enumerate(summary.pairs):
        for row in summary.rows("text", layer, pair):
            if row["name"] == name and row["mean"] is not None:
                ends = (row["low"], row["high"])
                between = "none of one text" if None in ends else " to ".join(map(number, ends))
                yield {
                    **{"i": i, "label": pair_name(summary, pair), "measure": name},
                    **{"value": row["mean"], "low": ends[0], "high": ends[1]},
                    **{"said": number(row["mean"]), "between": between, "n": f"{row['n']:,}"},
                    "name": summary.provenance.layer_name(layer),
                }


def has(summary: ShiftSummary, section: str, name: str | None = None) -> bool:
    """It has rows of a section, or of one measure of it, at any layer and for any pair."""
    places = ((layer, pair) for layer in summary.layers for pair in summary.pairs)
    rows = (row for layer, pair in places for row in summary.rows(section, layer, pair))
    return any(name is None or row["name"] == name for row in rows)


def _tips(axis: str, noun: str) -> list[Any]:
    import altair as alt

    told = {"label": "from → to", "name": "layer", "said": axis, "between": "95 % interval"}
    return [alt.Tooltip(f"{f}:N", title=title) for f, title in (told | {"n": noun}).items()]


def _series(summary: ShiftSummary, name: str) -> tuple[Any, Any, Any]:
    """Colour and shape of each pair, and the parameter that holds their names."""
    import altair as alt

    n = min(len(summary.pairs), PAIRS)
    legend = alt.Legend(
        title=None, symbolOpacity=1, labelExpr=f"{name}[datum.value]", columns=1 if n > 1 else 0
    )
    domain = list(range(n))
    colour = alt.Color(
        "i:N", legend=legend, scale=alt.Scale(domain=domain, range=list(theme.SERIES[:n]))
    )
    shape = alt.Shape(
        "i:N", legend=legend, scale=alt.Scale(domain=domain, range=list(theme.SHAPES[:n]))
    )
    named = [pair_name(summary, pair) for pair in summary.pairs[:n]]
    return colour, shape, alt.param(name=name, value=named)


def by_layer(summary: ShiftSummary, measure: str) -> Any:
    """A line with its band for each pair of prompts, over the layers."""
    import altair as alt

    title, axis_title = BY_LAYER[measure]
    rows = [
        {**row, "k": k}
        for k, layer in enumerate(summary.layers)
        for row in means(summary, measure, layer)
        if row["i"] < PAIRS
    ]
    axis, layers = layer_axis(summary.provenance, summary.layers, f"layers_{measure}")
    colour, shape, names = _series(summary, f"pairs_{measure}")
    x = alt.X("k:O", axis=axis, scale=alt.Scale(domain=list(range(len(summary.layers)))))
    value_axis = alt.Axis(tickCount=5, domain=False, ticks=False)
    y = alt.Y("value:Q", title=axis_title, scale=alt.Scale(zero=True, nice=True), axis=value_axis)
    base = alt.Chart(theme.data(rows)).encode(x=x)
    sure = base.transform_filter("datum.low !== null")
    chart = alt.layer(
        sure.mark_area(opacity=0.3).encode(y=alt.Y("low:Q"), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            y=y, color=colour, shape=shape, tooltip=_tips(axis_title, _noun(summary))
        ),
    )
    width = theme.plot_width(min(max(len(summary.layers), 6), 13))
    notes = [*about(summary, summary.layers), *_left(summary, PAIRS), f"bands: {BAND}"]
    if measure == "anchor_shift":
        notes.append("a length is in the unit of its own layer: compare pairs, not layers")
    head = theme.heading([f"{title}, layer by layer"], notes, width)
    sized = chart.properties(width=width, height=theme.HEIGHT, title=head)
    return sized.add_params(layers, names)


def drift(these: Shown) -> Any:
    """A bar with its interval for each pair of prompts: how far a text's tokens move."""
    import altair as alt

    summary: Any = these.summary
    rows = these.rows(lambda layer: _written(means(summary, "total_shift", layer)))
    title, axis_title = _DRIFT
    x = alt.X(
        "value:Q",
        title=axis_title,
        scale=alt.Scale(zero=True, nice=True),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )
    base = these.data(rows).encode(y=places(_shown_rows(summary)))
    fill, stroke, _ = theme.LOOKS["LOW"]
    chart = alt.layer(
        base.mark_bar(height=14, fill=fill, stroke=stroke).encode(
            x=x, tooltip=_tips(axis_title, _noun(summary))
        ),
        *_interval(base, theme.INK),
        labels(base),
        labels(base, "written"),
    ).properties(width=theme.NARROW - 80, height=STEP * _shown_rows(summary))
    notes = [*_left(summary, _ROWS), f"lines: {BAND}"]
    return these.titled(chart, title, notes, theme.NARROW + 120)


def ratio(these: Shown) -> Any:
    """R_H of each pair of prompts, with its interval, beside the R_H of chance."""
    import altair as alt

    summary: Any = these.summary

    def percent(layer: int, name: str) -> Iterator[Row]:
        for row in means(summary, name, layer):
            scaled = {key: None if row[key] is None else 100 * row[key] for key in _ENDS}
            between = "none of one text"
            if scaled["low"] is not None:
                between = f"{scaled['low']:.1f} to {scaled['high']:.1f}"
            yield {**row, **scaled, "said": f"{scaled['value']:.1f}", "between": between}

    rows = these.rows(lambda layer: _written(percent(layer, "high_ratio")))
    chance = these.rows(lambda layer: percent(layer, "high_share"))
    x = alt.X(
        "value:Q",
        title=_RATIO,
        scale=alt.Scale(zero=True, nice=True),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )
    base = these.data([row for row in rows if row["i"] < _ROWS])
    base = base.encode(y=places(_shown_rows(summary)))
    beside = these.data([row for row in chance if row["i"] < _ROWS]).encode(
        y=places(_shown_rows(summary))
    )
    look = theme.LOOKS["HIGH"][0]
    chart = alt.layer(
        beside.mark_tick(height=22, thickness=2, color=theme.CHANCE).encode(
            x=x, tooltip=_tips("k / n, the R_H of chance, %", _noun(summary))
        ),
        *_interval(base, look),
        base.mark_point(filled=True, size=50, opacity=1, color=look).encode(
            x=x, tooltip=_tips(_RATIO, _noun(summary))
        ),
        labels(base),
        labels(base, "written"),
    ).properties(width=theme.NARROW - 80, height=STEP * _shown_rows(summary))
    notes = [*_left(summary, _ROWS), f"dot: R_H; lines: {BAND}", "orange: k / n, what chance gives"]
    return these.titled(chart, "What HIGH tokens hold of the shift", notes, theme.NARROW + 120)


_ENDS = ("value", "low", "high")


def kinds(these: Shown) -> Any:
    """The mean shift of the texts' own tokens of each kind, for each pair of prompts."""
    import altair as alt

    summary: Any = these.summary

    def of_layer(layer: int) -> Iterator[Row]:
        for i, pair in enumerate(summary.pairs[:PAIRS]):
            for row in summary.rows("kind", layer, pair):
                kind = row["name"] or NONE
                yield {
                    **{"i": i, "kind": kind, "label": pair_name(summary, pair)},
                    **{"value": row["mean"], "said": number(row["mean"]), "n": f"{row['n']:,}"},
                    "name": summary.provenance.layer_name(layer),
                }

    rows = these.rows(of_layer)
    order = [kind for kind in ORDER if any(row["kind"] == kind for row in rows)]
    colour, shape, names = _series(summary, "pairs_of_kinds")
    told = {"label": "from → to", "kind": "kind", "name": "layer", "said": "mean Δ", "n": "tokens"}
    x = alt.X(
        "value:Q",
        title="mean Δ of a token",
        scale=alt.Scale(zero=True, nice=True),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )
    y = alt.Y(
        "kind:N",
        title=None,
        scale=alt.Scale(domain=order),
        axis=alt.Axis(
            domain=False, ticks=False, labelPadding=8, grid=True, labelFontSize=theme.SIZE
        ),
    )
    marks = these.data(rows).mark_point(filled=True, size=60, opacity=1)
    chart = marks.encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in told.items()],
    ).properties(width=theme.NARROW, height=STEP * max(len(order), 1))
    notes = [
        "of the texts' own tokens, no special ones and none of a prompt",
        "pooled over tokens, no interval",
        *_left(summary, PAIRS),
    ]
    title = "Which kinds of token move"
    return these.titled(chart.add_params(names), title, notes, theme.NARROW)


def _interval(base: Any, look: str) -> Iterator[Any]:
    """A line with ends."""
    import altair as alt

    yield base.mark_rule(strokeWidth=2, color=look).encode(x=alt.X("low:Q"), x2="high:Q")
    for end in ("low", "high"):
        yield base.mark_tick(height=12, thickness=2, color=look).encode(x=f"{end}:Q")


def _written(rows: Iterator[Row]) -> Iterator[Row]:
    """Those that are drawn as rows, with what stands right of them."""
    for row in rows:
        if row["i"] < _ROWS:
            yield {**row, "written": f"{row['said']} ({row['between']})"}


def _shown_rows(summary: ShiftSummary) -> int:
    return min(len(summary.pairs), _ROWS)


def _left(summary: ShiftSummary, shown: int) -> list[str]:
    left = len(summary.pairs) - shown
    return [f"{left:,} more pairs of prompts are not drawn"] if left > 0 else []


def _noun(summary: ShiftSummary) -> str:
    return "texts" if summary.prompts else "pairs"


def curves(summary: ShiftSummary) -> Iterator[Figure]:
    """Those over the layers, for a page."""
    said = {
        "anchor_cosine": "1 − cos has no unit. But layers differ in how alike all their vectors "
        "are: a large angle is no proof that the prompt acts there.",
        "anchor_shift": "The same as a length, which grows with the strengths of a layer.",
    }
    for measure in BY_LAYER:
        name = f"{measure.replace('_', '-')}-by-layer"
        title = f"{BY_LAYER[measure][0]}, layer by layer"
        chart = by_layer(summary, measure)
        yield Figure(name, title, said[measure], theme.finished(chart))


def of_layer(summary: ShiftSummary, these: Shown) -> Iterator[Figure]:
    """Those of one layer at a time, for a page."""
    told = "The sum of Δ over all aligned tokens of a text, special ones too; its mean over texts."
    yield Figure("drift", _DRIFT[0], told, theme.finished(drift(these)))
    if has(summary, "text", "high_ratio"):
        told = "Right of what chance gives, strong tokens move more than others; left of it, less."
        title = "What HIGH tokens hold of the shift"
        yield Figure("ratio", title, told, theme.finished(ratio(these)))
    if has(summary, "kind"):
        told = "How far a token of each kind moves, on average."
        yield Figure("kinds", "Which kinds of token move", told, theme.finished(kinds(these)))
