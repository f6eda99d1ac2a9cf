"""Hidden states in memory and as a stream: against eager, in order, a few at a time."""

import copy
import re
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from test_architectures import assert_same

import activation_flow as af
from activation_flow import analysis_hidden, room
from activation_flow.analysis_hidden import stream
from activation_flow.data import ActivationFlowError, Failure
from activation_flow.results import TextsFailed

LONG = " ".join(TEXTS[i % 5] for i in range(12))


def eager(model: Any, ids: Any) -> np.ndarray:
    """Hidden states [layers tokens width] of a row of vocabulary numbers."""
    with torch.no_grad():
        out = model(input_ids=torch.tensor(ids)[None], output_hidden_states=True)
    return torch.stack(out.hidden_states)[:, 0].numpy()


def close(ours: np.ndarray, truth: np.ndarray) -> None:
    assert ours.dtype == np.float32
    assert ours.shape == truth.shape
    apart = np.linalg.norm(ours - truth, axis=-1) / np.linalg.norm(truth, axis=-1)
    assert apart.max() <= 1e-5


# against eager transformers


def test_every_layer_of_every_text(tiny: Any, tiny_encoder: af.Encoder) -> None:
    model, tokenizer = tiny("bert")
    provenance, layers, outcomes = stream(tiny_encoder, enumerate(TEXTS, 1), layers="all")
    assert layers == (0, 1, 2, 3)
    for number, (text, (given, states)) in enumerate(zip(TEXTS, outcomes, strict=True), 1):
        assert (given, states.text) == (number, text)
        assert (states.layers, states.provenance) == (layers, provenance)
        assert_same(states.hidden, model, tokenizer, text)
        close(states.strength[..., None], np.linalg.norm(states.hidden, axis=-1, keepdims=True))
        ids = tokenizer(text)["input_ids"]
        assert states.ids.tolist() == ids
        assert states.tokens.tolist() == tokenizer.convert_ids_to_tokens(ids)


def test_layers_come_in_the_order_asked_for(tiny: Any, tiny_encoder: af.Encoder) -> None:
    model, tokenizer = tiny("bert")
    states = tiny_encoder.hidden_states(TEXTS[0], layers=[3, 0, -2])
    assert states.layers == (3, 0, 2)
    close(states.hidden, eager(model, tokenizer(TEXTS[0])["input_ids"])[[3, 0, 2]])
    close(states.at(0).hidden, states.hidden[1:2])


def test_a_long_text_in_windows(tiny: Any, tiny_encoder: af.Encoder) -> None:
    """Every token as in the window, given as a text of its own, where it is farthest inside."""
    model, tokenizer = tiny("bert")
    states = tiny_encoder.hidden_states(LONG, layers="all", max_length=30, stride=10)
    first, *content, last = tokenizer(LONG)["input_ids"]
    assert states.ids.tolist() == [first, *content, last]
    room, step = 28, 18
    starts = range(0, len(content) - room + step, step)
    assert states.n_windows == len(starts) > 5
    best: dict[int, tuple[int, np.ndarray]] = {}
    for start in starts:
        ids = content[start : start + room]
        window = eager(model, [first, *ids, last])
        for i in range(len(ids)):
            inside = min(i, len(ids) - 1 - i)
            if start + i not in best or inside > best[start + i][0]:
                best[start + i] = inside, window[:, 1 + i]
        if start == 0:
            head = window[:, 0]
    inner = [best[i][1] for i in range(len(content))]
    close(states.hidden, np.stack([head, *inner, window[:, -1]], axis=1))


def test_a_long_text_that_is_cut(tiny: Any, tiny_encoder: af.Encoder) -> None:
    model, tokenizer = tiny("bert")
    ids = tokenizer(LONG, truncation=True, max_length=30)["input_ids"]
    states = tiny_encoder.hidden_states(LONG, layers="all", max_length=30, truncate=True)
    assert states.ids.tolist() == ids
    assert (states.n_windows, states.n_dropped) == (1, len(tokenizer(LONG)["input_ids"]) - 30)
    close(states.hidden, eager(model, ids))


# order, numbers, failures

MIXED = [TEXTS[0], "", LONG, "a", "   ", "b\ud800", TEXTS[1], "a"]


@pytest.mark.parametrize("texts_at_once", [1, 2, 3, 256])
@pytest.mark.parametrize("cells", [1, 40, 2**15])
def test_order_and_numbers_are_kept_whatever_is_done_at_once(
    tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch, texts_at_once: int, cells: int
) -> None:
    monkeypatch.setattr(analysis_hidden, "TEXTS", texts_at_once)
    monkeypatch.setattr(analysis_hidden, "CELLS", cells)
    numbered = [(10 * n, text) for n, text in enumerate(MIXED, 1)]
    _, _, outcomes = stream(tiny_encoder, iter(numbered), layers=2)
    for (number, text), outcome in zip(numbered, outcomes, strict=True):
        if number in (20, 50, 60):
            assert isinstance(outcome, Failure)
            assert outcome.text_number == number
        else:
            given, states = outcome
            assert (given, states.text) == (number, text)
            assert states == tiny_encoder.hidden_states(text, layers=2)  # bit for bit


