"""The primary test of C11: are salient words stronger than other content words, as frequent?

Words are units (units.py). Pairs are of any two texts, for few texts hold a salient and another
content word of the same frequency; so strength is first put on one scale for all texts.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from activation_flow.audit_data import Interval, Tested
from activation_flow.claim_tests import MIN_TEXTS, MIN_TYPES, STUDENT, sizes, untested
from activation_flow.crossed import Crossed, crossed, interval, p_above
from activation_flow.data import ActivationFlowError, Ids, Mask
from activation_flow.like_with_like import tenths
from activation_flow.within import SHARE, Grouped, WithinAuc, within_auc

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    PerUnit = Float[np.ndarray, "units"]
    Chosen = Bool[np.ndarray, "units"]
else:
    PerUnit = Chosen = np.ndarray

CHANCE = 0.5
FLAT = 1e-6  # of the level of a text: a deviation below it is arithmetic noise


@dataclass(frozen=True, kw_only=True)
class Salient:
    """How often salient words are above other content words of the same tenth of frequency.

    Attributes:
        tested: effect is that AUC.
        kept: share of all pairs of the two that are of the same tenth; None where not testable.
        rival: the same AUC of the other score; None without one, and where not testable.
        difference: the AUC less the rival's; None likewise.
        difference_interval: of it, 95 %, over texts and word types; None likewise.
    """

    tested: Tested
    kept: float | None = None
    rival: float | None = None
    difference: float | None = None
    difference_interval: Interval | None = None


class _Rival(TypedDict, total=False):
    rival: float
    difference: float
    difference_interval: Interval


def salient_above_others(
    values: PerUnit,
    salient: Chosen,
    other: Chosen,
    frequency: PerUnit,
    text: Ids,
    type_: Ids,
    *,
    rival: PerUnit | None = None,
) -> Salient:
    """C11: salient words are above other content words of the same tenth of frequency.

    Effect: AUC over the pairs of the same tenth, of any texts; a tenth is one of the compared
    words. p is one-sided, of Student's t over texts and word types.

    Args:
        values: [units], strength of all words of the texts; NaN where a word has none.
        salient: [units], those asked about.
        other: [units], those that they are compared with.
        frequency: [units], logarithm; words for which it is NaN are left out and counted.
        text: [units], number of the text.
        type_: [units], number of the word type.
        rival: [units], another score, which is compared on the same words.

    Raises:
        ActivationFlowError: a word is salient and one of the others.
    """
    if (salient & other).any():
        raise ActivationFlowError("no word can be salient and one of the others: masks overlap")
    scores = [in_text(one, text) for one in (values, rival) if one is not None]
    asked = (salient | other) & np.isfinite(scores).all(axis=0)
    part = asked & np.isfinite(frequency)
    missing = _why_untestable(salient & part, other & part, text, type_)
    if missing:
        return Salient(tested=untested(missing))
    one = salient[part]
    grouped = Grouped(one, ~one, tenths(frequency[part]), type_[part])
    found = [within_auc(grouped, score[part]) for score in scores]
    if not found[0].pairs:
        return Salient(
            tested=untested("no salient and other content word are of the same tenth of frequency")
        )
    n = sizes(text[part], type_[part], found[0].weight > 0)
    n |= {
        "pairs": found[0].pairs,
        "salient": int(one.sum()),
        "left out": int((asked & ~part).sum()),
    }
    kept = found[0].pairs / int(one.sum() * (~one).sum())
    tested = _tested(found[0], text[part], n)
    return Salient(tested=tested, kept=kept, **_beside(found, text[part]))


def _tested(found: WithinAuc, text: Ids, n: dict[str, int]) -> Tested:
    spread = _spread(found, found.contributions, text)
    return Tested(
        effect=found.value,
        interval=interval(found.value, spread, bounds=SHARE),
        p=p_above(found.value, spread, CHANCE),
        n=n,
        method=STUDENT,
    )


def _beside(found: list[WithinAuc], text: Ids) -> "_Rival":
    """The AUC beside the rival's, if there is one."""
    if len(found) == 1:
        return {}
    apart = found[0].value - found[1].value
    spread = _spread(found[0], found[0].contributions - found[1].contributions, text)
    low, high = interval(apart, spread)
    return {
        "rival": found[1].value,
        "difference": apart,
        "difference_interval": (max(low, -1.0), min(high, 1.0)),
    }


def in_text(values: PerUnit, text: Ids) -> PerUnit:
    """In standard deviations of the text, from its mean; NaN where all words of it are alike.

    >>> in_text(np.array([1.0, 3.0, 7.0]), np.array([0, 0, 1]))
    array([-1.,  1., nan])
    """
    known = np.isfinite(values)
    standard = np.full(len(values), np.nan)
    _, number, n = np.unique(text[known], return_inverse=True, return_counts=True)
    apart = values[known] - (np.bincount(number, values[known]) / n)[number]
    deviation = np.sqrt(np.bincount(number, apart**2) / n)
    level = np.sqrt(np.bincount(number, values[known] ** 2) / n)
    deviation = np.where(deviation > FLAT * level, deviation, np.nan)
    standard[known] = apart / deviation[number]
    return standard


def _why_untestable(salient: Mask, other: Mask, text: Ids, type_: Ids) -> str:
    """Why nothing can be said; "" where it can: 10 texts with a salient word, 5 types of either."""
    texts = len(np.unique(text[salient]))
    if texts < MIN_TEXTS:
        have = "1 text has" if texts == 1 else f"{texts} texts have"
        return f"{have} a salient word of known frequency; it takes {MIN_TEXTS}"
    for side, name in ((salient, "salient word"), (other, "other content word")):
        types = len(np.unique(type_[side]))
        if types < MIN_TYPES:
            return f"{types} different {name}{'s' * (types != 1)}; it takes {MIN_TYPES}"
    return ""


def _spread(of: WithinAuc, contributions: PerUnit, text: Ids) -> Crossed:
    """Over texts and types; most pairs are of two texts, so both are counted in either."""
    return crossed(contributions, text, of.grouped.type_, weight=of.weight)
