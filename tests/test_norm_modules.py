"""Which norm makes or reads each hidden state: every architecture, and modules that are none."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TABLE, TEXTS
from torch import nn

from activation_flow import norm_modules
from activation_flow import tap as taps

POST = {
    *("bert", "roberta", "xlm-roberta", "electra", "mpnet", "deberta-v2", "albert"),
    *("distilbert", "xlnet"),
}
RMS = {"t5", "llama", "mistral", "qwen2", "qwen3", "gemma3_text", "mamba"}
# Their first hidden state is a projection, or an embedding that no norm reads.
UNKNOWN_AT_0 = {"electra", "albert", "xlnet"}


def layout(model_type: str, layer: int) -> str:
    if layer == 0 and model_type in UNKNOWN_AT_0:
        return "unknown"
    final = layer == 3 and TABLE[model_type].final_norm
    first = layer == 0 and model_type == "modernbert"
    side = "post" if model_type in POST or final or first else "pre"
    return f"{side}-{'RMSNorm' if model_type in RMS else 'LayerNorm'}"


def opened(tiny: Callable[..., Any], model_type: str, text: str = TEXTS[3]) -> Any:
    model, tokenizer = tiny(model_type)
    tap = taps.make_tap(model, tokenizer.model_input_names)
    return tap, taps.feed(tap, torch.tensor([tokenizer(text)["input_ids"]]))


@pytest.mark.parametrize("model_type", TABLE)
def test_every_architecture(tiny: Callable[..., Any], model_type: str) -> None:
    tap, inputs = opened(tiny, model_type)
    places = norm_modules.find(tap, inputs)
    assert [p.layout for p in places] == [layout(model_type, layer) for layer in range(4)]
    for norm in (p.norm for p in places if p.norm is not None):
        weight = norm.module.weight.detach().double().numpy()
        own = 1 + weight if model_type == "gemma3_text" else weight
        np.testing.assert_array_equal(norm.gain, own)
        bias = getattr(norm.module, "bias", None)
        np.testing.assert_array_equal(norm.bias, 0 if bias is None else bias.detach().numpy())
        stated = [vars(norm.module).get(name) for name in ("eps", "variance_epsilon")]
        assert norm.epsilon == pytest.approx(next(filter(None, stated)), rel=0.1, abs=3e-7)


@pytest.mark.parametrize("model_type", ["bert", "albert", "xlnet", "modernbert"])
def test_what_a_norm_reads_gives_what_it_makes(tiny: Callable[..., Any], model_type: str) -> None:
    tap, _ = opened(tiny, model_type)
    norms = {p.layer: p.norm for p in norm_modules.find(*opened(tiny, model_type)) if p.post}
    _, tokenizer = tiny(model_type)
    ids = torch.tensor([tokenizer(TEXTS[3])["input_ids"]])
    hooks = [len(m._forward_hooks) for m in tap.modules()]
    with norm_modules.inputs_of(tap, {k: n for k, n in norms.items() if n}) as read:
        for both in (torch.cat([ids, ids.flip(1)]), ids.flip(1)):  # a second pass starts anew
            with torch.no_grad():
                out = tap(*taps.feed(tap, both))
            assert read.keys() == norms.keys()
            for layer, norm in norms.items():
                assert norm is not None
                torch.testing.assert_close(norm.module(read[layer]), out[4 + layer])
    assert [len(m._forward_hooks) for m in tap.modules()] == hooks


def test_one_call_of_a_shared_module_can_be_asked_for(tiny: Callable[..., Any]) -> None:
    tap, inputs = opened(tiny, "albert")
    every = {p.layer: p.norm for p in norm_modules.find(tap, inputs) if p.norm}
    assert len({id(norm.module) for norm in every.values()}) == 1
    with torch.no_grad(), norm_modules.inputs_of(tap, every) as read:
        tap(*inputs)
        truth = read[1].clone()
    with torch.no_grad(), norm_modules.inputs_of(tap, {1: every[1]}) as read:
        tap(*inputs)
        assert torch.equal(read[1], truth)


class _Scaled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * x


class _Softmax(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.softmax(-1)


def fitted(module: nn.Module, tokens: int = 9) -> norm_modules.Norm | None:
    generator = torch.Generator().manual_seed(0)
    x = 2 + torch.randn(tokens, 16, generator=generator) * torch.rand(
        tokens, 1, generator=generator
    )
    with torch.no_grad():
        arrays = [t.double().numpy() for t in (x, module(x))]
    return norm_modules._fitted(norm_modules._Call("m", module, 0, False, *arrays))


def perturbed(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(torch.randn(p.shape, generator=generator))
            p.flatten()[0] = 0  # a gain of 0, as real models have
    return module


@pytest.mark.parametrize(
    ("module", "centring", "epsilon"),
    [
        (nn.LayerNorm(16, eps=1e-5), True, 1e-5),
        (nn.LayerNorm(16, eps=0.1), True, 0.1),
        (nn.LayerNorm(16, eps=1e-12, bias=False), True, 0),
        (nn.LayerNorm(16, eps=1e-3, elementwise_affine=False), True, 1e-3),
        (nn.RMSNorm(16, eps=1e-6), False, 1e-6),
        (nn.RMSNorm(16, eps=1e-2, elementwise_affine=False), False, 1e-2),
    ],
)
def test_a_norm_is_one(module: nn.Module, centring: bool, epsilon: float) -> None:
    found = fitted(perturbed(module))
    assert found is not None
    assert found.centring == centring
    assert found.epsilon == pytest.approx(epsilon, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(
    "module",
    [nn.Identity(), _Scaled(), _Softmax(), nn.Linear(16, 16), nn.GELU(), nn.BatchNorm1d(16).eval()],
)
def test_what_is_no_norm_is_none(module: nn.Module) -> None:
    assert fitted(module) is None


def test_too_few_tokens_decide_nothing() -> None:
    assert fitted(nn.LayerNorm(16), tokens=2) is None
