"""The answer to a question in SQL, as a table on a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from activation_flow.picture import shortened, visible
from activation_flow.terminal import GAP, GREY, Column, Page, fit, width_of

if TYPE_CHECKING:
    from rich.console import RenderableType

ROWS = 40
_WIDEST = 40  # columns of the console, of one value


@dataclass(frozen=True, kw_only=True)
class AnswerPage(Page):
    """The first rows of an answer.

    Attributes:
        names: of its columns.
        rows: those that are shown.
        count: number of all rows.
    """

    names: Sequence[str]
    rows: Sequence[tuple[Any, ...]]
    count: int

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """As many tables as the columns need, one below the other; then what is not shown."""
        for n, columns in enumerate(self._blocks(width)):
            if n:
                yield self.text("")
            yield self.table(columns)
        if left := self.count - len(self.rows):
            yield self.text(f"… {left:,} more rows not shown; --save x.parquet or --json gives all")
        elif not self.count:
            yield self.text("0 rows")

    def _blocks(self, width: int) -> Iterator[list[Column]]:
        """Columns side by side; where they need several tables, rows are numbered."""
        columns = [self._column(k, min(_WIDEST, width)) for k in range(len(self.names))]
        if not columns or width_of(columns) <= width:
            if columns:
                yield columns
            return
        index = Column("#", [str(k) for k in range(1, len(self.rows) + 1)], [GREY] * len(self.rows))
        block = [index]
        for column in columns:
            if len(block) > 1 and width_of([*block, column]) > width:
                yield block
                block = [index]
            block.append(self._narrow(column, width - width_of([index]) - GAP))
        yield block

    def _column(self, k: int, width: int) -> Column:
        values = [row[k] for row in self.rows]
        numbers = all(isinstance(v, (int, float, Decimal)) or v is None for v in values)
        flags = any(isinstance(v, bool) for v in values)
        cells = [fit(_cell(value), width) for value in values]
        styles = [GREY if value is None else "" for value in values]
        return Column(fit(visible(self.names[k]), width), cells, styles, numbers and not flags)

    def _narrow(self, column: Column, width: int) -> Column:
        cells = [fit(cell, max(width, 1)) for cell in column.cells]
        return Column(fit(column.head, max(width, 1)), cells, column.styles, column.right)


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    return visible(shortened(str(value), 100))
