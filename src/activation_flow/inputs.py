"""A file of an input: its bytes, unpacked, and its lines. Knows no rows.

A file that is not what its ending says, or that was changed since it was found, is refused.
"""

import gzip
import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from activation_flow.data import ActivationFlowError
from activation_flow.delimited import Line

SPOOLED = "standard-input"  # name, without its ending, of the file that keeps it
BLOCK = 2**20  # bytes that are read at once
_BOM = b"\xef\xbb\xbf"
# What a file begins with that is something else than its ending says; what it is, what to do.
_BEGINNINGS = {
    b"\xff\xfe": ("UTF-16, not UTF-8", "convert it, for example with iconv -f utf-16 -t utf-8"),
    b"\xfe\xff": ("UTF-16, not UTF-8", "convert it, for example with iconv -f utf-16 -t utf-8"),
    b"\x1f\x8b": ("compressed with gzip", "let its name end in .gz, or unpack it first"),
    b"\x28\xb5\x2f\xfd": ("compressed with zstd", "let its name end in .zst, or unpack it first"),
    b"PAR1\x15": ("a Parquet file", "let its name end in .parquet, or say --format parquet"),
}


@dataclass(frozen=True)
class InputFile:
    """A file that is read.

    Attributes:
        path: as it was given, or found.
        format: one of ``formats.FORMATS``.
        compression: "", "gz" or "zst".
        size: in bytes, compressed.
        mtime_ns: when it was last changed.
    """

    path: str
    format: str
    compression: str
    size: int
    mtime_ns: int

    @property
    def name(self) -> str:
        """For messages."""
        return "standard input" if Path(self.path).stem == SPOOLED else self.path


@contextmanager
def reading_errors(name: str) -> Iterator[None]:
    """Say of an error of the system which file it concerns."""
    try:
        yield
    except OSError as problem:
        raise ActivationFlowError(
            f"{name or repr(name)} cannot be read: {problem.strerror or problem}"
        ) from problem


def check_unchanged(source: InputFile) -> None:
    """Refuse a file that is not what it was when it was found.

    Raises:
        ActivationFlowError: it was changed, or cannot be read any more.
    """
    with reading_errors(source.name):
        status = os.stat(source.path)
    if (status.st_size, status.st_mtime_ns) != (source.size, source.mtime_ns):
        raise ActivationFlowError(
            f"{source.name} was changed since this run began; put it back as it was, or begin a "
            "new run"
        )


def check_beginning(source: InputFile) -> None:
    """Refuse a file that begins as something else than its ending says, or cannot be read.

    Raises:
        ActivationFlowError: it is UTF-16, compressed or a Parquet file.
    """
    with opened(source) as stream:
        beginning = stream.read(max(map(len, _BEGINNINGS)))
    for what, (found, advice) in _BEGINNINGS.items():
        if beginning.startswith(what):
            raise ActivationFlowError(f"{source.name} is {found}; {advice}")


class Meter:
    """How far a file has been read, for whoever wants to know meanwhile."""

    def __init__(self) -> None:
        self._file: BinaryIO | None = None

    def follow(self, file: BinaryIO) -> None:
        """From here on, this file is meant."""
        self._file = file

    @property
    def at(self) -> int | None:
        """Bytes, compressed if the file is; None before it was opened, and when it is closed."""
        try:
            return None if self._file is None else self._file.tell()
        except ValueError:
            return None


@contextmanager
def opened(source: InputFile, meter: Meter | None = None) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked; all members of a .gz file, all frames of a .zst file.

    Args:
        source: the file.
        meter: tells how far it has been read.

    Raises:
        ActivationFlowError: here or while it is read: it cannot be read, or not be unpacked.
    """
    with reading_errors(source.name), open(source.path, "rb") as file:
        if meter is not None:
            meter.follow(file)
        if not source.compression:
            yield file
            return
        with _unpacked(file, source.compression) as stream:
            try:
                yield stream
            except (OSError, EOFError, zlib.error) as problem:
                if isinstance(problem, OSError) and problem.errno:  # of the system
                    raise
                raise ActivationFlowError(
                    f"{source.name} is truncated or damaged: it cannot be unpacked beyond byte "
                    f"{file.tell()} ({problem}); get the file anew"
                ) from problem


def _unpacked(file: BinaryIO, compression: str) -> BinaryIO:
    if compression == "gz":
        packed: Any = gzip.GzipFile(fileobj=file)
    else:
        import pyarrow

        packed = pyarrow.CompressedInputStream(file, "zstd")
    return io.BufferedReader(packed, BLOCK)


def lines(
    source: InputFile,
    begin: int = 0,
    end: int | None = None,
    first_line: int = 1,
    meter: Meter | None = None,
) -> Iterator[Line]:
    """The lines of a part of a file, cut at line feeds only, without the file's byte order mark.

    Args:
        source: the file; of a compressed one only the whole can be read.
        begin: first byte, which begins a line.
        end: one past the last byte of a line; None for the end of the file.
        first_line: number of the line that begins there.
        meter: tells how far the file has been read.

    Raises:
        ActivationFlowError: the file cannot be read, or not be unpacked.
    """
    left = (source.size if end is None else end) - begin
    if left <= 0:
        return
    if source.compression:
        left = sys.maxsize
    with opened(source, meter) as stream:
        if begin:
            stream.seek(begin)
        for number, line in enumerate(stream, first_line):
            left -= len(line)
            yield number, line if number > 1 else line.removeprefix(_BOM)
            if left <= 0:
                return
