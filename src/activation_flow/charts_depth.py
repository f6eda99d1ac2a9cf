"""Where in depth prompts act, as lines; and all figures of one text under several prompts."""

from collections.abc import Iterator
from typing import Any

from activation_flow import charts_shift
from activation_flow import charts_theme as theme
from activation_flow.charts_layers import layer_axis
from activation_flow.charts_prompts import MATRIX, TOLD, WHAT, DrawnPrompts, drift_bars, matrix
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import finite
from activation_flow.picture import number
from activation_flow.picture_prompts import ANCHORS, DEPTH_TITLE

SERIES = len(theme.SERIES)  # so many lines can be told apart
_DRIFT = "How far the same text is moved when one prompt is put in the place of the other."

_NOT_COMPARABLE = "raw Δ of two layers cannot be compared"


def anchor_lines(drawn: DrawnPrompts, chosen: tuple[int, int] | None = None) -> Any:
    """A line for each pair of prompts over the layers: how far the anchor moves.

    Args:
        drawn: the text.
        chosen: a pair that is among the lines however many pairs there are.
    """
    import altair as alt

    r = drawn.result
    pairs = [(one.a, one.b) for one in r.comparisons][:SERIES]
    if chosen is not None and chosen not in pairs:
        pairs[-1] = chosen
    rows = []
    for p, (a, b) in enumerate(pairs):
        for k, layer in enumerate(r.layers):
            row = {"pair": p, "prompt_a": drawn.names[a], "prompt_b": drawn.names[b], "k": k}
            row["layer_name"] = r.provenance.layer_name(layer)
            shift, angle = float(r.anchor_shift[k, a, b]), float(r.anchor_cosine[k, a, b])
            row |= {"anchor_shift": finite(shift), "anchor_cosine": finite(angle)}
            rows.append({**row, "anchor": number(shift), "cosine": number(angle)})
    labels = [f"{drawn.names[a]} – {drawn.names[b]}" for a, b in pairs]
    below, layer_names = layer_axis(r.provenance, r.layers, f"layers{drawn.name}")
    widest = max((theme.text_width(label, theme.SMALL) for label in labels), default=0)
    legend = alt.Legend(
        title=None,
        columns=2 if 2 * widest < theme.WIDE else 1,
        labelExpr=f"lines{drawn.name}[datum.value]",
        labelLimit=0,
    )
    domain = list(range(len(pairs)))
    colours, shapes = list(theme.SERIES[: len(pairs)]), list(theme.SHAPES[: len(pairs)])
    colour = alt.Color("pair:N", legend=legend, scale=alt.Scale(domain=domain, range=colours))
    shape = alt.Shape("pair:N", legend=legend, scale=alt.Scale(domain=domain, range=shapes))
    above, _ = layer_axis(r.provenance, r.layers, f"layers{drawn.name}")
    above.title = None  # once is enough
    places = alt.Scale(domain=list(range(len(r.layers))))
    told = ("prompt_a", "prompt_b", "anchor", "cosine", "layer_name")
    tip = [alt.Tooltip(f"{field}:N", title=TOLD[field]) for field in told]
    base = alt.Chart(theme.data(rows))
    panels = []
    ways = (("anchor_shift", "shift Δ", above), ("anchor_cosine", "1 − cos", below))
    for field, name, axis in ways:
        x = alt.X("k:O", axis=axis, scale=places)
        quiet = alt.Axis(tickCount=4, domain=False, ticks=False)
        y = alt.Y(f"{field}:Q", title=name, scale=alt.Scale(domainMin=0, nice=True), axis=quiet)
        known = base.transform_filter(f"datum.{field} !== null").encode(x=x, y=y)
        panels.append(
            alt.layer(
                known.mark_line(strokeWidth=2).encode(color=colour),
                known.mark_point(filled=True, size=60, opacity=1).encode(
                    color=colour, shape=shape, tooltip=tip
                ),
            ).properties(width=theme.plot_width(min(max(len(r.layers), 5), 12)), height=150)
        )
    more = [f"how far {ANCHORS[r.anchor]} moves; {_NOT_COMPARABLE}", *_left(drawn)]
    whole = DrawnPrompts(r, drawn.layer, drawn.n, live=True)
    title = theme.heading([drawn.title], [whole.notes("")[0], *more], theme.WIDE)
    params = [layer_names, alt.param(f"lines{drawn.name}", value=labels)]
    return alt.vconcat(*panels, spacing=16).add_params(*params).properties(title=title)


def _left(drawn: DrawnPrompts) -> list[str]:
    left = len(drawn.result.comparisons) - SERIES
    return [f"{left:,} more pairs are not drawn"] if left > 0 else []


def drift_figure(drawn: DrawnPrompts, name: str) -> Figure:
    """The matrix of prompts for a page."""
    lead = f", {drawn.lead}" if drawn.lead else ""
    notes = (WHAT, MATRIX)
    return Figure(name, f"Drift{lead}", _DRIFT, theme.finished(matrix(drawn)), notes)


def depth_figure(drawn: DrawnPrompts, name: str, chosen: tuple[int, int] | None = None) -> Figure:
    """The lines over the layers for a page."""
    lead = f", {drawn.lead}" if drawn.lead else ""
    moved = ANCHORS[drawn.result.anchor]
    said = f"How far {moved} moves at each layer: a line is a pair of prompts."
    chart = theme.finished(anchor_lines(drawn, chosen))
    notes = (_NOT_COMPARABLE, *_left(drawn))
    return Figure(name, f"{DEPTH_TITLE}{lead}", said, chart, notes)


def figures(drawn: DrawnPrompts, name: str, limit: int) -> Iterator[Figure]:
    """Matrix, bars, lines over the layers; then the first comparisons token by token."""
    r = drawn.result
    live = DrawnPrompts(r, drawn.layer, drawn.n, drawn.lead, drawn.name, live=True)
    lead = f", {drawn.lead}" if drawn.lead else ""
    if len(r.prompts) > 2:
        yield drift_figure(live, f"drift-{name}")
    if len(r.prompts) > 1:
        chart = theme.finished(drift_bars(live))
        yield Figure(f"pairs-{name}", f"Drift of each pair of prompts{lead}", _DRIFT, chart)
    if len(r.layers) > 1 and len(r.prompts) > 1:
        yield depth_figure(drawn, f"anchor-{name}")
    for one, shift in list(drawn.shifts())[:limit]:
        yield charts_shift.figure(shift, f"shift-{name}-{one.a}-{one.b}")
