"""The primary test of C6: is one explanation better than another, by every measure there is?

What is measured is one number per text; its mean and how far it would move stand in text_means.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
        tested: by the measure with the larger p.
        measure: that measure's name; "" where there is none.
        means: of all measures, as they were given.
    """

    tested: Tested
    measure: str
    means: tuple[Mean, ...]


def better_than_attention(measures: Sequence[Measure]) -> Better:
    """C6: strength explains better than attention, by every measure that there is.

    All of them must hold (an intersection-union test, Berger 1982, in which none is adjusted):
    effect, interval and p are those of the measure with the larger p.

    Args:
        measures: one number per text each, strength's less that of attention.
    """
    means = tuple(
        mean_over_texts(one.per_text, one.share, one.unit_text, one.unit_type) for one in measures
    )
    if not measures:
        return Better(tested=untested("nothing was measured"), measure="", means=means)
    each = [_tested(one, mean) for one, mean in zip(measures, means, strict=True)]
    lacking = [at for at, one in enumerate(each) if one.missing]
    at = lacking[0] if lacking else max(range(len(each)), key=lambda one: each[one].p or 0.0)
    return Better(tested=each[at], measure=measures[at].name, means=means)


def _tested(measure: Measure, mean: Mean) -> Tested:
    types = mean.spread.types if mean.spread else 0
    if mean.texts < MIN_TEXTS:
        have = "1 text has" if mean.texts == 1 else f"{mean.texts} texts have"
        return untested(f"{measure.name}: {have} a number; it takes {MIN_TEXTS}")
    if types < MIN_TYPES:
        return untested(f"{measure.name}: {few_types(types)}")
    return Tested(
        effect=mean.value,
        interval=mean.interval,
        p=mean.p,
        n={"texts": mean.texts, "types": types},
        method=STUDENT,
    )
