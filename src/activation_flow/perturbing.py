"""Words taken out of a text, and how far the model's output moves.

A word goes with all of its pieces: masked, deleted, or replaced by a token that says little. Tokens
of no word, and words whose own prediction is the output, stay. Knows no score and no order.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import outputs
from activation_flow.data import BatchIds, Ids, Mask

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from activation_flow.heads import Headed
    from activation_flow.outputs import Question

    Sets = Bool[np.ndarray, "sets units"]
    PerSet = Float[np.ndarray, "sets"]
else:
    Sets = PerSet = np.ndarray

MASKED, DELETED, BLANKED = "masked", "deleted", "blanked"


def operators(headed: "Headed") -> tuple[str, str]:
    """What becomes of a removed word: the main operator, and a second one.

    Deleting moves what follows to other places; masking is what masked language models have
    learnt, and others may never have seen: results of one alone would be about the operator.
    """
    return (DELETED, BLANKED) if headed.mask_id is None else (MASKED, DELETED)


def replacing(headed: "Headed") -> str:
    """The operator that leaves every token at its place."""
    return BLANKED if headed.mask_id is None else MASKED


def free_units(question: "Question", unit_of_token: Ids) -> Ids:
    """Units that may be removed: they have tokens, and all of these are free."""
    part = unit_of_token >= 0
    bound = unit_of_token[part & ~question.free]
    return np.setdiff1d(unit_of_token[part], bound)


def numbered(unit: Ids) -> Ids:
    """Units of the tokens of a text, from 0, in the same order; -1 stays.

    >>> numbered(np.array([-1, 7, 7, 9, -1]))
    array([-1,  0,  0,  1, -1])
    """
    found = np.full(len(unit), -1)
    part = unit >= 0
    found[part] = np.unique(unit[part], return_inverse=True)[1]
    return found


@dataclass(frozen=True, eq=False)
class Removing:
    """What is asked of a text of which words are removed.

    Attributes:
        question: about the unchanged text.
        unit_of_token: number of the unit of each token in its text, from 0; -1 where it has none.
        operator: what becomes of a removed word.
        token: what replaces its pieces; None: they are deleted.
    """

    question: "Question"
    unit_of_token: Ids
    operator: str
    token: int | None

    def removed(self, sets: Sets) -> Mask:
        """[sets tokens], which tokens each set removes: those of its units."""
        return sets[:, self.unit_of_token] & (self.unit_of_token >= 0)

    def changed(self, gone: Mask) -> tuple[BatchIds, BatchIds, BatchIds]:
        """The texts without these tokens, all of one length.

        Args:
            gone: [texts tokens]; where they are deleted, equally many of each text.

        Returns:
            Vocabulary numbers, segment numbers, and where the targets stand now; one row per text.
        """
        asked = self.question
        target_at = np.broadcast_to(asked.target_at, (len(gone), len(asked.target_at)))
        ids, kinds = (np.broadcast_to(one, gone.shape) for one in (asked.ids, asked.type_ids))
        if self.token is not None:
            return np.where(gone, self.token, ids), kinds, target_at
        shape = (len(gone), -1)
        before = np.cumsum(gone, axis=1)  # a token moves by as many as are deleted before it
        moved = target_at - np.take_along_axis(before, target_at, axis=1)
        return ids[~gone].reshape(shape), kinds[~gone].reshape(shape), moved


def removing(headed: "Headed", question: "Question", unit_of_token: Ids, operator: str) -> Removing:
    """By one operator."""
    token = {MASKED: headed.mask_id, DELETED: None, BLANKED: headed.blank_id}[operator]
    return Removing(question, unit_of_token, operator, token)


def distances(
    headed: "Headed", question: "Question", unit_of_token: Ids, removed: Sets, operator: str
) -> tuple[PerSet, PerSet]:
    """How far the model's two outputs move when sets of words are removed.

    A set that occurs twice is asked once. One that leaves no token, or none before a token that is
    to be predicted, cannot be asked: NaN.

    Args:
        headed: the model.
        question: about the unchanged text.
        unit_of_token: number of the unit of each token in its text, from 0; -1 where it has none.
        removed: which units each set removes; only free ones.
        operator: ``masked``, ``deleted`` or ``blanked``.

    Returns:
        By the main output, and by the second one.
    """
    task = removing(headed, question, unit_of_token, operator)
    if not len(removed):
        return np.empty(0), np.empty(0)
    _, some, back = np.unique(
        np.packbits(removed, axis=1), axis=0, return_index=True, return_inverse=True
    )
    gone = task.removed(removed[some])
    if (gone & ~question.free).any():
        raise ValueError("a set removes tokens that are not free")
    unchanged = np.zeros((1, len(unit_of_token)), dtype=bool)
    before = outputs.ask(headed, question, *task.changed(unchanged))
    found = np.full((2, len(gone)), np.nan)
    left = (~gone).sum(axis=1) if task.token is None else np.full(len(gone), gone.shape[1])
    for length in np.unique(left[left > 0]):  # of one length together: nothing is padded
        rows = np.flatnonzero(left == length)
        ids, kinds, target_at = task.changed(gone[rows])
        if headed.kind == "next":
            known = (target_at > 0).all(axis=1)
            rows, ids, kinds, target_at = (one[known] for one in (rows, ids, kinds, target_at))
        if len(rows):
            after = outputs.ask(headed, question, ids, kinds, target_at)
            found[:, rows] = outputs.distance(before, after)
    main, second = found[:, back.reshape(-1)]
    return main, second
