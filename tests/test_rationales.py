"""Rationales of files: what is read of rows, what is left out and counted, and what is refused."""

import io
import json
import re
import sys
from itertools import permutations
from types import SimpleNamespace

import pytest
from data_files import data_file
from hypothesis import given, settings
from hypothesis import strategies as st

from activation_flow import rationales
from activation_flow.data import ActivationFlowError

GOOD = {"words": ["so", "good", "."], "rationale": [0, 1, 0]}


def lines(tmp_path, *rows, name="r.jsonl"):
    path = tmp_path / name
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")
    return str(path)


def read(path, texts=1000, seed=0):
    return rationales.read(path, texts=texts, seed=seed)


def spelled(found):
    """The words of each text by their spans, with an asterisk before the marked ones."""
    return [
        " ".join("*" * mark + text[a:b] for (a, b), mark in zip(spans, marks, strict=True))
        for text, spans, marks in zip(found.texts, found.spans, found.marked, strict=True)
    ]


def test_rows_of_words_and_marks(tmp_path):
    path = lines(
        tmp_path,
        {"id": 7, **GOOD, "label": "positive"},
        "",
        {"words": ["New York", " sun "], "rationale": [True, False]},
        {"words": ["a", "b"], "rationale": [1.0, 0.0]},
    )
    found = read(path)
    assert spelled(found) == ["so *good .", "*New York sun", "*a b"]
    assert found.texts[1] == "New York sun"
    assert found.counts == {
        **dict.fromkeys(("rejected", "duplicates", "differing", "unmarked", "all_marked"), 0),
        **{"rows": 4, "blank": 1, "distinct": 3},
    }
    assert found.notes == (f"people marked 44.4% of the words of a text of {path}, on average",)


def voted(rows):
    """By the letter: of each text, in the order of their first rows, its words and their marks."""
    of_text: dict[str, list] = {}
    for words, marks in rows:
        letters = [m for word, mark in zip(words, marks, strict=True) for m in [mark] * len(word)]
        ends = [sum(len(w) + 1 for w in words[:k]) - 1 for k in range(1, len(words))]
        for end in ends:
            letters.insert(end, None)  # between words
        of_text.setdefault(" ".join(words), []).append(letters)
    found = {}
    for text, several in of_text.items():
        votes = [of for of in several if {True, False} <= {*of}] or several
        found[text], begin = [], 0
        for end in range(len(text) + 1):
            if end == len(text) or any(of[end] is None for of in votes):
                yes = sum(of[begin] is True for of in votes)
                found[text].append((begin, end, yes >= len(votes) / 2))
                begin = end + 1
    return found


@settings(max_examples=20)
@given(
    st.lists(
        st.lists(
            st.tuples(st.text("ab é🙂…", min_size=1).filter(str.strip), st.booleans()), min_size=1
        ),
        min_size=1,
    )
)
def test_words_are_where_their_spans_say(tmp_path_factory, made):
    first = {"words": ["x", "y"], "rationale": [0, 1]}
    rows = [{"words": [w for w, _ in row], "rationale": [m for _, m in row]} for row in made]
    found = read(lines(tmp_path_factory.mktemp("spans"), first, *rows))
    every = [(["x", "y"], [False, True])]
    every += [([w.strip() for w, _ in row], [m for _, m in row]) for row in made]
    expected = voted(every)
    good = {text: words for text, words in expected.items() if len({m for *_, m in words}) == 2}
    assert [*found.texts] == [*good]
    for text, spans, marks in zip(found.texts, found.spans, found.marked, strict=True):
        assert text == " ".join(text[a:b] for a, b in spans)
        assert [(*span, mark) for span, mark in zip(spans, marks, strict=True)] == good[text]
    counts = found.counts
    assert counts["rows"] == len(rows) + 1
    gone = sum(counts[one] for one in ("duplicates", "unmarked", "all_marked", "rejected"))
    assert len(found) == counts["rows"] - gone


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "it is a list, not a JSON object"),
        ({"words": ["a"]}, "there is no column 'rationale'"),
        ({"words": "a b", "rationale": [1, 0]}, "words is a string, not a list"),
        ({"words": ["a", "b"], "rationale": None}, "rationale is null, not a list"),
        ({"words": ["a", "b"], "rationale": [1]}, "it has 2 words and 1 marks"),
        ({"words": ["a", 2], "rationale": [1, 0]}, r"word 2 is a number \(2\), not a string"),
        ({"words": ["a", " "], "rationale": [1, 0]}, "word 2 is empty"),
        ({"words": ["a", "b"], "rationale": [1, 2]}, "mark 2 of the rationale is a number"),
        ({"words": ["a", "b"], "rationale": [1, "0"]}, "mark 2 of the rationale is a string"),
        ({"words": ["a", "b"], "rationale": [1, None]}, "mark 2 of the rationale is null"),
        ({"words": [], "rationale": []}, "it holds no word"),
        ('{"words": ["a", "\\ud83d"], "rationale": [1, 0]}', "half of a surrogate pair"),
    ],
)
def test_rows_that_cannot_be_read_are_counted_and_told(tmp_path, row, reason):
    path = lines(tmp_path, GOOD, row)
    found = read(path)
    assert len(found) == found.counts["rejected"] == 1
    (told,) = [note for note in found.notes if "cannot be read" in note]
    assert f"left out: 1 ({path}, line 2: " in told
    assert re.search(reason, told)
    # Nothing but such rows is an error, which says why.
    with pytest.raises(ActivationFlowError, match="marked word") as problem:
        read(lines(tmp_path, row, name="bad.jsonl"))
    assert re.search(reason, str(problem.value))


