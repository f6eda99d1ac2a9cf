"""Scores of the fast engine: computed again from hidden states, and on real weights."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS
from audit_material import tokens_of
from data_files import data_file

import activation_flow as af
from activation_flow import conllu, scoring, scoring_passes, stats
from activation_flow.scoring import FastScores, fast_scores
from activation_flow.scoring_halves import FITTED
from activation_flow.words import map_pieces

MANY = [f"{first} {second}" for first in TEXTS[:4] for second in (*TEXTS[:3], "A day.")]


@pytest.fixture(scope="module", autouse=True)
def timed_on_little() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring_passes, "TIMED", 40)
        yield


@pytest.fixture(scope="module")
def encoder(tiny: Any) -> af.Encoder:
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch")


@pytest.fixture(scope="module")
def encoded(encoder: af.Encoder) -> Any:
    return encoder.tokenize(MANY)[0]


@pytest.fixture(scope="module")
def found(encoder: af.Encoder, encoded: Any) -> FastScores:
    return fast_scores(encoder, encoded, tokens_of(encoded), range(4), seed=3)


def by_name(scores: FastScores) -> dict[tuple[str, int | None], Any]:
    return {(score.name, score.layer): score for score in scores.scores}


def test_each_score_is_there_once_with_its_role_and_cost(found: FastScores) -> None:
    scores = by_name(found)
    variants = [*scoring.TITLES, "type_residual"]
    of_layers = {(name, layer) for name in variants for layer in range(4)} - {("update", 0)}
    alone = ["layer_0_norm", "frequency", "length", "position", "subword", "random"]
    assert {*scores} == of_layers | {(name, None) for name in alone}
    assert len(found.scores) == len(scores)
    for (name, layer), score in scores.items():
        trivial = layer is None and name != "layer_0_norm"
        roles = {"norm": "strength", "random": "control"}
        role = roles.get(name, "variant" if layer is not None else "baseline")
        assert score.role == role
        assert score.missing == ""
        assert score.note
        cost = score.seconds_per_1000_tokens
        assert (cost is None) == trivial
        assert cost is None or 0 < cost < 1000
        assert name != "type_residual" or cost == scores["norm", layer].seconds_per_1000_tokens
        has_share = name == "layer_0_norm" or (layer is not None and name != "type_residual")
        assert (score.top_share is not None) == has_share


def test_norms_and_updates_are_those_of_the_hidden_states(
    found: FastScores, encoder: af.Encoder
) -> None:
    states = encoder.hidden_states(MANY, layers="all")
    hidden = np.concatenate([one.hidden for one in states], axis=1).astype(np.float64)
    np.testing.assert_allclose(found.norms, np.linalg.norm(hidden, axis=-1), rtol=1e-5)
    update = np.linalg.norm(np.diff(hidden, axis=0), axis=-1)
    scores = by_name(found)
    for layer in (1, 2, 3):
        np.testing.assert_allclose(scores["update", layer].values, update[layer - 1], rtol=1e-5)
    np.testing.assert_array_equal(scores["layer_0_norm", None].values, found.norms[0])
    np.testing.assert_array_equal(scores["norm", 2].values, found.norms[2])


def test_each_half_is_judged_by_the_other(
    found: FastScores, encoder: af.Encoder, encoded: Any
) -> None:
    tokens = tokens_of(encoded)
    states = [one.hidden.astype(np.float64) for one in encoder.hidden_states(MANY, layers=2)]
    flat = np.concatenate(states, axis=1)[0]
    half = np.random.default_rng(3).permutation(len(MANY))[: len(MANY) // 2]
    first = np.isin(tokens.text, half)
    truth = {name: np.zeros(len(tokens)) for name in ("centred", "standardised", "whitened")}
    for judged, judging in ((first, ~first), (~first, first)):
        fit = flat[judging & (tokens.kind != "special")]
        apart = flat[judged] - fit.mean(0)
        sigma = np.cov(fit.T, bias=True)
        sigma = 0.9 * sigma + 0.1 * np.trace(sigma) / len(sigma) * np.eye(len(sigma))
        truth["centred"][judged] = np.linalg.norm(apart, axis=1)
        truth["standardised"][judged] = np.linalg.norm(apart / fit.std(0), axis=1)
        squares = np.einsum("ij,ij->i", apart @ np.linalg.inv(sigma), apart)
        truth["whitened"][judged] = np.sqrt(squares)
    for name, values in truth.items():
        np.testing.assert_allclose(by_name(found)[name, 2].values, values, rtol=1e-4)


def test_running_twice_in_small_blocks_gives_the_same(
    found: FastScores, encoder: af.Encoder, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring_passes, "KEPT", 0)
    monkeypatch.setattr(scoring_passes, "BLOCK", 20_000)
    told: list[tuple[int, int]] = []
    again = fast_scores(
        encoder,
        encoded,
        tokens_of(encoded),
        range(4),
        seed=3,
        progress=lambda *state: told.append(state),
    )
    assert told == [(k, 2 * len(MANY)) for k in range(1, 2 * len(MANY) + 1)]
    for one, other in zip(found.scores, again.scores, strict=True):
        np.testing.assert_allclose(other.values, one.values, rtol=1e-5, atol=1e-7)
        if one.top_share:
            assert other.top_share == pytest.approx(one.top_share)
    assert "one or two passes" in again.notes[1]
    assert "a pass with" in found.notes[1]


def test_only_some_layers_need_the_layers_below_them(
    found: FastScores, encoder: af.Encoder, encoded: Any
) -> None:
    some = fast_scores(encoder, encoded, tokens_of(encoded), [3, 1], seed=3)
    assert some.layers == (3, 1)
    for score in some.scores:
        whole = by_name(found)[score.name, score.layer]
        np.testing.assert_allclose(score.values, whole.values, rtol=1e-5, atol=1e-7)


def test_a_text_that_is_not_finite_is_told_and_takes_part_in_nothing(
    tiny: Any, encoder: af.Encoder
) -> None:
    model, tokenizer = tiny("bert")
    broken = copy.deepcopy(model)
    with torch.no_grad():
        word = tokenizer("beautiful")["input_ids"][1]
        broken.embeddings.word_embeddings.weight[word] = float("nan")
    good = [text for text in MANY if "beautiful" not in text]
    texts = [*good[:4], "A beautiful day", *good[4:]]
    other = af.Encoder.from_pretrained((broken, tokenizer), engine="torch")
    encoded, _ = other.tokenize(texts)
    tokens = tokens_of(encoded)
    found = fast_scores(other, encoded, tokens, [0, 2])
    assert list(found.failed) == [4]
    assert "layer 0 is not finite for token" in found.failed[4]
    bad = tokens.text == 4
    for score in found.scores:
        if score.layer is not None or score.name == "layer_0_norm":
            assert np.isnan(score.values[bad]).all()
            whole = np.isfinite(score.values[~bad])
            assert whole.all() or score.name == "type_residual"
            assert whole.any()


def test_what_cannot_be_had_says_why(
    encoder: af.Encoder, encoded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fast_scores(encoder, encoded[:1], tokens_of(encoded[:1]), [1])
    for score in one.scores:
        if score.name in FITTED:
            assert score.missing == "needs 2 tokens that are not special in each half of the texts"
            assert np.isnan(score.values).all()
            assert score.top_share is score.seconds_per_1000_tokens is None
    assert by_name(one)["norm", 1].missing == by_name(one)["update", 1].missing == ""
    monkeypatch.setattr(scoring, "WIDEST_EVERYWHERE", 8)
    few = encoded[:6]
    scores = by_name(fast_scores(encoder, few, tokens_of(few), [1, 2, 3], main=2))
    assert scores["whitened", 2].missing == ""
    assert scores["whitened", 3].missing == "covariances of this size are made at layer 2 only"
    assert scores["standardised", 3].missing == ""
    monkeypatch.setattr(scoring, "WIDEST", 8)
    scores = by_name(fast_scores(encoder, few, tokens_of(few), [1, 2], main=2))
    assert "covariances of more than 8 dimensions" in scores["whitened", 2].missing


def test_tokens_of_other_texts_are_refused(encoder: af.Encoder, encoded: Any) -> None:
    with pytest.raises(ValueError, match="are not those of these 2 texts"):
        fast_scores(encoder, encoded[:2], tokens_of(encoded[3:5]), [1])


def test_no_text_has_no_scores_and_no_cost(encoder: af.Encoder, encoded: Any) -> None:
    nothing = tokens_of(encoded[:1])
    nothing = type(nothing)(
        **{n: v[:0] for n, v in vars(nothing).items() if n != "n_texts"}, n_texts=0
    )
    found = fast_scores(encoder, [], nothing, [1])
    assert found.norms.shape == (1, 0)
    assert all(score.seconds_per_1000_tokens is None for score in found.scores)


def test_on_real_weights_the_known_figures_come_out(minilm: af.Encoder) -> None:
    lines = enumerate(data_file("ud-ewt/en_ewt-ud-test.conllu").read_bytes().splitlines(True), 1)
    read = [conllu.parse(block) for block in conllu.sentences(lines)]
    sentences = [one for one in read if len(one.gold.tags) >= 5][::15]  # of all genres
    encoded, _ = minilm.tokenize([sentence.text for sentence in sentences])
    tokens = tokens_of(encoded)
    found = fast_scores(minilm, encoded, tokens, [0, 4])
    words = [
        map_pieces(sentence.gold.spans, one.text.start, one.text.end)
        for one, sentence in zip(encoded, sentences, strict=True)
    ]
    tag = np.concatenate(
        [np.array([*s.gold.tags, ""])[word] for s, word in zip(sentences, words, strict=True)]
    )
    ones = np.isin(tag, ("NOUN", "PROPN", "VERB", "ADJ", "ADV"))
    others = np.isin(tag, ("ADP", "AUX", "CCONJ", "DET", "PART", "PRON", "SCONJ"))

    def auc(name: str, layer: int | None) -> float:
        values = by_name(found)[name, layer].values
        return stats.auc(values[ones], values[others])

    # Those of all 1,535 sentences; this is every 15th.
    assert auc("norm", 0) == pytest.approx(0.941, abs=0.02)
    assert auc("norm", 4) == pytest.approx(0.887, abs=0.02)
    assert auc("centred", 0) == pytest.approx(0.948, abs=0.02)
    assert auc("centred", 4) == pytest.approx(0.898, abs=0.02)
    assert auc("frequency", None) == pytest.approx(0.928, abs=0.02)
    assert auc("random", None) == pytest.approx(0.5, abs=0.04)
    assert found.omega_squared[0] > 0.95
    (note,) = (note for note in found.notes if "identity explains" in note)
    for layer, share in zip((0, 4), found.omega_squared, strict=True):
        assert f"layer {layer} {100 * share:.1f} %" in note
