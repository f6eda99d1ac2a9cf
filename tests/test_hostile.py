"""Texts that break things, through every public call. The judge is transformers.

Which texts, and how random ones are made, is in benchmarks/hostile.py.
"""

import io
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import fuzz
import hostile
import numpy as np
import pytest
import torch
from architectures import TEXTS, make_model, make_tokenizer
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

import activation_flow as af
from activation_flow import document, html, table
from activation_flow.data import ActivationFlowError, Failure
from activation_flow.results import TextsFailed
from activation_flow.words import find_words

# tokenizers: of the kinds that real models bring, with the post-processors that they bring


def cased() -> Any:
    """BERT's, cased: a piece is what its offsets cut out of the text."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=200,
        special_tokens=special,
        initial_alphabet=[*"aZ0.日שİ\u0301"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return _fast(tokenizer, {f"{name[1:-1].lower()}_token": name for name in special})


def roberta() -> Any:
    """RoBERTa's: bytes; the offsets leave out the space that a piece begins with."""
    tokenizer = _bytes(["<s>", "<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=False
    )
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return _fast(tokenizer, {**names, "cls_token": "<s>", "sep_token": "</s>"})


def gpt2() -> Any:
    """GPT-2's: bytes, and no special token but those that are typed."""
    tokenizer = _bytes(["<|endoftext|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return _fast(tokenizer, {"eos_token": "<|endoftext|>"})


def _bytes(special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=340, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def llama() -> Any:
    """Llama 2's: spaces are letters, what it does not know is read as bytes, <s> only first."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    marks = normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")
    tokenizer.normalizer = normalizers.Sequence([*marks])
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(vocab_size=360, special_tokens=special[:3], show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    state = json.loads(tokenizer.to_str())
    state["model"]["vocab"] |= {
        name: len(state["model"]["vocab"]) + byte for byte, name in enumerate(special[3:])
    }
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    return _fast(tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})


def t5() -> Any:
    """T5's and XLM-R's: SentencePiece's own normalizer, which adds and drops characters."""
    pieces, normalizer = _sentencepiece()
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0))
    once = normalizers.Replace(Regex(" {2,}"), " ")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(normalizer), once])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    names = {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"}
    tokenizer.add_special_tokens([*names.values()])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>",
        pair="$A </s> $B </s>",
        special_tokens=[("</s>", tokenizer.token_to_id("</s>"))],
    )
    return _fast(tokenizer, names)


def _sentencepiece() -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their scores, and the compiled normalizer (NFKC and more) of SentencePiece."""
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 3),
        model_writer=out,
        vocab_size=70,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]
    # Field 3 of the model is the normalizer's, field 2 of that the compiled rules.
    return pieces, _protobuf(_protobuf(out.getvalue())[3])[2]


def _protobuf(message: bytes) -> dict[int, bytes]:
    """The last of each field that holds bytes; sentencepiece's own reader needs protobuf."""
    rest = iter(message)

    def whole() -> int:
        value = shift = 0
        for byte in rest:
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        return value

    found: dict[int, bytes] = {}
    while key := whole():
        if key & 7 == 0:
            whole()
        else:
            n = {1: 8, 5: 4}.get(key & 7) or whole()
            found[key >> 3] = bytes(next(rest) for _ in range(n))
    return found


def _fast(tokenizer: Tokenizer, names: dict[str, str]) -> Any:
    inputs = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names)


class Kind(NamedTuple):
    """A tokenizer, the model it is used with, and how many special tokens frame a text."""

    make: Callable[[], Any]
    model: str
    lead: int
    trail: int
    engine: str = "torch"  # converting takes seconds: a few kinds do for the other engine


KINDS = {
    "wordpiece": Kind(lambda: make_tokenizer("wordpiece"), "distilbert", 1, 1, "openvino"),
    "cased": Kind(cased, "bert", 1, 1),
    "roberta": Kind(roberta, "roberta", 1, 1),
    "gpt2": Kind(gpt2, "gpt2", 0, 0, "openvino"),
    "llama": Kind(llama, "llama", 1, 0),
    "t5": Kind(t5, "t5", 0, 1, "openvino"),
    "xlnet": Kind(lambda: make_tokenizer("xlnet"), "distilbert", 0, 2),
}
PAIRED = ("wordpiece", "cased", "roberta", "t5")
every_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def model_of(kind: str) -> tuple[Any, Any]:
    tokenizer = KINDS[kind].make()
    return make_model(KINDS[kind].model, tokenizer), tokenizer


