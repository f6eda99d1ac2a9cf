import re
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from activation_flow.data import ActivationFlowError, Failure
from activation_flow.lengths import Limits, limits, owners, windows
from activation_flow.tokens import Encoded, encode_all, stitch

CORPUS = [
    "Who is the prime minister of Canada?",
    "Don't read snake_case twice; the minister reads it. A dog, a cat and the readers.",
    "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ",
]
WIDE = Limits(10_000)

# Whatever Unicode holds but halves of surrogate pairs, and what is most likely to go wrong.
any_text = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.text(
        st.sampled_from("a Z0'’-\x00\t\n\u0301\u200dש\u202eع世👩\u200d\ufe0fﬁİß…Å\ufeff"),
        max_size=20,
    ),
)


def wordpiece() -> Tokenizer:
    """BERT's: lower case, "##", [CLS] A [SEP] B [SEP]."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.WordPieceTrainer(vocab_size=90, special_tokens=special, show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def bytes_bpe() -> Tokenizer:
    """GPT-2's: bytes, the space before a word is its first letter, no special tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=350, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def unigram() -> Tokenizer:
    """T5's: NFKC changes the text's length, "▁" begins a word, </s> ends each segment."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=90, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return tokenizer


MAKERS = {maker.__name__: maker for maker in (wordpiece, bytes_bpe, unigram)}


@cache
def tokenizer_of(name: str) -> Tokenizer:
    return MAKERS[name]()


def encode(name, texts, pairs=None, limit=WIDE, vocabulary=10_000, kinds="list"):
    return encode_all(tokenizer_of(name), texts, pairs, limit, vocabulary=vocabulary, kinds=kinds)


def one(name: str, text: str, pair: str | None = None, **options) -> Encoded:
    (encoded,), failures = encode(name, [text], None if pair is None else [pair], **options)
    assert failures == []
    return encoded


def spans(encoded: Encoded) -> list[str]:
    """What each token is of its segment; "" for special ones."""
    text = encoded.text
    segments = (text.text, text.text_pair or "", "")
    return [
        segments[k][a:b] if k >= 0 else ""
        for k, a, b in zip(text.segment, text.start, text.end, strict=True)
    ]


every_tokenizer = pytest.mark.parametrize("name", MAKERS)
with_pairs = pytest.mark.parametrize("name", ["wordpiece", "unigram"])

# limits


def test_limits_default_to_the_models():
    assert limits(512, None, None) == Limits(512, None)
    assert limits(512, 512, 0) == Limits(512, 0)
    assert limits(512, 10, 9) == Limits(10, 9)


@pytest.mark.parametrize("length", [0, -1, 513])
def test_a_length_out_of_range(length):
    with pytest.raises(ActivationFlowError, match=f"max_length {length} .* reads 1 to 512 tokens"):
        limits(512, length, None)


@pytest.mark.parametrize("stride", [-1, 10, 99])
def test_a_stride_out_of_range(stride):
    with pytest.raises(ActivationFlowError, match=f"stride {stride} is out of range: .* 0 to 9"):
        limits(512, 10, stride)


# windows and owners

sizes = st.tuples(st.integers(1, 60), st.integers(1, 20)).flatmap(
    lambda size: st.tuples(st.just(size[0]), st.just(size[1]), st.integers(0, size[1] - 1))
)


@given(sizes)
def test_windows_cover_everything_and_overlap_as_asked(size):
    content, room, shared = size
    found = windows(content, room, shared)
    covered = [t for first, last in found for t in range(first, last)]
    assert set(covered) == set(range(content))
    assert all(0 < last - first <= room for first, last in found)
    assert all(last - first == room for first, last in found[:-1])
    for (_, last), (first, end) in pairwise(found):
        assert last - first == shared
        assert end > last, "a window that adds nothing"


def plain_owner(token: int, found: list[tuple[int, int]], causal: bool) -> int:
    holding = [k for k, (first, last) in enumerate(found) if first <= token < last]

    def context(k: int) -> int:
        first, last = found[k]
        return token - first if causal else min(token - first, last - 1 - token)

    return max(holding, key=context)  # the earlier of equals


@given(sizes, st.booleans())
def test_owners_against_a_plain_loop(size, causal):
    content, room, shared = size
    found = windows(content, room, shared)
    expected = [plain_owner(t, found, causal) for t in range(content)]
    assert owners(content, found, causal).tolist() == expected


def test_ties_go_to_the_earlier_window():
    # Token 3 is one from the edge in both.
    assert owners(7, [(0, 5), (2, 7)], causal=False).tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_causal_models_read_on_from_the_left():
    assert owners(7, [(0, 5), (2, 7)], causal=True).tolist() == [0, 0, 0, 0, 0, 1, 1]


# stitch


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("with_hidden", [False, True])
@pytest.mark.parametrize("name", MAKERS)  # lead and trail: 1 and 1, 0 and 0, 0 and 1
def test_stitch_takes_every_value_from_its_owner(name, with_hidden, causal):
    encoded = one(name, CORPUS[1], limit=Limits(7, 2))
    assert len(encoded.windows) > 2
    lead, content = encoded.lead, encoded.windows[-1][1]

    def value(place: int, window: int) -> list[float]:
        """Says which token it is of and which window it was read in."""
        return [100 * place + window, -(100 * place + window)]  # two layers

    places = np.arange(len(encoded.text))
    parts = []
    for k in range(len(encoded.windows)):
        norms = np.array([value(p, k) for p in encoded.window(places, k)], dtype=np.float32).T
        parts.append((norms, np.stack([norms, norms + 0.5], axis=-1) if with_hidden else None))
    norms, hidden = stitch(encoded, parts, causal)

    owner = [plain_owner(t, list(encoded.windows), causal) for t in range(content)]
    source = [0] * lead + owner + [len(encoded.windows) - 1] * encoded.trail
    expected = np.array([value(p, k) for p, k in zip(places, source, strict=True)]).T
    assert norms.dtype == np.float32
    assert norms.tolist() == expected.tolist()
    if with_hidden:
        assert hidden.tolist() == np.stack([expected, expected + 0.5], axis=-1).tolist()
    else:
        assert hidden is None


def test_stitch_leaves_a_single_window_alone():
    parts = [(np.zeros((1, 3), dtype=np.float32), None)]
    assert stitch(one("wordpiece", "a"), parts, causal=False) is parts[0]


# what a token is


def test_tokens_of_the_papers_question():
    encoded = one("wordpiece", CORPUS[0])
    text = encoded.text
    assert text.special.tolist() == [True] + [False] * (len(text) - 2) + [True]
    assert text.kind[text.special].tolist() == ["special", "special"]
    for values in (text.start, text.end, text.segment, text.word):
        assert values[text.special].tolist() == [-1, -1]
    words = {int(w): CORPUS[0].rstrip("?").split()[w] for w in text.word if w >= 0}
    assert list(words.values()) == ["Who", "is", "the", "prime", "minister", "of", "Canada"]
    assert text.kind.tolist()[-2] == "punctuation"
    assert (encoded.lead, encoded.trail, encoded.windows) == (1, 1, ((0, len(text) - 2),))
    assert encoded.type_ids.tolist() == [0] * len(text)


def test_kinds_can_be_left_out():
    assert set(one("wordpiece", "the dog", kinds="none").text.kind) == {"special", ""}


@pytest.mark.parametrize("typed", ["[SEP]", "[CLS] dog", "a [SEP] b", "[MASK]"])
def test_a_special_token_that_was_typed_is_text(typed):
    encoded = one("wordpiece", typed)
    text = encoded.text
    assert text.special.tolist() == [True] + [False] * (len(text) - 2) + [True]
    assert "special" not in text.kind[1:-1]
    assert text.start[1:-1].min() == 0
    assert (encoded.lead, encoded.trail) == (1, 1)


@every_tokenizer
def test_offsets_count_characters_not_bytes(name):
    text = "👩\u200d👩 שלום dog"
    assert [s.strip() for s in spans(one(name, text)) if s][-1] in "dog"
    own = one(name, text).text
    assert own.end.max() == len(text)


@every_tokenizer
@settings(max_examples=150)
@given(text=any_text)
def test_offsets_index_the_users_own_string(name, text):
    done, failures = encode(name, [text])
    if failures:
        assert "no token of its own" in failures[0].reason
        return
    (encoded,) = done
    assert encoded.text.text == text
    own = ~encoded.text.special
    start, end = encoded.text.start[own], encoded.text.end[own]
    assert (start >= 0).all()
    assert (start <= end).all()
    assert (end <= len(text)).all()
    assert (np.diff(start) >= 0).all()
    assert (encoded.text.start[~own] == -1).all()
    assert (encoded.text.word < len(text)).all()


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32), min_size=1, max_size=40))
def test_pieces_of_ascii_are_what_their_offsets_cut_out(text):
    done, _ = encode("wordpiece", [text])
    for encoded in done:
        for token, cut in zip(encoded.text.tokens, spans(encoded), strict=True):
            if cut and token != "[UNK]":
                assert cut.lower() == re.sub("^##(?=.)", "", token) or cut == token
    (encoded,), _ = encode("bytes_bpe", [text])
    assert "".join(spans(encoded)) == text
    assert [token.replace("Ġ", " ") for token in encoded.text.tokens] == spans(encoded)


# texts without a result

BAD = [
    ("", "it has no token of its own"),
    ("  \n\t ", "it has no token of its own"),
    ("bad \ud83d here", r"character 5 is half of a surrogate pair \(U\+D83D\)"),
    (None, "it is not a string but NoneType"),
    (b"bytes", "it is not a string but bytes"),
    (3, "it is not a string but int"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_a_bad_text_has_its_number_and_takes_no_other_with_it(bad, reason):
    done, failures = encode("wordpiece", ["one dog", bad, "two dogs"])
    assert [encoded.number for encoded in done] == [1, 3]
    assert [encoded.text.text for encoded in done] == ["one dog", "two dogs"]
    assert [failure.text_number for failure in failures] == [2]
    assert re.match(reason, failures[0].reason)
    for encoded in done:
        alone = one("wordpiece", encoded.text.text)
        assert encoded.text.ids.tolist() == alone.text.ids.tolist()


def gives_up(tokenizer: Tokenizer, bad: str) -> str:
    """Why a text has no result that makes the tokenizer refuse the whole batch."""
    texts = ["dog", bad, "", "dog dog"]
    done, failures = encode_all(tokenizer, texts, None, WIDE, vocabulary=99)
    assert [encoded.number for encoded in done] == [1, 4]
    assert [encoded.text.text for encoded in done] == ["dog", "dog dog"]
    assert [failure.text_number for failure in failures] == [2, 3]
    return failures[0].reason


def test_a_tokenizer_without_an_unknown_token():
    tokenizer = Tokenizer(models.WordLevel({"dog": 0}))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    reason = gives_up(tokenizer, "cat")
    assert reason.startswith("the tokenizer cannot read it: WordLevel error: Missing [UNK] token")


def test_a_tokenizer_that_panics(capfd):
    """Issue 1349 of tokenizers. The class of a panic is no Exception."""
    tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0, "dog": 1}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_tokens(["aaaa", "eg", "deb", "\u200c", "ccfc"])
    with pytest.raises(BaseException, match="bad split") as caught:
        tokenizer.encode_batch(["£"])
    assert not isinstance(caught.value, Exception)
    reason = "the tokenizer cannot read it: AddedVocabulary bad split"
    assert gives_up(tokenizer, "£") == reason


@pytest.mark.parametrize("failing_at", [1, 2])
def test_an_interruption_is_no_fault_of_a_text(failing_at):
    calls = []

    class Interrupted:
        def encode_batch(self, inputs):
            calls.append(inputs)
            raise KeyboardInterrupt if len(calls) == failing_at else ValueError

    with pytest.raises(KeyboardInterrupt):
        encode_all(Interrupted(), ["dog"], None, WIDE, vocabulary=99)
    assert calls == [["dog"]] * failing_at


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (" \u3000\n", "it holds only spaces"),
        ("\0 \0", "the tokenizer drops all of it: U+0000"),
        ("\u200b\ufeff \u200d\x01", "the tokenizer drops all of it: U+200B, U+FEFF, U+200D, ..."),
    ],
)
def test_why_a_text_has_no_token(text, why):
    _, failures = encode("wordpiece", [text])
    assert failures == [Failure(1, f"it has no token of its own ({why})")]


def test_bad_texts_come_in_order():
    _, failures = encode("wordpiece", ["", 1, "dog", " ", None])
    assert [failure.text_number for failure in failures] == [1, 2, 4, 5]


def test_no_texts():
    assert encode("wordpiece", []) == ([], [])


def test_spaces_are_text_for_a_tokenizer_that_keeps_them():
    assert one("bytes_bpe", "  ").text.kind.tolist() == [""] * len(one("bytes_bpe", "  ").text)


def test_a_token_beyond_the_models_vocabulary():
    ids = one("wordpiece", "dog z").text.ids
    top = int(ids.max())
    assert one("wordpiece", "dog z", vocabulary=top + 1).text.ids.max() == top
    done, failures = encode("wordpiece", ["dog z", "[MASK]"], vocabulary=top)
    assert [encoded.text.text for encoded in done] == ["[MASK]"]
    assert re.match(rf"token '.+' has number {top}, and .* for {top} only", failures[0].reason)


# pairs


@with_pairs
def test_a_pair_has_two_segments(name):
    encoded = one(name, "the dog", "a cat, the cat")
    text = encoded.text
    assert text.text_pair == "a cat, the cat"
    own = text.segment[~text.special].tolist()
    assert own == sorted(own)
    assert set(own) == {0, 1}
    assert (text.segment[text.special] == -1).all()
    for number, segment in enumerate((text.text, text.text_pair)):
        joined = "".join(
            s for s, k in zip(spans(encoded), text.segment, strict=True) if k == number
        )
        assert joined.replace(" ", "") == segment.replace(" ", "")


def test_a_pairs_type_ids_are_the_tokenizers():
    encoded = one("wordpiece", "the dog", "a cat")
    second = encoded.text.segment.tolist().index(1)
    assert encoded.type_ids.tolist() == [0] * second + [1] * (len(encoded.text) - second)


@with_pairs
def test_the_words_of_the_second_segment_are_counted_on(name):
    encoded = one(name, "the dog reads", "a cat, it")
    words = ["the", "dog", "reads", "a", "cat", "it"]
    named = zip(encoded.text.word, spans(encoded), strict=True)
    assert {int(w) for w in encoded.text.word} - {-1} == set(range(6))
    assert all(cut.strip() in words[w] for w, cut in named if w >= 0)


@with_pairs
def test_a_pair_with_an_empty_half_has_tokens(name):
    for text, pair, segment in (("", "dog", 1), ("dog", "", 0)):
        own = one(name, text, pair).text
        assert set(own.segment[~own.special]) == {segment}
    _, failures = encode(name, [""], [""])
    assert "no token of its own" in failures[0].reason


@given(any_text, any_text)
def test_each_half_of_a_pair_is_annotated_as_it_is_alone(text, pair):
    done, _ = encode("wordpiece", [text], [pair])
    for encoded in done:
        both = encoded.text
        for number, half in enumerate((text, pair)):
            mine = both.segment == number
            if not mine.any():
                continue
            alone = one("wordpiece", half).text
            own = ~alone.special
            for name in ("start", "end", "kind", "ids"):
                assert getattr(both, name)[mine].tolist() == getattr(alone, name)[own].tolist()
            assert ((both.word[mine] < 0) == (alone.word[own] < 0)).all()


@pytest.mark.parametrize("bad", [None, 0, b"", "\udc00"])
def test_a_bad_second_segment_takes_no_other_with_it(bad):
    done, failures = encode("wordpiece", ["a", "b", "c"], ["x", bad, "z"])
    assert [encoded.number for encoded in done] == [1, 3]
    assert [failure.text_number for failure in failures] == [2]
    assert re.match("its text_pair: .*(not a string|surrogate)", failures[0].reason)


def test_a_tokenizer_without_a_pair_template_takes_no_pairs():
    with pytest.raises(ActivationFlowError, match="does not take two segments"):
        encode("bytes_bpe", ["a"], ["b"])


def test_as_many_pairs_as_texts():
    with pytest.raises(ActivationFlowError, match="text_pair holds 1 texts for 2; give one each"):
        encode("wordpiece", ["a", "b"], ["c"])


def test_a_pair_is_never_read_in_windows():
    done, failures = encode("wordpiece", ["a " * 20, "a " * 8], ["b", "b"], limit=Limits(12))
    assert [encoded.number for encoded in done] == [2]  # which just fits
    assert len(done[0].text) == 12
    assert failures == [Failure(1, "it has 24 tokens, and an input has room for 12")]


# long texts

LONG = " ".join(CORPUS * 2)


@every_tokenizer
@settings(max_examples=60)
@given(length=st.integers(4, 60), data=st.data())
def test_every_window_is_lead_slice_and_trail(name, length, data):
    whole = one(name, LONG)
    room = length - whole.lead - whole.trail
    stride = data.draw(st.one_of(st.none(), st.integers(0, room - 1)))
    encoded = one(name, LONG, limit=Limits(length, stride))
    ids = encoded.text.ids.tolist()
    assert ids == whole.text.ids.tolist(), "nothing is cut off"
    assert encoded.text.n_windows == len(encoded.windows) > 1
    content = ids[whole.lead : len(ids) - whole.trail]
    for k, (first, last) in enumerate(encoded.windows):
        window = encoded.window(encoded.text.ids, k).tolist()
        special = ids[: whole.lead], ids[len(ids) - whole.trail :]
        assert window == special[0] + content[first:last] + special[1]
        assert len(window) <= length
    shared = room // 2 if stride is None else stride
    assert list(encoded.windows) == windows(len(content), room, shared)


def test_a_text_that_just_fits_is_one_window():
    whole = one("wordpiece", CORPUS[0])
    n = len(whole.text)
    assert one("wordpiece", CORPUS[0], limit=Limits(n)).windows == ((0, n - 2),)
    assert len(one("wordpiece", CORPUS[0], limit=Limits(n - 1)).windows) == 2


def test_no_room_beside_the_special_tokens():
    done, failures = encode("wordpiece", ["dog dog", "the"], limit=Limits(2))
    assert done == []
    assert failures[0].reason.endswith("an input has room for 2")


@pytest.mark.parametrize("stride", [2, 3])
def test_a_stride_that_the_special_tokens_leave_no_room_for(stride):
    """Windows of 4 hold two tokens of their own: they cannot share as many."""
    done, failures = encode("wordpiece", ["a " * 9, "a"], limit=Limits(4, stride))
    assert [encoded.number for encoded in done] == [2]
    reason = f"its windows hold 2 tokens of its own, and cannot share {stride}"
    assert failures == [Failure(1, reason)]


def test_a_window_of_any_array():
    encoded = one("wordpiece", "dog")
    cut = replace(encoded, windows=((0, 1),), lead=1, trail=1)
    assert cut.window(np.arange(len(encoded.text)), 0).tolist() == [0, 1, len(encoded.text) - 1]


# cutting


@every_tokenizer
@given(text=any_text, length=st.integers(1, 30))
def test_a_cut_text_is_the_beginning_of_the_whole(name, text, length):
    whole, _ = encode(name, [text])
    cut, failures = encode(name, [text], limit=Limits(length, long="cut"))
    for encoded in whole:
        lead, trail, n = encoded.lead, encoded.trail, len(encoded.text)
        if n <= length:
            assert cut[0].text.ids.tolist() == encoded.text.ids.tolist()
            assert cut[0].text.n_dropped == 0
        elif length <= lead + trail:
            room = f"it has {n} tokens, and an input has room for {length}: for special tokens only"
            assert failures == [Failure(1, room)]
        else:
            kept = np.r_[0 : length - trail, n - trail : n]
            assert cut[0].text.n_dropped == n - length
            assert cut[0].windows == ((0, length - lead - trail),)
            assert cut[0].type_ids.tolist() == encoded.type_ids[kept].tolist()
            for field in ("ids", "start", "end", "word", "kind", "special", "segment", "tokens"):
                values = getattr(encoded.text, field)[kept]
                assert getattr(cut[0].text, field).tolist() == values.tolist()


@with_pairs
@pytest.mark.parametrize("first", range(6))
@pytest.mark.parametrize("second", range(6))
def test_pairs_are_cut_as_transformers_cuts_them(name, first, second):
    """Every pair of lengths with every budget, odd ones too."""
    from transformers import PreTrainedTokenizerFast

    if not first + second:
        return
    text, pair = "a " * first, "b " * second
    whole = one(name, text, pair)
    theirs = PreTrainedTokenizerFast(tokenizer_object=tokenizer_of(name))
    for length in range(int(whole.text.special.sum()) + 1, len(whole.text) + 2):
        encoded = one(name, text, pair, limit=Limits(length, long="cut"))
        # In lists, as it takes an empty second segment alone for none.
        how = {"truncation": True, "max_length": length}
        truth = theirs([text], [pair], **how, return_token_type_ids=True)
        assert encoded.text.ids.tolist() == truth["input_ids"][0]
        assert encoded.type_ids.tolist() == truth["token_type_ids"][0]
        assert encoded.text.n_dropped + len(encoded.text) == len(whole.text)


def test_a_stride_is_refused_where_texts_are_cut():
    for long in ("cut", "refused"):
        with pytest.raises(ActivationFlowError, match="no text is read in windows: leave out"):
            limits(512, 10, 3, long)


def test_a_long_text_is_refused_where_windows_would_mislead():
    limit = Limits(12, long="refused")
    done, failures = encode("wordpiece", ["a " * 10, "a " * 11, "b"], limit=limit)
    assert [encoded.number for encoded in done] == [1, 3]
    assert re.match(r"it has 13 tokens, .* room for 12; .*--truncate", failures[0].reason)
    assert failures[0].text_number == 2
