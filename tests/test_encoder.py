"""The encoder: batches without padding, order, long texts, options, refusals; real weights."""

import logging
from typing import Any

import numpy as np
import pytest
from architectures import TEXTS
from hypothesis import given
from hypothesis import strategies as st

import activation_flow as af
from activation_flow import lengths, runner
from activation_flow.data import ActivationFlowError
from activation_flow.results import TextsFailed

CANADA = "Who is the prime minister of Canada?"


class TestMinilm:
    """Real weights. The figures are those of an eager run of transformers."""

    def test_the_papers_first_sentence(self, minilm: af.Encoder) -> None:
        result = minilm.strength(CANADA)
        assert result.layers == (4,)
        strongest = result.tokens[np.argsort(result.rank[0])][-8:][:3]
        assert strongest.tolist() == ["canada", "prime", "minister"]
        by_token = dict(zip(result.tokens, result.strength[0], strict=True))
        assert by_token["canada"] == pytest.approx(14.541, abs=5e-4)
        assert by_token["prime"] == pytest.approx(14.142, abs=5e-4)
        assert by_token["minister"] == pytest.approx(13.761, abs=5e-4)
        assert by_token["[SEP]"] == pytest.approx(9.799, abs=5e-4)
        assert min(by_token, key=by_token.__getitem__) == "[SEP]"
        assert result.tokens[result.bucket[0] == "HIGH"].tolist() == ["prime", "canada"]

    def test_eager_transformers_says_the_same(self, minilm: af.Encoder) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer

        from activation_flow import identity

        path = identity.identify(identity.Request(name="minilm")).source
        model = AutoModel.from_pretrained(path).eval()
        inputs = AutoTokenizer.from_pretrained(path)(CANADA, return_tensors="pt")
        with torch.no_grad():
            hidden = model(**inputs, output_hidden_states=True).hidden_states
        result = minilm.strength(CANADA, layers="all")
        truth = np.stack([h[0].norm(dim=-1).numpy() for h in hidden])
        np.testing.assert_allclose(result.strength, truth, rtol=1e-5)
        assert result.ids.tolist() == inputs["input_ids"][0].tolist()

    def test_prompts_a_and_b_and_words(self, minilm: af.Encoder) -> None:
        result = minilm.strength("The connoisseur's story unfolds.", words="max")
        assert "connoisseur's" in result.tokens
        pieces = minilm.strength("The connoisseur's story unfolds.")
        own = pieces.word == result.word[result.tokens.tolist().index("connoisseur's")]
        assert own.sum() > 3
        k = result.tokens.tolist().index("connoisseur's")
        assert result.strength[0, k] == pieces.strength[0, own].max()


def test_one_text_gives_one_result_and_a_list_a_list(tiny_encoder: af.Encoder) -> None:
    assert isinstance(tiny_encoder.strength("a"), af.StrengthResult)
    several = tiny_encoder.strength(["a", "b"])
    assert isinstance(several, af.StrengthResults)
    assert [r.text for r in several] == ["a", "b"]
    assert len(tiny_encoder.strength([])) == 0


@given(st.lists(st.sampled_from(TEXTS), max_size=12), st.integers(1, 60))
def test_order_and_numbers_do_not_depend_on_batches(texts: list[str], budget: int) -> None:
    encoder = _encoder()
    encoder._runner._batch_tokens = budget
    for text, result in zip(texts, encoder.strength(texts), strict=True):
        assert result.text == text
        np.testing.assert_array_equal(result.strength, _alone(text))


_KEPT: dict[str, Any] = {}


def _encoder() -> af.Encoder:
    if "encoder" not in _KEPT:
        from architectures import TABLE, make_model, make_tokenizer

        tokenizer = make_tokenizer("wordpiece", TABLE["bert"].inputs)
        _KEPT["encoder"] = af.Encoder.from_pretrained((make_model("bert", tokenizer), tokenizer))
    encoder: af.Encoder = _KEPT["encoder"]
    return encoder


