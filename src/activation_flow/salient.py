"""The words that C11 asks about, from a list or from people's marks, beside other content words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import salient_words
from activation_flow.audit_data import AuditTokens, Score
from activation_flow.claim_tests_salient import Salient, salient_above_others
from activation_flow.units import Units

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

    from activation_flow.audit_marked import OfMarked
    from activation_flow.tokens import Encoded

    PerUnit = Float[np.ndarray, "units"]
    Chosen = Bool[np.ndarray, "units"]
else:
    PerUnit = Chosen = np.ndarray


@dataclass(frozen=True, eq=False, kw_only=True)
class SalientUnits:
    """Words of texts, and which of them are salient.

    Attributes:
        name: what a salient one is, as in "of a word that people marked".
        units: the words.
        salient: [units], which of them; only content words count.
        values: [units], strength at the layer of the claims.
        layer_0: [units], at the embeddings.
        frequency: [units], log f of the rarest piece.
        notes: sentences for the reader.
    """

    name: str
    units: Units
    salient: Chosen
    values: PerUnit
    layer_0: PerUnit
    frequency: PerUnit
    notes: tuple[str, ...] = ()

    def tested(self) -> Salient:
        """C11, and the same at layer 0."""
        content = self.units.kind == "content"
        return salient_above_others(
            self.values,
            self.salient & content,
            ~self.salient & content,
            self.frequency,
            self.units.text,
            self.units.type,
            rival=self.layer_0,
        )


def of_list(
    listed: frozenset[str],
    name: str,
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    units: Units,
    scores: Sequence[Score],
    main: int,
) -> SalientUnits:
    """The words of a list, in the audited texts.

    Args:
        listed: the words.
        name: of the list, for people.
        encoded: the texts.
        tokens: theirs.
        units: their words.
        scores: of the tokens.
        main: the layer of the claims.
    """
    salient, occurring = salient_words.found(listed, units, encoded)
    note = (
        f"{name}: {occurring:,} of its {len(listed):,} words occur, as {int(salient.sum()):,} of "
        f"{len(units):,} words of the texts"
    )
    return _salient(f"a word of {name}", salient, tokens, units, scores, main, (note,))


def of_marks(marked: "OfMarked", main: int) -> SalientUnits:
    """The words that people marked, in the texts that they marked."""
    name = "a word that people marked"
    return _salient(name, marked.marked, marked.tokens, marked.units, marked.scores, main)


def _salient(
    name: str,
    salient: Chosen,
    tokens: AuditTokens,
    units: Units,
    scores: Sequence[Score],
    main: int,
    notes: tuple[str, ...] = (),
) -> SalientUnits:
    of = {(one.name, one.layer): one for one in scores}
    values, layer_0 = (of[key].values for key in (("norm", main), ("layer_0_norm", None)))
    return SalientUnits(
        name=name,
        units=units,
        salient=salient,
        values=units.pooled(values),
        layer_0=units.pooled(layer_0),
        frequency=units.pooled(tokens.frequency, "min"),
        notes=notes,
    )
