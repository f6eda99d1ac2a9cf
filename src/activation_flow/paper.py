"""The paper's published values, and what a row that sets one of them beside ours can say.

The values stand in paper.toml and nowhere else; they are recomputed in paper_arithmetic,
paper_strengths, paper_model, paper_prompts and paper_corpus. Source: arXiv 2605.22377.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

Value = float | int | str | None

VERDICTS = {
    "arithmetic ok": "follows from the paper's own numbers, within the rounding of their digits",
    "matches": "measured on the paper's model or corpus, and the same within that rounding",
    "differs": "we come to another number, or the claim does not hold where we counted it",
    "contradicts itself": "the paper's own numbers or words say something else in another place",
    "not reported": "the paper leaves it open; our number stands alone",
    "illustrative": "an invented example of the paper: there is nothing to measure it by",
    "not compared": "another model's number, or one that was not measured: beside, not against",
}
OF = ("arithmetic", "bert-base-uncased", "another model")
# What float32 may change in a measured number on another machine, relatively.
MEASURED = 1e-5


@dataclass(frozen=True)
class Row:
    """One published number, claim or formula, and ours.

    Verdicts, and the rule of each (see ``VERDICTS`` for them in words):
        arithmetic ok: recomputed from published values, ours is within half a unit of the last
            printed digit; or a statement about them is true of them.
        contradicts itself: recomputed likewise it is not; or two places of the paper disagree.
        matches: measured on bert-base-uncased, ours is within half a unit of the last printed
            digit and 1e-5 of the value; or a claim, counted on it, holds. The size of a corpus
            needs no model.
        differs: the same, and it is not; or a choice that the paper leaves open (the percentile
            method) gives another number than the printed one.
        not reported: there is no published number.
        illustrative: the published number was not measured ("Suppose ...").
        not compared: measured on another model, or not measured at all. Such a number is never
            set against the paper's; ``note`` says in words whether a claim holds for it.

    Attributes:
        id: stable and readable: "table-4/total", "eq-7/tau/linear".
        place: where in the paper.
        what: what the number is.
        paper: as printed; None where the paper gives none.
        ours: a number, or words where the paper's are words; None where there is none.
        difference: ours − the paper's, where both are numbers and compared.
        verdict: one of ``VERDICTS``.
        note: what is needed to read the verdict, "" if nothing is.
        of: where ours comes from: "arithmetic", "bert-base-uncased" or "another model".
        cell: it is one cell of a table, and stands there in what is shown.
    """

    id: str
    place: str
    what: str
    paper: str | None
    ours: Value
    verdict: str
    note: str = ""
    of: str = "arithmetic"
    cell: bool = False

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS or self.of not in OF:
            raise ValueError(f"{self.id}: no such verdict or origin: {self.verdict}, {self.of}")

    @property
    def value(self) -> float | str | None:
        """The paper's, as a number if it is one."""
        found = number_of(self.paper)
        return self.paper if found is None else found

    @property
    def difference(self) -> float | None:
        """Ours − the paper's, where both are numbers and compared."""
        paper, ours = self.value, self.ours
        if isinstance(paper, str | None) or isinstance(ours, str | None):
            return None
        return None if self.verdict == "not compared" else ours - paper

    @property
    def group(self) -> str:
        """The part of the paper that it is about: "table-4"."""
        return self.id.partition("/")[0]


