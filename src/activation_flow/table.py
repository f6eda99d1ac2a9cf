"""Results <-> Arrow tables: a row per token and layer, or per row of a comparison.

Units stand in the schema, the head of the document in its metadata, so that nothing is lost. No
formula, no file. pyarrow and pandas are imported only where they are used.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import document
from activation_flow.data import ActivationFlowError, TokenizedText
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.result_shift import ShiftResults
from activation_flow.results import Exports, Results, StrengthResult

if TYPE_CHECKING:
    import pandas
    import pyarrow

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
TEXTS: Columns = {
    "text_number": ("int32", "place of the text in the list given, from 1"),
    "token_index": ("int32", "place of the token in its text, from 0"),
    **TOKEN,
    "layer": ("int32", "0 = embeddings, k = output of block k"),
    "strength": STRENGTH,
}
STRENGTHS: Columns = {
    **TEXTS,
    "threshold": ("double", "tau, unit of strength (eq. 3)"),
    "rank": RANK,
    "bucket": BUCKET,
}
SIDE: Columns = {
    "index": ("int32", "place of the token in its text, from 0; null: it is in the other only"),
    **TOKEN,
    "strength": STRENGTH,
    "rank": RANK,
    "bucket": BUCKET,
}
PAIRS: Columns = {
    "pair_number": ("int32", "place of the pair of texts in the list given, from 1"),
    "change": ("few", "same, replaced, deleted (only in a), inserted (only in b)"),
    **{f"{name}_a": about for name, about in SIDE.items()},
    **{f"{name}_b": about for name, about in SIDE.items()},
    "high": ("bool", "HIGH, by the bucket that the settings name (bucket_by)"),
    "shift": ("double", "L2 norm of h_A - h_B (eq. 6); null: no partner"),
    "cosine_distance": ("double", "1 - cos, 0 to 2; null: no partner"),
}


def to_arrow(result: Exports) -> "pyarrow.Table":
    """The table of one result or of many; units and the whole head are the schema's metadata."""
    results = result._as_list()
    if isinstance(results, ShiftResults):
        return _table(PAIRS, _pair_columns(results), _rest(results, "comparisons"))
    if isinstance(results, HiddenResults):
        return _hidden_table(results)
    return _table(STRENGTHS, _strength_columns(results), _rest(results, "texts"))


def _rest(results: Results[Any], name: str) -> document.Json:
    """The head, and what a table has no column for: enough to read the results back."""

    def about(result: Any) -> document.Json:
        if isinstance(result, TokenizedText):
            return {**document.text_head(result), "tokens": len(result)}
        held = document.concentration_fields(result.concentration)
        return {"a": about(result.a), "b": about(result.b), "pairs": len(result), **held}

    number = f"{results.noun}_number"
    items = [{number: n, **about(r)} for n, r in zip(results.numbers, results, strict=True)]
    return {**document.head(results), name: items, "errors": document.errors_of(results)}


def _table(columns: Columns, values: dict[str, list[Any]], rest: document.Json) -> "pyarrow.Table":
    import pyarrow as pa

    few = pa.dictionary(pa.int32(), pa.string())
    fields = [
        pa.field(
            name,
            few if kind == "few" else pa.type_for_alias(kind),
            metadata={"about": about},
        )
        for name, (kind, about) in columns.items()
    ]
    schema = pa.schema(fields, metadata={"activation_flow": json.dumps(rest)})
    return pa.table(values, schema=schema)


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
    return filled


def _strength_columns(results: Results[StrengthResult]) -> dict[str, list[Any]]:
    filled = _text_columns(STRENGTHS, results)
    for result in results:
        filled["threshold"] += result.threshold.tolist() * len(result)
        filled["rank"] += [rank or None for rank in result.rank.T.ravel().tolist()]
        filled["bucket"] += [bucket or None for bucket in result.bucket.T.ravel().tolist()]
    return filled


def _hidden_table(results: Results[HiddenStates]) -> "pyarrow.Table":
    import pyarrow as pa

    table = _table(TEXTS, _text_columns(TEXTS, results), _rest(results, "texts"))
    width = results[0].hidden.shape[-1] if len(results) else 0
    rows = [result.hidden.swapaxes(0, 1).reshape(-1) for result in results]
    values = pa.array(np.concatenate([np.empty(0, np.float32), *rows]))
    vectors = pa.FixedSizeListArray.from_arrays(values, width) if width else values
    about = {"about": "h, the hidden state: width numbers"}
    return table.append_column(pa.field("hidden", vectors.type, metadata=about), vectors)


