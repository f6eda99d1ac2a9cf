"""What normalisation does to the strength: every layout, against hooks on the modules by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import eager, norms
from activation_flow.stats import auc

# The modules whose outputs are the hidden states of layers 1-3, by the names of the models.
POST = {
    "bert": lambda m, k: m.encoder.layer[k].output.LayerNorm,
    "deberta-v2": lambda m, k: m.encoder.layer[k].output.LayerNorm,
    "xlnet": lambda m, k: m.layer[k].ff.layer_norm,
}
PRE = {"gpt2": "pre-LayerNorm", "llama": "pre-RMSNorm", "gemma3_text": "pre-RMSNorm"}
READ = (0, 1, 3, 4)  # texts of the sample

Found = tuple[norms.Explained, eager.Sample]


@pytest.fixture(scope="module")
def explained(tiny: Callable[..., Any]) -> Callable[[str], Found]:
    made: dict[str, Found] = {}

    def explain(model_type: str) -> Found:
        if model_type not in made:
            encoder = af.Encoder.from_pretrained(tiny(model_type), engine="torch")
            encoded, _ = encoder.tokenize(TEXTS)
            sampled = eager.sample(encoded, tokens_of(encoded), READ)
            with eager.opened(encoder, "eager") as tap:
                made[model_type] = norms.explain(encoder, tap, sampled, range(4), 2), sampled
        return made[model_type]

    return explain


def run_alone(model: Any, modules: list[Any], one: Any) -> tuple[list[Any], list[Any]]:
    """Hidden states, and what the modules read, of one text: [layers][tokens width]."""
    read: list[Any] = []
    handles = [m.register_forward_hook(lambda m, a, o: read.append(a[0])) for m in modules]
    ids = torch.tensor(one.text.ids)[None]
    types = torch.tensor(one.type_ids)[None]
    named = {"token_type_ids": types} if model.config.model_type == "xlnet" else {}
    with torch.no_grad():
        hidden = model(ids, output_hidden_states=True, **named).hidden_states
    for handle in handles:
        handle.remove()
    width = hidden[0].shape[-1]
    return [h[0].double().numpy() for h in hidden], [
        r.double().numpy().reshape(-1, width) for r in read
    ]


@pytest.mark.parametrize("model_type", POST)
def test_post_norm(
    tiny: Callable[..., Any], explained: Callable[[str], Found], model_type: str
) -> None:
    found, sampled = explained(model_type)
    model = tiny(model_type)[0]
    modules = [POST[model_type](model, k) for k in range(3)]
    before = {s.layer: s.values for s in found.scores if s.name == "before_norm"}
    strength = np.full((4, len(sampled.tokens)), np.nan)
    for i in READ:
        hidden, read = run_alone(model, modules, sampled.encoded[i])
        rows = np.flatnonzero(sampled.tokens.text == i)
        for layer in (1, 2, 3):
            strength[layer, rows] = np.linalg.norm(hidden[layer], axis=1)
            truth = [np.sqrt(((x - x.mean()) ** 2).sum()) for x in read[layer - 1]]
            np.testing.assert_allclose(before[layer][rows], truth, rtol=1e-4)
    for row in found.norms[1:]:
        module = modules[row.layer - 1]
        assert row.layout == "post-LayerNorm"
        assert dict(model.named_modules())[row.module] is module
        gain, bias = module.weight.detach().double(), module.bias.detach().double()
        assert row.level == pytest.approx(float((gain @ gain + bias @ bias).sqrt()))
        assert row.error is not None
        assert row.error < 1e-4
        assert row.strength.keys() == row.before.keys() == labels(sampled)
        for kind, mean in row.strength.items():
            mask = sampled.read & ((sampled.tokens.kind == kind) | is_special(sampled, kind))
            assert mean == pytest.approx(strength[row.layer][mask].mean(), rel=1e-4)
            assert row.before[kind] == pytest.approx(before[row.layer][mask].mean())


def labels(sampled: eager.Sample) -> set[str]:
    pairs = zip(sampled.tokens.kind[sampled.read], sampled.tokens.token[sampled.read], strict=True)
    return {str(token if kind == "special" else kind) for kind, token in pairs}


def is_special(sampled: eager.Sample, spelling: str) -> np.ndarray:
    special: np.ndarray = (sampled.tokens.kind == "special") & (sampled.tokens.token == spelling)
    return special


def test_dimensions_of_a_post_norm_layer(
    tiny: Callable[..., Any], explained: Callable[[str], Found]
) -> None:
    found, sampled = explained("bert")
    model = tiny("bert")[0]
    module = model.encoder.layer[1].output.LayerNorm
    shares = []
    for i in READ:
        _, (read,) = run_alone(model, [module], sampled.encoded[i])
        z = torch.nn.functional.layer_norm(torch.from_numpy(read), (32,)).numpy()
        is_sep = sampled.encoded[i].text.tokens == "[SEP]"
        shares += [*(z[is_sep] ** 2 / 32)]
    mean = np.mean(shares, axis=0)
    rows = [d for d in found.dimensions if d.kind == "[SEP]"]
    assert [d.dim for d in rows] == np.argsort(-mean)[:3].tolist()
    gain = module.weight.detach().double().numpy()
    for d in rows:
        assert (d.layer, d.gamma) == (2, pytest.approx(gain[d.dim]))
        assert d.share == pytest.approx(mean[d.dim], rel=1e-4)
        assert d.typical == pytest.approx(np.sqrt(np.mean(gain**2)))


@pytest.mark.parametrize("model_type", PRE)
def test_pre_norm(
    tiny: Callable[..., Any], explained: Callable[[str], Found], model_type: str
) -> None:
    found, sampled = explained(model_type)
    assert [(r.layer, r.layout) for r in found.norms] == [(k, PRE[model_type]) for k in range(3)]
    assert all(r.level is r.error is r.before is None and r.strength for r in found.norms)
    assert len(found.notes) == 1
    assert "after the final norm" in found.notes[0]
    before = [s for s in found.scores if s.name == "before_norm"]
    assert [s.layer for s in before] == [0, 1, 2]
    assert all("reads the hidden state itself" in s.missing for s in before)
    assert all(np.isnan(s.values).all() for s in before)
    squares = []
    for i in READ:
        hidden, _ = run_alone(tiny(model_type)[0], [], sampled.encoded[i])
        content = sampled.encoded[i].text.kind == "content"
        squares += [h**2 / sum(h**2) for h in hidden[2][content]]
    rows = [d for d in found.dimensions if d.kind == "content"]
    mean = np.mean(squares, axis=0)
    assert [d.dim for d in rows] == np.argsort(-mean)[:3].tolist()
    assert rows[0].share == pytest.approx(mean.max(), rel=1e-4)
    assert rows[0].gamma is rows[0].typical is None


@pytest.mark.parametrize("model_type", ["bert", "xlnet", "gpt2", "llama", "modernbert", "mamba"])
def test_the_normalised_state_says_nothing(
    explained: Callable[[str], Found], model_type: str
) -> None:
    found, sampled = explained(model_type)
    kind = sampled.tokens.kind
    controls = [s for s in found.scores if s.name == "normalised" and not s.missing]
    assert len(controls) >= 3
    for score in controls:
        assert score.role == "control"
        assert (np.isfinite(score.values) == sampled.read).all()
        ones, others = (score.values[sampled.read & (kind == k)] for k in ("content", "function"))
        assert auc(ones, others) == 0.5
    # ε = 1e-12 leaves nothing, 1e-5 does: said beside it
    assert all(
        ("own ε leaves" in s.note) == (model_type not in ("bert", "xlnet")) for s in controls
    )


def test_what_no_norm_makes_is_unknown(explained: Callable[[str], Found]) -> None:
    found, _ = explained("xlnet")
    assert (found.norms[0].layout, found.norms[0].module) == ("unknown", "")
    assert found.norms[0].note == norms.UNKNOWN
    assert found.norms[0].strength["content"] > 0
    assert {s.missing for s in found.scores if s.layer == 0} == {norms.UNKNOWN}


def test_embedding_rows_are_of_every_token(
    tiny: Callable[..., Any], explained: Callable[[str], Found]
) -> None:
    found, sampled = explained("bert")
    (score,) = (s for s in found.scores if s.name == "embedding_row")
    table = tiny("bert")[0].embeddings.word_embeddings.weight.detach()
    truth = [table[i].double().norm().item() for i in sampled.tokens.id]
    np.testing.assert_allclose(score.values, truth)
    assert (score.layer, score.role) == (None, "baseline")
    assert score.top_share is not None
    assert 1 / 32 < score.top_share[0] < score.top_share[1] < 1


def test_costs_and_shares_are_there_where_there_are_values(
    explained: Callable[[str], Found],
) -> None:
    for model_type in ("bert", "gpt2"):
        for score in explained(model_type)[0].scores:
            assert (score.seconds_per_1000_tokens is None) == bool(score.missing)
            assert (score.top_share is not None) == (not score.missing and score.role != "control")


def test_a_model_that_cannot_be_opened_has_every_row_and_the_reason(
    explained: Callable[[str], Found],
) -> None:
    whole, sampled = explained("bert")
    found = norms.unavailable(range(4), sampled.tokens, "it is gone")
    assert [(s.name, s.layer, s.role) for s in found.scores] == [
        (s.name, s.layer, s.role) for s in whole.scores
    ]
    assert {s.missing for s in found.scores} == {r.note for r in found.norms} == {"it is gone"}
    assert np.isnan([s.values for s in found.scores]).all()


def test_minilm_has_what_was_found_in_a_pilot(minilm: af.Encoder) -> None:
    encoded, _ = minilm.tokenize(TEXTS)
    sampled = eager.sample(encoded, tokens_of(encoded), range(len(encoded)))
    with eager.opened(minilm, "eager") as tap:
        found = norms.explain(minilm, tap, sampled, range(7), 5)
    rows = [d for d in found.dimensions if d.kind == "[SEP]"]
    assert [d.dim for d in rows[:2]] == [223, 127]
    assert [d.gamma for d in rows[:2]] == [pytest.approx(g, abs=5e-3) for g in (0.31, 0.20)]
    assert rows[0].typical == pytest.approx(0.69, abs=5e-3)
    assert [r.layout for r in found.norms] == ["post-LayerNorm"] * 7
    assert max(r.error for r in found.norms if r.error is not None) < 1e-5
