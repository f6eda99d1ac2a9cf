"""What ``afn corpus`` says: a bar while it works, a line for each shard, a summary at the end."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from typing import Any

from activation_flow.corpus import where
from activation_flow.manifest import AGAIN
from activation_flow.run import Run
from activation_flow.state import State

log = logging.getLogger("activation_flow")


@contextmanager
def watching(verbose: bool) -> Iterator[tuple[Callable[[State], None], list[State]]]:
    """A bar on stderr, if that is a terminal; with ``verbose``, a line for each shard.

    Yields:
        What ``run_corpus`` is to call, and a list that holds the last state it was called with.
    """
    last: list[State] = []
    bar, show = _bar() if sys.stderr.isatty() else (None, None)

    def watch(state: State) -> None:
        last[:] = [state]
        if verbose and state.last is not None:
            shard, counts = state.last
            rejects = f", {counts.rejects:,} rejects" if counts.rejects else ""
            line = (
                f"shard {shard.number} ({where(shard, shard.first_line)} on): "
                f"{counts.texts:,} texts, {counts.tokens:,} tokens{rejects}; "
                f"{state.done_shards:,} of {state.shards:,} shards done"
            )
            (log.info if bar is None else bar.console.print)(line)
        if show is not None:
            show(state)

    try:
        with bar or nullcontext():
            yield watch, last
    except KeyboardInterrupt:
        for state in last:
            log.info("%d of %d shards are done; %s", state.done_shards, state.shards, AGAIN)
        raise


def _bar() -> tuple[Any, Callable[[State], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    bar = Progress(
        TextColumn("{task.fields[what]}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[rates]}"),
        console=Console(stderr=True),
        transient=True,
        expand=True,
    )
    task = bar.add_task("", total=None, what="starting", rates="")

    def show(state: State) -> None:
        bar.update(
            task,
            total=state.size or None,
            completed=state.done_size,
            what=f"{state.before.texts + state.fresh.texts:,} texts",
            rates=", ".join([*_rates(state), *_left(state)]),
        )

    return bar, show


def _rates(state: State) -> Iterator[str]:
    """Texts and tokens a second since this start."""
    seconds = state.seconds
    if state.fresh.texts:
        yield f"{state.fresh.texts / seconds:,.0f} texts/s"
        yield f"{state.fresh.tokens / seconds:,.0f} tokens/s"


def _left(state: State) -> Iterator[str]:
    left = state.seconds_left
    if left is not None:
        yield f"{_time(left)} left"


def _time(seconds: float) -> str:
    """As a clock shows it.

    >>> _time(75), _time(7512.3)
    ('1:15', '2:05:12')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def document(run: Run, state: State) -> dict[str, Any]:
    """The JSON document of a finished run."""
    manifest = run.manifest
    head = {name: manifest[name] for name in manifest if name not in ("files", "shards")}
    finished = head.pop("finished")
    seconds = state.seconds
    return {
        **head,
        "out": str(run.path),
        "shards": len(manifest["shards"]),
        "threshold": finished.pop("threshold"),
        "counts": finished,
        "this_start": {
            **asdict(state.fresh),
            "seconds": seconds,
            "texts_per_second": state.fresh.texts / seconds,
            "tokens_per_second": state.fresh.tokens / seconds,
        },
    }


def closing(run: Run, state: State, shown: str) -> Iterator[str]:
    """What was done, in a few lines.

    Args:
        run: finished.
        state: the last one.
        shown: the folder, as the user gave it.
    """
    counts = run.manifest["finished"]
    layers = ", ".join(map(str, run.layers))
    noun = "pairs" if run.manifest["settings"].get("pair_column") else "texts"
    yield (
        f"{counts['texts']:,} {noun}, {counts['tokens']:,} tokens; "
        f"layer {layers} of {run.provenance.n_layers} of {run.provenance.model}"
    )
    again = counts["texts"] - counts["computed"]
    if again > 0:
        yield f"{again:,} of the {noun} were the same as one before, and computed once"
    if counts["blank"]:
        yield f"{counts['blank']:,} blank rows left out"
    if counts["rejects"]:
        rows = "row" if counts["rejects"] == 1 else "rows"
        yield f"{counts['rejects']:,} {rows} without a result: {shown}/{run.rejects.name} says why"
    if state.fresh.texts:
        before = "" if state.fresh.rows == counts["rows"] else "; the rest was done before"
        rates = ", ".join(_rates(state))
        yield f"{state.fresh.texts:,} {noun} in {_time(state.seconds)} ({rates}){before}"
    elif not state.fresh.rows:
        yield "All of it was done before; nothing was computed"
    yield f"Look at it: afn summary {shown}"
