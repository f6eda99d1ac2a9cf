"""What all reports on a terminal are made of: a page, columns that fit, bars, legend, plain ASCII.

Knows widths, colours and consoles; which numbers are shown, and where, is said by the reports.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow.picture import (
    RAMP,
    Legend,
    failure_lines,
    number,
    reading_note,
    shade,
    visible,
)
from activation_flow.result_hidden import HiddenStates
from activation_flow.results import Results, StrengthResult

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

GREY, BAR = "#808080", RAMP[5]
BAR_CELLS, GAP = 12, 2
_ASCII = str.maketrans(
    {"τ": "tau", "‖": "|", "₂": "_2", "␣": "_", "…": "~", "◌": "o"}
    | {"Δ": "D", "→": ">", "−": "-", "≥": ">=", "γ": "gamma", "β": "beta", "²": "^2"}
    | {"–": "-", "’": "'", "×": "x", "√": "sqrt "}
    | dict.fromkeys("█▉▊▋▌", "#")
    | dict.fromkeys("▍▎▏", "-")
)


@dataclass(frozen=True)
class Column:
    """A column of a table: its head, and the text and style of each cell.

    The first ``bare`` letters of a cell have no style.
    """

    head: str
    cells: Sequence[str]
    styles: Sequence[str]
    right: bool = True
    bare: int = 0

    def aligned(self) -> list[str]:
        """Head and cells; rich itself would drop the room of a mark at the right."""
        texts = [self.head, *self.cells]
        width = max(map(len, texts)) if self.right else 0
        return [text.rjust(width) for text in texts]


@dataclass(frozen=True, kw_only=True)
class Page:
    """The parts of a report in the order in which they are read, none wider than ``width``.

    Attributes:
        width: columns; all of the console if None.
        colour: False where there is none, and marks stand in for it; the console decides.
    """

    width: int | None = None
    colour: bool = False

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """What is printed, one below the other."""
        raise NotImplementedError

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.segment import Segment

        width = min(self.width or options.max_width, options.max_width)
        # "tau" is longer than τ: a console that knows only ASCII keeps some room for it.
        width -= 8 if options.ascii_only and width > 40 else 0
        colour = console.color_system in ("256", "truecolor") and not console.no_color
        for part in replace(self, width=width, colour=colour).parts(width):
            for text, style, control in console.render(part, options.update(width=width)):
                if options.ascii_only:
                    text = text.translate(_ASCII).encode("ascii", "backslashreplace").decode()
                yield Segment(text, style, control)

    def text(self, text: str, style: str = "") -> "Text":
        """A text that breaks anywhere; its style only where there is colour."""
        from rich.text import Text

        return Text(text, style if self.colour else "", overflow="fold")

    def heading(
        self, lead: str, text: StrengthResult | HiddenStates, width: int
    ) -> "Iterator[Text]":
        """A text, shortened to one line each segment, and how it was read if it was long."""
        segments = [text.text] if text.text_pair is None else [text.text, text.text_pair]
        yield from self.quoted(lead, segments, width)
        if note := reading_note(text):
            yield self.text(note)

    def quoted(self, lead: str, segments: Sequence[str], width: int) -> "Iterator[Text]":
        """A text, shortened to one line each segment."""
        for segment in segments:
            note = f" ({len(segment):,} characters)"
            # subtle: only what can be seen is looked at, so that a huge text costs nothing.
            shown = visible(segment[: width + 1]) or "(empty text)"
            if fit(shown, width - len(lead)) != shown:
                shown = fit(shown, max(width - len(lead + note), 2)) + note
            yield self.text(lead + shown, "bold")
            lead = " " * len(lead)

    def table(self, columns: Sequence[Column]) -> Any:
        """Columns side by side, their heads in bold."""
        from rich.table import Table

        table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="")
        for column in columns:
            table.add_column(self.text(column.aligned()[0], "bold"), overflow="fold")
        for row in zip(*map(self._cells, columns), strict=True):
            table.add_row(*row)
        return table

    def _cells(self, column: Column) -> "Iterator[Text]":
        for cell, style in zip(column.aligned()[1:], column.styles, strict=True):
            # subtle: the style of a whole Text would be that of the room beside it, too.
            text = self.text(cell[: column.bare])
            yield text.append(cell[column.bare :], style if self.colour else None)

    def legend(
        self, legend: Legend, looks: Mapping[str, str], ends: tuple[float, float] | None
    ) -> "Iterator[RenderableType]":
        """Mark and meaning, line by line.

        Args:
            legend: of the picture.
            looks: how a mark looks without colour.
            ends: of the scale, which is drawn where there is colour; None if there are several.
        """
        from rich.table import Table

        grid = Table.grid(padding=(0, GAP, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for mark, look, meaning in legend:
            style = {"HIGH": "bold underline", "special": GREY}.get(mark, "")
            shown = self.text("").append(mark, style if self.colour else None)
            if mark == "scale" and self.colour and ends:
                grid.add_row(shown, self._ramp(*ends))
                shown = self.text("")
            look = looks.get(mark, look if self.colour else "")
            grid.add_row(shown, self.text(look + meaning))
        if legend:
            yield grid

    def _ramp(self, low: float, high: float) -> "Text":
        ramp = self.text(f"{number(low)} ")
        for step in range(2 * BAR_CELLS):
            ramp.append(" ", f"on {shade(step / (2 * BAR_CELLS - 1))[0]}")
        return ramp.append(f" {number(high)}")

    def errors(self, results: Results[Any]) -> "Iterator[Text]":
        """The texts, or pairs of texts, without a result."""
        if results.errors:
            yield self.text("\nWithout a result", "bold")
        for line in failure_lines(results):
            yield self.text(visible(line))


def plain(page: Page) -> str:
    """A page as text for ``repr``: as wide as it says, no colour, no line end at its end."""
    import io

    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out, width=page.width, color_system=None, force_terminal=False, force_jupyter=False
    )
    console.print(page)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n")).rstrip()


def fit(text: str, width: int) -> str:
    """The text, cut to so many columns, with … where something is missing."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def width_of(columns: Sequence[Column]) -> int:
    """Columns of the console that a table takes."""
    from rich.cells import cell_len

    widest = (max(map(cell_len, [c.head, *c.cells])) for c in columns)
    return sum(widest) + GAP * (len(columns) - 1)


def blocks(lead: list[Column], values: Sequence[Column], width: int) -> list[list[Column]]:
    """The values in as many tables as the width asks for, each with the lead at its left."""
    room = (width - width_of(lead)) // (GAP + max(width_of([value]) for value in values))
    count = -(-len(values) // max(1, room))
    step = -(-len(values) // count)
    return [[*lead, *values[a : a + step]] for a in range(0, len(values), step)]


def packed(lead: list[Column], values: Sequence[Column], width: int) -> "Iterator[list[Column]]":
    """The same where widths differ much: each table takes as many values as fit, at least one."""
    table = [*lead]
    for value in values:
        if len(table) > len(lead) and width_of([*table, value]) > width:
            yield table
            table = [*lead]
        table.append(value)
    yield table


def bar(fraction: float, cells: int = BAR_CELLS) -> str:
    """A place on the scale as a bar; never nothing, unless the token is not on the scale.

    >>> bar(0.0), bar(0.55), bar(float("nan"))
    ('▏', '██████▋', '')
    """
    if np.isnan(fraction):
        return ""
    full, part = divmod(max(1, round(fraction * cells * 8)), 8)
    return "█" * full + " ▏▎▍▌▋▊▉"[part].strip()
