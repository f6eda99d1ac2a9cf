"""Strengths of one text as charts: a mark per token; two layers side by side; layers by tokens.

Every number drawn is one of the result's, or a place on a scale that picture.py gives.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from activation_flow import charts_theme as theme
from activation_flow.charts_theme import Figure
from activation_flow.data import resolve_layers
from activation_flow.picture import (
    OUTLIER,
    model_line,
    number,
    outliers,
    quantile_words,
    token_text,
)
from activation_flow.result_hidden import HiddenStates
from activation_flow.results import StrengthResult, StrengthResults

# Bars begin at 0. Where the weakest token is above this part of the strongest, they all look the
# same: then dots on an axis of their own range, with a thin line down to the token.
FLAT = 0.6


@dataclass(frozen=True)
class Drawn:
    """The first tokens of one text.

    Attributes:
        result: of one text.
        n: so many tokens are drawn.
        lead: what stands before its title, "text 3".
        name: ends the names of its parameters, so that several charts can stand in one.
    """

    result: StrengthResult
    n: int
    lead: str = ""
    name: str = ""

    @property
    def title(self) -> list[str]:
        """The text; each segment in its own lines."""
        r = self.result
        texts = [r.text] if r.text_pair is None else [r.text, r.text_pair]
        shown = [text or "(empty)" for text in texts]
        return [f"{self.lead}: {shown[0]}" if self.lead else shown[0], *shown[1:]]

    def notes(self) -> Iterator[str]:
        """Model, layers and engine; what is cut, clipped or missing."""
        r = self.result
        yield model_line(r.provenance, r.layers)
        if (r.bucket != "").any():
            yield threshold_note(r)
        if self.n < len(r):
            yield f"the first {self.n:,} of {len(r):,} tokens are drawn"
        if self.far.any():
            yield f"! over {OUTLIER}x the median S of the text: clipped here, not in the numbers"
        if np.isnan(r.strength[:, : self.n]).any():
            yield "nan: not a number"

    @property
    def far(self) -> Any:
        """True where a token is clipped."""
        return outliers(self.result)[:, : self.n]

    @property
    def labels(self) -> list[str]:
        """The tokens on their axis."""
        return [theme.label(str(token)) for token in self.result.tokens[: self.n]]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each layer and token: what a chart draws and what it shows on hover."""
        r, far = self.result, self.far
        found: list[dict[str, Any]] = []
        for k, layer in enumerate(r.layers):
            values = r.strength[k, : self.n].astype(np.float64)
            usual = values[np.isfinite(values) & ~far[k]]
            top = float(usual.max()) if len(usual) else 0.0
            ranked = int((r.rank[k] > 0).sum())
            for i, value in enumerate(values):
                nan, clipped = bool(np.isnan(value)), bool(far[k, i])
                rank = int(r.rank[k, i])
                found.append(
                    {
                        "i": i,
                        "token": token_text(str(r.tokens[i])),
                        "kind": str(r.kind[i]),
                        "layer": layer,
                        "layer_name": r.provenance.layer_name(layer),
                        "strength": finite(r.strength[k, i]),
                        "drawn": None if nan else top if clipped else finite(r.strength[k, i]),
                        "said": number(float(value)),
                        "rank": f"{rank:,} of {ranked:,}" if rank else "",
                        "bucket": str(r.bucket[k, i]),
                        "threshold": finite(r.threshold[k]),
                        "part": "special" if r.special[i] else "token",
                        "mark": "nan" if nan else "!" if clipped else "",
                    }
                )
        return found

    def flat(self) -> bool:
        """True where bars from 0 would hardly differ, at any of the layers."""
        kept = (~self.result.special & np.isfinite(self.result.strength))[:, : self.n] & ~self.far
        for row, on in zip(self.result.strength[:, : self.n], kept, strict=True):
            if on.sum() > 1 and row[on].min() > FLAT * row[on].max():
                return True
        return False


def threshold_note(result: StrengthResult) -> str:
    """What τ is, and who has no part in it."""
    settings = result.provenance.settings
    words = quantile_words(settings).removeprefix(", ")
    alone = result.special.any() and not settings.get("include_special")
    parts = [f"τ: {words}" if words else "", "special tokens have no part in τ" if alone else ""]
    return "; ".join(filter(None, parts))


def without_buckets(states: HiddenStates) -> StrengthResult:
    """The strengths of hidden states, which have no threshold, rank or bucket."""
    shape = states.strength.shape
    parts = {field.name: getattr(states, field.name) for field in fields(states)}
    del parts["hidden"]
    return StrengthResult(
        **parts,
        threshold=np.full(shape[0], np.nan),
        rank=np.zeros(shape, dtype=np.int64),
        bucket=np.full(shape, "", dtype="<U4"),
    )


