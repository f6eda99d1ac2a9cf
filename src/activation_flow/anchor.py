"""The one vector that stands for a whole text: which it is, and what it is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Hidden, TokenizedText

KINDS = ("cls", "last", "mean")

if TYPE_CHECKING:
    from jaxtyping import Float

    Vectors = Float[np.ndarray, "layers width"]
else:
    Vectors = np.ndarray


def kind_of(texts: Sequence[TokenizedText], cls_id: int | None, causal: bool) -> str:
    """What stands for each of these texts, the same for all.

    ``cls``: the cls token, if the tokenizer adds one (a typed one is text), wherever it stands. In
    a causal model it must stand behind the text: one before it is the same for every text.
    ``last``: the last token that is read, if the model is causal. ``mean``: the mean vector of all
    tokens that are read, special ones too, as in mean pooling.

    Args:
        texts: with their tokens.
        cls_id: vocabulary number of the cls token, if there is one.
        causal: whether no token sees a later one.
    """
    if all(_sees_all(text, cls_id, causal) for text in texts):
        return "cls"
    return "last" if causal else "mean"


def _sees_all(text: TokenizedText, cls_id: int | None, causal: bool) -> bool:
    place = _cls(text, cls_id)
    return place is not None and not (causal and (~text.special[place:]).any())


def _cls(text: TokenizedText, cls_id: int | None) -> int | None:
    found = np.flatnonzero(text.special & (text.ids == (-1 if cls_id is None else cls_id)))
    return int(found[0]) if len(found) else None


def vectors(text: TokenizedText, hidden: Hidden, kind: str, cls_id: int | None) -> Vectors:
    """The anchor's vector at each layer, float64.

    Args:
        text: with its tokens.
        hidden: their hidden states.
        kind: one of ``KINDS``, see ``kind_of``.
        cls_id: vocabulary number of the cls token.
    """
    if kind == "mean":
        mean: Vectors = hidden.astype(np.float64).mean(axis=1)
        return mean
    place = -1 if kind == "last" else _cls(text, cls_id)
    assert place is not None
    found: Vectors = hidden[:, place].astype(np.float64)
    return found
