"""A type in a run as HTML: its texts as strips of tokens; a fragment for notebooks, a page to send.

Computes nothing. Strips are those of html_strength.py, sentences those of the terminal.
"""

from collections.abc import Iterator

from activation_flow import page
from activation_flow.html_run import facts, warning
from activation_flow.html_strength import strips
from activation_flow.markup import escape, fragment, legend, note, quoted_text
from activation_flow.picture import model_line
from activation_flow.picture_occurrences import (
    cells,
    command,
    hidden_line,
    picture,
    place,
    sentences,
    title,
)
from activation_flow.result_occurrences import Occurrences, Sentence

_TOKENS = 10_000  # that are drawn altogether, about
_HINT = ".save('x.csv') gives all"
_STRIP = (
    "The texts in which it stands highest come first. The stronger the colour, the larger the "
    "strength S of a token, the L2 norm of its hidden state; HIGH ones are bold and underlined, "
    "and what was looked for is outlined."
)


def html_fragment(found: Occurrences) -> str:
    """A self-contained ``<div>`` for notebooks."""

    def parts() -> Iterator[str]:
        yield from warning(*found.shards)
        yield f'<p class="afn-title">{escape(title(found))}</p>'
        yield from _said(found)
        yield from text_parts(found)

    return fragment(parts())


def html_page(found: Occurrences) -> str:
    """A complete document to read offline, print and send."""
    return page.page(
        title="Where a type stands in a corpus",
        about=title(found),
        source=model_line(found.provenance, (found.layer,)),
        parts=[
            *warning(*found.shards),
            page.section("Found", "", _said(found)),
            *([page.section("Texts", _STRIP, text_parts(found))] if found.texts else []),
        ],
        facts=facts(found.provenance, (found.layer,)),
        command=command(found, "found.html"),
        live=False,
    )


def text_parts(found: Occurrences) -> Iterator[str]:
    """The texts as strips, what is not shown, and the legend."""
    yield from strip_parts(found)
    if more := hidden_line(found, len(found.texts)):
        yield note(more)
    if meaning := picture(found).legend:
        yield legend(meaning, ("lowest", "highest"))


def strip_parts(found: Occurrences, hint: str = _HINT) -> Iterator[str]:
    """The texts as strips; the hint says how to get the tokens that are not shown."""
    room = max(50, _TOKENS // max(1, len(found.texts)))
    for text in found.texts:
        yield from _text(text, room, hint)


def _said(found: Occurrences) -> Iterator[str]:
    # That the run is not finished is said above all.
    yield from map(note, list(sentences(found))[not found.finished :])


def _text(text: Sentence, room: int, hint: str) -> Iterator[str]:
    if text.text is None:
        yield f'<p class="afn-title"><span class="afn-number">{escape(place(text))}</span></p>'
    else:
        yield from quoted_text(place(text), [text.text])
    yield from strips(cells(text), [0], room, hint)
