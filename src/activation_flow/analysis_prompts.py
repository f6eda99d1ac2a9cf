"""The composition for prompts: an encoder, texts and prompts -> what each pair of prompts moves.

Formulas stand in shift; templates, alignment by characters and the anchor in files of their own.
Source: paper section 3.2.3.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import aligned, analysis, parts
from activation_flow import anchor as anchors
from activation_flow import shift as formulas
from activation_flow import variants as reading
from activation_flow.alignment import Alignment
from activation_flow.analysis import Buckets
from activation_flow.data import Failure, Names, Provenance, Strength, TokenizedText
from activation_flow.prompting import Prompting
from activation_flow.result_prompts import (
    Matrix,
    PerRow,
    PromptComparison,
    PromptsResult,
    PromptsResults,
    pairs_of,
)
from activation_flow.results import StrengthResult
from activation_flow.templates import DEFAULT
from activation_flow.variants import Variant

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder


@dataclass(frozen=True)
class Moved:
    """A text under its prompts, before it is known which tokens are HIGH: τ may be over all texts.

    Attributes:
        number: of the text.
        text: itself.
        variants: tokens and strengths under each prompt.
        anchor: kind of the anchor.
        anchor_shift: Δ of it, [layers prompts prompts].
        anchor_cosine: its 1 − cos.
        rows: of each pair of prompts, who stands for whom and of which part; Δ and 1 − cos of
            each row, [layers rows].
    """

    number: int
    text: str
    variants: tuple[tuple[TokenizedText, Strength], ...]
    anchor: str
    anchor_shift: Matrix
    anchor_cosine: Matrix
    rows: tuple[tuple[Alignment, Names, PerRow, PerRow], ...]


def prompts(
    encoder: "Encoder",
    texts: "str | Sequence[str]",
    prompts: Sequence[str],
    *,
    template: str = DEFAULT,
    baseline: bool = False,
    layers: "int | str | Sequence[int] | None" = None,
    align: str = "text",
    bucket_by: str = "a",
    quantile: float = 0.75,
    quantile_method: str = "midpoint",
    threshold_scope: str = "text",
    include_special: bool = False,
    kinds: str = "list",
    max_length: int | None = None,
    truncate: bool = False,
    errors: str = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> PromptsResult | PromptsResults:
    """Every pair of prompts before the same text: what moves, how far, at which layer.

    For each pair: Δ and cosine distance of the anchor and of every aligned pair of tokens, their
    sum and mean, and the part of it that HIGH tokens hold, beside chance (paper 3.2.3, eqs. 5-6).
    A text that is longer than the model reads is refused, unless it is cut, as in ``shift``.

    Args:
        encoder: the model.
        texts: one text, or a list of them.
        prompts: at least two, or one with ``baseline``; each once.
        template: with one {prompt} and one {text}; {{ and }} are braces.
        baseline: compare with the bare text, too; it stands first.
        layers: 8, "6-9", -1, "all", a list; default two thirds of the depth.
        align: "text" pairs the text's own tokens by their characters, and the prompts' have no
            partner; "diff" (a longest common subsequence) and "position" (index by index, the
            paper's) take all tokens alike.
        bucket_by: HIGH by the strengths under the first prompt of a pair, "a", under the second,
            "b", or under either, "union".
        quantile: of S over a variant's tokens that makes τ.
        quantile_method: "midpoint" gives the paper's τ; any numpy method.
        threshold_scope: "text": τ of each variant; "corpus": one over all variants of all texts.
        include_special: let special tokens take part in τ, buckets, R_H and its chance level.
        kinds: "list" (closed list of English function words) or "none".
        max_length: longest input.
        truncate: cut longer variants; each says how many tokens were dropped.
        errors: "raise" TextsFailed (it carries the other results), or "collect" the reasons of
            those texts of a list that have no result.
        progress: called after each text with the number done and the number of all.

    Returns:
        One result for one text; for a list, all results, in order.

    Raises:
        TextsFailed: a text has no result, unless ``errors="collect"``.
        ActivationFlowError: an option is not valid.
    """
    buckets = Buckets(
        quantile=quantile,
        quantile_method=quantile_method,
        threshold_scope=threshold_scope,
        include_special=include_special,
    )
    asked = Prompting.of(prompts, baseline, template=template, align=align, bucket_by=bucket_by)
    one, many = analysis.as_list(texts, errors)
    wanted = encoder.layers_from(layers)
    settings = {
        **asdict(buckets),
        **asked.settings,
        "kinds": kinds,
        "max_length": max_length or encoder.max_length,
        "truncate": truncate,
    }
    long = "cut" if truncate else "refused"
    how = {"kinds": kinds, "max_length": max_length, "long": long}
    ready, reasons = reading.tokenize(encoder, many, asked, how)
    moved: list[Moved] = []
    found: list[Variant] | Moved | str
    for done, (number, found) in enumerate(reading.measured(encoder, ready, asked, wanted), 1):
        if not isinstance(found, str):
            found = move(encoder, number, many[number - 1], found, asked)
        if isinstance(found, str):
            reasons[number] = found
        else:
            moved.append(found)
        if progress is not None:
            progress(done, len(ready))
    provenance = encoder.provenance(settings)
    results = PromptsResults(
        judge(moved, asked, buckets, provenance, wanted),
        provenance,
        wanted,
        tuple(Failure(number, reasons[number]) for number in sorted(reasons)),
        tuple(item.number for item in moved),
    )
    return analysis.one_or_all(results, one, errors)


def compare(
    encoder: "Encoder",
    text: str,
    variants: Sequence[Variant],
    asked: Prompting,
    buckets: Buckets,
    provenance: Provenance,
    layers: tuple[int, ...],
) -> PromptsResult | str:
    """The result of one text whose variants have been measured, or why it has none.

    Args:
        encoder: the model that measured them.
        text: the text itself.
        variants: in the order of the prompts.
        asked: prompts, template, ways to compare.
        buckets: how tokens are put into buckets.
        provenance: head of the result; its settings hold those of ``asked`` and ``buckets``.
        layers: of the strengths and vectors.
    """
    moved = move(encoder, 1, text, variants, asked)
    return (
        moved if isinstance(moved, str) else judge([moved], asked, buckets, provenance, layers)[0]
    )


def move(
    encoder: "Encoder", number: int, text: str, variants: Sequence[Variant], asked: Prompting
) -> Moved | str:
    """All distances of one text, after which its vectors are no longer needed; or why none."""
    tokens = [variant[0] for variant in variants]
    spans = [(one.start, one.end) for one in asked.fill(text)]
    for place, (variant, span) in enumerate(zip(tokens, spans, strict=True)):
        if reason := reading.nothing_own(variant, span, text, asked.align):
            return f"{asked.named(place)}: {reason}"
    kind = anchors.kind_of(tokens, encoder.cls_id, encoder.causal)
    whole = [anchors.vectors(one, hidden, kind, encoder.cls_id) for one, _, hidden in variants]
    distances = np.zeros((2, len(whole[0]), len(variants), len(variants)))
    rows = []
    for a, b in pairs_of(len(variants)):
        distances[0, :, a, b] = distances[0, :, b, a] = formulas.shift(whole[a], whole[b])
        distances[1, :, a, b] = distances[1, :, b, a] = formulas.cosine_distance(whole[a], whole[b])
        found = parts.align(tokens[a], tokens[b], spans[a], spans[b], asked.align)
        of_a, of_b = parts.parts(tokens[a], spans[a]), parts.parts(tokens[b], spans[b])
        part = parts.of_rows(found, of_a, of_b)
        layers = zip(variants[a][2], variants[b][2], strict=True)
        shift, angle = np.stack([aligned.distances(found, *both) for both in layers], axis=1)
        rows.append((found, part, shift, angle))
    measured = tuple((one, norms) for one, norms, _ in variants)
    return Moved(number, text, measured, kind, distances[0], distances[1], tuple(rows))


def judge(
    moved: Sequence[Moved],
    asked: Prompting,
    buckets: Buckets,
    provenance: Provenance,
    layers: tuple[int, ...],
) -> tuple[PromptsResult, ...]:
    """Buckets of all variants of all texts, then who carries the shift."""
    measured = [(item.number, *variant) for item in moved for variant in item.variants]
    judged = iter(analysis.judge(measured, buckets, provenance, layers))
    results = []
    for item in moved:
        variants = tuple(next(judged) for _ in item.variants)
        results.append(
            PromptsResult(
                text=item.text,
                prompts=asked.prompts,
                template=asked.template,
                variants=variants,
                layers=layers,
                anchor=item.anchor,
                anchor_shift=item.anchor_shift,
                anchor_cosine=item.anchor_cosine,
                comparisons=tuple(_comparisons(item, variants, asked, buckets)),
                provenance=provenance,
            )
        )
    return tuple(results)


def _comparisons(
    item: Moved, variants: Sequence[StrengthResult], asked: Prompting, buckets: Buckets
) -> Iterator[PromptComparison]:
    for (a, b), found in zip(pairs_of(len(variants)), item.rows, strict=True):
        rows, part, shift, angle = found
        of_a, of_b = variants[a].bucket, variants[b].bucket
        each = zip(of_a, of_b, strict=True)
        high = np.stack([aligned.high(rows, *both, asked.bucket_by) for both in each])
        takes_part = analysis.takes_part(variants[a], buckets)
        yield PromptComparison(
            a=a,
            b=b,
            a_index=rows.a_index,
            b_index=rows.b_index,
            change=rows.change,
            part=part,
            shift=shift,
            cosine_distance=angle,
            high=high,
            concentration=tuple(
                aligned.concentration(rows, *both, takes_part)
                for both in zip(shift, high, strict=True)
            ),
        )
