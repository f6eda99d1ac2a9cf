import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from activation_flow.data import ActivationFlowError
from activation_flow.strength import (
    AGGREGATES,
    QUANTILE_METHODS,
    TIED,
    aggregate,
    bucket,
    moments,
    percentile,
    rank,
    strength,
    threshold,
    thresholds,
)

# The paper's published strengths, layer 8 of bert-base-uncased.
TABLE_1 = {
    "[CLS]": 19.6609,
    "who": 20.9963,
    "is": 20.8080,
    "the": 20.3649,
    "prime": 21.9766,
    "minister": 21.4116,
    "of": 21.3756,
    "canada": 21.4005,
    "?": 10.9093,
    "[SEP]": 9.594359,
}
TABLE_2 = {
    "[CLS]": 19.7354,
    "who": 20.9702,
    "is": 20.6530,
    "the": 20.2970,
    "president": 21.0794,
    "of": 20.9123,
    "france": 20.9935,
    "?": 21.0477,
    "[SEP]": 10.9091,
}
TABLE_5 = (18.2, 17.9, 18.5, 22.4, 17.6, 21.8)

# What each method makes of Table 5 at 0.75, from SCIENCE.md (found apart from this code).
TAU_OF_TABLE_5 = {
    "linear": 20.975,
    "midpoint": 20.15,
    "interpolated_inverted_cdf": 20.15,
    "lower": 18.5,
    "closest_observation": 18.5,
    "inverted_cdf": 21.8,
    "averaged_inverted_cdf": 21.8,
    "hazen": 21.8,
    "higher": 21.8,
    "nearest": 21.8,
    "weibull": 21.95,
    "median_unbiased": 21.85,
    "normal_unbiased": 21.8375,
}

positive = st.floats(2**-10, 2**20, width=32)
# Whole numbers of this size are never within the tie tolerance of one another.
well_apart = st.lists(st.integers(1, 1000), min_size=1, max_size=30)


def row(values) -> np.ndarray:
    return np.array([list(values)], dtype=np.float64)


def everyone(values: np.ndarray) -> np.ndarray:
    return np.ones(values.shape[-1], dtype=bool)


def ranks(values) -> list[int]:
    return rank(row(values), everyone(row(values)))[0].tolist()


def buckets(values, **options) -> list[str]:
    s = row(values)
    return bucket(s, threshold(s, **options), everyone(s))[0].tolist()


def named(table: dict[str, float], measure) -> dict:
    return dict(zip(table, measure(table.values()), strict=True))


def plain_ranks(values: list[float]) -> list[int]:
    """Walk down from the strongest; a token as strong as the one above it shares its rank."""
    order = sorted(range(len(values)), key=lambda i: -values[i])
    out = [0] * len(values)
    for place, i in enumerate(order):
        above = order[place - 1] if place else None
        tied = above is not None and values[above] - values[i] <= TIED * abs(values[above])
        out[i] = out[above] if tied else place + 1
    return out


# strength


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=5))
def test_strength_is_the_euclidean_norm(vectors):
    got = strength(np.array([vectors]))
    assert got.shape == (1, len(vectors))
    np.testing.assert_allclose(got[0], [math.hypot(*v) for v in vectors], rtol=1e-12, atol=1e-150)


def test_strength_keeps_float32_and_the_axes():
    hidden = np.random.default_rng(0).normal(size=(3, 5, 768)).astype(np.float32)
    got = strength(hidden)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.linalg.norm(hidden.astype(float), axis=-1), rtol=1e-6)


# threshold


@pytest.mark.parametrize("method", QUANTILE_METHODS)
def test_threshold_of_table_5(method):
    assert threshold(row(TABLE_5), method=method) == pytest.approx([TAU_OF_TABLE_5[method]])


@pytest.mark.parametrize("method", ["midpoint", "linear"])
def test_the_high_tokens_of_table_5(method):
    assert buckets(TABLE_5, method=method) == ["LOW", "LOW", "LOW", "HIGH", "LOW", "HIGH"]


