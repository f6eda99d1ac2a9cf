"""The numbers of an audit as text, and which rows are shown: for terminal, charts and page.

Computes nothing; whole sentences are in sentences_audit.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from math import isfinite

from activation_flow.audit_data import Interval
from activation_flow.audit_tables import (
    Claim,
    Control,
    Dimension,
    NormAtLayer,
    RatioRow,
    ScoreRow,
    ThresholdRow,
)
from activation_flow.picture import model_line, number, token_text
from activation_flow.result_audit import AuditResult

NOTHING = "none"
_ON_SCORES = frozenset(f"C{n}" for n in range(1, 10))  # claims that such scores bear on
_ONE = re.compile(
    r"(?<=text|type|pair|oken|cate)s\b|(?<=row)s\b|(?<=label|probe)s\b|(?<=window)s\b"
)


def about_line(found: AuditResult) -> str:
    """Model, layer, corpus, and how much of it there is."""
    layer = model_line(found.provenance, (found.layer,))
    where = found.input or "texts given in Python"
    return f"{layer}; {where}: {size_line(found)}"


def size_line(found: AuditResult) -> str:
    """How many texts and tokens, of which kinds."""
    counts = found.counts
    parts = [counted(name, counts[name]) for name in ("texts", "tokens") if name in counts]
    kinds = [f"{counts[kind]:,} {kind}" for kind in ("content", "function") if kind in counts]
    return ", ".join(parts) + (f" ({' and '.join(kinds)})" if kinds else "")


def draws_line(found: AuditResult) -> str:
    """How often tests draw that draw at all; "" where nobody says, or nothing was tested."""
    if not found.claims and not scores_told(found):
        return ""
    settings = found.provenance.settings
    draws, seed = settings.get("draws"), settings.get("seed")
    if not isinstance(draws, int):
        return ""
    return (
        f"tests that draw: {draws:,} draws, seed {seed}, unless a claim's method says otherwise; "
        f"p of so many is at least 1/{draws + 1:,}"
    )


def counted(name: str, n: int) -> str:
    """A count and its noun.

    >>> counted("texts", 1), counted("word_types", 1204), counted("texts refused", 1)
    ('1 text', '1,204 word types', '1 text refused')
    """
    noun = name.replace("_", " ")
    return f"{n:,} {_ONE.sub('', noun, count=1) if n == 1 else noun}"


def counts_text(n: Mapping[str, int]) -> str:
    """How many there were of what."""
    return ", ".join(counted(name, value) for name, value in n.items())


def value_text(value: float | None) -> str:
    """A number; "none" where there is none.

    >>> value_text(0.82345), value_text(-0.0031), value_text(None)
    ('0.823', '−0.0031', 'none')
    """
    return NOTHING if value is None or not isfinite(value) else _alike([value])[0]


def interval_text(interval: Interval | None) -> str:
    """Both ends, with as many digits each; "" where there is no interval.

    >>> interval_text((0.79, 0.856))
    '[0.790, 0.856]'
    """
    if interval is None or not all(map(isfinite, interval)):
        return ""
    low, high = _alike(interval)
    return f"[{low}, {high}]"


def effect_text(value: float | None, interval: Interval | None) -> str:
    """A number and its interval, with as many digits.

    >>> effect_text(0.0031, (0.0008, 0.0054))
    '0.0031 [0.0008, 0.0054]'
    """
    if value is None or not interval_text(interval):
        return f"{value_text(value)} {interval_text(interval)}".rstrip()
    said, low, high = _alike([value, *(interval or ())])
    return f"{said} [{low}, {high}]"


def _alike(values: Sequence[float]) -> list[str]:
    """Numbers that stand together, with the decimals of the largest: three, or four below 0.01.

    A minus is that of sentences and charts; of an exponent it stays a hyphen.
    """
    largest = max(map(abs, values))
    places = 3 if largest >= 0.01 or not largest else 4
    plain = largest >= 0.0001 or not largest
    written = [
        f"{value:.{places}f}" if plain and largest < 1e6 else number(value) for value in values
    ]
    return [re.sub("^-", "−", one) for one in written]


def p_text(p: float | None) -> str:
    """A p-value; no more digits than it can have.

    >>> p_text(0.0004), p_text(0.0312), p_text(None)
    ('< 0.001', '0.031', 'none')
    """
    if p is None or not isfinite(p):
        return NOTHING
    said = f"{p:.3f}"
    if said == "0.050" and p < 0.05:  # else it reads as if it were not below
        return "< 0.05"
    return "< 0.001" if p < 0.001 else said


def seconds_text(seconds: float | None) -> str:
    """What a score costs.

    >>> seconds_text(1.234), seconds_text(0.00012), seconds_text(None)
    ('1.23', '0.00012', '–')
    """
    return "–" if seconds is None or not isfinite(seconds) else f"{seconds:.3g}"


def top_text(top_share: Interval | None) -> str:
    """The share of the squared norm in the largest dimension and in the three largest.

    >>> top_text((0.083, 0.15)), top_text(None)
    ('8.3/15 %', '–')
    """
    if top_share is None:
        return "–"
    one, three = (f"{100 * s:.0f}" if s >= 0.0995 else f"{100 * s:.1f}" for s in top_share)
    return f"{one}/{three} %"


def share_text(share: float | None) -> str:
    """A part of a whole, in per cent."""
    return NOTHING if share is None or not isfinite(share) else f"{100 * share:.1f} %"


def kind_text(kind: str) -> str:
    """A kind, or a special token by its spelling; nothing hides in it."""
    return token_text(kind or "unknown")


def where_text(found: AuditResult, layer: int | None) -> str:
    """A layer as tables name it."""
    if layer is None:
        return "any"
    last = found.provenance.final_norm and layer == found.provenance.n_layers
    return f"{layer}, final norm" if last else str(layer)


def scores_at(found: AuditResult, layer: int) -> list[ScoreRow]:
    """The scores of one layer, and those that belong to none; best first, then what is missing."""
    rows = [row for row in found.scores if row.layer in (layer, None)]
    return sorted(rows, key=lambda row: -1.0 if row.auc is None else row.auc, reverse=True)


def scores_told(found: AuditResult) -> bool:
    """Whether scores of content against function words bear on what was asked for."""
    judged = any(claim.id in _ON_SCORES for claim in found.claims)
    return bool(found.scores) and (judged or bool(found.norms))


def controls_at(found: AuditResult) -> list[Control]:
    """The controls at the layer of the claims, those of no layer, and all that did not pass."""
    here = (found.layer, None)
    odd = ("FAILED", "not measured")
    return [row for row in found.controls if row.layer in here or passed_text(row) in odd]


def control_text(row: Control) -> tuple[str, str]:
    """Its AUC and its p: one of the two may be what it is judged by alone."""
    auc = "–" if row.auc is None else effect_text(row.auc, row.interval)
    return auc, "–" if row.p is None else p_text(row.p)


def passed_text(row: Control) -> str:
    """What became of a control."""
    if row.passed is not None:
        return "passed" if row.passed else "FAILED"
    return "not measured" if row.auc is None else "cannot fail"


def swept(found: AuditResult) -> tuple[ThresholdRow, ...]:
    """The rows of the sweep that are drawn: of the method that most of them have."""
    plain = [row for row in found.thresholds if row.strict and not row.special and row.high]
    methods = Counter(row.method for row in plain)
    method = methods.most_common(1)[0][0] if methods else ""
    return tuple(row for row in plain if row.method == method)


def surplus(found: AuditResult) -> list[RatioRow]:
    """The rows of R_H that are drawn: shifts, where there are any."""
    return [row for row in found.ratios if row.distance == "shift" and row.excess is not None]


def norm_at(found: AuditResult) -> NormAtLayer | None:
    """What normalisation does at the layer of the claims."""
    return next((row for row in found.norms if row.layer == found.layer), None)


def kinds_of(rows: Sequence[Dimension]) -> dict[str, list[Dimension]]:
    """The dimensions of each kind, those with most energy first."""
    kinds: dict[str, list[Dimension]] = {}
    for row in sorted(rows, key=lambda row: -row.share):
        kinds.setdefault(row.kind, []).append(row)
    return {kind: kinds[kind] for kind in dict.fromkeys(row.kind for row in rows)}


def topic(claim: Claim) -> str:
    """A claim by number and title."""
    return f"{claim.id} {claim.title}"


def null_text(claim: Claim) -> str:
    """What the effect would be by chance; "" where nobody can say."""
    return "" if claim.null is None else f"{claim.null:.3g}"
