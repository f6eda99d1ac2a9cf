"""Moments against numpy, merged in any way, and where one pass over squares would fail."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from activation_flow.data import ActivationFlowError
from activation_flow.moments import Moments

STATES = arrays(
    np.float64,
    st.tuples(st.integers(0, 12), st.just(3)),
    elements=st.floats(-1e4, 1e4, allow_nan=False, width=32),
)


@settings(max_examples=50)
@given(STATES, st.lists(st.integers(0, 12), max_size=3), st.booleans())
def test_the_moments_of_the_parts_merged_are_those_of_the_whole(states, cuts, full):
    whole = Moments.of(states, full=full)
    merged = Moments.of(states[:0], full=full)
    for part in np.split(states, sorted(cut % (len(states) + 1) for cut in cuts)):
        merged = merged.merge(Moments.of(part, full=full))
    scale = np.square(states).sum() + 1
    assert merged.n == whole.n == len(states)
    np.testing.assert_allclose(merged.mean, whole.mean, atol=1e-12 * np.sqrt(scale))
    np.testing.assert_allclose(merged.products, whole.products, atol=1e-12 * scale)


def test_they_are_numpys():
    states = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    full, plain = Moments.of(states, full=True), Moments.of(states)
    wide = states.astype(np.float64)
    np.testing.assert_allclose(full.covariance, np.cov(wide.T, bias=True))
    for moments in (full, plain):
        np.testing.assert_allclose(moments.mean, wide.mean(0))
        np.testing.assert_allclose(moments.variance, wide.var(0))


def test_a_small_variance_far_from_zero_is_kept():
    random = np.random.default_rng(1)
    states = 1e8 + random.normal(size=(4000, 2))
    moments = Moments.of(states[:0])
    for part in np.split(states, 40):
        moments = moments.merge(Moments.of(part))
    np.testing.assert_allclose(moments.variance, states.var(0), rtol=1e-6)


def test_no_token_has_no_variance():
    nothing = Moments.of(np.zeros((0, 3))).merge(Moments.of(np.zeros((0, 3))))
    assert (nothing.n, nothing.mean.tolist(), nothing.variance.tolist()) == (0, [0] * 3, [0] * 3)


def test_moments_of_different_shapes_are_not_merged():
    with pytest.raises(ActivationFlowError, match=r"shapes \(3,\) and \(3, 3\)"):
        Moments.of(np.zeros((1, 3))).merge(Moments.of(np.zeros((1, 3)), full=True))
