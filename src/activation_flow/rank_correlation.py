"""Spearman's correlation of two scores, with or without others held constant, token by token.

Each correlation comes with its derivative by the weight of every token (the infinitesimal
jackknife, the ranks' own change included), from which its variance over clusters follows. Sources:
Spearman (1904); Jaeckel (1972), "The infinitesimal jackknife".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.strength import TIED

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    Column = Float[np.ndarray, "tokens"]
    Columns = Float[np.ndarray, "tokens columns"]
    Groups = Int[np.ndarray, "tokens"]
else:
    Column = Columns = Groups = np.ndarray


@dataclass(frozen=True, eq=False)
class RankCorrelation:
    """A rank correlation.

    Attributes:
        value: from -1 to 1; None where a score is constant, or is all in those held constant.
        contributions: [tokens], what a little more weight of a token would add to the value;
            their sum is 0.
    """

    value: float | None
    contributions: Column


def tie_groups(values: Column) -> Groups:
    """From 0, rising with the value; sorted neighbours closer than 1e-6 relative share a number.

    >>> tie_groups(np.array([7.0, 5.0, 7.0 + 1e-9]))
    array([1, 0, 1])
    """
    order = np.argsort(values, kind="stable")
    rising = values[order].astype(np.float64)
    apart = np.diff(rising, prepend=rising[:1]) > TIED * np.abs(rising)
    groups = np.empty(len(values), dtype=np.int64)
    groups[order] = np.cumsum(apart)
    return groups


def mid_ranks(groups: Groups) -> Column:
    """Ranks from 1, weakest first; equals share the mean of theirs.

    >>> mid_ranks(np.array([1, 0, 1]))
    array([2.5, 1. , 2.5])
    """
    sizes = np.bincount(groups)
    below = np.cumsum(sizes) - sizes
    ranks: Column = (below + (sizes + 1) / 2)[groups]
    return ranks


def rank_correlation(x: Column, y: Column, given: Sequence[Column] = ()) -> RankCorrelation:
    """Spearman's ρ of x and y; with others given, that of what their ranks leave unexplained.

    The partial correlation is Pearson's of the residuals of both ranks, each regressed with an
    intercept on the ranks of those given. Monotone changes of any score change nothing.

    Args:
        x: finite, one value per token.
        y: likewise.
        given: scores that are held constant.

    >>> found = rank_correlation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 30.0, 20.0, 40.0]))
    >>> round(found.value, 6)
    0.8
    """
    groups = [tie_groups(column) for column in (x, y, *given)]
    nothing = RankCorrelation(None, np.zeros(len(x)))
    if len(x) < 3 + len(given):
        return nothing
    ranks = np.stack([mid_ranks(one) for one in groups], axis=1)
    ranks -= ranks.mean(axis=0)
    both, others = ranks[:, :2], ranks[:, 2:]
    slopes = np.linalg.lstsq(others, both, rcond=None)[0] if given else np.empty((0, 2))
    rest = both - others @ slopes
    # A residual this small is rounding: the score is constant, or a sum of those given.
    length = np.linalg.norm(rest, axis=0)
    if (length <= 1e-9 * len(x)).any():
        return nothing
    unit = rest / length
    value = float(np.clip(unit[:, 0] @ unit[:, 1], -1.0, 1.0))
    # By the weight of a token, ranks unchanged; then by each rank, times the rank's by the weight.
    change = unit[:, 0] * unit[:, 1] - value / 2 * np.square(unit).sum(axis=1)
    by_rank = (unit[:, ::-1] - value * unit) / length
    by_given = -by_rank @ slopes.T
    for group, slope in zip(groups, np.concatenate([by_rank, by_given], axis=1).T, strict=True):
        change = change + _through_ranks(group, slope)
    return RankCorrelation(value, change)


def _through_ranks(groups: Groups, slope: Column) -> Column:
    """What the weight of each token changes through the ranks of those above it and its equals."""
    sums = np.bincount(groups, weights=slope)
    above = sums[::-1].cumsum()[::-1] - sums
    through: Column = (above + sums / 2)[groups]
    return through
