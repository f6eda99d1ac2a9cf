"""Tokens of audits for tests: of texts that an encoder has read, and made up."""

from collections.abc import Sequence

import numpy as np

from activation_flow.audit_data import AuditTokens
from activation_flow.tokens import Encoded


def tokens_of(encoded: Sequence[Encoded]) -> AuditTokens:
    """Those of encoded texts: each piece is a type of its own, with its kind."""
    texts = [one.text for one in encoded]
    piece = np.concatenate([text.tokens for text in texts])
    kind = np.concatenate([text.kind for text in texts])
    word = np.concatenate([text.word for text in texts])
    inside = np.zeros(len(piece), dtype=bool)
    inside[1:] = (word[1:] == word[:-1]) & (word[1:] >= 0)
    number = np.concatenate([text.ids for text in texts])
    return AuditTokens(
        text=np.repeat(np.arange(len(texts)), [len(text) for text in texts]),
        index=np.concatenate([np.arange(len(text)) for text in texts]),
        token=piece,
        id=number,
        kind=kind,
        type=np.unique([f"{a} {b}" for a, b in zip(piece, kind, strict=True)], return_inverse=True)[
            1
        ],
        length=np.array([len(one) for one in piece]),
        subword=inside,
        position=np.concatenate([place_in(text.special) for text in texts]),
        frequency=np.where(kind == "special", np.nan, -np.log1p(number)),
        n_texts=len(texts),
    )


def place_in(special: np.ndarray) -> np.ndarray:
    """0 for the first and 1 for the last token that is not special; NaN for special ones."""
    at = np.full(len(special), np.nan)
    own = int((~special).sum())
    at[~special] = np.arange(own) / max(1, own - 1)
    return at
