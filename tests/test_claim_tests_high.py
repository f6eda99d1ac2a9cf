from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from audited import audit_tokens, random_tokens
from hypothesis import given, settings
from hypothesis import strategies as st

from activation_flow.claim_tests_high import (
    consistently_high,
    displacing,
    largest_recall,
    leading,
    log_lift,
    rarest,
)


def planted(seed=0, size=1.0, **columns):
    tokens, random = random_tokens(seed, **columns)
    levels = random.normal(size=60)[tokens.type] + random.normal(size=len(tokens))
    return tokens, levels + size * (tokens.kind == "content")


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
    assert found.tested.method == "199 permutations of kinds among word types, seed 0"
    assert found.rarest == pytest.approx(rarest(tokens, high)[one].mean())
    assert found.rarest_interval[0] <= found.rarest <= found.rarest_interval[1]


def test_without_high_words_or_frequencies_there_is_less_to_say():
    tokens, strength = planted()
    none = consistently_high(tokens, np.zeros(len(tokens), dtype=bool))
    assert none.tested.missing == "no content or function word is HIGH"
    unknown = planted(frequency=np.full(len(tokens), np.nan))[0]
    assert rarest(unknown, strength > 1) is None
    found = consistently_high(unknown, strength > 1, draws=9)
    assert (found.rarest, found.rarest_interval, found.above_rarest) == (None, None, None)
    only_function = (tokens.kind == "function") & (strength > 0)
    assert consistently_high(tokens, only_function, draws=9).lift_interval is None


def test_the_rarest_tokens_are_as_many_as_are_high_and_never_special():
    kinds = ["special", "content", "function", "content", "special", "content", "content"]
    tokens = audit_tokens(
        kinds, [0, 0, 0, 0, 0, 1, 1], range(7), frequency=np.array([0, 3, 2, 2, 0, np.nan, 9])
    )
    high = np.array([False, True, True, False, False, False, True])
    assert rarest(tokens, high).tolist() == [0, 0, 1, 1, 0, 0, 1]
    assert rarest(tokens, high & (np.arange(7) == 1)).tolist() == [0, 0, 0.5, 0.5, 0, 0, 0]


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


def test_no_more_can_be_high_than_a_text_has_places():
    kinds = ["special", "content", "content", "function", "content", "function", "punctuation"]
    tokens = audit_tokens(kinds, [0, 0, 0, 0, 1, 1, 1], range(7))
    high = np.array([True, False, False, True, False, True, True])
    # One place for the two content words of the first text, two for the one of the second.
    assert largest_recall(high, tokens) == pytest.approx(2 / 3)
    made, strength = planted(size=9)
    marked = strength > np.quantile(strength, 0.8)
    found = consistently_high(made, marked, draws=9)
    assert found.tested.effect <= found.largest <= 1
    best = np.zeros(len(made), dtype=bool)  # as many, content words first
    for text in range(made.n_texts):
        own = np.flatnonzero(made.text == text)
        order = own[np.argsort(made.kind[own] != "content", kind="stable")]
        best[order[: marked[own].sum()]] = True
    assert found.largest == pytest.approx(best[made.kind == "content"].mean())


def test_punctuation_counts_among_all_high_tokens():
    tokens, strength = planted()
    found = consistently_high(tokens, strength > 0.8, draws=9)
    assert found.precision_of_all == pytest.approx(found.precision)
    kind = tokens.kind.astype("<U11")
    kind[::9], kind[::50] = "punctuation", "special"
    found = consistently_high(replace(tokens, kind=kind), strength > 0.8, draws=9)
    chosen = (strength > 0.8) & (kind != "special")
    assert found.precision_of_all == pytest.approx((kind[chosen] == "content").mean())
    assert found.precision_of_all < found.precision


def test_recalls_are_compared_on_the_same_texts():
    tokens, strength = planted()
    high = strength > 0.8
    found = consistently_high(tokens, high, draws=9)
    value, (low, top) = found.above_rarest
    assert value == pytest.approx(found.tested.effect - found.rarest)
    assert low < value < top
    same, _ = planted(frequency=-strength)  # the strongest are the rarest
    k = np.bincount(tokens.text, high)
    strongest = leading(-strength, k, tokens.text) > 0
    value, ends = consistently_high(same, strongest, draws=9).above_rarest
    assert (value, *ends) == pytest.approx((0, 0, 0))
    wide, narrow = top - low, np.diff(consistently_high(tokens, high, draws=9).rarest_interval)[0]
    assert wide < narrow + np.diff(found.tested.interval)[0]


def test_the_lift_of_one_cut_for_all_texts_takes_no_place_from_others():
    tokens, strength = planted()
    high = strength > 0.8
    value, spread = log_lift(high, tokens)
    other, loose = log_lift(high, tokens, per_text=False)
    assert value == other
    assert spread.variance != loose.variance
    assert log_lift(high & (tokens.kind != "content"), tokens) is None


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4)), min_size=1, max_size=30),
    st.integers(0, 9),
)
@settings(max_examples=50)
def test_the_leading_tokens_fill_the_places(tokens, places):
    group, key = np.array(sorted(tokens)).T
    n = np.bincount(group, minlength=3)
    held = leading(key.astype(float), np.full(3, places), group)
    assert np.bincount(group, held, minlength=3) == pytest.approx(np.minimum(n, places))
    for i, j in combinations(range(len(key)), 2):
        if group[i] == group[j]:
            assert (held[i] >= held[j]) if key[i] <= key[j] else (held[i] <= held[j])
