"""What ``afn audit`` says while it works: a bar for each stage, on stderr."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from activation_flow.audit_data import Watch


@contextmanager
def watching() -> Iterator[Watch | None]:
    """Bars that go when the work is done; none where stderr is no terminal.

    Yields:
        What ``audit`` is to call with the name of a stage, how much of it is done, and of how
        much; 0 where nobody knows yet.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    tasks = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=None)
        bar.update(tasks[stage], completed=done, total=total or None)

    with bar:
        yield show
