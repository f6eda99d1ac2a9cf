"""A whole corpus: planned, run shard by shard, here or on Ray; gone on with after an interruption.

Who calls ``run_shard`` is all that differs between here and Ray.
"""

import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow import asking, corpus, manifest, part, planning, selection, shards
from activation_flow.analysis import Buckets
from activation_flow.blocks import Job
from activation_flow.corpus import Counts
from activation_flow.data import ActivationFlowError
from activation_flow.manifest import AGAIN, REJECTS, Manifest
from activation_flow.output import replacing
from activation_flow.part import WORK
from activation_flow.run import Run
from activation_flow.shards import Shard
from activation_flow.state import State

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

log = logging.getLogger("activation_flow")


def run_corpus(
    encoder: "Encoder",
    source: "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]",
    *,
    out: "str | os.PathLike[str]",
    layers: "int | str | Sequence[int] | None" = None,
    vectors: "int | str | Sequence[int] | None" = None,
    format: str | None = None,
    text_column: str = "text",
    id_column: str | None = None,
    pairs: "str | Sequence[str] | None" = None,
    prompts: Sequence[str] | None = None,
    baseline: bool = False,
    template: str | None = None,
    align: str | None = None,
    bucket_by: str | None = None,
    shard_size: int | None = None,
    keep_text: bool = False,
    quantile: float = 0.75,
    quantile_method: str = "midpoint",
    threshold_scope: str = "text",
    include_special: bool = False,
    kinds: str | None = None,
    words: str | None = None,
    max_length: int | None = None,
    stride: int | None = None,
    truncate: bool = False,
    on_error: str = "reject",
    ray: str | bool = False,
    progress: Callable[[State], None] | None = None,
) -> Run:
    """Measure a corpus of any size into Parquet files; started again, it goes on where it was.

    Of each text, the strength of its tokens; with ``pairs``, the shift from one text to another;
    with ``prompts``, what each prompt before a text moves.

    Args:
        encoder: the model.
        source: a file, a folder, a pattern ("data/*.txt"), several of these, or "-": .txt .jsonl
            .csv .tsv .parquet .conllu, all but Parquet also as .gz or .zst.
        out: folder of the run: a new one, or that of the same run, which then goes on.
        layers: 8, "6-9", -1, "all", a list; default two thirds of the depth.
        vectors: layers of which hidden states are kept, too.
        format: of the files, where their endings do not say it; of "-", default txt.
        text_column: holds the texts.
        id_column: holds ids of your own, which are kept.
        pairs: the two columns that hold the texts of a pair, "premise,hypothesis" or two names:
            measure as ``encoder.shift`` does.
        prompts: put before every text; measure as ``encoder.prompts`` does.
        baseline: compare with the bare text, too.
        template: how prompt and text are put together; default "{prompt} {text}".
        align: of pairs "diff" (default) or "position"; of prompts "text" (default), too.
        bucket_by: whose strengths say which tokens are HIGH: "a" (default), "b" or "union".
        shard_size: texts of a shard, the unit of work and of resume; default 8,192, or fewer that
            are long.
        keep_text: write the texts, too.
        quantile: as in ``analysis.strength``, with the four below.
        quantile_method: "midpoint" gives the paper's τ; any numpy method.
        threshold_scope: "text", or "corpus": one exact τ over all tokens of the run.
        include_special: let special tokens take part in τ, buckets and ranks.
        kinds: "list", "none" or "gold" (the tags of .conllu files); default: gold if all files
            are .conllu, else list.
        words: aggregate pieces to words: max, mean, sum, first or l2.
        max_length: longest input; a longer text is read in windows.
        stride: tokens that neighbouring windows share; default half.
        truncate: cut a longer text instead.
        on_error: "reject" rows without a result into rejects.jsonl, or "fail" at the first.
        ray: True: share the shards out on Ray, started here if there is none; or its address.
        progress: called when something was done.

    Returns:
        The finished run.

    Raises:
        ActivationFlowError: an option or the input is not valid; the folder holds another run; a
            shard failed. What is done stays, and the same call goes on.
    """
    buckets = Buckets(
        quantile=quantile,
        quantile_method=quantile_method,
        threshold_scope=threshold_scope,
        include_special=include_special,
    )
    asked = asking.Asked(
        layers=layers,
        vectors=vectors,
        buckets=buckets,
        keep_text=keep_text,
        words=words,
        stride=stride,
        pairs=pairs,
        prompts=prompts,
        baseline=baseline,
        template=template,
        align=align,
        bucket_by=bucket_by,
    )
    job = Job(
        out=Path(out).expanduser().absolute(),
        reading=asking.reading(asked, text_column, id_column),
        measure=asking.measure(encoder, asked),
        kinds=kinds or "",
        max_length=max_length,
        truncate=truncate,
        on_error=on_error,
    )
    planning.check(encoder, job)
    with manifest.locked(job.out) as begun:
        files = planning.find(source, format, job.out / WORK)
        job = planning.with_files(encoder, job, files, shard_size)
        plan = planning.planned(job, files, shard_size)
        _run_all(encoder, job, plan, ray, progress or (lambda state: None))
        return _finish(job, plan, begun)


