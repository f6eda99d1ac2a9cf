"""Labelled texts under prompts: vectors against the encoder's own states, and the whole of C10."""

import json

import numpy as np
import pytest
from data_files import data_file

import activation_flow as af
from activation_flow import labelled, parts, prompt_gains, prompt_vectors
from activation_flow.audit_defaults import PROMPTS
from activation_flow.data import ActivationFlowError

TEXTS = ["the dog ran", "A cat", "we unfolds the park"]


@pytest.mark.parametrize(("model_type", "kind"), [("bert", "cls"), ("gpt2", "last")])
def test_vectors_are_those_of_the_encoder(tiny, model_type, kind):
    encoder = af.Encoder.from_pretrained(tiny(model_type))
    template = "{prompt} : {text} ."
    told = []
    found = prompt_vectors.vectors(
        encoder,
        TEXTS,
        ["the dog"],
        [0, 2],
        template=template,
        progress=lambda *done: told.append(done),
    )
    assert (found.anchor, found.names, found.left.n) == (kind, ("anchor", "mean"), 0)
    assert told[-1] == (6, 6)
    assert found.texts.tolist() == [0, 1, 2]
    assert found.values.dtype == np.float32
    for variant, around in enumerate(["{}", "the dog : {} ."]):
        read = encoder.hidden_states([around.format(text) for text in TEXTS], layers=[0, 2])
        for k, (states, text) in enumerate(zip(read, TEXTS, strict=True)):
            begin = around.index("{")
            own = []
            for n, (i, j) in enumerate(zip(states.start, states.end, strict=True)):
                piece = around.format(text)[i:j]
                inner = piece.strip() or piece  # a space before a word is no letter of it
                first = i + piece.find(inner)
                inside = begin <= first and first + len(inner) <= begin + len(text)
                own += [n] if inside and not states.special[n] else []
            anchor = states.hidden[:, 0 if kind == "cls" else -1]
            mean = sum(states.hidden[:, n].astype(float) for n in own) / len(own)
            expected = np.stack([anchor, mean], axis=1)
            np.testing.assert_allclose(found.values[variant, :, :, k], expected, atol=1e-4)


def test_a_text_that_is_too_long_under_one_prompt_is_left_out_under_all(tiny_encoder):
    (alone,), _ = tiny_encoder.tokenize(["park"])
    long = " ".join(["a"] * (tiny_encoder.max_length - len(alone.text)))
    texts = ["the dog", long, "a cat"]
    prompts = ["park", "the park of the dog and the cat"]
    found = prompt_vectors.vectors(tiny_encoder, texts, prompts, [1])
    assert found.texts.tolist() == [0, 2]
    assert found.values.shape == (3, 1, 2, 2, tiny_encoder.width)
    assert found.left.n == 1
    assert found.left.reasons[0].startswith("text 'a a a")
    assert "with prompt 'the park of the dog and the cat': " in found.left.reasons[0]
    alone = prompt_vectors.vectors(tiny_encoder, ["a cat"], prompts, [1])
    np.testing.assert_allclose(found.values[:, :, :, 1], alone.values[:, :, :, 0], atol=1e-5)


def test_without_characters_there_is_the_anchor_only(tiny_encoder, monkeypatch):
    monkeypatch.setattr(parts, "known", lambda text: False)
    found = prompt_vectors.vectors(tiny_encoder, TEXTS, ["park"], [1])
    assert (found.names, found.left.n, found.values.shape[2]) == (("anchor",), 0, 1)


def made(texts, labels):
    return labelled.Labelled(texts=tuple(texts), labels=tuple(labels), name="made", counts={})


def test_all_of_it(tiny_encoder):
    random = np.random.default_rng(0)
    sides = [["dog", "park"], ["the", "we"]]  # a label is what words a text has more of
    texts = {
        " ".join(random.choice(sides[k % 2 if i else 1 - k % 2]) for i in range(6)) + f" {k}": k % 2
        for k in range(40)
    }
    given = made(texts, map(str, texts.values()))
    told = []
    prompts = ["the", "dog", "park park", "we", "cat"]
    found = prompt_gains.probe_all(
        tiny_encoder,
        given,
        prompts,
        layers=(0, 1),
        main=1,
        progress=lambda *stage: told.append(stage),
    )
    assert told[-1] == ("probes", 24, 24)
    assert ("prompts", 240, 240) in told
    assert len(found.rows) == 6 * 2 * 2
    assert (found.counts["texts"], found.counts["labels"], found.prompts) == (40, 2, (*prompts,))
    if not found.tested.missing:
        assert found.tested.n == {"prompts": 5, "texts": 40, "labels": 2}
    mean = [row for row in found.rows if (row.layer, row.vector, row.prompt) == (0, "mean", None)]
    assert mean[0].accuracy > 0.8  # which words there are can be read from their embeddings
    assert "logistic probes of 2 labels on 40 texts" in found.notes[-1]
    few = prompt_gains.probe_all(tiny_encoder, given, ["the"], layers=(1,), main=1)
    assert few.tested.missing == "there is 1 prompt; it takes 5"
    assert len(few.rows) == 4


def test_labels_of_texts_that_cannot_be_read(tiny_encoder):
    long = " ".join(["dog"] * tiny_encoder.max_length)
    texts = [f"the dog {k}" for k in range(9)] + [long]
    found = prompt_gains.probe_all(
        tiny_encoder, made(texts, "aaaaabbbbb"), ["the"], layers=(1,), main=1
    )
    assert found.rows == ()
    assert found.tested.missing.startswith("all 5 labelled texts are 'a'")
    assert "labelled texts that cannot be read, left out: 1 (text 'dog dog" in found.notes[0]
    assert "labels of fewer than 5 texts, left out: 1 ('b'; 4 texts)" in found.notes[1]


def test_what_is_refused_or_missing(tiny_encoder, monkeypatch):
    given = made(["a dog", "a cat"] * 5, "ab" * 5)
    with pytest.raises(ActivationFlowError, match="prompt 2 is empty"):
        prompt_gains.probe_all(tiny_encoder, given, ["the", ""], layers=(1,), main=1)
    monkeypatch.setattr("activation_flow.room.available_memory", lambda: 1000)
    found = prompt_gains.probe_all(tiny_encoder, given, ["the"], layers=(1,), main=1)
    assert found.tested.missing.startswith("the vectors of 10 labelled texts, under 1 prompts and")


def test_tweets(minilm, tmp_path):
    with open(data_file("tweet-rationales/tweet_rationales_1000.jsonl"), encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    path = tmp_path / "tweets.jsonl"
    texts = [{"text": " ".join(one["words"]), "label": one["label"]} for one in rows]
    path.write_text("\n".join(map(json.dumps, texts)))
    given = labelled.read(str(path), texts=80)
    found = prompt_gains.probe_all(minilm, given, PROMPTS[:5], layers=(4,), main=4)
    bare = {row.vector: row for row in found.rows if row.prompt is None}
    assert bare["mean"].interval[0] > 0.5  # sentiment can be read
    assert found.tested.missing or -1 <= found.tested.effect <= 1
    shifts = [row.shift for row in found.rows if row.vector == "mean" and row.prompt]
    assert min(shifts) > 0.5
