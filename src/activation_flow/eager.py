"""The live torch model of an encoder, for a while: the very same weights, on the CPU, in float32.

What the fast engine cannot give is read from it: attention weights, and the insides of a block.
Also a sample of texts in batches for it. Knows no score.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import identity, loading, room
from activation_flow.audit_data import AuditTokens, Progress
from activation_flow.data import ActivationFlowError, BatchIds
from activation_flow.encoder import Encoder
from activation_flow.tokens import Encoded

if TYPE_CHECKING:
    from activation_flow.tap import Tap

BATCH_TOKENS = 1024
# What a pass may fail with and the audit goes on. Torch has one class for all that it cannot do,
# memory that it cannot have included.
FAILURES = (ActivationFlowError, RuntimeError)


@contextmanager
def opened(encoder: Encoder, attention: str | None = None) -> "Iterator[Tap]":
    """A tap on the model of this encoder; a user's live model is left as it was.

    Args:
        encoder: of any engine; an encoder in bf16 has the same weights here, in float32.
        attention: attention implementation meanwhile; ``eager`` is the one that gives its weights.

    Raises:
        ActivationFlowError: the encoder came from another process, its model is not the same any
            more, cannot be loaded, or does not fit in memory.
    """
    from activation_flow import tap as taps

    request, prepared = encoder.origin
    # An encoder of the eager engine has its own copy of a live model: those are its weights.
    own = prepared.tap.model if prepared.tap is not None else _same_model(encoder, request)
    with ExitStack() as stack:
        try:
            with loading.quiet():
                model = stack.enter_context(taps.as_measured(own, attention))
        except MemoryError:
            raise
        except Exception as problem:  # other people's code fails in any way
            raise ActivationFlowError(
                f"{encoder.model} cannot run with {attention} attention ({problem})"
            ) from problem
        yield taps.make_tap(model, prepared.meta["inputs"])


def _same_model(encoder: Encoder, request: identity.Request | None) -> Any:
    """The model that the encoder was made of: loaded anew; a live one as it is."""
    request, origin = same_origin(encoder, request)
    return loading.load(request, origin)[0]


def same_origin(
    encoder: Encoder, request: identity.Request | None
) -> tuple[identity.Request, identity.Origin]:
    """Where the model of this encoder is to be had; it is the same, and fits in memory.

    Raises:
        ActivationFlowError: it is not, or does not; or the encoder came from another process.
    """
    if request is None:
        raise ActivationFlowError(
            f"this encoder of {encoder.model} came from another process, without the model itself; "
            "load it with from_pretrained"
        )
    origin = identity.identify(request)
    changed = ""
    if origin.revision != encoder.revision:
        changed = f"it was {encoder.revision}, and is {origin.revision} now"
    elif request.live is not None:
        changed = identity.meddled_with(request.live[0])
    if changed:
        raise ActivationFlowError(
            f"the model has changed since the encoder of {encoder.model} was made ({changed}); "
            "load it anew with from_pretrained"
        )
    if request.live is None:
        parameters = loading.count_parameters(request, origin)
        room.check_memory(parameters, origin.label, room.LOADING_FACTOR)
    return request, origin


def forward(tap: "Tap", inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Norms at every layer, then hidden states at every layer; see ``Tap``. Keeps no gradients."""
    import torch

    with torch.no_grad(), loading.quiet():
        out: tuple[Any, ...] = tap(*inputs)
    return out


@dataclass(frozen=True, eq=False)
class Sample:
    """The texts that the slow passes read.

    Attributes:
        encoded: all texts of the audit.
        tokens: their tokens.
        texts: numbers of those that are read, from 0.
        n_several: how many were asked for and are left out: a text in several windows has no
            attention from one to the other, and no block sees it whole.
        watch: called after each batch with the number of texts that are done, and of all.
    """

    encoded: Sequence[Encoded]
    tokens: AuditTokens
    texts: tuple[int, ...]
    n_several: int
    watch: Progress | None = None

    def __len__(self) -> int:
        """How many tokens are read, special tokens counted."""
        return sum(len(self.encoded[i].text) for i in self.texts)

    def empty(self) -> np.ndarray:
        """One value per token of the audit, NaN until it is measured."""
        return np.full(len(self.tokens), np.nan)

    @property
    def read(self) -> np.ndarray:
        """True for the tokens that are read."""
        return np.isin(self.tokens.text, self.texts)

    @property
    def note(self) -> str:
        """Which texts these are, in a clause.

        >>> Sample([], None, (), 2).note
        'over 0 texts (2 that take several windows left out)'
        """
        left = f" ({self.n_several} that take several windows left out)" if self.n_several else ""
        return f"over {len(self.texts):,} texts{left}"


def sample(encoded: Sequence[Encoded], tokens: AuditTokens, texts: Sequence[int]) -> Sample:
    """Those of ``texts`` (numbers from 0) that one window holds.

    Raises:
        ActivationFlowError: none of them does.
        ValueError: ``tokens`` are not those of ``encoded``.
    """
    lengths = np.bincount(tokens.text, minlength=len(encoded))
    if lengths.tolist() != [len(one.text) for one in encoded]:
        raise ValueError(f"{len(tokens)} tokens are not those of these {len(encoded)} texts")
    kept = tuple(i for i in texts if len(encoded[i].windows) == 1)
    if not kept:
        raise ActivationFlowError(
            "there is no text in the sample that is read in one window; give shorter ones"
        )
    return Sample(encoded, tokens, kept, len(texts) - len(kept))


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts of equal length, none padded.

    Attributes:
        inputs: of the tap, each [texts tokens].
        ids: vocabulary numbers.
        rows: the place of each token among all tokens of the audit.
    """

    inputs: tuple[Any, ...]
    ids: BatchIds
    rows: BatchIds


def batches(
    tap: "Tap", sampled: Sample, at_once: Callable[[int], int] = lambda n: BATCH_TOKENS // n
) -> Iterator[Batch]:
    """The texts of a sample, longest first so that memory peaks early.

    Args:
        tap: that they are for.
        sampled: the texts.
        at_once: how many texts of n tokens go together; at least 1 do.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for i in sampled.texts:
        by_length[len(sampled.encoded[i].text)].append(i)
    starts = np.searchsorted(sampled.tokens.text, range(len(sampled.encoded)))
    done = 0
    for length in sorted(by_length, reverse=True):
        same, size = by_length[length], max(1, at_once(length))
        for first in range(0, len(same), size):
            some = same[first : first + size]
            yield _batch(tap, sampled, some, starts)
            done += len(some)
            if sampled.watch is not None:
                sampled.watch(done, len(sampled.texts))


def _batch(tap: "Tap", sampled: Sample, texts: Sequence[int], starts: np.ndarray) -> Batch:
    import torch

    from activation_flow import tap as taps

    ids = np.stack([sampled.encoded[i].text.ids for i in texts])
    kinds = np.stack([sampled.encoded[i].type_ids for i in texts])
    rows = starts[list(texts)][:, None] + np.arange(ids.shape[1])
    inputs = taps.feed(tap, torch.from_numpy(ids.copy()), torch.from_numpy(kinds.copy()))
    return Batch(inputs, ids, rows)
