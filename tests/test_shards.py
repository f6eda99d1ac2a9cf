"""Shards: together they are the file, whatever is in it; and what they cost."""

import csv
import gzip
import io
import json
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as pq
import pytest
from data_files import data_file
from hypothesis import given
from hypothesis import strategies as st

from activation_flow import inputs
from activation_flow import shards as module
from activation_flow.conllu import parse, sentences
from activation_flow.data import ActivationFlowError
from activation_flow.finding import find_files
from activation_flow.formats import Reading, Record
from activation_flow.inputs import InputFile
from activation_flow.shards import Piece, Shard, plan, read, shards

TEXT = Reading()
BOTH = Reading("text", "id")


def write(folder: Path, name: str, content: bytes) -> InputFile:
    (folder / name).write_bytes(content)
    ((found,), _) = find_files(str(folder / name))
    return found


def all_rows(
    files: list[InputFile], shard_size: int, reading: Reading = TEXT
) -> list[Record | None]:
    pieces = plan(files, reading, shard_size)
    return [row for shard in shards(files, pieces) for row in read(shard, reading)]


def whole(source: InputFile, reading: Reading = TEXT) -> list[Record | None]:
    """The rows of a file in one piece."""
    return list(read(Shard(0, 0, source, 0, source.size, 1), reading))


def check_cover(pieces: list[Piece], source: InputFile) -> None:
    """No piece is empty, none overlaps, and together they are the file."""
    assert all(begin < end for _, begin, end in pieces)
    assert [0, *[end for *_, end in pieces]] == [*[begin for _, begin, _ in pieces], source.size]


ends = st.sampled_from(["\n", "\r\n", "\n\n", "\n \r\n"])
words = st.sampled_from(["a", "é\u2028", "слово 👩", "\ufeff", "x" * 50, "a\rb", '"', "{}"])
lines = st.lists(st.tuples(st.lists(words).map(" ".join), ends), max_size=30)


@st.composite
def contents(draw: Any) -> tuple[str, bytes]:
    """A format, and a file of it with some rows bad."""
    format = draw(st.sampled_from(["txt", "jsonl", "tsv"]))
    content = draw(st.sampled_from(["", "\n", "  \r\n\n"]))
    if format == "tsv":
        content += "id\ttext" + draw(ends)
    for number, (text, end) in enumerate(draw(lines)):
        if format == "jsonl" and number % 5 and text:
            text = json.dumps({"id": number, "text": text}, ensure_ascii=False)
        elif format == "tsv" and number % 5 and text:
            text = f"{number}\t{text}"
        content += text + end
    raw = content.encode()
    if draw(st.booleans()):
        raw = raw.rstrip(b"\r\n")
    if draw(st.booleans()):
        raw = b"\xef\xbb\xbf" + raw
    return format, raw.replace(b"x" * 50, b"\xff")


