"""Bytes of one row -> what its columns hold, or in words why they hold nothing. Knows no files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

PAIR_HINT = "--columns A,B names the two to read"
_CONVERT = "convert the file, for example with iconv -f latin1 -t utf-8"


class BadRow(Exception):
    """This one row cannot be read; says why."""


def utf8(raw: bytes, what: str = "the line", advice: str = _CONVERT) -> str:
    """The text that these bytes are.

    Raises:
        BadRow: they are not UTF-8; says which byte of ``what`` is the first wrong one.
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise BadRow(
            f"not UTF-8 (byte {problem.start + 1} of {what} is 0x{raw[problem.start]:02x}); "
            f"{advice}"
        ) from problem


def line_text(line: bytes) -> str:
    """The text of a line without its line end.

    Raises:
        BadRow: it is not UTF-8.
    """
    return utf8(line.removesuffix(b"\n").removesuffix(b"\r"))


def place(names: Sequence[str], column: str, hint: str) -> int:
    """Where the one column of this name stands.

    Args:
        names: of the columns that are there.
        column: the one that is wanted.
        hint: the option that names another.

    Raises:
        BadRow: there is no such column, or more than one.
    """
    if names.count(column) == 1:
        return names.index(column)
    if column in names:
        raise BadRow(f"column {column!r} is there {names.count(column)} times")
    there = ", ".join(repr(name[:40]) for name in names[:20]) or "none"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    raise BadRow(f"there is no column {column!r} (there are: {there}{more}); {hint}")


@dataclass(frozen=True)
class Number:
    """A number of a JSON file as it is written: 1.50, 1e999, or of any number of digits."""

    written: str


# Objects become tuples of (key, value), lists stay lists: so a key that is there twice is seen.
_JSON = json.JSONDecoder(
    object_pairs_hook=tuple, parse_int=Number, parse_float=Number, parse_constant=Number
)

_KINDS: dict[type, str] = {
    **{str: "a string", list: "a list", tuple: "an object"},
    **{bool: "true or false", type(None): "null"},
}


def kind_of(value: object) -> str:
    """What a value of a JSON file is, in words."""
    if isinstance(value, Number):
        return f"a number ({value.written[:20]})"
    return _KINDS[type(value)]


def string(value: object, column: str) -> str:
    """The value, which must be a string.

    Raises:
        BadRow: it is something else.
    """
    if not isinstance(value, str):
        raise BadRow(f"column {column} is {kind_of(value)}, not a string")
    return value


def json_values(line: bytes, columns: Sequence[str], hints: Sequence[str]) -> list[object]:
    """What the columns of one line of JSON hold, in the order asked for; none if it is blank.

    Args:
        line: as it stands in the file.
        columns: the keys that are wanted.
        hints: of each, in this order, the option that names another.

    Raises:
        BadRow: it is no JSON object, or has not each of these keys once.
    """
    if not line.strip():
        return []
    try:
        value = _JSON.decode(utf8(line.rstrip(b"\r\n")))
    except json.JSONDecodeError as problem:
        raise BadRow(f"not JSON: {problem.msg} (character {problem.pos + 1})") from problem
    except RecursionError as problem:
        raise BadRow("not readable as JSON: lists or objects are nested too deeply") from problem
    if not isinstance(value, tuple):
        raise BadRow(f"it is {kind_of(value)}, not a JSON object")
    names = [key for key, _ in value]
    return [value[place(names, *wanted)][1] for wanted in zip(columns, hints, strict=False)]


def decoded(fields: list[bytes] | str) -> list[str]:
    """The fields of a row of a table.

    Raises:
        BadRow: ``fields`` says what is wrong with the row, or one of them is not UTF-8.
    """
    if isinstance(fields, str):
        raise BadRow(fields)
    return [utf8(field, f"field {k}") for k, field in enumerate(fields, 1)]


def table_values(
    row: list[bytes] | str, places: Sequence[int], width: int, rule: str
) -> tuple[str, ...]:
    """What a row of a table holds in these places; nothing if it is blank.

    Args:
        row: its fields, or what is wrong with them.
        places: of the wanted columns.
        width: number of fields in the header.
        rule: what to keep in mind when the number of fields is another.

    Raises:
        BadRow: it is not a row of this table, or not UTF-8.
    """
    fields = decoded(row)
    if fields and len(fields) != width:
        raise BadRow(f"number of fields: {len(fields)}, in the header: {width}; {rule}")
    return tuple(fields[place] for place in places) if fields else ()
