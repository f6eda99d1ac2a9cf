"""From hidden states to strength, rank, threshold and bucket: formulas only.

Knows nothing of models, texts or files. Source: paper eqs. 1-4 (arXiv 2605.22377, section 2.2).
"""

import math
from collections.abc import Callable

import numpy as np

from activation_flow.data import (
    ActivationFlowError,
    Bucket,
    Hidden,
    Ids,
    Mask,
    PerLayer,
    Rank,
    Strength,
)

# Two strengths closer than this, relatively, are tied in every rank and rank statistic:
# arithmetic noise must not decide an order.
TIE = 1e-6

QUANTILE_METHODS = (
    "midpoint",
    "linear",
    "lower",
    "higher",
    "nearest",
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "median_unbiased",
    "normal_unbiased",
)

# Of Hyndman and Fan's continuous methods, alpha and beta; "linear" is not computed by them.
_PLATEAUS = {
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}
# (fraction of the place, the value below it) -> weight of the value above.
_WEIGHTS: dict[str, Callable[[float, int], float]] = {
    "midpoint": lambda part, _: 0.5 * (part > 0),
    "lower": lambda part, _: 0.0,
    "higher": lambda part, _: float(part > 0),
    "nearest": lambda part, below: float(part > 0.5 or (part == 0.5 and below % 2 == 1)),
    "inverted_cdf": lambda part, _: float(part > 0),
    "averaged_inverted_cdf": lambda part, _: 0.5 if part == 0 else 1.0,
    "closest_observation": lambda part, below: float(part > 0 or below % 2 == 0),
}

AGGREGATES = ("max", "mean", "sum", "first", "l2")


def strength(hidden: Hidden) -> Strength:
    """S = ‖h‖₂ of every hidden state (eq. 1); at least 0, in the unit of the hidden state.

    >>> strength(np.array([[[3.0, 4.0], [0.0, 0.0]]]))
    array([[5., 0.]])
    """
    norms: Strength = np.sqrt(np.sum(np.square(hidden), axis=-1))
    return norms


def threshold(values: Strength, quantile: float = 0.75, method: str = "midpoint") -> PerLayer:
    """τ = Q(S), the quantile of each row (eq. 3), in float64. Equal values give that value.

    The paper names no method; "midpoint" is the one that gives its τ of section 3.3:

    >>> table_5 = np.array([[18.2, 17.9, 18.5, 22.4, 17.6, 21.8]])
    >>> threshold(table_5), threshold(table_5, method="linear")
    (array([20.15]), array([20.975]))

    Raises:
        ActivationFlowError: quantile outside 0..1, unknown method, or no values.
    """
    if not 0 <= quantile <= 1:
        raise ActivationFlowError(
            f"quantile {quantile} is not between 0 and 1 (0.75 = the upper quarter)"
        )
    if method not in QUANTILE_METHODS:
        raise ActivationFlowError(
            f"quantile method {method!r} is not one of {', '.join(QUANTILE_METHODS)}"
        )
    if values.shape[-1] == 0:
        raise ActivationFlowError("a threshold needs at least one token")
    return np.quantile(values.astype(np.float64), quantile, axis=-1, method=method)  # type: ignore[call-overload, no-any-return]


def order_statistics(n: int, quantile: float, method: str = "midpoint") -> tuple[int, int, float]:
    """Which of n sorted values make their quantile, so that no others need to be at hand.

    ``np.quantile([x[lower], x[upper]], weight)`` is then, bit for bit, ``np.quantile(x, quantile,
    method=method)`` of the sorted float64 values x. At the borders numpy stays inside: where a
    method's place is before the first value or after the last, that value is the quantile.

    Args:
        n: number of values, at least 1.
        quantile: 0 to 1.
        method: one of ``QUANTILE_METHODS``.

    Returns:
        lower, upper (from 0; upper is lower or the next) and weight, 0 to 1.

    >>> order_statistics(6, 0.75), order_statistics(6, 0.75, "linear"), order_statistics(5, 0.75)
    ((3, 4, 0.5), (3, 4, 0.75), (3, 3, 0.0))
    """
    if method in _PLATEAUS:
        alpha, beta = _PLATEAUS[method]
        # subtle: in numpy's own order of operations; another would round to another digit.
        place = n * quantile + (alpha + quantile * (1 - alpha - beta)) - 1
    elif method in ("inverted_cdf", "averaged_inverted_cdf"):
        place = n * quantile - 1
    elif method == "closest_observation":
        place = n * quantile - 1 - 0.5
    else:
        place = (n - 1) * quantile
    lower = math.floor(place)
    weight = place - lower
    if method in _WEIGHTS:
        weight = _WEIGHTS[method](weight, lower)
    if lower < 0 or lower >= n - 1:
        lower, weight = min(max(lower, 0), n - 1), 0.0
    return (lower, lower, 0.0) if weight == 0 else (lower, lower + 1, weight)