@cache
def encoder_of(kind: str) -> af.Encoder:
    return af.Encoder.from_pretrained(model_of(kind), engine=KINDS[kind].engine)


# what must come out


TABLE: dict[str, Any] = {
    **hostile.NAMED,
    **{f"script: {name}": word for name, word in hostile.scripts().items()},
    **{f"no text: {thing!r}": thing for thing in hostile.NOT_TEXTS},
}
GIVEN = [*TABLE.values()]

random_texts = st.one_of(
    st.lists(
        st.sampled_from([*hostile.pieces(), *hostile.WORDS, *hostile.JOINTS]), max_size=12
    ).map("".join),
    st.text(max_size=30),
    st.sampled_from([text for text in hostile.NAMED.values() if len(text) < 200]),
)


def readable(kind: str, text: Any) -> bool:
    """Whether the tokenizer makes any token of it; no text and half a text it makes none of."""
    if not isinstance(text, str) or hostile.broken(text):
        return False
    return bool(model_of(kind)[1](text, add_special_tokens=False)["input_ids"])


def comes_out_once(results: Any, n: int) -> None:
    """Every number from 1 to n, as a result or as an error, both in order."""
    numbers, errors = [*results.numbers], [error.text_number for error in results.errors]
    assert len(results) == len(numbers)
    assert numbers == sorted(numbers)
    assert errors == sorted(errors)
    assert sorted([*numbers, *errors]) == [*range(1, n + 1)]


def check_tokens(kind: str, text: str, result: Any, max_length: int | None = None) -> None:
    """Tokens, offsets, mask and words of a text, against transformers and plain loops."""
    tokenizer, (_, _, lead, trail, _) = model_of(kind)[1], KINDS[kind]
    cut = {} if max_length is None else {"truncation": True, "max_length": max_length}
    truth = tokenizer(text, return_offsets_mapping=True, **cut)
    assert result.text == text
    assert result.ids.tolist() == truth["input_ids"]
    assert result.tokens.tolist() == truth.tokens()
    n = len(result) - lead - trail
    assert result.special.tolist() == [True] * lead + [False] * n + [True] * trail
    own = slice(lead, lead + n)
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert result.ids[own].tolist() == whole[:n]
    assert n + result.n_dropped == len(whole)
    for values in (result.start, result.end, result.segment, result.word):
        assert set(values[result.special]) <= {-1}
    spans = list(zip(result.start.tolist(), result.end.tolist(), strict=True))[own]
    assert spans == truth["offset_mapping"][own]
    assert all(0 <= start <= end <= len(text) for start, end in spans)
    words = find_words(text)
    for (start, end), word in zip(spans, result.word[own].tolist(), strict=True):
        if word >= 0:
            first, last = words[word]
            assert first < end or start == end
            assert start < last
    for kinds, special in zip(result.kind, result.special, strict=True):
        assert (kinds == "special") == special


def check_against_eager(kind: str, text: str, result: Any) -> None:
    """Strengths of every layer against the norms of what the model itself gives."""
    model, tokenizer = model_of(kind)
    inputs = tokenizer(text, return_tensors="pt")
    body = model.get_encoder() if KINDS[kind].model == "t5" else model
    with torch.no_grad():
        hidden = body(**inputs, output_hidden_states=True).hidden_states
    truth = torch.stack([h[0].norm(dim=-1) for h in hidden]).numpy()
    np.testing.assert_allclose(result.strength, truth, rtol=1e-5)


def check_strengths(result: Any) -> None:
    assert np.isfinite(result.strength).all()
    assert np.isfinite(result.threshold).all()
    ranked = result.rank[:, ~result.special]
    assert ranked.min() == 1
    assert ranked.max() <= (~result.special).sum()
    assert (result.bucket[:, result.special] == "").all()
    high = result.strength > result.threshold[:, None]
    assert ((result.bucket == "HIGH") == (high & ~result.special)).all()


