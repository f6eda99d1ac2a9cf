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

from activation_flow.blocks import Block, Job, blocks
from activation_flow.data import ActivationFlowError
from activation_flow.formats import Record
from activation_flow.inputs import Meter
from activation_flow.manifest import AGAIN
from activation_flow.part import PartWriter
from activation_flow.part_tables import Row
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
            job.measure.run(encoder, job, block.to_run)
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


def _rows(job: Job, shard: Shard, block: Block) -> tuple[list[Row], list[dict[str, Any]]]:
    """What the tables are made of, and the rows that have no result.

    Raises:
        ActivationFlowError: a row has none, and ``on_error`` is "fail".
    """
    file = job.files[shard.file]
    rows: list[Row] = []
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
        rows.append(Row(text_id, record.id, file, record.line, one.found))
    return rows, rejects


def where(shard: Shard, line: int) -> str:
    """A row of the input, to stand before a message."""
    return f"{shard.source.name}, {'row' if shard.source.format == 'parquet' else 'line'} {line}"


def _count(block: Block, rows: Sequence[Row], rejects: Sequence[object]) -> Counts:
    return Counts(
        rows=len(block.records),
        texts=len(rows),
        tokens=sum(one.tokens for one in block.texts if not one.reason),
        rejects=len(rejects),
        blank=block.blank,
        computed=len(block.to_run),
    )
