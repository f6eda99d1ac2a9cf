"""Formulas: variants of strength. Hidden states -> vectors whose length is the score; residuals.

N1-N4, N7 and N9 of the audit. Knows no model, no layer and no text: which tokens a fit is made of
and which ones it judges is for scoring.py to say. What stands in several of them: μ, σ and Σ are
mean, standard deviation and covariance over the tokens of the fit, divided by n. Sources:
Kovaleva et al. (2021), arXiv 2105.06990 (outlier dimensions); Timkey and van Schijndel (2021),
arXiv 2109.04404 (standardised); Ledoit and Wolf (2004), "A well-conditioned estimator for
large-dimensional covariance matrices" (the form of the shrinkage).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import PerToken
from activation_flow.data import Ids
from activation_flow.moments import Moments, PerDim, States
from activation_flow.strength import TIED

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    Chosen = Bool[np.ndarray, "width"]
    Root = Float[np.ndarray, "width width"]
else:
    Chosen = Root = np.ndarray

OUTLIER = 3.0  # standard deviations, taken over dimensions
CONSTANT = 1e-6  # of a dimension's mean, or of the usual σ: less is the last digit of float32
SHRINKAGE = 0.1  # λ


@dataclass(frozen=True, eq=False)
class Fit:
    """What is known of the tokens of a fit split.

    Attributes:
        mean: μ.
        sd: σ.
        outlier: the dimensions with |μ_j − mean μ| > 3 sd(μ), or σ_j > mean σ + 3 sd(σ).
        constant: those with σ_j ≤ 1e-6 of |μ_j| or of the median σ: nothing can be divided by it.
    """

    mean: PerDim
    sd: PerDim
    outlier: Chosen
    constant: Chosen

    @classmethod
    def of(cls, moments: Moments) -> "Fit":
        """The fit to these tokens.

        >>> calm = np.tile([[1.0], [-1.0]], (1, 20))
        >>> calm[:, 4] += 50
        >>> np.flatnonzero(Fit.of(Moments.of(calm)).outlier)
        array([4])
        """
        mean, sd = moments.mean, np.sqrt(moments.variance)
        far = np.abs(mean - mean.mean()) > OUTLIER * mean.std()
        wide = sd > sd.mean() + OUTLIER * sd.std()
        constant = sd <= CONSTANT * np.maximum(np.abs(mean), np.median(sd))
        return cls(mean, sd, far | wide, constant)


def centred(states: States, fit: Fit) -> States:
    """N1: h − μ."""
    vectors: States = states - fit.mean
    return vectors


def without_outliers(states: States, fit: Fit) -> States:
    """N2: h, with the outlier dimensions put to 0."""
    return np.where(fit.outlier, 0, states)


def standardised(states: States, fit: Fit) -> States:
    """N3: (h − μ) / σ; constant dimensions are put to 0.

    >>> fit = Fit.of(Moments.of(np.array([[0.0, 7.0], [4.0, 7.0]])))
    >>> standardised(np.array([[8.0, 9.0]]), fit)
    array([[3., 0.]])
    """
    scale = np.where(fit.constant, 0, 1 / np.where(fit.constant, 1, fit.sd))
    vectors: States = (states - fit.mean) * scale
    return vectors


def whitening(moments: Moments, shrinkage: float = SHRINKAGE) -> Root:
    """Σ_λ^(−1/2), symmetric, with Σ_λ = (1 − λ) Σ + λ (tr Σ / d) I.

    The symmetric root, since of all roots it leaves the dimensions nearest to what they were, so
    that it can be said which of them carry most of a whitened vector.

    Args:
        moments: full ones.
        shrinkage: λ, above 0 and at most 1: without it Σ of fewer tokens than dimensions has no
            inverse, and of not many more it is mostly noise.

    Returns:
        The root; all 0 if all tokens are the same.

    >>> whitening(Moments.of(np.array([[2.0, 0.0], [-2.0, 0.0]]), full=True), 0.5)
    array([[0.57735027, 0.        ],
           [0.        , 1.        ]])
    """
    width = len(moments.mean)
    values, axes = np.linalg.eigh(moments.covariance)
    level = values.mean()  # tr Σ / d
    if level <= 0:
        return np.zeros((width, width))
    # subtle: of a Σ without full rank, eigh gives eigenvalues of about −1e-17.
    shrunk = (1 - shrinkage) * np.maximum(values, 0) + shrinkage * level
    root: Root = (axes / np.sqrt(shrunk)) @ axes.T
    return root


def whitened(states: States, mean: PerDim, root: Root) -> States:
    """N4: Σ_λ^(−1/2) (h − μ), whose length is sqrt((h − μ)ᵀ Σ_λ⁻¹ (h − μ))."""
    vectors: States = (states - mean) @ root
    return vectors


def update(states: States, before: States) -> States:
    """N7: h_l − h_(l−1), what a block has added."""
    vectors: States = states - before
    return vectors


def length(vectors: States) -> PerToken:
    """‖v‖ of each token, in float64.

    >>> length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([5., 0.])
    """
    found: PerToken = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return found


def summed_shares(vectors: States) -> tuple[PerDim, int]:
    """Each dimension's share of the squared length, v_j² / ‖v‖², summed over the tokens.

    Returns:
        The sums and the number of tokens that they are of; one of length 0 has no shares.

    >>> summed_shares(np.array([[3.0, 4.0], [0.0, 2.0], [0.0, 0.0]]))
    (array([0.36, 1.64]), 2)
    """
    squares = np.square(vectors, dtype=np.float64)
    total = squares.sum(axis=1)
    some = total > 0
    sums: PerDim = np.divide(1, total, where=some, out=np.zeros_like(total)) @ squares
    return sums, int(some.sum())


def type_residual(values: PerToken, type_: Ids) -> PerToken:
    """N9: S minus the mean S of the other tokens of its type (leave-one-out).

    A token is never judged by a mean that it is part of. NaN of the only token of a type.

    >>> type_residual(np.array([1.0, 2.0, 6.0, 5.0]), np.array([0, 0, 0, 1]))
    array([-3. , -1.5,  4.5,  nan])
    """
    _, of, count = np.unique(type_, return_inverse=True, return_counts=True)
    wide = values.astype(np.float64)
    mean = np.bincount(of, wide, len(count)) / count
    n = count[of].astype(np.float64)
    # S − (sum − S) / (n − 1) = (S − mean) n / (n − 1)
    scale = np.divide(n, n - 1, where=n > 1, out=np.full(len(n), np.nan))
    residual: PerToken = (wide - mean[of]) * scale
    return residual


def omega_squared(values: PerToken, type_: Ids) -> float:
    """ω² of a one-way analysis of variance: the share of the variance that the type explains.

    (SS_between − (k − 1) MS_within) / (SS_total + MS_within), k types (Hays 1963, "Statistics for
    psychologists"); unlike η² it does not grow with the number of types that occur once. At most
    1, about 0 or a little below it if types say nothing.

    Returns:
        NaN if every type occurs once, there is only one, or all values are within 1e-6 of their
        mean, relatively.

    >>> round(omega_squared(np.array([1.0, 3.0, 6.0, 8.0]), np.array([0, 0, 1, 1])), 4)
    0.7419
    """
    _, of, count = np.unique(type_, return_inverse=True, return_counts=True)
    n, k = len(values), len(count)
    if k < 2 or n == k:
        return float("nan")
    level = float(values.mean(dtype=np.float64))
    wide = values.astype(np.float64) - level
    if np.abs(wide).max() <= TIED * abs(level):
        return float("nan")
    mean = np.bincount(of, wide, k) / count
    total = float(wide @ wide)
    within = float(np.square(wide - mean[of]).sum())
    noise = within / (n - k)
    return (total - within - (k - 1) * noise) / (total + noise)
