"""Texts under several prompts <-> Arrow: a row for each row of each comparison and layer.

What is true of a comparison at a layer stands in its first row at that layer only; what a text is,
in its very first row. Columns that all tables share are in table_columns.
"""

from itertools import groupby
from typing import Any

import numpy as np

from activation_flow.data import ActivationFlowError
from activation_flow.document_parts import Json, concentration_fields, token_columns
from activation_flow.document_prompts import known
from activation_flow.result_prompts import PromptComparison, PromptsResult, PromptsResults, pairs_of
from activation_flow.results import StrengthResult
from activation_flow.table_columns import HELD, MISSING, SIDE, TEXT, THRESHOLD, Columns, whole

SIDES = ("a", "b")
# Of a comparison at a layer.
AT_LAYER: Columns = {
    "anchor_shift": ("double", "shift of the anchor; in the first row at a layer, as all below"),
    "anchor_cosine": ("double", "its 1 - cos"),
    "mean_shift": ("double", "total_shift / number of aligned pairs; null: none"),
    **HELD,
    **{f"threshold_{side}": THRESHOLD for side in SIDES},
}
PROMPTS: Columns = {
    "text_number": ("int32", "place of the text in the list given, from 1"),
    "a": ("int32", "place of the first prompt among all, from 0"),
    "b": ("int32", "place of the second prompt"),
    "prompt_a": ("few", "the first prompt; null: the bare text"),
    "prompt_b": ("few", "the second prompt"),
    "row": ("int32", "place of the row in its comparison, from 0"),
    "layer": ("int32", "0 = embeddings, k = output of block k"),
    "change": ("few", "same, replaced, deleted (only with a), inserted (only with b)"),
    "part": ("few", "whose the token is: text, prompt, special, mixed; null: unknown"),
    **{f"{name}_{side}": about for side in SIDES for name, about in SIDE.items()},
    "high": ("bool", "HIGH, by the bucket that the settings name (bucket_by)"),
    "shift": ("double", "L2 norm of h_A - h_B (eq. 6); null: no partner"),
    "cosine_distance": ("double", "1 - cos, 0 to 2; null: no partner"),
    **AT_LAYER,
    "own_text": ("string", "the text without prompt and template; in its first row only"),
    "anchor": ("few", "what stands for the whole text: cls, last or mean; in its first row only"),
    **{f"{name}_{side}": about for side in SIDES for name, about in TEXT.items()},
}


def prompts_columns(results: PromptsResults) -> dict[str, list[Any]]:
    """The columns of ``PROMPTS``."""
    filled: dict[str, list[Any]] = {name: [] for name in PROMPTS}
    for number, result in zip(results.numbers, results, strict=True):
        before = len(filled["layer"])
        for one in result.comparisons:
            for name, values in _comparison(result, one).items():
                filled[name] += values
        rows = len(filled["layer"]) - before
        filled["text_number"] += [number] * rows
        for name, value in (("own_text", result.text), ("anchor", result.anchor)):
            filled[name] += [value, *[None] * (rows - 1)]
    return filled


def _comparison(result: PromptsResult, one: PromptComparison) -> dict[str, list[Any]]:
    n, depth = len(one), len(result.layers)

    def at_each(values: list[Any]) -> list[Any]:
        """A value for each row, at each layer."""
        return [value for value in values for _ in range(depth)]

    columns: dict[str, list[Any]] = {
        "a": [one.a] * (n * depth),
        "b": [one.b] * (n * depth),
        "row": at_each([*range(n)]),
        "layer": [*result.layers] * n,
        "change": at_each(one.change.tolist()),
        "part": at_each([part or None for part in one.part.tolist()]),
        "high": one.high.T.ravel().tolist(),
        "shift": known(one.shift.T.ravel()),
        "cosine_distance": known(one.cosine_distance.T.ravel()),
    }
    held = [concentration_fields(each) for each in one.concentration]
    at_layer = {
        "anchor_shift": known(result.anchor_shift[:, one.a, one.b]),
        "anchor_cosine": known(result.anchor_cosine[:, one.a, one.b]),
        "total_shift": one.total_shift.tolist(),
        "mean_shift": known(one.mean_shift),
        **{name: [each[name] for each in held] for name in held[0]},
    }
    for side, place, index in (("a", one.a, one.a_index), ("b", one.b, one.b_index)):
        variant = result.variants[place]
        columns[f"prompt_{side}"] = [result.prompts[place]] * (n * depth)
        at_layer[f"threshold_{side}"] = variant.threshold.tolist()
        for name, values in _tokens(variant, index.tolist(), depth).items():
            columns[f"{name}_{side}"] = values
        for name in TEXT:
            columns[f"{name}_{side}"] = [getattr(variant, name), *[None] * (n * depth - 1)]
    return columns | {k: v + [None] * ((n - 1) * depth) for k, v in at_layer.items()}


