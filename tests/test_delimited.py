"""Rows of CSV and TSV files, held against Python's csv module and against a plain loop."""

import csv
import io
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activation_flow.delimited import read_csv, read_tsv

Rows = list[tuple[int, list[bytes] | str]]


def read(content: bytes) -> Rows:
    return list(read_csv(iter(enumerate(io.BytesIO(content), 1))))


def tabs(content: bytes) -> Rows:
    return list(read_tsv(iter(enumerate(io.BytesIO(content), 1))))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n", [(1, [b"a", b"b"])]),
        (b"a,b", [(1, [b"a", b"b"])]),
        (b"a,b\r\nc,d\r\n", [(1, [b"a", b"b"]), (2, [b"c", b"d"])]),
        (b'"a","b"\r\n"c","d"', [(1, [b"a", b"b"]), (2, [b"c", b"d"])]),
        (b",\n", [(1, [b"", b""])]),
        (b'"",""\n', [(1, [b"", b""])]),
        (b"a,\n", [(1, [b"a", b""])]),
        (b'a,""\n', [(1, [b"a", b""])]),
        (b'"a,""b""\n\nc",d\ne\n', [(1, [b'a,"b"\n\nc', b"d"]), (4, [b"e"])]),
        (b'"a\r\nb",c\r\n', [(1, [b"a\r\nb", b"c"])]),
        (b'"a\n","\nb"\nc\n', [(1, [b"a\n", b"\nb"]), (4, [b"c"])]),
        (b'5" x 3",a "b" c\n', [(1, [b'5" x 3"', b'a "b" c'])]),  # a quote that opens nothing
        (b' "a",b\n', [(1, [b' "a"', b"b"])]),
        (b'""""\n', [(1, [b'"'])]),
        (b"a\rb,c\r", [(1, [b"a\rb", b"c"])]),
        (b"a\x00,b\n", [(1, [b"a\x00", b"b"])]),
        (b"\n \r\na\n\n", [(1, []), (2, []), (3, [b"a"]), (4, [])]),
        (b"", []),
    ],
)
def test_rows(content, rows):
    assert read(content) == rows


def test_the_delimiter_is_never_guessed():
    assert tabs(b"a;b\tc,d\n") == [(1, [b"a;b", b"c,d"])]
    assert read(b"a;b\tc,d\n") == [(1, [b"a;b\tc", b"d"])]


LOOKS = (
    "field {} looks quoted, as in CSV, and in a .tsv file a quote is text; save the table as .csv "
    "or .jsonl"
)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a\tb\r\nc\t\n", [(1, [b"a", b"b"]), (2, [b"c", b""])]),
        (b"\n \r\n\t\n", [(1, []), (2, []), (3, [b"", b""])]),
        # a quote is text, and opens nothing
        (
            b'"He left\there\nShe said no"\tgood',
            [(1, [b'"He left', b"here"]), (2, [b'She said no"', b"good"])],
        ),
        (b'"yes"\t""\n"\t5"', [(1, [b'"yes"', b'""']), (2, [b'"', b'5"'])]),
        (b'"a" b\t""c\n', [(1, [b'"a" b', b'""c'])]),
        # but what a program wrote as CSV with tabs is no text with quotes twice
        (b'a\t"say ""x"""\nb\tc', [(1, LOOKS.format(2)), (2, [b"b", b"c"])]),
        (b'""""\tc', [(1, LOOKS.format(1))]),
        (b"", []),
    ],
)
def test_rows_of_tabs(content, rows):
    assert tabs(content) == rows


OPEN = 'the quote that opens field {} is not closed; inside quotes, a quote is written ""'
LOOSE = 'field {} goes on after its closing quote; inside quotes, a quote is written ""'


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'a,"b\n', [(1, OPEN.format(2))]),
        (b'"', [(1, OPEN.format(1))]),
        (b'"a" b,c\nd\n', [(1, LOOSE.format(1)), (2, [b"d"])]),
        (b'a,"b"c"\nd\n', [(1, LOOSE.format(2)), (2, [b"d"])]),
        # the rows that an open quote took in are read for themselves
        (b'"a,b\nc,d\n\ne,f', [(1, OPEN.format(1)), (2, [b"c", b"d"]), (3, []), (4, [b"e", b"f"])]),
        (b'"a,b\n"c","d"\n', [(1, LOOSE.format(1)), (2, [b"c", b"d"])]),
        # and the last of them may begin a row of several lines
        (b'"a\n"c","d\ne"\nf\n', [(1, LOOSE.format(1)), (2, [b"c", b"d\ne"]), (4, [b"f"])]),
        # but none before it, or reading could begin anew at each
        (
            b'"a\nx","y\nx"z\nend"\n',
            [(1, LOOSE.format(2)), (2, OPEN.format(2)), (3, [b'x"z']), (4, [b'end"'])],
        ),
        (b'"a\nx","y\nx","y\n', [(1, OPEN.format(3)), (2, OPEN.format(2)), (3, OPEN.format(2))]),
    ],
)
def test_wrong_quotes_cost_one_line(content, rows):
    assert read(content) == rows


