"""The controls of an audit: what is tested where nothing must be found.

Copies of the model with shuffled weights, random scores, and the normalised state. What a control
says is judged as the audit judges: by tests, adjusted for how many there are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken, Tested
from activation_flow.audit_tables import Control, ScoreRow
from activation_flow.baselines import random_scores
from activation_flow.claim_tests import (
    content_above_function,
    more_than_next,
    words_above_punctuation,
)
from activation_flow.claim_tests_high import consistently_high
from activation_flow.data import Mask, Strength
from activation_flow.multiplicity import holm
from activation_flow.stats import mean_interval
from activation_flow.threshold_sweep import Cut, high_tokens
from activation_flow.within import auc_row, by_kind, mean_auc, within_auc

RANDOM = 200  # draws of a random score
LEVEL = 0.05


def normalised_controls(rows: Sequence[ScoreRow]) -> Iterator[Control]:
    """Of the normalised state, which is as long for every token: its AUC must be 0.5."""
    yield from _judged(
        Control(
            control="normalised state",
            score=row.score,
            layer=row.layer,
            auc=row.auc,
            interval=row.interval,
            passed=None,
            note=row.note,
            p=row.p,
        )
        for row in rows
        if row.score == "normalised" and row.auc is not None
    )


def shuffled_controls(
    copies: Sequence[Strength], layers: Sequence[int], tokens: AuditTokens, note: str
) -> Iterator[Control]:
    """Of the norm in copies of the model with shuffled weights: their mean AUC, layer by layer."""
    grouped = by_kind(tokens)
    rows = []
    for k, layer in enumerate(layers):
        found = [within_auc(grouped, copy[k]) for copy in copies]
        if found and found[0].pairs:
            mean = mean_auc(found)
            each = ", ".join(f"{one.value:.3f}" for one in found)
            rows.append(
                Control(
                    control="shuffled weights",
                    score="norm",
                    layer=layer,
                    auc=mean.value,
                    interval=mean.interval,
                    passed=None,
                    note=f"{note}: {each}",
                    p=mean.p,
                )
            )
    yield from _judged(rows)


def _judged(rows: Iterable[Control]) -> Iterator[Control]:
    """All of one sort at once: of twenty layers, one alone is below .05 by chance."""
    rows = [*rows]
    for row, p in zip(rows, holm([row.p for row in rows]), strict=True):
        yield replace(row, p=p, passed=None if p is None else p >= LEVEL)


def random_control(tokens: AuditTokens, seed: int) -> Control | None:
    """Of many random scores: are more of them found to say something than 5 %?

    p is that of as many or more, by the binomial distribution; the interval is that of the mean
    of their AUCs.
    """
    return _of_draws(random_scores(tokens, RANDOM, seed), tokens, f"seed {seed}")


def _of_draws(scores: Iterable[PerToken], tokens: AuditTokens, how: str) -> Control | None:
    from scipy.special import bdtrc

    found = [auc_row(values, tokens) for values in scores]
    aucs = np.array([row.auc for row in found if row.auc is not None])
    if not len(aucs):
        return None
    false = sum(row.p is not None and row.p < LEVEL for row in found)
    n = len(aucs)
    p = float(bdtrc(false - 1, n, LEVEL)) if false else 1.0
    low, high = np.quantile(aucs, [0.025, 0.975])
    mean = float(aucs.mean())
    return Control(
        control="random score",
        score="random",
        layer=None,
        auc=mean,
        interval=mean_interval(mean, float(aucs.var(ddof=1)) / n, n),
        passed=p >= LEVEL,
        note=f"mean of {n} draws, {how}; 95 % of them are from {low:.3f} to {high:.3f}; "
        f"{false} of {n} have p < {LEVEL}",
        p=p,
    )


def claims_control(
    copies: Sequence[Strength],
    layers: Sequence[int],
    at: int,
    tokens: AuditTokens,
    *,
    draws: int,
    seed: int,
) -> Control | None:
    """The claims' own tests in the copies with shuffled weights, at the layer of the claims.

    Args:
        copies: of each, [layers tokens]; NaN outside of the sample.
        layers: which these are.
        at: place among them of the layer that the claims are about.
        tokens: of the audited texts.
        draws: of every permutation test.
        seed: of these.

    Returns:
        p is the smallest over all tests and copies, adjusted (Holm); None without copies.
    """
    if not copies:
        return None
    read = np.isfinite(copies[0][at])
    part = _part(tokens, read)
    tests = {
        f"{claim}, copy {k}": tested
        for k, copy in enumerate(copies, 1)
        for claim, tested in _claims(copy[:, read], at, part, draws, seed).items()
    }
    p = [tested.p for tested in tests.values()]
    known = [value for value in p if value is not None]
    smallest = min((value for value in holm(p) if value is not None), default=None)
    can_fail = len(known) / (draws + 1) < LEVEL
    tested_claims = dict.fromkeys(
        name.split(",")[0] for name, tested in tests.items() if tested.p is not None
    )
    return Control(
        control="shuffled weights",
        score=f"claims {', '.join(tested_claims)}" if known else "claims",
        layer=layers[at],
        auc=None,
        interval=None,
        passed=smallest >= LEVEL if smallest is not None and can_fail else None,
        note="; ".join(_told(tests, len(copies), draws, seed)),
        p=smallest,
    )


def _claims(
    copy: Strength, at: int, tokens: AuditTokens, draws: int, seed: int
) -> dict[str, Tested]:
    strength = np.asarray(copy[at], dtype=np.float64)
    high = high_tokens(strength, tokens.kind != "special", tokens.text, Cut())
    found = {
        "C1": content_above_function(tokens, strength, draws=draws, seed=seed),
        "C4": consistently_high(tokens, high, draws=draws, seed=seed).tested,
        "C7": words_above_punctuation(tokens, strength, draws=draws, seed=seed),
    }
    if at + 1 < len(copy):
        above = np.asarray(copy[at + 1], dtype=np.float64)
        found["C9"] = more_than_next(tokens, strength, above, draws=draws, seed=seed)
    return found


def _told(tests: Mapping[str, Tested], copies: int, draws: int, seed: int) -> Iterator[str]:
    """How many tests there were, the smallest p, and how little they can see."""
    p = {name: tested.p for name, tested in tests.items() if tested.p is not None}
    each = f"copies: {copies}, {draws:,} draws each, seed {seed}"
    yield f"the claims' own tests, one-sided, on the sample: {len(p)} in all; {each}"
    if p:
        least = min(p, key=lambda name: p[name])
        yield f"smallest p before it is adjusted: {p[least]:.2g} ({least})"
    if len(p) / (draws + 1) >= LEVEL:
        yield f"with so few draws none can be below {LEVEL}"
    widths = [
        tested.interval[1] - tested.interval[0]
        for name, tested in tests.items()
        if name.startswith("C1") and tested.interval is not None
    ]
    if widths:
        half = float(np.mean(widths)) / 2
        yield f"C1's AUC is known to ±{half:.2f} here, so that a smaller effect may not be seen"
    why = dict.fromkeys(
        f"{name.split(',')[0]} cannot be tested: {tested.missing}"
        for name, tested in tests.items()
        if tested.p is None
    )
    yield from why


def _part(tokens: AuditTokens, part: Mask) -> AuditTokens:
    """Some of the tokens; texts keep their numbers."""
    columns = {one.name: getattr(tokens, one.name) for one in fields(tokens)}
    of_all = ("n_texts", "frequency_name")
    kept = {name: values[part] for name, values in columns.items() if name not in of_all}
    return replace(tokens, **kept)
