import numpy as np
import pytest
from audited import random_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from activation_flow.crossed import (
    Crossed,
    clusters,
    covariance,
    crossed,
    interval,
    moves,
    p_above,
    p_apart,
    spread,
)


def of_mean(values):
    return (values - values.mean()) / len(values)


def test_parts_are_jackknives_of_the_mean_in_plain_loops():
    tokens, random = random_tokens(0)
    values = random.normal(size=len(tokens)) + random.normal(size=60)[tokens.type]

    def jackknife(cluster):
        left = [values[cluster != one].mean() - values.mean() for one in np.unique(cluster)]
        return np.sum(np.square(left))

    cells = tokens.text * 1000 + tokens.type
    expected = jackknife(tokens.text) + jackknife(tokens.type) - jackknife(cells)
    found = crossed(of_mean(values), tokens.text, tokens.type)
    assert found.variance == pytest.approx(expected)
    assert (found.texts, found.types) == (40, len(np.unique(tokens.type)))


def test_clusters_of_one_token_give_the_variance_of_a_mean():
    values, everyone = np.random.default_rng(1).normal(size=50), np.arange(50)
    found = crossed(of_mean(values), everyone, everyone)
    assert found.variance == pytest.approx(values.var(ddof=1) / 49)
    assert found.degrees == pytest.approx(49 / 2, rel=0.1)  # two estimates that are one


def test_equal_clusters_have_one_degree_less_than_their_number():
    random = np.random.default_rng(2)
    text, type_ = np.repeat(np.arange(20), 30), np.tile(np.arange(30), 20)
    values = 10 * random.normal(size=20)[text] + 1e-6 * random.normal(size=600)
    found = crossed(of_mean(values), text, type_)
    assert found.degrees == pytest.approx(19, rel=0.01)


def test_a_type_that_is_most_of_the_tokens_leaves_few_degrees_of_freedom():
    random = np.random.default_rng(3)
    text = np.repeat(np.arange(100), 6)
    levels = random.normal(size=601)
    even, one_is_half = random.integers(0, 600, 600), np.arange(600) * (np.arange(600) % 2)
    degrees = [crossed(of_mean(levels[t]), text, t).degrees for t in (even, one_is_half)]
    assert degrees[0] > 20
    assert degrees[1] == 4  # and no fewer


def test_the_variance_is_not_below_that_over_texts_alone():
    text, type_ = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    values = np.array([1.0, -1.0, -1.0, 1.0])  # types cancel over texts: their part is below 0
    found = crossed(of_mean(values), text, type_)
    assert found.variance == crossed(of_mean(values), text, text).variance == 0.0


def test_a_token_that_is_nan_is_not_there():
    tokens, random = random_tokens(4)
    values = random.normal(size=len(tokens))
    part = random.random(len(tokens)) < 0.7
    lacking = np.where(part, of_mean(values), np.nan)
    rest = crossed(of_mean(values)[part], tokens.text[part], tokens.type[part])
    assert crossed(lacking, tokens.text, tokens.type) == rest


@given(st.permutations(range(30)), st.floats(0.1, 10))
@settings(max_examples=30)
def test_order_and_names_do_not_matter_and_scale_is_squared(order, scale):
    random = np.random.default_rng(5)
    text, type_ = random.integers(0, 6, 30), random.integers(0, 9, 30)
    values = of_mean(random.normal(size=30))
    found = crossed(values, text, type_)
    other = crossed(scale * values[order], 7 * text[order] + 3, 100 - type_[order])
    assert other.variance == pytest.approx(scale**2 * found.variance)
    assert other.degrees == pytest.approx(found.degrees)


def test_covariances_have_the_variances_on_their_diagonal():
    tokens, random = random_tokens(6)
    of = clusters(tokens.text, tokens.type)
    rows = np.stack([of_mean(random.normal(size=len(tokens))) for _ in range(3)])
    rows[2] = rows[0] - 2 * rows[1]
    weight = np.ones(len(tokens))
    found = covariance(moves(rows, of, weight, paired=False))
    parts = [moves(row, of, weight, paired=False) for row in rows]
    for i, part in enumerate(parts):
        alone = (part.text**2).sum() + (part.type_**2).sum() - (part.cell**2).sum()
        assert found[i, i] == pytest.approx(alone)
    combined = np.array([1, -2]) @ found[:2, :2] @ np.array([1, -2])
    assert found[2, 2] == pytest.approx(combined)


def test_what_types_are_told_to_move_counts_for_types_alone():
    tokens, random = random_tokens(7)
    values, others = (of_mean(random.normal(size=len(tokens))) for _ in range(2))
    found = crossed(values, tokens.text, tokens.type, of_types=0 * others)
    assert found.variance == pytest.approx(crossed(values, tokens.text, tokens.text).variance)


def test_one_text_or_one_type_says_nothing():
    values = of_mean(np.array([1.0, 2.0, 4.0]))
    for text, type_ in ((np.zeros(3, int), np.arange(3)), (np.arange(3), np.zeros(3, int))):
        found = crossed(values, text, type_)
        assert found.variance == float("inf")
        assert interval(0.5, found, bounds=(0, 1)) == (0, 1)
        assert interval(0.5, found) == (-float("inf"), float("inf"))
        assert p_above(0.5, found) == p_apart(0.5, found) == 1


@pytest.mark.parametrize("degrees", [1.0, 3.7, 40.0])
def test_intervals_and_p_are_those_of_students_t(degrees):
    known = Crossed(variance=0.04, degrees=degrees, texts=9, types=9)
    student = scipy_stats.t(degrees, scale=0.2)
    assert interval(0.3, known) == pytest.approx(0.3 + np.array(student.interval(0.95)))
    assert p_above(0.3, known) == pytest.approx(student.sf(0.3))
    assert p_apart(-0.3, known) == pytest.approx(2 * student.sf(0.3))
    assert p_apart(0.5, known, 0.5) == 1


@given(st.floats(0.01, 0.99) | st.sampled_from([0, 1]), st.floats(0, 0.2), st.floats(1, 200))
@settings(max_examples=50)
def test_an_interval_stays_within_its_bounds(value, variance, degrees):
    known = Crossed(variance=variance, degrees=degrees, texts=9, types=9)
    low, high = interval(value, known, bounds=(0, 1))
    assert 0 <= low <= value <= high <= 1
    twice = Crossed(variance=4 * variance, degrees=degrees, texts=9, types=9)
    wide = interval(2 * value - 1, twice, bounds=(-1, 1))
    assert wide == pytest.approx((2 * low - 1, 2 * high - 1))


def test_no_variance_is_certain_of_what_is_not_the_null():
    known = Crossed(variance=0.0, degrees=5, texts=9, types=9)
    assert p_above(0.6, known, 0.5) == p_apart(0.4, known, 0.5) == 0
    assert p_above(0.4, known, 0.5) == p_apart(0.5, known, 0.5) == 1


def test_moves_are_exact_for_a_ratio():
    tokens, random = random_tokens(8)
    y, w = random.normal(size=len(tokens)), random.random(len(tokens)) + 0.1
    ratio = y.sum() / w.sum()
    of = clusters(tokens.text, tokens.type)
    moved = moves((y - ratio * w) / w.sum(), of, w, paired=False)
    without = of.type_ != 3
    assert ratio - y[without].sum() / w[without].sum() == pytest.approx(moved.type_[3])
    assert spread(moved, of).variance > 0
