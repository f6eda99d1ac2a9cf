"""The summary of a run on a terminal: kinds and types of token layer by layer, and texts.

Computes nothing: the numbers are made by summary.py, the layout is that of terminal.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activation_flow import terminal
from activation_flow.picture import number, shade
from activation_flow.picture_summary import (
    HEADS,
    Row,
    apart,
    cell,
    count_of,
    legend,
    name_of,
    or_dash,
    percent,
    read_lines,
    sentences,
    two,
    with_specials,
)
from activation_flow.result_summary import SECTIONS, Summary
from activation_flow.terminal import GREY, Column, Page, blocks, fit, width_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Columns of a table, all of them or, for want of room, fewer.
_LAYOUTS = tuple(
    tuple(line.split())
    for line in (
        "tokens mean sd percentile place_95 high_share high_95 share_of_high base_rate lift",
        "tokens mean percentile place_95 high_share high_95 share_of_high base_rate lift",
        "tokens mean percentile place_95 high_share high_95 share_of_high lift",
        "tokens mean percentile place_95 high_share high_95 lift",
        "tokens mean percentile high_share lift",
        "mean percentile high_share",
        "high_share",
    )
)


@dataclass(frozen=True, kw_only=True)
class SummaryPage(Page):
    """A report of a run."""

    summary: Summary

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """What was read, each layer, texts, legend."""
        for line in read_lines(self.summary):
            yield self.text(line)
        if not self.summary.table.num_rows:
            yield self.text("No text has a result.")
            return
        for layer in self.summary.layers:
            yield from self._layer(layer, width)
        yield from self._texts(width)
        yield from self.legend((*legend(self.summary),), {}, None)

    def _layer(self, layer: int, width: int) -> "Iterator[RenderableType]":
        name = self.summary.provenance.layer_name(layer)
        rows = {section: self.summary.rows(section, layer) for section in SECTIONS}
        yield self.text(f"\n{name[0].upper()}{name[1:]}: kinds of token", "bold")
        yield self.text(
            "How strong each kind is, where it stands in its texts, how often it is HIGH.\n"
        )
        kinds = [*rows["all"], *with_specials(rows["kind"], rows["special"])]
        yield self._table("kind", kinds, width)
        for sentence in sentences(rows["all"][0], rows["kind"]):
            yield self.text(sentence)
        if rows["tag"]:
            yield self.text("\nTags", "bold")
            yield self.text("The same for the tags that came with the corpus.\n")
            yield self._table("tag", rows["tag"], width)
        least = count_of(self.summary.options["min_count"], "time")
        yield self.text("\nStrongest and weakest types of token", "bold")
        yield self.text(
            f"Those that occur {least} or more, by mean S; special ones are left out.\n"
        )
        yield from self._extremes(rows["strongest"], rows["weakest"], width)
        if rows["type"]:
            yield self.text("\nTypes asked for", "bold")
            yield self.text(
                "However often they occur; a type is what the tokenizer makes of text.\n"
            )
            yield self._table("type", rows["type"], width)

    def _table(self, head: str, rows: Sequence[Row], width: int) -> Any:
        """A row for each kind, tag or type; as many columns as fit."""
        names = [fit(name_of(row), max(width // 3, 8)) for row in rows]
        styles = [GREY if apart(row) else "" for row in rows]
        lead = Column(head, names, styles, False)
        for layout in _LAYOUTS:
            columns = [lead, *(_column(name, rows, styles) for name in layout)]
            if width_of(columns) <= width:
                break
        return self.table(columns)

    def _extremes(
        self, strongest: Sequence[Row], weakest: Sequence[Row], width: int
    ) -> "Iterator[RenderableType]":
        """Strongest and weakest side by side, or, for want of room, one below the other."""
        if not strongest:
            yield self.text("None occurs so often.")
            return
        room = max(min((width - 2 * 26) // 2, 24), 8)
        both = [*_ranked("strongest", strongest, room), *_ranked("  weakest", weakest, room)]
        if width_of(both) <= width:
            yield self.table(both)
            return
        for head, rows in (("strongest", strongest), ("weakest", weakest)):
            columns = _ranked(head, rows, room)
            while width_of(columns) > width and len(columns) > 2:
                del columns[1]
            yield self.table(columns)
            yield self.text("")

    def _texts(self, width: int) -> "Iterator[RenderableType]":
        rows = self.summary.texts.to_pylist()
        plain = [""] * len(rows)
        yield self.text("\nTexts", "bold")
        yield self.text(
            "How strengths are spread. Skew above 0: a few tokens are much stronger than the "
            "others; below 0: a few are much weaker.\n"
        )
        columns = {
            "layer": [str(row["layer"]) for row in rows],
            "texts": [f"{row['texts']:,}" for row in rows],
            "τ": [or_dash(row["threshold"], number) for row in rows],
            "mean skew": [or_dash(row["mean_skew"], two) for row in rows],
            "skew > 0": [or_dash(row["right_skewed"], percent) for row in rows],
            "pooled skew": [or_dash(row["pooled_skew"], two) for row in rows],
        }
        lead, *values = (Column(head, cells, plain) for head, cells in columns.items())
        for block in blocks([lead], values, width):
            yield self.table(block)
            yield self.text("")


def print_terminal(summary: Summary, console: "Console") -> None:
    """Print on a ``rich`` console."""
    console.print(SummaryPage(summary=summary))


def plain(summary: Summary) -> str:
    """The same without colour, in 80 columns, for ``__repr__``."""
    return terminal.plain(SummaryPage(summary=summary, width=80))


def _column(name: str, rows: Sequence[Row], styles: Sequence[str]) -> Column:
    cells = [cell(name, row) for row in rows]
    if name == "percentile":
        places = [row[name] for row in rows]
        shaded = ["" if p is None else "{1} on {0}".format(*shade(p / 100)) for p in places]
        styles = [grey or colour for grey, colour in zip(styles, shaded, strict=True)]
    return Column(HEADS[name], cells, styles)


def _ranked(head: str, rows: Sequence[Row], room: int) -> list[Column]:
    """Types in their order; spaces before the head stand before each name, too."""
    plain = [""] * len(rows)
    indent = " " * (len(head) - len(head.lstrip()))
    names = [indent + fit(name_of(row), room) for row in rows]
    values = [_column(name, rows, plain) for name in ("tokens", "mean", "high_share")]
    return [Column(head, names, plain, False), *values]
