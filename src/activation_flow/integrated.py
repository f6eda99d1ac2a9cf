"""Gradients of one number F of a text with respect to its tokens' rows, and their path integral.

Integrated gradients (Sundararajan 2017, arXiv:1703.01365) by the midpoint rule: what the tokens get
must sum to the change of F along the path. By how much it does not is the completeness gap. Knows
no model: F is any differentiable function of the rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import ActivationFlowError

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    PerToken = Float[np.ndarray, "tokens"]
    Output = Callable[[Tensor], Tensor]  # rows [texts tokens width] -> F [texts]
else:
    PerToken = np.ndarray

STEPS = 50
MOST_STEPS = 800
GAP = 0.02  # of the change of F; a text with a larger gap is done again with twice the steps
UNCHANGED = 1e-6  # of F: a change below it is rounding, and nothing is to be shared


@dataclass(frozen=True, eq=False)
class Integral:
    """Integrated gradients of a text.

    Attributes:
        values: [tokens], what each token gets.
        change: F of the text less F of the baseline.
        steps: how many were taken.
        defined: False where F hardly changes, so that a gap says nothing.
    """

    values: PerToken
    change: float
    steps: int
    defined: bool

    @property
    def error(self) -> float:
        """By how much the sum of what the tokens get is off."""
        return abs(float(self.values.sum()) - self.change)

    @property
    def complete(self) -> bool:
        """True if that is at most 2 % of the change."""
        return not self.defined or self.error <= GAP * abs(self.change)


def gradient(output: "Output", rows: "Tensor") -> "Tensor":
    """[texts tokens width], of F at each of the texts.

    Raises:
        ActivationFlowError: it has none.
    """
    import torch

    rows = rows.detach().requires_grad_()
    try:
        with torch.enable_grad():
            found: Tensor = torch.autograd.grad(output(rows).sum(), rows)[0]
    except (ActivationFlowError, MemoryError):
        raise
    except Exception as problem:  # other people's code fails in any way
        why = " ".join(str(problem).split())[:200]
        raise ActivationFlowError(f"the model has no gradient ({why})") from problem
    return found


def integrated(
    output: "Output", rows: "Tensor", baseline: "Tensor", *, steps: int = STEPS, at_once: int = 16
) -> Integral:
    """Integrated gradients from the baseline to a text.

    Twice the steps are taken, and again, as long as the gap is too large, up to 800.

    Args:
        output: F.
        rows: [tokens width] of the text.
        baseline: likewise; a token that is the same in both gets 0.
        steps: points of the path at which the gradient is taken, to begin with.
        at_once: how many of them in one pass.

    Raises:
        ActivationFlowError: F has no gradient.

    >>> import torch
    >>> weights = torch.tensor([[1.0], [10.0]])
    >>> found = integrated(lambda rows: (rows * weights).sum(dim=(1, 2)),
    ...     torch.tensor([[3.0], [1.0]]), torch.tensor([[1.0], [0.0]]))
    >>> found.values, found.change, found.error
    (array([ 2., 10.]), 12.0, 0.0)
    """
    import torch

    with torch.no_grad():
        at_text, at_baseline = output(torch.stack([rows, baseline])).tolist()
    change = at_text - at_baseline
    defined = abs(change) > UNCHANGED * abs(at_text)
    while True:
        values = (
            (rows - baseline).double() * _mean_gradient(output, rows, baseline, steps, at_once)
        ).sum(-1)
        found = Integral(values.numpy(), change, steps, defined)
        if found.complete or 2 * steps > MOST_STEPS:
            return found
        steps *= 2


def _mean_gradient(
    output: "Output", rows: "Tensor", baseline: "Tensor", steps: int, at_once: int
) -> "Tensor":
    """[tokens width], at the middles of equal parts of the path."""
    import torch

    middles = (torch.arange(steps, dtype=rows.dtype) + 0.5) / steps
    total = torch.zeros(rows.shape, dtype=torch.float64)
    for some in middles.split(at_once):
        points = baseline + some[:, None, None] * (rows - baseline)
        total += gradient(output, points).double().sum(dim=0)
    return total / steps
