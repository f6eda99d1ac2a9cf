"""Parquet files -> pieces and records: whole row groups, or row ranges of a large one."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from activation_flow.data import ActivationFlowError
from activation_flow.fields import BadRow, string, utf8
from activation_flow.formats import Reading, Record, arranged, find_columns
from activation_flow.inputs import BLOCK, InputFile, reading_errors

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

# A row range is reached by reading what stands before it in its row group. With 64 ranges at most,
# a row group is read 32 times over at most, however large it is.
_RANGES_OF_A_GROUP = 64
_ROWS_AT_ONCE = 4096


def plan_parquet(
    source: InputFile, reading: Reading, shard_size: int, most: int = sys.maxsize
) -> list[tuple[int, int]]:
    """Ranges of rows that cover a file; only its footer is read.

    Args:
        source: the file.
        reading: which columns will be read.
        shard_size: number of rows of a range, at most, but for row groups of more than 64 times
            as many.
        most: bytes of texts in a range, about.

    Raises:
        ActivationFlowError: it cannot be read, or has not these columns, or not as strings.
    """
    with _opened(source) as file:
        _check_columns(file.schema_arrow, reading, source.name)
        groups = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
        shard_size = min(shard_size, _rows_of(most, file, reading.texts))
    pieces: list[tuple[int, int]] = []
    begin = end = 0
    for rows in groups:
        if end > begin and end + rows - begin > shard_size:
            pieces.append((begin, end))
            begin = end
        end += rows
        if end - begin > shard_size:  # this group alone
            count = min(-(-rows // shard_size), _RANGES_OF_A_GROUP)
            borders = [begin + rows * k // count for k in range(count + 1)]
            pieces.extend(pairwise(borders))
            begin = end
    return [*pieces, (begin, end)] if end > begin else pieces


def _rows_of(size: int, file: Any, columns: Sequence[str]) -> int:
    """How many rows hold so many bytes of these columns, on average; at least 1."""
    metadata = file.metadata
    used: int = sum(
        chunk.total_uncompressed_size
        for group in map(metadata.row_group, range(metadata.num_row_groups))
        for chunk in map(group.column, range(group.num_columns))
        if chunk.path_in_schema in columns
    )
    rows: int = metadata.num_rows
    return max(1, size * rows // max(used, 1))


def read_parquet(source: InputFile, begin: int, end: int, reading: Reading) -> Iterator[Record]:
    """The rows [begin, end) of a file, of which a few at a time are held.

    Raises:
        ActivationFlowError: it cannot be read.
    """
    columns = list(dict.fromkeys(reading.columns))
    with _opened(source) as file:
        groups, row = _groups(file.metadata, begin, end)
        at_once = _rows_at_once(file.metadata, groups)
        for batch in file.iter_batches(at_once, groups, columns, use_threads=False):
            wanted = batch.slice(max(begin - row, 0), max(end - max(begin, row), 0))
            yield from _records(wanted, max(begin, row), reading)
            row += batch.num_rows
            if row >= end:
                return


@contextmanager
def _opened(source: InputFile) -> Iterator["pyarrow.parquet.ParquetFile"]:
    import pyarrow
    import pyarrow.parquet

    try:
        with (
            reading_errors(source.name),
            # Page by page: else each column of a row group would be held as a whole.
            pyarrow.parquet.ParquetFile(source.path, buffer_size=BLOCK, pre_buffer=False) as file,
        ):
            yield file
    except pyarrow.ArrowException as problem:
        raise ActivationFlowError(
            f"{source.name} is no Parquet file that can be read: {problem}"
        ) from problem


def _check_columns(schema: "pyarrow.Schema", reading: Reading, name: str) -> None:
    try:
        places = find_columns(schema.names, reading)
    except BadRow as problem:
        raise ActivationFlowError(f"{name}: {problem}") from problem
    for number, (place, column) in enumerate(zip(places, reading.columns, strict=True)):
        kind = schema.types[place]
        is_id = number == len(reading.texts)
        if not (_is_text(kind) or (is_id and _is_integer(kind))):
            wanted = "strings or integers" if is_id else "strings"
            raise ActivationFlowError(f"{name}: column {column} is of type {kind}, not {wanted}")


def _is_text(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_integer(kind: "pyarrow.DataType") -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind))


def _groups(
    metadata: "pyarrow.parquet.FileMetaData", begin: int, end: int
) -> tuple[list[int], int]:
    """The row groups that hold these rows, and the number of the first row of the first of them."""
    groups: list[int] = []
    row = first = 0
    for k in range(metadata.num_row_groups):
        following = row + metadata.row_group(k).num_rows
        if row < end and following > begin:
            first = first if groups else row
            groups.append(k)
        row = following
    return groups, first


def _rows_at_once(metadata: "pyarrow.parquet.FileMetaData", groups: list[int]) -> int:
    """As many as come to some megabytes."""
    sizes = [
        (metadata.row_group(k).total_byte_size, metadata.row_group(k).num_rows) for k in groups
    ]
    largest = max((size / max(rows, 1) for size, rows in sizes), default=1)
    return int(max(1, min(_ROWS_AT_ONCE, 4 * BLOCK / max(largest, 1))))


def _records(batch: "pyarrow.RecordBatch", first: int, reading: Reading) -> Iterator[Record]:
    columns = [_values(batch.column(name)) for name in reading.columns]
    for line, row in enumerate(zip(*columns, strict=True), first + 1):
        try:
            yield Record(line, *_parsed(row, reading))
        except BadRow as problem:
            yield Record(line, "", reason=str(problem))


def _parsed(row: Sequence[Any], reading: Reading) -> tuple[Any, ...]:
    """Texts, which must be strings, and the id, as it is written."""
    values = [_decoded(*one) for one in zip(row, reading.columns, strict=True)]
    texts = [string(*one) for one in zip(values, reading.texts, strict=False)]
    ids = [None if own is None else str(own) for own in values[len(texts) :]]
    return arranged([*texts, *ids], reading)


def _values(column: "pyarrow.Array") -> list[Any]:
    """The values; as bytes if one of them is not UTF-8, which Arrow does not look at."""
    import pyarrow

    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        if pyarrow.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        return list(column.cast(pyarrow.large_binary()).to_pylist())


def _decoded(value: Any, column: str) -> Any:
    if isinstance(value, bytes):
        return utf8(value, f"column {column}", "write this column anew, as UTF-8")
    return value
