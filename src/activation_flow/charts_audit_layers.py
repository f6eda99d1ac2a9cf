"""The AUC of the scores layer by layer, beside baselines that belong to no layer, and chance."""

from collections.abc import Iterator, Sequence
from math import ceil, floor
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.audit_tables import ScoreRow
from activation_flow.charts_audit_rows import BAND, between, channels, titled
from activation_flow.charts_layers import layer_axis
from activation_flow.picture import number, visible
from activation_flow.result_audit import AuditResult

CHANCE = 0.5
# Variants and baselines that are drawn first; of each so many, or nobody could tell them apart.
FIRST = ("standardised", "before_norm", "update", "attention", "rollout")
_VARIANTS, _BASELINES = 3, 1
_HEIGHT, _LINE, _LABEL = 320, 15, 240  # pixels: the plot, a line of labels, their width


def layers(found: AuditResult) -> Any:
    """A line with its band for each score that is known at several layers.

    The norm, three of its variants, and attention; a rule with a label for what belongs to no
    layer. The table of the page has all scores.
    """
    import altair as alt

    series = _series(found)
    rules = _rules(found)
    rows = [_row(found, row) for those in series.values() for row in those]
    low, high = _domain([*rows, *rules])
    axis, names = layer_axis(found.provenance, found.layers, "layers_auc")
    axis.labelExpr = "split(layers_auc[datum.value], ', ')"  # "24, final norm" in two lines
    x = alt.X("k:O", axis=axis, scale=alt.Scale(domain=list(range(len(found.layers)))))
    scale = alt.Scale(domain=[low, high], nice=False)
    shown = alt.Axis(tickCount=6, domain=False, ticks=False)
    y = alt.Y("value:Q", title="AUC, content above function words", scale=scale, axis=shown)
    colour, shape = channels("title", list(series), columns=3)
    base = alt.Chart(alt.Data(values=rows)).encode(x=x)
    sure = base.transform_filter("isValid(datum.low)")
    told = {"title": "score", "name": "layer", "said": "AUC", "between": "95 % interval"}
    tips = [alt.Tooltip(f"{name}:N", title=title) for name, title in told.items()]
    bands = sure.mark_area(opacity=0.18).encode(
        y=alt.Y("low:Q", scale=scale), y2="high:Q", color=colour
    )
    chart = alt.layer(
        *_marked(found, x),
        *_lines(rules, (low, high)),
        *([bands] if any(row["low"] is not None for row in rows) else []),
        base.mark_line(strokeWidth=2).encode(y=y, color=colour),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            y=y, color=colour, shape=shape, tooltip=tips
        ),
    )
    width = theme.plot_width(min(max(len(found.layers), 8), 13))
    notes = [
        f"bands: {BAND}; at 0.5 a score says nothing, below it stands the other way round",
        "dashed: baselines that need no model, or no context; dotted: chance",
    ]
    chart = titled(found, chart, "Which score tells content words?", notes, found.layers)
    return chart.properties(width=width, height=_HEIGHT).add_params(names)


def drawable(found: AuditResult) -> bool:
    """Whether any score has an AUC at some layer."""
    return any(row.auc is not None and row.layer in found.layers for row in found.scores)


def _series(found: AuditResult) -> dict[str, list[ScoreRow]]:
    """The rows of each line by its name, in the order of the layers."""
    by_score: dict[str, list[ScoreRow]] = {}
    for row in found.scores:
        if row.layer in found.layers and row.auc is not None:
            by_score.setdefault(row.score, []).append(row)
    rank = {name: n for n, name in enumerate(FIRST)}
    names = sorted(by_score, key=lambda name: rank.get(name, len(rank)))
    chosen: list[str] = []
    for role, limit in (("strength", 1), ("variant", _VARIANTS), ("baseline", _BASELINES)):
        those = [n for n in names if by_score[n][0].role == role and len(by_score[n]) > 1]
        those = those or [n for n in names if by_score[n][0].role == role == "strength"]
        chosen += those[:limit]
    lines = {by_score[name][0].title: by_score[name] for name in chosen}
    return {
        title: sorted(rows, key=lambda row: found.layers.index(row.layer or 0))
        for title, rows in lines.items()
    }


