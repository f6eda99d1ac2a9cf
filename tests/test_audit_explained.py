"""Gradients, occlusion and faithfulness in an audit: which texts, and what is said without them."""

import copy
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from headed_models import made
from hypothesis import given
from hypothesis import strategies as st
from test_auditing import SENTENCES, without_costs

import activation_flow as af
from activation_flow import (
    audit_explained,
    audit_passes,
    faithful,
    gradients,
    heads,
    identity,
    occlusion,
)
from activation_flow.audit_explained import LONGEST, judged, spread_out, within_reach
from activation_flow.audit_tables import NOT_TESTABLE, VERDICTS
from activation_flow.auditing import audit

FEW = SENTENCES[:14]
QUICK = {"only": "C6", "sample": 6, "explained": 4, "perturbed": 2, "draws": 19}
MEASURED = (
    *("gradient_input", "gradient_input_signed", "gradient_norm"),
    *("integrated", "integrated_signed", "integrated_second", "occlusion"),
)


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


@pytest.fixture
def explained(monkeypatch):
    """Every (Explained, tokens, units) of the audits of this test."""
    found, explain = [], audit_explained.explain

    def kept(encoder, encoded, tokens, words, *rest):
        found.append((explain(encoder, encoded, tokens, words, *rest), tokens, words))
        return found[-1][0]

    monkeypatch.setattr(audit_passes.audit_explained, "explain", kept)
    return found


def lengths(sizes):
    return SimpleNamespace(text=np.repeat(np.arange(len(sizes)), sizes), n_texts=len(sizes))


