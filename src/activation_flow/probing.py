"""How well labels can be read from vectors: a logistic probe, cross-validated, and its rows.

Each text is judged once, by a probe that has not seen it; the folds are the same for all vectors,
so that two of them can be compared text by text. Intervals are over texts, taking the probes as
they were fitted. Sources: Wilson (1927); Agresti and Min (2005), "Simple improved confidence
intervals for comparing matched proportions".
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import shift as formulas
from activation_flow.audit_data import Interval
from activation_flow.audit_defaults import FOLDS
from activation_flow.data import Ids
from activation_flow.explanation_tables import ProbeRow
from activation_flow.stats import CONFIDENCE, mean_interval

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    Vectors = Float[np.ndarray, "texts width"]
    Values = Float[np.ndarray, "variants layers vectors texts width"]
    Correct = Bool[np.ndarray, "texts"]
    AllCorrect = Bool[np.ndarray, "variants layers vectors texts"]
    Distances = Float[np.ndarray, "prompts layers vectors texts"]
else:
    Vectors = Values = Correct = AllCorrect = Distances = np.ndarray

# Variance that the prior gives to a logit of standardised features, however many there are: a
# probability of 0.5 may well be one of 0.04 or 0.96, and so a wide model is no freer than a narrow.
PRIOR = 10.0
STEPS = 1000  # of the solver, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class Probes:
    """What the probes said.

    Attributes:
        correct: [variants layers vectors texts], the text's label was given.
        shift: [prompts layers vectors texts], Δ of the vector from the bare text's.
        cosine: its 1 − cos.
        unsettled: how many of the fitted probes had not come to rest after ``STEPS``.
        fitted: how many were.
    """

    correct: AllCorrect
    shift: Distances
    cosine: Distances
    unsettled: int
    fitted: int


def folds(labels: Ids, seed: int = 0, n: int = FOLDS) -> Ids:
    """Fold of each text, from 0; each label is spread over them as evenly as can be.

    >>> np.bincount(folds(np.repeat([0, 1], 10)), np.repeat([0, 1], 10))
    array([2., 2., 2., 2., 2.])
    """
    from sklearn.model_selection import StratifiedKFold

    found = np.empty(len(labels), dtype=np.int64)
    dealt = StratifiedKFold(n, shuffle=True, random_state=seed)
    for number, (_, judged) in enumerate(dealt.split(labels, labels)):
        found[judged] = number
    return found


def correct(vectors: Vectors, labels: Ids, fold: Ids) -> tuple[Correct, int]:
    """Which texts are given their label by a probe of the other folds, and how many did not settle.

    Features are standardised by the texts that the probe is fitted to. The penalty is such that a
    logit has the prior variance ``PRIOR``; nothing is tuned.

    Args:
        vectors: of each text.
        labels: of each.
        fold: of each; of every label there are texts in at least two.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    wide = vectors.astype(np.float64)
    found, unsettled = np.empty(len(labels), dtype=bool), 0
    for number in np.unique(fold):
        judged = fold == number
        model = LogisticRegression(C=PRIOR / wide.shape[1], max_iter=STEPS)
        probe = make_pipeline(StandardScaler(), model)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            probe.fit(wide[~judged], labels[~judged])
        for one in caught:
            if issubclass(one.category, ConvergenceWarning):
                unsettled += 1
            else:
                warnings.warn(one.message, stacklevel=2)
        found[judged] = probe.predict(wide[judged]) == labels[judged]
    return found, unsettled


def probe(
    values: Values,
    labels: Ids,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Probes:
    """Every vector of every variant, probed, and how far it is from the bare text's.

    Args:
        values: float32; the bare text comes first.
        labels: of each text, numbered from 0.
        seed: of the folds, which all share.
        progress: called with the number of vectors probed, and of how many.
    """
    from threadpoolctl import threadpool_limits

    fold = folds(labels, seed)
    found = np.empty(values.shape[:-1], dtype=bool)
    places = [*np.ndindex(values.shape[:3])]
    unsettled = 0
    with threadpool_limits(1):  # matrices this small cost threads more than they save: 7 times
        for done, place in enumerate(places, 1):
            found[place], more = correct(values[place], labels, fold)
            unsettled += more
            if progress is not None:
                progress(done, len(places))
    moved = np.empty((2, len(values) - 1, *values.shape[1:-1]))
    for number, variant in enumerate(values[1:]):
        moved[0, number] = formulas.shift(variant, values[0])
        moved[1, number] = formulas.cosine_distance(variant, values[0])
    return Probes(
        correct=found,
        shift=moved[0],
        cosine=moved[1],
        unsettled=unsettled,
        fitted=len(places) * len(np.unique(fold)),
    )


def accuracy(correct: Correct) -> tuple[float, Interval]:
    """Share of correct texts, with Wilson's interval.

    >>> mean, (low, high) = accuracy(np.array([True] * 8 + [False] * 2))
    >>> mean, round(low, 2), round(high, 2)
    (0.8, 0.44, 0.95)
    """
    mean, n = float(correct.mean()), len(correct)
    return mean, mean_interval(mean, mean * (1 - mean) / n, n)


def gain(correct: Correct, bare: Correct) -> tuple[float, Interval]:
    """How many more texts are correct than of the bare ones, as a share; interval over texts.

    Of Wald, after half a text was added to each cell of the table of both (Agresti and Min): where
    no text changes sides it has a width, too.

    >>> found, (low, high) = gain(np.array([True] * 10), np.array([True] * 7 + [False] * 3))
    >>> found, round(low, 2), round(high, 2)
    (0.3, -0.04, 0.54)
    """
    more, fewer = int((correct & ~bare).sum()), int((bare & ~correct).sum())
    found, n = (more - fewer) / len(bare), len(bare) + 2
    middle = (more - fewer) / n
    spread = (more + fewer + 1) / n - middle**2
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(spread / n)
    return found, (min(middle - half, found), max(middle + half, found))


def rows(
    found: Probes,
    prompts: Sequence[str],
    layers: Sequence[int],
    names: Sequence[str],
    labels: Ids,
) -> Iterator[ProbeRow]:
    """A row for every vector, layer and variant, the bare text first.

    Args:
        found: what the probes said.
        prompts: without the bare text.
        layers: of the vectors.
        names: of the vectors.
        labels: of each text, numbered from 0.
    """
    chance = float(np.bincount(labels).max()) / len(labels)
    for (at, layer), (which, name) in (
        (one, vector) for one in enumerate(layers) for vector in enumerate(names)
    ):
        bare = found.correct[0, at, which]
        for number, prompt in enumerate((None, *prompts)):
            own = found.correct[number, at, which]
            share, interval = accuracy(own)
            more, more_interval = gain(own, bare) if number else (None, None)
            moved = found.shift[number - 1, at, which], found.cosine[number - 1, at, which]
            yield ProbeRow(
                prompt=prompt,
                layer=layer,
                vector=name,
                accuracy=share,
                interval=interval,
                chance=chance,
                gain=more,
                gain_interval=more_interval,
                shift=float(moved[0].mean()) if number else None,
                cosine=_mean_angle(moved[1]) if number else None,
                texts=len(labels),
            )


def _mean_angle(cosine: np.ndarray) -> float | None:
    """None where a vector has no direction: it is zero."""
    return float(cosine.mean()) if np.isfinite(cosine).all() else None
