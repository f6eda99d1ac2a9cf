"""What is exploratory in an audit, as charts: thresholds, R_H, confounds; and dimensions."""

from collections.abc import Iterator, Sequence
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.audit_data import Interval
from activation_flow.audit_tables import ConfoundRow, Dimension, ThresholdRow
from activation_flow.charts_audit_rows import (
    BAND,
    STEP,
    Axis,
    Dot,
    between,
    channels,
    dots,
    titled,
)
from activation_flow.picture import number
from activation_flow.picture_audit import (
    counted,
    counts_text,
    effect_text,
    kind_text,
    kinds_of,
    p_text,
    share_text,
    surplus,
    swept,
    value_text,
)
from activation_flow.result_audit import AuditResult

_RATES = {
    "precision": "P(content | HIGH)",
    "base_rate": "P(content): chance",
    "recall": "P(HIGH | content)",
}
# Panels of confounds: where their line is, and what stands above it.
_NULLS = {
    "AUC": (0.5, "chance"),
    "gain in AUC": (0.0, "nothing gained"),
    "rank correlation": (0.0, "none"),
}
_SCOPES = {"text": "threshold of each text", "corpus": "one threshold over all texts"}
_BELOW, _ABOVE, _UNKNOWN = (
    "gain γ below the typical one: lowers S",
    "gain γ above it: raises S",
    "no gain",
)


def thresholds(found: AuditResult) -> Any:
    """Precision, base rate and recall of HIGH over the quantile of τ, for both scopes."""
    import altair as alt

    drawn = swept(found)
    panels = []
    for scope, said in _SCOPES.items():
        rows = [row for row in drawn if row.scope == scope]
        if rows:
            small = alt.TitleParams(said, fontSize=theme.SIZE, fontWeight="normal")
            panels.append(_rates(rows).properties(title=small))
    chart = alt.hconcat(*panels, spacing=30).resolve_scale(y="shared")
    method = drawn[0].method
    notes = [f"exploratory; HIGH: S > τ; quantiles by method {method}, special tokens left out"]
    return titled(found, chart, "Would another threshold do better?", notes)


def _rates(rows: Sequence[ThresholdRow]) -> Any:
    """One panel."""
    import altair as alt

    data = []
    for row in sorted(rows, key=lambda row: row.quantile):
        told = {"lift": value_text(row.lift), "between": between(row.interval)}
        told |= {"high": f"{row.high:,}", "p": p_text(row.p_bh)}
        for name, title in _RATES.items():
            value = getattr(row, name)
            if value is not None:
                said = share_text(value)
                data.append({"q": row.quantile, "rate": title, "value": value, "said": said} | told)
    colour, shape = channels("rate", [*_RATES.values()])
    x = alt.X(
        "q:Q",
        title="quantile of S that makes τ",
        scale=alt.Scale(zero=False, nice=False, padding=10),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )
    axis = alt.Axis(format=".0%", tickCount=5, domain=False, ticks=False)
    y = alt.Y("value:Q", title="share of tokens", scale=alt.Scale(domain=[0, 1]), axis=axis)
    tips = {"rate": "rate", "said": "share", "q": "quantile", "high": "HIGH tokens"}
    tips |= {"lift": "lift", "between": "its 95 % interval", "p": "p of the lift (BH)"}
    base = alt.Chart(alt.Data(values=data)).encode(x=x, y=y, color=colour)
    points = base.mark_point(filled=True, size=50, opacity=1).encode(
        shape=shape, tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in tips.items()]
    )
    return alt.layer(base.mark_line(strokeWidth=2), points).properties(
        width=300, height=theme.HEIGHT
    )


def ratios(found: AuditResult) -> Any:
    """How much more of the shift each bucket holds than chance gives: all, replaced, unchanged."""
    rows = surplus(found)
    buckets = list(dict.fromkeys(row.bucket for row in rows))
    groups = list(dict.fromkeys(row.tokens for row in rows))
    ordered = sorted(rows, key=lambda r: (groups.index(r.tokens), buckets.index(r.bucket)))
    drawn = [
        Dot(
            label=f"{row.tokens} tokens: {row.bucket}",
            value=row.excess,
            ends=row.interval,
            written=effect_text(row.excess, row.interval),
            look=row.bucket,
            told={
                "bucket": row.bucket,
                "tokens": row.tokens,
                "R": value_text(row.ratio),
                "chance, k/n": value_text(row.chance),
                "R − k/n": value_text(row.excess),
                "95 % interval": between(row.interval),
                "pairs of texts": f"{row.pairs:,}",
            },
        )
        for row in ordered
    ]
    pairs = counted("pairs", max(row.pairs for row in rows))
    chart = dots(drawn, buckets, Axis(title="R − k/n: part of the shift above chance", null=0.0))
    notes = [
        "R: the part of all shift that a bucket of k of n tokens holds; rarest, nearest (to what "
        "was replaced) and random are buckets of the same size as HIGH",
        f"{pairs} of texts; lines: {BAND}",
    ]
    return titled(found, chart, "Do HIGH tokens hold more of the shift than chance?", notes)


