"""What comparing two texts gives: shift of every aligned pair of tokens, and who carries it."""

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from activation_flow.alignment import kinds_of_rows
from activation_flow.data import Names, Provenance
from activation_flow.results import Exports, Results, StrengthResult
from activation_flow.shift import Concentration

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    Index = Int[np.ndarray, "rows"]
    Values = Float[np.ndarray, "rows"]
    Marked = Bool[np.ndarray, "rows"]
else:
    Index = Values = Marked = np.ndarray


class Pair(NamedTuple):
    """A row of a comparison; None where there is no such token or number."""

    change: str
    a: str | None
    b: str | None
    a_index: int | None
    b_index: int | None
    kind: str | None
    strength_a: float | None
    bucket_a: str | None
    strength_b: float | None
    bucket_b: str | None
    high: bool
    shift: float | None
    cosine_distance: float | None


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ShiftResult(Exports):
    """Two texts, their tokens in rows: every token of both once, with its partner if it has one.

    Attributes:
        a: tokens, strengths and buckets of the first text, at one layer.
        b: those of the second.
        a_index: of each row, the token's index in the first text; -1: it is only in the second.
        b_index: its index in the second text; -1: it is only in the first.
        change: ``same``, ``replaced``, ``deleted`` (only in the first), ``inserted``.
        shift: Δ = ‖h_A − h_B‖₂ of each row (paper eq. 6), float64, in the unit of the hidden
            state; NaN where a token has no partner.
        cosine_distance: 1 − cos, 0 to 2; NaN where there is no partner.
        high: True where the token is HIGH, by the bucket that ``settings["bucket_by"]`` names.
        concentration: how much of the shift the HIGH tokens hold, and by chance would hold.
        provenance: model, engine, settings, versions.
    """

    a: StrengthResult
    b: StrengthResult
    a_index: Index
    b_index: Index
    change: Names
    shift: Values
    cosine_distance: Values
    high: Marked
    concentration: Concentration
    provenance: Provenance

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                if value.shape != self.change.shape:
                    raise ValueError(
                        f"{field.name} has shape {value.shape}, change {self.change.shape}"
                    )
                view = value.view()
                view.flags.writeable = False
                object.__setattr__(self, field.name, view)

    def _as_list(self) -> "ShiftResults":
        return ShiftResults((self,), self.provenance, self.a.layers)

    def size_of(self, name: str) -> Any:
        """A shift is as large as the vectors that it lies between, a cosine distance as 1."""
        sizes = {"shift": max(self.a.strength.max(), self.b.strength.max()), "cosine_distance": 1.0}
        return sizes.get(name) or super().size_of(name)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.change)

    @property
    def layer(self) -> int:
        """0 = embeddings, k = output of block k."""
        return self.a.layers[0]

    @property
    def paired(self) -> Marked:
        """True for rows with a token of both texts."""
        return (self.a_index >= 0) & (self.b_index >= 0)

    @property
    def kind(self) -> Names:
        """Kind of each row's token: the first text's, or the second's where it was inserted."""
        return kinds_of_rows(self.a_index, self.b_index, self.a.kind, self.b.kind)

    @property
    def total(self) -> float:
        """Sum of all shifts, special tokens included (paper Table 4)."""
        return float(np.nansum(self.shift))

    @property
    def unpaired_high(self) -> int:
        """Number of HIGH tokens that have no partner, and so no part in R_H."""
        return int((self.high & ~self.paired).sum())

    @property
    def high_ratio(self) -> float | None:
        """R_H, the part of the shift that HIGH tokens hold (eqs. 5, 11); means little alone."""
        return self.concentration.high_ratio

    @property
    def high_share(self) -> float | None:
        """k/n, the R_H that chance gives."""
        return self.concentration.high_share

    @property
    def enrichment(self) -> float | None:
        """R_H / (k/n); 1 is chance."""
        return self.concentration.enrichment

    @property
    def p_value(self) -> float | None:
        """Part of all choices of k tokens that hold at least as much shift; one-sided."""
        return self.concentration.p_value

    @property
    def p_floor(self) -> float | None:
        """The smallest p that k of n tokens could have had."""
        return self.concentration.p_floor

    @property
    def pairs(self) -> list[Pair]:
        """The rows, in reading order."""
        return [self._pair(row) for row in range(len(self))]

    def _pair(self, row: int) -> Pair:
        i, j = int(self.a_index[row]), int(self.b_index[row])
        paired = i >= 0 and j >= 0
        return Pair(
            change=str(self.change[row]),
            a=str(self.a.tokens[i]) if i >= 0 else None,
            b=str(self.b.tokens[j]) if j >= 0 else None,
            a_index=i if i >= 0 else None,
            b_index=j if j >= 0 else None,
            kind=str(self.kind[row]) or None,
            strength_a=float(str(self.a.strength[0, i])) if i >= 0 else None,
            bucket_a=str(self.a.bucket[0, i]) or None if i >= 0 else None,
            strength_b=float(str(self.b.strength[0, j])) if j >= 0 else None,
            bucket_b=str(self.b.bucket[0, j]) or None if j >= 0 else None,
            high=bool(self.high[row]),
            shift=float(self.shift[row]) if paired else None,
            cosine_distance=_finite(self.cosine_distance[row]),
        )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@dataclass(frozen=True, eq=False, repr=False)
class ShiftResults(Results[ShiftResult]):
    """The comparisons of a list of pairs of texts, in the order given."""

    schema: ClassVar[str] = "shift/1"
    noun: ClassVar[str] = "pair"
