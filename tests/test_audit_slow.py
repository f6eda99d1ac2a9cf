"""What needs the live model: where it cannot be had, every row says why, and nothing else fails."""

import copy
import pickle
from dataclasses import replace
from functools import wraps

import numpy as np
import pytest
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import audit_defaults, audit_slow, eager, norms, shuffled
from activation_flow.audit_defaults import COPIES
from activation_flow.audit_slow import Asked

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
    assert len(slow.chosen) == 4
    assert {score.missing for score in slow.scores} == {""}
    read = [np.unique(tokens.text[np.isfinite(score.values)]) for score in slow.scores]
    assert {len(texts) for texts in read if len(texts) < len(TEXTS)} == {4}
    assert [row.layer for row in slow.explained.norms] == [*LAYERS]
    for stage, n in (("norms", 4), ("attention", 4), ("shuffled copies", 4 * COPIES)):
        done = [k for name, k, of in told if name == stage and of == n]
        assert len(done) == sum(name == stage for name, *_ in told)
        assert (done[0], done[-1], done) == (0, n, sorted(done))
        assert len({*done}) > 2  # it moves with every batch


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
    monkeypatch.setattr(audit_defaults, "SMALL", 1000)  # parameters
    slow, *_ = found_by(bert, asked)
    assert slow.shuffled == ()
    assert "parameters, more than 1,000 (--controls makes them)" in slow.notes[-1]
    assert len(found_by(bert, replace(asked, controls=True))[0].shuffled) == COPIES


def all_missing(slow, why, chosen=4):
    assert slow.shuffled == ()
    assert len(slow.chosen) == chosen  # others may still read them
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
    all_missing(slow, "in one window", chosen=0)


def test_a_model_without_attention(tiny):
    encoder = af.Encoder.from_pretrained(tiny("mamba"), engine="torch", threads=1)
    asked = replace(ASKED, layers=(0, 1, 2), main=1)
    slow, tokens, _ = found_by(encoder, asked)
    assert len(slow.chosen) == 4
    for score in slow.attention.scores:
        assert score.missing
        assert np.isnan(score.values).all()
        assert len(score.values) == len(tokens)
    before = [s for s in slow.explained.scores if s.name == norms.BEFORE[0] and not s.missing]
    assert [row.layer for row in slow.explained.norms] == [0, 1, 2]
    assert all(np.isfinite(score.values).any() for score in before)


def test_torch_may_fail_in_its_own_way(bert, monkeypatch):
    def fails(*_):
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(eager, "opened", fails)
    all_missing(found_by(bert)[0], "not enough memory")


def test_attention_that_cannot_be_eager(tiny):
    model, tokenizer = copy.deepcopy(tiny("bert"))

    def refuse(*_, **__):
        raise ValueError("its attention is its own")

    model.set_attn_implementation = refuse  # as some models have it that come with their own code
    slow, *_ = found_by(af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1))
    assert {score.missing for score in slow.explained.scores} == {""}
    for score in slow.attention.scores:
        assert "cannot run with eager attention (its attention is its own)" in score.missing


def test_what_fails_takes_nothing_else_with_it(tiny):
    """A model that names no table of embeddings, and gives attention weights only once."""
    encoder = af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)
    model = encoder.origin[1].tap.model

    def no_table():
        raise NotImplementedError

    model.get_input_embeddings = no_table
    runs, forward = [], model.forward

    @wraps(forward)
    def fails_later(*args, **options):
        runs.append(options.get("output_attentions"))
        if runs.count(True) > 1:
            raise RuntimeError("not enough memory")
        return forward(*args, **options)

    model.forward = fails_later
    slow, *_ = found_by(encoder)
    missing = {s.name: s.missing for s in slow.explained.scores}
    assert missing == {
        **dict.fromkeys((norms.BEFORE[0], norms.CONTROL[0]), ""),
        norms.EMBEDDING[0]: "the model names no table of word embeddings",
    }
    assert {score.missing for score in slow.attention.scores} == {"not enough memory"}
    assert "attention is not available: not enough memory" in slow.notes
    assert len(slow.chosen) == 4


def test_strengths_of_the_audit_are_set_beside_the_formula(bert):
    results = bert.strength(TEXTS, layers="all")
    strengths = np.concatenate([one.strength for one in results], axis=1)
    slow, *_ = found_by(bert, replace(ASKED, norms=strengths))
    for row in slow.explained.norms:
        assert (row.audited_error is None) == (row.error is None)
        assert row.audited_error is None or row.audited_error < 1e-5
    half = strengths.copy()
    half[2] *= 2
    slow, *_ = found_by(bert, replace(ASKED, norms=half))
    off = {row.layer: row.audited_error for row in slow.explained.norms}
    assert off[2] == pytest.approx(0.5, abs=1e-5)
    assert off[1] < 1e-5


def test_only_the_parts_that_are_asked_for(bert):
    slow, _, told = found_by(bert, replace(ASKED, parts=frozenset({"attention"}), stage="files: "))
    assert {score.name for score in slow.scores} == {"attention", "rollout"}
    assert (slow.explained.norms, slow.shuffled, slow.notes) == ((), (), (slow.attention.note,))
    assert {stage for stage, *_ in told} == {"files: attention"}
    nothing, _, told = found_by(bert, replace(ASKED, parts=frozenset()))
    assert (nothing.scores, nothing.notes, told) == ([], (), [])
    assert nothing.chosen == slow.chosen


def test_attention_of_texts_that_no_audit_has(bert, tiny_encoder, whole):
    encoded, _ = bert.tokenize(TEXTS)
    told = []
    score = audit_slow.attention_of(bert, encoded, lambda *done: told.append(done))
    of_audit = whole[0].attention.scores[0]
    assert (score.name, score.title, score.layer) == (of_audit.name, of_audit.title, None)
    known = np.isfinite(of_audit.values)
    np.testing.assert_allclose(score.values[known], of_audit.values[known], rtol=1e-5)
    assert np.isfinite(score.values).all()
    assert told[-1] == (len(TEXTS), len(TEXTS))
    elsewhere = pickle.loads(pickle.dumps(tiny_encoder))
    score = audit_slow.attention_of(elsewhere, encoded, lambda *_: None)
    assert "came from another process" in score.missing
    assert (score.title, score.layer) == (of_audit.title, None)
