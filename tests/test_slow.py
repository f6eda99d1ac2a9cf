"""Tokenizers that only transformers has: against the tokenizer itself, and against eager models."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from hypothesis import given
from hypothesis import strategies as st
from slow_models import AMINO_ACIDS, MODELS, TABLE, make_esm, make_slow

import activation_flow as af
from activation_flow import artifact, identity, loading
from activation_flow.data import ActivationFlowError
from activation_flow.folder import EngineFolder
from activation_flow.lengths import owners
from activation_flow.slow import SlowTokenizer, Untokenizable

TEXT = "Who is the walker? the A K L."
# With the names of special tokens of all kinds, typed by the user: they are text.
TEXTS = (
    *(TEXT, "", " ", "the", "M K T <eos>", "a</s>", "</s>", "[SEP] a [CLS]", "<cls> the <unk>"),
    *("<s> a </s> b </s>", "日本 é 👩 ﬁ\n\tx", "the " * 700),
)

every_tokenizer = pytest.mark.parametrize("kind", TABLE)
every_model = pytest.mark.parametrize("kind", MODELS)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {kind: row.make(tmp_path_factory.mktemp(kind)) for kind, row in TABLE.items()}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any, Any]]:
    """Folder, model and tokenizer of each kind."""
    folders = {kind: tmp_path_factory.mktemp("models") / kind for kind in MODELS}
    return {kind: (folder, *make_slow(kind, folder)) for kind, folder in folders.items()}


def call(tokenizer: Any, *segments: str) -> Any:
    """What transformers itself gives; ByT5 warns of a typed "</s>"."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tokenizer(*segments)


def oracle(model: Any, inputs: Any) -> np.ndarray:
    """Norms [layers tokens] of eager transformers."""
    tensors = {name: torch.tensor([values]) for name, values in inputs.items()}
    model = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.no_grad():
        hidden = model(**tensors, output_hidden_states=True).hidden_states
    return np.stack([h[0].norm(dim=-1).numpy() for h in hidden])


