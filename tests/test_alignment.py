import random
import tracemalloc
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.alignment import WAYS, align
from activation_flow.data import ActivationFlowError

# The paper's Table 4: its Prompts A and B in the pieces of bert-base-uncased.
PROMPT_A = ["[CLS]", "enjoying", "a", "beautiful", "day", "at", "the", "park", "!", "[SEP]"]
PROMPT_B = ["[CLS]", "enjoying", "a", "beautiful", "walk", "at", "the", "beach", "!", "[SEP]"]
PROMPT_SPECIAL = [token.startswith("[") for token in PROMPT_A]

SWAPPED = {"same": "same", "replaced": "replaced", "inserted": "deleted", "deleted": "inserted"}

few = st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=12)
many = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.just(False)), max_size=40)
texts = few | many
ways = st.sampled_from(WAYS)


def rows(a, b, how="diff"):
    """The rows of two lists of (token, special)."""
    (tokens_a, special_a), (tokens_b, special_b) = (
        ([token for token, _ in text], [special for _, special in text]) for text in (a, b)
    )
    pairs = align(tokens_a, tokens_b, how, special_a, special_b)
    return list(
        zip(pairs.a_index.tolist(), pairs.b_index.tolist(), pairs.change.tolist(), strict=True)
    )


def plain(text):
    return [(token, False) for token in text.split()]


def length_of_longest(a, b):
    """The textbook's dynamic programme."""
    lengths = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            if x == y:
                lengths[i, j] = lengths[i - 1, j - 1] + 1
            else:
                lengths[i, j] = max(lengths[i - 1, j], lengths[i, j - 1])
    return lengths[-1, -1]


def show(a, b):
    marks = {"same": "{a}", "replaced": "{a}>{b}", "deleted": "-{a}", "inserted": "+{b}"}
    found = rows(plain(a), plain(b))
    a, b = a.split(), b.split()
    return " ".join(
        marks[change].format(a=i >= 0 and a[i], b=j >= 0 and b[j]) for i, j, change in found
    )


# what is promised of any two texts


@given(texts, texts, ways)
def test_every_token_appears_once_and_in_order(a, b, how):
    found = rows(a, b, how)
    assert [i for i, _, _ in found if i >= 0] == list(range(len(a)))
    assert [j for _, j, _ in found if j >= 0] == list(range(len(b)))


@given(texts, texts, ways)
def test_a_change_is_what_it_is_called(a, b, how):
    for i, j, change in rows(a, b, how):
        if i < 0 or j < 0:
            assert change == ("inserted" if i < 0 else "deleted")
            assert max(i, j) >= 0
        else:
            assert change == ("same" if a[i] == b[j] else "replaced")


@given(texts, texts, ways)
def test_special_tokens_are_paired_with_special_tokens_only(a, b, how):
    assert all(a[i][1] == b[j][1] for i, j, _ in rows(a, b, how) if min(i, j) >= 0)


@given(texts, ways)
def test_a_text_with_itself_is_the_identity(a, how):
    assert rows(a, a, how) == [(i, i, "same") for i in range(len(a))]


@given(texts, texts, ways)
def test_swapping_the_texts_swaps_the_sides(a, b, how):
    swapped = {(j, i, SWAPPED[change]) for i, j, change in rows(b, a, how)}
    assert swapped == {*rows(a, b, how)}


@given(texts, texts)
def test_diff_keeps_as_many_as_the_dynamic_programme(a, b):
    kept = [change for _, _, change in rows(a, b)].count("same")
    assert kept == length_of_longest(a, b)


@given(texts, texts)
def test_diff_pairs_replaced_runs_of_equal_size_only(a, b):
    found = rows(a, b)
    edges = [-1, *(n for n, row in enumerate(found) if row[2] == "same"), len(found)]
    for first, last in pairwise(edges):
        run = found[first + 1 : last]
        in_a = [a[i][1] for i, _, _ in run if i >= 0]
        in_b = [b[j][1] for _, j, _ in run if j >= 0]
        changes = [change for _, _, change in run]
        if in_a == in_b:
            assert changes == ["replaced"] * len(in_a)
        else:
            assert changes == ["deleted"] * len(in_a) + ["inserted"] * len(in_b)


