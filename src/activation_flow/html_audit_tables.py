"""The tables of an audit as HTML: every number, what it is of, and how it was made."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from activation_flow.audit_tables import Claim, NormAtLayer, ScoreRow
from activation_flow.markup import escape, note
from activation_flow.picture_audit import (
    control_text,
    counts_text,
    effect_text,
    kind_text,
    null_text,
    p_text,
    passed_text,
    scores_at,
    seconds_text,
    share_text,
    top_text,
    value_text,
    where_text,
)
from activation_flow.result_audit import AuditResult
from activation_flow.sentences_explained import cost_line

# A column: its head, and how a row fills it. Heads that end so hold words, which may wrap.
Column = tuple[str, Callable[[Any], str]]
WORDS = ("note", "score", "control", "what", "bucket", "module", "how", "prompt")


def table(columns: Sequence[Column], rows: Sequence[Any]) -> str:
    """Rows of anything under their heads; scrolled sideways where there is no room."""
    heads = "".join(f"<th{_look(head)}>{escape(head)}</th>" for head, _ in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td{_look(head)}>{escape(fill(row))}</td>" for head, fill in columns)
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="afn-wide"><table class="afn-cells"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _look(head: str) -> str:
    return ' class="afn-wrap"' if head.rpartition(" ")[2] in WORDS else ""


def sentence(said: str) -> str:
    """A clause as a sentence; "" of none."""
    return f"{said[0].upper()}{said[1:]}." if said else ""


def folded(title: str, content: str) -> str:
    """What only some readers want; on paper it is unfolded."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def chip(verdict: str, look: str) -> str:
    """A verdict, in words; its look only helps to find it."""
    return f'<span class="afn-verdict {look}">{escape(verdict)}</span>'


def tested(claim: Claim, look: str) -> str:
    """One claim: how it was tested, what came out, what else bears on it."""
    nothing = "nothing"
    facts = {
        "in the paper": claim.place,
        "test": claim.test,
        "method": claim.method,
        "rule": claim.rule,
        claim.effect_name or "effect": effect_text(claim.effect, claim.interval)
        + (f" (by chance {null_text(claim)})" if claim.null is not None else ""),
        "p": f"{p_text(claim.p)}; after Holm {p_text(claim.p_holm)}",
        "of": counts_text(claim.n) or nothing,
    }
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>\n"
        for name, value in facts.items()
        if value
    )
    head = f"{escape(claim.id)} {escape(claim.title)}"
    more = f"{note('What else bears on it:')}{_details(claim)}"
    return (
        f'<div class="afn-tested" id="{escape(claim.id.lower())}">'
        f'<h3 class="afn-title">{head} {chip(claim.verdict, look)}</h3>'
        f'<table class="afn-facts">{rows}</table>{more if claim.details else ""}</div>'
    )


def _details(claim: Claim) -> str:
    columns: list[Column] = [
        ("what", lambda row: row.name),
        ("value [95 % interval]", lambda row: effect_text(row.value, row.interval)),
        ("by chance", lambda row: value_text(row.null)),
        ("note", lambda row: row.note),
    ]
    return table(columns, claim.details)


def scores(found: AuditResult) -> Iterator[str]:
    """Scores at the layer of the claims, with cost; below, folded, those of all layers."""
    columns: list[Column] = [
        ("score", lambda row: row.title),
        ("role", lambda row: row.role),
        ("layer", lambda row: where_text(found, row.layer)),
        ("AUC [95 % interval]", lambda row: effect_text(row.auc, row.interval)),
        ("top 1/3", lambda row: top_text(row.top_share)),
        ("pooled", lambda row: value_text(row.pooled)),
        ("p (BH)", lambda row: p_text(row.p_bh)),
        ("tokens", lambda row: f"{row.tokens:,}"),
        ("texts", lambda row: f"{row.texts:,}"),
        ("s per 1,000 tokens", lambda row: seconds_text(row.seconds_per_1000_tokens)),
        ("note", _of_score),
    ]
    if cost := cost_line(found):
        yield note(cost)
    yield note(
        "Exploratory, but for the norm, which C1 is about at this layer and C3 at every one. Some "
        "scores are of a sample: set beside each other those of as many texts. Top 1/3: of norms, "
        "the part of the squared norm that its largest dimension and its three largest ones carry: "
        "where that is much, the norm is about these few. Seconds are –, where a score needs no "
        "pass of its own."
    )
    yield table(columns, scores_at(found, found.layer))
    yield folded(f"All {len(found.scores):,} rows, layer by layer", table(columns, found.scores))


def _of_score(row: ScoreRow) -> str:
    if row.missing:
        return f"not available: {row.missing}"
    told = row.gap is None or "completeness gap" in row.note
    gap = "" if told else f"completeness gap {_relative(row.gap)}"
    return "; ".join(filter(None, (row.note, gap)))


