"""Scores of all tokens of a corpus, from the fast engine: strength, its variants, its baselines.

What a variant is fitted on is never what it judges: one half of the texts is scored with the
statistics of the other, and the reverse. Formulas stand in score_vectors; what the trivial
baselines are, in baselines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import baselines
from activation_flow.audit_data import AuditTokens, Progress, Score
from activation_flow.data import Strength
from activation_flow.score_vectors import SHRINKAGE, Fit
from activation_flow.scoring_halves import FEWEST, FITTED, Halves
from activation_flow.scoring_passes import Passes, seconds_of_passes

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

COVARIANCES = 512 * 2**20  # bytes of them at most, else they are made at one layer only
WIDEST_EVERYWHERE = 1024  # likewise
WIDEST = 4096  # wider ones are not made: their roots alone take minutes

TITLES = {
    "norm": "norm",
    "centred": "norm from the mean",
    "without_outliers": "norm without outlier dimensions",
    "standardised": "norm of standardised dimensions",
    "whitened": "whitened norm",
    "update": "norm of the change from the layer below",
}
DEFINITIONS = {
    "norm": "‖h‖",
    "centred": "‖h − μ‖",
    "without_outliers": (
        "‖h‖ without the dimensions with |μ_j − mean μ| > 3 sd(μ) or σ_j > mean σ + 3 sd(σ)"
    ),
    "standardised": "‖(h − μ) / σ‖",
    "whitened": (
        f"sqrt((h − μ)ᵀ Σ_λ⁻¹ (h − μ)), Σ_λ = (1 − λ) Σ + λ (tr Σ / d) I, λ = {SHRINKAGE:g}"
    ),
    "update": "‖h_l − h_(l−1)‖",
}
SHOWN = 8  # outlier dimensions that are listed


@dataclass(frozen=True, eq=False, kw_only=True)
class FastScores:
    """What the fast engine gives.

    Attributes:
        layers: as they were asked for.
        norms: S of every token; NaN for the tokens of texts that failed.
        scores: strength and variants, layer by layer, then the baselines.
        omega_squared: of each layer, the share of the variance of S that the token's identity
            explains; NaN where there is none.
        failed: index of each text without finite hidden states, from 0, and why. Its tokens have
            no score and take part in no fit; whoever judges scores must leave it out.
        notes: what a reader must know.
    """

    layers: tuple[int, ...]
    norms: Strength
    scores: tuple[Score, ...]
    omega_squared: tuple[float, ...]
    failed: dict[int, str]
    notes: tuple[str, ...]


def fast_scores(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    layers: Sequence[int],
    *,
    main: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FastScores:
    """Strength at each layer, and all that it is compared with and that needs no gradient.

    Args:
        encoder: the model.
        encoded: the texts.
        tokens: theirs: text k of the tokens is ``encoded[k]``.
        layers: not the one after a final norm, which is of another kind.
        main: the layer at which covariances are made where they are too large for all layers;
            default: the last of ``layers``.
        seed: of the split into halves, of the random score and of the sample that is timed.
        progress: called with the number of texts that went through the engine and of all that
            have to.

    Raises:
        ValueError: tokens and texts do not belong together.
    """
    sizes = [len(one.text) for one in encoded]
    if np.bincount(tokens.text, minlength=len(sizes)).tolist() != sizes:
        raise ValueError(f"{len(tokens)} tokens are not those of these {len(sizes)} texts")
    passes = Passes(encoder, encoded, layers, progress)
    whitened = whitened_layers(passes.layers, encoder.width, main)
    halves = Halves(tokens, passes, whitened, seed)
    for block in passes.first():
        halves.measure(block)
    halves.fit()
    for block in passes.second():
        halves.judge(block)
    table = _Table(
        halves, passes, whitened, seed, seconds_of_passes(encoder, encoded, passes, seed)
    )
    residuals, explained = baselines.type_residuals(
        tokens, halves.values["norm"], passes.layers, cost=table.cost_of_norms
    )
    return FastScores(
        layers=passes.layers,
        norms=halves.values["norm"],
        scores=(*table.scores(), *residuals, *baselines.trivial_scores(tokens, seed)),
        omega_squared=explained,
        failed=dict(sorted(passes.failed.items())),
        notes=(*table.notes(), *_on_identity(passes.layers, explained)),
    )


def _on_identity(layers: Sequence[int], explained: Sequence[float]) -> Iterator[str]:
    """How much of S any score that knows the token alone could say, layer by layer.

    >>> [*_on_identity((0, 1), (0.981, float("nan")))]
    ["of the variance of S, the token's identity explains (ω²): layer 0 98.1 %"]
    """
    known = [(k, share) for k, share in zip(layers, explained, strict=True) if np.isfinite(share)]
    if known:
        listed = ", ".join(f"layer {layer} {100 * share:.1f} %" for layer, share in known)
        yield f"of the variance of S, the token's identity explains (ω²): {listed}"


def whitened_layers(layers: Sequence[int], width: int, main: int | None) -> tuple[int, ...]:
    """The layers at which covariances can be made.

    >>> [whitened_layers((0, 4, 6), width, 4) for width in (384, 2048, 8192)]
    [(0, 4, 6), (4,), ()]
    """
    if width > WIDEST or not layers:
        return ()
    of_both_halves = 2 * 8 * width**2 * len(layers)
    if width <= WIDEST_EVERYWHERE and of_both_halves <= COVARIANCES:
        return tuple(layers)
    return (layers[-1] if main is None else main,)


@dataclass(frozen=True)
class _Table:
    """Names, notes and costs of what was measured."""

    halves: Halves
    passes: Passes
    whitened: tuple[int, ...]
    seed: int
    costs: tuple[float, float] | None

    def scores(self) -> Iterator[Score]:
        """Layer by layer, and the norm at layer 0 as a baseline of all layers."""
        for k, layer in enumerate(self.passes.layers):
            for name, title in TITLES.items():
                if name == "update" and not layer:
                    continue  # the embeddings: there is nothing below them
                missing = self._missing(name, layer)
                yield Score(
                    name=name,
                    title=title,
                    layer=layer,
                    values=self.halves.values[name][k],
                    seconds_per_1000_tokens=None if missing else self._cost(name, layer),
                    role="strength" if name == "norm" else "variant",
                    top_share=None if missing else self.halves.share(name, layer),
                    note=self._note(name, layer),
                    missing=missing,
                )
        share = self.halves.share("norm", 0) if 0 in self.passes.layers else None
        yield baselines.of_layer_0(self.halves.first_norm, self.cost_of_norms, share)

    @property
    def cost_of_norms(self) -> float | None:
        """Seconds per 1,000 tokens of a pass that gives the norms of all layers."""
        return self.costs and self.costs[0]

    def _cost(self, name: str, layer: int) -> float | None:
        """Seconds per 1,000 tokens: of its passes, and of its own arithmetic."""
        if self.costs is None:
            return None
        of_norms, of_states = self.costs
        if name == "norm":
            return of_norms
        passes = 2 if name in FITTED and not self.passes.kept else 1
        read = self.halves.first_norm.size
        return passes * of_states + self.halves.seconds(name, layer) / read * 1000

    def _missing(self, name: str, layer: int) -> str:
        if name not in FITTED:
            return ""
        if (0, layer) not in self.halves.fits:
            return f"needs {FEWEST} tokens that are not special in each half of the texts"
        if name != "whitened" or layer in self.whitened:
            return ""
        if not self.whitened:
            return f"covariances of more than {WIDEST} dimensions are not made"
        return f"covariances of this size are made at layer {self.whitened[0]} only"

    def _note(self, name: str, layer: int) -> str:
        parts = [DEFINITIONS[name]]
        if name in FITTED:
            parts.append(f"fitted on one half of the texts, judging the other (seed {self.seed})")
        fits = [fit for (_, at), fit in sorted(self.halves.fits.items()) if at == layer]
        if name == "without_outliers" and fits:
            parts.append(f"left out: {' and '.join(map(_outliers, fits))}")
        if name == "standardised" and any(fit.constant.any() for fit in fits):
            left = " and ".join(str(fit.constant.sum()) for fit in fits)
            parts.append(f"constant dimensions left out: {left}")
        return "; ".join(parts)

    def notes(self) -> tuple[str, ...]:
        """What a reader must know of all of them."""
        split = (
            "variants of the norm: μ, σ and Σ of one half of the texts (special tokens left out) "
            f"score the other half, and the reverse (halves drawn with seed {self.seed})"
        )
        cost = (
            "costs, on this machine: of the norm, a pass that gives the norms of all layers; of "
            f"its variants, {'a pass' if self.passes.kept else 'one or two passes'} with the "
            "hidden states of all layers, and arithmetic"
        )
        return split, cost


def _outliers(fit: Fit) -> str:
    """The outlier dimensions in words.

    >>> fit = Fit(np.zeros(9), np.ones(9), np.arange(9) == 4, np.zeros(9, bool))
    >>> _outliers(fit)
    'dimension 4'
    """
    dims = np.flatnonzero(fit.outlier).tolist()
    if not dims:
        return "none"
    more = f" and {len(dims) - SHOWN} more" if len(dims) > SHOWN else ""
    return f"dimension{'s' * (len(dims) > 1)} {', '.join(map(str, dims[:SHOWN]))}{more}"
