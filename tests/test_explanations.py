"""What C6 is judged by: per text the norm less attention, and why it cannot be."""

from dataclasses import replace

import numpy as np
import pytest
from marked_files import marks_of, rationales
from test_auditing import SENTENCES

import activation_flow as af
from activation_flow import attention, audit_tests, auditing
from activation_flow.audit_data import Score
from activation_flow.audit_tables import NOT_TESTABLE
from activation_flow.auditing import audit

MARKED = [s for s in SENTENCES if 0 < sum(marks_of(s)) < len(marks_of(s))][:12]
QUICK = {"only": "C6", "sample": 12, "perturbed": 10, "explained": 10, "draws": 19}


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


@pytest.fixture(scope="module")
def judged(bert, tmp_path_factory):
    """An audit with marked texts, and its Explanations."""
    path = rationales(tmp_path_factory.mktemp("marked") / "a.jsonl", MARKED)
    kept, findings = [], audit_tests.findings

    def keep(given, *rest, **options):
        kept.append(given.explanations)
        return findings(given, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auditing.audit_tests, "findings", keep)
        found = audit(bert, SENTENCES[:12], rationales=path, **QUICK)
    return found, kept[0]


def test_both_measures_are_the_norm_less_attention_text_by_text(judged):
    found, explanations = judged
    faithful, plausible = explanations.explained.faithful, explanations.marked.plausible
    main = found.layer
    for of, values, texts in (
        (faithful, faithful.normalised, 10),
        (plausible, plausible.precision, 12),
    ):
        at = {key: k for k, key in enumerate(of.keys)}
        by_hand = []
        for text in range(texts):
            by_hand.append(
                float(values[at["norm", main]][text]) - float(values[at["attention", None]][text])
            )
        assert len(by_hand) == values.shape[1]
        assert np.isfinite(by_hand).all()
        assert np.ptp(by_hand) > 0
        rows = found.faithful if of is faithful else found.plausible
        row = next(
            row
            for row in rows
            if (row.score, row.layer) == ("attention", None) and getattr(row, "main", True)
        )
        assert row.difference == pytest.approx(sum(by_hand) / texts)
        better = explanations.better([])
        mean = better.means[0 if of is faithful else 1]
        assert (mean.value, mean.texts) == (pytest.approx(sum(by_hand) / texts), texts)


def test_the_claim_is_of_the_measure_with_the_larger_p(judged):
    found, explanations = judged
    better = explanations.better([])
    least = max((0, 1), key=lambda k: better.means[k].p)
    claim = found.claim("C6")
    assert better.measure == ("faithfulness", "plausibility")[least]
    assert (claim.effect, claim.p) == (better.means[least].value, better.means[least].p)
    assert claim.effect_name.endswith(better.measure)
    assert claim.p_holm == claim.p


def test_without_marks_faithfulness_alone_is_asked(judged):
    _, explanations = judged
    alone = replace(explanations, marked=None)
    assert alone.plausible_rows() == ()
    assert alone.better([]).means == explanations.better([]).means[:1]
    assert alone.better([]).measure == "faithfulness"


def test_nothing_measured_is_said(judged):
    _, explanations = judged
    nothing = replace(explanations, explained=None, marked=None)
    assert nothing.better([]).tested.missing == "faithfulness: it was not measured"
    assert nothing.faithful_rows([]) == ()


def test_without_faithfulness_marks_alone_are_asked(judged):
    _, explanations = judged
    explained = replace(explanations.explained, faithful=None, missing="faithfulness: no head")
    alone = replace(explanations, explained=explained).better([])
    assert alone.means == explanations.better([]).means[1:]
    assert (alone.measure, alone.lacking) == ("plausibility", {"faithfulness": "no head"})
    assert alone.tested.p == alone.means[0].p


def test_where_attention_is_there_for_marked_texts_only_they_are_asked(judged):
    _, explanations = judged
    none = Score(name="attention", title="a", layer=None, values=np.empty(0), missing="no memory")
    found = explanations.better([none])
    assert found.measure == "plausibility"
    assert found.lacking == {"faithfulness": "there is no attention (no memory)"}


def test_without_attention_c6_says_why(bert, monkeypatch):
    def refuse(*_, **__):
        raise af.ActivationFlowError("it gives no attention weights")

    monkeypatch.setattr(attention, "scores", refuse)
    found = audit(bert, SENTENCES[:12], **{**QUICK, "explained": 2, "perturbed": 2})
    claim = found.claim("C6")
    assert (claim.verdict, claim.sentence) == (
        NOT_TESTABLE,
        "Not testable: faithfulness: there is no attention (it gives no attention weights).",
    )
    rows = {(row.score, row.layer): row for row in found.faithful if row.main}
    assert rows["attention", None].missing == "it gives no attention weights"
    assert rows["attention", None].normalised is None
    assert rows["norm", found.layer].normalised is not None
