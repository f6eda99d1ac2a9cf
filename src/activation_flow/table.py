"""Results <-> Arrow tables: a row per token and layer, or per row of a comparison.

Units stand in the schema, the head of the document in its metadata, so that nothing is lost. No
formula, no file. pyarrow and pandas are imported only where they are used.
"""

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import document
from activation_flow.data import ActivationFlowError
from activation_flow.document_parts import Json, concentration_fields, token_columns
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.result_prompts import PromptsResults
from activation_flow.result_shift import ShiftResults
from activation_flow.results import Exports, Results, StrengthResult
from activation_flow.table_columns import (
    BUCKET,
    HEAD,
    HELD,
    MISSING,
    RANK,
    SIDE,
    STRENGTH,
    TEXT,
    THRESHOLD,
    TOKEN,
    WHOLE,
    Columns,
    first_of,
    schema,
    whole,
)
from activation_flow.table_prompts import PROMPTS, prompts_columns, prompts_text

if TYPE_CHECKING:
    import pandas
    import pyarrow

TEXTS: Columns = {
    "text_number": ("int32", "place of the text in the list given, from 1"),
    "token_index": ("int32", "place of the token in its text, from 0"),
    **TOKEN,
    "layer": ("int32", "0 = embeddings, k = output of block k"),
    "strength": STRENGTH,
}
STRENGTHS: Columns = {**TEXTS, "threshold": THRESHOLD, "rank": RANK, "bucket": BUCKET, **TEXT}
PAIRS: Columns = {
    "pair_number": ("int32", "place of the pair of texts in the list given, from 1"),
    "change": ("few", "same, replaced, deleted (only in a), inserted (only in b)"),
    **{f"{name}_a": about for name, about in SIDE.items()},
    **{f"{name}_b": about for name, about in SIDE.items()},
    "high": ("bool", "HIGH, by the bucket that the settings name (bucket_by)"),
    "shift": ("double", "L2 norm of h_A - h_B (eq. 6); null: no partner"),
    "cosine_distance": ("double", "1 - cos, 0 to 2; null: no partner"),
    **HELD,
    **{f"{name}_a": about for name, about in WHOLE.items()},
    **{f"{name}_b": about for name, about in WHOLE.items()},
}


def to_arrow(result: Exports) -> "pyarrow.Table":
    """The table of one result or of many; units and the head are the schema's metadata."""
    results = result._as_list()
    head = {**document.head(results), "errors": document.errors_of(results)}
    if isinstance(results, ShiftResults):
        return _table(PAIRS, _pair_columns(results), head)
    if isinstance(results, PromptsResults):
        return _table(PROMPTS, prompts_columns(results), head)
    if isinstance(results, HiddenResults):
        return _hidden_table(results, head)
    return _table(STRENGTHS, _strength_columns(results), head)


def _table(columns: Columns, values: dict[str, list[Any]], head: Json) -> "pyarrow.Table":
    import pyarrow as pa

    table = pa.table(values, schema=schema(columns))
    return table.replace_schema_metadata({HEAD: json.dumps({**head, "rows": table.num_rows})})


def _text_columns(columns: Columns, results: Results[Any]) -> dict[str, list[Any]]:
    """A row for each token and layer of texts: what the token is, and its strength."""
    filled: dict[str, list[Any]] = {name: [] for name in columns}
    depth = len(results.layers)
    for number, result in zip(results.numbers, results, strict=True):
        n = len(result)
        for name, values in token_columns(result).items():
            filled[name] += [value for value in values for _ in range(depth)]
        filled["text_number"] += [number] * (n * depth)
        filled["token_index"] += np.repeat(np.arange(n), depth).tolist()
        filled["layer"] += [*results.layers] * n
        filled["strength"] += [*result.strength.T.ravel()]
        for name in TEXT:
            filled[name] += first_of(n * depth, getattr(result, name))
    return filled


def _strength_columns(results: Results[StrengthResult]) -> dict[str, list[Any]]:
    filled = _text_columns(STRENGTHS, results)
    for result in results:
        filled["threshold"] += result.threshold.tolist() * len(result)
        filled["rank"] += [rank or None for rank in result.rank.T.ravel().tolist()]
        filled["bucket"] += [bucket or None for bucket in result.bucket.T.ravel().tolist()]
    return filled


def _hidden_table(results: Results[HiddenStates], head: Json) -> "pyarrow.Table":
    import pyarrow as pa

    columns = {**TEXTS, **TEXT}
    table = _table(columns, _text_columns(columns, results), head)
    width = results[0].hidden.shape[-1] if len(results) else 0
    rows = [result.hidden.swapaxes(0, 1).reshape(-1) for result in results]
    values = pa.array(np.concatenate([np.empty(0, np.float32), *rows]))
    vectors = pa.FixedSizeListArray.from_arrays(values, width) if width else values
    about = {"about": "h, the hidden state: width numbers"}
    return table.append_column(pa.field("hidden", vectors.type, metadata=about), vectors)


