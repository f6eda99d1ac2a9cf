"""Where kinds and special tokens stand: against plain loops and scipy's percentileofscore."""

import numpy as np
import pytest
from audited import audit_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from activation_flow.kind_places import kind_places

KINDS = ("content", "function", "punctuation", "")


def texts_of(*texts):
    """Tokens of texts that are given as lists of (kind, spelling)."""
    flat = [(number, *one) for number, text in enumerate(texts) for one in text]
    text, kind, token = (list(column) for column in zip(*flat, strict=True))
    return audit_tokens(kind, text, np.arange(len(flat)), token=np.array(token))


def loops(tokens, strength):
    """Places of every kind and special token, one token after the other."""
    found = {}
    for i in range(len(tokens)):
        own = (tokens.text == tokens.text[i]) & (tokens.kind != "special")
        name = str(tokens.token[i] if tokens.kind[i] == "special" else tokens.kind[i])
        if own.any() and name:
            place = percentileofscore(strength[own], strength[i], kind="mean")
            found.setdefault(name, []).append(place)
    return found


@st.composite
def corpora(draw):
    """Texts of a few tokens, with [CLS] and [SEP] or not; strengths that are often tied."""
    framed = draw(st.booleans())
    words = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)
    texts = []
    for kinds in draw(st.lists(words, min_size=1, max_size=4)):
        own = [(kind, "w") for kind in kinds]
        texts.append([("special", "[CLS]"), *own, ("special", "[SEP]")] if framed else own)
    tokens = texts_of(*texts)
    n = len(tokens)
    values = draw(st.lists(st.integers(1, 4), min_size=n, max_size=n))
    return tokens, np.array(values, dtype=np.float64), framed


@given(corpora())
@settings(max_examples=50)
def test_places_are_those_of_plain_loops(corpus):
    tokens, strength, framed = corpus
    found, expected = kind_places(tokens, strength), loops(tokens, strength)
    assert {*found.median} == {*expected}
    for name, places in expected.items():
        assert found.median[name] == pytest.approx(np.median(places))
        assert found.tokens[name] == len(places)
    assert (found.first, found.last) == (("[CLS]", "[SEP]") if framed else ("", ""))
    if not framed:
        assert found.last_weakest is None
        return
    weakest = []
    for number in range(tokens.n_texts):
        *others, last = strength[tokens.text == number]
        weakest.append(all(last < other for other in others))
    assert found.last_weakest == pytest.approx(np.mean(weakest))


def test_a_last_token_that_is_as_weak_as_another_is_not_the_weakest():
    text = [("special", "[CLS]"), ("content", "a"), ("special", "[SEP]")]
    tokens = texts_of(text, text)
    tied = np.array([3.0, 1.0, 1.0 - 1e-9, 3.0, 1.0, 0.9])
    found = kind_places(tokens, tied)
    assert found.last_weakest == 0.5
    assert found.median["[SEP]"] == 25.0  # of 50 and 0
    # Nearer than 1e-6 relative is tied, also in float32.
    assert kind_places(tokens, tied.astype(np.float32)).last_weakest == 0.5


def test_special_tokens_at_one_end_alone():
    found = kind_places(texts_of([("content", "a"), ("special", "</s>")]), np.array([1.0, 2.0]))
    assert (found.first, found.last, found.last_weakest) == ("", "</s>", 0.0)
    assert found.median == {"content": 50.0, "</s>": 100.0}
    found = kind_places(texts_of([("special", "<s>"), ("content", "a")]), np.array([1.0, 2.0]))
    assert (found.first, found.last, found.last_weakest) == ("<s>", "", None)


def test_the_commonest_special_token_counts():
    one = [("special", "<a>"), ("content", "a"), ("special", "<z>")]
    other = [("special", "<b>"), ("content", "a"), ("special", "<z>")]
    found = kind_places(texts_of(one, other, other), np.arange(9.0))
    assert (found.first, found.last) == ("<b>", "<z>")
    assert found.tokens == {"content": 3, "<a>": 1, "<b>": 2, "<z>": 3}
