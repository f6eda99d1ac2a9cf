"""Statistics: arrays in, numbers out. The permutation test of a sum, and the AUC of two groups.

Knows no token, no shift and no model. Source: Phipson and Smyth (2010), "Permutation p-values
should never be zero".
"""

from functools import lru_cache
from itertools import chain, combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import ActivationFlowError

EXACT_UP_TO = 20_000  # ways to choose; more are sampled
TIE = 1e-9  # of the sum of all values: arithmetic noise must not decide an order
TIED = 1e-6  # relatively: two values this close are tied in every rank statistic
CELLS = 2**20  # numbers that are shuffled at once: bounds the memory

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
    random = np.random.default_rng(seed)
    sums = np.empty(draws)
    at_once = max(1, CELLS // len(values))
    for start in range(0, draws, at_once):
        part = sums[start : start + at_once]
        rows = np.broadcast_to(values, (len(part), len(values)))
        random.permuted(rows, axis=1)[:, :k].sum(axis=1, out=part)
    return sums
