"""What a chart draws, found out by Vega itself: its scenegraph, with parameters as asked for."""

from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import Any

import vl_convert

from activation_flow import drawing

EXPRESSIONS = {"expr", "signal", "labelExpr", "filter", "calculate", "test", "update", "init"}


def compiled(chart: Any, **params: Any) -> dict[str, Any]:
    """The Vega of a chart, its signals set to these values."""
    vega = vl_convert.vegalite_to_vega(drawing.spec(chart), vl_version=drawing.vega_lite())
    for signal in vega.get("signals", []):
        if signal["name"] in params:
            signal["value"] = params.pop(signal["name"])
    assert not params, f"no such parameters: {params}"
    return vega


_SCENES: deque[tuple[Any, dict[str, Any], dict[str, Any]]] = deque(maxlen=8)


def scene(chart: Any, **params: Any) -> dict[str, Any]:
    """What Vega draws; of the last few charts it is kept, as a test asks for several things."""
    for drawn, given, found in _SCENES:
        if drawn is chart and given == params:
            return found
    found = vl_convert.vega_to_scenegraph(compiled(chart, **params))
    _SCENES.append((chart, params, found))
    return found


def items(node: dict[str, Any], **wanted: str) -> Iterator[dict[str, Any]]:
    """All items of the marks with this ``marktype`` and ``role``."""
    if "marktype" in node and all(node.get(key) == value for key, value in wanted.items()):
        yield from node.get("items", [])
    for inner in node.get("items", []):
        if isinstance(inner, dict):
            yield from items(inner, **wanted)


def drawn(chart: Any, marktype: str, **params: Any) -> list[dict[str, Any]]:
    """The items of the chart's own marks, legends and axes apart."""
    return list(items(scene(chart, **params)["scenegraph"], marktype=marktype, role="mark"))


def texts(chart: Any, role: str | None = None, **params: Any) -> list[str]:
    """All lines of text, in the order drawn."""
    wanted = {"marktype": "text"} | ({"role": role} if role else {})
    found: list[str] = []
    for item in items(scene(chart, **params)["scenegraph"], **wanted):
        text = item.get("text", "")
        found.extend(text if isinstance(text, list) else [text])
    return found


@cache
def width_of(text: str, size: float, weight: str = "normal") -> float:
    """The width of a line, as Vega measures it."""
    mark = {"type": "text", "encode": {"enter": {"text": {"value": text}}}}
    look = {"fontSize": {"value": size}, "fontWeight": {"value": weight}}
    look |= {"font": {"value": "sans-serif"}, "align": {"value": "left"}}
    mark["encode"]["enter"] |= look
    return vl_convert.vega_to_scenegraph({"width": 0, "height": 0, "marks": [mark]})["width"]


def values(chart: Any) -> list[list[dict[str, Any]]]:
    """The tables of a chart's data, each once, in the order in which they are first drawn."""
    spec = drawing.spec(chart)
    names: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "name" in node.get("data", {}):
                names.append(node["data"]["name"])
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk({key: inner for key, inner in spec.items() if key != "datasets"})
    assert {*names} == {*spec["datasets"]}
    return [spec["datasets"][name] for name in dict.fromkeys(names)]


def expressions(node: Any, key: str = "") -> Iterator[str]:
    """Every string that Vega may run."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name not in ("values", "datasets"):
                yield from expressions(inner, name)
    elif isinstance(node, list):
        for inner in node:
            yield from expressions(inner, key)
    elif isinstance(node, str) and key in EXPRESSIONS:
        yield node


def data(chart: Any, *names: str) -> list[dict[str, Any]]:
    """All rows of a chart's data that have these columns, each table once, as first drawn."""
    spec = drawing.spec(chart)
    tables: list[list[dict[str, Any]]] = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            held = node.get("data") or {}
            table = held.get("values", spec.get("datasets", {}).get(held.get("name")))
            if table is not None and table not in tables:
                tables.append(table)
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            for inner in node:
                walk(inner)

    walk({key: inner for key, inner in spec.items() if key != "datasets"})
    return [row for table in tables for row in table if {*names} <= {*row}]
