"""What a command says: results on stdout; messages, errors and progress on stderr."""

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from activation_flow.data import ActivationFlowError, Failure

if TYPE_CHECKING:
    from activation_flow.results import Exports, Results
    from activation_flow.source import Given, Source

log = logging.getLogger("activation_flow")

TOLD = 20  # texts that were cut, or have no result: so many are told one by one
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


def check_output(path: str | None, as_json: bool, top: int | None) -> None:
    """Refuse what could not be delivered, before any work is done.

    Raises:
        ActivationFlowError: the file could not be written.
    """
    import click

    from activation_flow import files, output

    if path is not None:
        output.check_path(path, [*files.WRITERS])
    if top is not None and as_json:
        raise click.UsageError("--top is for the table on the terminal; --json gives all of it")


def given(
    texts: Sequence[tuple[str, ...]],
    file: str | None,
    read: "Callable[[str], Source] | None" = None,
) -> "Given":
    """Texts from the command line, or the rows of a file."""
    import click

    from activation_flow import source

    if bool(texts) == (file is not None):
        raise click.UsageError("give texts, or a file with -f (one of the two)")
    return source.Given((read or source.read_texts)(file) if file is not None else texts)


def check_pairs(segments: Sequence[str], n: int) -> None:
    """Refuse another number of second segments than there are texts.

    The encoder sees the good rows only, and could find a wrong number right.
    """
    if segments and len(segments) != n:
        raise ActivationFlowError(
            f"--text-pair is given {len(segments)} times for {n} texts; give one each"
        )


def deliver(
    result: "Exports",
    results: "Results[Any]",
    given: "Given",
    save: str | None,
    as_json: bool,
    top: int | None = None,
) -> None:
    """Save, print, and tell of every text that was cut or has no result.

    Raises:
        ActivationFlowError: it could not be saved; what was computed has been printed.
    """
    from activation_flow import document, report

    not_saved = None
    if save is not None:
        try:
            result.save(save)
            log.info("Saved %s", save)
        except ActivationFlowError as problem:
            not_saved = problem
    if as_json:
        print_json(document.to_dict(result))
    else:
        # Texts without a result are told on stderr, below.
        report.print_terminal(replace(results, errors=()), console(), top=top)
    numbered = zip(results.numbers, results, strict=True)
    lines = [line for number, one in numbered for line in cut(results.noun, number, one)]
    tell(lines, results.errors, given, results.noun)
    if not_saved is not None:
        raise not_saved
    stop_if(results.errors)


def cut(noun: str, number: int, result: Any) -> Iterator[str]:
    """Which texts of a result were cut, and by how much."""
    from activation_flow.picture import reading_note
    from activation_flow.result_prompts import PromptsResult
    from activation_flow.sentences_prompts import quoted

    texts = {"": result} if noun == "text" else {"text A": result.a, "text B": result.b}
    if isinstance(result, PromptsResult):
        both = zip(result.prompts, result.variants, strict=True)
        texts = {f"with prompt {quoted(p)}" if p else quoted(p): text for p, text in both}
    for name, text in texts.items():
        if text.n_dropped:
            yield f"{noun} {number}{name and f', {name}'}: {reading_note(text)}"


def tell(lines: Sequence[str], failures: Sequence[Failure], given: "Given", noun: str) -> None:
    """On stderr: what was left out, which texts were cut, and which have no result."""
    if given.blank:
        log.warning("%s: blank lines left out: %d", given.name, given.blank)
    for line in lines[:TOLD]:
        log.warning("%s", line)
    if len(lines) > TOLD:
        log.warning("... and %d more were cut; results and files say which", len(lines) - TOLD)
    for failure in failures[:TOLD]:
        where = given.where(failure.text_number)
        error(f"{where}{noun} {failure.text_number}: {failure.reason}")
    if len(failures) > TOLD:
        more = len(failures) - TOLD
        error(f"... and {more} more without a result; --json and --save give the reason of each")


def stop_if(failures: Sequence[Failure]) -> None:
    """Leave with exit code 1 if a text has no result."""
    if failures:
        import click

        raise click.exceptions.Exit(1)


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
