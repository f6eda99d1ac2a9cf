"""Which norm module makes, or reads, the hidden states of each layer: found from numbers alone.

A text is run with hooks on every module. A module is a norm if its output is γ⊙z + β of its
input, with γ and β among its own parameters (or 1 and 0), one ε for all tokens, and z centred
(LayerNorm) or not (RMSNorm). No class, no name and no config is asked.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import eager, norm_formulas

if TYPE_CHECKING:
    from jaxtyping import Float

    from activation_flow.tap import Tap

    Vectors = Float[np.ndarray, "tokens width"]
    Gains = Float[np.ndarray, "width"]
else:
    Vectors = Gains = np.ndarray

SAME = 1e-6  # relative to the largest number: two tensors this close are one
FITS = 1e-4  # relative: how far a norm's output may be from γ⊙z + β, in float32
FEWEST = 3  # tokens: with fewer, one ε fits anything


@dataclass(frozen=True, eq=False)
class Norm:
    """A norm module, at one of its calls (ALBERT calls one module at every layer).

    Attributes:
        name: where it is in the model.
        module: itself.
        call: the number of the call in a forward pass, from 0.
        turned: its tensors are [tokens texts width] (XLNet), not [texts tokens width].
        centring: LayerNorm; else RMSNorm.
        gain: γ, what z is multiplied with.
        bias: β.
        epsilon: ε, as found; below 1e-7 of the variance it is arithmetic noise.
    """

    name: str
    module: Any
    call: int
    turned: bool
    centring: bool
    gain: Gains
    bias: Gains
    epsilon: float

    @property
    def kind(self) -> str:
        """``LayerNorm`` or ``RMSNorm``."""
        return "LayerNorm" if self.centring else "RMSNorm"


@dataclass(frozen=True, eq=False)
class Place:
    """Where the hidden states of a layer are taken.

    Attributes:
        layer: of the hidden states.
        layout: ``post-LayerNorm`` ...; see ``NormAtLayer``.
        norm: the module whose output (post) or input (pre) they are; None if unknown.
    """

    layer: int
    layout: str
    norm: Norm | None

    @property
    def post(self) -> bool:
        """The hidden states are a norm's output."""
        return self.layout.startswith("post")


@dataclass(frozen=True, eq=False)
class _Call:
    name: str
    module: Any
    number: int
    turned: bool
    x: Vectors
    y: Vectors


def find(tap: "Tap", inputs: tuple[Any, ...]) -> list[Place]:
    """The norms around the hidden states of every layer 0..N, from one text.

    A norm's output goes before a norm's input: what normalised last decides the strength.

    Args:
        tap: the model.
        inputs: one text [1 tokens], of at least 3 tokens.
    """
    calls, hidden = _calls(tap, inputs)
    made: dict[int, Norm | None] = {}

    def norm_of(i: int) -> Norm | None:
        if i not in made:
            made[i] = _fitted(calls[i])
        return made[i]

    places = []
    for layer, h in enumerate(hidden):
        post = (norm_of(i) for i, call in enumerate(calls) if _same(call.y, h))
        pre = (norm_of(i) for i, call in enumerate(calls) if _same(call.x, h))
        if norm := next(filter(None, post), None):
            places.append(Place(layer, f"post-{norm.kind}", norm))
        elif norm := next(filter(None, pre), None):
            places.append(Place(layer, f"pre-{norm.kind}", norm))
        else:
            places.append(Place(layer, "unknown", None))
    return places


