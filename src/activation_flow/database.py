"""DuckDB over files of a run: no network, memory bounded, errors in words; questions -> rows.

Knows connections, files and rows; what is asked is said by summary, selection and the user.
"""

import base64
import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from activation_flow.data import ActivationFlowError
from activation_flow.output import check_path, replacing, write_json
from activation_flow.room import available_memory

if TYPE_CHECKING:
    import duckdb
    import pyarrow

T = TypeVar("T")

LEAST = 256 * 2**20  # bytes that DuckDB is allowed, however little is free
ENDINGS = (".csv", ".json", ".parquet")
# Doubles are summed as whole numbers of span / 2^60, so exactly, in any order: the same run gives
# the same digits whatever the cores are, and however they share the work. No x is beyond span.
EXACT_SUM = """
CREATE TEMP MACRO exact_sum(x, span) AS
    sum((x / span * 1152921504606846976)::BIGINT)::DOUBLE * max(span) / 1152921504606846976
"""
REFUSED = "the query cannot be answered"


@contextmanager
def connect(what: str, threads: int | None = None) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A database in memory, that spills to a temporary folder and is gone afterwards.

    It may take half of the memory that is free. It loads no extension unless a query says so, and
    sees no variables of Python.

    Args:
        what: is worked on, for messages.
        threads: default all cores.

    Raises:
        ActivationFlowError: DuckDB gives up; its own message is in it.
    """
    import duckdb

    with tempfile.TemporaryDirectory(prefix="afn-") as folder:
        config: dict[str, Any] = {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "memory_limit": f"{max(available_memory() // 2, LEAST)}B",
            "temp_directory": folder,
            **({} if threads is None else {"threads": threads}),
        }
        connection = duckdb.connect(":memory:", config=config)
        try:
            # Off already in a notebook without ipywidgets, where even to set it is an error.
            query = "SELECT current_setting('enable_progress_bar')"
            if connection.execute(query).fetchall() != [(False,)]:
                connection.execute("SET enable_progress_bar = false")
            with told(what):
                yield connection
        finally:
            connection.close()


@contextmanager
def told(what: str) -> Iterator[None]:
    """DuckDB's errors, in its own words, as errors of the user's; Ctrl-C as what it is.

    Raises:
        ActivationFlowError: DuckDB raised an error.
        KeyboardInterrupt: it was interrupted.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as problem:
        raise _in_words(problem, what) from problem
    except RuntimeError as problem:
        if not _interrupted(problem):
            raise
        raise KeyboardInterrupt from problem


def _in_words(problem: Exception, what: str) -> BaseException:
    if _interrupted(problem):
        return KeyboardInterrupt()
    return ActivationFlowError(f"{what}: {str(problem).strip()}")


def _interrupted(problem: Exception) -> bool:
    return str(problem).startswith(("INTERRUPT", "Query interrupted"))


