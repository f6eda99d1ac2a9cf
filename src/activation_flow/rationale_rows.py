"""Rows of a file of rationales: words, and which of them people marked. Reads, never guesses.

JSON Lines of words and marks, or tables like those of e-SNLI (Camburu et al. 2018, arXiv
1812.01193), in which *asterisks* stand about marked words.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from activation_flow import source
from activation_flow.blocks import too_long
from activation_flow.data import ActivationFlowError
from activation_flow.delimited import READERS, Line, Rows
from activation_flow.fields import (
    BadRow,
    Number,
    decoded,
    json_values,
    kind_of,
    place,
    table_values,
)
from activation_flow.tokens import unreadable

_KEYS = ("words", "rationale")
_JSON_HINT = 'a row is {"words": ["so", "good"], "rationale": [0, 1]}'
_TABLE_HINT = (
    "a table of rationales has columns Sentence1 and Sentence1_marked_1 (Sentence2 likewise, "
    "_marked_2 and so on of other annotators), as e-SNLI has"
)

Words = tuple[tuple[str, ...], tuple[bool, ...]]  # of a text; which of them are marked
Found = Iterator[tuple[int, list[Words | str]]]  # line of a row; its texts, or why one is none


def rows(path: str, name: str) -> Found:
    """The rows of a file of rationales, each with its line.

    Args:
        path: a .jsonl, .csv or .tsv file; "-" is JSON Lines on standard input.
        name: of it, for messages.

    Raises:
        ActivationFlowError: the file cannot be read, or is of another form.
    """
    ending = ".jsonl" if path == "-" else Path(path).suffix.lower()
    if ending == ".jsonl":
        return _objects(source.lines(path))
    if ending not in source.TABLES_OF_PAIRS:
        raise ActivationFlowError(
            f"{path}: rationales are read from .jsonl, .csv and .tsv files, not from "
            f"{ending or 'a file without an ending'}; {_JSON_HINT}; {_TABLE_HINT}"
        )
    return _sentences(source.lines(path), name, *READERS[ending.removeprefix(".")])


def _objects(lines: Iterator[Line]) -> Found:
    for number, line in lines:
        try:
            values = json_values(line, _KEYS, (_JSON_HINT, _JSON_HINT))
            found: list[Words | str] = [_of_object(*values)] if values else []
        except BadRow as problem:
            found = [str(problem)]
        yield number, found


def _of_object(words: object, rationale: object) -> Words:
    for value, key in zip((words, rationale), _KEYS, strict=True):
        if not isinstance(value, list):
            raise BadRow(f"{key} is {kind_of(value)}, not a list; {_JSON_HINT}")
    assert isinstance(words, list)
    assert isinstance(rationale, list)
    if len(words) != len(rationale):
        raise BadRow(f"it has {len(words)} words and {len(rationale)} marks in its rationale")
    spelled = tuple(_word(value, k) for k, value in enumerate(words, 1))
    return _checked(spelled, tuple(_mark(value, k) for k, value in enumerate(rationale, 1)))


def _word(value: object, number: int) -> str:
    if not isinstance(value, str):
        raise BadRow(f"word {number} is {kind_of(value)}, not a string")
    if not value.strip():
        raise BadRow(f"word {number} is empty")
    return value.strip()


def _mark(value: object, number: int) -> bool:
    if isinstance(value, Number) and float(value.written) in (0, 1):
        return bool(float(value.written))
    if not isinstance(value, bool):
        raise BadRow(f"mark {number} of the rationale is {kind_of(value)}, not 0 or 1")
    return value


def _checked(words: tuple[str, ...], marks: tuple[bool, ...]) -> Words:
    if not words:
        raise BadRow("it holds no word")
    if reason := unreadable(" ".join(words)) or too_long(" ".join(words)):
        raise BadRow(reason)
    return words, marks


def _sentences(
    lines: Iterator[Line], name: str, read_table: Callable[[Iterator[Line]], Rows], rule: str
) -> Found:
    """The texts of a table, up to two in a row; its first row names the columns."""
    table = read_table(lines)
    for line, header in table:
        if not header:
            yield line, []
            continue
        try:
            names = decoded(header)
            columns = _columns(names)
        except BadRow as problem:
            raise ActivationFlowError(f"{name}, line {line}: {problem}") from problem
        for at, row in table:
            try:
                values = table_values(row, range(len(names)), len(names), rule)
            except BadRow as problem:
                yield at, [str(problem)]
                continue
            texts = [_of_sentence(values, *of) for of in columns.items()] if values else []
            yield at, texts


def _columns(names: Sequence[str]) -> dict[str, tuple[int, list[int]]]:
    """Which columns hold each sentence as it is, and as annotators marked it."""
    found: dict[str, tuple[int, list[int]]] = {}
    for plain in ("Sentence1", "Sentence2"):
        marked = [one for one in names if re.fullmatch(rf"{plain}_marked_\d+", one)]
        if marked:
            places = [place(names, one, _TABLE_HINT) for one in marked]
            found[plain] = place(names, plain, _TABLE_HINT), places
    if not found:
        place(names, "Sentence1_marked_1", _TABLE_HINT)  # says which columns there are
    return found


def _of_sentence(
    values: Sequence[str], name: str, columns: tuple[int, Sequence[int]]
) -> Words | str:
    """A sentence's words, of which those are marked that half of its annotators marked, or more."""
    words = tuple(values[columns[0]].split())
    versions = [values[column] for column in columns[1] if values[column].strip()]
    try:
        if words and not versions:
            raise BadRow("no marked version of it is there")
        if any("*" in word for word in words):
            raise BadRow("it holds an asterisk itself, so that marks cannot be told")
        votes = [_starred(words, version) for version in versions]
        marks = tuple(2 * sum(of) >= len(of) for of in zip(*votes, strict=True))
        return _checked(words, marks)
    except BadRow as problem:
        return f"{name}: {problem}"


def _starred(words: Sequence[str], version: str) -> tuple[bool, ...]:
    """Which words of a sentence stand between asterisks in a marked version of it.

    A word is marked if any of its letters is; spaces do not matter.
    """
    parts = version.split("*")
    if len(parts) % 2 == 0:
        raise BadRow(f"an asterisk of its marked version is not closed ({version[:60]!r})")
    letters = [(one, k % 2 == 1) for k, part in enumerate(parts) for one in part]
    plain = "".join(one for one, _ in letters)
    if tuple(plain.split()) != tuple(words):
        raise BadRow(f"its marked version is of another sentence ({version[:60]!r})")
    inside = "".join("*" if marked and not one.isspace() else one for one, marked in letters)
    return tuple("*" in word for word in inside.split())
