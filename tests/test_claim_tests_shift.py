from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from activation_flow.claim_tests_shift import above_chance, excess_over_chance
from activation_flow.shift import high_ratio


def pairs(seed, n=30, size=0.0):
    random = np.random.default_rng(seed)
    pair = np.repeat(np.arange(n), random.integers(5, 15, n))
    high = random.random(len(pair)) < 0.3
    shift = np.exp(random.normal(size=len(pair)) + size * high)
    return SimpleNamespace(
        pair=pair, text=pair, type=random.integers(0, 40, len(pair)), high=high, shift=shift
    )


def test_the_excess_is_the_mean_of_r_less_k_of_n():
    moved = pairs(0)
    moved.high[moved.pair == 3] = False
    moved.high[moved.pair == 4] = True
    moved.shift[moved.pair == 5] = 0.0
    found = excess_over_chance(moved.pair, moved.type, moved.high, moved.shift)
    ratios, chances = [], []
    for one in set(range(30)) - {3, 4, 5}:
        here = moved.pair == one
        if 0 < moved.high[here].sum() < here.sum():
            ratios.append(high_ratio(moved.shift[here], moved.high[here]))
            chances.append(moved.high[here].mean())
    assert found.ratio == pytest.approx(np.mean(ratios))
    assert found.chance == pytest.approx(np.mean(chances))
    assert found.excess == pytest.approx(np.mean(ratios) - np.mean(chances))
    assert (found.pairs, found.left_out) == (len(ratios), 30 - len(ratios))


def test_without_words_that_recur_it_is_the_t_test_of_the_pairs():
    """Each token a type of its own: types add nothing to what pairs tell."""
    moved = pairs(1, n=200)
    found = excess_over_chance(moved.pair, np.arange(len(moved.pair)), moved.high, moved.shift)
    of_pair = []
    for one in range(200):
        here = moved.pair == one
        if 0 < moved.high[here].sum() < here.sum():
            chance = moved.high[here].mean()
            of_pair.append(high_ratio(moved.shift[here], moved.high[here]) - chance)
    expected = scipy_stats.sem(of_pair)
    assert found.spread.error == pytest.approx(expected, rel=0.01)


def test_a_large_excess_is_found_and_the_other_way_round_is_not():
    moved = pairs(2, size=2)
    found = above_chance(moved)
    assert found.p < 1e-4
    assert found.interval[0] > 0
    moved.high = ~moved.high
    inverse = above_chance(moved)
    assert inverse.effect == pytest.approx(-found.effect)
    assert inverse.p > 0.99
    assert found.method == "Student's t over texts and word types"
    assert found.n == {**found.n, "tokens": len(moved.pair), "left out": 30 - found.n["pairs"]}


def test_neither_scale_nor_names_matter():
    moved = pairs(3)
    other = SimpleNamespace(**{**vars(moved), "pair": 3 * moved.pair, "shift": 7 * moved.shift})
    for key in ("effect", "p"):
        assert getattr(above_chance(other), key) == pytest.approx(getattr(above_chance(moved), key))


def test_too_little_is_not_tested():
    moved = pairs(4, n=9)
    assert above_chance(moved).missing == "9 texts have pairs with a ratio R_H; it takes 10"
    nothing = SimpleNamespace(**{key: values[:0] for key, values in vars(moved).items()})
    assert above_chance(nothing).missing == "there are no pairs of texts"
    few = pairs(5)
    few.type = few.type % 4
    assert above_chance(few).missing == "4 different word types; it takes 5"
    few.type = few.type % 1
    assert above_chance(few).missing == "1 different word type; it takes 5"
    few.text = few.text // 15
    assert above_chance(few).missing.startswith("2 texts have pairs with")
    few.text = few.text // 2
    assert above_chance(few).missing.startswith("1 text has pairs with")
    few.shift = 0 * few.shift
    assert above_chance(few).missing.startswith("0 texts have pairs")
