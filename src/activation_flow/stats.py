"""Statistics: a permutation test of a sum, the AUC of two groups, the interval of a mean.

Knows no token, no shift and no model. Sources: Phipson and Smyth (2010), "Permutation p-values
should never be zero"; Wilson (1927) and, for means of clusters, Dean and Pagano (2015),
"Evaluating confidence interval methods for binomial proportions in clustered surveys".
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, combinations
from math import comb, cos, pi, sin, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import ActivationFlowError
from activation_flow.strength import TIED

EXACT_UP_TO = 20_000  # ways to choose; more are sampled
TIE = 1e-9  # of the sum of all values: arithmetic noise must not decide an order
CELLS = 2**20  # numbers that are shuffled at once: bounds the memory
KEPT_CELLS = 2**18  # numbers of one set of draws that is kept, at most
CONFIDENCE = 0.95

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    Values = Float[np.ndarray, "values"]
    Chosen = Bool[np.ndarray, "values"]
    Sums = Float[np.ndarray, "choices"]
    Choices = Int[np.ndarray, "choices k"]
else:
    Values = Chosen = Sums = Choices = np.ndarray


def auc(ones: Values, others: Values) -> float:
    """The probability that one of the first is above one of the others, ties counted half.

    The area under the ROC curve, U / (n₁ n₀) of Mann and Whitney: 0.5 where the groups do not
    differ, 1 where all of the first are above, and 1 − auc(others, ones). Two values closer than
    1e-6 relative are tied. NaN where a group is empty.

    Raises:
        ActivationFlowError: a value is NaN or infinite.

    >>> auc(np.array([3.0, 2.0]), np.array([1.0, 2.0]))
    0.875
    """
    if not (np.isfinite(ones).all() and np.isfinite(others).all()):
        raise ActivationFlowError("an AUC needs finite values; leave out the others")
    if not len(ones) or not len(others):
        return float("nan")
    values, room = ones.astype(np.float64), TIED * np.abs(ones.astype(np.float64))
    below = np.sort(others.astype(np.float64))
    lower = np.searchsorted(below, values - room, side="left")
    upper = np.searchsorted(below, values + room, side="right")
    return float((lower + upper).sum()) / (2 * len(ones) * len(others))


def permutation_p(
    values: Values, chosen: Chosen, draws: int = 10_000, seed: int = 0
) -> tuple[float, float, bool]:
    """How often k of n values, chosen blindly, sum to at least what the chosen ones do.

    All ways to choose are counted if there are at most 20,000; else (1 + hits) / (draws + 1).
    Either p is above 0, at most 1, valid (under blind choice, P(p ≤ α) ≤ α) and does not depend
    on the order or the scale of the values. Two sums closer than 1e-9 of the sum of all values
    are tied. No value, none chosen or all chosen: 1.

    Args:
        values: at least 0.
        chosen: True for the k of them whose sum is tested.
        draws: how many random choices are made if there are too many to count.
        seed: of these.

    Returns:
        p; its floor, which is the p of the k largest values; True if all ways were counted.

    Raises:
        ActivationFlowError: a value is NaN or infinite.

    >>> table_6 = np.array([2.1, 1.8, 1.5, 11.2, 1.2, 9.7])
    >>> p, floor, exact = permutation_p(table_6, table_6 > 9)
    >>> round(p * 15, 9), round(floor * 15, 9), exact
    (1.0, 1.0, True)
    """
    if not np.isfinite(values).all():
        raise ActivationFlowError("a permutation test needs finite values; leave out the others")
    order = np.argsort(values, kind="stable")  # no effect on any sum; the same draws in any order
    values, chosen = values[order].astype(np.float64), chosen[order]
    n, k = len(values), int(chosen.sum())
    largest = np.arange(n) >= n - k
    slack = TIE * np.abs(values).sum()
    if 2 * k > n:  # the same question about those left out: fewer terms
        values, chosen, largest, k = -values, ~chosen, ~largest, n - k
    ways = comb(n, k)
    exact = ways <= EXACT_UP_TO
    sums = _all_sums(values, k) if exact else _random_sums(values, k, draws, seed)
    own = 0 if exact else 1  # the choice that was made counts as one of the draws
    p, floor = (
        float(own + np.count_nonzero(sums >= values[which].sum() - slack)) / (own + len(sums))
        for which in (chosen, largest)
    )
    return p, floor, exact


def _all_sums(values: Values, k: int) -> Sums:
    sums: Sums = values[_choices(len(values), k)].sum(axis=1)
    return sums


@lru_cache(maxsize=64)  # texts of one length are many; a table has at most 300,000 numbers
def _choices(n: int, k: int) -> Choices:
    """Every way to choose k of n, a row each."""
    ways = comb(n, k)
    terms = chain.from_iterable(combinations(range(n), k))
    return np.fromiter(terms, np.int32, ways * k).reshape(ways, k)


def _random_sums(values: Values, k: int, draws: int, seed: int) -> Sums:
    n = len(values)
    if n < 2**16 and draws * k <= KEPT_CELLS:
        kept: Sums = values[_kept_draws(n, k, draws, seed)].sum(axis=1)
        return kept
    sums = np.empty(draws)
    for start, rows in _draws(values, draws, seed):
        rows[:, :k].sum(axis=1, out=sums[start : start + len(rows)])
    return sums


@lru_cache(maxsize=64)  # texts of one length are many; at most 32 MB
def _kept_draws(n: int, k: int, draws: int, seed: int) -> Choices:
    """Random ways to choose k of n, a row each: those that ``_draws`` makes of any n values."""
    chosen = np.empty((draws, k), dtype=np.uint16)
    for start, rows in _draws(np.arange(n, dtype=np.uint16), draws, seed):
        chosen[start : start + len(rows)] = rows[:, :k]
    return chosen


def _draws(values: np.ndarray, draws: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """The values shuffled, some rows at a time, and the number of the first of these rows."""
    random = np.random.default_rng(seed)
    at_once = max(1, CELLS // len(values))
    for start in range(0, draws, at_once):
        rows = np.broadcast_to(values, (min(at_once, draws - start), len(values)))
        yield start, random.permuted(rows, axis=1)


def mean_interval(mean: float, variance: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a mean of values from 0 to 1, over clusters.

    Wilson's score interval with Student's t and, for the number of draws, the number that would
    have this variance if every value were drawn alone: mean (1 - mean) / variance. Where the mean
    is 0 or 1 there is no variance to be seen, and each cluster counts as one draw.

    Args:
        mean: from 0 to 1.
        variance: of the mean, found from the clusters.
        n: number of clusters, at least 2.

    Returns:
        Low and high, from 0 to 1; the mean is between them. Where the variance is 0 and the mean
        is neither 0 nor 1, both are the mean.

    >>> [round(end, 3) for end in mean_interval(0.3, 0.05**2, 40)]
    [0.21, 0.408]
    >>> mean_interval(0.0, 0.0, 1000)[0], round(mean_interval(0.0, 0.0, 1000)[1], 5)
    (0.0, 0.00384)
    """
    alone = mean * (1 - mean)
    ratio = t_quantile(n - 1) ** 2 * (variance / alone if alone > 0 else 1 / n)
    centre = (mean + ratio / 2) / (1 + ratio)
    half = sqrt(alone * ratio + ratio**2 / 4) / (1 + ratio)
    return max(min(centre - half, mean), 0.0), min(max(centre + half, mean), 1.0)


