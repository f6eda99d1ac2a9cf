"""Texts in which people marked words: their scores, how well these find the marks, and C11's words.

The texts are not those of the audit, so all is measured on them anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import (
    audit_explained,
    audit_measured,
    audit_slow,
    plausible,
    scoring_norms,
    texts_beside,
)
from activation_flow.audit_data import Score, Watch
from activation_flow.material import Material
from activation_flow.plausible import Plausible
from activation_flow.rationales import Marked
from activation_flow.units import Units

if TYPE_CHECKING:
    from jaxtyping import Bool

    from activation_flow.audit_data import AuditTokens
    from activation_flow.audit_options import Options
    from activation_flow.encoder import Encoder
    from activation_flow.scoring import FastScores
    from activation_flow.tokens import Encoded

    Marks = Bool[np.ndarray, "units"]
else:
    Marks = np.ndarray

_STAGE = "rationales: "


@dataclass(frozen=True, eq=False, kw_only=True)
class OfMarked:
    """What was found in them.

    Attributes:
        plausible: how well each score finds the marks.
        scores: all scores of these texts that are judged.
        tokens: of these texts.
        units: their words.
        marked: [units], those that people marked.
        counts: how many there were of what, in the file.
        notes: sentences for the reader.
    """

    plausible: Plausible
    scores: Sequence[Score]
    tokens: "AuditTokens"
    units: Units
    marked: Marks
    counts: Mapping[str, int]
    notes: tuple[str, ...]


def judge(
    encoder: "Encoder",
    marked: Marked,
    found: Material,
    options: "Options",
    layers: tuple[int, ...],
    main: int,
    watch: Watch,
) -> OfMarked:
    """Strength at all layers, and what it stands beside, on texts in which people marked words.

    Args:
        encoder: the model.
        marked: the texts.
        found: what is audited: kinds and frequencies come from where its own do.
        options: of the audit.
        layers: that are measured.
        main: the one that the claims are about.
        watch: told of each stage.
    """
    ready = texts_beside.ready(encoder, marked.texts, found, f"texts of {marked.name}")

    def run(encoded: "Sequence[Encoded]", tokens: "AuditTokens") -> "FastScores":
        return scoring_norms.norm_scores(
            encoder,
            encoded,
            tokens,
            layers,
            seed=options.seed,
            progress=lambda done, n: watch(f"{_STAGE}strengths", done, n),
        )

    encoded, tokens, fast, left = audit_measured.finite(
        ready.encoded, ready.tokens, run, f"text of {marked.name}"
    )
    asked = audit_slow.Asked(
        layers=layers,
        main=main,
        sample=options.sample,
        seed=options.seed,
        controls=False,
        parts=frozenset({audit_slow.ATTENTION} & options.needed),
        stage=_STAGE,
    )
    slow = audit_slow.slow(encoder, encoded, tokens, asked, watch)
    words, marks, dropped = plausible.units_of(marked, encoded, tokens)
    scores = [*fast.scores, *slow.scores]
    left_out = left.told("texts whose hidden states are not finite")
    told = [*left_out, *dropped, *slow.notes]
    if "explained" in options.needed:
        explained = audit_explained.explain(
            encoder,
            encoded,
            tokens,
            words,
            scores,
            audit_explained.Asked(
                main=main,
                explained=options.explained,
                perturbed=0,
                seed=options.seed,
                stage=_STAGE,
            ),
            slow.chosen,
            watch,
        )
        scores += explained.scores
        told += explained.notes
    judged = audit_explained.judged(scores, main, layers=True)
    return OfMarked(
        plausible=plausible.plausible(judged, words, marks),
        scores=judged,
        tokens=tokens,
        units=words,
        marked=marks,
        counts={**marked.counts, "failed": left.n},
        notes=(*marked.notes, *ready.notes, *(f"{marked.name}: {note}" for note in told)),
    )
