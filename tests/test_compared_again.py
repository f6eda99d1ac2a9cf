"""Comparisons with another quantile are those that the encoder gives with it, value for value."""

import pytest

import activation_flow as af
from activation_flow import compared_again
from activation_flow.data import ActivationFlowError

A, B = "the dog sat on the mat, it did", "the old dog ran to the mat"


@pytest.fixture(scope="module")
def encoder(tiny):
    return af.Encoder.from_pretrained(tiny("bert"))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"words": "mean", "bucket_by": "union", "layers": 1},
        {"align": "position", "include_special": True, "quantile_method": "linear"},
    ],
)
def test_shift(encoder, options):
    found = encoder.shift(A, B, **options)
    for quantile in (0.0, 0.5, 0.75, 1.0):
        own = encoder.shift(A, B, quantile=quantile, **options)
        assert compared_again.shift(found, quantile) == own


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"baseline": True, "layers": "all", "bucket_by": "b", "include_special": True},
        {"align": "diff", "template": "{text}: {prompt}"},
    ],
)
def test_prompts(encoder, options):
    found = encoder.prompts(A, ["run", "sit on"], **options)
    for quantile in (0.5, 0.75):
        own = encoder.prompts(A, ["run", "sit on"], quantile=quantile, **options)
        assert compared_again.prompts(found, quantile) == own


@pytest.mark.parametrize("quantile", [float("nan"), -0.1, "0.5"])
def test_what_is_no_quantile(encoder, quantile):
    with pytest.raises(ActivationFlowError, match="quantile"):
        compared_again.shift(encoder.shift(A, B), quantile)
    with pytest.raises(ActivationFlowError, match="quantile"):
        compared_again.prompts(encoder.prompts(A, ["run", "sit"]), quantile)
