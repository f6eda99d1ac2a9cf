"""Results <-> files: the ending chooses the form."""

import json
import os
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

from activation_flow import document, document_audit, result_audit, table, tensors
from activation_flow.data import ActivationFlowError
from activation_flow.output import check_path, replacing, write_json
from activation_flow.result_audit import AuditResult
from activation_flow.result_hidden import HiddenResults
from activation_flow.results import Exports, Results


def _json(result: Exports, path: Path) -> None:
    write_json(document.to_dict(result), path)


def _csv(result: Exports, path: Path) -> None:
    from pyarrow import csv

    rows = table.to_arrow(result)
    csv.write_csv(rows.cast(_plain_strings(rows.schema)), path)


def _plain_strings(schema: Any) -> Any:
    import pyarrow as pa

    plain = [f.with_type(pa.string()) if pa.types.is_dictionary(f.type) else f for f in schema]
    return pa.schema(plain)


def _parquet(result: Exports, path: Path) -> None:
    from pyarrow import parquet

    parquet.write_table(table.to_arrow(result), path, compression="zstd")


def _html(result: Exports, path: Path) -> None:
    from activation_flow import html

    path.write_text(html.html_page(result._as_list()), encoding="utf-8")


def _picture(result: Exports, path: Path) -> None:
    from activation_flow import drawing

    drawing.save(result.chart(), path)


# Those that every result has, hidden states too.
PICTURES = {".html": _html, ".png": _picture, ".svg": _picture}
WRITERS: dict[str, Callable[[Exports, Path], None]] = {
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
    **PICTURES,
}
# What reading a file that is damaged, or of somebody else, raises; that of pyarrow, too.
_DAMAGE = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(RecursionError, NotImplementedError),
)


def save(result: Exports, path: str | Path) -> None:
    """Write by ending; a file that is there already is replaced, whole or not at all.

    Hidden states have endings of their own: ``tensors.ENDINGS``, and those of ``PICTURES``.

    Raises:
        ActivationFlowError: see ``output.check_path``; or the file cannot be written.
    """
    results = result._as_list()
    vectors = isinstance(results, HiddenResults)
    path = check_path(path, [*tensors.ENDINGS, *PICTURES] if vectors else [*WRITERS])
    if path.suffix.lower() in tensors.ENDINGS:
        texts = zip(results.numbers, results, strict=True)
        tensors.write(path, chain(results.errors, texts), results.provenance, results.layers)
        return
    with replacing(path) as temporary:
        WRITERS[path.suffix.lower()](result, temporary)


def load(path: str | Path) -> Any:
    """Read results back from .json .parquet .npz or .safetensors, exactly as they were.

    One result comes back as a list of one. The last two stay open: see ``tensors.read``. The
    .json of an audit comes back as an ``AuditResult``.

    Raises:
        ActivationFlowError: the file cannot be read, or holds no results.
    """
    path = Path(path).expanduser()
    ending = path.suffix.lower()
    try:
        if ending in (*tensors.ENDINGS, ".json", ".parquet"):
            path.open("rb").close()  # in the words of the system, not of the libraries below
        if ending in tensors.ENDINGS:
            return tensors.read(path)
        if ending == ".json":
            return _from_document(json.loads(path.read_text(encoding="utf-8")))
        if ending == ".parquet":
            from pyarrow import parquet

            return table.from_arrow(parquet.read_table(path))
    except ActivationFlowError as problem:
        if ending in tensors.ENDINGS:  # it names the file
            raise
        raise ActivationFlowError(f"{path}: {problem}") from problem
    except OSError as problem:
        why = os.strerror(problem.errno) if problem.errno else document.damage(problem)
        raise ActivationFlowError(f"{path} cannot be read: {why}") from problem
    except _DAMAGE as problem:
        raise ActivationFlowError(
            f"{path} holds no results: {document.damage(problem)}"
        ) from problem
    raise ActivationFlowError(
        f"{path}: only .json, .parquet, {' and '.join(tensors.ENDINGS)} hold whole results; "
        f"{path.suffix or 'this'} does not"
    )


def _from_document(read: Any) -> Results[Any] | AuditResult:
    """Of a JSON document, by its schema."""
    if isinstance(read, dict) and read.get("schema") == result_audit.SCHEMA:
        return document_audit.from_dict(read)
    return document.from_dict(read)
