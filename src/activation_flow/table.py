"""Results <-> JSON and Arrow: schemas with units and version; files written whole or not at all.

No formula and no picture. The JSON is DESIGN's section 7, the table one row per token and layer.
pyarrow and pandas are imported only where they are used.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow.data import ActivationFlowError, Failure, Provenance
from activation_flow.results import StrengthResult, StrengthResults

if TYPE_CHECKING:
    import pandas
    import pyarrow

SCHEMA = "strength/1"


def to_dict(results: StrengthResults) -> dict[str, Any]:
    """The JSON document: head, texts, errors. Arrays inside are parallel to ``layers``."""
    return _document(results, lambda result: {**_text_head(result), "tokens": _tokens(result)})


def _document(
    results: StrengthResults, of_text: Callable[[StrengthResult], dict[str, Any]]
) -> dict[str, Any]:
    provenance = asdict(results.provenance)
    settings, versions = provenance.pop("settings"), provenance.pop("versions")
    return {
        "schema": SCHEMA,
        **provenance,
        "layers": list(results.layers),
        "settings": dict(settings),
        "versions": dict(versions),
        "texts": [
            {"text_number": number, **of_text(result)}
            for number, result in zip(results.numbers, results, strict=True)
        ],
        "errors": [asdict(error) for error in results.errors],
    }


def _floats(values: np.ndarray) -> list[float]:
    """Shortest decimals that read back as the same float32 (or float64)."""
    return [float(str(value)) for value in values]


def _text_head(result: StrengthResult) -> dict[str, Any]:
    pair = {} if result.text_pair is None else {"text_pair": result.text_pair}
    return {
        "text": result.text,
        **pair,
        "n_windows": result.n_windows,
        "threshold": _floats(result.threshold),
    }


def _tokens(result: StrengthResult) -> list[dict[str, Any]]:
    columns = _token_columns(result)
    if result.text_pair is None:
        del columns["segment"]
    strength = [_floats(row) for row in result.strength.T]
    rank = [[r or None for r in row] for row in result.rank.T.tolist()]
    bucket = [[b or None for b in row] for row in result.bucket.T.tolist()]
    return [
        {**dict(zip(columns, values, strict=True)), "strength": s, "rank": r, "bucket": b}
        for *values, s, r, b in zip(*columns.values(), strength, rank, bucket, strict=True)
    ]


def _token_columns(result: StrengthResult) -> dict[str, list[Any]]:
    """What a token is, whatever the layer; -1 and "" become None."""

    def known(values: np.ndarray) -> list[int | None]:
        return [None if v < 0 else v for v in values.tolist()]

    return {
        "token": [str(t) for t in result.tokens],
        "id": result.ids.tolist(),
        "start": known(result.start),
        "end": known(result.end),
        "word": known(result.word),
        "kind": [k or None for k in result.kind.tolist()],
        "segment": known(result.segment),
    }


def from_dict(document: dict[str, Any]) -> StrengthResults:
    """What ``to_dict`` made, back again, value for value.

    Raises:
        ActivationFlowError: it is no document of this schema.
    """
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise ActivationFlowError(
            f"this is no result of activation-flow (schema {schema!r}, not {SCHEMA!r})"
        )
    head = {name: document[name] for name in Provenance.__dataclass_fields__}
    provenance = Provenance(**head)
    layers = tuple(document["layers"])
    results = tuple(_from_text(text, provenance, layers) for text in document["texts"])
    errors = tuple(Failure(**error) for error in document["errors"])
    numbers = tuple(text["text_number"] for text in document["texts"])
    return StrengthResults(results, provenance, layers, errors, numbers)


def _from_text(
    text: dict[str, Any], provenance: Provenance, layers: tuple[int, ...]
) -> StrengthResult:
    rows = text["tokens"]

    def column(name: str, dtype: Any, absent: Any) -> np.ndarray:
        values = [row.get(name) for row in rows]
        return np.array([absent if v is None else v for v in values], dtype=dtype)

    def per_layer(name: str, dtype: Any, absent: Any) -> np.ndarray:
        table = [[absent if v is None else v for v in row[name]] for row in rows]
        return np.array(table, dtype=dtype).reshape(len(rows), len(layers)).T

    kind = column("kind", "<U11", "")
    special = kind == "special"
    pair = text.get("text_pair")
    return StrengthResult(
        text=text["text"],
        text_pair=pair,
        tokens=column("token", object, ""),
        ids=column("id", np.int64, -1),
        start=column("start", np.int64, -1),
        end=column("end", np.int64, -1),
        segment=column("segment", np.int64, -1) if pair is not None else np.where(special, -1, 0),
        special=special,
        word=column("word", np.int64, -1),
        kind=kind,
        n_windows=text["n_windows"],
        layers=layers,
        strength=per_layer("strength", np.float32, np.nan),
        threshold=np.array(text["threshold"], dtype=np.float64),
        rank=per_layer("rank", np.int64, 0),
        bucket=per_layer("bucket", "<U4", ""),
        provenance=provenance,
    )


def to_arrow(results: StrengthResults) -> "pyarrow.Table":
    """One row per text, token and layer; units and the whole head in the schema's metadata."""
    import pyarrow as pa

    def field(name: str, kind: Any, about: str) -> Any:
        return pa.field(name, kind, metadata={"about": about})

    text = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema(
        [
            field("text_number", pa.int32(), "place of the text in the list given, from 1"),
            field("token_index", pa.int32(), "place of the token in its text, from 0"),
            field("token", pa.string(), "piece of the tokenizer, or word"),
            field("id", pa.int64(), "vocabulary number"),
            field(
                "start", pa.int64(), "first character in the text; null: special token, or unknown"
            ),
            field("end", pa.int64(), "one past the last character"),
            field("segment", pa.int8(), "0: the text, 1: its pair; null: special token"),
            field("word", pa.int64(), "number of the word in its text; null: none"),
            field("kind", text, "special, punctuation, function, content; null: unknown"),
            field("layer", pa.int32(), "0 = embeddings, k = output of block k"),
            field("strength", pa.float32(), "S = L2 norm of the hidden state (paper eq. 1)"),
            field("threshold", pa.float64(), "tau, unit of strength (eq. 3)"),
            field("rank", pa.int64(), "1 = strongest; null: not ranked"),
            field("bucket", text, "HIGH: S > tau; LOW; null: takes no part (eq. 4)"),
        ]
    )
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    depth = len(results.layers)
    for number, result in zip(results.numbers, results, strict=True):
        n = len(result)
        for name, values in _token_columns(result).items():
            columns[name] += [value for value in values for _ in range(depth)]
        columns["text_number"] += [number] * (n * depth)
        columns["token_index"] += np.repeat(np.arange(n), depth).tolist()
        columns["layer"] += [*results.layers] * n
        columns["strength"] += [*result.strength.T.ravel()]
        columns["threshold"] += result.threshold.tolist() * n
        columns["rank"] += [rank or None for rank in result.rank.T.ravel().tolist()]
        columns["bucket"] += [bucket or None for bucket in result.bucket.T.ravel().tolist()]
    # The head and what a table has no column for; enough to read the results back.
    rest = _document(results, lambda result: {**_text_head(result), "tokens": len(result)})
    return pa.table(columns, schema=schema.with_metadata({"activation_flow": json.dumps(rest)}))


