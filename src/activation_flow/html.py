"""Results of any kind as HTML: a fragment for notebooks, a page to send.

Chooses the parts: strengths are in html_strength, shifts in html_shift; what they share, and how
text is escaped, in markup.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from activation_flow import charts, html_prompts, html_shift, html_strength, page, retrace
from activation_flow.charts_theme import TOKENS, Figure
from activation_flow.markup import LEVELS, errors, escape, fragment, heading, legend, note
from activation_flow.picture import HINT, picture_of, shortened, source_line, token_text
from activation_flow.picture_hidden import hidden_legend, shape_line
from activation_flow.picture_prompts import PromptsPicture, picture_of_prompts
from activation_flow.picture_shift import ShiftPicture, picture_of_shifts
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
_PAGE = _Size(200, 1_000, 10_000, "a .csv or .json file holds all")
_CHARTS = 10  # texts, or pairs, of a page that are drawn as charts
_MARKS = 6_000  # at most about so many marks in all of them
_QUOTED = 300  # letters of a text at the head of a page
_TITLES = {
    StrengthResults: "Token activation strength",
    LayersResult: "Token activation strength, layer by layer",
    ShiftResults: "Token activation shift",
    PromptsResults: "What prompts move",
    HiddenResults: "Hidden states",
}
# What the tokens of a page mean, and what its numbers do.
_STRIP = (
    "Tokens in reading order. The stronger the colour, the larger the strength S, the L2 norm of "
    "the token's hidden state; HIGH ones are bold and underlined."
)
_RANKED = "The strength of each token; rank 1 is the strongest of its text."
_MEANINGS: dict[type[Results[Any]], tuple[str, str]] = {
    StrengthResults: (_STRIP, _RANKED),
    LayersResult: (_STRIP, f"{_RANKED} Each layer has a scale of its own."),
    ShiftResults: (
        "Tokens of A above those of B that they are aligned to. The stronger the colour, the "
        "further the token's hidden state moves from A to B.",
        "The shift Δ of each aligned pair of tokens, beside strength and cosine distance.",
    ),
    PromptsResults: (
        "The text under two prompts, tokens of A above those of B that they are aligned to. The "
        "stronger the colour, the further the prompt moves the token's hidden state.",
        "How far each pair of prompts is apart, layer by layer and token by token.",
    ),
    HiddenResults: ("The hidden states that the result holds, and their tokens.", ""),
}
_DRAWN = "The same numbers as pictures; point at a mark for what stands behind it."

_Section = tuple[str, str, Iterable[str]]  # title, what it means, what it holds


def html_fragment(results: Results[Any]) -> str:
    """A self-contained ``<div>`` for notebooks."""
    return fragment(_parts(results, _NOTEBOOK))


def html_page(results: Results[Any], everywhere: LayersResult | None = None) -> str:
    """A complete document to read offline, print and send: ``afn report``.

    Tokens, charts, numbers; settings and versions; the command that makes it again.

    Args:
        results: of any kind.
        everywhere: the same texts at every layer, where the page is to show these, too.
    """
    kept = [] if everywhere is None else _figures(everywhere)
    kept = [one for one in kept if not one.name.startswith("strength")]
    figures = [*_figures(results), *kept]
    sections = (*_sections(results, figures), *_layers_section(everywhere))
    head = results.provenance
    return page.page(
        title=_TITLES[type(results)],
        about=_about(results),
        source=source_line(results),
        parts=[page.section(*section) for section in sections],
        facts={**_facts(results), **head.settings, **head.versions},
        command=retrace.command(results, report=everywhere is not None),
        live=len(figures) > 0,
    )


def _facts(results: Results[Any]) -> dict[str, object]:
    head = results.provenance
    layers = f"{', '.join(map(str, results.layers))} of {head.n_layers}"
    return {
        **{"model": head.model, "revision": head.revision or "unknown", "layers": layers},
        **{"engine": head.engine, "precision": head.precision},
    }


def _figures(results: Results[Any]) -> list[Figure]:
    n = _drawn(results)
    return charts.figures(results, n) if n else []


def _drawn(results: Results[Any]) -> int:
    """How many texts are drawn; a drawing of all layers is large."""
    if isinstance(results, PromptsResults):
        sizes = [sum(map(len, result.comparisons)) for result in results[:_CHARTS]]
    else:
        sizes = [min(len(result), TOKENS) for result in results[:_CHARTS]]
    cells = sum(sizes) * len(results.layers)
    return _CHARTS if cells <= _MARKS else len(sizes) * _MARKS // cells


def _sections(results: Results[Any], figures: Sequence[Figure]) -> Iterator[_Section]:
    """Tokens, charts, numbers; each with what it means."""
    tokens, numbers = _two_parts(results, _PAGE)
    says, said = _MEANINGS[type(results)]
    yield "Tokens", says, tokens
    left = len(results) - _drawn(results)
    if figures or left > 0:
        noun = results.noun if left == 1 else f"{results.noun}s"
        more = [note(f"{left:,} more {noun} {'is' if left == 1 else 'are'} not drawn")]
        shown = [page.figure(one) for one in figures]
        yield "Charts", _DRAWN, [*shown, *(more if left > 0 else [])]
    if said and len(results):
        yield "Numbers", said, numbers


def _layers_section(everywhere: LayersResult | None) -> Iterator[_Section]:
    if everywhere is not None and len(everywhere):
        said = _MEANINGS[LayersResult][1]
        yield "Numbers of every layer", said, _two_parts(everywhere, _PAGE)[1]


def _two_parts(results: Results[Any], size: _Size) -> tuple[Iterable[str], Iterable[str]]:
    """For a page: tokens; numbers."""
    match results:
        case StrengthResults():
            tokens = _tokens(results, size)
            strengths = picture_of(results, texts=size.texts, tokens=tokens, hint=size.hint)
            return html_strength.token_parts(strengths), html_strength.number_parts(strengths)
        case ShiftResults():
            shifts = _shifts(results, size)
            return html_shift.pair_parts(shifts), html_shift.number_parts(shifts)
        case PromptsResults():
            prompts = _prompts(results, size)
            return html_prompts.token_parts(prompts), html_prompts.number_parts(prompts)
        case HiddenResults():
            return _hidden_parts(results, size.texts), ()
    raise TypeError(f"there is no page of {type(results).__name__}")


def _about(results: Results[Any]) -> str:
    """The text, or the two of a pair; of several, how many there are."""
    if len(results) != 1:
        return f"{len(results):,} {results.noun}s"
    (result,) = results
    texts = (result.a.text, result.b.text) if isinstance(result, ShiftResult) else (result.text,)
    return " → ".join(shortened(text, _QUOTED // len(texts)) or "(empty)" for text in texts)


def _tokens(results: Results[Any], size: _Size) -> int:
    """So many tokens of a text, that a page of any results can be opened."""
    return max(50, size.cells // max(1, min(len(results), size.texts) * len(results.layers)))


def _shifts(results: ShiftResults, size: _Size) -> ShiftPicture:
    rows = max(50, _tokens(results, size) // 2)  # a row has two tokens
    return picture_of_shifts(
        results, listed=size.listed, drawn=size.texts, rows=rows, hint=size.hint
    )


def _prompts(results: PromptsResults, size: _Size) -> PromptsPicture:
    # A comparison has two variants of a text; the first texts are drawn whole.
    each = max(1, min(len(results), size.texts))
    rows, drawn = max(50, size.cells // (each * 20)), max(3, size.cells // 1_000)
    return picture_of_prompts(results, texts=size.texts, drawn=drawn, rows=rows, hint=size.hint)


def _parts(results: Results[Any], size: _Size) -> Iterator[str]:
    """For a notebook: each text with its tokens and numbers."""
    match results:
        case StrengthResults():
            tokens = _tokens(results, size)
            shown = picture_of(results, texts=size.texts, tokens=tokens, hint=size.hint)
            return html_strength.strength_parts(shown)
        case ShiftResults():
            return html_shift.shift_parts(_shifts(results, size))
        case PromptsResults():
            return html_prompts.prompts_parts(_prompts(results, size))
        case HiddenResults():
            return _hidden_parts(results, size.texts)
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
