"""A type in a run on a terminal: how often and where it stands, and its texts as strips of tokens.

Computes nothing. Strips are those of report_strength.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from activation_flow import terminal
from activation_flow.picture import model_line
from activation_flow.picture_occurrences import (
    cells,
    hidden_line,
    picture,
    place,
    sentences,
    title,
)
from activation_flow.report_strength import FOUND, StrengthPage
from activation_flow.result_occurrences import Occurrences

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_PLAIN = 5  # texts of a repr


@dataclass(frozen=True, kw_only=True)
class OccurrencesPage(StrengthPage):
    """A report of what was found.

    Attributes:
        found: what is shown.
        texts: at most so many of them.
    """

    found: Occurrences
    texts: int | None = None

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """What was found, each text, legend."""
        found = self.found
        yield self.text(title(found), "bold")
        for sentence in sentences(found):
            yield self.text(sentence)
        yield self.text(model_line(found.provenance, (found.layer,)) + "\n")
        shown = found.texts[: self.texts]
        for text in shown:
            if text.text is None:
                yield self.text(place(text), "bold")
            else:
                yield from self.quoted(f"{place(text)}: ", [text.text], width)
            yield from self.strip(cells(text), 0, width)
            yield self.text("")
        if more := hidden_line(found, len(shown)):
            yield self.text(f"{more}\n")
        looks = {"HIGH": self._high(), "found": f"{FOUND[0]}token{FOUND[1]}: "}
        yield from self.legend(self.picture.legend, looks, None)


def print_terminal(found: Occurrences, console: "Console") -> None:
    """Print on a ``rich`` console."""
    console.print(_page(found))


def plain(found: Occurrences) -> str:
    """The same without colour, in 80 columns, the first texts only, for ``__repr__``."""
    return terminal.plain(replace(_page(found), width=80, texts=_PLAIN))


def _page(found: Occurrences) -> OccurrencesPage:
    return OccurrencesPage(picture=picture(found), found=found)
