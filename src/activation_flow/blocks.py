"""The rows of a shard -> blocks of texts, tokenized: what the model is to read next.

A text that stands in a shard several times is tokenized, and read by the model, once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import grouping, words
from activation_flow.conllu import Gold
from activation_flow.data import Failure, Hidden, Names, Strength, TokenizedText
from activation_flow.formats import Reading, Record
from activation_flow.inputs import Meter
from activation_flow.part_tables import Layout
from activation_flow.shards import Shard, read

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

# Texts, and letters of texts, that are worked on at once: enough to fill batches of one length.
BLOCK_TEXTS, BLOCK_LETTERS = 4096, 2**20
# Letters times layers, so that the tables of many layers take no more memory than those of a few.
BLOCK_CELLS = 2**22
# The same with vectors: about 50 MB of them, 768 wide, if a token has 4 letters.
BLOCK_VECTORS = 2**16
# Texts of a shard, and their letters, that are remembered, to know the same text again.
KEPT_TEXTS, KEPT_LETTERS = 10_000, 2**21
# No text is longer; a line that is may well be a file without line ends.
MOST_LETTERS = 2**23


@dataclass(frozen=True)
class Job:
    """What is done with every shard of a run.

    Attributes:
        out: folder of the run.
        reading: how rows are read.
        layout: what the tables hold.
        kinds: where kinds come from: "list", "none" or "gold".
        words: how pieces are put together to words; None: they are not.
        max_length: longest input.
        stride: tokens that neighbouring windows share; None: half.
        truncate: cut longer texts instead.
        on_error: "reject" a row that has no result, or "fail".
        files: what the tables call each file of the input.
        head: what stands in the metadata of every part.
    """

    out: Path
    reading: Reading
    layout: Layout
    kinds: str
    words: str | None
    max_length: int | None
    stride: int | None
    truncate: bool
    on_error: str
    files: tuple[str, ...] = ()
    head: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Once:
    """A text that stands in a shard, once or more often, and what became of it."""

    text: TokenizedText | None = None
    strength: Strength | None = None
    hidden: Hidden | None = None
    tag: Names | None = None
    reason: str = ""


@dataclass
class Block:
    """Some rows of a shard, the text of each, and those of the texts that are to be run."""

    records: list[Record]
    texts: list[Once]
    encoded: "list[Encoded]"
    to_run: list[Once]
    blank: int


def blocks(encoder: "Encoder", job: Job, shard: Shard, meter: Meter) -> Iterator[Block]:
    """The rows of a shard, tokenized; a text that was there before is not tokenized again."""
    known: dict[Any, Once] = {}
    letters = 0
    for records, blank in _chunks(read(shard, job.reading, meter), job.layout):
        full = letters > KEPT_LETTERS or len(known) > KEPT_TEXTS
        if full or job.layout.vectors:  # vectors are too large to be kept
            known, letters = {}, 0
        texts, new = [], dict[Any, Once]()
        for record in records:
            reason = record.reason
            if len(record.text) > MOST_LETTERS:
                reason = f"it has {len(record.text):,} letters; a text has at most {MOST_LETTERS:,}"
            if reason:
                texts.append(Once(reason=reason))
                continue
            key = record.text, record.gold
            if key not in known:
                known[key] = new[key] = Once()
                letters += len(record.text)
            texts.append(known[key])
        encoded = _tokenize(encoder, job, new)
        to_run = [one for one in new.values() if not one.reason]
        yield Block(records, texts, encoded, to_run, blank)


def _chunks(rows: Iterator[Record | None], layout: Layout) -> Iterator[tuple[list[Record], int]]:
    """Rows, and the number of blank ones among them, a block at a time."""
    room_for = min(BLOCK_LETTERS, BLOCK_CELLS // len(layout.layers))
    if layout.vectors:
        room_for = min(room_for, BLOCK_VECTORS // len(layout.vectors))
    records: list[Record] = []
    blank = letters = 0
    for row in rows:
        if row is None:
            blank += 1
            continue
        records.append(row)
        letters += len(row.text)
        if len(records) == BLOCK_TEXTS or letters >= room_for:
            yield records, blank
            records, blank, letters = [], 0, 0
    if records or blank:
        yield records, blank


def tokenize(
    encoder: "Encoder", job: Job, texts: Sequence[str]
) -> "tuple[list[Encoded], list[Failure]]":
    """Tokens of texts, read as the job says.

    Raises:
        ActivationFlowError: one of its options is not valid.
    """
    return encoder.tokenize(
        texts,
        kinds="none" if job.kinds == "gold" else job.kinds or "list",
        max_length=job.max_length,
        stride=job.stride,
        long="cut" if job.truncate else "windows",
    )


def _tokenize(encoder: "Encoder", job: Job, new: dict[Any, Once]) -> "list[Encoded]":
    """Tokens of texts that were not there before; a text that has none gets its reason."""
    texts = list(new.values())
    encoded, failures = tokenize(encoder, job, [text for text, _ in new])
    for failure in failures:
        texts[failure.text_number - 1].reason = failure.reason
    golds = [gold for _, gold in new]
    if job.words is not None:
        grouping.check_offsets([one.text for one in encoded], encoder.model)
    for one in encoded:
        text, tag = _with_gold(one.text, golds[one.number - 1], job.kinds)
        texts[one.number - 1].text, texts[one.number - 1].tag = text, tag
    return encoded


def _with_gold(
    text: TokenizedText, gold: Gold | None, kinds: str
) -> tuple[TokenizedText, Names | None]:
    """The tags of the input's own, piece by piece; kinds from them, where that is asked for."""
    if gold is None:
        return text, None
    word = words.map_pieces(gold.spans, text.start, text.end)
    tag = np.array([*gold.tags, ""], dtype=object)[word]
    if kinds != "gold":
        return text, tag
    kind = np.array([*map(words.kind_of_tag, gold.tags), ""], dtype="<U11")[word]
    kind[text.special] = "special"
    return replace(text, kind=kind), tag