@given(texts, texts)
def test_position_is_a_plain_loop(a, b):
    expected = []
    for n in range(max(len(a), len(b))):
        if n >= len(a):
            expected.append((-1, n, "inserted"))
        elif n >= len(b):
            expected.append((n, -1, "deleted"))
        elif a[n] == b[n]:
            expected.append((n, n, "same"))
        elif a[n][1] == b[n][1]:
            expected.append((n, n, "replaced"))
        else:
            expected += [(n, -1, "deleted"), (-1, n, "inserted")]
    assert rows(a, b, "position") == expected


# examples


@pytest.mark.parametrize("how", WAYS)
def test_the_papers_prompts_differ_in_two_words(how):
    pairs = align(PROMPT_A, PROMPT_B, how, PROMPT_SPECIAL, PROMPT_SPECIAL)
    assert pairs.a_index.tolist() == pairs.b_index.tolist() == list(range(10))
    assert np.flatnonzero(pairs.change == "replaced").tolist() == [4, 7]
    assert {*pairs.change[[0, 1, 2, 3, 5, 6, 8, 9]]} == {"same"}
    assert pairs.paired.all()


@pytest.mark.parametrize(
    ("a", "b", "shown"),
    [
        ("the cat sat", "the cat", "the cat -sat"),
        ("the cat", "the black cat", "the +black cat"),
        ("very very good", "very good", "very -very good"),
        ("a b c d", "a x y d", "a b>x c>y d"),
        ("a b c d", "a x d", "a -b -c +x d"),
        ("", "a b", "+a +b"),
        ("", "", ""),
        # a human edit of cad-nli
        (
            "a girl looks at a camera .",
            "a girl looks at a big camera",
            "a girl looks at a +big camera -.",
        ),
    ],
)
def test_diff_as_a_reader_would(a, b, shown):
    assert show(a, b) == shown


def test_a_typed_sep_is_text():
    typed, added = [("x", False), ("[SEP]", False)], [("x", False), ("[SEP]", True)]
    for how in WAYS:
        expected = [(0, 0, "same"), (1, -1, "deleted"), (-1, 1, "inserted")]
        assert rows(typed, added, how) == expected


def test_the_result_is_read_only():
    pairs = align(["a"], ["b"])
    assert (pairs.a_index.dtype, pairs.b_index.dtype) == (np.int64, np.int64)
    with pytest.raises(ValueError, match="read-only"):
        pairs.change[0] = "same"


def test_an_unknown_way_names_the_known_ones():
    with pytest.raises(ActivationFlowError, match="align='words' is not one of diff, position"):
        align(["a"], ["b"], "words")


# long texts


@cache
def shuffled(n, seed):
    words = [f"w{i}" for i in range(n)]
    random.Random(seed).shuffle(words)
    return words


@pytest.mark.parametrize(
    ("a", "b", "kept"),
    [
        (["a"] * 100_000, ["b"] * 100_000, 0),
        (["a"] * 20_000, ["a"] * 15_000, 15_000),
        (["x"] + ["a"] * 10_000, ["a"] * 10_000 + ["y"], 10_000),
        (shuffled(10_000, 0), [word.upper() for word in shuffled(10_000, 0)], 0),
        (shuffled(6_000, 1), shuffled(6_000, 2), None),
        (shuffled(6_000, 1), shuffled(6_000, 1)[::-1], 1),
    ],
    ids=["other word", "same word", "moved end", "nothing in common", "shuffled", "reversed"],
)
def test_long_texts_need_little_memory(a, b, kept):
    tracemalloc.start()
    try:
        pairs = align(a, b)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    same = pairs.change == "same"
    assert kept is None or np.count_nonzero(same) == kept
    assert all(a[i] == b[j] for i, j in zip(pairs.a_index[same], pairs.b_index[same], strict=True))
    # A row for each token, and no more: a quadratic table of bits alone would take 4 to 1,250 MB.
    assert peak < 1e6 + 300 * (len(a) + len(b))
