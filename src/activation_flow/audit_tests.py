"""All primary tests of an audit, run on what was measured, and what stands beside them.

The tests themselves are pure functions in claim_tests*.py; verdicts follow in verdicts.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from activation_flow import audit_rows, claim_tests, ratios
from activation_flow.audit_data import AuditTokens, PerToken, Score, Tested
from activation_flow.audit_pairs import Moved
from activation_flow.audit_tables import ConfoundRow
from activation_flow.claim_tests_confounds import beyond_confounds
from activation_flow.claim_tests_high import consistently_high
from activation_flow.claim_tests_layers import layer_stands_out
from activation_flow.claim_tests_shift import above_chance
from activation_flow.claim_tests_skew import right_skew
from activation_flow.data import Strength
from activation_flow.findings import Baseline, Findings
from activation_flow.kind_places import kind_places
from activation_flow.threshold_sweep import Cut, high_tokens


@dataclass(frozen=True, eq=False, kw_only=True)
class Evidence:
    """What is tested.

    Attributes:
        tokens: of the audited texts.
        layers: those that were measured, ascending, from 0.
        at: place among them of the layer that the claims are about.
        norms: [layers tokens], strengths, finite.
        n_layers: how many blocks the model has.
        shuffled: of each copy with shuffled weights, its strengths, [layers tokens]; NaN outside
            of the sample.
        moved: aligned tokens of pairs of texts.
        cls_id: vocabulary number of the tokenizer's cls token; None if it has none.
    """

    tokens: AuditTokens
    layers: tuple[int, ...]
    at: int
    norms: Strength
    n_layers: int
    shuffled: tuple[Strength, ...]
    moved: Moved
    cls_id: int | None

    @property
    def strength(self) -> PerToken:
        """At the layer that the claims are about."""
        return np.asarray(self.norms[self.at], dtype=np.float64)


def findings(
    given: Evidence,
    scores: Sequence[Score],
    confounds: Sequence[ConfoundRow],
    *,
    draws: int,
    seed: int,
) -> Findings:
    """Every test, once.

    Args:
        given: what is tested.
        scores: all that stand beside strength.
        confounds: what is left of strength beside its confounds.
        draws: of every permutation test.
        seed: of these.
    """
    tokens, strength, main = given.tokens, given.strength, given.layers[given.at]
    often = {"draws": draws, "seed": seed}
    high = high_tokens(strength, tokens.kind != "special", tokens.text, Cut())
    compared = tokens.compared
    copies = [copy[given.at] for copy in given.shuffled]
    return Findings(
        layer=main,
        next_layer=main + 1,
        layers=given.layers,
        content=claim_tests.content_above_function(tokens, strength, **often),
        frequency=tokens.frequency_name.removeprefix("rarity by "),
        baselines=tuple(_baselines(given, scores)),
        shuffled=audit_rows.beside(strength, copies, tokens),
        beyond=beyond_confounds(tokens, strength, **often),
        stratified=tuple(row for row in confounds if row.group == "stratified"),
        standout=layer_stands_out(tokens, given.norms, given.at, seed=seed),
        high=consistently_high(tokens, high, **often),
        high_rate=float(high[compared].mean()) if compared.any() else float("nan"),
        ratio=above_chance(given.moved),
        ratios=ratios.ratios(given.moved),
        pair_details=ratios.pair_details(given.moved, seed=seed),
        punctuation=claim_tests.words_above_punctuation(tokens, strength, **often),
        places=kind_places(tokens, strength, given.cls_id),
        skew=right_skew(tokens, strength),
        difference=_next(given, draws, seed),
    )


def _baselines(given: Evidence, scores: Sequence[Score]) -> Iterator[Baseline]:
    """Those of no layer or of the claims' own, beside strength on the tokens that both have."""
    for score in scores:
        if score.role == "baseline" and score.layer in (None, given.layers[given.at]):
            found = audit_rows.beside(given.strength, [score.values], given.tokens)
            if found is not None:
                yield Baseline(title=score.title, beside=found)


def _next(given: Evidence, draws: int, seed: int) -> Tested:
    """This layer against the one above it, where that can be set beside it."""
    if given.at + 1 < len(given.layers):
        at, above = given.norms[given.at], given.norms[given.at + 1]
        return claim_tests.more_than_next(given.tokens, at, above, draws=draws, seed=seed)
    if given.layers[given.at] < given.n_layers:
        return claim_tests.untested("the layer above it is taken after the final norm")
    return claim_tests.untested("there is no layer above it")
