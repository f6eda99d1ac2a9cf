"""Where the kinds of tokens, and each special token, stand in their texts by strength.

The place of a token is its percentile among the tokens of its text that are not special: 0 below
all, 100 above all, ties half. Special tokens have a place there, too, but no token stands below
or above them for it. One owner of the formula: strength.percentile.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken
from activation_flow.data import Mask
from activation_flow.strength import TIE, percentile, rank


@dataclass(frozen=True, kw_only=True)
class Places:
    """Median places.

    Attributes:
        median: of each kind but ``special``, and of each special token by its spelling.
        tokens: how many there are of each.
        first: the special token that most texts begin with; "" where most begin with another.
        last: the one that most end with; "" likewise.
        last_weakest: share of texts in which their last special token is weaker than every other
            token; None where there is no ``last``.
    """

    median: Mapping[str, float]
    tokens: Mapping[str, int]
    first: str
    last: str
    last_weakest: float | None


def kind_places(tokens: AuditTokens, strength: PerToken) -> Places:
    """Median place of each kind and of each special token.

    Args:
        tokens: all tokens.
        strength: [tokens], finite.
    """
    special = tokens.kind == "special"
    ranks = rank(strength[None], ~special, tokens.text)
    place = percentile(strength[None], ranks, tokens.text)[0]
    groups: dict[str, Mask] = {
        **{str(kind): tokens.kind == kind for kind in np.unique(tokens.kind[~special]) if kind},
        **{
            str(name): special & (tokens.token == name) for name in np.unique(tokens.token[special])
        },
    }
    seen = {name: place[mask & np.isfinite(place)] for name, mask in groups.items()}
    starts = np.searchsorted(tokens.text, np.arange(tokens.n_texts))
    ends = np.searchsorted(tokens.text, np.arange(tokens.n_texts), side="right") - 1
    last = _commonest(tokens, ends)
    return Places(
        median={name: float(np.median(places)) for name, places in seen.items() if len(places)},
        tokens={name: len(places) for name, places in seen.items() if len(places)},
        first=_commonest(tokens, starts),
        last=last,
        last_weakest=_weakest(strength, starts, ends) if last else None,
    )


def _commonest(tokens: AuditTokens, at: np.ndarray) -> str:
    """The special token at these places of most texts."""
    names, counts = np.unique(
        np.where(tokens.kind[at] == "special", tokens.token[at], ""), return_counts=True
    )
    return str(names[np.argmax(counts)]) if counts.size else ""


def _weakest(strength: PerToken, starts: np.ndarray, ends: np.ndarray) -> float:
    """Share of texts whose last token is weaker than all before it, by more than a tie."""
    texts = [strength[a : b + 1].astype(np.float64) for a, b in zip(starts, ends, strict=True)]
    return float(np.mean([(own[-1] < own[:-1] * (1 - TIE)).all() for own in texts]))
