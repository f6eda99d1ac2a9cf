"""How far tokens of many pairs move: against ``Encoder.shift`` and hidden states, pair by pair."""

from collections.abc import Sequence

import numpy as np
import pytest
from data_files import data_file
from hypothesis import given
from hypothesis import strategies as st

import activation_flow as af
from activation_flow import audit_pairs, text_pairs
from activation_flow.alignment import align
from activation_flow.analysis import Buckets
from activation_flow.audit_pairs import Moved, distance_to_edit, moved
from activation_flow.material import gather
from activation_flow.text_pairs import TextPairs

PAIRS = [
    ("Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the beach!"),
    ("Who is the prime minister?", "Who is the president?"),
    ("The same, but for the end.", "The same, but for the end"),
    ("the dog", "THE dog"),
    ("I read it again.", "Then I read it again and again."),
    ("a dog ran", "a cat ran"),
]


def in_pairs(pairs: Sequence[tuple[str, str]], kinds: str = "list") -> TextPairs:
    nothing = (None,) * len(pairs)
    return TextPairs(
        a=tuple(a for a, _ in pairs),
        b=tuple(b for _, b in pairs),
        gold=nothing,
        kinds=kinds,
        edited=("",) * len(pairs),
        name="given",
        counts={},
        notes=(),
    )


def check(encoder: af.Encoder, pairs: TextPairs, found: Moved, layer: int, **options) -> None:
    """Everything that ``Encoder.shift`` says too is the same, in the same order."""
    number = 0
    unaligned = high_unaligned = resized = 0
    for a, b in zip(pairs.a, pairs.b, strict=True):
        one = encoder.shift(a, b, layers=layer, kinds=pairs.kinds, **options)
        if (one.change == "same").all():
            continue
        (own,) = np.nonzero(found.pair == number)
        special = np.array([i >= 0 and one.a.special[i] for i in one.a_index])
        (rows,) = np.nonzero(one.paired & ~special)
        index = one.a_index[rows]
        assert np.allclose(found.shift[own], one.shift[rows], rtol=1e-4, atol=1e-5)
        assert np.allclose(found.cosine[own], one.cosine_distance[rows], rtol=1e-3, atol=1e-6)
        assert np.allclose(found.strength[own], one.a.strength[0, index], rtol=1e-5)
        assert found.high[own].tolist() == one.high[rows].tolist()
        assert found.replaced[own].tolist() == (one.change[rows] == "replaced").tolist()
        assert found.kind[own].tolist() == one.kind[rows].tolist()
        if one.high_ratio is not None:
            held = found.shift[own][found.high[own]].sum() / found.shift[own].sum()
            assert held == pytest.approx(one.high_ratio, rel=1e-4)
            assert found.high[own].mean() == one.high_share
        (all_own,) = np.nonzero(found.all_pair == number)
        assert np.allclose(found.all_strength[all_own], one.a.strength[0], rtol=1e-5)
        assert found.all_special[all_own].tolist() == one.a.special.tolist()
        assert found.row[own].tolist() == (all_own[0] + index).tolist()
        alone = [i for i, j in zip(one.a_index, one.b_index, strict=True) if i >= 0 and j < 0]
        unaligned += sum(not one.a.special[i] for i in alone)
        high_unaligned += one.unpaired_high
        resized += "replaced" not in one.change
        number += 1
    assert number == found.n_pairs == found.counts["pairs"] == len(found.edited)
    assert found.counts["same"] == len(pairs) - number - found.counts["failed"]
    assert found.counts["unaligned"] == unaligned
    assert found.counts["high_unaligned"] == high_unaligned
    assert found.counts["resized"] == resized
    assert (np.diff(found.pair) >= 0).all()