def _alone(text: str) -> Any:
    if text not in _KEPT:
        _KEPT[text] = _encoder().strength(text).strength
    return _KEPT[text]


def test_progress_counts_every_text_once(tiny_encoder: af.Encoder) -> None:
    seen: list[tuple[int, int]] = []
    tiny_encoder.strength([*TEXTS, ""], errors="collect", progress=lambda *n: seen.append(n))
    assert seen == [(i, len(TEXTS)) for i in range(1, len(TEXTS) + 1)]


def test_batches_hold_one_length_and_every_window_once(tiny_encoder: af.Encoder) -> None:
    encoded, _ = tiny_encoder.tokenize([*TEXTS, "a " * 300], max_length=20)
    seen, sizes = [], set()
    for batch in runner._batches(encoded, 64):
        lengths = {len(encoded[i].window(encoded[i].text.ids, w)) for i, w in batch}
        assert len(lengths) == 1
        assert len(batch) * lengths.pop() <= 64
        sizes.add(len(batch))
        seen += batch
    assert max(sizes) > 1
    assert sorted(seen) == [(i, w) for i, e in enumerate(encoded) for w in range(len(e.windows))]


def owners_of(encoder: af.Encoder, text: str, max_length: int) -> Any:
    """The window that each token of a text is taken from."""
    (encoded,), _ = encoder.tokenize([text], max_length=max_length)
    content = lengths.owners(encoded.windows[-1][1], encoded.windows, encoder.causal)
    last = len(encoded.windows) - 1
    return np.r_[[0] * encoded.lead, content, [last] * encoded.trail]


