"""Words of texts as units: what is removed, marked by people, and ranked; from tokens to words.

Tokens of no unit (special ones, punctuation between words) are never removed and never ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids, Names

if TYPE_CHECKING:
    from jaxtyping import Float

    from activation_flow.audit_data import AuditTokens, PerToken
    from activation_flow.tokens import Encoded

    PerUnit = Float[np.ndarray, "units"]
else:
    PerToken = PerUnit = np.ndarray

Span = tuple[int, int]  # first character, one past the last


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Units:
    """All words of the texts, one text after the other.

    Attributes:
        of_token: number of the unit of each token of all texts, from 0; -1 where it is of none.
        text: [units], number of the text, from 0; never decreasing.
        type: [units], number of the word type (casefolded spelling), from 0.
        kind: [units], ``content`` if a token of it is, else ``function``, ``punctuation``, "".
        pieces: [units], how many tokens; a unit may have none.
        n_texts: how many texts.
    """

    of_token: Ids
    text: Ids
    type: Ids
    kind: Names
    pieces: Ids
    n_texts: int

    def __len__(self) -> int:
        return len(self.text)

    def pooled(self, values: PerToken, how: str = "max") -> PerUnit:
        """One value per unit of one per token: the ``max``, ``min`` or ``sum`` of its tokens.

        NaN where a token of it has none.

        >>> units = Units(of_token=np.array([-1, 0, 0, 1]), text=np.array([0, 0]),
        ...     type=np.array([0, 1]), kind=np.array(["", ""]), pieces=np.array([2, 1]), n_texts=1)
        >>> units.pooled(np.array([9.0, 1.0, 3.0, 2.0])), units.pooled(np.ones(4), "sum")
        (array([3., 2.]), array([2., 1.]))
        """
        part = self.of_token >= 0
        unit, of_unit = self.of_token[part], values[part].astype(np.float64)
        if how == "sum":
            found: PerUnit = np.bincount(unit, of_unit, len(self))
        else:
            found = np.full(len(self), {"max": -np.inf, "min": np.inf}[how])
            with np.errstate(invalid="ignore"):  # NaN wins, and some builds of numpy say so
                {"max": np.maximum, "min": np.minimum}[how].at(found, unit, of_unit)
        found[self.pieces == 0] = np.nan
        return found


def of_words(encoded: "Sequence[Encoded]", tokens: "AuditTokens") -> Units:
    """The words of the texts, as ``words.py`` finds them."""
    local = [np.where(one.text.special, -1, one.text.word) for one in encoded]
    # Numbered without gaps: a word that the tokenizer dropped has no token and is no unit.
    local = [np.unique(np.append(one, -1), return_inverse=True)[1][:-1] - 1 for one in local]
    counts = [int(one.max(initial=-1)) + 1 for one in local]
    return _units(encoded, tokens, local, counts)


def of_spans(
    encoded: "Sequence[Encoded]", tokens: "AuditTokens", spans: Sequence[Sequence[Span]]
) -> Units:
    """Units by characters: span j of text k holds the tokens that begin in it.

    Spans follow each other. One in which no token begins is a unit without tokens (NaN).
    """
    local = []
    for one, of_text in zip(encoded, spans, strict=True):
        begins = np.array([first for first, _ in of_text], dtype=np.int64)
        ends = np.array([last for _, last in of_text], dtype=np.int64)
        at = np.searchsorted(begins, one.text.start, side="right") - 1
        inside = (at >= 0) & ~one.text.special & (one.text.start >= 0)
        inside[inside] &= one.text.start[inside] < ends[at[inside]]
        local.append(np.where(inside, at, -1))
    return _units(encoded, tokens, local, [len(of_text) for of_text in spans])


def _units(
    encoded: "Sequence[Encoded]",
    tokens: "AuditTokens",
    local: Sequence[Ids],
    counts: Sequence[int],
) -> Units:
    first = np.cumsum([0, *counts])
    shifted = [np.where(one >= 0, one + at, -1) for one, at in zip(local, first, strict=False)]
    of_token = np.concatenate([np.empty(0, dtype=np.int64), *shifted]).astype(np.int64)
    part = of_token >= 0
    n = int(first[-1])
    spelled = [""] * n
    for place in np.flatnonzero(part):
        spelled[of_token[place]] += f"{tokens.type[place]} "
    kind = np.full(n, "", dtype=object)
    for name in ("punctuation", "function", "content"):  # the last one that a token has
        kind[of_token[part & (tokens.kind == name)]] = name
    return Units(
        of_token=of_token,
        text=np.repeat(np.arange(len(encoded)), counts),
        # A word is the word types of its pieces, which know its casefolded spelling already.
        type=np.unique(np.array(spelled, dtype=object).astype(str), return_inverse=True)[1],
        kind=kind,
        pieces=np.bincount(of_token[part], minlength=n),
        n_texts=len(encoded),
    )
