"""INPUT -> files: which they are, and of what format. Reads none of them.

A folder and a pattern are searched, and standard input is kept in a file.
"""

import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from activation_flow.data import ActivationFlowError
from activation_flow.formats import FORMATS
from activation_flow.inputs import BLOCK, SPOOLED, InputFile, reading_errors
from activation_flow.output import replacing

RUN = {".work", "manifest.json", "tokens"}  # a folder that holds these is a corpus run
COMPRESSIONS = ("gz", "zst")
_KNOWN = (
    f"known are {', '.join(f'.{format}' for format in FORMATS)}, also with .gz or .zst but for "
    "Parquet; --format says what other files are"
)


def find_files(given: str, format: str | None = None) -> tuple[list[InputFile], list[str]]:
    """The files that an INPUT stands for.

    Args:
        given: a file; a folder, searched with all that is in it; or a pattern such as "a/**/*.txt".
        format: of all files, whatever their endings say; only .gz and .zst are heeded still.

    Returns:
        The files, in the order of their names, and the names of those that were left out because
        their endings are not known, or because they are pipes or devices. What is hidden, with a
        name that begins with a dot, is in neither.

    Raises:
        ActivationFlowError: there is no such file, or none whose format is known.
    """
    if format is not None and format not in FORMATS:
        raise ActivationFlowError(f"--format {format} is not one of {', '.join(FORMATS)}")
    given = os.path.expanduser(given)
    if os.path.isdir(given):
        names: Iterable[str] = (os.path.join(given, name) for name in _names_below(given))
    elif os.path.lexists(given) or not glob.has_magic(given):
        return [_found(given, format)], []
    else:
        matches = _in_order(glob.glob(given, recursive=True))
        names = (name for name in matches if not os.path.isdir(name))
    found: list[InputFile] = []
    left_out: list[str] = []
    for name in names:
        if (format or _format_of(name)) and not _is_special(name):
            found.append(_found(name, format))
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
        if {*folders, *files} >= RUN:  # what a corpus run made is no input of another
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        names.extend(
            os.path.relpath(os.path.join(here, name), folder)
            for name in files
            if not name.startswith(".")
        )
    return _in_order(names)


def _in_order(names: Iterable[str]) -> list[str]:
    """Each once, the files of a folder together."""
    return sorted(set(names), key=lambda name: Path(name).parts)


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


def _found(path: str, format: str | None) -> InputFile:
    format = format or _format_of(path)
    if any("\ud800" <= character <= "\udfff" for character in path):  # results could not name it
        raise ActivationFlowError(f"{path!a}: this name is not UTF-8; rename the file")
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
    path = folder / f"{SPOOLED}.{format}"
    blocks = iter(partial(sys.stdin.buffer.read, BLOCK), b"")
    if path.exists():
        with reading_errors(str(path)), path.open("rb") as kept:
            _check_same(blocks, kept)
    else:
        with replacing(path) as temporary, temporary.open("wb") as out:
            for block in blocks:
                out.write(block)
    return _found(str(path), format)


def _check_same(blocks: Iterator[bytes], kept: BinaryIO) -> None:
    at = 0
    for block in blocks:
        before = kept.read(len(block))
        if before != block:
            both = enumerate(zip_longest(before, block))
            at += next(k for k, (was, now) in both if was != now)
            break
        at += len(block)
    else:
        if not kept.read(1):
            return
    raise ActivationFlowError(
        f"standard input is not what it was when this run began (from byte {at + 1} on); pipe in "
        "the same again, or begin a new run"
    )
