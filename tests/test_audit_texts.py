"""The texts of an audit, out of files of every format: each once, and the rest counted."""

import gzip
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from activation_flow import audit_texts
from activation_flow.audit_texts import Left, Texts
from activation_flow.data import ActivationFlowError
from activation_flow.formats import Reading

ROWS = ["a cat sat", "", "a dog ran", "a cat sat", "  ", "é 日本", "a dog ran"]
ONCE = ("a cat sat", "a dog ran", "é 日本")
CONLLU = "1\tA\t_\tDET\t_\t_\t_\t_\t_\t_\n2\tdog\t_\tNOUN\t_\t_\t_\t_\t_\t_\n\n"


def read(corpus, most: int = 100, column: str = "text", **options) -> Texts:
    return audit_texts.read(corpus, most=most, reading=Reading(column), **options)


def write(folder: Path, name: str) -> Path:
    """The rows in a file of this ending."""
    path = folder / name
    if name.endswith(".txt"):
        content = "".join(f"{row}\n" for row in ROWS)
    elif ".jsonl" in name:
        content = "".join(json.dumps({"n": 1, "text": row}) + "\n" for row in ROWS)
    elif name.endswith(".csv"):
        content = "n,text\n" + "".join(f'1,"{row}"\n' for row in ROWS)
    else:
        content = "n\ttext\n" + "".join(f"1\t{row}\n" for row in ROWS)
    if name.endswith(".parquet"):
        parquet.write_table(pa.table({"text": ROWS}), path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(content.encode()))
    elif name.endswith(".zst"):
        with pa.output_stream(path, compression="zstd") as out:
            out.write(content.encode())
    else:
        path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name", ["a.txt", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.jsonl.gz", "a.jsonl.zst"]
)
def test_each_text_of_a_file_comes_once(tmp_path, name):
    path = write(tmp_path, name)
    found = read(path)
    assert found.texts == ONCE
    assert (found.rows, found.blank, found.duplicates, found.distinct) == (7, 2, 2, 3)
    assert (found.bad.n, found.kinds, found.name) == (0, "list", str(path))
    assert found.gold == (None,) * 3


def test_a_list_of_texts():
    found = read([*ROWS, 3, "half \ud800"])
    assert found.texts == ONCE
    assert (found.rows, found.blank, found.duplicates, found.bad.n) == (9, 2, 2, 2)
    assert found.bad.reasons[0] == "text 8: it is not a string but int"
    assert found.bad.reasons[1].startswith("text 9: character 6 is half of a surrogate pair")


def test_a_folder_and_a_pattern(tmp_path):
    write(tmp_path, "a.txt")
    write(tmp_path, "b.jsonl")
    for corpus in (tmp_path, str(tmp_path / "*")):
        found = read(corpus)
        assert found.texts == ONCE
        assert (found.rows, found.duplicates, found.name) == (14, 7, "the 2 files of the input")


def test_standard_input(monkeypatch):
    stdin = SimpleNamespace(buffer=io.BytesIO("\n".join(ROWS).encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    found = read("-")
    assert found.texts == ONCE
    assert found.name == "standard input"


def test_gold_if_all_files_have_tags(tmp_path):
    (tmp_path / "a.conllu").write_text(CONLLU)
    found = read(tmp_path)
    assert (found.kinds, found.texts) == ("gold", ("A dog",))
    assert found.gold[0].tags == ("DET", "NOUN")
    assert read(tmp_path, kinds="list").kinds == "list"
    write(tmp_path, "b.txt")
    assert read(tmp_path).kinds == "list"
    with pytest.raises(ActivationFlowError, match=r"gold are those of .conllu files.*b.txt is"):
        read(tmp_path, kinds="gold")
    with pytest.raises(ActivationFlowError, match="a list of texts has none"):
        read(["a"], kinds="gold")


def test_bad_rows_are_counted_and_the_first_few_told(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\nno\n{"text": 3}\n{"other": "b"}\n[]\n')
    found = read(path)
    assert (found.texts, found.rows, found.bad.n) == (("a",), 5, 4)
    assert [reason.split(": ")[0] for reason in found.bad.reasons] == [
        f"{path}, line {line}" for line in (2, 3, 4)
    ]
    (note,) = found.bad.told("rows")
    assert note.startswith(f"rows, left out: 4 ({path}, line 2: not JSON")
    assert note.endswith("; ...)")


def test_what_is_no_input_is_refused(tmp_path):
    with pytest.raises(ActivationFlowError, match="cannot be read: No such file"):
        read(tmp_path / "none.txt")
    with pytest.raises(ActivationFlowError, match="there is no column 'body'"):
        read(write(tmp_path, "a.csv"), column="body")
    with pytest.raises(ActivationFlowError, match="corpus is int"):
        read(3)
    with pytest.raises(ActivationFlowError, match="corpus is bytes"):
        read(b"a text")


def test_progress_tells_rows(tmp_path):
    seen = []
    read([str(k) for k in range(2500)], progress=lambda *now: seen.append(now))
    assert seen == [(1000, 0), (2000, 0)]


@given(st.lists(st.sampled_from(["a", "b", "c", "d ", " ", ""])), st.integers(1, 5))
def test_every_row_is_accounted_for(rows, most):
    found = read(rows, most)
    different = [*dict.fromkeys(row for row in rows if row.strip())]
    assert found.distinct == len(different)
    assert len(found.texts) == min(most, len(different))
    assert [*found.texts] == [text for text in different if text in found.texts]
    assert found.rows == len(rows) == found.blank + found.duplicates + found.distinct
    for where, text in zip(found.where, found.texts, strict=True):
        assert where == f"text {rows.index(text) + 1}"


def test_few_reasons_are_whole():
    left = Left()
    for k in range(3):
        left.add(f"row {k}", "bad")
    assert left.told("rows") == ["rows, left out: 3 (row 0: bad; row 1: bad; row 2: bad)"]
