"""The summary of a run that compares as HTML: for each pair of prompts, what moves how far."""

from collections.abc import Iterator
from functools import partial

from activation_flow.html_run import Section, cells, each_layer, table
from activation_flow.markup import legend, note
from activation_flow.picture_shift_summary import (
    NAMES,
    Prompts,
    cell,
    deepest,
    heading,
    kind_name,
    noun,
    own_tables,
    pooled,
    sentences,
    span,
)
from activation_flow.picture_shift_summary import legend as meanings
from activation_flow.result_shift_summary import ShiftSummary


def sections(summary: ShiftSummary) -> Iterator[Section]:
    """Each pair of prompts, its layers one below the other."""
    if not summary.table.num_rows:
        yield "Shift", f"No {noun(summary)} has a result.", []
        return
    for prompts in summary.pairs:
        several = len(summary.layers) > 1
        said = " ".join(deepest(summary, prompts)) if several else ""
        parts = each_layer(summary, partial(layer_parts, summary, prompts))
        yield heading(summary, prompts), said, [*parts]
    yield "Signs", "", [legend((*meanings(summary),), ("", ""))]


def layer_parts(summary: ShiftSummary, prompts: Prompts, layer: int) -> Iterator[str]:
    """What the numbers say; means over texts; the texts' own tokens."""
    yield from map(note, sentences(summary, layer, prompts))
    rows = summary.rows("text", layer, prompts)
    heads = ("", "mean", "95 % interval", "sd", f"{noun(summary)}s")
    yield table(
        heads,
        (
            cells(
                NAMES[row["name"]],
                (cell(row["mean"]), span(row) or "-", cell(row["sd"]), f"{row['n']:,}"),
            )
            for row in rows
        ),
    )
    for n, (head, own) in enumerate(own_tables(summary, layer, prompts)):
        if n == 0:
            yield note(pooled(summary))
        yield table(
            (head, "mean Δ", "tokens"),
            (cells(kind_name(row["name"]), (cell(row["mean"]), f"{row['n']:,}")) for row in own),
        )
