"""The texts of an audit that have finite strengths, and their scores from the fast engine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import audit_tokens, material_notes, scoring, scoring_norms
from activation_flow.audit_data import AuditTokens, Watch
from activation_flow.audit_texts import Left
from activation_flow.data import ActivationFlowError
from activation_flow.material import Material
from activation_flow.scoring import FastScores
from activation_flow.units import Units, of_words

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """What was measured.

    Attributes:
        encoded: the texts.
        tokens: theirs.
        fast: their scores.
        counts: those of the material that differ, as texts were left out.
        notes: sentences for the reader.
    """

    encoded: "Sequence[Encoded]"
    tokens: AuditTokens
    fast: FastScores
    counts: Mapping[str, int]
    notes: tuple[str, ...]

    @cached_property
    def words(self) -> Units:
        """The words of the texts."""
        return of_words(self.encoded, self.tokens)


def measured(
    encoder: "Encoder",
    found: Material,
    layers: tuple[int, ...],
    main: int,
    *,
    variants: bool,
    seed: int,
    watch: Watch,
) -> Measured:
    """Scores of all texts but those whose hidden states are not finite: left out, and counted.

    Args:
        encoder: the model.
        found: the texts.
        layers: of the hidden states.
        main: the one that the claims are about.
        variants: with those of strength.
        seed: of all that is drawn.
        watch: told of the stage.

    Raises:
        ActivationFlowError: no text has finite hidden states.
    """

    def run(encoded: "Sequence[Encoded]", tokens: AuditTokens) -> FastScores:
        def tell(done: int, n: int) -> None:
            watch("strengths", done, n)

        if variants:
            return scoring.fast_scores(
                encoder, encoded, tokens, layers, main=main, seed=seed, progress=tell
            )
        return scoring_norms.norm_scores(encoder, encoded, tokens, layers, seed=seed, progress=tell)

    encoded, tokens, fast, left = finite(found.encoded, found.tokens, run)
    counts = {"failed": left.n, **material_notes.sizes(encoded, tokens)} if left.n else {}
    return Measured(
        encoded=encoded,
        tokens=tokens,
        fast=fast,
        counts=counts,
        notes=tuple(left.told("texts whose hidden states are not finite")),
    )


def finite(
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    run: "Callable[[Sequence[Encoded], AuditTokens], FastScores]",
    what: str = "text",
) -> "tuple[Sequence[Encoded], AuditTokens, FastScores, Left]":
    """The texts whose hidden states are finite, their tokens and scores; the others, counted.

    Args:
        encoded: the texts.
        tokens: theirs.
        run: measures texts.
        what: one of them is, for people.

    Raises:
        ActivationFlowError: there is none.
    """
    fast, left = run(encoded, tokens), Left()
    if not fast.failed:
        return encoded, tokens, fast, left
    for k, reason in fast.failed.items():
        left.add(f"text {k + 1}", reason)
    kept = [k for k in range(len(encoded)) if k not in fast.failed]
    if not kept:
        raise ActivationFlowError(f"no {what} has finite hidden states ({left.reasons[0]})")
    encoded = tuple(encoded[k] for k in kept)
    tokens = replace(
        audit_tokens.flattened([one.text for one in encoded]),
        frequency=tokens.frequency[np.isin(tokens.text, kept)],
        frequency_name=tokens.frequency_name,
    )
    # Seldom, so all is measured anew: no number of the others stays anywhere.
    return encoded, tokens, run(encoded, tokens), left
