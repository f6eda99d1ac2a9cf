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
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.result_shift import ShiftResults
from activation_flow.results import Exports, Results, StrengthResult

if TYPE_CHECKING:
    import pandas
    import pyarrow

HEAD = "activation_flow"  # of the metadata
# name: (type, what it is). The text type is a dictionary of few strings.
Columns = dict[str, tuple[str, str]]

TOKEN: Columns = {
    "token": ("string", "piece of the tokenizer, or word"),
    "id": ("int64", "vocabulary number"),
    "start": ("int64", "first character in the text; null: special token, or unknown"),
    "end": ("int64", "one past the last character"),
    "segment": ("int8", "0: the text, 1: its pair; null: special token"),
    "word": ("int64", "number of the word in its text; null: none"),
    "kind": ("few", "special, punctuation, function, content; null: unknown"),
}
STRENGTH = ("float", "S = L2 norm of the hidden state (paper eq. 1)")
RANK = ("int64", "1 = strongest; null: not ranked")
BUCKET = ("few", "HIGH: S > tau; LOW; null: takes no part (eq. 4)")
# What a text (or a pair of texts) is as a whole stands in its first row only: a long text in each
# of its rows would fill a disk, and in the metadata of a file no reader would take it.
TEXT: Columns = {
    "text": ("string", "the text itself; in its first row only, as all that is of a text"),
    "text_pair": ("string", "its second segment; null: none"),
    "n_windows": ("int32", "number of overlapping windows in which it was read"),
    "n_dropped": ("int64", "number of its tokens that were cut off"),
}
TEXTS: Columns = {
    "text_number": ("int32", "place of the text in the list given, from 1"),
    "token_index": ("int32", "place of the token in its text, from 0"),
    **TOKEN,
    "layer": ("int32", "0 = embeddings, k = output of block k"),
    "strength": STRENGTH,
}
THRESHOLD = ("double", "tau, unit of strength (eq. 3)")
STRENGTHS: Columns = {**TEXTS, "threshold": THRESHOLD, "rank": RANK, "bucket": BUCKET, **TEXT}
SIDE: Columns = {
    "index": ("int32", "place of the token in its text, from 0; null: it is in the other only"),
    **TOKEN,
    "strength": STRENGTH,
    "rank": RANK,
    "bucket": BUCKET,
}
WHOLE: Columns = {**TEXT, "threshold": THRESHOLD}
HELD: Columns = {
    "total_shift": ("double", "sum of all shifts; in the first row of a pair only, as all below"),
    "aligned_shift": ("double", "sum of the shifts that R_H is about"),
    "high_shift": ("double", "sum of the shifts of HIGH tokens (eq. 8)"),
    "n": ("int64", "number of aligned pairs of tokens that R_H is about"),
    "k": ("int64", "number of HIGH ones among them"),
    "high_ratio": ("double", "R_H = high_shift / aligned_shift (eqs. 5, 11); null: none"),
    "high_share": ("double", "k / n, the R_H of chance"),
    "enrichment": ("double", "R_H / (k / n)"),
    "p_value": ("double", "part of all choices of k tokens that hold at least as much shift"),
    "p_floor": ("double", "the smallest p that k of n tokens could have had"),
}
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
    if isinstance(results, HiddenResults):
        return _hidden_table(results, head)
    return _table(STRENGTHS, _strength_columns(results), head)


def schema(columns: Columns) -> "pyarrow.Schema":
    """Names, types, and as metadata of each field what it is and in which unit."""
    import pyarrow as pa

    few = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        pa.field(
            name,
            few if kind == "few" else pa.type_for_alias(kind),
            metadata={"about": about},
        )
        for name, (kind, about) in columns.items()
    )


def _table(columns: Columns, values: dict[str, list[Any]], head: document.Json) -> "pyarrow.Table":
    import pyarrow as pa

    table = pa.table(values, schema=schema(columns))
    return table.replace_schema_metadata({HEAD: json.dumps({**head, "rows": table.num_rows})})


def _first_of(n: int, value: Any) -> list[Any]:
    """A value in the first of n rows."""
    return [value, *[None] * (n - 1)] if n else []