def test_in_memory_failures_are_raised_or_collected(tiny_encoder: af.Encoder) -> None:
    results = tiny_encoder.hidden_states(MIXED, errors="collect")
    assert results.numbers == (1, 3, 4, 7, 8)
    assert [error.text_number for error in results.errors] == [2, 5, 6]
    assert "surrogate" in results.errors[2].reason
    with pytest.raises(TextsFailed, match=r"text 2: .*\(2 more failed\)") as caught:
        tiny_encoder.hidden_states(MIXED)
    assert caught.value.results == results
    with pytest.raises(TextsFailed, match="text 1: it has no token of its own"):
        tiny_encoder.hidden_states("", errors="collect")
    assert len(tiny_encoder.hidden_states([])) == 0


def test_a_value_that_is_not_finite_makes_a_failure(tiny: Any) -> None:
    model, tokenizer = tiny("bert")
    broken = copy.deepcopy(model)
    with torch.no_grad():
        word = tokenizer("beautiful")["input_ids"][1]
        broken.embeddings.word_embeddings.weight[word] = float("nan")
    encoder = af.Encoder.from_pretrained((broken, tokenizer), engine="torch")
    _, _, outcomes = stream(encoder, enumerate(["a day", "beautiful", "the park"], 7), layers=2)
    (first, before), failure, (last, after) = outcomes
    assert (first, before.text, last, after.text) == (7, "a day", 9, "the park")
    assert np.isfinite(before.hidden).all()
    assert np.isfinite(after.hidden).all()
    assert isinstance(failure, Failure)
    assert failure.text_number == 8
    assert "not finite" in failure.reason
    assert "layer 2" in failure.reason


def test_a_vector_that_is_not_finite_is_seen_beside_a_norm_that_is(
    tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny_encoder._runner.engine.run

    def broken(*args: Any) -> Any:
        norms, states = run(*args)
        states[0, 0, 1, 5] = np.inf
        return norms, states

    monkeypatch.setattr(tiny_encoder._runner.engine, "run", broken)
    _, _, outcomes = stream(tiny_encoder, [(1, "a day")])
    (failure,) = outcomes
    assert isinstance(failure, Failure)
    assert "layer 2 is not finite for token 'a'" in failure.reason


# a few at a time


def test_texts_are_read_as_they_are_needed(
    tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis_hidden, "TEXTS", 4)
    taken = 0

    def texts() -> Iterator[tuple[int, str]]:
        nonlocal taken
        while True:  # a stream that read it to its end would never give a result
            taken += 1
            yield taken, "a day"

    _, _, outcomes = stream(tiny_encoder, texts())
    assert taken == 0
    for done in range(1, 14):
        number, _ = next(outcomes)
        assert number == done
        assert taken == -(-done // 4) * 4


@pytest.mark.parametrize("texts_at_once", [8, 256])
def test_vectors_of_a_few_texts_are_alive_at_once(
    tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch, texts_at_once: int
) -> None:
    """Counted at every batch: tokens times layers of all arrays of the engine not yet freed."""
    cells = 400
    monkeypatch.setattr(analysis_hidden, "TEXTS", texts_at_once)
    monkeypatch.setattr(analysis_hidden, "CELLS", cells)
    alive: dict[int, int] = {}
    peak = whole = 0
    run = tiny_encoder._runner.engine.run

    def counted(*args: Any) -> Any:
        nonlocal peak, whole
        norms, states = run(*args)
        size = states[..., 0].size
        weakref.finalize(states, alive.pop, id(states))
        alive[id(states)] = size
        whole += size
        peak = max(peak, sum(alive.values()))
        return norms, states

    monkeypatch.setattr(tiny_encoder._runner.engine, "run", counted)
    texts = [TEXTS[i % 5] for i in range(200)]
    _, _, outcomes = stream(tiny_encoder, enumerate(texts, 1), layers="all")
    assert sum(1 for _ in outcomes) == 200
    assert whole > 20 * cells
    # Those of a group, and of the group before the batch of the text that was given last.
    assert cells / 2 < peak <= 2 * cells
    del outcomes
    assert not alive


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 7}, "layer 7 is out of range"),
        ({"layers": "a"}, "layer 'a' is not understood"),
        ({"kinds": "nltk"}, "kinds='nltk' is not one of list, none"),
        ({"max_length": 9999}, "max_length 9999 is out of range"),
        ({"stride": -1}, "stride -1 is out of range"),
        ({"stride": 3, "truncate": True}, "leave out stride, or truncate"),
    ],
)
def test_a_bad_option_is_refused_before_a_text_is_read(
    tiny_encoder: af.Encoder, options: Any, message: str
) -> None:
    def texts() -> Iterator[tuple[int, str]]:
        raise AssertionError("asked for a text")
        yield

    with pytest.raises(ActivationFlowError, match=message):
        stream(tiny_encoder, texts(), **options)


def test_what_was_asked_for_is_in_the_head(tiny_encoder: af.Encoder) -> None:
    provenance, layers, _ = stream(tiny_encoder, [], max_length=20, truncate=True, kinds="none")
    assert layers == (2,)
    assert provenance.settings == {
        "kinds": "none",
        "max_length": 20,
        "stride": None,
        "truncate": True,
    }


def test_a_text_whose_vectors_would_not_fit_in_memory_costs_no_other(
    tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 10**6)
    long = "the dog sat on the mat " * 40_000
    results = tiny_encoder.hidden_states(["a dog", long, "a cat"], layers="all", errors="collect")
    assert results.numbers == (1, 3)
    (error,) = results.errors
    assert re.search(r"tokens at 4 layers take about [\d.]+ GiB.*--truncate", error.reason)
    assert tiny_encoder.hidden_states(long, truncate=True).n_dropped > 0