class TestTokens:
    @every_tokenizer
    def test_ids_are_those_of_transformers(self, tokenizers: Any, kind: str) -> None:
        encodings = SlowTokenizer(tokenizers[kind]).encode_batch(TEXTS)
        for text, encoding in zip(TEXTS, encodings, strict=True):
            truth = call(tokenizers[kind], text)
            assert encoding.ids == truth["input_ids"]
            if "token_type_ids" in truth:
                assert encoding.type_ids == truth["token_type_ids"]
            assert len({len(values) for values in vars(encoding).values()}) == 1
            assert set(encoding.offsets) <= {(-1, -1)}

    @every_tokenizer
    def test_special_is_what_is_added_and_never_what_was_typed(
        self, tokenizers: Any, kind: str
    ) -> None:
        tokenizer, row = tokenizers[kind], TABLE[kind]
        by_number = []
        for text in TEXTS:
            (encoding,) = SlowTokenizer(tokenizer).encode_batch([text])
            # ByT5 adds no "</s>" to a text that ends with one.
            trail = 0 if kind == "byt5" and text.endswith("</s>") else row.trail
            own = len(tokenizer.tokenize(text))
            assert encoding.special_tokens_mask == [1] * row.lead + [0] * own + [1] * trail
            by_number.append([int(i in tokenizer.all_special_ids) for i in encoding.ids])
            assert [s is None for s in encoding.sequence_ids] == [
                bool(m) for m in encoding.special_tokens_mask
            ]
        # The numbers would say something else: this test can fail.
        masks = [e.special_tokens_mask for e in SlowTokenizer(tokenizer).encode_batch(TEXTS)]
        assert kind == "canine" or by_number != masks

    @every_tokenizer
    def test_pairs(self, tokenizers: Any, kind: str) -> None:
        tokenizer, pair = tokenizers[kind], TABLE[kind].pair
        slow = SlowTokenizer(tokenizer)
        takes = slow.num_special_tokens_to_add(True) != slow.num_special_tokens_to_add(False)
        assert takes == (pair is not None)
        if pair is None:
            return
        first, second = "the A </s> K", "L the"
        (encoding,) = slow.encode_batch([(first, second)])
        truth = call(tokenizer, first, second)
        assert encoding.ids == truth["input_ids"]
        assert encoding.type_ids == truth.get("token_type_ids", [0] * len(encoding.ids))
        sizes = [len(tokenizer.tokenize(segment)) for segment in (first, second)]
        assert encoding.sequence_ids == (
            [None] * pair[0] + [0] * sizes[0] + [None] * pair[1] + [1] * sizes[1] + [None] * pair[2]
        )

    def test_a_tokenizer_that_refuses_pairs_takes_none(self, tmp_path: Path) -> None:
        tokenizer = make_esm(tmp_path)
        tokenizer.eos_token = None
        slow = SlowTokenizer(tokenizer)
        assert slow.num_special_tokens_to_add(True) == slow.num_special_tokens_to_add(False) == 1

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
    def test_any_text(self, text: str) -> None:
        for tokenizer in (hf.ByT5Tokenizer(), hf.PerceiverTokenizer()):
            (encoding,) = SlowTokenizer(tokenizer).encode_batch([text])
            assert encoding.ids == call(tokenizer, text)["input_ids"]

    def test_a_text_it_stumbles_over_takes_no_other_with_it(self) -> None:
        class Picky(hf.ByT5Tokenizer):
            def _tokenize(self, text: str) -> list[str]:
                if "boom" in text:
                    raise KeyError("boom")
                return super()._tokenize(text)

        good, bad, fine = SlowTokenizer(Picky()).encode_batch(["good", "boom", "fine"])
        assert isinstance(bad, Untokenizable)
        assert "Picky" in str(bad)
        assert "KeyError: 'boom'" in str(bad)
        assert "".join(good.tokens[:-1]) + "".join(fine.tokens[:-1]) == "goodfine"

    def test_a_token_without_a_number(self, tokenizers: Any) -> None:
        class Gaps(hf.ByT5Tokenizer):
            def _convert_token_to_id(self, token: str) -> int | None:
                return None if token == "x" else super()._convert_token_to_id(token)

        good, bad = SlowTokenizer(Gaps()).encode_batch(["a", "x"])
        assert len(good.ids) == 2
        assert isinstance(bad, Untokenizable)

    def test_one_that_hides_what_it_adds_is_refused(self) -> None:
        class Hiding(hf.ByT5Tokenizer):
            def build_inputs_with_special_tokens(self, first: Any, second: Any = None) -> Any:
                return np.array(super().build_inputs_with_special_tokens(first, second)).tolist()

        (encoding,) = SlowTokenizer(Hiding()).encode_batch(["abc"])
        assert isinstance(encoding, Untokenizable)
        assert "does not let see which tokens it adds" in str(encoding)


