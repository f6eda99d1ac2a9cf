"""What small changes leave of the norm's order: against ``Encoder.strength``, text by text."""

import random
from dataclasses import replace

import numpy as np
import pytest
from data_files import data_file
from scipy import stats as scipy_stats

import activation_flow as af
from activation_flow import attention, eager, text_pairs
from activation_flow.audit_data import Score
from activation_flow.audit_slow import attention_of
from activation_flow.audit_tokens import flattened
from activation_flow.perturbed_texts import changes
from activation_flow.stability import expected_jaccard
from activation_flow.stable import stable
from activation_flow.text_pairs import TextPairs

TEXTS = [
    "Enjoying a beautiful day at the park!",
    "Who is the prime minister of Canada?",
    "A dog ran along the river and nobody saw it",
    "the old man and the sea, unfolds.",
    "Nonchalant connoisseurs of coffee are rarely wrong.",
]
NAMES = ("case", "final period", "prefix", "typo")


def in_pairs(*pairs: tuple[str, str]) -> TextPairs:
    return TextPairs(
        a=tuple(a for a, _ in pairs),
        b=tuple(b for _, b in pairs),
        gold=(None,) * len(pairs),
        kinds="list",
        edited=("",) * len(pairs),
        name="given",
        counts={},
        notes=("pairs were given",),
    )


def aligned(a: list[str], b: list[str]) -> list[tuple[int, int]]:
    """Of one edit in one place: what stands before it and what stands after it."""
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[~tail] == b[~tail]:
        tail += 1
    before = [(k, k) for k in range(head)]
    return before + [(len(a) - k, len(b) - k) for k in range(tail, 0, -1)]


def one_by_one(encoder: af.Encoder, layers, change: str, pairs) -> dict[str, list[list[float]]]:
    """The measures of each pair at each layer, the plainest way."""
    found: dict[str, list[list[float]]] = {"tau": [], "jaccard": [], "chance": [], "tokens": []}
    for text_a, text_b in pairs:
        a, b = (encoder.strength(text, layers=layers) for text in (text_a, text_b))
        own_a, own_b = np.flatnonzero(~a.special), np.flatnonzero(~b.special)
        keys_a, keys_b = ([str(t) for t in one.tokens[~one.special]] for one in (a, b))
        if change == "case":
            keys_a, keys_b = ([key.casefold() for key in keys] for keys in (keys_a, keys_b))
        at = aligned(keys_a, keys_b)
        if len(at) < 3:
            continue
        i, j = own_a[[k for k, _ in at]], own_b[[k for _, k in at]]
        rows = {name: [] for name in found}
        for layer in range(len(layers)):
            s, t = a.strength[layer, i], b.strength[layer, j]
            rows["tau"].append(scipy_stats.kendalltau(s, t).statistic)
            high_a = {k for k, x in enumerate(a.bucket[layer, i]) if x == "HIGH"}
            high_b = {k for k, x in enumerate(b.bucket[layer, j]) if x == "HIGH"}
            either = high_a | high_b
            rows["jaccard"].append(len(high_a & high_b) / len(either) if either else np.nan)
            rows["chance"].append(expected_jaccard(len(high_a), len(high_b), len(at)))
            rows["tokens"].append(len(at))
        for name, values in rows.items():
            found[name].append(values)
    return found


def check(encoder: af.Encoder, texts, layers, name: str, found) -> None:
    pairs = [(t, c) for t in texts for change, c, _ in changes(t, 3) if change == name]
    expected = one_by_one(encoder, layers, name, pairs)
    rows = [row for row in found.rows if row.change == name]
    assert [row.layer for row in rows] == [*layers]
    for k, row in enumerate(rows):
        assert row.texts == len(expected["tau"])
        assert row.tokens == sum(values[k] for values in expected["tokens"])
        for measure in ("tau", "jaccard", "chance"):
            mean = np.nanmean([values[k] for values in expected[measure]])
            assert getattr(row, measure) == pytest.approx(mean, abs=1e-6), (name, measure)
        assert row.tau_interval[0] <= row.tau <= row.tau_interval[1]
        assert row.jaccard_interval[0] <= row.jaccard <= row.jaccard_interval[1]
        assert (row.score, row.missing) == ("norm", "")


def test_it_is_what_two_strengths_say(minilm):
    layers = (0, 4)
    found = stable(minilm, TEXTS, layers, 4, seed=3)
    for name in NAMES:
        check(minilm, TEXTS, layers, name, found)
    rows = {(row.change, row.layer): row for row in found.rows}
    assert [*rows] == [(name, layer) for name in NAMES for layer in layers]
    # Uncased: the model reads the same, so everything is.
    for layer in layers:
        row = rows["case", layer]
        assert (row.same, row.tau, row.jaccard) == (1.0, 1.0, 1.0)
        assert row.chance < 0.5
        assert rows["prefix", layer].same == 0.0
    # A prefix leaves all tokens; a typo takes those of its word.
    prefix, typo = found.counts["prefix"], found.counts["typo"]
    assert (prefix["unaligned"], prefix["aligned"]) == (0, rows["case", 4].tokens)
    assert typo["unaligned"] >= len(TEXTS)
    assert typo["aligned"] + typo["unaligned"] == prefix["aligned"]
    assert found.counts["final period"]["unaligned"] == sum(t[-1] in ".!?" for t in TEXTS)
    assert "in lower case: 4; in upper case: 1" in rows["case", 0].note


