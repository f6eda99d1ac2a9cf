"""Results of any kind as Vega-Altair charts; computes nothing.

Chooses the pictures: strengths are in charts_strength, several layers in charts_layers, shifts in
charts_shift, prompts in charts_prompts; what they share in charts_theme, and how they become files
in drawing.
"""

from collections.abc import Iterator
from typing import Any

from activation_flow import (
    charts_depth,
    charts_kinds,
    charts_layers,
    charts_prompts,
    charts_shift,
    charts_strength,
    charts_summary,
)
from activation_flow import charts_theme as theme
from activation_flow.charts_prompts import DrawnPrompts
from activation_flow.charts_shift import DrawnShift
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import Drawn, without_buckets
from activation_flow.data import ActivationFlowError
from activation_flow.picture import HINT
from activation_flow.result_hidden import HiddenStates
from activation_flow.result_prompts import PromptsResults
from activation_flow.result_run import OfRun
from activation_flow.result_shift import ShiftResults
from activation_flow.results import Results, StrengthResults, layer_index

__all__ = ["Figure", "chart", "figures"]

TEXTS = 5  # are drawn below each other


@theme.unchecked
def chart(
    results: Any, *, layer: int | None = None, tokens: int = theme.TOKENS, zero: bool = True
) -> Any:
    """The picture of a result, or of the first ones of a list, below each other.

    One layer: a bar for each token. Two: side by side. More: layers by tokens.

    Args:
        results: one result, a list, or the summary of a run.
        layer: the only one to draw.
        tokens: at most so many of a text are drawn; with the usual 60 up to 64, if these are all.
        zero: False for dots on an axis of their own range, where bars of one layer's strengths,
            which begin at 0, look all the same.

    Raises:
        ActivationFlowError: an empty list, a layer that the result does not hold, or no token is
            to be drawn.
    """
    if isinstance(results, OfRun):
        return charts_summary.chart(results, layer=layer)
    found = results._as_list()
    if not len(found):
        raise ActivationFlowError(f"there is nothing to draw: no {found.noun} has a result")
    if tokens < 1:
        raise ActivationFlowError(f"tokens={tokens}: at least one token must be drawn")
    shown = found[:TEXTS]
    parts = [_picture(drawn, zero) for drawn in _drawn(shown, layer, tokens, _several(found))]
    if len(found) == 1:
        return theme.finished(parts[0])
    left = len(found) - len(shown)
    return theme.finished(theme.below_each_other(parts, _left_out(left, found)))


@theme.unchecked
def figures(results: Any, limit: int = TEXTS) -> list[Figure]:
    """The pictures of a page; none of an empty list.

    Args:
        results: one result, a list of any kind, or the summary of a run.
        limit: at most so many texts, or pairs of texts, are drawn.
    """
    if isinstance(results, OfRun):
        return charts_summary.figures(results)
    found = results._as_list()
    made: list[Figure] = []
    for n, drawn in enumerate(_drawn(found[:limit], None, theme.TOKENS, _several(found)), start=1):
        if isinstance(drawn, DrawnPrompts):
            made.extend(charts_depth.figures(drawn, str(n), limit))
            continue
        if isinstance(drawn, DrawnShift):
            made.append(charts_shift.figure(drawn, f"shift-{n}"))
            continue
        if len(drawn.result.layers) > 1:
            made.append(charts_layers.figure(drawn, f"layers-{n}"))
        made.append(charts_strength.figure(drawn, f"strength-{n}"))
    if isinstance(found, StrengthResults) and len(found):
        made = [*charts_kinds.figures(found), *made]
    return made


def _several(found: Results[Any]) -> bool:
    return len(found) + len(found.errors) > 1


def _left_out(n: int, found: Results[Any]) -> str:
    noun = found.noun if n == 1 else f"{found.noun}s"
    return f"{n:,} more {noun} {'is' if n == 1 else 'are'} not drawn; {HINT}" if n else ""


def _drawn(
    found: Results[Any], layer: int | None, tokens: int, several: bool
) -> Iterator[Drawn | DrawnShift | DrawnPrompts]:
    """Each result with what of it is drawn, and its number where there are several."""
    for number, result in zip(found.numbers, found, strict=True):
        lead, name = (f"{found.noun} {number}", f"_{number}") if several else ("", "")
        if isinstance(found, ShiftResults):
            if layer is not None:
                layer_index(found.layers, layer)
            yield DrawnShift(result, theme.how_many(len(result), tokens), lead, name)
            continue
        if isinstance(found, PromptsResults):
            if layer is not None:
                layer_index(found.layers, layer)
            yield charts_prompts.drawn_prompts(result, layer, tokens, lead, name)
            continue
        one = result if layer is None else result.at(layer)
        strengths = without_buckets(one) if isinstance(one, HiddenStates) else one
        yield Drawn(strengths, theme.how_many(len(result), tokens), lead, name)


def _picture(drawn: Drawn | DrawnShift | DrawnPrompts, zero: bool) -> Any:
    if isinstance(drawn, DrawnShift):
        return charts_shift.bars(drawn)
    if isinstance(drawn, DrawnPrompts):
        return charts_prompts.picture(drawn)
    match len(drawn.result.layers):
        case 1:
            return charts_strength.bars(drawn, zero=zero)
        case 2:
            return charts_layers.side_by_side(drawn)
    return charts_layers.heat_map(drawn)
