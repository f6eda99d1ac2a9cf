"""Exactness: every layer of every architecture of the table against eager Hugging Face.

The oracle is ``model(**tokenizer(text))`` of each text alone, in float32. Judged on models whose
every parameter is perturbed, on hidden-state vectors and on norms; the last tests show that the
judge notices a dropped mask and a layer off by one.
"""

from typing import Any

import numpy as np
import pytest
import torch
from architectures import TABLE, TEXTS

import activation_flow as af

# From one token to far beyond any attention window of the tiny models (8), in one call.
MANY = [*TEXTS, "a", "of the", "a day " * 25, TEXTS[0] * 2, "beautiful"]

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # of transformers' own


def oracle(model: Any, tokenizer: Any, text: str, copies: int = 1) -> np.ndarray:
    """Hidden states [layers tokens width] of a text, as a user of transformers would get them."""
    inputs = {k: v.repeat(copies, 1) for k, v in tokenizer(text, return_tensors="pt").items()}
    if model.config.is_encoder_decoder:
        model = model.get_encoder()
    with torch.no_grad():
        hidden = model(**inputs, output_hidden_states=True).hidden_states
    return np.stack([h[0].numpy() for h in hidden])


def apart(ours: np.ndarray, truth: np.ndarray) -> float:
    """Largest distance of two vectors, relative to the length of the true one."""
    return float((np.linalg.norm(ours - truth, axis=-1) / np.linalg.norm(truth, axis=-1)).max())


def assert_same(ours: np.ndarray, model: Any, tokenizer: Any, text: str) -> None:
    """Vectors and norms agree to max(1e-5, 10 x eager's own alone-against-batch difference)."""
    truth = oracle(model, tokenizer, text)
    bound = max(1e-5, 10 * apart(oracle(model, tokenizer, text, copies=3), truth))
    assert ours.shape == truth.shape
    assert apart(ours, truth) <= bound
    norms, true_norms = (np.linalg.norm(h, axis=-1) for h in (ours, truth))
    assert np.abs(norms / true_norms - 1).max() <= bound


def run(encoder: af.Encoder, texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Norms and hidden states of all layers, in the order of the texts."""
    encoded, failures = encoder.tokenize(texts)
    assert not failures
    every = range(encoder.n_layers + 1)
    out = {i: (s, h) for i, s, h in encoder.run(encoded, every, hidden=every)}
    return [out[i] for i in range(len(texts))]


@pytest.mark.parametrize("model_type", TABLE)
def test_every_layer_equals_eager_hugging_face(model_type: str, tiny: Any) -> None:
    model, tokenizer = tiny(model_type)
    row = TABLE[model_type]
    encoder = af.Encoder.from_pretrained((model, tokenizer))
    assert encoder.engine == row.engine
    assert encoder.causal == row.causal
    assert encoder.provenance({}).final_norm == row.final_norm
    for text, (norms, hidden) in zip(MANY, run(encoder, MANY), strict=True):
        assert_same(hidden, model, tokenizer, text)
        # The norm is an output of its own: it must be that of the vectors beside it.
        assert np.abs(norms / np.linalg.norm(hidden, axis=-1) - 1).max() < 1e-6


@pytest.mark.parametrize("model_type", [m for m, row in TABLE.items() if row.engine == "openvino"])
def test_alone_in_company_and_in_any_order_bit_for_bit(model_type: str, tiny: Any) -> None:
    encoder = af.Encoder.from_pretrained(tiny(model_type))
    alone = [run(encoder, [text])[0] for text in MANY]
    order = np.random.default_rng(0).permutation(len(MANY))
    for texts, numbers in ((MANY, range(len(MANY))), ([MANY[i] for i in order], order)):
        for (norms, hidden), i in zip(run(encoder, list(texts)), numbers, strict=True):
            np.testing.assert_array_equal(norms, alone[i][0])
            np.testing.assert_array_equal(hidden, alone[i][1])


@pytest.mark.parametrize("model_type", ["bert", "gpt2", "t5"])
def test_one_layer_alone_equals_that_layer_of_all(model_type: str, tiny: Any) -> None:
    encoder = af.Encoder.from_pretrained(tiny(model_type))
    every = encoder.strength(MANY, layers="all")
    for layer in range(encoder.n_layers + 1):
        early = encoder.strength(MANY, layers=layer)  # the graph ends at this layer
        for a, b in zip(early, every, strict=True):
            assert np.abs(a.strength / b.at(layer).strength - 1).max() < 1e-6


def test_a_model_with_a_head_is_measured_without_it(tiny: Any) -> None:
    from transformers import BertForSequenceClassification

    base, tokenizer = tiny("bert")
    model = BertForSequenceClassification(base.config).eval()
    model.bert.load_state_dict(base.state_dict(), strict=False)
    ours = af.Encoder.from_pretrained((model, tokenizer))
    plain = af.Encoder.from_pretrained((base, tokenizer))
    np.testing.assert_array_equal(
        ours.strength(TEXTS[0]).strength, plain.strength(TEXTS[0]).strength
    )


def test_a_live_model_is_left_as_it_was(tiny: Any) -> None:
    import copy

    model, tokenizer = tiny("bert")
    model = copy.deepcopy(model).train().bfloat16()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    encoder = af.Encoder.from_pretrained((model, tokenizer))
    assert model.training
    assert all(m.training for m in model.modules())
    assert model.config._attn_implementation == "sdpa"
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    # bfloat16 weights are measured in float32 arithmetic.
    (_, hidden), *_ = run(encoder, [TEXTS[0]])
    assert_same(hidden, copy.deepcopy(model).float().eval(), tokenizer, TEXTS[0])


# The judge itself.


def test_the_judge_notices_a_layer_off_by_one(tiny: Any) -> None:
    model, tokenizer = tiny("bert")
    (_, hidden), *_ = run(af.Encoder.from_pretrained((model, tokenizer)), [TEXTS[0]])
    assert_same(hidden, model, tokenizer, TEXTS[0])
    with pytest.raises(AssertionError):
        assert_same(np.roll(hidden, 1, axis=0), model, tokenizer, TEXTS[0])


@pytest.mark.parametrize("model_type", ["bert", "mistral"])
def test_the_judge_notices_a_dropped_mask(model_type: str, tiny: Any) -> None:
    model, tokenizer = tiny(model_type)
    inputs = tokenizer(TEXTS[0], return_tensors="pt")
    n = inputs["input_ids"].shape[1]
    pad = torch.full((1, 60), tokenizer.pad_token_id)
    # Left of the text for a causal model, which sees nothing on the right.
    parts = [pad, inputs["input_ids"]] if TABLE[model_type].causal else [inputs["input_ids"], pad]
    ids = torch.cat(parts, dim=1)
    with torch.no_grad():
        out = model(input_ids=ids, output_hidden_states=True).hidden_states
    keep = slice(60, None) if TABLE[model_type].causal else slice(n)
    unmasked = np.stack([h[0, keep].numpy() for h in out])
    with pytest.raises(AssertionError):
        assert_same(unmasked, model, tokenizer, TEXTS[0])


def test_the_judge_would_see_nothing_in_a_fresh_model() -> None:
    """Why every parameter is perturbed: in a fresh post-LN model every norm is √d."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64
    )
    with torch.no_grad():
        out = BertModel(config).eval()(torch.arange(7)[None], output_hidden_states=True)
    norms = np.stack([h[0].norm(dim=-1).numpy() for h in out.hidden_states])
    np.testing.assert_allclose(norms, np.sqrt(32), rtol=1e-5)
