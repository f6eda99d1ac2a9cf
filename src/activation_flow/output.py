"""Where results are written: a path checked before any work, a file whole or not at all."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from activation_flow.data import ActivationFlowError


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
    if not path.parent.is_dir():
        raise ActivationFlowError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ActivationFlowError(f"{path} is a folder; give the name of a file")
    return path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, which takes its place if all went well.

    Raises:
        ActivationFlowError: the file cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as problem:
        raise ActivationFlowError(
            f"{path} cannot be written: {problem.strerror or problem}"
        ) from problem
    finally:
        temporary.unlink(missing_ok=True)
