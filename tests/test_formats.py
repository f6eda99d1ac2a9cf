"""Rows of every format that is made of lines, good and bad; what they share with pairs."""

import csv
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.conllu import Gold
from activation_flow.delimited import Line
from activation_flow.fields import BadRow
from activation_flow.formats import LINE_FORMATS, Reading, Record, find_header, records

TEXT = Reading()
BOTH = Reading("t", "id")


def numbered(content: bytes) -> Iterator[Line]:
    return enumerate(io.BytesIO(content), 1)


def read(format: str, content: bytes, reading: Reading = TEXT) -> list[Record | None]:
    header = None
    if format in ("csv", "tsv"):
        header = find_header(format, numbered(content), reading)
    return list(records(format, numbered(content), reading, header))


def test_lines_of_text():
    content = " one \n\n \t\r\ntwo\u2028\x0c\r\r\n\u2003\nlast".encode()
    expected = [Record(1, " one "), None, None, Record(4, "two\u2028\x0c\r"), None]
    assert read("txt", content) == [*expected, Record(6, "last")]


@pytest.mark.parametrize(
    ("format", "content"),
    [
        (
            "jsonl",
            b'{"t":"one","id":"a"}\n\n{"x":[{}],"id":1.50,"t":""}\r\n{"id":null,"t":"l\\ni"}',
        ),
        ("jsonl", b'{"id":"a","t":"one"}\n \n{"id":1.50,"t":""}\n{"t":"l\\ni","id":null}\n\n'),
        ("csv", b'id,t\na,one\n\n1.50,""\r\n,"l\ni"\n'),
        ("csv", b'\n \r\nt,"x\ny",id\none,,a\n\n"",",",1.50\n"l\ni",""",",""'),
        ("tsv", b"\t\tt\tid\n\t\tone\ta\n\n\t\t\t1.50\n\t\tl i\t\n"),
    ],
)
def test_rows_with_an_id(format, content):
    found = read(format, content, BOTH)
    rows = [(row.text.replace(" ", "\n"), row.id or None) for row in found if row]
    assert rows == [("one", "a"), ("", "1.50"), ("l\ni", None)]
    assert all(row.reason == "" and row.gold is None for row in found if row)
    lines = content.replace(b'"l\ni"', b"").replace(b'"x\ny"', b" ").split(b"\n")
    blank = [number for number, line in enumerate(lines, 1) if not line.strip(b" \r")]
    assert found.count(None) == len(blank) - (lines[-1] == b"")
    assert read(format, content, Reading("t")) == [
        row and Record(row.line, row.text) for row in found
    ]


@pytest.mark.parametrize(
    ("format", "content", "reason"),
    [
        ("txt", b"caf\xe9", "not UTF-8 (byte 4 of the line is 0xe9); convert the file, for"),
        ("jsonl", b"{", "not JSON: Expecting property name"),
        ("jsonl", b"[]", "it is a list, not a JSON object"),
        ("jsonl", b"[" * 100_000, "not readable as JSON: lists or objects are nested too deeply"),
        (
            "jsonl",
            b'{"text": "a", "id": 1}',
            "there is no column 't' (there are: 'text', 'id'); --text-column names the one to read",
        ),
        (
            "jsonl",
            b'{"t": "a"}',
            "there is no column 'id' (there are: 't'); --id-column names the ",
        ),
        ("jsonl", b'{"t": "a", "t": "b", "id": 1}', "column 't' is there 2 times"),
        ("jsonl", b'{"t": "a", "id": 1, "id": 1}', "column 'id' is there 2 times"),
        ("jsonl", b'{"t": null, "id": 1}', "column t is null, not a string"),
        ("jsonl", b'{"t": 1.0, "id": 1}', "column t is a number (1.0), not a string"),
        ("jsonl", b'{"t": "a", "id": true}', "column id is true or false, not a string or a numbe"),
        ("jsonl", b'{"t": "a", "id": []}', "column id is a list, not a string or a number"),
        (
            "jsonl",
            rb'{"t": "a", "id": "\udc00"}',
            "column id holds half a surrogate pair, which no",
        ),
        ("jsonl", b'{"t": "\xe9", "id": 1}', "not UTF-8 (byte 8 of the line is 0xe9)"),
        (
            "csv",
            b"a",
            "number of fields: 1, in the header: 2; a field that holds a comma or a line",
        ),
        ("csv", b'a,"b', "the quote that opens field 2 is not closed"),
        ("csv", b"a,\xe9", "not UTF-8 (byte 1 of field 2 is 0xe9)"),
        ("tsv", b"a\tb\tc", "number of fields: 3, in the header: 2; a field of a .tsv file holds "),
        ("tsv", b'"a ""b"""\tc', "field 1 looks quoted, as in CSV"),
    ],
)
def test_a_bad_row_costs_no_other(format, content, reason):
    good = {"txt": b"a", "jsonl": b'{"t": "a", "id": "b"}', "csv": b"a,b", "tsv": b"a\tb"}[format]
    header = {"csv": b"t,id\n", "tsv": b"t\tid\n"}.get(format, b"")
    first, bad, last = read(format, header + b"\n".join([good, content, good]), BOTH)
    assert (first.text, last.text) == ("a", "a")
    line = 2 + bool(header)
    assert (bad.line, bad.text, bad.id, last.line) == (line, "", None, line + 1)
    assert bad.reason.startswith(reason)


