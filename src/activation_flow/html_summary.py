"""The summary of a run as HTML: a fragment for notebooks, a page to send.

Computes nothing. Strengths are in html_strength_summary, runs that compare in html_shift_summary;
names, cells and sentences are those of the terminal.
"""

from collections.abc import Iterator

from activation_flow import charts, html_shift_summary, html_strength_summary, page, retrace_run
from activation_flow.html_run import Section, cells, facts, table, warning
from activation_flow.markup import escape, fragment, note
from activation_flow.picture import model_line
from activation_flow.result_run import OfRun
from activation_flow.result_shift_summary import ShiftSummary
from activation_flow.result_summary import Summary

_DRAWN = (
    "The same numbers as pictures, with 95 % intervals over texts; point at a mark for what stands "
    "behind it, and choose another layer."
)
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


def html_fragment(summary: OfRun) -> str:
    """A self-contained ``<div>`` for notebooks."""

    def parts() -> Iterator[str]:
        yield from warning(*summary.shards)
        yield from read_parts(summary)
        for title, said, held in _sections(summary):
            yield f'<p class="afn-title">{escape(title)}</p>'
            yield from [note(said)] if said else []
            yield from held

    return fragment(parts())


def html_page(summary: OfRun) -> str:
    """A complete document to read offline, print and send: ``afn report DIR``.

    What was read, charts, numbers layer by layer; settings and versions; the command that makes the
    run again.
    """
    head, figures = summary.provenance, charts.figures(summary)
    sections: list[Section] = [("What was read", "", [*read_parts(summary)])]
    if figures:
        sections.append(("Charts", _DRAWN, [page.figure(one) for one in figures]))
    sections += _sections(summary)
    texts, noun = summary.counts["texts"] or 0, noun_of(summary)
    files = [str(file["path"]) for file in summary.manifest["files"]]
    of = files[0] if len(files) == 1 else f"{len(files):,} files"
    return page.page(
        title=f"Token activation {'shift' if summary.compares else 'strength'} over a corpus",
        about=f"{texts:,} {noun}{'' if texts == 1 else 's'} of {of}",
        source=model_line(head, summary.layers),
        parts=[*warning(*summary.shards), *(page.section(*section) for section in sections)],
        facts=facts(head, summary.layers),
        command=retrace_run.command(summary),
        live=len(figures) > 0,
    )


def _sections(summary: OfRun) -> Iterator[Section]:
    match summary:
        case Summary():
            return html_strength_summary.sections(summary)
        case ShiftSummary():
            return html_shift_summary.sections(summary)
    raise TypeError(f"there is no page of {type(summary).__name__}")


def noun_of(summary: OfRun) -> str:
    """What the run is of: texts, or pairs of them."""
    return "pair" if isinstance(summary, ShiftSummary) and not summary.prompts else "text"


def read_parts(summary: OfRun) -> Iterator[str]:
    """What was read, and what was not."""
    counts = summary.counts
    same = None if counts["computed"] is None else (counts["texts"] or 0) - counts["computed"]
    rows = {name: counts.get(key) for key, name in _COUNTS.items()} | {_SAME: same}
    named = ((name.replace("text", noun_of(summary)), value) for name, value in rows.items())
    yield table((), (cells(name, [f"{n:,}"]) for name, n in named if n is not None))
    if counts["rejects"]:
        yield note(f"{summary.path / 'rejects.jsonl'} says why these have no result")
