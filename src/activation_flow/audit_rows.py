"""Scores as rows of a table: how well each sets content above function words.

Formulas stand in within.py; which scores there are is said by scoring.py, norms.py, attention.py.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken, Score
from activation_flow.audit_tables import ScoreRow
from activation_flow.findings import Beside
from activation_flow.multiplicity import benjamini_hochberg
from activation_flow.within import auc_row, by_kind, difference, mean_auc, within_auc


def score_rows(scores: Sequence[Score], tokens: AuditTokens) -> tuple[ScoreRow, ...]:
    """A row each; p-values adjusted (Benjamini-Hochberg) over all of them: exploratory."""
    rows = [_row(score, tokens) for score in scores]
    adjusted = benjamini_hochberg([row.p for row in rows])
    return tuple(replace(row, p_bh=p) for row, p in zip(rows, adjusted, strict=True))


def _row(score: Score, tokens: AuditTokens) -> ScoreRow:
    found = auc_row(score.values, tokens)
    missing = score.missing
    if not missing and found.auc is None:
        missing = "no text holds content and function words that have this score"
    return ScoreRow(
        score=score.name,
        title=score.title,
        role=score.role,
        layer=score.layer,
        auc=found.auc,
        interval=found.interval,
        pooled=found.pooled,
        p=found.p,
        p_bh=None,
        tokens=found.tokens,
        texts=found.texts,
        seconds_per_1000_tokens=score.seconds_per_1000_tokens,
        top_share=score.top_share,
        note=score.note,
        missing=missing,
        gap=score.gap,
    )


def beside(strength: PerToken, copies: Sequence[PerToken], tokens: AuditTokens) -> Beside | None:
    """The mean AUC of copies, and the strength's above it, over the tokens that all have."""
    if not copies:
        return None
    grouped, known = by_kind(tokens), np.isfinite(np.stack([strength, *copies])).all(axis=0)
    ours, *theirs = (
        within_auc(grouped, np.where(known, values, np.nan)) for values in (strength, *copies)
    )
    if not ours.pairs:
        return None
    mean = mean_auc(theirs)
    effect, interval, _ = difference(ours, mean)
    return Beside(auc=mean.value, difference=effect, interval=interval)