def finite(value: Any) -> float | None:
    """A number for JSON, as short as its type allows; None where there is none.

    >>> finite(np.float32(0.1)), finite(float("nan"))
    (0.1, None)
    """
    return float(str(value)) if np.isfinite(value) else None


def looks(rows: Sequence[Mapping[str, Any]], sliders: bool) -> list[str]:
    """The looks that occur, in the order of the legend."""
    found = {row["bucket"] or row["part"] for row in rows if row["mark"] != "nan"}
    if sliders and found & {"HIGH", "LOW"}:
        found |= {"HIGH", "LOW"}
    return [look for look in theme.LOOKS if look in found]


def look_channels(found: Sequence[str], field: str = "look") -> dict[str, Any]:
    """Fill, outline and dashes of the looks that occur; one legend for the three."""
    import altair as alt

    ranges = zip(*(theme.LOOKS[look] for look in found), strict=True)
    kinds = (alt.Fill, alt.Stroke, alt.StrokeDash)
    legend = None
    if len(found) > 1:
        named = "datum.value === 'HIGH' ? 'HIGH (S > τ)' : datum.value"
        legend = alt.Legend(title=None, symbolType="square", labelExpr=named)
    return {
        name: kind(
            f"{field}:N", scale=alt.Scale(domain=list(found), range=list(values)), legend=legend
        )
        for name, kind, values in zip(("fill", "stroke", "strokeDash"), kinds, ranges, strict=True)
    }


def hover(*extra: tuple[str, str]) -> list[Any]:
    """What is shown of a token under the mouse."""
    import altair as alt

    names = (("token", "token"), ("kind", "kind"), ("said", "strength S"), ("rank", "rank"))
    last = ("layer_name", "layer")
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in (*names, *extra, last)]


@dataclass(frozen=True)
class _Sliders:
    """The parameters of a chart of one text: the layer, and τ or how far it is moved.

    Attributes:
        params: to be added to the chart.
        limit: the expression of τ at a row's layer, moved or not.
        layer: the expression that is true for rows of the layer shown; "" if there is only one.
    """

    params: list[Any]
    limit: str
    layer: str = ""


def _sliders(drawn: Drawn) -> _Sliders:
    import altair as alt

    r, name = drawn.result, drawn.name
    params: list[Any] = []
    layer = ""
    if len(r.layers) > 1:
        params.append(alt.param(f"layer{name}", value=first_layer(r), bind=_layer_input(drawn)))
        layer = f"datum.layer === layer{name}"
    part = (r.bucket != "") & np.isfinite(r.strength)
    if not part.any():
        return _Sliders(params, "datum.threshold", layer)
    values = [r.strength[k][part[k]].astype(np.float64) for k in range(len(r.layers))]
    lead = f"{drawn.lead}: " if drawn.lead else ""
    if len(r.layers) == 1:
        tau = finite(r.threshold[0])
        ends = {"min": float(values[0].min()), "max": float(values[0].max())}
        ends["step"] = (ends["max"] - ends["min"]) / 200 or 1.0
        bind = alt.binding_range(**ends, name=f"{lead}τ ")
        params.append(alt.param(f"tau{name}", value=tau, bind=bind))
        return _Sliders(params, f"tau{name}", layer)
    reach = max(float(np.ptp(row)) for row in values if len(row)) or 1.0
    bind = alt.binding_range(min=-reach, max=reach, step=reach / 100, name=f"{lead}move τ by ")
    params.append(alt.param(f"move{name}", value=0, bind=bind))
    return _Sliders(params, f"(datum.threshold + move{name})", layer)


