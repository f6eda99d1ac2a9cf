"""Plain words that views share: what HIGH is; what few people need stands folded at the end."""

from collections.abc import Iterable, Mapping
from typing import Any

from activation_flow.data import Provenance
from activation_flow.markup import escape, facts, folded

# Of the strongest tokens: 1/n of them is the border of HIGH.
_PARTS = {2: "half", 4: "quarter", 5: "fifth", 10: "tenth", 20: "twentieth", 100: "hundredth"}
STRENGTH = "the length of the hidden state"
CAUTION = "Strength is not importance."


def border(settings: Mapping[str, Any]) -> str:
    """Where HIGH begins.

    >>> border({"quantile": 0.75}), border({"quantile": 0.6})
    ('the strongest quarter', 'the 0.6 quantile')
    """
    quantile = settings["quantile"]
    named = (name for n, name in _PARTS.items() if abs((1 - quantile) * n - 1) < 1e-9)
    part = next(named, None)
    return f"the strongest {part}" if part else f"the {quantile:g} quantile"


def line(text: str) -> str:
    """How colours and marks are to be read, in one line below them."""
    return f'<p class="afn-tau">{escape(text)}</p>'


def end(legend: Iterable[str], head: Provenance) -> str:
    """The last of a view, closed: marks and exact terms, and what measured."""
    return folded("Legend, model and versions", [*legend, facts(head)])
