"""Orders, curves and bounds, against plain loops, scipy and enumeration."""

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import kendalltau

from activation_flow.faithfulness import (
    STEPS,
    agreement,
    areas,
    chosen,
    first,
    grid,
    normalised,
    order,
    pieces_per_word,
    removed_sets,
)

VALUES = arrays(np.float64, st.integers(2, 30), elements=st.floats(-1e3, 1e3, width=16))


@given(st.integers(2, 2000))
def test_grid(n: int) -> None:
    found = grid(n).tolist()
    half = -(-n // 2)
    assert found == sorted(set(found))
    assert (found[0], found[-1], len(found)) == (1, half, min(half, STEPS))
    steps = np.diff(found)
    assert not len(steps) or steps.max() - steps.min() <= 1
    assert found[-1] < n  # something is always left, and removed


@given(VALUES, st.integers(0, 9))
def test_order_puts_higher_values_first_and_is_a_permutation(values: np.ndarray, seed: int) -> None:
    noise = np.random.default_rng(seed).random(len(values))
    found = order(values, noise)
    assert sorted(found) == list(range(len(values)))
    for a, b in combinations(found, 2):
        close = abs(values[a] - values[b]) <= 1e-6 * max(abs(values[a]), abs(values[b]))
        assert values[a] > values[b] or (close and noise[a] <= noise[b])


def test_ties_are_broken_by_the_noise_alone() -> None:
    noises = np.random.default_rng(0).random((3000, 3))
    found = {tuple(order(np.array([4.0, 4.0, 4.0]), noise)) for noise in noises}
    assert found == set(permutations(range(3)))
    nearly = np.array([4.0, 4.0 + 1e-9, 1.0])
    assert order(nearly, np.array([0.1, 0.2, 0.3])).tolist() == [0, 1, 2]
    assert order(nearly, np.array([0.2, 0.1, 0.3])).tolist() == [1, 0, 2]


@given(st.integers(2, 25), st.integers(0, 99))
def test_what_is_removed(n: int, seed: int) -> None:
    source = np.random.default_rng(seed)
    orders = source.permuted(np.tile(np.arange(n), (3, 1)), axis=1)
    pieces, ks = source.integers(1, 5, n), grid(n)
    among = first(orders, ks)
    for row, one in zip(orders, among, strict=True):
        for k, here in zip(ks, one, strict=True):
            assert set(np.flatnonzero(here)) == set(row[:k])
    shares = [[np.mean([w in row[:k] for k in ks]) for w in range(n)] for row in orders]
    np.testing.assert_allclose(chosen(among), shares)
    spent = [np.mean([pieces[row[:k]].sum() / k for k in ks]) for row in orders]
    np.testing.assert_allclose(pieces_per_word(among, pieces), spent)
    sets = removed_sets(among)
    flat = [set(row[:k]) for row in orders for k in ks]
    every = set(range(n))
    wanted = [*flat, *(every - one for one in flat)]
    assert [set(np.flatnonzero(one)) for one in sets] == wanted
    moved = source.random(len(sets))
    means = [np.mean(moved[k : k + len(ks)]) for k in range(0, len(sets), len(ks))]
    np.testing.assert_allclose(areas(moved, 3), [means[:3], means[3:]])


def test_bounds() -> None:
    random = np.array([0.3, 0.1, 0.2])
    np.testing.assert_allclose(normalised(random, random), [1, 0, 0.5])
    np.testing.assert_allclose(normalised(np.array([0.5, 0.0]), random), [2, -0.5])
    assert np.isnan(normalised(np.array([0.5]), np.full(4, 0.3))).all()
    np.testing.assert_allclose(
        normalised(7 + 3 * np.array([0.15]), 7 + 3 * random), normalised(np.array([0.15]), random)
    )


@given(VALUES, st.integers(0, 9))
def test_agreement_is_kendalls(values: np.ndarray, seed: int) -> None:
    effects = np.random.default_rng(seed).normal(size=len(values)).round(1)
    found = agreement(np.rint(values), effects)
    wanted = kendalltau(np.rint(values), effects).statistic
    assert found == pytest.approx(wanted, nan_ok=True)


def test_agreement_of_a_constant_is_unknown() -> None:
    assert np.isnan(agreement(np.full(4, 2.0), np.arange(4.0)))
    assert np.isnan(agreement(np.arange(4.0), np.array([1.0, np.nan, 3.0, 2.0])))
