"""Which tokens of a variant are the text's own and which the prompt's; the text's, aligned.

A token is known by its characters, so that a text's tokens stand for each other whatever stands
before them. Knows no model and no vector.
"""

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import alignment
from activation_flow.alignment import Alignment
from activation_flow.data import ActivationFlowError, Mask, Names, TokenizedText

WAYS = ("text", *alignment.WAYS)
PARTS = ("text", "prompt", "special", "mixed")

if TYPE_CHECKING:
    from jaxtyping import Int

    Places = Int[np.ndarray, "two tokens"]
else:
    Places = np.ndarray

Span = tuple[int, int]  # first character of the text in its variant, one past its last


def known(text: TokenizedText) -> bool:
    """Whether the tokenizer says which characters a token stands for."""
    return not (text.start[~text.special] < 0).any()


def parts(text: TokenizedText, span: Span) -> Names:
    """``text``, ``prompt`` or ``special`` for every token; "" where its characters are unknown.

    A token is the text's own if all its characters but spaces are (some tokenizers count the space
    before a word as its first character). All else, a token half of prompt and half of text too,
    is the prompt's.
    """
    if not known(text):
        return np.where(text.special, "special", "")
    own, _ = _sides(text, span)
    return np.where(text.special, "special", np.where(own, "text", "prompt"))


def straddling(text: TokenizedText, span: Span) -> Mask:
    """True for tokens that hold characters of the text and of what stands around it."""
    if not known(text):
        return np.zeros(len(text), dtype=bool)
    own, touches = _sides(text, span)
    found: Mask = ~text.special & touches & ~own
    return found


def _sides(text: TokenizedText, span: Span) -> tuple[Mask, Mask]:
    """Which tokens lie inside the text, and which hold a character of it."""
    first, last = _places(text)
    return (first >= span[0]) & (last <= span[1]), (first < span[1]) & (last > span[0])


def _places(text: TokenizedText) -> Places:
    """First character of each token and one past its last, without the spaces at its ends."""
    places = np.array([text.start, text.end])
    space = np.array([*map(str.isspace, text.text), False])
    begins, ends = np.minimum(places, len(space) - 1)
    (with_space,) = np.nonzero((begins < ends) & (space[begins] | space[ends - 1]))
    for i in with_space.tolist():
        start, end = places[:, i].tolist()
        piece = text.text[start:end]
        if inner := piece.strip():  # a token of spaces only stands where it stands
            places[0, i] = start + len(piece) - len(piece.lstrip())
            places[1, i] = places[0, i] + len(inner)
    return places


def align(
    a: TokenizedText, b: TokenizedText, span_a: Span, span_b: Span, how: str = "text"
) -> Alignment:
    """Who stands for whom in two variants of one text; every token of both once.

    Args:
        a: the first variant.
        b: the second.
        span_a: where the text stands in the first.
        span_b: where it stands in the second.
        how: ``text``: the text's own tokens are paired if they stand for the same characters of
            the text, special ones if they are the same, and the prompts' tokens have no partner;
            else see ``alignment.align``.

    Raises:
        ActivationFlowError: an unknown ``how``, or it is not known where the tokens stand.
    """
    special = (a.special, b.special)
    if how != "text":
        check_way(how)
        # By number, not by name: " <mask>" and "<mask>" are one token to a model.
        return alignment.align([*map(str, a.ids)], [*map(str, b.ids)], how, *special)
    for text in (a, b):
        if not known(text):
            raise ActivationFlowError(
                "the tokenizer does not say which characters a token stands for, so the text's "
                "own tokens cannot be told; use --align position or diff"
            )
    keys_a, keys_b = _keys(a, b, span_a, span_b)
    rows = alignment.align_equal(keys_a, keys_b, *special)
    same = a.ids[rows.a_index] == b.ids[rows.b_index]
    change = np.where(rows.paired & ~same, "replaced", rows.change)
    return Alignment(rows.a_index, rows.b_index, change)


def _keys(a: TokenizedText, b: TokenizedText, span_a: Span, span_b: Span) -> list[list[str]]:
    """By what the tokens of both are told apart; those of a prompt are like no other."""
    own, counts = [], []
    for text, span in ((a, span_a), (b, span_b)):
        mine = parts(text, span) == "text"
        places = map(tuple, (_places(text) - span[0]).T.tolist())
        own.append([place if at else None for place, at in zip(places, mine, strict=True)])
        counts.append(Counter(own[-1]))
    keys = []
    for side, (text, places_of) in enumerate(zip((a, b), own, strict=True)):
        names = []
        for i, (place, number) in enumerate(zip(places_of, text.ids.tolist(), strict=True)):
            if text.special[i]:
                names.append(f"{number}")
            elif place is None:
                names.append(f"{side} {i}")
            else:
                # Several tokens of one character (bytes of an emoji, a "▁" before a word) stand
                # for each other in order; if one side has more, only those that are the same.
                alike = counts[0][place] == counts[1][place]
                names.append(f"{place}" if alike else f"{place} {number}")
        keys.append(names)
    return keys


def of_rows(rows: Alignment, part_a: Names, part_b: Names) -> Names:
    """The part of each row; ``mixed`` where the two tokens are of different ones."""
    of_a, of_b = part_a[rows.a_index], part_b[rows.b_index]
    alone = np.where(rows.a_index < 0, of_b, of_a)
    return np.where(rows.paired & (of_a != of_b), "mixed", alone)


def check_way(how: str) -> None:
    """Refuse a way to align that is not known.

    Raises:
        ActivationFlowError: it is not one of ``WAYS``.
    """
    if how not in WAYS:
        raise ActivationFlowError(f"align={how!r} is not one of {', '.join(WAYS)}")
