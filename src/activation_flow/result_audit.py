"""What an audit gives: verdicts, and every number behind them. Computes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from activation_flow.audit_data import (
    Claim,
    ConfoundRow,
    Control,
    Dimension,
    NormAtLayer,
    RatioRow,
    ScoreRow,
    ThresholdRow,
)
from activation_flow.data import Provenance

SCHEMA = "audit/1"


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class AuditResult:
    """Which readings of strength and shift hold on this model and corpus.

    Attributes:
        provenance: model, engine, settings and versions.
        layer: the one that the claims are about.
        layers: all that were measured, ascending.
        claims: C1-C5 and C7-C9.
        scores: strength, its variants and its baselines, layer by layer.
        controls: in which nothing must be found.
        norms: what normalisation does to the strength, layer by layer.
        dimensions: where tokens of each kind have their energy, at ``layer``.
        thresholds: the HIGH bucket under other cuts.
        ratios: R_H and its rivals beside chance.
        confounds: frequency, length, sub-words, position.
        counts: how many there are of what: ``texts``, ``duplicates``, ``failed``, ``tokens``,
            ``content``, ``function``, ``punctuation``, ``special``, ``unknown``, ``types``,
            ``sample`` (texts), ``pairs`` ...
        notes: what a reader must know: label noise, what was left out, what is not available.
        input: what was audited, as it was named; "" where texts were given.
    """

    provenance: Provenance
    layer: int
    layers: tuple[int, ...]
    claims: tuple[Claim, ...]
    scores: tuple[ScoreRow, ...]
    controls: tuple[Control, ...] = ()
    norms: tuple[NormAtLayer, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    thresholds: tuple[ThresholdRow, ...] = ()
    ratios: tuple[RatioRow, ...] = ()
    confounds: tuple[ConfoundRow, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    input: str = ""
