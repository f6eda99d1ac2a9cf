"""The paper's seven figures: its bars beside ours, and what its prompts move.

Every number drawn is one of the reproduction's. The paper prints no value of Figures 4 to 7, so
those show ours alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from activation_flow import charts_shift, charts_strength
from activation_flow import charts_theme as theme
from activation_flow.charts_shift import DrawnShift
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import look_channels
from activation_flow.paper import PaperTable, Value, number_of, published
from activation_flow.paper_prompts import Steering, pair_of
from activation_flow.paper_tables import high, kinds_of, tau
from activation_flow.picture import model_line, number
from activation_flow.result_reproduction import Reproduction

_ALIGNED = {
    "text": "Aligned by the sentence’s own characters",
    "position": "Index by index, as in the paper’s tables",
}
_MARKS = (
    "→ two different tokens; − only in A, + only in B: no partner, so no shift; shaded: tokens of "
    "the prompts"
)
_LAYERS = (theme.LOOKS["token"][1], theme.SERIES[1])  # both can be seen on black and on white
_STEP, _HEIGHT = 46, 260  # pixels for a token; of a plot
_HIGH = "τ and HIGH by eqs. 3 and 4 over tokens that are not special; each panel has its own scale"


def figures(found: Reproduction) -> list[Figure]:
    """Those that can be drawn: Figures 1 to 3, and with a model all seven.

    Their titles are not in the charts: a page sets them above; see ``alone``.
    """
    return [made for n in range(1, 8) if (made := figure(found, n)) is not None]


@theme.unchecked
def figure(found: Reproduction, n: int) -> Figure | None:
    """Figure ``n``, or None if it needs a model and none was run."""
    if n <= 2:
        return _strengths(found, n)
    if n == 3:
        return _two_layers(found)
    if found.steering is None:
        return None
    return _drift(found, found.steering) if n == 7 else _shifts(found, found.steering, n)


@theme.unchecked
def alone(figure: Figure) -> Any:
    """The chart with its title and what it means, for a file of its own."""
    chart = figure.chart
    below = getattr(chart.title, "subtitle", [])  # none where the chart has no title
    words = [figure.sentence.removesuffix("."), *below]
    return chart.properties(title=theme.heading([figure.title], words, 1.6 * theme.NARROW))


def _whose(found: Reproduction, *layers: int) -> str:
    """The model, its layers, its engine, and whether it is another than the paper's."""
    head = found.provenance
    if head is None:
        return "no model was run"
    line = model_line(head, layers or (found.main,))
    return f"{line} (another model)" if found.another else line


def _strengths(found: Reproduction, n: int) -> Figure:
    """Figures 1 and 2: bars of Tables 1 and 2."""
    table, about = found.table(f"table-{n}"), published()[f"table-{n}"]
    tokens = [str(token) for token in table.columns["token"]]
    printed = [number_of(str(value)) for value in table.columns["paper_strength"]]
    panels = [_bars(tokens, printed, "the paper’s numbers", f"paper_{n}")]
    if found.provenance is not None:
        ours = _numbers(table, f"ours_layer_{found.main}")
        panels.append(_bars(tokens, ours, _whose(found), f"ours_{n}"))
    return _beside(
        f"figure-{n}",
        f"{about['figure']}: {about['figure_caption']}",
        f"{_HIGH}.",
        panels,
    )


def _numbers(table: PaperTable, column: str) -> list[float | None]:
    return [_number(value) for value in table.columns[column]]


def _number(value: Value) -> float | None:
    return number_of(value) if isinstance(value, str) else value


