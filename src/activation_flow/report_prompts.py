"""Prompts on a terminal: every pair in one table, where in depth they act, comparisons one by one.

Computes no statistics. Names, numbers and legend are in picture_prompts.py; a comparison is drawn
as a shift, with the columns of report_shift.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.picture import reading_note, shade, token_text
from activation_flow.picture_prompts import (
    CAUTION,
    DEPTH_NOTE,
    DEPTH_TITLE,
    DISTANCES,
    HELD,
    Drawn,
    PromptsPicture,
    Table,
    by_layer,
    name,
    names,
    overview,
)
from activation_flow.picture_shift import Row
from activation_flow.report_shift import ShiftPage
from activation_flow.result_prompts import PromptsResult
from activation_flow.sentences_prompts import comparison_sentences, overall
from activation_flow.terminal import GAP, GREY, Column, Page, blocks, fit, width_of

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_NAME_LEAST, _NAME_USUAL, _NAME_MOST = 8, 20, 32  # columns for the name of a prompt


@dataclass(frozen=True, kw_only=True)
class PromptsPage(Page):
    """A report of prompts.

    Attributes:
        picture: what is drawn.
        top: only so many tokens in each table, the largest shifts first.
    """

    picture: PromptsPicture
    top: int | None = None

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """Texts, legend, errors."""
        picture = self.picture
        for n, result in zip(picture.listed.numbers, picture.listed, strict=True):
            yield from self._text(n, result, width)
        if picture.left_out:
            yield self.text(f"… {picture.left_out:,} more texts not shown; {picture.hint}\n")
        if len(picture.listed):
            yield self.text(f"{CAUTION}\n")
        end = picture.shifts.end
        looks = {} if self.colour else {"HIGH": "*token*: "}
        yield from self.legend(picture.legend, looks, None if np.isnan(end) else (0.0, end))
        yield from self.errors(picture.listed)

    def _text(self, n: int, result: PromptsResult, width: int) -> "Iterator[RenderableType]":
        picture = self.picture
        lead = f"text {n}: " if picture.several else ""
        yield from self.quoted(lead, [result.text], width)
        for columns in self._overview(result, width):
            yield self.table(columns)
            yield self.text("")
        if words := overall(result, picture.layer):
            yield self.text(f"{words}\n")
        if len(result.layers) > 1:
            yield self.text(DEPTH_TITLE, "bold")
            yield self.text(f"{DEPTH_NOTE}\n")
            for values in by_layer(result):
                yield from self._depth(result, values, width)
        drawn = picture.drawn_of(n)
        for one in drawn:
            yield from self._comparison(one, width)
        if left := len(result.comparisons) - len(drawn):
            yield self.text(f"… {left:,} more pairs not shown token by token; {picture.hint}\n")

    def _overview(self, result: PromptsResult, width: int) -> list[list[Column]]:
        """A row for each pair of prompts; in two tables where one is too wide for their names."""
        rows = [overview(result, one, self.picture.layer) for one in result.comparisons]
        none = [""] * len(rows)
        numbers = [
            Column(head, list(cells), none)
            for head, cells in zip((*DISTANCES, *HELD), zip(*rows, strict=True), strict=True)
        ]
        lead = self._names(result, _NAME_USUAL)
        if width_of([*lead, *numbers]) <= width:
            return [[*lead, *numbers]]
        # What is said of R_H stays together.
        groups = numbers[: len(DISTANCES)], numbers[len(DISTANCES) :]
        each = (width - max(map(width_of, groups))) // 2 - GAP
        lead = self._names(result, min(max(each, _NAME_LEAST), _NAME_MOST))
        return [[*lead, *those] for those in groups]

    def _names(self, result: PromptsResult, each: int) -> list[Column]:
        """The two prompts of every pair, each in so many columns."""
        shown = [names(result, one, each) for one in result.comparisons]
        sides = ([fit(text, each) for text in texts] for texts in zip(*shown, strict=True))
        styles = [
            [GREY if result.prompts[place] is None else "" for place in places]
            for places in zip(*((one.a, one.b) for one in result.comparisons), strict=True)
        ]
        return [
            Column(head, cells, style, False)
            for head, cells, style in zip("AB", sides, styles, strict=True)
        ]

    def _depth(
        self, result: PromptsResult, values: Table, width: int
    ) -> "Iterator[RenderableType]":
        """Pairs by layers, in as many tables as the width asks for."""
        places = values.places or [[np.nan] * len(result.layers)] * len(values.rows)
        columns = [
            Column(
                str(layer),
                [row[k] for row in values.rows],
                ["" if np.isnan(p[k]) else "{1} on {0}".format(*shade(p[k])) for p in places],
            )
            for k, layer in enumerate(result.layers)
        ]
        yield self.text(f"{values.name}, by layer")
        for block in blocks(
            self._names(result, min(max(width // 5, _NAME_LEAST), 24)), columns, width
        ):
            yield self.table(block)
        yield self.text("")

    def _comparison(self, drawn: Drawn, width: int) -> "Iterator[RenderableType]":
        for side, place in (("A", drawn.a), ("B", drawn.b)):
            prompt = drawn.of.prompts[place]
            yield from self.quoted(f"{side}: ", [name(None) if prompt is None else prompt], width)
            if how := reading_note(drawn.of.variants[place]):
                yield self.text(how)
        yield self.text("")
        rows = [self.picture.shifts.drawn(pair) for pair in drawn.shift.pairs]
        apart = drawn.apart
        own = [row for row, alone in zip(rows, apart, strict=True) if not alone]
        shown, note = self._chosen(own)
        page = ShiftPage(picture=self.picture.shifts, width=self.width, colour=self.colour)
        yield self.table(page.layout(shown, width))
        if note:
            yield self.text(note)
        yield from self._apart([row for row, alone in zip(rows, apart, strict=True) if alone])
        yield self.text("")
        for sentence in comparison_sentences(drawn):
            yield self.text(sentence)
        yield self.text("")

    def _chosen(self, rows: list[Row]) -> tuple[list[Row], str]:
        """The rows of the table, and what is to be said about the others."""
        limit = self.picture.shifts.rows
        if self.top is not None:
            shifted = [row for row in rows if row.pair.shift is not None]
            shifted.sort(key=lambda row: -(row.pair.shift or 0))
            top = shifted[: self.top]
            return top, f"top {len(top):,} of {len(shifted):,} aligned pairs, by shift"
        left = len(rows) - limit
        note = f"… {left:,} of {len(rows):,} rows not shown; {self.picture.hint}"
        return rows[:limit], note if left > 0 else ""

    def _apart(self, rows: Sequence[Row]) -> "Iterator[Text]":
        """The prompts' own tokens, a line for each side."""
        limit = self.picture.shifts.rows
        for side in "AB":
            mine = [
                (row.pair.a if side == "A" else row.pair.b, row.high_a or row.high_b)
                for row in rows
                if (row.pair.a if side == "A" else row.pair.b) is not None
            ]
            if not mine:
                continue
            line = self.text(f"without a partner, of prompt {side}:")
            for token, high in mine[:limit]:
                shown = token_text(token or "")
                stars = high and not self.colour
                line.append(" ").append(
                    f"*{shown}*" if stars else shown,
                    "bold underline" if high and self.colour else None,
                )
            yield line.append(" …") if len(mine) > limit else line
