"""The part files of one shard: written block by block, whole or not at all.

They get their names when all of them are whole, the one of the layout's last table last: so a
shard is done when that file is there. pyarrow is imported only where it is used.
"""

import json
import os
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from activation_flow.part_tables import Layout, Row
from activation_flow.table_columns import HEAD

WORK = ".work"  # folder of a run for files that are not finished
TEMPORARY = "unfinished-"  # before the name of a file that is being written
COUNTS = "activation_flow_counts"  # of the metadata


class PartWriter:
    """The part files of one shard, written block by block; whole when ``finish`` returns.

    As a context it leaves nothing behind where ``finish`` was not reached.
    """

    def __init__(self, out: Path, shard: int, layout: Layout, head: dict[str, Any]):
        """Opens temporary files.

        Args:
            out: folder of the run.
            shard: its number.
            layout: what the tables hold.
            head: what stands in the metadata of every file.
        """
        from pyarrow import parquet

        self._out, self._shard, self._layout = out, shard, layout
        self._stack = ExitStack()
        self._rejects = self._temporary("jsonl")
        self._told = self._stack.enter_context(self._rejects.open("w", encoding="utf-8"))
        self._files: dict[str, Path] = {}
        self._writers: dict[str, Any] = {}
        self._waiting: dict[str, list[Any]] = {}
        for name, fields in layout.schemas().items():
            self._files[name] = self._temporary("parquet")
            self._writers[name] = parquet.ParquetWriter(
                self._files[name],
                fields.with_metadata({HEAD: _head(head, name, shard)}),
                compression="zstd",
                use_dictionary=[f.name for f in fields if f.name not in layout.unique],
            )
            self._stack.callback(self._writers[name].close)

    def _temporary(self, ending: str) -> Path:
        path = self._out / WORK / f"{TEMPORARY}{self._shard:05d}-{uuid.uuid4().hex[:8]}.{ending}"
        self._stack.callback(path.unlink, missing_ok=True)
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def write(self, rows: Sequence[Row], rejects: Sequence[dict[str, Any]]) -> None:
        """Append some rows of the input, good and bad."""
        if rows:
            for name, table in self._layout.filled(rows).items():
                waiting = self._waiting.setdefault(name, [])
                waiting.append(table)
                if sum(map(len, waiting)) >= self._layout.group_rows[name]:
                    self._write_group(name)
        for reject in rejects:
            self._told.write(json.dumps(reject, ensure_ascii=False) + "\n")

    def _write_group(self, name: str) -> None:
        """Small row groups would be slow to read, and their number would grow with the shard."""
        import pyarrow as pa

        if waiting := self._waiting.pop(name, []):
            self._writers[name].write_table(pa.concat_tables(waiting))

    def finish(self, counts: dict[str, int]) -> None:
        """Close the files and give them their names; ``counts`` go into their metadata."""
        self._told.close()
        for name in self._layout.tables:
            self._write_group(name)
        for writer in self._writers.values():
            writer.add_key_value_metadata({COUNTS: json.dumps(counts)})
            writer.close()
        if counts["rejects"]:
            _put(self._rejects, rejects_path(self._out, self._shard))
        for name in self._layout.tables:
            _put(self._files[name], part_path(self._out, name, self._shard))


def part_path(out: Path, table: str, shard: int) -> Path:
    """Where the part of a shard is."""
    return out / table / f"part-{shard:05d}.parquet"


def rejects_path(out: Path, shard: int) -> Path:
    """Where the rejects of a shard are until the run is finished."""
    return out / WORK / f"rejects-{shard:05d}.jsonl"


def _put(temporary: Path, path: Path) -> None:
    """Rename a file that is on the disk, not only on its way there."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def _head(head: dict[str, Any], table: str, shard: int) -> str:
    return json.dumps({**head, "table": table, "shard": shard})


def counts_of(out: Path, layout: Layout, shard: int, head: dict[str, Any]) -> dict[str, int] | None:
    """What ``finish`` was given, if the shard is done: all its parts are there and belong to it.

    A part that was removed, damaged or put there by others makes the shard one that is not done.
    """
    from pyarrow import ArrowException, parquet

    found = None
    for name in layout.tables:
        try:
            metadata = parquet.read_metadata(part_path(out, name, shard)).metadata or {}
            counts: dict[str, int] = json.loads(metadata[COUNTS.encode()])
            if metadata[HEAD.encode()].decode() != _head(head, name, shard):
                return None
        except (OSError, ArrowException, KeyError, ValueError):
            return None
        if found not in (None, counts):
            return None
        found = counts
    if found is not None and found["rejects"] and not rejects_path(out, shard).is_file():
        return None
    return found
