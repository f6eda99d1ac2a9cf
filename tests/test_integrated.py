"""Integrated gradients of functions whose integral is known."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from activation_flow import integrated
from activation_flow.data import ActivationFlowError
from activation_flow.integrated import STEPS

RANDOM = np.random.default_rng(0)
A, B, WEIGHTS = (torch.tensor(RANDOM.normal(size=(5, 3))) for _ in range(3))


def linear(rows: torch.Tensor) -> torch.Tensor:
    return (rows * WEIGHTS).sum(dim=(1, 2)) + 7


@given(steps=st.integers(1, 9), at_once=st.integers(1, 10))
def test_of_a_linear_function_they_are_exact(steps: int, at_once: int) -> None:
    found = integrated.integrated(linear, A, B, steps=steps, at_once=at_once)
    np.testing.assert_allclose(found.values, ((A - B) * WEIGHTS).sum(dim=1))
    assert found.steps == steps
    assert found.error < 1e-12
    assert found.complete


def test_midpoints_are_exact_for_a_quadratic_function() -> None:
    # The path integral of 2 x dx, x going straight from b to a, is a² − b².
    found = integrated.integrated(lambda rows: (rows**2).sum(dim=(1, 2)), A, B, steps=1)
    np.testing.assert_allclose(found.values, (A**2 - B**2).sum(dim=1))


def cubic(rows: torch.Tensor) -> torch.Tensor:
    return (rows**3).sum(dim=(1, 2))


def test_steps_are_doubled_until_the_gap_is_small() -> None:
    a, b = A.abs() + 1, 0 * A
    found = integrated.integrated(cubic, a, b, steps=1)
    # m midpoints of 3 t² sum to 1 − 1/(4 m²): 25 % are missing of one, 6 % of two, 1.6 % of four.
    assert found.steps == 4
    np.testing.assert_allclose(found.values, (a**3).sum(dim=1) * (1 - 1 / 64))
    np.testing.assert_allclose(found.error, found.change / 64)
    assert found.complete


def test_they_are_not_doubled_for_ever() -> None:
    def step(rows: torch.Tensor) -> torch.Tensor:
        total = rows.sum(dim=(1, 2))
        return 0 * total + (total.detach() > 0.5)  # jumps, and has no slope

    found = integrated.integrated(step, torch.ones(1, 1), torch.zeros(1, 1))
    assert found.steps == 16 * STEPS == integrated.MOST_STEPS
    assert (found.change, found.error, found.complete) == (1, 1, False)


def test_where_nothing_changes_no_gap_is_defined() -> None:
    found = integrated.integrated(linear, A, A)
    assert (found.defined, found.complete, found.steps) == (False, True, STEPS)
    np.testing.assert_array_equal(found.values, np.zeros(5))


def test_gradients_are_of_each_text() -> None:
    found = integrated.gradient(cubic, torch.stack([A, B]))
    np.testing.assert_allclose(found, 3 * torch.stack([A, B]) ** 2)
    assert not A.requires_grad


@pytest.mark.parametrize("problem", ["none", "its own"])
def test_what_has_no_gradient_is_refused(problem: str) -> None:
    def output(rows: torch.Tensor) -> Any:
        if problem == "its own":
            raise ActivationFlowError("asked in vain")
        return torch.ones(len(rows), dtype=torch.float64)

    message = "asked in vain" if problem == "its own" else "the model has no gradient"
    with pytest.raises(ActivationFlowError, match=message):
        integrated.gradient(output, A[None])
