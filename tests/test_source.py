import csv
import io
import json
import os
import re
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.data import ActivationFlowError
from activation_flow.delimited import read_csv, read_tsv
from activation_flow.source import TABLES, Row, Source, read_pairs, read_texts


@pytest.fixture
def file(tmp_path: Path):
    """Writes bytes to a file and gives its name."""

    def write(content: bytes, name: str = "texts.txt") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def set_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


def texts_of(source: Source) -> list[tuple[str, ...]]:
    return [row.texts for row in source]


ENDINGS = [".csv", ".tsv", ".jsonl"]


class TestTexts:
    @pytest.mark.parametrize(
        ("content", "texts", "lines", "blank"),
        [
            (b"one\ntwo\n", ["one", "two"], [1, 2], 0),
            (b"one\ntwo", ["one", "two"], [1, 2], 0),
            (b"one\r\ntwo\r\n", ["one", "two"], [1, 2], 0),
            (b"one\r\ntwo\r", ["one", "two"], [1, 2], 0),
            (b"\xef\xbb\xbfone\ntwo\n", ["one", "two"], [1, 2], 0),
            (b"\n one \n\n \t\r\ntwo\n\n", [" one ", "two"], [2, 5], 4),
            (b"\xe2\x80\x83\none", ["one"], [2], 1),  # an em space alone is blank, too
            ("слово 👩\n世界".encode(), ["слово 👩", "世界"], [1, 2], 0),
            (b"a\rb\n", ["a\rb"], [1], 0),
            (b"a\x00b\n", ["a\x00b"], [1], 0),
        ],
    )
    def test_texts_and_their_lines(self, file, content, texts, lines, blank):
        source = read_texts(file(content))
        expected = [
            Row(k, line, (text,))
            for k, (line, text) in enumerate(zip(lines, texts, strict=True), 1)
        ]
        assert list(source) == expected
        assert source.blank == blank

    @pytest.mark.parametrize("inner", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
    def test_only_a_newline_ends_a_line(self, file, inner):
        text = f"one{inner}two"
        assert texts_of(read_texts(file(f"{text}\nthree\n".encode()))) == [(text,), ("three",)]

    def test_a_byte_order_mark_is_text_after_the_beginning(self, file):
        found = texts_of(read_texts(file("\ufeffa\n\ufeffb".encode())))
        assert found == [("a",), ("\ufeffb",)]

    @pytest.mark.parametrize(
        ("content", "line", "where"),
        [
            (b"one\n\ncaf\xe9 two\nlast", 3, "byte 4 of the line is 0xe9"),
            (b"\xfe\nlast\n", 1, "byte 1 of the line is 0xfe"),
            (b"ok\n\xed\xa0\xbd\nlast", 2, "byte 1 of the line is 0xed"),  # half a pair
            (b"ok\ncut \xe4\xb8\nlast", 2, "byte 5 of the line is 0xe4"),
        ],
    )
    def test_a_line_that_is_not_utf8_costs_no_other(self, file, content, line, where):
        *_, bad, last = read_texts(file(content))
        assert (bad.line, bad.texts, last.texts) == (line, (), ("last",))
        assert bad.number + 1 == last.number
        assert bad.reason == (
            f"not UTF-8 ({where}); convert the file, for example with iconv -f latin1 -t utf-8"
        )

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf16_is_refused_as_a_whole(self, file, encoding):
        # Its second line would pass for a text with zero bytes.
        path = file("\ufeffone\ntwo\n".encode(encoding))
        with pytest.raises(ActivationFlowError, match=r"texts\.txt is UTF-16.* iconv -f utf-16"):
            list(read_texts(path))

    @given(st.lists(st.sampled_from(b"a\n\r \xe9\xc3\xa9\xef\xbb\xbf\xff\xfe\x00")).map(bytes))
    def test_any_bytes_as_a_plain_loop_reads_them(self, tmp_path_factory, content):
        path = tmp_path_factory.getbasetemp() / "any.txt"
        path.write_bytes(content)
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        expected = []
        for number, line in enumerate(lines, 1):
            text = line.removesuffix(b"\r").decode(errors="replace")
            if text.strip():
                bad = "\ufffd" in text
                expected.append((len(expected) + 1, number, () if bad else (text,)))
        source = read_texts(str(path))
        if content.startswith((b"\xff\xfe", b"\xfe\xff")) or not expected:
            with pytest.raises(ActivationFlowError):
                list(source)
            return
        found = list(source)
        assert [(row.number, row.line, row.texts) for row in found] == expected
        assert all(bool(row.reason) == (not row.texts) for row in found)
        assert source.blank == content.count(b"\n") + (lines[-1] != b"") - len(expected)

    @pytest.mark.parametrize("content", [b"", b"\n", b" \n\t\r\n", b"\xef\xbb\xbf"])
    def test_no_text(self, file, content):
        path = file(content)
        with pytest.raises(ActivationFlowError, match=re.escape(f"{path} holds no text")):
            list(read_texts(path))

    @pytest.mark.parametrize("ending", [*TABLES, ".CSV"])
    def test_a_table_is_not_taken_for_texts(self, file, ending):
        path = file(b"a,b\n", "texts" + ending)
        expected = rf"-f reads plain text, .* \{ending} files are not that; .* \.txt file first"
        with pytest.raises(ActivationFlowError, match=expected):
            read_texts(path)

    @pytest.mark.parametrize("name", ["texts", "texts.text", "texts.md", "v1.2"])
    def test_any_other_ending_is_text(self, file, name):
        assert texts_of(read_texts(file(b"one", name))) == [("one",)]


class TestPairs:
    @pytest.mark.parametrize(
        ("ending", "content"),
        [
            (".csv", b'a,b\none,"two, ""2"""\n\n"th\nree",\nlast,x\n'),
            (".csv", b'\xef\xbb\xbfid,b,a\r\n1,"two, ""2""",one\r\n\r\n2,,"th\nree"\r\n3,x,last'),
            (
                ".jsonl",
                b'{"a": "one", "b": "two, \\"2\\""}\n'
                b' \r\n{"b": "", "id": [1, {"a": 2}], "a": "th\\nree"}\n\n{"a":"last","b":"x"}',
            ),
        ],
    )
    def test_pairs_and_their_lines(self, file, ending, content):
        source = read_pairs(file(content, "pairs" + ending))
        pairs = [("one", 'two, "2"'), ("th\nree", ""), ("last", "x")]
        found = list(source)
        assert [(row.number, row.texts) for row in found] == list(enumerate(pairs, 1))
        lines = content.replace(b'"th\nree"', b'"th ree"').split(b"\n")
        places = [k for k, line in enumerate(lines, 1) if line.strip()][ending != ".jsonl" :]
        shift = 0 if ending == ".jsonl" else 1  # one field has a line end in it
        assert [row.line for row in found] == [*places[:2], places[2] + shift]
        assert source.blank == len([line for line in lines[:-1] if not line.strip()])

    def test_in_a_file_of_tabs_a_quote_is_text(self, file):
        path = file(b'a\tb\none\ttwo, "2"\n\n"three"\t"four\r\n"say ""x"""\ty\nlast\tx\n', "p.tsv")
        one, three, bad, last = read_pairs(path)
        assert one == Row(1, 2, ("one", 'two, "2"'))
        assert three == Row(2, 4, ('"three"', '"four'))
        assert (bad.line, bad.texts) == (5, ())
        assert bad.reason.startswith("field 1 looks quoted, as in CSV, and in a .tsv file a quote")
        assert last == Row(4, 6, ("last", "x"))

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_other_columns(self, file, ending):
        contents = {
            ".csv": b"q,b,a\n1,2,3\n",
            ".tsv": b"q\tb\ta\n1\t2\t3\n",
            ".jsonl": b'{"q": "1", "b": "2", "a": "3"}',
        }
        path = file(contents[ending], "pairs" + ending.upper())
        assert texts_of(read_pairs(path, columns=("a", "q"))) == [("3", "1")]

    pairs = st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs"]))] * 2), min_size=1
    )

    @given(pairs, st.sampled_from([".csv", ".jsonl"]), st.booleans())
    def test_round_trip(self, tmp_path_factory, pairs, ending, ascii_only):
        path = tmp_path_factory.getbasetemp() / ("round" + ending)
        with path.open("w", encoding="utf-8", newline="") as out:
            if ending == ".jsonl":
                for a, b in pairs:
                    out.write(json.dumps({"a": a, "b": b}, ensure_ascii=ascii_only) + "\n")
            else:
                csv.writer(out).writerows([("a", "b"), *pairs])
        assert texts_of(read_pairs(str(path))) == pairs

    @given(
        st.lists(st.sampled_from([*b'",\n\r\t{}:[]ab \xe9\x00', *b'""\n\n,,ab'])).map(bytes),
        st.sampled_from(ENDINGS),
    )
    def test_any_bytes(self, tmp_path_factory, content, ending):
        path = tmp_path_factory.getbasetemp() / ("any" + ending)
        good = {".csv": b"a,b\nx,y\n", ".tsv": b"a\tb\nx\ty\n", ".jsonl": b'{"a":"x","b":"y"}\n'}
        path.write_bytes(good[ending] + content)
        source = read_pairs(str(path))
        rows = list(source)
        lines = enumerate(io.BytesIO(good[ending] + content), 1)
        if ending == ".jsonl":
            expected = [number for number, line in lines if line.strip()]
        else:
            table = (read_csv if ending == ".csv" else read_tsv)(lines)
            expected = [number for number, fields in table if fields][1:]
        assert [(row.number, row.line) for row in rows] == list(enumerate(expected, 1))
        assert all(len(row.texts) == (0 if row.reason else 2) for row in rows)

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"{", "not JSON: Expecting property name enclosed in double quotes (character 2)"),
            (b'{"a": "x"} {', "not JSON: Extra data (character 12)"),
            (b'{"a": "x\ty"}', "not JSON: Invalid control character at (character 9)"),
            (b'"a"', "it is a string, not a JSON object"),
            (b"[1]", "it is a list, not a JSON object"),
            (b"null", "it is null, not a JSON object"),
            (b"1" * 5000, "it is a number (11111111111111111111), not a JSON object"),
            (b'{"a": "x", "b": 3}', "column b is a number (3), not a string"),
            (b'{"a": "x", "b": NaN}', "column b is a number (NaN), not a string"),
            (b'{"a": 1.50, "b": "x"}', "column a is a number (1.50), not a string"),
            (b'{"a": null, "b": "x"}', "column a is null, not a string"),
            (b'{"a": true, "b": "x"}', "column a is true or false, not a string"),
            (b'{"a": [], "b": "x"}', "column a is a list, not a string"),
            (b'{"a": {}, "b": "x"}', "column a is an object, not a string"),
            (b'{"a": "1", "a": "2", "b": "x"}', "column 'a' is there 2 times"),
            (
                b'{"text": "1", "b": "x"}',
                "there is no column 'a' (there are: 'text', 'b'); "
                "--columns A,B names the two to read",
            ),
            (
                b"{}",
                "there is no column 'a' (there are: none); --columns A,B names the two to read",
            ),
            (
                b'{"a": "\xe9", "b": ""}',
                "not UTF-8 (byte 8 of the line is 0xe9); convert the file, for example with "
                "iconv -f latin1 -t utf-8",
            ),
            (b"[" * 100_000, "not readable as JSON: lists or objects are nested too deeply"),
        ],
    )
    def test_a_bad_line_of_json_costs_no_other(self, file, line, reason):
        good = b'{"a": "x", "b": "y"}\n'
        first, bad, last = read_pairs(file(good + b"\n" + line + b"\n" + good, "p.jsonl"))
        assert first == Row(1, 1, ("x", "y"))
        assert bad == Row(2, 3, (), reason)
        assert last == Row(3, 4, ("x", "y"))

    def test_numbers_that_are_not_wanted_may_be_of_any_size(self, file):
        line = b'{"a": "x", "id": ' + b"1" * 5000 + b', "b": "y"}'
        assert texts_of(read_pairs(file(line, "p.jsonl"))) == [("x", "y")]

    def test_half_a_surrogate_pair_is_left_to_the_encoder(self, file):
        (row,) = read_pairs(file(rb'{"a": "\ud800", "b": "y"}', "p.jsonl"))
        assert row.texts == ("\ud800", "y")

    COUNT = (
        "number of fields: {}, in the header: 2; a field that holds a comma or a line end must be "
        "in quotes"
    )

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b"x", COUNT.format(1)),
            (b"x,y,z", COUNT.format(3)),
            (b'x,"y"z', "field 2 goes on after its closing quote; inside quotes, a quote is "),
            (b'x,"y', "the quote that opens field 2 is not closed; inside quotes, a quote is "),
            (b"x,caf\xe9", "not UTF-8 (byte 4 of field 2 is 0xe9); convert the file, for example"),
        ],
    )
    def test_a_bad_row_of_a_table_costs_no_other(self, file, line, reason):
        first, bad, last = read_pairs(file(b'a,b\n"x\n",y\n' + line + b"\nx,y\n", "p.csv"))
        assert first == Row(1, 2, ("x\n", "y"))
        assert (bad.number, bad.line, bad.texts) == (2, 4, ())
        assert bad.reason.startswith(reason)
        assert last == Row(3, 5, ("x", "y"))

    def test_a_row_of_several_lines_that_is_not_utf8_is_one_row(self, file):
        bad, last = read_pairs(file(b'a,b\n"x\n\xe9",y\nx,y\n', "p.csv"))
        assert (bad.line, bad.texts, last.line) == (2, (), 4)

    def test_surrogates_in_disguise_are_no_text(self, file):
        # U+DCE9 is what the byte 0xe9 becomes with surrogateescape; nothing may be both.
        found = list(read_pairs(file(b"a,b\n\xed\xb3\xa9,y\n\xe9,y\n", "p.csv")))
        assert [bool(row.reason) for row in found] == [True, True]

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("p.csv", b"x,y\n1,2\n", r"p\.csv, line 1: there is no column 'a' \(there are: 'x', "),
            (
                "p.csv",
                b"\na;b\n1;2",
                r"p\.csv, line 2: there is no column 'a' .*'a;b'\); --columns",
            ),
            ("p.tsv", b"a,b\n1,2\n", r"there is no column 'a' \(there are: 'a,b'\); --columns A,B"),
            ("p.csv", b"a,b,a\n1,2,3\n", r"p\.csv, line 1: column 'a' is there 2 times"),
            ("p.csv", b'a,"b\n1,2\n', r"p\.csv, line 1: the quote that opens field 2 is not close"),
            ("p.csv", b"a,b\xe9\n1,2\n", r"p\.csv, line 1: not UTF-8 \(byte 2 of field 2 is 0xe9"),
            ("p.csv", b"\xff\xfea\x00", r"p\.csv is UTF-16, not UTF-8"),
            ("p.csv", b"a,b\n\n", r"p\.csv holds no pair"),
            ("p.tsv", b"", r"p\.tsv holds no pair"),
            ("p.jsonl", b"\n\n", r"p\.jsonl holds no pair"),
        ],
    )
    def test_what_concerns_the_whole_file(self, file, name, content, message):
        with pytest.raises(ActivationFlowError, match=message):
            list(read_pairs(file(content, name)))

    def test_a_header_of_any_length_is_shown_in_one_line(self, file):
        path = file(",".join(f"c{k}\n"[:-1] for k in range(5000)).encode() + b"\n", "p.csv")
        with pytest.raises(ActivationFlowError, match="'c19' and 4980 more") as problem:
            list(read_pairs(path))
        assert len(str(problem.value)) < 500

    @pytest.mark.parametrize("name", ["p.txt", "p", "p.csv.gz", "p.json", "p.parquet"])
    def test_other_endings_are_refused(self, name):
        ending = re.escape(Path(name).suffix) or "a file without an ending"
        message = rf"pairs are read from \.jsonl, \.csv and \.tsv files, not from {ending}$"
        with pytest.raises(ActivationFlowError, match=message):
            read_pairs(name)

    def test_a_pair_of_one_column_is_refused(self):
        with pytest.raises(ActivationFlowError, match="--columns names 'a' twice"):
            read_pairs("p.csv", columns=("a", "a"))


