"""Strengths on a terminal: a token strip and a table of each text; with layers, where kinds stand.

Computes no statistics. Colours, scale and marks are in picture.py, the layout in terminal.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids
from activation_flow.picture import (
    KINDS_NOTE,
    KINDS_TITLE,
    STRIPS,
    Cells,
    Picture,
    number,
    shade,
    threshold_line,
    token_text,
)
from activation_flow.results import StrengthResult
from activation_flow.terminal import BAR, GREY, Column, Page, bar, blocks, fit, width_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

FOUND = (">", "<")  # around a token that somebody looked for


@dataclass(frozen=True, kw_only=True)
class StrengthPage(Page):
    """A report of strengths.

    Attributes:
        picture: what is drawn.
        top: only so many tokens in each table, the strongest first.
        lines: of a strip, at most.
    """

    picture: Picture
    top: int | None = None
    lines: int = 20

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """Texts, kinds of token, legend, errors."""
        picture = self.picture
        for n, cells in picture.texts():
            lead = f"text {n}: " if picture.several else ""
            yield from self.heading(lead, cells.result, width)
            if len(cells.result.layers) <= STRIPS:
                for k in range(len(cells.result.layers)):
                    yield from self.strip(cells, k, width)
            yield from self._tables(cells, width)
        if picture.hidden_texts:
            yield self.text(f"{picture.hidden_texts:,} more texts not shown; {picture.hint}\n")
        yield from self._kinds(width)
        low, high = picture.scale.low, picture.scale.high
        ends = (float(low[0]), float(high[0])) if len(low) == 1 else None
        yield from self.legend(picture.legend, {"HIGH": self._high()}, ends)
        yield from self.errors(picture.shown)

    def _high(self) -> str:
        """How HIGH looks: in a strip, in a table of layers."""
        layers = len(self.picture.shown.layers)
        strip = ["bold, underlined" if self.colour else "*token*"] * (layers <= STRIPS)
        return " or ".join([*strip, *["* after S"] * (layers > 1)]) + ": "

    def _kinds(self, width: int) -> "Iterator[RenderableType]":
        """Kinds by layers, with the colours of percentiles."""
        rows, layers = self.picture.kinds, self.picture.shown.layers
        if not rows:
            return
        yield self.text(KINDS_TITLE, "bold")
        yield self.text(KINDS_NOTE)
        plain = [""] * len(rows)
        kind = Column("kind", [name for name, _, _ in rows], plain, False)
        n = Column("n", [f"{count:,}" for _, count, _ in rows], plain)
        columns = []
        for k, layer in enumerate(layers):
            values = [places[k] for _, _, places in rows]
            styles = ["{1} on {0}".format(*shade(value / 100)) for value in values]
            columns.append(Column(f"layer {layer}", [f"{v:.1f}" for v in values], styles))
        for block in blocks([kind, n], columns, width):
            yield self.text("")
            yield self.table(block)
        yield self.text("")

    def strip(self, cells: Cells, k: int, width: int) -> "Iterator[Text]":
        """The tokens of a text in reading order, and τ below them."""
        from rich.cells import cell_len

        r, done, line = cells.result, 0, self.text("")
        yield self.text("")
        for i in range(len(r)):
            piece = self._piece(cells, k, i, width)
            if line and line.cell_len + cell_len(piece.plain.rstrip()) > width:
                yield line
                line, done = self.text(""), done + 1
                if done == self.lines:
                    line = self.text(f"… {len(r) - i:,} of {len(r):,} tokens not in this strip")
                    break
            line.append_text(piece)
        yield line
        name = f"{r.provenance.layer_name(r.layers[k])}: " if len(r.layers) > 1 else ""
        yield self.text(name + threshold_line(r, k))

    def _piece(self, cells: Cells, k: int, i: int, width: int) -> "Text":
        """One token of the strip; without colour, HIGH is written as *token*."""
        token = fit(token_text(str(cells.result.tokens[i])), min(width - 12, 40))
        high, style = cells.result.bucket[k, i] == "HIGH", self._style(cells, k, i)
        marks = "!" * bool(cells.far[k, i]) + "(nan)" * bool(np.isnan(cells.result.strength[k, i]))
        before, after = ("", "") if cells.found is None or not cells.found[i] else FOUND
        if not self.colour:
            token = f"*{token}*" if high else token
            return self.text(f"{before}{token}{after}{marks} ")
        piece = self.text("").append(f" {before}", style)
        piece.append(token, f"{style} bold underline" if high else style)
        return piece.append(f"{after}{marks} ", style)

    def _style(self, cells: Cells, k: int, i: int) -> str:
        if cells.result.special[i]:
            return GREY
        fraction = float(cells.place[k, i])
        return "italic" if np.isnan(fraction) else "{1} on {0}".format(*shade(fraction))

    def _tables(self, cells: Cells, width: int) -> "Iterator[RenderableType]":
        rows, note = self._rows(cells.result)
        for columns in self._layout(cells, rows, width):
            yield self.text("")
            yield self.table(columns)
        yield self.text(f"{note}\n" if note else "")

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

    def _layout(self, cells: Cells, rows: Ids, width: int) -> list[list[Column]]:
        """All columns if they fit; else fewer; else strengths only, in blocks of layers."""
        r, layers = cells.result, range(len(cells.result.layers))
        grey = [GREY if r.special[i] else "" for i in rows]
        high = [r.bucket[0, i] == "HIGH" and len(layers) == 1 for i in rows]
        strong = [f"bold {style}" if up else style for up, style in zip(high, grey, strict=True)]
        tokens = [fit(token_text(str(r.tokens[i])), min(max(width // 3, 4), 30)) for i in rows]
        index = Column("#", [str(i) for i in rows], grey)
        token = Column("token", tokens, strong, False)
        kind = Column("kind", [str(r.kind[i]) for i in rows], grey, False)
        groups = [self._group(cells, rows, k, grey) for k in layers]
        bare = [[column for column in group if column.head] for group in groups]
        for lead, chosen in (([kind], groups), ([kind], bare), ([], bare)):
            columns = sum(chosen, [index, token, *lead])
            if len(layers) <= STRIPS and width_of(columns) <= width:
                return [columns]
        values = [self._values(cells, rows, k, star=True) for k in layers]
        if len(layers) > STRIPS:
            index, token, kind, *values = self._with_feet(r, [index, token, kind, *values])
        fits = width_of([index, token, kind, *values]) <= width
        lead = [index, token, kind] if fits else [index, token]
        return blocks(lead, values, width)

    def _group(self, cells: Cells, rows: Ids, k: int, grey: list[str]) -> list[Column]:
        r = cells.result
        bars = [bar(float(cells.place[k, i])) for i in rows]
        return [
            self._values(cells, rows, k, star=False),
            *([Column("", bars, [BAR] * len(rows), False)] if len(r.layers) == 1 else []),
            Column("rank", [str(r.rank[k, i] or "") for i in rows], grey),
            Column("bucket", [str(r.bucket[k, i]) for i in rows], grey, False),
        ]

    def _values(self, cells: Cells, rows: Ids, k: int, *, star: bool) -> Column:
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
        return Column(head + " " * slot, shown, styles)

    def _with_feet(self, result: StrengthResult, columns: list[Column]) -> list[Column]:
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
