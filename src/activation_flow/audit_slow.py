"""What an audit needs the live model for, on a sample of texts: norms, attention, the control.

Where the model cannot be opened, or gives no attention, every row says why, and the audit goes on.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from activation_flow import (
    attention,
    audit_defaults,
    audit_tokens,
    eager,
    material,
    norms,
    shuffled,
)
from activation_flow.attention import Attention
from activation_flow.audit_data import AuditTokens, Progress, Score, Watch
from activation_flow.data import ActivationFlowError, Strength
from activation_flow.eager import Sample
from activation_flow.norms import Explained

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tap import Tap
    from activation_flow.tokens import Encoded


NORMS, ATTENTION, COPIES = "norms", "attention", "copies"


@dataclass(frozen=True, eq=False, kw_only=True)
class Slow:
    """What was found.

    Attributes:
        explained: what normalisation does; scores of it.
        attention: scores of it, and who gets it.
        shuffled: of each copy with shuffled weights, its strengths, [layers tokens].
        notes: sentences for the reader.
        chosen: numbers of the texts that are read, also where nothing could be found of them.
    """

    explained: Explained
    attention: Attention
    shuffled: tuple[Strength, ...] = ()
    notes: tuple[str, ...] = ()
    chosen: tuple[int, ...] = ()

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
        controls: make copies with shuffled weights; None: of a small model.
        norms: [layers tokens], the strengths that the claims rest on.
        parts: what is wanted of ``NORMS``, ``ATTENTION`` and ``COPIES``.
        stage: what the texts are, in the names of stages; "" for those of the audit.
    """

    layers: tuple[int, ...]
    main: int
    sample: int
    seed: int
    controls: bool | None
    norms: Strength | None = None
    parts: frozenset[str] = frozenset({NORMS, ATTENTION, COPIES})
    stage: str = ""


def slow(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    asked: Asked,
    watch: Watch,
) -> Slow:
    """Norms, attention and the shuffled copies, of a sample of the texts."""
    none = Slow(explained=Explained((), (), []), attention=Attention([]))
    try:
        chosen = material.stratified(tokens, encoded, asked.sample, asked.seed)
        sampled = eager.sample(encoded, tokens, chosen.tolist())
        none = replace(none, chosen=sampled.texts)
        if not asked.parts:
            return none
        with _opened(encoder) as (tap, why_no_attention):
            return _Passes(encoder, tap, sampled, asked, watch).run(why_no_attention)
    except eager.FAILURES as why:
        if NORMS in asked.parts:
            none = replace(none, explained=norms.unavailable(asked.layers, tokens, str(why)))
        if ATTENTION in asked.parts:
            none = replace(none, attention=attention.unavailable(encoder, tokens, str(why)))
        told = f"attention, norm modules and shuffled weights are not available: {why}"
        return replace(none, notes=(told,) if asked.parts else ())


@contextmanager
def _opened(encoder: "Encoder") -> "Iterator[tuple[Tap, str]]":
    """The live model with attention that gives its weights, else with its own, and why."""
    with ExitStack() as stack:
        try:
            tap, why = stack.enter_context(eager.opened(encoder, "eager")), ""
        except ActivationFlowError as problem:
            tap, why = stack.enter_context(eager.opened(encoder)), str(problem)
        yield tap, why


def attention_of(encoder: "Encoder", encoded: "Sequence[Encoded]", progress: Progress) -> Score:
    """Attention received, mean of all layers, of all tokens of these texts."""
    tokens = audit_tokens.flattened([one.text for one in encoded])
    try:
        sampled = eager.sample(encoded, tokens, range(len(encoded)))
        with eager.opened(encoder, "eager") as tap:
            found = attention.scores(encoder, tap, replace(sampled, watch=progress))
    except eager.FAILURES as why:
        found = attention.unavailable(encoder, tokens, str(why))
    return found.scores[0]


@dataclass(frozen=True)
class _Passes:
    """The passes over the sample, one after the other."""

    encoder: "Encoder"
    tap: "Tap"
    sampled: Sample
    asked: Asked
    watch: Watch

    def run(self, why_no_attention: str) -> Slow:
        """All of them; where one fails, the others stay."""
        told: list[str] = []
        explained, found = Explained((), (), []), Attention([])
        copies: tuple[Strength, ...] = ()
        if NORMS in self.asked.parts:
            explained = self._norms(told)
        if ATTENTION in self.asked.parts:
            found = self._attention(why_no_attention, told)
        if COPIES in self.asked.parts:
            copies = self._copies(told)
        return Slow(
            explained=explained,
            attention=found,
            shuffled=copies,
            notes=tuple(note for note in (*explained.notes, found.note, *told) if note),
            chosen=self.sampled.texts,
        )

    def _norms(self, told: list[str]) -> Explained:
        encoder, tokens, asked = self.encoder, self.sampled.tokens, self.asked
        try:
            with self._watched("norms") as sampled:
                return norms.explain(
                    encoder, self.tap, sampled, asked.layers, asked.main, audited=asked.norms
                )
        except eager.FAILURES as why:
            told.append(f"what normalisation does is not available: {why}")
            return norms.unavailable(asked.layers, tokens, str(why))

    def _attention(self, why_none: str, told: list[str]) -> Attention:
        try:
            if why_none:
                raise ActivationFlowError(why_none)
            with self._watched("attention") as sampled:
                return attention.scores(self.encoder, self.tap, sampled)
        except eager.FAILURES as why:
            told.append(f"attention is not available: {why}")
            return attention.unavailable(self.encoder, self.sampled.tokens, str(why))

    @contextmanager
    def _watched(self, stage: str) -> Iterator[Sample]:
        """The sample, telling after each batch how much of the stage is done."""
        n, stage = len(self.sampled.texts), f"{self.asked.stage}{stage}"
        self.watch(stage, 0, n)
        yield replace(self.sampled, watch=lambda done, _: self.watch(stage, done, n))
        self.watch(stage, n, n)

    def _copies(self, told: list[str]) -> tuple[Strength, ...]:
        """Strengths in the copies; where there are none, it is told why."""
        size = sum(p.numel() for p in self.tap.model.parameters())
        if self.asked.controls is False:
            told.append("no copies with shuffled weights were made, as was asked")
            return ()
        if self.asked.controls is None and size > audit_defaults.SMALL:
            told.append(
                f"no copies with shuffled weights were made: the model has {size:,} parameters, "
                f"more than {audit_defaults.SMALL:,} (--controls makes them)"
            )
            return ()
        try:
            return tuple(self._copy(k) for k in range(audit_defaults.COPIES))
        except eager.FAILURES as why:
            told.append(f"no copies with shuffled weights: {why}")
            return ()

    def _copy(self, k: int) -> Strength:
        """Strengths in one of the copies, number k."""
        n = len(self.sampled.texts)

        def tell(done: int, _: int) -> None:
            self.watch("shuffled copies", k * n + done, audit_defaults.COPIES * n)

        tell(0, n)
        sampled = replace(self.sampled, watch=tell)
        seed = self.asked.seed + k
        return shuffled.norms(self.encoder, self.tap, sampled, self.asked.layers, seed=seed)
