"""Content words against function words that are like them: of the same group, or as frequent.

Where groups and kinds go together few pairs are left to compare; their share is part of the
finding. Ties count half, as in ``within``, whose AUC this is. Source: Mann and Whitney (1947), in
strata.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids, Mask
from activation_flow.within import Grouped, within_auc

if TYPE_CHECKING:
    from activation_flow.audit_data import PerToken
else:
    PerToken = np.ndarray

NEAR = 0.2  # of log10 frequency: how far a match may be
STRATA = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Won:
    """How often those asked about are above the others that they are compared with.

    Attributes:
        value: 0 to 1, by chance 0.5; None where none can be compared.
        contributions: [tokens], each token's influence on the value; NaN where compared with none.
        weight: [tokens], for how much it counts.
        n: how many pairs, or of those asked about how many, are compared.
        of: how many there are; n / of is the share that is kept.
    """

    value: float | None
    contributions: PerToken
    weight: PerToken
    n: int
    of: int

    @property
    def kept(self) -> float:
        """The share that is compared; 0 where there is nothing."""
        return self.n / self.of if self.of else 0.0


def tenths(frequency: PerToken) -> Ids:
    """Which tenth of these tokens each is of by frequency, from 0; equal ones share theirs.

    >>> tenths(np.arange(20.0))[[0, 1, 2, 19]]
    array([0, 0, 1, 9])
    """
    if not len(frequency):
        return np.empty(0, dtype=np.int64)
    found: Ids = np.searchsorted(np.quantile(frequency, np.arange(1, STRATA) / STRATA), frequency)
    return found


def won_in_groups(values: PerToken, one: Mask, group: Ids, wider: Ids) -> Won:
    """The AUC over the pairs of the same group, in which every pair counts the same.

    Args:
        values: finite.
        one: those asked about; all others are what they are compared with.
        group: a number for each token.
        wider: groups that hold these whole: their pairs are those of which a share is kept.

    >>> values, one = np.array([3.0, 1.0, 2.0, 5.0]), np.array([True, False, True, False])
    >>> found = won_in_groups(values, one, np.array([0, 0, 1, 1]), np.zeros(4, dtype=int))
    >>> found.value, found.kept, found.n
    (0.5, 0.5, 2)
    """
    found = within_auc(Grouped(one, ~one, group, group), values)
    return Won(
        value=found.value if found.pairs else None,
        contributions=found.contributions,
        weight=found.weight,
        n=found.pairs,
        of=int(np.bincount(wider, one) @ np.bincount(wider, ~one)),
    )


def won_by_matched(values: PerToken, one: Mask, frequency: PerToken, text: Ids) -> Won:
    """Each of those asked about against the nearest by frequency; each of them counts the same.

    Its match are all tokens of the other kind, in its text, that have the one log frequency that
    is nearest to its own and at most 0.2 (log10) away; of two equally near, the higher. What they
    are above is a share of them. A token may be the match of many.

    Args:
        values: finite.
        one: those asked about; all others are what they are compared with.
        frequency: natural logarithm; finite.
        text: a number for each token; all 0: matches are sought in the whole corpus.

    >>> values, one = np.array([3.0, 1.0, 9.0]), np.array([True, False, False])
    >>> won_by_matched(values, one, np.array([1.0, 1.1, 1.2]), np.zeros(3, dtype=int)).value
    1.0
    """
    nearest = nearest_frequency(frequency, one, text)
    near = one & (np.abs(nearest - frequency) <= NEAR * np.log(10))
    # A group: one frequency of the others in one text, and those whose nearest it is.
    frequencies, level = np.unique(np.where(one, nearest, frequency), return_inverse=True)
    _, group = np.unique(text * len(frequencies) + level, return_inverse=True)
    found = within_auc(Grouped(near, ~one, group, group), np.where(near | ~one, values, np.nan))
    # From its part of that AUC to the share of its own pairs that go to ``one``.
    paired = found.weight > 0
    share = np.full(len(values), np.nan)
    share[paired] = found.value + found.contributions[paired] * found.pairs / found.weight[paired]
    # Each of ``one`` counts 1, and so do all its matches together.
    matches = np.bincount(group, ~one)
    weight = np.zeros(len(values))
    weight[paired] = np.where(one, 1.0, found.weight)[paired]
    weight[paired & ~one] /= matches[group[paired & ~one]]
    n = int(near.sum())
    value = float(share[near].mean()) if n else None
    return Won(
        value=value,
        contributions=weight * (share - (value or 0.0)) / max(n, 1),
        weight=weight,
        n=n,
        of=int(one.sum()),
    )


def nearest_frequency(frequency: PerToken, one: Mask, text: Ids) -> PerToken:
    """The frequency, nearest to each token's own, of a token of its text that is not ``one``.

    Infinite where the text has none. Of two equally near, the higher.

    >>> one = np.array([True, False, False])
    >>> nearest_frequency(np.array([1.0, 4.0, 2.0]), one, np.zeros(3, dtype=int))
    array([2., 4., 2.])
    """
    order = np.lexsort((frequency, text))
    rising, whose, candidate = frequency[order], text[order], ~one[order]
    down = _last_candidate(rising, whose, candidate)
    up = _last_candidate(rising[::-1], whose[::-1], candidate[::-1])[::-1]
    nearest = np.empty(len(frequency))
    nearest[order] = np.where(np.abs(up - rising) <= np.abs(down - rising), up, down)
    return nearest


def _last_candidate(values: PerToken, text: Ids, candidate: Mask) -> PerToken:
    """The value of the last candidate up to each place, of the same text; infinite without one."""
    last = np.maximum.accumulate(np.where(candidate, np.arange(len(values)), -1))
    fits = (last >= 0) & (text[last] == text)
    return np.where(fits, values[last], np.inf)
