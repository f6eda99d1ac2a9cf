"""How much an output hangs on the words that a score puts first: orders, curves, their bounds.

Comprehensiveness: the first k words are removed; sufficiency: all others are (DeYoung et al. 2020,
arXiv:1911.03429). Each is a mean over k. Bounds of random orders make texts comparable (after Edin
et al. 2024, arXiv:2408.08137, who search for them). Knows no model and no text.
"""

from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids, Mask
from activation_flow.rank_correlation import tie_groups

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    PerWord = Float[np.ndarray, "words"]
    PerOrder = Float[np.ndarray, "orders"]
    PerOrderWord = Float[np.ndarray, "orders words"]
    Orders = Int[np.ndarray, "orders words"]
    First = Bool[np.ndarray, "orders ks words"]
    PerSet = Float[np.ndarray, "sets"]
    PerMeasureOrder = Float[np.ndarray, "2 orders"]
else:
    PerWord = PerOrder = PerOrderWord = Orders = First = PerSet = PerMeasureOrder = np.ndarray

STEPS = 10  # of more numbers of words, so many are tried, spread evenly
EQUAL = 1e-9  # random orders of a text that differ by less do not differ


def grid(n: int) -> Ids:
    """How many of n words are removed, one number after the other: 1 .. ⌈n/2⌉.

    Of more than ten numbers, ten spread evenly, the first and the last among them; up to 20 words
    it is all of them.

    >>> grid(7), grid(60)
    (array([1, 2, 3, 4]), array([ 1,  4,  7, 11, 14, 17, 20, 24, 27, 30]))
    """
    most = (n + 1) // 2
    if most <= STEPS:
        return np.arange(1, most + 1)
    return np.rint(np.linspace(1, most, STEPS)).astype(np.int64)


def order(values: PerWord, noise: PerWord) -> Ids:
    """Places of the words, highest value first; those tied (1e-6 relative) by the noise.

    >>> order(np.array([1.0, 5.0, 5.0, 9.0]), noise=np.array([0.1, 0.9, 0.2, 0.3]))
    array([3, 2, 1, 0])
    """
    return np.lexsort((noise, -tie_groups(values)))


def first(orders: Orders, ks: Ids) -> First:
    """Which words are among the first k of each order.

    >>> first(np.array([[2, 0, 1]]), np.array([1, 2])).astype(int)
    array([[[0, 0, 1],
            [1, 0, 1]]])
    """
    rank = np.argsort(orders, axis=-1)
    found: First = rank[:, None, :] < ks[:, None]
    return found


def chosen(among: First) -> PerOrderWord:
    """The share of the ks for which each word is among the first k: what a curve is due to.

    >>> chosen(first(np.array([[2, 0, 1]]), np.array([1, 2])))
    array([[0.5, 0. , 1. ]])
    """
    share: PerOrderWord = among.mean(axis=1)
    return share


def pieces_per_word(among: First, pieces: Ids) -> PerOrder:
    """Pieces removed per word removed, mean over k: equal words are not equal pieces.

    >>> pieces_per_word(first(np.array([[2, 0, 1]]), np.array([1, 2])), np.array([1, 1, 3]))
    array([2.5])
    """
    found: PerOrder = ((among @ pieces) / among.sum(axis=-1)).mean(axis=-1)
    return found


def normalised(areas: PerOrder, random: PerOrder) -> PerOrder:
    """Means over k, from 0 (the lowest of random orders) to 1 (the highest).

    Not cut off: an order may be better or worse than all random ones. NaN where these are equal.

    >>> normalised(np.array([2.0, 5.0]), random=np.array([1.0, 3.0, 2.0]))
    array([0.5, 2. ])
    """
    low, high = float(random.min()), float(random.max())
    if high - low < EQUAL:
        return np.full(len(areas), np.nan)
    found: PerOrder = (areas - low) / (high - low)
    return found


def agreement(values: PerWord, effects: PerWord) -> float:
    """Kendall's τ-b of a score with what removing each word alone does.

    NaN if one of them is constant, or not known of all words.

    >>> round(agreement(np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.3, 0.2])), 3)
    0.333
    """
    from scipy.stats import kendalltau

    if not np.isfinite(values + effects).all():
        return np.nan
    return float(kendalltau(tie_groups(values), tie_groups(effects)).statistic)


def removed_sets(among: First) -> Mask:
    """All sets of words that are removed: the first k of each order, then all others.

    Returns:
        [sets words]: orders x ks many, twice.

    >>> removed_sets(first(np.array([[2, 0, 1]]), np.array([1]))).astype(int)
    array([[0, 0, 1],
           [1, 1, 0]])
    """
    flat = among.reshape(-1, among.shape[-1])
    return np.concatenate([flat, ~flat])


def areas(moved: PerSet, n_orders: int) -> PerMeasureOrder:
    """Comprehensiveness and sufficiency of each order: means over k of what its sets moved.

    Args:
        moved: by each set, as ``removed_sets`` has them.
        n_orders: how many orders these are of.

    >>> areas(np.array([1.0, 3.0, 0.0, 1.0]), n_orders=1)
    array([[2. ],
           [0.5]])
    """
    found: PerMeasureOrder = moved.reshape(2, n_orders, -1).mean(axis=-1)
    return found
