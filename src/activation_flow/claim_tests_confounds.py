"""The primary test of C2: does strength tell kinds apart beyond what confounds tell already?

Confounds: frequency and its square, length, being a piece of a word, position. Two logistic models
of the kind, with and without strength, predict texts that they were not fitted to; the effect is
by how much the AUC within texts grows. Its interval counts what other texts and words would do to
the pairs and to the fitted models. Where strength adds nothing the difference has no distribution
that is known, so p is of a score test: the model without strength says how probable each word
type's kind is, and kinds are drawn from it anew.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken, Tested
from activation_flow.claim_tests import WORDS, counted, untested, why_untestable
from activation_flow.crossed import Crossed, clusters, interval, moves, spread
from activation_flow.data import Ids, Mask
from activation_flow.permuting import DRAWS
from activation_flow.stats import CELLS, TIE
from activation_flow.within import Grouped, WithinAuc, by_kind, within_auc

if TYPE_CHECKING:
    from jaxtyping import Float

    Features = Float[np.ndarray, "tokens features"]
else:
    Features = np.ndarray

FOLDS = 5
STEP = 3  # standard errors
EXCEPTIONS, LARGE = 12, 0.002  # so many types at most, and what they seem to move an AUC by
STRENGTH_OF_PRIOR = 0.01  # L2 on standardised features: of no weight beside thousands of tokens


@dataclass(frozen=True, kw_only=True)
class Beyond:
    """What strength adds to the confounds.

    Attributes:
        tested: effect is the AUC of the full model less that of the base model.
        base: AUC within texts of the model without strength; None where not testable.
        full: and of that with it.
    """

    tested: Tested
    base: float | None = None
    full: float | None = None


def beyond_confounds(
    tokens: AuditTokens, strength: PerToken, *, draws: int = DRAWS, seed: int = 0
) -> Beyond:
    """C2: strength tells content from function words beyond the confounds.

    Tokens whose frequency is not known are left out; n tells how many.

    Args:
        tokens: all tokens.
        strength: of each.
        draws: how often kinds are drawn from the model without strength.
        seed: of these, and of the folds.
    """
    compared = tokens.compared & np.isfinite(strength)
    part = compared & np.isfinite(tokens.frequency)
    missing = why_untestable(by_kind(tokens), part, WORDS)
    if not missing and not np.ptp(strength[part]) > 0:
        missing = "all strengths are the same"
    if missing:
        of = "of the tokens whose frequency is known, " if (compared & ~part).any() else ""
        return Beyond(tested=untested(f"{of}{missing}"))
    one, text, type_ = (tokens.kind == "content")[part], tokens.text[part], tokens.type[part]
    base, score = confounds(tokens, part), standardised(strength[part][:, None])
    grouped = Grouped(one, ~one, text, type_)
    fold = folds(text, seed)
    full = np.hstack([base, score])
    less, more = (within_auc(grouped, cross_fitted(model, one, fold)) for model in (base, full))
    fitted = of_fit(full, grouped) - of_fit(base, grouped)
    effect = more.value - less.value
    low, high = interval(effect, spread_with_fit(more, less, fitted))
    ends = max(low, -less.value), min(high, 1 - less.value)  # an AUC is from 0 to 1
    p = score_p(base, score[:, 0], grouped, draws=draws, seed=seed)
    method = f"{draws:,} draws of kinds from the model without strength, seed {seed}"
    n = {**counted(more), "left out": int((compared & ~part).sum())}
    return Beyond(
        tested=Tested(effect=effect, interval=ends, p=p, n=n, method=method),
        base=less.value,
        full=more.value,
    )


def confounds(tokens: AuditTokens, part: Mask) -> Features:
    """[tokens 5]: frequency, its square, length, subword, position; each standardised.

    The frequency is standardised before it is squared.
    """
    frequency = standardised(tokens.frequency[part][:, None])
    others = (tokens.length, tokens.subword, tokens.position)
    columns = [values[part].astype(np.float64)[:, None] for values in others]
    return standardised(np.hstack([frequency, frequency**2, *columns]))


def standardised(values: Features) -> Features:
    """Mean 0 and standard deviation 1 in each column; 0 where all are the same."""
    spread = values.std(axis=0)
    found: Features = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return found


def folds(text: Ids, seed: int) -> Ids:
    """A fold for each token: texts in random order, dealt out to 5 folds of like number."""
    texts, number = np.unique(text, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(texts))
    of_token: Ids = (order % FOLDS)[number]
    return of_token


def cross_fitted(features: Features, one: Mask, fold: Ids) -> PerToken:
    """Log odds of the one kind, each fold's from a model of the other folds."""
    found = np.empty(len(one))
    for number in np.unique(fold):
        of_fold = fold == number
        fitted = one[~of_fold]
        if fitted.all() or not fitted.any():  # nothing to learn
            found[of_fold] = 0.0
        else:
            found[of_fold] = _model(features[~of_fold], fitted).decision_function(features[of_fold])
    return found


def _model(features: Features, one: Mask):  # type: ignore[no-untyped-def]
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1 / STRENGTH_OF_PRIOR, solver="newton-cholesky", max_iter=200)
    return model.fit(features, one)


