"""The AUC within texts: how often a token of one kind is above one of the other in its own text.

Texts differ in their level, and buckets are made per text, so pairs of tokens are compared within
texts only: Σ U / Σ n₁n₀ over texts. Each token's influence on it comes along, from which
crossed.py tells how far it would move with other texts and words. Knows no claim.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import AuditTokens, Interval, PerToken
from activation_flow.crossed import Crossed, crossed, interval, p_apart
from activation_flow.data import ActivationFlowError, Ids, Mask
from activation_flow.stats import auc
from activation_flow.strength import TIED

if TYPE_CHECKING:
    from jaxtyping import Float

    Halves = Float[np.ndarray, "some"]
else:
    Halves = np.ndarray

SHARE = (0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Grouped:
    """Which tokens are compared with which: made once, used for many scores.

    Attributes:
        one: tokens that may be above.
        other: tokens that they are compared with.
        text: of each token.
        type_: word type of each token.
    """

    one: Mask
    other: Mask
    text: Ids
    type_: Ids

    def __post_init__(self) -> None:
        if (self.one & self.other).any():
            raise ActivationFlowError("no token can be compared with its own kind: masks overlap")

    @cached_property
    def number(self) -> Ids:
        """Texts numbered without gaps, in as few bits as sorting by them is fast with."""
        texts, number = np.unique(self.text, return_inverse=True)
        return number.astype(np.uint16 if len(texts) < 2**16 else np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class WithinAuc:
    """An AUC within texts, and what each token has to do with it.

    Attributes:
        value: from 0 to 1; NaN where no text has tokens of both kinds.
        contributions: each token's influence, (pairs it wins - its pairs * value) / all pairs;
            NaN for tokens that are compared with none.
        weight: in how many pairs it is; 0 for those.
        pairs: how many pairs in all.
        texts: how many texts have tokens of both kinds.
        grouped: the tokens.
    """

    value: float
    contributions: PerToken
    weight: PerToken
    pairs: int
    texts: int
    grouped: Grouped

    @cached_property
    def spread(self) -> Crossed:
        """Its variance over texts and word types."""
        return _spread(self, self.contributions)

    @property
    def interval(self) -> Interval:
        """95 %, over texts and word types."""
        return interval(self.value, self.spread, bounds=SHARE)

    @property
    def p(self) -> float:
        """Two-sided, of 0.5."""
        return p_apart(self.value, self.spread, 0.5)


def _spread(of: WithinAuc, contributions: PerToken) -> Crossed:
    grouped = of.grouped
    return crossed(contributions, grouped.text, grouped.type_, weight=of.weight, paired=True)


def within_auc(grouped: Grouped, values: PerToken) -> WithinAuc:
    """The AUC within texts, ties counted half, and the tokens' influences.

    Two values closer than 1e-6 relative are tied. A value that is NaN leaves its token out. Takes
    N log N steps for N tokens: 3 ms for 14,000.

    >>> one = np.array([True, False, True, False])
    >>> of = Grouped(one, ~one, np.array([0, 0, 1, 1]), np.arange(4))
    >>> within_auc(of, np.array([2.0, 1.0, 5.0, 5.0])).value
    0.75
    """
    one, other = grouped.one & ~np.isnan(values), grouped.other & ~np.isnan(values)
    n = int(grouped.number.max()) + 1 if len(values) else 0
    ones, others = (np.bincount(grouped.number[mask], minlength=n) for mask in (one, other))
    wins, weight = np.full(len(values), np.nan), np.zeros(len(values))
    wins[one], wins[other] = _wins(values, one, other, grouped.number)
    weight[one], weight[other] = others[grouped.number[one]], ones[grouped.number[other]]
    wins[weight == 0] = np.nan
    pairs = int((ones * others).sum())
    value = float(np.nansum(wins[one])) / pairs if pairs else float("nan")
    return WithinAuc(
        value=value,
        contributions=(wins - weight * value) / max(pairs, 1),
        weight=weight,
        pairs=pairs,
        texts=int(np.count_nonzero(ones * others)),
        grouped=grouped,
    )


def _wins(values: PerToken, one: Mask, other: Mask, text: Ids) -> tuple[Halves, Halves]:
    """For each of one kind, how many of the other in its text it is above; for those, are above.

    A token of one kind is two events, at the lower and the upper end of what it is tied with, and
    one of the other kind is an event between them. In the order of events the rest is counting.
    """
    high = values[one].astype(np.float64)
    low, high = high - TIED * np.abs(high), high + TIED * np.abs(high)
    events = np.concatenate([low, values[other], high])
    n, m = len(low), len(events) - 2 * len(low)
    texts = np.concatenate([text[one], text[other], text[one]])
    order = np.lexsort((events, texts))  # stable: an equal low comes before, an equal high behind
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    is_other = (order >= n) & (order < n + m)
    before = np.cumsum(is_other)  # others up to here, in this text and those before it
    first = np.searchsorted(np.sort(text[other]), text[one], side="left")
    above = (before[place[:n]] + before[place[n + m :]]) / 2 - first
    # Events of one kind behind, in the same text: each of its tokens counts with two halves.
    events_before = np.cumsum(~is_other)[place[n : n + m]]
    last = np.searchsorted(np.sort(text[one]), text[other], side="right")
    return above, last - events_before / 2


def standing(values: PerToken, text: Ids) -> PerToken:
    """By how many more tokens of its text each token is above than below, halved.

    So the sum over tokens of any kind, divided by the pairs that they make with the other tokens
    of their texts, is their AUC minus a half: what permuting.py needs of an AUC.

    >>> standing(np.array([1.0, 3.0, 3.0, 9.0]), np.zeros(4, dtype=int))
    array([-1.5,  0. ,  0. ,  1.5])
    """
    everyone = np.ones(len(values), dtype=bool)
    _, number, size = np.unique(text, return_inverse=True, return_counts=True)
    above, _ = _wins(values, everyone, everyone, number)
    stands: PerToken = above - size[number] / 2
    return stands


def difference(first: WithinAuc, second: WithinAuc) -> tuple[float, Interval, float]:
    """How much larger the first AUC is, of two scores of the same tokens.

    Returns:
        The difference, its 95 % interval over texts and word types, and its two-sided p.

    Raises:
        ActivationFlowError: they are not of the same tokens.
    """
    if not np.array_equal(first.weight, second.weight):
        raise ActivationFlowError(
            "only AUCs of the same tokens can be compared: leave out of both scores what one lacks"
        )
    effect = first.value - second.value
    apart = _spread(first, first.contributions - second.contributions)
    low, high = interval(effect, apart)
    return effect, (max(low, -1.0), min(high, 1.0)), p_apart(effect, apart)


def mean_auc(found: Sequence[WithinAuc]) -> WithinAuc:
    """The mean of several AUCs of the same tokens, and the tokens' influences on that."""
    return replace(
        found[0],
        value=float(np.mean([one.value for one in found])),
        contributions=np.mean([one.contributions for one in found], axis=0),
    )


