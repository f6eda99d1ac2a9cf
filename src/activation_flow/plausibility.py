"""Formulas: how well a score finds the words of a text that people marked. One number per text.

Ties are no order: where words are tied (values closer than 1e-6, relatively), what is given is the
expectation over all orders of them, exactly. Knows no model, no file and no test. Sources: DeYoung
et al. (2020), "ERASER", arXiv 1911.03429 (AUPRC, token F1, IOU).
"""

from dataclasses import dataclass
from functools import cached_property
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids, Mask
from activation_flow.strength import rank, thresholds

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    PerUnit = Float[np.ndarray, "units"]
    PerText = Float[np.ndarray, "texts"]
    PerGroup = Float[np.ndarray, "groups"]
    Groups = Int[np.ndarray, "groups"]
    Counts = Int[np.ndarray, "texts"]
else:
    PerUnit = PerText = PerGroup = Groups = Counts = np.ndarray

OVERLAP = 2, 3  # IOU ≥ 1/2 of two sets of m words: they share at least 2m/3


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranked:
    """Words of texts in the order of a score; words that are tied are one group.

    Attributes:
        scores: of each word, finite.
        marked: the words that people marked.
        text: of each word, from 0, rising by 0 or 1.
    """

    scores: PerUnit
    marked: Mask
    text: Ids

    @cached_property
    def words(self) -> Counts:
        """How many words each text has."""
        found: Counts = np.bincount(self.text)
        return found

    @cached_property
    def wanted(self) -> Counts:
        """How many of them are marked."""
        return np.bincount(self.text[self.marked], minlength=len(self.words))

    @cached_property
    def _grouped(self) -> tuple[Ids, Ids, Groups]:
        everyone = np.ones(len(self.text), dtype=bool)
        places = rank(self.scores[None], everyone, self.text)[0]
        key = self.text * (len(self.text) + 1) + places
        _, first, of = np.unique(key, return_index=True, return_inverse=True)
        return places, of, first

    @property
    def group(self) -> Ids:
        """The group of each word: from 0, text after text, the highest of a text first."""
        return self._grouped[1]

    @cached_property
    def group_text(self) -> Groups:
        """The text of each group."""
        found: Groups = self.text[self._grouped[2]]
        return found

    @cached_property
    def before(self) -> Groups:
        """How many words of its text are above each group."""
        places, _, first = self._grouped
        found: Groups = places[first] - 1
        return found

    @cached_property
    def size(self) -> Groups:
        """How many words are in each group."""
        return np.bincount(self.group)

    @cached_property
    def hits(self) -> Groups:
        """How many of them are marked."""
        return np.bincount(self.group[self.marked], minlength=len(self.size))

    @cached_property
    def hits_before(self) -> Groups:
        """How many marked words of its text are above each group."""
        earlier = np.cumsum(self.wanted) - self.wanted  # in the texts before
        found: Groups = np.cumsum(self.hits) - self.hits - earlier[self.group_text]
        return found

    def summed(self, values: PerGroup) -> PerText:
        """Sums over the groups of each text."""
        sums: PerText = np.bincount(self.group_text, values, minlength=len(self.words))
        return sums

    def per_wanted(self, values: PerText) -> PerText:
        """Divided by the number of marked words; NaN where there is none."""
        none = np.full(len(self.wanted), np.nan)
        return np.divide(values, self.wanted, where=self.wanted > 0, out=none)


def _precision(ranked: Ranked) -> PerGroup:
    """The expected precision down to a marked word of each group, over the orders in the group.

    At place t of a group of s words, of which h are marked, a marked word has 1 + (t − 1)(h − 1) /
    (s − 1) marked ones of the group down to itself, and t words; each place is as likely.
    """
    size, hits = ranked.size, ranked.hits
    of = np.repeat(np.arange(len(size)), size)
    place = np.arange(len(of)) - np.repeat(np.cumsum(size) - size, size)  # t − 1
    others = np.maximum(hits - 1, 0) / np.maximum(size - 1, 1)
    share = (ranked.hits_before[of] + 1 + place * others[of]) / (ranked.before[of] + place + 1)
    found: PerGroup = np.bincount(of, share, minlength=len(size)) / size
    return found


