"""Any result for people to read: terminal text, plain text, HTML; a token strip and a table.

Computes no statistics and reads no file. Colours, scale, escaping and HTML are in html.py.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import html
from activation_flow.data import ActivationFlowError, Provenance, StrengthResult, StrengthResults
from activation_flow.html import escape, number, outliers, shade, threshold_line, token_text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.text import Text

__all__ = ["escape", "html_fragment", "html_page", "plain", "print_terminal", "render", "shade"]

_BLOCKS = " ▏▎▍▌▋▊▉█"
_ASCII = str.maketrans({"τ": "tau", "‖": "|", "₂": "_2", "…": "~", "␣": "_", "◌": "o", "█": "#"})
_GREY = "#808080"


@dataclass(frozen=True)
class _Limits:
    """How much is shown at most: texts, lines of a strip, rows of a table; and where the rest is."""

    texts: int = 20
    lines: int = 20
    rows: int = 60
    hint: str = "--save x.csv or --json gives all"


def render(results: StrengthResults, *, top: int | None = None, width: int | None = None) -> "Report":
    """What ``rich`` prints for people: strip, threshold, table, legend.

    Args:
        results: all are drawn on one colour scale per layer.
        top: show only so many tokens of each text in its table, the strongest first.
        width: columns; the console's own if None.

    Raises:
        ActivationFlowError: top is less than 1.
    """
    if top is not None and top < 1:
        raise ActivationFlowError(f"top is {top}: give a whole number from 1")
    return Report(results, top, width, _Limits())


def print_terminal(results: StrengthResults, console: "Console", top: int | None = None) -> None:
    """Print the results on a ``rich`` console; without colour, marks stand in for it."""
    console.print(render(results, top=top))


def plain(results: StrengthResults) -> str:
    """A short text of at most 80 columns for ``__repr__``: no colour, the beginning of it all."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out, width=80, color_system=None, force_terminal=False, force_jupyter=False
    )
    hint = ".to_pandas() or .save('x.csv') gives all"
    console.print(Report(results, None, 80, _Limits(texts=3, lines=4, rows=12, hint=hint)))
    return out.getvalue().rstrip("\n")
