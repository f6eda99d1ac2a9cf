"""Kinds of token in a run as charts: layer by layer, and at one layer beside special tokens."""

from collections.abc import Iterator
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_layers import layer_axis
from activation_flow.charts_run import (
    BAND,
    ORDER,
    PLACE,
    STEP,
    Measure,
    Row,
    Shown,
    about,
    labels,
    measured,
    places,
    reading,
    tips,
    value_axis,
)
from activation_flow.picture import token_text
from activation_flow.result_summary import Summary


def by_layer(summary: Summary, measure: Measure) -> Any:
    """A line with its band for each kind, over the layers: two or more."""
    import altair as alt

    def rows_of(section: str) -> list[Row]:
        return [
            {**row, "k": k}
            for k, layer in enumerate(summary.layers)
            for row in measured(summary, section, layer, measure)
        ]

    rows = rows_of("kind")
    axis, names = layer_axis(summary.provenance, summary.layers, f"layers_{measure.column}")
    x = alt.X("k:O", axis=axis, scale=alt.Scale(domain=list(range(len(summary.layers)))))
    y = alt.Y("value:Q", **value_axis(measure))
    kinds = [kind for kind in ORDER if any(row["kind"] == kind for row in rows)]
    colours = alt.Scale(domain=kinds, range=[theme.SERIES[ORDER.index(kind)] for kind in kinds])
    shapes = alt.Scale(domain=kinds, range=[theme.SHAPES[ORDER.index(kind)] for kind in kinds])
    legend = alt.Legend(title=None, symbolOpacity=1)
    colour = alt.Color("kind:N", legend=legend, scale=colours)
    base = alt.Chart(theme.data(rows)).encode(x=x)
    sure = base.transform_filter("datum.low !== null")
    chart = alt.layer(
        *_chance(rows_of("all"), measure, x),
        sure.mark_area(opacity=0.3).encode(y=alt.Y("low:Q"), y2="high:Q", color=colour),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            y=y,
            color=colour,
            shape=alt.Shape("kind:N", legend=legend, scale=shapes),
            tooltip=tips(measure),
        ),
    )
    width = theme.plot_width(min(max(len(summary.layers), 6), 13))
    notes = [*about(summary, summary.layers), reading(summary, measure), f"bands: {BAND}"]
    title = theme.heading([f"{measure.title}, layer by layer"], notes, width)
    sized = chart.properties(width=width, height=theme.HEIGHT, title=title)
    return sized.add_params(names)


def _chance(every: list[Row], measure: Measure, x: Any) -> Iterator[Any]:
    """What nothing in particular would give: the middle, or at each layer the share of all."""
    import altair as alt

    rows = [{**row, "value": 50.0} for row in every] if measure is PLACE else every
    base = alt.Chart(theme.data(rows)).encode(x=x, y="value:Q")
    yield base.mark_line(strokeDash=[5, 3], strokeWidth=1, color=theme.INK)
    words = base.transform_filter(f"datum.k === {len(rows) - 1}").mark_text(
        align="left", dx=6, text=measure.reference
    )
    yield words.encode(x=alt.value("width"))


def dots(these: Shown, measure: Measure) -> Any:
    """A mark with its interval for each kind, each special token below its kind."""
    import altair as alt

    summary = these.summary

    def of_layer(layer: int) -> Iterator[Row]:
        kinds = measured(summary, "kind", layer, measure)
        rows = sorted(kinds, key=lambda row: ORDER.index(row["kind"]))
        for row in [*rows, *measured(summary, "special", layer, measure)]:
            special = row["section"] == "special"
            written = f"{row['said']}  ({row['between']})"
            label = token_text(row["kind"]) if special else row["kind"]
            yield {**row, "label": label, "written": written}

    rows = these.rows(of_layer)
    names = list(dict.fromkeys((row["section"], row["label"]) for row in rows))
    names.sort(key=lambda name: _after(name[1]) if name[0] == "kind" else (len(ORDER), ""))
    for row in rows:
        row["i"] = names.index((row["section"], row["label"]))
        row["label"] = theme.label(row["kind"]) if row["section"] == "special" else row["label"]
    x = alt.X("value:Q", **value_axis(measure))
    looks = {"domain": ["kind", "special"], "range": [theme.LOOKS["HIGH"][0], theme.GREY]}
    colour = alt.Color("section:N", scale=alt.Scale(**looks), legend=None)
    base = these.data(rows).encode(y=places(len(names)))
    chart = alt.layer(
        *_reference(these, measure, x),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q"), x2="high:Q", color=colour),
        *(
            base.mark_tick(height=14, thickness=2).encode(x=f"{end}:Q", color=colour)
            for end in ("low", "high")
        ),
        base.mark_point(filled=True, size=36, opacity=1).encode(
            x=x, color=colour, tooltip=tips(measure)
        ),
        labels(base),
        labels(base, "written"),
    ).properties(width=theme.NARROW, height=STEP * max(len(names), 1))
    notes = [reading(summary, measure), f"lines: {BAND}"]
    return these.titled(chart, measure.title, notes, theme.NARROW + 120)


def _after(kind: str) -> tuple[int, str]:
    return (ORDER.index(kind), kind)


def _reference(these: Shown, measure: Measure, x: Any) -> Iterator[Any]:
    """What nothing in particular would give: the middle, or the share of all tokens."""
    import altair as alt

    def of_layer(layer: int) -> Iterator[Row]:
        for row in measured(these.summary, "all", layer, measure):
            yield {"value": 50.0 if measure is PLACE else row["value"]}

    base = these.data(these.rows(of_layer)).encode(x=x)
    yield base.mark_rule(strokeDash=[5, 3])
    words = base.mark_text(baseline="bottom", dy=-6, text=measure.reference)
    yield words.encode(y=alt.value(0))
