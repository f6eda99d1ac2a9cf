"""What a model is asked, against plain calls of transformers, one text at a time."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from headed_models import made, opened, unit_of

from activation_flow import headed_passes, outputs
from activation_flow.data import ActivationFlowError
from activation_flow.outputs import Answer, Question

ONE = [
    ("bert", "mlm"),
    ("roberta", "mlm"),
    ("albert", "mlm"),
    ("gpt2", "next"),
    ("gemma3_text", "next"),
    ("distilbert", "classifier"),
    ("llama", "classifier"),
    ("xlnet", "classifier"),
    ("bert", "base"),
    ("xlnet", "base"),
    ("t5", "base"),
]


def asked(headed: Any, question: Question) -> Answer:
    """The answer for the text as it is."""
    as_it_is = (question.ids[None], question.type_ids[None], question.target_at[None])
    return outputs.ask(headed, question, *as_it_is)


def truth_of(model: Any, head: str, question: Question, types: bool) -> float:
    """F by transformers itself."""
    ids = torch.tensor(question.ids)[None]
    named = {"token_type_ids": torch.tensor(question.type_ids)[None]} if types else {}
    with torch.no_grad():
        if head == "next":
            return -float(model(ids, labels=ids).loss)
        if head == "base":
            encoder = model.encoder if model.config.is_encoder_decoder else model
            h = encoder(ids, **named).last_hidden_state[0].double().numpy()
            return float(np.linalg.norm(sum(row / np.linalg.norm(row) for row in h) / len(h)))
        logits = model(ids, **named).logits[0].double()
    if head == "classifier":
        return float(logits.max())
    pairs = zip(question.target_at, question.target_ids, strict=True)
    return float(np.mean([float(logits[k].log_softmax(0)[token]) for k, token in pairs]))


@pytest.mark.parametrize(("model_type", "head"), ONE)
def test_f_is_what_transformers_gives(model_type: str, head: str) -> None:
    model, tokenizer = made(model_type, head)
    types = "token_type_ids" in tokenizer.model_input_names
    with opened((model, tokenizer)) as (headed, sampled, words):
        for i in (0, 3):
            one = sampled.encoded[i]
            found = outputs.questions(headed, one, unit_of(sampled, words, i))
            assert len(found) == (3 if head == "mlm" else 1)
            for question in found:
                truth = truth_of(model, head, question, types)
                answer = asked(headed, question)
                if head == "base":
                    assert answer.f is None
                else:
                    assert answer.f is not None
                    np.testing.assert_allclose(answer.f, truth, rtol=1e-5)
                # Its own rows of the word embedding change nothing: positions hang on ids.
                rows = headed_passes.rows(headed, question.ids)
                both = outputs.differentiable(headed, question, torch.stack([rows, rows]))
                np.testing.assert_allclose(both.detach(), [truth] * 2, rtol=1e-5)


def test_of_one_logit_the_side_that_it_is_on_is_asked() -> None:
    model, tokenizer = made("bert", "classifier", labels=1)
    for bias, sign in ((-9.0, -1), (9.0, 1)):
        turned = copy.deepcopy(model)
        turned.classifier.bias.data.fill_(bias)
        with opened((turned, tokenizer)) as (headed, sampled, words):
            assert "with the sign that it has for the unchanged text" in headed.note
            (question,) = outputs.questions(headed, sampled.encoded[1], unit_of(sampled, words, 1))
            held = outputs.held_out(headed, sampled.encoded[1], unit_of(sampled, words, 1), 0)
            logit = float(turned(torch.tensor(question.ids)[None]).logits)
            assert np.sign(logit) == sign
            for one in (question, held):
                np.testing.assert_allclose(asked(headed, one).f, abs(logit), rtol=1e-5)
            rows = headed_passes.rows(headed, question.ids)[None]
            f = outputs.differentiable(headed, question, rows)
            np.testing.assert_allclose(f.detach(), abs(logit), rtol=1e-5)
            # A text that the model takes for less of it is further away.
            ids = np.array(question.ids)[None]
            ids[0, 1:-1] = headed.mask_id
            less = float(turned(torch.tensor(ids)).logits)
            moved, _ = outputs.distance(
                asked(headed, question),
                outputs.ask(headed, question, ids, question.type_ids[None], ids[:, :0]),
            )
            np.testing.assert_allclose(moved, sign * (logit - less), rtol=1e-3, atol=1e-5)


def test_of_several_logits_none_is_turned() -> None:
    with opened(made("bert", "classifier")) as (headed, sampled, words):
        assert "sign" not in headed.note
        for i in range(3):
            (question,) = outputs.questions(headed, sampled.encoded[i], unit_of(sampled, words, i))
            assert question.sign == 1


def test_other_rows_are_those_of_other_words() -> None:
    with opened(made("bert", "classifier")) as (headed, sampled, words):
        (question,) = outputs.questions(headed, sampled.encoded[1], unit_of(sampled, words, 1))
        ids = np.array(question.ids)
        ids[3] = ids[5]
        rows = headed_passes.rows(headed, ids)[None]
        moved = outputs.differentiable(headed, question, rows)
        truth = outputs.ask(headed, question, ids[None], question.type_ids[None], ids[None, :0])
    assert truth.f is not None
    np.testing.assert_allclose(moved.detach(), truth.f, rtol=1e-5)


def test_many_texts_are_asked_as_if_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headed_passes, "AT_ONCE", 40)
    with opened(made("bert", "mlm")) as (headed, sampled, words):
        question = outputs.held_out(headed, sampled.encoded[0], unit_of(sampled, words, 0), 0)
        random = np.random.default_rng(0)
        ids = np.stack([random.permutation(question.ids) for _ in range(5)])
        at = np.stack([random.permutation(len(question.ids))[:2] for _ in range(5)])
        question = Question(**{**vars(question), "target_ids": question.ids[:2]})
        types = np.broadcast_to(question.type_ids, ids.shape)
        together = outputs.ask(headed, question, ids, types, at)
        alone = [
            outputs.ask(headed, question, ids[[k]], types[[k]], at[[k]]) for k in range(len(ids))
        ]
        assert headed_passes.at_once(headed, ids.shape[1]) < len(ids)
    for name in ("f", "unit", "mean"):
        truth = np.concatenate([getattr(one, name) for one in alone])
        np.testing.assert_allclose(getattr(together, name), truth, rtol=1e-4, atol=1e-6)


def test_embeddings_of_answers() -> None:
    model, tokenizer = made("gpt2", "next")
    with opened((model, tokenizer)) as (headed, sampled, words):
        (question,) = outputs.questions(headed, sampled.encoded[2], unit_of(sampled, words, 2))
        answer = asked(headed, question)
        with torch.no_grad():
            h = model.transformer(torch.tensor(question.ids)[None]).last_hidden_state[0].numpy()
    np.testing.assert_allclose(answer.mean[0], h.mean(axis=0), rtol=1e-4, atol=1e-6)
    unit = np.mean([row / np.linalg.norm(row) for row in h], axis=0)
    np.testing.assert_allclose(answer.unit[0], unit, rtol=1e-4, atol=1e-6)
    turned = Answer(answer.f, -answer.unit, answer.mean)
    assert answer.f is not None
    main, second = outputs.distance(answer, Answer(answer.f - 2, turned.unit, answer.mean))
    np.testing.assert_allclose([main[0], second[0]], [2, 2])
    bare, other = (Answer(None, one.unit, one.mean) for one in (answer, turned))
    main, second = outputs.distance(bare, other)
    np.testing.assert_allclose([main[0], second[0]], [2, 0], atol=1e-12)


def test_folds_ask_for_every_word_once() -> None:
    with opened(made("bert", "mlm"), [*TEXTS, "a", "a b", "?!"]) as (headed, sampled, words):
        for i, one in enumerate(sampled.encoded):
            unit = unit_of(sampled, words, i)
            found = outputs.questions(headed, one, unit)
            of_words = {*unit[unit >= 0].tolist()}
            assert len(found) == min(3, len(of_words))
            asked_for = [k for q in found for k in {*unit[q.target_at].tolist()}]
            assert sorted(asked_for) == sorted(of_words)
            for q in found:
                np.testing.assert_array_equal(q.target_ids, one.text.ids[q.target_at])
                assert (q.ids[q.target_at] == headed.mask_id).all()
                kept = np.setdiff1d(np.arange(len(unit)), q.target_at)
                np.testing.assert_array_equal(q.ids[kept], one.text.ids[kept])
                np.testing.assert_array_equal(q.free, (unit >= 0) & np.isin(range(len(unit)), kept))


@pytest.mark.parametrize(("model_type", "head"), [("bert", "mlm"), ("gpt2", "next")])
def test_held_out_words_are_whole_and_never_all(model_type: str, head: str) -> None:
    with opened(made(model_type, head), [*TEXTS, "a b"]) as (headed, sampled, words):
        for i, one in enumerate(sampled.encoded):
            unit = unit_of(sampled, words, i)
            of_words = {*unit[unit >= 0].tolist()}
            for seed in range(9):
                question = outputs.held_out(headed, one, unit, seed)
                held = {*unit[question.target_at].tolist()}
                assert 1 <= len(held) < len(of_words)
                assert abs(len(held) - 0.3 * len(of_words)) <= 0.5
                assert {*unit[question.free].tolist()} == of_words - held
                whole = np.flatnonzero(np.isin(unit, [*held]))
                np.testing.assert_array_equal(question.target_at, whole)
                np.testing.assert_array_equal(question.target_ids, one.text.ids[whole])
                if head == "next":
                    assert min(held) > max(of_words - held)
                    np.testing.assert_array_equal(question.ids, one.text.ids)


def test_held_out_words_are_drawn_by_the_seed_and_the_text() -> None:
    with opened(made("bert", "mlm")) as (headed, sampled, words):
        one, unit = sampled.encoded[3], unit_of(sampled, words, 3)
        drawn = [outputs.held_out(headed, one, unit, seed).target_at.tolist() for seed in range(9)]
        moved = outputs.held_out(headed, one, np.where(unit >= 0, unit + 7, -1), 0)
    assert len({*map(tuple, drawn)}) > 3
    assert moved.target_at.tolist() == drawn[0]


def test_the_first_token_of_a_decoder_cannot_be_asked_for() -> None:
    with opened(made("gpt2", "next")) as (headed, sampled, words):
        (question,) = outputs.questions(headed, sampled.encoded[0], unit_of(sampled, words, 0))
        at = question.target_at[None] - 1
        with pytest.raises(ValueError, match="nothing comes before"):
            outputs.ask(headed, question, question.ids[None], question.type_ids[None], at)


@pytest.mark.parametrize(
    ("model_type", "head"), [("bert", "mlm"), ("gpt2", "next"), ("bert", "base")]
)
def test_of_a_single_word_nothing_is_asked(model_type: str, head: str) -> None:
    with opened(made(model_type, head), ["a"]) as (headed, sampled, words):
        question = outputs.held_out(headed, sampled.encoded[0], words.of_token, 0)
    assert len(question.target_at) == 0
    assert question.free.sum() == 1


def test_a_model_that_fails_cannot_be_asked() -> None:
    with opened(made("bert", "base")) as (headed, sampled, words):
        unit = unit_of(sampled, words, 0)
        layer = headed.model.encoder.layer[1]  # type: ignore[union-attr,index]
        layer.forward = lambda *_, **__: 1 / 0  # type: ignore[union-attr]
        try:
            with pytest.raises(ActivationFlowError, match=r"BertModel cannot be asked \(division"):
                outputs.questions(headed, sampled.encoded[0], unit)
        finally:
            del layer.forward
