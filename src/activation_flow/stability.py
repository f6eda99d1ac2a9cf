"""How alike two scores of the same tokens are: Kendall's τ-b, the Jaccard index and its chance.

Formulas only; no text and no model is known here. Sources: Kendall (1945), "The treatment of ties
in ranking problems"; Jaccard (1912).
"""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import Interval
from activation_flow.rank_correlation import tie_groups
from activation_flow.stats import mean_interval

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    Values = Float[np.ndarray, "tokens"]
    Set = Bool[np.ndarray, "tokens"]
    Each = Float[np.ndarray, "pairs"]
    Clusters = Int[np.ndarray, "pairs"]
else:
    Values = Set = Each = Clusters = np.ndarray

CELLS = 2**20  # pairs of tokens that are compared at once: bounds the memory


def kendall(x: Values, y: Values) -> float:
    """τ-b of two scores of the same tokens: 1 the same order, -1 the reverse, 0 by chance.

    Neighbours closer than 1e-6 relative are tied. Symmetric, and unchanged by any monotone change
    of a score. NaN where all tokens of a score are tied. (As scipy's, which takes 0.5 ms for it.)

    >>> kendall(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])).__round__(6)
    0.333333
    """
    a, b = tie_groups(x), tie_groups(y)
    n = len(a)
    both = apart_a = apart_b = 0
    at_once = max(1, CELLS // max(n, 1))
    for start in range(0, n, at_once):
        part = slice(start, start + at_once)
        sign_a, sign_b = np.sign(a[part, None] - a), np.sign(b[part, None] - b)
        both += int((sign_a * sign_b).sum())
        apart_a += int(np.count_nonzero(sign_a))
        apart_b += int(np.count_nonzero(sign_b))
    if not apart_a or not apart_b:
        return float("nan")
    return float(np.clip(both / np.sqrt(float(apart_a) * float(apart_b)), -1.0, 1.0))


def jaccard(a: Set, b: Set) -> float:
    """The share of the tokens in either set that are in both; NaN where both are empty.

    >>> jaccard(np.array([True, True, False]), np.array([True, False, False]))
    0.5
    """
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else float("nan")


@lru_cache(maxsize=2**14)
def expected_jaccard(k_a: int, k_b: int, n: int) -> float:
    """Mean of the Jaccard index of k_a and of k_b tokens, each drawn blindly of the same n.

    Exact: Σ_i C(k_a, i) C(n − k_a, k_b − i) / C(n, k_b) · i / (k_a + k_b − i). NaN where both are
    empty.

    >>> expected_jaccard(1, 1, 4), round(expected_jaccard(2, 2, 3), 12)
    (0.25, 0.555555555556)
    """
    if not k_a + k_b:
        return float("nan")
    common = np.arange(max(0, k_a + k_b - n), min(k_a, k_b) + 1)
    # Each chance by the one before it: the binomials themselves are beyond any float.
    i = common[:-1]
    steps = (k_a - i) * (k_b - i) / ((i + 1) * (n - k_a - k_b + i + 1))
    logs = np.concatenate([[0.0], np.cumsum(np.log(steps))])
    chances = np.exp(logs - logs.max())
    return float((chances * common / (k_a + k_b - common)).sum() / chances.sum())


def mean_over_clusters(
    values: Each, cluster: Clusters, bounds: Interval
) -> tuple[float | None, Interval | None]:
    """Mean of the values that are not NaN, and its 95 % interval over clusters.

    Args:
        values: one per pair.
        cluster: number of the text of each: what is drawn.
        bounds: the least and the greatest that a value can be; the interval stays between them.

    Returns:
        The mean, None where there is no value; the interval, None where there are not two clusters.

    >>> mean, (low, high) = mean_over_clusters(np.array([0.2, 0.4]), np.array([0, 1]), (-1, 1))
    >>> round(mean, 3), low < mean < high
    (0.3, True)
    """
    known = ~np.isnan(values)
    values, (_, cluster) = values[known], np.unique(cluster[known], return_inverse=True)
    if not len(values):
        return None, None
    mean, drawn = float(values.mean()), int(cluster.max()) + 1
    if drawn < 2:
        return mean, None
    apart = np.bincount(cluster, values - mean)
    variance = drawn / (drawn - 1) * float((apart**2).sum()) / len(values) ** 2
    low, width = bounds[0], bounds[1] - bounds[0]
    ends = mean_interval((mean - low) / width, variance / width**2, drawn)
    return mean, (low + width * ends[0], low + width * ends[1])
