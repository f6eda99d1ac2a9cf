"""Controls: against scipy, plain loops and the claims' own tests."""

import numpy as np
import pytest
from audited import audit_tokens, random_tokens
from scipy.stats import binomtest

from activation_flow import audit_controls
from activation_flow.audit_controls import (
    claims_control,
    normalised_controls,
    random_control,
    shuffled_controls,
)
from activation_flow.audit_data import Score
from activation_flow.audit_rows import score_rows
from activation_flow.claim_tests import content_above_function
from activation_flow.claim_tests_high import consistently_high
from activation_flow.multiplicity import holm
from activation_flow.threshold_sweep import Cut, high_tokens
from activation_flow.within import auc_row, by_kind, within_auc


@pytest.fixture(scope="module")
def tokens():
    return random_tokens(3, texts=30)[0]


def noise(tokens, seed, layers=2):
    """Strengths of a copy; the last five texts are not of the sample."""
    copy = np.random.default_rng(seed).normal(10, 1, (layers, len(tokens)))
    copy[:, tokens.text >= 25] = np.nan
    return copy


def normalised(values, layer=4):
    return Score(
        name="normalised", title="", layer=layer, values=values, role="control", note="‖z‖"
    )


def test_the_normalised_state_says_nothing(tokens):
    flat, kinds = np.full(len(tokens), 5.0), (tokens.kind == "content").astype(float)
    rows = score_rows([normalised(flat), normalised(kinds, 5)], tokens)
    control, failed = normalised_controls(rows)
    assert (control.control, control.layer, control.note) == ("normalised state", 4, "‖z‖")
    assert (control.auc, control.p, control.passed) == (0.5, 1, True)
    assert (failed.auc, failed.passed) == (1, False)
    assert failed.p == 2 * rows[1].p


def test_copies_are_judged_over_all_layers_at_once(tokens):
    one = tokens.kind == "content"
    copies = [noise(tokens, seed, 3) for seed in range(2)]
    for copy in copies:
        copy[2] += 5 * one
    found = [*shuffled_controls(copies, (0, 4, 5), tokens, "seeds 0 to 1")]
    assert [control.layer for control in found] == [0, 4, 5]
    alone = []
    for k, control in enumerate(found):
        aucs = [within_auc(by_kind(tokens), copy[k]).value for copy in copies]
        assert control.auc == pytest.approx(np.mean(aucs))
        assert control.note == f"seeds 0 to 1: {aucs[0]:.3f}, {aucs[1]:.3f}"
        only = [*shuffled_controls([copy[[k]] for copy in copies], (0,), tokens, "")]
        alone.append(only[0].p)
    assert [control.p for control in found] == pytest.approx(holm(alone))
    assert [control.passed for control in found] == [True, True, False]
    assert [*shuffled_controls([], (0, 5), tokens, "")] == []


def test_of_copies_the_claims_own_tests_are_asked(tokens):
    copies = [noise(tokens, seed) for seed in range(2)]
    found = claims_control(copies, (3, 4), 0, tokens, draws=199, seed=7)
    assert (found.score, found.layer, found.auc) == ("claims C1, C4, C9", 3, None)
    assert found.passed
    assert found.p >= 0.05
    sample = tokens.text < 25
    part = audit_tokens(
        *(getattr(tokens, name)[sample] for name in ("kind", "text", "type")),
        frequency=tokens.frequency[sample],
    )
    first = []
    for copy in copies:
        strength = copy[0][sample]
        high = high_tokens(strength, part.kind != "special", part.text, Cut())
        first.append(content_above_function(part, strength, draws=199, seed=7))
        first.append(consistently_high(part, high, draws=199, seed=7).tested)
    least = min(tested.p for tested in first)
    assert found.p <= 6 * least
    assert "6 in all; copies: 2, 199 draws each, seed 7; smallest p" in found.note
    half = np.mean([np.diff(tested.interval)[0] for tested in first[::2]]) / 2
    assert f"known to ±{half:.2f}" in found.note
    assert "C7 cannot be tested: no token is known to be a punctuation mark" in found.note


def test_a_copy_in_which_something_is_found_fails(tokens):
    copies = [noise(tokens, seed) for seed in range(2)]
    copies[1][0] += 5 * (tokens.kind == "content")
    found = claims_control(copies, (3, 4), 0, tokens, draws=199, seed=0)
    assert (found.p, found.passed) == (pytest.approx(6 / 200), False)
    assert "smallest p before it is adjusted: 0.005 (C1, copy 2)" in found.note
    few = claims_control(copies, (3, 4), 0, tokens, draws=99, seed=0)
    assert (few.p, few.passed) == (pytest.approx(0.06), None)
    assert "with so few draws none can be below 0.05" in few.note
    last = claims_control(copies, (3, 4), 1, tokens, draws=199, seed=0)
    assert (last.score, last.layer, last.passed) == ("claims C1, C4", 4, True)


def test_without_copies_or_words_there_is_no_control_of_claims(tokens):
    assert claims_control([], (3,), 0, tokens, draws=9, seed=0) is None
    unknown = audit_tokens([""] * len(tokens), tokens.text, tokens.type)
    found = claims_control([noise(tokens, 0)], (3, 4), 0, unknown, draws=99, seed=0)
    assert (found.score, found.p, found.passed) == ("claims", None, None)
    assert "C1 cannot be tested: no token is known to be a content word" in found.note


def test_random_scores_are_as_often_found_as_they_should_be(tokens):
    found = random_control(tokens, 7)
    draws = [*audit_controls.random_scores(tokens, 200, 7)]
    rows = [auc_row(values, tokens) for values in draws]
    false = sum(row.p < 0.05 for row in rows)
    aucs = np.array([row.auc for row in rows])
    assert found.p == pytest.approx(binomtest(false, 200, 0.05, alternative="greater").pvalue)
    assert found.passed == (found.p >= 0.05)
    assert f"{false} of 200 have p < 0.05" in found.note
    assert "mean of 200 draws, seed 7; 95 % of them are from" in found.note
    low, high = found.interval
    assert found.auc == pytest.approx(aucs.mean())
    assert low < found.auc < high
    assert (high - low) / 2 == pytest.approx(1.972 * aucs.std(ddof=1) / np.sqrt(200), rel=0.01)
    assert found == random_control(tokens, 7) != random_control(tokens, 8)
    of_one_kind = audit_tokens(["content"] * 4, [0, 0, 1, 1], [0, 1, 2, 3])
    assert random_control(of_one_kind, 7) is None


def test_scores_that_are_found_too_often_fail(tokens):
    telling = (tokens.kind == "content") + np.random.default_rng(0).normal(size=len(tokens)) / 9
    assert not audit_controls._of_draws([telling] * 200, tokens, "").passed
    never = audit_controls._of_draws([np.ones(len(tokens))] * 200, tokens, "seed 7")
    assert (never.auc, never.p, never.passed) == (0.5, 1, True)
    assert never.note.startswith("mean of 200 draws, seed 7; 95 % of them are from 0.500 to 0.500")
