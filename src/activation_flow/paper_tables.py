"""The printed columns of strengths, and what the formulas make of printed numbers.

No model runs here and in the other files of the arithmetic, and no number is typed in: all come
from paper.toml.
"""

from typing import NamedTuple

import numpy as np

from activation_flow.paper import numbers, published
from activation_flow.strength import QUANTILE_METHODS, bucket, moments, rank, threshold
from activation_flow.words import kind_of_word


def kinds_of(tokens: list[str]) -> np.ndarray:
    """The kind of each printed token, by our own list of function words.

    >>> kinds_of(["[CLS]", "the", "day", "!"]).tolist()
    ['special', 'function', 'content', 'punctuation']
    """
    return np.array(
        [
            "special"
            if token.startswith("[") and token.endswith("]")
            else kind_of_word(token) or "punctuation"
            for token in tokens
        ]
    )


def skew(values: np.ndarray) -> float:
    """g1 of some values, as for the tokens of a text."""
    _, _, found = moments(values[None], np.ones(len(values), bool), np.zeros(len(values), int))
    return float(found[0, 0])


def tau(values: np.ndarray, method: str = "midpoint") -> float:
    """The upper quartile of some values (eq. 3)."""
    return float(threshold(values[None], method=method)[0])


def high(values: np.ndarray, method: str = "midpoint") -> np.ndarray:
    """True where a value is above the upper quartile of them all (eqs. 3 and 4)."""
    limit = threshold(values[None], method=method)
    marks: np.ndarray = bucket(values[None], limit, np.ones(len(values), bool))[0] == "HIGH"
    return marks


def listed(tokens: list[str], which: np.ndarray) -> str:
    """Some of the tokens, by commas."""
    return ", ".join(token for token, chosen in zip(tokens, which, strict=True) if chosen)


def several(methods: list[str]) -> str:
    """Names of percentile methods, or that it is all of them."""
    return "all 13 methods" if len(methods) == len(QUANTILE_METHODS) else ", ".join(methods)


class Column(NamedTuple):
    """One published column of strengths.

    Attributes:
        id: of its rows: "table-3/l8".
        name: as it is called: "Table 3, layer 8".
        place: where in the paper.
        tokens: as printed.
        kind: of each token, by our own list of function words.
        strength: as numbers.
        claimed: it is of the layer that the paper's claims are about.
    """

    id: str
    name: str
    place: str
    tokens: list[str]
    kind: np.ndarray
    strength: np.ndarray
    claimed: bool

    @property
    def words(self) -> np.ndarray:
        """True for words: neither special nor punctuation."""
        found: np.ndarray = (self.kind == "content") | (self.kind == "function")
        return found

    def ranks(self) -> dict[str, int]:
        """Rank of each token among all, as the paper ranks."""
        found = rank(self.strength[None], np.ones(len(self.tokens), bool))[0]
        return dict(zip(self.tokens, found.tolist(), strict=True))


def columns() -> dict[str, Column]:
    """The four published columns of strengths, by the ids of their rows."""
    found = {}
    for name, key, id_, called in (
        ("table-1", "strength", "table-1", "Table 1"),
        ("table-2", "strength", "table-2", "Table 2"),
        ("table-3", "layer_8", "table-3/l8", "Table 3, layer 8"),
        ("table-3", "layer_9", "table-3/l9", "Table 3, layer 9"),
    ):
        table = published()[name]
        tokens = table["tokens"]
        kind, strength = kinds_of(tokens), numbers(table[key])
        found[id_] = Column(id_, called, table["place"], tokens, kind, strength, key != "layer_9")
    return found
