"""Whose each token is, and the text's own tokens aligned by their characters."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_hostile import cased, gpt2, llama, roberta, t5

from activation_flow import alignment, parts
from activation_flow.alignment import Alignment
from activation_flow.data import ActivationFlowError, TokenizedText
from activation_flow.lengths import limits
from activation_flow.result_prompts import mirrored
from activation_flow.templates import Template
from activation_flow.tokens import encode_all

KINDS = {"cased": cased, "gpt2": gpt2, "llama": llama, "roberta": roberta, "t5": t5}
TEMPLATES = ("{prompt} {text}", "{prompt}{text}", "{text}\n{prompt}", "a {prompt}: '{text}' {{b}}")
odd = st.text(st.sampled_from("aZ.0 \n\u00e9\u0301日👩ﬁ\u200dش"), max_size=9)


@cache
def tokenizer(kind: str) -> Any:
    return KINDS[kind]().backend_tokenizer


def tokenized(kind: str, *texts: str) -> list[TokenizedText]:
    """The texts that have tokens of their own."""
    done, _ = encode_all(
        tokenizer(kind), texts, None, limits(512, None, None, "refused"), vocabulary=10**6
    )
    return [one.text for one in done]


def rows(found: Alignment) -> list[tuple[int, int, str]]:
    columns = found.a_index.tolist(), found.b_index.tolist(), found.change.tolist()
    return list(zip(*columns, strict=True))


def letters(text: TokenizedText, i: int, start: int) -> tuple[int, ...]:
    """Characters of a token but spaces, from the text's first on; its spaces if it has none."""
    all_of_them = range(text.start[i], text.end[i])
    inner = [k for k in all_of_them if not text.text[k].isspace()]
    return tuple(k - start for k in inner or all_of_them)


@given(st.sampled_from([*KINDS]), odd, odd, odd, st.sampled_from(TEMPLATES), st.booleans())
def test_any_text_under_any_two_prompts(kind, text, first, second, template, bare):
    filled = [Template(template).fill(p, text) for p in (None if bare else first, second)]
    both = tokenized(kind, *(one.text for one in filled))
    if len(both) < 2:
        return
    spans = [(one.start, one.end) for one in filled]
    a, b = both
    part_a, part_b = (parts.parts(one, span) for one, span in zip(both, spans, strict=True))
    for one, span, part in zip(both, spans, (part_a, part_b), strict=True):
        straddling = parts.straddling(one, span)
        for i in range(len(one)):
            where = letters(one, i, span[0])
            inside = [0 <= k < len(text) for k in where]
            if one.special[i]:
                assert part[i] == "special"
            elif where:  # a token of no character is somewhere
                assert (part[i] == "text") == all(inside)
                assert straddling[i] == (any(inside) and not all(inside))
    for how in parts.WAYS:
        found = parts.align(a, b, *spans, how)
        in_a, in_b = (index[index >= 0].tolist() for index in (found.a_index, found.b_index))
        assert in_a == list(range(len(a)))  # each token once, in reading order
        assert in_b == list(range(len(b)))
        for i, j, change in rows(found):
            if i >= 0 and j >= 0:
                assert change == ("same" if a.ids[i] == b.ids[j] else "replaced")
                assert a.special[i] == b.special[j]
            else:
                assert change == ("deleted" if j < 0 else "inserted")
        turned, order = mirrored(found)
        back = rows(parts.align(b, a, *spans[::-1], how))
        assert sorted(rows(turned)) == sorted(back)
        assert rows(turned) == back or how == "position"  # which pairs up to each place
        assert sorted(order.tolist()) == list(range(len(found.change)))
    found = parts.align(a, b, *spans)
    kinds = parts.of_rows(found, part_a, part_b)
    for (i, j, _), kind_of_row in zip(rows(found), kinds, strict=True):
        if i < 0 or j < 0:
            assert kind_of_row == (part_b[j] if i < 0 else part_a[i])
            continue
        assert part_a[i] == part_b[j] == kind_of_row != "prompt"
        if kind_of_row == "text":
            assert letters(a, i, spans[0][0]) == letters(b, j, spans[1][0])
    # What stands for the same characters on both sides is left without a partner only where one
    # side has more tokens of these characters.
    for place in {letters(a, i, spans[0][0]) for i in np.flatnonzero(part_a == "text")} - {()}:
        of_a, of_b = (
            [i for i in np.flatnonzero(p == "text") if letters(one, i, span[0]) == place]
            for one, span, p in zip(both, spans, (part_a, part_b), strict=True)
        )
        if len(of_a) == len(of_b):
            paired = {(i, j) for i, j, _ in rows(found)}
            assert paired >= set(zip(of_a, of_b, strict=True))