@contextmanager
def inputs_of(tap: "Tap", norms: Mapping[int, Norm]) -> Iterator[dict[int, Any]]:
    """While this is open, each pass of the tap leaves what the norms of these layers read.

    Yields:
        For every layer, after a pass, a tensor [texts tokens width] or [texts·tokens width]: a
        copy, since what follows may add in place.
    """
    wanted: dict[Any, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for layer, norm in norms.items():
        wanted[norm.module][norm.call].append(layer)
    counts: Counter[Any] = Counter()
    seen: dict[int, Any] = {}

    def begin(module: Any, args: Any) -> None:
        seen.clear()
        counts.clear()

    def remember(module: Any, args: Any, named: Any, output: Any) -> None:
        for layer in wanted[module].get(counts[module], ()):
            x = _first(args, named).detach()
            seen[layer] = (x.transpose(0, 1) if norms[layer].turned else x).clone()
        counts[module] += 1

    handles = [tap.register_forward_pre_hook(begin)]
    handles += [m.register_forward_hook(remember, with_kwargs=True) for m in [*wanted]]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _first(args: Any, named: Any) -> Any:
    """The first thing that a module was given, by place or by name."""
    return args[0] if args else next(iter(named.values()), None)


def _calls(tap: "Tap", inputs: tuple[Any, ...]) -> tuple[list[_Call], list[Vectors]]:
    """Every call of a module that makes one vector per token of one, and the hidden states."""
    names = {module: name for name, module in tap.model.named_modules() if name}
    counts: Counter[Any] = Counter()
    found: list[tuple[Any, int, Any, Any]] = []

    def remember(module: Any, args: Any, named: Any, output: Any) -> None:
        x, y = _first(args, named), output
        if getattr(x, "shape", None) is not None and x.shape == getattr(y, "shape", None):
            found.append((module, counts[module], x.detach().clone(), y.detach().clone()))
        counts[module] += 1

    handles = [m.register_forward_hook(remember, with_kwargs=True) for m in names]
    try:
        out = eager.forward(tap, inputs)
    finally:
        for handle in handles:
            handle.remove()
    hidden = [_wide(h[0]) for h in out[len(out) // 2 :]]
    tokens, width = hidden[0].shape
    shapes = {(1, tokens, width): False, (tokens, 1, width): True, (tokens, width): False}
    calls = [
        _Call(names[m], m, number, shapes[tuple(x.shape)], *(_flat(t, width) for t in (x, y)))
        for m, number, x, y in found
        if tuple(x.shape) in shapes
    ]
    return calls, hidden


def _wide(tensor: Any) -> np.ndarray:
    """In float64, on the numpy side."""
    array: np.ndarray = tensor.detach().double().numpy()
    return array


def _flat(tensor: Any, width: int) -> Vectors:
    return _wide(tensor).reshape(-1, width)


def _same(a: Vectors, b: Vectors) -> bool:
    return bool(np.abs(a - b).max() <= SAME * np.abs(b).max())


def _fitted(call: _Call) -> Norm | None:
    """The call as a norm, by the γ and β of its own that fit best; None if none fit."""
    if len(call.x) < FEWEST or np.array_equal(call.x, call.y):  # a dropout, say
        return None
    width = call.x.shape[1]
    own = [_wide(p) for p in call.module.parameters(recurse=False) if tuple(p.shape) == (width,)]
    best, off = None, FITS
    for centring in (True, False):
        apart = norm_formulas.spread(call.x, centring)
        for gain, bias in _gains_and_biases(own, width):
            epsilon, wrong = _fit(apart, call.y - bias, gain)
            if wrong < off:
                best, off = (centring, gain, bias, epsilon), wrong
    if best is None:
        return None
    return Norm(call.name, call.module, call.number, call.turned, *best)


def _gains_and_biases(own: Sequence[Gains], width: int) -> Iterator[tuple[Gains, Gains]]:
    """Every γ and β that one-dimensional parameters can stand for; Gemma's γ is 1 + its weight."""
    none = np.zeros(width)
    for i, j in [
        (i, j) for i in range(-1, len(own)) for j in range(-1, len(own)) if i != j or i < 0
    ]:
        bias = none if j < 0 else own[j]
        if i < 0:
            yield none + 1, bias
        else:
            yield own[i], bias
            yield own[i] + 1, bias


def _fit(apart: Vectors, target: Vectors, gain: Gains) -> tuple[float, float]:
    """ε, and how far target is from γ⊙apart / sqrt(σ² + ε), relatively; infinite if not at all.

    The size that each token was divided by follows from the best scale; no γ is divided by, for
    some are 0.
    """
    with np.errstate(all="ignore"):  # zeros in, or out: NaN, which fits nothing
        expected = apart * gain
        scale = (expected * target).sum(axis=1) / np.square(expected).sum(axis=1)
        power, divided_by = np.square(apart).mean(axis=1), scale**-2.0
        epsilon = max(0.0, float(np.median(divided_by - power)))
        wrong_size = np.abs(divided_by - power - epsilon) / divided_by
        left = np.linalg.norm(target - expected * scale[:, None], axis=1)
        wrong = np.fmax(left / np.linalg.norm(target, axis=1), wrong_size)
    if not (np.isfinite(wrong).all() and (scale > 0).all()):
        return 0.0, float("inf")
    return epsilon, float(wrong.max())
