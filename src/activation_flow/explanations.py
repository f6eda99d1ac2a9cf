"""Strength as an explanation beside others: from what was measured to what C6 is judged by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from activation_flow import faithful_rows, plausible
from activation_flow.audit_data import ScoreKey
from activation_flow.claim_tests_better import Better, Measure, better_than_attention

if TYPE_CHECKING:
    from activation_flow.audit_data import Score
    from activation_flow.audit_explained import Explained
    from activation_flow.audit_marked import OfMarked
    from activation_flow.explanation_tables import FaithfulRow, PlausibleRow
    from activation_flow.faithful import Faithful
    from activation_flow.plausible import Plausible

FAITHFUL, PLAUSIBLE = "faithfulness", "plausibility"
ATTENTION: "ScoreKey" = ("attention", None)


@dataclass(frozen=True, eq=False, kw_only=True)
class Explanations:
    """What of the audit bears on C6.

    Attributes:
        explained: what was measured on the audited texts; None: that was not asked for.
        marked: on texts in which people marked words; None: there are none.
        main: the layer that the claims are about.
    """

    explained: "Explained | None"
    marked: "OfMarked | None"
    main: int

    @property
    def norm(self) -> "ScoreKey":
        """Strength, by its key."""
        return "norm", self.main

    def better(self, scores: "Sequence[Score]") -> Better:
        """Better than attention, by every measure that can be tested.

        Args:
            scores: of the audited texts.
        """
        lacking = dict(self._lacking(scores))
        measures = [one for one in self._measures() if one.name not in lacking]
        return better_than_attention(measures, lacking)

    def faithful_rows(self, scores: "Sequence[Score]") -> "tuple[FaithfulRow, ...]":
        """How faithful each of these scores is, where that was measured."""
        if self.explained is None or self.explained.faithful is None:
            return ()
        return faithful_rows.rows(self.explained.faithful, scores, self.norm)

    def plausible_rows(self) -> "tuple[PlausibleRow, ...]":
        """How plausible each score of the marked texts is, where there are any."""
        if self.marked is None:
            return ()
        return plausible.rows(self.marked.plausible, self.marked.scores, self.norm)

    def _lacking(self, scores: "Sequence[Score]") -> "Iterator[tuple[str, str]]":
        """The measures that there are no numbers of, and why; marks that nobody gave lack not."""
        if self.explained is None or self.explained.faithful is None:
            missing = self.explained.missing if self.explained else ""
            yield FAITHFUL, missing.removeprefix(f"{FAITHFUL}: ") or "it was not measured"
        elif why := _no_attention(scores):
            yield FAITHFUL, why
        if self.marked is not None and (why := _no_attention(self.marked.scores)):
            yield PLAUSIBLE, why

    def _measures(self) -> "Iterator[Measure]":
        if self.explained is not None and self.explained.faithful is not None:
            yield _faithful(self.explained.faithful, self.norm)
        if self.marked is not None:
            yield _plausible(self.marked.plausible, self.norm)


def _no_attention(scores: "Sequence[Score]") -> str:
    """Why it is not there; "" where it is."""
    none = (one.missing for one in scores if (one.name, one.layer) == ATTENTION)
    return next((f"there is no attention ({why})" for why in none if why), "")


def _faithful(found: "Faithful", norm: "ScoreKey") -> Measure:
    return Measure(
        name=FAITHFUL,
        per_text=found.ahead(norm, ATTENTION),
        share=found.share(norm, ATTENTION),
        unit_text=found.unit_text,
        unit_type=found.unit_type,
    )


def _plausible(found: "Plausible", norm: "ScoreKey") -> Measure:
    first, second = (found.keys.index(key) for key in (norm, ATTENTION))
    return Measure(
        name=PLAUSIBLE,
        per_text=plausible.difference(found, first, second),
        share=found.share,
        unit_text=found.units.text,
        unit_type=found.units.type,
    )