def _bars(tokens: Sequence[str], values: Sequence[float | None], title: str, name: str) -> Any:
    """One panel: a bar for each token, HIGH, LOW or special, its value below it; and τ."""
    import altair as alt

    plain = [
        kind != "special" and value is not None
        for kind, value in zip(kinds_of([*tokens]), values, strict=True)
    ]
    usual = np.array([v for v, on in zip(values, plain, strict=True) if on], float)
    marks = iter(high(usual))
    rows = []
    for i, (token, value, on) in enumerate(zip(tokens, values, plain, strict=True)):
        look = ("HIGH" if next(marks) else "LOW") if on else "special"
        said = "none" if value is None else f"{value:.2f}"
        rows.append({"i": i, "token": token, "value": value, "look": look, "said": said})
    x, names = theme.token_axis([theme.label(token) for token in tokens], f"tokens_{name}")
    y = _y("value:Q", values)
    data = alt.Chart(alt.Data(values=rows))
    base = data.encode(x=x, tooltip=[_tip("token"), _tip("said", "S"), _tip("look")])
    looks = [look for look in theme.LOOKS if any(row["look"] == look for row in rows)]
    bars = base.mark_bar(strokeWidth=1).encode(y=y, **look_channels(looks))
    text = base.mark_text(dy=charts_strength.ROW, baseline="top", fontSize=theme.SMALL)
    layers = [bars, text.encode(y=alt.value("height"), text="said:N")]
    if len(usual):
        # The data of the bars, so that all layers have the same; one row is enough for τ.
        once, limit = data.transform_filter("datum.i === 0"), tau(usual)
        line = once.mark_rule(strokeDash=[5, 3], strokeWidth=1).encode(y=alt.datum(limit))
        side = once.mark_text(align="left", dx=6, fontSize=theme.SIZE, text=f"τ = {number(limit)}")
        layers += [line, side.encode(x=alt.value("width"), y=alt.datum(limit))]
    return alt.layer(*layers).add_params(names).properties(**_panel(title, len(tokens)))


def _two_layers(found: Reproduction) -> Figure:
    """Figure 3: two layers, bars of Table 3."""
    table, about = found.table("table-3"), published()["table-3"]
    tokens = [str(token) for token in table.columns["token"]]
    columns = {"layer 8": "paper_layer_8", "layer 9": "paper_layer_9"}
    panels = [_pairs(table, tokens, columns, "the paper’s numbers", "paper_3")]
    if found.provenance is not None:
        layers = [layer for layer in found.layers if layer >= found.main]
        ours = {f"layer {layer}": f"ours_layer_{layer}" for layer in layers}
        panels.append(_pairs(table, tokens, ours, _whose(found, *layers), "ours_3"))
    return _beside(
        "figure-3",
        f"{about['figure']}: {about['figure_caption']}",
        "Each panel has its own scale, and so have the norms of two layers: compare the order "
        "within a layer.",
        panels,
    )


def _pairs(
    table: PaperTable, tokens: Sequence[str], columns: dict[str, str], title: str, name: str
) -> Any:
    """One panel: two bars for each token."""
    import altair as alt

    rows: list[dict[str, Any]] = [
        {"i": i, "token": token, "value": value, "layer": layer, "said": f"{value:.2f}"}
        for layer, column in columns.items()
        for i, (token, value) in enumerate(zip(tokens, _numbers(table, column), strict=True))
        if value is not None
    ]
    x, names = theme.token_axis([theme.label(token) for token in tokens], f"tokens_{name}")
    colours = alt.Scale(domain=[*columns], range=[*_LAYERS[: len(columns)]])
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=x,
            xOffset=alt.XOffset("layer:N", scale=alt.Scale(domain=[*columns])),
            y=_y("value:Q", [row["value"] for row in rows]),
            fill=alt.Fill("layer:N", scale=colours, legend=alt.Legend(title=None)),
            tooltip=[_tip("token"), _tip("said", "S"), _tip("layer")],
        )
        .add_params(names)
        .properties(**_panel(title, len(tokens)))
    )


