"""Lines of a CSV or TSV file -> rows of fields, as bytes. Knows no names and no texts.

CSV as in RFC 4180, TSV as registered with IANA: there a quote is text, and a field holds neither
tabs nor line ends. Not Python's csv module: its limit on the size of a field is global, it wants
decoded text, and a quote that is never closed takes in every row that follows.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator

Line = tuple[int, bytes]  # its number, and the bytes with the line end

_INSIDE = re.compile(rb'[^"]*+(?:""[^"]*+)*+')  # of a quoted field, as far as the line goes
_LINE_ENDS = (b"", b"\n", b"\r\n", b"\r")
_QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)++"')  # and with a quote inside, written twice
_LOOKS_QUOTED = (
    "field {} looks quoted, as in CSV, and in a .tsv file a quote is text; save the table as .csv "
    "or .jsonl"
)
_TWICE = 'inside quotes, a quote is written ""'


Rows = Iterator[tuple[int, list[bytes] | str]]


def read_tsv(lines: Iterator[Line]) -> Rows:
    """The rows of a table of tabs. What looks quoted as in CSV is refused, not taken for text.

    Yields:
        (line of the row, its fields, none if it holds only spaces; or what is wrong with it)
    """
    for number, line in lines:
        row = line.removesuffix(b"\n").removesuffix(b"\r")
        fields = row.split(b"\t") if row.strip(b" ") else []
        looks = [k for k, field in enumerate(fields, 1) if _QUOTED.fullmatch(field)]
        yield number, _LOOKS_QUOTED.format(looks[0]) if looks else fields


def read_csv(lines: Iterator[Line]) -> Rows:
    """The rows of a table of commas, with constant memory: the row being read is held, and no more.

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
            fields = _fields(line[1], following)
        if isinstance(fields, str):
            again.extendleft(reversed(taken))
        yield line[0], fields


def _noted(lines: Iterator[Line], taken: list[Line]) -> Iterator[bytes]:
    for line in lines:
        taken.append(line)
        yield line[1]


def _fields(line: bytes, following: Iterator[bytes]) -> list[bytes] | str:
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
            if not line.startswith(b",", end):
                return f"field {len(fields)} goes on after its closing quote; {_TWICE}"
        else:
            end = line.find(b",", start)
            if end < 0:
                return [*fields, line[start:].removesuffix(b"\n").removesuffix(b"\r")]
            fields.append(line[start:end])
        start = end + 1


def _closing_quote(line: bytes, start: int) -> int:
    """Where the quote stands that closes a field, or the length of the line."""
    inside = _INSIDE.match(line, start)
    assert inside is not None  # it matches nothing, too
    return inside.end()


# How the rows of a table are read, and what to keep in mind when the number of fields is wrong.
READERS: dict[str, tuple[Callable[[Iterator[Line]], Rows], str]] = {
    "csv": (read_csv, "a field that holds a comma or a line end must be in quotes"),
    "tsv": (read_tsv, "a field of a .tsv file holds no tab and no line end"),
}