def bucket(strength: Strength, threshold: PerLayer, takes_part: Mask) -> Bucket:
    """HIGH where S > τ, strictly; LOW where S ≤ τ (eq. 4); "" where a token takes no part.

    >>> bucket(np.array([[2.0, 2.5, 9.0]]), np.array([2.0]), np.array([True, True, False]))
    array([['LOW', 'HIGH', '']], dtype='<U4')
    """
    high = strength.astype(np.float64) > threshold[:, None]
    return np.where(takes_part, np.where(high, "HIGH", "LOW"), "")


def rank(strength: Strength, takes_part: Mask) -> Rank:
    """1 = strongest; neighbours closer than 1e-6 relative share the better rank; 0 = no part.

    >>> rank(np.array([[5.0, 7.0, 5.0, 1.0]]), np.array([True, True, True, False]))
    array([[2, 1, 2, 0]])
    """
    ranks = np.zeros(strength.shape, dtype=np.int64)
    (index,) = np.nonzero(takes_part)
    for row, out in zip(strength.astype(np.float64), ranks, strict=True):
        order = index[np.argsort(-row[index], kind="stable")]
        falling = row[order]
        apart = falling[:-1] - falling[1:] > TIE * np.abs(falling[:-1])
        new_group = np.concatenate([[True], apart])[: len(order)]
        places = np.arange(1, len(order) + 1)
        out[order] = np.maximum.accumulate(np.where(new_group, places, 0))
    return ranks


def percentile(strength: Strength, rank: Rank) -> Strength:
    """Where each token stands among the ranked ones of its text, 0 (weakest) to 100.

    The share of ranked tokens that are weaker, and half of those that are as strong; a ranked
    token counts itself. So the mean over the ranked tokens of any text is 50, and tokens that are
    not ranked (special ones) are placed among those that are. NaN where none is ranked.

    >>> percentile(np.array([[5.0, 7.0, 6.0]]), np.array([[2, 1, 0]]))
    array([[25., 75., 50.]])
    """
    places = np.full(strength.shape, np.nan)
    for row, ranks, out in zip(strength.astype(np.float64), rank, places, strict=True):
        if not (n := np.count_nonzero(ranks)):
            continue
        # Ties as in ``rank``: groups of neighbours; a group of c at rank r has n - r - c + 1 below.
        _, group, size = np.unique(ranks, return_inverse=True, return_counts=True)
        out[:] = (n - ranks + 1 - size[group] / 2) / n
        ranked = np.sort(row[ranks > 0])
        slack = TIE * np.abs(row[ranks == 0])
        below = np.searchsorted(ranked, row[ranks == 0] - slack, side="left")
        up_to = np.searchsorted(ranked, row[ranks == 0] + slack, side="right")
        out[ranks == 0] = (below + up_to) / (2 * n)
    return 100 * places


def check_aggregate(how: str) -> None:
    """Refuse an unknown way to aggregate, before any work is done.

    Raises:
        ActivationFlowError: it is not one of ``AGGREGATES``.
    """
    if how not in AGGREGATES:
        raise ActivationFlowError(f"words={how!r} is not one of {', '.join(AGGREGATES)}")


def aggregate(strength: Strength, group: Ids, how: str = "max") -> Strength:
    """One value for each run of tokens with the same group number, in order.

    Args:
        strength: of the pieces.
        group: a number for every piece, rising by 0 or 1 from 0.
        how: max, mean, sum, first or l2 (root of the sum of squares).

    Raises:
        ActivationFlowError: an unknown ``how``.

    >>> aggregate(np.array([[3.0, 4.0, 9.0]]), np.array([0, 0, 1]), "l2")
    array([[5., 9.]])
    """
    check_aggregate(how)
    (first,) = np.nonzero(np.diff(group, prepend=-1))
    if how == "first":
        return strength[:, first]
    if how == "max":
        return np.maximum.reduceat(strength, first, axis=1)
    if how == "l2":
        return np.sqrt(np.add.reduceat(np.square(strength), first, axis=1))
    total = np.add.reduceat(strength, first, axis=1)
    counts = np.diff(first, append=strength.shape[1])
    return total if how == "sum" else (total / counts).astype(strength.dtype)
