"""The rows of a shard -> blocks of texts, tokenized: what the model is to read next.

A text (or pair) that stands in a shard several times is tokenized, and read by the model, once.
What is done with it is said by the job's measure: measure_strength.py, measure_shift.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow.data import Names
from activation_flow.formats import Reading, Record
from activation_flow.inputs import Meter
from activation_flow.part_tables import Layout
from activation_flow.shards import Shard, read

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

# Texts, and letters of texts, that are worked on at once: enough to fill batches of one length.
BLOCK_TEXTS, BLOCK_LETTERS = 4096, 2**20
# Texts of a shard, and their letters, that are remembered, to know the same text again.
KEPT_TEXTS, KEPT_LETTERS = 10_000, 2**21
# No text is longer; a line that is may well be a file without line ends.
MOST_LETTERS = 2**23


@dataclass
class Once:
    """A text (or pair) that stands in a shard, once or more often, and what became of it.

    Attributes:
        key: the text itself, the second one of a pair, gold words; () of a row that is bad.
        read: what the model is to read.
        tag: tags of the input's own, piece by piece.
        found: what the tables say about it, when it has been read; of the layout's type.
        tokens: number of those that the model read.
        reason: why there is nothing.
    """

    key: tuple[Any, ...] = ()
    read: "tuple[Encoded, ...]" = ()
    tag: Names | None = None
    found: Any = None
    tokens: int = 0
    reason: str = ""


class Measure(ABC):
    """What is done with the texts of a run; all that differs between kinds of runs.

    Attributes:
        layout: what the tables hold.
    """

    layout: Layout

    def with_input(self, *, ids: bool, tags: bool) -> "Measure":
        """The same, for an input that has ids, or tags, of its own."""
        raise NotImplementedError

    @property
    def takes_gold(self) -> bool:
        """Can kinds be those of .conllu files?"""
        return False

    @property
    def remembers(self) -> bool:
        """Is a text that was in a block before not measured again?"""
        return True

    @property
    def room(self) -> int:
        """Letters of a block, as ``letters`` counts them."""
        return BLOCK_LETTERS

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What stands in the manifest; a run with others is refused."""

    @abstractmethod
    def check(self, encoder: "Encoder", job: "Job") -> None:
        """Refuse bad options before anything is read.

        Raises:
            ActivationFlowError: an option is not valid, or not for this model.
        """

    def letters(self, record: Record) -> int:
        """Of the texts of a row; more where more is kept of each."""
        return len(record.text) + len(record.pair or "")

    @abstractmethod
    def tokenize(self, encoder: "Encoder", job: "Job", new: Sequence[Once]) -> None:
        """Give each text what the model is to read, or its reason."""

    @abstractmethod
    def run(self, encoder: "Encoder", job: "Job", todo: Sequence[Once]) -> None:
        """Let the model read; give each text what was found, or its reason."""


@dataclass(frozen=True)
class Job:
    """What is done with every shard of a run.

    Attributes:
        out: folder of the run.
        reading: how rows are read.
        measure: what is done with their texts.
        kinds: where kinds come from: "list", "none" or "gold".
        max_length: longest input.
        truncate: cut longer texts.
        on_error: "reject" a row that has no result, or "fail".
        files: what the tables call each file of the input.
        head: what stands in the metadata of every part.
    """

    out: Path
    reading: Reading
    measure: Measure
    kinds: str
    max_length: int | None
    truncate: bool
    on_error: str
    files: tuple[str, ...] = ()
    head: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def layout(self) -> Layout:
        """What the tables hold."""
        return self.measure.layout


@dataclass
class Block:
    """Some rows of a shard, the text of each, and those of the texts that are to be run."""

    records: list[Record]
    texts: list[Once]
    to_run: list[Once]
    blank: int


def blocks(encoder: "Encoder", job: Job, shard: Shard, meter: Meter) -> Iterator[Block]:
    """The rows of a shard, tokenized; a text that was there before is not tokenized again."""
    measure = job.measure
    known: dict[tuple[Any, ...], Once] = {}
    letters = 0
    for records, blank in _chunks(read(shard, job.reading, meter), measure):
        full = letters > KEPT_LETTERS or len(known) > KEPT_TEXTS
        if full or not measure.remembers:
            known, letters = {}, 0
        texts, new = list[Once](), list[Once]()
        for record in records:
            if reason := record.reason or too_long(record.text, record.pair or ""):
                texts.append(Once(reason=reason))
                continue
            key = record.text, record.pair, record.gold
            if key not in known:
                known[key] = Once(key)
                new.append(known[key])
                letters += measure.letters(record)
            texts.append(known[key])
        measure.tokenize(encoder, job, new)
        to_run = [one for one in new if not one.reason]
        yield Block(records, texts, to_run, blank)


def too_long(*texts: str) -> str:
    """Why texts are not even tokenized, or ""."""
    longest = max(map(len, texts))
    if longest <= MOST_LETTERS:
        return ""
    return f"it has {longest:,} letters; a text has at most {MOST_LETTERS:,}"


def _chunks(rows: Iterator[Record | None], measure: Measure) -> Iterator[tuple[list[Record], int]]:
    """Rows, and the number of blank ones among them, a block at a time."""
    records: list[Record] = []
    blank = letters = 0
    for row in rows:
        if row is None:
            blank += 1
            continue
        records.append(row)
        letters += measure.letters(row)
        if len(records) == BLOCK_TEXTS or letters >= measure.room:
            yield records, blank
            records, blank, letters = [], 0, 0
    if records or blank:
        yield records, blank
