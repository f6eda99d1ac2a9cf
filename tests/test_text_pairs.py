"""Pairs of texts: what one replaced word leaves as it was, and what a file of pairs says."""

from collections import Counter

import pytest
from data_files import data_file
from hypothesis import given, settings
from hypothesis import strategies as st

from activation_flow import text_pairs
from activation_flow.data import ActivationFlowError
from activation_flow.material import gather
from activation_flow.words import find_words, kind_of_tag, kind_of_word

WORDS = ["the", "The", "of", "dog", "Dogs", "unfolds", "Canada", "we", "слово", "don't", "42"]


def check(found: text_pairs.TextPairs, known: set[str]) -> None:
    """One word of each pair differs, and nothing else."""
    for a, b, kind in zip(found.a, found.b, found.edited, strict=True):
        words_a, words_b = find_words(a), find_words(b)
        assert len(words_a) == len(words_b)
        (changed,) = [
            k
            for k, ((s, e), (t, f)) in enumerate(zip(words_a, words_b, strict=True))
            if a[s:e] != b[t:f]
        ]
        (start, end), (other_start, other_end) = words_a[changed], words_b[changed]
        assert a[:start] == b[:other_start]
        assert a[end:] == b[other_end:]
        old, new = a[start:end], b[other_start:other_end]
        assert old.casefold() != new.casefold()
        assert new.casefold() in known
        if old[0].isalpha() and new[0].isalpha():
            assert old[0].isupper() == new[0].isupper()
        assert kind_of_word(old) == kind_of_word(new) == kind


def test_one_word_of_each_text_is_replaced(tiny_encoder):
    @settings(max_examples=40)
    @given(
        texts=st.lists(st.lists(st.sampled_from([*WORDS, "!", "-"]), min_size=1), min_size=1),
        sample=st.integers(1, 5),
        seed=st.integers(0, 5),
    )
    def holds(texts, sample, seed):
        given_texts = [" ".join(words) for words in texts]
        known = {word.casefold() for words in texts for word in words}
        found = gather(tiny_encoder, given_texts)
        pairs = text_pairs.replaced(found, sample=sample, seed=seed)
        check(pairs, known)
        assert len(pairs) <= min(sample, len(found.encoded))
        assert len({*pairs.a}) == len(pairs)
        counts = pairs.counts
        assert counts["tried"] == counts["without_word"] + len(pairs)
        assert len(pairs) == sample or counts["tried"] == counts["texts"]
        again = text_pairs.replaced(found, sample=sample, seed=seed)
        assert (again.a, again.b) == (pairs.a, pairs.b)

    holds()


def test_words_of_a_treebank(minilm):
    path = str(data_file("ud-ewt/en_ewt-ud-test.conllu"))
    found = gather(minilm, path, texts=300)
    pairs = text_pairs.replaced(found, sample=100, seed=1)
    assert len(pairs) == 100
    assert pairs.kinds == "gold"
    # The kinds are those of the tags: of the replaced word, and of one like the other somewhere.
    kinds_of = Counter()
    for one, gold in zip(found.encoded, found.gold, strict=True):
        for (start, end), tag in zip(gold.spans, gold.tags, strict=True):
            kinds_of[one.text.text[start:end].casefold(), kind_of_tag(tag)] += 1
    for a, b, gold, kind in zip(pairs.a, pairs.b, pairs.gold, pairs.edited, strict=True):
        start = next(k for k in range(len(a)) if a[k : k + 1].casefold() != b[k : k + 1].casefold())
        span, tag = next(
            (span, tag)
            for span, tag in zip(gold.spans, gold.tags, strict=True)
            if span[0] <= start <= span[1] and kind_of_tag(tag) == kind
        )
        other = b[span[0] : len(b) - (len(a) - span[1])]
        assert kinds_of[other.casefold(), kind] > 0
    assert min(Counter(pairs.edited).values()) >= 35
    tokens = [minilm.tokenize(texts)[0] for texts in (pairs.a, pairs.b)]
    lengths = [(len(x.text), len(y.text)) for x, y in zip(*tokens, strict=True)]
    assert sum(x == y for x, y in lengths) >= 95
    assert "seed 1" in pairs.notes[0]


def test_long_texts_and_texts_without_words_are_left_out(tiny_encoder):
    found = gather(tiny_encoder, ["a dog ran " * 20, "!", "The dog"], max_length=16)
    pairs = text_pairs.replaced(found)
    assert (pairs.counts["texts"], pairs.counts["tried"]) == (2, 2)
    assert (pairs.counts["without_word"], pairs.a) == (2, ())  # no other word of either kind
    assert "seed 0; none" in pairs.notes[0]


def test_without_kinds_any_word_replaces_any(tiny_encoder):
    found = gather(tiny_encoder, ["The dog", "a cat"], kinds="none")
    pairs = text_pairs.replaced(found)
    assert len(pairs) == 2
    assert {*pairs.edited} == {""}


class TestFile:
    def test_a_file_of_pairs(self):
        path = str(data_file("cad-nli/minimal_pairs_dev.jsonl"))
        found = text_pairs.read(path, sample=1000)
        assert (len(found), found.name, found.kinds) == (416, path, "list")
        assert found.a[0] == "A little boy is playing soccer outside."
        assert found.b[0] == "A little boy is playing cricket."
        assert {*found.edited} == {""}
        sampled = text_pairs.read(path, sample=20, seed=2)
        taken = [*zip(sampled.a, sampled.b, strict=True)]
        assert len(taken) == 20
        assert taken == [pair for pair in zip(found.a, found.b, strict=True) if pair in taken]
        assert "of 416 different pairs a uniform sample of 20" in sampled.notes[0]

    def test_bad_rows_and_others_are_counted(self, tmp_path):
        path = tmp_path / "p.csv"
        path.write_text("x,y\na,b\n\nc\na,b\nc,d\n")
        found = text_pairs.read(str(path), columns=("x", "y"), kinds="gold")
        assert (found.a, found.b) == (("a", "c"), ("b", "d"))
        assert found.counts == {
            **{"rows": 5, "blank": 1, "rejected": 1, "duplicates": 1, "distinct": 2}
        }
        assert found.kinds == "list"
        assert "pairs have no tags" in found.notes[0]
        assert f"left out: 1 ({path}, line 4: number of fields: 1" in found.notes[1]

    def test_a_file_that_is_none(self, tmp_path):
        with pytest.raises(ActivationFlowError, match="cannot be read: No such file"):
            text_pairs.read(str(tmp_path / "none.jsonl"))
        with pytest.raises(ActivationFlowError, match=r"pairs are read from .jsonl, .csv and .tsv"):
            text_pairs.read("pairs.txt")