def _pair_columns(results: ShiftResults) -> dict[str, list[Any]]:
    filled: dict[str, list[Any]] = {name: [] for name in PAIRS}
    for number, result in zip(results.numbers, results, strict=True):
        filled["pair_number"] += [number] * len(result)
        filled["change"] += result.change.tolist()
        filled["high"] += result.high.tolist()
        for name in ("shift", "cosine_distance"):
            values = getattr(result, name)
            filled[name] += [None if np.isnan(v) else v for v in values.tolist()]
        for side, text, index in (("a", result.a, result.a_index), ("b", result.b, result.b_index)):
            columns = document.token_columns(text)
            columns["index"] = list(range(len(text)))
            columns["strength"] = [*text.strength[0]]
            columns["rank"] = [rank or None for rank in text.rank[0].tolist()]
            columns["bucket"] = [bucket or None for bucket in text.bucket[0].tolist()]
            for name, values in columns.items():
                filled[f"{name}_{side}"] += [values[i] if i >= 0 else None for i in index.tolist()]
    return filled


def from_arrow(table: "pyarrow.Table") -> Results[Any]:
    """What ``to_arrow`` made, back again.

    Raises:
        ActivationFlowError: the table carries no head of activation-flow, or not all its rows.
    """
    found = (table.schema.metadata or {}).get(b"activation_flow")
    if found is None:
        raise ActivationFlowError("this table was not written by activation-flow: it has no head")
    head = json.loads(found)
    rows = iter(table.to_pylist())
    if "comparisons" in head:
        for item in head["comparisons"]:
            _read_comparison(item, rows, item["pair_number"])
    else:
        if "hidden" in table.schema.names:
            raise ActivationFlowError("vectors are read back from .npz and .safetensors only")
        for item in head["texts"]:
            _read_text(item, rows, head["layers"])
    if next(rows, None) is not None:
        raise ActivationFlowError("this table holds more rows than its head says")
    return document.from_dict(head)


_MISSING = "rows are missing from this table, or in another order"


def _read_text(item: document.Json, rows: Iterator[Any], layers: list[int]) -> None:
    """Replace the number of tokens by the tokens, read from as many rows."""
    tokens = []
    for index in range(item["tokens"]):
        mine: list[Any] = [next(rows, {}) for _ in layers]
        places = [(r.get("text_number"), r.get("token_index"), r.get("layer")) for r in mine]
        if places != [(item["text_number"], index, layer) for layer in layers]:
            raise ActivationFlowError(_MISSING)
        values = {name: [row[name] for row in mine] for name in ("rank", "bucket")}
        # Through float32: what pyarrow gives as float has been widened.
        values["strength"] = [np.float32(row["strength"]) for row in mine]
        tokens.append({**mine[0], **values})
    item["tokens"] = tokens


def _read_comparison(item: document.Json, rows: Iterator[Any], number: int) -> None:
    pairs: list[Any] = [next(rows, {}) for _ in range(item["pairs"])]
    if any(row.get("pair_number") != number for row in pairs):
        raise ActivationFlowError(_MISSING)
    for side in ("a", "b"):
        mine = [row for row in pairs if row[f"index_{side}"] is not None]
        if [row[f"index_{side}"] for row in mine] != list(range(item[side]["tokens"])):
            raise ActivationFlowError(_MISSING)
        tokens = [{name: row[f"{name}_{side}"] for name in SIDE} for row in mine]
        for token in tokens:
            token["strength"] = [np.float32(token["strength"])]
            token["rank"], token["bucket"] = [token["rank"]], [token["bucket"]]
        item[side]["tokens"] = tokens
    item["pairs"] = [{**r, "a_index": r["index_a"], "b_index": r["index_b"]} for r in pairs]


def to_pandas(result: Exports) -> "pandas.DataFrame":
    """The table of ``to_arrow`` as a DataFrame."""
    try:
        import pandas  # noqa: F401
    except ImportError as problem:
        raise ActivationFlowError(
            "to_pandas() needs pandas: pip install pandas (to_arrow() does without)"
        ) from problem
    return to_arrow(result).to_pandas()
