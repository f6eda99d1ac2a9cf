"""Where texts and pairs come from: files and standard input, row by row. Reads, never guesses.

A row that cannot be read says why and costs no other row. Only the row being read is held.
"""

import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from activation_flow.data import ActivationFlowError, Failure
from activation_flow.delimited import READERS, Line, Rows
from activation_flow.fields import (
    PAIR_HINT,
    BadRow,
    Number,
    decoded,
    json_values,
    kind_of,
    line_text,
    place,
    string,
    table_values,
)

# Tables hold more than a text in a line; taking their lines for texts would be a silent mistake.
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".conllu", ".xlsx", ".gz", ".zst")
LABELLED = ("text", "label")
LABELLED_HINT = "the columns of a labelled text are text and label"
TABLES_OF_PAIRS = {".csv": READERS["csv"], ".tsv": READERS["tsv"]}

T = TypeVar("T")
Found = tuple[int, tuple[str, ...] | str]  # line of a row; its texts (() if blank), or what is bad


@dataclass(frozen=True)
class Row:
    """One row of an input: what it holds, or why it holds nothing.

    Attributes:
        number: from 1, over all rows that are not blank, good or bad.
        line: the line on which the row begins, from 1.
        texts: one text, or the two of a pair; none if the row is bad.
        reason: why a bad row holds nothing.
    """

    number: int
    line: int
    texts: tuple[str, ...]
    reason: str = ""


class Source:
    """The rows of an input; each iteration reads the file anew, standard input only once.

    Iterating raises ActivationFlowError for what concerns the whole input: it cannot be read, is
    UTF-16, has not the columns that were named (all of these at the first row), or holds no row.

    Attributes:
        name: for messages.
        blank: number of blank rows left out so far.
    """

    def __init__(self, path: str, holds: str, read: Callable[[Iterator[Line]], Iterator[Found]]):
        self.name = shown(path)
        self.blank = 0
        self._path, self._holds, self._read = path, holds, read
        self._begun = False

    def __iter__(self) -> Iterator[Row]:
        if self._begun and self._path == "-":
            raise ActivationFlowError("standard input can be read only once")
        self._begun, self.blank, number = True, 0, 0
        for line, found in self._read(lines(self._path)):
            if not found:
                self.blank += 1
                continue
            number += 1
            texts, reason = ((), found) if isinstance(found, str) else (found, "")
            yield Row(number, line, texts, reason)
        if not number:
            raise ActivationFlowError(f"{self.name} holds no {self._holds}")


class Given:
    """What a command was given: the rows that hold something, and a note of each that does not.

    Iterate once; what the attributes say is whole when the iteration is.

    Attributes:
        bad: the rows that hold nothing, with the reason.
        name: of the file, for messages; "" for texts of the command line.
    """

    def __init__(self, rows: Source | Sequence[tuple[str, ...]]):
        """Takes the rows of a file, or the texts of a command line, each a row."""
        self.bad: list[Failure] = []
        self.name = rows.name if isinstance(rows, Source) else ""
        self._rows = rows
        self._lines = array("q")

    def __iter__(self) -> Iterator[Row]:
        rows: Iterable[Row]
        if isinstance(self._rows, Source):
            rows = self._rows
        else:
            rows = (Row(number, 0, texts) for number, texts in enumerate(self._rows, 1))
        for row in rows:
            self._lines.append(row.line)
            if row.reason:
                self.bad.append(Failure(row.number, row.reason))
            else:
                yield row

    def __len__(self) -> int:
        """Number of rows read so far, good and bad."""
        return len(self._lines)

    @property
    def blank(self) -> int:
        """Number of blank rows left out so far."""
        return self._rows.blank if isinstance(self._rows, Source) else 0

    def where(self, number: int) -> str:
        """File and line of a row, to stand before a message."""
        return f"{self.name}, line {self._lines[number - 1]}, " if self.name else ""


def read_texts(path: str) -> Source:
    """Texts of a UTF-8 file, one a line; "-" is standard input.

    Raises:
        ActivationFlowError: the file is a table; the rest is said by the iteration.
    """
    if Path(path).suffix.lower() in TABLES:
        raise ActivationFlowError(
            f"{path}: -f reads plain text, one text a line, and {Path(path).suffix} files are not "
            "that; write the texts to a .txt file first"
        )
    return Source(path, "text", partial(_each, parse=_text))


