"""INPUT and options -> the job and the plan of a run: refused, begun, or gone on with."""

import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from activation_flow import finding, manifest, shards
from activation_flow.blocks import Job
from activation_flow.data import ActivationFlowError
from activation_flow.inputs import InputFile
from activation_flow.manifest import Manifest
from activation_flow.words import WAYS

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

log = logging.getLogger("activation_flow")

Source = str | os.PathLike[str]

# About two minutes of work at bert-base shape, or, of longer texts, as many letters as such a
# shard has: what is lost when a run is killed.
SHARD_TEXTS, SHARD_BYTES = 8192, 2**21
ON_ERROR = ("reject", "fail")


def check(encoder: "Encoder", job: Job) -> None:
    """Refuse bad options before anything is read or written."""
    if job.on_error not in ON_ERROR:
        raise ActivationFlowError(f"on_error={job.on_error!r} is not one of {', '.join(ON_ERROR)}")
    if job.kinds not in ("", "gold", *WAYS):
        raise ActivationFlowError(f"kinds={job.kinds!r} is not one of gold, {', '.join(WAYS)}")
    job.measure.check(encoder, job)


def find(source: Source | Sequence[Source], format: str | None, work: Path) -> list[InputFile]:
    """The files of the input, by their absolute paths; standard input is kept in one first.

    A run may lie within the folder that is its input: its own files are no part of that.
    """
    own = work.parent
    given = [source] if isinstance(source, str | os.PathLike) else source
    files: dict[str, InputFile] = {}
    for each in dict.fromkeys(os.fspath(path) for path in given):
        left_out: list[str] = []
        if each == "-":
            found = [finding.spool(work, format or "txt")]
        else:
            found, left_out = finding.find_files(each, format)
        if left_out:
            some = ", ".join(left_out[:3]) + (", ..." if len(left_out) > 3 else "")
            log.warning("%s: files with other endings left out: %d (%s)", each, len(left_out), some)
        for file in found:
            path = os.path.abspath(file.path)
            if each == "-" or not Path(path).resolve().is_relative_to(own.resolve()):
                files[path] = replace(file, path=path)
    if not files:
        raise ActivationFlowError("no input was given")
    return list(files.values())


def with_files(
    encoder: "Encoder", job: Job, files: Sequence[InputFile], shard_size: int | None
) -> Job:
    """The job, with what depends on the files: kinds, columns, and the head of all parts."""
    _check_columns(job, files)
    kinds = source_of_kinds(job.kinds if job.kinds or job.measure.takes_gold else "list", files)
    gold = [file.format == "conllu" for file in files]
    ids = any(gold) or job.reading.id_column is not None
    measure = job.measure.with_input(ids=ids, tags=any(gold))
    layout = measure.layout
    settings = {
        **asdict(layout.buckets),
        "kinds": kinds,
        **{"words": None, "max_length": job.max_length or encoder.max_length, "stride": None},
        "truncate": job.truncate,
        **measure.settings,
        **job.reading.settings,
        "keep_text": layout.keep_text,
        "shard_size": shard_size,
    }
    provenance = encoder.provenance(settings)
    head = provenance.head(manifest.SCHEMA, layout.layers, **layout.head)
    return replace(job, kinds=kinds, measure=measure, head=head, files=manifest.names(files))


def source_of_kinds(kinds: str, files: Sequence[InputFile]) -> str:
    """Where kinds come from: what was asked for, else the tags of the files if all have some.

    Raises:
        ActivationFlowError: kinds gold are asked for, and not all files have tags.
    """
    other = [file.name for file in files if file.format != "conllu"]
    if kinds == "gold" and other:
        raise ActivationFlowError(f"kinds gold are those of .conllu files, and {other[0]} is none")
    return kinds or ("list" if other else "gold")


def _check_columns(job: Job, files: Sequence[InputFile]) -> None:
    for file in files if job.reading.pair_column is not None else ():
        if file.format in ("txt", "conllu"):
            raise ActivationFlowError(
                f"{file.name}: a .{file.format} file has no columns, and so none for --pairs; "
                "pairs are read from .jsonl, .csv, .tsv and .parquet files"
            )


def planned(job: Job, files: Sequence[InputFile], shard_size: int | None) -> Manifest:
    """The manifest of the run: the one that is there if it is of the same run, else a new one."""
    now = {**job.head, "files": [asdict(file) for file in files]}
    plan = manifest.load(job.out)
    if plan is None:
        plan = {**now, "shards": _pieces(job, files, shard_size), "finished": None}
        manifest.store(job.out, plan)
    else:
        manifest.refuse_if_other(job.out, plan, now)
    for table in job.layout.tables:
        (job.out / table).mkdir(exist_ok=True)
    return plan


def _pieces(job: Job, files: Sequence[InputFile], shard_size: int | None) -> list[shards.Piece]:
    """The shards of a new run."""
    for table in job.layout.tables:
        if any((job.out / table).glob("*.parquet")):
            raise ActivationFlowError(
                f"{job.out / table} holds parts of a run whose {manifest.NAME} is gone, so nobody "
                "knows what they are of; give another folder, or remove this one"
            )
    if shard_size is None:
        pieces = shards.plan(files, job.reading, SHARD_TEXTS, SHARD_BYTES)
    else:
        pieces = shards.plan(files, job.reading, shard_size)
    if not pieces:
        raise ActivationFlowError(f"{shown(files)}: there is nothing in it")
    return pieces


def shown(files: Sequence[InputFile]) -> str:
    """The input, for messages."""
    return files[0].name if len(files) == 1 else f"the {len(files)} files of the input"
