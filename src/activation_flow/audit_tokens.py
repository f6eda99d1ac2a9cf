"""Tokenized texts -> the tokens of an audit: word types, lengths, positions.

No file, no model, no statistic. What a word type is, is said here and nowhere else.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken
from activation_flow.data import Ids, TokenizedText
from activation_flow.grouping import word_starts
from activation_flow.words import find_words

Key = tuple[str, str, str]  # what it is ("word", "piece", "special"), how it is written, kind


def flattened(texts: Sequence[TokenizedText]) -> AuditTokens:
    """All tokens, text after text. Frequencies are NaN: others know them.

    >>> at = np.array([0, 2, 4])
    >>> text = TokenizedText(
    ...     text="A dogs", tokens=np.array(["a", "dog", "##s"]), ids=at, start=at,
    ...     end=np.array([1, 4, 6]), segment=at * 0, special=at < 0, word=np.array([0, 1, 1]),
    ...     kind=np.array(["function", "content", "content"])
    ... )
    >>> tokens = flattened([text])
    >>> tokens.type, tokens.length, tokens.subword, tokens.position
    (array([0, 1, 1]), array([1, 4, 4]), array([False, False,  True]), array([0. , 0.5, 1. ]))
    """
    sizes = [len(text) for text in texts]
    return AuditTokens(
        text=np.repeat(np.arange(len(texts)), sizes),
        index=joined([np.arange(size) for size in sizes], np.int64),
        token=joined([text.tokens for text in texts], object),
        id=joined([text.ids for text in texts], np.int64),
        kind=joined([text.kind for text in texts], "<U11"),
        type=types(texts),
        length=joined([lengths_of(text) for text in texts], np.int64),
        subword=joined([~word_starts(text) for text in texts], bool),
        position=joined([positions(text) for text in texts], np.float64),
        frequency=np.full(sum(sizes), np.nan),
        n_texts=len(texts),
    )


def types(texts: Sequence[TokenizedText]) -> Ids:
    """The number of the word type of every token, from 0, in the order of their first tokens."""
    numbers: dict[Key, int] = {}
    found = [numbers.setdefault(key, len(numbers)) for text in texts for key in _keys(text)]
    return np.array(found, dtype=np.int64)


def _keys(text: TokenizedText) -> Iterator[Key]:
    """What tells the type of a token: pieces of one word are one, unless their kinds differ."""
    words = [text.text[a:b].casefold() for a, b in find_words(text.text)]
    each = zip(text.tokens, text.word.tolist(), text.special.tolist(), text.kind, strict=True)
    for piece, word, special, kind in each:
        if special:
            yield "special", str(piece), ""
        elif word >= 0:
            yield "word", words[word], str(kind)
        else:
            yield "piece", str(piece).casefold(), str(kind)


def lengths_of(text: TokenizedText) -> Ids:
    """Letters of the word of each token; of the token itself, without spaces, if it is of none."""
    spans = find_words(text.text)
    places = zip(text.start.tolist(), text.end.tolist(), text.word.tolist(), strict=True)
    found = []
    for k, (start, end, word) in enumerate(places):
        if word >= 0:
            found.append(spans[word][1] - spans[word][0])
        elif start >= 0:
            found.append(len(text.text[start:end].strip()))
        else:
            found.append(len(str(text.tokens[k])))
    return np.array(found, dtype=np.int64)


def positions(text: TokenizedText) -> PerToken:
    """Where each token stands among those that are not special: 0 the first, 1 the last."""
    found = np.full(len(text), np.nan)
    (own,) = np.nonzero(~text.special)
    found[own] = np.arange(len(own)) / max(len(own) - 1, 1)
    return found


def joined(arrays: Iterable[np.ndarray], dtype: Any) -> np.ndarray:
    """One after the other; of none, an empty array of that type."""
    return np.concatenate([np.zeros(0, dtype), *arrays])
