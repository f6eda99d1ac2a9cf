"""Aligned tokens with their vectors and buckets: how far each moved, and what HIGH tokens hold.

Formulas stand in shift; who stands for whom was found in alignment or parts.
"""

from typing import TYPE_CHECKING

import numpy as np

from activation_flow import shift as formulas
from activation_flow.alignment import Alignment
from activation_flow.data import ActivationFlowError, Mask, Names
from activation_flow.shift import Concentration, High, Pairs, Shift

BUCKET_BY = ("a", "b", "union")

if TYPE_CHECKING:
    from jaxtyping import Float

    Distances = Float[np.ndarray, "two rows"]
else:
    Distances = np.ndarray


def check_bucket_by(bucket_by: str) -> None:
    """Refuse a side that is not known.

    Raises:
        ActivationFlowError: it is not one of ``BUCKET_BY``.
    """
    if bucket_by not in BUCKET_BY:
        raise ActivationFlowError(f"bucket_by={bucket_by!r} is not one of {', '.join(BUCKET_BY)}")


def distances(rows: Alignment, a: Pairs, b: Pairs) -> Distances:
    """Δ and 1 − cos of every row, [2 rows]; NaN where a token has no partner.

    Args:
        rows: who stands for whom.
        a: vectors of the first text, [tokens width].
        b: those of the second.
    """
    paired = rows.paired
    of_a, of_b = a[rows.a_index[paired]], b[rows.b_index[paired]]
    found = np.full((2, len(paired)), np.nan)
    found[0, paired] = formulas.shift(of_a, of_b)
    found[1, paired] = formulas.cosine_distance(of_a, of_b)
    return found


def high(rows: Alignment, a: Names, b: Names, bucket_by: str) -> High:
    """True for the rows whose token is HIGH, by the buckets of one text or of either.

    Args:
        rows: who stands for whom.
        a: buckets of the first text's tokens, at one layer.
        b: those of the second's.
        bucket_by: one of ``BUCKET_BY``.
    """
    high_a = (rows.a_index >= 0) & (a[rows.a_index] == "HIGH")
    high_b = (rows.b_index >= 0) & (b[rows.b_index] == "HIGH")
    marked: High = {"a": high_a, "b": high_b, "union": high_a | high_b}[bucket_by]
    return marked


def concentration(rows: Alignment, shift: Shift, high: High, takes_part: Mask) -> Concentration:
    """What HIGH tokens hold of the shift of the pairs whose first token takes part."""
    part = rows.paired & takes_part[rows.a_index]
    return formulas.concentration(shift[part], high[part])
