"""The values that cross borders between modules: frozen, checked, numpy only.

No formula, no file and no model is known here. Axis order everywhere: texts, layers, tokens,
width. Arrays are read-only. Where an array has nothing to say about a token, numbers hold -1
(rank: 0) and strings are empty; JSON and tables write null there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped

    Ids = Int[np.ndarray, "tokens"]
    Mask = Bool[np.ndarray, "tokens"]
    Names = Shaped[np.ndarray, "tokens"]
    Hidden = Float[np.ndarray, "layers tokens width"]
    Strength = Float[np.ndarray, "layers tokens"]
    Marks = Bool[np.ndarray, "layers tokens"]
    PerLayer = Float[np.ndarray, "layers"]
    Rank = Int[np.ndarray, "layers tokens"]
    Bucket = Shaped[np.ndarray, "layers tokens"]
    BatchIds = Int[np.ndarray, "texts tokens"]
    BatchNorms = Float[np.ndarray, "layers texts tokens"]
    BatchStates = Float[np.ndarray, "layers texts tokens width"]
else:  # the shapes are for readers and type checkers; importing them would cost a warm start 40 ms
    Ids = Mask = Names = Hidden = Strength = Marks = PerLayer = Rank = Bucket = np.ndarray
    BatchIds = BatchNorms = BatchStates = np.ndarray

KINDS = ("special", "punctuation", "function", "content")


class ActivationFlowError(ValueError):
    """Something the user can mend: the message says what was wrong, where, and what to do."""


@dataclass(frozen=True)
class Failure:
    """A text without a result, and why.

    Attributes:
        text_number: its place in the list that was given, from 1.
        reason: one sentence that needs no other context.
    """

    text_number: int
    reason: str


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from; the head of every JSON document.

    Attributes:
        model: the model's id on the hub, its folder, or the name of a live model.
        revision: the commit or the hash of the weights that were used.
        engine: ``openvino`` or ``torch`` (eager).
        precision: ``f32`` or ``bf16``.
        n_layers: number of blocks; layers run from 0 (embeddings) to this.
        final_norm: True if the last layer is taken after a final norm (pre-norm models), so that
            it cannot be compared with the layers below it.
        settings: what was asked for.
        versions: of every library that took part.
    """

    model: str
    revision: str | None
    engine: str
    precision: str
    n_layers: int
    final_norm: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])

    def head(self, schema: str, layers: Sequence[int], **more: Any) -> dict[str, Any]:
        """What every document, table and manifest begins with; ``more`` follows the layers."""
        about = {**vars(self)}
        settings, versions = dict(about.pop("settings")), dict(about.pop("versions"))
        start = {"schema": schema, **about, "layers": list(layers), **more}
        return {**start, "settings": settings, "versions": versions}

    def layer_name(self, layer: int) -> str:
        """How a layer is always printed.

        >>> Provenance("m", None, "openvino", "f32", 12).layer_name(8)
        'layer 8 of 12'
        """
        note = " (after the final norm)" if self.final_norm and layer == self.n_layers else ""
        return f"layer {layer} of {self.n_layers}{note}"


class NoSuchLayer(ActivationFlowError):
    """A layer that the model does not have."""

    def __init__(self, layer: int, n_layers: int):
        super().__init__(
            f"layer {layer} is out of range: this model has layers 0 (embeddings) to "
            f"{n_layers}; -1 is the last"
        )
        self.layer = layer


def resolve_layers(spec: "int | str | Sequence[int] | None", n_layers: int) -> tuple[int, ...]:
    """The layers that a user means, in the order given, each once.

    Layer k is Hugging Face's ``hidden_states[k]``: 0 is the embedding output, k the output of
    block k; -1 is the last. None is two thirds of the depth, rounded (the paper's 8 of 12).

    Args:
        spec: 8, -1, "8", "6-9", "2,4,6-9", "all", a list of these numbers, or None.
        n_layers: number of blocks in the model.

    Raises:
        ActivationFlowError: not of this form, or out of range.

    >>> resolve_layers(None, 12), resolve_layers("6-9", 12), resolve_layers([-1, 0], 6)
    ((8,), (6, 7, 8, 9), (6, 0))
    """
    if spec is None:
        return (round(n_layers * 2 / 3),)
    wanted: Iterable[int]
    if isinstance(spec, str):
        wanted = _parse_layers(spec, n_layers)
    else:
        wanted = spec if isinstance(spec, Iterable) else [spec]
    layers: list[int] = []
    for layer in wanted:
        if isinstance(layer, bool) or not isinstance(layer, (int, np.integer)):
            raise ActivationFlowError(f"layer {layer!r} is not a whole number")
        if not -n_layers - 1 <= layer <= n_layers:
            raise NoSuchLayer(layer, n_layers)
        layers.append(int(layer) % (n_layers + 1))
    if not layers:
        raise ActivationFlowError("no layer was asked for; give one, such as 8, 6-9 or all")
    return tuple(dict.fromkeys(layers))


def main_layer(layers: tuple[int, ...], head: Provenance) -> int:
    """The one that stands for all: the one nearest to two thirds of the depth."""
    (usual,) = resolve_layers(None, head.n_layers)
    return min(layers, key=lambda layer: (abs(layer - usual), layer))


def _parse_layers(spec: str, n_layers: int) -> list[int]:
    import re

    if spec.strip() == "all":
        return list(range(n_layers + 1))
    wanted: list[int] = []
    for part in spec.split(","):
        match = re.fullmatch(r"\s*(-?\d{1,18})(?:\s*-\s*(\d{1,18}))?\s*", part)
        if match is None or (match[2] and not 0 <= int(match[1]) <= int(match[2])):
            raise ActivationFlowError(
                f"layer {spec!r} is not understood: give a number (8, -1), a range (6-9), "
                "a list (2,4,6) or all"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        # Checked here as well, so that "0-999999999" does not fill the memory first.
        if last > n_layers:
            wanted.append(last)
        else:
            wanted.extend(range(first, last + 1))
    return wanted


def _read_only(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TokenizedText:
    """A text and its tokens, in the order in which the model reads them.

    Attributes:
        text: the user's own string.
        text_pair: the second segment, where two were given.
        tokens: the tokenizer's pieces (or words, after ``words()``).
        ids: vocabulary numbers (of the first piece, after ``words()``).
        start: first character of the token in its segment; -1 for special tokens, and for all
            tokens of a tokenizer that does not say it.
        end: one past its last character; -1 likewise.
        segment: 0 for ``text``, 1 for ``text_pair``; -1 for special tokens.
        special: True where the tokenizer added the token; a "[SEP]" that was typed is text.
        word: number of the word that the token is a piece of; -1 where it is none.
        kind: ``special``, ``punctuation``, ``function``, ``content``; "" where unknown.
        n_windows: number of overlapping windows in which a long text was read.
        n_dropped: number of tokens of a long text that were cut off (``truncate``).
    """

    text: str
    text_pair: str | None = None
    tokens: Names
    ids: Ids
    start: Ids
    end: Ids
    segment: Ids
    special: Mask
    word: Ids
    kind: Names
    n_windows: int = 1
    n_dropped: int = 0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                vars(self)[name] = _read_only(value)  # a view: the caller's own stays writeable
        for name in ("ids", "start", "end", "segment", "special", "word", "kind"):
            if getattr(self, name).shape != self.tokens.shape:
                raise ValueError(
                    f"{name} has shape {getattr(self, name).shape}, tokens {self.tokens.shape}"
                )

    def __len__(self) -> int:
        return len(self.tokens)