@given(st.lists(positive, min_size=1, max_size=20), st.floats(0, 1))
def test_linear_threshold_against_a_plain_loop(values, quantile):
    ordered = sorted(values)
    place = quantile * (len(values) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    expected = below + (above - below) * (place - math.floor(place))
    assert threshold(row(values), quantile, "linear")[0] == pytest.approx(expected, rel=1e-9)


@given(st.lists(positive, min_size=1, max_size=20))
def test_midpoint_is_the_middle_of_the_two_neighbours(values):
    s = sorted(values)
    place = 0.75 * (len(s) - 1)
    expected = (s[math.floor(place)] + s[math.ceil(place)]) / 2
    assert threshold(row(values))[0] == pytest.approx(expected, rel=1e-12)


@given(positive, st.integers(1, 12), st.floats(0, 1), st.sampled_from(QUANTILE_METHODS))
def test_equal_values_give_that_value_and_no_high(value, n, quantile, method):
    s = np.full((1, n), value, dtype=np.float32)
    tau = threshold(s, quantile, method)
    assert tau.tolist() == [value]
    assert bucket(s, tau, everyone(s)).tolist() == [["LOW"] * n]


def test_threshold_is_taken_in_float64_and_for_each_layer():
    s = np.array([[1, 1 + 2**-23], [5, 6]], dtype=np.float32)
    tau = threshold(s)
    assert tau.dtype == np.float64
    assert tau.tolist() == [1 + 2**-24, 5.5]


@given(st.integers(1, 200))
def test_number_of_high_tokens_for_distinct_values(n):
    values = np.random.default_rng(n).permutation(n) + 1.0
    assert buckets(values, method="linear").count("HIGH") == math.ceil((n - 1) / 4)


@pytest.mark.parametrize(("quantile", "shown"), [(-0.1, "-0.1"), (1.5, "1.5"), (math.nan, "nan")])
def test_a_quantile_that_is_none(quantile, shown):
    with pytest.raises(ActivationFlowError, match=rf"quantile {shown} is not between 0 and 1"):
        threshold(row([1]), quantile)


def test_an_unknown_quantile_method():
    with pytest.raises(ActivationFlowError, match=r"'middle' is not one of midpoint, linear, low"):
        threshold(row([1]), method="middle")


def test_a_threshold_over_nothing():
    with pytest.raises(ActivationFlowError, match="at least one token"):
        threshold(np.zeros((2, 0)))


# bucket


def test_high_is_strictly_above():
    above = np.nextafter(2.0, 3.0)
    got = bucket(row([2.0, above, 1.0, 9.0]), np.array([2.0]), np.array([True, True, True, False]))
    assert got.tolist() == [["LOW", "HIGH", "LOW", ""]]


def test_the_high_tokens_of_table_2_over_all_its_tokens():
    """The paper calls "?" low and "france" important; its own eqs. 3-4 say the opposite."""
    found = named(TABLE_2, buckets)
    assert [token for token, name in found.items() if name == "HIGH"] == ["president", "?"]
    assert found["france"] == "LOW"
    assert threshold(row(TABLE_2.values()))[0] == TABLE_2["france"]


def test_the_high_tokens_of_table_1_depend_on_the_special_tokens():
    own = {token: s for token, s in TABLE_1.items() if not token.startswith("[")}
    for table, expected in ((TABLE_1, "prime minister canada"), (own, "prime minister")):
        found = named(table, lambda values: buckets(values, method="linear"))
        assert [token for token, b in found.items() if b == "HIGH"] == expected.split()


@given(
    st.lists(positive, min_size=1, max_size=20),
    st.integers(-40, 40),
    st.sampled_from(QUANTILE_METHODS),
)
def test_scaling_by_a_power_of_two_changes_no_bucket_and_no_rank(values, power, method):
    scaled = [v * 2.0**power for v in values]
    assert buckets(values, method=method) == buckets(scaled, method=method)
    assert ranks(values) == ranks(scaled)


# rank


def test_the_ranks_of_table_1():
    got = named(TABLE_1, ranks)
    assert {token: r for token, r in got.items() if r <= 4} == {
        "prime": 1,
        "minister": 2,
        "canada": 3,
        "of": 4,
    }


def test_the_ranks_of_table_2():
    got = named(TABLE_2, ranks)
    assert {token: r for token, r in got.items() if r <= 3} == {"president": 1, "?": 2, "france": 3}


@given(well_apart)
def test_rank_is_scipys_min_rank_of_the_falling_values(values):
    assert ranks(values) == stats.rankdata([-v for v in values], method="min").tolist()


@given(st.lists(st.integers(0, 40).map(lambda k: 1 + k * 0.4e-6), min_size=1, max_size=20))
def test_rank_of_near_ties_against_a_plain_loop(values):
    assert ranks(values) == plain_ranks(values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10.0, 10.0 - 0.9e-5], [1, 1]),  # 0.9e-6 relative
        ([10.0, 10.0 - 1.1e-5], [1, 2]),
        ([1 - 1.6e-6, 1 - 0.8e-6, 1.0, 0.5], [1, 1, 1, 4]),  # by way of the neighbour between
        ([0.0, 0.0, 0.0], [1, 1, 1]),
    ],
)
def test_ties(values, expected):
    assert ranks(values) == expected


