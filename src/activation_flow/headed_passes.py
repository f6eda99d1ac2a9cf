"""One pass through a live model with its head: as it is, or with other rows of its word embedding.

The only file of the audit's questions that knows how a model is called.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import loading
from activation_flow.data import ActivationFlowError, BatchIds, Ids
from activation_flow.heads import Headed

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 1024  # tokens
CELLS = 2**25  # numbers that a head gives for them: 128 MB


def at_once(headed: Headed, tokens: int) -> int:
    """How many texts of so many tokens are read together."""
    per_token = _embedding(headed).num_embeddings if headed.kind in ("mlm", "next") else 1
    return int(max(1, min(AT_ONCE // tokens, CELLS // (tokens * per_token))))


def run(headed: Headed, ids: BatchIds, type_ids: BatchIds) -> Any:
    """What the model gives for texts of equal length, ids and type_ids [texts tokens].

    Raises:
        ActivationFlowError: it gives nothing.
    """
    import torch

    from activation_flow import tap as taps

    arrays = [torch.from_numpy(np.array(array)) for array in (ids, type_ids)]
    named = dict(zip(headed.tap.inputs, taps.feed(headed.tap, *arrays), strict=True))
    try:
        with loading.quiet():
            return headed.model(**named, **headed.tap.options)
    except MemoryError:
        raise
    except Exception as problem:  # other people's code fails in any way
        why = " ".join(str(problem).split())[:200]
        name = type(headed.model).__name__
        raise ActivationFlowError(f"{name} cannot be asked ({why})") from problem


def rows(headed: Headed, ids: Ids) -> "Tensor":
    """[tokens width], what the model takes for these tokens: rows of its word embedding."""
    import torch

    with torch.no_grad():
        found: Tensor = _embedding(headed)(torch.from_numpy(np.array(ids))[None])[0]
    return found


@contextmanager
def replaced(headed: Headed, ids: BatchIds, rows: "Tensor") -> Iterator[None]:
    """The word embedding gives these rows, until it is left.

    Args:
        headed: the model.
        ids: [texts tokens], what it will be given; they reach it, as positions may hang on them.
        rows: [texts tokens width].
    """
    import torch

    asked = torch.from_numpy(np.array(ids))

    def instead(_: Any, inputs: Any, output: "Tensor") -> "Tensor":
        given = inputs[0]
        if given.shape == asked.shape and torch.equal(given, asked):
            found = rows
        elif given.shape == asked.T.shape and torch.equal(given, asked.T):  # XLNet reads columns
            found = rows.transpose(0, 1)
        else:
            raise RuntimeError(f"its word embedding gives {tuple(output.shape)}, not a row a token")
        return found.clone()  # some models change it in place

    handle = _embedding(headed).register_forward_hook(instead)
    try:
        yield
    finally:
        handle.remove()


def _embedding(headed: Headed) -> Any:
    return headed.tap.model.get_input_embeddings()  # type: ignore[operator]
