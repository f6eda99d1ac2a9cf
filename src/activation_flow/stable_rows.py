"""How much of a score's order small changes leave, text by text -> rows, counts and notes.

The measures of each text stand in stability; where they come from, in stable. No model.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from activation_flow import stability
from activation_flow.explanation_tables import StableRow

if TYPE_CHECKING:
    from jaxtyping import Float

    PerLayer = Float[np.ndarray, "layers"]
else:
    PerLayer = np.ndarray

FEWEST = 3  # aligned tokens: of two, τ is 1 or -1
_TAU, _SHARE = (-1.0, 1.0), (0.0, 1.0)  # what can be
_ALIGNED = "aligned are equal pieces of both texts, special tokens left out"
_FOLDED = "aligned are pieces that are equal but for case, special tokens left out"


class Judged(NamedTuple):
    """A text beside its change, [layers] each."""

    text: int
    tau: PerLayer
    jaccard: PerLayer
    chance: PerLayer
    same: bool
    aligned: int
    unaligned: int


class Of(NamedTuple):
    """What rows are of: a change, a score, its layers; why there are none, or ""."""

    change: str
    score: str
    title: str
    layers: tuple[int | None, ...]
    missing: str = ""


def counted(
    wanted: int, asked: int, measured: int, good: Sequence[Judged], at: int
) -> dict[str, int]:
    """The counts of ``Stable`` of one change.

    Args:
        wanted: how many texts were to have it.
        asked: of these, how many do.
        measured: of these, how many the model could read.
        good: those with enough aligned tokens.
        at: the place of the main layer.
    """
    return {
        "asked": wanted,
        "without": wanted - asked,
        "failed": asked - measured,
        "short": measured - len(good),
        "texts": len(good),
        "same": sum(one.same for one in good),
        "tied": sum(bool(np.isnan(one.tau[at])) for one in good),
        "without_high": sum(bool(np.isnan(one.jaccard[at])) for one in good),
        "aligned": sum(one.aligned for one in good),
        "unaligned": sum(one.unaligned for one in good),
    }


def rows(
    of: Of, good: Sequence[Judged], done: Mapping[str, int], lost: int = 0
) -> Iterator[StableRow]:
    """One row per layer.

    Args:
        of: what they are of.
        good: the texts that have this change and enough aligned tokens.
        done: what was done to how many texts.
        lost: of how many more such texts the score is not known.
    """
    text = np.array([one.text for one in good], dtype=np.int64)
    what = "; ".join(f"{what}: {n:,}" for what, n in done.items())
    aligned = _FOLDED if of.change == "case" else _ALIGNED
    without = f"texts of which the score is not known, left out: {lost:,}" if lost else ""
    note = "; ".join(filter(None, (what, aligned, without))) if what else ""
    nothing = f"no text has this change and {FEWEST} aligned tokens" if not good else ""
    for k, layer in enumerate(of.layers):
        tau, tau_interval = stability.mean_over_clusters(_at(good, "tau", k), text, _TAU)
        share, share_interval = stability.mean_over_clusters(_at(good, "jaccard", k), text, _SHARE)
        chance, _ = stability.mean_over_clusters(_at(good, "chance", k), text, _SHARE)
        yield StableRow(
            change=of.change,
            score=of.score,
            title=of.title,
            layer=layer,
            tau=tau,
            tau_interval=tau_interval,
            jaccard=share,
            jaccard_interval=share_interval,
            chance=chance,
            same=sum(one.same for one in good) / len(good) if good else 0.0,
            texts=len(good),
            tokens=sum(one.aligned for one in good),
            note=note,
            missing=of.missing or nothing,
        )


def _at(good: Sequence[Judged], measure: str, k: int) -> np.ndarray:
    """A measure of every text at a layer."""
    return np.array([getattr(one, measure)[k] for one in good], dtype=np.float64)


def notes(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """What was left out of each change, where there is something."""
    words = {
        "without": "without the change",
        "short": f"with less than {FEWEST} aligned tokens",
        "tied": "whose norms are all tied at the main layer, in τ",
        "without_high": "without an aligned HIGH token at the main layer, in the Jaccard index",
    }
    for name, of in counts.items():
        left = [f"{of[key]:,} {told}" for key, told in words.items() if of[key]]
        if left:
            yield f"{name}: of {of['asked']:,} texts left out: {'; '.join(left)}"
