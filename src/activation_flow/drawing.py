"""Charts as data and as pictures, by vl-convert: no browser, no network."""

from typing import Any


def spec(chart: Any) -> dict[str, Any]:
    """The chart as Vega-Lite, data included."""
    found: dict[str, Any] = chart.to_dict()
    return found


def svg(chart: Any) -> str:
    """The chart as an SVG document."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec(chart)))
