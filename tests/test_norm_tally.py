"""What is gathered at a layer: groups of tokens, and sums that do not depend on the batches."""

from dataclasses import replace

import numpy as np
import pytest

from activation_flow.audit_data import AuditTokens
from activation_flow.norm_modules import Norm, Place
from activation_flow.norm_tally import Tally, groups_of

KIND = np.array(["special", "function", "content", "", "content", "special", "punctuation"])
TOKEN = np.array(["[CLS]", "the", "park", "x", "day", "[SEP]", "!"], dtype=object)
N, WIDTH = len(KIND), 6
none = np.zeros(N)
TOKENS = AuditTokens(
    text=np.zeros(N, int),
    index=np.arange(N),
    token=TOKEN,
    id=np.arange(N),
    kind=KIND,
    type=np.arange(N),
    length=np.ones(N, int),
    subword=none > 0,
    position=none,
    frequency=none,
    n_texts=1,
)


def test_groups_are_kinds_then_special_tokens_by_their_spelling() -> None:
    groups = groups_of(TOKENS, np.ones(N, bool))
    assert [*groups] == ["content", "function", "punctuation", "", "[CLS]", "[SEP]"]
    assert np.sum([*groups.values()], axis=0).tolist() == [1] * N
    assert TOKEN[groups["content"]].tolist() == ["park", "day"]
    part = groups_of(TOKENS, TOKENS.index < 3)
    assert [*part] == ["content", "function", "[CLS]"]


def test_a_word_that_looks_like_a_special_token_is_none() -> None:
    typed = replace(TOKENS, token=np.where(TOKEN == "park", "[SEP]", TOKEN))
    groups = groups_of(typed, np.ones(N, bool))
    assert groups["[SEP]"].sum() == 1
    assert groups["content"].sum() == 2


def tally_of(layout: str, norm: Norm | None, batches: list[np.ndarray], x: np.ndarray) -> Tally:
    empty = [np.full(N, np.nan) for _ in range(3)]
    tally = Tally(Place(1, layout, norm), groups_of(TOKENS, np.ones(N, bool)), *empty)
    for rows in batches:
        strength = np.linalg.norm(x[rows], axis=-1)
        if norm is not None and tally.place.post:
            z = (x[rows] - x[rows].mean(-1, keepdims=True)) / x[rows].std(-1, keepdims=True)
            strength = np.linalg.norm(z * norm.gain + norm.bias, axis=-1)
        tally.add(rows, strength, x[rows])
    return tally


@pytest.mark.parametrize("layout", ["post-LayerNorm", "pre-LayerNorm", "unknown"])
def test_sums_by_plain_loops_whatever_the_batches(layout: str) -> None:
    random = np.random.default_rng(0)
    x, gain, bias = (random.normal(size=s) for s in ((N, WIDTH), WIDTH, WIDTH))
    norm = Norm("n", None, 0, False, True, gain, bias, 0.0) if layout != "unknown" else None
    whole = tally_of(layout, norm, [np.arange(N)[None]], x)
    parts = tally_of(
        layout, norm, [np.array([[0, 1], [4, 5]]), np.array([[2, 3]]), np.array([[6]])], x
    )
    for tally in (whole, parts):
        assert tally.error < 1e-12
        energy = [row - row.mean() for row in x] if tally.norm else [*x]
        for group, mask in tally.groups.items():
            rows = [k for k in range(N) if mask[k]]
            truth = [
                np.mean([energy[k][j] ** 2 / sum(v * v for v in energy[k]) for k in rows])
                for j in range(WIDTH)
            ]
            np.testing.assert_allclose(tally.share(group), truth)
        sizes = [np.sqrt(sum((v - row.mean()) ** 2 for v in row)) for row in x]
        expected = sizes if tally.norm else [np.nan] * N
        np.testing.assert_allclose(tally.before, expected)
        expected = [np.sqrt(WIDTH)] * N if norm else [np.nan] * N
        np.testing.assert_allclose(tally.control, expected, rtol=1e-12)
    assert whole.share("nothing") is None
    np.testing.assert_array_equal(whole.strength, parts.strength)


def test_a_vector_without_spread_counts_nowhere() -> None:
    x = np.random.default_rng(0).normal(size=(N, WIDTH))
    x[2] = 7.0
    norm = Norm("n", None, 0, False, True, np.ones(WIDTH), np.zeros(WIDTH), 1e-5)
    empty = [np.full(N, np.nan) for _ in range(3)]
    tally = Tally(Place(1, "post-LayerNorm", norm), groups_of(TOKENS, np.ones(N, bool)), *empty)
    rows = np.arange(N)[None]
    z = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    tally.add(rows, np.linalg.norm(z, axis=-1)[rows], x[rows])
    assert np.isnan(tally.control).tolist() == [k == 2 for k in range(N)]
    assert tally.before[2] == tally.strength[2] == 0
    assert tally.error < 1e-9
    least = np.delete(x, 2, axis=0).var(axis=1).min()
    assert 0 < tally.left < 1e-5 / least
