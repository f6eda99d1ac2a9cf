"""The charts of the summary of a run: which there are, and what each means; computes nothing."""

from collections.abc import Iterator
from typing import Any

from activation_flow import charts_run_kinds as kinds
from activation_flow import charts_run_shift as shifts
from activation_flow import charts_run_spread as spread
from activation_flow import charts_theme as theme
from activation_flow.charts_run import HIGH, PLACE, Measure, Shown, measured, shown
from activation_flow.charts_theme import Figure
from activation_flow.data import ActivationFlowError
from activation_flow.result_run import OfRun
from activation_flow.result_shift_summary import ShiftSummary
from activation_flow.result_summary import Summary

_MEANINGS = {
    PLACE: "The mean rank percentile of the tokens of each kind within their texts: at 50 they "
    "stand in the middle, as tokens chosen blindly would.",
    HIGH: "The part of the tokens of each kind that is HIGH (S > τ), beside that of all tokens.",
}


def chart(summary: OfRun, *, layer: int | None = None) -> Any:
    """The picture of a run: where its kinds of token stand, and how often they are HIGH.

    Of several layers: layer by layer. Of one: with special tokens, and how strengths are spread.
    Of a run that compares: how far anchor and tokens move for each pair of prompts.

    Args:
        summary: of a run.
        layer: the only one to draw.

    Raises:
        ActivationFlowError: the summary does not hold that layer, or no text has a result.
    """
    import altair as alt

    one = shown(summary, layer)
    if not summary.table.num_rows:
        raise ActivationFlowError("there is nothing to draw: no text has a result")
    if isinstance(summary, ShiftSummary):
        parts = [*_moved(summary, one)]
    elif not isinstance(summary, Summary):
        raise TypeError(f"there is no chart of {type(summary).__name__}")
    elif len(one.layers) > 1:
        parts = [kinds.by_layer(summary, measure) for measure in _measures(summary)]
    else:
        parts = [kinds.dots(one, measure) for measure in _measures(summary)]
        parts.append(spread.histograms(one))
    column = alt.vconcat(*parts, spacing=40)
    return theme.finished(
        column.resolve_scale(color="independent", shape="independent", x="independent")
    )


def _moved(summary: ShiftSummary, these: Shown) -> Iterator[Any]:
    """Layer by layer; of one layer: drift, R_H and kinds where there are any."""
    if len(these.layers) > 1:
        yield from (shifts.by_layer(summary, measure) for measure in shifts.BY_LAYER)
    else:
        yield shifts.drift(these)
        if shifts.has(summary, "text", "high_ratio"):
            yield shifts.ratio(these)
        if shifts.has(summary, "kind"):
            yield shifts.kinds(these)


def figures(summary: OfRun) -> list[Figure]:
    """Those of a page; with several layers, one may be chosen in some of them."""
    if not summary.table.num_rows:
        return []
    if isinstance(summary, ShiftSummary):
        return [*curves(summary), *of_layer(shown(summary))]
    if not isinstance(summary, Summary):
        raise TypeError(f"there is no chart of {type(summary).__name__}")
    one, found = shown(summary), []
    for measure in _measures(summary):
        found += [_curve(summary, measure)] if len(summary.layers) > 1 else []
        # subtle: at one layer the same, with special tokens and numbers that can be told apart.
        found.append(_dots(one, measure))
    return [*found, *_spread(one), *_skew(summary)]


def curves(summary: OfRun) -> Iterator[Figure]:
    """Those over the layers of a run, if it has several."""
    if len(summary.layers) == 1 or not summary.table.num_rows:
        return
    if isinstance(summary, ShiftSummary):
        yield from shifts.curves(summary)
    elif isinstance(summary, Summary):
        yield from (_curve(summary, measure) for measure in _measures(summary))
        yield from _skew(summary)


def of_layer(one: Shown) -> Iterator[Figure]:
    """Those of a layer, without what curves over several layers say too."""
    summary = one.summary
    if not summary.table.num_rows:
        return
    if isinstance(summary, ShiftSummary):
        yield from shifts.of_layer(summary, one)
    elif isinstance(summary, Summary):
        if len(summary.layers) == 1:
            yield from (_dots(one, measure) for measure in _measures(summary))
        yield from _spread(one)


def _curve(summary: Summary, measure: Measure) -> Figure:
    title = f"{measure.title}, layer by layer"
    return _figure(
        f"{_name(measure)}-by-layer", title, _MEANINGS[measure], kinds.by_layer(summary, measure)
    )


def _dots(one: Shown, measure: Measure) -> Figure:
    title = f"{measure.title}, one layer"
    return _figure(_name(measure), title, _MEANINGS[measure], kinds.dots(one, measure))


def _spread(one: Shown) -> Iterator[Figure]:
    """How strong kinds and types are."""
    said = "The part of the tokens of each kind that is so strong."
    yield _figure(
        "strengths", "How strong the tokens of each kind are", said, spread.histograms(one)
    )
    if one.summary.table.filter(_listed()).num_rows:
        said = "Types of token by the mean strength of all their tokens in the run."
        yield _figure("types", "Strongest and weakest types of token", said, spread.types(one))


def _skew(summary: Summary) -> Iterator[Figure]:
    """Layer by layer, where some text has one."""
    rows = summary.texts.to_pylist()
    if len(summary.layers) > 1 and any(row["mean_skew"] is not None for row in rows):
        said = "Above 0, a few tokens of a text are much stronger than its others; below, weaker."
        yield _figure("skew", "Skew of strengths, layer by layer", said, spread.skew(summary))


def _figure(name: str, title: str, sentence: str, chart: Any) -> Figure:
    return Figure(name, title, sentence, theme.finished(chart))


def _name(measure: Measure) -> str:
    return measure.column.replace("_", "-")


def _measures(summary: Summary) -> list[Measure]:
    """Those that some kind has; nothing is HIGH where no token takes part."""
    return [
        measure
        for measure in (PLACE, HIGH)
        if any(True for layer in summary.layers for _ in measured(summary, "kind", layer, measure))
    ]


def _listed() -> Any:
    from pyarrow.compute import field

    return field("section") == "strongest"
