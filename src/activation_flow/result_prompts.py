"""What several prompts before one text give: what each pair of prompts moves, layer by layer."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from activation_flow import aligned, parts
from activation_flow.alignment import Alignment, kinds_of_rows
from activation_flow.data import ActivationFlowError, Mask, Names, PerLayer, Provenance
from activation_flow.result_shift import ShiftResult
from activation_flow.results import Exports, Results, StrengthResult, layer_index
from activation_flow.shift import Concentration
from activation_flow.templates import Template

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    Index = Int[np.ndarray, "rows"]
    PerRow = Float[np.ndarray, "layers rows"]
    Marked = Bool[np.ndarray, "layers rows"]
    Paired = Bool[np.ndarray, "rows"]
    Matrix = Float[np.ndarray, "layers prompts prompts"]
else:
    Index = PerRow = Marked = Paired = Matrix = np.ndarray


def _read_only(holder: object) -> None:
    for name, value in vars(holder).items():
        if isinstance(value, np.ndarray):
            view = value.view()
            view.flags.writeable = False
            object.__setattr__(holder, name, view)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PromptComparison:
    """One text under two prompts: every token of both variants once, with its partner if any.

    Attributes:
        a: place of the first prompt among all.
        b: place of the second.
        a_index: of each row, the token's index in the first variant; -1: only in the second.
        b_index: its index in the second; -1: only in the first.
        change: ``same``, ``replaced``, ``deleted`` (only in the first), ``inserted``.
        part: whose the token is: ``text``, ``prompt`` (or the template's), ``special``; ``mixed``
            where the two are of different ones, which aligned by characters they never are; ""
            where the tokenizer does not say.
        shift: Δ = ‖h_A − h_B‖₂ (paper eq. 6), [layers rows], float64; NaN without a partner.
        cosine_distance: 1 − cos, [layers rows]; NaN likewise.
        high: [layers rows], by the bucket that ``settings["bucket_by"]`` names.
        concentration: for each layer, how much of the shift HIGH tokens hold, beside chance.
    """

    a: int
    b: int
    a_index: Index
    b_index: Index
    change: Names
    part: Names
    shift: PerRow
    cosine_distance: PerRow
    high: Marked
    concentration: tuple[Concentration, ...]

    def __post_init__(self) -> None:
        rows, layers = self.change.shape, (len(self.concentration),)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                per_layer = field.name in ("shift", "cosine_distance", "high")
                shape = layers + rows if per_layer else rows
                if value.shape != shape:
                    raise ValueError(f"{field.name} has shape {value.shape}, not {shape}")
        _read_only(self)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.change)

    def size_of(self, name: str) -> Any:
        """A cosine distance is held to 1; a shift to what the result says."""
        return 1.0 if name == "cosine_distance" else None

    @property
    def paired(self) -> Paired:
        """True for rows with a token of both variants."""
        return (self.a_index >= 0) & (self.b_index >= 0)

    @property
    def total_shift(self) -> PerLayer:
        """Sum of the shifts of all aligned pairs, special ones included."""
        total: PerLayer = self.shift[:, self.paired].sum(axis=1)
        return total

    @property
    def mean_shift(self) -> PerLayer:
        """The same for one pair; NaN where there is none."""
        n = int(self.paired.sum())
        return self.total_shift / n if n else np.full(len(self.shift), np.nan)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PromptsResult(Exports):
    """One text under several prompts.

    Attributes:
        text: the user's own.
        prompts: in the order given; None is the bare text, always the first if it is there.
        template: how prompt and text are put together.
        variants: for each prompt, what the model read: tokens, strengths, buckets at all layers.
        layers: the layers, in the order of the first axis below.
        anchor: the vector that stands for a whole variant: ``cls``, ``last`` or ``mean``, see
            ``anchor.kind_of``.
        anchor_shift: Δ of the anchor, [layers prompts prompts], float64; symmetric, 0 on the
            diagonal.
        anchor_cosine: its 1 − cos, likewise; NaN where a vector is zero.
        comparisons: of every pair of prompts: (0, 1), (0, 2), (1, 2) ... sorted by a, then b.
        provenance: model, engine, settings, versions.
    """

    text: str
    prompts: tuple[str | None, ...]
    template: str
    variants: tuple[StrengthResult, ...]
    layers: tuple[int, ...]
    anchor: str
    anchor_shift: Matrix
    anchor_cosine: Matrix
    comparisons: tuple[PromptComparison, ...]
    provenance: Provenance

    def __post_init__(self) -> None:
        n = len(self.prompts)
        if len(self.variants) != n:
            raise ValueError(f"{len(self.variants)} variants of {n} prompts")
        if [(c.a, c.b) for c in self.comparisons] != [*pairs_of(n)]:
            raise ValueError("comparisons are not those of every pair of prompts, in order")
        for name in ("anchor_shift", "anchor_cosine"):
            if getattr(self, name).shape != (len(self.layers), n, n):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}")
        _read_only(self)

    def _as_list(self) -> "PromptsResults":
        return PromptsResults((self,), self.provenance, self.layers)

    def size_of(self, name: str) -> Any:
        """A shift is as large as the vectors that it lies between, a cosine distance as 1."""
        if name == "anchor_cosine":
            return 1.0
        if name in ("anchor_shift", "comparisons"):
            largest = np.max([v.strength.max(axis=1) for v in self.variants], axis=0)
            return largest.astype(np.float64).reshape(-1, *[1] * (2 - (name == "comparisons")))
        return super().size_of(name)

    @property
    def drift(self) -> Matrix:
        """Total shift of every pair of prompts, [layers prompts prompts]; symmetric, 0 inside."""
        return self._matrix("total_shift")

    @property
    def mean_drift(self) -> Matrix:
        """The same for one pair of tokens; NaN where no token has a partner."""
        return self._matrix("mean_shift")

    def _matrix(self, name: str) -> Matrix:
        n = len(self.prompts)
        found = np.zeros((len(self.layers), n, n))
        for one in self.comparisons:
            found[:, one.a, one.b] = found[:, one.b, one.a] = getattr(one, name)
        return found

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Where the text stands in each variant: its first character, one past its last."""
        template = Template(self.template)
        filled = (template.fill(prompt, self.text) for prompt in self.prompts)
        return tuple((one.start, one.end) for one in filled)

    @property
    def parts(self) -> tuple[Names, ...]:
        """Whose each token of each variant is: ``text``, ``prompt``, ``special``; "" unknown."""
        both = zip(self.variants, self.spans, strict=True)
        return tuple(parts.parts(variant, span) for variant, span in both)

    @property
    def straddling(self) -> tuple[Mask, ...]:
        """Of each variant, the tokens that are half prompt and half text; they count as prompt."""
        both = zip(self.variants, self.spans, strict=True)
        return tuple(parts.straddling(variant, span) for variant, span in both)

    def comparison(self, a: int, b: int) -> PromptComparison:
        """The comparison of the prompts at places a and b, a before b.

        Raises:
            ActivationFlowError: there is no such pair.
        """
        for one in self.comparisons:
            if (one.a, one.b) == (a, b):
                return one
        raise ActivationFlowError(
            f"there is no comparison of prompts {a} and {b}: give two of 0 to "
            f"{len(self.prompts) - 1}, the smaller one first"
        )

    def parts_between(self, a: int, b: int) -> Names:
        """Whose the token of each row of ``between(a, b)`` is: ``part`` of the comparison.

        Raises:
            ActivationFlowError: there are no such prompts.
        """
        one = self.comparison(*sorted((a, b)))
        if a < b:
            return one.part
        _, order = mirrored(Alignment(one.a_index, one.b_index, one.change))
        found: Names = one.part[order]
        return found

    def kinds(self, one: PromptComparison) -> Names:
        """Kind of each row's token: the first variant's, or the second's where it was inserted."""
        of_a, of_b = self.variants[one.a].kind, self.variants[one.b].kind
        return kinds_of_rows(one.a_index, one.b_index, of_a, of_b)

    def between(self, a: int, b: int, layer: int) -> ShiftResult:
        """The shift from the variant with prompt a to the one with prompt b, at one layer.

        Args:
            a: place of a prompt; HIGH is said by it if ``bucket_by`` is "a".
            b: place of another.
            layer: one of ``layers``.

        Raises:
            ActivationFlowError: there are no such prompts or no such layer.
        """
        one, k = self.comparison(*sorted((a, b))), layer_index(self.layers, layer)
        of_a, of_b = self.variants[a].at(layer), self.variants[b].at(layer)
        rows = Alignment(one.a_index, one.b_index, one.change)
        shift, angle = one.shift[k], one.cosine_distance[k]
        high, held = one.high[k], one.concentration[k]
        if a > b:
            rows, order = mirrored(rows)
            shift, angle = shift[order], angle[order]
            settings = self.provenance.settings
            high = aligned.high(rows, of_a.bucket[0], of_b.bucket[0], settings["bucket_by"])
            part = of_a.bucket[0] != ""
            held = aligned.concentration(rows, shift, high, part)
        return ShiftResult(
            a=of_a,
            b=of_b,
            a_index=rows.a_index,
            b_index=rows.b_index,
            change=rows.change,
            shift=shift,
            cosine_distance=angle,
            high=high,
            concentration=held,
            provenance=self.provenance,
        )


def pairs_of(n: int) -> Iterator[tuple[int, int]]:
    """Every pair of n prompts, in the order of ``comparisons``.

    >>> list(pairs_of(3))
    [(0, 1), (0, 2), (1, 2)]
    """
    return ((a, b) for a in range(n) for b in range(a + 1, n))


def mirrored(rows: Alignment) -> tuple[Alignment, Index]:
    """The alignment of (b, a), and from which row of (a, b) each of its rows is."""
    turned = {"deleted": "inserted", "inserted": "deleted"}
    change = np.array([turned.get(c, c) for c in rows.change.tolist()], dtype="<U8")
    run = 2 * np.cumsum(rows.paired) - rows.paired  # rows without a partner stand in runs
    order: Index = np.lexsort((change == "inserted", run))
    return Alignment(rows.b_index[order], rows.a_index[order], change[order]), order


@dataclass(frozen=True, eq=False, repr=False)
class PromptsResults(Results[PromptsResult]):
    """The results of a list of texts, all under the same prompts."""

    schema: ClassVar[str] = "prompts/1"