class TestReading:
    def test_a_missing_file(self, tmp_path):
        for read, name in ((read_texts, "absent.txt"), (read_pairs, "absent.csv")):
            with pytest.raises(ActivationFlowError, match=f"{name} cannot be read: No such file"):
                list(read(str(tmp_path / name)))

    def test_a_folder(self, tmp_path):
        with pytest.raises(ActivationFlowError, match="cannot be read: Is a directory"):
            list(read_texts(str(tmp_path)))

    def test_a_file_can_be_read_twice(self, file):
        source = read_texts(file(b"\none\n\xff\n"))
        assert list(source) == list(source)
        assert source.blank == 1

    def test_standard_input(self, monkeypatch):
        set_stdin(monkeypatch, "\ufeffone\r\n\n\xff два\n".encode())
        source = read_texts("-")
        assert list(source) == [Row(1, 1, ("one",)), Row(2, 3, ("\xff два",))]
        assert (source.name, source.blank) == ("standard input", 1)
        with pytest.raises(ActivationFlowError, match="standard input can be read only once"):
            list(source)

    def test_pairs_on_standard_input_are_json_lines(self, monkeypatch):
        set_stdin(monkeypatch, b'{"a": "x", "b": "y"}\n{}\n')
        good, bad = read_pairs("-")
        assert good.texts == ("x", "y")
        assert bad.reason

    def test_messages_name_standard_input(self, monkeypatch):
        set_stdin(monkeypatch, b"\n")
        with pytest.raises(ActivationFlowError, match="standard input holds no text"):
            list(read_texts("-"))
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(ActivationFlowError, match="standard input is closed"):
            list(read_texts("-"))

    def test_rows_come_before_the_end_is_there(self, monkeypatch):
        read_end, write_end = os.pipe()
        with open(read_end, "rb") as pipe, open(write_end, "wb", buffering=0) as writer:
            monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=pipe))
            rows = iter(read_texts("-"))
            for text in ("one", "two"):
                writer.write(f"{text}\n".encode())
                assert next(rows).texts == (text,)

    @pytest.mark.parametrize(
        ("ending", "line"),
        [
            (".txt", b"words %s and \xe9\n"),
            (".csv", b'1,"words %s,\nand ""more""",b\n'),
            (".jsonl", b'{"a": "words %s", "b": "more"}\n'),
        ],
    )
    def test_memory_does_not_grow_with_the_file(self, tmp_path, ending, line):
        path = tmp_path / f"large{ending}"
        with path.open("wb") as out:
            out.write(b"id,a,b\n" if ending == ".csv" else b"")
            for _ in range(50):
                out.write(line.replace(b"%s", b"more " * 1000) * 200)
        assert path.stat().st_size > 50e6
        source = read_texts(str(path)) if ending == ".txt" else read_pairs(str(path))
        tracemalloc.start()
        n = sum(1 for _ in source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n == 10_000
        assert peak < 1e6
