"""A chart as a picture: SVG, PNG, and what a notebook shows; no browser, no network.

Knows no result: charts come from charts.py, or from anyone else who uses Altair.
"""

import re
import zlib
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

Chunk = tuple[bytes, bytes]  # of a PNG file: its type, its data


@cache
def vega_lite() -> str:
    """The version of Vega-Lite that Altair writes, as vl-convert names it: "6.4"."""
    import altair

    return ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def spec(chart: Any) -> dict[str, Any]:
    """The chart as Vega-Lite, ready for JSON; all data are in it."""
    found: dict[str, Any] = chart.to_dict(validate=False)
    return found


def svg(chart: Any, background: str = "transparent") -> str:
    """The chart as SVG, for a page: text is as dark or light as the text around it.

    Args:
        chart: of Altair.
        background: of a file that stands alone, "white".
    """
    import vl_convert

    wanted = {**spec(chart), "background": background}
    drawn: str = vl_convert.vegalite_to_svg(wanted, vl_version=vega_lite(), allowed_base_urls=[])
    return _own_ids(drawn)


def png(chart: Any, scale: float = 2) -> bytes:
    """The chart as PNG on white.

    Args:
        chart: of Altair.
        scale: pixels for each unit of the SVG; 2 is sharp on most screens.
    """
    import vl_convert

    wanted = {**spec(chart), "background": "white"}
    drawn: bytes = vl_convert.vegalite_to_png(
        wanted, vl_version=vega_lite(), scale=scale, allowed_base_urls=[]
    )
    return _packed(drawn)


def save(chart: Any, path: Path) -> None:
    """Write a chart, on white: to .png, or else as SVG."""
    if path.suffix.lower() == ".png":
        path.write_bytes(png(chart))
    else:
        path.write_text(svg(chart, "white") + "\n", encoding="utf-8")


def _packed(png: bytes) -> bytes:
    """The same picture in a sixth of the bytes: vl-convert packs in haste."""
    chunks = [*_chunks(png)]
    rows = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
    found = png[:8]
    for name, data in chunks:
        if name == b"IEND":
            found += _chunk((b"IDAT", zlib.compress(rows, 9)))
        if name != b"IDAT":
            found += _chunk((name, data))
    return found


def _chunks(png: bytes) -> Iterator[Chunk]:
    at = 8
    while at < len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : end]
        at = end + 4  # behind its checksum


def _chunk(chunk: Chunk) -> bytes:
    name, data = chunk
    check = zlib.crc32(name + data)
    return len(data).to_bytes(4) + name + data + check.to_bytes(4)


def _own_ids(drawn: str) -> str:
    """Ids that no other picture of a page has, and that are the same each time.

    Vega counts them from where its last picture ended.
    """
    ids: dict[str, str] = {}
    place = re.compile(r'(?<= id=")\w+(?=")|(?<=url\(#)\w+(?=\))')

    def numbered(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], f"afn-{len(ids)}")

    drawn = place.sub(numbered, drawn)
    own = sha256(drawn.encode()).hexdigest()[:8]
    return re.sub(r'(?<= id=")afn-|(?<=url\(#)afn-', f"afn-{own}-", drawn)


class Shown:
    """What makes an Altair chart show itself in a notebook without a network.

    Altair's own renderer loads scripts from a host, unless the user has chosen another one.
    """

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, Any]:
        major = vega_lite().split(".")[0]
        kind = f"application/vnd.vegalite.v{major}+json"
        return {kind: spec(self), "image/svg+xml": svg(self, "white")}


def shown(chart: Any) -> Any:
    """The same chart, of the same class and ``Shown`` besides; so are all charts made of it."""
    chart = chart.copy(deep=False)
    # subtle: Altair keeps what is set on a chart as a part of its specification.
    object.__setattr__(chart, "__class__", _shown(chart.__class__))
    return chart


@cache
def _shown(kind: Any) -> Any:
    if issubclass(kind, Shown):
        return kind
    return type(kind.__name__, (Shown, kind), {})
