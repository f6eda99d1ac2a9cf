import re
import tracemalloc
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.data import (
    ActivationFlowError,
    Failure,
    Provenance,
    TokenizedText,
    resolve_layers,
)
from activation_flow.results import StrengthResult, StrengthResults, TextsFailed

HEAD = Provenance("tiny", "abc", "openvino", "f32", n_layers=12)


def tokens_of(text: str) -> dict[str, Any]:
    n = len(text.split())
    return {
        "text": text,
        "tokens": np.array(text.split(), dtype=object),
        "ids": np.arange(n),
        "start": np.zeros(n, dtype=np.int64),
        "end": np.ones(n, dtype=np.int64),
        "segment": np.zeros(n, dtype=np.int64),
        "special": np.zeros(n, dtype=bool),
        "word": np.arange(n),
        "kind": np.full(n, "content"),
    }


def result(text: str = "two words", layers: tuple[int, ...] = (8, 0, 3)) -> StrengthResult:
    """Strength is 10 * layer + place, so that every value says where it belongs."""
    shape = (len(layers), len(text.split()))
    s = 10 * np.array(layers)[:, None] + np.arange(shape[1])[None]
    return StrengthResult(
        **tokens_of(text),
        layers=layers,
        strength=s.astype(np.float32),
        threshold=np.array(layers, dtype=np.float64),
        rank=s.astype(np.int64),
        bucket=np.full(shape, "LOW"),
        provenance=HEAD,
    )


def results(*texts: str, errors: tuple[Failure, ...] = ()) -> StrengthResults:
    made = tuple(result(text) for text in texts)
    return StrengthResults(made, HEAD, (8, 0, 3), errors)


# layers


@pytest.mark.parametrize(("n_layers", "expected"), [(12, 8), (6, 4), (24, 16), (1, 1), (2, 1)])
def test_the_default_layer_is_two_thirds_of_the_depth(n_layers, expected):
    assert resolve_layers(None, n_layers) == (expected,)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (8, (8,)),
        (-1, (12,)),
        (-13, (0,)),
        (np.int64(3), (3,)),
        ("8", (8,)),
        (" 8 ", (8,)),
        ("-1", (12,)),
        ("6-9", (6, 7, 8, 9)),
        ("6 - 7", (6, 7)),
        ("0-12", tuple(range(13))),
        ("3-3", (3,)),
        ("2,4,6-9", (2, 4, 6, 7, 8, 9)),
        ("9, 2", (9, 2)),
        ("4,3-5,4", (4, 3, 5)),
        ("all", tuple(range(13))),
        (" all ", tuple(range(13))),
        ([2, -1, 0], (2, 12, 0)),
        ((12, -1, 12), (12,)),
        (np.array([1, 2]), (1, 2)),
        (range(3), (0, 1, 2)),
    ],
)
def test_forms_of_layers(spec, expected):
    layers = resolve_layers(spec, 12)
    assert layers == expected
    assert all(type(layer) is int for layer in layers)


@pytest.mark.parametrize(
    "spec", ["", " ", "x", "3-1", "-3-5", "1.5", "2,,4", "1-2-3", "ALL", "--1"]
)
def test_layers_that_are_not_understood(spec):
    with pytest.raises(ActivationFlowError, match=re.escape(f"layer {spec!r} is not understood")):
        resolve_layers(spec, 12)


@pytest.mark.parametrize(
    ("spec", "shown"), [(8.0, "8.0"), ([True], "True"), (True, "True"), ([1, "2"], "'2'")]
)
def test_layers_that_are_no_whole_numbers(spec, shown):
    with pytest.raises(ActivationFlowError, match=f"layer {shown} is not a whole number"):
        resolve_layers(spec, 12)


@pytest.mark.parametrize("spec", [[], (), range(0)])
def test_no_layer(spec):
    with pytest.raises(ActivationFlowError, match="no layer was asked for; give one, such as 8"):
        resolve_layers(spec, 12)


@pytest.mark.parametrize(
    ("spec", "culprit"),
    [(13, 13), (-14, -14), ("13", 13), ("9-13", 13), ([1, 99], 99), ("-20", -20)],
)
def test_layers_out_of_range_name_the_range_and_the_depth(spec, culprit):
    expected = rf"layer {culprit} is out of range: .* 0 \(embeddings\) to 12; -1 is the last"
    with pytest.raises(ActivationFlowError, match=expected):
        resolve_layers(spec, 12)


@pytest.mark.parametrize(
    "spec", ["0-999999999999", "-999999999999-5", range(10**12), "9" * 5000, "1-" + "9" * 5000]
)
def test_huge_ranges_are_refused_without_filling_the_memory(spec):
    tracemalloc.start()
    try:
        with pytest.raises(ActivationFlowError, match="layer"):
            resolve_layers(spec, 12)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@given(st.integers(1, 60), st.data())