def _run_all(
    encoder: "Encoder",
    job: Job,
    plan: Manifest,
    ray: str | bool,
    tell: Callable[[State], None],
) -> None:
    """Run the shards that are not done."""
    weights = _weights(plan)
    done = _done(job, len(weights))
    state = State(len(weights), sum(weights))
    for number, before in done.items():
        state.count_before(before, weights[number])
    tell(state)
    if job.on_error == "fail" and state.before.rejects:
        raise ActivationFlowError(
            f"{job.out}: {state.before.rejects} rows have been rejected already; --on-error reject "
            "goes on without them, a new folder begins anew"
        )
    every = shards.shards(manifest.files_of(plan), plan["shards"])
    todo = (shard for shard in every if shard.number not in done)

    def watch(counts: Counts, at_work: float = 0) -> None:
        state.count(counts, at_work)
        tell(state)

    if ray:
        from activation_flow import on_ray

        finished = on_ray.run(encoder, job, todo, watch, address=ray)
    else:
        finished = _here(encoder, job, todo, watch, weights)
    try:
        with closing(finished):  # whatever happens: no worker of Ray goes on
            for shard, counts in finished:
                state.count_shard(shard, counts, weights[shard.number])
                tell(state)
    except ActivationFlowError as problem:
        raise ActivationFlowError(
            f"{problem} ({state.done_shards} of {state.shards} shards are done)"
        ) from problem


def _done(job: Job, shards: int) -> dict[int, Counts]:
    """The shards that are done, and what is in them."""
    found = {
        number: part.counts_of(job.out, job.layout, number, job.head) for number in range(shards)
    }
    return {number: Counts(**counts) for number, counts in found.items() if counts is not None}


def _here(
    encoder: "Encoder",
    job: Job,
    todo: Iterable[Shard],
    watch: Callable[[Counts, float], None],
    weights: Sequence[int],
) -> Generator[tuple[Shard, Counts]]:
    """Run shards one after the other; each uses all cores."""

    def told(weight: int, counts: Counts, share: float) -> None:
        watch(counts, share * weight)

    for shard in todo:
        tell = partial(told, weights[shard.number])
        yield shard, corpus.run_shard(encoder, job, shard, tell)


def _weights(plan: Manifest) -> list[int]:
    """The size of each shard, in bytes of its file, also where it is a number of rows."""
    pieces = [end - begin for _, begin, end in plan["shards"]]
    of_file = Counter[int]()
    for (file, *_), size in zip(plan["shards"], pieces, strict=True):
        of_file[file] += size
    return [
        size * plan["files"][file]["size"] // of_file[file]
        for (file, *_), size in zip(plan["shards"], pieces, strict=True)
    ]


def _finish(job: Job, plan: Manifest, begun: bool) -> Run:
    """What can be said only when all shards are done: rejects, counts, one τ for all.

    Of a run without any text, which was begun just now, nothing stays.
    """
    total = Counts()
    rejects: list[Path] = []
    done = _done(job, len(plan["shards"]))
    if gone := {*range(len(plan["shards"]))} - {*done}:
        raise ActivationFlowError(
            f"{job.out}: parts that were there are gone: {len(gone)} shards; {AGAIN}"
        )
    for number, counts in done.items():
        total.add(counts)
        if counts.rejects:
            rejects.append(part.rejects_path(job.out, number))
    if not total.rows:
        if begun:
            manifest.discard(job.out, job.layout.tables)
        raise ActivationFlowError(
            f"{planning.shown(manifest.files_of(plan))}: there is no text in it"
        )
    with replacing(job.out / REJECTS) as temporary, temporary.open("wb") as file:
        for path in rejects:
            with path.open("rb") as some:
                shutil.copyfileobj(some, file)
    finished: dict[str, Any] = {**asdict(total), "threshold": None}
    if job.layout.buckets.threshold_scope == "corpus" and total.texts:
        buckets = job.layout.buckets
        parts = [part.part_path(job.out, "tokens", k) for k in range(len(plan["shards"]))]
        tau = selection.corpus_threshold(parts, buckets.quantile, buckets.quantile_method)
        finished["threshold"] = {str(layer): value for layer, value in tau.items()}
    manifest.store(job.out, {**plan, "finished": finished})
    return Run(job.out)