def text_of(string: str, pieces: list[tuple[str, int, int]]) -> TokenizedText:
    """Tokens with the places that a tokenizer gives them; "[...]" are special."""
    names = [name for name, _, _ in pieces]
    special = np.array([name.startswith("[") for name in names])
    return TokenizedText(
        text=string,
        tokens=np.array(names, dtype=object),
        ids=np.array([sum(map(ord, name)) for name in names]),
        start=np.where(special, -1, [start for _, start, _ in pieces]),
        end=np.where(special, -1, [end for _, _, end in pieces]),
        segment=np.where(special, -1, 0),
        special=special,
        word=np.full(len(names), -1),
        kind=np.where(special, "special", ""),
    )


def test_a_space_before_a_word_is_not_of_the_text():
    bare = text_of("The cat", [("The", 0, 3), (" cat", 3, 7)])
    under = text_of("Sum The cat", [("Sum", 0, 3), (" The", 3, 7), (" cat", 7, 11)])
    assert parts.parts(under, (4, 11)).tolist() == ["prompt", "text", "text"]
    assert rows(parts.align(bare, under, (0, 7), (4, 11))) == [
        (-1, 0, "inserted"),
        (0, 1, "replaced"),  # "The" and " The" are two numbers
        (1, 2, "same"),
    ]


def test_bytes_of_one_character_stand_for_each_other_in_order():
    bare = text_of("👩", [("x", 0, 1), ("y", 0, 1), ("z", 0, 1)])
    alike = text_of("a 👩", [("a", 0, 1), ("w", 1, 3), ("y", 2, 3), ("z", 2, 3)])
    fewer = text_of("a 👩", [("a", 0, 1), ("y", 1, 3), ("z", 2, 3)])
    assert rows(parts.align(bare, alike, (0, 1), (2, 3)))[1:] == [
        (0, 1, "replaced"),
        (1, 2, "same"),
        (2, 3, "same"),
    ]
    assert rows(parts.align(bare, fewer, (0, 1), (2, 3))) == [
        (0, -1, "deleted"),
        (-1, 0, "inserted"),
        (1, 1, "same"),
        (2, 2, "same"),
    ]


def test_a_token_of_prompt_and_text_is_the_prompts_and_seen():
    one = text_of("foobar baz", [("foobar", 0, 6), ("baz", 7, 10)])
    assert parts.parts(one, (3, 10)).tolist() == ["prompt", "text"]
    assert parts.straddling(one, (3, 10)).tolist() == [True, False]


def test_tokens_of_which_nothing_is_known():
    one = text_of("a b", [("[CLS]", 0, 0), ("a", -1, -1), ("b", -1, -1)])
    assert parts.parts(one, (0, 3)).tolist() == ["special", "", ""]
    assert not parts.straddling(one, (0, 3)).any()
    with pytest.raises(ActivationFlowError, match="--align position or diff"):
        parts.align(one, one, (0, 3), (0, 3))
    assert len(rows(parts.align(one, one, (0, 3), (0, 3), "position"))) == 3
    with pytest.raises(ActivationFlowError, match="align='x' is not one of text, diff, position"):
        parts.align(one, one, (0, 3), (0, 3), "x")


words = st.lists(st.sampled_from("abcd"), max_size=9)


@given(words, words)
def test_equal_tokens_only_are_partners(a, b):
    """As many pairs as a longest common subsequence, and none else."""
    found = alignment.align_equal(a, b)
    assert set(found.change.tolist()) <= {"same", "deleted", "inserted"}
    assert [a[i] for i, _, c in rows(found) if c == "same"] == [
        b[j] for _, j, c in rows(found) if c == "same"
    ]
    lengths = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            best = max(lengths[i, j + 1], lengths[i + 1, j])
            lengths[i + 1, j + 1] = lengths[i, j] + 1 if x == y else best
    assert found.paired.sum() == lengths[-1, -1]