def from_arrow(table: "pyarrow.Table") -> StrengthResults:
    """What ``to_arrow`` made, back again.

    Raises:
        ActivationFlowError: the table carries no head of activation-flow, or not all its rows.
    """
    head = (table.schema.metadata or {}).get(b"activation_flow")
    if head is None:
        raise ActivationFlowError("this table was not written by activation-flow: it has no head")
    document = json.loads(head)
    tokens: dict[int, list[dict[str, Any]]] = {t["text_number"]: [] for t in document["texts"]}
    depth = len(document["layers"])
    rows = table.to_pylist()
    for first in range(0, len(rows), depth):
        layers = rows[first : first + depth]
        number, index = layers[0]["text_number"], layers[0]["token_index"]
        if [row["layer"] for row in layers] != document["layers"] or index != len(tokens[number]):
            raise ActivationFlowError("rows are missing from this table, or in another order")
        values = {name: [row[name] for row in layers] for name in ("rank", "bucket")}
        # Through float32: what pyarrow gives as float has been widened.
        values["strength"] = [np.float32(row["strength"]) for row in layers]
        tokens[number].append({**layers[0], **values})
    for text in document["texts"]:
        if len(tokens[text["text_number"]]) != text["tokens"]:
            raise ActivationFlowError("rows are missing from this table")
        text["tokens"] = tokens[text["text_number"]]
    return from_dict(document)


