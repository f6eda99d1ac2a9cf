"""What the tests of an audit found: all that verdicts follow from. Computes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from activation_flow.audit_data import Interval, Tested
from activation_flow.audit_tables import ConfoundRow, Detail, RatioRow
from activation_flow.claim_tests_better import Better
from activation_flow.claim_tests_confounds import Beyond
from activation_flow.claim_tests_high import Consistent
from activation_flow.claim_tests_layers import Standout
from activation_flow.claim_tests_salient import Salient
from activation_flow.claim_tests_skew import Skewed
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, ProbeRow
from activation_flow.kind_places import Places

Judged = tuple[str, str, Sequence[Detail]]  # verdict, sentence, details


@dataclass(frozen=True, kw_only=True)
class Beside:
    """An AUC and how far the strength's is above it, on the same tokens.

    Attributes:
        auc: of the other.
        difference: the strength's less that.
        interval: of the difference, 95 %.
    """

    auc: float
    difference: float
    interval: Interval

    @property
    def own(self) -> float:
        """The strength's AUC on the tokens that both have."""
        return self.auc + self.difference


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """A score that needs less than strength does, beside it.

    Attributes:
        title: in words.
        beside: its AUC, and the strength's above it.
    """

    title: str
    beside: Beside


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that verdicts follow from.

    Attributes:
        layer: the one that was asked about.
        next_layer: the one above it.
        layers: all that were measured.
        content: of C1.
        frequency: where frequencies come from, in a few words: ``vocabulary rank`` ...
        baselines: beside C1, each baseline of no layer, or of this one.
        shuffled: the copy of the model with shuffled weights; None where there was none.
        beyond: of C2.
        stratified: beside C2, strength against confounds held alike: AUC among words of like
            frequency, and how many pairs that leaves.
        standout: of C3.
        high: of C4.
        high_rate: share of HIGH among content and function tokens.
        ratio: of C5.
        ratios: R of every bucket.
        pair_details: of single pairs.
        punctuation: of C7.
        places: of kinds and special tokens.
        skew: of C8.
        difference: of C9.
        better: of C6.
        faithful: beside C6, how faithful each score is.
        plausible: beside C6, how well each finds the words that people marked.
        prompted: of C10.
        probes: beside C10, what is read under each prompt.
        salient: of C11.
        salient_words: which words these are, as in "of a word that people marked".
    """

    layer: int
    next_layer: int
    layers: tuple[int, ...]
    content: Tested
    frequency: str
    baselines: tuple[Baseline, ...]
    shuffled: Beside | None
    beyond: Beyond
    stratified: tuple[ConfoundRow, ...]
    standout: Standout
    high: Consistent
    high_rate: float
    ratio: Tested
    ratios: tuple[RatioRow, ...]
    pair_details: tuple[Detail, ...]
    punctuation: Tested
    places: Places | None
    skew: Skewed
    difference: Tested
    better: Better
    faithful: tuple[FaithfulRow, ...]
    plausible: tuple[PlausibleRow, ...]
    prompted: Tested
    probes: tuple[ProbeRow, ...]
    salient: Salient
    salient_words: str
