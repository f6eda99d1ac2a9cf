"""Where kinds and special tokens stand: against plain loops and scipy's percentileofscore."""

import numpy as np
import pytest
from audited import audit_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from activation_flow.kind_places import kind_places

KINDS = ("content", "function", "punctuation", "")
ID = {"[CLS]": 1, "[SEP]": 2, "<cls>": 1, "<sep>": 2, "<s>": 1, "</s>": 2, "<e>": 3, "<lang>": 4}


def texts_of(*texts):
    """Tokens of texts that are given as lists of (kind, spelling); a spelling is a number."""
    flat = [(number, *one) for number, text in enumerate(texts) for one in text]
    text, kind, token = (list(column) for column in zip(*flat, strict=True))
    number = np.array([ID.get(one, 9) for one in token])
    return audit_tokens(kind, text, np.arange(len(flat)), token=np.array(token), id=number)


def special(*spellings):
    """A text of these tokens; those of ID are special."""
    return [("special" if one in ID else "content", one) for one in spellings]


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
    found, expected = kind_places(tokens, strength, 1), loops(tokens, strength)
    assert {*found.median} == {*expected}
    for name, places in expected.items():
        assert found.median[name] == pytest.approx(np.median(places))
        assert found.tokens[name] == len(places)
    assert (found.cls, found.sep) == (("[CLS]", "[SEP]") if framed else ("", ""))
    if not framed:
        assert found.sep_weakest is None
        return
    weakest = []
    for number in range(tokens.n_texts):
        *others, last = strength[tokens.text == number]
        weakest.append(all(last < other for other in others))
    assert found.sep_weakest == pytest.approx(np.mean(weakest))


def test_a_last_token_that_is_as_weak_as_another_is_not_the_weakest():
    text = [("special", "[CLS]"), ("content", "a"), ("special", "[SEP]")]
    tokens = texts_of(text, text)
    tied = np.array([3.0, 1.0, 1.0 - 1e-9, 3.0, 1.0, 0.9])
    found = kind_places(tokens, tied, 1)
    assert found.sep_weakest == 0.5
    assert found.median["[SEP]"] == 25.0  # of 50 and 0
    # Nearer than 1e-6 relative is tied, also in float32.
    assert kind_places(tokens, tied.astype(np.float32), 1).sep_weakest == 0.5


def test_special_tokens_at_one_end_alone():
    found = kind_places(texts_of(special("a", "</s>")), np.array([1.0, 2.0]), 1)
    assert (found.cls, found.sep, found.sep_weakest) == ("", "</s>", 0.0)
    assert found.median == {"content": 50.0, "</s>": 100.0}
    found = kind_places(texts_of(special("<s>", "a")), np.array([1.0, 2.0]), 1)
    assert (found.cls, found.sep, found.sep_weakest) == ("<s>", "", None)


def test_roles_are_not_places():
    """XLNet has its cls token at the end, behind sep."""
    xlnet = texts_of(special("a", "b", "<sep>", "<cls>"))
    found = kind_places(xlnet, np.array([3.0, 4.0, 1.0, 9.0]), 1)
    assert (found.cls, found.sep, found.sep_weakest) == ("<cls>", "<sep>", 1.0)
    assert (found.median["<cls>"], found.median["<sep>"]) == (100.0, 0.0)
    # Without a cls token there is none, whatever the text begins with; nothing is lost.
    found = kind_places(texts_of(special("<s>", "a", "</s>")), np.array([9.0, 3.0, 1.0]), None)
    assert (found.cls, found.sep) == ("", "</s>")
    assert found.median == {"content": 50.0, "<s>": 100.0, "</s>": 0.0}


def test_roles_that_are_spelled_alike_are_told_apart():
    tokens = texts_of(special("<e>", "a", "<e>"))
    strength = np.array([9.0, 3.0, 1.0])
    found = kind_places(tokens, strength, 3)
    assert (found.cls, found.sep) == ("<e>", "<e> (end)")
    assert found.median == {"content": 50.0, "<e>": 100.0, "<e> (end)": 0.0}
    found = kind_places(tokens, strength, None)
    assert (found.cls, found.sep) == ("", "<e>")
    assert found.median == {"content": 50.0, "<e>": 0.0, "<e> (elsewhere)": 100.0}


def test_only_texts_that_have_it_are_judged():
    """A text whose last token is none of it, special or not, says nothing of it."""
    with_it, other, without = special("<s>", "a", "</s>"), special("<s>", "a", "<e>"), special("a")
    tokens = texts_of(with_it, with_it, other, without)
    found = kind_places(tokens, np.array([9.0, 3, 1, 9, 3, 4, 9, 3, 1, 1]), 1)
    assert (found.sep, found.sep_weakest) == ("</s>", 0.5)
    assert found.tokens == {"content": 4, "<s>": 3, "</s>": 2, "<e>": 1}
    # Most texts end with none.
    found = kind_places(texts_of(with_it, without, without), np.array([9.0, 3, 1, 1, 1]), 1)
    assert (found.sep, found.sep_weakest) == ("", None)
    assert "</s>" in found.median
    # The first one after the last ordinary token counts: languages, paddings may follow.
    found = kind_places(texts_of(special("a", "</s>", "<lang>")), np.array([3.0, 1.0, 2.0]), 1)
    assert (found.sep, found.sep_weakest) == ("</s>", 1.0)
