"""An audit with texts in which people marked words: AP by hand, what is counted, what is left."""

import json
import re

import numpy as np
import pytest
from marked_files import LONG, marks_of, rationales, words_of, written
from sklearn.metrics import average_precision_score
from test_auditing import SENTENCES, without_costs

import activation_flow as af
from activation_flow import attention, audit_explained, gradients, heads
from activation_flow.audit_tables import VERDICTS
from activation_flow.auditing import audit

FEW = SENTENCES[:6]
MARKED = [s for s in SENTENCES if 0 < sum(marks_of(s)) < len(marks_of(s))]
QUICK = {"sample": 30, "explained": 2, "perturbed": 2, "draws": 19}
C6, C11 = {**QUICK, "only": "C6"}, {**QUICK, "only": "C11"}


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


@pytest.fixture(scope="module")
def judged(bert, tmp_path_factory):
    """C6 with marks, and the stages that were told."""
    path = rationales(tmp_path_factory.mktemp("marked") / "a.jsonl", SENTENCES)
    told = []
    return audit(bert, FEW, rationales=path, progress=lambda *s: told.append(s), **C6), told


def ap_of(encoder, sentences, layer):
    """Average precision of the strongest piece of each word, sentence by sentence."""
    precisions = []
    for one, sentence in zip(
        encoder.strength([" ".join(words_of(s)) for s in sentences], layers=layer),
        sentences,
        strict=True,
    ):
        words, end = [], 0
        for word in words_of(sentence):
            begin = one.text.index(word, end)
            end = begin + len(word)
            inside = (one.start < end) & (one.end > begin) & (one.kind != "special")
            words.append(one.strength[0][inside].max())
        marks = marks_of(sentence)
        if 0 < sum(marks) < len(marks):
            precisions.append(average_precision_score(marks, words))
    return precisions


def test_average_precision_of_the_norm_is_that_of_the_encoder(bert, judged):
    found, _ = judged
    norms = {row.layer: row for row in found.plausible if row.score == "norm"}
    assert [*norms] == [*found.layers]
    for layer, row in norms.items():
        by_hand = ap_of(bert, SENTENCES, layer)
        assert row.texts == len(by_hand) > 20
        assert row.precision == pytest.approx(np.mean(by_hand), abs=1e-9)
        assert row.interval[0] <= row.precision <= row.interval[1]


def test_each_score_has_a_row_and_c6_tells_of_it(judged):
    found, _ = judged
    names = {row.score for row in found.plausible}
    assert names >= {"norm", "attention", "gradient_input", "integrated", "occlusion", "random"}
    of = {row.score: row for row in found.plausible if row.layer is None}
    assert (of["gradient_input"].texts, of["attention"].texts) == (2, of["random"].texts)
    assert found.counts["rationales"] == len(MARKED)
    # Only two texts of the corpus were perturbed: it is by the marks alone.
    claim = found.claim("C6")
    few = "faithfulness: 2 texts have a number; it takes 10"
    assert f"That is by plausibility alone ({few})." in claim.sentence
    assert claim.effect == of["attention"].difference
    assert claim.n["texts"] == of["attention"].texts > 10


def test_what_is_said_of_marked_texts_names_their_file(judged):
    found, _ = judged
    path = found.provenance.settings["rationales"]
    for what in ("gets", "gradients are of F"):
        once, again = (note for note in found.notes if what in note)
        assert (path in once, again.startswith(f"{path}: ")) == (False, True)


def test_progress_rises_for_files_too(judged):
    _, told = judged
    stages = [*dict.fromkeys(stage for stage, *_ in told)]
    of_marked = ("strengths", "attention", "gradients", "occlusion")
    assert stages == [
        *("reading", "strengths", "attention", *(f"rationales: {stage}" for stage in of_marked)),
        *("gradients", "occlusion", "removing words", "tests"),
    ]
    for stage in stages:
        done = [(k, n) for name, k, n in told if name == stage and n]
        assert done == sorted(done)
        assert done[-1][0] == done[-1][1]
        assert len({n for _, n in done}) == 1


def rows_of(found):
    return sorted(
        (row["score"], row["layer"] or 0, row["precision"], row["texts"])
        for row in without_costs(found.to_dict())["plausible"]
    )


