"""Results of any kind for people to read on a terminal; plain text for ``repr``.

Chooses the report: strengths are in report_strength, shifts in report_shift, prompts in
report_prompts. Reads no file.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from activation_flow import terminal
from activation_flow.data import ActivationFlowError
from activation_flow.picture import HINT, picture_of, source_line
from activation_flow.picture_prompts import picture_of_prompts
from activation_flow.picture_shift import picture_of_shifts
from activation_flow.report_hidden import HiddenPage
from activation_flow.report_prompts import PromptsPage
from activation_flow.report_shift import ShiftPage
from activation_flow.report_strength import StrengthPage
from activation_flow.result_hidden import HiddenResults
from activation_flow.result_prompts import PromptsResults
from activation_flow.result_shift import ShiftResults
from activation_flow.results import Results, StrengthResults
from activation_flow.terminal import Page

if TYPE_CHECKING:
    from rich.console import Console


class _Size(NamedTuple):
    """How much is shown: texts (of pairs only some token by token), tokens of each, lines."""

    texts: int
    drawn: int
    tokens: int
    lines: int
    hint: str


_SCREEN = _Size(20, 3, 60, 20, "--save x.csv or --json gives all")
_REPR = _Size(3, 1, 12, 4, HINT)


def render(results: Results[Any], *, top: int | None = None, width: int | None = None) -> Page:
    """A ``rich`` renderable for people: texts, tables and a legend, on one scale.

    Args:
        results: strengths, shifts, prompts or hidden states.
        top: only so many rows in each table: the strongest tokens, the largest shifts.
        width: columns; all of the console if None.

    Raises:
        ActivationFlowError: top is less than 1.
    """
    if top is not None and top < 1:
        raise ActivationFlowError(f"top is {top}: give a whole number from 1")
    return _page(results, _SCREEN, top, width)


def print_terminal(results: Results[Any], console: "Console", top: int | None = None) -> None:
    """Print on a ``rich`` console; where it has no colour, marks stand in for it."""
    console.print(render(results, top=top))


def plain(results: Results[Any]) -> str:
    """The beginning of it all, for ``__repr__``: at most 80 columns, no colour."""
    body = terminal.plain(_page(results, _REPR, None, 80))
    count = f"{len(results):,} {results.noun}{'' if len(results) == 1 else 's'}"
    return f"{count}, {source_line(results)}\n\n{body}"


def _page(results: Results[Any], size: _Size, top: int | None, width: int | None) -> Page:
    texts, drawn, tokens, lines, hint = size
    match results:
        case StrengthResults():
            strengths = picture_of(results, texts=texts, tokens=tokens, hint=hint)
            return StrengthPage(picture=strengths, top=top, width=width, lines=lines)
        case ShiftResults():
            shifts = picture_of_shifts(results, listed=texts, drawn=drawn, rows=tokens, hint=hint)
            return ShiftPage(picture=shifts, top=top, width=width)
        case PromptsResults():
            prompts = picture_of_prompts(results, texts=texts, drawn=drawn, rows=tokens, hint=hint)
            return PromptsPage(picture=prompts, top=top, width=width)
        case HiddenResults():
            return HiddenPage(results=results, texts=texts, width=width)
    raise TypeError(f"there is no report of {type(results).__name__}")
