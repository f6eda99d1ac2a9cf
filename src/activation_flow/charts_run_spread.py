"""Strengths in a run as charts: how each kind is spread, which types are strongest, skew."""

from collections.abc import Iterator
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_layers import layer_axis
from activation_flow.charts_run import NONE, ORDER, Row, Shown, about, labels, places
from activation_flow.picture import number, token_text
from activation_flow.result_summary import BINS, Summary

_TOLD = {"kind": "kind", "bin": "strength S"}


def histograms(these: Shown) -> Any:
    """How the strengths of each kind are spread: bins as parts of the kind's own tokens."""
    import altair as alt

    rows = these.rows(lambda layer: _bins(these.summary, layer))
    kinds = [kind for kind in ORDER if any(row["kind"] == kind for row in rows)]
    parts = []
    for kind in kinds:
        mine = [row for row in rows if row["kind"] == kind]
        last = kind == kinds[-1]
        axis = alt.Axis(tickCount=6, ticks=last, labels=last, domain=True)
        x = alt.X(
            "low:Q",
            bin="binned",
            title="strength S (axis not from 0)" if last else None,
            axis=axis,
            scale=alt.Scale(zero=False, nice=False),
        )
        tip = [
            *(alt.Tooltip(f"{field}:N", title=t) for field, t in _TOLD.items()),
            alt.Tooltip("part:Q", title="of its tokens", format=".1%"),
            alt.Tooltip("count:Q", title="tokens", format=","),
        ]
        look = theme.SERIES[ORDER.index(kind)]
        bars = (
            these.data(mine)
            .mark_bar(binSpacing=0.5, fill=look)
            .encode(
                x=x,
                x2="high:Q",
                y=alt.Y("part:Q", axis=None, scale=alt.Scale(zero=True)),
                tooltip=tip,
            )
        )
        parts.append(alt.layer(bars, *_named(kind, mine, these.first)).properties(height=60))
    column = alt.vconcat(*(part.properties(width=theme.NARROW) for part in parts), spacing=6)
    column = column.resolve_scale(x="shared", y="independent")
    note = f"{BINS} bins of strength; each kind is drawn up to its own highest bin"
    return these.titled(column, "How strong the tokens of each kind are", [note], theme.NARROW)


def _named(kind: str, mine: list[Row], layer: int) -> Iterator[Any]:
    """The name of a kind and how many tokens it has, left of its plot."""
    import altair as alt

    n = sum(row["count"] for row in mine if row["layer"] == layer)
    words = alt.Chart(theme.data([{"label": kind, "n": f"n = {n:,}"}]))
    for y, field, size in ((26, "label", theme.SIZE), (42, "n", theme.SMALL)):
        text = words.mark_text(align="right", dx=-12, fontSize=size)
        yield text.encode(x=alt.value(0), y=alt.value(y), text=f"{field}:N")


def _bins(summary: Summary, layer: int) -> Iterator[Row]:
    """Bins of the histogram that hold tokens, each count beside its part of the kind's tokens."""
    bins = summary.bins(layer)
    totals: dict[str | None, int] = {}
    for row in bins:
        totals[row["kind"]] = totals.get(row["kind"], 0) + row["count"]
    for row in bins:
        if row["count"]:
            between = f"{number(row['low'])} to {number(row['high'])}"
            part = row["count"] / totals[row["kind"]]
            ends = {"low": row["low"], "high": row["high"], "bin": between}
            yield {"kind": row["kind"] or NONE, **ends, "count": row["count"], "part": part}


