"""Primary tests of the claims that compare the strengths of kinds: C1, C7 and C9.

Pure functions of arrays. The effect has an interval over texts and word types (crossed.py); the
p-value comes from kinds dealt out anew among word types (permuting.py). What a verdict follows
from is not known here.
"""

from collections.abc import Mapping

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken, Tested
from activation_flow.crossed import Crossed, crossed, interval
from activation_flow.data import Ids, Mask
from activation_flow.permuting import DRAWS, how_dealt, pairs_p
from activation_flow.within import Grouped, WithinAuc, by_kind, standing, within_auc

MIN_TEXTS = 10  # that hold both kinds
MIN_TYPES = 5  # of either kind
STUDENT = "Student's t over texts and word types"
WORDS = ("content word", "function word")


def content_above_function(
    tokens: AuditTokens, strength: PerToken, *, draws: int = DRAWS, seed: int = 0
) -> Tested:
    """C1: content words are above function words of their text. Effect: AUC within texts."""
    return _above(by_kind(tokens), strength, WORDS, draws=draws, seed=seed)


def words_above_punctuation(
    tokens: AuditTokens, strength: PerToken, *, draws: int = DRAWS, seed: int = 0
) -> Tested:
    """C7: words are above the punctuation of their text. Effect: AUC within texts."""
    grouped = Grouped(tokens.compared, tokens.kind == "punctuation", tokens.text, tokens.type)
    return _above(grouped, strength, ("word", "punctuation mark"), draws=draws, seed=seed)


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
    return Tested(
        effect=found.value,
        interval=found.interval,
        p=p,
        n=counted(found),
        method=how_dealt(draws, seed),
    )


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
    missing = why_untestable(grouped, part, WORDS)
    if not missing and not (np.ptp(at[part]) > 0 and np.ptp(next_[part]) > 0):
        missing = "all strengths of a layer are the same"
    if missing:
        return untested(missing)
    apart = np.where(part, _standard(at, part) - _standard(next_, part), np.nan)
    effect, spread = mean_of_pairs(grouped, apart)
    _, number, size = np.unique(tokens.text[part], return_inverse=True, return_counts=True)
    kernel = size[number] * apart[part] - np.bincount(number, apart[part])[number]
    p = _dealt(grouped, kernel, part, draws=draws, seed=seed)
    return Tested(
        effect=effect,
        interval=interval(effect, spread),
        p=p,
        n=counted(within_auc(grouped, apart)),
        method=how_dealt(draws, seed),
    )


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
    mean = float(np.nansum(total) / 2 / pairs)
    contributions = np.where(weight > 0, (total - weight * mean) / pairs, np.nan)
    return mean, crossed(contributions, grouped.text, grouped.type_, weight=weight, paired=True)


def why_untestable(grouped: Grouped, part: Mask, names: tuple[str, str]) -> str:
    """Why two kinds cannot be compared; "" where they can: 10 texts with both, 5 types of each.

    Args:
        grouped: the tokens of both kinds.
        part: those that take part.
        names: of the kinds, for one of each.
    """
    sides = grouped.one & part, grouped.other & part
    for side, name in zip(sides, names, strict=True):
        if not side.any():
            return f"no token is known to be a {name}"
    texts = len(np.intersect1d(*(grouped.text[side] for side in sides)))
    if texts < MIN_TEXTS:
        hold = "1 text holds" if texts == 1 else f"{texts} texts hold"
        return f"{hold} both a {names[0]} and a {names[1]}; it takes {MIN_TEXTS}"
    for side, name in zip(sides, names, strict=True):
        types = len(np.unique(grouped.type_[side]))
        if types < MIN_TYPES:
            return f"{types} different {name}{'s' * (types != 1)}; it takes {MIN_TYPES}"
    return ""


def few_types(types: int) -> str:
    """What is said where there are too few of all kinds."""
    return f"{types} different word type{'s' * (types != 1)}; it takes {MIN_TYPES}"


def untested(missing: str) -> Tested:
    """No effect, and why."""
    return Tested(effect=None, interval=None, p=None, missing=missing)


def counted(found: WithinAuc) -> Mapping[str, int]:
    """How many texts, types, tokens and pairs were compared."""
    seen = found.weight > 0
    return {**sizes(found.grouped.text, found.grouped.type_, seen), "pairs": found.pairs}


def sizes(text: Ids, type_: Ids, part: Mask) -> dict[str, int]:
    """How many texts, types and tokens take part."""
    return {
        "texts": len(np.unique(text[part])),
        "types": len(np.unique(type_[part])),
        "tokens": int(part.sum()),
    }