class TestLongTexts:
    def test_a_text_that_just_fits_is_read_whole(self, tiny_encoder: af.Encoder) -> None:
        text = "a " * (tiny_encoder.max_length - 2)
        assert tiny_encoder.strength(text).n_windows == 1
        assert tiny_encoder.strength(text + "a").n_windows > 1

    @pytest.mark.parametrize("text", TEXTS)
    def test_a_limit_that_is_not_reached_changes_no_bit(
        self, tiny_encoder: af.Encoder, text: str
    ) -> None:
        whole = tiny_encoder.strength(text, layers="all")
        n = len(whole)
        for limit in (n, n + 1, tiny_encoder.max_length):
            for truncate in (False, True):
                how: Any = {"layers": "all", "max_length": limit, "truncate": truncate}
                result = tiny_encoder.strength(text, **how)
                np.testing.assert_array_equal(result.strength, whole.strength)
                assert (result.n_windows, result.n_dropped) == (1, 0)
        assert tiny_encoder.strength(text, max_length=n - 1).n_windows == 2
        cut = tiny_encoder.strength(text, max_length=n - 1, truncate=True)
        assert (cut.n_windows, cut.n_dropped, len(cut)) == (1, 1, n - 1)

    def test_windows_and_the_whole_differ_where_context_is_missing(
        self, tiny_encoder: af.Encoder
    ) -> None:
        """How far apart they are, of a model with absolute positions that reads both ways."""
        text = " ".join(TEXTS[0].split()[i % 7] for i in range(60))
        whole = tiny_encoder.strength(text, layers="all")
        assert whole.n_windows == 1
        read = tiny_encoder.strength(text, layers="all", max_length=len(whole) // 2)
        assert read.ids.tolist() == whole.ids.tolist()
        apart = np.abs(read.strength / whole.strength - 1)
        print(f"windows against the whole: mean {apart.mean():.4f}, largest {apart.max():.4f}")
        # Much more than noise (1e-6), much less than what tokens differ by.
        assert 0.005 < apart.mean() < 0.05
        assert apart.max() < 0.3
        # Where position 1 of the first window is position 1 of the whole, layer 0 is the same.
        first = owners_of(tiny_encoder, text, len(whole) // 2) == 0
        np.testing.assert_allclose(read.strength[0, first], whole.strength[0, first], rtol=1e-6)
        assert apart[0, ~first].min() > 1e-4

    def test_a_causal_models_first_window_is_the_beginning_of_the_whole(self, tiny: Any) -> None:
        encoder = af.Encoder.from_pretrained(tiny("gpt2"))
        text = " ".join(TEXTS)
        whole = encoder.strength(text, layers="all")
        assert whole.n_windows == 1
        read = encoder.strength(text, layers="all", max_length=40)
        own = owners_of(encoder, text, 40)
        first = (own == 0) & ~whole.special
        assert 30 < first.sum() < len(whole) - 10
        np.testing.assert_allclose(read.strength[:, first], whole.strength[:, first], rtol=1e-5)
        apart = np.abs(read.strength / whole.strength - 1)[:, own > 0]
        assert np.median(apart) > 1e-3

    def test_without_positions_the_embeddings_do_not_depend_on_windows(self, tiny: Any) -> None:
        encoder = af.Encoder.from_pretrained(tiny("t5"))
        text = " ".join(TEXTS)
        whole = encoder.strength(text, layers="all")
        read = encoder.strength(text, layers="all", max_length=24)
        assert read.n_windows > 5
        np.testing.assert_array_equal(read.strength[0], whole.strength[0])
        assert np.median(np.abs(read.strength[-1] / whole.strength[-1] - 1)) > 1e-3

    def test_every_token_has_the_value_of_its_window(self, tiny_encoder: af.Encoder) -> None:
        """Against each window fed as a text of its own."""
        words = [TEXTS[0].split()[i % 7] for i in range(100)]
        text = " ".join(words)
        (encoded,), _ = tiny_encoder.tokenize([text], max_length=30, stride=10)
        ((_, strength, _),) = tiny_encoder.run([encoded], [2])
        content = len(encoded.text) - 2
        best: dict[int, tuple[int, float]] = {}
        for w, (first, last) in enumerate(encoded.windows):
            ids = encoded.window(encoded.text.ids, w)[None]
            inputs = {
                "input_ids": ids,
                "attention_mask": np.ones_like(ids),
                "token_type_ids": np.zeros_like(ids),
            }
            norms, _ = tiny_encoder._runner.engine.run(inputs, [2])
            for place in range(first, last):
                edge = min(place - first, last - 1 - place)
                if place not in best or edge > best[place][0]:
                    best[place] = edge, norms[0, 0, 1 + place - first]
            if w == 0:
                assert strength[0, 0] == norms[0, 0, 0]
            if w == len(encoded.windows) - 1:
                assert strength[0, -1] == norms[0, 0, -1]
        assert strength[0, 1:-1].tolist() == [best[place][1] for place in range(content)]

    @pytest.mark.parametrize("pair", [None, TEXTS[1]])
    @pytest.mark.parametrize("length", [5, 12, 13])
    def test_cut_texts_equal_those_of_transformers(
        self, tiny: Any, length: int, pair: str | None
    ) -> None:
        import torch

        model, tokenizer = tiny("bert")
        encoder = af.Encoder.from_pretrained((model, tokenizer))
        how: Any = {"max_length": length, "truncate": True, "layers": "all"}
        result = encoder.strength(TEXTS[3], pair, **how)
        inputs = tokenizer(TEXTS[3], pair, truncation=True, max_length=length, return_tensors="pt")
        with torch.no_grad():
            hidden = model(**inputs, output_hidden_states=True).hidden_states
        assert result.ids.tolist() == inputs["input_ids"][0].tolist()
        truth = np.stack([h[0].norm(dim=-1).numpy() for h in hidden])
        np.testing.assert_allclose(result.strength, truth, rtol=1e-5)
        whole = encoder.strength(TEXTS[3], pair)
        assert result.n_dropped + len(result) == len(whole)

    def test_cut_results_are_whole_results(self, tiny_encoder: af.Encoder, tmp_path: Any) -> None:
        """τ, ranks and buckets are of what was read; so are they after a file."""
        results = tiny_encoder.strength([*TEXTS, "a"], max_length=9, truncate=True, layers="2-3")
        whole = tiny_encoder.strength([*TEXTS, "a"])
        dropped = [len(a) - len(b) for a, b in zip(whole, results, strict=True)]
        assert [result.n_dropped for result in results] == dropped
        assert dropped[-1] == 0
        assert min(dropped[:-1]) > 0
        for result in results[:-1]:
            own = result.strength[:, 1:-1].astype(float)
            truth = np.quantile(own, 0.75, axis=1, method="midpoint")
            np.testing.assert_array_equal(result.threshold, truth)
            assert sorted(result.rank[0, 1:-1]) == [*range(1, 8)]
        for name in ("x.json", "x.parquet"):
            results.save(tmp_path / name)
            assert af.load(tmp_path / name) == results
            results.words().save(tmp_path / name)
            assert af.load(tmp_path / name) == results.words()
        table = results.to_arrow()
        assert table.num_rows == 2 * sum(map(len, results))

    def test_of_a_word_at_the_cut_only_what_was_read_is_given(self, minilm: af.Encoder) -> None:
        text = "The connoisseur's story"
        pieces = minilm.strength(text, max_length=5, truncate=True)
        words = pieces.words()
        assert pieces.tokens.tolist() == ["[CLS]", "the", "con", "##no", "[SEP]"]
        assert words.tokens.tolist() == ["[CLS]", "The", "conno", "[SEP]"]
        assert (words.start.tolist(), words.end.tolist()) == ([-1, 0, 4, -1], [-1, 3, 9, -1])
        assert words.n_dropped == pieces.n_dropped == len(minilm.strength(text)) - 5
        for length in (len(minilm.strength(text)), 512):
            whole = minilm.strength(text, max_length=length, truncate=True, words="max")
            assert whole.tokens.tolist() == ["[CLS]", "The", "connoisseur's", "story", "[SEP]"]
        pair = minilm.strength("a dog", text, max_length=8, truncate=True, words="max")
        assert pair.tokens.tolist() == ["[CLS]", "a", "dog", "[SEP]", "The", "conno", "[SEP]"]

    def test_a_stride_is_refused_where_texts_are_cut(self, tiny_encoder: af.Encoder) -> None:
        with pytest.raises(ActivationFlowError, match=r"stride 5 is how much windows share.*trunc"):
            tiny_encoder.strength("a", stride=5, truncate=True)

    def test_pairs_that_are_too_long_fail_with_their_number(self, tiny_encoder: Any) -> None:
        results = tiny_encoder.strength(["a", "a"], ["b", "b " * 300], errors="collect")
        assert [e.text_number for e in results.errors] == [2]
        assert "room for" in results.errors[0].reason


class TestErrors:
    def test_bad_texts_never_take_the_others_with_them(self, tiny_encoder: af.Encoder) -> None:
        texts = ["good", "", "   ", "b\ud800d", "fine"]
        results = tiny_encoder.strength(texts, errors="collect")
        assert results.numbers == (1, 5)
        assert [e.text_number for e in results.errors] == [2, 3, 4]
        assert "no token of its own" in results.errors[0].reason
        with pytest.raises(TextsFailed, match=r"text 2: .*\(2 more") as caught:
            tiny_encoder.strength(texts)
        assert [r.text for r in caught.value.results] == ["good", "fine"]

    def test_a_value_that_is_not_finite_is_never_returned(self, tiny: Any) -> None:
        import copy

        import torch

        model, tokenizer = tiny("bert")
        broken = copy.deepcopy(model)
        with torch.no_grad():
            broken.embeddings.word_embeddings.weight[tokenizer("beautiful")["input_ids"][1]] = (
                float("nan")
            )
        encoder = af.Encoder.from_pretrained((broken, tokenizer), engine="torch")
        results = encoder.strength(["a day", "beautiful", "the park"], errors="collect")
        assert results.numbers == (1, 3)
        assert all(np.isfinite(r.strength).all() for r in results)
        (error,) = results.errors
        assert "not finite" in error.reason
        assert "layer 2" in error.reason

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"layers": 7}, r"layer 7 is out of range.*0 \(embeddings\) to 3"),
            ({"quantile": 75}, "quantile 75 is not between 0 and 1"),
            ({"quantile_method": "middle"}, "'middle' is not one of midpoint, linear"),
            ({"threshold_scope": "all"}, "threshold scope 'all' is not one of text, corpus"),
            ({"kinds": "nltk"}, "kinds='nltk' is not one of list, none"),
            ({"words": "median"}, "words='median' is not one of max, mean"),
            ({"errors": "ignore"}, "errors='ignore' is not one of raise, collect"),
            ({"max_length": 9999}, r"max_length 9999 is out of range.*1 to 128"),
            ({"stride": -1}, "stride -1 is out of range"),
        ],
    )
    def test_bad_options(self, tiny_encoder: af.Encoder, options: Any, message: str) -> None:
        with pytest.raises(ActivationFlowError, match=message):
            tiny_encoder.strength("a", **options)

    def test_one_bad_text_alone_says_why_and_advises_nothing(self, tiny_encoder: Any) -> None:
        for errors in ("raise", "collect"):
            with pytest.raises(TextsFailed, match=r"\(it is empty\)$"):
                tiny_encoder.strength("", errors=errors)

    @pytest.mark.parametrize("texts", [None, b"abc", 7])
    def test_what_is_no_text_is_refused(self, tiny_encoder: Any, texts: Any) -> None:
        with pytest.raises(ActivationFlowError, match="give a string or a list of strings"):
            tiny_encoder.strength(texts)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"revision": "main"}, "minilm has none: only models of the hub"),
            ({"device": "bogus"}, "device bogus cannot be used"),
            ({"device": "cuda", "engine": "openvino"}, "runs on the CPU, not on cuda"),
            ({"threads": 0}, "threads 0 is not at least 1"),
            ({"engine": "onnx"}, "engine 'onnx' is not one of auto, openvino, torch"),
            ({"precision": "f16"}, "precision 'f16' is not one of f32, bf16"),
            ({"dtype": "float16"}, "dtype float16 is not one of float32, bfloat16"),
            ({"dtype": "float32", "precision": "bf16"}, "contradict"),
            ({"engine": "torch", "precision": "bf16"}, "precision bf16 runs on the CPU's openvino"),
            ({"tokenizer": object()}, "a tokenizer is taken with a live model only"),
        ],
    )
    def test_bad_ways_to_load(self, options: Any, message: str) -> None:
        with pytest.raises(ActivationFlowError, match=message):
            af.Encoder.from_pretrained("minilm", **options)

    def test_a_path_is_a_name(self, tmp_path: Any) -> None:
        with pytest.raises(ActivationFlowError, match=r"holds no config\.json"):
            af.Encoder.from_pretrained(tmp_path)

    def test_what_is_no_model_is_refused(self) -> None:
        with pytest.raises(ActivationFlowError, match="not object and object"):
            af.Encoder.from_pretrained((object(), object()))

    def test_a_live_model_needs_its_tokenizer(self, tiny: Any) -> None:
        with pytest.raises(ActivationFlowError, match=r"give \(model, tokenizer\)"):
            af.Encoder.from_pretrained(tiny("bert")[0])

    def test_bf16_is_refused_where_the_chip_has_none(self) -> None:
        from activation_flow.engine import openvino

        can = openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if "BF16" in can:
            result = af.Encoder.from_pretrained("minilm", precision="bf16").strength(CANADA)
            truth = af.Encoder.from_pretrained("minilm").strength(CANADA)
            np.testing.assert_allclose(result.strength, truth.strength, rtol=0.05)
            assert result.provenance.precision == "bf16"
        else:
            with pytest.raises(ActivationFlowError, match="no bf16 arithmetic; use precision f32"):
                af.Encoder.from_pretrained("minilm", precision="bf16")


