"""The values that cross borders inside the audit: tokens, scores, tests, verdicts. Numpy only.

No formula, no file and no model is known here. What has nothing to say is NaN in arrays and None
elsewhere, and the reason stands beside it: nothing is dropped without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids, Mask, Names

if TYPE_CHECKING:
    from jaxtyping import Float

    PerToken = Float[np.ndarray, "tokens"]
else:
    PerToken = np.ndarray

Interval = tuple[float, float]  # low and high, 95 % unless told

SUPPORTED, NO_BETTER, NOT_SUPPORTED, NOT_TESTABLE = VERDICTS = (
    "supported",
    "no better than its baseline",
    "not supported",
    "not testable",
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AuditTokens:
    """All tokens of the audited texts, one text after the other, in reading order.

    Attributes:
        text: number of the text, from 0; never decreasing.
        index: place of the token in its text, from 0, special tokens counted.
        token: the tokenizer's pieces.
        id: vocabulary numbers.
        kind: ``content``, ``function``, ``punctuation``, ``special``, "" where unknown.
        type: number of the word type, from 0: the unit that recurs in other texts. Pieces of one
            casefolded word share it, and have different ones where they differ in kind; what is
            of no word (punctuation, special tokens) is a type by its own spelling.
        length: letters of the word that the token is a piece of; of its own, if of none.
        subword: True for every piece of a word but its first.
        position: 0 for the first and 1 for the last token of the text that is not special; NaN
            for special tokens; 0 where there is only one.
        frequency: log of how often the token occurs, by the source that was chosen, in any unit;
            NaN where the source does not say.
        n_texts: how many texts.
    """

    text: Ids
    index: Ids
    token: Names
    id: Ids
    kind: Names
    type: Ids
    length: Ids
    subword: Mask
    position: PerToken
    frequency: PerToken
    n_texts: int

    def __len__(self) -> int:
        return len(self.text)

    @property
    def compared(self) -> Mask:
        """Tokens of a content or function word: those whose kinds the claims compare."""
        compared: Mask = (self.kind == "content") | (self.kind == "function")
        return compared


@dataclass(frozen=True, eq=False, kw_only=True)
class Score:
    """One number per token: the interface of strength and of everything it is compared with.

    Attributes:
        name: ``norm``, ``centred``, ``attention`` ...: as in JSON.
        title: in words, for people.
        layer: where it was taken; None where it belongs to no layer.
        values: [tokens]; NaN where not measured (outside of the sample, special tokens).
        seconds_per_1000_tokens: what measuring it cost on this machine; None: not measured.
        role: ``strength``, ``variant`` (of it), ``baseline`` or ``control``.
        top_share: of norms, the share of the squared norm in the 1 and the 3 dimensions that
            carry most of it; None where it is no norm.
        note: definition, fit split, λ, rule: what a reader needs to make it again.
        missing: why it is not available; values are all NaN then. "" where it is.
    """

    name: str
    title: str
    layer: int | None
    values: PerToken
    seconds_per_1000_tokens: float | None = None
    role: str = "variant"
    top_share: tuple[float, float] | None = None
    note: str = ""
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What a test found.

    Attributes:
        effect: None where it cannot be tested.
        interval: of the effect, 95 %, over texts and word types.
        p: one-sided, in the direction of the claim.
        n: how many there were of what: ``texts``, ``types``, ``tokens``, ``pairs`` ...
        missing: why it cannot be tested; "" where it can.
    """

    effect: float | None
    interval: Interval | None
    p: float | None
    n: Mapping[str, int] = field(default_factory=dict[str, int])
    missing: str = ""


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
        id: ``C1`` ... ``C9``.
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


@dataclass(frozen=True, kw_only=True)
class Control:
    """Something in which the audit must find nothing.

    Attributes:
        control: ``shuffled weights``, ``random score``, ``normalised state``.
        score: the score that was taken.
        layer: None where it belongs to none.
        auc: content above function within texts.
        interval: 95 %.
        passed: the interval holds .5.
        note: how it was made: seed, draws.
    """

    control: str
    score: str
    layer: int | None
    auc: float | None
    interval: Interval | None
    passed: bool | None
    note: str


@dataclass(frozen=True, kw_only=True)
class NormAtLayer:
    """What normalisation does to the strength at one layer.

    Attributes:
        layer: of the hidden states.
        layout: ``post-LayerNorm``, ``post-RMSNorm``, ``pre-LayerNorm``, ``pre-RMSNorm``,
            ``unknown``, found from the numbers.
        module: name of the norm module whose output (post) or input (pre) the hidden state is.
        level: S* = sqrt(Σγ² + ‖β‖²), the strength where energy is spread evenly; None if not post.
        error: largest |predicted − measured| / measured of the strengths; None if not post.
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
        interval: of the lift, 95 %; None where HIGH is empty.
        p: two-sided, of lift = 1.
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
        bucket: ``HIGH``, ``rarest`` (tokens), ``nearest`` (to the edit), ``random``.
        tokens: ``all``; ``unchanged``, counted anew among themselves; ``replaced``, what they add
            to the row of all.
        distance: ``shift`` (Δ), ``cosine`` (1 − cos), ``standardised``.
        ratio: mean of R over the pairs.
        chance: mean of k/n.
        excess: mean of R − k/n.
        interval: of the excess, 95 %.
        pairs: how many pairs of texts.
        note: what was left out.
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


@dataclass(frozen=True, kw_only=True)
class ConfoundRow:
    """How much of the effect a confound takes, or how strongly the strength goes with it.

    Attributes:
        group: ``alone``, ``stratified``, ``model``, ``partial``, ``matched``, ``correlation``.
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
