"""What a view shows: parts of HTML, charts as data, the command and the Python lines.

Computes nothing and knows no Gradio; all text in ``html`` is escaped already.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A chart for the browser.

    Attributes:
        name: of the file that it is saved as; letters, digits and dashes.
        title: plain text.
        sentence: what the picture means; plain text.
        spec: Vega-Lite, all data in it.
    """

    name: str
    title: str
    sentence: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A view of one result.

    Attributes:
        html: what stands above the charts: strips, pairs, sentences; one HTML fragment.
        charts: drawn live, in this order.
        below: what stands below them: tables, legend; one HTML fragment.
        command: the ``afn`` command that gives the same result.
        python: the Python lines that do.
        layers: those that can be chosen, for the slider; () where there is nothing to choose.
        layer: the one shown.
    """

    html: str
    charts: tuple[Drawn, ...] = field(default_factory=tuple)
    below: str = ""
    command: str = ""
    python: str = ""
    layers: tuple[int, ...] = ()
    layer: int | None = None
