"""Several layers of one text: two side by side, more as a map of layers by tokens; kinds by layer.

The colour of a map is a place within its layer (``picture.Scale``): raw strengths of two layers
cannot be compared.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_theme import Figure
from activation_flow.charts_tokens import Drawn, finite, hover
from activation_flow.data import Provenance
from activation_flow.picture import Scale, scale_of

NOT_COMPARABLE = "raw strengths of two layers cannot be compared; compare the order within each"
CELL = 22  # height of a layer
# The first layer light, the second dark.
PAIR = (theme.LOOKS["LOW"][0], theme.LOOKS["HIGH"][0])


def side_by_side(drawn: Drawn) -> Any:
    """Two bars for each token, one for each of two layers; a dot marks HIGH."""
    import altair as alt

    r = drawn.result
    rows = [{**row, "k": r.layers.index(row["layer"])} for row in drawn.rows()]
    names = [r.provenance.layer_name(layer) for layer in r.layers]
    x, tokens = theme.token_axis(drawn.labels, f"tokens{drawn.name}")
    y = alt.Y(
        "drawn:Q",
        title="strength S (bars from 0)",
        scale=theme.from_zero(max((row["drawn"] or 0 for row in rows), default=0)),
        axis=alt.Axis(tickCount=5, domain=False, ticks=False),
    )
    of_layer = {
        "domain": names,
        "range": list(PAIR),
    }
    fill = alt.Fill(
        "layer_name:N", scale=alt.Scale(**of_layer), legend=alt.Legend(title=None, offset=26)
    )
    place = alt.XOffset("k:N", scale=alt.Scale(domain=[0, 1], paddingInner=0))
    base = alt.Chart(theme.data(rows)).encode(
        x=x, xOffset=place, tooltip=hover(("bucket", "bucket"), ("tau", "τ"))
    )
    bars = base.transform_filter("datum.drawn !== null").mark_bar(
        stroke=theme.LOOKS["LOW"][1], strokeWidth=1
    )
    faint = alt.condition("datum.part === 'special'", alt.value(0.35), alt.value(1))
    dashes = alt.condition("datum.part === 'special'", alt.value([3, 2]), alt.value([1, 0]))
    high = base.transform_filter("datum.bucket === 'HIGH' && datum.drawn !== null")
    odd = base.encode(text=alt.Text("mark:N"))
    far = odd.transform_filter("datum.mark === '!'").mark_text(dy=-16)
    nan = odd.transform_filter("datum.mark === 'nan'").mark_text(dy=-8)
    dots = high.mark_point(
        shape="circle", size=16, filled=True, color=theme.INK, yOffset=-6, opacity=1
    )
    layers = [bars.encode(y=y, fill=fill, fillOpacity=faint, strokeDash=dashes)]
    # Vega warns of a scale that an empty layer has no value for.
    if any(row["bucket"] == "HIGH" and row["drawn"] is not None for row in rows):
        layers.append(dots.encode(y=y))
    marked = {row["mark"] for row in rows}
    layers += [far.encode(y=y)] * ("!" in marked)
    layers += [nan.encode(y=alt.YValue("height"))] * ("nan" in marked)
    notes = [*drawn.notes(), "; ".join(_marks(drawn, "faint, dashed")), NOT_COMPARABLE]
    width = theme.plot_width(drawn.n)
    title = theme.heading(drawn.title, notes, width)
    return alt.layer(*layers, params=[tokens.param], width=width, height=theme.HEIGHT, title=title)


def heat_map(drawn: Drawn, scale: Scale | None = None) -> Any:
    """Layers by tokens, the last layer on top; a dot marks HIGH, "×" what is not a number.

    Args:
        drawn: the text.
        scale: that several texts share; None: its own.
    """
    import altair as alt

    r = drawn.result
    scale = scale or scale_of([r], len(r.layers))
    place = scale.fraction(r)
    rows = []
    for row in drawn.rows():
        k = r.layers.index(row["layer"])
        at = finite(place[k, row["i"]])
        rows.append({**row, "k": k, "place": at, "ink": theme.INK if at is None else theme.ink(at)})
    x, tokens = theme.token_axis(drawn.labels, f"tokens{drawn.name}", gap=0.04)
    axis, layer_names = layer_axis(r.provenance, r.layers, f"layers{drawn.name}")
    upwards = alt.Scale(domain=list(range(len(r.layers)))[::-1], padding=0.04)
    y = alt.Y("k:O", axis=axis, scale=upwards)
    base = alt.Chart(theme.data(rows)).encode(
        x=x, y=y, tooltip=hover(("bucket", "bucket"), ("tau", "τ"))
    )
    ends = "datum.value === 0 ? 'weakest' : 'strongest'"
    legend = alt.Legend(
        title="S within its layer",
        values=[0, 1],
        labelExpr=ends,
        gradientLength=160,
        titleOrient="left",
        gradientThickness=12,
    )
    colour = alt.Fill("place:Q", scale=alt.Scale(domain=[0, 1], range=theme.PURPLES), legend=legend)
    cells = base.transform_filter("datum.place !== null").mark_rect().encode(fill=colour)
    cells = cells.properties(name=f"{theme.TURNED}{drawn.name}")
    special = base.transform_filter("datum.place === null && datum.mark === ''").mark_rect(
        fill=theme.GREY, opacity=0.15
    )
    high = base.transform_filter("datum.bucket === 'HIGH' && datum.place !== null").mark_point(
        filled=True, size=18, opacity=1
    )
    ink = alt.Color("ink:N", scale=None)
    odd = base.transform_filter("datum.mark !== ''").transform_calculate(
        sign="datum.mark === 'nan' ? '×' : '!'"
    )
    signs = odd.mark_text(fontSize=theme.SIZE, dx=alt.expr("datum.mark === '!' ? 6 : 0")).encode(
        text=alt.Text("sign:N"), color=ink
    )
    notes = [*(note.replace("nan:", "×") for note in drawn.notes())]
    notes += _map_marks(drawn)
    width = theme.plot_width(drawn.n)
    title = theme.heading(drawn.title, notes, width)
    return alt.layer(
        special,
        cells,
        high.encode(color=ink),
        signs,
        params=[tokens.param, layer_names.param],
        width=width,
        height=CELL * len(r.layers),
        title=title,
    )


def _map_marks(drawn: Drawn) -> list[str]:
    return ["; ".join(_marks(drawn, "grey")), NOT_COMPARABLE]


def _marks(drawn: Drawn, special: str) -> Iterator[str]:
    if (drawn.result.bucket[:, : drawn.n] == "HIGH").any():
        yield "● HIGH in its layer"
    if drawn.result.special[: drawn.n].any():
        yield f"{special}: special"


def layer_axis(head: Provenance, layers: Sequence[int], name: str) -> tuple[Any, Any]:
    """The axis of layers by their places, and the parameter that holds their names."""
    import altair as alt

    final = [head.final_norm and layer == head.n_layers for layer in layers]
    labels = [f"{k}, final norm" if last else str(k) for k, last in zip(layers, final, strict=True)]
    axis = alt.Axis(
        title=f"layer (of {head.n_layers})",
        labelExpr=f"{name}[datum.value]",
        labelAngle=0,
        labelOverlap=False,
        labelPadding=6,
        domain=False,
        ticks=False,
    )
    return axis, alt.param(name=name, value=labels)


def figure(drawn: Drawn, name: str) -> Figure:
    """A text's strengths at several layers for a page."""
    if len(drawn.result.layers) == 2:
        lead = f", {drawn.lead}" if drawn.lead else ""
        said = "The same tokens at two layers: raw strengths of two layers cannot be compared."
        return Figure(
            name, f"Two layers side by side{lead}", said, theme.finished(side_by_side(drawn))
        )
    return map_figure(drawn, name)


def map_figure(drawn: Drawn, name: str) -> Figure:
    """All layers of a text, however many, as a map for a page."""
    lead = f", {drawn.lead}" if drawn.lead else ""
    said = (
        "Where each token stands within its layer, from the weakest to the strongest of the text."
    )
    missing = (note.replace("nan:", "×") for note in drawn.missing())
    notes = tuple(note for note in (*missing, *_map_marks(drawn)) if note)
    return Figure(name, f"Layer by layer{lead}", said, theme.finished(heat_map(drawn)), notes)
