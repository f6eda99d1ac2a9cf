"""All primary tests of an audit, run on what was measured, and what stands beside them.

The tests themselves are pure functions in claim_tests*.py; verdicts follow in verdicts.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from activation_flow import audit_rows, ratios
from activation_flow.audit_data import AuditTokens, PerToken, Score, Tested
from activation_flow.audit_pairs import Moved
from activation_flow.audit_parts import CLAIMS
from activation_flow.audit_tables import ConfoundRow
from activation_flow.claim_tests import (
    content_above_function,
    more_than_next,
    untested,
    words_above_punctuation,
)
from activation_flow.claim_tests_better import Better
from activation_flow.claim_tests_confounds import Beyond, beyond_confounds
from activation_flow.claim_tests_high import Consistent, consistently_high
from activation_flow.claim_tests_layers import Standout, layer_stands_out
from activation_flow.claim_tests_salient import Salient
from activation_flow.claim_tests_shift import above_chance
from activation_flow.claim_tests_skew import Skewed, right_skew
from activation_flow.data import Strength
from activation_flow.explanations import Explanations
from activation_flow.findings import Baseline, Findings
from activation_flow.kind_places import kind_places
from activation_flow.prompt_gains import Probed
from activation_flow.salient import SalientUnits
from activation_flow.threshold_sweep import Cut, high_tokens

NO_LABELS = "it takes labelled texts (--labels)"
NO_SALIENT = "it takes words that people marked (--rationales), or a list of words (--salient)"


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
        moved: aligned tokens of pairs of texts; None: there are none.
        cls_id: vocabulary number of the tokenizer's cls token; None if it has none.
        explanations: what bears on strength as an explanation.
        salient: words that should stand out, and others; None: nobody says which.
        probed: what is read under prompts; None: there are no labels.
    """

    tokens: AuditTokens
    layers: tuple[int, ...]
    at: int
    norms: Strength
    n_layers: int
    shuffled: tuple[Strength, ...]
    moved: Moved | None
    cls_id: int | None
    explanations: Explanations
    salient: SalientUnits | None
    probed: Probed | None

    @property
    def strength(self) -> PerToken:
        """At the layer that the claims are about."""
        return np.asarray(self.norms[self.at], dtype=np.float64)


def findings(
    given: Evidence,
    scores: Sequence[Score],
    confounds: Sequence[ConfoundRow],
    asked: Sequence[str] = CLAIMS,
    *,
    draws: int,
    seed: int,
) -> Findings:
    """Every test that is asked for, once; the others say that they were not.

    Args:
        given: what is tested.
        scores: all that stand beside strength.
        confounds: what is left of strength beside its confounds.
        asked: ids of claims.
        draws: of every permutation test.
        seed: of these.
    """
    tokens, strength, main = given.tokens, given.strength, given.layers[given.at]
    often = {"draws": draws, "seed": seed}
    none = untested("it was not asked for")
    high = high_tokens(strength, tokens.kind != "special", tokens.text, Cut())
    compared = tokens.compared
    copies = [copy[given.at] for copy in given.shuffled]
    moved = given.moved
    return Findings(
        layer=main,
        next_layer=main + 1,
        layers=given.layers,
        content=content_above_function(tokens, strength, **often) if "C1" in asked else none,
        frequency=tokens.frequency_name.removeprefix("rarity by "),
        baselines=tuple(_baselines(given, scores)) if "C1" in asked else (),
        shuffled=audit_rows.beside(strength, copies, tokens),
        beyond=beyond_confounds(tokens, strength, **often)
        if "C2" in asked
        else Beyond(tested=none),
        stratified=tuple(row for row in confounds if row.group == "stratified"),
        standout=layer_stands_out(tokens, given.norms, given.at, seed=seed)
        if "C3" in asked
        else Standout(tested=none),
        high=consistently_high(tokens, high, **often) if "C4" in asked else Consistent(tested=none),
        high_rate=float(high[compared].mean()) if compared.any() else float("nan"),
        ratio=none if moved is None else above_chance(moved),
        ratios=() if moved is None else ratios.ratios(moved),
        pair_details=() if moved is None else ratios.pair_details(moved, seed=seed),
        punctuation=words_above_punctuation(tokens, strength, **often) if "C7" in asked else none,
        places=kind_places(tokens, strength, given.cls_id),
        skew=right_skew(tokens, strength) if "C8" in asked else Skewed(tested=none),
        difference=_next(given, draws, seed) if "C9" in asked else none,
        better=given.explanations.better(scores)
        if "C6" in asked
        else Better(tested=none, measure="", means=()),
        faithful=given.explanations.faithful_rows(scores),
        plausible=given.explanations.plausible_rows(),
        prompted=untested(NO_LABELS) if given.probed is None else given.probed.tested,
        probes=() if given.probed is None else given.probed.rows,
        salient=given.salient.tested() if given.salient else Salient(tested=untested(NO_SALIENT)),
        salient_words=given.salient.name if given.salient else "",
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
        return more_than_next(given.tokens, at, above, draws=draws, seed=seed)
    if given.layers[given.at] < given.n_layers:
        return untested("the layer above it is taken after the final norm")
    return untested("there is no layer above it")
