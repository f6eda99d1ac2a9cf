"""What an audit tells: claims with their verdicts, and the rows of every table. No logic.

What has nothing to say is None, and the reason stands beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from activation_flow.audit_data import Interval

SUPPORTED, NO_BETTER, NOT_SUPPORTED, NOT_TESTABLE = VERDICTS = (
    "supported",
    "no better than its baseline",
    "not supported",
    "not testable",
)


@dataclass(frozen=True, kw_only=True)
class Detail:
    """A number beside a claim: a baseline, a split, a share.

    Attributes:
        name: in words.
        value: None where there is none; ``note`` says why.
        interval: 95 %.
        null: what chance or a baseline gives.
        note: one clause.
    """

    name: str
    value: float | None
    interval: Interval | None = None
    null: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper and what became of it.

    Attributes:
        id: ``C1`` ... ``C11``.
        title: the claim, in a few words.
        place: where the paper makes it.
        test: the primary test as declared beforehand: statistic, null, direction.
        rule: how the verdict follows.
        verdict: one of VERDICTS.
        effect_name: what ``effect`` is.
        effect: None if not testable.
        null: what ``effect`` would be by chance.
        interval: of the effect, 95 %, over texts and word types.
        p: of the primary test, one-sided.
        p_holm: the same, adjusted over all primary tests of this audit.
        n: how many there were of what.
        sentence: the finding, for a reader who knows no statistics.
        details: what else bears on it.
        method: how p was found: what was drawn, how often, by which seed; "" where there is none.
    """

    id: str
    title: str
    place: str
    test: str
    rule: str
    verdict: str
    effect_name: str
    effect: float | None
    null: float | None
    interval: Interval | None
    p: float | None
    p_holm: float | None
    n: Mapping[str, int]
    sentence: str
    details: tuple[Detail, ...] = ()
    method: str = ""


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """How well one score sets content words above function words, within texts.

    Attributes:
        score: its name.
        title: in words.
        role: as in ``Score``.
        layer: None where it belongs to none.
        auc: the probability that a content token is above a function token of its text.
        interval: of it, 95 %, over texts and word types.
        pooled: the AUC over all texts at once.
        p: two-sided, of AUC = .5; exploratory.
        p_bh: the same, adjusted (Benjamini-Hochberg) over all rows.
        tokens: how many were judged.
        texts: in how many texts.
        seconds_per_1000_tokens: None where it was not measured.
        top_share: as in ``Score``.
        note: as in ``Score``.
        missing: why there is no number.
        gap: as in ``Score``.
    """

    score: str
    title: str
    role: str
    layer: int | None
    auc: float | None
    interval: Interval | None
    pooled: float | None
    p: float | None
    p_bh: float | None
    tokens: int
    texts: int
    seconds_per_1000_tokens: float | None
    top_share: tuple[float, float] | None
    note: str
    missing: str
    gap: float | None = None


@dataclass(frozen=True, kw_only=True)
class Control:
    """Something in which the audit must find nothing.

    Attributes:
        control: ``shuffled weights``, ``random score``, ``normalised state``.
        score: the score that was taken, or the claims that were tested.
        layer: None where it belongs to none.
        auc: content above function within texts; None where something else was tested.
        interval: of it, 95 %.
        passed: p is at least .05; None where that cannot be otherwise, or nothing was tested.
        note: how it was made: seed, draws.
        p: that there is something; adjusted (Holm) over what is judged together: the layers, or
            the tests of all copies. Of a random score: of more than 5 % false findings.
    """

    control: str
    score: str
    layer: int | None
    auc: float | None
    interval: Interval | None
    passed: bool | None
    note: str
    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class NormAtLayer:
    """What normalisation does to the strength at one layer.

    Attributes:
        layer: of the hidden states.
        layout: ``post-LayerNorm``, ``post-RMSNorm``, ``pre-LayerNorm``, ``pre-RMSNorm``,
            ``unknown``, found from the numbers.
        module: name of the norm module whose output (post) or input (pre) the hidden state is.
        level: S* = sqrt(Σγ² + ‖β‖²), the strength where energy is spread evenly; None if not post.
        error: largest |predicted − measured| / measured of the strengths, both of the model as it
            is opened for this (float32); None if not post.
        audited_error: the same against the strengths that the claims rest on, of the audit's
            engine; None likewise.
        strength: mean strength of each kind of token.
        before: mean norm before the norm module, of each kind; None where it is not seen.
        note: one clause, where something is not available.
    """

    layer: int
    layout: str
    module: str = ""
    level: float | None = None
    error: float | None = None
    strength: Mapping[str, float] = field(default_factory=dict[str, float])
    before: Mapping[str, float] | None = None
    note: str = ""
    audited_error: float | None = None


