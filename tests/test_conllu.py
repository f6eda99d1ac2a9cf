"""Sentences of CoNLL-U files, held against a plain reading of a gold treebank."""

import re
from pathlib import Path

import pytest
from data_files import data_file
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.conllu import Gold, Sentence, parse, sentences
from activation_flow.fields import BadRow


def block(*rows: str) -> list[tuple[int, bytes]]:
    """Lines from 7 on; a row that is no comment is "ID FORM UPOS [MISC]"."""
    lines = []
    for number, row in enumerate(rows, 7):
        if not row.startswith("#"):
            name, form, tag, *misc = row.split(" ")
            row = "\t".join([name, form, "_", tag, *"_____", *(misc or "_")])
        lines.append((number, row.encode() + b"\n"))
    return lines


def words(sentence: Sentence) -> list[tuple[str, str]]:
    gold = sentence.gold
    spans = zip(gold.spans, gold.tags, strict=True)
    return [(sentence.text[start:end], tag) for (start, end), tag in spans]


def plainly(path: Path) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """(sent_id, text, [(form, tag)]) of each sentence, with nothing but string operations."""
    found = []
    for part in path.read_text(encoding="utf-8").strip("\n").split("\n\n"):
        lines = part.split("\n")
        (name,) = [line[12:] for line in lines if line.startswith("# sent_id = ")]
        (text,) = [line[9:] for line in lines if line.startswith("# text = ")]
        rows = [line.split("\t") for line in lines if line[0] != "#"]
        found.append((name, text, [(row[1], row[3]) for row in rows if row[0].isdigit()]))
    return found


def test_every_word_of_a_treebank_is_where_its_span_says():
    path = data_file("ud-ewt/en_ewt-ud-test.conllu")
    expected = plainly(path)
    with path.open("rb") as file:
        found = [parse(lines) for lines in sentences(iter(enumerate(file, 1)))]
    assert len(found) == len(expected) == 2077
    for sentence, (name, text, rows) in zip(found, expected, strict=True):
        assert (sentence.comments["sent_id"], sentence.text) == (name, text)
        assert words(sentence) == rows
        ends = [end for _, end in sentence.gold.spans]
        starts = [start for start, _ in sentence.gold.spans]
        assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))


def test_words_that_share_what_is_written():
    rows = block("1-2 don't _", "1 do AUX", "2 n't PART", "3-4 du _ SpaceAfter=No", "3 de ADP")
    rows += block("4 le DET", "4.1 lit NOUN", "5 ! PUNCT")
    found = parse(rows)
    assert found.text == "don't du!"
    assert words(found) == [("do", "AUX"), ("n't", "PART"), ("du", "ADP+DET"), ("!", "PUNCT")]


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("# text = No  way .", "No  way ."),
        ("#text=No way.", "No way."),
        ("# text = No\u00a0way\u200b.\u00ad", "No\u00a0way\u200b.\u00ad"),
        # it is not what the words say
        ("# text = No, way.", "No way."),
        ("# text = No way. Never", "No way."),
        ("# text = No way", "No way."),
        ("# text = no way.", "No way."),
        ("# text = Noway", "No way."),
        ("# text_en = No way", "No way."),
        ("# text", "No way."),
        ("# text =", "No way."),
    ],
)
def test_the_text_is_the_one_of_the_comment_if_the_words_stand_in_it(comment, text):
    found = parse(block(comment, "1 No DET", "2 way NOUN X=Y|SpaceAfter=No", "3 . PUNCT"))
    assert found.text == text
    assert words(found) == [("No", "DET"), ("way", "NOUN"), (".", "PUNCT")]


def test_of_a_comment_that_is_there_twice_the_first_counts():
    rows = block("# a = b = c ", "# text = x  y", "# text = x y", "# a = d", "1 x X", "2 y X")
    assert parse(rows).comments == {"a": "b = c", "text": "x  y"}


@pytest.mark.parametrize("last", ["SpaceAfter=No", "_"])
def test_no_space_follows_the_last_word(last):
    assert parse(block(f"1 a X {last}")) == Sentence({}, "a", Gold(((0, 1),), ("X",)))


def test_a_form_may_hold_spaces():
    rows = [(1, b"1\t10 000\t_\tNUM\t_\t_\t_\t_\t_\t_\r\n"), (2, b"2\tg\t_\tNOUN" + b"\t_" * 6)]
    assert words(parse(rows)) == [("10 000", "NUM"), ("g", "NOUN")]


form = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1)


@given(st.lists(st.tuples(form, st.booleans()), min_size=1), st.booleans())
def test_words_read_back(rows, with_text):
    lines = [
        f"{k}\t{word}\t_\tX{k}" + "\t_" * 5 + f"\t{'_' if space else 'SpaceAfter=No'}"
        for k, (word, space) in enumerate(rows, 1)
    ]
    text = "".join(word + "  " * space for word, space in rows)
    if with_text:
        lines.insert(0, f"# text = {text}")
    found = parse([(k, line.encode() + b"\r\n") for k, line in enumerate(lines, 1)])
    assert words(found) == [(word, f"X{k}") for k, (word, _) in enumerate(rows, 1)]
    assert found.text == (text if with_text else text.replace("  ", " ")).rstrip(" ")


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (["# text = a"], "the sentence has no words"),
        (["1.1 a X"], "the sentence has no words"),
        (["2 a X"], "line 7: word '2' where word 1 should be"),
        (["1 a X", "3 a X"], "line 8: word '3' where word 2 should be"),
        (["1 a X", "1 a X"], "line 8: word '1' where word 2 should be"),
        (["01 a X"], "line 7: word '01' where word 1 should be"),
        (["1" * 5000 + " a X"], "line 7: word '11111111111111111111' where word 1 should be"),
        (["1-2 a _", "1 a X"], "the sentence ends before its word 2"),
        (["1-2 a _", "1-2 a _"], "line 8: word '1-2' where word 1 should be"),
        (["1-3 a _", "1 a X", "2-3 a _"], "line 9: word '2-3' where word 2 should be"),
        (["2-1 a _"], "line 7: word '2-1' where word 1 should be"),
        (["1  X"], "line 7: the form or the tag of the word is empty; it should be _ if there"),
        (["1 a "], "line 7: the form or the tag of the word is empty; it should be _ if there"),
        (["# a", "1 a X\tb"], "line 8: number of fields: 11, in CoNLL-U: 10, between tabs"),
    ],
)
def test_what_is_no_sentence(rows, reason):
    with pytest.raises(BadRow, match="^" + re.escape(reason)):
        parse(block(*rows))


def test_a_sentence_that_is_not_utf8():
    with pytest.raises(BadRow, match=r"^line 8: not UTF-8 \(byte 3 of the line is 0xe9\); convert"):
        parse([*block("# a"), (8, b"1\t\xe9")])


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"a\nb\n\nc\n", [[1, 2], [4]]),
        (b"\n \r\na\r\n\r\n\n\t\nb", [[3], [7]]),
    ],
)
def test_blank_lines_stand_between_sentences(content, lines):
    numbered = iter(enumerate(content.splitlines(keepends=True), 1))
    assert [[number for number, _ in block] for block in sentences(numbered)] == lines
