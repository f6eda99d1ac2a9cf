"""Mean, variance and covariance of hidden states that come block by block. Knows no token.

Sums of deviations from the block's own mean are kept, in float64, and merged as by Chan, Golub and
LeVeque (1983), "Algorithms for computing the sample variance": nothing large is ever subtracted
from something large, so a dimension of mean 10⁴ keeps its small variance.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import ActivationFlowError

if TYPE_CHECKING:
    from jaxtyping import Float

    States = Float[np.ndarray, "tokens width"]
    PerDim = Float[np.ndarray, "width"]
    Products = Float[np.ndarray, "..."]  # [width], or [width width]
else:
    States = PerDim = Products = np.ndarray


@dataclass(frozen=True, eq=False)
class Moments:
    """Of some tokens; those of more tokens are merged from them.

    Attributes:
        n: how many tokens.
        mean: of each dimension; 0 if there is no token.
        products: of deviations from the mean, summed over tokens: squares of each dimension, or
            of every two dimensions.
    """

    n: int
    mean: PerDim
    products: Products

    @classmethod
    def of(cls, states: States, *, full: bool = False) -> "Moments":
        """Those of these tokens; ``full``: for every two dimensions.

        >>> found = Moments.of(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> found.n, found.mean, found.variance
        (2, array([2., 5.]), array([1., 0.]))
        """
        values = states.astype(np.float64)
        mean = values.mean(axis=0) if len(values) else np.zeros(values.shape[1])
        values -= mean
        products = values.T @ values if full else np.einsum("ij,ij->j", values, values)
        return cls(len(values), mean, products)

    def merge(self, other: "Moments") -> "Moments":
        """Those of the tokens of both.

        >>> one, two = np.array([[1.0], [2.0]]), np.array([[6.0]])
        >>> Moments.of(one).merge(Moments.of(two)).mean
        array([3.])

        Raises:
            ActivationFlowError: they are not of the same shape.
        """
        if self.products.shape != other.products.shape:
            raise ActivationFlowError(
                f"moments of shapes {self.products.shape} and {other.products.shape} have no "
                "common ones"
            )
        n = self.n + other.n
        if not n:
            return self
        apart = other.mean - self.mean
        crossed = np.outer(apart, apart) if self.products.ndim == 2 else apart * apart
        return Moments(
            n,
            self.mean + apart * (other.n / n),
            self.products + other.products + crossed * (self.n * other.n / n),
        )

    @property
    def variance(self) -> PerDim:
        """Of each dimension: the mean square of the deviations, divided by n."""
        squares = self.products.diagonal() if self.products.ndim == 2 else self.products
        return squares / max(self.n, 1)

    @property
    def covariance(self) -> Products:
        """Of every two dimensions, divided by n; of full moments only."""
        return self.products / max(self.n, 1)
