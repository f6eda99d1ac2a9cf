"""The mean over texts of a number that words of the text make, and how far it would move.

How faithful or plausible an explanation is, is one number per text. But words made it, which recur
in other texts, so texts are no independent observations. As in crossed.py the variance is that
between texts, plus what word types add. The number is no sum over words that could be looked at
one by one; what is known is for how much of it each word is there (its share). Knows no claim.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import Interval
from activation_flow.crossed import (
    ALL,
    LEAST,
    Clusters,
    Crossed,
    clusters,
    interval,
    p_above,
)
from activation_flow.data import Ids, Mask

KNOWN = 0.5  # what a type does is at most doubled: more would double the noise more than it

if TYPE_CHECKING:
    from jaxtyping import Float

    PerText = Float[np.ndarray, "texts"]
    PerUnit = Float[np.ndarray, "units"]
else:
    PerText = PerUnit = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean over texts.

    Attributes:
        value: None where no text has a number.
        interval: of it, 95 %, over texts and word types; None likewise.
        p: one-sided, of a mean above 0; None likewise.
        spread: its variance over texts and word types; None likewise.
        texts: how many have a number.
    """

    value: float | None
    interval: Interval | None
    p: float | None
    spread: Crossed | None
    texts: int


def mean_over_texts(
    per_text: PerText,
    share: PerUnit,
    unit_text: Ids,
    unit_type: Ids,
    *,
    bounds: Interval | None = None,
) -> Mean:
    """The mean of a number of texts, and how far other texts and other words would move it.

    Args:
        per_text: [texts]; NaN: the text is left out.
        share: [units], at least 0, in any unit: how much of its text's number is due to the word.
            A text none of whose words has a share counts as a text all the same.
        unit_text: [units], place of its text in ``per_text``.
        unit_type: [units], number of its word type.
        bounds: where the mean can only be between two numbers; its interval stays between them.

    >>> words = np.arange(4)
    >>> mean_over_texts(np.array([1.0, 2.0, 4.0, 5.0]), np.ones(4), words, words).value
    3.0
    """
    known = ~np.isnan(per_text)
    texts = int(known.sum())
    if not texts:
        return Mean(value=None, interval=None, p=None, spread=None, texts=0)
    value = float(per_text[known].mean())
    part = known[unit_text] & (share > 0)
    number = np.cumsum(known) - 1
    found = _spread(
        per_text[known] - value,
        share[part],
        clusters(number[unit_text[part]], unit_type[part]),
        np.unique(number[unit_text[part]]),
    )
    return Mean(
        value=value,
        interval=interval(value, found, bounds=bounds),
        p=p_above(value, found),
        spread=found,
        texts=texts,
    )


def share_of_marked(marked: Mask, unit_text: Ids) -> PerUnit:
    """Shares of an average precision: the marked words and the words they should be above.

    Half of it is due to either, as in a pair: with the marked alone, intervals are too narrow.

    >>> share_of_marked(np.array([True, False, False]), np.zeros(3, dtype=int))
    array([0.5 , 0.25, 0.25])
    """
    n = np.bincount(unit_text)[unit_text]
    m = np.bincount(unit_text, marked)[unit_text]
    share: PerUnit = np.where(marked, 0.5 / np.maximum(m, 1), 0.5 / np.maximum(n - m, 1))
    return share


def share_of_chosen(chosen: PerUnit, unit_text: Ids) -> PerUnit:
    """Shares of one score's faithfulness, which stands between those of random orders.

    Its number is due to the words that it chooses more often, or less often, than these do.

    Args:
        chosen: [units], for how many of the k the word is among the first, as a share.
        unit_text: [units], number of the text.

    >>> share_of_chosen(np.array([1.0, 0.5, 0.0]), np.zeros(3, dtype=int))
    array([0.5, 0. , 0.5])
    """
    mean = np.bincount(unit_text, chosen) / np.maximum(np.bincount(unit_text), 1)
    share: PerUnit = np.abs(chosen - mean[unit_text])
    return share


def _spread(apart: PerText, share: PerUnit, of: Clusters, held: Ids) -> Crossed:
    """Variance and degrees of freedom of the mean of texts that lie so far apart from it.

    A text's deviation cannot be dealt out to its words by their shares: most of the variance
    between types would be lost, as if each of n words had made an n-th of what one of them made.
    Each word is charged with s / Σs² of it, with all of it where shares are equal. What the other
    words did is noise in that; it is in the cell (type and text), too, and taken out with it.

    Args:
        apart: [texts].
        share: of words, above 0.
        of: their texts and types.
        held: the texts that they are of.
    """
    texts = len(apart)
    share = share / np.bincount(of.text, share)[of.text]
    cell_share = np.bincount(of.cell, share)
    type_share = np.bincount(of.cell_type, cell_share) / texts
    if min(texts, of.types) < 2 or type_share.max() >= ALL:
        return Crossed(variance=float("inf"), degrees=1.0, texts=texts, types=of.types)
    told = cell_share / np.bincount(of.cell_text, cell_share**2)[of.cell_text]
    cell = told * apart[held][of.cell_text] / texts
    # A type that moves the mean is told less than it does, for the mean is taken out of all texts.
    own = np.bincount(of.cell_type, told * (cell_share - type_share[of.cell_type])) / texts
    known = np.maximum(own / type_share, KNOWN)
    type_ = np.bincount(of.cell_type, cell) / known
    noise = (cell / known[of.cell_type]) ** 2
    by_text = float((apart**2).sum()) / texts / (texts - 1)
    # For the same reason the noise of two texts is not quite unrelated.
    pairs = np.bincount(of.cell_type, told) ** 2 - np.bincount(of.cell_type, told**2)
    related = by_text * pairs / (texts * known) ** 2
    of_types = max(0.0, float((type_**2 + related).sum() - noise.sum()))
    # With the cells the squares of the noise go; its products stay, and scatter around 0.
    products = float((np.bincount(of.cell_type, noise) ** 2).sum() - (noise**2).sum())
    uncertain = by_text**2 / (texts - 1) + products + of_types**2 / _degrees(type_share)
    variance = by_text + of_types
    most = float(min(texts, of.types) - 1)
    degrees = variance**2 / uncertain if uncertain > 0 else most
    degrees = max(1.0, min(LEAST, most), degrees)
    return Crossed(variance=variance, degrees=degrees, texts=texts, types=of.types)


def _degrees(share: PerUnit) -> float:
    """Of a sum of squares to which each type is expected to add the square of its share."""
    return max(1.0, float((share**2).sum()) ** 2 / float((share**4).sum()) - 1)
