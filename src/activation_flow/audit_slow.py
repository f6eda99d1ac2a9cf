"""What an audit needs the live model for, on a sample of texts: norms, attention, the control.

Where the model cannot be opened, or gives no attention, every row says why, and the audit goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from activation_flow import attention, eager, material, norms, shuffled
from activation_flow.attention import Attention
from activation_flow.audit_data import AuditTokens, Score
from activation_flow.data import ActivationFlowError, Strength
from activation_flow.eager import Sample
from activation_flow.norms import Explained

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tap import Tap
    from activation_flow.tokens import Encoded

# The copy with shuffled weights is made of models of up to so many parameters unless asked for.
SMALL = 400_000_000

Watch = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Slow:
    """What was found.

    Attributes:
        explained: what normalisation does; scores of it.
        attention: scores of it, and who gets it.
        shuffled: [layers tokens], strengths in the copy with shuffled weights; None: there is none.
        notes: sentences for the reader.
        texts: how many were read.
    """

    explained: Explained
    attention: Attention
    shuffled: Strength | None = None
    notes: tuple[str, ...] = ()
    texts: int = 0

    @property
    def scores(self) -> list[Score]:
        """All of them."""
        return [*self.explained.scores, *self.attention.scores]


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What is wanted of the live model.

    Attributes:
        layers: of the hidden states.
        main: the layer that the claims are about.
        sample: how many texts.
        seed: of their choice, and of the shuffles.
        controls: make the copy with shuffled weights; None: of a small model.
    """

    layers: tuple[int, ...]
    main: int
    sample: int
    seed: int
    controls: bool | None


def slow(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    asked: Asked,
    watch: Watch,
) -> Slow:
    """Norms, attention and the shuffled copy, of a sample of the texts."""
    try:
        chosen = material.stratified(tokens, encoded, asked.sample, asked.seed)
        sampled = eager.sample(encoded, tokens, chosen.tolist())
        with eager.opened(encoder) as tap:
            return _opened(encoder, tap, sampled, asked, watch)
    except ActivationFlowError as why:
        return Slow(
            explained=norms.unavailable(asked.layers, tokens, str(why)),
            attention=attention.unavailable(asked.layers[1:], tokens, str(why)),
            notes=(f"attention, norm modules and shuffled weights are not available: {why}",),
        )


def _opened(encoder: "Encoder", tap: "Tap", sampled: Sample, asked: Asked, watch: Watch) -> Slow:
    n = len(sampled.texts)
    watch("norms", 0, n)
    explained = norms.explain(encoder, tap, sampled, asked.layers, asked.main)
    watch("norms", n, n)
    watch("attention", 0, n)
    found = _attention(encoder, sampled, asked)
    watch("attention", n, n)
    notes = [*explained.notes, *([found.note] if found.note else [])]
    copy: Strength | None = None
    size = sum(p.numel() for p in tap.model.parameters())
    if asked.controls or (asked.controls is None and size <= SMALL):
        watch("shuffled copy", 0, n)
        try:
            copy = shuffled.norms(encoder, tap, sampled, asked.layers, seed=asked.seed)
        except ActivationFlowError as why:
            notes.append(f"no copy with shuffled weights: {why}")
        watch("shuffled copy", n, n)
    elif asked.controls is None:
        notes.append(
            f"no copy with shuffled weights was made: the model has {size:,} parameters, more than "
            f"{SMALL:,} (--controls makes it)"
        )
    return Slow(
        explained=explained,
        attention=found,
        shuffled=copy,
        notes=tuple(notes),
        texts=n,
    )


def _attention(encoder: "Encoder", sampled: Sample, asked: Asked) -> Attention:
    """With attention that gives its weights, which not every model has."""
    try:
        with eager.opened(encoder, attention="eager") as tap:
            return attention.scores(encoder, tap, sampled)
    except ActivationFlowError as why:
        return attention.unavailable(asked.layers[1:], sampled.tokens, str(why))
