"""An engine folder on disk: files, checksums, locks. Knows nothing of models or engines.

Everything in a folder is listed in ``checksums.json`` with its size and its XXH3-128 (a guard
against damage, not against an attacker: whoever can write here can run code anyway). Sizes are
looked at when a folder is opened, contents when a file is used.
"""

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from activation_flow.data import ActivationFlowError

log = logging.getLogger("activation_flow")

CHECKSUMS = "checksums.json"
META = "engine.json"
UNFINISHED = ".new-"  # before the name of a folder that is being made
BLOBS = "blobs/"  # before the names of files that fit one kind of machine only

Packed = dict[str, tuple[str, np.ndarray]]  # name of a file: (its checksum, its content)


class Damaged(Exception):
    """A file of an engine folder is missing, truncated or altered."""


def cache_root() -> Path:
    """AFN_CACHE, else the user's cache folder (XDG_CACHE_HOME honoured)."""
    if own := os.environ.get("AFN_CACHE"):
        return Path(own).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "activation-flow"


def engines() -> Path:
    """Where engine folders are kept; the name of each is its key."""
    return cache_root() / "engines"


def hash_file(path: Path) -> str:
    """XXH3-128 of a file's content, as hexadecimal digits."""
    import xxhash

    state = xxhash.xxh3_128()
    with path.open("rb", buffering=0) as file:
        while block := file.read(1 << 22):
            state.update(block)
    return str(state.hexdigest())


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock beside ``path``; a second process waits, and says so."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{path}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=1)
    except Timeout:
        log.info("waiting: another process is preparing the same model")
        lock.acquire()
    except OSError as problem:
        raise ActivationFlowError(
            f"the cache folder {path.parent} cannot be written ({problem.strerror}); "
            "set AFN_CACHE to a folder of yours"
        ) from problem
    try:
        yield
    finally:
        lock.release()


def write_json(path: Path, value: object) -> None:
    """Write a small file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(temporary, path)


class EngineFolder:
    """A finished engine folder.

    Attributes:
        path: where it is.
        meta: what ``engine.json`` says of the model.
    """

    def __init__(self, path: Path):
        """Open a folder.

        Raises:
            Damaged: a listed file is missing or has another size, or the metadata is altered.
            FileNotFoundError: there is no such folder.
        """
        self.path = path
        self._seen: set[str] = set()
        if not path.is_dir():
            raise FileNotFoundError(path)
        try:
            self._checksums = json.loads((path / CHECKSUMS).read_bytes())
            for name, (size, _) in self._checksums.items():
                if (path / name).stat().st_size != size:
                    raise Damaged(f"{name} has another size")
        except (OSError, ValueError, TypeError, AttributeError) as problem:
            raise Damaged(str(problem)) from problem
        self.meta: dict[str, Any] = json.loads(self.file(META).read_bytes())

    def has(self, name: str) -> bool:
        """True if the folder lists this file."""
        return name in self._checksums

    def file(self, name: str) -> Path:
        """The path of a file whose content has been checked.

        Raises:
            Damaged: the content is not what was written.
        """
        path = self.path / name
        if name not in self._seen:
            try:
                if hash_file(path) != self._checksums[name][1]:
                    raise Damaged(f"{name} was altered")
            except (OSError, KeyError) as problem:
                raise Damaged(f"{name} is missing") from problem
            self._seen.add(name)
        return path

    def checksum(self, name: str) -> str:
        """What the content of a file must have; "" if the folder does not list it."""
        return str(self._checksums.get(name, (0, ""))[1])

    def check(self) -> None:
        """Check the content of every file.

        Raises:
            Damaged: one of them is not what was written.
        """
        for name in self._checksums:
            self.file(name)

    def add(self, name: str, write: Callable[[Path], None]) -> None:
        """Add a file; ``write`` gets a temporary path. The lock is held meanwhile."""
        with locked(self.path):
            if not self.path.is_dir():  # cleared meanwhile by another process
                return
            path = self.path / name
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                write(temporary)
                entry = [temporary.stat().st_size, hash_file(temporary)]
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
            # Read again: another process may have added its own file since we opened.
            self._checksums = {**json.loads((self.path / CHECKSUMS).read_bytes()), name: entry}
            write_json(self.path / CHECKSUMS, self._checksums)
            self._seen.add(name)

    def pack(self) -> Packed:
        """All files that fit any machine, for ``unpack`` on another one.

        Raises:
            Damaged: the content of one is not what was written.
        """
        self._seen.clear()  # checked long ago, perhaps
        names = [name for name in self._checksums if not name.startswith(BLOBS)]
        return {name: (self.checksum(name), _content(self.file(name))) for name in names}

    def size(self, prefix: str = "") -> int:
        """Bytes in all files whose name begins with ``prefix``."""
        return sum(size for n, (size, _) in self._checksums.items() if n.startswith(prefix))


def create(path: Path, fill: Callable[[Path], dict[str, Any]]) -> EngineFolder:
    """Make a folder in a temporary place, then rename it. The caller holds the lock.

    Args:
        path: where the folder is to be; one that is there already is replaced.
        fill: writes the files into the folder it is given and returns the metadata.
    """
    with _made(path) as into:
        meta = {**fill(into), "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        write_json(into / META, meta)
        files = sorted(f for f in into.rglob("*") if f.is_file())
        names = {f.relative_to(into).as_posix(): f for f in files}
        write_json(
            into / CHECKSUMS,
            {name: [f.stat().st_size, hash_file(f)] for name, f in names.items()},
        )
    return EngineFolder(path)


def unpack(path: Path, packed: Packed) -> EngineFolder:
    """Make a folder of what another one was packed into. The caller holds the lock.

    Raises:
        Damaged: what was written is not what was packed.
    """
    with _made(path) as into:
        for name, (_, content) in packed.items():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            content.tofile(into / name)
        listed = {name: [content.nbytes, known] for name, (known, content) in packed.items()}
        write_json(into / CHECKSUMS, listed)
        EngineFolder(into).check()
    return EngineFolder(path)


@contextmanager
def _made(path: Path) -> Iterator[Path]:
    """A temporary folder, which gets this path when it is filled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # One left by a killed process has this name too: the lock is ours, so it may go.
    temporary = path.with_name(f"{UNFINISHED}{path.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():
            shutil.rmtree(path)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _content(path: Path) -> np.ndarray:
    """The bytes of a file, mapped: they may be more than fit into memory twice."""
    if not path.stat().st_size:  # cannot be mapped
        return np.empty(0, np.uint8)
    return np.asarray(np.memmap(path, np.uint8, mode="r"))
