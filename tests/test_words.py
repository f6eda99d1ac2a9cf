import time
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import regex
from data_files import data_file
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from activation_flow.data import KINDS, ActivationFlowError
from activation_flow.words import annotate, find_words, kind_of_word, map_pieces

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # three emoji, joined by ZWJ
HEART = "\u2764\ufe0f"  # a symbol and a variation selector, which Unicode calls a mark

# What can go wrong in a text: every joiner next to letters, digits, marks, emoji and blanks.
hostile = st.text(st.sampled_from("ab1é_'’-\u2010\u2011\u00ad\u200c\u200d\u0301\ufe0f 中ک\n.❤👩"))
texts = st.one_of(st.text(), hostile)


def words_of(text: str) -> list[str]:
    return [text[start:end] for start, end in find_words(text)]


# find_words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n\t", []),
        ("The end.", ["The", "end"]),
        ("don't don’t", ["don't", "don’t"]),
        ("rock'n'roll, mother-in-law's", ["rock'n'roll", "mother-in-law's"]),
        ("'quoted' -dash- --x-- a--b a''b", ["quoted", "dash", "x", "a", "b", "a", "b"]),
        ("non\u2010breaking non\u2011breaking", ["non\u2010breaking", "non\u2011breaking"]),
        ("co\u00adoperate", ["co\u00adoperate"]),
        ("snake_case __init__", ["snake", "case", "init"]),
        ("10,000 3.5 9/11 42nd", ["10", "000", "3", "5", "9", "11", "42nd"]),
        ("cafe\u0301 \u0301x", ["cafe\u0301", "x"]),
        ("слово λόγος 世界", ["слово", "λόγος", "世界"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("क्\u200dषत्रिय", ["क्\u200dषत्रिय"]),
        ("র\u200d্যাম", ["র\u200d্যাম"]),
        (f"{FAMILY} {HEART}", []),
        (f"a{FAMILY}b{HEART}c", ["a", "b", "c"]),
        ("a\u200d b\u200c", ["a", "b"]),
    ],
)
def test_find_words(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


@settings(deadline=None)  # a busy machine is no failure
@given(texts)
def test_words_are_in_order_apart_and_begin_and_end_with_letters(text: str) -> None:
    spans = find_words(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(left[1] <= right[0] for left, right in pairwise(spans))
    for start, end in spans:
        assert regex.match(r"[\p{L}\p{N}]", text[start])
        assert regex.match(r"[\p{L}\p{N}\p{M}]", text[end - 1])


@settings(deadline=None)
@given(texts)
def test_every_letter_and_digit_is_in_a_word(text: str) -> None:
    inside = {i for start, end in find_words(text) for i in range(start, end)}
    assert all(i in inside for i, c in enumerate(text) if regex.match(r"[\p{L}\p{N}]", c))


@pytest.mark.parametrize(
    "unit", ["a", "a'", "-", "a--", "it's", "'s", "\u0301", "a\u0301", "a\u200d", "the ", " ", "❤"]
)
def test_the_time_is_linear_in_the_length(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        start = np.arange(0, len(text), 4)
        began = time.process_time()
        annotate(text, start, start + 4, np.zeros(len(start), bool))
        return time.process_time() - began

    # Quadratic would be minutes; linear is 0.05 to 0.6 s on a slow machine.
    assert seconds(1_000_000) < 5


# kind_of_word


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("function", "the THE Of i dont cannot one's"),
        ("function", "don't Don’t donʼt can't CAN'T won't shan't ain't needn't couldn't've"),
        ("function", "it's we'd've I'm you're they'll y'all Y’all're someone's"),
        ("content", "dog naïve cafe\u0301 ﬁn x 3pm re-read up-to-date e-mail"),
        ("content", "James's dog's o'clock rock'n'roll let's"),
        ("content", "AI ca wo CA Hawaiʻi µm 𝓱𝓲"),
        ("content", "7 2024 ½ ² Ⅳ ٣ १२"),
        ("", "слово λόγος 世界 ー می\u200cخواهم क्\u200dष aб 10वां"),
        ("", "! - ' ❤"),
    ],
)
def test_kind_of_word(kind: str, words: str) -> None:
    assert {word: kind_of_word(word) for word in words.split()} == dict.fromkeys(
        words.split(), kind
    )


def test_the_list_reads_the_same_with_invisible_joiners() -> None:
    assert kind_of_word("be\u00adcause") == "function"
    assert kind_of_word("") == ""


def test_every_listed_word_but_the_halves_of_contractions_is_a_function_word() -> None:
    import activation_flow.words

    path = Path(activation_flow.words.__file__).with_name("function_words_en.txt")
    listed = path.read_text(encoding="utf-8").split()
    assert len(listed) == len(set(listed)) > 150
    assert [word for word in listed if kind_of_word(word) != "function"] == ["ai", "ca", "wo"]


@settings(deadline=None)
@given(texts)
def test_kind_is_one_of_the_known(text: str) -> None:
    assert all(kind_of_word(word) in (*KINDS, "") for word in words_of(text))


# map_pieces


def map_by_loop(spans: list[tuple[int, int]], pieces: list[tuple[int, int]]) -> Iterator[int]:
    """The definition, spelt out."""
    for start, end in pieces:
        found = -1
        for number, (first, last) in enumerate(spans):
            overlaps = max(start, first) < min(end, last)
            holds_empty = start == end and first < start < last
            if overlaps or holds_empty:
                found = number
                break
        yield found


edges = st.lists(st.integers(0, 30), unique=True).map(sorted)
disjoint = edges.map(lambda e: list(zip(e[::2], e[1::2], strict=False)))
touching = edges.map(lambda e: list(pairwise(e)))
piece = st.one_of(
    st.tuples(st.integers(0, 32), st.integers(0, 32)).map(lambda p: (min(p), max(p))),
    st.just((-1, -1)),
)


@settings(deadline=None)
@given(st.one_of(disjoint, touching), st.lists(piece))
def test_map_pieces_is_the_plain_loop(
    spans: list[tuple[int, int]], pieces: list[tuple[int, int]]
) -> None:
    start, end = np.array(pieces, dtype=np.int64).reshape(-1, 2).T
    assert map_pieces(spans, start, end).tolist() == list(map_by_loop(spans, pieces))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_map_pieces_by_example(dtype: type) -> None:
    spans = find_words("Hello there 👩")  # (0, 5), (6, 11)
    pieces = [(-1, -1), (0, 3), (3, 5), (5, 11), (4, 7), (11, 12), (12, 13), (12, 13), (3, 3)]
    start, end = np.array(pieces, dtype=dtype).T
    assert map_pieces(spans, start, end).tolist() == [-1, 0, 0, 1, 0, -1, -1, -1, 0]
    assert map_pieces([], start, end).tolist() == [-1] * len(pieces)


# annotate


def annotated(text: str, pieces: list[tuple[int, int]], kinds: str = "list") -> list[tuple]:
    start, end = np.array(pieces).T
    word, kind = annotate(text, start, end, start < 0, kinds)
    assert word.dtype.kind == "i"
    assert kind.dtype == np.dtype("<U11")
    return list(zip(word.tolist(), kind.tolist(), strict=True))


def test_a_piece_has_the_kind_of_its_whole_word() -> None:
    pieces = [(-1, -1), (0, 3), (3, 4), (4, 5), (5, 10), (10, 11), (-1, -1)]
    word_0 = [(0, "function")] * 3  # don ' t
    assert annotated("don't panic!", [*pieces[:5], (11, 12), pieces[-1]]) == [
        (-1, "special"),
        *word_0,
        (1, "content"),
        (-1, "punctuation"),
        (-1, "special"),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("...", "punctuation"),
        (" (", "punctuation"),
        ("_", "punctuation"),
        ("€", "punctuation"),
        (HEART, "punctuation"),
        (FAMILY, "punctuation"),
        ("\ufffd", "punctuation"),
        (" ", ""),
        ("\n\t\u00a0\u3000", ""),
        ("\x00\x1b", ""),
        ("\u200d", ""),
        ("\ufe0f", ""),
        ("слово", ""),
    ],
)
def test_a_piece_by_itself(text: str, kind: str) -> None:
    assert [k for _, k in annotated(text, [(0, len(text))])] == [kind]


