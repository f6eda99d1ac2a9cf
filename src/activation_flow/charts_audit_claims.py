"""Claims beside what chance would give, and what shows that the audit finds nothing in nothing."""

from typing import Any

from activation_flow.audit_tables import VERDICTS, Claim
from activation_flow.charts_audit_rows import BAND, Axis, Dot, between, dots, titled
from activation_flow.picture_audit import (
    control_text,
    controls_at,
    counts_text,
    effect_text,
    interval_text,
    null_text,
    p_text,
    passed_text,
    scores_at,
    seconds_text,
    topic,
    value_text,
    where_text,
)
from activation_flow.result_audit import AuditResult

_PLOT = 260  # pixels: each row has a scale of its own, so that more would say no more


def claims(found: AuditResult) -> Any:
    """The effect of each claim with its interval, each on a scale of its own.

    Chance is the same line in all rows; the claim's direction is to the right.
    """
    rows = [_claim(one) for one in found.claims]
    looks = [verdict for verdict in VERDICTS if verdict in found.verdicts.values()]
    chart = dots(rows, looks, Axis(title="", null=0.0, domain=(-1.05, 1.05)), _PLOT)
    notes = [
        "right of the dashed line: as the claim says; each row has a scale of its own",
        f"lines: {BAND}",
    ]
    return titled(found, chart, "The claims, each beside chance", notes)


def _claim(one: Claim) -> Dot:
    """Effect and ends as places: chance is 0, the end that is farthest from it 1 or -1."""
    value, ends = one.effect, one.interval
    place, places = None, None
    if value is not None and one.null is not None:
        null = one.null
        reach = max(abs(x - null) for x in (value, *(ends or ()))) or 1.0
        place = (value - null) / reach
        places = None if ends is None else ((ends[0] - null) / reach, (ends[1] - null) / reach)
    null_said = f"; chance {null_text(one)}" if one.null is not None else ""
    written = one.verdict if value is None else effect_text(value, ends) + null_said
    told = {"claim": topic(one), "verdict": one.verdict, "effect": one.effect_name}
    told |= {"value": value_text(value), "95 % interval": between(ends), "p": p_text(one.p)}
    told |= {"p (Holm)": p_text(one.p_holm), "of": counts_text(one.n)}
    return Dot(
        label=topic(one), value=place, ends=places, written=written, look=one.verdict, told=told
    )


def controls(found: AuditResult) -> Any:
    """The AUC of what must say nothing, about 0.5; at other layers only what failed."""
    shown = controls_at(found)
    looks = list(dict.fromkeys(passed_text(row) for row in shown))
    rows = []
    for row in shown:
        where = "" if row.layer is None else f", layer {where_text(found, row.layer)}"
        said, p = control_text(row)
        chance = f"p {p}" if row.p is not None else "not measured"
        written = said if row.auc is not None else chance
        told = {"control": row.control, "score": row.score, "layer": where_text(found, row.layer)}
        told |= {"AUC": value_text(row.auc), "95 % interval": between(row.interval)}
        told |= {"p": p, "how": row.note}
        rows.append(
            Dot(
                label=f"{row.control}: {row.score}{where}",
                value=row.auc,
                ends=row.interval,
                written=written,
                look=passed_text(row),
                told=told,
            )
        )
    chart = dots(rows, looks, Axis(title="AUC, content above function words", null=0.5))
    notes = ["here nothing must be found: a control that fails casts doubt on all else"]
    if more := len(found.controls) - len(shown):
        notes.append(f"{more:,} more, at other layers: none failed")
    return titled(found, chart, "Is something found where nothing is?", [*notes, f"lines: {BAND}"])


def cost(found: AuditResult) -> Any:
    """Seconds per 1,000 tokens of each score, in powers of ten."""
    rows, seen = [], set()
    for row in sorted(scores_at(found, found.layer), key=lambda r: r.seconds_per_1000_tokens or 0):
        seconds = row.seconds_per_1000_tokens
        if not seconds or row.score in seen:
            continue
        seen.add(row.score)
        said = f"{seconds_text(seconds)} s"
        told = {"score": row.title, "seconds per 1,000 tokens": seconds_text(seconds)}
        told |= {"AUC": value_text(row.auc), "95 % interval": interval_text(row.interval) or "none"}
        rows.append(
            Dot(label=row.title, value=seconds, ends=None, written=said, look="", told=told)
        )
    chart = dots(rows, [""], Axis(title="seconds per 1,000 tokens (powers of ten)", log=True))
    return titled(found, chart, "What a score costs", ["measured on the machine of this audit"])


def has_cost(found: AuditResult) -> bool:
    """Whether the cost of any score was measured."""
    return any(row.seconds_per_1000_tokens for row in scores_at(found, found.layer))


def any_controls(found: AuditResult) -> bool:
    """Whether there are controls."""
    return any(row.auc is not None for row in controls_at(found))
