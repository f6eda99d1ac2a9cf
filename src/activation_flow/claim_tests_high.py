"""The primary test of C4: are content words HIGH more often than not?

As many tokens of a text are HIGH whatever they are, so recall has a ceiling, which is told, and a
bucket of as many of the rarest tokens is set beside it, pair by pair.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import AuditTokens, Interval, PerToken, Tested
from activation_flow.claim_tests import WORDS, sizes, untested, why_untestable
from activation_flow.crossed import Crossed, crossed, interval
from activation_flow.data import Ids, Mask
from activation_flow.permuting import DRAWS, how_dealt, share_p
from activation_flow.stats import TIE
from activation_flow.strength import TIED
from activation_flow.within import SHARE, by_kind

if TYPE_CHECKING:
    from jaxtyping import Float

    PerGroup = Float[np.ndarray, "groups"]
else:
    PerGroup = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Consistent:
    """What the HIGH bucket holds of the content words, and what one of the rarest tokens holds.

    Attributes:
        tested: effect is the recall, P(HIGH | content).
        precision: P(content | HIGH), of content and function words.
        base_rate: P(content), of content and function words.
        lift: precision / base rate.
        lift_interval: 95 %, over texts and word types, on a log scale; None where no content word
            is HIGH.
        rarest: recall of as many of the rarest tokens of each text, special ones left out; None
            where a frequency is known for no token.
        rarest_interval: 95 %, over texts and word types.
        largest: the largest recall that there can be: as many tokens of each text are HIGH, and
            all of them are content words while there are any.
        above_rarest: recall less that of the rarest, and its paired 95 % interval; None likewise.
        precision_of_all: share of all HIGH tokens, punctuation counted, that are content words.
    """

    tested: Tested
    precision: float | None = None
    base_rate: float | None = None
    lift: float | None = None
    lift_interval: Interval | None = None
    rarest: float | None = None
    rarest_interval: Interval | None = None
    largest: float | None = None
    above_rarest: tuple[float, Interval] | None = None
    precision_of_all: float | None = None


def consistently_high(
    tokens: AuditTokens, high: Mask, *, draws: int = DRAWS, seed: int = 0
) -> Consistent:
    """C4: content words are HIGH. Effect: P(HIGH | content), all texts at once."""
    grouped, part = by_kind(tokens), tokens.compared
    missing = why_untestable(grouped, part, WORDS)
    if not missing and not high[part].any():
        missing = "no content or function word is HIGH"
    if missing:
        return Consistent(tested=untested(missing))
    one = grouped.one
    recall = recall_of(high, tokens)
    p = share_p(high[part], one[part], tokens.type[part], draws=draws, seed=seed)
    rare = rarest(tokens, high)
    beside = recall_of(rare, tokens) if rare is not None else None
    precision, base_rate = float(one[part & high].mean()), float(one[part].mean())
    return Consistent(
        tested=Tested(
            effect=recall.value,
            interval=recall.interval,
            p=float(p[0]),
            n={**sizes(tokens.text, tokens.type, part), "content": int(one.sum())},
            method=how_dealt(draws, seed),
        ),
        precision=precision,
        base_rate=base_rate,
        lift=precision / base_rate,
        lift_interval=lift_interval(high, tokens),
        rarest=beside.value if beside else None,
        rarest_interval=beside.interval if beside else None,
        largest=largest_recall(high, tokens),
        above_rarest=above(recall, beside, tokens) if beside else None,
        precision_of_all=float(one[high & (tokens.kind != "special")].mean()),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class Recall:
    """What a bucket holds of the content words, all texts at once.

    Attributes:
        value: from 0 to 1.
        contributions: of each token, as ``crossed`` takes them; NaN for special ones.
        of_types: the same, where types are concerned.
        interval: 95 %, over texts and word types.
    """

    value: float
    contributions: PerToken
    of_types: PerToken
    interval: Interval


def recall_of(held: Mask | PerToken, tokens: AuditTokens) -> Recall:
    """P(HIGH | content); ``held`` from 0 to 1, where tied tokens share a place of the bucket."""
    one = tokens.kind == "content"
    value, n = float(held[one].mean()), one.sum()
    own = np.where(tokens.kind != "special", one * (held - value) / n, np.nan)
    of_types = displacing(held, one, tokens) / n
    spread = crossed(own, tokens.text, tokens.type, of_types=of_types)
    ends = interval(value, spread, bounds=SHARE)
    return Recall(value=value, contributions=own, of_types=of_types, interval=ends)


def above(first: Recall, second: Recall, tokens: AuditTokens) -> tuple[float, Interval]:
    """The one recall less the other, of the same tokens, and its 95 % interval."""
    value = first.value - second.value
    apart = first.contributions - second.contributions
    of_types = first.of_types - second.of_types
    spread = crossed(apart, tokens.text, tokens.type, of_types=of_types)
    low, high = interval(value, spread)
    return value, (max(low, -1.0), min(high, 1.0))


def largest_recall(high: Mask, tokens: AuditTokens) -> float:
    """The recall if HIGH tokens were content words wherever the text has any left."""
    one, ordinary = tokens.kind == "content", tokens.kind != "special"
    places, words = (
        np.bincount(tokens.text, mask, tokens.n_texts) for mask in (high & ordinary, one)
    )
    return float(np.minimum(places, words).sum() / words.sum())


def displacing(held: Mask | PerToken, one: Mask, tokens: AuditTokens) -> PerToken:
    """What a token's being HIGH more than its kind does to the number of HIGH tokens of a kind.

    As many of a text are HIGH whatever they are, so it takes a place from another. The chance that
    this is one of the kind is taken for its share of the text's others, each weighted by p (1 - p)
    with p of its kind to be HIGH: tokens that are never or always HIGH have no place to lose or to
    win. NaN for special tokens, which are never HIGH.
    """
    ordinary = tokens.kind != "special"
    found, centred = np.full(len(tokens), np.nan), np.full(len(tokens), np.nan)
    weight = np.zeros(len(tokens))
    for kind in (one, ordinary & ~one):
        p = held[kind].mean() if kind.any() else 0.0
        weight[kind], centred[kind] = max(p * (1 - p), TIE), held[kind] - p
    like, others = (
        np.bincount(tokens.text, own, tokens.n_texts)[tokens.text] - own
        for own in (weight * one, weight)
    )
    lost = like / np.maximum(others, TIE)  # by the kind, of each place that the token takes
    found[ordinary] = ((one - lost) * centred)[ordinary]
    return found


def lift_interval(high: Mask, tokens: AuditTokens) -> Interval | None:
    """P(content | HIGH) / P(content), of content and function words: 95 %, on a log scale.

    None where no content word is HIGH.
    """
    found = log_lift(high, tokens)
    return as_lift(*found) if found else None


def as_lift(value: float, spread: Crossed) -> Interval:
    """The 95 % interval of a lift, from its logarithm and the spread of that."""
    low, top = interval(value, spread)
    return float(np.exp(low)), float(np.exp(top))


def log_lift(
    high: Mask, tokens: AuditTokens, *, per_text: bool = True
) -> tuple[float, Crossed] | None:
    """The logarithm of P(content | HIGH) / P(content), and how uncertain it is.

    Args:
        high: which tokens are HIGH.
        tokens: all tokens.
        per_text: as many of each text are HIGH whatever they are, so that tokens of a text stand
            against each other; else HIGH is cut at one strength for all.

    Returns:
        None where no content word is HIGH.
    """
    part = tokens.compared
    one, chosen = tokens.kind == "content", high & part
    both = one & high
    if not both.any():
        return None
    value = np.log(both.sum() / chosen.sum() / (one.sum() / part.sum()))
    rate = one / one.sum() - part / part.sum()
    ordinary = tokens.kind != "special"
    spread = crossed(
        np.where(ordinary, both / both.sum() - chosen / chosen.sum() - rate, np.nan),
        tokens.text,
        tokens.type,
        # The base rate is of these words.
        of_types=displacing(high, one, tokens) / both.sum() if per_text else None,
    )
    return float(value), spread


def rarest(tokens: AuditTokens, high: Mask) -> PerToken | None:
    """As many of the rarest tokens of each text as it has HIGH ones: 1 in, 0 out, as ``leading``.

    Special tokens are left out; tokens whose frequency is not known come last. None where it is
    known for no token.
    """
    ordinary, known = tokens.kind != "special", np.isfinite(tokens.frequency)
    if not (ordinary & known).any():
        return None
    most = np.abs(tokens.frequency[known]).max()
    key = np.where(known, tokens.frequency, 2 * most + 1)
    k = np.bincount(tokens.text, high & ordinary, tokens.n_texts)
    held = np.zeros(len(tokens))
    held[ordinary] = leading(key[ordinary], k, tokens.text[ordinary])
    return held


def leading(key: PerToken, places: PerGroup, group: Ids) -> PerToken:
    """The bucket of the tokens with the smallest keys of each text, or pair: 1 in, 0 out.

    Those that are tied for the last places share them: each is in it in part.

    Args:
        key: finite; neighbours closer than 1e-6 relative are tied.
        places: of each text or pair, by number.
        group: number of the text or pair, from 0.

    >>> leading(np.array([5.0, 2.0, 5.0, 9.0]), np.array([2]), np.zeros(4, dtype=int))
    array([0.5, 1. , 0.5, 0. ])
    """
    order = np.lexsort((key, group))
    rising, whose = key[order].astype(np.float64), group[order]
    begins = np.diff(whose, prepend=-1) > 0
    apart = np.abs(np.diff(rising, prepend=np.inf)) > TIED * np.abs(rising)
    tied = np.cumsum(begins | apart) - 1
    size = np.bincount(tied)
    place = np.arange(len(key))
    begin_of_group = np.maximum.accumulate(np.where(begins, place, 0))
    before = (np.cumsum(size) - size)[tied] - begin_of_group
    held = np.empty(len(key))
    held[order] = np.clip((places[whose] - before) / size[tied], 0.0, 1.0)
    return held
