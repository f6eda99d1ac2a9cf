"""How faithful scores are to the model, of one text: its words removed in the order of each score.

Every score is asked with the same sets of words in mind: the first k by it, and all others. The
same is asked of random orders, which give the bounds, and what any order gives.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import faithfulness as formulas
from activation_flow import outputs, perturbing
from activation_flow.data import Ids, Mask
from activation_flow.heads import Headed
from activation_flow.outputs import Question
from activation_flow.tokens import Encoded

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    PerKey = Float[np.ndarray, "keys"]
    PerMeasureKey = Float[np.ndarray, "measures keys"]
    PerKeyUnit = Float[np.ndarray, "keys units"]
    PerScoreUnit = Float[np.ndarray, "scores units"]
    PerScore = Bool[np.ndarray, "scores"]
    Orders = Int[np.ndarray, "orders words"]
    OfOrders = Float[np.ndarray, "orders ..."]
    Areas = Float[np.ndarray, "2 orders"]
    First = Bool[np.ndarray, "orders ks words"]
    PerSet = Float[np.ndarray, "sets"]
    PerWord = Float[np.ndarray, "words"]
else:
    PerKey = PerMeasureKey = PerKeyUnit = PerScoreUnit = PerScore = Orders = OfOrders = np.ndarray
    Areas = First = PerSet = PerWord = np.ndarray

AGAIN = 5  # random orders that the second operator is asked for, too
FEWEST = 2  # words that may be removed


@dataclass(frozen=True, eq=False, kw_only=True)
class OfText:
    """One text. Keys are the scores, and last the mean of random orders; NaN: not known of it.

    Attributes:
        comprehensiveness: one row per ``measures``.
        sufficiency: likewise.
        normalised: comprehensiveness by the main measure between the bounds of random orders.
        normalised_sufficiency: likewise of sufficiency.
        tau: Kendall's τ-b with what removing each word alone does by the main measure.
        pieces: pieces removed per word removed.
        chosen: the share of the ks for which a word is among the first k; 0 if it never goes.
        words: how many may be removed.
    """

    comprehensiveness: PerMeasureKey
    sufficiency: PerMeasureKey
    normalised: PerKey
    normalised_sufficiency: PerKey
    tau: PerKey
    pieces: PerKey
    chosen: PerKeyUnit
    words: int


def measures(headed: Headed) -> tuple[tuple[str, str], ...]:
    """(output, operator) of what is measured; the main one first."""
    return tuple(
        (output, operator)
        for operator in perturbing.operators(headed)
        for output in outputs.NAMES[headed.kind]
    )


@dataclass(frozen=True, eq=False)
class _Orders:
    """The orders of the words of a text.

    Attributes:
        orders: of the scores that are known of all of its words, then random ones.
        known: which scores these are.
    """

    orders: Orders
    known: PerScore

    @property
    def n_own(self) -> int:
        return int(self.known.sum())

    def by_key(self, found: OfOrders) -> np.ndarray:
        """[keys ...], from one row per order: NaN for other scores, and the random ones' mean."""
        rows = np.full((len(self.known) + 1, *found.shape[1:]), np.nan)
        rows[:-1][self.known] = found[: self.n_own]
        rows[-1] = found[self.n_own :].mean(axis=0)
        return rows


def judge(
    headed: Headed,
    one: Encoded,
    unit: Ids,
    values: PerScoreUnit,
    pieces: Ids,
    *,
    orders: int,
    seed: int,
) -> OfText | None:
    """One text; None if fewer than two of its words may be removed.

    Args:
        headed: the model.
        one: the text.
        unit: [tokens], the unit of each in its text, from 0; -1 where of none.
        values: of all units.
        pieces: of each unit.
        orders: how many random ones.
        seed: with the text's ids, of these, of what breaks ties, and of the words asked for.
    """
    question = outputs.held_out(headed, one, unit, seed)
    free = perturbing.free_units(question, unit)
    if len(free) < FEWEST:
        return None
    # Draws of their own: those of the seed alone say which words are asked for.
    seeds = np.random.SeedSequence([seed, *one.text.ids.tolist()], spawn_key=(1,))
    of = _orders(values[:, free], orders, np.random.default_rng(seeds))
    among = formulas.first(of.orders, formulas.grid(len(free)))
    areas, effects = _moved(headed, question, unit, free, among, of.n_own)
    by_key = np.stack([[of.by_key(row) for row in one] for one in areas])
    bounded = [of.by_key(formulas.normalised(row, row[of.n_own :])) for row in areas[0]]
    ranked = -np.argsort(of.orders[of.n_own :], axis=1)  # random orders as values
    shown = np.concatenate([values[of.known][:, free], ranked])
    chosen = np.zeros((len(values) + 1, len(pieces)))
    chosen[:, free] = of.by_key(formulas.chosen(among))
    return OfText(
        comprehensiveness=by_key[:, 0],
        sufficiency=by_key[:, 1],
        normalised=bounded[0],
        normalised_sufficiency=bounded[1],
        tau=of.by_key(np.array([formulas.agreement(row, effects) for row in shown])),
        pieces=of.by_key(formulas.pieces_per_word(among, pieces[free])),
        chosen=chosen,
        words=len(free),
    )


def _moved(
    headed: Headed, question: Question, unit: Ids, free: Ids, among: First, n_own: int
) -> tuple[list[Areas], PerWord]:
    """What the orders move by each measure, and what each word alone does by the main one.

    The second operator is asked for the first orders only.
    """

    def moved(sets: Mask, operator: str) -> tuple[PerSet, PerSet]:
        removed = np.zeros((len(sets), int(unit.max()) + 1), dtype=bool)
        removed[:, free] = sets
        return perturbing.distances(headed, question, unit, removed, operator)

    first, again = perturbing.operators(headed)
    alone = np.eye(len(free), dtype=bool)
    main = moved(np.concatenate([formulas.removed_sets(among), alone]), first)
    some = among[: n_own + AGAIN]
    second = moved(formulas.removed_sets(some), again)
    areas = [formulas.areas(row[: -len(free)], len(among)) for row in main]
    areas += [formulas.areas(row, len(some)) for row in second]
    return areas, main[0][-len(free) :]


def _orders(values: PerScoreUnit, n: int, random: np.random.Generator) -> _Orders:
    """Of words, by scores, [scores words], and n random ones."""
    words: int = values.shape[1]
    noise = random.random(words)
    drawn = random.permuted(np.tile(np.arange(words), (n, 1)), axis=1)
    known = np.isfinite(values).all(axis=1)
    own = np.array([formulas.order(row, noise) for row in values[known]], dtype=np.int64)
    return _Orders(np.concatenate([own.reshape(-1, words), drawn]), known)
