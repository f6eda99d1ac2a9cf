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


def dogs(n):
    """So many texts that the tiny tokenizer, which knows no numbers, reads as different ones."""
    return ["the " + " ".join(["dog", "park"][k >> i & 1] for i in range(5)) for k in range(n)]


def made(texts, labels):
    return labelled.Labelled(texts=tuple(texts), labels=tuple(labels), name="made", counts={})


def test_all_of_it(tiny_encoder):
    random = np.random.default_rng(0)
    ends = ["a cat " * (k % 8) + "cat " * (k // 8) for k in range(40)]
    sides = [["dog", "park"], ["the", "we"]]  # a label is what words a text has more of
    texts = {
        " ".join(random.choice(sides[k % 2 if i else 1 - k % 2]) for i in range(6)) + f" {end}": k
        % 2
        for k, end in enumerate(ends)
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
    texts = [*dogs(9), long]
    found = prompt_gains.probe_all(
        tiny_encoder, made(texts, "aaaaabbbbb"), ["the"], layers=(1,), main=1
    )
    assert found.rows == ()
    assert found.tested.missing.startswith("made: 'a' has 5 texts, 'b' has 4 texts; it")
    assert "labelled texts that cannot be read, left out: 1 (text 'dog dog" in found.notes[0]
    assert "labels of fewer than 5 texts, left out: 1 ('b'; 4 texts)" in found.notes[1]


def test_texts_that_the_model_reads_alike_count_once(tiny_encoder):
    texts = dogs(10)
    twice = [*texts, texts[0].upper(), texts[1] + " ", texts[2].replace(" ", "  ")]
    found = prompt_gains.probe_all(
        tiny_encoder, made(twice, "ababababab" + "abb"), ["the"], layers=(1,), main=1
    )
    # The third is read like one of another label: neither counts, and of "a" four are left.
    assert (found.counts["alike"], found.counts["alike_two_labels"]) == (3, 1)
    assert "labelled texts that the model reads as another one, left out: 3" in found.notes
    told = "two labels, left out: 1 (text 'the dog park dog dog dog': it is 'a', and 'b' where it"
    assert any(told in note for note in found.notes)
    assert found.tested.missing.startswith("made: 'b' has 5 texts, 'a' has 4 texts; it takes two")
    alone = made(texts, "ababababab")
    same = prompt_gains.probe_all(
        tiny_encoder, made(twice[:12], "ababababab" + "ab"), ["the"], layers=(1,), main=1
    )
    assert (
        same.rows == prompt_gains.probe_all(tiny_encoder, alone, ["the"], layers=(1,), main=1).rows
    )
    assert {row.texts for row in same.rows} == {10}


def test_the_length_that_was_asked_for_is_that_of_labelled_texts(tiny_encoder):
    texts = [*dogs(10), "the dog " * 12]
    given = made(texts, "ab" * 5 + "a")
    whole, cut = (
        prompt_gains.probe_all(tiny_encoder, given, ["the"], layers=(1,), main=1, max_length=length)
        for length in (None, 20)
    )
    assert (whole.counts["unread"], cut.counts["unread"]) == (0, 1)


def test_vectors_leave_room_for_a_copy(tiny_encoder, monkeypatch):
    needed = 10 * 3 * 4 * 2 * tiny_encoder.width * 4
    for share in (3.9, 4.1):
        free = int(share * needed)
        monkeypatch.setattr("activation_flow.room.available_memory", lambda free=free: free)
        assert bool(prompt_vectors.why_no_room(tiny_encoder, 10, 3, 4)) is (share < 4)


def test_what_is_refused_or_missing(tiny_encoder, monkeypatch):
    given = made(dogs(10), "ab" * 5)
    with pytest.raises(ActivationFlowError, match="prompt 2 is empty"):
        prompt_gains.probe_all(tiny_encoder, given, ["the", ""], layers=(1,), main=1)
    monkeypatch.setattr("activation_flow.room.available_memory", lambda: 1000)
    found = prompt_gains.probe_all(tiny_encoder, given, ["the"], layers=(1,), main=1)
    assert found.tested.missing.startswith("the vectors of 10 labelled texts, under 1 prompts and")
    assert found.tested.missing.endswith("give fewer prompts or labelled texts")


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
