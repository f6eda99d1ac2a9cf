"""The variants of strength against scipy, scikit-learn and plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from scipy.stats import f_oneway
from sklearn.covariance import shrunk_covariance
from sklearn.preprocessing import StandardScaler

from activation_flow import norm_formulas
from activation_flow import score_vectors as sv
from activation_flow.moments import Moments
from activation_flow.score_vectors import Fit


@pytest.fixture(scope="module")
def states():
    """60 tokens of 40 dimensions: two that are shifted or wide, one that never changes."""
    random = np.random.default_rng(0)
    made = random.normal(1, random.uniform(0.5, 1.5, 40), (60, 40)).astype(np.float32)
    made[:, 7] += 40
    made[:, 21] *= 30
    made[:, 33] = 5
    return made


def test_centred_is_the_distance_from_the_mean(states):
    found = sv.length(sv.centred(states, Fit.of(Moments.of(states[:30]))))
    mean = states[:30].astype(np.float64).mean(0)
    np.testing.assert_allclose(found, [np.sqrt(((row - mean) ** 2).sum()) for row in states])


def test_the_outlier_dimensions_are_those_of_the_rule(states):
    fit = Fit.of(Moments.of(states))
    mu, sigma = states.astype(np.float64).mean(0), states.astype(np.float64).std(0)
    by_rule = [
        j
        for j in range(40)
        if abs(mu[j] - mu.mean()) > 3 * mu.std() or sigma[j] > sigma.mean() + 3 * sigma.std()
    ]
    assert np.flatnonzero(fit.outlier).tolist() == by_rule == [7, 21]
    rest = np.delete(states, by_rule, axis=1)
    found = sv.length(sv.without_outliers(states, fit))
    np.testing.assert_allclose(found, np.linalg.norm(rest, axis=1), rtol=1e-6)


def test_standardised_is_scikit_learns_without_the_constant_dimension(states):
    fit = Fit.of(Moments.of(states[:30]))
    assert np.flatnonzero(fit.constant).tolist() == [33]
    wide = np.delete(states.astype(np.float64), 33, axis=1)
    truth = StandardScaler().fit(wide[:30]).transform(wide)
    found = sv.standardised(states, fit)
    assert not found[:, 33].any()
    np.testing.assert_allclose(np.delete(found, 33, axis=1), truth, rtol=1e-6, atol=1e-9)


def test_a_dimension_that_moves_in_its_last_digit_only_counts_as_constant():
    states = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    states[:, 1] = 1000 + 1e-4 * states[:, 0]  # float32 has no more digits there
    assert Fit.of(Moments.of(states)).constant.tolist() == [False, True, False]


@pytest.mark.parametrize("shrinkage", [0.1, 0.5, 1.0])
def test_whitened_is_mahalanobis_distance_by_the_shrunk_covariance(states, shrinkage):
    fitted = states[:30]  # fewer tokens than dimensions: Σ alone has no inverse
    moments = Moments.of(fitted, full=True)
    found = sv.whitened(states, moments.mean, sv.whitening(moments, shrinkage))
    sigma = shrunk_covariance(np.cov(fitted.astype(np.float64).T, bias=True), shrinkage)
    inverse = np.linalg.inv(sigma)
    truth = [mahalanobis(row, moments.mean, inverse) for row in states.astype(np.float64)]
    np.testing.assert_allclose(sv.length(found), truth, rtol=1e-6)


def test_tokens_that_are_all_the_same_are_whitened_to_nothing():
    moments = Moments.of(np.ones((5, 3)), full=True)
    assert not sv.whitened(np.ones((2, 3)), moments.mean, sv.whitening(moments)).any()


def test_shares_are_those_of_each_tokens_squared_length(states):
    sums, n = sv.summed_shares(states)
    truth = np.zeros(40)
    for row in states.astype(np.float64):
        truth += row**2 / (row**2).sum()
    np.testing.assert_allclose(sums, truth)
    assert n == 60
    assert sums.sum() == pytest.approx(60)
    first, three = norm_formulas.top_share(sums / n)
    assert first == pytest.approx(sorted(truth)[-1] / 60)
    assert three == pytest.approx(sum(sorted(truth)[-3:]) / 60)


def test_an_update_is_a_difference(states):
    assert np.array_equal(sv.update(states, states[::-1]), states - states[::-1])


TYPED = st.lists(st.tuples(st.integers(0, 4), st.integers(-50, 50)), min_size=3, max_size=25)


@settings(max_examples=50)
@given(TYPED)
def test_a_residual_is_taken_from_the_mean_of_the_other_tokens(rows):
    type_, values = np.array([t for t, _ in rows]), np.array([v for _, v in rows], float)
    found = sv.type_residual(values, type_)
    for i, value in enumerate(values):
        others = [values[j] for j in range(len(rows)) if j != i and type_[j] == type_[i]]
        if others:
            assert found[i] == pytest.approx(value - np.mean(others), abs=1e-9)
        else:
            assert np.isnan(found[i])


def loop_omega_squared(values, type_):
    """One-way analysis of variance, sum by sum."""
    groups = [[v for v, t in zip(values, type_, strict=True) if t == k] for k in sorted({*type_})]
    n, k, grand = len(values), len(groups), sum(values) / len(values)
    between = sum(len(g) * (sum(g) / len(g) - grand) ** 2 for g in groups)
    within = sum((v - sum(g) / len(g)) ** 2 for g in groups for v in g)
    mean_within = within / (n - k)
    return (between - (k - 1) * mean_within) / (between + within + mean_within)


@settings(max_examples=50)
@given(TYPED)
def test_omega_squared_is_that_of_an_analysis_of_variance(rows):
    type_, values = np.array([t for t, _ in rows]), np.array([v for _, v in rows], float)
    found = sv.omega_squared(values, type_)
    if len({*type_}) in (1, len(rows)) or len({*values}) == 1:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(loop_omega_squared(values.tolist(), type_.tolist()))
        assert found <= 1


def test_omega_squared_follows_from_scipys_f():
    random = np.random.default_rng(0)
    groups = [random.normal(shift, 1, n) for shift, n in ((0, 9), (1, 5), (3, 14))]
    f = f_oneway(*groups).statistic
    found = sv.omega_squared(np.concatenate(groups), np.repeat(range(3), [9, 5, 14]))
    assert found == pytest.approx(2 * (f - 1) / (2 * (f - 1) + 28))


def test_omega_squared_is_about_0_where_types_say_nothing():
    random = np.random.default_rng(0)
    found = [
        sv.omega_squared(random.normal(20, 1, 300), random.integers(0, 150, 300)) for _ in range(50)
    ]
    assert abs(np.mean(found)) < 0.03
    values = 20 * (1 + 1e-8 * random.normal(size=300))  # ‖z‖: nothing varies but the last digits
    assert np.isnan(sv.omega_squared(values, random.integers(0, 9, 300)))