def test_a_model_that_reads_case_moves_under_it(tiny):
    encoder = af.Encoder.from_pretrained(tiny("roberta"), engine="torch", threads=1)
    texts = ["the Dog ran; the Dog ran.", "a Dog ran"]  # a D is a piece of its own
    found = stable(encoder, texts, (1, 2), 2, seed=3)
    check(encoder, texts, (1, 2), "case", found)
    row = found.rows[0]
    assert (row.change, row.same) == ("case", 0.0)
    assert row.tau < 1
    assert "equal but for case" in row.note
    counts = found.counts["case"]
    assert (counts["texts"], counts["unaligned"]) == (2, 0)  # a D stands for a d


def test_the_order_of_the_texts_and_the_other_texts_change_nothing(tiny_encoder):
    texts = [*TEXTS, "one two three four five.", "Nothing else happened today"]
    turned = random.Random(1).sample(texts, len(texts))
    both = [stable(tiny_encoder, some, (1, 2), 2, seed=3) for some in (texts, turned)]
    assert both[0].counts == both[1].counts
    for row, other in zip(both[0].rows, both[1].rows, strict=True):
        close = ("tau", "jaccard", "chance", "tau_interval", "jaccard_interval")
        for name in close:
            assert getattr(row, name) == pytest.approx(getattr(other, name), abs=1e-9)
        cleared = {**dict.fromkeys(close), "note": ""}
        assert replace(row, **cleared) == replace(other, **cleared)


def test_what_cannot_be_compared_is_counted(tiny_encoder):
    texts = ["42 + 1 = 43", "Hi", "word " * 400, "The dog ran away."]
    calls = []
    found = stable(tiny_encoder, texts, (0, 1), 1, progress=lambda *of: calls.append(of))
    of = found.counts
    assert (of["case"]["asked"], of["case"]["without"], of["case"]["failed"]) == (4, 1, 1)
    assert of["typo"]["without"] == 2
    for name in NAMES:
        counts = of[name]
        left = counts["without"] + counts["failed"] + counts["short"]
        assert counts["texts"] == counts["asked"] - left
    assert any("cannot be compared, left out: 4 (case, 'word word" in note for note in found.notes)
    assert any(
        note.startswith("case: of 4 texts left out: 1 without the change") for note in found.notes
    )
    assert calls[-1][0] == calls[-1][1] == len(calls)


def test_a_change_that_no_text_has_says_so(tiny_encoder):
    found = stable(tiny_encoder, ["42 + 1 = 43"], (1,), 1)
    row = found.rows[0]
    assert (row.change, row.tau, row.tau_interval, row.texts) == ("case", None, None, 0)
    assert row.missing == "no text has this change and 3 aligned tokens"
    assert found.rows[2].tau_interval is None  # of one text
    assert found.rows[2].tau is not None


def test_norms_that_are_not_finite_fail_their_text(tiny_encoder, monkeypatch):
    run = tiny_encoder.run

    def broken(encoded, layers):
        for i, norms, hidden in run(encoded, layers):
            bad = encoded[i].text.text.startswith("Well")
            yield i, np.full_like(norms, np.nan) if bad else norms, hidden

    monkeypatch.setattr(tiny_encoder, "run", broken)
    found = stable(tiny_encoder, TEXTS, (1,), 1)
    assert (found.counts["prefix"]["failed"], found.counts["typo"]["failed"]) == (5, 0)
    assert any("text B: the model's hidden state at layer 1 is not" in note for note in found.notes)


