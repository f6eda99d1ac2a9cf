"""The primary test of C3: does a layer stand out from the others, and is it the one asked for?

Layers are compared on the same tokens, so how their AUCs vary together over texts and word types
is estimated, and the largest of the differences is held against the largest that noise of that
kind gives (max-T). No layers are permuted: they are no sample of anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import AuditTokens, Interval, Tested
from activation_flow.claim_tests import WORDS, counted, untested, why_untestable
from activation_flow.crossed import Crossed, clusters, covariance, crossed, interval, moves
from activation_flow.data import ActivationFlowError, Mask, Strength
from activation_flow.stats import TIE
from activation_flow.within import Grouped, WithinAuc, by_kind, within_auc

if TYPE_CHECKING:
    from jaxtyping import Float

    PerLayer = Float[np.ndarray, "layers"]
    Contributions = Float[np.ndarray, "layers tokens"]
else:
    PerLayer = Contributions = np.ndarray

DRAWS = 10_000  # of a few normal numbers each
LIGHTER = 2  # times the degrees of freedom; docs/design.md has the measurement


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A layer picked on one half of the texts, judged on the other.

    Attributes:
        layer: its place among the layers that were given.
        difference: its AUC less the mean of the others', on the other half.
        interval: 95 %, over texts and word types.
    """

    layer: int
    difference: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Standout:
    """Which layer stands out, and how far each is from the mean of the others.

    Attributes:
        tested: effect is the difference of the layer that was asked for; p is that of any layer.
        layer: place of the layer with the largest difference; None where not testable.
        aucs: of each layer.
        differences: of each layer, its AUC less the mean of the others'.
        picks: from one half and from the other; empty where a half cannot be tested.
    """

    tested: Tested
    layer: int | None = None
    aucs: tuple[float, ...] = ()
    differences: tuple[float, ...] = ()
    picks: tuple[Pick, ...] = ()


def layer_stands_out(
    tokens: AuditTokens,
    strengths: Strength,
    layer_index: int,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Standout:
    """C3: one layer sets content words further above function words than the others do.

    Args:
        tokens: all tokens.
        strengths: [layers tokens], of every layer but one that is taken after a final norm.
        layer_index: place of the layer that was asked for among these.
        draws: how often noise is drawn.
        seed: of these, and of the halves.

    Returns:
        Its p is that of the largest difference in units of its error, one-sided. A token that is
        NaN at any layer is left out at all.

    Raises:
        ActivationFlowError: there is no such layer.
    """
    if not 0 <= layer_index < len(strengths):
        raise ActivationFlowError(
            f"layer_index must be from 0 to {len(strengths) - 1}, got {layer_index}"
        )
    part = tokens.compared & np.isfinite(strengths).all(axis=0)
    missing = why_untestable(by_kind(tokens), part, WORDS)
    if len(strengths) < 2:
        missing = "there is no other layer to compare with"
    if missing:
        return Standout(tested=untested(missing))
    found = _of_layers(tokens, strengths, part)
    differences, against = contrasts(found)
    spreads = [_spread(found[0], row) for row in against]
    p = largest_p(differences, against, found[0], spreads, draws=draws, seed=seed)
    own = float(differences[layer_index])
    return Standout(
        tested=Tested(
            effect=own,
            interval=interval(own, spreads[layer_index]),
            p=p,
            n={**counted(found[0]), "layers": len(strengths)},
            method=f"{draws:,} draws of multivariate t noise, seed {seed}",
        ),
        layer=int(np.argmax(differences)),
        aucs=tuple(one.value for one in found),
        differences=tuple(map(float, differences)),
        picks=picks(tokens, strengths, part, seed=seed),
    )


def _of_layers(tokens: AuditTokens, strengths: Strength, part: Mask) -> list[WithinAuc]:
    one = (tokens.kind == "content")[part]
    grouped = Grouped(one, ~one, tokens.text[part], tokens.type[part])
    return [within_auc(grouped, layer[part]) for layer in strengths]


def contrasts(found: Sequence[WithinAuc]) -> tuple[PerLayer, Contributions]:
    """Each layer's AUC less the mean of the others', and the tokens' influences on that."""
    values = np.array([one.value for one in found])
    influences = np.stack([one.contributions for one in found])
    scale = len(found) / (len(found) - 1)  # from the mean of all to the mean of the others
    return scale * (values - values.mean()), scale * (influences - influences.mean(axis=0))


def _spread(of: WithinAuc, contributions: PerLayer) -> Crossed:
    text, type_ = of.grouped.text, of.grouped.type_
    return crossed(contributions, text, type_, weight=of.weight, paired=True)


def largest_p(
    differences: PerLayer,
    against: Contributions,
    of: WithinAuc,
    spreads: Sequence[Crossed],
    *,
    draws: int,
    seed: int,
) -> float:
    """How often noise that varies together as the layers do has a difference as large.

    Noise is of Student's multivariate t, with twice the layers' median degrees of freedom. With
    once as many it is too rare that a layer of none stands out (1 to 2 % at 5 %): where few words
    make the difference they make its error too, and extremes are rarer than Student's.
    """
    errors = np.array([one.error for one in spreads])
    if not np.isfinite(errors).all():
        return 1.0
    used = errors > 0
    if not used.any():
        return 1.0 if np.ptp(differences) == 0 else 1 / (draws + 1)
    seen = of.weight > 0
    cluster = clusters(of.grouped.text[seen], of.grouped.type_[seen])
    moved = moves(against[used][:, seen], cluster, of.weight[seen], paired=True)
    values, vectors = np.linalg.eigh(covariance(moved))
    root = vectors * np.sqrt(np.clip(values, 0, None))  # what is negative was none
    root /= np.maximum(np.linalg.norm(root, axis=1, keepdims=True), TIE)  # of standard deviation 1
    random = np.random.default_rng(seed)
    degrees = LIGHTER * np.median([one.degrees for one in spreads])
    noise = random.standard_normal((draws, len(root))) @ root.T
    noise /= np.sqrt(random.chisquare(degrees, (draws, 1)) / degrees)
    largest = (differences[used] / errors[used]).max() - TIE
    return float(1 + np.count_nonzero(noise.max(axis=1) >= largest)) / (draws + 1)


def picks(tokens: AuditTokens, strengths: Strength, part: Mask, *, seed: int) -> tuple[Pick, ...]:
    """The layer with the largest difference on a random half of the texts, judged on the other."""
    order = np.random.default_rng(seed).permutation(tokens.n_texts)
    first = (order % 2 == 0)[tokens.text]
    halves = []
    for half in (part & first, part & ~first):
        if why_untestable(by_kind(tokens), half, WORDS):
            return ()
        halves.append(_of_layers(tokens, strengths, half))
    found = []
    for here, there in (halves, reversed(halves)):
        layer = int(np.argmax(contrasts(here)[0]))
        differences, against = contrasts(there)
        value = float(differences[layer])
        ends = interval(value, _spread(there[0], against[layer]))
        found.append(Pick(layer=layer, difference=value, interval=ends))
    return tuple(found)
