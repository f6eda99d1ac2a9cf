"""The trivial scores say what the tokens say, and are drawn with a seed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from audit_material import tokens_of

import activation_flow as af
from activation_flow import baselines, score_vectors
from activation_flow.audit_data import AuditTokens


@pytest.fixture
def tokens(tiny_encoder: af.Encoder) -> AuditTokens:
    return tokens_of(tiny_encoder.tokenize(["the day of the park", "the days at the park!"])[0])


def test_they_are_the_columns_of_the_tokens(tokens: AuditTokens) -> None:
    scores = {score.name: score for score in baselines.trivial_scores(tokens, 5)}
    np.testing.assert_array_equal(scores["frequency"].values, -tokens.frequency)
    named = replace(tokens, frequency_name="rarity by counts of x.tsv")
    assert [score.title for score in baselines.trivial_scores(named, 5)][:2] == [
        "rarity by counts of x.tsv",
        "length",
    ]
    for name in ("length", "position", "subword"):
        np.testing.assert_array_equal(scores[name].values, getattr(tokens, name))
        assert scores[name].role == "baseline"
    assert all(score.layer is None and score.missing == "" for score in scores.values())
    assert scores["random"].role == "control"
    assert "seed 5" in scores["random"].note


def test_random_scores_are_those_of_the_seed(tokens: AuditTokens) -> None:
    draws = [*baselines.random_scores(tokens, 3, 5)]
    assert [len(draw) for draw in draws] == [len(tokens)] * 3
    assert not np.array_equal(draws[0], draws[1])
    again = [*baselines.random_scores(tokens, 3, 5)]
    np.testing.assert_array_equal(draws, again)
    shown = baselines.trivial_scores(tokens, 5)[-1].values
    np.testing.assert_array_equal(draws[0], shown)


def test_without_any_frequency_there_is_a_reason(tokens: AuditTokens) -> None:
    unknown = replace(tokens, frequency=np.full(len(tokens), np.nan))
    score, *_ = baselines.trivial_scores(unknown, 0)
    assert score.missing == "the frequency of no token is known"


def test_residuals_leave_out_special_tokens_and_what_occurs_once(tokens: AuditTokens) -> None:
    norms: Any = np.random.default_rng(0).uniform(5, 9, (2, len(tokens))).astype(np.float32)
    norms[1, tokens.text == 1] = np.nan  # a text that failed
    (first, second), explained = baselines.type_residuals(tokens, norms, (2, 4), cost=0.25)
    assert first.seconds_per_1000_tokens == second.seconds_per_1000_tokens == 0.25
    own = tokens.kind != "special"
    ids, count = np.unique(tokens.id[own], return_counts=True)
    twice = own & np.isin(tokens.id, ids[count > 1])
    assert np.array_equal(np.isfinite(first.values), twice)
    assert f"{(own & ~twice).sum()} tokens occur once" in first.note
    assert explained[0] == score_vectors.omega_squared(norms[0, own], tokens.id[own])
    the = np.flatnonzero(tokens.token == "the")
    others = np.mean(norms[0, the[1:]].astype(float))
    assert first.values[the[0]] == pytest.approx(norms[0, the[0]] - others)
    assert np.isfinite(second.values).sum() == 2  # "the" of the first text, twice
    alone, _ = baselines.type_residuals(tokens, np.full((1, len(tokens)), np.nan), (2,))
    assert alone[0].missing == "no token occurs twice"
    assert alone[0].seconds_per_1000_tokens is None
