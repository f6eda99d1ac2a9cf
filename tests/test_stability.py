"""Kendall's τ-b against scipy, the chance of a Jaccard index against counting all pairs of sets."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from activation_flow import stability
from activation_flow.stability import expected_jaccard, jaccard, kendall, mean_over_clusters
from activation_flow.stats import mean_interval

PAIRS = st.lists(st.tuples(st.integers(0, 6), st.integers(-3, 3)), min_size=1, max_size=30)


@given(PAIRS, st.sampled_from([1, 7, 2**20]))
@settings(max_examples=100)
def test_tau_is_that_of_scipy(pairs, cells):
    x, y = np.array(pairs, dtype=float).T
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stability, "CELLS", cells)
        found = kendall(x, y)
    if len({*x}) == 1 or len({*y}) == 1:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(scipy_stats.kendalltau(x, y).statistic, abs=1e-12)
        assert found == kendall(y, x) == kendall(np.exp(x), y) == -kendall(-x, y)


def test_arithmetic_noise_decides_no_order():
    x = np.array([20.0, 20.0 + 1e-6, 21.0, 22.0])
    assert kendall(x, np.array([2.0, 1.0, 3.0, 4.0])) == pytest.approx(5 / np.sqrt(5 * 6))
    assert np.isnan(kendall(np.full(5, 3.0), np.arange(5.0)))
    assert np.isnan(kendall(np.empty(0), np.empty(0)))


@given(st.sets(st.integers(0, 9)), st.sets(st.integers(0, 9)))
def test_jaccard_is_that_of_sets(a, b):
    found = jaccard(np.isin(np.arange(10), [*a]), np.isin(np.arange(10), [*b]))
    assert found == len(a & b) / len(a | b) if a | b else np.isnan(found)


def counted(k_a, k_b, n):
    """The mean over every pair of sets."""
    pairs = [({*a}, {*b}) for a in combinations(range(n), k_a) for b in combinations(range(n), k_b)]
    return sum(Fraction(len(a & b), len(a | b)) for a, b in pairs) / len(pairs)


def test_chance_is_the_mean_over_all_pairs_of_sets():
    for n in range(1, 7):
        for k_a in range(n + 1):
            for k_b in range(n + 1):
                if k_a + k_b:
                    expected = float(counted(k_a, k_b, n))
                    assert expected_jaccard(k_a, k_b, n) == pytest.approx(expected, abs=1e-14)
                    assert expected_jaccard(k_b, k_a, n) == pytest.approx(expected, abs=1e-14)
    assert np.isnan(expected_jaccard(0, 0, 5))


@pytest.mark.parametrize(("k", "n"), [(5, 20), (40, 60), (150, 600)])
def test_chance_of_equal_sizes_is_the_formula_of_the_notes(k, n):
    terms = (
        Fraction(comb(k, i) * comb(n - k, k - i), comb(n, k)) * Fraction(i, 2 * k - i)
        for i in range(k + 1)
    )
    assert expected_jaccard(k, k, n) == pytest.approx(float(sum(terms)), rel=1e-12)


def test_chance_is_what_blind_draws_give():
    random = np.random.default_rng(0)
    ranks = random.random((2, 20_000, 30)).argsort(axis=-1)
    a, b = ranks[0] < 7, ranks[1] < 10
    drawn = (a & b).sum(axis=1) / (a | b).sum(axis=1)
    error = drawn.std() / np.sqrt(len(drawn))
    assert expected_jaccard(7, 10, 30) == pytest.approx(drawn.mean(), abs=4 * error)
    assert 0 < expected_jaccard(1000, 900, 4096) < 1  # beyond what a float's binomials can hold


def test_a_mean_of_texts_has_the_interval_of_its_texts():
    values = np.array([0.2, 0.9, 0.4, 0.7])
    mean, interval = mean_over_clusters(values, np.arange(4), (0.0, 1.0))
    assert mean == pytest.approx(0.55)
    assert interval == pytest.approx(mean_interval(0.55, values.var(ddof=1) / 4, 4))
    # Of τ the same, from -1 to 1.
    tau, bounds = mean_over_clusters(2 * values - 1, np.arange(4), (-1.0, 1.0))
    assert tau == pytest.approx(2 * 0.55 - 1)
    assert bounds == pytest.approx([2 * end - 1 for end in interval])


def test_texts_that_stand_in_several_pairs_count_once():
    values, text = np.array([0.2, 0.9, 0.4, 0.7]), np.array([4, 2, 9, 1])
    once = mean_over_clusters(values, text, (0.0, 1.0))
    assert mean_over_clusters(np.repeat(values, 3), np.repeat(text, 3), (0.0, 1.0)) == (
        pytest.approx(once[0]),
        pytest.approx(once[1]),
    )
    with_gap = mean_over_clusters(np.array([*values, np.nan]), np.array([*text, 0]), (0.0, 1.0))
    assert with_gap == once
    assert mean_over_clusters(np.array([np.nan]), np.array([0]), (0.0, 1.0)) == (None, None)
    assert mean_over_clusters(np.array([0.5, 0.7]), np.array([3, 3]), (0.0, 1.0)) == (0.6, None)