def _text_columns(columns: Columns, results: Results[Any]) -> dict[str, list[Any]]:
    """A row for each token and layer of texts: what the token is, and its strength."""
    filled: dict[str, list[Any]] = {name: [] for name in columns}
    depth = len(results.layers)
    for number, result in zip(results.numbers, results, strict=True):
        n = len(result)
        for name, values in document.token_columns(result).items():
            filled[name] += [value for value in values for _ in range(depth)]
        filled["text_number"] += [number] * (n * depth)
        filled["token_index"] += np.repeat(np.arange(n), depth).tolist()
        filled["layer"] += [*results.layers] * n
        filled["strength"] += [*result.strength.T.ravel()]
        for name in TEXT:
            filled[name] += _first_of(n * depth, getattr(result, name))
    return filled


def _strength_columns(results: Results[StrengthResult]) -> dict[str, list[Any]]:
    filled = _text_columns(STRENGTHS, results)
    for result in results:
        filled["threshold"] += result.threshold.tolist() * len(result)
        filled["rank"] += [rank or None for rank in result.rank.T.ravel().tolist()]
        filled["bucket"] += [bucket or None for bucket in result.bucket.T.ravel().tolist()]
    return filled


def _hidden_table(results: Results[HiddenStates], head: document.Json) -> "pyarrow.Table":
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
        held = document.concentration_fields(result.concentration)
        for name, value in {"total_shift": result.total, **held}.items():
            filled[name] += _first_of(n, value)
        for side, text, index in (("a", result.a, result.a_index), ("b", result.b, result.b_index)):
            columns = document.token_columns(text)
            columns["index"] = list(range(len(text)))
            columns["strength"] = [*text.strength[0]]
            columns["rank"] = [rank or None for rank in text.rank[0].tolist()]
            columns["bucket"] = [bucket or None for bucket in text.bucket[0].tolist()]
            for name, values in columns.items():
                filled[f"{name}_{side}"] += [values[i] if i >= 0 else None for i in index.tolist()]
            for name in TEXT:
                filled[f"{name}_{side}"] += _first_of(n, getattr(text, name))
            filled[f"threshold_{side}"] += _first_of(n, float(text.threshold[0]))
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
    if table.num_rows != head.pop("rows"):
        raise ActivationFlowError(_MISSING)
    if "hidden" in table.schema.names:
        raise ActivationFlowError("vectors are read back from .npz and .safetensors only")
    shifts = "pair_number" in table.schema.names
    groups = groupby(table.to_pylist(), lambda row: row["pair_number" if shifts else "text_number"])
    if shifts:
        items = [_comparison(number, [*rows]) for number, rows in groups]
    else:
        items = [_text(number, [*rows], head["layers"]) for number, rows in groups]
    return document.from_dict({**head, "comparisons" if shifts else "texts": items})


_MISSING = "rows are missing from this table, or in another order"


def _text(number: int, rows: list[Any], layers: list[int]) -> document.Json:
    """A text of the document, from its rows."""
    depth = len(layers)
    places = [(row["token_index"], row["layer"]) for row in rows]
    n = len(rows) // depth
    if places != [(index, layer) for index in range(n) for layer in layers]:
        raise ActivationFlowError(_MISSING)
    tokens = []
    for first in range(0, len(rows), depth):
        mine = rows[first : first + depth]
        values = {name: [row[name] for row in mine] for name in ("rank", "bucket")}
        # Through float32: what pyarrow gives as float has been widened.
        values["strength"] = [np.float32(row["strength"]) for row in mine]
        tokens.append({**mine[0], **values})
    threshold = [row["threshold"] for row in rows[:depth]]
    about = {name: rows[0][name] for name in TEXT}
    return {"text_number": number, **_whole(about), "threshold": threshold, "tokens": tokens}


def _whole(about: document.Json) -> document.Json:
    if about["text"] is None:  # it stands in the first row
        raise ActivationFlowError(_MISSING)
    return about


def _comparison(number: int, rows: list[Any]) -> document.Json:
    """A comparison of the document, from its rows."""
    item: document.Json = {"pair_number": number, **{name: rows[0][name] for name in HELD}}
    for side in ("a", "b"):
        mine = [row for row in rows if row[f"index_{side}"] is not None]
        if [row[f"index_{side}"] for row in mine] != list(range(len(mine))):
            raise ActivationFlowError(_MISSING)
        tokens = [{name: row[f"{name}_{side}"] for name in SIDE} for row in mine]
        for token in tokens:
            token["strength"] = [np.float32(token["strength"])]
            token["rank"], token["bucket"] = [token["rank"]], [token["bucket"]]
        about = {name: rows[0][f"{name}_{side}"] for name in TEXT}
        threshold = [rows[0][f"threshold_{side}"]]
        item[side] = {**_whole(about), "threshold": threshold, "tokens": tokens}
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
