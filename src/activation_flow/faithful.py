"""How faithful scores are to the model, over texts.

Each text is judged by itself, in faithful_text.py, and its own ids seed what is drawn of it: which
other texts there are, and in which order, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import perturbing
from activation_flow.audit_data import AuditTokens, Progress, Score, ScoreKey
from activation_flow.data import ActivationFlowError, Ids
from activation_flow.faithful_text import AGAIN, FEWEST, OfText, judge, measures
from activation_flow.faithfulness import STEPS
from activation_flow.heads import Headed
from activation_flow.text_means import Mean, mean_over_texts, share_of_chosen
from activation_flow.tokens import Encoded
from activation_flow.units import Units

if TYPE_CHECKING:
    from jaxtyping import Float

    PerText = Float[np.ndarray, "texts"]
    PerUnit = Float[np.ndarray, "units"]
    PerKeyText = Float[np.ndarray, "keys texts"]
    PerKeyUnit = Float[np.ndarray, "keys units"]
else:
    PerText = PerUnit = PerKeyText = PerKeyUnit = np.ndarray

RANDOM = ("random", None)
ORDERS = 50  # random orders of the words of each text, from which the bounds are taken


@dataclass(frozen=True, eq=False, kw_only=True)
class Removal:
    """How far an output moves when words are removed by an operator, mean over k.

    Attributes:
        output: in words.
        operator: ``masked``, ``deleted`` or ``blanked``.
        main: the one that has bounds, and that claims are judged by.
        comprehensiveness: the first k words are removed; NaN where a word has no score.
        sufficiency: all others are removed.
    """

    output: str
    operator: str
    main: bool
    comprehensiveness: PerKeyText
    sufficiency: PerKeyText


@dataclass(frozen=True, eq=False, kw_only=True)
class Faithful:
    """What was found.

    Attributes:
        keys: (name, layer) of the scores; the last is ``random``: the mean of random orders.
        text: [texts], numbers of the texts that are judged, rising.
        moved: by output and operator; the main one first.
        normalised: main comprehensiveness between the bounds of random orders.
        normalised_sufficiency: likewise of main sufficiency.
        tau: Kendall's τ-b of the score with what removing each word alone does to the main output.
        pieces: pieces removed per word removed.
        chosen: the share of the ks for which a word is among the first k.
        unit: [units], the number of each word of these texts among all units.
        unit_text: [units], the place of its text in ``text``.
        unit_type: [units], the number of its word type.
        notes: sentences for the reader.
    """

    keys: tuple[ScoreKey, ...]
    text: Ids
    moved: tuple[Removal, ...]
    normalised: PerKeyText
    normalised_sufficiency: PerKeyText
    tau: PerKeyText
    pieces: PerKeyText
    chosen: PerKeyUnit
    unit: Ids
    unit_text: Ids
    unit_type: Ids
    notes: tuple[str, ...] = ()

    def at(self, key: ScoreKey) -> int:
        """The place of a score."""
        return self.keys.index(key)

    def ahead(self, key: ScoreKey, other: ScoreKey) -> PerText:
        """[texts], how much more faithful a score is: its ``normalised`` less the other's."""
        ahead: PerText = self.normalised[self.at(key)] - self.normalised[self.at(other)]
        return ahead

    def share(self, key: ScoreKey, other: ScoreKey | None = None) -> PerUnit:
        """[units], how much each word has to do with a score's numbers, or with a difference.

        A difference is due to the words that one of the two puts first and the other does not; a
        score's own numbers, to those that it puts first more or less often than random orders do.
        """
        of: PerUnit = self.chosen[self.at(key)]
        if other is not None:
            apart: PerUnit = np.abs(of - self.chosen[self.at(other)])
            return apart
        own = np.zeros_like(of)
        free = self.chosen[self.at(RANDOM)] > 0  # what any order may remove
        own[free] = share_of_chosen(of[free], self.unit_text[free])
        return own

    def mean(self, per_text: PerText, share: PerUnit) -> Mean:
        """Of one number per text, with its interval over texts and word types."""
        return mean_over_texts(per_text, share, self.unit_text, self.unit_type)


