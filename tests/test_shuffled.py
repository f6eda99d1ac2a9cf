"""The shuffled control: the same values in every tensor, in another order; the model untouched."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import eager, room, shuffled
from activation_flow.data import ActivationFlowError


@pytest.fixture
def material(tiny: Callable[..., Any]) -> tuple[af.Encoder, eager.Sample, Any]:
    """An encoder on the model itself (no conversion), a sample, and the model."""
    model, tokenizer = copy.deepcopy(tiny("bert"))
    # Tied: they are one parameter.
    model.encoder.layer[1].output.dense.weight = model.encoder.layer[0].output.dense.weight
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
    encoded, _ = encoder.tokenize(TEXTS)
    return encoder, eager.sample(encoded, tokens_of(encoded), [0, 1, 4]), model


def test_every_tensor_keeps_its_values_and_loses_their_order(material: Any) -> None:
    encoder, _, model = material
    with eager.opened(encoder, "eager") as tap:
        other = shuffled._shuffled(encoder, tap, 3).model
        again = shuffled._shuffled(encoder, tap, 3).model
    assert other is not tap.model
    before, after, same = (dict(m.named_parameters()) for m in (model, other, again))
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor.flatten().sort().values, after[name].flatten().sort().values)
        assert not torch.equal(tensor, after[name])
        assert torch.equal(same[name], after[name])
    layers = other.encoder.layer
    assert layers[0].output.dense.weight is layers[1].output.dense.weight


def test_strengths_are_those_of_the_shuffled_model(material: Any) -> None:
    encoder, sampled, model = material
    state = copy.deepcopy(model.state_dict())
    with eager.opened(encoder, "eager") as tap:
        found = shuffled.norms(encoder, tap, sampled, (3, 0), seed=3)
        other = shuffled._shuffled(encoder, tap, 3).model
        assert all(torch.equal(v, state[k]) for k, v in tap.model.state_dict().items())
        different = shuffled.norms(encoder, tap, sampled, (3, 0), seed=4)
    assert found.shape == (2, len(sampled.tokens))
    assert (np.isfinite(found) == sampled.read).all()
    assert not np.isclose(found[0], different[0])[sampled.read].any()
    for i in sampled.texts:
        one = sampled.encoded[i]
        with torch.no_grad():
            hidden = other(
                torch.tensor(one.text.ids)[None], output_hidden_states=True
            ).hidden_states
        rows = sampled.tokens.text == i
        for row, layer in zip(found, (3, 0), strict=True):
            np.testing.assert_allclose(row[rows], hidden[layer][0].norm(dim=-1), rtol=1e-4)
    assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())


def test_a_live_model_is_not_touched(tiny: Callable[..., Any]) -> None:
    model, tokenizer = tiny("bert")
    before = copy.deepcopy(model.state_dict())
    encoder = af.Encoder.from_pretrained((model, tokenizer))
    encoded, _ = encoder.tokenize(TEXTS[:2])
    sampled = eager.sample(encoded, tokens_of(encoded), [0, 1])
    with eager.opened(encoder) as tap:
        assert tap.model is model
        shuffled.norms(encoder, tap, sampled, (2,))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    with eager.opened(encoder):  # still the model that the encoder was made of
        pass


def test_no_room_for_a_copy(material: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, sampled, _ = material
    monkeypatch.setattr(room, "available_memory", lambda: 1000)
    with (
        eager.opened(encoder) as tap,
        pytest.raises(ActivationFlowError, match=r"shuffled weights takes about 0\.0 GiB"),
    ):
        shuffled.norms(encoder, tap, sampled, (2,))


def test_strengths_that_are_not_finite_are_refused(material: Any) -> None:
    encoder, sampled, _ = material
    with eager.opened(encoder) as tap:
        with torch.no_grad():
            tap.model.encoder.layer[0].output.dense.weight[0, 0] = float("nan")
        with pytest.raises(ActivationFlowError, match="not finite"):
            shuffled.norms(encoder, tap, sampled, (2,))