def _pair_columns(results: ShiftResults) -> dict[str, list[Any]]:
    filled: dict[str, list[Any]] = {name: [] for name in PAIRS}
    for number, result in zip(results.numbers, results, strict=True):
        n = len(result)
        filled["pair_number"] += [number] * n
        filled["change"] += result.change.tolist()
        filled["high"] += result.high.tolist()
        for name in ("shift", "cosine_distance"):
            filled[name] += [None if np.isnan(v) else v for v in getattr(result, name).tolist()]
        held = concentration_fields(result.concentration)
        for name, value in {"total_shift": result.total, **held}.items():
            filled[name] += first_of(n, value)
        for side, text, index in (("a", result.a, result.a_index), ("b", result.b, result.b_index)):
            columns = token_columns(text)
            columns["index"] = list(range(len(text)))
            columns["strength"] = [*text.strength[0]]
            columns["rank"] = [rank or None for rank in text.rank[0].tolist()]
            columns["bucket"] = [bucket or None for bucket in text.bucket[0].tolist()]
            for name, values in columns.items():
                filled[f"{name}_{side}"] += [values[i] if i >= 0 else None for i in index.tolist()]
            for name in TEXT:
                filled[f"{name}_{side}"] += first_of(n, getattr(text, name))
            filled[f"threshold_{side}"] += first_of(n, float(text.threshold[0]))
    return filled


def from_arrow(table: "pyarrow.Table") -> Results[Any]:
    """What ``to_arrow`` made, back again.

    Raises:
        ActivationFlowError: the table carries no head of activation-flow, or not all its rows.
    """
    found = (table.schema.metadata or {}).get(HEAD.encode())
    if found is None:
        raise ActivationFlowError("this table was not written by activation-flow: it has no head")
    head = json.loads(found)
    schema = document.schema_of(head)
    if table.num_rows != head.pop("rows"):
        raise ActivationFlowError(MISSING)
    if "hidden" in table.schema.names:
        raise ActivationFlowError("vectors are read back from .npz and .safetensors only")
    shifts = "pair_number" in table.schema.names
    groups = groupby(table.to_pylist(), lambda row: row["pair_number" if shifts else "text_number"])
    if schema == PromptsResults.schema:
        items = [prompts_text(number, [*rows], head) for number, rows in groups]
    elif shifts:
        items = [_comparison(number, [*rows]) for number, rows in groups]
    else:
        items = [_text(number, [*rows], head["layers"]) for number, rows in groups]
    return document.from_dict({**head, "comparisons" if shifts else "texts": items})


def _text(number: int, rows: list[Any], layers: list[int]) -> Json:
    """A text of the document, from its rows."""
    depth = len(layers)
    places = [(row["token_index"], row["layer"]) for row in rows]
    n = len(rows) // depth
    if places != [(index, layer) for index in range(n) for layer in layers]:
        raise ActivationFlowError(MISSING)
    tokens = []
    for first in range(0, len(rows), depth):
        mine = rows[first : first + depth]
        values = {name: [row[name] for row in mine] for name in ("rank", "bucket")}
        # Through float32: what pyarrow gives as float has been widened.
        values["strength"] = [np.float32(row["strength"]) for row in mine]
        tokens.append({**mine[0], **values})
    threshold = [row["threshold"] for row in rows[:depth]]
    about = {name: rows[0][name] for name in TEXT}
    return {"text_number": number, **whole(about), "threshold": threshold, "tokens": tokens}


def _comparison(number: int, rows: list[Any]) -> Json:
    """A comparison of the document, from its rows."""
    item: Json = {"pair_number": number, **{name: rows[0][name] for name in HELD}}
    for side in ("a", "b"):
        mine = [row for row in rows if row[f"index_{side}"] is not None]
        if [row[f"index_{side}"] for row in mine] != list(range(len(mine))):
            raise ActivationFlowError(MISSING)
        tokens = [{name: row[f"{name}_{side}"] for name in SIDE} for row in mine]
        for token in tokens:
            token["strength"] = [np.float32(token["strength"])]
            token["rank"], token["bucket"] = [token["rank"]], [token["bucket"]]
        about = {name: rows[0][f"{name}_{side}"] for name in TEXT}
        threshold = [rows[0][f"threshold_{side}"]]
        item[side] = {**whole(about), "threshold": threshold, "tokens": tokens}
    item["pairs"] = [{**r, "a_index": r["index_a"], "b_index": r["index_b"]} for r in rows]
    return item


def to_pandas(result: Exports) -> "pandas.DataFrame":
    """The table of ``to_arrow`` as a DataFrame."""
    try:
        import pandas  # noqa: F401
    except ImportError as problem:
        raise ActivationFlowError(
            "to_pandas() needs pandas: pip install pandas (to_arrow() does without)"
        ) from problem
    return to_arrow(result).to_pandas()
