"""What charts of an audit are made of: a mark with its interval in each row; titles; layers.

Every number drawn is one of the audit's. Text of users is in the data only, never in expressions.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.audit_data import Interval
from activation_flow.picture import model_line, visible
from activation_flow.picture_audit import counted, interval_text
from activation_flow.result_audit import AuditResult

STEP = 24  # pixels of a row
BAND = "95 % interval, over texts and word types"
LABEL = 400  # pixels of a label left of a row, at most


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A row: a mark, its interval, what stands left and right of it.

    Attributes:
        label: left of it.
        value: where the mark is; None: there is none, and ``written`` says why.
        ends: of the interval.
        written: right of the plot.
        look: which mark and colour; a name of the legend.
        told: what hovering says: names, the same in all rows of a chart, and texts.
        chance: where an upright stroke says what chance gives in this row.
    """

    label: str
    value: float | None
    ends: Interval | None
    written: str
    look: str
    told: Mapping[str, str] = field(default_factory=dict[str, str])
    chance: float | None = None

    def row(self, i: int) -> dict[str, Any]:
        """Its data."""
        low, high = self.ends or (None, None)
        label = theme.wrapped(self.label, LABEL, theme.SIZE, 1)[0]
        about = {"label": label, "written": self.written, "look": visible(self.look)}
        told = {f"told_{k}": visible(text) for k, text in enumerate(self.told.values())}
        chance = {} if self.chance is None else {"chance": self.chance}
        return {"i": i, "value": self.value, "low": low, "high": high, **chance, **about, **told}


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Of the values of dots.

    Attributes:
        title: what they are; "" for no axis.
        null: where chance is; None: nowhere.
        said: what stands above that line.
        log: powers of ten.
        domain: its ends; None: as far as needed.
    """

    title: str
    null: float | None = None
    said: str = "chance"
    log: bool = False
    domain: tuple[float, float] | None = None

    def channel(self, name: str) -> Any:
        """The axis, its scale and the column that is drawn on it."""
        import altair as alt

        kind: dict[str, Any] = {"type": "log"} if self.log else {"zero": False, "nice": True}
        scale = alt.Scale(domain=self.domain, nice=False) if self.domain else alt.Scale(**kind)
        shown = alt.Axis(tickCount=5, domain=False, ticks=False) if self.title else None
        return alt.X(f"{name}:Q", title=self.title or None, scale=scale, axis=shown)


def dots(rows: Sequence[Dot], looks: Sequence[str], axis: Axis, width: float = theme.NARROW) -> Any:
    """A row each, from the top: label, mark with its interval, what is written at its right.

    Args:
        rows: in order.
        looks: the names of the legend, each with a mark and colour of its own; there is no legend
            of one.
        axis: of the values.
        width: of the plot, in pixels.
    """
    import altair as alt

    data = [dot.row(i) for i, dot in enumerate(rows)]
    base = alt.Chart(alt.Data(values=data)).encode(
        y=alt.Y("i:O", axis=None, scale=alt.Scale(domain=list(range(len(data)))))
    )
    there = base.transform_filter("isValid(datum.value)")
    sure = base.transform_filter("isValid(datum.low)")
    colour, shape = channels("look", looks)
    names = list(rows[0].told) if rows else []
    tips = [alt.Tooltip(f"told_{k}:N", title=name) for k, name in enumerate(names)]
    line = sure.mark_rule(strokeWidth=2).encode(x=axis.channel("low"), x2="high:Q", color=colour)
    strokes = base.transform_filter("isValid(datum.chance)").mark_tick(
        orient="vertical", thickness=2, size=14, color=theme.GREY
    )
    strokes = strokes.encode(x=axis.channel("chance"))
    chart = alt.layer(
        *_null(axis),
        # subtle: Vega warns of an axis over nothing.
        *([line] if any(dot.ends for dot in rows) else []),
        *([strokes] if any(dot.chance is not None for dot in rows) else []),
        there.mark_point(filled=True, size=70, opacity=1).encode(
            x=axis.channel("value"), color=colour, shape=shape, tooltip=tips
        ),
        base.mark_text(align="right", dx=-12, fontSize=theme.SIZE).encode(
            x=alt.value(0), text="label:N"
        ),
        base.mark_text(align="left", dx=12, fontSize=theme.SMALL).encode(
            x=alt.value("width"), text="written:N"
        ),
    )
    return chart.properties(width=width, height=STEP * max(len(data), 1))


def _null(axis: Axis) -> Iterator[Any]:
    """The line of what chance gives, and its name above the plot."""
    import altair as alt

    if axis.null is None:
        return
    line = alt.Chart(alt.Data(values=[{"null": axis.null, "said": axis.said}]))
    line = line.encode(x=axis.channel("null"))
    yield line.mark_rule(strokeDash=[5, 3])
    words = line.mark_text(baseline="bottom", dy=-6, fontSize=theme.SMALL)
    yield words.encode(y=alt.value(0), text="said:N")


def channels(column: str, names: Sequence[str], columns: int = 6) -> tuple[Any, Any]:
    """Colour and shape of each name; where there are several, a legend of so many columns."""
    import altair as alt

    look = {"title": None, "symbolOpacity": 1, "offset": 24, "columns": columns}
    legend = alt.Legend(**look) if len(names) > 1 else None
    domain, n = list(map(visible, names)), len(theme.SERIES)
    colours = [theme.SERIES[k % n] for k in range(len(domain))]
    shapes = [theme.SHAPES[k % n] for k in range(len(domain))]
    return (
        alt.Color(f"{column}:N", legend=legend, scale=alt.Scale(domain=domain, range=colours)),
        alt.Shape(f"{column}:N", legend=legend, scale=alt.Scale(domain=domain, range=shapes)),
    )


def between(ends: Interval | None) -> str:
    """An interval, for hovering."""
    return interval_text(ends) or "none"


def titled(
    found: AuditResult,
    chart: Any,
    title: str,
    notes: Sequence[str],
    layers: Sequence[int] = (),
    texts: str | None = None,
) -> Any:
    """The chart with its title, model, layer and how many texts.

    Args:
        found: the audit.
        chart: without a title.
        title: of it.
        notes: smaller lines below.
        layers: that are drawn; the one of the claims if none are told.
        texts: how many were measured, in words; all that are audited if nothing is told.
    """
    about = model_line(found.provenance, layers or (found.layer,))
    if texts is None and "texts" in found.counts:
        texts = counted("texts", found.counts["texts"])
    lines = [f"{about}; {texts}" if texts else about, *notes]
    width = 1.3 * theme.NARROW
    return chart.properties(title=theme.heading([title], lines, width))
