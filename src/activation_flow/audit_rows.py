"""Scores as rows of a table, and the controls: how well each sets content above function words.

Formulas stand in within.py; which scores there are is said by scoring.py, norms.py, attention.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken, Score
from activation_flow.audit_tables import Control, ScoreRow
from activation_flow.baselines import random_scores
from activation_flow.data import Strength
from activation_flow.findings import Beside
from activation_flow.multiplicity import benjamini_hochberg
from activation_flow.within import auc_row, by_kind, difference, mean_auc, within_auc

RANDOM = 200  # draws of a random score
LEVEL = 0.05


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


def controls(rows: Sequence[ScoreRow]) -> Iterator[Control]:
    """Of the normalised state, which is as long for every token: its AUC must be 0.5."""
    for row in rows:
        if row.score == "normalised" and row.auc is not None:
            yield _control("normalised state", row)


def shuffled_controls(
    copies: Sequence[Strength], layers: Sequence[int], tokens: AuditTokens, note: str
) -> Iterator[Control]:
    """Of the norm in copies of the model with shuffled weights: their mean AUC, layer by layer."""
    grouped = by_kind(tokens)
    for k, layer in enumerate(layers):
        found = [within_auc(grouped, copy[k]) for copy in copies]
        if found and found[0].pairs:
            mean = mean_auc(found)
            each = ", ".join(f"{one.value:.3f}" for one in found)
            yield Control(
                control="shuffled weights",
                score="norm",
                layer=layer,
                auc=mean.value,
                interval=mean.interval,
                passed=mean.interval[0] <= 0.5 <= mean.interval[1],
                note=f"{note}: {each}",
            )


def random_control(tokens: AuditTokens, seed: int) -> Control | None:
    """Of many random scores: the mean of their AUCs, and where 95 % of them are."""
    found = [auc_row(values, tokens) for values in random_scores(tokens, RANDOM, seed)]
    aucs = [row.auc for row in found if row.auc is not None]
    if not aucs:
        return None
    low, high = np.quantile(aucs, [0.025, 0.975])
    false = float(np.mean([row.p is not None and row.p < LEVEL for row in found]))
    return Control(
        control="random score",
        score="random",
        layer=None,
        auc=float(np.mean(aucs)),
        interval=(float(low), float(high)),
        passed=bool(low <= 0.5 <= high),
        note=f"{RANDOM} draws, seed {seed}: their mean, and where 95 % of them are; "
        f"{false:.1%} have p < {LEVEL}",
    )


def _control(name: str, row: ScoreRow) -> Control:
    low, high = row.interval or (float("nan"), float("nan"))
    return Control(
        control=name,
        score=row.score,
        layer=row.layer,
        auc=row.auc,
        interval=row.interval,
        passed=low <= 0.5 <= high,
        note=row.note,
    )
