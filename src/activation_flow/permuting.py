"""Kinds dealt out anew among word types: how often chance gives as much.

A word has its kind in every text, so it is the kinds of word types that are permuted, and every
type keeps one kind for all its tokens; permuting tokens would take recurring words for evidence
again and again. Which types are more frequent is kept, so the test is exact where kinds have
nothing to do with the score, whatever the types' sizes and own levels are. Knows no claim.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import ActivationFlowError, Ids, Mask
from activation_flow.stats import CELLS, TIE

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    Kernels = Float[np.ndarray, "scores tokens"]
    PerScore = Float[np.ndarray, "scores"]
    Deals = Bool[np.ndarray, "draws types"]
    OfType = Bool[np.ndarray, "types"]
else:
    Kernels = PerScore = Deals = OfType = np.ndarray

DRAWS = 2000


def how_dealt(draws: int, seed: int) -> str:
    """What is done here, as a reader is told.

    >>> how_dealt(2000, 0)
    '2,000 permutations of kinds among word types, seed 0'
    """
    return f"{draws:,} permutations of kinds among word types, seed {seed}"


def pairs_p(
    kernels: Kernels, one: Mask, text: Ids, type_: Ids, *, draws: int = DRAWS, seed: int = 0
) -> PerScore:
    """One-sided p of means over pairs of tokens of one kind and the other in the same text.

    Of an AUC give ``within.standing``; of a mean difference of values v, n v - Σv, with n and the
    sum over the token's text: whatever changes sign when the two tokens of a pair change places.
    Then the sum over all pairs is the sum of the kernels of one kind. It is judged in units of what
    the types' own levels make of it, the root of Σ (pairs of the type)²: a deal that gives a kind
    to few and rare types has a mean over few pairs, far from its middle for no other reason.

    Args:
        kernels: [scores tokens], or of one score; of the compared tokens alone.
        one: which of them are of the kind that is claimed to be above.
        text: of each.
        type_: word type of each; all its tokens are of one kind.
        draws: how often kinds are dealt out.
        seed: of these; all scores share them.

    Returns:
        One-sided p of each score: (1 + draws with at least as much) / (draws + 1).

    >>> one, text = np.array([True, False] * 4), np.repeat(np.arange(4), 2)
    >>> p = pairs_p(np.where(one, 0.5, -0.5), one, text, np.arange(8), draws=999)
    >>> bool(abs(p[0] - 1 / 70) < 0.02)  # of 70 deals, one gives every text's first the kind
    True
    """
    from scipy.sparse import csr_array

    kernels = np.atleast_2d(kernels)
    _, number, size = np.unique(text, return_inverse=True, return_counts=True)
    of_type, kinds = _types(type_, one)
    sums = np.stack([np.bincount(of_type, row, len(kinds)) for row in kernels])
    tokens = np.ones(len(one))
    counts = csr_array((tokens, (number, of_type)), shape=(len(size), len(kinds)))

    most = counts.T @ size  # [types] pairs with all tokens of their texts, their own included

    def unit(deals: Deals) -> PerScore:
        others = size[:, None] - counts @ deals.T.astype(np.float64)  # [texts draws]
        with_others = counts.T @ others  # [types draws]
        pairs = np.where(deals.T, with_others, most[:, None] - with_others)
        found: PerScore = np.sqrt(np.einsum("td,td->d", pairs, pairs))
        return found

    at_once = max(1, CELLS // max(len(size), len(kinds), 1))
    return _p(sums, unit, kinds, _deals(kinds, draws, seed, at_once))


def share_p(
    values: Kernels, one: Mask, type_: Ids, *, draws: int = DRAWS, seed: int = 0
) -> PerScore:
    """One-sided p of the mean over the tokens of one kind; of a mark, of their share.

    It is judged by how far it is from the mean of the other kind, in units of what the types' own
    levels make of that, the root of Σ (share of the type in its kind)² over both kinds: where one
    kind is few and frequent types, a deal that spreads them is no measure of it.

    Args:
        values: [scores tokens], or of one score; of the compared tokens alone.
        one: which of them are of the kind that is claimed to have more.
        type_: word type of each; all its tokens are of one kind.
        draws: how often kinds are dealt out.
        seed: of these.

    Returns:
        One-sided p of each score: (1 + draws with at least as much) / (draws + 1).

    >>> one = np.array([True, True, False, False, False])
    >>> round(float(share_p(np.where(one, 1.0, 0.0), one, np.arange(5), draws=4999)[0]), 1)
    0.1
    """
    values = np.atleast_2d(values).astype(np.float64)
    of_type, kinds = _types(type_, one)
    centred = values - values.mean(axis=1, keepdims=True)
    sums = np.stack([np.bincount(of_type, row, len(kinds)) for row in centred])
    sizes = np.bincount(of_type, minlength=len(kinds)).astype(np.float64)

    def unit(deals: Deals) -> PerScore:
        ones, squares = deals @ sizes, deals @ sizes**2
        others, other_squares = sizes.sum() - ones, (sizes**2).sum() - squares
        found: PerScore = np.sqrt(others**2 * squares + ones**2 * other_squares) / sizes.sum()
        return found

    at_once = max(1, CELLS // max(len(kinds), 1))
    return _p(sums, unit, kinds, _deals(kinds, draws, seed, at_once))


def _types(type_: Ids, one: Mask) -> tuple[Ids, OfType]:
    """Types numbered without gaps, and which are of the one kind."""
    _, first, number = np.unique(type_, return_index=True, return_inverse=True)
    kinds = one[first]
    if (kinds[number] != one).any():
        raise ActivationFlowError(
            "a word type has tokens of two kinds; give each kind of the word a type of its own"
        )
    return number, kinds


def _p(
    sums: Kernels, counted: Callable[[Deals], PerScore], kinds: OfType, deals: Iterator[Deals]
) -> PerScore:
    def means(of_types: Kernels, deal: Deals) -> Kernels:
        # Where a deal leaves nothing to count, it says nothing: 0.
        ratio: Kernels = of_types @ deal.T / np.maximum(counted(deal), 1)
        return ratio

    own = means(sums, kinds[None])
    least = own - TIE * means(np.abs(sums), kinds[None])  # arithmetic noise must not decide
    hits, draws = np.zeros(len(sums)), 0
    for deal in deals:
        hits += np.count_nonzero(means(sums, deal) >= least, axis=1)
        draws += len(deal)
    p: PerScore = (1 + hits) / (1 + draws)
    return p


def _deals(kinds: OfType, draws: int, seed: int, at_once: int) -> Iterator[Deals]:
    """Kinds in random orders, some draws at a time: the same however many at a time."""
    random = np.random.default_rng(seed)
    for start in range(0, draws, at_once):
        rows = np.broadcast_to(kinds, (min(at_once, draws - start), len(kinds)))
        yield random.permuted(rows, axis=1)
