import numpy as np
import pytest
from audited import random_tokens
from scipy import stats as scipy_stats

from activation_flow.claim_tests_layers import contrasts, largest_p, layer_stands_out
from activation_flow.crossed import Crossed
from activation_flow.data import ActivationFlowError
from activation_flow.within import Grouped, by_kind, within_auc


def layers(seed, best=None, size=2.0):
    tokens, random = random_tokens(seed, texts=60, types=80)
    strengths = random.normal(size=(4, len(tokens)))
    if best is not None:
        strengths[best] += size * (tokens.kind == "content")
    return tokens, strengths


def test_the_layer_that_stands_out_is_found_and_picked_on_both_halves():
    tokens, strengths = layers(0, best=2)
    found = layer_stands_out(tokens, strengths, 1, draws=500)
    aucs = [within_auc(by_kind(tokens), layer).value for layer in strengths]
    assert found.aucs == pytest.approx(aucs)
    apart = [auc - np.mean(np.delete(aucs, i)) for i, auc in enumerate(aucs)]
    assert found.differences == pytest.approx(apart)
    assert (found.layer, [pick.layer for pick in found.picks]) == (2, [2, 2])
    assert found.tested.effect == pytest.approx(apart[1])
    assert found.tested.interval[0] < apart[1] < found.tested.interval[1]
    assert found.tested.p == pytest.approx(1 / 501, abs=0.01)
    assert all(pick.interval[0] < pick.difference < pick.interval[1] for pick in found.picks)
    assert found.tested.n["layers"] == 4


def test_layers_that_are_alike_do_not_stand_out():
    tokens, strengths = layers(1)
    same = layer_stands_out(tokens, np.stack([strengths[0]] * 3), 0, draws=100)
    assert (same.tested.p, same.tested.effect) == (1.0, pytest.approx(0))
    assert layer_stands_out(tokens, strengths, 0, draws=500).tested.p > 0.05


def test_p_of_two_layers_is_that_of_student():
    """Their differences are one number with two signs: max-T of both is the two-sided t-test."""
    tokens, strengths = layers(2, best=0, size=0.15)
    found = [within_auc(by_kind(tokens), layer) for layer in strengths[:2]]
    differences, against = contrasts(found)
    spread = Crossed(variance=0.05**2, degrees=7.0, texts=60, types=80)
    differences = np.array([0.1, -0.1])
    p = largest_p(differences, against, found[0], [spread, spread], draws=20_000, seed=0)
    assert p == pytest.approx(2 * scipy_stats.t.sf(2, 14), abs=0.01)


def test_p_of_layers_that_vary_alone_is_that_of_the_largest_of_as_many():
    """Contributions of different texts and types are independent: P = 1 - F(t)^m, for large df."""
    one = np.tile([True, False], 60)
    of = within_auc(Grouped(one, ~one, np.repeat(np.arange(60), 2), np.arange(120)), 1.0 * one)
    rows = np.zeros((3, 120))
    for i in range(3):
        rows[i, i * 40 : (i + 1) * 40] = np.repeat(np.tile([1.0, -1.0], 10), 2)
    spread = Crossed(variance=1.0, degrees=1e6, texts=60, types=120)
    p = largest_p(np.array([0, 1.8, 0]), rows, of, [spread] * 3, draws=20_000, seed=0)
    assert p == pytest.approx(1 - scipy_stats.norm.cdf(1.8) ** 3, abs=0.01)


def test_a_token_that_one_layer_lacks_is_left_out_of_all():
    tokens, strengths = layers(3)
    strengths[1, :50] = np.nan
    found = layer_stands_out(tokens, strengths, 0, draws=100)
    assert found.tested.n["tokens"] <= len(tokens) - 50


def test_what_cannot_be_tested_says_why():
    tokens, strengths = layers(4)
    assert "no other layer" in layer_stands_out(tokens, strengths[:1], 0).tested.missing
    nothing = layer_stands_out(tokens, np.full_like(strengths, np.nan), 0)
    assert nothing.tested.missing == "no token is known to be a content word"
    with pytest.raises(ActivationFlowError, match="from 0 to 3, got 4"):
        layer_stands_out(tokens, strengths, 4)
    small, few = random_tokens(5, texts=12, types=80)
    found = layer_stands_out(small, few.normal(size=(3, len(small))), 0, draws=100)
    assert found.tested.missing == ""
    assert found.picks == ()  # a half has only six texts