def norms(found: AuditResult) -> Iterator[str]:
    """What normalisation does at each layer; then strengths of each kind behind and before it."""
    columns: list[Column] = [
        ("layer", lambda row: where_text(found, row.layer)),
        ("layout", lambda row: row.layout),
        ("S* (even spread)", lambda row: value_text(row.level)),
        ("off by at most", lambda row: _relative(row.error)),
        ("in the audit's engine", lambda row: _relative(row.audited_error)),
        ("module", lambda row: "; ".join(filter(None, (row.module, row.note)))),
    ]
    yield table(columns, found.norms)
    yield from _of_kinds(found, "Mean strength S of each kind of token:", lambda row: row.strength)
    yield from _of_kinds(
        found, "Mean norm of each kind before the norm module:", lambda row: row.before or {}
    )


def _of_kinds(
    found: AuditResult, said: str, held: Callable[[NormAtLayer], Mapping[str, float]]
) -> Iterator[str]:
    """A column for each kind, where any layer holds one."""
    kinds = dict.fromkeys(kind for row in found.norms for kind in held(row))
    columns: list[Column] = [("layer", lambda row: where_text(found, row.layer))]
    columns += [_of_kind(kind, held) for kind in kinds]
    if kinds:
        yield note(said)
        yield table(columns, found.norms)


def _of_kind(kind: str, held: Callable[[NormAtLayer], Mapping[str, float]]) -> Column:
    return (kind_text(kind), lambda row: value_text(held(row).get(kind)))


def _relative(error: float | None) -> str:
    return value_text(error) if error is None else f"{100 * error:.2g} %"


def dimensions(found: AuditResult) -> str:
    """Where tokens of each kind have their energy."""
    columns: list[Column] = [
        ("kind", lambda row: kind_text(row.kind)),
        ("dimension", lambda row: str(row.dim)),
        ("share of energy", lambda row: share_text(row.share)),
        ("gain γ", lambda row: value_text(row.gamma)),
        ("typical gain", lambda row: value_text(row.typical)),
    ]
    return table(columns, found.dimensions)


def thresholds(found: AuditResult) -> str:
    """The whole sweep."""
    columns: list[Column] = [
        ("scope", lambda row: row.scope),
        ("quantile", lambda row: f"{row.quantile:g}"),
        ("method", lambda row: row.method),
        ("special tokens", lambda row: "take part" if row.special else "left out"),
        ("HIGH is", lambda row: "> τ" if row.strict else "≥ τ"),
        ("HIGH tokens", lambda row: f"{row.high:,}"),
        ("P(content | HIGH)", lambda row: share_text(row.precision)),
        ("P(content)", lambda row: share_text(row.base_rate)),
        ("P(HIGH | content)", lambda row: share_text(row.recall)),
        ("lift [95 % interval]", lambda row: effect_text(row.lift, row.interval)),
        ("p (BH)", lambda row: p_text(row.p_bh)),
        ("R_H − k/n", lambda row: value_text(row.excess)),
    ]
    return table(columns, found.thresholds)


def ratios(found: AuditResult) -> str:
    """What each bucket holds of the shift, by every distance."""
    columns: list[Column] = [
        ("bucket", lambda row: row.bucket),
        ("tokens", lambda row: row.tokens),
        ("distance", lambda row: row.distance),
        ("R", lambda row: value_text(row.ratio)),
        ("k/n", lambda row: value_text(row.chance)),
        ("R − k/n [95 % interval]", lambda row: effect_text(row.excess, row.interval)),
        ("pairs", lambda row: f"{row.pairs:,}"),
        ("", lambda row: row.note),
    ]
    return table(columns, found.ratios)


def confounds(found: AuditResult) -> str:
    """What is left of the effect, and what goes with strength."""
    columns: list[Column] = [
        ("what", lambda row: row.name),
        ("value [95 % interval]", lambda row: effect_text(row.value, row.interval)),
        ("by chance", lambda row: value_text(row.null)),
        ("kept", lambda row: "all" if row.kept is None else share_text(row.kept)),
        ("of", lambda row: f"{row.n:,}"),
        ("how", lambda row: row.note),
    ]
    return table(columns, found.confounds)


def controls(found: AuditResult) -> str:
    """What must say nothing, and whether it does."""
    columns: list[Column] = [
        ("control", lambda row: row.control),
        ("score", lambda row: row.score),
        ("layer", lambda row: where_text(found, row.layer)),
        ("AUC [95 % interval]", lambda row: control_text(row)[0]),
        ("p", lambda row: control_text(row)[1]),
        ("result", passed_text),
        ("note", lambda row: row.note),
    ]
    return table(columns, found.controls)
