"""The summary of a run as HTML: a fragment for notebooks, a page to send.

Computes nothing; names, cells and sentences are those of the terminal (picture_summary.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from activation_flow import charts, page, retrace_run
from activation_flow.charts_sliders import first_layer
from activation_flow.markup import escape, fragment, legend, level, note
from activation_flow.picture import model_line, number
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
from activation_flow.result_run import OfRun
from activation_flow.result_summary import SECTIONS, Summary

_DRAWN = (
    "The same numbers as pictures, with 95 % intervals over texts; point at a mark for what stands "
    "behind it, and choose another layer."
)
_KINDS = "How strong each kind of token is, where it stands in its texts, how often it is HIGH."
_COUNTS = {
    "rows": "rows of the input",
    "texts": "texts with a result",
    "rejects": "rows without a result",
    "blank": "blank lines, left out",
    "tokens": "tokens",
    "windowed": "texts read in overlapping windows",
    "truncated": "texts that were cut",
    "dropped": "tokens cut off",
}
_SAME = "texts that were the same as one before, and computed once"
_LISTED = ("tokens", "mean", "high_share")  # columns of types


def html_fragment(summary: OfRun) -> str:
    """A self-contained ``<div>`` for notebooks."""
    parts = (part for _, _, section in _sections(summary) for part in section)
    return fragment([*_warning(summary), *_read(summary), *parts])


def html_page(summary: OfRun) -> str:
    """A complete document to read offline, print and send: ``afn report DIR``.

    What was read, kinds of token layer by layer, charts, types, texts; settings and versions; the
    command that makes the run again.
    """
    head, figures = summary.provenance, charts.figures(summary)
    sections = [*_sections(summary)]
    drawn = ("Charts", _DRAWN, [page.figure(one) for one in figures])
    read = ("What was read", "", [*_read(summary)])
    shown = [read, *sections[:1], *([drawn] if figures else []), *sections[1:]]
    texts = summary.counts["texts"] or 0
    files = [str(file["path"]) for file in summary.manifest["files"]]
    of = files[0] if len(files) == 1 else f"{len(files):,} files"
    return page.page(
        title="Token activation strength of a corpus",
        about=f"{texts:,} text{'' if texts == 1 else 's'} of {of}",
        source=model_line(head, summary.layers),
        parts=[*_warning(summary), *(page.section(*section) for section in shown)],
        facts={**_facts(summary), **head.settings, **head.versions},
        command=retrace_run.command(summary),
        live=len(figures) > 0,
    )


def _facts(summary: OfRun) -> dict[str, object]:
    head = summary.provenance
    layers = f"{', '.join(map(str, summary.layers))} of {head.n_layers}"
    facts = {"model": head.model, "revision": head.revision or "unknown", "layers": layers}
    return {**facts, "engine": head.engine, "precision": head.precision}


def _warning(summary: OfRun) -> Iterator[str]:
    """First of all, that the run is not finished."""
    if not summary.finished:
        done, many = summary.shards
        said = f"This run is not finished: {done:,} of {many:,} shards are in these numbers."
        yield f'<p class="afn-warning">{escape(said)}</p>'


def _read(summary: OfRun) -> Iterator[str]:
    """What was read, and what was not."""
    counts = summary.counts
    same = None if counts["computed"] is None else (counts["texts"] or 0) - counts["computed"]
    rows = {name: counts.get(key) for key, name in _COUNTS.items()} | {_SAME: same}
    body = "".join(
        f"<tr><th>{escape(name)}</th><td>{value:,}</td></tr>\n"
        for name, value in rows.items()
        if value is not None
    )
    yield f'<table class="afn-facts">{body}</table>'
    if counts["rejects"]:
        yield note(f"{summary.path / 'rejects.jsonl'} says why these have no result")


def _sections(summary: Summary) -> Iterator[tuple[str, str, list[str]]]:
    """Title, what it means, what it holds."""
    if not summary.table.num_rows:
        yield "Kinds of token", "No text has a result.", []
        return
    columns = legend((*meanings(summary),), ("", ""))
    yield "Kinds of token", _KINDS, [*_each(summary, _kinds), columns]
    least = summary.options["min_count"]
    often = "" if least == 1 else f" that occur {least:,} times or more"
    said = f"Types of token{often}, by mean strength; special ones are left out."
    yield "Strongest and weakest types of token", said, [*_each(summary, _types)]
    said = (
        "How strengths are spread. Skew above 0: a few tokens are much stronger than the others; "
        "below 0: a few are much weaker."
    )
    yield "Texts", said, [_texts(summary)]


def _each(summary: Summary, parts: Any) -> Iterator[str]:
    """The parts of each layer; of several, those of the usual one stand open."""
    if len(summary.layers) == 1:
        yield from parts(summary, summary.layers[0])
        return
    first = first_layer(summary.provenance, summary.layers)
    for layer in summary.layers:
        name = summary.provenance.layer_name(layer)
        held = "\n".join(parts(summary, layer))
        shown = " open" if layer == first else ""
        yield f"<details{shown}><summary>{escape(name)}</summary>\n{held}</details>"


def _kinds(summary: Summary, layer: int) -> Iterator[str]:
    """All tokens, each kind, special token and tag."""
    rows = {section: summary.rows(section, layer) for section in SECTIONS}
    kinds = [*rows["all"], *with_specials(rows["kind"], rows["special"])]
    yield _table("kind", kinds, [*HEADS])
    yield from map(note, sentences(rows["all"][0], rows["kind"]))
    if rows["tag"]:
        yield _table("tag", rows["tag"], [*HEADS])


def _types(summary: Summary, layer: int) -> Iterator[str]:
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
    top = "".join(f"<th>{escape(name)}</th>" for name in (head, *(HEADS[c] for c in columns)))
    body = "".join(
        f"<tr{' class=afn-foot' if apart(row) else ''}><th><bdi>{escape(name_of(row))}</bdi></th>"
        f"{''.join(_cell(name, row) for name in columns)}</tr>\n"
        for row in rows
    )
    return _scrolled(top, body)


def _cell(name: str, row: Row) -> str:
    shown = escape(cell(name, row))
    if name != "percentile" or row["percentile"] is None:
        return f"<td>{shown}</td>"
    return f'<td class="{level(row["percentile"] / 100)}">{shown}</td>'


def _texts(summary: Summary) -> str:
    """τ and skew, layer by layer."""
    columns: Mapping[str, Any] = {
        "layer": lambda row: str(row["layer"]),
        "texts": lambda row: f"{row['texts']:,}",
        "τ": lambda row: or_dash(row["threshold"], number),
        "mean skew": lambda row: or_dash(row["mean_skew"], two),
        "skew > 0": lambda row: or_dash(row["right_skewed"], percent),
        "pooled skew": lambda row: or_dash(row["pooled_skew"], two),
    }
    top = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(shown(row))}</td>' for shown in columns.values())}</tr>\n"
        for row in summary.texts.to_pylist()
    )
    return _scrolled(top, body)


def _scrolled(top: str, body: str) -> str:
    table = f"<thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody>"
    return f'<div class="afn-scroll"><table class="afn-run">{table}</table></div>'
