"""The primary test of C5: do HIGH tokens hold more of the shift than their number explains?

R_H of a pair of texts is the share of the total shift that its HIGH tokens hold; k of n tokens,
chosen blindly, hold k / n of it. The effect is the mean of R_H - k / n over pairs. It is a sum
over tokens, so that it has a variance over the first texts, which pairs may share, and over the
words that recur in them.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from activation_flow.audit_data import PerToken, Tested
from activation_flow.claim_tests import MIN_TEXTS, MIN_TYPES, STUDENT, few_types, untested
from activation_flow.crossed import Crossed, crossed, interval, p_above
from activation_flow.data import Ids, Mask


class MovedTokens(Protocol):
    """Aligned tokens of pairs of texts, one pair after the other."""

    @property
    def pair(self) -> Ids: ...  # noqa: D102
    @property
    def text(self) -> Ids: ...  # noqa: D102
    @property
    def type(self) -> Ids: ...  # noqa: D102
    @property
    def high(self) -> Mask: ...  # noqa: D102
    @property
    def shift(self) -> PerToken: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True)
class Excess:
    """What a bucket holds of a distance, beside its share of the tokens.

    Attributes:
        ratio: mean of R over the pairs; NaN without any.
        chance: mean of k / n.
        excess: mean of R - k / n.
        spread: its variance over first texts and word types; None without any.
        pairs: how many pairs take part.
        texts: how many different first texts they have.
        left_out: pairs in which none or all are in the bucket, or nothing moved.
    """

    ratio: float
    chance: float
    excess: float
    spread: Crossed | None
    pairs: int
    texts: int
    left_out: int


def excess_over_chance(
    pair: Ids,
    type_: Ids,
    bucket: Mask | PerToken,
    distance: PerToken,
    *,
    text: Ids | None = None,
    counted: Mask | None = None,
) -> Excess:
    """Mean over pairs of R - k / n, and how uncertain it is.

    Args:
        pair: number of the pair of texts of each aligned token.
        type_: its word type.
        bucket: it is in the bucket; from 0 to 1 where tied tokens share a place.
        distance: how far it moved, at least 0.
        text: number of the first text of its pair: pairs that share it are no two observations.
            None: no two pairs do.
        counted: the tokens whose part of both terms is summed, R being of all: what they hold in
            the bucket, and k / n of what they hold; parts that make up all add up. None: all.

    >>> pair, bucket = np.array([0, 0, 0, 0]), np.array([True, False, False, False])
    >>> found = excess_over_chance(pair, np.arange(4), bucket, np.array([3.0, 1.0, 1.0, 1.0]))
    >>> round(found.ratio, 9), round(found.chance, 9), round(found.excess, 9)
    (0.5, 0.25, 0.25)
    """
    _, number, n = np.unique(pair, return_inverse=True, return_counts=True)
    k = np.bincount(number, bucket, len(n))
    total = np.bincount(number, distance, len(n))
    used = (k > 0) & (k < n) & (total > 0)
    pairs = int(used.sum())
    if not pairs:
        nan = float("nan")
        none = {"pairs": 0, "texts": 0, "left_out": len(n)}
        return Excess(ratio=nan, chance=nan, excess=nan, spread=None, **none)
    part = used[number]
    of, type_ = number[part], type_[part]
    share = distance[part] / total[of]
    if counted is not None:
        share = share * counted[part]
    whole = np.bincount(of, share, len(n))  # 1, if all are counted
    weight = 1 / n[of]
    # Its sum over a pair is R - k / n with or without the last term; but without it a type that is
    # never in the bucket would seem to move the mean all by itself.
    own = (bucket[part] - k[of] * weight) * (share - whole[of] * weight)
    mean, chance = float(own.sum()) / pairs, float((k / n * whole).sum()) / pairs
    text = of if text is None else text[part]
    spread = crossed((own - mean * weight) / pairs, text, type_, weight=weight)
    return Excess(
        ratio=chance + mean,
        chance=chance,
        excess=mean,
        spread=spread,
        pairs=pairs,
        texts=spread.texts,
        left_out=len(n) - pairs,
    )


def above_chance(moved: MovedTokens) -> Tested:
    """C5: HIGH tokens hold more of the shift than their number explains. Effect: R_H - k / n.

    All aligned tokens that are not special take part. p is one-sided, of Student's t over
    first texts and word types. Pairs without a HIGH token, with nothing else, or in which nothing
    moved say nothing; they are left out and counted.
    """
    if not len(moved.pair):
        return untested("there are no pairs of texts")
    found = excess_over_chance(moved.pair, moved.type, moved.high, moved.shift, text=moved.text)
    types = found.spread.types if found.spread else 0
    if found.spread is None or found.texts < MIN_TEXTS:
        has = "1 text has pairs" if found.texts == 1 else f"{found.texts} texts have pairs"
        return untested(f"{has} with a ratio R_H; it takes {MIN_TEXTS}")
    if types < MIN_TYPES:
        return untested(few_types(types))
    n = {
        "texts": found.texts,
        "pairs": found.pairs,
        "types": types,
        "tokens": len(moved.pair),
        "left out": found.left_out,
    }
    return Tested(
        effect=found.excess,
        interval=interval(found.excess, found.spread),
        p=p_above(found.excess, found.spread),
        n=n,
        method=STUDENT,
    )
