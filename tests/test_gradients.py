"""Gradients of tiny models against finite differences, their scores against plain loops."""

import copy
from dataclasses import replace
from time import sleep
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from audit_tokens import tokens_of
from headed_models import made, opened, sample_of, unit_of
from tokenizers import processors

import activation_flow as af
from activation_flow import (
    eager,
    gradients,
    headed_passes,
    heads,
    integrated,
    occlusion,
    outputs,
    units,
)
from activation_flow.data import ActivationFlowError

KINDS = [("bert", "mlm"), ("gpt2", "next"), ("distilbert", "classifier"), ("roberta", "base")]
MORE = [("xlnet", "base"), ("albert", "mlm"), ("llama", "next"), ("t5", "base")]


@pytest.mark.parametrize(("model_type", "head"), KINDS + MORE)
def test_gradients_are_those_of_finite_differences(model_type: str, head: str) -> None:
    # The norm modules of some are in float32 whatever the model is, and T5 has kinks (ReLU).
    size, within = (1e-3, 3e-3) if model_type in ("llama", "t5") else (1e-5, 1e-6)
    model, tokenizer = made(model_type, head)
    with opened((copy.deepcopy(model), tokenizer)) as (headed, sampled, words):
        headed.model.double()
        question = outputs.questions(headed, sampled.encoded[0], unit_of(sampled, words, 0))[0]
        rows = headed_passes.rows(headed, question.ids)

        def output(rows: torch.Tensor) -> torch.Tensor:
            return outputs.differentiable(headed, question, rows)

        slope = integrated.gradient(output, rows[None])[0]
        generator = torch.Generator().manual_seed(0)
        random = torch.randn((3, *rows.shape), generator=generator, dtype=torch.float64)
        for way in (slope, *random):
            way = way / way.norm()
            after, before = output(torch.stack([rows + size * way, rows - size * way])).tolist()
            truth = (after - before) / (2 * size)
            assert abs(float((slope * way).sum()) - truth) <= within * float(slope.norm())


