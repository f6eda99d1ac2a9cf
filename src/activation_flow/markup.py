"""What all results as HTML are made of: headings, notes, legend, style. Escaping lives here.

No script, no request to any host; the looks are report.css.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from html import escape as _escape
from importlib.resources import files
from typing import Any

import numpy as np

from activation_flow.data import Provenance
from activation_flow.picture import Legend, failure_lines, reading_note, shortened, visible
from activation_flow.result_hidden import HiddenStates
from activation_flow.results import Results, StrengthResult

# Steps of colour: one class each in report.css.
LEVELS = 40
# Characters of a text above its tokens.
_QUOTED = 2000
_LOOKS = {"HIGH": "<b>HIGH</b>", "special": '<span class="afn-t afn-special">special</span>'}
_LOOKS["found"] = '<span class="afn-t afn-found">found</span>'


def escape(text: object) -> str:
    r"""The one way of any text into HTML, attributes included.

    >>> escape("<b>\0")
    '&lt;b&gt;\\x00'
    """
    return _escape(visible(str(text)), quote=True)


def level(place: float) -> str:
    """The class of a place on the colour scale; NaN has its own.

    >>> level(0.5), level(float("nan"))
    ('afn-s20', 'afn-nan')
    """
    return "afn-nan" if np.isnan(place) else f"afn-s{round(place * LEVELS)}"


def hover(lines: Iterable[Iterable[str]]) -> str:
    """A title attribute: parts of a line are set apart by commas; empty ones are left out."""
    joined = (escape(", ".join(filter(None, line))) for line in lines)
    return f'title="{"&#10;".join(filter(None, joined))}"'


def note(text: str) -> str:
    """A line of small print."""
    return f'<p class="afn-note">{escape(text)}</p>'


def heading(lead: str, text: StrengthResult | HiddenStates) -> Iterator[str]:
    """A text, each segment on its own line, and how it was read if it was long."""
    segments = [text.text] if text.text_pair is None else [text.text, text.text_pair]
    yield from quoted_text(lead, segments)
    if how := reading_note(text):
        yield note(how)


def quoted_text(lead: str, segments: Sequence[str]) -> Iterator[str]:
    """A text, each segment on its own line, and how long it is if not all of it is quoted."""
    lead = f'<span class="afn-number">{escape(lead)}</span> ' if lead else ""
    shown = [shortened(segment, _QUOTED) or "(empty)" for segment in segments]
    quoted = "<br>".join(f"<bdi>{escape(segment)}</bdi>" for segment in shown)
    yield f'<p class="afn-title">{lead}{quoted}</p>'
    if any(len(segment) > _QUOTED for segment in segments):
        long = " and ".join(f"{len(segment):,}" for segment in segments)
        yield note(f"{long} characters, of which the first {_QUOTED:,} are quoted")


def legend(meanings: Legend, ends: tuple[str, str]) -> str:
    """Marks and their meanings; the colour scale between its ends."""
    bar = f'<span class="afn-range">{ends[0]}<span class="afn-bar"></span>{ends[1]}</span>'
    rows = "".join(
        f"<dt>{_LOOKS.get(mark, escape(mark))}</dt>"
        f"<dd>{bar if mark == 'scale' else ''}{escape(look + meaning)}</dd>"
        for mark, look, meaning in meanings
    )
    return f'<dl class="afn-legend">{rows}</dl>'


def folded(title: str, parts: Iterable[str]) -> str:
    """Parts that are seen when somebody opens them."""
    body = "\n".join(parts)
    return f"<details><summary>{escape(title)}</summary>\n{body}\n</details>"


def tiles(numbers: Iterable[tuple[str, str, str]]) -> str:
    """A few large numbers: the name of each, itself, and what it is to be read beside."""
    held = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}"
        f"{f'<small>{escape(beside)}</small>' if beside else ''}</dd></div>"
        for name, value, beside in numbers
    )
    return f'<dl class="afn-tiles">{held}</dl>'


def errors(results: Results[Any]) -> Iterator[str]:
    """The texts, or pairs of texts, without a result."""
    if results.errors:
        items = "".join(f"<li>{escape(line)}</li>" for line in failure_lines(results))
        yield f'<p class="afn-title">Without a result</p><ul>{items}</ul>'


def facts(head: Provenance) -> str:
    """Which weights, and which versions measured, as a line of small print."""
    versions = ", ".join(f"{name} {version}" for name, version in head.versions.items())
    return note("; ".join(filter(None, (f"revision {head.revision or 'unknown'}", versions))))


@cache
def style() -> str:
    """The looks of all results; a page holds them once."""
    return files("activation_flow").joinpath("report.css").read_text(encoding="utf-8")


def block(parts: Iterable[str]) -> str:
    """A ``<div>`` of a page that holds the style already."""
    body = "\n".join(parts)
    return f'<div class="afn" translate="no">\n{body}\n</div>'


def fragment(parts: Iterable[str]) -> str:
    """A ``<div>`` with its own style, for a notebook or as the body of a page."""
    return block([f"<style>\n{style()}</style>", *parts])