class TestTogether:
    @given(contents(), st.integers(1, 12), st.booleans())
    def test_shards_are_the_whole_with_its_line_numbers(
        self, tmp_path_factory, file, shard_size, samples
    ):
        format, content = file
        folder = tmp_path_factory.getbasetemp()
        reading = TEXT if format == "txt" else BOTH
        source = write(folder, f"any.{format}", content)
        with pytest.MonkeyPatch.context() as patch:
            if samples:
                patch.setattr(module, "_PLACES", 3)
                patch.setattr(module, "_SAMPLE", 7)
            pieces = plan([source], reading, shard_size)
        if content:
            check_cover(pieces, source)
        found = list(shards([source], pieces))
        for shard in found:
            assert shard.first_line == content[: shard.begin].count(b"\n") + 1
        rows = [row for shard in found for row in read(shard, reading)]
        assert rows == whole(source, reading)
        assert len(rows) == len(io.BytesIO(content).readlines()) - (format == "tsv")

    @given(contents(), st.integers(1, 12))
    def test_lines_of_text_as_a_plain_loop_reads_them(self, tmp_path_factory, file, shard_size):
        content = file[1]
        source = write(tmp_path_factory.getbasetemp(), "plain.txt", content)
        if not content:
            assert plan([source], TEXT, shard_size) == []
            return
        plain: list[tuple[int, str] | None] = []
        raw = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        for number, line in enumerate(raw, 1):
            text = line.removesuffix(b"\r").decode(errors="replace")
            bad = "\ufffd" in text
            plain.append((number, "" if bad else text) if text.strip() else None)
        if content.endswith(b"\n"):
            plain.pop()
        rows = all_rows([source], shard_size)
        assert [row and (row.line, row.text) for row in rows] == plain
        assert all(bool(row.reason) == (not row.text) for row in rows if row)

    @given(
        st.lists(st.sampled_from(["# a = b", "1\ta", "bad", "", " ", "\r"]), max_size=40),
        st.integers(1, 5),
        st.booleans(),
    )
    def test_sentences_are_never_cut(self, tmp_path_factory, parts, shard_size, last_line_end):
        rest = "\t_\tX" + "\t_" * 6
        content = "\n".join(part + rest if part == "1\ta" else part for part in parts)
        content += "\n" * last_line_end
        source = write(tmp_path_factory.getbasetemp(), "any.conllu", content.encode())
        pieces = plan([source], TEXT, shard_size)
        if content:
            check_cover(pieces, source)
        rows = all_rows([source], shard_size)
        assert rows == whole(source)
        lines = enumerate(content.split("\n"), 1)
        full = [0, *[number for number, line in lines if line.strip()]]
        starts = [b for a, b in pairwise(full) if a == 0 or b > a + 1]
        assert [row.line for row in rows if row] == starts
        assert None not in rows

    def test_a_treebank(self):
        path = data_file("ud-ewt/en_ewt-ud-test.conllu")
        files, _ = find_files(str(path))
        pieces = plan(files, TEXT, 100)
        assert 18 <= len(pieces) <= 24
        rows = all_rows(files, 100)
        with path.open("rb") as file:
            blocks = list(sentences(iter(enumerate(file, 1))))
        assert len(rows) == 2077
        for row, block in zip(rows, blocks, strict=True):
            found = parse(block)
            id = found.comments["sent_id"]
            assert row == Record(block[0][0], found.text, id, found.gold)

    def test_several_files_of_several_formats(self, tmp_path):
        texts = [f"text {k}" for k in range(50)]
        out = io.StringIO(newline="")
        csv.writer(out).writerows([("text", "id"), *zip(texts, range(50), strict=True)])
        tabs = out.getvalue().replace(",", "\t").encode()
        objects = [json.dumps({"id": k, "text": text}) for k, text in enumerate(texts)]
        write(tmp_path, "a.csv", out.getvalue().encode())
        write(tmp_path, "b.jsonl", "\n".join(objects).encode())
        write(tmp_path, "c.tsv", tabs)
        write(tmp_path, "d.tsv.gz", gzip.compress(tabs[:100]) + gzip.compress(tabs[100:]))
        packed = pyarrow.compress("\n".join(objects).encode(), codec="zstd", asbytes=True)
        write(tmp_path, "e.jsonl.zst", packed)
        write(tmp_path, "empty.jsonl", b"")
        pq.write_table(pyarrow.table({"id": range(50), "text": texts}), tmp_path / "f.parquet")
        files, _ = find_files(str(tmp_path))
        pieces = plan(files, BOTH, 10)
        assert [file for file, *_ in pieces] == [0, *[1] * 5, *[2] * 5, 3, 4, *[6] * 5]
        found = list(shards(files, pieces))
        assert [shard.number for shard in found] == list(range(18))
        assert all(files[shard.file] == shard.source for shard in found)
        rows = {k: [r for s in found if s.file == k for r in read(s, BOTH)] for k in range(7)}
        for k in range(7):
            assert [(row.text, row.id) for row in rows[k]] == [
                (text, str(number)) for number, text in enumerate(texts if k != 5 else [])
            ]
            header = files[k].format in ("csv", "tsv")
            assert [row.line for row in rows[k]] == [j + header for j in range(1, 51)][
                : len(rows[k])
            ]

    def test_lines_are_counted_anew_in_each_file(self, tmp_path):
        files = [
            write(tmp_path, "a.txt", b"a\n" * 10),
            write(tmp_path, "b.txt", b"very much longer than this\n" * 10),
        ]
        for number, shard in enumerate(shards(files, plan(files, TEXT, 2))):
            assert (shard.file, shard.first_line) == (number // 5, 2 * (number % 5) + 1)

    def test_some_pieces_are_enough(self, tmp_path):
        source = write(tmp_path, "a.txt", b"".join(b"line %d\n" % k for k in range(1, 101)))
        pieces = plan([source], TEXT, 10)
        some = [pieces[7], pieces[2], pieces[3]]
        for shard in shards([source], some):
            first, *_ = read(shard, TEXT)
            assert first.text == f"line {first.line}"


class TestPlan:
    @pytest.mark.parametrize("ending", ["txt", "tsv", "jsonl"])
    def test_a_piece_has_about_as_many_rows_as_were_asked_for(self, tmp_path, ending):
        row = {"txt": b"%s\n\n", "tsv": b"%s\t1\n", "jsonl": b'{"text": "%s"}\n'}[ending]
        content = b"text\tid\n" if ending == "tsv" else b""
        # From long rows to short ones, as in a file that was sorted.
        content += b"".join(row % (b"word " * (40 - k // 1000)) for k in range(40_000))
        source = write(tmp_path, f"a.{ending}", content)
        pieces = plan([source], TEXT, 1000)
        check_cover(pieces, source)
        assert 36 <= len(pieces) <= 44
        assert plan([source], TEXT, 1000) == pieces

    def test_rows_that_hold_line_ends_and_packed_files_stay_whole(self, tmp_path):
        table = write(tmp_path, "a.csv", b"text\n" + b"word\n" * 1000)
        packed = write(tmp_path, "a.txt.gz", gzip.compress(b"word\n" * 1000))
        pieces = plan([table, packed], TEXT, 10)
        assert pieces == [(0, 0, table.size), (1, 0, packed.size)]

    def test_the_header_stands_in_the_first_piece(self, tmp_path):
        content = b"\n" * 5000 + b"text" + b"\tx" * 100 + b"\n" + (b"a" + b"\t" * 100 + b"\n") * 99
        source = write(tmp_path, "a.tsv", content)
        pieces = plan([source], TEXT, 10)
        check_cover(pieces, source)
        assert len(pieces) == 7  # the first three of ten are one
        assert pieces[0][2] > 5204
        assert [row.line for row in all_rows([source], 10) if row] == list(range(5002, 5101))

    def test_a_border_between_rows_stays_where_it_is(self, tmp_path):
        source = write(tmp_path, "a.txt", b"ab\n" * 10)
        assert plan([source], TEXT, 1) == [(0, k, k + 3) for k in range(0, 30, 3)]

    def test_a_sentence_with_lines_longer_than_a_block_is_not_cut(self, tmp_path):
        comment = b"#" * inputs.BLOCK + b"\n"  # its line end is read by itself
        word = b"1\ta\t_\tX" + b"\t_" * 6 + b"\n"
        source = write(tmp_path, "a.conllu", comment * 3 + word + b"\n" + word)
        assert [row.line for row in all_rows([source], 1)] == [1, 6]

    def test_a_line_longer_than_any_sample(self, tmp_path):
        source = write(tmp_path, "a.txt", (b"x" * 3_000_000 + b"\n") * 3)
        pieces = plan([source], TEXT, 1)
        assert [end for *_, end in pieces] == [3_000_001, 6_000_002, 9_000_003]
        assert [row.line for row in all_rows([source], 1)] == [1, 2, 3]

    def test_the_file_is_not_read(self, tmp_path, monkeypatch):
        path = tmp_path / "a.jsonl"
        with path.open("wb") as out:
            for k in range(300):
                out.write((b'{"text": "%d words and more"}\n' % k) * 5000)
        taken = count_reads(monkeypatch)
        files, _ = find_files(str(path))
        pieces = plan(files, TEXT, 100_000)
        assert len(pieces) in (14, 15, 16)
        assert sum(taken) < 1e6 < 40e6 < path.stat().st_size
        # nor are lines counted before they are asked for
        found = shards(files, pieces)
        next(found)
        assert sum(taken) < 1e6
        next(found)
        assert sum(taken) < 5e6

    @pytest.mark.parametrize(
        ("name", "content", "reading", "message"),
        [
            ("a.txt", b"\xff\xfea\x00", TEXT, r"a\.txt is UTF-16"),
            ("a.jsonl", gzip.compress(b"a", mtime=0), TEXT, r"a\.jsonl is compressed with gzip"),
            ("a.txt", b"a", BOTH, r"a\.txt: a \.txt file has no columns, and so none for --id-col"),
            (
                "a.csv",
                b"\na,id\n",
                BOTH,
                r"a\.csv, line 2: there is no column 'text' .*--text-column",
            ),
            ("a.tsv", b"text\n", BOTH, r"a\.tsv, line 1: there is no column 'id' .*; --id-column"),
            ("a.tsv", b"text\ttext\n", TEXT, r"a\.tsv, line 1: column 'text' is there 2 times"),
            (
                "a.csv.gz",
                gzip.compress(b"a\n", mtime=0),
                TEXT,
                r"a\.csv\.gz, line 1: there is no column",
            ),
            ("a.csv.gz", b"text\n", TEXT, r"a\.csv\.gz is truncated or damaged: .*Not a gzipped"),
            ("a.parquet", b"text\n", TEXT, r"a\.parquet is no Parquet file that can be read"),
        ],
    )
    def test_what_is_refused_before_any_work(self, tmp_path, name, content, reading, message):
        with pytest.raises(ActivationFlowError, match=message):
            plan([write(tmp_path, name, content)], reading, 10)

    def test_a_file_that_may_not_be_read(self, tmp_path, monkeypatch):
        source = write(tmp_path, "a.txt", b"one")

        def refuse(*arguments: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(inputs, "open", refuse, raising=False)
        with pytest.raises(ActivationFlowError, match=r"a\.txt cannot be read: Permission denied"):
            plan([source], TEXT, 10)

    def test_no_shard_is_smaller_than_a_row(self, tmp_path):
        with pytest.raises(ActivationFlowError, match="--shard-size 0 is not at least 1"):
            plan([], TEXT, 0)


class TestRead:
    @pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.parquet"])
    def test_a_file_that_was_changed_before(self, tmp_path, name):
        def make(content: str) -> InputFile:
            table = pyarrow.table({"text": [content] * 20})
            if name == "a.parquet":
                pq.write_table(table, tmp_path / name)
                return find_files(str(tmp_path / name))[0][0]
            return write(tmp_path, name, b"text\n" + f"{content}\n".encode() * 20)

        source = make("one")
        shard = next(shards([source], plan([source], TEXT, 10)))
        assert list(read(shard, TEXT))
        make("other")
        with pytest.raises(ActivationFlowError, match=rf"{name} was changed since this run began"):
            list(read(shard, TEXT))

    def test_a_file_that_is_changed_meanwhile(self, tmp_path):
        source = write(tmp_path, "a.txt", b"one\n" * 20)
        (shard,) = shards([source], plan([source], TEXT, 100))
        rows = read(shard, TEXT)
        next(rows)
        os.utime(source.path, ns=(0, 0))
        with pytest.raises(ActivationFlowError, match=r"a\.txt was changed since this run began"):
            list(rows)

    def test_a_file_that_is_gone(self, tmp_path):
        source = write(tmp_path, "a.txt", b"one\n" * 100)
        pieces = plan([source], TEXT, 10)
        (first, *_) = shards([source], pieces)
        os.unlink(source.path)
        for call in (lambda: list(read(first, TEXT)), lambda: list(shards([source], pieces))):
            with pytest.raises(ActivationFlowError, match=r"a\.txt cannot be read: No such file"):
                call()

    def test_counting_ends_where_a_file_was_cut_short(self, tmp_path):
        source = write(tmp_path, "a.txt", b"one\n" * 100)
        pieces = plan([source], TEXT, 10)
        write(tmp_path, "a.txt", b"one\n" * 3)
        assert [shard.first_line for shard in shards([source], pieces)][1:] == [4] * 9

    @pytest.mark.parametrize("ending", ["txt", "jsonl", "tsv", "csv", "conllu"])
    def test_memory_does_not_grow_with_the_file(self, tmp_path, ending):
        text = b"words and " * 1000
        row = {
            "jsonl": b'{"text": "%s"}\n' % text,
            "conllu": b"# text = %s\n1\ta\t_\tX\t_\t_\t_\t_\t_\t_\n\n" % text,
        }.get(ending, text + b"\n")
        with (tmp_path / f"a.{ending}").open("wb") as out:
            out.write(b"text\n" if ending in ("csv", "tsv") else b"")
            for _ in range(40):
                out.write(row * 100)
        files, _ = find_files(str(tmp_path / f"a.{ending}"))
        tracemalloc.start()
        n = 0
        for shard in shards(files, plan(files, TEXT, 2000)):
            n += sum(1 for _ in read(shard, TEXT))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n == 4000
        assert peak < 3e6  # of 40 MB


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on, the number of bytes of each read."""
    taken: list[int] = []

    class Counting(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            n = super().readinto(buffer) or 0
            taken.append(n)
            return n

    def counting_open(path: str, mode: str) -> io.BufferedReader:
        return io.BufferedReader(Counting(path, mode))

    monkeypatch.setattr(inputs, "open", counting_open, raising=False)
    return taken
