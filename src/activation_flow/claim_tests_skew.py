"""The primary test of C8: are the strengths of a text skewed to the right?

Skewness is no sum over tokens, so each text, type and cell is really left out (the jackknife):
a type's tokens are taken out of all texts, and the skewness of what is left is computed anew.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken, Tested
from activation_flow.claim_tests import MIN_TEXTS, MIN_TYPES, STUDENT, few_types, untested
from activation_flow.crossed import Clusters, Moves, clusters, interval, p_above, spread
from activation_flow.data import Ids

if TYPE_CHECKING:
    from jaxtyping import Float

    PerGroup = Float[np.ndarray, "groups"]
    Sums = Float[np.ndarray, "powers groups"]
else:
    PerGroup = Sums = np.ndarray

MIN_TOKENS = 3  # two are never skewed
FLAT = 1e-12  # of the text's squared level: a variance below it is arithmetic noise


@dataclass(frozen=True, kw_only=True)
class Skewed:
    """How the strengths of texts are skewed.

    Attributes:
        tested: effect is the mean over texts of the skewness within the text.
        positive: share of texts that are skewed to the right; None where not testable.
        pooled: skewness of all tokens at once.
    """

    tested: Tested
    positive: float | None = None
    pooled: float | None = None


def right_skew(tokens: AuditTokens, strength: PerToken) -> Skewed:
    """C8: strength is skewed to the right within texts. Effect: mean skewness g1 of a text.

    g1 is the third central moment over the 3/2 power of the second. Texts with fewer than 3 tokens
    that are not special, or whose strengths are all the same, have none: left out and counted.

    >>> of_text = np.array([1.0, 1.0, 4.0])
    >>> float(skewness(_powers(of_text - 2, np.zeros(3, int), 1))[0])
    0.7071067811865475
    """
    part = (tokens.kind != "special") & np.isfinite(strength)
    text, values = tokens.text[part], strength[part].astype(np.float64)
    _, number = np.unique(text, return_inverse=True)
    values = values - (np.bincount(number, values) / np.bincount(number))[number]
    level = np.bincount(number, strength[part] ** 2) / np.bincount(number)
    of_text = _powers(values, number, len(level))
    used = (of_text[0] >= MIN_TOKENS) & (of_text[2] > FLAT * of_text[0] * level)
    texts, left_out = int(used.sum()), int((~used).sum())
    if texts < MIN_TEXTS:
        have = "1 text has" if texts == 1 else f"{texts} texts have"
        few = f"{have} {MIN_TOKENS} tokens of different strength"
        return Skewed(tested=untested(f"{few}; it takes {MIN_TEXTS}"))
    of = clusters(text[used[number]], tokens.type[part][used[number]])
    if of.types < MIN_TYPES:
        return Skewed(tested=untested(few_types(of.types)))
    own, moved = _left_out(values[used[number]], of)
    mean, known = float(own.mean()), spread(moved, of)
    n = {"texts": texts, "types": of.types, "tokens": len(of.text), "left out": left_out}
    kept = strength[part]
    pooled = skewness(_powers(kept - kept.mean(), np.zeros(len(kept), dtype=int), 1))
    return Skewed(
        tested=Tested(
            effect=mean,
            interval=interval(mean, known),
            p=p_above(mean, known),
            n=n,
            method=STUDENT,
        ),
        positive=float((own > 0).mean()),
        pooled=float(pooled[0]),
    )


def _powers(values: PerToken, group: Ids, n: int) -> Sums:
    """[4 groups]: sums of the values' powers 0 to 3, over each group."""
    return np.stack([np.bincount(group, values**power, n) for power in range(4)])


def skewness(sums: Sums) -> PerGroup:
    """g1 from the sums of powers 0 to 3; NaN where fewer than 3 values, or all are the same."""
    n = np.where(sums[0] >= MIN_TOKENS, sums[0], np.nan)
    mean, second, third = sums[1] / n, sums[2] / n, sums[3] / n
    variance = second - mean**2
    central = third - 3 * mean * second + 2 * mean**3
    found: PerGroup = central / np.where(variance > FLAT * second, variance, np.nan) ** 1.5
    return found


def _left_out(values: PerToken, of: Clusters) -> tuple[PerGroup, Moves]:
    """Each text's skewness, and how the mean moves without each text, type and cell.

    A text that a type leaves without skewness (two tokens remain) keeps what it had.
    """
    whole = _powers(values, of.text, of.texts)
    own = skewness(whole)
    without = skewness(whole[:, of.cell_text] - _powers(values, of.cell, len(of.cell_text)))
    cell = np.where(np.isnan(without), 0.0, own[of.cell_text] - without) / of.texts
    weight = 1 / np.bincount(of.text)[of.text] / of.texts
    moved = Moves(
        text=(own - own.mean()) / (of.texts - 1),
        type_=np.bincount(of.cell_type, cell, of.types),
        cell=cell,
        text_share=np.full(of.texts, 1 / of.texts),
        type_share=np.bincount(of.type_, weight, of.types),
        cell_share=np.bincount(of.cell, weight, len(of.cell_text)),
    )
    return own, moved
