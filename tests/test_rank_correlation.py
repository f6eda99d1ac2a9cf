import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from activation_flow.rank_correlation import mid_ranks, rank_correlation, tie_groups


def weighted(columns, weights):
    """The plainest way: weighted mid-ranks by pairs, residuals, their weighted correlation."""
    ranks = []
    for column in columns:
        less = column[None, :] < column[:, None]
        equal = column[None, :] == column[:, None]
        ranks.append((less + equal / 2) @ weights)
    root = np.sqrt(weights)[:, None]
    fixed = root * np.stack([np.ones_like(weights), *ranks[2:]], axis=1)
    both = root * np.stack(ranks[:2], axis=1)
    x, y = (both - fixed @ np.linalg.lstsq(fixed, both, rcond=None)[0]).T
    return x @ y / np.sqrt((x @ x) * (y @ y))


@pytest.fixture(params=[0, 1, 3], ids=lambda n: f"{n} held constant")
def columns(request):
    draw = np.random.default_rng(request.param)
    shared = draw.normal(size=40)
    whole = [shared + draw.normal(size=40) for _ in range(2 + request.param)]
    return [column if k % 2 else np.round(column) for k, column in enumerate(whole)]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 3)), min_size=3, max_size=30))
@settings(max_examples=50)
def test_it_is_spearman_of_scipy(pairs):
    x, y = np.array(pairs, float).T
    found = rank_correlation(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found.value is None
    else:
        assert found.value == pytest.approx(scipy_stats.spearmanr(x, y).statistic)


def test_partial_is_that_of_the_inverse_of_the_rank_correlations(columns):
    x, y, *others = columns
    ranks = np.stack([scipy_stats.rankdata(column) for column in columns])
    precision = np.linalg.inv(np.corrcoef(ranks))
    expected = -precision[0, 1] / np.sqrt(precision[0, 0] * precision[1, 1])
    assert rank_correlation(x, y, others).value == pytest.approx(expected)


def test_contributions_are_derivatives_by_the_weight_of_each_token(columns):
    x, y, *others = columns
    found = rank_correlation(x, y, others)
    step = 1e-5
    for token in range(len(x)):
        more, less = np.ones(len(x)), np.ones(len(x))
        more[token] += step
        less[token] -= step
        slope = (weighted(columns, more) - weighted(columns, less)) / (2 * step)
        assert found.contributions[token] == pytest.approx(slope, abs=1e-7)
    assert found.contributions.sum() == pytest.approx(0, abs=1e-12)


def test_monotone_changes_change_nothing(columns):
    x, y, *others = columns
    found = rank_correlation(np.exp(x), y**3, [2 * column - 7 for column in others])
    assert found.value == pytest.approx(rank_correlation(x, y, others).value)


def test_what_is_given_leaves_nothing():
    x, y = np.arange(9.0), np.array([3.0, 1, 4, 1, 5, 9, 2, 6, 5])
    assert rank_correlation(x, y, [x]).value is None
    assert rank_correlation(x, np.ones(9)).value is None
    assert rank_correlation(x[:2], y[:2]).value is None


def test_arithmetic_noise_is_a_tie():
    values = np.array([1e6, 1e6 + 0.5, 2e6, 1.0])
    assert tie_groups(values).tolist() == [1, 1, 2, 0]
    assert mid_ranks(tie_groups(values)).tolist() == [2.5, 2.5, 4, 1]
    assert tie_groups(np.array([])).tolist() == []