@lru_cache(maxsize=4096)
def t_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """The t beyond which, on either side, Student's t is with probability (1 - confidence) / 2.

    Args:
        degrees: of freedom, at least 1.
        confidence: between 0 and 1.

    Returns:
        Exact to 1e-13 up to 100 degrees, and to 1e-9 beyond.

    >>> [round(t_quantile(degrees), 4) for degrees in (1, 10, 1000)]
    [12.7062, 2.2281, 1.9623]
    """
    if degrees > 100:
        return _far(degrees, NormalDist().inv_cdf((1 + confidence) / 2))
    low, high = 0.0, pi / 2  # of the angle whose tangent is t / sqrt(degrees)
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _within(middle, degrees) < confidence else (low, middle)
    return sin(low) / cos(low) * sqrt(degrees)


def _within(angle: float, degrees: int) -> float:
    """P(|T| <= t), a finite sum (Abramowitz and Stegun 26.7.3 and 26.7.4)."""
    odd = degrees % 2
    term, total = (cos(angle) if odd else 1.0), 0.0
    for k in range(2 + odd, degrees + 1, 2):
        total += term
        term *= (k - 1) / k * cos(angle) ** 2
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total


def _far(degrees: int, z: float) -> float:
    """The quantile from that of the normal distribution (Abramowitz and Stegun 26.7.5)."""
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + float(sum(term / degrees**k for k, term in enumerate(terms, 1)))