@given(st.lists(positive, min_size=1, max_size=12), st.randoms())
def test_rank_follows_a_permutation(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    before, after = ranks(values), ranks([values[i] for i in order])
    assert after == [before[i] for i in order]


@given(st.data(), st.lists(positive, min_size=1, max_size=12))
def test_tokens_that_take_no_part_have_no_rank_and_change_none(data, values):
    part = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    got = rank(row(values), np.array(part))[0].tolist()
    assert [r for r, p in zip(got, part, strict=True) if not p] == [0] * part.count(False)
    inside = [v for v, p in zip(values, part, strict=True) if p]
    assert [r for r, p in zip(got, part, strict=True) if p] == ranks(inside)


def test_layers_are_ranked_apart():
    s = np.array([[1.0, 2.0], [2.0, 1.0]], dtype=np.float32)
    assert rank(s, np.array([True, True])).tolist() == [[2, 1], [1, 2]]


# aggregate

PLAIN = {
    "max": max,
    "mean": lambda run: sum(run) / len(run),
    "sum": sum,
    "first": lambda run: run[0],
    "l2": lambda run: math.sqrt(sum(v * v for v in run)),
}


@given(values=st.lists(st.sampled_from([1.0, 1.0 + 1e-8, 2.0, 3.0, 5.5]), min_size=1, max_size=8))
def test_percentile_is_scipys_middle_rank(values):
    strength = np.array([values])
    mine = percentile(strength, rank(strength, np.ones(len(values), dtype=bool)))
    middle = stats.rankdata(np.round(values, 6)) - 0.5
    assert mine[0] == pytest.approx(100 * middle / len(values))
    assert mine.mean() == pytest.approx(50)


def test_percentile_of_tokens_without_rank_is_their_place_among_the_others():
    strength = np.array([[1.0, 2.0, 3.0, 4.0, 0.5, 2.0, 9.0]])
    ranks = rank(strength, np.array([True] * 4 + [False] * 3))
    assert percentile(strength, ranks).tolist() == [[12.5, 37.5, 62.5, 87.5, 0, 37.5, 100]]
    assert np.isnan(percentile(strength, np.zeros((1, 7), dtype=int))).all()


def test_every_aggregate_has_a_plain_loop():
    assert set(PLAIN) == set(AGGREGATES)


@given(
    st.lists(st.lists(positive, min_size=1, max_size=5), min_size=1, max_size=6),
    st.sampled_from(AGGREGATES),
)
def test_aggregate_against_a_plain_loop(runs, how):
    pieces = np.array([[v for run in runs for v in run]] * 2, dtype=np.float32)
    pieces[1] *= 3
    group = np.array([number for number, run in enumerate(runs) for _ in run])
    got = aggregate(pieces, group, how)
    expected = [PLAIN[how](run) for run in runs]
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [expected, [3 * v for v in expected]], rtol=1e-5)


def test_aggregate_leaves_single_pieces_bit_for_bit():
    s = np.array([[0.1, 7.3, 1e-20, 3e18]], dtype=np.float32)
    for how in ("max", "mean", "sum", "first"):
        assert aggregate(s, np.arange(4), how).tolist() == s.tolist()


def test_an_unknown_aggregate():
    names = re.escape(", ".join(AGGREGATES))
    with pytest.raises(ActivationFlowError, match=f"words='median' is not one of {names}"):
        aggregate(row([1]), np.array([0]), "median")


# many texts at once


RAGGED = st.lists(
    st.lists(
        st.tuples(st.sampled_from([1.0, 2.0, 2.0000001, 3.5, 9.0]), st.booleans()), min_size=1
    ),
    min_size=1,
    max_size=8,
)


def laid_out(texts):
    """Two layers of strengths, who takes part (one token of each text at least), and whose."""
    values = np.array([[s for text in texts for s, _ in text]])
    values = np.concatenate([values, 10 - values]).astype(np.float32)
    part = np.array([on or k == 0 for text in texts for k, (_, on) in enumerate(text)])
    return values, part, np.repeat(np.arange(len(texts)), [len(text) for text in texts])


@given(RAGGED, st.sampled_from(QUANTILE_METHODS), st.floats(0, 1))
def test_many_texts_at_once_are_each_text_alone(texts, method, quantile):
    values, part, text = laid_out(texts)
    tau = thresholds(values, part, text, quantile, method)
    ranks = rank(values, part, text)
    percentiles = percentile(values, ranks, text)
    for k in range(len(texts)):
        own, mine = values[:, text == k], part[text == k]
        assert np.array_equal(tau[:, k], threshold(own[:, mine], quantile, method))
        assert np.array_equal(ranks[:, text == k], rank(own, mine))
        alone = percentile(own, rank(own, mine))
        assert np.array_equal(percentiles[:, text == k], alone)


@given(RAGGED)
def test_moments_are_those_of_scipy(texts):
    values, part, text = laid_out(texts)
    mean, deviation, skew = moments(values, part, text)
    for k in range(len(texts)):
        own = values[:, part & (text == k)].astype(np.float64)
        assert np.allclose(mean[:, k], own.mean(axis=1))
        if own.shape[1] > 1:
            assert np.allclose(deviation[:, k], own.std(axis=1, ddof=1))
        else:
            assert np.isnan(deviation[:, k]).all()
        for layer in range(2):
            if np.ptp(own[layer]) > 1e-5:
                assert np.isclose(skew[layer, k], stats.skew(own[layer]))
            elif np.ptp(own[layer]) < 1e-7:
                assert np.isnan(skew[layer, k])