def to_pandas(results: StrengthResults) -> "pandas.DataFrame":
    """The table of ``to_arrow`` as a DataFrame."""
    try:
        import pandas  # noqa: F401
    except ImportError as problem:
        raise ActivationFlowError(
            "to_pandas() needs pandas: pip install pandas (to_arrow() does without)"
        ) from problem
    return to_arrow(results).to_pandas()


def _json(results: StrengthResults, path: Path) -> None:
    text = json.dumps(to_dict(results), ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _csv(results: StrengthResults, path: Path) -> None:
    from pyarrow import csv

    table = to_arrow(results)
    csv.write_csv(table.cast(_plain_strings(table.schema)), path)


def _plain_strings(schema: Any) -> Any:
    import pyarrow as pa

    plain = [f.with_type(pa.string()) if pa.types.is_dictionary(f.type) else f for f in schema]
    return pa.schema(plain)


def _parquet(results: StrengthResults, path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(to_arrow(results), path, compression="zstd")


def _html(results: StrengthResults, path: Path) -> None:
    from activation_flow import html

    path.write_text(html.html_page(results), encoding="utf-8")


WRITERS: dict[str, Callable[[StrengthResults, Path], None]] = {
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    ".html": _html,
}


def check_path(path: str | Path) -> Path:
    """Refuse a path that ``save`` could not write, before any work is done.

    Raises:
        ActivationFlowError: unknown ending, or there is no such folder.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in WRITERS:
        raise ActivationFlowError(
            f"{path}: cannot tell what to write from the ending {path.suffix!r}; it must be one "
            f"of {', '.join(WRITERS)}"
        )
    if not path.parent.is_dir():
        raise ActivationFlowError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ActivationFlowError(f"{path} is a folder; give the name of a file")
    return path


def save(results: StrengthResults, path: str | Path) -> None:
    """Write by ending; a file that is there already is replaced, whole or not at all."""
    path = check_path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        WRITERS[path.suffix.lower()](results, temporary)
        os.replace(temporary, path)
    except OSError as problem:
        raise ActivationFlowError(
            f"{path} cannot be written: {problem.strerror or problem}"
        ) from problem
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | Path) -> StrengthResults:
    """Read results back from .json or .parquet, exactly as they were.

    One result comes back as a list of one.

    Raises:
        ActivationFlowError: the file cannot be read, or holds no results.
    """
    path = Path(path).expanduser()
    try:
        if path.suffix.lower() == ".json":
            return from_dict(json.loads(path.read_text(encoding="utf-8")))
        if path.suffix.lower() == ".parquet":
            from pyarrow import parquet

            return from_arrow(parquet.read_table(path))
    except OSError as problem:
        raise ActivationFlowError(f"{path} cannot be read: {problem}") from problem
    except ActivationFlowError as problem:
        raise ActivationFlowError(f"{path}: {problem}") from problem
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as problem:
        raise ActivationFlowError(f"{path} holds no results: {problem!r}") from problem
    raise ActivationFlowError(
        f"{path}: only .json and .parquet hold whole results; {path.suffix or 'this'} does not"
    )
