"""Made-up tokens of texts and of pairs of texts, for tests of what the audit makes of them."""

from types import SimpleNamespace

import numpy as np

from activation_flow.audit_data import AuditTokens

KINDS = np.array(["content", "content", "function", "punctuation"], dtype="<U11")


def made_tokens(n_texts=12, *, seed=0, types=30):
    """Texts of 3 to 12 tokens of all kinds; a word type has one kind, length and frequency."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(3, 13, n_texts)
    text = np.repeat(np.arange(n_texts), sizes)
    index = np.concatenate([np.arange(n) for n in sizes])
    ends = (index == 0) | (index == np.repeat(sizes - 1, sizes))
    type_ = np.where(ends, types, draw.integers(0, types, len(text)))
    frequency = np.append(draw.normal(size=types) + (np.arange(types) % 4 == 2), np.nan)
    kind = np.where(ends, "special", KINDS[type_ % 4])
    return AuditTokens(
        text=text,
        index=index,
        token=np.char.add("t", type_.astype(str)),
        id=type_,
        kind=kind,
        type=type_,
        length=1 + type_ % 7,
        subword=draw.random(len(text)) < 0.2,
        position=np.where(ends, np.nan, index / np.repeat(sizes - 1, sizes)),
        frequency=frequency[type_],
        n_texts=n_texts,
    )


def made_moved(n_pairs=12, *, seed=0, sizes=(4, 12)):
    """Aligned tokens of pairs in which one token was replaced; its shift is the largest."""
    draw = np.random.default_rng(seed)
    n = draw.integers(*sizes, n_pairs)
    pair = np.repeat(np.arange(n_pairs), n)
    place = np.concatenate([np.arange(k) for k in n])
    far = np.abs(place - np.repeat(draw.integers(0, n), n))
    shift = draw.exponential(size=len(pair)) + 3 * (far == 0)
    strength = draw.normal(10, 1, len(pair))
    high = np.zeros(len(pair), dtype=bool)
    for number in range(n_pairs):
        own = pair == number
        high[own] = strength[own] > np.quantile(strength[own], 0.75, method="midpoint")
    # Each text begins with a special token that is stronger than all others.
    row = np.arange(len(pair)) + pair + 1
    special = np.ones(len(pair) + n_pairs, dtype=bool)
    special[row] = False
    all_strength = np.full(len(special), 20.0)
    all_strength[row] = strength
    all_pair = np.repeat(np.arange(n_pairs), n + 1)
    return SimpleNamespace(
        pair=pair,
        text=pair,
        type=draw.integers(0, 20, len(pair)),
        replaced=far == 0,
        high=high,
        frequency=np.round(draw.normal(size=len(pair)), 1),
        distance_to_edit=far,
        kind=KINDS[draw.integers(0, 4, len(pair))],
        strength=strength,
        shift=shift,
        cosine=shift / 10 + draw.random(len(pair)) / 10,
        standardised=shift * draw.random(len(pair)),
        all_pair=all_pair,
        all_strength=all_strength,
        all_special=special,
        row=row,
        edited=tuple("content" if k % 2 else "function" for k in range(n_pairs)),
        n_pairs=n_pairs,
    )
