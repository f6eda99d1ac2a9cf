"""One shard of a corpus -> its part files: one pure function, whoever calls it.

What comes out depends on the shard, the job and the model only, so that a shard that was
interrupted is simply run again. Reading and tokenizing, the model, and writing work side by side
on different blocks of texts; memory holds three blocks, however large the shard is.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from activation_flow import analysis, grouping, room
from activation_flow.blocks import Block, Job, Once, blocks
from activation_flow.data import ActivationFlowError, Hidden, Strength, TokenizedText
from activation_flow.formats import Record
from activation_flow.inputs import Meter
from activation_flow.manifest import AGAIN
from activation_flow.part import PartWriter
from activation_flow.part_tables import Layout, Measured
from activation_flow.shards import Shard

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

FILE_STEP = 10**12  # text_id = number of the file times this, and the line

Item = TypeVar("Item")
_END: Any = object()


@dataclass
class Counts:
    """How many there were of what; rows = texts + rejects.

    Attributes:
        rows: of the input that are not blank.
        texts: rows that have a result.
        tokens: of those texts.
        rejects: rows that have none.
        blank: blank rows, left out.
        computed: texts that the model had to read; the others were the same as one before.
    """

    rows: int = 0
    texts: int = 0
    tokens: int = 0
    rejects: int = 0
    blank: int = 0
    computed: int = 0

    def add(self, other: "Counts") -> None:
        """Count on."""
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)


def run_shard(
    encoder: "Encoder",
    job: Job,
    shard: Shard,
    watch: Callable[[Counts, float], None] = lambda counts, share: None,
) -> Counts:
    """Measure all texts of a shard and write its part files.

    Args:
        encoder: the model.
        job: what is done with every shard.
        shard: the piece of the input.
        watch: told after each block what was in it, and about which share of the shard has been
            read; may raise to stop the work.

    Raises:
        ActivationFlowError: whatever went wrong; it says in which shard.
    """
    total, meter = Counts(), Meter()
    with (
        _failing(job, shard),
        PartWriter(job.out, shard.number, job.layout, job.head) as parts,
        ThreadPoolExecutor(1, thread_name_prefix="writing") as aside,
    ):
        written: Future[None] | None = None
        for block in _ahead(blocks(encoder, job, shard, meter)):
            _run(encoder, job, block)
            rows, rejects = _rows(job, shard, block)
            if written is not None:
                written.result()
            written = aside.submit(parts.write, rows, rejects)
            counts = _count(block, rows, rejects)
            total.add(counts)
            watch(counts, _share(shard, block.records, meter))
        if written is not None:
            written.result()
        parts.finish(asdict(total))
    return total


def _share(shard: Shard, records: Sequence[Record], meter: Meter) -> float:
    """Of a shard, about how much has been read: a block or two more than has been measured."""
    if shard.source.format == "parquet" and records:
        at = records[-1].line
    else:
        at = shard.end if meter.at is None else meter.at
    return min((at - shard.begin) / (shard.end - shard.begin), 1.0)


@contextmanager
def _failing(job: Job, shard: Shard) -> Iterator[None]:
    """What can fail in a shard, in words; the rest of the run is not lost by it."""
    which = f"shard {shard.number} ({where(shard, shard.first_line)} on)"
    try:
        yield
    except ActivationFlowError:
        raise
    except OSError as problem:
        raise ActivationFlowError(
            f"{which} cannot be written into {job.out}: {problem.strerror or problem}; {AGAIN}"
        ) from problem
    except Exception as problem:
        raise ActivationFlowError(
            f"{which} failed: {type(problem).__name__}: {problem}; {AGAIN}"
        ) from problem


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made while the one before it is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as aside:
        coming = aside.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = aside.submit(next, items, _END)
            yield item


def _run(encoder: "Encoder", job: Job, block: Block) -> None:
    """Strengths, and vectors where they are kept, of the texts of a block that are new."""
    layout = job.layout
    for encoded in block.encoded if layout.vectors else ():
        # Not a reject: on another day, or another machine, there may be room for it.
        if why := room.why_no_states(len(encoded.text), len(layout.vectors), encoder.width):
            raise ActivationFlowError(f"a text cannot be run: {why}")
    for i, norms, hidden in encoder.run(block.encoded, layout.layers, layout.vectors):
        encoded, one = block.encoded[i], block.to_run[i]
        one.reason = _why_none(encoded.text, norms, hidden, layout)
        one.strength, one.hidden = norms, hidden
        if job.words is not None and not one.reason:
            _to_words(one, job.words)
    block.encoded = []


def _why_none(text: TokenizedText, norms: Strength, hidden: Hidden | None, layout: Layout) -> str:
    """Why a text that was run has no result, or ""."""
    if not np.isfinite(norms).all():
        return analysis.not_finite(text, norms, layout.layers)
    if hidden is not None and not (finite := np.isfinite(hidden).all(axis=-1)).all():
        return analysis.not_finite(text, np.where(finite, 0, np.nan), layout.vectors)
    return ""


def _to_words(one: Once, how: str) -> None:
    assert one.text is not None
    assert one.strength is not None
    if one.tag is not None:
        one.tag = one.tag[grouping.word_starts(one.text)]
    one.text, one.strength = grouping.to_words(one.text, one.strength, how)


def _rows(job: Job, shard: Shard, block: Block) -> tuple[list[Measured], list[dict[str, Any]]]:
    """What the tables are made of, and the rows that have no result.

    Raises:
        ActivationFlowError: a row has none, and ``on_error`` is "fail".
    """
    file = job.files[shard.file]
    rows: list[Measured] = []
    rejects: list[dict[str, Any]] = []
    for record, one in zip(block.records, block.texts, strict=True):
        text_id = shard.file * FILE_STEP + record.line
        if one.reason and job.on_error == "fail":
            raise ActivationFlowError(
                f"{where(shard, record.line)}: {one.reason}; --on-error reject goes on without "
                "such rows and lists them"
            )
        if one.reason:
            about = {"file": file, "line": record.line, "text_id": text_id}
            rejects.append({**about, "reason": one.reason})
            continue
        assert one.text is not None
        assert one.strength is not None
        rows.append(
            Measured(
                text_id=text_id,
                id=record.id,
                file=file,
                line=record.line,
                text=one.text,
                strength=one.strength,
                tag=one.tag,
                hidden=one.hidden,
            )
        )
    return rows, rejects


def where(shard: Shard, line: int) -> str:
    """A row of the input, to stand before a message."""
    return f"{shard.source.name}, {'row' if shard.source.format == 'parquet' else 'line'} {line}"


def _count(block: Block, rows: Sequence[Measured], rejects: Sequence[object]) -> Counts:
    return Counts(
        rows=len(block.records),
        texts=len(rows),
        tokens=sum(len(row.text) for row in rows),
        rejects=len(rejects),
        blank=block.blank,
        computed=sum(one.strength is not None for one in block.to_run),
    )