ROW = "\t".join(["1", "a", "_", "X", *"______"])


def test_sentences():
    content = f"\n# sent_id = s 1\n# x = 7\n{ROW}\n\n\n\n{ROW}\n\n1\n\n# sent_id = s 4\n{ROW}"
    gold = Gold(((0, 1),), ("X",))
    bad = "line 10: number of fields: 1, in CoNLL-U: 10, between tabs"
    first, second, third, last = read("conllu", content.encode())
    assert (first, last) == (Record(2, "a", "s 1", gold), Record(12, "a", "s 4", gold))
    assert (second, third) == (Record(8, "a", None, gold), Record(10, "", reason=bad))
    first, second, *_ = read("conllu", content.encode(), Reading(id_column="x"))
    assert first.id == "7"
    assert second.reason == (
        "there is no comment 'x' (# x = ...); --id-column names the one to read"
    )


def test_a_table_without_a_header_has_only_blank_rows():
    for content in (b"", b"\n", b" \r\n\n"):
        assert read("csv", content) == read("tsv", content) == [None] * content.count(b"\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x,id\n", "^line 1: there is no column 't' .*'x', 'id'.; --text-column names the one to"),
        (b"\nt\n", "^line 2: there is no column 'id' .*; --id-column names the one to read$"),
        (b"t,id,t\n", "^line 1: column 't' is there 2 times$"),
        (b't,"id\n', "^line 1: the quote that opens field 2 is not closed"),
        (b"t,\xe9\n", "^line 1: not UTF-8"),
    ],
)
def test_a_header_that_cannot_be_used(content, message):
    with pytest.raises(BadRow, match=message):
        find_header("csv", numbered(content), BOTH)


texts = st.text(st.characters(exclude_categories=["Cs"]))
tables = st.lists(st.tuples(texts, texts.filter(lambda text: text != "")), min_size=1)


@given(tables, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_the_csv_and_json_modules_write_reads_back(rows, end, ascii_only):
    out = io.StringIO(newline="")
    # That module quotes a \r only where it ends lines, too.
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    csv.writer(out, lineterminator=end, quoting=quoting).writerows([("t", "id"), *rows])
    lines = [json.dumps({"t": text, "id": id}, ensure_ascii=ascii_only) for text, id in rows]
    for format, content in (("csv", out.getvalue()), ("jsonl", end.join(lines))):
        found = read(format, content.encode(), BOTH)
        assert [(row.text, row.id) for row in found if row] == rows


@given(
    st.sampled_from(LINE_FORMATS),
    st.lists(st.sampled_from([*b'",\n\r\t{}:[]ab#1 \xe9\x00', *b"\n\n\n\t"])).map(bytes),
)
def test_of_any_bytes_no_line_is_lost(format, content):
    good = {"csv": b"text\n", "tsv": b"text\n"}.get(format, b"")
    found = read(format, good + content)
    lines = [row.line for row in found if row]
    assert lines == sorted(set(lines))
    assert all(bool(row.reason) <= (not row.text) for row in found if row)
    if format in ("txt", "jsonl", "tsv"):
        assert len(found) == len(io.BytesIO(content).readlines())