def hidden_characters(shown: str) -> set[str]:
    """What would not be seen, or would change how the rest is seen."""
    odd = {c for c in {*shown} if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return odd - {"\n", "\u200c", "\u200d"}


def check_exports(results: Any) -> None:
    """JSON and table read back as they were; nothing raises, nothing is NaN in JSON."""
    written = json.dumps(results.to_dict(), allow_nan=False, ensure_ascii=False)
    written.encode()
    assert document.from_dict(json.loads(written)) == results
    tables = results.to_arrow()
    if results.schema != "hidden/1":
        assert table.from_arrow(tables) == results


def check_pictures(results: Any, page: bool = False) -> None:
    """Nothing is hidden in words, in HTML and, where that is asked for, in a page with charts."""
    shown = [repr(results), results._repr_html_()]
    if page:
        # Without the scripts that are ours and Vega's; the data of charts stay.
        shown.append(re.sub(r"<script>.*?</script>", "", html.html_page(results), flags=re.DOTALL))
        assert "application/json" in shown[-1]
    for words in shown:
        assert not hidden_characters(words)


# the table of texts, through every call


def test_the_table_is_long_enough() -> None:
    assert len(hostile.NAMED) >= 60
    assert len(hostile.scripts()) >= 50
    assert len({*hostile.NAMED.values()}) == len(hostile.NAMED)


class TestTable:
    @every_kind
    def test_strength(self, kind: str) -> None:
        results = encoder_of(kind).strength(GIVEN, layers="all", errors="collect")
        comes_out_once(results, len(GIVEN))
        for number, result in zip(results.numbers, results, strict=True):
            check_tokens(kind, GIVEN[number - 1], result)
            check_strengths(result)
            if result.n_windows == 1 and number % 4 == 0:
                check_against_eager(kind, GIVEN[number - 1], result)
        for error in results.errors:
            assert not readable(kind, GIVEN[error.text_number - 1])
            assert cause(GIVEN[error.text_number - 1]) in error.reason

    @every_kind
    def test_cut(self, kind: str) -> None:
        how: Any = {"layers": "1,3", "max_length": 20, "truncate": True}
        results = encoder_of(kind).layers(GIVEN, errors="collect", **how)
        comes_out_once(results, len(GIVEN))
        for number, result in zip(results.numbers, results, strict=True):
            check_tokens(kind, GIVEN[number - 1], result, max_length=20)
            check_strengths(result)
        check_exports(results)
        check_exports(results[::4].words())
        check_pictures(results[::4])

    @every_kind
    def test_shift(self, kind: str) -> None:
        """Each text once as the first and once as the second of two."""
        other = [*GIVEN[1:], GIVEN[0]]
        results = encoder_of(kind).shift(GIVEN, other, errors="collect", truncate=True)
        comes_out_once(results, len(GIVEN))
        for number, result in zip(results.numbers, results, strict=True):
            longest = encoder_of(kind).max_length
            for text, side in ((GIVEN, result.a), (other, result.b)):
                check_tokens(kind, text[number - 1], side, max_length=longest)
                check_strengths(side)
            for index, side in ((result.a_index, result.a), (result.b_index, result.b)):
                assert index[index >= 0].tolist() == [*range(len(side))]
            assert np.isfinite(result.shift[result.paired]).all()
            assert np.isnan(result.shift[~result.paired]).all()
        for error in results.errors:
            for name, texts in (("A", GIVEN), ("B", other)):
                text = texts[error.text_number - 1]
                assert (f"text {name}: " in error.reason) == (not readable(kind, text))
                if not readable(kind, text):
                    assert cause(text) in error.reason
        check_exports(results)
        check_pictures(results[::4])

    def test_pictures(self) -> None:
        """Of all texts."""
        encoder = encoder_of("wordpiece")
        check_pictures(encoder.strength(GIVEN, errors="collect"), page=True)
        check_pictures(encoder.strength(GIVEN, words="max", errors="collect"))

    @pytest.mark.parametrize("start", range(0, len(GIVEN), 24))
    def test_charts(self, start: int) -> None:
        """Of texts that no page of many would draw: a quarter alone, half of them in pairs."""
        encoder, some = encoder_of("gpt2"), GIVEN[start : start + 24]
        a, b = some[::4], some[2::4]
        how: Any = {"errors": "collect", "truncate": True}
        check_pictures(encoder.strength(some[1::4], **how), page=True)
        check_pictures(encoder.shift(a[: len(b)], b[: len(a)], **how), page=True)

    @every_kind
    def test_hidden_states(self, kind: str) -> None:
        encoder = encoder_of(kind)
        results = encoder.hidden_states(GIVEN, errors="collect", max_length=30, truncate=True)
        strengths = encoder.strength(GIVEN, errors="collect", max_length=30, truncate=True)
        comes_out_once(results, len(GIVEN))
        assert results.numbers == strengths.numbers
        assert results.errors == strengths.errors
        for result, strength in zip(results, strengths, strict=True):
            assert result.ids.tolist() == strength.ids.tolist()
            np.testing.assert_array_equal(result.strength, strength.strength)
            norms = np.linalg.norm(result.hidden.astype(float), axis=-1)
            np.testing.assert_allclose(norms, result.strength, rtol=1e-5)
        check_exports(results[::4])
        check_pictures(results)

    @every_kind
    def test_company_changes_nothing(self, kind: str) -> None:
        encoder = encoder_of(kind)
        results = encoder.strength(GIVEN, layers="all", errors="collect")
        for number, result in list(zip(results.numbers, results, strict=True))[::6]:
            alone = encoder.strength(GIVEN[number - 1], layers="all")
            if encoder.engine == "openvino":
                assert alone == result
            else:  # eager torch multiplies a row alone by another routine than rows together
                assert alone.allclose(result, rtol=1e-6)

    @pytest.mark.parametrize("name", [name for name, x in TABLE.items() if not isinstance(x, str)])
    def test_one_that_is_no_text(self, name: str) -> None:
        encoder = encoder_of("wordpiece")
        for given_texts in (["a", TABLE[name]], ["a", TABLE[name], "b"]):
            with pytest.raises(TextsFailed, match="text 2: it is not a string but"):
                encoder.strength(given_texts)
            with pytest.raises(TextsFailed, match="pair 2: text B: it is not a string but"):
                encoder.shift(["a"] * len(given_texts), given_texts)
            with pytest.raises(TextsFailed, match="text 2: its text_pair: it is not a string"):
                encoder.strength(["a"] * len(given_texts), given_texts)

    @pytest.mark.parametrize("name", ["empty", "spaces", "NUL", "half of a pair", "a mark alone"])
    def test_one_text_alone(self, name: str) -> None:
        encoder, text = encoder_of("wordpiece"), hostile.NAMED[name]
        for call in (encoder.strength, encoder.hidden_states):
            with pytest.raises(ActivationFlowError, match=f"text 1: .*{re.escape(cause(text))}"):
                call(text)
        with pytest.raises(
            ActivationFlowError, match=f"pair 1: text B: .*{re.escape(cause(text))}"
        ):
            encoder.shift("a", text)


def cause(text: Any) -> str:
    """What the reason must name, where a text has no result."""
    if not isinstance(text, str):
        return f"not a string but {type(text).__name__}"
    if hostile.broken(text):
        return "half of a surrogate pair"
    if not text:
        return "it is empty"
    if text.isspace():
        return "only spaces"
    first = next(character for character in text if not character.isspace())
    return f"the tokenizer drops all of it: U+{ord(first):04X}"


# random texts


class TestRandom:
    @every_kind
    @settings(max_examples=15)
    @given(texts=st.lists(random_texts, min_size=1, max_size=5), cut=st.booleans())
    def test_strength(self, kind: str, texts: list[str], cut: bool) -> None:
        how = {"max_length": 12, "truncate": True} if cut else {}
        results = encoder_of(kind).strength(texts, errors="collect", **how)
        comes_out_once(results, len(texts))
        assert len(results) == sum(readable(kind, text) for text in texts)
        for number, result in zip(results.numbers, results, strict=True):
            check_tokens(kind, texts[number - 1], result, max_length=12 if cut else None)
            check_strengths(result)
        check_exports(results)
        check_exports(results.words("mean"))
        check_pictures(results)

    @every_kind
    @settings(max_examples=15)
    @given(pairs=st.lists(st.tuples(random_texts, random_texts), min_size=1, max_size=3))
    def test_shift(self, kind: str, pairs: list[tuple[str, str]]) -> None:
        a, b = map(list, zip(*pairs, strict=True))
        how = {"errors": "collect", "truncate": True}
        results = encoder_of(kind).shift(a, b, **how)
        comes_out_once(results, len(pairs))
        assert len(results) == sum(readable(kind, x) and readable(kind, y) for x, y in pairs)
        back = encoder_of(kind).shift(b, a, **how)
        words = encoder_of(kind).shift(a, b, words="max", **how)
        assert results.numbers == back.numbers == words.numbers
        for one, two in zip(results, back, strict=True):
            assert one.total == pytest.approx(two.total, rel=1e-9)
        check_exports(results)
        check_exports(words)
        check_pictures(words)

    @pytest.mark.parametrize("kind", PAIRED)
    @settings(max_examples=60)
    @given(random_texts, random_texts, st.integers(1, 40))
    def test_two_segments_are_cut_as_transformers_cuts_them(
        self, kind: str, text: str, pair: str, max_length: int
    ) -> None:
        found, failures = encoder_of(kind).tokenize(
            [text], [pair], max_length=max_length, long="cut"
        )
        if hostile.broken(text + pair):
            assert "half of a surrogate pair" in failures[0].reason
            return
        tokenizer, both = model_of(kind)[1], ([text], [pair])  # lists: it drops an empty second
        special = tokenizer.num_special_tokens_to_add(pair=True)
        (whole,) = tokenizer(*both)["input_ids"]
        if len(whole) == special:
            assert "no token of its own" in failures[0].reason
        elif max_length <= special:
            assert failures[0].reason.endswith("for special tokens only")
        else:
            (truth,) = tokenizer(*both, truncation=True, max_length=max_length)["input_ids"]
            assert found[0].text.ids.tolist() == truth
            assert found[0].text.n_dropped + len(truth) == len(whole)


# a megabyte

MEGABYTE = "dog " * 250_000
LONG = {
    "identical words": "dog " * 25_000,
    "one word": "a" * 100_000,
    "no spaces": "日本語" * 30_000,
    "spaces": " " * 100_000 + "dog",
    "marks": "a" + "\u0301" * 50_000,
    "emoji": hostile.FAMILY * 4000,
    "typed special tokens": "[SEP]</s>" * 10_000,
    "punctuation": "!?" * 50_000,
    "NUL": "a\0" * 50_000,
}


@pytest.mark.slow
class TestMegabyte:
    @pytest.mark.parametrize("kind", ["wordpiece", "gpt2"])
    def test_cut(self, kind: str) -> None:
        texts = [*LONG.values()]
        results = encoder_of(kind).strength(texts, truncate=True, max_length=64)
        for text, result in zip(texts, results, strict=True):
            check_tokens(kind, text, result, max_length=64)
            check_strengths(result)
            assert len(repr(result)) < 3000

    def test_shift(self) -> None:
        encoder = encoder_of("wordpiece")
        compared = encoder.shift("dog cat", MEGABYTE, truncate=True)
        check_tokens("wordpiece", MEGABYTE, compared.b, max_length=128)
        assert compared.a.n_dropped == 0
        assert compared.b.n_dropped > 250_000 - 128
        with pytest.raises(ActivationFlowError, match=r"text B: .* room for 128; .*truncate=True"):
            encoder.shift("dog", MEGABYTE)

    def test_pictures_stay_small(self) -> None:
        """Of a long text, a long token, and many texts without a result."""
        encoder: Any = encoder_of("wordpiece")
        how, long = {"truncate": True, "max_length": 64}, LONG["identical words"]
        for results in (
            encoder.strength(long, **how),
            encoder.strength(["a" * 100_000], words="max"),
            encoder.shift(long, "a" * 100_000, **how),
            encoder.hidden_states([long], **how),
            encoder.strength([""] * 5000, errors="collect"),
            encoder.shift([""] * 5000, ["a"] * 5000, errors="collect"),
        ):
            assert len(repr(results)) < 5000
            assert len(results._repr_html_()) < 100_000
            assert len(html.html_page(results._as_list())) < 1_100_000  # 0.9 MB of it is Vega

    def test_windows(self) -> None:
        """100,000 identical words: every token has a value."""
        result = encoder_of("wordpiece").strength("dog " * 100_000, max_length=128)
        pieces = len(model_of("wordpiece")[1]("dog", add_special_tokens=False)["input_ids"])
        assert len(result) == 100_000 * pieces + 2
        assert result.n_windows > 100_000 * pieces / 126
        assert result.start[-1 - pieces] == 4 * 99_999
        assert result.word[-2] == 99_999
        check_strengths(result)
        assert len(repr(result)) < 3000


# the fuzz benchmark, so that it cannot rot


class TestFuzz:
    def test_a_small_run(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert fuzz.main(["--texts", "100", "--seed", "1", "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        assert result["texts"] == 100 == result["results"] + sum(result["errors"].values())
        assert result["unexpected"] == []
        assert result["others"]["shift"] == fuzz.FEW - 1
        assert result["others"]["afn strength"] > 80
        fuzz.show(result)
        assert re.search(r"^unexpected +0$", capsys.readouterr().out, re.MULTILINE)

    def test_texts_can_be_made_again(self) -> None:
        texts = hostile.texts(5, 0, 300)
        assert [*map(repr, hostile.texts(5, 120, 130))] == [*map(repr, texts[120:130])]
        assert hostile.texts(6, 0, 300) != texts
        lengths = sorted(len(text) for text in texts if isinstance(text, str))
        assert lengths[150] < 30
        assert lengths[-1] > 500

    def run(self, encoder: Any, monkeypatch: pytest.MonkeyPatch) -> fuzz.Tally:
        """Of 60 texts in two calls, without the other calls."""
        monkeypatch.setattr(fuzz, "other_calls", lambda *_: None)
        monkeypatch.setattr(fuzz, "through_the_command", lambda *_: None)
        tokenizer = model_of("wordpiece")[1]
        *_, tally = fuzz.fuzz(encoder, tokenizer, "none", 0, 60, chunk=30)
        assert tally.texts == 60
        return tally

    def test_what_raises_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder, texts = encoder_of("wordpiece"), hostile.texts(0, 0, 60)

        class Broken:
            def strength(self, some: list[Any], errors: str) -> Any:
                if texts[17] in some:
                    raise RuntimeError("boom")
                return encoder.strength(some, errors=errors)

        assert self.run(encoder, monkeypatch).unexpected == []
        tally = self.run(Broken(), monkeypatch)
        (odd,) = tally.unexpected
        assert (odd["what"], odd["number"]) == ("strength", 17)
        assert odd["problem"] == "RuntimeError: boom"
        assert odd["text"] == ascii(texts[17])
        assert tally.lost() == 30

    def test_what_is_lost_or_unknown_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        encoder = encoder_of("wordpiece")

        class Broken:
            def strength(self, some: list[Any], errors: str) -> Any:
                found = encoder.strength(some, errors=errors)
                odd = Failure(found.numbers[3], "it was not nice")
                return replace(found[1:], errors=(*found.errors, odd))

        tally = self.run(Broken(), monkeypatch)
        assert tally.errors["unknown"] == 2
        assert {odd["problem"] for odd in tally.unexpected} == {
            "the numbers of results and errors do not add up",
            "it was not nice",
        }

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"text": "another"}, "the text is not the one"),
            ({"end": lambda r: r.end + 4}, "an offset is outside"),
            ({"start": lambda r: -r.start}, "an offset is outside"),
            ({"start": lambda r: r.start[::-1]}, "offsets go back"),
            ({"start": lambda r: r.start * 0}, "a special token has a place"),
            ({"special": lambda r: ~r.special}, "special tokens do not frame"),
            ({"strength": lambda r: r.strength * np.nan}, "a strength is not finite"),
            ({"ids": lambda r: r.ids + 1}, "the ids are not those"),
        ],
    )
    def test_what_is_wrong_is_named(self, change: dict[str, Any], problem: str) -> None:
        result = encoder_of("wordpiece").strength("the dog")
        ids = result.ids.tolist()
        assert [*fuzz.problems(result, "the dog", ids)] == []
        made = {name: new(result) if callable(new) else new for name, new in change.items()}
        found = [*fuzz.problems(replace(result, **made), "the dog", ids)]
        assert any(line.startswith(problem) for line in found)
