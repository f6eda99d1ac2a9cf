"""Where results are written: a path checked before any work, a file whole or not at all."""

import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from activation_flow.data import ActivationFlowError

# What is told as a whole, an audit or a run: its document, its main table, its page, its picture.
TOLD = (".json", ".csv", ".parquet", ".html")
WHOLE = (*TOLD, ".png", ".svg")
BESIDE = ".afn-"  # before the name of a file that is being written


def check_path(path: str | Path, endings: Sequence[str]) -> Path:
    """Refuse a path that could not be written, before any work is done.

    Args:
        path: of the file.
        endings: those that can be written.

    Raises:
        ActivationFlowError: another ending, or there is no such folder.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in endings:
        raise ActivationFlowError(
            f"{path}: cannot tell what to write from the ending {path.suffix!r}; it must be one "
            f"of {', '.join(endings)}"
        )
    try:
        if not path.parent.is_dir():
            raise ActivationFlowError(f"{path}: there is no folder {path.parent}; make it first")
        if path.is_dir():
            raise ActivationFlowError(f"{path} is a folder; give the name of a file")
        temporary = _beside(path)
        temporary.touch()
        temporary.unlink()
    except OSError as problem:
        raise _cannot_write(path, problem) from problem
    return path


def check_folder(path: str | Path) -> Path:
    """Refuse a folder into which nothing could be written, before any work is done.

    It need not be there yet, but its parent must.

    Raises:
        ActivationFlowError: it is a file, its parent is missing, or it cannot be written.
    """
    path = Path(path).expanduser()
    try:
        if path.exists() and not path.is_dir():
            raise ActivationFlowError(f"{path} is a file; give the name of a folder")
        if not path.is_dir() and not path.absolute().parent.is_dir():
            raise ActivationFlowError(f"{path}: there is no folder {path.parent}; make it first")
        temporary = _beside((path if path.is_dir() else path.absolute().parent) / "x")
        temporary.touch()
        temporary.unlink()
    except OSError as problem:
        raise _cannot_write(path, problem) from problem
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, which takes its place if all went well.

    Raises:
        ActivationFlowError: the file cannot be written.
    """
    temporary = _beside(path)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # whole on the disk before it has its name
        os.replace(temporary, path)
    except OSError as problem:
        raise _cannot_write(path, problem) from problem
    finally:
        temporary.unlink(missing_ok=True)


def write_json(document: object, path: Path) -> None:
    """One document and a line end; what JSON has no form for, NaN, is an error of the caller's."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _beside(path: Path) -> Path:
    """A name that nothing else has, and that is never too long."""
    return path.with_name(f"{BESIDE}{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}")


def _cannot_write(path: Path, problem: OSError) -> ActivationFlowError:
    return ActivationFlowError(f"{path} cannot be written: {problem.strerror or problem}")


class Told(Protocol):
    """A document and a table of one thing."""

    def to_dict(self) -> dict[str, Any]: ...  # noqa: D102
    def to_arrow(self) -> Any: ...  # noqa: D102


class Whole(Told, Protocol):
    """A document, a table and a picture of one thing."""

    def chart(self) -> Any: ...  # noqa: D102


def save_whole(found: Whole, path: str | Path, page: Callable[[], str]) -> None:
    """Write the document to .json, the table to .csv or .parquet, pictures to .html .png .svg.

    Args:
        found: what is written.
        path: of the file.
        page: makes the page, if it is that which is asked for.

    Raises:
        ActivationFlowError: unknown ending, missing folder, or the file cannot be written.
    """
    path = check_path(path, WHOLE)
    if path.suffix.lower() in TOLD:
        save_told(found, path, page)
        return
    from activation_flow import drawing

    with replacing(path) as temporary:
        drawing.save(found.chart(), temporary)


def save_told(found: Told, path: str | Path, page: Callable[[], str]) -> None:
    """Write the document to .json, the table to .csv or .parquet, the page to .html.

    Args:
        found: what is written.
        path: of the file.
        page: makes the page, if it is that which is asked for.

    Raises:
        ActivationFlowError: unknown ending, missing folder, or the file cannot be written.
    """
    path = check_path(path, TOLD)
    with replacing(path) as temporary:
        match path.suffix.lower():
            case ".json":
                write_json(found.to_dict(), temporary)
            case ".csv":
                from pyarrow import csv

                csv.write_csv(found.to_arrow(), temporary)
            case ".parquet":
                from pyarrow import parquet

                parquet.write_table(found.to_arrow(), temporary, compression="zstd")
            case _:
                temporary.write_text(page(), encoding="utf-8")
