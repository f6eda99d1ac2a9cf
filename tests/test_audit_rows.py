"""Rows of scores and controls: against scikit-learn, scipy and plain loops over texts."""

import numpy as np
import pytest
from audited import random_tokens
from scipy.stats import false_discovery_control
from sklearn.metrics import roc_auc_score

from activation_flow import audit_rows
from activation_flow.audit_data import Score


@pytest.fixture(scope="module")
def corpus():
    """Tokens, a score with NaN, one that says nothing, one that is missing, one of one kind."""
    tokens, random = random_tokens(3, texts=30)
    one = tokens.kind == "content"
    good = np.round(one + random.normal(0, 1.0, len(tokens)), 1)
    good[random.random(len(tokens)) < 0.1] = np.nan
    none = np.full(len(tokens), np.nan)
    scores = [
        made("norm", good, layer=4, role="strength", top_share=(0.1, 0.2)),
        made("random", random.normal(size=len(tokens)), role="control"),
        made("frequency", tokens.frequency, note="counts", seconds_per_1000_tokens=0.5),
        made("attention", none, layer=3, missing="the model hides its attention"),
        made("one kind", np.where(one, 1.0, np.nan)),
        made("normalised", np.full(len(tokens), 5.0), layer=4, role="control", note="‖z‖"),
    ]
    return tokens, scores, audit_rows.score_rows(scores, tokens)


def made(name, values, layer=None, role="baseline", **more):
    return Score(name=name, title=name.upper(), layer=layer, values=values, role=role, **more)


def within(tokens, values):
    """AUC within texts, weighted by pairs, and how many texts have pairs."""
    wins, pairs, texts = 0.0, 0, 0
    for number in range(tokens.n_texts):
        own = (tokens.text == number) & np.isfinite(values) & tokens.compared
        one = (tokens.kind == "content")[own]
        if one.any() and not one.all():
            n = int(one.sum() * (~one).sum())
            wins += n * roc_auc_score(one, values[own])
            pairs, texts = pairs + n, texts + 1
    return wins / pairs, texts


def test_auc_of_every_row(corpus):
    tokens, scores, rows = corpus
    assert [row.score for row in rows] == [score.name for score in scores]
    for score, row in list(zip(scores, rows, strict=True))[:3]:
        known = np.isfinite(score.values) & tokens.compared
        value, texts = within(tokens, score.values)
        assert row.auc == pytest.approx(value)
        assert row.texts == texts
        assert row.tokens <= known.sum()
        pooled = roc_auc_score((tokens.kind == "content")[known], score.values[known])
        assert row.pooled == pytest.approx(pooled)
        low, high = row.interval
        assert low < row.auc < high
        assert (row.missing, row.title, row.note) == ("", score.title, score.note)
        assert row.top_share == score.top_share
        assert row.seconds_per_1000_tokens == score.seconds_per_1000_tokens


def test_what_has_no_number_says_why(corpus):
    _, _, rows = corpus
    for row, why in ((rows[3], "hides its attention"), (rows[4], "no text holds content and")):
        assert (row.auc, row.interval, row.p, row.p_bh, row.pooled) == (None,) * 5
        assert (row.tokens, row.texts) == (0, 0)
        assert why in row.missing


def test_p_values_are_adjusted_over_the_tested_rows(corpus):
    _, _, rows = corpus
    tested = [row for row in rows if row.p is not None]
    assert len(tested) == 4
    expected = false_discovery_control([row.p for row in tested])
    assert [row.p_bh for row in tested] == pytest.approx(expected.tolist())


def test_copies_are_compared_on_the_tokens_that_all_have(corpus):
    tokens, scores, _ = corpus
    ours, copy = scores[0].values, scores[1].values.copy()
    copy[tokens.text > 15] = np.nan  # out of the sample
    other = np.where(np.isnan(copy), np.nan, -copy)
    found = audit_rows.beside(ours, [copy, other], tokens)
    known = np.isfinite(ours) & np.isfinite(copy)
    values = [within(tokens, np.where(known, v, np.nan))[0] for v in (ours, copy, other)]
    assert values[1] + values[2] == pytest.approx(1)
    assert found.auc == pytest.approx(0.5)
    assert found.difference == pytest.approx(values[0] - 0.5)
    low, high = found.interval
    assert low <= found.difference <= high
    assert audit_rows.beside(ours, [], tokens) is None
    assert audit_rows.beside(ours, [np.full(len(tokens), np.nan)], tokens) is None
    same = audit_rows.beside(ours, [ours], tokens)
    assert (same.difference, same.interval) == (0, (0, 0))