def test_layers_in_range_are_pythons_own_indices(n_layers, data):
    asked = data.draw(st.lists(st.integers(-n_layers - 1, n_layers), min_size=1, max_size=8))
    expected = list(dict.fromkeys(range(n_layers + 1)[k] for k in asked))
    assert list(resolve_layers(asked, n_layers)) == expected
    assert list(resolve_layers(",".join(map(str, asked)), n_layers)) == expected


def test_how_a_layer_is_printed():
    last = replace(HEAD, final_norm=True)
    assert last.layer_name(11) == "layer 11 of 12"
    assert last.layer_name(12) == "layer 12 of 12 (after the final norm)"
    assert HEAD.layer_name(12) == "layer 12 of 12"


# arrays


def test_every_array_is_read_only():
    one = result()
    arrays = {name: v for name, v in vars(one).items() if isinstance(v, np.ndarray)}
    assert len(arrays) == 12
    for name, array in arrays.items():
        with pytest.raises(ValueError, match="read-only"):
            array[..., 0] = array[..., 0]
        assert not array.flags.writeable, name


def test_the_callers_own_array_stays_writeable():
    mine = tokens_of("two words")
    TokenizedText(**mine)
    mine["ids"][0] = 7


def test_results_are_frozen():
    with pytest.raises(FrozenInstanceError):
        result().text = "another"
    with pytest.raises(FrozenInstanceError):
        results("a").layers = (1,)


@pytest.mark.parametrize("name", ["ids", "start", "end", "segment", "special", "word", "kind"])
def test_a_token_array_of_another_length(name):
    with pytest.raises(ValueError, match=rf"{name} has shape \(1,\), tokens \(2,\)"):
        replace(result(), **{name: getattr(result(), name)[:1]})


@pytest.mark.parametrize("name", ["strength", "rank", "bucket"])
def test_a_layer_array_of_another_shape(name):
    with pytest.raises(ValueError, match=rf"{name} has shape \(2, 2\), not \(3, 2\)"):
        replace(result(), **{name: getattr(result(), name)[:2]})


def test_a_threshold_of_another_shape():
    with pytest.raises(ValueError, match=r"threshold has shape \(2,\), not \(3,\)"):
        replace(result(), threshold=np.zeros(2))


# one result and many


def test_at_takes_the_layer_by_its_name_not_its_place():
    whole = result()
    one = whole.at(0)
    assert one.layers == (0,)
    assert one.strength.tolist() == [[0.0, 1.0]]
    assert one.rank.tolist() == [[0, 1]]
    assert one.threshold.tolist() == [0.0]
    assert one.bucket.shape == (1, 2)
    assert (one.text, one.tokens.tolist()) == (whole.text, whole.tokens.tolist())


def test_at_a_layer_that_is_not_held():
    with pytest.raises(ActivationFlowError, match="this result holds layer 8, 0, 3, not 12"):
        result().at(12)


def test_length_is_the_number_of_tokens_and_of_texts():
    assert len(result("one two three")) == 3
    assert len(results("a", "b")) == 2
    assert [one.text for one in results("a", "b")] == ["a", "b"]


def test_renumbering_moves_results_and_errors_and_takes_in_more():
    given = replace(results("a", "b"), numbers=(1, 3), errors=(Failure(2, "no"), Failure(4, "no")))
    moved = given.renumber([2, 3, 7, 9], [Failure(8, "bad"), Failure(1, "bad")])
    assert moved.numbers == (2, 7)
    assert moved.results == given.results
    assert [(e.text_number, e.reason) for e in moved.errors] == [
        *((1, "bad"), (3, "no"), (8, "bad"), (9, "no"))
    ]


def test_numbers_count_from_one():
    assert results("a", "b").numbers == (1, 2)
    assert results().numbers == ()


@pytest.mark.parametrize(
    "cut", [slice(1, 3), slice(None, None, -1), slice(5, 9), slice(-1, None), slice(None)]
)
def test_a_slice_keeps_the_number_of_each_text(cut):
    whole = replace(results("a", "b", "c", "d"), numbers=(1, 3, 4, 7))
    part = whole[cut]
    assert isinstance(part, StrengthResults)
    assert [one.text for one in part] == list("abcd")[cut]
    assert list(part.numbers) == [1, 3, 4, 7][cut]
    assert (part.layers, part.provenance) == (whole.layers, whole.provenance)


def test_an_index_gives_one_result():
    assert results("a", "b")[-1].text == "b"
    with pytest.raises(IndexError):
        results("a")[1]


# failures


def test_one_failed_text():
    made = results("a", errors=(Failure(2, "it has no token of its own"),))
    problem = TextsFailed(made)
    assert isinstance(problem, ActivationFlowError)
    assert isinstance(problem, ValueError)
    assert problem.results is made
    assert str(problem) == (
        'text 2: it has no token of its own; errors="collect" gives the other results'
    )


def test_several_failed_texts():
    problem = TextsFailed(
        results(errors=(Failure(4, "it is bad"), Failure(9, "x"), Failure(11, "y")))
    )
    assert str(problem) == "text 4: it is bad (2 more failed)"  # no other result to be had
