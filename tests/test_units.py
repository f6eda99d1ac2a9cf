"""Words as units: which tokens they hold, what becomes of values, which words are the same."""

import numpy as np
import pytest
from architectures import make_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st

import activation_flow as af
from activation_flow import units
from activation_flow.audit_tokens import flattened
from activation_flow.lengths import Limits
from activation_flow.tokens import encode_all
from activation_flow.words import find_words

WORDS = ["a", "park!", "Don't", "(dog)", "…", "ha,ha", "unfolds", "Park", "-", "🙂", "re-read"]


def read(texts, kind="wordpiece"):
    tokenizer = make_tokenizer(kind).backend_tokenizer
    ready, failures = encode_all(tokenizer, texts, None, Limits(128), vocabulary=10_000)
    assert not failures
    return ready, flattened([one.text for one in ready])


def by_spaces(text):
    at, spans = 0, []
    for word in text.split(" "):
        spans.append((at, at + len(word)))
        at += len(word) + 1
    return spans


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
@settings(max_examples=12)
@given(made=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1))
def test_units_hold_the_tokens_of_their_characters(kind, made):
    texts = [" ".join(words) for words in made]
    ready, tokens = read(texts, kind)
    for spans, found in (
        ([by_spaces(text) for text in texts], None),
        ([find_words(text) for text in texts], units.of_words(ready, tokens)),
    ):
        of_spans = units.of_spans(ready, tokens, spans)
        found = found or of_spans
        assert len(of_spans) == sum(map(len, spans))
        assert found.n_texts == len(texts)
        # The plain way: a token is of the first span that has a character of it.
        place, first = 0, 0
        for one, of_text in zip(ready, spans, strict=True):
            for a, b, special in zip(one.text.start, one.text.end, one.text.special, strict=True):
                of = [k for k, (c, d) in enumerate(of_text) if not special and a < d and c < b]
                wanted = first + of[0] if of else -1
                assert of_spans.of_token[place] == wanted
                place += 1
            first += len(of_text)
        part = found.of_token >= 0
        assert (found.pieces == np.bincount(found.of_token[part], minlength=len(found))).all()
        assert (found.text[found.of_token[part]] == tokens.text[part]).all()
        # Words of the project are the words between such spans, but for those without a token.
        if found is not of_spans:
            assert len(found) == (of_spans.pieces > 0).sum()
            assert ((found.of_token >= 0) == (of_spans.of_token >= 0)).all()


def test_values_of_pieces_become_those_of_words():
    of_token = np.array([-1, 0, 0, 2, -1, 3, 3])
    values = np.array([9.0, 1.0, -2.0, 5.0, 9.0, 4.0, np.nan])
    of = units.Units(
        of_token=of_token,
        text=np.array([0, 0, 0, 1]),
        type=np.arange(4),
        kind=np.full(4, ""),
        pieces=np.array([2, 0, 1, 2]),
        n_texts=2,
    )
    nan = np.nan
    for how, wanted in (
        ("max", [1, nan, 5, nan]),
        ("min", [-2, nan, 5, nan]),
        ("sum", [-1, nan, 5, nan]),
    ):
        np.testing.assert_array_equal(of.pooled(values, how), wanted)


def test_some_of_the_units_are_numbered_anew():
    of = units.Units(
        of_token=np.array([-1, 0, 0, 2, -1, 3, 3]),
        text=np.array([0, 0, 0, 1]),
        type=np.array([5, 6, 7, 8]),
        kind=np.array(["a", "b", "c", "d"]),
        pieces=np.array([2, 0, 1, 2]),
        n_texts=3,
    )
    some = of.of(np.array([False, False, True, True]))
    assert some.of_token.tolist() == [-1, -1, -1, 0, -1, 1, 1]
    assert (some.text.tolist(), some.type.tolist(), some.n_texts) == ([0, 1], [7, 8], 3)
    assert (some.kind.tolist(), some.pieces.tolist()) == (["c", "d"], [1, 2])
    none = of.of(np.zeros(4, dtype=bool))
    assert (len(none), set(none.of_token.tolist())) == (0, {-1})


def test_one_word_is_one_type_however_it_is_cut_and_whatever_is_about_it():
    texts = ["park PARK park! (Park) - -! ha,ha ha"]
    ready, tokens = read(texts, "bpe")  # it knows capitals, and cuts them into other pieces
    found = units.of_spans(ready, tokens, [by_spaces(texts[0])])
    assert len({*found.pieces[[0, 1]]}) == 2
    park, upper, exclaimed, bracketed, dash, other_dash, twice, once = found.type.tolist()
    assert park == upper == exclaimed == bracketed
    assert twice == once
    assert len({park, dash, other_dash, once}) == 4


def test_the_kind_of_a_word_is_the_weightiest_of_its_tokens(tiny_encoder):
    texts = ["the park! … we"]
    ready, _ = tiny_encoder.tokenize(texts)
    tokens = flattened([one.text for one in ready])
    found = units.of_spans(ready, tokens, [by_spaces(texts[0])])
    assert found.kind.tolist() == ["function", "content", "punctuation", "function"]
    assert units.of_words(ready, tokens).kind.tolist() == ["function", "content", "function"]


def test_texts_without_words(tiny_encoder: af.Encoder):
    ready, _ = tiny_encoder.tokenize(["!", "a dog"])
    tokens = flattened([one.text for one in ready])
    assert units.of_words(ready, tokens).text.tolist() == [1, 1]
    none = units.of_spans(ready[:1], flattened([ready[0].text]), [[]])
    assert (len(none), none.n_texts, len(none.pooled(np.zeros(3)))) == (0, 1, 0)
