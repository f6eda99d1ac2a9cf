"""Results for people to read on a terminal: a token strip and a table; plain text for ``repr``.

Computes no statistics and reads no file. Colours, scale and marks are in picture.py.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow.data import ActivationFlowError, Ids
from activation_flow.picture import (
    HINT,
    RAMP,
    STRIPS,
    Cells,
    Picture,
    number,
    picture_of,
    shade,
    source_line,
    threshold_line,
    token_text,
    visible,
)
from activation_flow.results import StrengthResult, StrengthResults

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.text import Text

    from activation_flow.inventory import Entry

_FLAGS = "--save x.csv or --json gives all"
_GREY, _BAR = "#808080", RAMP[5]
_BAR_CELLS, _GAP = 12, 2
_ASCII = str.maketrans(
    {"τ": "tau", "‖": "|", "₂": "_2", "␣": "_", "…": "~", "◌": "o"}
    | dict.fromkeys("█▉▊▋▌", "#")
    | dict.fromkeys("▍▎▏", "-")
)


def render(results: StrengthResults, *, top: int | None = None, width: int | None = None) -> Any:
    """A ``rich`` renderable for people: strip, threshold and table of each text; legend.

    Args:
        results: drawn on one colour scale per layer.
        top: only so many tokens in each table, the strongest first.
        width: columns; all of the console if None.

    Raises:
        ActivationFlowError: top is less than 1.
    """
    if top is not None and top < 1:
        raise ActivationFlowError(f"top is {top}: give a whole number from 1")
    return _Report(picture_of(results, texts=20, tokens=60, hint=_FLAGS), top, width)


def print_terminal(results: StrengthResults, console: "Console", top: int | None = None) -> None:
    """Print on a ``rich`` console; where it has no colour, marks stand in for it."""
    console.print(render(results, top=top))


def plain(results: StrengthResults) -> str:
    """The beginning of it all, for ``__repr__``: at most 80 columns, no colour."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out, width=80, color_system=None, force_terminal=False, force_jupyter=False
    )
    shown = picture_of(results, texts=3, tokens=12, hint=HINT)
    console.print(_Report(shown, width=80, lines=4))
    body = "\n".join(line.rstrip() for line in out.getvalue().split("\n"))
    count = f"{len(results):,} {'text' if len(results) == 1 else 'texts'}"
    return f"{count}, {source_line(results)}\n\n{body.rstrip()}"


@dataclass(frozen=True)
class _Column:
    head: str
    cells: Sequence[str]
    styles: Sequence[str]
    right: bool = True

    def aligned(self) -> list[str]:
        """Head and cells; rich itself would drop the room of a mark at the right."""
        texts = [self.head, *self.cells]
        width = max(map(len, texts)) if self.right else 0
        return [text.rjust(width) for text in texts]


