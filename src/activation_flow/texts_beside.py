"""Texts beside the audited ones, as those that people have marked: tokens with kinds and log f.

They get what material.py gives the audited texts, and nothing is measured here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from activation_flow import audit_tokens, word_kinds
from activation_flow.audit_data import AuditTokens
from activation_flow.audit_texts import Left
from activation_flow.material import Material

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TextsBeside:
    """Texts that are ready for the engine.

    Attributes:
        encoded: those that can be run, in order; ``number`` is that in ``tokens``, plus 1.
        tokens: all their tokens.
        kept: the place of each among the texts that were given.
        notes: sentences for the reader: what was left out.
    """

    encoded: "tuple[Encoded, ...]"
    tokens: AuditTokens
    kept: tuple[int, ...]
    notes: tuple[str, ...]


def ready(encoder: "Encoder", texts: Sequence[str], found: Material, what: str) -> TextsBeside:
    """Tokens of these texts, with kinds and frequencies from where those of the audit come from.

    Args:
        encoder: the model.
        texts: the texts.
        found: what is audited.
        what: what these texts are, for people.
    """
    gold, kinds, notes = word_kinds.tags(texts, found.kinds, what)
    encoded, failures = encoder.tokenize(
        texts, kinds=word_kinds.without_tags(kinds), max_length=found.settings["max_length"]
    )
    refused = Left()
    for failure in failures:
        refused.add(f"text {failure.text_number}", failure.reason)
    kept = tuple(one.number - 1 for one in encoded)
    numbered = tuple(
        replace(one, number=k, text=word_kinds.with_kinds(one.text, gold[place]))
        for k, (one, place) in enumerate(zip(encoded, kept, strict=True), 1)
    )
    tokens = audit_tokens.flattened([one.text for one in numbered])
    log_f = found.frequencies.of(tokens.id, tokens.kind == "special")
    return TextsBeside(
        encoded=numbered,
        tokens=replace(tokens, frequency=log_f, frequency_name=found.frequencies.name),
        kept=kept,
        notes=(*notes, *refused.told(f"{what} that the model cannot read")),
    )
