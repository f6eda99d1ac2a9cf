"""C10: ρ and its p against scipy and enumeration, and what cannot be tested."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from activation_flow.claim_tests_prompts import shift_predicts_gain


def made(gains, shifts, texts=40, seed=0):
    """Texts of which each prompt wins so many, and shifts around these means."""
    random = np.random.default_rng(seed)
    correct = np.zeros((len(gains) + 1, texts), dtype=bool)
    correct[0, 10:20] = True
    for row, gain in zip(correct[1:], gains, strict=True):
        row[10:20] = True
        row[20 : 20 + max(gain, 0)] = True
        row[10 : 10 + max(-gain, 0)] = False
    noise = random.normal(size=texts)
    return np.array(shifts, dtype=float)[:, None] + 0.1 * (noise - noise.mean()), correct


ranks = st.lists(st.integers(-4, 4), min_size=5, max_size=5)


@settings(max_examples=10)
@given(gains=ranks, shifts=ranks)
def test_rho_and_p_are_those_of_enumeration(gains, shifts):
    shifts = [shift + 10 for shift in shifts]
    found = shift_predicts_gain(*made(gains, shifts), labels=2)
    if len({*gains}) == 1 or len({*shifts}) == 1:
        assert found.effect is None
        return
    rho = spearmanr(shifts, gains).statistic
    assert found.effect == pytest.approx(rho)
    others = [spearmanr(shifts, order).statistic for order in permutations(gains)]
    assert found.p == pytest.approx(np.mean(np.array(others) >= rho - 1e-9))
    assert found.interval[0] <= found.effect <= found.interval[1]
    assert found.n == {"prompts": 5, "texts": 40, "labels": 2}
    assert found.method.startswith("all 120 orders of the prompts; interval: 2,000 times")


def test_many_prompts_have_random_orders():
    gains, shifts = [0, 2, 1, 4, 3, 5, 7, 6, 8], [1, 2, 4, 3, 5, 9, 7, 8, 6]
    found = shift_predicts_gain(*made(gains, shifts), labels=3, draws=20_000, seed=1)
    exact = spearmanr(shifts, gains, alternative="greater")
    assert found.effect == pytest.approx(exact.statistic)
    assert found.p == pytest.approx(exact.pvalue, rel=0.5)
    assert "20,000 random orders of the prompts, seed 1" in found.method
    again = shift_predicts_gain(*made(gains, shifts), labels=3, draws=19, seed=1)
    assert again.p >= 1 / 20


def test_the_interval_is_that_of_texts_drawn_anew():
    random = np.random.default_rng(0)
    level = np.linspace(-1, 1, 6)[:, None]
    shift = np.exp(level + random.normal(size=(6, 80)))
    correct = random.random((7, 80)) < 0.5 + 0.1 * np.concatenate([[[0.0]], level])
    found = shift_predicts_gain(shift, correct, labels=2, seed=5)
    drawn = []
    for _ in range(500):
        texts = random.integers(0, 80, 80)
        gain = correct[1:, texts].sum(axis=1) - correct[0, texts].sum()
        drawn.append(spearmanr(shift[:, texts].mean(axis=1), gain).statistic)
    middle, half = 2 * found.effect - np.mean(drawn), 1.96 * np.std(drawn)
    assert half > 0.15
    ends = (max(middle - half, -1), min(middle + half, 1))
    assert found.interval == pytest.approx(ends, abs=0.05)
    assert found.interval == shift_predicts_gain(shift, correct, labels=2, seed=5).interval
    # Prompts that are the same to the model are tied, also where arithmetic tells them apart.
    shift[1] = shift[0] * (1 + 1e-9)
    tied = shift_predicts_gain(shift, correct, labels=2).effect
    gains = correct[1:].sum(axis=1) - correct[0].sum()
    assert tied == pytest.approx(spearmanr([0, 0, 1, 2, 3, 4], gains).statistic)


@pytest.mark.parametrize(
    ("gains", "shifts", "texts", "missing"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], 40, "there are 4 prompts; it takes 5"),
        ([1], [1], 40, "there is 1 prompt; it takes 5"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 9, "there are 9 labelled texts; it takes 10"),
        ([0] * 5, [1, 2, 3, 4, 5], 40, "no prompt changes how many labels are read"),
        ([2] * 5, [1, 2, 3, 4, 5], 40, "all prompts change how many labels are read alike"),
        ([1, 2, 3, 4, 5], [3] * 5, 40, "all prompts shift the texts equally far"),
    ],
)
def test_what_cannot_be_tested(gains, shifts, texts, missing):
    shift, correct = made(gains, shifts)
    found = shift_predicts_gain(shift[:, :texts], correct[:, :texts], labels=2)
    assert (found.effect, found.p, found.missing) == (None, None, missing)
