"""What needs the live model: where it cannot be had, every row says why, and nothing else fails."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import audit_slow, eager, norms, shuffled
from activation_flow.audit_slow import COPIES, Asked

LAYERS = (0, 1, 2, 3)
ASKED = Asked(layers=LAYERS, main=2, sample=4, seed=5, controls=False)


def found_by(encoder, asked=ASKED, texts=TEXTS):
    """What was found, the tokens, and the stages that were told."""
    encoded, _ = encoder.tokenize(texts)
    tokens, told = tokens_of(encoded), []
    slow = audit_slow.slow(encoder, encoded, tokens, asked, lambda *stage: told.append(stage))
    return slow, tokens, told


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


@pytest.fixture(scope="module")
def whole(bert):
    return found_by(bert, replace(ASKED, controls=True))


def test_a_sample_is_read(bert, whole):
    slow, tokens, told = whole
    assert slow.texts == 4
    assert {score.missing for score in slow.scores} == {""}
    read = [np.unique(tokens.text[np.isfinite(score.values)]) for score in slow.scores]
    assert {len(texts) for texts in read if len(texts) < len(TEXTS)} == {4}
    assert [row.layer for row in slow.explained.norms] == [*LAYERS]
    assert [told[k] for k in (0, 1, 2, 3)] == [
        ("norms", 0, 4),
        ("norms", 4, 4),
        ("attention", 0, 4),
        ("attention", 4, 4),
    ]
    assert told[4:] == [("shuffled copies", k, COPIES) for k in range(COPIES + 1)]


def test_copies_are_those_of_seeds_one_after_the_other(bert, whole):
    slow, tokens, _ = whole
    assert len(slow.shuffled) == COPIES
    encoded, _ = bert.tokenize(TEXTS)
    read = np.unique(tokens.text[np.isfinite(slow.shuffled[0][0])])
    sampled = eager.sample(encoded, tokens, read.tolist())
    with eager.opened(bert, "eager") as tap:
        second = shuffled.norms(bert, tap, sampled, LAYERS, seed=6)
    assert np.array_equal(slow.shuffled[1], second, equal_nan=True)
    assert not np.array_equal(slow.shuffled[0], second, equal_nan=True)


def test_controls(bert, monkeypatch):
    slow, _, told = found_by(bert)
    assert slow.shuffled == ()
    assert slow.notes[-1] == "no copies with shuffled weights were made, as was asked"
    assert {stage for stage, *_ in told} == {"norms", "attention"}
    asked = replace(ASKED, controls=None, sample=1)
    assert len(found_by(bert, asked)[0].shuffled) == COPIES
    monkeypatch.setattr(audit_slow, "SMALL", 1000)  # parameters
    slow, *_ = found_by(bert, asked)
    assert slow.shuffled == ()
    assert "parameters, more than 1,000 (--controls makes them)" in slow.notes[-1]
    assert len(found_by(bert, replace(asked, controls=True))[0].shuffled) == COPIES


def all_missing(slow, why):
    assert slow.shuffled == ()
    assert slow.texts == 0
    assert slow.scores
    for score in slow.scores:
        assert why in score.missing
        assert np.isnan(score.values).all()
    assert {row.layout for row in slow.explained.norms} == {"unknown"}
    assert all(why in row.note for row in slow.explained.norms)
    (note,) = slow.notes
    assert note.startswith("attention, norm modules and shuffled weights are not available: ")
    assert why in note


def test_an_encoder_of_another_process(tiny_encoder):
    slow, *_ = found_by(pickle.loads(pickle.dumps(tiny_encoder)), replace(ASKED, controls=True))
    all_missing(slow, "came from another process")


def test_a_model_that_has_changed(tiny):
    model, tokenizer = copy.deepcopy(tiny("bert"))
    encoder = af.Encoder.from_pretrained((model, tokenizer))
    model.encoder.layer[0].output.dense.weight.data += 1
    all_missing(found_by(encoder)[0], "changed since the encoder")


def test_texts_of_several_windows_only(bert):
    encoded, _ = bert.tokenize(TEXTS, max_length=6)
    tokens = tokens_of(encoded)
    slow = audit_slow.slow(bert, encoded, tokens, ASKED, lambda *_: None)
    all_missing(slow, "in one window")


def test_a_model_without_attention(tiny):
    encoder = af.Encoder.from_pretrained(tiny("mamba"), engine="torch", threads=1)
    asked = replace(ASKED, layers=(0, 1, 2), main=1)
    slow, tokens, _ = found_by(encoder, asked)
    assert slow.texts == 4
    for score in slow.attention.scores:
        assert score.missing
        assert np.isnan(score.values).all()
        assert len(score.values) == len(tokens)
    before = [s for s in slow.explained.scores if s.name == norms.BEFORE[0] and not s.missing]
    assert [row.layer for row in slow.explained.norms] == [0, 1, 2]
    assert all(np.isfinite(score.values).any() for score in before)


def test_attention_that_cannot_be_eager(tiny):
    model, tokenizer = copy.deepcopy(tiny("bert"))

    def refuse(*_, **__):
        raise ValueError("its attention is its own")

    model.set_attn_implementation = refuse  # as some models have it that come with their own code
    slow, *_ = found_by(af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1))
    assert {score.missing for score in slow.explained.scores} == {""}
    for score in slow.attention.scores:
        assert "cannot run with eager attention (its attention is its own)" in score.missing
