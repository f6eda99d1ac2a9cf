"""Files of counts in each of their forms, and every way in which a line can be wrong."""

from pathlib import Path

import pytest
from data_files import data_file
from hypothesis import given, settings
from hypothesis import strategies as st

from activation_flow import counts_file
from activation_flow.data import ActivationFlowError


def write(folder: Path, text: str, name: str = "counts.txt") -> str:
    path = folder / name
    path.write_bytes(text.encode())
    return str(path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("the 50\n##ing\t7.5\n\n of 3 \n", "a.txt"),
        ("﻿the\t50\r\n##ing\t7.5\r\nof\t3", "a.txt"),
        ("count,token\n50,the\n7.5,##ing\n\n3,of\n", "a.csv"),
        ("Token\tRank\tCount\nthe\t1\t50\n##ing\t2\t7.5\nof\t3\t3\n", "a.tsv"),
    ],
)
def test_tokens_by_their_spelling(tmp_path: Path, text: str, name: str) -> None:
    counts = counts_file.read(write(tmp_path, text, name))
    assert (list(counts.token), counts.id) == (["the", "##ing", "of"], None)
    assert counts.count.tolist() == [50, 7.5, 3]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("1 50 1996\n2 7 12\n", "a.txt"),
        ("1\t50\t1996\n2\t7\t12\n", "a.txt"),
        ("id,count\n1996,50\n12,7\n", "a.csv"),
    ],
)
def test_tokens_by_their_number(tmp_path: Path, text: str, name: str) -> None:
    counts = counts_file.read(write(tmp_path, text, name))
    assert counts.id is not None
    assert (counts.id.tolist(), counts.count.tolist()) == ([1996, 12], [50, 7])


def test_a_token_may_hold_spaces_or_be_a_number_before_a_tab(tmp_path: Path) -> None:
    counts = counts_file.read(write(tmp_path, "new york\t5\n12 3\t4\n"))
    assert list(counts.token) == ["new york", "12 3"]


WRONG = [
    ("the 5\nof\n", "a.txt", "line 2: 'of' is not like the first line; each line must be"),
    ("1 50 1996\nthe 5\n", "a.txt", "line 2: 'the 5' is not like the first"),
    ("the five\n", "a.txt", "line 1: 'five' is not a count, which is a number of at least 0"),
    ("the -5\n", "a.txt", "line 1: '-5' is not a count"),
    ("the nan\n", "a.txt", "line 1: 'nan' is not a count"),
    ("the inf\n", "a.txt", "line 1: 'inf' is not a count"),
    ("1 5 99999999999\n", "a.txt", "line 1: '99999999999' is not a token number"),
    ("\n \n", "a.txt", "holds no counts; each line must be"),
    ("word,count\nthe,5\n", "a.csv", "line 1: there is no column 'id'.*must be count and token"),
    ("token,n\nthe,5\n", "a.csv", "line 1: there is no column 'count'"),
    ("token,count\nthe,5\nof\n", "a.csv", "line 3: number of fields: 1, in the header: 2"),
    ('token,count\n"the,5\n', "a.csv", "line 2: the quote that opens field 1 is not closed"),
    ("id,count\nthe,5\n", "a.csv", "line 2: 'the' is not a token number"),
    ("", "a.tsv", "line 1: there is no column 'id'"),
    ("", "a.txt", "holds no counts"),
]


@pytest.mark.parametrize(("text", "name", "message"), WRONG)
def test_what_is_wrong_is_named_with_file_and_line(
    tmp_path: Path, text: str, name: str, message: str
) -> None:
    path = write(tmp_path, text, name)
    with pytest.raises(ActivationFlowError, match=message) as caught:
        counts_file.read(path)
    assert str(caught.value).startswith(path)


def test_a_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"the 5\ncaf\xe9 3\n")
    with pytest.raises(ActivationFlowError, match=r"latin.txt, line 2: not UTF-8 \(byte 4"):
        counts_file.read(str(tmp_path / "latin.txt"))
    with pytest.raises(ActivationFlowError, match=r"nowhere.txt cannot be read: No such file"):
        counts_file.read(str(tmp_path / "nowhere.txt"))
    with pytest.raises(ActivationFlowError, match="cannot be read: Is a directory"):
        counts_file.read(str(tmp_path))


@settings(max_examples=50)
@given(st.binary(max_size=40), st.sampled_from(["x.txt", "x.csv", "x.tsv"]))
def test_any_bytes_are_counts_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, name: str
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(raw)
    try:
        counts = counts_file.read(str(path))
    except ActivationFlowError:
        with pytest.raises(ActivationFlowError, match=name):
            counts_file.read(str(path))
        return
    assert len(counts.count) == len(counts.token if counts.id is None else counts.id) > 0
    assert (counts.count >= 0).all()


def test_the_count_table_of_bert() -> None:
    path = data_file("freq/bert-base-uncased_rank_count_ids.txt")
    counts = counts_file.read(str(path))
    assert counts.id is not None
    assert (counts.id[0], counts.count[0]) == (1996, 154924078)
    assert len(counts.id) == len(path.read_text().splitlines())
