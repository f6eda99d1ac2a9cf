"""What charts of a run are made of: its measures with their intervals, and the layer that is seen.

Every number is one of the summary's tables. In a page another layer may be chosen: all are in it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activation_flow import charts_theme as theme
from activation_flow.charts_sliders import layer_parameter
from activation_flow.data import KINDS, main_layer
from activation_flow.picture import model_line, quantile_words
from activation_flow.result_run import OfRun
from activation_flow.result_summary import Summary
from activation_flow.results import layer_index

Row = dict[str, Any]

NONE = "(no kind)"
ORDER = (*KINDS[::-1], NONE)  # content first: what is asked about most
BAND = "95 % interval over texts"
STEP = 26  # pixels of a row


@dataclass(frozen=True)
class Measure:
    """A number from the table that has an interval, and its axis.

    Attributes:
        column: of the table.
        title: of a chart.
        axis: what it is, and in which unit.
        scale: times the number of the table gives that of the axis.
        domain: of the axis; None: from 0 as far as needed.
        reference: what stands beside it, in words.
    """

    column: str
    title: str
    axis: str
    scale: float
    domain: tuple[float, float] | None
    reference: str


PLACE = Measure(
    "percentile",
    "Where each kind of token stands",
    "mean rank percentile",
    1.0,
    (0, 100),
    "middle of the text",
)
HIGH = Measure(
    "high_share",
    "How often each kind of token is HIGH",
    "share that is HIGH, %",
    100.0,
    None,
    "all tokens: chance",
)


@dataclass(frozen=True)
class Shown:
    """The layers of a chart, one at a time; the first to be seen is the only one on paper.

    Attributes:
        summary: of a run, of either kind.
        layers: between which a reader may choose.
        first: of these.
    """

    summary: Any
    layers: tuple[int, ...]
    first: int

    def rows(self, of_layer: Callable[[int], Iterable[Row]]) -> list[Row]:
        """Those of all layers; each says of which it is."""
        return [{**row, "layer": layer} for layer in self.layers for row in of_layer(layer)]

    def data(self, rows: list[Row]) -> Any:
        """A chart of the rows of the layer that is seen."""
        import altair as alt

        base = alt.Chart(alt.Data(values=rows))
        several = len(self.layers) > 1
        return base.transform_filter("datum.layer === layer") if several else base

    def titled(self, chart: Any, title: str, said: Sequence[str], width: float) -> Any:
        """The chart with its title, and what chooses the layer."""
        import altair as alt

        head = self.summary.provenance
        names = {layer: head.layer_name(layer) for layer in self.layers}
        notes = [*about(self.summary, self.layers), *said]
        found = theme.heading([f"{title}, {names[self.first]}"], notes, width)
        if len(names) == 1:
            return chart.properties(title=found)
        found.text = alt.ExprRef("titles[indexof(layers, layer)]")
        params = (
            alt.param(name="layers", value=list(self.layers)),
            alt.param(name="titles", value=[f"{title}, {name}" for name in names.values()]),
            layer_parameter(head, self.layers, "", ""),
        )
        return chart.add_params(*params).properties(title=found)


def shown(summary: OfRun, layer: int | None = None) -> Shown:
    """All layers, of which the usual one is seen first; or one.

    Raises:
        ActivationFlowError: the summary does not hold that layer.
    """
    if layer is not None:
        layer_index(summary.layers, layer)
        return Shown(summary, (layer,), layer)
    return Shown(summary, summary.layers, main_layer(summary.layers, summary.provenance))


def measured(summary: Summary, section: str, layer: int, measure: Measure) -> Iterator[Row]:
    """The rows of a section that have the number, on its axis; those of no known kind last."""
    scale, column = measure.scale, measure.column
    for row in summary.rows(section, layer):
        if row[column] is None:
            continue
        value = scale * row[column]
        ends = [row[f"{column}_{end}"] for end in ("low", "high")]
        ends = [None if end is None else scale * end for end in ends]
        between = "none of one text" if None in ends else "{:.1f} to {:.1f}".format(*ends)
        yield {
            **{"kind": row["name"] or NONE, "section": section, "value": value},
            **{"low": ends[0], "high": ends[1], "said": f"{value:.1f}", "between": between},
            **{"tokens": f"{row['tokens']:,}", "texts": f"{row['texts']:,}"},
            "name": summary.provenance.layer_name(layer),
        }


def tips(measure: Measure) -> list[Any]:
    """What stands behind a mark."""
    import altair as alt

    told = {
        **{"kind": "kind", "name": "layer", "said": measure.axis, "between": "95 % interval"},
        **{"tokens": "tokens", "texts": "texts"},
    }
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in told.items()]


def value_axis(measure: Measure) -> Any:
    """The scale and the axis of a measure."""
    import altair as alt

    scale = alt.Scale(domain=measure.domain) if measure.domain else alt.Scale(zero=True, nice=True)
    axis = alt.Axis(tickCount=5, domain=False, ticks=False)
    return {"title": measure.axis, "scale": scale, "axis": axis}


def places(n: int) -> Any:
    """The rows of a plot, from the top; their names are written by ``labels``."""
    import altair as alt

    return alt.Y("i:O", axis=None, scale=alt.Scale(domain=list(range(n))))


def labels(base: Any, field: str = "label") -> Any:
    """Names left of the rows, or another text right of them; all text is in the data only."""
    import altair as alt

    left = field == "label"
    align, dx = ("right", -12) if left else ("left", 12)
    size = theme.SIZE if left else theme.SMALL
    words = base.mark_text(align=align, dx=dx, fontSize=size)
    return words.encode(x=alt.value(0 if left else "width"), text=f"{field}:N")


def reading(summary: Summary, measure: Measure) -> str:
    """How a measure is read."""
    if measure is PLACE:
        return "place of a token in its text: 0 weakest, 100 strongest"
    return f"HIGH: S > τ{quantile_words(summary.provenance.settings)}"


def about(summary: OfRun, layers: Sequence[int]) -> Iterator[str]:
    """Model, texts, and whether this is all of the run."""
    source = model_line(summary.provenance, layers)
    what = (
        "pairs" if summary.compares and not summary.provenance.settings.get("prompts") else "texts"
    )
    yield f"{source}; {summary.counts['texts'] or 0:,} {what}"
    done, many = summary.shards
    if not summary.finished:
        yield f"NOT FINISHED: {done:,} of {many:,} shards are in this picture"
