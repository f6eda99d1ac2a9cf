"""Words of texts as units: what is removed, marked by people, and ranked; from tokens to words.

Tokens of no unit (special ones, punctuation between words) are never removed and never ranked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids, Mask, Names
from activation_flow.words import map_pieces

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
        type: [units], number of the word type, from 0: its casefolded spelling, without
            punctuation where there is anything else.
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

    def of(self, part: Mask) -> "Units":
        """These units only, numbered without gaps; the tokens of others are of no unit.

        Args:
            part: [units], those to keep.
        """
        number = np.append(np.where(part, np.cumsum(part) - 1, -1), -1)  # the last: of no unit
        return Units(
            of_token=number[self.of_token],
            text=self.text[part],
            type=self.type[part],
            kind=self.kind[part],
            pieces=self.pieces[part],
            n_texts=self.n_texts,
        )

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
            with np.errstate(invalid="ignore"):  # NaN wins, which numpy calls invalid here
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
    """Units by characters: span j of text k holds the tokens that it is the first to overlap.

    Spans follow each other. One of which no token is left is a unit without tokens (NaN).
    """
    local = []
    for one, of_text in zip(encoded, spans, strict=True):
        # By overlap, for many tokenizers count the space before a word as part of its first piece.
        at = map_pieces(of_text, one.text.start, one.text.end)
        local.append(np.where(one.text.special, -1, at))
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
    kind = np.full(n, "", dtype="<U11")
    for name in ("punctuation", "function", "content"):  # the last one that a token has
        kind[of_token[part & (tokens.kind == name)]] = name
    return Units(
        of_token=of_token,
        text=np.repeat(np.arange(len(encoded)), counts),
        type=_types(encoded, tokens, of_token, n),
        kind=kind,
        pieces=np.bincount(of_token[part], minlength=n),
        n_texts=len(encoded),
    )


def _types(encoded: "Sequence[Encoded]", tokens: "AuditTokens", of_token: Ids, n: int) -> Ids:
    """A number for each word: that of its tokens' word types, each once where they follow.

    Those know the casefolded spelling of the whole word already, so "GREAT" in three pieces is the
    word that "great" in one piece is. Where a unit holds a word, punctuation beside it does not
    count: "home." and "home" are one type, for who has seen one has seen the other.
    """
    in_word = np.concatenate([np.empty(0, dtype=bool), *(one.text.word >= 0 for one in encoded)])
    worded = np.zeros(n + 1, dtype=bool)  # the last entry is for tokens of no unit
    worded[of_token[in_word]] = True
    spelled: list[list[int]] = [[] for _ in range(n)]
    for place in np.flatnonzero((of_token >= 0) & (in_word | ~worded[of_token])).tolist():
        before, type_ = spelled[of_token[place]], int(tokens.type[place])
        if before[-1:] != [type_]:
            before.append(type_)
    numbers: dict[tuple[int, ...], int] = {}
    found = [numbers.setdefault(tuple(one), len(numbers)) for one in spelled]
    return np.array(found, dtype=np.int64)