class TestPairsAndSpecials:
    def test_two_segments_equal_transformers(self, tiny: Any) -> None:
        import torch

        model, tokenizer = tiny("bert")
        result = af.Encoder.from_pretrained((model, tokenizer)).strength(TEXTS[0], TEXTS[1])
        with torch.no_grad():
            out = model(
                **tokenizer(TEXTS[0], TEXTS[1], return_tensors="pt"), output_hidden_states=True
            )
        np.testing.assert_allclose(
            result.strength[0], out.hidden_states[2][0].norm(dim=-1).numpy(), rtol=1e-5
        )
        for token, segment, start, end in zip(
            result.tokens, result.segment, result.start, result.end, strict=True
        ):
            if segment >= 0:
                source = (TEXTS[0], TEXTS[1])[segment]
                assert source[start:end].lower() == token.removeprefix("##").lower()

    def test_special_tokens_in_or_out(self, tiny_encoder: af.Encoder) -> None:
        out, within = (tiny_encoder.strength(TEXTS[0], include_special=x) for x in (False, True))
        assert out.bucket[0, 0] == ""
        assert out.rank[0, 0] == 0
        assert within.bucket[0, 0] in ("HIGH", "LOW")
        assert set(within.rank[0]) == set(range(1, len(within) + 1))
        assert within.threshold[0] == pytest.approx(
            np.quantile(within.strength[0].astype(float), 0.75, method="midpoint")
        )

    def test_a_corpus_threshold_is_the_quantile_over_all_texts(self, tiny_encoder: Any) -> None:
        results = tiny_encoder.strength(list(TEXTS), layers="all", threshold_scope="corpus")
        pooled = np.concatenate([r.strength[:, ~r.special] for r in results], axis=1)
        truth = np.quantile(pooled.astype(float), 0.75, axis=1, method="midpoint")
        for result in results:
            np.testing.assert_array_equal(result.threshold, truth)
        words = results.words("mean")
        assert len({tuple(r.threshold) for r in words}) == 1
        with pytest.raises(ActivationFlowError, match=r"call words\(\) on all of them"):
            results[0].words()

    def test_words_of_a_result_equal_words_asked_for(self, tiny_encoder: af.Encoder) -> None:
        for how in ("max", "mean", "sum", "first", "l2"):
            later = tiny_encoder.strength(TEXTS[3]).words(how)
            asked = tiny_encoder.strength(TEXTS[3], words=how)
            assert later.to_dict() == asked.to_dict()
        assert "don't" in later.tokens
        assert later.kind[later.tokens.tolist().index("don't")] == "function"
        with pytest.raises(ActivationFlowError, match="of words already"):
            later.words()


