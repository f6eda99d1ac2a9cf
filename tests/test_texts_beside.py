"""Texts beside the audited ones: kinds, frequencies and refusals as those of the audit."""

import numpy as np
import pytest
from test_auditing import SENTENCES

import activation_flow as af
from activation_flow import material, texts_beside


@pytest.fixture(scope="module")
def bert(tiny):
    return af.Encoder.from_pretrained(tiny("bert"), engine="torch", threads=1)


def test_they_have_what_the_audited_texts_have(bert):
    found = material.gather(bert, SENTENCES)
    again = texts_beside.ready(bert, SENTENCES, found, "texts")
    assert again.kept == tuple(range(len(SENTENCES)))
    for name in ("id", "kind", "type", "frequency", "position", "text"):
        ours, theirs = getattr(again.tokens, name), getattr(found.tokens, name)
        if ours.dtype.kind == "f":
            assert np.array_equal(ours, theirs, equal_nan=True)
        else:
            assert ours.tolist() == theirs.tolist()
    assert again.tokens.frequency_name == found.tokens.frequency_name
    assert again.notes == ()


def test_what_the_model_cannot_read_is_told_and_the_others_keep_their_places(bert):
    found = material.gather(bert, SENTENCES)
    ready = texts_beside.ready(bert, ["A dog.", "", "A cat."], found, "texts of a.jsonl")
    assert ready.kept == (0, 2)
    assert [one.number for one in ready.encoded] == [1, 2]
    assert np.unique(ready.tokens.text).tolist() == [0, 1]
    (note,) = ready.notes
    assert note.startswith("texts of a.jsonl that the model cannot read, left out: 1 (text 2: ")


def test_texts_without_tags_get_kinds_from_the_list(bert, tmp_path):
    words = [("The", "DET"), ("dog", "NOUN"), ("ran", "VERB")]
    rows = "\n".join(f"{k}\t{w}\t_\t{t}" + "\t_" * 6 for k, (w, t) in enumerate(words, 1))
    (tmp_path / "a.conllu").write_text(f"# text = The dog ran\n{rows}\n\n")
    found = material.gather(bert, str(tmp_path / "a.conllu"))
    assert found.kinds == "gold"
    ready = texts_beside.ready(bert, ["The dog ran."], found, "rationales")
    assert ready.notes == ("rationales have no tags: the kinds of their tokens are the list's",)
    assert {"content", "function"} <= {*ready.tokens.kind.tolist()}
