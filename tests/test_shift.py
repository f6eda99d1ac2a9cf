import math
from dataclasses import asdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from activation_flow.data import ActivationFlowError
from activation_flow.shift import concentration, cosine_distance, high_ratio, shift

# The paper's published shifts, layer 8 of bert-base-uncased.
TABLE_4 = {
    "[CLS]": 2.215405,
    "enjoying": 4.213283,
    "a": 6.622182,
    "beautiful": 7.106536,
    "day": 17.826801,
    "at": 8.882789,
    "the": 7.983520,
    "park": 15.834806,
    "!": 2.778391,
    "[SEP]": 0.121482,
}
TABLE_6 = np.array([2.1, 1.8, 1.5, 11.2, 1.2, 9.7])
TABLE_6_HIGH = TABLE_6 > 9

RATIOS = ("high_ratio", "enrichment", "p_value", "p_floor")

numbers = st.floats(-1e3, 1e3, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3)
vector = st.lists(numbers, min_size=3, max_size=3)
vectors = st.lists(st.tuples(vector, vector), min_size=1, max_size=5)
shifts = st.lists(
    st.tuples(st.floats(0, 1e3).map(lambda x: round(x, 3)), st.booleans()), max_size=8
)


def two_sides(pairs):
    return tuple(np.array(side, dtype=np.float32) for side in zip(*pairs, strict=True))


# shift


@given(vectors)
def test_shift_is_the_euclidean_distance(pairs):
    a, b = two_sides(pairs)
    sides = zip(a.astype(float), b.astype(float), strict=True)
    expected = [distance.euclidean(x, y) for x, y in sides]
    assert shift(a, b) == pytest.approx(expected)
    assert shift(a, b).dtype == np.float64
    assert (shift(a, b) == shift(b, a)).all()
    assert (shift(a, a) == 0).all()


def test_shift_is_computed_in_float64():
    a = np.full((1, 768), 1e30, dtype=np.float32)
    assert shift(a, -a) == pytest.approx(2e30 * math.sqrt(768))
    big = np.array([[2.0**24 + 2]], dtype=np.float32)
    assert shift(big, np.array([[0.5]], dtype=np.float32)) == 2.0**24 + 1.5


def test_no_pairs_have_no_shift():
    none = np.zeros((0, 4))
    assert shift(none, none).shape == cosine_distance(none, none).shape == (0,)


# cosine distance


@given(vectors)
def test_cosine_distance_is_one_minus_cos(pairs):
    a, b = two_sides(pairs)
    found = cosine_distance(a, b)
    for x, y, ours in zip(a.astype(float), b.astype(float), found, strict=True):
        if x.any() and y.any():
            assert ours == pytest.approx(distance.cosine(x, y), abs=1e-12)
            assert 0 <= ours <= 2
        else:
            assert math.isnan(ours)
    assert np.array_equal(found, cosine_distance(b, a), equal_nan=True)


@given(vectors)
def test_cosine_distance_of_equal_and_opposite_vectors(pairs):
    a, _ = two_sides(pairs)
    a = a[a.any(axis=1)]
    assert (cosine_distance(a, a) == 0).all()
    assert cosine_distance(a, 3 * a) == pytest.approx(np.zeros(len(a)), abs=1e-12)
    assert cosine_distance(a, -a) == pytest.approx(np.full(len(a), 2.0))


def test_cosine_distance_keeps_its_digits_near_0():
    angle = 1e-9  # 1 - cos in floating point is 0 here
    a, b = np.array([[1.0, 0.0]]), np.array([[math.cos(angle), math.sin(angle)]])
    assert cosine_distance(a, b) == pytest.approx(angle**2 / 2, rel=1e-6, abs=0)


# the paper


def test_table_4_sums_to_its_total():
    assert sum(TABLE_4.values()) == pytest.approx(73.585195, abs=1e-9)


