"""What the paper's Table 3 says: layer 8 against Table 1, and layer 8 against layer 9."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from activation_flow.data import ActivationFlowError
from activation_flow.paper import Row, agrees, checked, claim, published, stated, unreported
from activation_flow.paper_strengths import by_formula
from activation_flow.paper_tables import Column, columns
from activation_flow.stats import permutation_p


def rows() -> Iterator[Row]:
    """Of Table 3."""
    four = columns()
    eight, nine = four["table-3/l8"], four["table-3/l9"]
    yield from _against_table_1(four["table-1"], eight)
    yield from by_formula(eight)
    yield from by_formula(nine)
    yield from _two_layers(eight, nine)


def _against_table_1(one: Column, three: Column) -> Iterator[Row]:
    """Two tables of one sentence at one layer."""
    same = 0
    printed = published()["table-3"]["layer_8"]
    for token, paper, ours in zip(three.tokens, printed, one.strength.tolist(), strict=True):
        same += agrees(paper, ours)
        what = f"strength of “{token}” at layer 8: Table 3, and in Table 1"
        row = checked(f"table-3/l8/against-table-1/{token}", three.place, what, paper, ours)
        yield replace(row, cell=True)
    n = len(three.tokens)
    yield stated(
        "table-3/l8/against-table-1",
        three.place,
        "the same sentence at the same layer as in Table 1",
        f"{n} values",
        f"{n - same} of {n} values differ",
        same == n,
        "Table 1's “?” is, to 0.0002, the [SEP] of Table 2: likely a slip in copying",
    )


def _two_layers(eight: Column, nine: Column) -> Iterator[Row]:
    """Layer 8 less layer 9: is it larger for content words?"""
    less = eight.strength - nine.strength
    named = dict(zip(eight.tokens, less.tolist(), strict=True))
    where, quote = claim("more-in-8")
    names = published()["claim"]["more-in-8"]["tokens"]
    yield stated(
        "table-3/more-in-8",
        where,
        "layer 8 less layer 9 is positive",
        ", ".join(names),
        ", ".join(f"{token} {named[token]:+.2f}" for token in names),
        all(named[token] > 0 for token in names),
        f"{quote}; and so are {int((less > 0).sum())} of all {len(less)} tokens",
    )
    where, quote = claim("content-sensitive")
    order = np.argsort(-less)
    top = [eight.tokens[i] for i in order[:3]]
    yield stated(
        "table-3/content-sensitive",
        where,
        "where layer 8 is most above layer 9",
        "content words",
        ", ".join(f"{token} {named[token]:+.2f}" for token in top),
        bool((eight.kind[order[:3]] == "content").all()),
        quote,
    )
    content = (eight.kind == "content")[eight.words]
    words = less[eight.words]
    p, floor, exact = permutation_p(words, content)
    if not exact:  # pragma: no cover - seven words
        raise ActivationFlowError("Table 3 has too many words for an exact test")
    yield unreported(
        "table-3/difference",
        eight.place,
        "layer 8 less layer 9, content words less function words",
        float(words[content].mean() - words[~content].mean()),
        "the difference that the claim is about; raw norms of two layers have different scales",
    )
    yield unreported(
        "table-3/difference-p",
        eight.place,
        "exact p of that difference",
        p,
        f"of all ways to call {content.sum()} of {len(words)} words content; at least {floor:.3f}",
    )
    yield unreported(
        "table-3/difference-z",
        eight.place,
        "the same of z-scores within each layer",
        z_difference(eight.strength[eight.words], nine.strength[nine.words], content),
        "the scale of each layer is taken out; over words",
    )


def z_difference(upper: np.ndarray, lower: np.ndarray, content: np.ndarray) -> float:
    """Difference in differences: content less function words, in one layer less in the other.

    Strengths are standardised within each layer first, so that layers of different scale can be
    compared: z = (S − mean) / sd over the words. No unit; 0 where the layers do not differ.

    >>> z_difference(np.array([1.0, 3.0]), np.array([20.0, 10.0]), np.array([False, True]))
    4.0
    """
    apart = [(values - values.mean()) / values.std() for values in (upper, lower)]
    less = apart[0] - apart[1]
    return float(less[content].mean() - less[~content].mean())