def confounds(found: AuditResult) -> Any:
    """What is left of the effect when a confound is held fixed; a panel for each kind of number."""
    import altair as alt

    panels: dict[str, list[Dot]] = {"AUC": [*_of_claim(found, "C1", "strength")]}
    panels["gain in AUC"] = [*_of_claim(found, "C2", "strength beside all of them")]
    for row in found.confounds:
        if row.value is not None:
            auc, gain = row.null == 0.5, row.group == "model"
            name = "AUC" if auc else "gain in AUC" if gain else "rank correlation"
            panels.setdefault(name, []).append(_confound(row))
    charts = [
        dots(rows, [""], Axis(title=name, null=_NULLS[name][0], said=_NULLS[name][1]))
        for name, rows in panels.items()
        if rows
    ]
    chart = alt.vconcat(*charts, spacing=30)
    notes = [f"exploratory, but for claims C1 and C2; lines: {BAND}"]
    title = "How much of it is frequency, length and position?"
    return titled(found, chart, title, notes)


def _of_claim(found: AuditResult, id: str, name: str) -> Iterator[Dot]:
    """What the test of a claim found, beside the exploratory rows."""
    if id in found.verdicts and (claim := found.claim(id)).effect is not None:
        label = f"{name} (claim {id})"
        told = _told(label, claim.effect, claim.interval, counts_text(claim.n), claim.test)
        written = effect_text(claim.effect, claim.interval)
        value, ends = claim.effect, claim.interval
        yield Dot(label=label, value=value, ends=ends, written=written, look="", told=told)


def _told(
    label: str, value: float | None, ends: Interval | None, of: str, how: str
) -> dict[str, str]:
    about = {"what": label, "value": value_text(value), "95 % interval": between(ends)}
    return {**about, "of": of, "how": theme.wrapped(how, 600, theme.SIZE, 1)[0]}


def _confound(row: ConfoundRow) -> Dot:
    kept = "" if row.kept is None else f"; {share_text(row.kept)} of the pairs"
    return Dot(
        label=row.name,
        value=row.value,
        ends=row.interval,
        written=effect_text(row.value, row.interval) + kept,
        look="",
        told=_told(row.name, row.value, row.interval, f"{row.n:,}", row.note),
    )


def dimensions(found: AuditResult) -> Any:
    """The dimensions in which each kind of token has most of its energy, and their gains."""
    import altair as alt

    rows: list[dict[str, Any]] = []
    for kind, those in kinds_of(found.dimensions).items():
        for n, row in enumerate(those):
            gain = "no gain" if row.gamma is None else f"γ {number(row.gamma)}"
            usual = "" if row.typical is None else f" (typical {number(row.typical)})"
            rows.append(
                {
                    "i": len(rows),
                    "kind": theme.label(kind or "unknown") if n == 0 else "",
                    "share": row.share,
                }
                | {"dim": f"dim {row.dim}", "look": _gain(row), "name": kind_text(kind)}
                | {"said": share_text(row.share), "gain": gain + usual}
                | {"written": f"{share_text(row.share)}; {gain}{usual}"}
            )
    looks = [look for look in (_BELOW, _ABOVE, _UNKNOWN) if any(r["look"] == look for r in rows)]
    places = alt.Scale(domain=list(range(len(rows))), paddingInner=0.25)
    base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("i:O", axis=None, scale=places))
    axis = alt.Axis(format=".0%", tickCount=5, domain=False, ticks=False)
    x = alt.X("share:Q", title="share of the kind's energy", scale=alt.Scale(zero=True), axis=axis)
    tips = {"name": "kind", "dim": "dimension", "said": "share", "gain": "gain"}
    chart = alt.layer(
        base.mark_bar().encode(
            x=x,
            fill=_looks(looks),
            tooltip=[alt.Tooltip(f"{name}:N", title=title) for name, title in tips.items()],
        ),
        base.mark_text(align="right", dx=-70, fontSize=theme.SIZE).encode(
            x=alt.value(0), text="kind:N"
        ),
        base.mark_text(align="right", dx=-10, fontSize=theme.SMALL).encode(
            x=alt.value(0), text="dim:N"
        ),
        base.mark_text(align="left", dx=12, fontSize=theme.SMALL).encode(
            x=alt.value("width"), text="written:N"
        ),
    ).properties(width=theme.NARROW, height=(STEP - 4) * len(rows))
    notes = ["kind of token, number of the dimension, and its mean share of the squared state"]
    return titled(found, chart, "Where tokens have their energy", notes)


def _gain(row: Dimension) -> str:
    if row.gamma is None or not row.typical:
        return _UNKNOWN
    return _BELOW if abs(row.gamma) < row.typical else _ABOVE


def _looks(looks: Sequence[str]) -> Any:
    import altair as alt

    every = {_BELOW: theme.SERIES[1], _ABOVE: theme.SERIES[0], _UNKNOWN: theme.GREY}
    scale = alt.Scale(domain=list(looks), range=[every[look] for look in looks])
    return alt.Fill("look:N", scale=scale, legend=alt.Legend(title=None))
