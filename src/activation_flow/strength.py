"""From hidden states to strength, rank, threshold and bucket: formulas only.

Knows nothing of models, texts or files. Source: paper eqs. 1-4 (arXiv 2605.22377, section 2.2).
"""

from numbers import Real

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
TIED = 1e-6  # relatively: two values this close are tied in every rank statistic

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
        ActivationFlowError: quantile no number of 0..1, unknown method, or no values.
    """
    # A bool is a number to Python, and hardly meant as one here.
    if not isinstance(quantile, Real) or isinstance(quantile, bool):
        raise ActivationFlowError(f"quantile {quantile!r} is not a number between 0 and 1")
    if not 0 <= quantile <= 1:
        raise ActivationFlowError(
            f"quantile {quantile} is not between 0 and 1 (0.75 = the upper quarter)"
        )
    if not isinstance(method, str) or method not in QUANTILE_METHODS:
        raise ActivationFlowError(
            f"quantile method {method!r} is not one of {', '.join(QUANTILE_METHODS)}"
        )
    if values.shape[-1] == 0:
        raise ActivationFlowError("a threshold needs at least one token")
    return np.quantile(values.astype(np.float64), quantile, axis=-1, method=method)  # type: ignore[call-overload, no-any-return]


def bucket(strength: Strength, threshold: PerLayer | Strength, takes_part: Mask) -> Bucket:
    """HIGH where S > τ, strictly; LOW where S ≤ τ (eq. 4); "" where a token takes no part.

    τ is [layers], of all tokens, or [layers tokens], of each.

    >>> bucket(np.array([[2.0, 2.5, 9.0]]), np.array([2.0]), np.array([True, True, False]))
    array([['LOW', 'HIGH', '']], dtype='<U4')
    """
    high = strength.astype(np.float64) > threshold.reshape(len(threshold), -1)
    return np.where(takes_part, np.where(high, "HIGH", "LOW"), "")


def thresholds(
    values: Strength, takes_part: Mask, text: Ids, quantile: float = 0.75, method: str = "midpoint"
) -> Strength:
    """τ of each of many texts whose tokens stand one after the other: [layers texts].

    The same as ``threshold`` of each; texts with the same number of tokens are done at once.

    Args:
        values: S of all tokens.
        takes_part: the tokens over which τ is taken; at least one of every text.
        text: number of the text of each token, from 0, rising by 0 or 1.
        quantile: as in ``threshold``.
        method: as in ``threshold``.

    >>> values, text = np.array([[1.0, 3.0, 8.0, 6.0]]), np.array([0, 0, 1, 1])
    >>> thresholds(values, np.ones(4, dtype=bool), text, quantile=0.5)
    array([[2., 7.]])
    """
    (index,) = np.nonzero(takes_part)
    counts = np.bincount(text[index])
    begins = np.cumsum(counts) - counts
    found = np.empty((len(values), len(counts)))
    for n in np.unique(counts):
        (those,) = np.nonzero(counts == n)
        found[:, those] = threshold(
            values[:, index[begins[those][:, None] + np.arange(n)]], quantile, method
        )
    return found


def rank(strength: Strength, takes_part: Mask, text: Ids | None = None) -> Rank:
    """1 = strongest; neighbours closer than 1e-6 relative share the better rank; 0 = no part.

    Args:
        strength: S of the tokens of one text, or of many texts, one after the other.
        takes_part: the tokens that are ranked.
        text: number of the text of each token, never falling; None: they are of one.

    >>> rank(np.array([[5.0, 7.0, 5.0, 1.0]]), np.array([True, True, True, False]))
    array([[2, 1, 2, 0]])
    """
    ranks = np.zeros(strength.shape, dtype=np.int64)
    (index,) = np.nonzero(takes_part)
    whose = np.zeros(len(index)) if text is None else text[index]
    begins = np.diff(whose, prepend=-1) > 0
    places = np.arange(len(index))
    before = np.maximum.accumulate(np.where(begins, places, 0))  # tokens of the texts before
    for row, out in zip(strength.astype(np.float64), ranks, strict=True):
        order = index[np.lexsort((-row[index], whose))]
        falling = row[order]
        apart = -np.diff(falling, prepend=np.inf) > TIED * np.abs(np.roll(falling, 1))
        out[order] = np.maximum.accumulate(np.where(begins | apart, places, 0)) - before + 1
    return ranks


def percentile(strength: Strength, rank: Rank, text: Ids | None = None) -> Strength:
    """Where each token stands among the ranked ones of its text, 0 (weakest) to 100.

    The share of ranked tokens that are weaker, and half of those that are as strong; a ranked
    token counts itself. So the mean over the ranked tokens of any text is 50, and tokens that are
    not ranked (special ones) are placed among those that are. NaN where none is ranked.

    Args:
        strength: S of the tokens of one text, or of many texts, one after the other.
        rank: what ``rank`` gives for them.
        text: number of the text of each token, from 0, rising by 0 or 1; None: they are of one.

    >>> percentile(np.array([[5.0, 7.0, 6.0]]), np.array([[2, 1, 0]]))
    array([[25., 75., 50.]])
    """
    whose = np.zeros(strength.shape[1], dtype=np.int64) if text is None else text
    places = np.full(strength.shape, np.nan)
    for row, ranks, out in zip(strength.astype(np.float64), rank, places, strict=True):
        (ranked,), (others,) = np.nonzero(ranks), np.nonzero(ranks == 0)
        n = np.bincount(whose[ranked], minlength=whose.max(initial=-1) + 1)
        # Ties as in ``rank``: groups of neighbours; a group of c at rank r has n - r - c + 1 below.
        key = whose[ranked] * (n.max(initial=0) + 1) + ranks[ranked]
        _, group, size = np.unique(key, return_inverse=True, return_counts=True)
        own = n[whose[ranked]]
        out[ranked] = (own - ranks[ranked] + 1 - size[group] / 2) / own
        # Each unranked token beside all ranked ones of its text.
        own = n[whose[others]]
        one = np.repeat(others, own)
        first = np.cumsum(n)[whose[others]] - own
        step = np.arange(len(one)) - np.repeat(np.cumsum(own) - own, own)
        with_whom = row[ranked[np.repeat(first, own) + step]]
        slack = TIED * np.abs(row[one])
        below = np.bincount(one, with_whom < row[one] - slack, minlength=len(row))
        up_to = np.bincount(one, with_whom <= row[one] + slack, minlength=len(row))
        placed = others[own > 0]
        out[placed] = (below + up_to)[placed] / (2 * n[whose[placed]])
    return 100 * places


def moments(values: Strength, takes_part: Mask, text: Ids) -> tuple[Strength, Strength, Strength]:
    """Mean, standard deviation and skew of S in each of many texts: [layers texts] each.

    The deviation is the sample's (n - 1 in the denominator), NaN for one token. The skew is
    g1 = m3 / m2^1.5, as in scipy; NaN where the values are the same but for 1e-6, relatively.

    Args:
        values: S of all tokens, text after text.
        takes_part: the tokens that count; at least one of every text.
        text: number of the text of each token, from 0, rising by 0 or 1.

    >>> part, text = np.ones(3, dtype=bool), np.zeros(3, dtype=int)
    >>> [round(float(m[0, 0]), 3) for m in moments(np.array([[1.0, 1.0, 4.0]]), part, text)]
    [2.0, 1.732, 0.707]
    """
    (index,) = np.nonzero(takes_part)
    whose = text[index]
    n = np.bincount(whose)
    first = np.cumsum(n) - n

    def mean(each: Strength) -> Strength:
        sums: Strength = np.add.reduceat(each, first, axis=1)
        return sums / n

    kept = values[:, index].astype(np.float64)
    average = mean(kept)
    apart = kept - average[:, whose]
    second, third = mean(apart**2), mean(apart**3)
    differ = second > (TIED * average) ** 2  # else the skew would be one of rounding errors
    with np.errstate(divide="ignore", invalid="ignore"):
        deviation = np.where(n > 1, np.sqrt(second * (n / (n - 1))), np.nan)
        skew = np.where(differ, third / second**1.5, np.nan)
    return average, deviation, skew


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
