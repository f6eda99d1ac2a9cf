"""Small changes of a text that leave what it says as it was: case, final period, prefix, typo.

Knows no model and no tokenizer; how far scores move is found in stable.py. No paraphrases: those
are people's, and come from a file of pairs.
"""

from collections.abc import Iterator
from hashlib import blake2b

import numpy as np

from activation_flow.words import find_words

CHANGES = ("case", "final period", "prefix", "typo")
ENDS = ".!?"
PREFIX = "Well, "
LETTERS = 4  # of a word that can have a typo: with less there are no two inner letters

Changed = tuple[str, str, str]  # name of the change, the changed text, what was done to it


def changes(text: str, seed: int = 0) -> Iterator[Changed]:
    """Every change that a text has, in the order of ``CHANGES``.

    The same text and seed always have the same ones, whatever other texts there are. A text
    without cased letters has no ``case``, one that is a period alone no ``final period``, one
    without a word of four letters whose inner ones differ no ``typo``.

    Args:
        text: any text.
        seed: of the letters that are exchanged.

    >>> [changed for _, changed, _ in changes("A day at the park!", seed=0)]
    ['a day at the park!', 'A day at the park', 'Well, A day at the park!', 'A day at the prak!']
    """
    for name, found in (
        ("case", _case(text)),
        ("final period", _final_period(text)),
        ("prefix", (PREFIX + text, f"{PREFIX!r} put before")),
        ("typo", _typo(text, seed)),
    ):
        if found is not None:
            yield name, *found


def _case(text: str) -> tuple[str, str] | None:
    for changed, what in ((text.lower(), "in lower case"), (text.upper(), "in upper case")):
        if changed != text:
            return changed, what
    return None


def _final_period(text: str) -> tuple[str, str] | None:
    """Without the mark that ends it, be it one of several; with a period, where there is none."""
    body = text.rstrip()
    blank = text[len(body) :]
    if not body.endswith(tuple(ENDS)):
        return f"{body}.{blank}", "a period added"
    rest = body[:-1]
    return (rest + blank, f"the last mark of {ENDS} removed") if rest.strip() else None


def _typo(text: str, seed: int) -> tuple[str, str] | None:
    """One word is drawn of those that can have a typo, then one of its places."""
    places = [found for word in find_words(text) if (found := _places(text, *word))]
    if not places:
        return None
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    chance = np.random.default_rng([seed, int.from_bytes(digest, "big")])
    of_word = places[int(chance.integers(len(places)))]
    at = of_word[int(chance.integers(len(of_word)))]
    changed = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    what = f"two neighbouring inner letters of a word of {LETTERS} or more exchanged (seed {seed})"
    return changed, what


def _places(text: str, start: int, end: int) -> list[int]:
    """Where an inner letter stands before another inner letter that differs from it."""
    if sum(map(str.isalpha, text[start:end])) < LETTERS:
        return []
    pairs = ((at, text[at], text[at + 1]) for at in range(start + 1, end - 2))
    return [at for at, a, b in pairs if a.isalpha() and b.isalpha() and a.lower() != b.lower()]