def of_fit(features: Features, grouped: Grouped) -> PerToken:
    """Each token's influence on the AUC by way of the model that is fitted to it.

    That on the parameters, times by how much the AUC changes with them: along directions in which
    the parameters move independently (frequency and its square never move alone), from 3 standard
    errors below to 3 above, as an AUC is a step function. Where the confounds tell kinds apart
    nearly without a fault, one exception seems to move parameters without bounds: so of the word
    types of largest influence it is seen, the model being fitted without each.
    """
    model = _model(features, grouped.one)
    influence = on_parameters(features, grouped.one, model.predict_proba(features)[:, 1])
    squares, directions = np.linalg.eigh(influence.T @ influence)
    steps = STEP * np.sqrt(np.maximum(squares, 0.0))
    odds = model.decision_function(features)
    slopes = np.zeros(len(steps))
    for i in np.flatnonzero(steps > TIE):
        moved = steps[i] * (features @ directions[:, i])
        up, down = (within_auc(grouped, odds + sign * moved) for sign in (1, -1))
        slopes[i] = (up.value - down.value) / (2 * steps[i])
    found: PerToken = influence @ (directions @ slopes)
    _, of_type, size = np.unique(grouped.type_, return_inverse=True, return_counts=True)
    by_type = np.abs(np.bincount(of_type, found))
    whole = within_auc(grouped, odds).value
    for number in np.argsort(-by_type)[:EXCEPTIONS]:
        left = of_type != number
        if by_type[number] > LARGE and len(np.unique(grouped.one[left])) == 2:
            without = _model(features[left], grouped.one[left]).decision_function(features)
            found[~left] = (whole - within_auc(grouped, without).value) / size[number]
    return found


def on_parameters(features: Features, one: Mask, p: PerToken) -> Features:
    """[tokens features]: how far a logistic model's parameters are where the token puts them.

    Without some tokens they would be less by about the sum of these: the inverse of the
    information times the tokens' scores.
    """
    with_level = np.hstack([features, np.ones((len(features), 1))])
    information = (with_level * (p * (1 - p))[:, None]).T @ with_level
    information += STRENGTH_OF_PRIOR * np.eye(len(information))
    scores = with_level * (one - p)[:, None]
    moved: Features = np.linalg.solve(information, scores.T).T[:, :-1]  # no AUC has a level
    return moved


def spread_with_fit(more: WithinAuc, less: WithinAuc, fitted: PerToken) -> Crossed:
    """Of the difference of two AUCs: by its pairs, and by the models fitted to these tokens."""
    seen, grouped = more.weight > 0, more.grouped
    of = clusters(grouped.text[seen], grouped.type_[seen])
    pairs = (more.contributions - less.contributions)[seen]
    by_pairs = moves(pairs, of, more.weight[seen], paired=True)
    by_fit = moves(fitted[seen], of, np.ones(len(pairs)), paired=False)
    together = replace(
        by_pairs,
        text=by_pairs.text + by_fit.text,
        type_=by_pairs.type_ + by_fit.type_,
        cell=by_pairs.cell + by_fit.cell,
    )
    return spread(together, of)


def score_p(
    base: Features, strength: PerToken, grouped: Grouped, *, draws: int, seed: int
) -> float:
    """One-sided p of Σ (kind - P(kind)) residual, by kinds of word types drawn from the base model.

    The residual is of strength, after texts and confounds, each token weighted as the model weighs
    it: so the sum does not change, to first order, with what the base model's parameters are.
    """
    one, type_ = grouped.one, np.unique(grouped.type_, return_inverse=True)[1]
    p = _model(base, one).predict_proba(base)[:, 1]
    weight = np.maximum(p * (1 - p), TIE)
    residual = residuals(strength, base, weight, grouped.number)
    n_types = int(type_.max()) + 1
    size = np.bincount(type_, minlength=n_types)
    of_type = np.bincount(type_, p, n_types) / size
    sums = np.bincount(type_, residual, n_types)
    kinds = np.bincount(type_, one, n_types) / size
    own = float((kinds - of_type) @ sums)
    random, hits = np.random.default_rng(seed), 0
    at_once = max(1, CELLS // n_types)
    for start in range(0, draws, at_once):
        drawn = random.random((min(at_once, draws - start), n_types)) < of_type
        least = own - TIE * float(np.abs(sums).sum())
        hits += int(np.count_nonzero((drawn - of_type) @ sums >= least))
    return (1 + hits) / (draws + 1)


def residuals(values: PerToken, base: Features, weight: PerToken, text: Ids) -> PerToken:
    """What is left of values after each text's level and the base features, by weighted squares."""

    def centred(columns: Features) -> Features:
        total = np.bincount(text, weight)
        means = np.stack([np.bincount(text, weight * c) / total for c in columns.T], axis=1)
        found: Features = columns - means[text]
        return found

    columns = centred(np.hstack([values[:, None], base])) * np.sqrt(weight)[:, None]
    fitted, *_ = np.linalg.lstsq(columns[:, 1:], columns[:, 0], rcond=None)
    left: PerToken = (columns[:, 0] - columns[:, 1:] @ fitted) / np.sqrt(weight)
    return left