def _shifts(found: Reproduction, steering: Steering, n: int) -> Figure:
    """Figures 4 to 6: shift of every token between two prompts, aligned in two ways."""
    import altair as alt

    name, charts = f"figure-{n}", []
    for how, result in steering.aligned:
        moved = result.between(*pair_of(name, result), found.main)
        parts = tuple(result.comparison(*pair_of(name, result)).part.tolist())
        own = f"_figure_{n}_{how}"
        drawn = DrawnShift(moved, len(moved), name=own, parts=parts)
        notes = [drawn.numbers, _MARKS]
        heading = theme.heading([_ALIGNED[how]], notes, theme.plot_width(len(moved)))
        charts.append(charts_shift.bars(drawn).properties(title=heading))
    both = alt.vconcat(*charts, spacing=40).resolve_scale(
        fill="independent", stroke="independent", strokeDash="independent"
    )
    return Figure(
        name,
        f"Figure {n}: {published()[name]['caption']}",
        "The paper prints no value. Index by index, most pairs are two different words, whose "
        "distance says little about the prompt.",
        _noted(both, [_whose(found), f"A: {moved.a.text}", f"B: {moved.b.text}"]),
    )


def _drift(found: Reproduction, steering: Steering) -> Figure:
    """Figure 7: total and mean shift of every pair of prompts."""
    about, (how, result) = published()["figure-7"], steering.aligned[0]
    k = found.layers.index(found.main)
    pairs = [f"{result.prompts[c.a]} / {result.prompts[c.b]}" for c in result.comparisons]
    panels = [
        _lines(pairs, [float(getattr(c, field)[k]) for c in result.comparisons], title, axis, field)
        for field, title, axis in (
            ("total_shift", "total of all aligned pairs: grows with length", "Σ Δ"),
            ("mean_shift", "mean of an aligned pair", "mean Δ"),
        )
    ]
    whose = f"{_whose(found)}. {_ALIGNED[how]}"
    return _beside("figure-7", f"Figure 7: {about['caption']}", f"{whose}.", panels)


def _lines(names: Sequence[str], values: Sequence[float], title: str, axis: str, field: str) -> Any:
    """One panel: a lying bar for each pair of prompts, its value at its end."""
    import altair as alt

    rows = [
        {"pair": name, "value": value if np.isfinite(value) else None, "said": f"{value:.3f}"}
        for name, value in zip(names, values, strict=True)
    ]
    first = field == "total_shift"
    label = alt.Axis(
        title=None, labelLimit=0, ticks=False, domain=False, labels=first, labelPadding=8
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("pair:N", sort=[*names], axis=label),
        x=alt.X("value:Q", title=axis, scale=alt.Scale(domainMin=0, nice=True)),
        tooltip=[_tip("pair"), _tip("said", axis)],
    )
    fill, stroke, _ = theme.LOOKS["token"]
    bars = base.mark_bar(fill=fill, stroke=stroke, height={"band": 0.6})
    text = base.mark_text(align="left", dx=5, fontSize=theme.SMALL).encode(text="said:N")
    return alt.layer(bars, text).properties(width=300, height=130, title=_small(title))


def _y(field: str, values: Sequence[float | None]) -> Any:
    """From 0 to a little above the highest bar, so that its value has room."""
    import altair as alt

    axis = alt.Axis(tickCount=5, domain=False, ticks=False)
    top = 1.08 * max((value for value in values if value is not None), default=1.0)
    scale = alt.Scale(domain=[0, top], nice=False)
    return alt.Y(field, title="strength S (bars from 0)", scale=scale, axis=axis)


def _tip(field: str, title: str | None = None) -> Any:
    import altair as alt

    return alt.Tooltip(f"{field}:N", title=title or field)


def _panel(title: str, n: int) -> dict[str, Any]:
    return {"width": _STEP * n, "height": _HEIGHT, "title": _small(title)}


def _small(title: str) -> Any:
    import altair as alt

    return alt.TitleParams(title, fontSize=theme.SIZE, fontWeight="normal")


def _beside(name: str, title: str, sentence: str, panels: Sequence[Any]) -> Figure:
    """Panels next to each other, each with its own scale, under one title."""
    import altair as alt

    channels = ("x", "y", "xOffset", "fill", "stroke", "strokeDash")
    row = alt.hconcat(*panels, spacing=36).resolve_scale(**dict.fromkeys(channels, "independent"))
    return Figure(name, title, sentence, _noted(row, []))


def _noted(chart: Any, notes: Sequence[str]) -> Any:
    import altair as alt

    if not notes:
        return theme.finished(chart)
    return theme.finished(chart.properties(title=alt.TitleParams([], subtitle=[*notes])))
