"""The torch model behind an encoder: the same weights or a clear no, and left as it was."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import eager, identity
from activation_flow.data import ActivationFlowError

MANY = [*TEXTS, "a", "a b", "b a", TEXTS[0].upper()]


def strengths(tap: Any, sampled: eager.Sample, n: int = 4) -> np.ndarray:
    found = np.full((n, len(sampled.tokens)), np.nan)
    for batch in eager.batches(tap, sampled):
        out = eager.forward(tap, batch.inputs)
        found[:, batch.rows] = torch.stack(out[:n]).numpy()
        np.testing.assert_array_equal(sampled.tokens.id[batch.rows], batch.ids)
    return found


@pytest.mark.parametrize("engine", ["openvino", "torch"])
@pytest.mark.parametrize("attention", [None, "eager"])
def test_the_same_strengths(tiny: Callable[..., Any], engine: str, attention: str | None) -> None:
    encoder = af.Encoder.from_pretrained(tiny("bert"), engine=engine)
    encoded, _ = encoder.tokenize(MANY)
    sampled = eager.sample(encoded, tokens_of(encoded), range(len(encoded)))
    with eager.opened(encoder, attention) as tap:
        assert tap.model.config._attn_implementation == (attention or "sdpa")
        found = strengths(tap, sampled)
    truth = np.concatenate([r.strength for r in encoder.strength(MANY, layers="all")], axis=1)
    np.testing.assert_allclose(found, truth, rtol=2e-5)


def test_a_live_model_is_left_as_it_was(tiny: Callable[..., Any]) -> None:
    model, tokenizer = tiny("bert")
    model = copy.deepcopy(model).train()
    model.encoder.layer[1].eval()
    encoder = af.Encoder.from_pretrained((model, tokenizer))
    before = copy.deepcopy((model.state_dict(), model.config.to_dict()))
    modes = [m.training for m in model.modules()]
    with eager.opened(encoder, "eager") as tap:
        assert not any(m.training for m in model.modules())
        assert tap.model is model
    assert [m.training for m in model.modules()] == modes
    assert model.config.to_dict() == before[1]
    assert model.config._attn_implementation == "sdpa"
    assert all(torch.equal(v, before[0][k]) for k, v in model.state_dict().items())
    assert identity.meddled_with(model) == ""


def test_a_changed_model_is_refused(tiny: Callable[..., Any]) -> None:
    model, tokenizer = tiny("bert")
    model = copy.deepcopy(model)
    encoder = af.Encoder.from_pretrained((model, tokenizer))
    handle = model.pooler.register_forward_hook(lambda *_: None)
    with pytest.raises(ActivationFlowError, match=r"has changed since .*forward hook"):
        eager.opened(encoder).__enter__()
    handle.remove()
    with eager.opened(encoder):
        pass
    with torch.no_grad():
        model.encoder.layer[0].output.dense.bias[0] += 1
    with pytest.raises(ActivationFlowError, match=r"has changed since .*it was xxh3"):
        eager.opened(encoder).__enter__()


def test_an_eager_engine_keeps_its_own_weights(tiny: Callable[..., Any]) -> None:
    model, tokenizer = tiny("bert")
    model = copy.deepcopy(model)
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
    with torch.no_grad():
        model.encoder.layer[0].output.dense.bias[0] += 1
    with eager.opened(encoder) as tap:
        own = dict(tap.model.named_parameters())
    truth = dict(tiny("bert")[0].named_parameters())
    assert all(torch.equal(own[name], truth[name]) for name in own)


def test_a_model_of_files_is_loaded_again_if_it_is_the_same(
    minilm: af.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with eager.opened(minilm) as tap:
        ids = torch.tensor(minilm.strength("a b").ids)[None]
        found = np.stack(
            [norms[0] for norms in eager.forward(tap, (ids, ids * 0 + 1, ids * 0))[:7]]
        )
    np.testing.assert_allclose(found, minilm.strength("a b", layers="all").strength, rtol=2e-5)
    monkeypatch.setattr(minilm, "revision", "sha256:another")
    with pytest.raises(ActivationFlowError, match=r"has changed since .*it was sha256:another"):
        eager.opened(minilm).__enter__()


def test_an_encoder_from_another_process_has_no_model(tiny_encoder: af.Encoder) -> None:
    with pytest.raises(ActivationFlowError, match="came from another process"):
        eager.opened(pickle.loads(pickle.dumps(tiny_encoder))).__enter__()


def test_attention_that_a_model_does_not_have_is_refused(tiny_encoder: af.Encoder) -> None:
    with pytest.raises(ActivationFlowError, match="cannot run with nonsense attention"):
        eager.opened(tiny_encoder, "nonsense").__enter__()


def test_texts_of_several_windows_are_counted(tiny: Callable[..., Any]) -> None:
    encoder = af.Encoder.from_pretrained(tiny("bert"), engine="torch")
    encoded, _ = encoder.tokenize([*MANY, "a b " * 100])
    tokens = tokens_of(encoded)
    sampled = eager.sample(encoded, tokens, [0, 2, len(MANY)])
    assert sampled.texts == (0, 2)
    assert sampled.note == "over 2 texts (1 that take several windows left out)"
    assert len(sampled) == sampled.read.sum() == np.isin(tokens.text, [0, 2]).sum()
    with eager.opened(encoder) as tap:
        found = strengths(tap, sampled)
    assert (np.isfinite(found) == sampled.read).all()
    with pytest.raises(ActivationFlowError, match="no text in the sample that is read in one"):
        eager.sample(encoded, tokens, [len(MANY)])
    with pytest.raises(ValueError, match="not those of these 9 texts"):
        eager.sample(encoded[:-1], tokens, [0])


def test_batches_tell_how_many_texts_are_done(tiny: Callable[..., Any]) -> None:
    encoder = af.Encoder.from_pretrained(tiny("bert"), engine="torch")
    encoded, _ = encoder.tokenize(MANY)
    told: list[tuple[int, int]] = []
    every = range(len(encoded))
    sampled = replace(
        eager.sample(encoded, tokens_of(encoded), every), watch=lambda *done: told.append(done)
    )
    with eager.opened(encoder) as tap:
        sizes = [len(batch.ids) for batch in eager.batches(tap, sampled, lambda _: 2)]
    assert told == [(int(done), len(every)) for done in np.cumsum(sizes)]


def test_batches_hold_texts_of_one_length_and_each_once(tiny: Callable[..., Any]) -> None:
    encoder = af.Encoder.from_pretrained(tiny("bert"), engine="torch")
    encoded, _ = encoder.tokenize(MANY * 3)
    sampled = eager.sample(encoded, tokens_of(encoded), range(len(encoded)))
    with eager.opened(encoder) as tap:
        made = [*eager.batches(tap, sampled, lambda n: 2)]
    assert max(len(batch.ids) for batch in made) == 2
    rows = np.concatenate([batch.rows.ravel() for batch in made])
    assert sorted(rows.tolist()) == [*range(len(sampled.tokens))]
    assert [b.ids.shape[1] for b in made] == sorted((b.ids.shape[1] for b in made), reverse=True)
    assert len(next(eager.batches(tap, sampled, lambda n: 0)).ids) == 1