@cache
def published() -> dict[str, Any]:
    """What stands in paper.toml."""
    text = files("activation_flow").joinpath("paper.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def claim(name: str) -> tuple[str, str]:
    """Place and words of a claim, in quotes.

    >>> claim("right-skewed")
    ('section 2.2.1', '“transformer activation distributions are typically right-skewed”')
    """
    found = published()["claim"][name]
    return found["place"], f"“{found['quote']}”"


def numbers(printed: Sequence[str]) -> np.ndarray:
    """The printed numbers of a column as float64."""
    return np.array(printed, dtype=np.float64)


def number_of(printed: str | None) -> float | None:
    """A printed number; None if it is words.

    >>> number_of("20.15"), number_of("110M+")
    (20.15, None)
    """
    try:
        return None if printed is None else float(printed)
    except ValueError:
        return None


def decimals(printed: str) -> int:
    """How many decimals were printed."""
    return len(printed.partition(".")[2])


def agrees(printed: str, ours: float, measured: bool = False) -> bool:
    """Is ours what was printed, within half a unit of the last printed digit?

    A measured number may besides be off by 1e-5 of the value.

    >>> agrees("73.5852", 73.585195), agrees("20.15", 20.975), agrees("25", 100 / 3)
    (True, False, False)
    """
    value = float(printed)
    room = 0.5 * 10.0 ** -decimals(printed) + (MEASURED * abs(value) if measured else 0)
    # subtle: the slack is for the binary digits of decimal numbers, not for ours.
    return abs(ours - value) <= room + 1e-14 * max(1.0, abs(value))


def checked(
    id: str, place: str, what: str, paper: str, ours: float, note: str = "", wrong: str = ""
) -> Row:
    """A row of arithmetic: ok if ours is what was printed, else ``wrong``, or a contradiction."""
    verdict = "arithmetic ok" if agrees(paper, ours) else wrong or _itself(False)
    return Row(id, place, what, paper, ours, verdict, note)


def stated(id: str, place: str, what: str, words: str, ours: Value, true: bool, note: str) -> Row:
    """A row about a statement that the published numbers themselves bear out, or do not."""
    return Row(id, place, what, words, ours, _itself(true), note)


def _itself(true: bool) -> str:
    return "arithmetic ok" if true else "contradicts itself"


def unreported(id: str, place: str, what: str, ours: Value, note: str = "") -> Row:
    """A row of a number that the paper could have given."""
    return Row(id, place, what, None, ours, "not reported", note)


def measured(
    id: str, place: str, what: str, paper: str | None, ours: Value, note: str = "", *, of: str
) -> Row:
    """A row of a number that a model gave; only the paper's own model is compared."""
    if of != OF[1] or ours is None:
        return Row(id, place, what, paper, ours, "not compared", note, of)
    if paper is None:
        return Row(id, place, what, None, ours, "not reported", note, of)
    same = paper == ours if isinstance(ours, str) else agrees(paper, ours, measured=True)
    return Row(id, place, what, paper, ours, "matches" if same else "differs", note, of)


def counted(
    id: str,
    place: str,
    what: str,
    words: str,
    ours: Value,
    holds: bool | None,
    note: str,
    *,
    of: str,
) -> Row:
    """A row of a claim that was counted with a model; None: it could not be counted.

    The note begins with what was found, so that it can be read of any model.
    """
    if holds is None:
        return Row(id, place, what, words, ours, "not compared", note, of)
    said = f"{'as' if holds else 'not as'} the paper says: {note}"
    verdict = ("matches" if holds else "differs") if of == OF[1] else "not compared"
    return Row(id, place, what, words, ours, verdict, said, of)


def rmse(paper: np.ndarray, ours: np.ndarray) -> float:
    """Root of the mean squared difference, over the values that there are; NaN if there are none.

    >>> rmse(np.array([1.0, 2.0, 9.0]), np.array([1.0, 4.0, np.nan]))
    1.4142135623730951
    """
    apart = np.square(ours - paper)
    known = apart[np.isfinite(apart)]
    return math.sqrt(known.mean()) if len(known) else math.nan


def best_layer(paper: np.ndarray, ours: np.ndarray, layers: Sequence[int]) -> int | None:
    """The layer whose values are nearest to the paper's by RMSE, the first of equals.

    Args:
        paper: [tokens].
        ours: [layers tokens], NaN where there is none.
        layers: names of the first axis.

    Returns:
        None where no value could be compared.

    >>> best_layer(np.array([1.0, 2.0]), np.array([[1.0, 2.5], [1.1, 2.0]]), (7, 8))
    8
    """
    errors = np.array([rmse(paper, row) for row in ours])
    return None if np.isnan(errors).all() else layers[int(np.nanargmin(errors))]


@dataclass(frozen=True)
class PaperTable:
    """One of the paper's tables, ours beside it; as it is written to table-N.csv.

    Attributes:
        name: "table-1".
        place: where in the paper.
        title: its caption, and the sentence that it is about.
        columns: name -> values, all of one length; what the paper prints comes first, as printed.
    """

    name: str
    place: str
    title: str
    columns: Mapping[str, Sequence[Value]]

    def __post_init__(self) -> None:
        if len({len(values) for values in self.columns.values()}) > 1:
            raise ValueError(f"{self.name}: columns differ in length")

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))