def first_layer(r: StrengthResult | StrengthResults) -> int:
    """The one that is shown first: the usual one, or the middle one."""
    usual = resolve_layers(None, r.provenance.n_layers)[0]
    return usual if usual in r.layers else r.layers[len(r.layers) // 2]


def _layer_input(drawn: Drawn) -> Any:
    """A slider where the layers follow each other, else a list to choose from."""
    import altair as alt

    layers, about = drawn.result.layers, drawn.result.provenance
    name = f"{drawn.lead}: layer " if drawn.lead else "layer "
    if list(layers) == list(range(layers[0], layers[-1] + 1)):
        return alt.binding_range(min=layers[0], max=layers[-1], step=1, name=name)
    return alt.binding_select(
        options=list(layers), labels=[about.layer_name(k) for k in layers], name=name
    )


def bars(drawn: Drawn, *, zero: bool | None = None) -> Any:
    """A bar, or a dot, for each token in reading order, and the τ line.

    Of several layers one is shown, and a slider changes it; another moves τ.

    Args:
        drawn: the text.
        zero: True for bars from 0, False for dots; None: as ``FLAT`` says.
    """
    import altair as alt

    rows, sliders = drawn.rows(), _sliders(drawn)
    zero = not drawn.flat() if zero is None else zero
    found = looks(rows, len(sliders.params) > 0)
    look = (
        "datum.bucket === '' ? datum.part : "
        f"{sliders.limit} === datum.threshold ? datum.bucket : "
        f"datum.strength > {sliders.limit} ? 'HIGH' : 'LOW'"
    )
    x, names = theme.token_axis(drawn.labels, f"tokens{drawn.name}")
    base = alt.Chart(alt.Data(values=rows))
    if sliders.layer:
        base = base.transform_filter(sliders.layer)
    base = base.transform_calculate(look=look, limit=sliders.limit)
    seen = base.transform_filter("datum.drawn !== null").encode(x=x)
    how = "bars from 0" if zero else "axis not from 0"

    def y(field: str) -> Any:
        return alt.Y(
            field,
            title=f"strength S ({how})",
            scale=alt.Scale(zero=zero, nice=True, padding=0 if zero else 8),
            axis=alt.Axis(tickCount=5, domain=False, ticks=False),
        )

    tip = hover(("look", "bucket"), ("limit", "τ"))
    layers = []
    if found:
        channels = look_channels(found)
        if zero:
            marks = seen.mark_bar(strokeWidth=1, width={"band": 0.8})
        else:
            stem = seen.mark_rule(color=theme.GREY, opacity=0.45, strokeDash=[1, 2])
            layers.append(stem.encode(y=y("drawn:Q"), y2=alt.value("height")))
            marks = seen.mark_point(size=90, opacity=1, strokeWidth=1)
        layers.append(marks.encode(y=y("drawn:Q"), tooltip=tip, **channels))
    odd = base.encode(x=x, text="mark:N", tooltip=tip)
    far = odd.transform_filter("datum.mark === '!'").mark_text(dy=-9, fontSize=theme.SIZE)
    layers.append(far.encode(y=y("drawn:Q")))
    nan = odd.transform_filter("datum.mark === 'nan'").mark_text(dy=-8)
    layers.append(nan.encode(y=alt.value("height")))
    layers.extend(_tau_line(drawn, sliders, y))
    return (
        alt.layer(*layers)
        .add_params(names, *sliders.params)
        .properties(
            width=theme.plot_width(drawn.n),
            height=theme.HEIGHT,
            title=theme.heading(drawn.title, drawn.notes(), theme.plot_width(drawn.n)),
        )
    )


def _tau_line(drawn: Drawn, sliders: _Sliders, y: Callable[[str], Any]) -> list[Any]:
    """τ across the plot, and its value beside it; over the plot the layer, if it can change."""
    import altair as alt

    r = drawn.result
    lines = [
        {"layer": layer, "layer_name": r.provenance.layer_name(layer), "threshold": finite(tau)}
        for layer, tau in zip(r.layers, r.threshold, strict=True)
    ]
    base = alt.Chart(alt.Data(values=lines))
    if sliders.layer:
        base = base.transform_filter(sliders.layer)
    layers = []
    if any(line["threshold"] is not None for line in lines):
        said = f"'τ = ' + format({sliders.limit}, ',.4~r')"
        moved = f"{sliders.limit} === datum.threshold ? '' : ' (moved)'"
        tau = base.transform_filter("datum.threshold !== null").transform_calculate(
            limit=sliders.limit, said=f"{said} + ({moved})"
        )
        where = y("limit:Q")
        layers.append(tau.mark_rule(strokeDash=[5, 3], strokeWidth=1).encode(y=where))
        side = tau.mark_text(align="left", dx=6, fontSize=theme.SIZE)
        layers.append(side.encode(x=alt.value("width"), y=where, text="said:N"))
    if sliders.layer:
        which = base.mark_text(align="left", dx=6, fontSize=theme.SIZE)
        where = {"x": alt.value("width"), "y": alt.value("height")}
        layers.append(which.encode(**where, text="layer_name:N"))
    return layers


def figure(drawn: Drawn, name: str) -> Figure:
    """A text's strengths for a page, with sliders."""
    r = drawn.result
    measured = "the L2 norm of a token's hidden state; it says how strongly, not how important"
    line = f" HIGH is what lies above τ{quantile_words(r.provenance.settings)}."
    has = line if (r.bucket != "").any() else ""
    title = f"Strength of each token{f', {drawn.lead}' if drawn.lead else ''}"
    return Figure(name, title, f"Strength S is {measured}.{has}", theme.finished(bars(drawn)))
