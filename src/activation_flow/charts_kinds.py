"""Kinds of tokens as charts: where each stands layer by layer; the strengths of each.

The percentiles are those of ``LayersResult.kinds``; only the median of a strip is found by the
chart itself.
"""

from typing import Any

import numpy as np

from activation_flow import charts_theme as theme
from activation_flow.charts_layers import layer_axis
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import finite
from activation_flow.data import KINDS, main_layer
from activation_flow.picture import (
    KINDS_NOTE,
    KINDS_TITLE,
    kind_rows,
    model_line,
    outliers,
    token_text,
)
from activation_flow.results import LayersResult, StrengthResults

# Content first: what is asked about most.
_ORDER = (*KINDS[::-1], "(no kind)")
VALUES = 5000  # are drawn in a strip


def by_layer(results: LayersResult) -> Any:
    """A line for each kind, over the layers: the mean percentile within its text."""
    import altair as alt

    rows, names = [], []
    for kind, n, places in sorted(kind_rows(results), key=lambda row: _ORDER.index(row[0])):
        names.append(f"{kind}, n = {n:,}")
        for k, (layer, place) in enumerate(zip(results.layers, places, strict=True)):
            head = results.provenance.layer_name(layer)
            row = {"k": k, "layer": head, "kind": kind, "n": n, "series": names[-1]}
            rows.append({**row, "percentile": finite(place), "said": f"{place:.1f}"})
    axis, layer_names = layer_axis(results.provenance, results.layers, "layers")
    x = alt.X("k:O", axis=axis, scale=alt.Scale(domain=list(range(len(results.layers)))))
    y = alt.Y(
        "percentile:Q",
        title="mean rank percentile",
        scale=alt.Scale(domain=[0, 100]),
        axis=alt.Axis(values=[0, 25, 50, 75, 100], domain=False, ticks=False),
    )
    series = [_ORDER.index(name.split(",")[0]) for name in names]
    legend = alt.Legend(title=None)
    colour = alt.Color(
        "series:N",
        legend=legend,
        scale=alt.Scale(domain=names, range=[theme.SERIES[i] for i in series]),
    )
    shape = alt.Shape(
        "series:N",
        legend=legend,
        scale=alt.Scale(domain=names, range=[theme.SHAPES[i] for i in series]),
    )
    told = {"kind": "kind", "layer": "layer", "said": "mean rank percentile", "n": "tokens"}
    tip = [alt.Tooltip(f"{field}:N", title=title) for field, title in told.items()]
    base = alt.Chart(alt.InlineData(values=rows)).transform_filter("datum.percentile !== null")
    middle = alt.Chart(alt.InlineData(values=[{"middle": 50}])).encode(y="middle:Q")
    chart = alt.layer(
        middle.mark_rule(strokeDash=[5, 3]),
        middle.mark_text(align="left", dx=6, text="middle of the text").encode(
            x=alt.value("width")
        ),
        base.mark_line(strokeWidth=2).encode(x=x, y=y, color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape, tooltip=tip
        ),
    )
    width = theme.plot_width(min(max(len(results.layers), 5), 12))
    notes = [
        model_line(results.provenance, results.layers),
        KINDS_NOTE,
        "pooled over tokens, no interval",
    ]
    title = theme.heading([KINDS_TITLE], notes, width)
    return chart.add_params(layer_names).properties(width=width, height=theme.HEIGHT, title=title)


def strips(results: StrengthResults) -> Any:
    """The strengths of each kind at one layer: a tick for each token, a long one for the median."""
    import altair as alt

    layer = main_layer(results.layers, results.provenance)
    k, left = results.layers.index(layer), 0
    rows: list[dict[str, Any]] = []
    for text, result in zip(results.numbers, results, strict=True):
        far = outliers(result)[k]
        on = np.isfinite(result.strength[k]) & ~far
        if len(rows) + on.sum() > VALUES and rows:
            left += 1
            continue
        for i in np.nonzero(on)[0]:
            row = {
                "kind": str(result.kind[i]) or "(no kind)",
                "token": token_text(str(result.tokens[i])),
            }
            rows.append({**row, "text": text, "strength": finite(result.strength[k, i])})
    kinds = [kind for kind in _ORDER if any(row["kind"] == kind for row in rows)]
    counts = {kind: sum(row["kind"] == kind for row in rows) for kind in kinds}
    names = {kind: f"{kind}, n = {n:,}" for kind, n in counts.items()}
    for row in rows:
        row["series"] = names[row["kind"]]
    where = results.provenance.layer_name(layer)
    told = {"token": "token", "kind": "kind", "strength": "strength S", "text": results.noun}
    tip = [alt.Tooltip(f"{f}:N", title=t) for f, t in told.items()]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y(
            "series:N",
            title=None,
            scale=alt.Scale(domain=list(names.values())),
            axis=alt.Axis(domain=False, ticks=False, labelLimit=0),
        )
    )
    x = alt.X(
        "strength:Q",
        title="strength S (axis not from 0)",
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(tickCount=6, domain=False),
    )
    ticks = base.mark_tick(thickness=1, height=20, opacity=0.6, color=theme.LOOKS["HIGH"][0])
    median = base.mark_tick(thickness=3, height=30, color=theme.INK, opacity=1)
    middle = alt.X("median(strength):Q", title="strength S (axis not from 0)")
    notes = [model_line(results.provenance, [layer])]
    notes.append("each line is a token, the long one the median of its kind")
    if left:
        notes.append(f"{left:,} of {len(results):,} texts are not drawn")
    title = theme.heading([f"Strength by kind of token, {where}"], notes, theme.WIDE)
    return alt.layer(ticks.encode(x=x, tooltip=tip), median.encode(x=middle)).properties(
        width=theme.WIDE, height=44 * max(len(kinds), 1), title=title
    )


def figures(results: StrengthResults) -> list[Figure]:
    """Those of several texts; and of all layers, where these were asked for."""
    found = []
    if isinstance(results, LayersResult) and kind_rows(results):
        found.append(
            Figure(
                "kinds",
                KINDS_TITLE,
                f"{KINDS_NOTE[0].upper()}{KINDS_NOTE[1:]}.",
                theme.finished(by_layer(results)),
            )
        )
    if len(results) > 1 and any(result.strength.size for result in results):
        said = "How strong the tokens of each kind are, over all texts drawn."
        found.append(Figure("by-kind", "Strength by kind", said, theme.finished(strips(results))))
    return found
