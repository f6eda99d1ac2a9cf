"""Primary tests of the claims that compare kinds of tokens: C1, C4, C7 and C9.

Pure functions of arrays. The effect has an interval over texts and word types (crossed.py); the
p-value comes from kinds dealt out anew among word types (permuting.py). What a verdict follows
from is not known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activation_flow.audit_data import AuditTokens, Interval, PerToken, Tested
from activation_flow.crossed import Crossed, crossed, interval
from activation_flow.data import Ids, Mask
from activation_flow.permuting import DRAWS, pairs_p, share_p
from activation_flow.stats import TIE
from activation_flow.within import SHARE, Grouped, WithinAuc, by_kind, standing, within_auc

MIN_TEXTS = 10  # that hold both kinds
MIN_TYPES = 5  # of either kind


def content_above_function(
    tokens: AuditTokens, strength: PerToken, *, draws: int = DRAWS, seed: int = 0
) -> Tested:
    """C1: content words are above function words of their text. Effect: AUC within texts."""
    return _above(by_kind(tokens), strength, ("content", "function"), draws=draws, seed=seed)


def words_above_punctuation(
    tokens: AuditTokens, strength: PerToken, *, draws: int = DRAWS, seed: int = 0
) -> Tested:
    """C7: words are above the punctuation of their text. Effect: AUC within texts."""
    grouped = Grouped(tokens.compared, tokens.kind == "punctuation", tokens.text, tokens.type)
    return _above(grouped, strength, ("word", "punctuation"), draws=draws, seed=seed)


def _above(
    grouped: Grouped, values: PerToken, names: tuple[str, str], *, draws: int, seed: int
) -> Tested:
    part = (grouped.one | grouped.other) & ~np.isnan(values)
    missing = why_untestable(grouped, part, names)
    if missing:
        return untested(missing)
    found = within_auc(grouped, values)
    stands = standing(values[part], grouped.text[part])
    p = _dealt(grouped, stands, part, draws=draws, seed=seed)
    return Tested(effect=found.value, interval=found.interval, p=p, n=counted(found))


def _dealt(grouped: Grouped, kernel: PerToken, part: Mask, *, draws: int, seed: int) -> float:
    one, text, type_ = grouped.one[part], grouped.text[part], grouped.type_[part]
    return float(pairs_p(kernel, one, text, type_, draws=draws, seed=seed)[0])


def more_than_next(
    tokens: AuditTokens,
    at: PerToken,
    next_: PerToken,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Tested:
    """C9: this layer sets content words further above function words than the next one does.

    Effect: D is the strength at this layer less that at the next, each in standard deviations of
    its layer over all content and function words; the mean of D of a content word less D of a
    function word, over all such pairs of one text.

    Args:
        tokens: all tokens.
        at: their strength at this layer.
        next_: and at the next.
        draws: how often kinds are dealt out.
        seed: of these.
    """
    grouped = by_kind(tokens)
    part = tokens.compared & np.isfinite(at) & np.isfinite(next_)
    missing = why_untestable(grouped, part, ("content", "function"))
    if not missing and not (np.ptp(at[part]) > 0 and np.ptp(next_[part]) > 0):
        missing = "all strengths of a layer are the same"
    if missing:
        return untested(missing)
    apart = np.where(part, _standard(at, part) - _standard(next_, part), np.nan)
    effect, spread = mean_of_pairs(grouped, apart)
    _, number, size = np.unique(tokens.text[part], return_inverse=True, return_counts=True)
    kernel = size[number] * apart[part] - np.bincount(number, apart[part])[number]
    p = _dealt(grouped, kernel, part, draws=draws, seed=seed)
    n = counted(within_auc(grouped, apart))
    return Tested(effect=effect, interval=interval(effect, spread), p=p, n=n)


def _standard(values: PerToken, part: Mask) -> PerToken:
    standard: PerToken = (values - values[part].mean()) / values[part].std()
    return standard


def mean_of_pairs(grouped: Grouped, values: PerToken) -> tuple[float, Crossed]:
    """Mean difference of a token of the one kind and one of the other in its text, and its spread.

    A value that is NaN leaves its token out.

    >>> one = np.array([True, False, True, False])
    >>> of = Grouped(one, ~one, np.array([0, 0, 1, 1]), np.arange(4))
    >>> mean_of_pairs(of, np.array([3.0, 1.0, 5.0, 1.0]))[0]
    3.0
    """
    known = ~np.isnan(values)
    n = int(grouped.number.max()) + 1
    total, weight = np.full(len(values), np.nan), np.zeros(len(values))
    for mine, theirs, sign in ((grouped.one, grouped.other, 1), (grouped.other, grouped.one, -1)):
        of_mine, of_theirs = grouped.number[mine & known], grouped.number[theirs & known]
        weight[mine & known] = np.bincount(of_theirs, minlength=n)[of_mine]
        sums = np.bincount(of_theirs, values[theirs & known], n)[of_mine]
        total[mine & known] = sign * (weight[mine & known] * values[mine & known] - sums)
    pairs = weight.sum() / 2
    mean = float(np.nansum(total)) / 2 / pairs
    contributions = np.where(weight > 0, (total - weight * mean) / pairs, np.nan)
    return mean, crossed(contributions, grouped.text, grouped.type_, weight=weight, paired=True)


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
        largest: the largest possible recall, as few tokens of a text being HIGH.
        above_rarest: the recall less that of the rarest, and its 95 % interval; None where
            ``rarest`` is.
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


def consistently_high(
    tokens: AuditTokens, high: Mask, *, draws: int = DRAWS, seed: int = 0
) -> Consistent:
    """C4: content words are HIGH. Effect: P(HIGH | content), all texts at once."""
    grouped, part = by_kind(tokens), tokens.compared
    missing = why_untestable(grouped, part, ("content", "function"))
    if not missing and not high[part].any():
        missing = "no content or function word is HIGH"
    if missing:
        return Consistent(tested=untested(missing))
    recall, recall_interval = recall_of(high, tokens)
    p = share_p(high[part], grouped.one[part], tokens.type[part], draws=draws, seed=seed)
    n = {**_sizes(tokens.text, tokens.type, part), "content": int(grouped.one.sum())}
    precision = float(grouped.one[part & high].mean())
    base_rate = float(grouped.one[part].mean())
    rare = rarest(tokens, high)
    beside = recall_of(rare, tokens) if rare is not None else (None, None)
    return Consistent(
        tested=Tested(effect=recall, interval=recall_interval, p=float(p[0]), n=n),
        precision=precision,
        base_rate=base_rate,
        lift=precision / base_rate,
        lift_interval=lift_interval(high, tokens),
        rarest=beside[0],
        rarest_interval=beside[1],
    )


def recall_of(high: Mask, tokens: AuditTokens) -> tuple[float, Interval]:
    """P(HIGH | content), all texts at once; its 95 % interval over texts and types."""
    one = tokens.kind == "content"
    value, n = float(high[one].mean()), one.sum()
    spread = crossed(
        np.where(tokens.kind != "special", one * (high - value) / n, np.nan),
        tokens.text,
        tokens.type,
        of_types=displacing(high, one, tokens) / n,
    )
    return value, interval(value, spread, bounds=SHARE)


def displacing(high: Mask, one: Mask, tokens: AuditTokens) -> PerToken:
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
        p = high[kind].mean() if kind.any() else 0.0
        weight[kind], centred[kind] = max(p * (1 - p), TIE), high[kind] - p
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
    part = tokens.compared
    one, chosen = tokens.kind == "content", high & part
    both = one & high
    if not both.any():
        return None
    log_lift = np.log(both.sum() / chosen.sum() / (one.sum() / part.sum()))
    rate = one / one.sum() - part / part.sum()
    ordinary = tokens.kind != "special"
    spread = crossed(
        np.where(ordinary, both / both.sum() - chosen / chosen.sum() - rate, np.nan),
        tokens.text,
        tokens.type,
        of_types=displacing(high, one, tokens) / both.sum(),  # the base rate is of these words
    )
    low, top = interval(float(log_lift), spread)
    return float(np.exp(low)), float(np.exp(top))


def rarest(tokens: AuditTokens, high: Mask) -> Mask | None:
    """As many of the rarest tokens of each text as it has HIGH ones; special ones left out.

    Ties are broken by the order in the text; tokens whose frequency is not known come last. None
    where it is known for no token.
    """
    ordinary = tokens.kind != "special"
    if not np.isfinite(tokens.frequency[ordinary]).any():
        return None
    keys = (tokens.frequency, ~ordinary, tokens.text)  # lexsort: the last is the first
    order = np.lexsort(keys)
    first = np.searchsorted(tokens.text, tokens.text)
    k = np.bincount(tokens.text, high & ordinary, tokens.n_texts)
    chosen = np.zeros(len(tokens), dtype=bool)
    chosen[order] = np.arange(len(tokens)) - first < k[tokens.text]
    return chosen


def why_untestable(grouped: Grouped, part: Mask, names: tuple[str, str]) -> str:
    """Why two kinds cannot be compared; "" where they can: 10 texts with both, 5 types of each."""
    sides = grouped.one & part, grouped.other & part
    for side, name in zip(sides, names, strict=True):
        if not side.any():
            return f"no token is known to be {name}"
    texts = len(np.intersect1d(*(grouped.text[side] for side in sides)))
    if texts < MIN_TEXTS:
        return f"{texts} texts hold both {names[0]} and {names[1]}; it takes {MIN_TEXTS}"
    for side, name in zip(sides, names, strict=True):
        types = len(np.unique(grouped.type_[side]))
        if types < MIN_TYPES:
            return f"{types} different {name} types; it takes {MIN_TYPES}"
    return ""


def untested(missing: str) -> Tested:
    """No effect, and why."""
    return Tested(effect=None, interval=None, p=None, missing=missing)


def counted(found: WithinAuc) -> Mapping[str, int]:
    """How many texts, types, tokens and pairs were compared."""
    seen = found.weight > 0
    return {**_sizes(found.grouped.text, found.grouped.type_, seen), "pairs": found.pairs}


def _sizes(text: Ids, type_: Ids, part: Mask) -> dict[str, int]:
    return {
        "texts": len(np.unique(text[part])),
        "types": len(np.unique(type_[part])),
        "tokens": int(part.sum()),
    }
