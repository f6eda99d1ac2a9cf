"""Attention received and rollout, against plain loops over the weights of one text at a time."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import attention, eager, room

READ = (0, 1, 3, 4)


def run(
    tiny: Callable[..., Any], model_type: str, before: Callable[[], object] = lambda: None
) -> tuple[attention.Attention, eager.Sample]:
    encoder = af.Encoder.from_pretrained(tiny(model_type), engine="torch", threads=1)
    encoded, _ = encoder.tokenize(TEXTS)
    sampled = eager.sample(encoded, tokens_of(encoded), READ)
    with eager.opened(encoder, "eager") as tap:
        before()
        return attention.scores(encoder, tap, sampled), sampled


def weights_of(model: Any, one: Any) -> list[np.ndarray]:
    """[heads queries tokens] of every block, by transformers itself."""
    ids = torch.tensor(one.text.ids)[None]
    named = {"token_type_ids": torch.tensor(one.type_ids)[None]}
    with torch.no_grad():
        if model.config.model_type not in ("bert", "xlnet"):
            named = {}
        out = model(ids, output_attentions=True, **named)
    return [w[0].double().numpy() for w in out.attentions]


def received(weights: list[np.ndarray], k: int, causal: bool) -> float:
    terms = [
        head[q, k]
        for layer in weights
        for head in layer
        for q in range(k if causal else 0, len(head))
    ]
    return float(np.mean(terms))


def rolled(weights: list[np.ndarray]) -> np.ndarray:
    total = np.eye(weights[0].shape[1])
    for layer in weights:
        total = (0.5 * sum(layer) / len(layer) + 0.5 * np.eye(len(total))) @ total
    return total


@pytest.mark.parametrize("model_type", ["bert", "modernbert", "xlnet", "gpt2", "mistral"])
def test_received_and_rollout(tiny: Callable[..., Any], model_type: str) -> None:
    found, sampled = run(tiny, model_type)
    model = copy.deepcopy(tiny(model_type)[0])
    model.set_attn_implementation("eager")
    causal = model_type in ("gpt2", "mistral")
    by_name = {(s.name, s.layer): s for s in found.scores}
    assert [*by_name] == [("attention", k) for k in (None, 1, 2, 3)] + [("rollout", None)]
    cls_id = tiny(model_type)[1].cls_token_id
    for i in READ:
        one, rows = sampled.encoded[i], np.flatnonzero(sampled.tokens.text == i)
        weights = weights_of(model, one)
        for layer, part in [(None, weights), *((k + 1, [w]) for k, w in enumerate(weights))]:
            truth = [received(part, k, causal) for k in range(len(one.text))]
            got = by_name["attention", layer].values[rows]
            np.testing.assert_allclose(got, truth, rtol=1e-4, atol=1e-7)
        total = rolled(weights)
        if causal:
            truth = [total[k:, k].mean() for k in range(len(total))]
        else:
            truth = total[one.text.ids.tolist().index(cls_id)].tolist()
        got = by_name["rollout", None].values[rows]
        np.testing.assert_allclose(got, truth, rtol=1e-4, atol=1e-7)
    for score in found.scores:
        assert score.role == "baseline"
        assert (np.isfinite(score.values) == sampled.read).all()
        assert score.seconds_per_1000_tokens is not None
        assert ("that can see the token" in score.note) == causal
    assert ("from cls" in by_name["rollout", None].note) == (not causal)


def test_special_tokens_shares(tiny: Callable[..., Any]) -> None:
    found, sampled = run(tiny, "bert")
    model = copy.deepcopy(tiny("bert")[0])
    model.set_attn_implementation("eager")
    got, queries = np.zeros(3), 0
    for i in READ:
        weights = weights_of(model, sampled.encoded[i])
        got += [layer[:, :, -1].mean(axis=0).sum() for layer in weights]
        queries += len(sampled.encoded[i].text)
    np.testing.assert_allclose(found.shares["[SEP]"], got / queries, rtol=1e-5)
    assert [*found.shares] == ["[CLS]", "[SEP]"]
    assert f"[SEP] {100 * np.mean(got / queries):.0f} %" in found.note
    assert f"[SEP] gets {100 * got[1] / queries:.0f} %" in found.scores[2].note


def test_a_model_without_cls_takes_the_mean_over_queries() -> None:
    random = np.random.default_rng(0)
    mean = random.dirichlet(np.ones(4), size=(2, 3, 4))
    total = [rolled([layer[None] for layer in mean[:, i]]) for i in range(3)]
    got = attention.rollout(mean, [None, 2, None], causal=False)
    np.testing.assert_allclose(got, [total[0].mean(axis=0), total[1][2], total[2].mean(axis=0)])
    np.testing.assert_allclose(got.sum(axis=1), 1)
    np.testing.assert_allclose(attention.received(mean, False).sum(axis=-1), 1)


def test_a_model_without_attention_says_so(tiny: Callable[..., Any]) -> None:
    found, _ = run(tiny, "mamba")
    assert [(s.name, s.layer) for s in found.scores] == [
        *(("attention", k) for k in (None, 1, 2, 3)),
        ("rollout", None),
    ]
    assert all(s.missing for s in found.scores)
    assert all(np.isnan(s.values).all() for s in found.scores)
    assert (found.note, found.shares) == ("", {})


def test_weights_that_are_not_given_are_missing(tiny: Callable[..., Any]) -> None:
    encoder = af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)
    encoded, _ = encoder.tokenize(TEXTS)
    sampled = eager.sample(encoded, tokens_of(encoded), READ)
    with eager.opened(encoder, "eager") as tap:
        tap.model.encoder.layer[1].attention.self.forward = lambda x, *_, **__: (x, None)
        found = attention.scores(encoder, tap, sampled)
    assert {s.missing for s in found.scores} == {"2 of the model's 3 blocks give attention weights"}


def test_texts_whose_weights_do_not_fit_are_counted(
    tiny: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, sampled = run(tiny, "bert")
    lengths = sorted(len(sampled.encoded[i].text) for i in READ)

    def little(free: int) -> Callable[[], None]:
        return lambda: monkeypatch.setattr(room, "available_memory", lambda: free)

    # 3 blocks of 4 heads, 4 bytes each, and half of the memory is for them.
    some, _ = run(tiny, "bert", little(2 * 4 * 12 * lengths[1] ** 2))
    assert "without 2 whose weights do not fit in memory" in some.scores[0].note
    read = np.isfinite(some.scores[0].values)
    assert read.sum() == lengths[0] + lengths[1]
    np.testing.assert_allclose(some.scores[0].values[read], whole.scores[0].values[read], rtol=1e-5)
    monkeypatch.undo()
    none, _ = run(tiny, "bert", little(8))
    assert {s.missing for s in none.scores} == {"its attention weights do not fit in memory"}
