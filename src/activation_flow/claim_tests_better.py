"""The primary test of C6, and the mean over texts of a number that words of the text make.

How faithful or plausible an explanation is, is one number per text; but what made it are words,
and these recur in other texts, so that texts are no independent observations. As in crossed.py the
variance is that between texts, plus what types of words add to it. A text's number cannot be taken
apart into those of its words; what is known is which words made it, and how much of it (`share`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import Interval, Tested
from activation_flow.claim_tests import MIN_TEXTS, MIN_TYPES, STUDENT, few_types, untested
from activation_flow.crossed import Clusters, Crossed, Moves, interval, p_above, spread
from activation_flow.data import Ids

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
    moved, of = _moves(
        per_text[known] - value, share[part], number[unit_text[part]], unit_type[part]
    )
    found = spread(moved, of)
    return Mean(
        value=value,
        interval=interval(value, found, bounds=bounds),
        p=p_above(value, found),
        spread=found,
        texts=texts,
    )


def _moves(apart: PerText, share: PerUnit, text: Ids, type_: Ids) -> tuple[Moves, Clusters]:
    """How the mean moves without each text, each type and each cell."""
    texts = len(apart)
    types, of_type = np.unique(type_, return_inverse=True)
    cells, of_cell = np.unique(text * max(len(types), 1) + of_type, return_inverse=True)
    cell_text, cell_type = np.divmod(cells, max(len(types), 1))
    total = np.bincount(text, share, texts)
    cell_share = np.bincount(of_cell, share / total[text] / texts, len(cells))
    type_share = np.bincount(cell_type, cell_share, len(types))
    cell = apart[cell_text] / texts
    moved = Moves(
        text=apart / max(texts - 1, 1),
        type_=np.bincount(cell_type, cell, len(types)),
        cell=cell,
        text_share=np.full(texts, 1 / texts),
        type_share=type_share if len(types) else np.ones(1),
        cell_share=cell_share,
    )
    of = Clusters(
        text=text, type_=of_type, cell=of_cell, cell_text=cell_text, cell_type=cell_type,
        texts=texts, types=len(types),
    )  # fmt: skip
    return moved, of


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
    at = lacking[0] if lacking else int(np.argmax([one.p for one in each]))
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
