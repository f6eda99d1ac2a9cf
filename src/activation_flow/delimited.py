"""Lines of a CSV or TSV file -> rows of fields, as bytes (RFC 4180). Knows no names and no texts.

Not Python's csv module: its limit on the size of a field is global, it wants decoded text, and a
quote that is never closed takes in every row that follows.
"""

import re
from collections import deque
from collections.abc import Iterator

Line = tuple[int, bytes]  # its number, and the bytes with the line end

_INSIDE = re.compile(rb'[^"]*+(?:""[^"]*+)*+')  # of a quoted field, as far as the line goes
_LINE_ENDS = (b"", b"\n", b"\r\n", b"\r")
_TWICE = 'inside quotes, a quote is written ""'


def read_rows(lines: Iterator[Line], delimiter: bytes) -> Iterator[tuple[int, list[bytes] | str]]:
    """The rows of a table, with constant memory: the row being read is held, and no more.

    A row with wrong quotes costs its first line only. The other lines that an open quote took in
    are read again, each for itself, so no line is read more than twice. Until that is known they
    are held: in the worst case, a quote that is never closed, the rest of the file.

    Yields:
        (the line on which the row begins, its fields, none if it holds only spaces; or why its
        quotes are wrong)
    """
    again: deque[Line] = deque()
    while (line := again.popleft() if again else next(lines, None)) is not None:
        taken: list[Line] = []
        # The last of the lines that are read again may well begin a row that goes on after them.
        following = iter(()) if again else _noted(lines, taken)
        fields: list[bytes] | str = []
        if line[1].strip(b" \r\n"):
            fields = _fields(line[1], following, delimiter)
        if isinstance(fields, str):
            again.extendleft(reversed(taken))
        yield line[0], fields


def _noted(lines: Iterator[Line], taken: list[Line]) -> Iterator[bytes]:
    for line in lines:
        taken.append(line)
        yield line[1]


def _fields(line: bytes, following: Iterator[bytes], delimiter: bytes) -> list[bytes] | str:
    """The fields of the row that begins with this line, or what is wrong with its quotes.

    A field is quoted if a quote is its first character; elsewhere a quote is text.
    """
    fields: list[bytes] = []
    start = 0
    while True:
        if line.startswith(b'"', start):
            parts: list[bytes] = []
            start += 1
            while (end := _closing_quote(line, start)) == len(line):
                parts.append(line[start:])
                line, start = next(following, b""), 0
                if not line:
                    return f"the quote that opens field {len(fields) + 1} is not closed; {_TWICE}"
            fields.append(b"".join([*parts, line[start:end]]).replace(b'""', b'"'))
            end += 1
            if line[end : end + 3] in _LINE_ENDS:
                return fields
            if not line.startswith(delimiter, end):
                return f"field {len(fields)} goes on after its closing quote; {_TWICE}"
        else:
            end = line.find(delimiter, start)
            if end < 0:
                return [*fields, line[start:].removesuffix(b"\n").removesuffix(b"\r")]
            fields.append(line[start:end])
        start = end + 1


def _closing_quote(line: bytes, start: int) -> int:
    """Where the quote stands that closes a field, or the length of the line."""
    inside = _INSIDE.match(line, start)
    assert inside is not None  # it matches nothing, too
    return inside.end()
