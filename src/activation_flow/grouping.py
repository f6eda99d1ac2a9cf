"""Pieces of a text put together to words, with the strengths that words have."""

from collections.abc import Iterable

import numpy as np

from activation_flow import strength as formulas
from activation_flow.data import ActivationFlowError, Mask, Strength, TokenizedText
from activation_flow.words import find_words


def word_starts(text: TokenizedText) -> Mask:
    """True for the first piece of every word, and for every piece of no word."""
    same: Mask = (np.diff(text.word, prepend=-1) == 0) & (text.word >= 0)
    return ~same


def check_offsets(texts: Iterable[TokenizedText], model: str) -> None:
    """Refuse to make words of tokens that stand nobody knows where."""
    if any((text.start[~text.special] < 0).any() for text in texts):
        raise ActivationFlowError(
            f"the tokenizer of {model} does not say which characters a token stands for, so "
            "tokens cannot be put together to words; leave out --words"
        )


def to_words(text: TokenizedText, s: Strength, how: str) -> tuple[TokenizedText, Strength]:
    """One entry per word; pieces of no word (punctuation, special tokens) stay as they are.

    Of a word that was cut off in its middle, only what was read stands in the result.
    """
    begins = word_starts(text)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(text)) - 1
    at_cut = (np.diff(text.segment, append=-1)[last] != 0) & (text.n_dropped > 0)
    names, start, end = text.tokens[first], text.start[first], text.end[first]
    spans = [(0, a, b) for a, b in find_words(text.text)]
    spans += [(1, a, b) for a, b in find_words(text.text_pair or "")]
    segments = (text.text, text.text_pair or "")
    for i in np.flatnonzero(text.word[first] >= 0):
        segment, start[i], end[i] = spans[text.word[first[i]]]
        end[i] = min(end[i], text.end[last[i]]) if at_cut[i] else end[i]
        names[i] = segments[segment][start[i] : end[i]]
    grouped = TokenizedText(
        text=text.text,
        text_pair=text.text_pair,
        tokens=names,
        ids=text.ids[first],
        start=start,
        end=end,
        segment=text.segment[first],
        special=text.special[first],
        word=text.word[first],
        kind=text.kind[first],
        n_windows=text.n_windows,
        n_dropped=text.n_dropped,
    )
    return grouped, formulas.aggregate(s, np.cumsum(begins) - 1, how)
