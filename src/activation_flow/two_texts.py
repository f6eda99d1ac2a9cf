"""Two texts at a time: tokenized, measured, aligned, judged.

Formulas stand in shift, the alignment in alignment. Source: paper sections 2.3, 3.2 and 3.3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import aligned, alignment, analysis, grouping
from activation_flow import strength as strengths
from activation_flow.alignment import Alignment
from activation_flow.analysis import Buckets, Measured
from activation_flow.analysis_hidden import in_groups, measure
from activation_flow.data import Hidden, Provenance, Strength, TokenizedText
from activation_flow.results import StrengthResult
from activation_flow.shift import Concentration

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

    PerRow = Float[np.ndarray, "layers rows"]
    Marked = Bool[np.ndarray, "layers rows"]
else:
    PerRow = Marked = np.ndarray

Side = tuple[TokenizedText, Strength, Hidden]  # tokens; [layers tokens]; [layers tokens width]
Sides = tuple[int, "Encoded", "Encoded"]  # number of the pair, its texts


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """How two texts are compared; written into every result's settings.

    Attributes:
        align: ``diff`` or ``position``, see ``alignment.align``.
        bucket_by: whose strengths say which tokens are HIGH: those of ``a``, of ``b``, or HIGH in
            one of the two, ``union``.
        words: None for pieces; else how the strengths of a word's pieces are aggregated. The
            vector of a word is the mean of its pieces' vectors.
    """

    align: str = "diff"
    bucket_by: str = "a"
    words: str | None = None

    def __post_init__(self) -> None:
        aligned.check_bucket_by(self.bucket_by)
        alignment.align([], [], self.align)  # refuses what it does not know
        if self.words is not None:
            strengths.check_aggregate(self.words)


@dataclass(frozen=True)
class Moved:
    """Two texts, before it is known which tokens are HIGH: τ may be over all texts.

    Attributes:
        number: of the pair.
        a: number, tokens and strengths of the first text.
        b: those of the second.
        rows: who stands for whom.
        shift: Δ of each row, [layers rows]; NaN without a partner.
        cosine_distance: 1 − cos, likewise.
    """

    number: int
    a: Measured
    b: Measured
    rows: Alignment
    shift: PerRow
    cosine_distance: PerRow


@dataclass(frozen=True)
class Judged:
    """The same, when it is known.

    Attributes:
        moved: the two texts and their shifts.
        a: tokens, strengths and buckets of the first text.
        b: those of the second.
        high: is a row's token HIGH, [layers rows].
        concentration: of each layer, how much of the shift HIGH tokens hold.
    """

    moved: Moved
    a: StrengthResult
    b: StrengthResult
    high: Marked
    concentration: tuple[Concentration, ...]


def tokenize(
    encoder: "Encoder", first: Sequence[str], second: Sequence[str], how: dict[str, Any]
) -> tuple[list[Sides], dict[int, str]]:
    """The pairs that can be run; of the others, by number, why not.

    A text that stands in several pairs is tokenized once, and the model reads it once.
    """
    texts = [*first, *second]
    seen: dict[Any, int] = {}
    place = [seen.setdefault(t if isinstance(t, str) else id(t), k) for k, t in enumerate(texts)]
    once = [*seen.values()]
    encoded, failures = encoder.tokenize([texts[k] for k in once], **how)
    by_place = {once[text.number - 1]: text for text in encoded}
    why = {once[failure.text_number - 1]: failure.reason for failure in failures}
    good: list[Sides] = []
    reasons: dict[int, str] = {}
    for number, (a, b) in enumerate(zip(place, place[len(first) :], strict=False), 1):
        if a in why or b in why:
            both = (("A", a), ("B", b))
            reasons[number] = "; ".join(f"text {name}: {why[k]}" for name, k in both if k in why)
        else:
            good.append((number, by_place[a], by_place[b]))
    return good, reasons


def measured(
    encoder: "Encoder", sides: Sequence[Sides], layers: tuple[int, ...]
) -> Iterator[tuple[int, "tuple[Side, Side] | str"]]:
    """Strengths and vectors of both texts of each pair, or why there are none."""
    groups = in_groups(sides, lambda pair: (len(pair[1].text) + len(pair[2].text)) * len(layers))
    ready = measure(encoder, ([t for _, *both in g for t in both] for g in groups), layers)
    for number, *_ in sides:
        a, b = next(ready), next(ready)
        if isinstance(a, str) or isinstance(b, str):
            odd = (f"text {n}: {why}" for n, why in (("A", a), ("B", b)) if isinstance(why, str))
            yield number, "; ".join(odd)
        else:
            yield number, (a, b)


def move(number: int, a: Side, b: Side, comparing: Comparing) -> Moved:
    """How far each token moves, after which the vectors are no longer needed."""
    # By number, not by name: " <mask>" and "<mask>" are one token to a model.
    keys_a, keys_b = [*map(str, a[0].ids)], [*map(str, b[0].ids)]
    if comparing.words is not None:
        keys_a, a = _as_words(a, comparing.words)
        keys_b, b = _as_words(b, comparing.words)
    rows = alignment.align(keys_a, keys_b, comparing.align, a[0].special, b[0].special)
    layers = zip(a[2], b[2], strict=True)
    distance, angle = np.stack([aligned.distances(rows, *both) for both in layers], axis=1)
    return Moved(number, (number, a[0], a[1]), (number, b[0], b[1]), rows, distance, angle)


def _as_words(side: Side, how: str) -> tuple[list[str], Side]:
    """Words, and by what they are told apart: the pieces that the model reads, not the spelling."""
    text, norms, vectors = side
    begins = grouping.word_starts(text)
    first = np.flatnonzero(begins)
    counts = np.diff(first, append=len(text))
    mean = np.add.reduceat(vectors.astype(np.float64), first, axis=1) / counts[:, None]
    pieces = np.split(text.ids, first[1:])
    keys = [" ".join(map(str, ids)) for ids in pieces]
    return keys, (*grouping.to_words(text, norms, how), mean)


def judge(
    moved: Sequence[Moved],
    buckets: Buckets,
    comparing: Comparing,
    provenance: Provenance,
    layers: tuple[int, ...],
) -> Iterator[Judged]:
    """Buckets of both texts of every pair, then who carries the shift."""
    texts = [text for item in moved for text in (item.a, item.b)]
    judged = analysis.judge(texts, buckets, provenance, layers)
    for item, a, b in zip(moved, judged[::2], judged[1::2], strict=True):
        each = zip(a.bucket, b.bucket, strict=True)
        high = np.stack([aligned.high(item.rows, *both, comparing.bucket_by) for both in each])
        part = analysis.takes_part(a, buckets)
        held = (
            aligned.concentration(item.rows, *both, part)
            for both in zip(item.shift, high, strict=True)
        )
        yield Judged(item, a, b, high, tuple(held))
