r"""A file of token counts -> tokens, or their numbers, and counts. Knows no vocabulary.

Three forms: lines "token count", between spaces or a tab; lines of three whole numbers, "rank count
number", where the number is the token's in the vocabulary; .csv and .tsv files whose first row
names a column ``token`` or ``id`` and a column ``count``. UTF-8.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from activation_flow.audit_data import PerToken
from activation_flow.data import ActivationFlowError, Ids
from activation_flow.delimited import READERS, Line
from activation_flow.fields import BadRow, decoded, line_text, place
from activation_flow.inputs import reading_errors

_BOM = b"\xef\xbb\xbf"
_LARGEST = 2**31  # no vocabulary has as many tokens
_COLUMNS = "its columns must be count and token, or count and id"
_FORMS = 'each line must be "token count", or three whole numbers: rank, count and token number'

Row = tuple[str, str]  # what names the token, and its count


@dataclass(frozen=True, eq=False)
class Counts:
    """The rows of such a file.

    Attributes:
        token: the spelling of each; empty if the file has numbers.
        id: the vocabulary number of each; None if the file has spellings.
        count: how often each occurs, in any unit; at least 0.
    """

    token: Sequence[str]
    id: Ids | None
    count: PerToken


def read(path: str) -> Counts:
    """The counts in a file.

    Raises:
        ActivationFlowError: it cannot be read, is empty or of another form; names file and line.
    """
    with reading_errors(path), open(path, "rb") as file:
        lines = list(enumerate(file, 1))
    if lines:
        lines[0] = (1, lines[0][1].removeprefix(_BOM))
    suffix = Path(path).suffix.removeprefix(".").casefold()
    by_number, rows = _table(path, lines, suffix) if suffix in READERS else _plain(path, lines)
    names: list[str] = []
    numbers: list[int] = []
    counts: list[float] = []
    for line, (name, count) in rows:
        if by_number:
            numbers.append(_whole(name, path, line))
        else:
            names.append(name)
        counts.append(_count(count, path, line))
    if not counts:
        raise ActivationFlowError(f"{path} holds no counts; {_FORMS}")
    return Counts(names, np.array(numbers) if by_number else None, np.array(counts))


def _plain(path: str, lines: Sequence[Line]) -> tuple[bool, list[tuple[int, Row]]]:
    """Are tokens named by their numbers? And the rows; the first one says which form it is."""
    rows: list[tuple[int, Row]] = []
    three: bool | None = None
    for number, raw in lines:
        try:
            line = line_text(raw)
        except BadRow as problem:
            _refuse(path, number, str(problem))
        if not line.strip():
            continue
        fields = line.split("\t") if "\t" in line else line.rsplit(maxsplit=1)
        parts = line.split()
        if three is None:
            three = len(parts) == 3 and all(part.isdecimal() for part in parts)
        if three and len(parts) == 3:
            rows.append((number, (parts[2], parts[1])))
        elif not three and len(fields) == 2 and fields[0].strip():
            rows.append((number, (fields[0].strip(), fields[1])))
        else:
            _refuse(path, number, f"{line[:60]!r} is not like the first line; {_FORMS}")
    return bool(three), rows


def _table(path: str, lines: Sequence[Line], suffix: str) -> tuple[bool, list[tuple[int, Row]]]:
    """The same of a table with a header."""
    reader, rule = READERS[suffix]
    rows = _decoded(path, reader(iter(lines)))
    number, header = next(rows, (1, []))
    names = [name.strip().casefold() for name in header]
    by_number = "token" not in names
    try:
        at = place(names, "id" if by_number else "token", _COLUMNS), place(names, "count", _COLUMNS)
    except BadRow as problem:
        _refuse(path, number, str(problem))
    found: list[tuple[int, Row]] = []
    for number, fields in rows:
        if len(fields) != len(names):
            _refuse(
                path,
                number,
                f"number of fields: {len(fields)}, in the header: {len(names)}; {rule}",
            )
        found.append((number, (fields[at[0]], fields[at[1]])))
    return by_number, found


def _decoded(
    path: str, rows: Iterator[tuple[int, list[bytes] | str]]
) -> Iterator[tuple[int, list[str]]]:
    for number, row in rows:
        try:
            fields = decoded(row)
        except BadRow as problem:
            _refuse(path, number, str(problem))
        if fields:
            yield number, fields


def _whole(text: str, path: str, line: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal()) or len(text) > 10 or int(text) >= _LARGEST:
        _refuse(path, line, f"{text[:40]!r} is not a token number")
    return int(text)


def _count(text: str, path: str, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        _refuse(
            path, line, f"{text.strip()[:40]!r} is not a count, which is a number of at least 0"
        )
    return value


def _refuse(path: str, line: int, why: str) -> NoReturn:
    raise ActivationFlowError(f"{path}, line {line}: {why}")