def test_a_folder_damaged_while_it_is_held_is_mended(
    tiny: Any, empty_cache: Any, caplog: pytest.LogCaptureFixture
) -> None:
    encoder = af.Encoder.from_pretrained(tiny("bert"))
    truth = encoder.strength(TEXTS[0])
    fresh = af.Encoder.from_pretrained(tiny("bert"))
    (graph,) = empty_cache.glob("engines/*/graph.bin")
    graph.write_bytes(bytes(graph.stat().st_size))
    with caplog.at_level(logging.WARNING, logger="activation_flow"):
        again = fresh.strength(TEXTS[0], layers=[2, 3]).at(2)  # not the stored blob
    np.testing.assert_allclose(again.strength, truth.strength, rtol=1e-6)
    assert "building it again" in caplog.text


def test_there_are_few_shapes(tiny_encoder: af.Encoder) -> None:
    encoded, _ = tiny_encoder.tokenize(["a " * 6] * 700)
    sizes: dict[int, set[int]] = {}
    for many in range(1, 700):
        length = len(encoded[0].text)
        fit = 1024 // length
        for batch in runner._batches(encoded[:many], 1024):
            sizes.setdefault(length, set()).add(len(batch))
    assert sizes == {length: {1, 2, 4, 8, 16, 32, 64, fit}}
