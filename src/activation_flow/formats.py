"""Lines of a file -> records, of every format that is made of lines. Knows no files.

What a format is, to all who read it: which reader, what a row is, and what its columns are called.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from activation_flow.conllu import Gold, parse, sentences
from activation_flow.delimited import READERS, Line
from activation_flow.fields import (
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

LINE_FORMATS = ("txt", "jsonl", "csv", "tsv", "conllu")
FORMATS = ("txt", "jsonl", "csv", "tsv", "parquet", "conllu")
TEXT_HINT, ID_HINT = "--text-column names the one to read", "--id-column names the one to read"
PAIRS_HINT = "--pairs A,B names the two to read"

T = TypeVar("T")
Parsed = tuple[Any, ...]  # text, id, gold and second text of a record, as far as there are any


@dataclass(frozen=True)
class Reading:
    """How rows are read.

    Attributes:
        text_column: holds the texts; .txt and .conllu files have no columns.
        id_column: holds the user's own ids; of a .conllu file, the key of a comment, sent_id if
            none is named.
        pair_column: holds the second text of each row, where rows are pairs.
    """

    text_column: str = "text"
    id_column: str | None = None
    pair_column: str | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that hold texts: one, or the two of a pair."""
        return tuple(name for name in (self.text_column, self.pair_column) if name is not None)

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are read: of the texts, and, last, of the id if there is one."""
        return self.texts if self.id_column is None else (*self.texts, self.id_column)

    @property
    def settings(self) -> dict[str, str | None]:
        """What stands in a manifest."""
        held = {"text_column": self.text_column, "id_column": self.id_column}
        return held if self.pair_column is None else {**held, "pair_column": self.pair_column}

    @property
    def hints(self) -> tuple[str, ...]:
        """Of each of them, the option that names another."""
        if self.pair_column is None:
            return TEXT_HINT, ID_HINT
        return PAIRS_HINT, PAIRS_HINT, ID_HINT


@dataclass(frozen=True, slots=True)
class Record:
    """One row that is not blank: a line of spaces is; a row of a table with an empty text is not.

    Attributes:
        line: on which it begins, from 1, in the whole file; of a Parquet file, its row.
        text: "" if the row is bad.
        id: the user's own; a number as it is written.
        gold: the words of a sentence of a .conllu file.
        pair: the second text, where rows are pairs.
        reason: why a bad row holds nothing.
    """

    line: int
    text: str
    id: str | None = None
    gold: Gold | None = None
    pair: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class Header:
    """The row of a table that names its columns.

    Attributes:
        line: on which it begins.
        names: of the columns.
        places: of those that are read.
    """

    line: int
    names: list[str]
    places: list[int]


def find_header(format: str, lines: Iterator[Line], reading: Reading) -> Header | None:
    """The first row of a table that is not blank; None if all are.

    Args:
        format: "csv" or "tsv".
        lines: from the beginning of the file.
        reading: which columns are read.

    Raises:
        BadRow: it cannot be read, or has not these columns; says on which line.
    """
    for line, fields in READERS[format][0](lines):
        if fields:
            try:
                names = decoded(fields)
                return Header(line, names, find_columns(names, reading))
            except BadRow as problem:
                raise BadRow(f"line {line}: {problem}") from problem
    return None


def find_columns(names: Sequence[str], reading: Reading) -> list[int]:
    """Where the columns that are read stand among these.

    Raises:
        BadRow: one is not there, or more than once.
    """
    return [place(names, *one) for one in zip(reading.columns, reading.hints, strict=False)]


def records(
    format: str, lines: Iterator[Line], reading: Reading, header: Header | None = None
) -> Iterator[Record | None]:
    """The rows that these lines are.

    Args:
        format: one of ``LINE_FORMATS``.
        lines: with their numbers; whole rows.
        reading: how rows are read.
        header: of a table, None if all its rows are blank.

    Yields:
        A record, or None for a blank row. The lines between sentences are no rows, and neither is
        the header.
    """
    if format == "txt":
        return _each(lines, _text)
    if format == "jsonl":
        return _each(lines, partial(_json, reading=reading))
    if format == "conllu":
        blocks = ((block[0][0], block) for block in sentences(lines))
        return _each(blocks, partial(_sentence, reading=reading))
    read, rule = READERS[format]
    rows = read(lines)
    if header is None:
        return (None for _ in rows)
    first = header.line
    parse = partial(
        _fields, places=header.places, width=len(header.names), rule=rule, reading=reading
    )
    return _each((row for row in rows if row[0] != first), parse)


def _each(
    rows: Iterator[tuple[int, T]], parse: Callable[[T], Parsed | None]
) -> Iterator[Record | None]:
    for line, row in rows:
        try:
            parsed = parse(row)
        except BadRow as problem:
            yield Record(line, "", reason=str(problem))
        else:
            yield Record(line, *parsed) if parsed else None


def _text(line: bytes) -> Parsed | None:
    text = line_text(line)
    return (text,) if text.strip() else None


def _json(line: bytes, reading: Reading) -> Parsed | None:
    values = json_values(line, reading.columns, reading.hints)
    if not values:
        return None
    texts = [string(*one) for one in zip(values, reading.texts, strict=False)]
    column = reading.id_column
    return arranged([*texts, *([] if column is None else [_id(values[-1], column)])], reading)


def arranged(values: Sequence[Any], reading: Reading) -> Parsed:
    """What the columns of a row hold, in the order of a record."""
    if reading.pair_column is None:
        return tuple(values)
    text, pair, *own = values
    return text, own[0] if own else None, None, pair


def _id(value: object, column: str) -> str | None:
    """An id of a JSON file: a string, a number as it is written, or none."""
    if isinstance(value, Number):
        return value.written
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRow(f"column {column} is {kind_of(value)}, not a string or a number")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise BadRow(f"column {column} holds half a surrogate pair, which no file can hold")
    return value


def _fields(
    row: list[bytes] | str, places: Sequence[int], width: int, rule: str, reading: Reading
) -> Parsed | None:
    values = table_values(row, places, width, rule)
    return arranged(values, reading) if values else None


def _sentence(block: list[Line], reading: Reading) -> Parsed | None:
    sentence = parse(block)
    key = reading.id_column
    if key is not None and key not in sentence.comments:
        raise BadRow(f"there is no comment {key!r} (# {key} = ...); {ID_HINT}")
    return sentence.text, sentence.comments.get(key or "sent_id"), sentence.gold
