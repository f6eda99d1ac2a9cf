"""Word types, lengths and positions of tokens, against their definitions in plain loops."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from architectures import TEXTS
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_models import TABLE

import activation_flow as af
from activation_flow import audit_tokens, lengths
from activation_flow.audit_data import AuditTokens
from activation_flow.data import TokenizedText
from activation_flow.slow import SlowTokenizer
from activation_flow.tokens import encode_all
from activation_flow.words import find_words


def tokenized(tokenizer: Any, texts: Sequence[str], kinds: str = "list") -> list[TokenizedText]:
    limit = lengths.Limits(64, None, "windows")
    found, _ = encode_all(tokenizer, texts, None, limit, vocabulary=10**6, kinds=kinds)
    return [one.text for one in found]


def by_minilm(minilm: af.Encoder, texts: Sequence[str], kinds: str = "list"):
    return [one.text for one in minilm.tokenize(texts, kinds=kinds)[0]]


def plain_type(text: TokenizedText, i: int) -> tuple[str, ...]:
    """What a word type is, in words."""
    if text.special[i]:
        return ("special", text.tokens[i])
    if text.word[i] < 0:
        return ("piece", text.tokens[i].casefold(), text.kind[i])
    begin, end = find_words(text.text)[text.word[i]]
    return ("word", text.text[begin:end].casefold(), text.kind[i])


def check(texts: list[TokenizedText], tokens: AuditTokens) -> None:
    at = 0
    kinds_of_types: dict[tuple[str, ...], int] = {}
    for number, text in enumerate(texts):
        own = [i for i in range(len(text)) if not text.special[i]]
        for i in range(len(text)):
            assert (tokens.text[at], tokens.index[at]) == (number, i)
            assert (tokens.token[at], tokens.id[at]) == (text.tokens[i], text.ids[i])
            assert tokens.kind[at] == text.kind[i]
            kind = plain_type(text, i)
            assert tokens.type[at] == kinds_of_types.setdefault(kind, len(kinds_of_types))
            before = i > 0 and text.word[i] >= 0 and text.word[i - 1] == text.word[i]
            assert tokens.subword[at] == before
            if text.word[i] >= 0:
                assert tokens.length[at] == len(kind[1]) or "ß" in text.text
            if text.special[i]:
                assert math.isnan(tokens.position[at])
            elif len(own) == 1:
                assert tokens.position[at] == 0
            else:
                assert tokens.position[at] == own.index(i) / (len(own) - 1)
            assert math.isnan(tokens.frequency[at])
            at += 1
    assert at == len(tokens)
    assert tokens.n_texts == len(texts)


@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta"])
def test_tokens_of_many_texts(tiny, kind):
    tokenizer = tiny(kind)[1].backend_tokenizer
    texts = tokenized(tokenizer, [*TEXTS, "the THE The", "!", "[SEP] a", "слово 日本 😀"])
    check(texts, audit_tokens.flattened(texts))


def test_tokens_of_any_text(tiny):
    tokenizer = tiny()[1].backend_tokenizer

    @settings(max_examples=50)
    @given(st.lists(st.text(st.sampled_from("aAbé's-! 1.日ß"), min_size=1), max_size=4))
    def holds(given_texts):
        texts = tokenized(tokenizer, given_texts)
        check(texts, audit_tokens.flattened(texts))

    holds()


def test_a_word_that_recurs_is_one_type_unless_its_kind_differs(minilm):
    (text,) = by_minilm(minilm, ["unfolds! Unfolds like the ##s !"])
    tokens = audit_tokens.flattened([text])
    pieces = [*zip(tokens.token.tolist(), tokens.type.tolist(), strict=True)]
    of_word = {type_ for piece, type_ in pieces if piece in ("un", "##fold", "##s")}
    assert len(of_word) == 1
    assert len({type_ for piece, type_ in pieces if piece == "!"}) == 1
    other = audit_tokens.types([text, by_minilm(minilm, ["unfolds"], kinds="none")[0]])
    assert other[len(text) + 1] not in other[: len(text)]


def test_lengths(minilm):
    (text,) = by_minilm(minilm, ["Unfolds don't !"])
    found = audit_tokens.lengths_of(text)
    named = [*zip(text.tokens.tolist(), found.tolist(), strict=True)]
    assert named == [
        *(("[CLS]", 5), ("un", 7), ("##fold", 7), ("##s", 7)),
        *(("don", 5), ("'", 5), ("t", 5), ("!", 1), ("[SEP]", 5)),
    ]


def test_tokens_that_stand_nobody_knows_where(tmp_path):
    texts = tokenized(SlowTokenizer(TABLE["ctrl"].make(tmp_path)), ["the THE", "the"])
    tokens = audit_tokens.flattened(texts)
    check(texts, tokens)
    assert {*tokens.kind} == {""}
    assert not tokens.subword.any()
    assert tokens.type[0] == tokens.type[-1]


def test_no_texts():
    assert len(audit_tokens.flattened([])) == 0