def test_an_empty_piece_has_the_word_around_it_or_nothing() -> None:
    assert annotated("the ..", [(0, 0), (1, 1), (3, 3), (5, 5), (6, 6)]) == [
        (-1, ""),
        (0, "function"),
        (-1, ""),
        (-1, ""),
        (-1, ""),
    ]


def test_special_wins_over_offsets_and_typed_brackets_are_text() -> None:
    word, kind = annotate("[SEP]", np.array([0, 0]), np.array([0, 5]), np.array([True, False]))
    assert (word.tolist(), kind.tolist()) == ([-1, 0], ["special", "content"])
    word, kind = annotate("dog", np.array([0]), np.array([3]), np.array([True]))
    assert (word.tolist(), kind.tolist()) == ([-1], ["special"])


def test_kinds_none_keeps_the_words() -> None:
    pieces = [(-1, -1), (0, 3), (4, 7), (7, 8)]
    assert annotated("the dog!", pieces, "none") == [(-1, "special"), (0, ""), (1, ""), (-1, "")]


def test_no_text_and_no_pieces() -> None:
    none = np.array([], dtype=np.int64)
    word, kind = annotate("", none, none, none.astype(bool))
    assert word.shape == kind.shape == (0,)
    assert kind.dtype == np.dtype("<U11")


