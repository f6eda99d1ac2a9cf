"""A reproduction of the paper on a terminal: section by section, verdicts counted at the end.

Computes nothing; the order is that of paper_sections, the layout that of terminal.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activation_flow import paper_sections as text
from activation_flow import terminal
from activation_flow.paper import VERDICTS, PaperTable, Row, Value, number_of, published
from activation_flow.paper_sections import Section
from activation_flow.picture import model_line, visible
from activation_flow.result_reproduction import Reproduction
from activation_flow.terminal import GREY, Column, Page, fit, packed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Verdicts are words; colour only helps to find them.
STYLES = {
    "arithmetic ok": "green",
    "matches": "green",
    "differs": "yellow",
    "contradicts itself": "bold red",
}
# Where the rest is, for the command and for ``repr``.
_MORE = (
    "Every row: --rows, --json, or rows.csv in the folder of --out",
    ".rows, .to_pandas() and .save('report.html') give all",
)
_NOTE = 3  # lines of a note, at most; all of it is in --json and files
_VERDICT, _DIFFERENCE, _VALUE = 13, 10, 22  # columns of the console, at most


@dataclass(frozen=True, kw_only=True)
class ReproductionPage(Page):
    """A report of a reproduction.

    Attributes:
        found: what is reported.
        rows: list every row; else only tables, what was counted over a corpus, and what does not
            hold.
        brief: the verdicts only, counted.
    """

    found: Reproduction
    rows: bool = False
    brief: bool = False

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """Whose numbers these are, each section, the verdicts counted."""
        about = published()["paper"]
        yield self.text(f"{about['title']} (arXiv {about['arxiv']})", "bold")
        yield self.text(visible(text.title_line(self.found)))
        if self.found.provenance is not None:
            yield self.text(model_line(self.found.provenance, self.found.layers))
        for section in text.sections(self.found):
            if self.rows or (not self.brief and (section.side_by_side or section.counted)):
                yield from self._section(section, width)
        if not self.brief:
            yield from self._wrong(width)
        yield from self._counts()
        if not self.rows:
            yield self.text(f"\n{_MORE[self.brief]}")

    def _wrong(self, width: int) -> "Iterator[RenderableType]":
        """What does not hold, and why."""
        for verdict in text.WRONG:
            rows = text.wrong(self.found, verdict)
            if rows:
                yield self.text(f"\n{verdict[0].upper()}{verdict[1:]}", "bold")
            for title, row in rows:
                lead = "" if row.what.startswith(title) else f"{title}: "
                both = f"{text.paper_text(row)} | {text.ours_text(row)}"
                yield self.text(visible(f"{lead}{row.what}: {both} ({row.place})"))
                if row.note:
                    yield self.text(f"  {fit(visible(row.note), _NOTE * width - 2)}", GREY)

    def _section(self, section: Section, width: int) -> "Iterator[RenderableType]":
        table = section.table
        yield self.text(f"\n{section.heading}", "bold")
        yield self.text(section.sentence)
        if table is not None:
            yield self.text(table.title, GREY)
            if section.side_by_side:
                yield from self._table(table, width)
        if self.rows or section.counted:
            yield self.text("")
            yield self._rows(section.rows, width)

    def _rows(self, rows: tuple[Row, ...], width: int) -> Any:
        """What, the paper's, ours, difference, verdict; a note below where it is needed."""
        from rich.table import Table

        wide = min(_VALUE, (width - _VERDICT - _DIFFERENCE - 8) // 4)
        what = width - _VERDICT - _DIFFERENCE - 2 * wide - 8
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="")
        heads = ("", "paper", "ours", "difference", "verdict")
        widths = (what, wide, wide, _DIFFERENCE, _VERDICT)
        for head, columns in zip(heads, widths, strict=True):
            table.add_column(self.text(head, "bold"), width=columns, overflow="fold")
        for row in rows:
            table.add_row(
                self.text(visible(row.what)),
                self.text(text.paper_text(row)),
                self.text(visible(text.ours_text(row))),
                self.text(text.difference_text(row)),
                self.text(row.verdict, STYLES.get(row.verdict, GREY)),
            )
        return table

    def _table(self, table: PaperTable, width: int) -> "Iterator[RenderableType]":
        """The paper's columns and ours, in as many tables as the width asks for."""
        shown = text.shown(table)
        tokens = [name for name in shown if name.startswith("token")]
        lead = [_column(name, shown[name], max(width // 4, 8)) for name in tokens]
        values = [_column(name, shown[name], width) for name in shown if name not in tokens]
        for columns in packed(lead, values, width):
            yield self.text("")
            yield self.table(columns)

    def _counts(self) -> "Iterator[RenderableType]":
        """How many rows have each verdict, and what it means."""
        from rich.table import Table

        counts = self.found.counts
        n = len(self.found.rows)
        yield self.text(f"\nVerdicts of {n:,} rows", "bold")
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(justify="right")
        grid.add_column()
        grid.add_column()
        for verdict, count in counts.items():
            name = self.text(verdict, STYLES.get(verdict, GREY))
            grid.add_row(self.text(f"{count:,}"), name, self.text(VERDICTS[verdict]))
        yield grid


def _column(name: str, values: Sequence[Value], room: int) -> Column:
    """A column of a table; numbers at its right."""
    cells = [fit(visible(text.cell_text(value)), room) for value in values]
    words = any(isinstance(value, str) and number_of(value) is None for value in values)
    return Column(name.replace("_", " "), cells, [""] * len(cells), right=not words)


def print_terminal(found: Reproduction, console: "Console", *, rows: bool = False) -> None:
    """The report; with ``rows``, all of it."""
    console.print(ReproductionPage(found=found, rows=rows))


def plain(found: Reproduction, width: int = 100) -> str:
    """The verdicts, counted, as text for ``repr``."""
    return terminal.plain(ReproductionPage(found=found, width=width, brief=True))
