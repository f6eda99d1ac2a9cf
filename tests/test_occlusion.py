"""Occlusion of words, against one call of the model for every hidden word."""

from typing import Any

import numpy as np
import plain_calls
import pytest
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import eager, heads, occlusion, outputs, perturbing, units
from activation_flow.audit_data import Score
from activation_flow.outputs import Question


def hidden(
    model: Any, kind: str, asked: Question, unit: np.ndarray, token: int
) -> dict[int, float]:
    """Of every word that may go, how far the main output moves without it."""
    ids, at = asked.ids.tolist(), asked.target_at.tolist()
    targets = asked.target_ids.tolist()
    before = plain_calls.said(model, kind, ids, at, targets)
    found = {}
    for word in set(unit[unit >= 0].tolist()):
        if asked.free[unit == word].all():
            other = [token if u == word else i for i, u in zip(ids, unit, strict=True)]
            after = plain_calls.said(model, kind, other, at, targets)
            found[word] = plain_calls.moved(kind, before, after)[0]
    return found


@pytest.mark.parametrize("kind", ["mlm", "next", "embedding"])
def test_every_word_is_hidden_alone(kind: str) -> None:
    pair = plain_calls.made(kind)
    encoder = af.Encoder.from_pretrained(pair, engine="torch", threads=1)
    encoded, _ = encoder.tokenize(TEXTS[:3])
    tokens = tokens_of(encoded)
    words = units.of_words(encoded, tokens)
    told = []
    sampled = eager.sample(encoded, tokens, [0, 2])
    sampled = eager.Sample(encoded, tokens, sampled.texts, 0, lambda *at: told.append(at))
    with heads.opened(encoder) as headed:
        (found,) = occlusion.score(encoder, headed, sampled, words)
        token = headed.blank_id if headed.mask_id is None else headed.mask_id
        every = {i: outputs.questions(headed, encoded[i], _local(words, tokens, i)) for i in (0, 2)}
    assert isinstance(found, Score)
    assert (found.name, found.layer, found.role, found.pooling) == (
        "occlusion", None, "baseline", "max",
    )  # fmt: skip
    assert found.seconds_per_1000_tokens
    assert found.seconds_per_1000_tokens > 0
    assert ("masked" in found.note) is (kind != "next")
    assert told == [(1, 2), (2, 2)]
    assert np.isnan(found.values[tokens.text == 1]).all()
    for i, asked in every.items():
        unit = _local(words, tokens, i)
        each = [hidden(pair[0], kind, one, unit, token) for one in asked]
        assert len(each) == (3 if kind == "mlm" else 1)
        wanted = [np.mean([one[u] for one in each if u in one]) if u >= 0 else np.nan for u in unit]
        assert kind != "mlm" or {sum(u in one for one in each) for u in set(unit) - {-1}} == {2}
        np.testing.assert_allclose(found.values[tokens.text == i], wanted, rtol=1e-3, atol=2e-6)


def test_a_model_that_cannot_be_asked() -> None:
    tokens: Any = range(3)
    (found,) = occlusion.unavailable(tokens, "no room")
    assert (found.name, found.missing, len(found.values)) == ("occlusion", "no room", 3)
    assert np.isnan(found.values).all()


def _local(words: units.Units, tokens: Any, i: int) -> np.ndarray:
    return perturbing.numbered(words.of_token[tokens.text == i])