class TestModels:
    @every_model
    @pytest.mark.parametrize("way", ["folder", "live", "eager"])
    def test_every_layer_equals_eager_transformers(self, models: Any, kind: str, way: str) -> None:
        folder, model, tokenizer = models[kind]
        if way == "folder":
            encoder = af.Encoder.from_pretrained(str(folder))
        else:
            engine = "torch" if way == "eager" else "auto"
            encoder = af.Encoder.from_pretrained((model, tokenizer), engine=engine)
        assert encoder.engine == ("torch" if way == "eager" else "openvino")
        texts = [TEXT, "the", "M K T a</s>", "[SEP] <eos> 👩 é"]
        for text, result in zip(texts, encoder.strength(texts, layers="all"), strict=True):
            inputs = call(tokenizer, text)
            assert result.ids.tolist() == inputs["input_ids"]
            np.testing.assert_allclose(result.strength, oracle(model, inputs), rtol=1e-5)
            assert (result.start == -1).all()
            assert (result.end == -1).all()
            assert (result.word == -1).all()
            assert set(result.kind[~result.special]) == {""}
            assert set(result.kind[result.special]) <= {"special"}

    @every_model
    def test_a_long_text_is_read_in_windows(self, models: Any, kind: str) -> None:
        """Every token against eager transformers on the window it is taken from."""
        folder, model, _ = models[kind]
        encoder = af.Encoder.from_pretrained(str(folder))
        (encoded,), _ = encoder.tokenize(["M K T </s> the L " * 20 + "K"], max_length=24, stride=8)
        ((_, strength, _),) = encoder.run([encoded], range(4))
        assert len(encoded.windows) > 3
        row = TABLE[kind]
        assert (encoded.lead, encoded.trail) == (row.lead, row.trail)
        owner = owners(encoded.windows[-1][1], encoded.windows, encoder.causal)
        for w, (first, last) in enumerate(encoded.windows):
            ids = encoded.window(encoded.text.ids, w).tolist()
            truth = oracle(model, {"input_ids": ids, "attention_mask": [1] * len(ids)})
            mine = np.flatnonzero(owner[first:last] == w) + row.lead
            ours = strength[:, first + mine]
            np.testing.assert_allclose(ours, truth[:, mine], rtol=1e-5)

    def test_pairs(self, models: Any) -> None:
        folder, model, tokenizer = models["esm"]
        result = af.Encoder.from_pretrained(str(folder)).strength("M K", "T L <eos>", layers="all")
        truth = oracle(model, tokenizer("M K", "T L <eos>"))
        np.testing.assert_allclose(result.strength, truth, rtol=1e-5)
        assert result.segment.tolist() == [-1, 0, 0, -1, 1, 1, 1, -1]
        with pytest.raises(ActivationFlowError, match="does not take two segments"):
            af.Encoder.from_pretrained(str(models["ctrl"][0])).strength("a", "b")

    def test_what_has_no_place_is_null_wherever_it_is_written(
        self, models: Any, tmp_path: Path
    ) -> None:
        result = af.Encoder.from_pretrained(str(models["byt5"][0])).strength("a\x1bb")
        (text,) = result.to_dict()["texts"]
        for token in text["tokens"]:
            assert (token["start"], token["end"], token["word"]) == (None, None, None)
        assert [token["kind"] for token in text["tokens"]] == [None, None, None, "special"]
        frame = result.to_pandas()
        assert frame["start"].isna().all()
        for ending in ("json", "csv", "parquet", "html"):
            result.save(tmp_path / f"r.{ending}")
        for ending in ("json", "parquet"):
            again = af.load(tmp_path / f"r.{ending}")[0]
            assert again.start.tolist() == result.start.tolist()
            with pytest.raises(ActivationFlowError, match="cannot be put together to words"):
                again.words()
        for shown in (repr(result), result._repr_html_()):
            assert "\x1b" not in shown

    def test_the_second_start_loads_the_tokenizer_and_no_model(
        self, models: Any, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = str(models["esm"][0])
        first = af.Encoder.from_pretrained(folder).strength(TEXT)
        (path,) = (p for p in (empty_cache / "engines").iterdir() if p.is_dir())
        kept = EngineFolder(path)
        assert kept.meta["slow_tokenizer"] == "EsmTokenizer"
        assert not kept.has(artifact.TOKENIZER)
        monkeypatch.setattr(loading, "load", lambda *_: pytest.fail("loaded"))
        second = af.Encoder.from_pretrained(folder).strength(TEXT)
        np.testing.assert_array_equal(first.strength, second.strength)
        assert second.provenance.versions["transformers"] == hf.__version__

    def test_a_damaged_tokenizer_is_never_replaced(
        self, models: Any, tmp_path: Path, empty_cache: Path
    ) -> None:
        folder = tmp_path / "esm"
        shutil.copytree(models["esm"][0], folder)
        af.Encoder.from_pretrained(str(folder))
        (folder / "vocab.txt").unlink()
        with pytest.raises(ActivationFlowError, match="holds no tokenizer"):
            af.Encoder.from_pretrained(str(folder))

    def test_from_the_hubs_cache(self, models: Any, tmp_path: Path, empty_cache: Path) -> None:
        commit = "0123456789abcdef0123456789abcdef01234567"
        repo = tmp_path / "hub" / "models--someone--esm"
        shutil.copytree(models["esm"][0], repo / "snapshots" / commit)
        (repo / "refs").mkdir()
        (repo / "refs" / "main").write_text(commit)
        live = af.Encoder.from_pretrained(models["esm"][1:]).strength(TEXT)
        for _ in range(2):  # made, then found
            found = af.Encoder.from_pretrained("someone/esm", cache_dir=str(tmp_path / "hub"))
            np.testing.assert_array_equal(found.strength(TEXT).strength, live.strength)
        shutil.rmtree(repo)
        with pytest.raises(ActivationFlowError, match=r"tokenizer of someone/esm cannot be loaded"):
            af.Encoder.from_pretrained("someone/esm", cache_dir=str(tmp_path / "hub"))


class TestWords:
    def test_words_are_refused_before_the_model_runs(
        self, models: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        encoder = af.Encoder.from_pretrained(str(models["ctrl"][0]))
        one, many = encoder.strength(TEXT), encoder.strength([TEXT, "the"])
        message = r"tokenizer of .*ctrl does not say which characters .* leave out --words"
        for make in (one.words, many.words):
            with pytest.raises(ActivationFlowError, match=message):
                make()
        monkeypatch.setattr(encoder, "run", lambda *_: pytest.fail("run"))
        with pytest.raises(ActivationFlowError, match=message):
            encoder.strength(TEXT, words="max")


class TestLive:
    def test_a_token_added_later_does_not_reach_the_encoder(self, tmp_path: Path) -> None:
        model, tokenizer = make_slow("ctrl", tmp_path / "ctrl")
        encoder = af.Encoder.from_pretrained((model, tokenizer))
        before = encoder.strength(TEXT).ids.tolist()
        tokenizer.add_tokens(["walker"])
        assert tokenizer(TEXT)["input_ids"] != before
        assert encoder.strength(TEXT).ids.tolist() == before

    def test_another_vocabulary_is_another_model(self, models: Any, tmp_path: Path) -> None:
        _, model, tokenizer = models["esm"]
        other = make_esm(tmp_path, AMINO_ACIDS[::-1])
        assert repr(other) == repr(tokenizer)  # what a name was made of once
        revisions = [
            identity.identify(identity.Request(live=(model, t))).revision
            for t in (tokenizer, other, make_esm(tmp_path))
        ]
        assert revisions[0] == revisions[2]
        assert revisions[0] != revisions[1]

    def test_an_added_token_or_a_class_of_ones_own_is_another_model(self, models: Any) -> None:
        class Mine(hf.ByT5Tokenizer):
            pass

        more = hf.ByT5Tokenizer()
        more.add_tokens(["walker"])
        live = [(models["byt5"][1], t) for t in (hf.ByT5Tokenizer(), more, Mine())]
        assert (
            len({identity.identify(identity.Request(live=those)).revision for those in live}) == 3
        )

    def test_one_that_cannot_be_saved_is_like_no_other(self, models: Any) -> None:
        class Unsaved(hf.ByT5Tokenizer):
            def save_pretrained(self, *_: Any, **__: Any) -> Any:
                raise NotImplementedError

        live = (models["byt5"][1], Unsaved())
        first, second = (identity.identify(identity.Request(live=live)) for _ in range(2))
        assert first.revision != second.revision

    def test_one_that_cannot_be_copied_is_refused(self, models: Any) -> None:
        tokenizer = hf.ByT5Tokenizer()
        tokenizer.module = json
        with pytest.raises(ActivationFlowError, match=r"ByT5Tokenizer cannot be copied.*folder"):
            af.Encoder.from_pretrained((models["byt5"][1], tokenizer))


@pytest.mark.parametrize(
    ("tokenizer", "config", "model"),
    [
        (hf.CanineTokenizer, hf.CanineConfig, hf.CanineModel),
        (hf.PerceiverTokenizer, hf.PerceiverConfig, hf.PerceiverModel),
    ],
)
def test_a_model_without_a_table_of_embeddings_is_refused(
    tokenizer: Any, config: Any, model: Any
) -> None:
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "d_model": 16}
    live = (model(config(**sizes, num_latents=4, d_latents=16)), tokenizer())
    with pytest.raises(ActivationFlowError, match="it cannot be measured"):
        af.Encoder.from_pretrained(live)
