"""The tables of a corpus run, whatever is measured: rows, what every table has, columns -> Arrow.

No file. What the tables hold stands in part_strengths.py and part_shifts.py. pyarrow is imported
only where it is used.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from activation_flow.analysis import Buckets
from activation_flow.table_columns import Columns

if TYPE_CHECKING:
    import pyarrow

# Of every run: which text a row is about, and at which layer.
TEXT_ID = ("int64", "number of the file times 10^12, and the line (of Parquet: row) from 1")
LAYER = ("int32", "0 = embeddings, k = output of block k")
PLACE: Columns = {
    "id": ("string", "the input's own id"),
    "file": ("few", "file of the input"),
    "line": ("int64", "line on which the text begins, of Parquet its row, from 1"),
}


@dataclass(frozen=True)
class Row:
    """A row of the input, and what was found.

    Attributes:
        text_id: its number in the run.
        id: the input's own.
        file: where it is from.
        line: where it begins there.
        found: what the tables say about it; its type is the layout's.
    """

    text_id: int
    id: str | None
    file: str
    line: int
    found: Any


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the tables of a run hold.

    Attributes:
        layers: those that are measured.
        buckets: how HIGH is decided.
        keep_text: write the texts themselves.
        ids: the input has ids of its own.
    """

    layers: tuple[int, ...]
    buckets: Buckets
    keep_text: bool = False
    ids: bool = False

    # Columns whose values hardly repeat: a dictionary of them would be larger than they are.
    unique: ClassVar[frozenset[str]]
    # Of a row group, at least; what waits for it in small pieces keeps memory from being used
    # again.
    group_rows: ClassVar[Mapping[str, int]]

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, in the order in which their parts are renamed.

        The part of the last one says that a shard is done.
        """
        raise NotImplementedError

    @property
    def head(self) -> dict[str, Any]:
        """What the manifest says of it, beside the layers."""
        return {"vectors": [], "tables": [*self.tables]}

    def schemas(self) -> "dict[str, pyarrow.Schema]":
        """Of every table that is written."""
        raise NotImplementedError

    def columns(self, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
        """The columns of every table, at least those of its schema."""
        raise NotImplementedError

    def with_input(self, *, ids: bool, tags: bool) -> Self:
        """The same, for an input that has ids, or tags, of its own."""
        return replace(self, ids=ids)

    def filled(self, rows: Sequence[Row]) -> "dict[str, pyarrow.Table]":
        """The rows that some texts, at least one, have in every table."""
        import pyarrow as pa

        made = self.columns(rows)
        return {
            name: pa.table([made[name][field.name] for field in schema], schema=schema)
            for name, schema in self.schemas().items()
        }


def by_row(values: np.ndarray) -> np.ndarray:
    """[layers tokens] (or texts) in the order of the rows: token by token, the layers of each."""
    return values.T.ravel()


def known(values: np.ndarray, unknown: np.ndarray) -> Any:
    """The same as a column, null where it is unknown."""
    import pyarrow as pa

    return pa.array(by_row(values), mask=by_row(unknown))


def without_nan(values: np.ndarray) -> Any:
    """The same as a column, null where it is NaN."""
    return known(values, np.isnan(values))


def words(values: np.ndarray, depth: int, null: str | None = "") -> Any:
    """Strings as a dictionary, each ``depth`` times; one of them stands for null."""
    import pyarrow as pa

    mask = None if null is None else values == null
    found = pa.array(values, pa.string(), mask=mask).dictionary_encode()
    return found if depth == 1 else found.take(np.repeat(np.arange(len(values)), depth))


def places(rows: Sequence[Row], times: Sequence[int]) -> dict[str, Any]:
    """Which row of the input it is, each so many times."""
    files = np.array([row.file for row in rows], dtype=object)
    return {
        "text_id": np.repeat([row.text_id for row in rows], times),
        "id": repeated([row.id for row in rows], times),
        "file": words(np.repeat(files, times), 1),
        "line": np.repeat([row.line for row in rows], times),
    }


def repeated(values: Sequence[Any], times: Sequence[int]) -> list[Any]:
    """Each value so many times."""
    return [value for value, n in zip(values, times, strict=True) for _ in range(n)]
