"""Hidden states of a whole corpus, block by block, as often as they are needed.

They are kept if those of all tokens fit into 512 MB; else the engine runs again. Knows the encoder
and which token stands where, and no score.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import analysis
from activation_flow.audit_data import Progress
from activation_flow.data import Hidden, Ids, Strength

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.moments import States
    from activation_flow.tokens import Encoded

KEPT = 512 * 2**20  # bytes of hidden states that are kept
BLOCK = 64 * 2**20  # bytes of them that are worked on at once
TIMED = 2**12  # tokens on which passes are timed


@dataclass(frozen=True, eq=False)
class Block:
    """Some whole texts.

    Attributes:
        rows: their tokens, as places among the tokens of all texts.
        norms: [layers tokens], at the norm layers of the passes.
        hidden: [layers tokens width], at their hidden layers.
    """

    rows: Ids
    norms: Strength
    hidden: Hidden


class Passes:
    """One pass of the engine, or two.

    Attributes:
        layers: of which scores are wanted.
        norm_layers: these and the embeddings, ascending.
        hidden_layers: these and the one below each, ascending.
        failed: index of each text without finite hidden states, from 0, and why. No block holds
            them.
        kept: the hidden states of all tokens fit into the memory that is given to them.
    """

    def __init__(
        self,
        encoder: "Encoder",
        encoded: "Sequence[Encoded]",
        layers: Sequence[int],
        progress: Progress | None = None,
    ):
        self.layers = tuple(layers)
        self.norm_layers = tuple(sorted({0, *layers}))
        self.hidden_layers = tuple(sorted({*layers} | {layer - 1 for layer in layers if layer}))
        self.failed: dict[int, str] = {}
        self._encoder, self._encoded, self._progress = encoder, encoded, progress
        sizes = [len(one.text) for one in encoded]
        self._starts = np.cumsum([0, *sizes])
        self._bytes_of_token = 4 * encoder.width * len(self.hidden_layers)
        self.kept = sum(sizes) * self._bytes_of_token <= KEPT
        self._blocks: list[Block] = []
        self._done = 0

    def first(self) -> Iterator[Block]:
        """All texts that have finite hidden states, each once, in any order."""
        for block in self._run():
            if self.kept:
                self._blocks.append(block)
            yield block

    def second(self) -> Iterator[Block]:
        """The same blocks again; those that were kept are let go one by one."""
        if not self.kept:
            yield from self._run()
        while self._blocks:
            yield self._blocks.pop()

    def norms(self) -> Iterator[tuple[Ids, Strength]]:
        """Of each text the places of its tokens, and their norms, if all of them are finite."""
        for done, (i, norms, _) in enumerate(self._encoder.run(self._encoded, self.norm_layers), 1):
            if self._progress is not None:
                self._progress(done, len(self._encoded))
            if np.isfinite(norms).all():
                yield np.arange(self._starts[i], self._starts[i + 1]), norms
            else:
                text = self._encoded[i].text
                self.failed[i] = analysis.not_finite(text, norms, self.norm_layers)

    def _run(self) -> Iterator[Block]:
        room = max(1, BLOCK // self._bytes_of_token)
        waiting: list[tuple[int, Strength, Hidden]] = []
        found = self._encoder.run(self._encoded, self.norm_layers, self.hidden_layers)
        held = 0
        for i, norms, hidden in found:
            assert hidden is not None  # they were asked for
            self._done += 1
            if self._progress is not None:
                self._progress(self._done, len(self._encoded) * (1 if self.kept else 2))
            if reason := self._why_not(i, norms, hidden):
                self.failed[i] = reason
                continue
            waiting.append((i, norms, hidden))
            held += norms.shape[1]
            if held >= room:
                yield self._together(waiting)
                waiting, held = [], 0
        if waiting:
            yield self._together(waiting)

    def _why_not(self, i: int, norms: Strength, hidden: Hidden) -> str:
        """Why a text can have no score, or ""."""
        text = self._encoded[i].text
        if not np.isfinite(norms).all():
            return analysis.not_finite(text, norms, self.norm_layers)
        if not (finite := np.isfinite(hidden).all(axis=-1)).all():
            return analysis.not_finite(text, np.where(finite, 0, np.nan), self.hidden_layers)
        return ""

    def _together(self, texts: list[tuple[int, Strength, Hidden]]) -> Block:
        rows = [np.arange(self._starts[i], self._starts[i + 1]) for i, _, _ in texts]
        return Block(
            np.concatenate(rows),
            np.concatenate([norms for _, norms, _ in texts], axis=1),
            np.concatenate([hidden for _, _, hidden in texts], axis=1),
        )

    def of(self, block: Block, layer: int) -> "States":
        """The hidden states of a block at one layer."""
        states: States = block.hidden[self.hidden_layers.index(layer)]
        return states


def seconds_of_passes(
    encoder: "Encoder", encoded: "Sequence[Encoded]", passes: Passes, seed: int
) -> tuple[float, float] | None:
    """Seconds per 1,000 tokens of a pass that gives norms only, and of one with hidden states too.

    They take turns, twice each, and the faster counts, on the same texts: drawn until there are
    4,096 tokens, or all. So neither pays for what is done once, such as what an engine makes of a
    length that it has not seen. None if there is no text.
    """
    found = _seconds(encoder, encoded, passes.norm_layers, ((), passes.hidden_layers), seed)
    # With hidden states, all that gives norms is done, too: only the noise of a clock says less.
    return None if found is None else (found[0], max(found))


def seconds_of_norms(
    encoder: "Encoder", encoded: "Sequence[Encoded]", layers: Sequence[int], seed: int
) -> float | None:
    """The first of these alone."""
    found = _seconds(encoder, encoded, layers, ((),), seed)
    return None if found is None else found[0]


def _seconds(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    layers: Sequence[int],
    hidden: Sequence[Sequence[int]],
    seed: int,
) -> list[float] | None:
    if not encoded:
        return None
    sample, tokens = [], 0
    for i in np.random.default_rng(seed).permutation(len(encoded)):
        sample.append(encoded[i])
        tokens += len(encoded[i].text)
        if tokens >= TIMED:
            break

    def seconds(states: Sequence[int]) -> float:
        start = perf_counter()
        for _ in encoder.run(sample, layers, states):
            pass
        return (perf_counter() - start) / tokens * 1000

    turns = [[seconds(states) for states in hidden] for _ in range(2)]
    return [min(each) for each in zip(*turns, strict=True)]
