"""From text to words to kinds, and from a tokenizer's pieces to words.

A word is a run of letters and digits of any script, with inner apostrophes and hyphens. Its kind
comes from a closed list of English function words (function_words_en.txt; 97 % agreement with
gold tags). Knows no tokenizer and no model: pieces arrive as character offsets. No other
language, no part of speech, and no sense of context: "like" is always a function word.
"""

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import regex

from activation_flow.data import ActivationFlowError, Ids, Mask, Names

WAYS = ("list", "none")

# Between letters only: apostrophes, hyphens (the soft one too). Scripts that join their letters
# also use ZWNJ and ZWJ, and may go on with a mark. All possessive, hence linear in the text.
_WORD = regex.compile(
    r"[\p{L}\p{N}][\p{L}\p{N}\p{M}]*+"
    r"(?:(?:['’\-\u00AD\u2010\u2011][\p{L}\p{N}]|[\u200C\u200D][\p{L}\p{N}\p{M}])"
    r"[\p{L}\p{N}\p{M}]*+)*+"
)
_VISIBLE = regex.compile(r"[^\s\p{Cc}\p{Default_Ignorable_Code_Point}]")
_LETTER_OR_DIGIT = regex.compile(r"[\p{L}\p{N}]")
# Letters that are common to several scripts (µ, the ʻ of Hawaiʻi) do not make a word foreign.
_FOREIGN = regex.compile(r"[\p{L}--\p{scx=Latin}--\p{scx=Common}]", flags=regex.VERSION1)

# Longer words are not remembered: a corpus may hold any number of any length.
_LONGEST_KEPT = 64

# https://universaldependencies.org/u/pos: X is what has no other class.
_TAGS = {
    **dict.fromkeys(("NOUN", "PROPN", "VERB", "ADJ", "ADV", "NUM", "INTJ"), "content"),
    **dict.fromkeys(("ADP", "AUX", "CCONJ", "DET", "PART", "PRON", "SCONJ"), "function"),
    **dict.fromkeys(("PUNCT", "SYM"), "punctuation"),
}

_PAST_ANY_TEXT = np.iinfo(np.int64).max
_PLAIN = str.maketrans({"’": "'", "ʼ": "'", "\u00ad": None, "\u200c": None, "\u200d": None})

# Function words although no part of the list stands before the n't. The list has "ai", "ca" and
# "wo" for texts that are split so; as words of their own they are AI and CA, not function words.
_CONTRACTED = ("ain't", "can't", "daren't", "needn't", "oughtn't", "shan't", "won't", "y'all")


def find_words(text: str) -> list[tuple[int, int]]:
    """The (start, end) of every word, in order; linear in the length of the text.

    A word begins with a letter or digit and ends with one or with its combining mark; an
    underscore and an emoji are no part of a word.

    >>> text = "Don't re-read snake_case!"
    >>> [text[start:end] for start, end in find_words(text)]
    ["Don't", 're-read', 'snake', 'case']
    """
    return [match.span() for match in _WORD.finditer(text)]


@cache
def _function_word() -> re.Pattern[str]:
    """What a function word looks like: one of the list, then any number of its clitics."""
    listed = Path(__file__).with_name("function_words_en.txt").read_text(encoding="utf-8").split()
    clitics = [word for word in listed if word.startswith("'") or word == "n't"]
    whole = {*listed} - {word.removesuffix("n't") for word in _CONTRACTED} | {*_CONTRACTED}
    either = "|".join(map(re.escape, whole))
    return re.compile(f"(?:{either})(?:{'|'.join(clitics)})*+")


def spelling(word: str) -> str:
    """A word as it is looked up in lists: casefolded, its apostrophes plain, no soft hyphens.

    >>> spelling("Don’t")
    "don't"
    """
    return word.translate(_PLAIN).casefold()


