"""Files -> shards -> records. A shard is a fixed piece of a file: the unit of work and of resume.

Pieces are planned without reading the files; the numbers of their lines are counted just ahead of
the work. What a row is stands in formats.py and parquet.py.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from activation_flow.data import ActivationFlowError
from activation_flow.delimited import READERS
from activation_flow.fields import BadRow
from activation_flow.formats import Header, Reading, Record, find_header, records
from activation_flow.inputs import (
    BLOCK,
    InputFile,
    Meter,
    check_beginning,
    check_unchanged,
    lines,
    opened,
)
from activation_flow.parquet import plan_parquet, read_parquet

# At how many places a sample is taken from a file, and how much at each, to tell how long its rows
# are. A prime: a file that repeats itself is not met at the same point each time.
_PLACES, _SAMPLE = 17, 2**14

Piece = tuple[int, int, int]  # number of the file, begin, end


@dataclass(frozen=True)
class Shard:
    """A piece of a file.

    Attributes:
        number: of the shard, from 0, over all files.
        file: number of the file.
        source: the file.
        begin: its first byte; of a Parquet file, its first row.
        end: one past its last byte or row.
        first_line: number of the line that begins there, from 1.
    """

    number: int
    file: int
    source: InputFile
    begin: int
    end: int
    first_line: int


def plan(
    files: Sequence[InputFile], reading: Reading, shard_size: int, most: int = sys.maxsize
) -> list[Piece]:
    """Pieces of about so many rows that cover the files, the same for the same files.

    Rows of .csv may hold line ends and compressed files have no middle: each is one piece.

    Args:
        files: all of an input.
        reading: how rows are read.
        shard_size: number of rows in a piece; where rows are lines, about, from samples.
        most: bytes of a piece, about, of Parquet those of its texts.

    Returns:
        (number of the file, begin, end) of each piece, in order; none of an empty file.

    Raises:
        ActivationFlowError: a file cannot be read, is not what its ending says, or has not the
            columns that are read.
    """
    if shard_size < 1:
        raise ActivationFlowError(f"--shard-size {shard_size} is not at least 1")
    return [
        (number, begin, end)
        for number, source in enumerate(files)
        for begin, end in _plan_file(source, reading, shard_size, most)
    ]


def shards(files: Sequence[InputFile], pieces: Sequence[Piece]) -> Iterator[Shard]:
    """The shards that these pieces are; lines are counted up to the one that is asked for.

    Raises:
        ActivationFlowError: a file cannot be read.
    """
    counted = _Counted()
    for number, (file, begin, end) in enumerate(pieces):
        source = files[file]
        if source.format == "parquet":
            first_line = begin + 1
        else:
            first_line = 1 + counted.line_ends(source, begin) if begin else 1
        yield Shard(number, file, source, begin, end, first_line)


def read(shard: Shard, reading: Reading, meter: Meter | None = None) -> Iterator[Record | None]:
    """The rows of a shard, one at a time: a record, good or bad, or None for a blank row.

    Args:
        shard: the piece of a file.
        reading: how rows are read.
        meter: tells how far the file has been read, if its rows are lines.

    Raises:
        ActivationFlowError: the file cannot be read, or was changed since it was found.
    """
    source = shard.source
    check_unchanged(source)
    if source.format == "parquet":
        yield from read_parquet(source, shard.begin, shard.end, reading)
    else:
        header = _header(source, reading)
        part = lines(source, shard.begin, shard.end, shard.first_line, meter)
        yield from records(source.format, part, reading, header)
    check_unchanged(source)  # what was read may have been neither the old file nor the new one


class _Counted:
    """How many line ends stand before a byte of a file; what was counted is not counted again."""

    def __init__(self) -> None:
        self._path, self._at, self._count = "", 0, 0

    def line_ends(self, source: InputFile, before: int) -> int:
        if source.path != self._path or before < self._at:
            self._path, self._at, self._count = source.path, 0, 0
        with opened(source) as file:
            file.seek(self._at)
            while block := file.read(min(BLOCK, before - self._at)):
                self._count += block.count(b"\n")
                self._at += len(block)
        return self._count


def _header(source: InputFile, reading: Reading) -> Header | None:
    """The header of a table; None of other files."""
    if source.format not in READERS:
        return None
    try:
        return find_header(source.format, lines(source), reading)
    except BadRow as problem:
        raise ActivationFlowError(f"{source.name}, {problem}") from problem


def _plan_file(
    source: InputFile, reading: Reading, shard_size: int, most: int
) -> list[tuple[int, int]]:
    if source.format == "parquet":
        return plan_parquet(source, reading, shard_size, most)
    if source.format == "txt" and reading.id_column is not None:
        raise ActivationFlowError(
            f"{source.name}: a .txt file has no columns, and so none for --id-column; its lines "
            "are told apart by their numbers"
        )
    check_beginning(source)
    header = _header(source, reading)
    if not source.size:
        return []
    if source.compression or source.format == "csv":
        return [(0, source.size)]
    with opened(source) as file:
        count = max(round(_estimated_rows(file, source) / shard_size), source.size // most)
        return _cut(file, source, header.line if header else 0, count)


def _cut(file: BinaryIO, source: InputFile, together: int, count: int) -> list[tuple[int, int]]:
    """Pieces of like size on borders between rows; the first lines, and one row, stay together."""
    file.seek(0)
    for _ in range(together):
        _skip_line(file)
    first, last = file.tell(), 0
    borders = {0, source.size}
    for at in (source.size * k // count for k in range(1, count)):
        if at > max(first, last):  # a row longer than a piece is read through once
            last = _border(file, at, source.format)
            borders.add(last)
    return list(pairwise(sorted(borders)))


def _estimated_rows(file: BinaryIO, source: InputFile) -> float:
    """About how many rows a file has, from samples all over it."""
    if source.size <= _PLACES * _SAMPLE:
        places, length = 1, source.size
    else:
        places, length = _PLACES, _SAMPLE
    rows = 0
    for k in range(places):
        file.seek(source.size * (2 * k + 1) // (2 * places) - length // 2)
        full = [line.strip() != b"" for line in file.read(length).split(b"\n")[:-1]]
        if source.format == "conllu":  # a row ends where a blank line follows
            full = [line and not following for line, following in pairwise(full)]
        rows += sum(full)
    return max(rows, 1) * source.size / (places * length)


def _border(file: BinaryIO, at: int, format: str) -> int:
    """A border between rows at this byte, or soon after it."""
    file.seek(at - 1)
    _skip_line(file)
    if format == "conllu":
        while not _skip_line(file):
            pass
    return file.tell()


def _skip_line(file: BinaryIO) -> bool:
    """Go to the end of the line. Was there nothing but spaces, or the end of the file?"""
    blank = True
    while part := file.readline(BLOCK):
        blank = blank and not part.strip()
        if part.endswith(b"\n"):
            break
    return blank
