"""How faithful scores are, as rows of a table: means over texts with their intervals."""

from collections.abc import Sequence

import numpy as np

from activation_flow.audit_data import Score, ScoreKey
from activation_flow.explanation_tables import FaithfulRow
from activation_flow.faithful import RANDOM, Faithful, PerText, Removal

NONE = "in no text do all words that may be removed have this score"


def rows(found: Faithful, scores: Sequence[Score], norm: ScoreKey) -> tuple[FaithfulRow, ...]:
    """A row per score, output and operator; those of the main output and operator first.

    Args:
        found: of these scores.
        scores: what they are called.
        norm: the score that the others are compared with.
    """
    about = {(one.name, one.layer): one for one in scores}
    about[RANDOM] = Score(
        name=RANDOM[0], title="random", layer=None, values=np.empty(0), role="control"
    )
    return tuple(
        _row(found, moved, key, about[key], norm) for moved in found.moved for key in found.keys
    )


def _row(
    found: Faithful, moved: Removal, key: ScoreKey, score: Score, norm: ScoreKey
) -> FaithfulRow:
    at, share = found.at(key), found.share(key)
    removed = found.mean(moved.comprehensiveness[at], share)
    kept = found.mean(moved.sufficiency[at], share)
    bounded = found.mean(found.normalised[at], share) if moved.main else None
    judged = found.normalised if moved.main else moved.comprehensiveness
    beside, norms = None, None
    if key != norm and norm in found.keys:
        apart = judged[found.at(norm)] - judged[at]
        beside = found.mean(apart, found.share(norm, key))
        norms = _mean(judged[found.at(norm)][~np.isnan(apart)])
    return FaithfulRow(
        score=score.name,
        title=score.title,
        role=score.role,
        layer=score.layer,
        output=moved.output,
        operator=moved.operator,
        main=moved.main,
        comprehensiveness=removed.value,
        comprehensiveness_interval=removed.interval,
        sufficiency=kept.value,
        sufficiency_interval=kept.interval,
        normalised=bounded.value if bounded else None,
        normalised_interval=bounded.interval if bounded else None,
        normalised_sufficiency=_mean(found.normalised_sufficiency[at]) if moved.main else None,
        difference=beside.value if beside else None,
        difference_interval=beside.interval if beside else None,
        tau=_mean(found.tau[at]) if moved.main else None,
        pieces=_mean(found.pieces[at]),
        texts=removed.texts,
        missing="" if removed.texts else score.missing or NONE,
        norm=norms,
        compared=beside.texts if beside else 0,
    )


def _mean(per_text: PerText) -> float | None:
    """Over the texts that have it; None if none has."""
    known = per_text[~np.isnan(per_text)]
    return float(known.mean()) if len(known) else None
