"""What a command says: results on stdout; messages, errors and progress on stderr."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("activation_flow")

LONG = 200  # texts: from here on a bar shows how far the work is


def print_json(document: object) -> None:
    """One document and a line end; UTF-8, whatever the terminal's encoding is."""
    sys.stdout.flush()
    sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    sys.stdout.buffer.write(b"\n")


def console() -> Any:
    """Standard output, for reports."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def error(message: str) -> None:
    """One line on stderr, under the name of the command."""
    import click

    click.echo(f"afn: {message}", err=True)


@contextmanager
def progress(noun: str = "texts") -> Iterator[Callable[[int, int | None], None] | None]:
    """A bar on stderr for long work; none where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task(noun, total=None)

    def show(done: int, total: int | None) -> None:
        if not bar.live.is_started and (done if total is None else total) > LONG:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


def speak() -> None:
    """The library's messages, as plain lines on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def silence_stdout() -> None:
    """What is still in the buffer cannot be written; Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
