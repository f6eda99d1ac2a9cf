"""Which head a model is asked with, and that a user's model is left as it was."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from headed_models import made, opened, sample_of

import activation_flow as af
from activation_flow import gradients, heads, identity, outputs


@pytest.mark.parametrize(
    ("model_type", "head", "kind", "note"),
    [
        ("bert", "mlm", "mlm", "asked with its head, BertForMaskedLM"),
        ("gpt2", "next", "next", "asked with its head, GPT2LMHeadModel"),
        ("bert", "classifier", "classifier", "its head, BertForSequenceClassification"),
        ("bert", "base", "embedding", "embedding: BertModel has no head that is asked"),
        ("bert", "tokens", "embedding", "BertForTokenClassification has no head that is asked"),
        ("bert", "pretraining", "embedding", "BertForPreTraining has no head that is asked"),
        ("xlnet", "next", "embedding", "XLNetLMHeadModel does not read from left to right"),
        ("t5", "classifier", "embedding", "of an encoder-decoder the encoder is read"),
    ],
)
def test_what_a_live_model_is_asked(model_type: str, head: str, kind: str, note: str) -> None:
    model, tokenizer = made(model_type, head)
    with opened((model, tokenizer)) as (headed, *_):
        assert headed.kind == kind
        assert note in headed.note
        assert headed.model is (headed.tap.model if kind == "embedding" else model)
        assert headed.mask_id == headed.blank_id == tokenizer.mask_token_id
        assert headed.pad_id == tokenizer.pad_token_id
        assert not any(p.requires_grad for p in headed.model.parameters())


def test_without_a_mask_token_nothing_can_be_masked() -> None:
    model, tokenizer = made("roberta", "mlm", mask=False)
    with opened((model, tokenizer)) as (headed, *_):
        assert headed.kind == "embedding"
        assert headed.note == "asked for its embedding: its tokenizer has no mask token"
        assert (headed.mask_id, headed.blank_id) == (None, tokenizer.pad_token_id)


def test_a_special_token_without_an_embedding_is_none() -> None:
    model, tokenizer = made("roberta", "mlm", mask=False)
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.add_special_tokens({"mask_token": "<mask>"})  # one more than the model has rows
    with opened((model, tokenizer)) as (headed, *_):
        assert headed.mask_id is None


@pytest.mark.parametrize(
    ("model_type", "head"), [("bert", "mlm"), ("gpt2", "classifier"), ("bert", "base")]
)
def test_a_live_model_is_left_as_it_was(model_type: str, head: str) -> None:
    model, tokenizer = made(model_type, head)
    model = copy.deepcopy(model).train()
    next(m for m in model.modules() if isinstance(m, torch.nn.LayerNorm)).eval()
    next(model.parameters()).requires_grad_(False)
    model.config.pad_token_id = None
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
    before = copy.deepcopy((model.state_dict(), model.config.to_dict()))
    modes = [m.training for m in model.modules()]
    takes = [p.requires_grad for p in model.parameters()]
    sampled, words = sample_of(encoder)
    with heads.opened(encoder) as headed:
        assert headed.tap.model is model.base_model
        gradients.scores(encoder, headed, sampled, words, steps=1)
    with pytest.raises(KeyError), heads.opened(encoder) as headed:
        raise KeyError  # whatever happens
    assert [m.training for m in model.modules()] == modes
    assert [p.requires_grad for p in model.parameters()] == takes
    assert [p.grad for p in model.parameters()] == [None] * len(takes)
    assert model.config.to_dict() == before[1]
    assert model.config._attn_implementation == "sdpa"
    assert all(torch.equal(v, before[0][k]) for k, v in model.state_dict().items())
    assert identity.meddled_with(model) == ""


def test_an_eager_engines_own_copy_has_no_head() -> None:
    model, tokenizer = made("bert", "mlm")
    model = copy.deepcopy(model)
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
    with heads.opened(encoder) as headed:
        assert headed.model is model
    with torch.no_grad():
        model.bert.encoder.layer[0].output.dense.bias[0] += 1
    with heads.opened(encoder) as headed:
        assert headed.kind == "embedding"
        assert "the model has changed since" in headed.note
        bias = headed.model.encoder.layer[0].output.dense.bias
    assert torch.equal(bias, made("bert", "mlm")[0].bert.encoder.layer[0].output.dense.bias)


def test_a_changed_model_is_refused() -> None:
    model, tokenizer = made("bert", "mlm")
    model = copy.deepcopy(model)
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
    handle = model.register_forward_hook(lambda *_: None)
    with pytest.raises(af.ActivationFlowError, match=r"has changed since .*forward hook"):
        heads.opened(encoder).__enter__()
    handle.remove()


def saved(folder: Path, head: str, architecture: str = "") -> af.Encoder:
    """The encoder of a saved tiny BERT; ``architecture``: what its config is made to say."""
    model, tokenizer = made("bert", head)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if architecture:
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, "architectures": [architecture]}))
    return af.Encoder.from_pretrained(str(folder), engine="torch", threads=1)


@pytest.mark.parametrize(
    ("head", "kind"), [("mlm", "mlm"), ("classifier", "classifier"), ("pretraining", "mlm")]
)
def test_a_checkpoint_with_its_head(tmp_path: Path, head: str, kind: str) -> None:
    encoder = saved(tmp_path / "model", head)
    sampled, words = sample_of(encoder)
    live, _ = made("bert", head)
    one = sampled.encoded[0].text
    with heads.opened(encoder) as headed:
        assert headed.kind == kind
        question = outputs.questions(headed, sampled.encoded[0], words.of_token[: len(one)])[0]
        at = question.target_at[None]
        found = outputs.ask(headed, question, question.ids[None], question.type_ids[None], at)
    with torch.no_grad():
        out = live(torch.tensor(question.ids)[None])
    if head == "classifier":
        truth = out.logits[0].max()
    else:
        logits = out.logits if head == "mlm" else out.prediction_logits
        truth = logits[0, at[0]].log_softmax(-1)[range(at.size), question.target_ids].mean()
    assert found.f is not None
    np.testing.assert_allclose(found.f, float(truth), rtol=1e-5)


@pytest.mark.parametrize(
    ("head", "architecture", "note"),
    [
        ("base", "BertForMaskedLM", r"no trained head \(\d+ weights are missing: cls\."),
        ("mlm", "BertForSequenceClassification", r"no trained head \(4 weights are missing: "),
        ("mlm", "BertForQuestionAnswering", "of class BertForQuestionAnswering"),
        ("base", "", "of class BertModel"),
    ],
)
def test_a_checkpoint_without_it(
    tmp_path: Path,
    head: str,
    architecture: str,
    note: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    encoder = saved(tmp_path / "model", head, architecture)
    capsys.readouterr()
    with heads.opened(encoder) as headed:
        assert headed.kind == "embedding"
        assert isinstance(headed.model, transformers.BertModel)
        assert re.search(note, headed.note)
    assert capsys.readouterr() == ("", "")


def test_weights_that_cannot_be_loaded_with_a_head_are_loaded_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = saved(tmp_path / "model", "mlm")

    def fails(*_: Any, **__: Any) -> Any:
        raise RuntimeError("not today")

    monkeypatch.setattr(transformers.AutoModelForMaskedLM, "from_pretrained", fails)
    with heads.opened(encoder) as headed:
        assert headed.kind == "embedding"
        assert headed.note.endswith("its head cannot be loaded (not today)")


def test_pickled_weights_are_not_loaded_for_a_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = saved(tmp_path / "model", "mlm")
    given: dict[str, Any] = {}
    load: Callable[..., Any] = transformers.AutoModelForMaskedLM.from_pretrained

    def watched(*names: Any, **options: Any) -> Any:
        given.update(options)
        return load(*names, **options)

    monkeypatch.setattr(transformers.AutoModelForMaskedLM, "from_pretrained", watched)
    with heads.opened(encoder):
        pass
    assert given["use_safetensors"] is True
    assert given["dtype"] is torch.float32
    assert given["trust_remote_code"] is False
