"""The composition for two texts: an encoder and pairs of texts -> shift of every aligned pair.

Formulas stand in shift, the alignment in alignment. Source: paper sections 2.3, 3.2 and 3.3.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import aligned, alignment, analysis, grouping
from activation_flow import strength as strengths
from activation_flow.alignment import Alignment
from activation_flow.analysis import Buckets, Measured
from activation_flow.analysis_hidden import in_groups, measure
from activation_flow.data import ActivationFlowError, Failure, Provenance, Strength, TokenizedText
from activation_flow.result_hidden import HiddenStates
from activation_flow.result_shift import ShiftResult, ShiftResults

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.shift import Pairs, Shift
    from activation_flow.tokens import Encoded

# What two results must have in common to be subtracted, so that one head is true of both.
_ORIGIN, _READING = (
    ("model", "revision", "engine", "precision"),
    ("kinds", "max_length", "truncate"),
)

Side = tuple[TokenizedText, Strength, "Pairs"]  # tokens; S [1 tokens]; vectors [tokens width]
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
class _Compared:
    """Two texts, before it is known which tokens are HIGH: τ may be over all texts."""

    number: int
    a: Measured
    b: Measured
    rows: Alignment
    shift: "Shift"
    cosine_distance: "Shift"


def shift(
    encoder: "Encoder",
    a: "str | Sequence[str]",
    b: "str | Sequence[str]",
    *,
    layers: "int | str | Sequence[int] | None" = None,
    align: str = "diff",
    bucket_by: str = "a",
    quantile: float = 0.75,
    quantile_method: str = "midpoint",
    threshold_scope: str = "text",
    include_special: bool = False,
    kinds: str = "list",
    words: str | None = None,
    max_length: int | None = None,
    truncate: bool = False,
    errors: str = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> ShiftResult | ShiftResults:
    """Shift of every aligned pair of tokens, and the part of it that HIGH tokens hold.

    Paper eqs. 5-6 and 8-11. A text that is longer than the model reads is refused, unless it is
    cut: read in windows, a token's place in its window would pass for shift.

    Args:
        encoder: the model.
        a: one text, or a list of them.
        b: the text to compare it with, or as many.
        layers: one, such as 8 or -1; default two thirds of the depth.
        align: "diff" (a longest common subsequence), or "position" (index by index, the paper's).
        bucket_by: HIGH by the strengths of "a", of "b", or of either ("union").
        quantile: of S over a text's tokens that makes τ.
        quantile_method: "midpoint" gives the paper's τ; any numpy method.
        threshold_scope: "text", or "corpus" for one τ over all texts given, of both sides.
        include_special: let special tokens take part in τ, buckets, R_H and its chance level.
        kinds: "list" (closed list of English function words) or "none".
        words: compare words instead of pieces: strengths by max, mean, sum, first or l2 of the
            pieces, vectors by their mean.
        max_length: longest input.
        truncate: cut longer texts; each result says how many tokens were dropped.
        errors: "raise" TextsFailed (it carries the other results), or "collect" the reasons of
            those pairs of a list that have no result.
        progress: called after each pair with the number done and the number of all.

    Returns:
        One result for two texts; for two lists, all results, in order.

    Raises:
        TextsFailed: a pair has no result, unless ``errors="collect"``.
        ActivationFlowError: an option is not valid, or the lists differ in length.
    """
    buckets = Buckets(
        quantile=quantile,
        quantile_method=quantile_method,
        threshold_scope=threshold_scope,
        include_special=include_special,
    )
    comparing = Comparing(align=align, bucket_by=bucket_by, words=words)
    (one, first), (also_one, second) = analysis.as_list(a, errors), analysis.as_list(b, errors)
    if one != also_one or len(first) != len(second):
        is_a, is_b = (
            "one text" if single else f"a list of {len(texts)}"
            for single, texts in ((one, first), (also_one, second))
        )
        raise ActivationFlowError(
            f"a is {is_a} and b is {is_b}; give two texts, or two lists of equal length"
        )
    wanted = encoder.layers_from(layers)
    if len(wanted) != 1:
        raise ActivationFlowError(
            f"a shift is of one layer, and {layers!r} is {len(wanted)}; ask layer by layer"
        )
    how = {"kinds": kinds, "max_length": max_length, "long": "cut" if truncate else "refused"}
    sides, reasons = _tokenize(encoder, first, second, how)
    if words is not None:
        grouping.check_offsets((e.text for _, *both in sides for e in both), encoder.model)
    settings = {
        **asdict(buckets),
        **asdict(comparing),
        "kinds": kinds,
        "max_length": max_length or encoder.max_length,
        "truncate": truncate,
    }
    compared: list[_Compared] = []
    for done, (number, outcome) in enumerate(_measure(encoder, sides, wanted), 1):
        if isinstance(outcome, str):
            reasons[number] = outcome
        else:
            compared.append(_compare(number, *outcome, comparing))
        if progress is not None:
            progress(done, len(sides))
    provenance = encoder.provenance(settings)
    found = _judge(compared, buckets, comparing, provenance, wanted)
    failures = tuple(Failure(number, reasons[number]) for number in sorted(reasons))
    numbers = tuple(item.number for item in compared)
    results = ShiftResults(found, provenance, wanted, failures, numbers)
    return analysis.one_or_all(results, one, errors)


def between(a: HiddenStates, b: HiddenStates) -> ShiftResult:
    """The shift of two texts whose hidden states are at hand, with the defaults of ``shift``.

    Raises:
        ActivationFlowError: they are of different models, engines or settings, of different layers
            or of more than one, or were read in windows.
    """
    ours, theirs = a.provenance, b.provenance
    alike = {name: (getattr(ours, name), getattr(theirs, name)) for name in _ORIGIN}
    alike |= {name: (ours.settings[name], theirs.settings[name]) for name in _READING}
    for name, (of_a, of_b) in alike.items():
        if of_a != of_b:
            raise ActivationFlowError(
                f"these two cannot be subtracted: their {name} is {of_a} and {of_b}"
            )
    if a.layers != b.layers or len(a.layers) != 1:
        raise ActivationFlowError(
            f"a shift is of one layer, and these hold {_named(a.layers)} and {_named(b.layers)}; "
            "choose one with .at(layer)"
        )
    for states in (a, b):
        if states.n_windows > 1:
            raise ActivationFlowError(
                f"a text was read in {states.n_windows} windows, which would pass for shift; "
                "shorten it, or cut it with truncate=True"
            )
    buckets, comparing = Buckets(), Comparing()
    kept = {name: ours.settings[name] for name in _READING}
    provenance = replace(ours, settings={**asdict(buckets), **asdict(comparing), **kept})
    first, second = ((states, states.strength, states.hidden[0]) for states in (a, b))
    compared = _compare(1, first, second, comparing)
    return _judge([compared], buckets, comparing, provenance, a.layers)[0]


def _named(layers: Sequence[int]) -> str:
    return f"layer {', '.join(map(str, layers))}"


def _tokenize(
    encoder: "Encoder", first: list[str], second: list[str], how: dict[str, Any]
) -> tuple[list[Sides], dict[int, str]]:
    """The pairs that can be run; of the others, by number, why not."""
    n = len(first)
    encoded, failures = encoder.tokenize([*first, *second], **how)
    reasons: dict[int, str] = {}
    for failure in failures:
        number, name = (failure.text_number - 1) % n + 1, "AB"[failure.text_number > n]
        before = f"{reasons[number]}; " if number in reasons else ""
        reasons[number] = f"{before}text {name}: {failure.reason}"
    by_number = {text.number: text for text in encoded}
    good = (number for number in range(1, n + 1) if number not in reasons)
    return [(number, by_number[number], by_number[n + number]) for number in good], reasons


def _measure(
    encoder: "Encoder", sides: Sequence[Sides], layers: tuple[int, ...]
) -> Iterator[tuple[int, "tuple[Side, Side] | str"]]:
    """Strengths and vectors of both texts of each pair, or why there are none."""
    groups = in_groups(sides, lambda pair: len(pair[1].text) + len(pair[2].text))
    ready = measure(encoder, ([t for _, *both in g for t in both] for g in groups), layers)
    for number, *_ in sides:
        a, b = next(ready), next(ready)
        if isinstance(a, str) or isinstance(b, str):
            odd = (f"text {n}: {why}" for n, why in (("A", a), ("B", b)) if isinstance(why, str))
            yield number, "; ".join(odd)
        else:
            yield number, ((a[0], a[1], a[2][0]), (b[0], b[1], b[2][0]))


def _compare(number: int, a: Side, b: Side, comparing: Comparing) -> _Compared:
    # By number, not by name: " <mask>" and "<mask>" are one token to a model.
    keys_a, keys_b = [*map(str, a[0].ids)], [*map(str, b[0].ids)]
    if comparing.words is not None:
        keys_a, a = _as_words(a, comparing.words)
        keys_b, b = _as_words(b, comparing.words)
    rows = alignment.align(keys_a, keys_b, comparing.align, a[0].special, b[0].special)
    distance, angle = aligned.distances(rows, a[2], b[2])
    return _Compared(number, (number, a[0], a[1]), (number, b[0], b[1]), rows, distance, angle)


def _as_words(side: Side, how: str) -> tuple[list[str], Side]:
    """Words, and by what they are told apart: the pieces that the model reads, not the spelling."""
    text, norms, vectors = side
    begins = grouping.word_starts(text)
    first = np.flatnonzero(begins)
    counts = np.diff(first, append=len(text))
    mean = np.add.reduceat(vectors.astype(np.float64), first, axis=0) / counts[:, None]
    pieces = np.split(text.ids, first[1:])
    keys = [" ".join(map(str, ids)) for ids in pieces]
    return keys, (*grouping.to_words(text, norms, how), mean)


def _judge(
    compared: Sequence[_Compared],
    buckets: Buckets,
    comparing: Comparing,
    provenance: Provenance,
    layers: tuple[int, ...],
) -> tuple[ShiftResult, ...]:
    """Buckets of both texts of every pair, then who carries the shift."""
    texts = [text for item in compared for text in (item.a, item.b)]
    judged = analysis.judge(texts, buckets, provenance, layers)
    results = []
    for item, a, b in zip(compared, judged[::2], judged[1::2], strict=True):
        rows = item.rows
        high = aligned.high(rows, a.bucket[0], b.bucket[0], comparing.bucket_by)
        part = analysis.takes_part(a, buckets)
        results.append(
            ShiftResult(
                a=a,
                b=b,
                a_index=rows.a_index,
                b_index=rows.b_index,
                change=rows.change,
                shift=item.shift,
                cosine_distance=item.cosine_distance,
                high=high,
                concentration=aligned.concentration(rows, item.shift, high, part),
                provenance=provenance,
            )
        )
    return tuple(results)
