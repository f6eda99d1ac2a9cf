"""A result and a form -> name and bytes of a file: what ``save`` and ``afn report`` write."""

import tempfile
from pathlib import Path

from activation_flow import html
from activation_flow.app_answers import Explored, Opened
from activation_flow.data import ActivationFlowError
from activation_flow.result_prompts import PromptsResult
from activation_flow.result_shift import ShiftResult
from activation_flow.result_shift_summary import ShiftSummary
from activation_flow.result_summary import Summary
from activation_flow.results import StrengthResult

Found = Explored | ShiftResult | PromptsResult | Opened
FORMS = ("html", "png", "csv", "json")  # what every view gives


def file(found: Found, form: str) -> tuple[str, bytes]:
    """What is downloaded.

    Of one text: its strengths at the layer that is looked at; the page shows all layers, too. Of a
    run: its summary of all layers, without what was looked for.

    Args:
        found: what a view shows.
        form: one of ``FORMS``.

    Returns:
        The name of the file, and its content.

    Raises:
        ActivationFlowError: another form, or the file cannot be made.
    """
    if form not in FORMS:
        raise ActivationFlowError(f"form {form!r} is not one of {', '.join(FORMS)}")
    verb, result = _saved(found)
    name = f"activation-flow-{verb}.{form}"
    if isinstance(found, Explored) and form == "html":
        return name, html.html_page(found.at._as_list(), found.everywhere).encode()
    try:
        # A folder that nobody else can look into; it goes with the file.
        with tempfile.TemporaryDirectory(prefix="afn-") as folder:
            path = Path(folder) / name
            result.save(path)
            return name, path.read_bytes()
    except OSError as problem:
        raise ActivationFlowError(
            f"the file cannot be made: {problem.strerror or problem}"
        ) from problem


def _saved(
    found: Found,
) -> tuple[str, StrengthResult | ShiftResult | PromptsResult | Summary | ShiftSummary]:
    """What files of it are called, and what is in them."""
    match found:
        case Explored():
            return "strength", found.at
        case Opened():
            return "corpus", found.summary
        case ShiftResult():
            return "shift", found
        case PromptsResult():
            return "prompts", found