def test_the_order_of_the_file_does_not_matter(bert, tmp_path):
    """But for random numbers, and for texts that are drawn: here all are read."""
    paths = [rationales(tmp_path / f"{step}.jsonl", SENTENCES[:8][::step]) for step in (1, -1)]
    every = {**C6, "explained": 8, "perturbed": 1}
    few = [*SENTENCES[:1]]
    first, second = (rows_of(audit(bert, few, rationales=path, **every)) for path in paths)
    assert len(first) == len(second) > 15
    for one, other in zip(first, second, strict=True):
        assert one[:2] == other[:2]
        if one[0] != "random":
            assert one[2:] == (pytest.approx(other[2], abs=1e-6), other[3]), one[0]


def test_what_cannot_be_read_is_told(bert, tmp_path):
    lines = [json.dumps({"words": words_of(s), "rationale": marks_of(s)}) for s in SENTENCES]
    more = [
        '{"words": ["a"]}',
        json.dumps({"words": ["\u200b", "\u200b"], "rationale": [0, 1]}),
        lines[0],
        "",
        json.dumps({"words": ["One", "two"], "rationale": [0, 0]}),
        json.dumps({"words": ["A", "dreadful", "\u200b", "day"], "rationale": [0, 1, 0, 0]}),
    ]
    path = written(tmp_path / "a.jsonl", [*lines, *more])
    found = audit(bert, FEW, rationales=path, **C11)
    (refused,) = (note for note in found.notes if "that the model cannot read" in note)
    assert refused.startswith(f"texts of {path} that the model cannot read, left out: 1 (text ")
    assert found.counts["rationales"] == len(MARKED) + 1
    dropped = f"{path}: words that the tokenizer drops, left out: 1, of them 0 marked"
    assert dropped in found.notes
    (bad,) = (note for note in found.notes if "rationales that cannot be read" in note)
    assert f"{path}, line {len(SENTENCES) + 1}" in bad
    assert any("no word is marked in 2" in note for note in found.notes)


# C11


@pytest.fixture
def only_strengths(monkeypatch):
    """Whatever else is measured fails."""

    def refuse(*_, **__):
        raise AssertionError("was not asked for")

    for module, name in (
        (audit_explained, "explain"),
        (heads, "opened"),
        (gradients, "scores"),
        (attention, "scores"),
    ):
        monkeypatch.setattr(module, name, refuse)


@pytest.mark.usefixtures("only_strengths")
def test_c11_needs_strengths_only(bert, tmp_path):
    path = rationales(tmp_path / "a.jsonl", SENTENCES)
    found = audit(bert, FEW, rationales=path, **C11)
    claim = found.claim("C11")
    assert claim.verdict in VERDICTS
    assert claim.sentence.startswith("Of a word that people marked and another content word")
    assert (found.plausible, found.faithful, found.norms) == ((), (), ())
    assert not {row.score for row in found.scores} & {"attention", "occlusion", "gradient_norm"}
    content = marked = 0
    for one, sentence in zip(bert.strength(SENTENCES), SENTENCES, strict=True):
        marks = [w for w, m in zip(words_of(sentence), marks_of(sentence), strict=True) if m]
        kinds = {str(w): k for w, k in zip(one.word, one.kind, strict=True)}
        content += len({w for w, k in kinds.items() if k == "content"})
        marked += len(marks)
    assert 0 < claim.n["salient"] <= marked < content


@pytest.mark.usefixtures("only_strengths")
def test_a_list_goes_before_marks(bert, tmp_path):
    plain = [" ".join(re.findall("[A-Za-z]+", sentence)) for sentence in MARKED]
    marked = rationales(tmp_path / "a.jsonl", plain)
    spelled = {word.lower() for sentence in plain for word in sentence.split()}
    listed = sorted(word for word in spelled if len(word) >= LONG)
    path = written(tmp_path / "words.txt", ["# long ones", *listed, "zyzzyva  # occurs nowhere"])
    of_list = audit(bert, plain, salient=path, **C11)
    claim = of_list.claim("C11")
    assert claim.verdict in VERDICTS
    assert claim.sentence.startswith(f"Of a word of {path} and another content word")
    said = f"{path}: {len(listed)} of its {len(listed) + 1} words occur, as "
    assert any(note.startswith(said) for note in of_list.notes)
    assert "rationales" not in of_list.counts
    # Every word that is marked is in the list, and the other way round.
    of_marks = audit(bert, FEW, rationales=marked, **C11).claim("C11")
    assert (of_marks.effect, of_marks.n, of_marks.p) == (claim.effect, claim.n, claim.p)
    some = written(tmp_path / "some.txt", listed[::2])
    both = audit(bert, plain, salient=some, rationales=marked, **C11).claim("C11")
    assert both == audit(bert, plain, salient=some, **C11).claim("C11")
    assert both.effect != claim.effect
