"""The composition for two texts: an encoder and pairs of texts -> shift of every aligned pair.

Formulas stand in shift, the alignment in alignment, the steps in two_texts. Source: paper sections
2.3, 3.2 and 3.3.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from activation_flow import analysis, grouping, two_texts
from activation_flow.analysis import Buckets
from activation_flow.data import ActivationFlowError, Failure, Provenance
from activation_flow.result_hidden import HiddenStates
from activation_flow.result_shift import ShiftResult, ShiftResults
from activation_flow.two_texts import Comparing, Judged, Moved

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

# What two results must have in common to be subtracted, so that one head is true of both.
_ORIGIN, _READING = (
    ("model", "revision", "engine", "precision"),
    ("kinds", "max_length", "truncate"),
)


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
    sides, reasons = two_texts.tokenize(encoder, first, second, how)
    if words is not None:
        grouping.check_offsets((e.text for _, *both in sides for e in both), encoder.model)
    settings = {
        **asdict(buckets),
        **asdict(comparing),
        "kinds": kinds,
        "max_length": max_length or encoder.max_length,
        "truncate": truncate,
    }
    moved: list[Moved] = []
    for done, (number, outcome) in enumerate(two_texts.measured(encoder, sides, wanted), 1):
        if isinstance(outcome, str):
            reasons[number] = outcome
        else:
            moved.append(two_texts.move(number, *outcome, comparing))
        if progress is not None:
            progress(done, len(sides))
    provenance = encoder.provenance(settings)
    judged = two_texts.judge(moved, buckets, comparing, provenance, wanted)
    found = tuple(_result(one, provenance) for one in judged)
    failures = tuple(Failure(number, reasons[number]) for number in sorted(reasons))
    numbers = tuple(item.number for item in moved)
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
    first, second = ((states, states.strength, states.hidden) for states in (a, b))
    moved = two_texts.move(1, first, second, comparing)
    (judged,) = two_texts.judge([moved], buckets, comparing, provenance, a.layers)
    return _result(judged, provenance)


def _named(layers: Sequence[int]) -> str:
    return f"layer {', '.join(map(str, layers))}"


def _result(found: Judged, provenance: Provenance) -> ShiftResult:
    """What was found at the only layer."""
    moved = found.moved
    return ShiftResult(
        a=found.a,
        b=found.b,
        a_index=moved.rows.a_index,
        b_index=moved.rows.b_index,
        change=moved.rows.change,
        shift=moved.shift[0],
        cosine_distance=moved.cosine_distance[0],
        high=found.high[0],
        concentration=found.concentration[0],
        provenance=provenance,
    )
