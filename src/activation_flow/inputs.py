"""INPUT -> files: which they are, of what format, and their bytes. Knows no rows.

A folder and a pattern are searched, standard input is kept in a file, and a file that is not what
its ending says, or that changed since it was found, is refused.
"""

import glob
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from activation_flow.data import ActivationFlowError
from activation_flow.delimited import Line
from activation_flow.formats import FORMATS
from activation_flow.output import replacing

COMPRESSIONS = ("gz", "zst")
BLOCK = 2**20  # bytes that are read at once
_BOM = b"\xef\xbb\xbf"
_SPOOLED = "standard-input"
_KNOWN = (
    f"known are {', '.join(f'.{format}' for format in FORMATS)}, also with .gz or .zst but for "
    "Parquet; --format says what other files are"
)

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
        format: one of ``FORMATS``.
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
        return "standard input" if Path(self.path).stem == _SPOOLED else self.path


def find_files(given: str, format: str | None = None) -> tuple[list[InputFile], list[str]]:
    """The files that an INPUT stands for.

    Args:
        given: a file; a folder, searched with all that is in it; or a pattern such as "a/**/*.txt".
        format: of all files, whatever their endings say; only .gz and .zst are heeded still.

    Returns:
        The files, in the order of their names, and the names of those that were left out because
        their endings are not known. Hidden files and folders, which begin with a dot, are neither.

    Raises:
        ActivationFlowError: there is no such file, or none whose format is known.
    """
    if format is not None and format not in FORMATS:
        raise ActivationFlowError(f"--format {format} is not one of {', '.join(FORMATS)}")
    if os.path.isdir(given):
        names: Iterable[str] = (os.path.join(given, name) for name in _names_below(given))
    elif os.path.lexists(given) or not glob.has_magic(given):
        return [_input_file(given, format)], []
    else:
        matches = sorted(glob.glob(given, recursive=True), key=lambda name: Path(name).parts)
        names = (name for name in matches if not os.path.isdir(name))
    found: list[InputFile] = []
    left_out: list[str] = []
    for name in names:
        if (format or _format_of(name)) and not _is_special(name):
            found.append(_input_file(name, format))
        else:
            left_out.append(name)
    if not found:
        there = f" ({len(left_out)} have others)" if left_out else ""
        raise ActivationFlowError(f"{given}: there is no file with a known ending{there}; {_KNOWN}")
    return found, left_out


def _names_below(folder: str) -> list[str]:
    """Names of the files below a folder, relative to it, in order; links to folders are no way."""

    def refuse(problem: OSError) -> None:
        raise ActivationFlowError(
            f"{problem.filename} cannot be read: {problem.strerror}"
        ) from problem

    names: list[str] = []
    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        names.extend(
            os.path.relpath(os.path.join(here, name), folder)
            for name in files
            if not name.startswith(".")
        )
    return sorted(names, key=lambda name: Path(name).parts)


def _split(name: str) -> tuple[str, str]:
    """The ending of a file without that of its compression, and that."""
    path = Path(name.lower())
    compression = path.suffix[1:]
    if compression in COMPRESSIONS:
        return path.with_suffix("").suffix[1:], compression
    return compression, ""


def _format_of(name: str) -> str | None:
    ending, _ = _split(name)
    return ending if ending in FORMATS else None


def _is_special(name: str) -> bool:
    """Is it a pipe, a device or a socket, which must not even be opened?"""
    try:
        return not stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return False  # said when it is read


def _input_file(path: str, format: str | None) -> InputFile:
    format = format or _format_of(path)
    with reading_errors(path):
        status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ActivationFlowError(
            f"{path} is not a regular file; pipe it in and give - as the input"
        )
    if format is None:
        raise ActivationFlowError(f"{path}: its ending does not say what it is; {_KNOWN}")
    compression = _split(path)[1]
    if compression and format == "parquet":
        raise ActivationFlowError(
            f"{path}: a Parquet file is compressed inside; unpack the .{compression} file first"
        )
    return InputFile(path, format, compression, status.st_size, status.st_mtime_ns)


@contextmanager
def reading_errors(name: str) -> Iterator[None]:
    """Say of an error of the system which file it concerns."""
    try:
        yield
    except OSError as problem:
        raise ActivationFlowError(
            f"{name} cannot be read: {problem.strerror or problem}"
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


@contextmanager
def opened(source: InputFile) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked; all members of a .gz file, all frames of a .zst file.

    Raises:
        ActivationFlowError: here or while it is read: it cannot be read, or not be unpacked.
    """
    with reading_errors(source.name), open(source.path, "rb") as file:
        if not source.compression:
            yield file
            return
        try:
            with _unpacked(file, source.compression) as stream:
                yield stream
        except (OSError, EOFError, zlib.error) as problem:
            if isinstance(problem, OSError) and problem.errno:
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
    source: InputFile, begin: int = 0, end: int | None = None, first_line: int = 1
) -> Iterator[Line]:
    """The lines of a part of a file, cut at line feeds only, without the file's byte order mark.

    Args:
        source: the file; of a compressed one only the whole can be read.
        begin: first byte, which begins a line.
        end: one past the last byte of a line; None for the end of the file.
        first_line: number of the line that begins there.

    Raises:
        ActivationFlowError: the file cannot be read, or not be unpacked.
    """
    left = (source.size if end is None else end) - begin
    if left <= 0:
        return
    if source.compression:
        left = sys.maxsize
    with opened(source) as stream:
        if begin:
            stream.seek(begin)
        for number, line in enumerate(stream, first_line):
            left -= len(line)
            yield number, line if begin or number > 1 else line.removeprefix(_BOM)
            if left <= 0:
                return


def spool(folder: Path, format: str) -> InputFile:
    """Keep all of standard input in a file, so that a run over it can be resumed.

    Where it was kept before, the same must come again; it is compared, and nothing is written.

    Args:
        folder: where "standard-input.FORMAT" stands, or will.
        format: of what comes.

    Raises:
        ActivationFlowError: something else comes than before, or the file cannot be written.
    """
    if sys.stdin is None:
        raise ActivationFlowError("standard input is closed")
    path = folder / f"{_SPOOLED}.{format}"
    blocks = iter(partial(sys.stdin.buffer.read, BLOCK), b"")
    if path.exists():
        with reading_errors(str(path)), path.open("rb") as kept:
            _check_same(blocks, kept)
    else:
        with replacing(path) as temporary, temporary.open("wb") as out:
            for block in blocks:
                out.write(block)
    return _input_file(str(path), format)


def _check_same(blocks: Iterator[bytes], kept: BinaryIO) -> None:
    at = 0
    for block in blocks:
        before = kept.read(len(block))
        if before != block:
            break
        at += len(block)
    else:
        if not kept.read(1):
            return
    raise ActivationFlowError(
        f"standard input is not what it was when this run began (another after {at} bytes or soon after); "
        "pipe in the same again, or begin a new run"
    )