def check_standardised(encoder: af.Encoder, pairs: TextPairs, found: Moved, layer: int) -> None:
    """Against hidden states, all at once."""
    states = [
        [encoder.hidden_states(text, layers=layer) for text in both]
        for both in zip(pairs.a, pairs.b, strict=True)
    ]
    states = [both for both in states if both[0].ids.tolist() != both[1].ids.tolist()]
    once = {a.text: a.hidden[0][~a.special] for a, _ in states}
    spread = np.concatenate([*once.values()]).astype(np.float64).std(axis=0)
    expected = []
    for a, b in states:
        rows = align([*map(str, a.ids)], [*map(str, b.ids)], "diff", a.special, b.special)
        for i, j in zip(rows.a_index, rows.b_index, strict=True):
            if i >= 0 and j >= 0 and not a.special[i]:
                apart = a.hidden[0, i].astype(np.float64) - b.hidden[0, j]
                expected.append(np.sqrt(((apart / spread) ** 2).sum()))
    assert np.allclose(found.standardised, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_pairs_of_all_sorts(tiny, kind):
    encoder = af.Encoder.from_pretrained(tiny(kind), engine="torch", threads=1)
    pairs = in_pairs(PAIRS)
    found = moved(encoder, pairs, 2)
    check(encoder, pairs, found, 2)
    check_standardised(encoder, pairs, found, 2)


def test_pairs_of_people_and_replaced_words(minilm):
    path = str(data_file("cad-nli/minimal_pairs_dev.jsonl"))
    pairs = text_pairs.read(path, sample=12)
    check(minilm, pairs, moved(minilm, pairs, 4), 4)
    corpus = [f"{a} {b}" for a, b in zip(pairs.a, pairs.b, strict=True)]
    pairs = text_pairs.replaced(gather(minilm, corpus))
    found = moved(minilm, pairs, 4)
    check(minilm, pairs, found, 4)
    check_standardised(minilm, pairs, found, 4)
    assert found.edited == pairs.edited
    assert found.replaced[found.distance_to_edit == 0].all()


def test_another_rule_of_high(tiny_encoder):
    pairs = in_pairs(PAIRS)
    found = moved(tiny_encoder, pairs, 1, buckets=Buckets(quantile=0.5, quantile_method="linear"))
    check(tiny_encoder, pairs, found, 1, quantile=0.5, quantile_method="linear")


def test_types_and_kinds_are_those_of_words(minilm):
    pairs = in_pairs([("unfolds a dog", "unfolds a cat"), ("A cat unfolds", "A cat barks")])
    found = moved(minilm, pairs, 4)
    # un ##fold ##s a dog, a cat un ##fold ##s: "unfolds" became one piece less or more
    of_first = found.type[found.pair == 0]
    assert len({*of_first[:3].tolist()}) == 1
    assert found.type[found.pair == 1][0] == of_first[3]
    assert found.kind[found.pair == 0].tolist() == [*["content"] * 3, "function", "content"]


def test_kinds_of_tags(minilm):
    path = str(data_file("ud-ewt/en_ewt-ud-test.conllu"))
    corpus = gather(minilm, path, texts=30)
    pairs = text_pairs.replaced(corpus, sample=5)
    found = moved(minilm, pairs, 4)
    number = {one.text.text: one.number - 1 for one in corpus.encoded}
    for k, text in enumerate(pairs.a):
        index = found.row[found.pair == k] - np.flatnonzero(found.all_pair == k)[0]
        kinds = corpus.tokens.kind[corpus.tokens.text == number[text]][index]
        assert found.kind[found.pair == k].tolist() == kinds.tolist()


def test_frequencies(tiny_encoder):
    found = moved(tiny_encoder, in_pairs(PAIRS), 1)
    assert np.isnan(found.frequency).all()
    found = moved(tiny_encoder, in_pairs(PAIRS), 1, frequency=lambda ids: -ids.astype(float))
    ids = np.concatenate(
        [one.text.ids for k, one in enumerate(tiny_encoder.tokenize([a for a, _ in PAIRS])[0])]
    )
    # the pair that is the same to the model is left out
    assert found.counts["same"] == 1
    first = sum(len(tiny_encoder.tokenize([a])[0][0].text) for a, _ in PAIRS[:3])
    same = len(tiny_encoder.tokenize(["the dog"])[0][0].text)
    kept = np.concatenate([ids[:first], ids[first + same :]])
    assert found.frequency.tolist() == (-kept[found.row].astype(float)).tolist()


def test_pairs_that_share_a_first_text_have_its_number(tiny_encoder):
    a, b = "a dog ran", "a day at the park"
    pairs = in_pairs([(a, "a cat ran"), (b, "a walk at the park"), (a, "a dog sat"), (a, a)])
    found = moved(tiny_encoder, pairs, 1)
    assert found.n_pairs == 3
    of_pair = [{*found.text[found.pair == number].tolist()} for number in range(3)]
    assert of_pair == [{0}, {1}, {0}]


def test_what_fails_is_counted(tiny_encoder):
    pairs = in_pairs([("a dog", ""), ("a dog", "a cat"), ("a dog ran " * 20, "a"), ("x", "X")])
    seen = []
    found = moved(tiny_encoder, pairs, 1, max_length=16, progress=lambda *now: seen.append(now))
    assert found.counts == {
        **{"asked": 4, "failed": 2, "same": 1, "pairs": 1, "resized": 0},
        **{"unaligned": 0, "high_unaligned": 0},
    }
    assert found.n_pairs == 1
    assert seen == [(1, 1)]
    (failed, same) = found.notes
    assert failed.startswith("pairs that cannot be compared, left out: 2 (pair 1: text B: it has")
    assert "pair 3: text A: it has" in failed
    assert "the model reads no difference" in same


def test_no_pairs(tiny_encoder):
    found = moved(tiny_encoder, in_pairs([]), 1)
    assert (len(found), found.n_pairs, found.edited) == (0, 0, ())
    assert found.shift.shape == found.kind.shape == found.high.shape == (0,)


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_distance_to_the_nearest_edit(a, b):
    rows = align(a, b)
    edits = [k for k, change in enumerate(rows.change) if change != "same"]
    if not edits:
        with pytest.raises(ValueError, match="nothing was edited"):
            distance_to_edit(rows)
        return
    expected = [min(abs(k - edit) for edit in edits) for k in range(len(rows.change))]
    assert distance_to_edit(rows).tolist() == expected


def test_a_dimension_that_never_varies_is_left_out(tiny_encoder):
    sides = [(1, *tiny_encoder.tokenize(["a", "the"])[0])]
    # One token: no dimension varies.
    assert not audit_pairs._inverse_spread(tiny_encoder, sides, 0).any()