def _tokens(variant: StrengthResult, index: list[int], depth: int) -> dict[str, list[Any]]:
    """What the tokens of one side are, row by row and layer by layer; None where there is none."""
    found: dict[str, list[Any]] = {"index": [i if i >= 0 else None for i in index]}
    for name, values in token_columns(variant).items():
        found[name] = [values[i] if i >= 0 else None for i in index]
    found = {name: [v for v in values for _ in range(depth)] for name, values in found.items()}
    layers: dict[str, list[Any]] = {
        "strength": [[*row] for row in variant.strength.T],
        "rank": [[r or None for r in row] for row in variant.rank.T.tolist()],
        "bucket": [[b or None for b in row] for row in variant.bucket.T.tolist()],
    }
    none = [None] * depth
    for name, rows in layers.items():
        found[name] = [value for i in index for value in (rows[i] if i >= 0 else none)]
    return found


def prompts_text(number: int, rows: list[Json], head: Json) -> Json:
    """A text of the document, from its rows."""
    layers, n = head["layers"], len(head["prompts"])
    grouped = [[*those] for _, those in groupby(rows, lambda row: (row["a"], row["b"]))]
    if [(those[0]["a"], those[0]["b"]) for those in grouped] != [*pairs_of(n)]:
        raise ActivationFlowError(MISSING)
    variants: dict[int, Json] = {}
    matrices: dict[str, Any] = {
        name: np.zeros((len(layers), n, n)) for name in ("anchor_shift", "anchor_cosine")
    }
    comparisons = []
    for those in grouped:
        each = _by_row(those, layers)
        a, b = those[0]["a"], those[0]["b"]
        for side, place in (("a", a), ("b", b)):
            if place not in variants:
                variants[place] = _variant(each, side)
        for name, matrix in matrices.items():
            for k, row in enumerate(each[0]):
                value = np.nan if row[name] is None else row[name]
                matrix[k, a, b] = matrix[k, b, a] = value
        comparisons.append({"a": a, "b": b, **_held(each[0]), "pairs": [*map(_pair, each)]})
    return {
        "text_number": number,
        "text": whole({"text": rows[0]["own_text"]})["text"],
        "anchor": rows[0]["anchor"],
        **matrices,
        "variants": [variants[place] for place in range(n)],
        "comparisons": comparisons,
    }


def _by_row(rows: list[Json], layers: list[int]) -> list[list[Json]]:
    """The rows of a comparison, each with its layers."""
    depth = len(layers)
    places = [(row["row"], row["layer"]) for row in rows]
    if places != [(k, layer) for k in range(len(rows) // depth) for layer in layers]:
        raise ActivationFlowError(MISSING)
    return [rows[first : first + depth] for first in range(0, len(rows), depth)]


def _held(first: list[Json]) -> Json:
    return {name: [row[name] for row in first] for name in HELD}


def _pair(row: list[Json]) -> Json:
    values = {name: [at[name] for at in row] for name in ("shift", "cosine_distance", "high")}
    index = {f"{side}_index": row[0][f"index_{side}"] for side in SIDES}
    return {"change": row[0]["change"], "part": row[0]["part"], **index, **values}


def _variant(rows: list[list[Json]], side: str) -> Json:
    """A variant of the document, from the rows of a comparison in which it stands."""
    mine = [row for row in rows if row[0][f"index_{side}"] is not None]
    if [row[0][f"index_{side}"] for row in mine] != list(range(len(mine))):
        raise ActivationFlowError(MISSING)
    tokens = []
    for row in mine:
        token = {name: row[0][f"{name}_{side}"] for name in SIDE}
        # Through float32: what pyarrow gives as float has been widened.
        token["strength"] = [np.float32(at[f"strength_{side}"]) for at in row]
        for name in ("rank", "bucket"):
            token[name] = [at[f"{name}_{side}"] for at in row]
        tokens.append(token)
    about = whole({name: rows[0][0][f"{name}_{side}"] for name in TEXT})
    return {**about, "threshold": [at[f"threshold_{side}"] for at in rows[0]], "tokens": tokens}
