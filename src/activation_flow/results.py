"""Results: frozen values that know what they can become; the work is done in table and report."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from activation_flow.data import (
    ActivationFlowError,
    Bucket,
    Failure,
    PerLayer,
    Provenance,
    Rank,
    Strength,
    TokenizedText,
)

if TYPE_CHECKING:
    import pandas
    import pyarrow


class _Exports:
    """What every result can become; the work is done further down, in table and report."""

    def to_dict(self) -> dict[str, Any]:
        """The JSON document of DESIGN: head, texts, errors."""
        from activation_flow import table

        return table.to_dict(_as_results(self))

    def to_arrow(self) -> "pyarrow.Table":
        """One row per token and layer; the head is in the schema's metadata."""
        from activation_flow import table

        return table.to_arrow(_as_results(self))

    def to_pandas(self) -> "pandas.DataFrame":
        """One row per token and layer.

        Raises:
            ActivationFlowError: pandas is not installed.
        """
        from activation_flow import table

        return table.to_pandas(_as_results(self))

    def save(self, path: str | Path) -> None:
        """Write to a file; its ending chooses the form: .json .csv .parquet .html.

        Raises:
            ActivationFlowError: unknown ending, missing folder, or the file cannot be written.
        """
        from activation_flow import table

        table.save(_as_results(self), path)

    def __repr__(self) -> str:
        from activation_flow import report

        return report.plain(_as_results(self))

    def _repr_html_(self) -> str:
        from activation_flow import html

        return html.html_fragment(_as_results(self))


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StrengthResult(_Exports, TokenizedText):
    """Strength, rank, threshold and bucket of every token of one text.

    Attributes:
        layers: the layers, in the order of the first axis below.
        strength: S = ‖h‖₂, the L2 norm of the hidden state (paper eq. 1), float32.
        threshold: τ, the quantile of S over the tokens that take part (eq. 3).
        rank: 1 = strongest; tokens closer than 1e-6 relative share a rank; 0 = not ranked.
        bucket: "HIGH" where S > τ, else "LOW" (eq. 4); "" for tokens that take no part.
        provenance: model, engine, settings, versions.
    """

    layers: tuple[int, ...]
    strength: Strength
    threshold: PerLayer
    rank: Rank
    bucket: Bucket
    provenance: Provenance

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (len(self.layers), len(self.tokens))
        for name in ("strength", "rank", "bucket"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape}")
        if self.threshold.shape != shape[:1]:
            raise ValueError(f"threshold has shape {self.threshold.shape}, not {shape[:1]}")

    def at(self, layer: int) -> "StrengthResult":
        """The same result, one layer of it.

        Raises:
            ActivationFlowError: the result does not hold that layer.
        """
        if layer not in self.layers:
            held = ", ".join(map(str, self.layers))
            raise ActivationFlowError(f"this result holds layer {held}, not {layer}")
        k = self.layers.index(layer)
        cut = {
            name: getattr(self, name)[k : k + 1]
            for name in ("strength", "threshold", "rank", "bucket")
        }
        return replace(self, layers=(layer,), **cut)

    def words(self, how: str = "max") -> "StrengthResult":
        """Aggregate pieces to words; τ, rank and bucket are computed anew over the words.

        Where τ is over all texts (``threshold_scope="corpus"``), call it on all results at once.

        Args:
            how: max, mean, sum, first or l2 (the root of the sum of squares).

        Raises:
            ActivationFlowError: an unknown ``how``, the result is of words already, or its τ is
                over all texts.
        """
        from activation_flow import analysis

        if self.provenance.settings.get("threshold_scope") == "corpus":
            raise ActivationFlowError(
                "τ is over all texts, which one result does not know: call words() on all of them"
            )
        return analysis.words(_as_results(self), how)[0]


@dataclass(frozen=True, eq=False, repr=False)
class StrengthResults(_Exports, Sequence[StrengthResult]):
    """The results of a list of texts, in the order given.

    Attributes:
        results: those that have one; ``numbers`` says which texts they are.
        provenance: model, engine, settings, versions: the same for all.
        layers: as in each result.
        errors: the texts without a result, with the reason.
        numbers: the place of each result's text in the list that was given, from 1.
    """

    results: tuple[StrengthResult, ...]
    provenance: Provenance
    layers: tuple[int, ...]
    errors: tuple[Failure, ...] = ()
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.numbers:
            object.__setattr__(self, "numbers", tuple(range(1, len(self.results) + 1)))

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, index: int) -> StrengthResult: ...
    @overload
    def __getitem__(self, index: slice) -> "StrengthResults": ...
    def __getitem__(self, index: int | slice) -> "StrengthResult | StrengthResults":
        if isinstance(index, slice):
            return replace(self, results=self.results[index], numbers=self.numbers[index])
        return self.results[index]

    def __iter__(self) -> Iterator[StrengthResult]:
        return iter(self.results)

    def words(self, how: str = "max") -> "StrengthResults":
        """Every result's ``words(how)``; a corpus threshold is taken over all of them."""
        from activation_flow import analysis

        return analysis.words(self, how)

    def renumber(self, numbers: Sequence[int], errors: Sequence[Failure] = ()) -> "StrengthResults":
        """The same under other numbers, such as those of the rows that the texts came from.

        Args:
            numbers: of each text that was given, in that order; also of those without a result.
            errors: further texts without a result, under their new numbers.
        """
        moved = [replace(e, text_number=numbers[e.text_number - 1]) for e in self.errors]
        moved = sorted([*moved, *errors], key=lambda error: error.text_number)
        shown = tuple(numbers[number - 1] for number in self.numbers)
        return replace(self, numbers=shown, errors=tuple(moved))


def _as_results(result: object) -> StrengthResults:
    if isinstance(result, StrengthResults):
        return result
    assert isinstance(result, StrengthResult)
    return StrengthResults((result,), result.provenance, result.layers)


class TextsFailed(ActivationFlowError):
    """Some texts have no result; the results of all others are in ``results``."""

    def __init__(self, results: StrengthResults):
        first = results.errors[0]
        more = len(results.errors) - 1
        super().__init__(
            f"text {first.text_number}: {first.reason}"
            + (f" ({more} more failed)" if more else "")
            + ('; errors="collect" gives the other results' if len(results) else "")
        )
        self.results = results