def _row(found: AuditResult, row: ScoreRow) -> dict[str, Any]:
    low, high = row.interval or (None, None)
    layer = row.layer or 0
    return {
        **{"k": found.layers.index(layer), "title": visible(row.title), "value": row.auc},
        **{"low": low, "high": high, "said": number(row.auc or 0.0)},
        **{"between": between(row.interval), "name": found.provenance.layer_name(layer)},
    }


def _rules(found: AuditResult) -> list[dict[str, Any]]:
    """Chance, and the baselines that belong to no layer: the norm of the embeddings is one."""
    rows: list[dict[str, Any]] = [
        {"title": "chance", "value": CHANCE, "said": "0.5", "between": "none"}
    ]
    for row in found.scores:
        if row.auc is not None and row.role == "baseline" and row.layer is None:
            said = {"said": number(row.auc), "between": between(row.interval)}
            rows.append({"title": visible(row.title), "value": row.auc, **said})
    return rows


def _domain(rows: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """All that is drawn, chance too, to the next twentieth, within 0 and 1."""
    values = [row[name] for row in rows for name in ("value", "low", "high") if row.get(name)]
    low, high = floor(min(values) * 20) / 20, ceil(max(values) * 20) / 20
    return max(low, 0.0), min(high, 1.0)


def _marked(found: AuditResult, x: Any) -> Iterator[Any]:
    """The layer of the claims, if it was measured like the others."""
    import altair as alt

    if found.layer not in found.layers:
        return
    place = {"k": found.layers.index(found.layer), "said": f"layer {found.layer}: the claims"}
    base = alt.Chart(alt.Data(values=[place])).encode(x=x)
    yield base.mark_rule(strokeWidth=1, color=theme.GREY)
    words = base.mark_text(baseline="bottom", dy=-5, fontSize=theme.SMALL)
    yield words.encode(y=alt.value(0), text="said:N")


def _lines(rules: Sequence[dict[str, Any]], domain: tuple[float, float]) -> Iterator[Any]:
    """A dashed line each, its label at the right; labels that would touch are moved apart."""
    import altair as alt

    placed = _apart(rules, domain)
    scale = alt.Scale(domain=list(domain), nice=False)
    base = alt.Chart(alt.Data(values=placed))
    tips = [
        alt.Tooltip(f"{name}:N", title=title)
        for name, title in (("title", "score"), ("said", "AUC"), ("between", "95 % interval"))
    ]
    y = alt.Y("value:Q", scale=scale)
    for dashes, which in (([5, 3], "!=="), ([1, 3], "===")):
        those = base.transform_filter(f"datum.title {which} 'chance'")
        yield those.mark_rule(strokeDash=dashes, strokeWidth=1).encode(y=y, tooltip=tips)
    words = base.mark_text(align="left", dx=8, fontSize=theme.SMALL)
    yield words.encode(x=alt.value("width"), y=alt.Y("place:Q", scale=scale), text="label:N")


def _apart(rules: Sequence[dict[str, Any]], domain: tuple[float, float]) -> list[dict[str, Any]]:
    """The rules with the place of each label on the axis, at least a line from the next one."""
    low, high = domain
    gap = _LINE * (high - low) / _HEIGHT
    rows = sorted(rules, key=lambda row: row["value"])
    places: list[float] = []
    for row in rows:
        places.append(max(row["value"], places[-1] + gap) if places else row["value"])
    above = places[-1] - high  # what was pushed out of the plot comes back, and pushes the others
    for k in range(len(places) - 1, -1, -1):
        top = high if above > 0 else places[k]
        limit = top if k == len(places) - 1 else places[k + 1] - gap
        places[k] = min(places[k], limit)
    return [
        {**row, "place": place, "label": theme.wrapped(said, _LABEL, theme.SMALL, 1)[0]}
        for row, place in zip(rows, places, strict=True)
        for said in [f"{row['said']} {row['title']}"]
    ]
