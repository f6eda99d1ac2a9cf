import numpy as np
import pytest
from audited import audit_tokens, random_tokens

from activation_flow.claim_tests import (
    consistently_high,
    content_above_function,
    displacing,
    mean_of_pairs,
    more_than_next,
    rarest,
    words_above_punctuation,
)
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


@pytest.mark.parametrize(
    ("columns", "kinds", "missing"),
    [
        ({}, ("", ""), "no token is known to be content"),
        ({}, ("content", ""), "no token is known to be function"),
        ({"texts": 9}, ("content", "function"), "9 texts hold both content and function"),
        ({"types": 8}, ("content", "function"), "4 different content types; it takes 5"),
    ],
)
def test_too_little_is_not_tested(columns, kinds, missing):
    tokens, random = random_tokens(2, **columns)
    tokens = audit_tokens(np.where(tokens.kind == "content", *kinds), tokens.text, tokens.type)
    strength = random.normal(size=len(tokens))
    high = strength > 1
    for found in (
        content_above_function(tokens, strength),
        more_than_next(tokens, strength, -strength),
        consistently_high(tokens, high).tested,
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


def test_consistently_high_counts_what_is_high():
    tokens, strength = planted(size=0.5)
    high = strength > 0.8
    one = tokens.kind == "content"
    found = consistently_high(tokens, high, draws=199)
    assert found.tested.effect == pytest.approx((high & one).sum() / one.sum())
    assert found.precision == pytest.approx((high & one).sum() / high.sum())
    assert found.base_rate == pytest.approx(one.mean())
    assert found.lift == pytest.approx(found.precision / found.base_rate)
    assert found.lift_interval[0] < found.lift < found.lift_interval[1]
    assert found.tested.interval[0] < found.tested.effect < found.tested.interval[1]
    assert found.tested.n["content"] == one.sum()
    assert found.rarest == pytest.approx(rarest(tokens, high)[one].mean())
    assert found.rarest_interval[0] <= found.rarest <= found.rarest_interval[1]


def test_without_high_words_or_frequencies_there_is_less_to_say():
    tokens, strength = planted()
    none = consistently_high(tokens, np.zeros(len(tokens), dtype=bool))
    assert none.tested.missing == "no content or function word is HIGH"
    unknown = planted(frequency=np.full(len(tokens), np.nan))[0]
    assert rarest(unknown, strength > 1) is None
    assert consistently_high(unknown, strength > 1, draws=9).rarest is None
    only_function = (tokens.kind == "function") & (strength > 0)
    assert consistently_high(tokens, only_function, draws=9).lift_interval is None


def test_the_rarest_tokens_are_as_many_as_are_high_and_never_special():
    kinds = ["special", "content", "function", "content", "special", "content", "content"]
    tokens = audit_tokens(
        kinds, [0, 0, 0, 0, 0, 1, 1], range(7), frequency=np.array([0, 3, 2, 2, 0, np.nan, 9])
    )
    high = np.array([False, True, True, False, False, False, True])
    np.testing.assert_array_equal(np.flatnonzero(rarest(tokens, high)), [2, 3, 6])


def test_a_place_that_is_taken_is_taken_from_the_others():
    tokens, strength = planted()
    one, high = tokens.kind == "content", strength > 0.8
    found = displacing(high, one, tokens)
    p = {kind: high[one == kind].mean() for kind in (True, False)}
    for i in (0, 5, 17):
        others = one[(tokens.text == tokens.text[i]) & (np.arange(len(one)) != i)]
        loose = others.sum() * p[True] * (1 - p[True])
        share = loose / (loose + (~others).sum() * p[False] * (1 - p[False]))
        assert found[i] == pytest.approx((one[i] - share) * (high[i] - p[one[i]]))
    everyone = displacing(high, np.ones(len(one), dtype=bool), tokens)
    np.testing.assert_allclose(everyone, 0, atol=1e-12)  # of all tokens always as many are HIGH
