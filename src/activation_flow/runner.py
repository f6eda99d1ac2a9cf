"""Tokens in, numbers out: batches, windows put together again, a damaged engine mended.

Knows no text and no tokenizer. Batches hold texts of one length only, so no text is ever padded,
and each gives the same bits alone and in company (eager torch: but for the last ones).
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from activation_flow import artifact, tokens
from activation_flow.data import ActivationFlowError, Hidden, Strength
from activation_flow.engine import Engine, OpenVINOEngine, TorchEngine
from activation_flow.folder import Damaged, Packed
from activation_flow.tokens import Encoded

log = logging.getLogger("activation_flow")

# Tokens in a batch. On two cores throughput is flat from 512 to 4,096 (docs/design.md).
BATCH_TOKENS = 1024

Batch = list[tuple[int, int]]  # (index of the text, number of the window)


class Runner:
    """A prepared model and the engine that runs it.

    Attributes:
        prepared: the model.
        engine: what runs it.
        batch_tokens: tokens in a batch.
    """

    def __init__(
        self,
        prepared: artifact.Model,
        make_engine: Callable[[artifact.Model], Engine],
        again: Callable[[], artifact.Model],
        batch_tokens: int = BATCH_TOKENS,
    ):
        """Starts the engine; ``again`` prepares the model anew should its folder be damaged."""
        self.prepared = prepared
        self.engine = make_engine(prepared)
        self._make_engine = make_engine
        self._again = again
        self.batch_tokens = batch_tokens

    def run(
        self, encoded: Sequence[Encoded], layers: Sequence[int], hidden: Sequence[int] = ()
    ) -> Iterator[tuple[int, Strength, Hidden | None]]:
        """Strength at ``layers``, and the hidden states at ``hidden``, of every token.

        A value that is not finite comes out as it is: whoever makes results of it must refuse.

        Yields:
            (index into ``encoded``, [layers tokens], [layers tokens width] or None): each text
            once, as soon as its last window is done, so not in order.
        """
        waiting = [len(text.windows) for text in encoded]
        parts: dict[int, dict[int, tuple[Strength, Hidden | None]]] = defaultdict(dict)
        for batch in _batches(encoded, self.batch_tokens):
            norms, states = self._run_batch(self._inputs(encoded, batch), layers, hidden)
            for k, (i, window) in enumerate(batch):
                state = None if states is None else states[:, k]
                parts[i][window] = norms[:, k], state
                waiting[i] -= 1
                if not waiting[i]:
                    done = parts.pop(i)
                    in_order = [done[w] for w in sorted(done)]
                    yield i, *tokens.stitch(encoded[i], in_order, self.prepared.meta["causal"])

    def _inputs(self, encoded: Sequence[Encoded], batch: Batch) -> dict[str, Any]:
        ids = np.stack([encoded[i].window(encoded[i].text.ids, w) for i, w in batch])
        kinds = np.stack([encoded[i].window(encoded[i].type_ids, w) for i, w in batch])
        values = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": kinds,
        }
        return {name: values[name] for name in self.prepared.meta["inputs"]}

    def _run_batch(
        self, inputs: dict[str, Any], layers: Sequence[int], hidden: Sequence[int]
    ) -> Any:
        try:
            return self.engine.run(inputs, layers, hidden)
        except Damaged as why:
            self._mend(why)
            return self.engine.run(inputs, layers, hidden)

    def _mend(self, why: Damaged) -> None:
        label = self.prepared.label
        log.warning("The engine of %s cannot be used (%s); building it again", label, why)
        self.prepared = self._again()
        self.engine = self._make_engine(self.prepared)

    def pack(self) -> Packed:
        """The files of the engine folder, for a machine that has none; mended if damaged."""
        assert self.prepared.folder is not None
        try:
            return self.prepared.folder.pack()
        except Damaged as why:
            self._mend(why)
            return self.prepared.folder.pack()


def _batches(encoded: Sequence[Encoded], budget: int) -> Iterator[Batch]:
    """(text, window) pairs of equal length, longest first so that memory peaks early.

    OpenVINO keeps something of every shape that it has seen (docs/design.md), so there are few:
    as many pairs as the budget allows, and what is left over in powers of two.
    """
    by_length: dict[int, Batch] = defaultdict(list)
    for i, text in enumerate(encoded):
        for w, (first, last) in enumerate(text.windows):
            by_length[text.lead + last - first + text.trail].append((i, w))
    for length in sorted(by_length, reverse=True):
        same, first = by_length[length], 0
        fit = max(1, budget // length)
        while left := len(same) - first:
            size = fit if left >= fit else 1 << (left.bit_length() - 1)
            yield same[first : first + size]
            first += size


def start(prepared: artifact.Model, precision: str, device: str, threads: int | None) -> Engine:
    """The engine of a prepared model: its graph on the CPU, or eager torch on any device.

    Raises:
        ActivationFlowError: the device cannot be used, or not with this precision.
    """
    if prepared.tap is None:
        assert prepared.folder is not None
        return OpenVINOEngine(prepared.folder, precision, threads)
    if precision != "f32":
        raise ActivationFlowError(f"{prepared.label} runs on the eager engine, in f32 only")
    try:
        return TorchEngine(prepared.tap, device, threads)
    except (RuntimeError, AssertionError) as problem:  # torch's ways to say: no such device
        raise ActivationFlowError(f"device {device} cannot be used: {problem}") from problem
