"""The sliders of a live chart: which layer is shown, and where τ is.

A picture without scripts shows what they begin with: the usual layer, and the result's own τ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

import numpy as np

from activation_flow.charts_tokens import Drawn
from activation_flow.data import Provenance, main_layer


@dataclass(frozen=True)
class Sliders:
    """The parameters of a chart of one text.

    Attributes:
        params: to be added to the chart.
        limit: the expression of τ at a row's layer, moved or not.
        layer: the expression that is true for rows of the layer shown; "" if there is only one.
    """

    params: list[Any]
    limit: str
    layer: str = ""


def sliders(drawn: Drawn) -> Sliders:
    """The layer, if there are several; τ of one layer, or how far that of several is moved."""
    import altair as alt

    r, name = drawn.result, drawn.name
    params: list[Any] = []
    layer = ""
    if len(r.layers) > 1:
        params.append(layer_parameter(r.provenance, r.layers, drawn.lead, name))
        layer = f"datum.layer === layer{name}"
    on = (r.bucket != "") & np.isfinite(r.strength)
    if not on.any():
        return Sliders(params, "datum.threshold", layer)
    lead = f"{drawn.lead}: " if drawn.lead else ""
    ends = [_ends(row[part]) for row, part in zip(r.strength, on, strict=True) if part.any()]
    if len(r.layers) == 1:
        low, high = ends[0]
        step = _step(high - low, high)
        tau = round(float(r.threshold[0]) / step) * step
        low, tau, high = (round(x, 12) for x in (floor(low / step) * step, tau, high + step))
        bind = alt.binding_range(min=low, max=high, step=step, name=f"{lead}τ ")
        params.append(alt.param(f"tau{name}", value=tau, bind=bind))
        # The slider begins near τ, on its own grid; until it is moved, τ itself counts.
        return Sliders(params, f"(tau{name} === {tau!r} ? datum.threshold : tau{name})", layer)
    reach = max(high - low for low, high in ends)
    step = _step(reach, max(high for _, high in ends))
    reach = round((reach // step + 1) * step, 12)
    bind = alt.binding_range(min=-reach, max=reach, step=step, name=f"{lead}move τ by ")
    params.append(alt.param(f"move{name}", value=0, bind=bind))
    return Sliders(params, f"(datum.threshold + move{name})", layer)


def _ends(values: Any) -> tuple[float, float]:
    return float(values.min()), float(values.max())


def _step(span: float, size: float) -> float:
    """About a hundredth of the span, as 0.01 or 10; of no span, of the size.

    >>> _step(4.6, 14.5)
    0.01
    """
    reach = span or abs(size) or 1.0
    return float(f"1e{floor(log10(reach / 100))}")


def layer_parameter(head: Provenance, layers: Sequence[int], lead: str, name: str) -> Any:
    """A slider where the layers follow each other, else a list to choose from."""
    import altair as alt

    label = f"{lead}: layer " if lead else "layer "
    if list(layers) == list(range(layers[0], layers[-1] + 1)):
        bind = alt.binding_range(min=layers[0], max=layers[-1], step=1, name=label)
    else:
        labels = [head.layer_name(layer) for layer in layers]
        bind = alt.binding_select(options=list(layers), labels=labels, name=label)
    return alt.param(f"layer{name}", value=main_layer(tuple(layers), head), bind=bind)