def test_unknown_kinds_names_the_valid_ones() -> None:
    none = np.array([], dtype=np.int64)
    with pytest.raises(ActivationFlowError, match=r"kinds='gold' is not one of list, none"):
        annotate("", none, none, none.astype(bool), "gold")


# With real tokenizers

CORPUS = ["Don't panic: the naïve café-owner's dog 'll re-read snake_case, 10,000 times!", FAMILY]


def word_piece() -> Tokenizer:
    letters = sorted({c for c in "".join(CORPUS).lower() if not c.isspace()} | set("abcdefghi"))
    pieces = ["[UNK]", "[CLS]", "[SEP]", *letters, *(f"##{c}" for c in letters), "the", "don"]
    tokenizer = Tokenizer(models.WordPiece({p: i for i, p in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return tokenizer


def byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 3, trainer)
    return tokenizer


TOKENIZERS = {"wordpiece": word_piece(), "byte-level": byte_level()}


def run(tokenizer: Tokenizer, text: str) -> tuple[np.ndarray, ...]:
    encoding = tokenizer.encode(text)
    special = np.array(encoding.special_tokens_mask, dtype=bool)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    start, end = np.where(special[:, None], -1, offsets).T
    return start, end, special, *annotate(text, start, end, special)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_real_pieces_spell_the_words(name: str) -> None:
    text = f"Don't panic: the naïve café-owner's dog {FAMILY} re-read {HEART} snake_case, слово!"
    start, end, special, word, kind = run(TOKENIZERS[name], text)
    expected = ["Don't", "panic", "the", "naïve", "café-owner's", "dog", "re-read"]
    expected += ["snake", "case", "слово"]
    spelt = [text[start[word == n][0] : end[word == n][-1]].strip() for n in range(len(expected))]
    assert spelt == expected
    assert word.max() == len(expected) - 1
    kinds = [set(kind[word == n].tolist()) for n in range(len(expected))]
    function, content = {"function"}, {"content"}
    assert kinds == [function, content, function, *[content] * 6, {""}]
    assert set(kind[special].tolist()) == ({"special"} if name == "wordpiece" else set())
    for c in (":", "\U0001f468", "\u2764", "_", ",", "!"):
        at = text.index(c)
        pieces = (start <= at) & (at < end)
        assert pieces.any()
        assert set(kind[pieces].tolist()) == {"punctuation"}


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(deadline=None)
@given(text=texts)
def test_a_real_piece_overlaps_its_word(name: str, text: str) -> None:
    start, end, special, word, kind = run(TOKENIZERS[name], text)
    spans = find_words(text)
    for a, b, number, what, added in zip(start, end, word, kind, special, strict=True):
        assert (what == "special") == added
        if number >= 0:
            first, last = spans[number]
            assert max(a, first) < min(b, last)
            assert what == kind_of_word(text[first:last])
        else:
            assert what in ("special", "punctuation", "")
            assert not any(max(a, first) < min(b, last) for first, last in spans)


# Accuracy against gold tags (SCIENCE B3)

KIND_OF_TAG = (
    dict.fromkeys(["NOUN", "PROPN", "VERB", "ADJ", "ADV", "NUM", "INTJ"], "content")
    | dict.fromkeys(["ADP", "AUX", "CCONJ", "DET", "PART", "PRON", "SCONJ"], "function")
    | dict.fromkeys(["PUNCT", "SYM"], "punctuation")
)
Token = tuple[int, int, list[str]]  # start, end, tags of its syntactic words


def strongest(kinds: Iterable[str]) -> str:
    """The one kind of several: content if any is, else function if any is, else punctuation.

    For "don't" (do AUX, n't PART: function) and "dog's" (NOUN, PART: content) this is the rule
    that words.py states for contractions.
    """
    kinds = set(kinds)
    return next((kind for kind in ("content", "function") if kind in kinds), "punctuation")


def read_conllu(path: Path) -> Iterator[tuple[str, list[Token]]]:
    """Each sentence's text and surface tokens; "don't" is one, with the tags of do and n't."""
    for block in path.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = block.splitlines()
        (text,) = (x.removeprefix("# text = ") for x in lines if x.startswith("# text = "))
        tokens: list[Token] = []
        at = until = 0
        for line in lines:
            number, form, _, upos, *_ = [*line.split("\t"), "", "", ""]
            if line.startswith("#") or "." in number:
                continue
            if "-" in number or int(number) > until:
                start = text.index(form, at)
                assert not text[at:start].strip(), "the tokens cover the text"
                at = start + len(form)
                tokens.append((start, at, []))
            if "-" in number:
                until = int(number.split("-")[1])
            else:
                tokens[-1][2].append(upos)
        yield text, tokens


def merged(tokens: list[Token], words: list[tuple[int, int]]) -> list[Token]:
    """Gold tokens that one of our words runs across, such as e, - and mail, become one."""
    units: list[Token] = []
    for start, end, tags in tokens:
        if units and any(first < start < last for first, last in words):
            units[-1] = (units[-1][0], end, units[-1][2] + tags)
        else:
            units.append((start, end, tags))
    return units


def test_three_class_accuracy_on_gold_tokens_one_at_a_time() -> None:
    right = total = 0
    for line in data_file("ud-ewt/en_ewt-ud-test.conllu").read_text(encoding="utf-8").splitlines():
        number, form, _, upos, *_ = [*line.split("\t"), "", "", ""]
        if number.isdigit() and upos in KIND_OF_TAG:
            right += (kind_of_word(form) or "punctuation") == KIND_OF_TAG[upos]
            total += 1
    print(f"gold tokens: {right / total:.4f} of {total}")
    assert total > 24_000
    assert right / total >= 0.970


@pytest.mark.parametrize(("merge", "bound"), [(True, 0.97), (False, 0.965)])
def test_three_class_accuracy_on_raw_text(merge: bool, bound: float) -> None:
    """Judged per surface token, or per stretch whose borders we and gold agree on (merge)."""
    right = total = 0
    for text, tokens in read_conllu(data_file("ud-ewt/en_ewt-ud-test.conllu")):
        words = find_words(text)
        for start, end, tags in merged(tokens, words) if merge else tokens:
            if all(tag in KIND_OF_TAG for tag in tags):
                ours = [kind_of_word(text[a:b]) for a, b in words if a < end and start < b]
                right += strongest(ours) == strongest(KIND_OF_TAG[tag] for tag in tags)
                total += 1
    print(f"raw text, {merge=}: {right / total:.4f} of {total}")
    assert total > 23_000
    assert right / total >= bound


def test_long_words_are_not_kept():
    """The kinds of words are remembered; memory must not grow with their length."""
    tracemalloc.start()
    for number in range(50):
        assert kind_of_word("x" * 100_000 + str(number)) == "content"
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 500_000
