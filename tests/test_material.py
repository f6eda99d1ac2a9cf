"""What an audit works on: counted, numbered, and sampled as it says."""

import json
from collections import Counter

import numpy as np
import pytest
from data_files import data_file
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_models import make_slow

import activation_flow as af
from activation_flow import frequency, material
from activation_flow.data import ActivationFlowError
from activation_flow.material import Material, gather

TEXTS = ["The cat sat.", "The dog ran!", "", "The cat sat.", "\u200b", "Dogs"]


def said(found: Material, what: str) -> str:
    """The only note that says this."""
    (note,) = [note for note in found.notes if what in note]
    return note


def test_everything_is_counted(tiny_encoder):
    found = gather(tiny_encoder, [*TEXTS, 3])
    assert found.counts == {
        "rows": 7,
        "blank": 1,
        "rejected": 1,
        "duplicates": 1,
        "distinct": 4,
        "sampled": 4,
        "refused": 1,
        "texts": 3,
        "long": 0,
        "windows": 3,
        "tokens": len(found.tokens),
        **{kind: n for kind, n in Counter(found.tokens.kind.tolist()).items() if kind},
        "unknown": 0,
        "types": len({*found.tokens.type.tolist()}),
    }
    assert [one.text.text for one in found.encoded] == ["The cat sat.", "The dog ran!", "Dogs"]
    assert [one.number for one in found.encoded] == [1, 2, 3]
    assert found.tokens.n_texts == 3
    assert np.bincount(found.tokens.text).tolist() == [len(one.text) for one in found.encoded]
    assert "U+200B" in said(found, "texts that the model cannot read, left out: 1 (text 5: ")
    assert "text 7: it is not a string" in said(found, "rows that cannot be read, left out: 1")
    assert said(found, "blank rows, left out: 1")
    assert said(found, "rows whose text stood there before, left out: 1")
    assert "97 %" in said(found, "closed list of English function words")
    assert (found.kinds, found.name, found.gold) == ("list", "texts given", (None,) * 3)
    assert found.settings["texts"] == 5000
    json.dumps([found.settings, found.counts])


def test_a_sample_is_told(tiny_encoder):
    texts = [f"text {k}" for k in range(50)]
    found = gather(tiny_encoder, texts, texts=10, seed=3)
    assert (found.counts["distinct"], found.counts["sampled"], len(found.encoded)) == (50, 10, 10)
    assert "of 50 different texts a uniform sample of 10" in said(found, "seed 3")
    again = gather(tiny_encoder, texts, texts=10, seed=3)
    assert [a.text.text for a in again.encoded] == [a.text.text for a in found.encoded]


def test_long_texts_are_read_in_windows_and_kept_out_of_samples(tiny_encoder):
    texts = ["a dog ran " * 20, *(f"a dog {'ran ' * k}" for k in range(1, 6))]
    found = gather(tiny_encoder, texts, max_length=16)
    windows = [one.text.n_windows for one in found.encoded]
    assert windows[0] > 1
    assert windows[1:] == [1] * 5
    assert (found.counts["long"], found.counts["windows"]) == (1, sum(windows))
    assert said(found, "texts read in several windows")
    for n in (3, 99):
        chosen = material.stratified(found.tokens, found.encoded, n, seed=0)
        assert {*chosen.tolist()} <= {1, 2, 3, 4, 5}
        assert len(chosen) == min(n, 5)


def test_kinds_of_a_treebank(minilm):
    path = str(data_file("ud-ewt/en_ewt-ud-test.conllu"))
    found = gather(minilm, path, texts=50)
    assert (found.kinds, said(found, "tags of the input")) == ("gold", found.notes[0])
    of_list = gather(minilm, path, texts=50, kinds="list")
    assert of_list.tokens.token.tolist() == found.tokens.token.tolist()
    assert of_list.gold == (None,) * 50
    both = found.tokens.compared & of_list.tokens.compared
    same = (found.tokens.kind == of_list.tokens.kind)[both]
    assert 0.9 < same.mean() < 1


