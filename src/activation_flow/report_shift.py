"""Shifts on a terminal: an overview of all comparisons; a table and sentences for the first ones.

Computes no statistics. Rows, scale and legend are in picture_shift.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.picture import shade, token_text
from activation_flow.picture_shift import (
    OVERVIEW,
    Row,
    ShiftPicture,
    contrast,
    distance,
    overview,
)
from activation_flow.result_shift import Pair, ShiftResult
from activation_flow.sentences import sentences
from activation_flow.terminal import BAR, BAR_CELLS, GAP, GREY, Column, Page, bar, fit, width_of

if TYPE_CHECKING:
    from rich.console import RenderableType

_BAR_LEAST = 4  # cells; where there is room for fewer, there is no bar
# Columns, all of them or, for want of room, fewer.
_LAYOUTS = (
    ("a", "b", "kind", "strength", "bucket", "shift", "cosine"),
    ("a", "b", "strength", "bucket", "shift", "cosine"),
    ("a", "b", "strength", "bucket", "shift"),
    ("a", "b", "bucket", "shift"),
    ("a", "b", "shift"),
)


@dataclass(frozen=True, kw_only=True)
class ShiftPage(Page):
    """A report of shifts.

    Attributes:
        picture: what is drawn.
        top: only so many pairs in each table, the largest shifts first.
    """

    picture: ShiftPicture
    top: int | None = None

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """Overview, comparisons, legend, errors."""
        picture = self.picture
        if picture.several and len(picture.listed):
            yield self.table(self._overview(width))
            hidden = f"… {picture.left_out:,} more not shown; {picture.hint}\n"
            yield self.text(hidden if picture.left_out else "")
        for n, result in zip(picture.shown.numbers, picture.shown, strict=True):
            yield from self._comparison(n, result, width)
        if plain := len(picture.listed) - len(picture.shown):
            yield self.text(f"… {plain:,} more not shown token by token; {picture.hint}\n")
        ends = None if np.isnan(picture.end) else (0.0, picture.end)
        looks = {} if self.colour else {"HIGH": "*token*: "}
        yield from self.legend(picture.legend, looks, ends)
        yield from self.errors(picture.listed)

    def _overview(self, width: int) -> list[Column]:
        """A row for each comparison; the texts take what room the numbers leave."""
        listed = self.picture.listed
        none = [""] * len(listed)
        values = zip(*map(overview, listed), strict=True)
        numbers = [Column(head, cells, none) for head, cells in zip(OVERVIEW, values, strict=True)]
        index = Column("pair", [f"{n:,}" for n in listed.numbers], none)
        while numbers and width - width_of([index, *numbers]) < 2 * (GAP + 6):
            numbers.pop()
        room = max((width - width_of([index, *numbers])) // 2 - GAP, 2)
        texts = [contrast(result.a.text, result.b.text, room) for result in listed]
        a, b = (
            [fit(text, room) or "(empty)" for text in side] for side in zip(*texts, strict=True)
        )
        return [index, Column("A", a, none, False), Column("B", b, none, False), *numbers]

    def _comparison(self, n: int, result: ShiftResult, width: int) -> "Iterator[RenderableType]":
        if self.picture.several:
            yield self.text(f"pair {n}", "bold")
        yield from self.heading("A: ", result.a, width)
        yield from self.heading("B: ", result.b, width)
        yield self.text("")
        pairs, note = self._pairs(result)
        rows = [self.picture.drawn(pair) for pair in pairs]
        yield self.table(self.layout(rows, width))
        if note:
            yield self.text(note)
        yield self.text("")
        for sentence in sentences(result):
            yield self.text(sentence)
        yield self.text("")

    def _pairs(self, result: ShiftResult) -> tuple[list[Pair], str]:
        """The rows of the table, and what is to be said about the others."""
        pairs = result.pairs
        if self.top is None:
            left = len(pairs) - self.picture.rows
            note = f"… {left:,} of {len(pairs):,} rows not shown; {self.picture.hint}"
            return pairs[: self.picture.rows], note if left > 0 else ""
        shifted = [pair for pair in pairs if pair.shift is not None]
        shifted.sort(key=lambda pair: -(pair.shift or 0))
        top = shifted[: self.top]
        return top, f"top {len(top):,} of {len(shifted):,} aligned pairs, by shift"

    def layout(self, rows: Sequence[Row], width: int) -> list[Column]:
        """All columns if they fit, and a bar as long as fits; else fewer."""
        columns = self._columns(rows, min(max((width - 12) // 2, 2), 30))
        for names in _LAYOUTS:
            chosen = [column for name in names for column in columns[name]]
            room = width - width_of(chosen) - GAP
            if room + GAP >= 0:
                break
        if room >= _BAR_LEAST:
            length = min(room, BAR_CELLS)
            # From 0 on, so that no shift is no bar.
            bars = [bar(row.place, length) if row.pair.shift else "" for row in rows]
            after = chosen.index(columns["shift"][0]) + 1
            chosen.insert(after, Column("", bars, [BAR] * len(rows), False))
        return chosen

    def _columns(self, rows: Sequence[Row], room: int) -> dict[str, list[Column]]:
        grey = [GREY if row.special else "" for row in rows]
        a = [self._token(row.pair.a, row.high_a, room) for row in rows]
        b = [self._token(row.pair.b, row.high_b, room) for row in rows]
        marked = [f"{row.mark or ' '} {token}" for row, token in zip(rows, b, strict=True)]
        high_a, high_b = (
            [style + " bold underline" * up for style, up in zip(grey, marks, strict=True)]
            for marks in ([row.high_a for row in rows], [row.high_b for row in rows])
        )
        places = ["" if np.isnan(r.place) else "{1} on {0}".format(*shade(r.place)) for r in rows]
        shifts = [distance(row.pair.shift) for row in rows]
        shaded = [one or other for one, other in zip(grey, places, strict=True)]
        return {
            "a": [Column("A", a, high_a, False)],
            "b": [Column("  B", marked, high_b, False, bare=2)],
            "kind": [Column("kind", [row.pair.kind or "" for row in rows], grey, False)],
            "strength": [
                Column(f"S of {side}", [row.strengths[i] for row in rows], grey)
                for i, side in enumerate(self.picture.sides)
            ],
            "bucket": [Column("bucket", [row.bucket for row in rows], grey, False)],
            "shift": [Column("Δ", shifts, shaded)],
            "cosine": [Column("1 − cos", [row.cosine for row in rows], grey)],
        }

    def _token(self, token: str | None, high: bool, room: int) -> str:
        """A token; without colour, HIGH is written as *token*."""
        if token is None:
            return ""
        stars = high and not self.colour
        shown = fit(token_text(token), max(room - 2 * stars, 1))
        return f"*{shown}*" if stars else shown
