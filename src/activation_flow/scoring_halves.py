"""Two halves of the texts: each is measured, and judged by what the other one gave.

Blocks of hidden states in, values of each variant of strength out. Formulas stand in
score_vectors; what the values are called and what they cost, in scoring.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from activation_flow import norm_formulas, score_vectors
from activation_flow.audit_data import AuditTokens
from activation_flow.data import Ids
from activation_flow.moments import Moments, PerDim, States
from activation_flow.score_vectors import Fit, Root
from activation_flow.scoring_passes import Block, Passes

FITTED = ("centred", "without_outliers", "standardised", "whitened")
MEASURED = ("norm", *FITTED, "update")
FEWEST = 2  # tokens of a fit

Key = tuple[int, int]  # half and layer


class Halves:
    """The two halves of the texts.

    Attributes:
        values: of each variant, [layers tokens]; NaN where not measured.
        first_norm: [tokens], at layer 0.
        fits: by (half, layer); of a layer there are both, or none.
        roots: likewise, of the layers at which covariances were made.
    """

    def __init__(self, tokens: AuditTokens, passes: Passes, whitened: Sequence[int], seed: int):
        """Draws the halves; ``whitened`` are the layers at which covariances are made."""
        self._passes, self._whitened = passes, whitened
        order = np.random.default_rng(seed).permutation(tokens.n_texts)
        half = np.zeros(tokens.n_texts, dtype=np.int64)
        half[order[: tokens.n_texts // 2]] = 1
        self._half: Ids = half[tokens.text]
        self._common = tokens.kind != "special"
        shape = len(passes.layers), len(tokens)
        self.values = {name: np.full(shape, np.nan, np.float32) for name in MEASURED}
        self.first_norm = np.full(len(tokens), np.nan, np.float32)
        self.fits: dict[Key, Fit] = {}
        self.roots: dict[Key, Root] = {}
        self._moments: dict[Key, Moments] = {}
        self._full: dict[Key, Moments] = {}
        self._shares: dict[tuple[str, int], tuple[PerDim, int]] = {}
        self._spent: defaultdict[tuple[str, int], float] = defaultdict(float)

    def share(self, name: str, layer: int) -> tuple[float, float] | None:
        """Of the squared length of a variant: ``norm_formulas.top_share``; None if of no token."""
        sums, n = self._shares.get((name, layer), (None, 0))
        return norm_formulas.top_share(sums / n) if sums is not None and n else None

    def seconds(self, name: str, layer: int) -> float:
        """What the arithmetic of a variant has taken at one layer, its fit included."""
        shared = "" if name in ("whitened", "update") else "fit"
        return self._spent[name, layer] + self._spent[shared, layer]

    def measure(self, block: Block) -> None:
        """Take in norms and updates, and what the fits are made of."""
        self.first_norm[block.rows] = block.norms[0]
        for k, layer in enumerate(self._passes.layers):
            norms = block.norms[self._passes.norm_layers.index(layer)]
            self.values["norm"][k, block.rows] = norms
            states = self._passes.of(block, layer)
            if layer:
                with self._clock("update", layer):
                    added = score_vectors.update(states, self._passes.of(block, layer - 1))
                    self._take("update", layer, block.rows, added)
            for half in (0, 1):
                mine = states[(self._half[block.rows] == half) & self._common[block.rows]]
                with self._clock("fit", layer):
                    _merge(self._moments, (half, layer), Moments.of(mine))
                if layer in self._whitened:
                    with self._clock("whitened", layer):
                        _merge(self._full, (half, layer), Moments.of(mine, full=True))

    def fit(self) -> None:
        """Finish the fits; where a half has fewer than two tokens there are none."""
        for key, moments in self._moments.items():
            if min(self._moments[half, key[1]].n for half in (0, 1)) >= FEWEST:
                self.fits[key] = Fit.of(moments)
        while self._full:  # one by one: covariances are large
            key, moments = self._full.popitem()
            if key in self.fits:
                with self._clock("whitened", key[1]):
                    self.roots[key] = score_vectors.whitening(moments)

    def judge(self, block: Block) -> None:
        """Score each half of a block by the fits to the other half."""
        for layer in self._passes.layers:
            states = self._passes.of(block, layer)
            self._share("norm", layer, block.rows, states)
            for half in (0, 1):
                if (fit := self.fits.get((1 - half, layer))) is None:
                    continue
                mine = self._half[block.rows] == half
                rows, some = block.rows[mine], states[mine].astype(np.float64)
                for name, make in _formulas(fit, self.roots.get((1 - half, layer))).items():
                    with self._clock(name, layer):
                        self._take(name, layer, rows, make(some))

    @contextmanager
    def _clock(self, name: str, layer: int) -> Iterator[None]:
        start = perf_counter()
        yield
        self._spent[name, layer] += perf_counter() - start

    def _take(self, name: str, layer: int, rows: Ids, vectors: States) -> None:
        at = self._passes.layers.index(layer)
        self.values[name][at, rows] = score_vectors.length(vectors)
        self._share(name, layer, rows, vectors)

    def _share(self, name: str, layer: int, rows: Ids, vectors: States) -> None:
        sums, n = score_vectors.summed_shares(vectors[self._common[rows]])
        before, counted = self._shares.get((name, layer), (0.0, 0))
        self._shares[name, layer] = before + sums, counted + n


def _merge(into: dict[Key, Moments], key: Key, new: Moments) -> None:
    into[key] = into[key].merge(new) if key in into else new


def _formulas(fit: Fit, root: Root | None) -> dict[str, Callable[[States], States]]:
    found: dict[str, Callable[[States], States]] = {
        "centred": lambda states: score_vectors.centred(states, fit),
        "without_outliers": lambda states: score_vectors.without_outliers(states, fit),
        "standardised": lambda states: score_vectors.standardised(states, fit),
    }
    if root is not None:
        found["whitened"] = lambda states: score_vectors.whitened(states, fit.mean, root)
    return found