fields = st.text(st.characters(exclude_categories=["Cs"])) | st.text('",\t\r\n ')
tables = st.lists(st.lists(fields, min_size=2, max_size=4))


@given(tables, st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_the_csv_module_writes_is_read_back(table, quoting):
    written = io.StringIO(newline="")
    # With a line end of \r\n the writer puts quotes around a field with either of them.
    csv.writer(written, quoting=quoting).writerows(table)
    rows = read(written.getvalue().encode())
    assert [[field.decode() for field in row] for _, row in rows] == table


@given(tables)
def test_a_table_of_tabs_written_as_csv_is_read_as_it_was_or_not_at_all(table):
    """What pandas and spreadsheets call TSV: no field is ever taken for another text."""
    written = io.StringIO(newline="")
    csv.writer(written, delimiter="\t", lineterminator="\n").writerows(table)
    if not any("\n" in field or "\r" in field for row in table for field in row):
        for (_, found), row in zip(tabs(written.getvalue().encode()), table, strict=True):
            if isinstance(found, list) and len(found) == len(row):
                assert [field.decode() for field in found] == row or row == [""]


def plain_row(text: bytes) -> tuple[list[bytes] | None, int]:
    """The fields of a first row (None: its quotes are wrong), and how many bytes were looked at."""
    fields, state = [b""], "start"
    place = 0
    while place < len(text):
        byte = text[place : place + 1]
        place += 1
        if state == "inside":
            if text[place - 1 : place + 1] == b'""':
                place += 1
            elif byte == b'"':
                state = "closed"
                continue
            fields[-1] += byte
        elif byte == b"\n":
            return fields, place
        elif byte == b",":
            fields.append(b"")
            state = "start"
        elif state == "closed":
            return None, place
        elif state == "start" and byte == b'"':
            state = "inside"
        else:
            fields[-1] += byte
            state = "text"
    return (None if state == "inside" else fields), place


def plain(content: bytes) -> Iterator[tuple[int, list[bytes] | None]]:
    lines = io.BytesIO(content).readlines()
    k = alone = 0  # up to line `alone`, rows are of one line
    while k < len(lines):
        text = lines[k] if k + 1 < alone else b"".join(lines[k:])
        fields, read = plain_row(text)
        reached = k + len(io.BytesIO(text[:read]).readlines())
        blank = not lines[k].strip(b" \n")
        yield k + 1, [] if blank else fields
        if fields is None:
            alone = max(alone, reached)
        k = k + 1 if fields is None or blank else reached


pieces = st.sampled_from([b'"', b'""', b'",', b',"', b'x","x', b"\n", b'"\n', b"x", b"\xe9", b" ,"])


@settings(max_examples=500)
@given(st.lists(pieces).map(b"".join))
def test_any_bytes_as_a_plain_loop_reads_them(content):
    rows = [(line, None if isinstance(row, str) else row) for line, row in read(content)]
    assert rows == list(plain(content))


@pytest.mark.parametrize("line", [b'x","y\n', b"x,y\n", b'"x""y\n', b'"\n', b'","\n', b'"""\n'])
def test_no_stray_quote_makes_reading_begin_again_and_again(line):
    begun = time.process_time()
    read(b'"a\n' + line * 6_000)
    assert time.process_time() - begun < 3  # it is 0.05; from each line to the end it would be 20


def test_a_field_of_any_size():
    limit = csv.field_size_limit()
    ((_, row),) = read(b'"' + b'""x\n' * 1_000_000 + b'",b')
    assert row == [b'"x\n' * 1_000_000, b"b"]
    assert csv.field_size_limit() == limit
