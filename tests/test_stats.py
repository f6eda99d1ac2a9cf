import math
import re
import tracemalloc
from contextlib import contextmanager
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from activation_flow.data import ActivationFlowError
from activation_flow.stats import EXACT_UP_TO, auc, permutation_p

# Shifts of the paper's Table 6; HIGH are 11.2 and 9.7.
TABLE_6 = np.array([2.1, 1.8, 1.5, 11.2, 1.2, 9.7])

values_and_k = st.lists(st.integers(0, 6) | st.floats(0, 100), min_size=1, max_size=9).flatmap(
    lambda values: st.tuples(st.just(np.array(values, float)), st.integers(0, len(values)))
)


@contextmanager
def little_memory():
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
        assert peak < 50e6
    finally:
        tracemalloc.stop()


def choose(n, indices):
    chosen = np.zeros(n, dtype=bool)
    chosen[list(indices)] = True
    return chosen


def enumerated(values, chosen):
    """p in the plainest way: exact sums, one choice after the other."""
    slack = 1e-9 * math.fsum(values)
    ways = [math.fsum(way) for way in combinations(values.tolist(), int(chosen.sum()))]
    own = math.fsum(values[chosen]) - slack
    return sum(way >= own for way in ways) / len(ways)


def sampled(values, chosen, monkeypatch, draws=10_000, seed=0):
    monkeypatch.setattr("activation_flow.stats.EXACT_UP_TO", 0)
    p, floor, exact = permutation_p(values, chosen, draws, seed)
    assert not exact
    return p, floor


# exact


def test_table_6():
    p, floor, exact = permutation_p(TABLE_6, TABLE_6 > 9)
    assert p == floor == pytest.approx(1 / 15)
    assert exact


@given(values_and_k, st.randoms(use_true_random=False))
def test_exact_is_full_enumeration(case, random):
    values, k = case
    chosen = choose(len(values), random.sample(range(len(values)), k))
    p, floor, exact = permutation_p(values, chosen)
    assert exact
    assert p == enumerated(values, chosen)
    assert floor == enumerated(values, choose(len(values), np.argsort(values)[len(values) - k :]))
    assert 0 < floor <= p <= 1


@given(values_and_k)
def test_under_blind_choice_p_is_valid(case):
    values, k = case
    ps = np.array(
        [
            permutation_p(values, choose(len(values), c))[0]
            for c in combinations(range(len(values)), k)
        ]
    )
    assert all(np.mean(ps <= alpha) <= alpha + 1e-12 for alpha in ps)
    assert ps.min() == permutation_p(values, choose(len(values), range(k)))[1]  # floor is attained


@given(values_and_k, st.randoms(use_true_random=False), st.sampled_from([1e-6, 0.1, 3.0, 1e6]))
def test_neither_order_nor_scale_matters(case, random, scale):
    values, k = case
    assume(values.max() > 1e-6)
    n = len(values)
    chosen = choose(n, random.sample(range(n), k))
    order = np.array(random.sample(range(n), n))
    expected = permutation_p(values, chosen)
    assert permutation_p(values[order], chosen[order]) == expected
    assert permutation_p(values * scale, chosen) == expected


@pytest.mark.parametrize("chosen", [[0, 1], [2, 3]])
def test_rounding_decides_no_tie(chosen):
    values = np.array([0.1, 0.2, 0.3, 0.0])  # 0.1 + 0.2 > 0.3 + 0.0 in floating point
    p, floor, _ = permutation_p(values, choose(4, chosen))
    assert (p, floor) == (4 / 6, 1 / 6)


def test_ties_raise_the_floor():
    values = np.array([5.0, 5.0, 5.0, 1.0, 1.0])
    p, floor, _ = permutation_p(values, choose(5, [0, 1]))
    assert p == floor == 3 / 10


@pytest.mark.parametrize(("n", "k"), [(0, 0), (3, 0), (3, 3), (20_000, 20_000)])
def test_where_there_is_one_choice_p_is_1(n, k):
    assert permutation_p(np.arange(n, dtype=float), np.arange(n) < k) == (1, 1, True)


def test_most_of_many_is_as_quick_as_few_of_many():
    values = np.arange(EXACT_UP_TO, dtype=float)
    with little_memory():
        p, floor, exact = permutation_p(values, values != 2)  # 19,999 of 20,000
    assert (p, floor, exact) == (3 / EXACT_UP_TO, 1 / EXACT_UP_TO, True)


