"""The primary test of C6: is one explanation better than another, by every measure there is?

What is measured is one number per text; its mean and how far it would move stand in text_means.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import Tested
from activation_flow.claim_tests import MIN_TEXTS, MIN_TYPES, STUDENT, few_types, untested
from activation_flow.data import Ids
from activation_flow.text_means import Mean, mean_over_texts

if TYPE_CHECKING:
    from jaxtyping import Float

    PerText = Float[np.ndarray, "texts"]
    PerUnit = Float[np.ndarray, "units"]
else:
    PerText = PerUnit = np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class Measure:
    """One number per text, and which words made it.

    Attributes:
        name: of the measure, for people.
        per_text: [texts]; NaN: the text has none.
        share: [units], at least 0, in any unit: how much of its text's number is due to the word.
        unit_text: [units], place of its text in ``per_text``.
        unit_type: [units], number of its word type.
    """

    name: str
    per_text: PerText
    share: PerUnit
    unit_text: Ids
    unit_type: Ids


@dataclass(frozen=True, kw_only=True)
class Better:
    """Whether one explanation is better than another by every measure.

    Attributes:
        tested: by the measure with the larger p, of those that can be tested.
        measure: that measure's name; "" where there is none.
        means: of all measures, as they were given.
        lacking: the measures that were asked for and cannot be tested, and why.
    """

    tested: Tested
    measure: str
    means: tuple[Mean, ...]
    lacking: Mapping[str, str] = field(default_factory=dict[str, str])


def better_than_attention(
    measures: Sequence[Measure], lacking: Mapping[str, str] | None = None
) -> Better:
    """C6: strength explains better than attention, by every measure that can be tested.

    All of them must hold (an intersection-union test, Berger 1982, in which none is adjusted):
    effect, interval and p are those of the measure with the larger p.

    Args:
        measures: one number per text each, strength's less that of attention.
        lacking: measures that there are no numbers of, and why.
    """
    means = tuple(
        mean_over_texts(one.per_text, one.share, one.unit_text, one.unit_type) for one in measures
    )
    each = {one.name: _tested(one, mean) for one, mean in zip(measures, means, strict=True)}
    without = dict(lacking or {}) | {name: one.missing for name, one in each.items() if one.missing}
    found = {name: one for name, one in each.items() if not one.missing}
    if not found:
        return Better(tested=untested(_why(without)), measure="", means=means, lacking=without)
    name = max(found, key=lambda name: found[name].p or 0.0)
    return Better(tested=found[name], measure=name, means=means, lacking=without)


def _why(lacking: Mapping[str, str]) -> str:
    """Why nothing can be tested: each measure's reason, or the one that they share."""
    if len({*lacking.values()}) == 1:
        names, why = " and ".join(lacking), next(iter(lacking.values()))
        return f"{names}: {why}"
    return "; ".join(f"{name}: {why}" for name, why in lacking.items()) or "nothing was measured"


def _tested(measure: Measure, mean: Mean) -> Tested:
    types = mean.spread.types if mean.spread else 0
    if mean.texts < MIN_TEXTS:
        have = "1 text has" if mean.texts == 1 else f"{mean.texts} texts have"
        return untested(f"{have} a number; it takes {MIN_TEXTS}")
    if types < MIN_TYPES:
        return untested(few_types(types))
    return Tested(
        effect=mean.value,
        interval=mean.interval,
        p=mean.p,
        n={"texts": mean.texts, "types": types},
        method=STUDENT,
    )
