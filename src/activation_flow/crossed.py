"""How far an estimate would move with other texts and other words: both are samples.

A word recurs in many texts, so tokens of different texts are not independent: intervals over texts
alone are too narrow (Clark 1973, "The language-as-fixed-effect fallacy"). Here the variance is
that between texts, plus that between word types, minus that between tokens of one type in one
text, which both contain (Cameron, Gelbach and Miller 2011, "Robust inference with multiway
clustering"). Each part is a delete-one-cluster jackknife: the estimate is made again without the
text or the type, so that a type as frequent as "the" counts for all that it moves. Degrees of
freedom follow Satterthwaite (1946) from how unequal the clusters are. docs/design.md has the
measurements of coverage. Knows no score and no claim.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import Interval, PerToken
from activation_flow.data import Ids
from activation_flow.stats import CONFIDENCE, mean_interval

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    PerCluster = Float[np.ndarray, "... clusters"]
    PerScore = Float[np.ndarray, "... tokens"]
    OfCell = Int[np.ndarray, "cells"]
    Covariance = Float[np.ndarray, "scores scores"]
else:
    PerCluster = PerScore = OfCell = Covariance = np.ndarray

LEAST = 4.0  # degrees of freedom, where there are as many clusters; docs/design.md says why
ALL = 1 - 1e-9  # a cluster with this share of the weight is everything: nothing is left without it


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """How uncertain an estimate is, over texts and word types.

    Attributes:
        variance: of the estimate; infinite where there are not two texts and two types.
        degrees: of freedom, of Student's t; at least 1.
        texts: how many texts take part.
        types: how many word types.
    """

    variance: float
    degrees: float
    texts: int
    types: int

    @property
    def error(self) -> float:
        """The standard error."""
        return float(np.sqrt(self.variance))


@dataclass(frozen=True, eq=False, kw_only=True)
class Clusters:
    """Which text, which type and which cell (text and type) each token is of, without gaps.

    Attributes:
        text: of each token, from 0.
        type_: of each token, from 0.
        cell: of each token, from 0: tokens of one type in one text.
        cell_text: the text of each cell.
        cell_type: the type of each cell.
        texts: how many texts.
        types: how many types.
    """

    text: Ids
    type_: Ids
    cell: Ids
    cell_text: OfCell
    cell_type: OfCell
    texts: int
    types: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Moves:
    """How far the estimate moves without each cluster, up to the sign.

    Attributes:
        text: [... texts].
        type_: [... types].
        cell: [... cells].
        text_share: the texts' shares of the weight.
        type_share: the types' shares of the weight.
        cell_share: the cells' shares of the weight.
    """

    text: PerCluster
    type_: PerCluster
    cell: PerCluster
    text_share: PerCluster
    type_share: PerCluster
    cell_share: PerCluster


def clusters(text: Ids, type_: Ids) -> Clusters:
    """Texts, types and cells, numbered without gaps.

    >>> clusters(np.array([3, 3, 8]), np.array([5, 5, 2])).cell
    array([0, 0, 1])
    """
    texts, of_text = np.unique(text, return_inverse=True)
    types, of_type = np.unique(type_, return_inverse=True)
    cells, of_cell = np.unique(of_text * max(len(types), 1) + of_type, return_inverse=True)
    cell_text, cell_type = np.divmod(cells, max(len(types), 1))
    return Clusters(
        text=of_text, type_=of_type, cell=of_cell, cell_text=cell_text, cell_type=cell_type,
        texts=len(texts), types=len(types),
    )  # fmt: skip


def crossed(
    contributions: PerToken,
    text: Ids,
    type_: Ids,
    *,
    weight: PerToken | None = None,
    paired: bool = False,
    of_types: PerToken | None = None,
) -> Crossed:
    """Variance of an estimate that is a sum of its tokens' contributions.

    Args:
        contributions: the token's influence on the estimate. Of a ratio Σy / Σw it is
            (y - ratio w) / Σw; of a mean (y - mean) / n. They sum to 0. NaN: the token is left out.
        text: its text.
        type_: its word type.
        weight: its part w of the denominator, in any unit; None: all have the same.
        paired: the estimate is a mean over pairs of tokens of one text, and each pair is in the
            contributions of both its tokens, so that a text's sum holds it twice.
        of_types: what to take for the contributions where types are concerned, if it is not the
            same: where tokens of a text stand against each other (only k of them can be HIGH), a
            type moves also what the others contribute.

    Returns:
        The variance. It is never below that over texts alone: what types add to it cannot be
        negative, though its estimate can. It may be below that over types alone, and must, where
        tokens of a text stand against each other, as if only so many of them can be HIGH.

    >>> values, words = np.array([1.0, 2.0, 4.0, 5.0]), np.arange(4)
    >>> of_mean = crossed((values - 3) / 4, words, words)  # each token a text and a type
    >>> round(of_mean.variance, 4), round(float(values.var(ddof=1)) / 3, 4)
    (1.1111, 1.1111)
    """
    part = np.isfinite(contributions)
    weight = np.ones(len(part)) if weight is None else weight
    of = clusters(text[part], type_[part])
    moved = moves(contributions[part], of, weight[part], paired=paired)
    if of_types is not None:
        others = moves(of_types[part], of, weight[part], paired=paired)
        moved = replace(others, text=moved.text)
    return spread(moved, of)


def moves(contributions: PerScore, of: Clusters, weight: PerToken, *, paired: bool) -> Moves:
    """What leaving out each text, type and cell does to the estimate, of one or several scores.

    Without a cluster of share h of the weight, whose contributions sum to c, a ratio moves by
    c / (1 - h), exactly.
    """
    twice = 2 if paired else 1
    weight = weight * twice / weight.sum()
    text_share = _sums(weight, of.text, of.texts) / twice
    type_share = _sums(weight, of.type_, of.types)
    cell_share = _sums(weight, of.cell, len(of.cell_text))
    return Moves(
        text=_without(_sums(contributions, of.text, of.texts) / twice, text_share),
        type_=_without(_sums(contributions, of.type_, of.types), type_share),
        cell=_without(_sums(contributions, of.cell, len(of.cell_text)), cell_share),
        text_share=text_share,
        type_share=type_share,
        cell_share=cell_share,
    )


def _sums(values: PerScore, cluster: Ids, n: int) -> PerCluster:
    if values.ndim == 1:
        return np.bincount(cluster, values, n)
    return np.stack([np.bincount(cluster, row, n) for row in values])


def _without(sums: PerCluster, share: PerCluster) -> PerCluster:
    moved: PerCluster = sums / np.where(share < ALL, 1 - share, 1.0)
    return moved


def spread(moved: Moves, of: Clusters) -> Crossed:
    """Variance and degrees of freedom from what leaving out each cluster does to one estimate.

    The variance between types is taken for one of their cells, each of which adds the square of
    its share, and one of their own, to which each type adds the square of its; so is that between
    texts. A sum of squares that are expected to be v has (Σv)² / Σv² degrees of freedom, less the
    one of the mean; but no fewer than 4, if there are as many clusters. Where one type is most of
    its kind, leaving it out moves the estimate by more than its own deviation, so the variance is
    too large already, and one degree of freedom besides would make every interval say nothing.
    """
    alone = (of.texts, of.types)
    if min(alone) < 2 or moved.text_share.max() >= ALL or moved.type_share.max() >= ALL:
        return Crossed(variance=float("inf"), degrees=1.0, texts=of.texts, types=of.types)
    by_cell = float((moved.cell**2).sum())
    by_text, by_type = float((moved.text**2).sum()), float((moved.type_**2).sum())
    variance = by_text + max(0.0, by_type - by_cell)
    noise = by_cell * moved.cell_share**2 / (moved.cell_share**2).sum()
    text_noise = _sums(noise, of.cell_text, of.texts)
    type_noise = _sums(noise, of.cell_type, of.types)
    uncertain = by_text**2 / _degrees(by_text, text_noise, moved.text_share)
    uncertain += by_type**2 / _degrees(by_type, type_noise, moved.type_share)
    clusters = float(min(alone) - 1)
    degrees = variance**2 / uncertain if uncertain > 0 else clusters
    degrees = max(1.0, min(LEAST, clusters), degrees)
    return Crossed(variance=variance, degrees=degrees, texts=of.texts, types=of.types)


def _degrees(total: float, noise: PerCluster, share: PerCluster) -> float:
    own = max(0.0, total - float(noise.sum()))
    expected = noise + own * share**2 / (share**2).sum()
    squares = float((expected**2).sum())
    return max(1.0, float(expected.sum()) ** 2 / squares - 1) if squares > 0 else 1.0


def covariance(moved: Moves) -> Covariance:
    """Covariances of several estimates on the same tokens; not always positive semi-definite."""
    found: Covariance = (
        moved.text @ moved.text.T + moved.type_ @ moved.type_.T - moved.cell @ moved.cell.T
    )
    return found


def interval(estimate: float, spread: Crossed, *, bounds: Interval | None = None) -> Interval:
    """The 95 % interval of an estimate, by Student's t.

    Args:
        estimate: what was found.
        spread: its variance and degrees of freedom.
        bounds: where the estimate can only be between two numbers (an AUC, a share): Wilson's
            interval, which stays between them, and is wide where the estimate is at one of them.

    Returns:
        Low and high; the bounds, or minus and plus infinity, where there are not two texts and two
        types.

    >>> known = Crossed(variance=0.05**2, degrees=39, texts=40, types=90)
    >>> [round(end, 3) for end in interval(0.3, known, bounds=(0, 1))]
    [0.21, 0.408]
    >>> [round(end, 3) for end in interval(0.3, known)]
    [0.199, 0.401]
    """
    if not np.isfinite(spread.variance):
        return bounds or (-float("inf"), float("inf"))
    if bounds is None:
        half = _quantile(spread.degrees) * spread.error
        return float(estimate - half), float(estimate + half)
    low, width = bounds[0], bounds[1] - bounds[0]
    ends = mean_interval(
        (estimate - low) / width, spread.variance / width**2, int(spread.degrees) + 1
    )
    return low + width * ends[0], low + width * ends[1]


def _quantile(degrees: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))


def p_above(estimate: float, spread: Crossed, null: float = 0.0) -> float:
    """One-sided p of an estimate above its null, by Student's t; 1 - p is that of one below.

    >>> known = Crossed(variance=0.05**2, degrees=39, texts=40, types=90)
    >>> round(p_above(0.6, known, 0.5), 4)
    0.0262
    """
    from scipy.special import stdtr

    if not np.isfinite(spread.variance):
        return 1.0
    if spread.variance == 0:
        return 0.0 if estimate > null else 1.0
    return float(stdtr(spread.degrees, (null - estimate) / spread.error))


def p_apart(estimate: float, spread: Crossed, null: float = 0.0) -> float:
    """Two-sided p of an estimate other than its null, by Student's t.

    >>> known = Crossed(variance=0.05**2, degrees=39, texts=40, types=90)
    >>> round(p_apart(0.4, known, 0.5), 4)
    0.0525
    """
    if estimate == null:
        return 1.0
    above = p_above(estimate, spread, null)
    return min(1.0, 2 * min(above, 1 - above)) if np.isfinite(spread.variance) else 1.0
