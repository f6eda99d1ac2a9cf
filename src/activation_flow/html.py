"""Results of any kind as HTML: a fragment for notebooks, a page to send.

Chooses the parts: strengths are in html_strength, shifts in html_shift; what they share, and how
text is escaped, in markup.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from activation_flow.html_prompts import prompts_parts
from activation_flow.html_shift import shift_parts
from activation_flow.html_strength import strength_parts
from activation_flow.markup import LEVELS, errors, escape, fragment, heading, legend, note
from activation_flow.picture import HINT, picture_of, token_text
from activation_flow.picture_hidden import hidden_legend, shape_line
from activation_flow.picture_prompts import picture_of_prompts
from activation_flow.picture_shift import picture_of_shifts
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.result_prompts import PromptsResults
from activation_flow.result_shift import ShiftResult, ShiftResults
from activation_flow.results import LayersResult, Results, StrengthResults

__all__ = ["LEVELS", "escape", "html_fragment", "html_page"]


class _Size(NamedTuple):
    """How much is shown: texts, pairs in an overview, and about so many cells altogether."""

    texts: int
    listed: int
    cells: int
    hint: str


_NOTEBOOK = _Size(10, 100, 10_000, HINT)
_PAGE = _Size(200, 1_000, 100_000, "a .csv or .json file holds all")
_TITLES = {
    StrengthResults: "Token activation strength",
    LayersResult: "Token activation strength, layer by layer",
    ShiftResults: "Token activation shift",
    PromptsResults: "What prompts move",
    HiddenResults: "Hidden states",
}


def html_fragment(results: Results[Any]) -> str:
    """A self-contained ``<div>`` for notebooks."""
    return fragment(_parts(results, _NOTEBOOK))


def html_page(results: Results[Any]) -> str:
    """A complete document to read offline, print and send; settings and versions at its end."""
    head = results.provenance
    title = _TITLES[type(results)]
    about = f": {_about(results[0])}" if len(results) == 1 else ""
    layers = f"{', '.join(map(str, results.layers))} of {head.n_layers}"
    facts = {"model": head.model, "revision": head.revision or "unknown", "layers": layers}
    facts |= {"engine": head.engine, "precision": head.precision}
    rows = "".join(
        f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>\n"
        for group in (facts, head.settings, head.versions)
        for key, value in group.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title + about)}</title>\n</head>\n"
        f'<body class="afn-page">\n<h1>{escape(title)}</h1>\n'
        f"{fragment(_parts(results, _PAGE))}\n"
        '<div class="afn"><p class="afn-title">Model, settings, versions</p>\n'
        f'<table class="afn-facts">{rows}</table></div>\n</body>\n</html>\n'
    )


def _about(result: Any) -> str:
    if isinstance(result, ShiftResult):
        return f"{result.a.text[:40]} → {result.b.text[:40]}"
    return str(result.text[:60])


def _parts(results: Results[Any], size: _Size) -> Iterator[str]:
    texts, listed, cells, hint = size
    # About so many cells, so that a page of any results can be opened.
    tokens = max(50, cells // max(1, min(len(results), texts) * len(results.layers)))
    match results:
        case StrengthResults():
            return strength_parts(picture_of(results, texts=texts, tokens=tokens, hint=hint))
        case ShiftResults():
            rows = max(50, tokens // 2)  # a row has two tokens
            return shift_parts(
                picture_of_shifts(results, listed=listed, drawn=texts, rows=rows, hint=hint)
            )
        case PromptsResults():
            # A comparison has two variants of a text; the first texts are drawn whole.
            each = max(1, min(len(results), texts))
            rows, drawn = max(50, cells // (each * 20)), max(3, cells // 1_000)
            return prompts_parts(
                picture_of_prompts(results, texts=texts, drawn=drawn, rows=rows, hint=hint)
            )
        case HiddenResults():
            return _hidden_parts(results, texts)
    raise TypeError(f"there is no HTML of {type(results).__name__}")


def _hidden_parts(results: HiddenResults, texts: int) -> Iterator[str]:
    several = len(results) + len(results.errors) > 1
    for number, states in zip(results.numbers[:texts], results, strict=False):
        yield from heading(f"text {number}" if several else "", states)
        yield note(shape_line(states))
        yield note(_first_tokens(states))
    if len(results) > texts:
        yield note(f"{len(results) - texts:,} more texts are not shown")
    if len(results):
        yield legend(hidden_legend(results), ("", ""))
    yield from errors(results)


def _first_tokens(states: HiddenStates, n: int = 50) -> str:
    shown = " ".join(token_text(str(token)) for token in states.tokens[:n])
    return f"{shown} …" if len(states) > n else shown
