"""The summary of a run of strengths as HTML: kinds and types of token layer by layer, and texts."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from activation_flow.html_run import Section, cells, each_layer, table
from activation_flow.markup import escape, legend, level, note
from activation_flow.picture import number
from activation_flow.picture_summary import (
    HEADS,
    Row,
    apart,
    cell,
    name_of,
    or_dash,
    percent,
    sentences,
    two,
    with_specials,
)
from activation_flow.picture_summary import legend as meanings
from activation_flow.result_summary import SECTIONS, Summary

KINDS = "How strong each kind of token is, where it stands in its texts, how often it is HIGH."
TEXTS = (
    "How strengths are spread. Skew above 0: a few tokens are much stronger than the others; "
    "below 0: a few are much weaker."
)
_LISTED = ("tokens", "mean", "high_share")  # columns of types


def sections(summary: Summary) -> Iterator[Section]:
    """Kinds and types of token, layer by layer; texts."""
    if not summary.table.num_rows:
        yield "Kinds of token", "No text has a result.", []
        return
    columns = legend((*meanings(summary),), ("", ""))
    yield "Kinds of token", KINDS, [*each_layer(summary, partial(kinds, summary)), columns]
    held = [*each_layer(summary, partial(types, summary))]
    yield "Strongest and weakest types of token", types_note(summary), held
    yield "Texts", TEXTS, [texts_table(summary)]


def types_note(summary: Summary) -> str:
    """Which types are listed."""
    least = summary.options["min_count"]
    often = "" if least == 1 else f" that occur {least:,} times or more"
    return f"Types of token{often}, by mean strength; special ones are left out."


def kinds(summary: Summary, layer: int) -> Iterator[str]:
    """All tokens, each kind, special token and tag."""
    rows = {section: summary.rows(section, layer) for section in SECTIONS}
    kinds = [*rows["all"], *with_specials(rows["kind"], rows["special"])]
    yield _table("kind", kinds, [*HEADS])
    yield from map(note, sentences(rows["all"][0], rows["kind"]))
    if rows["tag"]:
        yield _table("tag", rows["tag"], [*HEADS])


def types(summary: Summary, layer: int) -> Iterator[str]:
    """The strongest and the weakest ones beside each other; those asked for."""
    strongest, weakest = (summary.rows(name, layer) for name in ("strongest", "weakest"))
    if strongest:
        both = (
            _table(name, rows, _LISTED)
            for name, rows in (("strongest", strongest), ("weakest", weakest))
        )
        yield f'<div class="afn-beside">{"".join(both)}</div>'
    else:
        yield note("None occurs so often.")
    if asked := summary.rows("type", layer):
        yield _table("type asked for", asked, [*HEADS])


def _table(head: str, rows: Sequence[Row], columns: Sequence[str]) -> str:
    """A row for each kind, tag or type."""
    heads = (head, *(HEADS[name] for name in columns))
    return table(heads, (_row(row, columns) for row in rows))


def _row(row: Row, columns: Sequence[str]) -> str:
    # Grey: these tokens take no part in buckets.
    name = (
        f'<span class="afn-foot">{escape(name_of(row))}</span>'
        if apart(row)
        else escape(name_of(row))
    )
    return f"<th><bdi>{name}</bdi></th>{''.join(_cell(column, row) for column in columns)}"


def _cell(name: str, row: Row) -> str:
    shown = escape(cell(name, row))
    if name != "percentile" or row["percentile"] is None:
        return f"<td>{shown}</td>"
    return f'<td class="{level(row["percentile"] / 100)}">{shown}</td>'


def texts_table(summary: Summary) -> str:
    """τ and skew, layer by layer."""
    columns: Mapping[str, Any] = {
        "layer": lambda row: str(row["layer"]),
        "texts": lambda row: f"{row['texts']:,}",
        "τ": lambda row: or_dash(row["threshold"], number),
        "mean skew": lambda row: or_dash(row["mean_skew"], two),
        "skew > 0": lambda row: or_dash(row["right_skewed"], percent),
        "pooled skew": lambda row: or_dash(row["pooled_skew"], two),
    }
    rows = summary.texts.to_pylist()
    shown = ([value(row) for value in columns.values()] for row in rows)
    return table([*columns], (cells(first, rest) for first, *rest in shown))
