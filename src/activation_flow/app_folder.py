"""A folder for what the server writes while it runs: private, and gone with the server.

After a crash it is removed by the next server that starts.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: nothing is left to be found by a lock
    fcntl = None  # type: ignore[assignment]

PREFIX = "afn-app-"
_LOCK = "running"


@contextmanager
def private() -> Iterator[str]:
    """A folder that only this user can look into; Python's temporary files are made in it.

    Yields:
        Its path.
    """
    _clean()
    before = tempfile.tempdir
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as folder,
        open(os.path.join(folder, _LOCK), "wb") as lock,
    ):
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        tempfile.tempdir = folder
        try:
            yield folder
        finally:
            tempfile.tempdir = before


def _clean() -> None:
    """Remove the folders of servers that were killed: no process holds their lock."""
    if fcntl is None:
        return
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        # Of somebody else, or gone meanwhile, or in use.
        with suppress(OSError):
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
                continue
            with open(folder / _LOCK, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
