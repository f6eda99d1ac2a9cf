"""Results made anew from the strengths that they hold: another quantile, without the model."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import activation_flow as af
from activation_flow.data import ActivationFlowError
from activation_flow.strength import QUANTILE_METHODS

TEXTS = ["The dog sat on the mat.", "Who, ever, is it?", "слово", "", "a a a a", "x"]
LETTERS = st.text(st.sampled_from("ab .,é字 \n-'"), min_size=1, max_size=30)
QUANTILES = st.none() | st.floats(0, 1) | st.sampled_from([0, 1, 0.25, 0.5, 0.75, 0.9])
METHODS = st.none() | st.sampled_from(QUANTILE_METHODS)


def given_ones(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


@settings(max_examples=30)
@given(
    texts=st.lists(LETTERS | st.sampled_from(TEXTS), max_size=5),
    first=st.tuples(QUANTILES, METHODS),
    then=st.tuples(QUANTILES, METHODS),
    options=st.fixed_dictionaries(
        {
            "threshold_scope": st.sampled_from(["text", "corpus"]),
            "include_special": st.booleans(),
            "words": st.sampled_from([None, "max", "mean", "l2"]),
            "layers": st.sampled_from([None, "all", [6, 0]]),
        }
    ),
)
def test_it_is_what_the_encoder_gives(
    minilm: af.Encoder, texts: Any, first: Any, then: Any, options: Any
) -> None:
    q, method = first
    before = given_ones(quantile=q, quantile_method=method)
    changed = given_ones(quantile=then[0], quantile_method=then[1])
    results = minilm.strength(texts, **options, **before, errors="collect")
    found = results.rebucket(quantile=then[0], quantile_method=then[1])
    truth = minilm.strength(texts, **options, **(before | changed), errors="collect")
    assert type(found) is af.StrengthResults
    assert found == truth
    assert found.to_dict() == truth.to_dict()
    # By numpy, text by text.
    q, method = (truth.provenance.settings[name] for name in ("quantile", "quantile_method"))
    part = [np.ones(len(r), bool) if options["include_special"] else ~r.special for r in found]
    pooled = [r.strength[:, p].astype(float) for r, p in zip(found, part, strict=True)]
    if options["threshold_scope"] == "corpus" and len(found):
        pooled = [np.concatenate(pooled, axis=1)] * len(found)
    for result, takes_part, own in zip(found, part, pooled, strict=True):
        for k, row in enumerate(own):
            tau = np.quantile(row, q, method=method)
            assert result.threshold[k] == tau
            high = result.strength[k].astype(float) > tau
            wanted = np.where(takes_part, np.where(high, "HIGH", "LOW"), "")
            assert result.bucket[k].tolist() == wanted.tolist()


@settings(max_examples=25)
@given(text=LETTERS, q=QUANTILES, method=METHODS, special=st.booleans())
def test_one_text(minilm: af.Encoder, text: str, q: Any, method: Any, special: bool) -> None:
    assume(text.strip())
    options = {"layers": "2-4", "include_special": special}
    result = minilm.strength(text, **options)
    found = result.rebucket(quantile=q, quantile_method=method)
    assert type(found) is af.StrengthResult
    assert found == minilm.strength(
        text, **options, **given_ones(quantile=q, quantile_method=method)
    )
    assert found.words("mean") == result.words("mean").rebucket(quantile=q, quantile_method=method)
    assert found.at(3) == result.at(3).rebucket(quantile=q, quantile_method=method)


@settings(max_examples=10)
@given(scope=st.sampled_from(["text", "corpus"]), q=QUANTILES, method=METHODS)
def test_layers(minilm: af.Encoder, scope: str, q: Any, method: Any) -> None:
    options = {"threshold_scope": scope, "errors": "collect"}
    found = minilm.layers(TEXTS, **options).rebucket(quantile=q, quantile_method=method)
    assert type(found) is af.LayersResult
    changed = given_ones(quantile=q, quantile_method=method)
    assert found == minilm.layers(TEXTS, **options, **changed)
    assert [e.text_number for e in found.errors] == [4]


def test_the_model_is_not_run(tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tiny_encoder.strength(TEXTS, errors="collect")
    monkeypatch.setattr(af.Encoder, "run", None)
    monkeypatch.setattr(af.Encoder, "tokenize", None)
    again = results.rebucket(quantile=0.5)
    assert again != results
    assert again.rebucket(quantile=0.75) == results
    assert results.rebucket() == results
    assert results.provenance.settings["quantile"] == 0.75  # the old one stays as it was


def test_pairs_windows_and_files(minilm: af.Encoder, tmp_path: Any) -> None:
    pairs = minilm.strength(["a day", "b"], ["c d", "e, f"])
    wanted = minilm.strength(["a day", "b"], ["c d", "e, f"], quantile=0.3)
    assert pairs.rebucket(quantile=0.3) == wanted
    long = minilm.strength("a long text " * 20, max_length=16, stride=4)
    assert long.n_windows > 1
    assert long.rebucket(quantile=0.3) == minilm.strength(
        "a long text " * 20, max_length=16, stride=4, quantile=0.3
    )
    pairs.save(tmp_path / "x.parquet")
    assert af.load(tmp_path / "x.parquet").rebucket(quantile=0.3) == wanted


def test_one_result_of_a_threshold_over_all_texts_is_refused(tiny_encoder: af.Encoder) -> None:
    results = tiny_encoder.strength(["the dog", "a cat sat"], threshold_scope="corpus")
    with pytest.raises(ActivationFlowError, match=r"call rebucket\(\) on all of them"):
        results[0].rebucket(quantile=0.5)


BAD: list[Any] = [-0.1, 1.1, 75, float("nan"), float("inf"), "0.5", True, [0.5], 1j]


@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_quantile_is_refused(tiny_encoder: af.Encoder, bad: Any) -> None:
    results = tiny_encoder.strength(["the dog"])
    for make in (results, results[0], tiny_encoder.layers("the dog")):
        with pytest.raises(ActivationFlowError, match="between 0 and 1"):
            make.rebucket(quantile=bad)
    with pytest.raises(ActivationFlowError, match="between 0 and 1"):
        tiny_encoder.strength("the dog", quantile=bad)
    with pytest.raises(ActivationFlowError, match="between 0 and 1"):
        results[:0].rebucket(quantile=bad)  # of no text, too


@pytest.mark.parametrize("bad", ["", "median", 3, ["midpoint"], np.array(["linear", "lower"])])
def test_an_unknown_method_is_refused(tiny_encoder: af.Encoder, bad: Any) -> None:
    with pytest.raises(ActivationFlowError, match="is not one of midpoint, linear"):
        tiny_encoder.strength("the dog").rebucket(quantile_method=bad)
