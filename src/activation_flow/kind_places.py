"""Where the kinds of tokens, and each special token, stand in their texts by strength.

The place of a token is its percentile among the tokens of its text that are not special: 0 below
all, 100 above all, ties half. Special tokens have a place there, too, but no token stands below
or above them for it. One owner of the formula: strength.percentile.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken
from activation_flow.data import Ids, Mask
from activation_flow.strength import TIED, percentile, rank

if TYPE_CHECKING:
    from jaxtyping import Int

    At = Int[np.ndarray, "texts"]
else:
    At = np.ndarray

_NONE = -1  # a text without such a token


@dataclass(frozen=True, kw_only=True)
class Places:
    """Median places.

    Attributes:
        median: of each kind but ``special``, and of each special token by its name.
        tokens: how many there are of each.
        cls: the tokenizer's cls token, by its name; "" where no text begins or ends with it.
        sep: the special token other than that which stands after the last ordinary token of most
            texts; "" where most have none.
        sep_weakest: share of the texts with ``sep`` in which it is weaker than every other token;
            None where there is none.

    A special token's name is its spelling. Where a model spells two of its roles alike (bos = eos),
    the role follows: ``</s> (end)``; those in neither role are ``</s> (elsewhere)``.
    """

    median: Mapping[str, float]
    tokens: Mapping[str, int]
    cls: str
    sep: str
    sep_weakest: float | None


def kind_places(tokens: AuditTokens, strength: PerToken, cls_id: int | None) -> Places:
    """Median place of each kind and of each special token.

    Args:
        tokens: all tokens of the texts.
        strength: [tokens], finite.
        cls_id: vocabulary number of the tokenizer's cls token; None if it has none.
    """
    special = tokens.kind == "special"
    ranks = rank(strength[None], ~special, tokens.text)
    place = percentile(strength[None], ranks, tokens.text)[0]
    cls_at, sep_at = _ends(tokens, special, cls_id)
    named = dict(_special_tokens(tokens, special, cls_at, sep_at))
    groups: dict[str, Mask] = {
        **{str(kind): tokens.kind == kind for kind in np.unique(tokens.kind[~special]) if kind},
        **{name: mask for name, (_, mask) in named.items()},
    }
    seen = {name: place[mask & np.isfinite(place)] for name, mask in groups.items()}
    by_role = {role: name for name, (role, _) in named.items()}
    return Places(
        median={name: float(np.median(places)) for name, places in seen.items() if len(places)},
        tokens={name: len(places) for name, places in seen.items() if len(places)},
        cls=by_role.get("start", ""),
        sep=by_role.get("end", ""),
        sep_weakest=_weakest(tokens, strength, sep_at),
    )


def _ends(tokens: AuditTokens, special: Mask, cls_id: int | None) -> tuple[At, At]:
    """Where the cls token of each text is, and the special token that ends most texts.

    Some models have cls at the end (XLNet: ``<sep><cls>``), so no place says which token it is.
    """
    cls_at = np.full(tokens.n_texts, _NONE)
    ends = np.full(tokens.n_texts, _NONE)
    for number, own in _texts(tokens):
        ordinary = own[~special[own]]
        if not len(ordinary):
            continue
        outside = own[(own < ordinary[0]) | (own > ordinary[-1])]
        cls = outside[tokens.id[outside] == cls_id] if cls_id is not None else outside[:0]
        cls_at[number] = cls[0] if len(cls) else _NONE
        after = outside[(outside > ordinary[-1]) & (outside != cls_at[number])]
        ends[number] = after[0] if len(after) else _NONE
    of_end = np.where(ends != _NONE, tokens.token[ends], "") if len(tokens) else ends.astype(str)
    names, counts = np.unique(of_end, return_counts=True)
    commonest = names[np.argmax(counts)] if len(names) else ""
    kept = (of_end == commonest) & (commonest != "")
    return cls_at, np.where(kept, ends, _NONE)


def _texts(tokens: AuditTokens) -> Iterator[tuple[int, Ids]]:
    """The number of each text, and which tokens are its own."""
    bounds = np.searchsorted(tokens.text, np.arange(tokens.n_texts + 1))
    for number in range(tokens.n_texts):
        yield number, np.arange(bounds[number], bounds[number + 1])


def _special_tokens(
    tokens: AuditTokens, special: Mask, cls_at: At, sep_at: At
) -> Iterator[tuple[str, tuple[str, Mask]]]:
    """The name of each, its role (``start``, ``end`` or none), and which tokens it is."""
    rest, taken = special.copy(), set[str]()
    for role, at in (("start", cls_at), ("end", sep_at)):
        own = np.zeros(len(tokens), dtype=bool)
        own[at[at != _NONE]] = True
        if not own.any():
            continue
        rest &= ~own
        spelling = str(tokens.token[own][0])
        yield spelling if spelling not in taken else f"{spelling} ({role})", (role, own)
        taken.add(spelling)
    for spelling in np.unique(tokens.token[rest]):
        name = f"{spelling} (elsewhere)" if str(spelling) in taken else str(spelling)
        yield name, ("", rest & (tokens.token == spelling))


def _weakest(tokens: AuditTokens, strength: PerToken, at: At) -> float | None:
    """Share of the texts with a token there in which it is below all others, by more than a tie."""
    exact, found = strength.astype(np.float64), list[bool]()
    for (_, own), where in zip(_texts(tokens), at, strict=True):
        if where != _NONE:
            others = exact[own[own != where]]
            found.append(bool((exact[where] < others * (1 - TIED)).all()))
    return float(np.mean(found)) if found else None
