"""Norms and trivial scores in one pass: the same as with all variants beside them."""

import numpy as np
import pytest
from architectures import TEXTS
from audit_material import tokens_of

import activation_flow as af
from activation_flow import scoring_passes
from activation_flow.scoring import fast_scores
from activation_flow.scoring_norms import norm_scores


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


def test_they_are_those_of_the_whole_table(bert, monkeypatch):
    monkeypatch.setattr(scoring_passes, "TIMED", 20)
    encoded, _ = bert.tokenize(TEXTS)
    tokens, told = tokens_of(encoded), []
    found = norm_scores(
        bert, encoded, tokens, (1, 3), seed=4, progress=lambda *done: told.append(done)
    )
    whole = fast_scores(bert, encoded, tokens, (1, 3), seed=4)
    assert np.array_equal(found.norms, whole.norms)
    by_name = {(one.name, one.layer): one for one in whole.scores}
    for one in found.scores:
        same = by_name[one.name, one.layer]
        assert np.array_equal(one.values, same.values, equal_nan=True)
        assert (one.title, one.role, one.note) == (same.title, same.role, same.note)
        assert (one.seconds_per_1000_tokens is None) == (same.seconds_per_1000_tokens is None)
    names = [(one.name, one.layer) for one in found.scores]
    assert names[:3] == [("norm", 1), ("norm", 3), ("layer_0_norm", None)]
    assert told == [(k, len(TEXTS)) for k in range(1, len(TEXTS) + 1)]


def test_a_text_without_finite_norms_is_told_and_has_none(bert, monkeypatch):
    encoded, _ = bert.tokenize(TEXTS[:3])

    class Broken:
        width, n_layers = bert.width, bert.n_layers

        def run(self, texts, layers, hidden=()):
            for i, norms, states in bert.run(texts, layers, hidden):
                yield i, np.where(i == 1, np.inf, norms), states

    monkeypatch.setattr(scoring_passes, "TIMED", 20)
    tokens = tokens_of(encoded)
    found = norm_scores(Broken(), encoded, tokens, (2,))
    assert [*found.failed] == [1]
    assert "is not finite" in found.failed[1]
    assert np.isnan(found.norms[0, tokens.text == 1]).all()
    assert np.isfinite(found.norms[0, tokens.text != 1]).all()