def test_frequencies_are_those_of_their_source(tiny_encoder, tmp_path):
    texts = ["The cat sat.", "The dog ran and ran."]
    (tmp_path / "counts.tsv").write_text("token\tcount\nthe\t100\nran\t7\n")
    for spec in ("vocabulary", "corpus", tmp_path / "counts.tsv"):
        found = gather(tiny_encoder, texts, frequency=spec)
        tokens = found.tokens
        special = tokens.kind == "special"
        expected = frequency.source(spec, tokens.id, tiny_encoder, special)
        assert np.array_equal(tokens.frequency, expected.of(tokens.id, special), equal_nan=True)
        assert tokens.frequency_name == expected.name
        assert expected.note in said(found, "frequency of a token: ")
        own = tokens.kind != "special"
        again = found.frequencies.of(tokens.id[own][:3])
        assert np.array_equal(again, tokens.frequency[own][:3], equal_nan=True)
    counted = gather(tiny_encoder, texts, frequency="corpus")
    of_ran = counted.tokens.frequency[counted.tokens.token == "ran"]
    assert np.allclose(of_ran, np.log(2))
    unseen = np.array([max(counted.tokens.id) + 1])
    assert np.isnan(counted.frequencies.of(unseen)).all()


def test_no_kinds(tiny_encoder):
    found = gather(tiny_encoder, TEXTS, kinds="none")
    assert {*found.tokens.kind.tolist()} == {"", "special"}
    assert "cannot be tested" in said(found, "no kinds were asked for")


def test_texts_that_are_not_english(tiny_encoder):
    found = gather(tiny_encoder, ["Der Hund lief schnell nach Hause"])
    assert "0% of the tokens of words are function words" in said(found, "not English")
    found = gather(tiny_encoder, ["слово"])
    assert "left out where kinds are compared" in said(found, "tokens of no kind")


def test_tokens_that_stand_nobody_knows_where(tmp_path):
    encoder = af.Encoder.from_pretrained(make_slow("ctrl", tmp_path))
    found = gather(encoder, ["the dog", "the cat"])
    assert {*found.tokens.kind.tolist()} == {""}
    assert len({*found.tokens.type.tolist()}) < len(found.tokens)  # "the" is one type
    assert "kinds of words are unknown" in found.notes[0]


def test_what_is_not_valid_is_refused(tiny_encoder):
    def refused(match: str, corpus=("a",), **options):
        with pytest.raises(ActivationFlowError, match=match):
            gather(tiny_encoder, corpus, **options)

    refused("texts=0 is not at least 1", texts=0)
    refused("kinds='x' is not one of gold, list, none, spacy:MODEL", kinds="x")
    refused("max_length 9999 is out of range", max_length=9999)
    refused("texts given: there is no text in it that can be read$", corpus=[" "])
    refused(r"no text in it that can be read \(text 1: it has no token", corpus=["\u200b"])


def test_progress(tiny_encoder):
    seen = []
    texts = [str(k) for k in range(1500)]
    gather(tiny_encoder, texts, progress=lambda *now: seen.append(now))
    assert seen == [(1000, 0), (1024, 1500), (1500, 1500)]


def test_a_sample_has_as_many_of_each_quarter_of_lengths(tiny_encoder):
    lengths = [1, 2, 3, 5, 8, 13, 21, 34, 2, 3, 5, 8, 40, 1, 1, 1, 9]
    texts = [" ".join(["a"] * n + [str(k)]) for k, n in enumerate(lengths)]
    found = gather(tiny_encoder, texts)
    sizes = np.bincount(found.tokens.text)

    @settings(max_examples=50)
    @given(n=st.integers(0, 20), seed=st.integers(0, 3))
    def holds(n, seed):
        chosen = material.stratified(found.tokens, found.encoded, n, seed)
        assert chosen.tolist() == sorted({*chosen.tolist()})
        assert len(chosen) == min(n, len(texts))
        again = material.stratified(found.tokens, found.encoded, n, seed)
        assert again.tolist() == chosen.tolist()
        # Whatever the order of ties: so many texts are at most as long as the k-th longest.
        borders = np.sort(sizes)[[len(part) - 1 for part in _heads(len(texts))]]
        wanted = np.cumsum([len(part) for part in np.array_split(np.arange(len(chosen)), 4)])
        for border, below in zip(borders, wanted, strict=True):
            assert (sizes[chosen] <= border).sum() >= below
            assert (sizes[chosen] < border).sum() <= below

    holds()


def _heads(n: int) -> list[range]:
    """The first quarter, the first two quarters, ..."""
    ends = np.cumsum([len(part) for part in np.array_split(np.arange(n), 4)])
    return [range(end) for end in ends.tolist()]
