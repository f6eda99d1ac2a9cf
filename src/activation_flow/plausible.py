"""How well scores find the words that people marked: over texts, and beside the norm.

The formulas stand in plausibility.py. Knows no model and no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import plausibility
from activation_flow.audit_data import Score, ScoreKey
from activation_flow.data import Ids, Mask
from activation_flow.explanation_tables import PlausibleRow
from activation_flow.plausibility import Ranked
from activation_flow.text_means import Mean, mean_over_texts, share_of_marked
from activation_flow.units import Units, of_spans

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from activation_flow.audit_data import AuditTokens
    from activation_flow.rationales import Marked
    from activation_flow.tokens import Encoded

    PerText = Float[np.ndarray, "texts"]
    PerUnit = Float[np.ndarray, "units"]
    Found = Float[np.ndarray, "keys texts"]
    Texts = Bool[np.ndarray, "texts"]
else:
    PerText = PerUnit = Found = Texts = np.ndarray


# What is measured of each text, and by which formula; all are between 0 and 1.
MEASURES = {
    "precision": plausibility.average_precision,
    "auprc": plausibility.auprc,
    "f1": plausibility.f1_first,
    "f1_high": plausibility.f1_high,
    "iou": plausibility.overlaps,
}
NO_TEXT = "no text has it in all its words, some of them marked and some not"


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Plausible:
    """How well each score finds the marked words of each text.

    A text is judged if some of its words are marked and some are not, by a score that all its
    words have; NaN elsewhere.

    Attributes:
        keys: of the scores, in their order.
        precision: average precision.
        auprc: area under precision and recall, by trapezoids.
        f1: token F1 of the first m words.
        f1_high: token F1 of the HIGH words.
        iou: whether the first m words and the m marked ones overlap by half.
        chance: [texts], AP of a random order; NaN where a text is not to be judged.
        share: [units], what of the text's numbers is due to the word, see ``share_of_marked``; 0
            where a text is not to be judged.
        units: the words.
    """

    keys: tuple[ScoreKey, ...]
    precision: Found
    auprc: Found
    f1: Found
    f1_high: Found
    iou: Found
    chance: PerText
    share: PerUnit
    units: Units


def units_of(
    marked: "Marked", encoded: "Sequence[Encoded]", tokens: "AuditTokens"
) -> tuple[Units, Mask, tuple[str, ...]]:
    """The words of texts that were read from a file of rationales, and which are marked: [units].

    Words of which the tokenizer leaves nothing are left out: last, what is said of them.

    Args:
        marked: the file.
        encoded: any of its texts, in any order.
        tokens: of these.
    """
    number = {text: k for k, text in enumerate(marked.texts)}
    at = [number[one.text.text] for one in encoded]
    of = [np.array(marked.marked[k], dtype=bool) for k in at]
    every = of_spans(encoded, tokens, [marked.spans[k] for k in at])
    marks = np.concatenate([np.zeros(0, dtype=bool), *of])
    there = every.pieces > 0
    units, left = every.of(there), marks[there]
    return units, left, _dropped(int((~there).sum()), int((marks & ~there).sum()), units, left)


def _dropped(words: int, wanted: int, units: Units, marked: Mask) -> tuple[str, ...]:
    if not words:
        return ()
    unjudged = int((~_usable(*_sizes(units, marked))).sum())
    note = f"words that the tokenizer drops, left out: {words:,}, of them {wanted:,} marked"
    if unjudged:
        note += f"; texts left with no marked word or no other one, not judged: {unjudged:,}"
    return (note,)


def _sizes(units: Units, marked: Mask) -> tuple[Ids, Ids]:
    """How many words each text has, and how many of them are marked."""
    words, wanted = (
        np.bincount(of, minlength=units.n_texts) for of in (units.text, units.text[marked])
    )
    return words, wanted


def _usable(words: Ids, wanted: Ids) -> Texts:
    """The texts in which some words are marked and some are not."""
    usable: Texts = (wanted > 0) & (wanted < words)
    return usable


def plausible(scores: Sequence[Score], units: Units, marked: Mask) -> Plausible:
    """Judge scores by the words that people marked, text by text.

    The value of a word is made of those of its pieces as each score says (``Score.pooling``).

    Args:
        scores: of the tokens of the texts; those that are missing come out as NaN.
        units: the words.
        marked: [units], which of them are marked.
    """
    words, wanted = _sizes(units, marked)
    usable = _usable(words, wanted)
    found = {name: np.full((len(scores), units.n_texts), np.nan) for name in MEASURES}
    for k, score in enumerate(scores):
        values = units.pooled(score.values, score.pooling)
        texts = usable.copy()
        texts[units.text[~np.isfinite(values)]] = False
        if texts.any():
            ranked = _ranked(values, units.text, marked, texts)
            for name, formula in MEASURES.items():
                found[name][k, texts] = formula(ranked)
    return Plausible(
        keys=tuple((score.name, score.layer) for score in scores),
        **found,
        chance=np.where(usable, plausibility.expected_precision(words, wanted), np.nan),
        share=np.where(usable[units.text], share_of_marked(marked, units.text), 0.0),
        units=units,
    )


def _ranked(values: PerUnit, text: Ids, marked: Mask, texts: Texts) -> Ranked:
    """The words of some of the texts, these numbered without gaps."""
    part = texts[text]
    number = np.cumsum(texts) - 1
    return Ranked(scores=values[part], marked=marked[part], text=number[text[part]])


def rows(found: Plausible, scores: Sequence[Score], norm: ScoreKey) -> tuple[PlausibleRow, ...]:
    """A row of each score: means over texts, and how much better the norm is on the same texts.

    Args:
        found: what ``plausible`` found of these scores.
        scores: in the same order.
        norm: which of them the others are compared with.
    """
    at = found.keys.index(norm) if norm in found.keys else None
    return tuple(_row(found, k, score, at) for k, score in enumerate(scores))


def difference(found: Plausible, first: int, second: int) -> PerText:
    """AP by one score less AP by another, of each text; NaN where a text lacks one of them."""
    less: PerText = found.precision[first] - found.precision[second]
    return less


def _row(found: Plausible, k: int, score: Score, norm: int | None) -> PlausibleRow:
    ap = _mean(found, found.precision[k], bounds=(0.0, 1.0))
    judged = ~np.isnan(found.precision[k])
    apart, norms = None, None
    if norm is not None and norm != k:
        less = difference(found, norm, k)
        apart = _mean(found, less)
        both = ~np.isnan(less)
        norms = float(found.precision[norm][both].mean()) if both.any() else None

    def mean(values: PerText) -> float | None:
        return float(values[judged].mean()) if judged.any() else None

    return PlausibleRow(
        score=score.name,
        title=score.title,
        role=score.role,
        layer=score.layer,
        precision=ap.value,
        interval=ap.interval,
        chance=mean(found.chance),
        auprc=mean(found.auprc[k]),
        f1=mean(found.f1[k]),
        f1_high=mean(found.f1_high[k]),
        iou=mean(found.iou[k]),
        difference=apart.value if apart else None,
        difference_interval=apart.interval if apart else None,
        texts=int(judged.sum()),
        words=int(judged[found.units.text].sum()),
        missing="" if judged.any() else score.missing or NO_TEXT,
        norm=norms,
        compared=apart.texts if apart else 0,
    )


def _mean(found: Plausible, values: PerText, bounds: tuple[float, float] | None = None) -> Mean:
    units = found.units
    return mean_over_texts(values, found.share, units.text, units.type, bounds=bounds)