def faithful(
    headed: Headed,
    encoded: Sequence[Encoded],
    tokens: AuditTokens,
    units: Units,
    scores: Sequence[Score],
    texts: Sequence[int],
    *,
    orders: int = ORDERS,
    seed: int = 0,
    watch: Progress | None = None,
) -> Faithful:
    """How far the model's output moves when the words that scores put first are removed.

    Args:
        headed: the model.
        encoded: all texts of the audit.
        tokens: their tokens.
        units: their words.
        scores: of all tokens; random orders stand for ``random``, if it is among them.
        texts: numbers of those to judge, from 0.
        orders: how many random orders of the words of each text.
        seed: of these, of what breaks ties, and of which words are asked for.
        watch: called with how many texts are done, and of how many.

    Raises:
        ActivationFlowError: no text has two words that may be removed, in one window.
    """
    own = [one for one in scores if one.name != RANDOM[0]]
    pooled = np.empty((len(own), len(units)))
    for row, one in zip(pooled, own, strict=True):
        row[:] = units.pooled(one.values, one.pooling)
    numbers = range(len(encoded) + 1)
    token_at, unit_at = np.searchsorted(tokens.text, numbers), np.searchsorted(units.text, numbers)
    whole = sorted(i for i in texts if len(encoded[i].windows) == 1)
    found: dict[int, OfText] = {}
    for done, i in enumerate(whole, 1):
        unit = units.of_token[token_at[i] : token_at[i + 1]]
        of = slice(unit_at[i], unit_at[i + 1])
        local = np.where(unit >= 0, unit - unit_at[i], -1)
        values, pieces = pooled[:, of], units.pieces[of]
        judged = judge(headed, encoded[i], local, values, pieces, orders=orders, seed=seed)
        if judged is not None:
            found[i] = judged
        if watch is not None:
            watch(done, len(whole))
    if not found:
        raise ActivationFlowError(
            f"no text of the sample has {FEWEST} words that may be removed, in one window; "
            "give longer sentences"
        )
    of_text = [np.arange(unit_at[i], unit_at[i + 1]) for i in found]
    unit = np.concatenate(of_text)
    every = list(found.values())
    return Faithful(
        keys=(*((one.name, one.layer) for one in own), RANDOM),
        text=np.array(list(found)),
        moved=_moved(headed, every),
        normalised=np.stack([one.normalised for one in every], axis=1),
        normalised_sufficiency=np.stack([one.normalised_sufficiency for one in every], axis=1),
        tau=np.stack([one.tau for one in every], axis=1),
        pieces=np.stack([one.pieces for one in every], axis=1),
        chosen=np.concatenate([one.chosen for one in every], axis=1),
        unit=unit,
        unit_text=np.repeat(np.arange(len(found)), [len(one) for one in of_text]),
        unit_type=units.type[unit],
        notes=_notes(headed, every, len(texts) - len(whole), len(whole), orders, seed),
    )


def _moved(headed: Headed, every: Sequence[OfText]) -> tuple[Removal, ...]:
    comprehensiveness = np.stack([one.comprehensiveness for one in every], axis=-1)
    sufficiency = np.stack([one.sufficiency for one in every], axis=-1)
    return tuple(
        Removal(
            output=output,
            operator=operator,
            main=at == 0,
            comprehensiveness=comprehensiveness[at],
            sufficiency=sufficiency[at],
        )
        for at, (output, operator) in enumerate(measures(headed))
    )


def _notes(
    headed: Headed, every: Sequence[OfText], several: int, whole: int, orders: int, seed: int
) -> tuple[str, ...]:
    """What a reader needs to make it again, and which texts are not in it."""
    main, second = perturbing.operators(headed)
    random = len(every[0].normalised) - 1
    left = {
        "take several windows": several,
        f"have fewer than {FEWEST} words that may be removed": whole - len(every),
    }
    out = ", ".join(f"{n:,} that {why}" for why, n in left.items() if n)
    out = f" (left out: {out})" if out else ""
    thinned = sum(one.words > 2 * STEPS for one in every)
    equal = sum(bool(np.isnan(one.normalised[random])) for one in every)
    notes = [
        f"faithfulness over {len(every):,} texts{out}: "
        f"words are {main}, and again {second}; the model is {headed.note}",
        f"bounds: the lowest and highest of {orders} random orders of the words of each text, seed "
        f"{seed}; a score may lie outside of them; random: the mean of these orders (of {AGAIN} "
        f"where words are {second})",
    ]
    if thinned:
        notes.append(
            f"{thinned:,} texts have more than {2 * STEPS} words that may be removed: "
            f"{STEPS} numbers of words k spread evenly from 1 to half of them"
        )
    if equal:
        notes.append(f"{equal:,} texts have no bounds: all random orders give the same")
    return tuple(notes)
