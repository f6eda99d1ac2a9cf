"""Labelled texts: what a file says, each text once, and everything that is left out told."""

import io
import json
from collections import Counter
from types import SimpleNamespace

import pytest
from data_files import data_file

from activation_flow import labelled
from activation_flow.data import ActivationFlowError


@pytest.fixture
def file(tmp_path):
    """Writes rows of JSON, or text as it stands, and gives the file's name."""

    def write(content, name="t.jsonl"):
        if not isinstance(content, str):
            content = "".join(json.dumps(row) + "\n" for row in content)
        (tmp_path / name).write_text(content, encoding="utf-8")
        return str(tmp_path / name)

    return write


def rows(**often):
    """So many different texts of each label."""
    return [
        {"text": f"{label} {i}", "label": label} for label, n in often.items() for i in range(n)
    ]


def test_every_kind_of_label_is_kept_as_it_is_written(file):
    kinds = ["good", 3, -1, True, " padded "]
    path = file([{"text": f"{k} {i}", "label": v} for k, v in enumerate(kinds) for i in range(5)])
    found = labelled.read(path)
    assert Counter(found.labels) == {"good": 5, "3": 5, "-1": 5, "true": 5, "padded": 5}
    assert (found.name, found.missing, found.notes) == (path, "", ())


def test_what_cannot_be_used_is_counted_and_told(file):
    path = file(
        [
            *rows(a=6, b=5, c=4),
            {"text": "a 0", "label": "a"},  # repeated
            {"text": "b 0", "label": "a"},  # contradicted; so b has too few
            {"text": "b 0", "label": "b"},
            {"text": " ", "label": "a"},
            {"text": "x", "label": "  "},
            {"text": "y", "label": 1.5},
            {"text": "y", "label": None},
            {"text": 1, "label": "a"},
            {"text": "z"},
        ]
    )
    found = labelled.read(path)
    assert {*found.labels} == {"a"}
    has = "'a' has 6 texts, 'b' has 4 texts, 'c' has 4 texts"
    assert found.missing == f"{path}: {has}; it takes two labels of 5 texts each"
    assert found.counts == {
        **{"rows": 24, "blank": 0, "rejected": 4, "without_text": 1, "without_label": 1},
        **{"repeated": 3, "two_labels": 1, "distinct": 14, "rare": 8},
    }
    rare, twice, bad = found.notes
    assert rare == "labels of fewer than 5 texts, left out: 2 ('b', 'c'; 8 texts)"
    assert f"left out: 1 ({path}, line 17: the text is 'b' and 'a')" in twice
    assert f"left out: 4 ({path}, line 21: column label is a number (1.5), not a string" in bad
    assert "line 23: column text is a number (1), not a string; ..." in bad


@pytest.mark.parametrize(("ending", "between"), [("csv", ","), ("tsv", "\t")])
def test_tables(file, ending, between):
    lines = ["label,other,text", *(f"{k % 2},,a text of {k}" for k in range(10)), "1,a"]
    found = labelled.read(file("\n".join(lines).replace(",", between), f"t.{ending}"))
    assert found.texts == tuple(f"a text of {k}" for k in range(10))
    assert found.labels == ("0", "1") * 5
    assert "line 12: number of fields: 2, in the header: 3" in found.notes[0]


def test_standard_input_is_json_lines(monkeypatch):
    lines = "".join(json.dumps(row) + "\n" for row in rows(a=5, b=5)).encode()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    found = labelled.read("-")
    assert (len(found), found.name) == (10, "standard input")


def test_of_more_texts_a_sample_is_taken(file):
    path = file(rows(a=200, b=200))
    found = labelled.read(path, texts=60, seed=3)
    assert len({*found.texts}) == 60
    assert found.texts == labelled.read(path, texts=60, seed=3).texts
    assert found.texts != labelled.read(path, texts=60, seed=4).texts
    assert 15 < Counter(found.labels)["a"] < 45
    assert found.notes == (
        "of 400 different labelled texts a uniform sample of 60 is taken (seed 3)",
    )


def test_of_many_labels_the_most_frequent_are_taken(file, monkeypatch):
    monkeypatch.setattr(labelled, "MOST", 2)
    found = labelled.read(file(rows(a=6, b=7, c=5, d=2)))
    assert {*found.labels} == {"a", "b"}
    assert [
        note for note in found.notes if "beyond the 2 most frequent, left out: 1 ('c'; 5" in note
    ]


def test_nothing_usable_is_no_error(file):
    path = file([{"text": "a", "label": None}])
    found = labelled.read(path)
    assert len(found) == 0
    takes = "it takes two labels of 5 texts each"
    assert found.missing == f"{path}: no text with a label is left; {takes}"
    path = file([{"text": f"{k}", "label": "good"} for k in range(2)])
    assert labelled.read(path).missing == f"{path}: 'good' has 2 texts; {takes}"
    path = file([{"text": f"{k}", "label": f"kind {k}"} for k in range(7)])
    assert labelled.read(path).missing.endswith(f"has 1 text, 2 others have fewer; {takes}")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "t.txt",
            "a",
            r"labelled texts are read from \.jsonl, .* not from \.txt",
        ),
        ("t.csv", "text,tag\na,b", r"no column 'label' .*the columns of a labelled"),
        ("t.jsonl", "", "holds no labelled text"),
    ],
)
def test_a_file_that_is_none(file, name, content, message):
    with pytest.raises(ActivationFlowError, match=message):
        labelled.read(file(content, name))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ActivationFlowError, match="cannot be read: No such file"):
        labelled.read(str(tmp_path / "none.jsonl"))


def test_tweets(file):
    with open(data_file("tweet-rationales/tweet_rationales_1000.jsonl"), encoding="utf-8") as lines:
        given = [json.loads(line) for line in lines]
    path = file([{"text": " ".join(one["words"]), "label": one["label"]} for one in given])
    found = labelled.read(path)
    assert len(found) == 500
    truth = {" ".join(one["words"]): one["label"] for one in given}
    assert all(truth[text] == label for text, label in zip(found.texts, found.labels, strict=True))
    assert {*found.labels} == {"positive", "negative"}
