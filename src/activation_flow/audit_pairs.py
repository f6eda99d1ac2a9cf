"""How far tokens move between the texts of many pairs: what the audit judges R_H by.

The steps are those of two_texts.py, so that every shift, and R_H of every pair, is that of
``Encoder.shift``. Nothing is tested here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import analysis, audit_tokens, two_texts, word_kinds
from activation_flow import shift as formulas
from activation_flow.alignment import Alignment
from activation_flow.analysis import Buckets
from activation_flow.analysis_hidden import in_groups, measure
from activation_flow.audit_data import PerToken, Progress
from activation_flow.audit_texts import Left
from activation_flow.audit_tokens import joined
from activation_flow.data import Ids, Mask, Names
from activation_flow.moments import Moments
from activation_flow.strength import TIED
from activation_flow.text_pairs import TextPairs
from activation_flow.two_texts import Comparing, Side, Sides

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

Frequency = Callable[[Ids], PerToken]  # vocabulary numbers -> log of how often each occurs
_COMPARING = Comparing()  # as ``Encoder.shift`` does it unless told otherwise


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Moved:
    """Aligned tokens of all pairs of texts, one pair after the other, special tokens left out.

    Where nothing else is said, what is told is that of the token of the first text.

    Attributes:
        pair: number of the pair, from 0; never decreasing. A pair may have no token here.
        text: number of the first text, from 0; pairs may share it.
        type: number of the word type, as in ``AuditTokens``, but of these texts.
        replaced: True where the partner is another token: where the texts were made to differ.
        high: S > τ of its text, by the options of ``Encoder.shift``.
        frequency: log of how often the token occurs, in any unit; NaN where that is not known.
        distance_to_edit: tokens to the nearest one that was replaced, deleted or inserted; 0 for
            itself, 1 for its neighbours.
        kind: as in ``AuditTokens``.
        strength: S.
        shift: Δ = ‖h_A − h_B‖.
        cosine: 1 − cos; NaN where a vector is zero.
        standardised: ‖(h_A − h_B) / σ‖, σ of each dimension over all tokens of the first texts
            that are not special; a dimension that never varies is left out.
        all_pair: number of the pair, of all tokens of the first texts, special ones too: what τ
            of another rule is taken of.
        all_strength: S of these.
        all_special: True where they are special.
        row: where each aligned token stands among these.
        edited: kind of the replaced word of each pair; "" where that is not known.
        n_pairs: how many pairs.
        counts: ``asked`` pairs; of them ``failed``, ``same`` (the model reads no difference) and
            ``pairs``; ``resized`` (of those, pairs in which no token is replaced by one other, so
            that what differs has no shift), ``unaligned`` tokens of the first texts that are not
            special and have no partner, ``high_unaligned`` among them.
        notes: sentences for the reader.
    """

    pair: Ids
    text: Ids
    type: Ids
    replaced: Mask
    high: Mask
    frequency: PerToken
    distance_to_edit: Ids
    kind: Names
    strength: PerToken
    shift: PerToken
    cosine: PerToken
    standardised: PerToken
    all_pair: Ids
    all_strength: PerToken
    all_special: Mask
    row: Ids
    edited: tuple[str, ...]
    n_pairs: int
    counts: Mapping[str, int]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pair)


def moved(
    encoder: "Encoder",
    pairs: TextPairs,
    layer: int,
    *,
    frequency: Frequency | None = None,
    buckets: Buckets | None = None,
    max_length: int | None = None,
    progress: Progress | None = None,
) -> Moved:
    """Shift of every aligned token of all pairs, with all that R_H is held against.

    Args:
        encoder: the model.
        pairs: the texts; a longer one than the model reads fails its pair.
        layer: of the hidden states.
        frequency: of tokens; None: not known.
        buckets: how HIGH is cut; None: the defaults.
        max_length: longest input.
        progress: called after each pair with the number done and of all.
    """
    buckets = buckets or Buckets()
    how: dict[str, Any] = {
        "kinds": word_kinds.without_tags(pairs.kinds),
        "max_length": max_length,
        "long": "refused",
    }
    sides, reasons = two_texts.tokenize(encoder, pairs.a, pairs.b, how)
    differ = [s for s in sides if not np.array_equal(s[1].text.ids, s[2].text.ids)]
    inverse = _inverse_spread(encoder, differ, layer)
    items: list[_Item] = []
    outcomes = two_texts.measured(encoder, differ, (layer,))
    for done, (number, outcome) in enumerate(outcomes, 1):
        if isinstance(outcome, str):
            reasons[number] = outcome
        else:
            items.append(_moved(number, *outcome, inverse))
        if progress is not None:
            progress(done, len(differ))
    failed = Left()
    for number in sorted(reasons):
        failed.add(f"pair {number}", reasons[number])
    arrays, ids, high = _arrays(encoder, items, pairs, buckets, layer)
    alone = ~arrays["all_special"]
    alone[arrays["row"]] = False
    n_replaced = np.bincount(arrays["pair"], arrays["replaced"], minlength=len(items))
    counts = {
        "asked": len(pairs),
        "failed": failed.n,
        "same": len(sides) - len(differ),
        "pairs": len(items),
        "resized": int((n_replaced == 0).sum()),
        "unaligned": int(alone.sum()),
        "high_unaligned": int((high & alone).sum()),
    }
    rare = np.full(len(ids), np.nan) if frequency is None else frequency(ids)
    return Moved(
        **arrays,
        frequency=rare[arrays["row"]],
        edited=tuple(pairs.edited[item.found.number - 1] for item in items),
        n_pairs=len(items),
        counts=counts,
        notes=(*pairs.notes, *failed.told("pairs that cannot be compared"), *_notes(counts)),
    )


def _notes(counts: Mapping[str, int]) -> Iterator[str]:
    if counts["same"]:
        yield f"pairs in which the model reads no difference, left out: {counts['same']:,}"
    if counts["resized"]:
        yield (
            f"pairs in which what differs has another number of tokens, so that only the unchanged "
            f"ones have a shift: {counts['resized']:,}"
        )
    if counts["high_unaligned"]:
        yield (
            "HIGH tokens without a partner in the other text, which have no shift and no part in "
            f"R_H: {counts['high_unaligned']:,}"
        )


@dataclass(frozen=True)
class _Item:
    """A pair that was measured, and the standardised shift of each row; NaN without a partner."""

    found: two_texts.Moved
    standardised: PerToken


def _inverse_spread(encoder: "Encoder", sides: Sequence[Sides], layer: int) -> PerToken:
    """1/σ of each dimension over the tokens of the first texts; 0 where it never varies.

    A text that stands in several pairs counts once; one that has no values is left out, and its
    pair fails later, with the reason.
    """
    once = {id(a): a for _, a, _ in sides}
    groups = in_groups(once.values(), lambda one: len(one.text))
    found = Moments(0, np.zeros(encoder.width), np.zeros(encoder.width))
    for outcome in measure(encoder, groups, (layer,)):
        if not isinstance(outcome, str):
            text, _, hidden = outcome
            found = found.merge(Moments.of(hidden[0, ~text.special]))
    variance = found.variance
    varies = variance > (TIED * found.mean) ** 2
    inverse: PerToken = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
    return inverse


def _moved(number: int, a: Side, b: Side, inverse: PerToken) -> _Item:
    found = two_texts.move(number, a, b, _COMPARING)
    rows = found.rows
    paired = rows.paired
    of_a, of_b = a[2][0][rows.a_index[paired]], b[2][0][rows.b_index[paired]]
    standardised = np.full(len(paired), np.nan)
    standardised[paired] = formulas.shift(of_a * inverse, of_b * inverse)
    return _Item(found, standardised)


def distance_to_edit(rows: Alignment) -> Ids:
    """Rows from each row to the nearest that is not ``same``: 0 for itself.

    Between two rows without an edit, rows are tokens of either text.

    Raises:
        ValueError: all are the same.

    >>> from activation_flow.alignment import align
    >>> distance_to_edit(align("a day at sea".split(), "a walk at sea".split()))
    array([1, 0, 1, 2])
    """
    (edits,) = np.nonzero(rows.change != "same")
    if not len(edits):
        raise ValueError("nothing was edited")
    at = np.arange(len(rows.change))
    after = np.searchsorted(edits, at).clip(max=len(edits) - 1)
    nearest: Ids = np.minimum(abs(edits[after] - at), abs(edits[(after - 1).clip(0)] - at))
    return nearest


def _arrays(
    encoder: "Encoder", items: Sequence[_Item], pairs: TextPairs, buckets: Buckets, layer: int
) -> tuple[dict[str, Any], Ids, Mask]:
    """What ``Moved`` holds of each token; vocabulary number and HIGH of all of the first texts."""
    both = [text for item in items for text in (item.found.a, item.found.b)]
    provenance = encoder.provenance({**asdict(buckets), **asdict(_COMPARING)})
    judged = analysis.judge(both, buckets, provenance, (layer,))[::2]
    texts = [
        word_kinds.with_kinds(item.found.a[1], pairs.gold[item.found.number - 1]) for item in items
    ]
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    all_pair = np.repeat(np.arange(len(texts)), sizes)
    text = _numbers([pairs.a[item.found.number - 1] for item in items])
    all_strength = joined((one.strength[0] for one in judged), np.float64)
    all_high = joined((one.bucket[0] == "HIGH" for one in judged), bool)
    chosen = [item.found.rows.paired & ~_special_rows(item.found) for item in items]
    found = [(item, item.found.rows, use) for item, use in zip(items, chosen, strict=True)]
    begins = np.cumsum(sizes) - sizes
    row = joined(
        (first + rows.a_index[use] for first, (_, rows, use) in zip(begins, found, strict=True)),
        np.int64,
    )
    return (
        {
            "pair": all_pair[row],
            "text": text[all_pair[row]],
            "type": audit_tokens.types(texts)[row],
            "kind": joined((text.kind for text in texts), "<U11")[row],
            "strength": all_strength[row],
            "high": all_high[row],
            "replaced": joined((rows.change[use] == "replaced" for _, rows, use in found), bool),
            "distance_to_edit": joined(
                (distance_to_edit(rows)[use] for _, rows, use in found), np.int64
            ),
            "shift": joined((item.found.shift[0, use] for item, _, use in found), np.float64),
            "cosine": joined(
                (item.found.cosine_distance[0, use] for item, _, use in found), np.float64
            ),
            "standardised": joined((item.standardised[use] for item, _, use in found), np.float64),
            "all_pair": all_pair,
            "all_strength": all_strength,
            "all_special": joined((text.special for text in texts), bool),
            "row": row,
        },
        joined((text.ids for text in texts), np.int64),
        all_high,
    )


def _numbers(texts: Sequence[str]) -> Ids:
    """The same number for the same text, from 0."""
    number = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    return np.array([number[text] for text in texts], dtype=np.int64)


def _special_rows(found: two_texts.Moved) -> Mask:
    """True for the rows whose token of the first text is special."""
    marked: Mask = found.a[1].special[found.rows.a_index] & (found.rows.a_index >= 0)
    return marked
