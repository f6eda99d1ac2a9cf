"""What all results can do: be compared, be numbered anew, be cut into layers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import activation_flow as af
from activation_flow.data import ActivationFlowError, Failure

TEXTS = ["the dog sat", "", "who is it"]


def make(encoder: af.Encoder, kind: str) -> Any:
    if kind == "shift":
        return encoder.shift(TEXTS, ["the cat", "x", "it is"], errors="collect")
    if kind == "prompts":
        return encoder.prompts(TEXTS, ["a", "b c"], layers="1,2", errors="collect")
    return getattr(encoder, kind)(TEXTS, errors="collect")


KINDS = ["strength", "layers", "shift", "prompts", "hidden_states"]


class TestComparing:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_same_work_gives_equal_results(self, tiny_encoder: af.Encoder, kind: str) -> None:
        first, second = make(tiny_encoder, kind), make(tiny_encoder, kind)
        assert first == second
        assert first[0] == second[0]
        assert first[0] != first[1]
        assert first != first[:1]
        assert first[0] != "a result"
        with pytest.raises(TypeError, match="unhashable"):
            hash(first)

    @pytest.mark.parametrize("kind", KINDS)
    def test_every_field_counts(self, tiny_encoder: af.Encoder, kind: str) -> None:
        result = make(tiny_encoder, kind)[0]
        for name, value in vars(result).items():
            if isinstance(value, np.ndarray):
                other = value.copy()
                other.flat[0] = (
                    "?"
                    if value.dtype.kind in "OU"
                    else ~other.flat[0]
                    if (value.dtype.kind == "b")
                    else other.flat[0] + 1
                )
                assert replace(result, **{name: other}) != result, name
        assert replace(result, provenance=replace(result.provenance, engine="x")) != result

    def test_nan_equals_nan(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.shift("the dog", "the dog sat")
        assert np.isnan(result.shift).any()
        assert result == replace(result, shift=result.shift.copy())

    @pytest.mark.parametrize("kind", KINDS)
    def test_close_is_about_numbers(self, tiny: Any, kind: str) -> None:
        openvino = make(af.Encoder.from_pretrained(tiny("bert")), kind)
        torch = make(af.Encoder.from_pretrained(tiny("bert"), engine="torch"), kind)
        assert openvino != torch  # another engine, other last digits
        assert openvino.allclose(torch)
        assert openvino[0].allclose(torch[0])
        assert not openvino.allclose(torch[:1])
        assert not openvino.allclose(make(af.Encoder.from_pretrained(tiny("roberta")), kind))

    def test_two_engines_are_close_on_a_real_model(self, minilm: af.Encoder) -> None:
        eager = af.Encoder.from_pretrained("minilm", engine="torch")
        for kind in KINDS:
            found, other = make(minilm, kind), make(eager, kind)
            assert found.allclose(other), kind
            assert not found.allclose(other, rtol=1e-9), kind

    def test_what_a_last_digit_can_change_is_not_looked_at(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.shift("the dog sat", "the cat sat")
        held = replace(result.concentration, k=result.concentration.k + 1)
        assert result.allclose(replace(result, concentration=held))
        assert result != replace(result, concentration=held)
        moved = replace(result, shift=result.shift + 1e-3)
        assert not result.allclose(moved)
        assert result.allclose(moved, rtol=1e-2)

    def test_close_has_a_bound(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.strength("the dog")
        near = replace(result, strength=result.strength * np.float32(1 + 1e-3))
        assert result.allclose(near, rtol=1e-2)
        assert not result.allclose(near)
        assert not result.allclose(replace(result, text="the dot"))
        assert not result.allclose("the dog")  # type: ignore[arg-type]


class TestRenumbering:
    def test_rows_of_a_file(self, tiny_encoder: af.Encoder) -> None:
        results = tiny_encoder.strength(TEXTS, errors="collect")
        again = results.renumber([2, 3, 7], [Failure(1, "not UTF-8"), Failure(5, "no")])
        assert again.numbers == (2, 7)
        assert [e.text_number for e in again.errors] == [1, 3, 5]
        assert list(again) == list(results)

    def test_nothing_read(self, tiny_encoder: af.Encoder) -> None:
        results = tiny_encoder.strength([], errors="collect")
        again = results.renumber([], [Failure(1, "not UTF-8")])
        assert (len(again), again.numbers, len(again.errors)) == (0, (), 1)


class TestLayers:
    def test_all_layers_in_one_pass(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.layers(TEXTS, errors="collect")
        assert result.layers == tuple(range(tiny_encoder.n_layers + 1))
        assert [e.text_number for e in result.errors] == [2]
        single = tiny_encoder.strength("who is it", layers="all")
        assert np.array_equal(result[1].strength, single.strength)

    def test_one_text_gives_a_list_of_one(self, tiny_encoder: af.Encoder) -> None:
        result = tiny_encoder.layers("the dog", layers="1,2")
        assert isinstance(result, af.LayersResult)
        assert (len(result), result.layers) == (1, (1, 2))
        with pytest.raises(af.TextsFailed, match="text 1: it has no token"):
            tiny_encoder.layers("")

    @pytest.mark.parametrize("include_special", [False, True])
    def test_kinds_against_a_plain_loop(self, minilm: af.Encoder, include_special: bool) -> None:
        texts = ["Who is the prime minister of Canada?", "A dog, a cat and слово!", "x"]
        result = minilm.layers(texts, include_special=include_special)
        sums: dict[tuple[int, str], list[float]] = {}
        for text in result:
            for k, layer in enumerate(text.layers):
                s = text.strength[k].astype(float)
                part = s[~text.special] if not include_special else s
                for value, kind in zip(s, text.kind, strict=True):
                    tied = np.abs(part - value) <= 1e-6 * value
                    place = 100 * ((part < value)[~tied].sum() + tied.sum() / 2) / len(part)
                    sums.setdefault((layer, kind), []).append(place)
        assert {(k.layer, k.kind) for k in result.kinds} == {*sums}
        for found in result.kinds:
            own = sums[found.layer, found.kind]
            assert found.n == len(own)
            assert found.mean_rank_percentile == pytest.approx(np.mean(own))

    def test_a_slice_has_the_kinds_of_its_texts(self, minilm: af.Encoder) -> None:
        result = minilm.layers(["the dog", "of it"])
        assert result[:1].kinds == minilm.layers(["the dog"]).kinds
        assert result.words().kinds != ()

    def test_the_document(self, minilm: af.Encoder) -> None:
        document = minilm.layers("A слово!", layers="3-4").to_dict()
        assert document["schema"] == "layers/1"
        assert document["layers"] == [3, 4]
        assert [(k["layer"], k["kind"]) for k in document["kinds"][:4]] == [
            (3, "special"),
            (3, "punctuation"),
            (3, "function"),
            (3, None),
        ]
        assert {*document["kinds"][0]} == {"layer", "kind", "n", "mean_rank_percentile"}


def test_a_layer_that_is_not_held(tiny_encoder: af.Encoder) -> None:
    for result in (tiny_encoder.strength("a"), tiny_encoder.hidden_states("a")):
        with pytest.raises(ActivationFlowError, match="holds layer 2, not 1"):
            result.at(1)
