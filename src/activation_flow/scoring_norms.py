"""Strength and what needs no model, of all tokens of a corpus: what scoring.py gives, in one pass.

For texts beside the audited ones, and for audits of which the variants of strength are no part.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import baselines
from activation_flow.audit_data import AuditTokens, Progress, Score
from activation_flow.scoring import DEFINITIONS, TITLES, FastScores
from activation_flow.scoring_passes import Passes, seconds_of_norms

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded


def norm_scores(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    layers: Sequence[int],
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> FastScores:
    """The same without the variants of strength: one pass of the engine, no hidden states."""
    passes = Passes(encoder, encoded, layers, progress)
    at_layers = passes.norm_layers
    norms = np.full((len(at_layers), len(tokens)), np.nan, np.float32)
    for rows, found in passes.norms():
        norms[:, rows] = found
    seconds = seconds_of_norms(encoder, encoded, at_layers, seed)
    mine = norms[[at_layers.index(layer) for layer in layers]]
    scores = [
        Score(
            name="norm",
            title=TITLES["norm"],
            layer=layer,
            values=values,
            seconds_per_1000_tokens=seconds,
            role="strength",
            note=DEFINITIONS["norm"],
        )
        for layer, values in zip(layers, mine, strict=True)
    ]
    return FastScores(
        layers=passes.layers,
        norms=mine,
        scores=(
            *scores,
            baselines.of_layer_0(norms[at_layers.index(0)], seconds),
            *baselines.trivial_scores(tokens, seed),
        ),
        omega_squared=(),
        failed=dict(sorted(passes.failed.items())),
        notes=(),
    )