def test_table_4_has_most_shift_where_words_were_replaced():
    values = np.array(list(TABLE_4.values()))
    found = concentration(values, values > 15)
    assert found.total == pytest.approx(73.585195, abs=1e-9)
    assert found.high_ratio == pytest.approx(0.457, abs=5e-4)
    assert found.p_value == found.p_floor == pytest.approx(1 / 45)


def test_table_6():
    found = concentration(TABLE_6, TABLE_6_HIGH)
    assert found.high_total == pytest.approx(20.9)
    assert found.total - found.high_total == pytest.approx(6.6)
    assert found.total == pytest.approx(27.5)
    assert found.high_ratio == pytest.approx(0.76)
    assert (found.n, found.k, found.high_share) == (6, 2, 1 / 3)
    assert found.enrichment == pytest.approx(2.28)
    assert found.p_value == found.p_floor == pytest.approx(1 / 15)


def test_the_chance_level_of_table_6_is_that_of_all_choices():
    ratios = [sum(way) / TABLE_6.sum() for way in combinations(TABLE_6, 2)]
    n, k = 6, 2
    variance = k / n**2 * (1 - k / n) * TABLE_6.var(ddof=1) / TABLE_6.mean() ** 2
    assert np.mean(ratios) == pytest.approx(concentration(TABLE_6, TABLE_6_HIGH).high_share)
    assert np.std(ratios) == pytest.approx(math.sqrt(variance))
    assert np.std(ratios) == pytest.approx(0.19226, abs=5e-6)


# R_H


@given(shifts)
def test_concentration_adds_up(pairs):
    values = np.array([value for value, _ in pairs])
    high = np.array([mark for _, mark in pairs], dtype=bool)
    found = concentration(values, high)
    assert (found.n, found.k) == (len(pairs), high.sum())
    assert found.high_total + values[~high].sum() == pytest.approx(found.total)
    assert found.high_share == (high.mean() if len(pairs) else None)
    assert found.high_ratio == high_ratio(values, high)
    if found.k and found.total:
        assert found.high_ratio == pytest.approx(found.high_total / found.total)
        assert found.enrichment * found.high_share == pytest.approx(found.high_ratio)
        assert 0 < found.p_floor <= found.p_value <= 1
    else:
        assert [getattr(found, name) for name in RATIOS] == [None] * 4


@given(shifts, st.randoms(use_true_random=False))
def test_concentration_depends_on_no_order(pairs, random):
    first, other = (
        concentration(np.array([v for v, _ in some]), np.array([h for _, h in some], dtype=bool))
        for some in (pairs, random.sample(pairs, len(pairs)))
    )
    assert asdict(first) == pytest.approx(asdict(other))


def test_where_all_is_high_all_is_1():
    found = concentration(TABLE_6, np.ones(6, dtype=bool))
    assert [getattr(found, name) for name in RATIOS] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("values", "high", "share"),
    [([1.0, 2.0], [False, False], 0), ([0.0, 0.0], [True, False], 0.5), ([], [], None)],
    ids=["none is high", "nothing shifted", "no pairs"],
)
def test_where_there_is_nothing_to_share_ratios_are_none(values, high, share):
    found = concentration(np.array(values), np.array(high, dtype=bool))
    assert [getattr(found, name) for name in RATIOS] == [None] * 4
    assert found.high_share == share
    assert found.high_total == 0


def test_draws_and_seed_reach_the_permutation():
    values = np.random.default_rng(0).gamma(2, size=40)
    high = np.arange(40) % 4 == 0
    ps = {concentration(values, high, draws=99, seed=seed).p_value for seed in range(5)}
    assert len(ps) > 1
    assert all(p * 100 == pytest.approx(round(p * 100)) for p in ps)


def test_a_shift_that_is_not_finite_is_refused():
    with pytest.raises(ActivationFlowError, match="needs finite values"):
        concentration(np.array([1.0, np.nan]), np.array([True, False]))
