"""The paper's seven figures: its bars beside ours, and what its prompts move.

Every number drawn is one of the reproduction's. The paper prints no value of Figures 4 to 7, so
those show ours alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from activation_flow import charts_shift
from activation_flow import charts_theme as theme
from activation_flow.charts_shift import DrawnShift
from activation_flow.charts_strength import look_channels
from activation_flow.charts_theme import Figure
from activation_flow.paper import PaperTable, Value, number_of, published
from activation_flow.paper_prompts import FIGURES, Steering, pair_of
from activation_flow.paper_tables import high, kinds_of
from activation_flow.result_reproduction import Reproduction

_STEP, _HEIGHT = 46, 260  # pixels for a token; of a plot
_OF_PAPER = "HIGH by eqs. 3 and 4 over the tokens that are not special"


def figures(found: Reproduction) -> list[Figure]:
    """Those that can be drawn: Figures 1 to 3, and with a model all seven."""
    made = [*_strengths(found), _two_layers(found)]
    if found.steering is not None:
        made += [*_shifts(found, found.steering), _drift(found, found.steering)]
    return made


def _whose(found: Reproduction) -> str:
    if found.provenance is None:
        return "no model was run"
    model, layer = found.provenance.model, found.provenance.layer_name(found.main)
    return f"{model}, {layer}{', not the paper’s model' if found.another else ''}"


def _strengths(found: Reproduction) -> Iterator[Figure]:
    """Figures 1 and 2: bars of Tables 1 and 2."""
    for number in (1, 2):
        table, about = found.table(f"table-{number}"), published()[f"table-{number}"]
        tokens = [str(token) for token in table.columns["token"]]
        printed = [number_of(str(value)) for value in table.columns["paper_strength"]]
        panels = [_bars(tokens, printed, "the paper’s numbers", f"paper_{number}")]
        if found.provenance is not None:
            ours = _numbers(table, f"ours_layer_{found.main}")
            panels.append(_bars(tokens, ours, _whose(found), f"ours_{number}"))
        yield _beside(
            f"figure-{number}",
            f"{about['figure']}: {about['figure_caption']}",
            f"Each panel has its own scale. {_OF_PAPER}.",
            panels,
        )


def _numbers(table: PaperTable, column: str) -> list[float | None]:
    return [_number(value) for value in table.columns[column]]


def _number(value: Value) -> float | None:
    return number_of(value) if isinstance(value, str) else value


def _bars(tokens: Sequence[str], values: Sequence[float | None], title: str, name: str) -> Any:
    """One panel: a bar for each token, HIGH, LOW or special, its value above it."""
    import altair as alt

    plain = [
        kind != "special" and value is not None
        for kind, value in zip(kinds_of([*tokens]), values, strict=True)
    ]
    marks = iter(high(np.array([v for v, on in zip(values, plain, strict=True) if on], float)))
    rows = []
    for i, (token, value, on) in enumerate(zip(tokens, values, plain, strict=True)):
        look = ("HIGH" if next(marks) else "LOW") if on else "special"
        said = "none" if value is None else f"{value:.2f}"
        rows.append({"i": i, "token": token, "value": value, "look": look, "said": said})
    x, names = theme.token_axis([theme.label(token) for token in tokens], f"tokens_{name}")
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=x, y=_y("value:Q", "strength S"), tooltip=[_tip("token"), _tip("said", "S"), _tip("look")]
    )
    looks = [look for look in theme.LOOKS if any(row["look"] == look for row in rows)]
    bars = base.mark_bar(strokeWidth=1).encode(**look_channels(looks))
    text = base.mark_text(dy=-7, fontSize=10).encode(text="said:N")
    return alt.layer(bars, text).add_params(names).properties(**_panel(title, len(tokens)))


def _two_layers(found: Reproduction) -> Figure:
    """Figure 3: two layers, bars of Table 3."""
    table, about = found.table("table-3"), published()["table-3"]
    tokens = [str(token) for token in table.columns["token"]]
    columns = {"layer 8": "paper_layer_8", "layer 9": "paper_layer_9"}
    panels = [_pairs(table, tokens, columns, "the paper’s numbers", "paper_3")]
    if found.provenance is not None:
        layers = [layer for layer in found.layers if layer >= found.main]
        ours = {f"layer {layer}": f"ours_layer_{layer}" for layer in layers}
        title = f"{_whose(found)}{' and the next' if len(layers) > 1 else ''}"
        panels.append(_pairs(table, tokens, ours, title, "ours_3"))
    return _beside(
        "figure-3",
        f"{about['figure']}: {about['figure_caption']}",
        "Each panel has its own scale. Norms of two layers have different scales, too: only the "
        "order within a layer can be compared.",
        panels,
    )


def _pairs(
    table: PaperTable, tokens: Sequence[str], columns: dict[str, str], title: str, name: str
) -> Any:
    """One panel: two bars for each token."""
    import altair as alt

    rows = [
        {"i": i, "token": token, "value": value, "layer": layer, "said": f"{value or 0:.2f}"}
        for layer, column in columns.items()
        for i, (token, value) in enumerate(zip(tokens, _numbers(table, column), strict=True))
        if value is not None
    ]
    x, names = theme.token_axis([theme.label(token) for token in tokens], f"tokens_{name}")
    colours = alt.Scale(domain=[*columns], range=[*theme.SERIES[: len(columns)]])
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=x,
            xOffset=alt.XOffset("layer:N", scale=alt.Scale(domain=[*columns])),
            y=_y("value:Q", "strength S"),
            fill=alt.Fill("layer:N", scale=colours, legend=alt.Legend(title=None)),
            tooltip=[_tip("token"), _tip("said", "S"), _tip("layer")],
        )
        .add_params(names)
        .properties(**_panel(title, len(tokens)))
    )


def _shifts(found: Reproduction, steering: Steering) -> Iterator[Figure]:
    """Figures 4 to 6: shift of every token between two prompts, aligned in two ways."""
    import altair as alt

    for name in FIGURES:
        about = published()[name]
        number = name.rpartition("-")[2]
        charts = []
        for how, lead, result in (
            ("text", "The sentence’s own tokens aligned", steering.by_text),
            ("position", "Index by index, as in the paper’s tables", steering.by_position),
        ):
            moved = result.between(*pair_of(name, result), found.main)
            drawn = DrawnShift(moved, len(moved), lead, f"_{name.replace('-', '_')}_{how}")
            charts.append(charts_shift.bars(drawn))
        both = alt.vconcat(*charts, spacing=40).resolve_scale(
            fill="independent", stroke="independent", strokeDash="independent"
        )
        title = f"Figure {number}: {about['caption']}"
        yield Figure(
            name,
            title,
            "The paper prints no value. Index by index, most pairs are two different words, whose "
            "distance says little about the prompt.",
            _titled(both, title, _whose(found)),
        )


def _drift(found: Reproduction, steering: Steering) -> Figure:
    """Figure 7: total and mean shift of every pair of prompts."""
    about, result = published()["figure-7"], steering.by_text
    k = found.layers.index(found.main)
    pairs = [f"{result.prompts[c.a]} / {result.prompts[c.b]}" for c in result.comparisons]
    panels = [
        _lines(pairs, [float(getattr(c, field)[k]) for c in result.comparisons], title, axis, field)
        for field, title, axis in (
            ("total_shift", "total of all aligned pairs: grows with length", "Σ Δ"),
            ("mean_shift", "mean of an aligned pair", "mean Δ"),
        )
    ]
    whose = f"{_whose(found)}; the sentence’s own tokens and the special ones aligned"
    return _beside("figure-7", f"Figure 7: {about['caption']}", f"{whose}.", panels)


def _lines(names: Sequence[str], values: Sequence[float], title: str, axis: str, field: str) -> Any:
    """One panel: a lying bar for each pair of prompts, its value at its end."""
    import altair as alt

    rows = [
        {"pair": name, "value": value if np.isfinite(value) else None, "said": f"{value:.3f}"}
        for name, value in zip(names, values, strict=True)
    ]
    first = field == "total_shift"
    label = alt.Axis(title=None, labelLimit=0, ticks=False, domain=False, labels=first)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("pair:N", sort=[*names], axis=label),
        x=alt.X("value:Q", title=axis, scale=alt.Scale(domainMin=0, nice=True)),
        tooltip=[_tip("pair"), _tip("said", axis)],
    )
    fill, stroke, _ = theme.LOOKS["token"]
    bars = base.mark_bar(fill=fill, stroke=stroke, height={"band": 0.6})
    text = base.mark_text(align="left", dx=5, fontSize=theme.SMALL).encode(text="said:N")
    return alt.layer(bars, text).properties(width=300, height=130, title=_small(title))


def _y(field: str, title: str) -> Any:
    import altair as alt

    axis = alt.Axis(tickCount=5, domain=False, ticks=False)
    return alt.Y(field, title=title, scale=alt.Scale(domainMin=0, nice=True), axis=axis)


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

    row = alt.hconcat(*panels, spacing=36).resolve_scale(
        y="independent", x="independent", fill="shared", stroke="shared", strokeDash="shared"
    )
    return Figure(name, title, sentence, _titled(row, title, ""))


def _titled(chart: Any, title: str, below: str) -> Any:
    import altair as alt

    small = [below] if below else []
    return theme.finished(chart.properties(title=alt.TitleParams([title], subtitle=small)))