def test_texts_that_say_nothing_and_those_that_were_there_are_counted(tmp_path):
    none = {"words": ["a", "b"], "rationale": [0, 0]}
    every = {"words": ["c"], "rationale": [1]}
    found = read(lines(tmp_path, GOOD, none, every, GOOD, none))
    assert spelled(found) == ["so *good ."]
    names = ("unmarked", "all_marked", "duplicates", "differing")
    assert [found.counts[name] for name in names] == [1, 1, 2, 0]
    assert any("no word is marked in 1, every word is in 1" in note for note in found.notes)
    with pytest.raises(ActivationFlowError, match="no word is marked in 1; every word is in 1"):
        read(lines(tmp_path, none, every))


MEN = ["A", "man", "sleeps"]
VOTES = [[0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 1], [0, 0, 1]]  # two of three, of those of use


def test_rows_of_a_text_are_its_annotators_in_any_order(tmp_path):
    for votes in permutations(VOTES):
        found = read(lines(tmp_path, *({"words": MEN, "rationale": marks} for marks in votes)))
        assert spelled(found) == ["A man *sleeps"]
        assert (found.counts["duplicates"], found.counts["differing"]) == (4, 1)
        assert (found.counts["unmarked"], found.counts["all_marked"]) == (0, 0)
    assert any("marked more than once, in different ways: 1; a word" in n for n in found.notes)


def test_a_premise_first_seen_without_marks_is_not_lost(tmp_path):
    rows = [
        "p,A man sleeps,Cats,why,A man sleeps,*Cats*,,,,",
        "p,A man sleeps,Dogs,why,A *man* sleeps,*Dogs*,,,,",
        "p,A man sleeps,Owls,why,A man *sleeps*,*Owls*,,,,",
    ]
    found = read(table(tmp_path, *rows))
    assert (found.texts, found.marked) == (("A man sleeps",), ((False, True, True),))
    assert read(table(tmp_path, *rows[::-1])).marked == found.marked


def test_of_words_cut_in_two_ways_the_shorter_count(tmp_path):
    one = {"words": ["New York", "sleeps"], "rationale": [1, 0]}
    two = {"words": ["New", "York sleeps"], "rationale": [0, 1]}
    for rows in ([one, two, one], [two, one, one]):
        assert spelled(read(lines(tmp_path, *rows))) == ["*New *York sleeps"]


def test_of_more_texts_a_uniform_sample(tmp_path):
    path = lines(tmp_path, *({"words": ["a", str(k)], "rationale": [0, 1]} for k in range(40)))
    found = read(path, texts=10, seed=3)
    assert len(found) == 10
    assert found.counts["distinct"] == 40
    assert any("of 40 different texts with rationales a uniform" in note for note in found.notes)
    assert read(path, texts=10, seed=3).texts == found.texts
    assert read(path, texts=10, seed=4).texts != found.texts


