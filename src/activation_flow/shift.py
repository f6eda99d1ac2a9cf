"""From the hidden states of aligned tokens to shift, and how much of it HIGH tokens hold.

Formulas only: which tokens are aligned and which are HIGH is decided elsewhere. Source: paper
eqs. 5, 6 and 8-11 (arXiv 2605.22377, sections 2.3 and 3.3), which give no chance level for R_H.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.stats import permutation_p

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    Pairs = Float[np.ndarray, "pairs width"]
    Shift = Float[np.ndarray, "pairs"]
    High = Bool[np.ndarray, "pairs"]
else:
    Pairs = Shift = High = np.ndarray


def shift(a: Pairs, b: Pairs) -> Shift:
    """Δ = ‖h_A − h_B‖₂ of every pair (eq. 6), in float64 and in the unit of the hidden state.

    At least 0, 0 exactly for equal vectors, and the same for (b, a).

    >>> shift(np.array([[3.0, 4.0], [1.0, 1.0]]), np.array([[0.0, 0.0], [1.0, 1.0]]))
    array([5., 0.])
    """
    distances: Shift = np.linalg.norm(a.astype(np.float64) - b.astype(np.float64), axis=-1)
    return distances


def cosine_distance(a: Pairs, b: Pairs) -> Shift:
    """1 − cos of every pair, from 0 (same direction) to 2 (opposite); no unit.

    Exactly 0 for equal vectors, the same for (b, a), and NaN where a vector is zero: it has no
    direction.

    >>> cosine_distance(np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 2.0]]))
    array([0., 1.])
    """
    # subtle: ‖u − v‖² / 2 of the unit vectors is 1 − cos, and does not cancel where cos is near 1.
    distances: Shift = np.minimum(np.square(shift(_unit(a), _unit(b))) / 2, 2.0)
    return distances


def _unit(vectors: Pairs) -> Pairs:
    wide = vectors.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit: Pairs = wide / np.linalg.norm(wide, axis=-1, keepdims=True)
    return unit


def high_ratio(shift: Shift, high: High) -> float | None:
    """R_H, the part of all shift that the HIGH tokens hold (eq. 5): 0 to 1.

    None where there is nothing to share: no token is HIGH, or no token has shifted. It means
    nothing without its chance level, k/n: see ``concentration``.

    >>> high_ratio(np.array([1.0, 3.0]), np.array([False, True]))
    0.75
    """
    total = float(shift.sum())
    return float(shift[high].sum()) / total if high.any() and total != 0 else None


@dataclass(frozen=True)
class Concentration:
    """How much of the shift the HIGH tokens hold, beside what chance would give them.

    Attributes:
        total: sum of all shifts (eq. 10).
        high_total: sum of the shifts of the HIGH tokens (eq. 8); the rest is LOW (eq. 9).
        n: number of pairs.
        k: number of HIGH ones among them.
        high_ratio: R_H = high_total / total (eqs. 5 and 11).
        high_share: k/n, the expectation of R_H if HIGH were k tokens chosen blindly.
        enrichment: R_H / (k/n); 1 is chance.
        p_value: the part of all choices of k tokens that hold at least as much shift.
        p_floor: the smallest p that k of these n tokens could have had.
    """

    total: float
    high_total: float
    n: int
    k: int
    high_ratio: float | None
    high_share: float | None
    enrichment: float | None
    p_value: float | None
    p_floor: float | None


def concentration(shift: Shift, high: High, *, draws: int = 10_000, seed: int = 0) -> Concentration:
    """R_H with all that is needed to read it.

    With k = 0 or a total of 0 there is no ratio: all but the sums, the counts and ``high_share``
    is None; without any pair ``high_share`` is, too. With k = n, R_H, enrichment and p are 1.

    Args:
        shift: of the pairs that take part.
        high: True where the token is HIGH.
        draws: random choices for p, where there are more than 20,000 ways to choose.
        seed: of these.

    Raises:
        ActivationFlowError: a shift is NaN or infinite.

    >>> table_6 = np.array([2.1, 1.8, 1.5, 11.2, 1.2, 9.7])
    >>> found = concentration(table_6, table_6 > 9)
    >>> [round(x, 2) for x in (found.total, found.high_total, found.high_ratio, found.high_share)]
    [27.5, 20.9, 0.76, 0.33]
    >>> [round(x, 3) for x in (found.enrichment, found.p_value, found.p_floor)]
    [2.28, 0.067, 0.067]
    """
    n, k = len(shift), int(high.sum())
    share = k / n if n else None
    ratio = high_ratio(shift, high)
    enrichment = p_value = p_floor = None
    if ratio is not None and share is not None:
        enrichment = ratio / share
        p_value, p_floor, _ = permutation_p(shift, high, draws, seed)
    return Concentration(
        total=float(shift.sum()),
        high_total=float(shift[high].sum()),
        n=n,
        k=k,
        high_ratio=ratio,
        high_share=share,
        enrichment=enrichment,
        p_value=p_value,
        p_floor=p_floor,
    )