def test_attention_stands_beside_it_change_by_change(minilm):
    """By plain loops over the attention of single texts."""

    def received(texts):
        encoded, _ = minilm.tokenize(texts, kinds="none")
        tokens = flattened([one.text for one in encoded])
        with eager.opened(minilm, "eager") as tap:
            sampled = eager.sample(encoded, tokens, range(len(encoded)))
            score = attention.scores(minilm, tap, sampled).scores[0]
        return [
            (one.text, score.values[tokens.text == i].astype(np.float64))
            for i, one in enumerate(encoded)
        ]

    found = stable(
        minilm,
        TEXTS,
        (0, 4),
        4,
        beside=lambda texts: attention_of(minilm, texts, lambda *_: None),
        seed=3,
    )
    assert [(row.change, row.score, row.layer) for row in found.rows] == [
        (name, *of) for name in NAMES for of in (("norm", 0), ("norm", 4), ("attention", None))
    ]
    alone = stable(minilm, TEXTS, (0, 4), 4, seed=3)
    assert tuple(row for row in found.rows if row.score == "norm") == alone.rows
    assert (found.counts, found.notes) == (alone.counts, alone.notes)
    for row in found.rows[2::3]:
        assert row.title == "attention received, mean of all layers"
        pairs = [(t, c) for t in TEXTS for change, c, _ in changes(t, 3) if change == row.change]
        sides = received([t for pair in pairs for t in pair])
        taus, shares, n = [], [], 0
        for (a, of_a), (b, of_b) in zip(sides[::2], sides[1::2], strict=True):
            own_a, own_b = np.flatnonzero(~a.special), np.flatnonzero(~b.special)
            at = aligned(a.tokens[own_a].tolist(), b.tokens[own_b].tolist())
            i, j = own_a[[k for k, _ in at]], own_b[[k for _, k in at]]
            taus.append(scipy_stats.kendalltau(of_a[i], of_b[j]).statistic)
            high_a, high_b = (
                {k for k, x in enumerate(of[at_]) if x > np.quantile(of[own], 0.75)}
                for of, own, at_ in ((of_a, own_a, i), (of_b, own_b, j))
            )
            shares.append(len(high_a & high_b) / len(high_a | high_b))
            n += len(at)
        assert row.tau == pytest.approx(np.mean(taus), abs=1e-6)
        assert row.jaccard == pytest.approx(np.mean(shares), abs=1e-6)
        assert (row.tokens, row.texts, row.missing) == (n, len(pairs), "")


def test_a_score_that_is_not_known_says_why(tiny_encoder):
    def none(texts):
        values = np.full(sum(len(one.text) for one in texts), np.nan)
        return Score(name="a", title="A", layer=None, values=values, missing="no weights")

    rows = stable(tiny_encoder, TEXTS, (1,), 1, beside=none).rows[1::2]
    assert {(r.change, r.score) for r in rows} == {(name, "a") for name in NAMES}
    assert {(r.tau, r.jaccard, r.texts, r.missing) for r in rows} == {(None, None, 0, "no weights")}

    few = ["A dog ran", *TEXTS]

    def some(texts):
        values = [
            np.arange(len(o.text)) * (np.nan if o.text.text == few[0] else 1.0) for o in texts
        ]
        return Score(name="a", title="A", layer=None, values=np.concatenate(values))

    norm, other = stable(tiny_encoder, few, (1,), 1, beside=some).rows[4:6]
    assert (norm.change, norm.texts, other.texts, other.tau) == ("prefix", 6, 5, 1.0)
    assert other.note.endswith("; texts of which the score is not known, left out: 1")


def test_of_no_text_no_other_score_is_asked(tiny_encoder):
    def never(_):
        raise AssertionError

    rows = stable(tiny_encoder, ["word " * 400], (1,), 1, beside=never).rows
    assert {(row.score, row.texts) for row in rows} == {("norm", 0)}


def test_counts_for_an_audit(tiny_encoder):
    pairs = in_pairs(("The sea is calm and old.", "Calm is the sea, and old."))
    found = stable(tiny_encoder, [*TEXTS, "42 + 1 = 43"], (1,), 1, paraphrases=pairs)
    assert dict(found.judged) == {
        "changed_case": 5,
        "changed_final_period": 6,
        "changed_prefix": 6,
        "changed_typo": 5,
        "paraphrases": 1,
    }


def test_given_pairs_count_as_paraphrases(tiny_encoder):
    same = "A dog ran along the river."
    pairs = in_pairs((same, same), ("The sea is calm and old.", "Calm is the sea, and old."))
    found = stable(tiny_encoder, [], (1,), 1, paraphrases=pairs)
    row = found.rows[-1]
    assert (row.change, row.texts, row.same) == ("paraphrase", 2, 0.5)
    assert "pairs were given" in found.notes
    only = stable(tiny_encoder, [], (0, 1), 1, paraphrases=in_pairs((same, same), (same, same)))
    assert [(r.tau, r.jaccard, r.same) for r in only.rows[-2:]] == [(1.0, 1.0, 1.0)] * 2
    assert only.rows[-1].tau_interval is None  # both pairs are of one text


def test_pairs_of_people(minilm):
    path = str(data_file("cad-nli/minimal_pairs_dev.jsonl"))
    pairs = text_pairs.read(path, sample=6)
    found = stable(minilm, [], (4,), 4, paraphrases=pairs)
    row, counts = found.rows[-1], found.counts["paraphrase"]
    shifted = minilm.shift(pairs.a, pairs.b, layers=4)
    same = [sum(not one.a.special[i] for i in one.a_index[one.change == "same"]) for one in shifted]
    assert counts["aligned"] == sum(n for n in same if n >= 3)
    assert counts["short"] == sum(n < 3 for n in same)
    assert -1 <= row.tau_interval[0] < row.tau <= 1
    assert row.texts == counts["texts"] == 6 - counts["short"]