E_SNLI = (
    "pairID,Sentence1,Sentence2,Explanation_1,Sentence1_marked_1,Sentence2_marked_1,"
    "Sentence1_marked_2,Sentence2_marked_2,Sentence1_marked_3,Sentence2_marked_3"
)


def table(tmp_path, *rows, header=E_SNLI, name="e.csv"):
    return lines(tmp_path, header, *rows, name=name)


def test_sentences_of_e_snli(tmp_path):
    found = read(
        table(
            tmp_path,
            # One annotator; a phrase in one pair of asterisks, and part of a word.
            'p1,A man inspects the uniform.,"He, a man,  sleeps.",why,'
            'A man *inspects the uniform.*,"He, a *man*,  sleeps.",,,,',
            # Three: what two marked is marked; of the second sentence nobody marked a word.
            "p2,Two dogs run far,Cats,why,*Two* dogs *run* far,Cats,Two *dogs* *run* far,Cats,"
            "Two dogs run *far*,Cats",
            # Two: one is half of them.
            'p3,Kids play,All *is* well,"a\nb",*Kids* play,All is well,Kids play,All is well,,',
        )
    )
    assert spelled(found) == [
        "A man *inspects *the *uniform.",
        "He, a *man, sleeps.",
        "Two dogs *run far",
        "*Kids play",
    ]
    assert found.counts["rows"] == 3
    assert found.counts["unmarked"] == 1
    (told,) = [note for note in found.notes if "cannot be read" in note]
    assert "line 4: Sentence2: it holds an asterisk itself" in told


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("p,A dog,,,A *cat*,,,,,", "Sentence1: its marked version is of another sentence"),
        ("p,A dog,,,A *dog,,,,,", "Sentence1: an asterisk of its marked version is not closed"),
        ("p,A dog,,,,,,,,", "Sentence1: no marked version of it is there"),
        ("p,A dog", "number of fields: 2, in the header: 10"),
        (" ,,,,,,,,,", "Sentence2: it holds no word"),
    ],
)
def test_sentences_that_cannot_be_read(tmp_path, row, reason):
    good = "p0,A dog,Cats,,A *dog*,Cats,,,,"
    found = read(table(tmp_path, good, row))
    assert spelled(found) == ["A *dog"]
    assert any(reason in note for note in found.notes)


def test_a_table_of_tabs_with_one_sentence(tmp_path):
    path = table(
        tmp_path, "*So* good\tSo good", header="Sentence2_marked_1\tSentence2", name="e.tsv"
    )
    assert spelled(read(path)) == ["*So good"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("r.txt", "a", "rationales are read from .jsonl, .csv and .tsv files, not from .txt"),
        ("r.jsonl", "\n", "holds no rationale"),
        ("r.csv", "text,label\na,b\n", "there is no column 'Sentence1_marked_1'"),
        ("r.csv", "Sentence1_marked_1\n*a* b\n", "there is no column 'Sentence1'"),
        ("r.csv", "Sentence1,Sentence1_marked_1,Sentence1_marked_1\n", "is there 2 times"),
    ],
)
def test_files_of_another_form_are_refused(tmp_path, name, text, reason):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ActivationFlowError, match=reason):
        read(str(path))


def test_a_file_that_is_not_there_and_standard_input(tmp_path, monkeypatch):
    with pytest.raises(ActivationFlowError, match="cannot be read: No such file"):
        read(str(tmp_path / "none.jsonl"))
    row = json.dumps(GOOD).encode() + b"\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(row)))
    found = read("-")
    assert (spelled(found), found.name) == (["so *good ."], "standard input")


def test_tweets():
    found = read(str(data_file("tweet-rationales/tweet_rationales_1000.jsonl")))
    assert len(found) == found.counts["rows"] == found.counts["distinct"] == 1000
    share = [sum(marks) / len(marks) for marks in found.marked]
    assert sum(share) / 1000 == pytest.approx(0.163, abs=5e-4)
    assert sum(share[:300]) / 300 == pytest.approx(0.159, abs=5e-4)
    assert spelled(found)[0] == "Jonas brothers concert was *greaattt"
