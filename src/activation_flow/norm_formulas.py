"""What a norm module makes of a vector, and so of the strength after it: formulas only.

LayerNorm: h = γ⊙z + β with z = (x − mean x) / sqrt(σ² + ε). RMSNorm: the same without centring,
σ² then being the mean of x², and without β. Gains are the numbers that multiply z, whatever the
weights are called or shifted by (Gemma's gain is 1 + its weight). Follows the geometry of Brody
et al. (2023, arXiv:2305.02582). Knows no model; all arithmetic is in float64.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    Vectors = Float[np.ndarray, "... width"]
    Lengths = Float[np.ndarray, "..."]
    Widths = Float[np.ndarray, "width"]
    Dims = Int[np.ndarray, "top"]
else:
    Vectors = Lengths = Widths = Dims = np.ndarray


def spread(x: Vectors, centring: bool) -> Vectors:
    """What a norm module divides by its size: x − mean x (LayerNorm), or x itself (RMSNorm).

    >>> spread(np.array([1.0, 2.0, 6.0]), centring=True)
    array([-2., -1.,  3.])
    """
    wide: Vectors = np.asarray(x, dtype=np.float64)
    return wide - wide.mean(axis=-1, keepdims=True) if centring else wide


def size(x: Vectors, centring: bool) -> Lengths:
    """‖x − mean x‖ = sqrt(d)·σ, or ‖x‖ = sqrt(d)·rms: the magnitude that the norm module removes.

    At least 0, in the unit of x.

    >>> size(np.array([5.0, 1.0]), centring=True).round(4), size(np.array([3.0, 4.0]), False)
    (np.float64(2.8284), np.float64(5.0))
    """
    lengths: Lengths = np.linalg.norm(spread(x, centring), axis=-1)
    return lengths


def normalised(x: Vectors, centring: bool, epsilon: float = 0.0) -> Vectors:
    """z: of length sqrt(d · σ² / (σ² + ε)), so sqrt(d) where ε is nothing beside σ².

    A vector without spread has no direction: NaN if ε is 0, else zeros.

    >>> normalised(np.array([1.0, 2.0, 3.0]), centring=True).round(4)
    array([-1.2247,  0.    ,  1.2247])
    """
    apart = spread(x, centring)
    power = np.square(apart).mean(axis=-1, keepdims=True) + epsilon
    z: Vectors = apart / np.sqrt(np.where(power > 0, power, np.nan))
    return z


def shares(vectors: Vectors) -> Vectors:
    """w: the share of a squared length in each dimension; they sum to 1, and to 0 for zeros.

    >>> shares(np.array([3.0, 4.0]))
    array([0.36, 0.64])
    """
    squares = np.square(np.asarray(vectors, dtype=np.float64))
    total = squares.sum(axis=-1, keepdims=True)
    parts: Vectors = squares / np.where(total > 0, total, 1.0)
    return parts


def strength_after(z: Vectors, gain: Widths, bias: Widths) -> Lengths:
    """The strength ‖γ⊙z + β‖ from shares of energy: S² = d Σ γ² w + 2 Σ γ β z + ‖β‖².

    w = z² / d, which sum to 1 but for ε. Of |γ| alone and no β it is a mean of γ², weighted by
    where the energy of the token lies: no magnitude of x is left in it.

    >>> strength_after(np.array([-1.0, 1.0]), np.array([3.0, 4.0]), np.zeros(2))
    np.float64(5.0)
    """
    width = z.shape[-1]
    w = np.square(z) / width
    squared = width * (w @ np.square(gain)) + 2 * (z @ (gain * bias)) + bias @ bias
    lengths: Lengths = np.sqrt(np.maximum(squared, 0.0))
    return lengths


def level(gain: Widths, bias: Widths) -> float:
    """S* = sqrt(Σ γ² + ‖β‖²): the strength of a token whose energy is spread evenly.

    Levels of two layers differ by their γ and β alone, so strengths of two layers are compared as
    ranks or as S / S* only.

    >>> level(np.array([3.0, 0.0]), np.array([0.0, 4.0]))
    5.0
    """
    return float(np.sqrt(gain @ gain + bias @ bias))


def typical(gain: Widths) -> float:
    """The root mean square of all gains: a token is LOW if its energy lies where |γ| is below it.

    >>> typical(np.array([1.0, 7.0]))
    5.0
    """
    return float(np.sqrt(np.mean(np.square(gain))))


def top(share: Widths, n: int = 3) -> Dims:
    """The n dimensions with the largest share, largest first; of equal ones the first.

    >>> top(np.array([0.1, 0.5, 0.1, 0.3]))
    array([1, 3, 0])
    """
    order: Dims = np.argsort(-share, kind="stable")[:n]
    return order


def top_share(share: Widths) -> tuple[float, float]:
    """What the strongest and the 3 strongest dimensions hold.

    >>> top_share(np.array([0.1, 0.5, 0.1, 0.25, 0.05]))
    (0.5, 0.85)
    """
    best = share[top(share)]
    return float(best[0]), float(best.sum())