def average_precision(ranked: Ranked) -> PerText:
    """AP: the mean of the precisions down to each marked word. NaN where none is marked.

    Always 1 where all are marked: such a text says nothing.

    >>> tied = Ranked(scores=np.ones(3), marked=np.array([True, False, False]),
    ...     text=np.zeros(3, dtype=int))
    >>> average_precision(tied).round(4), expected_precision(np.array([3]), np.array([1])).round(4)
    (array([0.6111]), array([0.6111]))
    """
    return ranked.per_wanted(ranked.summed(ranked.hits * _precision(ranked)))


def expected_precision(words: Counts, wanted: Counts) -> PerText:
    """What AP is expected to be in a random order of n words, of which m are marked. Exact.

    [H_n + (m − 1)(n − H_n) / (n − 1)] / n, with H_n = 1 + 1/2 + ... + 1/n: more than the base rate
    m / n, as the precision is taken at marked words only. 1 if n = m; NaN if m = 0.

    >>> expected_precision(np.array([14, 1, 5]), np.array([2, 1, 0])).round(3)
    array([0.291, 1.   ,   nan])
    """
    harmonic = np.cumsum(np.append(0.0, 1 / np.arange(1, words.max(initial=0) + 1)))[words]
    others = (wanted - 1) / np.maximum(words - 1, 1)
    chance = (harmonic + others * (words - harmonic)) / np.maximum(words, 1)
    return np.where(wanted > 0, chance, np.nan)


def auprc(ranked: Ranked) -> PerText:
    """Area under the curve of precision over recall, by trapezoids, as ERASER has it.

    A point after each group of tied words, and (0, 1) before the first. NaN where none is marked.
    Not the AP, which has steps: a trapezoid gives more where precision falls with recall.
    """
    precision = (ranked.hits_before + ranked.hits) / (ranked.before + ranked.size)
    previous = np.where(ranked.before > 0, np.roll(precision, 1), 1.0)
    return ranked.per_wanted(ranked.summed(ranked.hits * (precision + previous) / 2))


def f1_first(ranked: Ranked) -> PerText:
    """Token F1 of the first m words, m the number of marked ones. NaN where none is marked.

    As many are taken as are marked, so precision, recall and F1 are the same.
    """
    taken = np.clip(ranked.wanted[ranked.group_text] - ranked.before, 0, ranked.size)
    return ranked.per_wanted(ranked.summed(taken * ranked.hits / ranked.size))


def f1_high(ranked: Ranked) -> PerText:
    """Token F1 of the HIGH words: those above the upper quartile of their text, as everywhere.

    0 where no marked word is HIGH, also where no word is; NaN where none is marked.
    """
    everyone = np.ones(len(ranked.text), dtype=bool)
    high = ranked.scores > thresholds(ranked.scores[None], everyone, ranked.text)[0][ranked.text]
    both = np.bincount(ranked.text[high & ranked.marked], minlength=len(ranked.words))
    taken = np.bincount(ranked.text[high], minlength=len(ranked.words))
    return np.where(ranked.wanted > 0, 2 * both / np.maximum(taken + ranked.wanted, 1), np.nan)


def overlaps(ranked: Ranked) -> PerText:
    """1 if the first m words and the m marked ones overlap by half (IOU ≥ 0.5), else 0.

    Where a tie leaves open which words are the first m: in which share of its orders they do. NaN
    where none is marked.
    """
    wanted = ranked.wanted[ranked.group_text]
    drawn = np.clip(wanted - ranked.before, 0, ranked.size)
    last = (drawn > 0) & (ranked.before + ranked.size >= wanted)  # the group in which m is reached
    found = np.full(len(ranked.words), np.nan)
    found[ranked.group_text[last]] = [
        _at_least(-(-OVERLAP[0] * m // OVERLAP[1]) - above, *of)
        for m, above, *of in zip(
            *(each[last].tolist() for each in (wanted, ranked.hits_before)),
            *(each[last].tolist() for each in (drawn, ranked.hits, ranked.size)),
            strict=True,
        )
    ]
    return found


def _at_least(least: int, drawn: int, hits: int, size: int) -> float:
    """How likely ``drawn`` of ``size`` words, ``hits`` of them marked, hold so many marked ones."""
    ways = (comb(hits, k) * comb(size - hits, drawn - k) for k in range(max(least, 0), drawn + 1))
    return sum(ways) / comb(size, drawn)