@dataclass(frozen=True)
class _Report:
    """The parts of a report in the order in which they are read, none wider than ``width``."""

    picture: Picture
    top: int | None = None
    width: int | None = None
    lines: int = 20
    colour: bool = False

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        from rich.segment import Segment

        width = min(self.width or options.max_width, options.max_width)
        # "tau" is longer than τ: a console that knows only ASCII keeps some room for it.
        width -= 8 if options.ascii_only and width > 40 else 0
        colour = console.color_system in ("256", "truecolor") and not console.no_color
        for part in replace(self, width=width, colour=colour)._page(width):
            for text, style, control in console.render(part, options.update(width=width)):
                if options.ascii_only:
                    text = text.translate(_ASCII).encode("ascii", "backslashreplace").decode()
                yield Segment(text, style, control)

    def _page(self, width: int) -> "Iterator[RenderableType]":
        for text, cells in self.picture.texts():
            yield from self._heading(text, cells.result, width)
            if len(cells.result.layers) <= STRIPS:
                for k in range(len(cells.result.layers)):
                    yield from self._strip(cells, k, width)
            yield from self._tables(cells, width)
        if self.picture.hidden_texts:
            hidden = f"{self.picture.hidden_texts:,} more texts not shown"
            yield self._text(f"{hidden}; {self.picture.hint}\n")
        yield from self._key()
        if self.picture.shown.errors:
            yield self._text("\nWithout a result", "bold")
        for error in self.picture.shown.errors:
            yield self._text(visible(f"text {error.text_number}: {error.reason}"))

    def _text(self, text: str, style: str = "") -> "Text":
        from rich.text import Text

        return Text(text, style if self.colour else "", overflow="fold")

    def _heading(self, place: int, result: StrengthResult, width: int) -> "Iterator[Text]":
        lead = f"text {place}: " if self.picture.several else ""
        for segment in (result.text, result.text_pair):
            if segment is not None:
                note = f" ({len(segment):,} characters)"
                # subtle: only what can be seen is looked at, so that a huge text costs nothing.
                shown = visible(segment[: width + 1]) or "(empty text)"
                if _fit(shown, width - len(lead)) != shown:
                    shown = _fit(shown, max(width - len(lead + note), 2)) + note
                yield self._text(lead + shown, "bold")
                lead = " " * len(lead)
        if result.n_windows > 1:
            yield self._text(f"read in {result.n_windows:,} overlapping windows")

    def _strip(self, cells: Cells, k: int, width: int) -> "Iterator[Text]":
        from rich.cells import cell_len

        r, done, line = cells.result, 0, self._text("")
        yield self._text("")
        for i in range(len(r)):
            piece = self._piece(cells, k, i, width)
            if line and line.cell_len + cell_len(piece.plain.rstrip()) > width:
                yield line
                line, done = self._text(""), done + 1
                if done == self.lines:
                    line = self._text(f"… {len(r) - i:,} of {len(r):,} tokens not in this strip")
                    break
            line.append_text(piece)
        yield line
        name = f"{r.provenance.layer_name(r.layers[k])}: " if len(r.layers) > 1 else ""
        yield self._text(name + threshold_line(r, k))

    def _piece(self, cells: Cells, k: int, i: int, width: int) -> "Text":
        """One token of the strip; without colour, HIGH is written as *token*."""
        token = _fit(token_text(str(cells.result.tokens[i])), min(width - 12, 40))
        high, style = cells.result.bucket[k, i] == "HIGH", self._style(cells, k, i)
        marks = "!" * bool(cells.far[k, i]) + "(nan)" * bool(np.isnan(cells.result.strength[k, i]))
        if not self.colour:
            return self._text(f"*{token}*{marks} " if high else f"{token}{marks} ")
        piece = self._text("").append(" ", style)
        piece.append(token, f"{style} bold underline" if high else style)
        return piece.append(f"{marks} ", style)

    def _style(self, cells: Cells, k: int, i: int) -> str:
        if cells.result.special[i]:
            return _GREY
        fraction = float(cells.place[k, i])
        return "italic" if np.isnan(fraction) else "{1} on {0}".format(*shade(fraction))

    def _tables(self, cells: Cells, width: int) -> "Iterator[RenderableType]":
        from rich.table import Table

        rows, note = self._rows(cells.result)
        for columns in self._layout(cells, rows, width):
            table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="")
            for column in columns:
                table.add_column(self._text(column.aligned()[0], "bold"), overflow="fold")
            cells_of = (zip(c.aligned()[1:], c.styles, strict=True) for c in columns)
            for row in zip(*cells_of, strict=True):
                table.add_row(*(self._text(*cell) for cell in row))
            yield self._text("")
            yield table
        yield self._text(f"{note}\n" if note else "")

    def _rows(self, result: StrengthResult) -> tuple[Ids, str]:
        """The tokens of the table, and what is to be said about the others."""
        if self.top is None:
            rows = np.arange(min(len(result), self.picture.tokens))
            hidden = f"{len(result) - len(rows):,} of {len(result):,} tokens not shown"
            return rows, f"… {hidden}; {self.picture.hint}" if len(rows) < len(result) else ""
        (ranked,) = np.nonzero(result.rank[0])
        rows = ranked[np.argsort(result.rank[0, ranked], kind="stable")][: self.top]
        note = f"top {len(rows):,} of {len(ranked):,} ranked tokens"
        layer = f" at {result.provenance.layer_name(result.layers[0])}"
        return rows, note + (layer if len(result.layers) > 1 else "")

    def _layout(self, cells: Cells, rows: Ids, width: int) -> list[list[_Column]]:
        """All columns if they fit; else fewer; else strengths only, in blocks of layers."""
        r, layers = cells.result, range(len(cells.result.layers))
        grey = [_GREY if r.special[i] else "" for i in rows]
        high = [r.bucket[0, i] == "HIGH" and len(layers) == 1 for i in rows]
        strong = [f"bold {style}" if up else style for up, style in zip(high, grey, strict=True)]
        tokens = [_fit(token_text(str(r.tokens[i])), min(max(width // 3, 4), 30)) for i in rows]
        index = _Column("#", [str(i) for i in rows], grey)
        token = _Column("token", tokens, strong, False)
        kind = _Column("kind", [str(r.kind[i]) for i in rows], grey, False)
        groups = [self._group(cells, rows, k, grey) for k in layers]
        bare = [[column for column in group if column.head] for group in groups]
        for lead, chosen in (([kind], groups), ([kind], bare), ([], bare)):
            columns = sum(chosen, [index, token, *lead])
            if len(layers) <= STRIPS and _width(columns) <= width:
                return [columns]
        values = [self._values(cells, rows, k, star=True) for k in layers]
        if len(layers) > STRIPS:
            index, token, kind, *values = self._with_feet(r, [index, token, kind, *values])
        fits = _width([index, token, kind, *values]) <= width
        lead = [index, token, kind] if fits else [index, token]
        room = (width - _width(lead)) // (_GAP + max(_width([value]) for value in values))
        blocks = -(-len(values) // max(1, room))
        step = -(-len(values) // blocks)
        return [[*lead, *values[a : a + step]] for a in range(0, len(values), step)]

    def _group(self, cells: Cells, rows: Ids, k: int, grey: list[str]) -> list[_Column]:
        r = cells.result
        bars = [_bar(float(cells.place[k, i])) for i in rows]
        return [
            self._values(cells, rows, k, star=False),
            *([_Column("", bars, [_BAR] * len(rows), False)] if len(r.layers) == 1 else []),
            _Column("rank", [str(r.rank[k, i] or "") for i in rows], grey),
            _Column("bucket", [str(r.bucket[k, i]) for i in rows], grey, False),
        ]

    def _values(self, cells: Cells, rows: Ids, k: int, *, star: bool) -> _Column:
        """Strengths of a layer; with a star where HIGH, if no other column says so."""
        r = cells.result
        high = [star and r.bucket[k, i] == "HIGH" for i in rows]
        marks = ["*" * up + "!" * bool(cells.far[k, i]) for up, i in zip(high, rows, strict=True)]
        slot = max(map(len, marks), default=0)
        numbers = [number(float(r.strength[k, i])) for i in rows]
        shown = [n + mark.ljust(slot) for n, mark in zip(numbers, marks, strict=True)]
        styles = [self._style(cells, k, i) if star or r.special[i] else "" for i in rows]
        styles = [style + " bold" * up for style, up in zip(styles, high, strict=True)]
        head = f"layer {r.layers[k]}" if len(r.layers) > 1 else "strength"
        return _Column(head + " " * slot, shown, styles)

    def _with_feet(self, result: StrengthResult, columns: list[_Column]) -> list[_Column]:
        """Two rows more: τ, and how many of the tokens that take part are HIGH."""
        taus = [number(float(tau)) for tau in result.threshold]
        counts = [f"{(row == 'HIGH').sum()}/{(row != '').sum()}" for row in result.bucket]
        feet = [("", ""), ("τ", "HIGH"), ("", ""), *zip(taus, counts, strict=True)]
        grown = []
        for column, foot in zip(columns, feet, strict=True):
            slot = " " * (len(column.head) - len(column.head.rstrip()))
            cells = [*column.cells, *(text + slot for text in foot)]
            grown.append(replace(column, cells=cells, styles=[*column.styles, "bold", "bold"]))
        return grown

    def _key(self) -> "Iterator[RenderableType]":
        from rich.table import Table

        grid = Table.grid(padding=(0, _GAP, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        scale, layers = self.picture.scale, len(self.picture.shown.layers)
        for mark, look, meaning in self.picture.legend:
            style = {"HIGH": "bold underline", "special": _GREY}.get(mark, "")
            shown = self._text("").append(mark, style if self.colour else None)
            if mark == "scale" and self.colour and layers == 1:
                ramp = self._text(f"{number(float(scale.low[0]))} ")
                for step in range(2 * _BAR_CELLS):
                    ramp.append(" ", f"on {shade(step / (2 * _BAR_CELLS - 1))[0]}")
                grid.add_row(shown, ramp.append(f" {number(float(scale.high[0]))}"))
                shown = self._text("")
            look = look if self.colour else ""
            if mark == "HIGH":
                strip = [look.rstrip(": ") or "*token*"] * (layers <= STRIPS)
                look = " or ".join([*strip, *["* after S"] * (layers > 1)]) + ": "
            grid.add_row(shown, self._text(look + meaning))
        if self.picture.legend:
            yield grid


def _fit(text: str, width: int) -> str:
    """The text, cut to so many columns, with … where something is missing."""
    from rich.cells import cell_len, set_cell_size

    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def _width(columns: Sequence[_Column]) -> int:
    from rich.cells import cell_len

    widest = (max(map(cell_len, [c.head, *c.cells])) for c in columns)
    return sum(widest) + _GAP * (len(columns) - 1)


def _bar(fraction: float) -> str:
    """A place on the scale as a bar; never nothing, unless the token is not on the scale.

    >>> _bar(0.0), _bar(0.55), _bar(float("nan"))
    ('▏', '██████▋', '')
    """
    if np.isnan(fraction):
        return ""
    full, part = divmod(max(1, round(fraction * _BAR_CELLS * 8)), 8)
    return "█" * full + " ▏▎▍▌▋▊▉"[part].strip()


def print_models(entries: "Sequence[Entry]", console: "Console") -> None:
    """The engine folders as a table: model, revision, engine, sizes, age, state."""
    from rich.table import Table
    from rich.text import Text

    if not entries:
        console.print(Text("No engine folders yet: the first use of a model makes one."))
        return
    table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for head in ("model", "revision", "engine"):
        table.add_column(head, overflow="fold")
    for head in ("graph MB", "compiled MB", "download MB", "age"):
        table.add_column(head, justify="right", overflow="fold")
    for entry in entries:
        sizes = [f"{size / 1e6:,.0f}" for size in (entry.graph, entry.blobs, entry.download)]
        row = [entry.model, entry.revision.split(":")[-1][:12], entry.engine, *sizes, entry.age()]
        table.add_row(*(Text(visible(cell)) for cell in row))
    console.print(table)
    for entry in entries:
        if entry.state != "ok":
            console.print(Text(visible(f"{entry.path}: {entry.state}")))