def read_pairs(path: str, columns: tuple[str, str] = ("a", "b"), hint: str = PAIR_HINT) -> Source:
    """Pairs of texts of a .jsonl, .csv or .tsv file (UTF-8); "-" is JSON Lines on standard input.

    Args:
        path: the file; its ending says what it is.
        columns: those that hold the first and the second text; others are left out.
        hint: what is said where a file has not these columns.

    Raises:
        ActivationFlowError: the ending is another; the rest is said by the iteration.
    """
    if columns[0] == columns[1]:
        raise ActivationFlowError(f"--columns names {columns[0]!r} twice; a pair takes two columns")
    return _of_columns(path, columns, "pair", hint, partial(_json_pair, hint=hint))


def read_labelled(path: str) -> Source:
    """Texts and their labels, columns ``text`` and ``label`` of a .jsonl, .csv or .tsv file.

    Labels of JSON Lines are strings, integers or true and false; each comes out as it is written.

    Args:
        path: the file; its ending says what it is; "-" is JSON Lines on standard input.

    Raises:
        ActivationFlowError: the ending is another; the rest is said by the iteration.
    """
    return _of_columns(path, LABELLED, "labelled text", LABELLED_HINT, _json_labelled)


def _of_columns(
    path: str,
    columns: tuple[str, str],
    holds: str,
    hint: str,
    parse: Callable[..., tuple[str, ...]],
) -> Source:
    """Two columns of each row; ``parse(line, columns=...)`` finds them in a line of JSON."""
    ending = ".jsonl" if path == "-" else Path(path).suffix.lower()
    if ending in TABLES_OF_PAIRS:
        read, rule = TABLES_OF_PAIRS[ending]
        name = shown(path)
        table = partial(_table, read=read, rule=rule, columns=columns, name=name, hint=hint)
        return Source(path, holds, table)
    if ending != ".jsonl":
        raise ActivationFlowError(
            f"{path}: {holds}s are read from .jsonl, .csv and .tsv files, not from "
            f"{ending or 'a file without an ending'}"
        )
    return Source(path, holds, partial(_each, parse=partial(parse, columns=columns)))


def shown(path: str) -> str:
    """What an input is called in messages."""
    return "standard input" if path == "-" else path


def lines(path: str) -> Iterator[Line]:
    """The lines as bytes: a string would also be cut at U+2028 and other characters of a text.

    Args:
        path: the file; "-" is standard input.

    Raises:
        ActivationFlowError: it cannot be read, or is UTF-16.
    """
    if path == "-" and sys.stdin is None:
        raise ActivationFlowError("standard input is closed")
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1 and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    # Its later lines would pass for texts: ASCII with zero bytes between.
                    raise ActivationFlowError(
                        f"{shown(path)} is UTF-16, not UTF-8; convert the file, for example with "
                        "iconv -f utf-16 -t utf-8"
                    )
                yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    except OSError as problem:
        raise ActivationFlowError(f"{shown(path)} cannot be read: {problem.strerror}") from problem


def _each(rows: Iterator[tuple[int, T]], parse: Callable[[T], tuple[str, ...]]) -> Iterator[Found]:
    for line, row in rows:
        try:
            found: tuple[str, ...] | str = parse(row)
        except BadRow as problem:
            found = str(problem)
        yield line, found


def _text(line: bytes) -> tuple[str, ...]:
    text = line_text(line)
    return (text,) if text.strip() else ()


def _json_pair(line: bytes, columns: tuple[str, str], hint: str) -> tuple[str, ...]:
    values = json_values(line, columns, (hint, hint))
    return tuple(string(*one) for one in zip(values, columns, strict=True)) if values else ()


def _json_labelled(line: bytes, columns: tuple[str, str]) -> tuple[str, ...]:
    values = json_values(line, columns, (LABELLED_HINT, LABELLED_HINT))
    if not values:
        return ()
    return string(values[0], columns[0]), _label(values[1], columns[1])


def _label(value: object, column: str) -> str:
    """A label as it is written."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Number) and value.written.removeprefix("-").isdecimal():
        return value.written
    if isinstance(value, str):
        return value
    raise BadRow(f"column {column} is {kind_of(value)}, not a string, an integer, or true or false")


def _table(
    lines: Iterator[Line],
    *,
    read: Callable[[Iterator[Line]], Rows],
    rule: str,
    columns: tuple[str, str],
    name: str,
    hint: str,
) -> Iterator[Found]:
    """The two columns of a CSV or TSV file; its first row names all that there are."""
    rows = read(lines)
    for line, header in rows:
        if not header:  # a blank row
            yield line, ()
            continue
        try:
            names = decoded(header)
            places = [place(names, column, hint) for column in columns]
        except BadRow as problem:
            raise ActivationFlowError(f"{name}, line {line}: {problem}") from problem
        parse = partial(table_values, places=places, width=len(names), rule=rule)
        yield from _each(rows, parse)