# which texts


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(1, 40), st.data())
def test_texts_are_spread_over_their_lengths(sizes, n, data):
    texts = data.draw(st.permutations(range(len(sizes))).map(np.array))
    chosen = spread_out(texts, lengths(sizes), n)
    assert len(chosen) == min(n, len(sizes))
    assert chosen.tolist() == sorted({*chosen.tolist()})
    # Sorted by length, one text is taken of each of n parts as long as another: its first.
    ranked = np.sort(sizes)
    if n < len(sizes):
        first = [ranked[k * len(sizes) // n] for k in range(n)]
        assert sorted(sizes[k] for k in chosen) == first
        assert min(sizes[k] for k in chosen) == min(sizes)


@given(st.lists(st.integers(1, 3 * LONGEST), min_size=1, max_size=20))
def test_long_texts_are_out_of_reach_unless_all_are_long(sizes):
    texts, notes = within_reach(np.arange(len(sizes)), lengths(sizes))
    limit = max(LONGEST, min(sizes))
    assert texts.tolist() == [k for k, size in enumerate(sizes) if size <= limit]
    left = len(sizes) - len(texts)
    assert len(notes) == (left > 0)
    assert all(f": {left} texts of the sample have more than {LONGEST} tokens" in n for n in notes)


def test_of_no_text_none_is_chosen():
    none = np.empty(0, dtype=np.int64)
    assert within_reach(none, lengths([3, 4]))[0].tolist() == []
    assert spread_out(none, lengths([3, 4]), 2).tolist() == []


def test_scores_of_other_layers_are_not_judged_but_where_all_are():
    scores = [
        SimpleNamespace(name=name, layer=layer)
        for name, layer in (("norm", 1), ("norm", 2), ("centred", 2), ("occlusion", None))
    ]
    assert judged(scores, 2) == [scores[1], scores[3]]
    assert judged(scores, 2, layers=True) == [scores[0], scores[1], scores[3]]


def test_scores_are_of_the_chosen_texts_only(bert, explained):
    found = audit(bert, FEW, **QUICK)
    ((one, tokens, words),) = explained
    assert (one.texts, one.missing, found.counts["explained"]) == (4, "", 4)
    assert [score.name for score in one.scores] == [*MEASURED]
    sampled = {*np.unique(tokens.text[np.isfinite(one.scores[0].values)]).tolist()}
    assert len(sampled) == 4
    assert {*one.faithful.text.tolist()} <= sampled
    assert len(one.faithful.text) == found.counts["perturbed"] == 2
    in_word = words.of_token >= 0
    for score in one.scores:
        known = np.isfinite(score.values)
        assert np.array_equal(known, np.isin(tokens.text, [*sampled]) & in_word), score.name
    assert {row.texts for row in found.scores if row.score == "occlusion"} <= {1, 2, 3, 4}


# what cannot be asked


def not_available(found, why):
    """Rows say why, C6 is not testable for that reason, and the others are tested."""
    rows = {row.score: row for row in found.scores if row.score in MEASURED}
    assert [*rows] == [*MEASURED]
    assert {(row.auc, row.missing) for row in rows.values()} == {(None, why)}
    assert f"gradients and changed texts are not available: {why}" in found.notes
    claim = found.claim("C6")
    assert (claim.verdict, claim.sentence) == (NOT_TESTABLE, f"Not testable: faithfulness: {why}.")
    assert found.faithful == ()
    assert (found.counts["explained"], found.counts["perturbed"]) == (0, 0)
    found._repr_html_()


def test_a_model_that_cannot_be_opened(bert, monkeypatch):
    def refuses(_):
        raise af.ActivationFlowError("its head is locked")

    monkeypatch.setattr(heads, "opened", refuses)
    found = audit(bert, FEW, **{**QUICK, "only": "C1,C6", "draws": 99}, controls=False)
    not_available(found, "its head is locked")
    assert found.claim("C1").verdict in VERDICTS
    assert found.claim("C1").p_holm == found.claim("C1").p  # the only one that was tested
    assert {row.score for row in found.scores} >= {"norm", "attention"}


def test_an_encoder_of_another_process_says_so(tiny):
    encoder = pickle.loads(pickle.dumps(af.Encoder.from_pretrained(tiny("bert"))))
    found = audit(encoder, FEW, **QUICK)
    (why,) = {row.missing for row in found.scores if row.score == "occlusion"}
    assert "came from another process, without the model itself" in why
    not_available(found, why)


def test_where_faithfulness_alone_fails_the_scores_stay(bert, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("not enough memory")

    monkeypatch.setattr(faithful, "faithful", fails)
    found = audit(bert, FEW, **QUICK)
    assert found.claim("C6").sentence == "Not testable: faithfulness: not enough memory."
    assert "faithfulness: not enough memory" in found.notes
    rows = [row for row in found.scores if row.score in MEASURED]
    assert {row.missing for row in rows} == {""}
    assert (found.faithful, found.counts["explained"]) == ((), 4)


@pytest.mark.parametrize("which", ["gradients", "occlusion"])
def test_what_fails_takes_nothing_else_with_it(bert, monkeypatch, which):
    def fails(*_, **__):
        raise RuntimeError("not enough memory")

    module, name = {"gradients": (gradients, "scores"), "occlusion": (occlusion, "score")}[which]
    monkeypatch.setattr(module, name, fails)
    found = audit(bert, FEW, **QUICK)
    missing = {row.score: row.missing for row in found.scores if row.score in MEASURED}
    lost = {name for name in MEASURED if (name == "occlusion") == (which == "occlusion")}
    assert {name for name, why in missing.items() if why} == lost
    assert {missing[name] for name in lost} == {"not enough memory"}
    is_not = "are not" if which == "gradients" else "is not"
    assert f"{which} {is_not} available: not enough memory" in found.notes
    texts = {row.score: row.texts for row in found.faithful if row.main}
    assert {name: texts[name] for name in ("norm", *MEASURED)} == {
        name: 0 if name in lost else 2 for name in ("norm", *MEASURED)
    }
    assert (found.counts["explained"], found.counts["perturbed"]) == (4, 2)


def test_texts_of_several_windows_only(bert):
    found = audit(bert, FEW, max_length=8, **QUICK)
    assert found.counts["explained"] == 0
    assert "there is no text in the sample that is read in one window" in (
        found.claim("C6").sentence
    )


# models with heads


@pytest.mark.parametrize(
    ("model_type", "head", "told", "asked"),
    [
        ("gpt2", "next", "with its head, GPT2LMHeadModel", "log-probability of the last words"),
        ("bert", "mlm", "with its head, BertForMaskedLM", "log-probability of held-out words"),
        ("bert", "classifier", "BertForSequenceClassification", "logit of the predicted class"),
    ],
)
def test_live_models_with_heads(model_type, head, told, asked):
    model, tokenizer = made(model_type, head)
    model = copy.deepcopy(model).train()
    before = copy.deepcopy((model.state_dict(), model.config.to_dict()))
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch", threads=1)
    found = audit(encoder, FEW, **{**QUICK, "explained": 3, "sample": 3})
    assert any(note.endswith(told) and "gradients" in note for note in found.notes)
    assert any(told in note and "faithfulness over 2 texts" in note for note in found.notes)
    assert (audit_explained.AT_THE_END in found.notes) == (head == "next")
    rows = [row for row in found.faithful if row.main]
    assert {row.output for row in rows} == {asked}
    assert {row.missing for row in found.faithful} == {""}
    for row in rows:
        assert np.isfinite([row.comprehensiveness, row.sufficiency, row.pieces]).all()
        assert (row.difference is None) == (row.score == "norm")
    # It is the user's own model still.
    assert model.training
    assert {p.requires_grad for p in model.parameters()} == {True}
    assert {p.grad for p in model.parameters()} == {None}
    assert model.config.to_dict() == before[1]
    assert all(torch.equal(v, before[0][k]) for k, v in model.state_dict().items())
    assert identity.meddled_with(model) == ""


def test_the_same_seed_gives_the_same_and_another_does_not(bert):
    first, again, other = (
        without_costs(audit(bert, FEW, seed=seed, **{**QUICK, "explained": 2}).to_dict())
        for seed in (0, 0, 1)
    )
    assert first == again
    assert first["faithful"] != other["faithful"]
