"""The control model: the same model with the entries of each weight shuffled among themselves.

A model initialised anew is no control where a norm module comes last: its gains are all 1, so
every token has the strength sqrt(d). Shuffled, every tensor keeps its values, their mean and
their spread, and loses what training wrote into it.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import eager, room
from activation_flow.data import ActivationFlowError, Strength
from activation_flow.eager import Sample
from activation_flow.encoder import Encoder

if TYPE_CHECKING:
    from activation_flow.tap import Tap

OWN_BYTES = 4  # of a number of the copy
ORDER_BYTES = 12  # of a number of the largest tensor: its new order, and a second copy


def norms(
    encoder: Encoder, tap: "Tap", sampled: Sample, layers: Sequence[int], *, seed: int = 0
) -> Strength:
    """The strengths of a sample of texts in the shuffled model; the model itself is not touched.

    Args:
        encoder: of the audit.
        tap: its model, opened.
        sampled: the texts that are read.
        layers: of the hidden states.
        seed: of the shuffles.

    Returns:
        [layers tokens] over all tokens of the audit; NaN outside of the sample.

    Raises:
        ActivationFlowError: a copy does not fit in memory, cannot be made, or gives values that
            are not finite.
    """
    other = _shuffled(encoder, tap, seed)
    found = np.full((len(layers), len(sampled.tokens)), np.nan)
    for batch in eager.batches(tap, sampled):
        out = eager.forward(other, batch.inputs)
        for row, layer in zip(found, layers, strict=True):
            row[batch.rows] = out[layer].double().numpy()
    if not np.isfinite(found[:, sampled.read]).all():
        raise ActivationFlowError(
            f"{encoder.model} with shuffled weights gives strengths that are not finite"
        )
    return found


def _shuffled(encoder: Encoder, tap: "Tap", seed: int) -> "Tap":
    """A tap on a copy of the model, every parameter shuffled once; tied ones are one."""
    import torch

    from activation_flow import tap as taps

    sizes = [p.numel() for p in tap.model.parameters()]
    _check_memory(encoder, OWN_BYTES * sum(sizes) + ORDER_BYTES * max(sizes, default=0))
    try:
        model: Any = copy.deepcopy(tap.model)
    except MemoryError:
        raise
    except Exception as problem:  # a live model may hold anything
        raise ActivationFlowError(
            f"{encoder.model} cannot be copied, so its weights cannot be shuffled ({problem})"
        ) from problem
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            order = torch.randperm(parameter.numel(), generator=random)
            parameter.copy_(parameter.flatten()[order].view(parameter.shape))
    return taps.Tap(model, tap.inputs)


def _check_memory(encoder: Encoder, needed: int) -> None:
    free = room.available_memory()
    if needed > free:
        raise ActivationFlowError(
            f"a copy of {encoder.model} with shuffled weights takes about {needed / 2**30:.1f} GiB "
            f"of memory and {free / 2**30:.1f} GiB are available; free some, or take a machine "
            "with more"
        )
