"""Lists of words, as of feelings, and which words of texts are in one. Knows no model and no score.

Such lists are the reader's own (their licences differ): one word a line.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import source
from activation_flow.data import ActivationFlowError, Mask
from activation_flow.fields import BadRow, line_text
from activation_flow.units import Units
from activation_flow.words import find_words, spelling

if TYPE_CHECKING:
    from activation_flow.tokens import Encoded


def read(path: str) -> frozenset[str]:
    """The words of a UTF-8 file, as ``words.spelling`` has them; "-" is standard input.

    One word a line; blank lines, and what follows a #, are left out.

    Raises:
        ActivationFlowError: the file cannot be read or holds no word; or a line is not UTF-8 or
            holds several words, as tables and lists with weights do.
    """
    path = os.path.expanduser(path)
    name = source.shown(path)
    words: set[str] = set()
    for number, line in source.lines(path):
        try:
            parts = line_text(line).split("#", 1)[0].split()
        except BadRow as problem:
            raise ActivationFlowError(f"{name}, line {number}: {problem}") from problem
        if len(parts) > 1:
            raise ActivationFlowError(
                f"{name}, line {number}: {' '.join(parts)[:60]!r} is more than one word; a list "
                "of words has one a line, without weights or labels beside it"
            )
        words.update(map(spelling, parts))
    if not words:
        raise ActivationFlowError(f"{name} holds no word; a list of words has one a line")
    return frozenset(words)


def found(listed: frozenset[str], units: Units, encoded: "Sequence[Encoded]") -> tuple[Mask, int]:
    """Which units hold a word of the list, [units], and how many words of it occur.

    Args:
        listed: as ``read`` gives them.
        units: of these texts.
        encoded: the texts.

    Returns:
        The units with a token of such a word; the number of different words of the list in them.
    """
    salient = np.zeros(len(units), dtype=bool)
    occurring: set[str] = set()
    begin = 0
    for one in encoded:
        of_token = units.of_token[begin : begin + len(one.text)]
        begin += len(one.text)
        words = [spelling(one.text.text[a:b]) for a, b in find_words(one.text.text)]
        for number in np.unique(one.text.word[(of_token >= 0) & (one.text.word >= 0)]).tolist():
            if words[number] in listed:
                occurring.add(words[number])
                here = of_token[one.text.word == number]
                salient[here[here >= 0]] = True
    return salient, len(occurring)
