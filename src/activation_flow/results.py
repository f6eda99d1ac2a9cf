"""Results: frozen values that know what they can become; strength of texts, layer by layer.

The work is done further down: JSON in document, tables in table, files in files, pictures in
report and html, words and other thresholds in analysis_again, means of kinds in summary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, overload

import numpy as np

from activation_flow.comparing import close, equal
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

Result = TypeVar("Result", covariant=True)

NO_VECTORS = (
    "only hidden states can be subtracted, as a shift is the length of a difference of vectors: "
    "use encoder.shift(a, b), or subtract what encoder.hidden_states() gives"
)


class Exports:
    """What every result can become, one or many; and when two of them are the same."""

    def _as_list(self) -> "Results[Any]":
        """Itself, or a list of itself alone."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: head, texts, errors."""
        from activation_flow import document

        return document.to_dict(self)

    def to_arrow(self) -> "pyarrow.Table":
        """A table with a row per token and layer, or per aligned pair; the head is its metadata."""
        from activation_flow import table

        return table.to_arrow(self._as_list())

    def to_pandas(self) -> "pandas.DataFrame":
        """The table of ``to_arrow`` as a DataFrame.

        Raises:
            ActivationFlowError: pandas is not installed.
        """
        from activation_flow import table

        return table.to_pandas(self._as_list())

    def save(self, path: str | Path) -> None:
        """Write to a file; its ending chooses the form.

        All: .html .png .svg; all but hidden states: .json .csv .parquet; hidden states: .npz
        .safetensors.

        Raises:
            ActivationFlowError: unknown ending, missing folder, or the file cannot be written.
        """
        from activation_flow import files

        files.save(self, path)

    def chart(self, **options: Any) -> Any:
        """The picture of a result, or of the first ones of a list: a Vega-Altair chart.

        Args:
            **options: ``layer``, the only one to draw; ``tokens``, at most so many of a text;
                ``zero=False`` for dots instead of bars, see ``charts.chart``.

        Raises:
            ActivationFlowError: an empty list, or a layer that the result does not hold.
        """
        from activation_flow import charts

        return charts.chart(self, **options)

    def __repr__(self) -> str:
        from activation_flow import report

        return report.plain(self._as_list())

    def _repr_html_(self) -> str:
        from activation_flow import html

        return html.html_fragment(self._as_list())

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        """What notebooks show; nothing of it loads from a network."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    def __eq__(self, other: object) -> bool:
        """The same kind of result, and the same in every value, text, setting and version."""
        return type(self) is type(other) and equal(self, other)

    # Arrays cannot be hashed; by identity, two equal results would differ.
    __hash__ = None  # type: ignore[assignment]

    def __sub__(self, other: object) -> Any:
        """Refused for all but hidden states.

        Raises:
            ActivationFlowError: of any two results; it says what to do.
        """
        if not isinstance(other, Exports):
            return NotImplemented
        raise ActivationFlowError(NO_VECTORS)

    def allclose(self, other: Self, rtol: float = 1e-5) -> bool:
        """The same texts and tokens, and every measured number as close as ``rtol``, relatively.

        A vector is held to its own length, a shift to the largest strength of the two texts, a
        cosine distance to 1; all others to themselves. Who measured (model, engine, settings,
        versions) may differ, and so may what a last digit can change: ranks, buckets, R_H.
        """
        return type(self) is type(other) and close(self, other, rtol)

    def size_of(self, name: str) -> Any:
        """What the numbers of a field are held to by ``allclose``."""
        value = getattr(self, name)
        return np.abs(value) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else None


@dataclass(frozen=True, eq=False, repr=False)
class Results(Exports, Sequence[Result]):
    """The results of a list of texts (or of pairs of texts), in the order given.

    Attributes:
        results: those that have one; ``numbers`` says which texts they are. A tuple; or, of hidden
            states that were loaded, what reads each from its file when it is asked for.
        provenance: model, engine, settings, versions: the same for all.
        layers: as in each result.
        errors: the texts without a result, with the reason.
        numbers: the place of each result's text in the list that was given, from 1.
    """

    results: Sequence[Result]
    provenance: Provenance
    layers: tuple[int, ...]
    errors: tuple[Failure, ...] = ()
    numbers: tuple[int, ...] = ()

    schema: ClassVar[str]
    noun: ClassVar[str] = "text"

    def __post_init__(self) -> None:
        if not self.numbers:
            object.__setattr__(self, "numbers", tuple(range(1, len(self.results) + 1)))

    def _as_list(self) -> "Results[Any]":
        return self

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, index: int) -> Result: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Result | Self:
        if isinstance(index, slice):
            return replace(self, results=self.results[index], numbers=self.numbers[index])
        return self.results[index]

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def renumber(self, numbers: Sequence[int], errors: Sequence[Failure] = ()) -> Self:
        """The same results, where the k-th text given was number ``numbers[k - 1]`` of a file.

        Args:
            numbers: of all texts that were given, in their order.
            errors: further texts without a result, already with such numbers.
        """
        own = [replace(e, text_number=numbers[e.text_number - 1]) for e in self.errors]
        merged = sorted([*own, *errors], key=lambda failure: failure.text_number)
        return replace(
            self, errors=tuple(merged), numbers=tuple(numbers[n - 1] for n in self.numbers)
        )


class TextsFailed(ActivationFlowError):
    """Some texts of a call have no result; ``results`` holds the others, and every reason."""

    def __init__(self, results: Results[Any]):
        first = results.errors[0]
        more = len(results.errors) - 1
        super().__init__(
            f"{results.noun} {first.text_number}: {first.reason}"
            + (f" ({more} more failed)" if more else "")
            + ('; errors="collect" gives the other results' if len(results) else "")
        )
        self.results = results


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class StrengthResult(Exports, TokenizedText):
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

    def _as_list(self) -> "StrengthResults":
        return StrengthResults((self,), self.provenance, self.layers)

    def at(self, layer: int | Sequence[int]) -> "StrengthResult":
        """The same result, one layer of it, or some.

        Raises:
            ActivationFlowError: the result does not hold that layer.
        """
        layers = (layer,) if isinstance(layer, int) else tuple(layer)
        rows = [layer_index(self.layers, one) for one in layers]
        parts = ("strength", "threshold", "rank", "bucket")
        return replace(self, layers=layers, **{name: getattr(self, name)[rows] for name in parts})

    def words(self, how: str = "max") -> "StrengthResult":
        """Aggregate pieces to words; τ, rank and bucket are computed anew over the words.

        Where τ is over all texts (``threshold_scope="corpus"``), call it on all results at once.

        Args:
            how: max, mean, sum, first or l2 (the root of the sum of squares).

        Raises:
            ActivationFlowError: an unknown ``how``, the result is of words already, or its τ is
                over all texts.
        """
        from activation_flow import analysis_again

        return analysis_again.words(self._alone("words"), how)[0]

    def rebucket(
        self, *, quantile: float | None = None, quantile_method: str | None = None
    ) -> "StrengthResult":
        """τ and buckets by another quantile of the same strengths; the model is not run.

        What ``encoder.strength`` gives with these options, value for value. Where τ is over all
        texts (``threshold_scope="corpus"``), call it on all results at once.

        Args:
            quantile: of S over a text's tokens that makes τ; None: as it is.
            quantile_method: "midpoint" gives the paper's τ; any numpy method; None: as it is.

        Raises:
            ActivationFlowError: not a quantile, an unknown method, or τ is over all texts.
        """
        from activation_flow import analysis_again

        alone = self._alone("rebucket")
        return analysis_again.rebucket(alone, quantile, quantile_method)[0]

    def _alone(self, method: str) -> "StrengthResults":
        """A list of itself, whose τ it knows.

        Raises:
            ActivationFlowError: its τ is over all texts.
        """
        if self.provenance.settings.get("threshold_scope") == "corpus":
            raise ActivationFlowError(
                "τ is over all texts, which one result does not know: "
                f"call {method}() on all of them"
            )
        return self._as_list()


def layer_index(layers: tuple[int, ...], layer: int) -> int:
    """Where a layer stands in a result.

    Raises:
        ActivationFlowError: the result does not hold that layer.
    """
    if layer not in layers:
        held = ", ".join(map(str, layers))
        raise ActivationFlowError(f"this result holds layer {held}, not {layer}")
    return layers.index(layer)


@dataclass(frozen=True, eq=False, repr=False)
class StrengthResults(Results[StrengthResult]):
    """The strengths of a list of texts, in the order given."""

    schema: ClassVar[str] = "strength/1"

    def at(self, layers: Sequence[int]) -> "StrengthResults":
        """The same texts, these layers of them.

        Raises:
            ActivationFlowError: the results do not hold one of them.
        """
        cut = tuple(result.at(layers) for result in self.results)
        return StrengthResults(cut, self.provenance, tuple(layers), self.errors, self.numbers)

    def words(self, how: str = "max") -> Self:
        """Every result's ``words(how)``; a corpus threshold is taken over all of them."""
        from activation_flow import analysis_again

        return analysis_again.words(self, how)

    def rebucket(
        self, *, quantile: float | None = None, quantile_method: str | None = None
    ) -> Self:
        """Every result's ``rebucket``; a corpus threshold is taken over all of them."""
        from activation_flow import analysis_again

        return analysis_again.rebucket(self, quantile, quantile_method)


@dataclass(frozen=True)
class KindAtLayer:
    """Where the tokens of one kind stand in their texts, at one layer.

    Attributes:
        layer: 0 = embeddings, k = output of block k.
        kind: special, punctuation, function, content; "" for tokens of no known kind.
        n: number of tokens of this kind, of all texts.
        mean_rank_percentile: mean of their percentiles, 0 (weakest) to 100; see
            ``strength.percentile``.
    """

    layer: int
    kind: str
    n: int
    mean_rank_percentile: float


@dataclass(frozen=True, eq=False, repr=False)
class LayersResult(StrengthResults):
    """The strengths of texts at several layers, and where each kind of token stands."""

    schema: ClassVar[str] = "layers/1"

    @property
    def kinds(self) -> tuple[KindAtLayer, ...]:
        """For every layer and kind that occurs, the mean within-text rank percentile."""
        from activation_flow import summary

        return summary.by_kind(self)
