"""The formulas of normalisation, against torch's own norm modules and plain sums."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from activation_flow import norm_formulas as formulas

WIDTH = 5
numbers = st.floats(-100, 100).map(lambda v: round(v, 3))
vectors = arrays(np.float64, (4, WIDTH), elements=numbers)
widths = arrays(np.float64, (WIDTH,), elements=st.floats(-3, 3).map(lambda v: round(v, 3)))


def plain(z, gain, bias):
    return [
        math.sqrt(sum((g * v + b) ** 2 for g, v, b in zip(gain, row, bias, strict=True)))
        for row in z
    ]


@settings(max_examples=50)
@given(vectors, widths, widths)
def test_the_strength_of_shares_is_the_length_of_the_output(x, gain, bias):
    for centring in (True, False):
        z = formulas.normalised(x, centring, epsilon=1e-5)
        after = formulas.strength_after(z, gain, bias)
        np.testing.assert_allclose(after, plain(z, gain, bias), rtol=1e-6, atol=1e-6)


@settings(max_examples=30)
@given(vectors, st.sampled_from([1e-12, 1e-5, 0.1]))
def test_torchs_own_modules_give_the_same_z(x, epsilon):
    wide = torch.from_numpy(x)
    layer = torch.nn.functional.layer_norm(wide, (WIDTH,), eps=epsilon).numpy()
    rms = torch.nn.functional.rms_norm(wide, (WIDTH,), eps=epsilon).numpy()
    # A row of one number only has a mean that is off by the last bit, of which ε makes much.
    some = np.ptp(x, axis=1) > 1e-2
    np.testing.assert_allclose(formulas.normalised(x, True, epsilon)[some], layer[some], rtol=1e-6)
    np.testing.assert_allclose(formulas.normalised(x, False, epsilon), rms, rtol=1e-6, atol=1e-9)


@settings(max_examples=30)
@given(vectors, widths)
def test_bounds_and_scale(x, gain):
    x = x[np.ptp(x, axis=1) > 1e-2]
    z, none = formulas.normalised(x, True), np.zeros(WIDTH)
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), math.sqrt(WIDTH), rtol=1e-9)
    np.testing.assert_allclose(formulas.size(x, True), math.sqrt(WIDTH) * x.std(axis=1), rtol=1e-9)
    after = formulas.strength_after(z, gain, none)
    assert (after <= math.sqrt(WIDTH) * abs(gain).max() * (1 + 1e-9)).all()
    assert (after >= math.sqrt(WIDTH) * abs(gain).min() * (1 - 1e-9)).all()
    larger = formulas.strength_after(formulas.normalised(1000 * x, True), gain, none)
    np.testing.assert_allclose(larger, after, rtol=1e-6, atol=1e-9)


def test_evenly_spread_energy_has_the_level():
    gain, bias = np.array([3.0, 1.0, -2.0, 5.0]), np.array([0.5, -0.5, 0.0, 0.0])
    signs = np.array([1.0, 1.0, -1.0, -1.0])
    both = [formulas.strength_after(z, gain, bias) ** 2 for z in (signs, -signs)]
    assert np.mean(both) == pytest.approx(formulas.level(gain, bias) ** 2)
    assert formulas.typical(gain) == pytest.approx(math.sqrt(39 / 4))


def test_a_vector_without_spread_has_no_direction():
    flat = np.full((1, 3), 7.0)
    assert np.isnan(formulas.normalised(flat, True)).all()
    assert (formulas.normalised(flat, True, 1e-5) == 0).all()
    assert formulas.size(flat, True) == 0
    assert (formulas.shares(np.zeros(3)) == 0).all()


@settings(max_examples=30)
@given(vectors)
def test_shares_sum_to_one(x):
    w = formulas.shares(x)
    assert (w >= 0).all()
    np.testing.assert_allclose(w.sum(axis=1), np.where((x != 0).any(axis=1), 1.0, 0.0))
    strongest = formulas.top(w[0])
    assert w[0][strongest].tolist() == sorted(w[0], reverse=True)[:3]
