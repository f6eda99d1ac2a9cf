"""What an audit works on: INPUT, or texts -> tokens with kinds, ready for the engine.

Reading stands in audit_texts, word types in audit_tokens. Nothing is measured here.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import audit_texts, audit_tokens, material_notes, word_kinds
from activation_flow import frequency as frequencies
from activation_flow.audit_data import AuditTokens, Progress
from activation_flow.audit_defaults import FREQUENCY, TEXTS
from activation_flow.audit_texts import Left, Texts
from activation_flow.conllu import Gold
from activation_flow.data import ActivationFlowError, Ids
from activation_flow.formats import Reading
from activation_flow.frequency import Frequencies

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

_AT_ONCE = 1024  # texts that are tokenized, and tagged, at once

Source = str | os.PathLike[str] | Iterable[str]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Material:
    """What is audited.

    Attributes:
        encoded: the texts, in the order of the input; ``number`` is that in ``tokens``, plus 1.
        tokens: all their tokens.
        gold: tagged words of each text, where kinds come from tags; else None.
        kinds: where kinds come from: ``list``, ``none``, ``gold`` or ``spacy:MODEL``.
        name: of the input, for people.
        counts: how many there were of what: ``rows`` of the input, of them ``blank``,
            ``rejected`` (cannot be read) and ``duplicates``; ``distinct`` texts, of them
            ``sampled``, of those ``refused`` by the tokenizer; ``texts`` that are audited, of them
            ``long`` (read in several windows), ``windows``; ``tokens``, of each kind, ``unknown``
            (of no kind) and ``types`` (word types).
        notes: sentences for the reader: how true kinds are; what was left out, and why.
        settings: what was asked for.
        frequencies: of tokens, of other texts than these, too.
    """

    encoded: "tuple[Encoded, ...]"
    tokens: AuditTokens
    gold: tuple[Gold | None, ...]
    kinds: str
    name: str
    counts: Mapping[str, int]
    notes: tuple[str, ...]
    settings: Mapping[str, Any]
    frequencies: Frequencies


def gather(
    encoder: "Encoder",
    corpus: Source,
    *,
    kinds: str | None = None,
    texts: int = TEXTS,
    text_column: str = "text",
    format: str | None = None,
    max_length: int | None = None,
    frequency: str | os.PathLike[str] = FREQUENCY,
    seed: int = 0,
    progress: Progress | None = None,
) -> Material:
    """Texts of a corpus, each once, with their tokens and kinds.

    Args:
        encoder: the model.
        corpus: a file, folder or pattern, "-" for standard input (as ``run_corpus`` takes it), or a
            list of texts.
        kinds: ``list`` (closed list of English function words), ``none``, ``gold`` (the tags of
            .conllu files) or ``spacy:MODEL``; None: gold if all files are .conllu, else list.
        texts: at most so many; of more a uniform sample is taken.
        text_column: holds the texts of .jsonl, .csv, .tsv and .parquet files.
        format: of all files, whatever their endings say.
        max_length: longest input; a longer text is read in windows.
        frequency: where the frequencies of tokens come from, see ``frequency.source``.
        seed: of the sample.
        progress: called with the number of texts tokenized and of all; while the input is read,
            with the number of rows, and 0.

    Raises:
        ActivationFlowError: an option is not valid, the input cannot be read, or no text of it can.
    """
    if texts < 1:
        raise ActivationFlowError(f"texts={texts} is not at least 1")
    tag = _checked(encoder, kinds, max_length)
    found = audit_texts.read(
        corpus,
        most=texts,
        kinds=kinds,
        reading=Reading(text_column),
        format=format,
        seed=seed,
        progress=progress,
    )
    encoded, gold, refused = _tokenized(encoder, found, tag, max_length, progress)
    if not encoded:
        reasons = [*found.bad.reasons, *refused.reasons]
        why = f" ({reasons[0]})" if reasons else ""
        raise ActivationFlowError(f"{found.name}: there is no text in it that can be read{why}")
    tokens = audit_tokens.flattened([one.text for one in encoded])
    special = tokens.kind == "special"
    known = frequencies.source(frequency, tokens.id, encoder, special)
    log_f = known.of(tokens.id, special)
    tokens = replace(tokens, frequency=log_f, frequency_name=known.name)
    counts = material_notes.counted(found, encoded, tokens, refused)
    return Material(
        encoded=tuple(encoded),
        tokens=tokens,
        gold=tuple(gold),
        kinds=found.kinds,
        name=found.name,
        counts=counts,
        notes=(
            *material_notes.on_kinds(found.kinds, encoded, counts),
            *material_notes.on_texts(found, refused, counts, seed),
            f"frequency of a token: {known.note}",
        ),
        settings={
            "input": found.name,
            "kinds": found.kinds,
            "texts": texts,
            "text_column": text_column,
            "format": format,
            "max_length": max_length or encoder.max_length,
            "frequency": os.fspath(frequency),
            "seed": seed,
        },
        frequencies=known,
    )


def _checked(
    encoder: "Encoder", kinds: str | None, max_length: int | None
) -> word_kinds.Tagger | None:
    """Refuse bad options before anything is read; the tagger, if there is one."""
    encoder.tokenize(["a"], max_length=max_length)
    if kinds is None:
        return None
    word_kinds.check(kinds)
    return word_kinds.tagger(kinds) if kinds.startswith(word_kinds.SPACY) else None


def _tokenized(
    encoder: "Encoder",
    found: Texts,
    tag: word_kinds.Tagger | None,
    max_length: int | None,
    progress: Progress | None,
) -> "tuple[list[Encoded], list[Gold | None], Left]":
    """The texts that can be run, numbered on, their tags, and the others."""
    how: dict[str, Any] = {"kinds": word_kinds.without_tags(found.kinds), "max_length": max_length}
    encoded: list[Encoded] = []
    gold: list[Gold | None] = []
    refused = Left()
    for begin in range(0, len(found.texts), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        tags = _tags(found, some, tag)
        ready, failures = encoder.tokenize(found.texts[some], **how)
        for failure in failures:
            refused.add(found.where[begin + failure.text_number - 1], failure.reason)
        for one in ready:
            own = tags[one.number - 1]
            text = word_kinds.with_kinds(one.text, own)
            encoded.append(replace(one, number=len(encoded) + 1, text=text))
            gold.append(own)
        if progress is not None:
            progress(min(begin + _AT_ONCE, len(found.texts)), len(found.texts))
    return encoded, gold, refused


def _tags(found: Texts, some: slice, tag: word_kinds.Tagger | None) -> Sequence[Gold | None]:
    if tag is not None:
        return [*tag(found.texts[some])]
    return found.gold[some] if found.kinds == "gold" else [None] * len(found.texts[some])


def stratified(tokens: AuditTokens, encoded: "Sequence[Encoded]", n: int, seed: int) -> Ids:
    """A sample of texts for what is slow: as many of each quarter of lengths, of one window only.

    Args:
        tokens: all tokens of the audit.
        encoded: its texts.
        n: how many are wanted; all that there are, if there are not as many.
        seed: of the choice.

    Returns:
        Numbers of texts, from 0, rising.
    """
    sizes = np.bincount(tokens.text, minlength=len(encoded))
    usable = np.flatnonzero([one.text.n_windows == 1 for one in encoded])
    chance = np.random.default_rng(seed)
    usable = chance.permutation(usable)  # texts of one length are in no order of their own
    usable = usable[np.argsort(sizes[usable], kind="stable")]
    n = min(n, len(usable))
    # The first quarters are the larger ones on both sides, so that each has enough.
    quarters = zip(np.array_split(usable, 4), np.array_split(np.arange(n), 4), strict=True)
    chosen = [chance.choice(those, len(some), replace=False) for those, some in quarters]
    return np.sort(np.concatenate(chosen))
