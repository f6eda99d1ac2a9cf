"""The summary of a run that compares, on a terminal: for each pair of prompts, what moves how far.

Computes nothing: the numbers are made by summary_shift.py, the layout is that of terminal.py.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activation_flow import terminal
from activation_flow.picture_shift_summary import (
    NAMES,
    Prompts,
    Row,
    cell,
    deepest,
    heading,
    kind_name,
    legend,
    noun,
    own_tables,
    pooled,
    read_lines,
    sentences,
    span,
    with_half,
)
from activation_flow.result_shift_summary import ShiftSummary
from activation_flow.terminal import Column, Page, blocks

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


@dataclass(frozen=True, kw_only=True)
class ShiftSummaryPage(Page):
    """A report of a run that compares."""

    summary: ShiftSummary

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """What was read, each pair of prompts, legend."""
        for line in read_lines(self.summary):
            yield self.text(line)
        if not self.summary.table.num_rows:
            yield self.text(f"No {noun(self.summary)} has a result.")
            return
        for prompts in self.summary.pairs:
            yield self.text("")
            yield self.text(heading(self.summary, prompts), "bold")
            if len(self.summary.layers) == 1:
                yield from self._one_layer(self.summary.layers[0], prompts)
            else:
                yield from self._layers(prompts, width)
        yield self.text("")
        whole = len(self.summary.layers) == 1
        yield from self.legend((*legend(self.summary, whole=whole),), {}, None)

    def _one_layer(self, layer: int, prompts: Prompts) -> "Iterator[RenderableType]":
        for sentence in sentences(self.summary, layer, prompts):
            yield self.text(sentence)
        rows = self.summary.rows("text", layer, prompts)
        many = f"{noun(self.summary)}s"
        yield self.text("")
        yield self._table(
            {
                "": [NAMES[row["name"]] for row in rows],
                "mean": [cell(row["mean"]) for row in rows],
                "95 % interval": [span(row) or "-" for row in rows],
                "sd": [cell(row["sd"]) for row in rows],
                many: [f"{row['n']:,}" for row in rows],
            }
        )
        yield from self._tokens(layer, prompts)

    def _tokens(self, layer: int, prompts: Prompts) -> "Iterator[RenderableType]":
        """Mean shift of the texts' own tokens, of each kind and change."""
        for n, (head, rows) in enumerate(own_tables(self.summary, layer, prompts)):
            yield self.text("")
            if n == 0:
                yield self.text(pooled(self.summary))
            yield self._table(
                {
                    head: [kind_name(row["name"]) for row in rows],
                    "mean Δ": [cell(row["mean"]) for row in rows],
                    "tokens": [f"{row['n']:,}" for row in rows],
                }
            )

    def _layers(self, prompts: Prompts, width: int) -> "Iterator[RenderableType]":
        """Layer by layer: means over texts, then the mean shift of each kind of token."""
        layers = self.summary.layers
        for sentence in deepest(self.summary, prompts):
            yield self.text(sentence)
        columns = {
            head: [with_half(self._mean(k, name, prompts)) for k in layers]
            for name, head in NAMES.items()
        }
        kinds = {
            k: {row["name"]: row for row in self.summary.rows("kind", k, prompts)} for k in layers
        }
        names = dict.fromkeys(name for k in layers for name in kinds[k])
        for name in names:
            head = f"{kind_name(name)}: mean Δ"
            columns[head] = [cell(kinds[k].get(name, {}).get("mean")) for k in layers]
        plain = [""] * len(layers)
        lead = Column("layer", [str(k) for k in layers], plain)
        values = [Column(head, cells, plain) for head, cells in columns.items()]
        for block in blocks([lead], values, width):
            yield self.text("")
            yield self.table(block)

    def _mean(self, layer: int, name: str, prompts: Prompts) -> Row | None:
        rows = self.summary.rows("text", layer, prompts)
        return next((row for row in rows if row["name"] == name), None)

    def _table(self, columns: Mapping[str, Sequence[str]]) -> Any:
        """The first column to the left, numbers to the right."""
        made = [
            Column(head, cells, [""] * len(cells), right=k > 0)
            for k, (head, cells) in enumerate(columns.items())
        ]
        return self.table(made)


def print_terminal(summary: ShiftSummary, console: "Console") -> None:
    """Print on a ``rich`` console."""
    console.print(ShiftSummaryPage(summary=summary))


def plain(summary: ShiftSummary) -> str:
    """The same without colour, in 80 columns, for ``__repr__``."""
    return terminal.plain(ShiftSummaryPage(summary=summary, width=80))