def types(these: Shown) -> Any:
    """The strongest and the weakest types of token, by mean S."""
    import altair as alt

    summary = these.summary

    def of_layer(layer: int) -> Iterator[Row]:
        weakest = summary.rows("weakest", layer)[::-1]
        strongest = summary.rows("strongest", layer)
        seen = {row["name"] for row in strongest}
        listed = [*strongest, *(row for row in weakest if row["name"] not in seen)]
        for i, row in enumerate(listed):
            share = row["high_share"]
            yield {
                **{"i": i, "label": theme.label(row["name"]), "token": token_text(row["name"])},
                **{"section": row["section"], "mean": row["mean"], "said": number(row["mean"])},
                "share": "takes no part" if share is None else f"{100 * share:.1f} %",
                **{"tokens": f"{row['tokens']:,}", "texts": f"{row['texts']:,}"},
            }

    def of_all(layer: int) -> list[Row]:
        return [{"mean": row["mean"]} for row in summary.rows("all", layer)]

    rows = these.rows(of_layer)
    x = alt.X(
        "mean:Q",
        title="mean strength S (axis not from 0)",
        scale=alt.Scale(zero=False, nice=True, padding=8),
        axis=alt.Axis(tickCount=6, domain=False, ticks=False),
    )
    names = ["strongest", "weakest"]
    legend = alt.Legend(title=None, offset=28)
    colours = alt.Scale(domain=names, range=list(theme.SERIES[:2]))
    shapes = alt.Scale(domain=names, range=list(theme.SHAPES[:2]))
    told = {"token": "type", "said": "mean S", "share": "HIGH", "tokens": "tokens"}
    n = 1 + max((row["i"] for row in rows), default=0)
    base = these.data(rows).encode(y=places(n))
    centre = these.data(these.rows(of_all)).encode(x=x)
    chart = alt.layer(
        centre.mark_rule(strokeDash=[5, 3]),
        centre.mark_text(baseline="bottom", dy=-6, text="all tokens").encode(y=alt.value(0)),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=x,
            color=alt.Color("section:N", legend=legend, scale=colours),
            shape=alt.Shape("section:N", legend=legend, scale=shapes),
            tooltip=[alt.Tooltip(f"{f}:N", title=name) for f, name in told.items()],
        ),
        labels(base),
    ).properties(width=theme.NARROW, height=20 * n)
    least = summary.options["min_count"]
    often = "" if least == 1 else f" that occur {least:,} times or more"
    note = f"types{often}, by mean strength; no special ones"
    return these.titled(chart, "Strongest and weakest types of token", [note], theme.NARROW)


def skew(summary: Summary) -> Any:
    """The skew of strengths, layer by layer: the mean of the texts, and of all tokens pooled."""
    import altair as alt

    told = {"mean_skew": "mean of the texts", "pooled_skew": "all tokens pooled"}
    rows = [
        {"k": summary.layers.index(row["layer"]), "of": said, "skew": row[name]}
        | {"said": f"{row[name]:.2f}", "name": summary.provenance.layer_name(row["layer"])}
        for name, said in told.items()
        for row in summary.texts.to_pylist()
        if row[name] is not None
    ]
    axis, names = layer_axis(summary.provenance, summary.layers, "layers_skew")
    x = alt.X("k:O", axis=axis, scale=alt.Scale(domain=list(range(len(summary.layers)))))
    y = alt.Y("skew:Q", title="skew g1", axis=alt.Axis(tickCount=5, domain=False, ticks=False))
    order = list(told.values())
    legend = alt.Legend(title=None)
    colour = alt.Color(
        "of:N", legend=legend, scale=alt.Scale(domain=order, range=list(theme.SERIES[:2]))
    )
    shape = alt.Shape(
        "of:N", legend=legend, scale=alt.Scale(domain=order, range=list(theme.SHAPES[:2]))
    )
    tip = {"of": "skew of", "name": "layer", "said": "g1"}
    base = alt.Chart(theme.data(rows)).encode(x=x, y=y)
    zero = alt.Chart(theme.data([{"skew": 0}])).encode(y="skew:Q")
    chart = alt.layer(
        zero.mark_rule(strokeDash=[5, 3]),
        base.mark_line(strokeWidth=2).encode(color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            color=colour,
            shape=shape,
            tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in tip.items()],
        ),
    )
    width = theme.plot_width(min(max(len(summary.layers), 6), 13))
    note = "above 0: a few much stronger tokens; below: a few much weaker"
    notes = [*about(summary, summary.layers), note]
    title = theme.heading(["Skew of strengths, layer by layer"], notes, width)
    return chart.add_params(names).properties(width=width, height=160, title=title)