@dataclass(frozen=True, kw_only=True)
class Dimension:
    """One of the dimensions in which the tokens of a kind have most of their energy.

    Attributes:
        layer: of the hidden states.
        kind: of the tokens: a kind, or one special token by its spelling.
        dim: from 0.
        share: mean share of z² (post-norm) or of h² (pre-norm) in this dimension.
        gamma: the norm's gain there; None where there is none.
        typical: root mean square of all gains; None likewise.
    """

    layer: int
    kind: str
    dim: int
    share: float
    gamma: float | None
    typical: float | None


@dataclass(frozen=True, kw_only=True)
class ThresholdRow:
    """The HIGH bucket under one way to cut it (exploratory).

    Attributes:
        quantile: of τ.
        method: numpy's name of it, or ``midpoint``.
        scope: ``text`` or ``corpus``.
        special: special tokens take part.
        strict: HIGH is > τ; else ≥ τ.
        high: tokens of content and function words that are HIGH.
        precision: P(content | HIGH), of those.
        base_rate: P(content).
        recall: P(HIGH | content).
        interval: of the lift, 95 %; None where no content word is HIGH.
        p: two-sided, of lift = 1; None likewise.
        p_bh: adjusted over all rows.
        excess: mean R_H − k/n of the pairs under this cut; None where there are no pairs.
    """

    quantile: float
    method: str
    scope: str
    special: bool
    strict: bool
    high: int
    precision: float | None
    base_rate: float | None
    recall: float | None
    interval: Interval | None
    p: float | None
    p_bh: float | None
    excess: float | None = None

    @property
    def lift(self) -> float | None:
        """P(content | HIGH) / P(content)."""
        return self.precision / self.base_rate if self.precision and self.base_rate else None


@dataclass(frozen=True, kw_only=True)
class RatioRow:
    """What a bucket of tokens holds of the shift, beside what chance gives.

    Attributes:
        bucket: ``HIGH``, ``rarest`` (tokens), ``nearest`` (to the edit).
        tokens: ``all``; ``unchanged``, counted anew among themselves; ``replaced``, what they add
            to the row of all.
        distance: ``shift`` (Δ), ``cosine`` (1 − cos), ``standardised``.
        ratio: mean of R over the pairs.
        chance: mean of k/n.
        excess: mean of R − k/n.
        interval: of the excess, 95 %.
        pairs: how many pairs of texts.
        note: what was left out.
        texts: how many different first texts these pairs have.
    """

    bucket: str
    tokens: str
    distance: str
    ratio: float | None
    chance: float | None
    excess: float | None
    interval: Interval | None
    pairs: int
    note: str = ""
    texts: int = 0


@dataclass(frozen=True, kw_only=True)
class ConfoundRow:
    """How much of the effect a confound takes, or how strongly the strength goes with it.

    Attributes:
        group: ``alone``, ``stratified``, ``partial``, ``matched``, ``correlation``.
        name: in words.
        value: None where it cannot be computed; ``note`` says why.
        interval: 95 %, over texts and word types.
        null: what it would be if there were nothing.
        kept: share of the pairs that the comparison keeps; None where it keeps all.
        n: tokens, or pairs.
        note: definition.
    """

    group: str
    name: str
    value: float | None
    interval: Interval | None
    null: float | None
    kept: float | None
    n: int
    note: str = ""
