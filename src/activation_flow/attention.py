"""How much attention each token receives: the usual rivals of the strength, from one slow pass.

Attention received is the mean weight that a token gets; rollout follows the weights through the
layers, half of each being the token itself (Abnar and Zuidema 2020, arXiv:2005.00928). Both are
read from the attention weights of the model itself, never recomputed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import eager, loading, room
from activation_flow.audit_data import AuditTokens, PerToken, Score
from activation_flow.data import ActivationFlowError
from activation_flow.eager import Batch, Sample
from activation_flow.encoder import Encoder

if TYPE_CHECKING:
    from jaxtyping import Float

    from activation_flow.tap import Tap

    Weights = Float[np.ndarray, "layers heads texts queries tokens"]
    Mean = Float[np.ndarray, "layers texts queries tokens"]
    Received = Float[np.ndarray, "layers texts tokens"]
    PerText = Float[np.ndarray, "texts tokens"]
else:
    Weights = Mean = Received = PerText = np.ndarray

CELLS = 2**26  # attention weights in a batch: 256 MB
RECEIVED, ROLLOUT = ("attention", "attention received"), ("rollout", "attention rollout")
OVER_ALL = (RECEIVED[0], f"{RECEIVED[1]}, mean of all layers")
OF_MEMORY = 0.5  # a text may take this much of what is free
SUMS = 1e-3  # how far the weights of a query may be from 1 in all


@dataclass(frozen=True, eq=False)
class Attention:
    """What was found.

    Attributes:
        scores: attention received over all layers, at each layer, and rollout.
        shares: of all attention, the share that each special token gets, block by block.
        note: the same in a sentence; "" where there is none.
    """

    scores: list[Score]
    shares: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    note: str = ""


def received(mean: Mean, causal: bool) -> Received:
    """Mean attention that each token gets, from weights that are means over heads.

    Over all queries; of a causal model over those that can see the token, itself and later ones,
    else the first tokens would get most for no other reason than their place. (A sliding window
    may hide it from some of these: they give it 0.)

    >>> received(np.array([[[[1.0, 0.0], [0.5, 0.5]]]]), causal=False)
    array([[[0.75, 0.25]]])
    >>> received(np.array([[[[1.0, 0.0], [0.5, 0.5]]]]), causal=True)
    array([[[0.75, 0.5 ]]])
    """
    n = mean.shape[-1]
    seeing = np.arange(n, 0, -1) if causal else n
    got: Received = mean.sum(axis=-2) / seeing
    return got


def rollout(mean: Mean, start: Sequence[int | None], causal: bool) -> PerText:
    """R = Ã_N ... Ã_1 with Ã = ½ A + ½ I: the row of the start token, else received of R.

    Args:
        mean: attention, mean over heads.
        start: for each text the place of the token that is asked (cls), or None.
        causal: see ``received``.

    >>> rollout(np.array([[[[0.0, 1.0], [0.0, 1.0]]]]), [0], causal=False)
    array([[0.5, 0.5]])
    """
    own = np.eye(mean.shape[-1])
    rolled = np.broadcast_to(own, mean.shape[1:])
    for layer in mean:
        rolled = (layer + own) / 2 @ rolled
    average = received(rolled[None], causal)[0]
    rows = [a if k is None else r[k] for a, r, k in zip(average, rolled, start, strict=True)]
    return np.stack(rows)


def scores(encoder: Encoder, tap: "Tap", sampled: Sample) -> Attention:
    """Attention received and rollout of a sample of texts.

    Args:
        encoder: of the audit.
        tap: its model, opened with attention ``eager``.
        sampled: the texts; those whose weights do not fit in memory are left out and counted.
    """
    try:
        per_square = _weights_per_square(encoder, tap, sampled)
    except _NoWeights as why:
        return unavailable(encoder, sampled.tokens, str(why))
    room_for = OF_MEMORY * room.available_memory() / (4 * per_square)
    fitting = tuple(i for i in sampled.texts if len(sampled.encoded[i].text) ** 2 <= room_for)
    if not fitting:
        return unavailable(encoder, sampled.tokens, "its attention weights do not fit in memory")
    tally = _Tally(encoder, replace(sampled, texts=fitting))

    def at_once(n: int) -> int:
        return min(eager.BATCH_TOKENS // n, CELLS // (per_square * n * n))

    for batch in eager.batches(tap, tally.sampled, at_once):
        tally.add(batch, tap)
    return tally.result(len(sampled.texts) - len(fitting))


def unavailable(encoder: Encoder, tokens: AuditTokens, reason: str) -> Attention:
    """The same, of a model whose attention cannot be had: every row says why."""
    none = np.full(len(tokens), np.nan)
    over_all = [OVER_ALL, *([RECEIVED] * encoder.n_layers), ROLLOUT]
    layers = [None, *range(1, encoder.n_layers + 1), None]
    return Attention(
        [
            Score(name=name, title=title, layer=k, values=none, role="baseline", missing=reason)
            for (name, title), k in zip(over_all, layers, strict=True)
        ]
    )


class _NoWeights(ActivationFlowError):
    """This model gives no attention weights; says why."""


def _weights(tap: "Tap", batch: Batch) -> Sequence[Any]:
    """Attention weights of every block, [texts heads queries tokens] each."""
    import torch

    named = dict(zip(tap.inputs, batch.inputs, strict=True))
    options = {**tap.options, "output_hidden_states": False, "output_attentions": True}
    with torch.no_grad(), loading.quiet():
        out = tap.model(**named, **options)
    return getattr(out, "attentions", None) or ()


def _weights_per_square(encoder: Encoder, tap: "Tap", sampled: Sample) -> int:
    """How many weights a text of n tokens has, divided by n²; found with the shortest text."""
    shortest = min(sampled.texts, key=lambda i: len(sampled.encoded[i].text))
    batch = next(eager.batches(tap, replace(sampled, texts=(shortest,))))
    try:
        weights = _weights(tap, batch)
    except MemoryError:
        raise
    except Exception as problem:  # other people's code fails in any way
        raise _NoWeights(f"the model gives no attention weights ({problem})") from problem
    n = batch.ids.shape[1]
    given = [w for w in weights if w is not None]
    if len(given) != encoder.n_layers:
        raise _NoWeights(
            f"{len(given)} of the model's {encoder.n_layers} blocks give attention weights"
        )
    if any(tuple(w.shape[::2]) != (1, n) or w.shape[3] != n for w in given):
        raise _NoWeights("the model's attention weights are not one for each pair of tokens")
    if any(float((w.sum(dim=-1) - 1).abs().max()) > SUMS for w in given):
        raise _NoWeights("the model's attention weights do not sum to 1 for each query")
    return sum(w.shape[1] for w in given)


class _Tally:
    """Sums over the batches of a sample."""

    def __init__(self, encoder: Encoder, sampled: Sample):
        self.encoder, self.sampled = encoder, sampled
        self._layers = np.full((encoder.n_layers, len(sampled.tokens)), np.nan)
        self._rollout = sampled.empty()
        self._seconds = {"model": 0.0, "attention": 0.0, "rollout": 0.0}
        self._from_cls = 0
        tokens = sampled.tokens
        special = np.where(tokens.kind == "special", tokens.token.astype(str), "")
        self._special = special
        spellings = dict.fromkeys(special[sampled.read & (special != "")].tolist())
        self._shares = {spelling: np.zeros(encoder.n_layers) for spelling in spellings}

    def add(self, batch: Batch, tap: "Tap") -> None:
        """One pass, and what follows from it."""
        causal = self.encoder.causal
        began = perf_counter()
        # One layer after the other: all heads in float64 at once would take twice the memory.
        mean = np.stack([w.mean(dim=1).double().numpy() for w in _weights(tap, batch)])
        modelled = perf_counter()
        self._layers[:, batch.rows] = received(mean, causal)
        got = mean.sum(axis=2)
        for spelling, sums in self._shares.items():
            sums += got[:, self._special[batch.rows] == spelling].sum(axis=1)
        gathered = perf_counter()
        start = self._start(batch)
        self._rollout[batch.rows] = rollout(mean, start, causal)
        self._from_cls += sum(k is not None for k in start)
        self._seconds["model"] += modelled - began
        self._seconds["attention"] += gathered - modelled
        self._seconds["rollout"] += perf_counter() - gathered

    def _start(self, batch: Batch) -> list[int | None]:
        """Where rollout starts: at the cls token, which in a causal model sees only itself."""
        if self.encoder.causal or self.encoder.cls_id is None:
            return [None] * len(batch.ids)
        is_cls = (batch.ids == self.encoder.cls_id) & (self._special[batch.rows] != "")
        return [int(row.argmax()) if row.any() else None for row in is_cls]

    def result(self, n_large: int) -> Attention:
        """All scores; ``n_large`` texts did not fit in memory."""
        over = self.sampled.note
        over += f", without {n_large} whose weights do not fit in memory" if n_large else ""
        seeing = "queries that can see the token" if self.encoder.causal else "queries"
        mean = f"mean over heads and {seeing}"
        shares = {k: tuple(sums / len(self.sampled)) for k, sums in self._shares.items()}
        scores = [
            self._score(OVER_ALL, None, self._layers.mean(axis=0), f"{mean} of all blocks, {over}")
        ]
        for k, values in enumerate(self._layers):
            got = [f"{token} gets {100 * share[k]:.0f} %" for token, share in shares.items()]
            of = f" (of all attention {', '.join(got)})" if got else ""
            scores.append(self._score(RECEIVED, k + 1, values, f"{mean} of this block{of}, {over}"))
        start = f"mean over {seeing}"
        if self._from_cls:
            some = f" in {self._from_cls:,} texts, else {start}"
            start = "from cls" + (some if self._from_cls < len(self.sampled.texts) else "")
        note = f"half attention, half the token itself, block by block; {start}, {over}"
        scores.append(self._score(ROLLOUT, None, self._rollout, note))
        return Attention(scores, shares, _sentence(shares))

    def _score(
        self, about: tuple[str, str], layer: int | None, values: PerToken, note: str
    ) -> Score:
        name, title = about
        seconds = self._seconds["model"] + self._seconds[name]
        return Score(
            name=name,
            title=title,
            layer=layer,
            values=values,
            seconds_per_1000_tokens=seconds * 1000 / len(self.sampled),
            role="baseline",
            note=note,
            pooling="sum",
        )


def _sentence(shares: Mapping[str, Sequence[float]]) -> str:
    """What special tokens get of all attention, over all blocks and where they get most.

    >>> _sentence({"[CLS]": (0.2, 0.1), "[SEP]": (0.3, 0.6)})
    '[CLS] gets 15 % of all attention (at most 20 %, in block 1); [SEP] 45 % (60 %, in block 2)'
    """
    parts: list[str] = []
    for spelling, of in shares.items():
        most = int(np.argmax(of))
        gets, at = ("", "") if parts else (" gets", "at most ")
        all_ = "" if parts else " of all attention"
        parts.append(
            f"{spelling}{gets} {100 * np.mean(of):.0f} %{all_} "
            f"({at}{100 * of[most]:.0f} %, in block {most + 1})"
        )
    return "; ".join(parts)