def test_integers_and_float32_are_taken():
    chosen = choose(3, [0])
    assert permutation_p(np.array([3, 2, 1]), chosen) == (1 / 3, 1 / 3, True)
    assert permutation_p(np.array([3, 2, 1], np.float32), chosen) == (1 / 3, 1 / 3, True)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ActivationFlowError, match=re.escape("needs finite values")):
        permutation_p(np.array([1.0, bad]), choose(2, [0]))


# sampled


def test_20_000_ways_are_counted_and_more_are_sampled():
    for n, exact in [(EXACT_UP_TO, True), (EXACT_UP_TO + 1, False)]:
        values = np.arange(n, dtype=float)
        assert permutation_p(values, values == 0, draws=9)[2] is exact


@pytest.mark.parametrize("chosen", [[0, 1, 2], [0, 5, 11], [9, 10, 11], [3, 4, 5, 6, 7, 8, 9, 10]])
def test_sampled_agrees_with_exact(chosen, monkeypatch):
    values = np.random.default_rng(0).gamma(2, size=12)
    exact, _, _ = permutation_p(values, choose(12, chosen))
    p, _ = sampled(values, choose(12, chosen), monkeypatch)
    hits = round(p * 10_001) - 1
    assert scipy_stats.binomtest(hits, 10_000, exact).pvalue > 1e-4


def test_sampled_under_blind_choice_is_valid(monkeypatch):
    random = np.random.default_rng(0)
    values = random.gamma(2, size=30)
    ps = np.array(
        [
            sampled(values, choose(30, random.choice(30, 8, replace=False)), monkeypatch, 99, seed)[
                0
            ]
            for seed in range(1000)
        ]
    )
    for alpha in (0.05, 0.1, 0.25, 0.5):
        assert scipy_stats.binomtest(int((ps <= alpha).sum()), 1000, alpha).pvalue > 1e-3


def test_the_sampled_floor_is_one_draw_unless_ties_raise_it(monkeypatch):
    values = np.arange(40, dtype=float)
    assert sampled(values, values > 25, monkeypatch) == (1 / 10_001, 1 / 10_001)
    assert sampled(np.ones(40), values > 25, monkeypatch) == (1, 1)


def test_sampled_depends_on_the_seed_only(monkeypatch):
    values = np.random.default_rng(0).gamma(2, size=30)
    chosen = np.arange(30) % 4 == 0
    order = np.random.default_rng(1).permutation(30)
    first = sampled(values, chosen, monkeypatch)
    assert sampled(values, chosen, monkeypatch) == first
    assert sampled(values[order], chosen[order], monkeypatch) == first
    assert sampled(values * 8, chosen, monkeypatch) == first
    assert sampled(values, chosen, monkeypatch, seed=1) != first


def test_10_000_tokens_need_little_memory():
    values = np.random.default_rng(0).gamma(2, size=10_000)
    chosen = np.arange(10_000) % 4 == 0
    with little_memory():
        p, floor, exact = permutation_p(values, chosen, draws=2000)
    assert 0 < floor <= p <= 1
    assert not exact


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=12),
    st.lists(st.integers(-20, 20), min_size=1, max_size=12),
)
def test_auc_is_mann_whitneys_u(ones: list[int], others: list[int]) -> None:
    a, b = np.array(ones, float), np.array(others, float)
    u = scipy_stats.mannwhitneyu(a, b).statistic
    assert auc(a, b) == pytest.approx(u / len(a) / len(b))
    assert auc(a, b) == pytest.approx(1 - auc(b, a))


def test_auc_ties_what_is_closer_than_a_millionth() -> None:
    a = np.array([20.0])
    assert auc(a, a * (1 + 5e-7)) == auc(a, a * (1 - 5e-7)) == 0.5
    assert auc(a, a * (1 + 2e-6)) == 0
    assert auc(a, a * (1 - 2e-6)) == 1


def test_auc_of_nothing_and_of_nan() -> None:
    assert np.isnan(auc(np.array([]), np.array([1.0])))
    with pytest.raises(ActivationFlowError, match="finite"):
        auc(np.array([np.nan]), np.array([1.0]))
