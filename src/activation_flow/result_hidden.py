"""The activations themselves: hidden states of texts, with their tokens; ``b - a`` is a shift."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from activation_flow.data import ActivationFlowError, Hidden, Provenance, Strength, TokenizedText
from activation_flow.results import NO_VECTORS, Exports, Results, layer_index

if TYPE_CHECKING:
    from activation_flow.result_shift import ShiftResult, ShiftResults


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class HiddenStates(Exports, TokenizedText):
    """The hidden state of every token of one text, layer by layer.

    Attributes:
        layers: the layers, in the order of the first axis below.
        hidden: h, [layers tokens width], float32: Hugging Face's ``hidden_states[layer]``.
        strength: S = ‖h‖₂ as the engine computed it (paper eq. 1), [layers tokens], float32.
        provenance: model, engine, settings, versions.
    """

    layers: tuple[int, ...]
    hidden: Hidden
    strength: Strength
    provenance: Provenance

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (len(self.layers), len(self.tokens))
        for name in ("hidden", "strength"):
            if getattr(self, name).shape[:2] != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}, not {shape} first")

    def _as_list(self) -> "HiddenResults":
        return HiddenResults((self,), self.provenance, self.layers)

    def size_of(self, name: str) -> Any:
        """A vector is as large as its length."""
        if name == "hidden":
            return self.strength[..., None]
        return super().size_of(name)

    def at(self, layer: int) -> "HiddenStates":
        """The same text, one layer of it.

        Raises:
            ActivationFlowError: the result does not hold that layer.
        """
        k = layer_index(self.layers, layer)
        hidden, strength = self.hidden[k : k + 1], self.strength[k : k + 1]
        return replace(self, layers=(layer,), hidden=hidden, strength=strength)

    def __sub__(self, other: object) -> "ShiftResult":
        """``b - a``: the shift from a to b, as ``encoder.shift(a, b)`` gives it.

        Raises:
            ActivationFlowError: ``other`` carries no vectors, or the two are of different models,
                of different layers or of more than one, or were read in windows.
        """
        from activation_flow import analysis_shift

        if not isinstance(other, Exports):
            return NotImplemented
        if not isinstance(other, HiddenStates):
            raise ActivationFlowError(_of_one_kind(other))
        return analysis_shift.between(other, self)


def _of_one_kind(other: object) -> str:
    if isinstance(other, (HiddenStates, HiddenResults)):
        return "subtract hidden states of one text from those of one text, or a list from a list"
    return NO_VECTORS


@dataclass(frozen=True, eq=False, repr=False)
class HiddenResults(Results[HiddenStates]):
    """The hidden states of a list of texts, in the order given."""

    schema: ClassVar[str] = "hidden/1"

    def __sub__(self, other: object) -> "ShiftResults":
        """``b - a``: the shift of each text from the text of the same number.

        Raises:
            ActivationFlowError: see ``HiddenStates``; or the two hold other texts, by number.
        """
        from activation_flow.result_shift import ShiftResults

        if not isinstance(other, Exports):
            return NotImplemented
        if not isinstance(other, HiddenResults):
            raise ActivationFlowError(_of_one_kind(other))
        if self.numbers != other.numbers:
            ours, theirs = (", ".join(map(str, one.numbers)) for one in (self, other))
            raise ActivationFlowError(
                f"these two cannot be subtracted: they hold texts {ours} and {theirs}"
            )
        if not len(self):
            raise ActivationFlowError("these two cannot be subtracted: they hold no text")
        shifts = tuple(b - a for b, a in zip(self, other, strict=True))
        return ShiftResults(shifts, shifts[0].provenance, self.layers, numbers=self.numbers)