def slow(
    headed: heads.Headed, one: Any, unit: Any, number: int | None, steps: int
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Of each question e·∇, ‖∇‖ and integrated gradients, one step at a time; NaN if not free.

    Also by how much their sum is off, and of what.
    """
    found, gaps = [], []
    for question in outputs.questions(headed, one, unit):
        rows = headed_passes.rows(headed, question.ids)
        base = rows.clone()
        for k in np.flatnonzero(question.free):
            base[k] = 0 if number is None else headed_passes.rows(headed, np.array([number]))[0]
        slopes, fs = [], []
        middles = [(s + 0.5) / steps for s in range(steps)]
        for part in (1, 0, *middles):
            point = (base + part * (rows - base)).requires_grad_()
            f = outputs.differentiable(headed, question, point[None])
            f.sum().backward()
            slopes.append(point.grad.double())  # type: ignore[union-attr]
            fs.append(f.item())
        path = ((rows - base) * sum(slopes[2:]) / steps).sum(1).numpy()
        free = np.where(question.free, 1, np.nan)
        inner, norm = (rows * slopes[0]).sum(1).numpy(), slopes[0].norm(dim=1).numpy()
        found.append(np.stack([inner, norm, path]) * free)
        gaps.append((abs(path.sum() - fs[0] + fs[1]), abs(fs[0] - fs[1])))
    return np.stack(found), gaps


@pytest.mark.parametrize(
    ("model_type", "head", "first", "second", "output"),
    [
        ("bert", "mlm", "mask", "pad", "mean log-probability of masked words, in three folds"),
        ("gpt2", "next", "unk", "pad", "each token after those before it"),
        ("bert", "classifier", "mask", "pad", "logit of the class"),
        ("roberta", "base", "unk", "pad", "e·e₀/‖e₀‖"),
    ],
)
def test_scores(
    model_type: str,
    head: str,
    first: str,
    second: str,
    output: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(integrated, "MOST_STEPS", 3)  # never doubled
    model, tokenizer = made(model_type, head, mask=model_type == "bert")
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1)
    sampled, words = sample_of(encoder)
    told: list[tuple[int, int]] = []
    sampled = replace(sampled, texts=(3, 1), watch=lambda *done: told.append(done))
    with heads.opened(encoder) as headed:
        scores = {s.name: s for s in gradients.scores(encoder, headed, sampled, words, steps=3)[0]}
        ids = [getattr(tokenizer, f"{name}_token_id") for name in (first, second)]
        assert gradients.baselines(headed) == ((first, ids[0]), (second, ids[1]))
        gaps: list[list[tuple[float, float]]] = [[], []]
        for i in (3, 1):
            unit = unit_of(sampled, words, i)
            of_words = unit >= 0
            got = {k: s.values[sampled.tokens.text == i][of_words] for k, s in scores.items()}
            for k in (0, 1):
                found, gap = slow(headed, sampled.encoded[i], unit, ids[k], 3)
                gaps[k] += gap
                inner, norm, path = np.nanmean(found[:, :, of_words], axis=0)
                inner_size, _, path_size = np.nanmean(np.abs(found[:, :, of_words]), axis=0)
                truths = {"gradient_input": inner_size, "gradient_input_signed": inner}
                truths |= {"gradient_norm": norm}
                truths |= [{"integrated": path_size}, {"integrated_second": path_size}][k]
                truths |= {"integrated_signed": path} if k == 0 else {}
                for name, truth in truths.items():
                    np.testing.assert_allclose(got[name], truth, rtol=2e-3, atol=1e-6)
    assert told == [(1, 2), (2, 2)]
    free = np.isin(sampled.tokens.text, (3, 1)) & (words.of_token >= 0)
    for name, score in scores.items():
        np.testing.assert_array_equal(np.isfinite(score.values), free)
        assert (score.role, score.pooling, score.layer) == ("baseline", "sum", None)
        assert score.seconds_per_1000_tokens
        for part in (output, "over 2 texts", "row of the word embedding"):
            assert part in score.note
        if name.startswith("gradient"):
            assert score.gap is None
            continue
        off, of = np.sum(gaps[name == "integrated_second"], axis=0)
        assert score.gap == pytest.approx(off / of, rel=0.05, abs=1e-4)
        assert f"row of the {second if name == 'integrated_second' else first}" in score.note
        assert "3 steps, completeness gap" in score.note


def test_the_pass_that_asks_what_the_model_says_is_paid_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    questions = outputs.questions

    def slowly(*given: Any) -> Any:
        sleep(0.3)
        return questions(*given)

    monkeypatch.setattr(outputs, "questions", slowly)
    encoder = af.Encoder.from_pretrained(made("bert", "base"), engine="torch")
    sampled, words = sample_of(encoder, TEXTS[:1])
    with heads.opened(encoder) as headed:
        scores, _ = gradients.scores(encoder, headed, sampled, words, steps=1)
    for score in scores:
        assert score.seconds_per_1000_tokens is not None
        assert score.seconds_per_1000_tokens >= 0.3 * 1000 / len(sampled)


def test_a_token_that_nothing_follows_has_0_in_a_next_word_model_and_it_is_said() -> None:
    for head in ("next", "base"):
        model, tokenizer = made("gpt2", head)
        tokenizer = copy.deepcopy(tokenizer)
        plain = processors.TemplateProcessing(single="$A", pair="$A $B:1", special_tokens=[])
        tokenizer.backend_tokenizer.post_processor = plain
        encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
        sampled, words = sample_of(encoder, ["the dog saw a", "A dog ran", "in the park"])
        last = np.flatnonzero(np.diff(sampled.tokens.text, append=3))
        single = last[words.pieces[words.of_token[last]] == 1]
        assert len(single)
        with heads.opened(encoder) as headed:
            scores, _ = gradients.scores(encoder, headed, sampled, words, steps=2)
            (hidden,) = occlusion.score(encoder, headed, sampled, words)
        for score in scores:
            assert (abs(score.values[last]) < 1e-12).all() == (head == "next")
            assert (np.delete(score.values, last) != 0).all()
            told = "0 by construction for a token that nothing follows" in score.note
            assert told == (head == "next")
        assert (abs(hidden.values[single]) < 1e-6).all() == (head == "next")
        assert ("of one token that nothing follows; over" in hidden.note) == (head == "next")


def test_scores_do_not_hang_on_the_order_of_texts() -> None:
    found = []
    for order in (1, -1):
        texts = TEXTS[:3][::order]
        with opened(made("bert", "mlm"), texts) as (headed, sampled, words):
            encoder = af.Encoder.from_pretrained(made("bert", "mlm"), engine="torch")
            scores, _ = gradients.scores(encoder, headed, sampled, words, steps=2)
        found.append({k: [s.values[sampled.tokens.text == k] for s in scores] for k in range(3)})
    for k in range(3):
        np.testing.assert_array_equal(np.stack(found[0][k]), np.stack(found[1][2 - k]))


def test_what_is_left_out_is_counted() -> None:
    texts = [TEXTS[1], "a", "?!"]
    encoder = af.Encoder.from_pretrained(made("bert", "mlm"), engine="torch")
    sampled, words = sample_of(encoder, texts)
    with heads.opened(encoder) as headed:
        scores, notes = gradients.scores(encoder, headed, sampled, words, steps=2)
        assert all("over 3 texts, without 2 with too few words" in s.note for s in scores)
        assert all(np.isnan(s.values[sampled.tokens.text > 0]).all() for s in scores)
        assert "asked with its head, BertForMaskedLM" in notes[0]
        nothing = replace(sampled, texts=(1, 2))
        with pytest.raises(ActivationFlowError, match="any of the 2 texts of the sample: they"):
            gradients.scores(encoder, headed, nothing, words)


def test_gradients_that_are_not_finite_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = af.Encoder.from_pretrained(made("bert", "base"), engine="torch")
    sampled, words = sample_of(encoder)
    right = integrated.gradient

    def wrong(output: Any, rows: torch.Tensor) -> torch.Tensor:
        slope = right(output, rows)
        return slope * np.inf if rows.shape[1] == len(sampled.encoded[0].text) else slope

    monkeypatch.setattr(integrated, "gradient", wrong)
    with heads.opened(encoder) as headed:
        scores, _ = gradients.scores(encoder, headed, sampled, words, steps=2)
    n = sum(len(one.text) == len(sampled.encoded[0].text) for one in sampled.encoded)
    told = f"over 5 texts, without {n} whose gradients are not finite"
    assert all(told in score.note for score in scores)
    assert all(np.isnan(s.values[sampled.tokens.text == 0]).all() for s in scores)
    assert all(np.isfinite(s.values).any() for s in scores)


def test_gaps_that_stay_large_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrated, "MOST_STEPS", 1)
    monkeypatch.setattr(integrated, "GAP", 0.0)
    monkeypatch.setattr(gradients, "GAP", 0.0)
    encoder = af.Encoder.from_pretrained(made("bert", "base"), engine="torch")
    sampled, words = sample_of(encoder)
    with heads.opened(encoder) as headed:
        scores, notes = gradients.scores(encoder, headed, sampled, words, steps=1)
    assert ", above 0 % in 5 texts" in scores[-1].note
    assert "integrated gradients from mask are off by more than 0 % in 5 texts" in notes[1]


def test_a_vocabulary_without_special_tokens_has_the_zero_vector() -> None:
    model, tokenizer = made("gpt2", "base", mask=False)
    tokenizer = copy.deepcopy(tokenizer)
    tokenizer.pad_token = tokenizer.unk_token = tokenizer.eos_token  # as of GPT-2 itself
    with opened((model, tokenizer)) as (headed, sampled, words):
        number = tokenizer.eos_token_id
        assert gradients.baselines(headed) == (("unk", number), ("zero", None))
        encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
        scores, _ = gradients.scores(encoder, headed, sampled, words, steps=2)
    assert "from the zero vector for every word" in scores[-1].note


def test_integrals_of_a_trained_model_are_complete(minilm: af.Encoder) -> None:
    texts = ["Enjoying a beautiful day at the park!", "Who is the prime minister of Canada?"]
    encoded, _ = minilm.tokenize(texts)
    tokens = tokens_of(encoded)
    sampled = eager.sample(encoded, tokens, range(len(encoded)))
    with heads.opened(minilm) as headed:
        assert headed.kind == "embedding"
        words = units.of_words(encoded, tokens)
        scores, notes = gradients.scores(minilm, headed, sampled, words)
    gaps = [score.gap for score in scores if score.gap is not None]
    assert len(gaps) == 3
    assert max(gaps) < integrated.GAP
    assert len(notes) == 1


def test_a_model_that_cannot_be_asked_is_missing() -> None:
    encoder = af.Encoder.from_pretrained(made("bert", "base"), engine="torch")
    sampled, _ = sample_of(encoder)
    found = gradients.unavailable(sampled.tokens, "no gradients here")
    assert [s.name for s in found] == [*gradients.TITLES]
    assert {(s.missing, s.pooling, s.role) for s in found} == {
        ("no gradients here", "sum", "baseline")
    }
    assert all(np.isnan(s.values).all() and len(s.values) == len(sampled.tokens) for s in found)
