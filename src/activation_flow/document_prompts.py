"""One text under several prompts, as a part of a document and back; arrays parallel to layers."""

from typing import Any

import numpy as np

from activation_flow.data import Provenance
from activation_flow.document_parts import (
    CONCENTRATION,
    Json,
    column,
    concentration_fields,
    from_concentration,
    from_strength,
    strength_text,
)
from activation_flow.result_prompts import Matrix, PromptComparison, PromptsResult
from activation_flow.results import StrengthResult


def prompts_text(result: PromptsResult) -> Json:
    """A text, what each prompt makes of it, and every pair of prompts."""
    joined = (int(marks.sum()) for marks in result.straddling)
    variants = zip(result.prompts, result.variants, joined, strict=True)
    return {
        "text": result.text,
        "anchor": result.anchor,
        "anchor_shift": _matrix(result.anchor_shift),
        "anchor_cosine": _matrix(result.anchor_cosine),
        "drift": _matrix(result.drift),
        "mean_drift": _matrix(result.mean_drift),
        "variants": [
            {"prompt": prompt, "straddling": n, **strength_text(variant)}
            for prompt, variant, n in variants
        ],
        "comparisons": [_comparison(result, one) for one in result.comparisons],
    }


def known(values: np.ndarray) -> list[Any]:
    """Numbers of a row, null for NaN."""
    return [None if np.isnan(value) else value for value in values.tolist()]


def _matrix(values: Matrix) -> list[list[list[float | None]]]:
    return [[known(row) for row in layer] for layer in values]


def _comparison(result: PromptsResult, one: PromptComparison) -> Json:
    held = [concentration_fields(each) for each in one.concentration]
    return {
        "a": one.a,
        "b": one.b,
        "pairs": _rows(result, one),
        "total_shift": one.total_shift.tolist(),
        "mean_shift": known(one.mean_shift),
        "unpaired_high": (one.high & ~one.paired).sum(axis=1).tolist(),
        **{name: [each[name] for each in held] for name in held[0]},
    }


def _rows(result: PromptsResult, one: PromptComparison) -> list[Json]:
    a, b = result.variants[one.a], result.variants[one.b]
    columns = {
        "change": one.change.tolist(),
        "part": [part or None for part in one.part.tolist()],
        "a": _named(a, one.a_index),
        "b": _named(b, one.b_index),
        "a_index": [None if i < 0 else i for i in one.a_index.tolist()],
        "b_index": [None if i < 0 else i for i in one.b_index.tolist()],
        "kind": [kind or None for kind in result.kinds(one).tolist()],
        "shift": [known(row) for row in one.shift.T],
        "cosine_distance": [known(row) for row in one.cosine_distance.T],
        "high": one.high.T.tolist(),
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _named(text: StrengthResult, index: np.ndarray) -> list[str | None]:
    return [str(text.tokens[i]) if i >= 0 else None for i in index.tolist()]


def from_prompts(
    item: Json, head: Json, provenance: Provenance, layers: tuple[int, ...]
) -> PromptsResult:
    """What ``prompts_text`` made, back again.

    Args:
        item: the text.
        head: of the document, which names the prompts.
        provenance: of the result.
        layers: of the result.
    """

    def matrix(name: str) -> Matrix:
        # subtle: None becomes NaN.
        return np.array(item[name], dtype=np.float64)

    return PromptsResult(
        text=item["text"],
        prompts=tuple(head["prompts"]),
        template=head["template"],
        variants=tuple(from_strength(one, provenance, layers) for one in item["variants"]),
        layers=layers,
        anchor=item["anchor"],
        anchor_shift=matrix("anchor_shift"),
        anchor_cosine=matrix("anchor_cosine"),
        comparisons=tuple(_from_comparison(one, len(layers)) for one in item["comparisons"]),
        provenance=provenance,
    )


def _from_comparison(item: Json, depth: int) -> PromptComparison:
    rows = item["pairs"]

    def per_layer(name: str, dtype: Any) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=dtype).reshape(len(rows), depth).T

    held = [{name: item[name][k] for name in CONCENTRATION} for k in range(depth)]
    return PromptComparison(
        a=item["a"],
        b=item["b"],
        a_index=column(rows, "a_index", np.int64, -1),
        b_index=column(rows, "b_index", np.int64, -1),
        change=column(rows, "change", "<U8", ""),
        part=column(rows, "part", "<U7", ""),
        shift=per_layer("shift", np.float64),
        cosine_distance=per_layer("cosine_distance", np.float64),
        high=per_layer("high", bool),
        concentration=tuple(map(from_concentration, held)),
    )