@dataclass(frozen=True, kw_only=True)
class AucRow:
    """What a table says of a score: content above function words.

    Attributes:
        auc: within texts; None where no text has both kinds.
        interval: of it, 95 %, over texts and word types; None likewise.
        p: two-sided, of 0.5; None likewise.
        pooled: the AUC over all texts at once; None likewise.
        tokens: how many were compared.
        texts: in how many texts.
    """

    auc: float | None
    interval: Interval | None
    p: float | None
    pooled: float | None
    tokens: int
    texts: int


def auc_row(values: PerToken, tokens: AuditTokens) -> AucRow:
    """Content above function words by one score; tokens whose value is NaN are left out."""
    grouped = by_kind(tokens)
    found = within_auc(grouped, values)
    seen = found.weight > 0
    if not found.pairs:
        return AucRow(auc=None, interval=None, p=None, pooled=None, tokens=0, texts=0)
    known = ~np.isnan(values)
    return AucRow(
        auc=found.value,
        interval=found.interval,
        p=found.p,
        pooled=auc(values[grouped.one & known], values[grouped.other & known]),
        tokens=int(seen.sum()),
        texts=found.texts,
    )


def by_kind(tokens: AuditTokens) -> Grouped:
    """Content words, compared with function words."""
    return Grouped(tokens.kind == "content", tokens.kind == "function", tokens.text, tokens.type)
