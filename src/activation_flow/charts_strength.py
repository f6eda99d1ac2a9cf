"""Strengths of one text as a chart: a bar or a dot for each token, and the τ line."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_sliders import Sliders
from activation_flow.charts_sliders import sliders as sliders_of
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import Drawn, finite, hover, look_channels, looks
from activation_flow.picture import number, quantile_words

GAP = 4  # pixels between two numbers, at least
ROW = 24  # pixels from the plot to the numbers, below one line of tokens


def bars(drawn: Drawn, *, zero: bool = True) -> Any:
    """A bar for each token in reading order, and the τ line; numbers below tokens, if all fit.

    Of several layers one is shown, and a slider changes it; another moves τ.

    Args:
        drawn: the text.
        zero: False for dots on an axis of their own range: a bar must begin at 0.
    """
    import altair as alt

    rows, sliders = drawn.rows(), sliders_of(drawn)
    found = looks(rows, len(sliders.params) > 0)
    look = (
        "datum.bucket === '' ? datum.part : "
        f"{sliders.limit} === datum.threshold ? datum.bucket : "
        f"datum.strength > {sliders.limit} ? 'HIGH' : 'LOW'"
    )
    said = f"datum.threshold === null ? '' : {_said(sliders)}"
    x, names = theme.token_axis(drawn.labels, f"tokens{drawn.name}")
    base = alt.Chart(theme.data(rows))
    if sliders.layer:
        base = base.transform_filter(sliders.layer)
    base = base.transform_calculate(look=look, limit_said=said)
    seen = base.transform_filter("datum.drawn !== null").encode(x=x)
    how = "bars from 0" if zero else "axis not from 0"

    from_zero = theme.from_zero(max((row["drawn"] or 0 for row in rows), default=0))

    def y(field: str) -> Any:
        return alt.Y(
            field,
            title=f"strength S ({how})",
            scale=from_zero if zero else alt.Scale(zero=False, nice=True, padding=8),
            axis=alt.Axis(tickCount=5, domain=False, ticks=False),
        )

    tip = hover(("look", "bucket"), ("limit_said", "τ"))
    layers, marked = [], {row["mark"] for row in rows}
    if found:
        channels = look_channels(found, marked="!" in marked)
        if zero:
            marks = seen.mark_bar(strokeWidth=1, width=theme.bar_width(drawn.n))
        else:
            stem = seen.mark_rule(color=theme.GREY, opacity=0.45, strokeDash=[1, 2])
            layers.append(stem.encode(y=y("drawn:Q"), y2=alt.Y2Value("height")))
            marks = seen.mark_point(size=90, opacity=1, strokeWidth=1)
        layers.append(marks.encode(y=y("drawn:Q"), tooltip=tip, **channels))
    odd = base.encode(x=x, text=alt.Text("mark:N"), tooltip=tip)
    lift = -9 if zero else -14
    # Vega warns of a scale that an empty layer has no value for.
    if found and _numbers_fit(drawn, rows):
        below = seen.mark_text(dy=ROW, baseline="top", fontSize=theme.SMALL)
        layers.append(below.encode(y=alt.YValue("height"), text=alt.Text("said:N"), tooltip=tip))
    if "!" in marked:
        far = odd.transform_filter("datum.mark === '!'").mark_text(dy=lift, fontSize=theme.SIZE)
        layers.append(far.encode(y=y("drawn:Q")))
    if "nan" in marked:
        nan = odd.transform_filter("datum.mark === 'nan'").mark_text(dy=-8)
        layers.append(nan.encode(y=alt.YValue("height")))
    layers.extend(_tau_line(drawn, sliders, y))
    width = theme.plot_width(drawn.n)
    return alt.layer(
        *layers,
        params=[one.param for one in (names, *sliders.params)],
        width=width,
        height=theme.HEIGHT,
        title=theme.heading(drawn.title, drawn.notes(), width),
    )


def _numbers_fit(drawn: Drawn, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether tokens stand upright, and below them every number of every layer has room."""
    widest = max((theme.text_width(row["said"], theme.SMALL) for row in rows), default=0.0)
    return theme.upright(drawn.labels) and widest + GAP <= theme.step(drawn.n)


def _said(sliders: Sliders) -> str:
    """τ as everywhere else; four digits of one that was moved."""
    return f"({sliders.limit} === datum.threshold ? datum.tau : format({sliders.limit}, ',.4~r'))"


def _tau_line(drawn: Drawn, sliders: Sliders, y: Callable[[str], Any]) -> list[Any]:
    """τ across the plot, and its value beside it; over the plot the layer, if it can change."""
    import altair as alt

    r = drawn.result
    lines = [
        {
            "layer": layer,
            "layer_name": r.provenance.layer_name(layer),
            "threshold": finite(tau),
            "tau": number(float(tau)),
        }
        for layer, tau in zip(r.layers, r.threshold, strict=True)
    ]
    base = alt.Chart(theme.data(lines))
    if sliders.layer:
        base = base.transform_filter(sliders.layer)
    layers = []
    if any(line["threshold"] is not None for line in lines):
        said = f"'τ = ' + {_said(sliders)}"
        moved = f"{sliders.limit} === datum.threshold ? '' : ' (moved)'"
        tau = base.transform_filter("datum.threshold !== null").transform_calculate(
            limit=sliders.limit, said=f"{said} + ({moved})"
        )
        where = y("limit:Q")
        layers.append(tau.mark_rule(strokeDash=[5, 3], strokeWidth=1).encode(y=where))
        side = tau.mark_text(align="left", dx=6, fontSize=theme.SIZE)
        layers.append(side.encode(x=alt.XValue("width"), y=where, text=alt.Text("said:N")))
    if sliders.layer:
        which = base.mark_text(align="left", dx=6, fontSize=theme.SIZE)
        where = {"x": alt.XValue("width"), "y": alt.YValue("height")}
        layers.append(which.encode(**where, text=alt.Text("layer_name:N")))
    return layers


def figure(drawn: Drawn, name: str) -> Figure:
    """A text's strengths for a page, with sliders."""
    r = drawn.result
    measured = "the L2 norm of a token's hidden state; it says how strongly, not how important"
    line = f" HIGH is what lies above τ{quantile_words(r.provenance.settings)}."
    has = line if (r.bucket != "").any() else ""
    title = f"Strength of each token{f', {drawn.lead}' if drawn.lead else ''}"
    chart = theme.finished(bars(drawn))
    return Figure(name, title, f"Strength S is {measured}.{has}", chart, tuple(drawn.missing()))