def kind_of_word(word: str) -> str:
    """The kind "function", "content", or "" where the English list cannot know.

    A contraction is a function word if all its parts are: "don't" = do + n't. Numbers are content
    in any script, as they are the same word class everywhere; a word with a letter that is not
    Latin is unknown.

    >>> [kind_of_word(word) for word in ("The", "don’t", "dog's", "42", "слово")]
    ['function', 'function', 'content', 'content', '']
    """
    return (_kept_kind if len(word) <= _LONGEST_KEPT else _kind)(word)


def _kind(word: str) -> str:
    if _function_word().fullmatch(spelling(word)):
        return "function"
    return "content" if _LETTER_OR_DIGIT.search(word) and not _FOREIGN.search(word) else ""


_kept_kind = lru_cache(maxsize=2**16)(_kind)


def kind_of_tag(tag: str) -> str:
    """The kind of a word that is tagged by Universal Dependencies (UPOS); "" where it has none.

    Of words that are written as one ("ADP+DET"), as of contractions: a function word if all are.

    >>> [kind_of_tag(tag) for tag in ("PROPN", "AUX", "SYM", "X", "ADP+DET", "NOUN+PART")]
    ['content', 'function', 'punctuation', '', 'function', 'content']
    """
    kinds = {_TAGS.get(part, "") for part in tag.split("+")}
    if len(kinds) == 1:
        return kinds.pop()
    return "" if "" in kinds else "content"


def map_pieces(spans: Sequence[tuple[int, int]], start: Ids, end: Ids) -> Ids:
    """The number of the first span that each piece overlaps; -1 where it overlaps none.

    Pieces may come in any order, overlap one another and include spaces. An empty piece belongs
    to the span that it lies strictly inside. A piece at -1 (special, unknown) belongs to none.

    Args:
        spans: increasing and disjoint, as from ``find_words``.
        start: first character of each piece.
        end: one past its last character.

    >>> map_pieces([(0, 2), (3, 8)], np.array([-1, 0, 2, 5, 8]), np.array([-1, 2, 5, 8, 9]))
    array([-1,  0,  1,  1, -1])
    """
    edges = np.array([*spans, (_PAST_ANY_TEXT, _PAST_ANY_TEXT)])
    first = np.searchsorted(edges[:, 1], start, side="right")  # the first that ends after start
    return np.where(edges[first, 0] < end, first, -1)


def annotate(
    text: str, start: Ids, end: Ids, special: Mask, kinds: str = "list"
) -> tuple[Ids, Names]:
    """Word number and kind of every piece of one segment.

    A piece of a word has the word's kind, an inner apostrophe or hyphen too. A piece of no word
    is "punctuation" if anything of it is visible (symbols and emoji too), else "".

    Args:
        text: the segment; a pair is two calls, with the words of the second counted on.
        start: first character of each piece in it; -1 for special ones, and where it is unknown.
        end: one past its last character; -1 likewise.
        special: True where the tokenizer added the piece.
        kinds: "list" for the English list; "none" for no kind but "special".

    Returns:
        The word numbers, -1 where a piece is of no word, and the kinds, "" where unknown.

    Raises:
        ActivationFlowError: an unknown ``kinds``.

    >>> word, kind = annotate("A dog!", np.array([0, 2, 5]), np.array([1, 5, 6]), np.zeros(3, bool))
    >>> word, kind.tolist()
    (array([ 0,  1, -1]), ['function', 'content', 'punctuation'])
    """
    if kinds not in WAYS:
        raise ActivationFlowError(f"kinds={kinds!r} is not one of {', '.join(WAYS)}")
    spans = find_words(text)
    word = map_pieces(spans, start, end)
    word[special] = -1
    if kinds == "none":
        return word, np.where(special, "special", "").astype("<U11")
    # The last entry is for the pieces of no word: their number, -1, picks it.
    kind = np.array([*(kind_of_word(text[a:b]) for a, b in spans), ""], dtype="<U11")[word]
    (rest,) = np.nonzero((word < 0) & ~special & (start >= 0))
    for piece in rest.tolist():  # few: one search each is cheaper than a second pass over the text
        if _VISIBLE.search(text, int(start[piece]), int(end[piece])):
            kind[piece] = "punctuation"
    kind[special] = "special"
    return word, kind