def quoted(text: str) -> str:
    """A string of SQL.

    >>> quoted("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def double(value: float | None) -> str:
    """A number of SQL, the same to the last bit; a bare 17.3 would be a DECIMAL.

    >>> double(17.3), double(None)
    ("CAST('17.3' AS DOUBLE)", 'CAST(NULL AS DOUBLE)')
    """
    return f"CAST({'NULL' if value is None else quoted(repr(float(value)))} AS DOUBLE)"


def parquet(paths: Sequence[Path]) -> str:
    """A relation of SQL over exactly these files, in this order; their paths must be absolute."""
    listed = ", ".join(quoted(_literal(str(path))) for path in paths)
    # A folder that is called lang=en would otherwise add a column.
    return f"read_parquet([{listed}], hive_partitioning = false)"


def _literal(path: str) -> str:
    """A path in which no letter stands for others; with a backslash DuckDB sees to it itself."""
    return path if "\\" in path else "".join(f"[{c}]" if c in "*?[" else c for c in path)


def ask(connection: "duckdb.DuckDBPyConnection", query: str) -> "pyarrow.RecordBatchReader":
    """The rows of a query, computed as they are read; no column where it gives none.

    Raises:
        ActivationFlowError: DuckDB refuses the query; or, from the reader, it gives up on the way.
    """
    import pyarrow as pa

    def begin() -> "pyarrow.RecordBatchReader":
        relation = connection.sql(query)
        if relation is None:  # nothing but a comment, or (before DuckDB 2) no SELECT
            return pa.schema([]).empty_table().to_reader()
        return pa.RecordBatchReader.from_stream(relation)

    with told(REFUSED):
        reader = _interruptibly(connection, begin)
    return pa.RecordBatchReader.from_batches(reader.schema, _batches(connection, reader))


def _batches(
    connection: "duckdb.DuckDBPyConnection", reader: "pyarrow.RecordBatchReader"
) -> "Iterator[pyarrow.RecordBatch]":
    import pyarrow as pa

    try:
        while (batch := _interruptibly(connection, lambda: next(reader, None))) is not None:
            yield batch
    except (pa.ArrowException, OSError) as problem:  # what DuckDB said, handed on by Arrow
        raise _in_words(problem, REFUSED) from problem


def _interruptibly(connection: "duckdb.DuckDBPyConnection", work: Callable[[], T]) -> T:
    """Done by another thread, as DuckDB may not look for Ctrl-C while it multiplies two tables."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            connection.interrupt()
            raise


def plain(value: Any) -> Any:
    """A value of a row as JSON has it: null where it is not finite, text where JSON has no form.

    >>> plain(float("nan")), plain(Decimal("6")), plain([b"a", date(2020, 1, 2)])
    (None, 6, ['YQ==', '2020-01-02'])
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(key): plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case tuple():  # an entry of a map, or an interval
            return [plain(inner) for inner in value]
    return str(value)


def rows_of(batch: "pyarrow.RecordBatch") -> list[list[Any]]:
    """The rows of a batch, each parallel to its columns; two columns may have one name."""
    columns = [[plain(value) for value in column.to_pylist()] for column in batch.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def head(reader: "pyarrow.RecordBatchReader", n: int) -> tuple[list[tuple[Any, ...]], int]:
    """The first n rows, and how many there are; all are computed, no others are kept."""
    rows: list[tuple[Any, ...]] = []
    count = 0
    for batch in reader:
        first = batch.slice(0, max(n - count, 0))
        rows += zip(*(column.to_pylist() for column in first.columns), strict=True)
        count += batch.num_rows
    return rows, count


def document(reader: "pyarrow.RecordBatchReader") -> dict[str, Any]:
    """The JSON document of an answer: names of columns, and rows parallel to them."""
    rows = [row for batch in reader for row in rows_of(batch)]
    return {"schema": "sql/1", "columns": list(reader.schema.names), "rows": rows}


def save(reader: "pyarrow.RecordBatchReader", path: str | Path) -> int:
    """Write an answer to a .csv, .json or .parquet file; all but JSON as it comes, batch by batch.

    Returns:
        The number of rows.

    Raises:
        ActivationFlowError: the ending is another, the file cannot be written, or it cannot hold
            such columns.
    """
    path = check_path(path, ENDINGS)
    ending = path.suffix.lower()
    names = reader.schema.names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice and ending == ".parquet":
        raise ActivationFlowError(f"two columns are called {twice[0]!r}: name them with AS")
    with replacing(path) as temporary:
        if ending == ".json":
            found = document(reader)
            write_json(found, temporary)
            return len(found["rows"])
        return _write(reader, temporary, ending)


def _write(reader: "pyarrow.RecordBatchReader", path: Path, ending: str) -> int:
    import pyarrow as pa
    from pyarrow import csv, parquet

    count = 0
    try:
        writer = (
            csv.CSVWriter(path, reader.schema)
            if ending == ".csv"
            else parquet.ParquetWriter(path, reader.schema, compression="zstd")
        )
        with writer:
            for batch in reader:
                writer.write_batch(batch)
                count += batch.num_rows
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as problem:
        raise ActivationFlowError(
            f"a {ending} file cannot hold such columns ({problem}); a .json file can"
        ) from problem
    return count
