"""What a corpus run is, in a file of its folder, so that a second start goes on or refuses.

Knows no model and computes nothing: it writes down, reads back, and compares.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from activation_flow.data import ActivationFlowError, Provenance
from activation_flow.inputs import InputFile
from activation_flow.output import BESIDE, replacing
from activation_flow.part import TEMPORARY, WORK

SCHEMA = "corpus/1"
NAME = "manifest.json"
REJECTS = "rejects.jsonl"
AGAIN = "run the same command again to go on"
NEEDED = {f.name for f in fields(Provenance)} | {"layers", "vectors", "shards", "finished"}

Manifest = dict[str, Any]


def names(files: Sequence[InputFile]) -> tuple[str, ...]:
    """What files are called in the tables: their paths from the folder that holds them all."""
    common = os.path.commonpath([os.path.dirname(file.path) for file in files])
    return tuple(
        file.name if file.name != file.path else os.path.relpath(file.path, common)
        for file in files
    )


def load(out: Path) -> Manifest | None:
    """The manifest of a run folder; None where there is none.

    Raises:
        ActivationFlowError: it cannot be read, is damaged, or is of another version.
    """
    path = out / NAME
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise ActivationFlowError(f"{path} cannot be read: {problem.strerror}") from problem
    except ValueError as problem:
        raise ActivationFlowError(f"{path} is damaged: {problem}") from problem
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema != SCHEMA:
        raise ActivationFlowError(
            f"{path} has the schema {schema!r}; this version of activation-flow reads {SCHEMA!r}"
        )
    if missing := sorted(NEEDED - {*found}):
        raise ActivationFlowError(f"{path} is damaged: {missing[0]!r} is missing")
    return dict(found)


def store(out: Path, manifest: Manifest) -> None:
    """Write the manifest, whole or not at all."""
    with replacing(out / NAME) as temporary:
        temporary.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")


def refuse_if_other(out: Path, before: Manifest, now: Manifest) -> None:
    """Refuse to go on with a run under other conditions.

    Raises:
        ActivationFlowError: it says what differs.
    """
    apart = [*_differences(before, now)]
    if apart:
        more = f" (and {len(apart) - 5} more differences)" if len(apart) > 5 else ""
        raise ActivationFlowError(
            f"{out} holds a run that was begun otherwise: {'; '.join(apart[:5])}{more}. Go on as "
            "it was begun, or give another folder"
        )


def _differences(before: Manifest, now: Manifest) -> Iterator[str]:
    yield from _other_values(before, now, {"files", "shards", "settings", "versions", "finished"})
    for group in ("settings", "versions"):
        yield from _other_values(before[group], now[group], set())
    was = {file["path"]: file for file in before["files"]}
    for file in now["files"]:
        if file["path"] not in was:
            yield f"{file['path']} is a new input"
        elif was[file["path"]] != file:
            yield f"{file['path']} was changed since"
    there = {file["path"] for file in now["files"]}
    yield from (f"{path} is no longer an input" for path in was if path not in there)
    if not was.keys() ^ there and [*was] != [file["path"] for file in now["files"]]:
        yield "the files are in another order"


def _other_values(
    before: Mapping[str, Any], now: Mapping[str, Any], without: set[str]
) -> Iterator[str]:
    for name in sorted((before.keys() | now.keys()) - without):
        if before.get(name) != now.get(name):
            yield f"{name} was {_shown(before.get(name))}, now {_shown(now.get(name))}"


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def files_of(manifest: Manifest) -> list[InputFile]:
    """The input files of a run."""
    return [InputFile(**file) for file in manifest["files"]]


def _sweep(out: Path) -> None:
    """Remove what was being written when its writer was killed."""
    for pattern in (f"{TEMPORARY}*", f"{BESIDE}*"):
        for left in [*(out / WORK).glob(pattern), *out.glob(pattern)]:
            left.unlink(missing_ok=True)  # a worker that is about to be killed removes it, too


def discard(out: Path, tables: Sequence[str]) -> None:
    """Remove a run that holds nothing; its plan last, so that until then it can go on."""
    for table in tables:
        shutil.rmtree(out / table)
    (out / NAME).unlink()


def _remove(out: Path, made: Sequence[Path]) -> None:
    """Remove the work folder, and of these folders, the innermost first, those that are empty."""
    shutil.rmtree(out / WORK, ignore_errors=True)
    with suppress(OSError):  # something of somebody else is in it
        for path in made:
            path.rmdir()


@contextmanager
def locked(out: Path) -> Iterator[bool]:
    """Keep the folder of a run for this process; a second one is refused.

    Makes the folder where there is none, and removes what a killed run or worker left unfinished.
    Folders that this call made go again if there is no plan when it ends: they hold no run.

    Yields:
        Whether this call begins the run: nothing of one was there before.

    Raises:
        ActivationFlowError: another process writes there, it cannot be written, or it holds
            something that is not a run.
    """
    from filelock import FileLock, Timeout

    made = [path for path in (out, *out.parents) if not path.exists()]
    try:
        if out.exists() and not out.is_dir():
            raise ActivationFlowError(f"{out} is a file, not a folder")
        known = (out / WORK).is_dir() or (out / NAME).exists()
        if out.is_dir() and not known and any(out.iterdir()):
            raise ActivationFlowError(
                f"{out} is not empty and holds no run; give a folder that is new or empty"
            )
        (out / WORK).mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / WORK / "lock", timeout=0)
        lock.acquire()
        _sweep(out)
    except Timeout as problem:
        raise ActivationFlowError(
            f"another process is writing into {out}; wait for it, or give another folder"
        ) from problem
    except OSError as problem:
        raise ActivationFlowError(
            f"{out} cannot be written: {problem.strerror or problem}"
        ) from problem
    try:
        yield not known
    finally:
        _sweep(out)
        if not known and not (out / NAME).exists():
            _remove(out, made)  # while we hold the lock: nobody else has begun there
        lock.release()
