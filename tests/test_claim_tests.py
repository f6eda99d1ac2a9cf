import numpy as np
import pytest
from audited import audit_tokens, random_tokens

from activation_flow.claim_tests import (
    content_above_function,
    mean_of_pairs,
    more_than_next,
    words_above_punctuation,
)
from activation_flow.claim_tests_high import consistently_high
from activation_flow.permuting import pairs_p
from activation_flow.within import by_kind, standing, within_auc


def planted(seed=0, size=1.0, **columns):
    tokens, random = random_tokens(seed, **columns)
    levels = random.normal(size=60)[tokens.type] + random.normal(size=len(tokens))
    return tokens, levels + size * (tokens.kind == "content")


def test_content_above_function_is_the_auc_within_texts_with_dealt_kinds():
    tokens, strength = planted(size=0.3)
    found = content_above_function(tokens, strength, draws=200, seed=3)
    auc = within_auc(by_kind(tokens), strength)
    kernel, one = standing(strength, tokens.text), tokens.kind == "content"
    p = pairs_p(kernel, one, tokens.text, tokens.type, draws=200, seed=3)
    assert (found.effect, found.interval, found.p) == (auc.value, auc.interval, p[0])
    types = len(np.unique(tokens.type))
    assert found.n == {"texts": 40, "types": types, "tokens": len(tokens), "pairs": auc.pairs}
    assert found.missing == ""
    assert found.method == "200 permutations of kinds among word types, seed 3"


def test_a_large_effect_is_found_and_its_inverse_is_not():
    tokens, strength = planted(size=3)
    assert content_above_function(tokens, strength, draws=99).p == 0.01
    assert content_above_function(tokens, -strength, draws=99).p > 0.9


def test_other_kinds_of_tokens_and_nan_change_nothing():
    tokens, strength = planted()
    more = audit_tokens(
        np.append(tokens.kind, ["special", "punctuation", "content"]),
        np.append(tokens.text, [39, 39, 39]),
        np.append(tokens.type, [60, 61, 62]),
    )
    found = content_above_function(more, np.append(strength, [99, -99, np.nan]), draws=99)
    assert found == content_above_function(tokens, strength, draws=99)


def test_words_are_compared_with_punctuation():
    tokens, random = random_tokens(1)
    kinds = np.where(tokens.kind == "function", "punctuation", "content")
    other = audit_tokens(kinds, tokens.text, tokens.type)
    strength = random.normal(size=len(tokens))
    expected = content_above_function(tokens, strength, draws=99)
    assert words_above_punctuation(other, strength, draws=99) == expected
    assert words_above_punctuation(tokens, strength).missing == (
        "no token is known to be a punctuation mark"
    )
    assert words_above_punctuation(audit_tokens([""], [0], [0]), strength[:1]).missing == (
        "no token is known to be a word"
    )


@pytest.mark.parametrize(
    ("columns", "kinds", "missing"),
    [
        ({}, ("", ""), "no token is known to be a content word"),
        ({}, ("content", ""), "no token is known to be a function word"),
        ({"texts": 9}, ("content", "function"), "9 texts hold both a content word and a function"),
        ({"texts": 1}, ("content", "function"), "1 text holds both a content word and a function"),
        ({"types": 8}, ("content", "function"), "4 different content words; it takes 5"),
        ({"types": 2}, ("content", "function"), "1 different content word; it takes 5"),
    ],
)
def test_too_little_is_not_tested(columns, kinds, missing):
    tokens, random = random_tokens(2, **columns)
    tokens = audit_tokens(np.where(tokens.kind == "content", *kinds), tokens.text, tokens.type)
    strength = random.normal(size=len(tokens))
    for found in (
        content_above_function(tokens, strength),
        more_than_next(tokens, strength, -strength),
        consistently_high(tokens, strength > 1).tested,
    ):
        assert (found.effect, found.interval, found.p) == (None, None, None)
        assert found.missing.startswith(missing)


def test_more_than_next_is_a_mean_over_pairs_in_plain_loops():
    tokens, at = planted(size=0.5)
    next_ = np.roll(at, 7)
    apart = (at - at.mean()) / at.std() - (next_ - next_.mean()) / next_.std()
    pairs = [
        apart[i] - apart[j]
        for i in np.flatnonzero(tokens.kind == "content")
        for j in np.flatnonzero((tokens.kind == "function") & (tokens.text == tokens.text[i]))
    ]
    found = more_than_next(tokens, at, next_, draws=99)
    assert found.effect == pytest.approx(np.mean(pairs))
    assert found.n["pairs"] == len(pairs)
    assert found.interval[0] < found.effect < found.interval[1]
    same = more_than_next(tokens, at, 3 * at + 20, draws=99)
    assert same.effect == pytest.approx(0, abs=1e-9)
    flat = more_than_next(tokens, at, np.ones(len(at)))
    assert flat.missing == "all strengths of a layer are the same"


def test_a_mean_over_pairs_of_a_mark_of_order_varies_as_an_auc():
    """Of two values 0 and 1, the AUC is half of 1 + the mean difference; so is its spread."""
    tokens, strength = planted()
    marks = (strength > 0).astype(float)
    mean, spread = mean_of_pairs(by_kind(tokens), marks)
    auc = within_auc(by_kind(tokens), marks)
    assert auc.value == pytest.approx((1 + mean) / 2)
    assert auc.spread.variance == pytest.approx(spread.variance / 4)
    assert auc.spread.degrees == pytest.approx(spread.degrees)
