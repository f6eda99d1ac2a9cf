"""The command ``afn``: arguments -> library call -> print. No logic.

Exit codes: 0 done, 1 an error of the user's (one or two lines), 2 wrong usage, 130 interrupted.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

import click

from activation_flow import __version__
from activation_flow.data import ActivationFlowError

log = logging.getLogger("activation_flow")

LONG = 200  # texts: from here on a bar shows how far the work is
WIDE = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def options(*those: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Several options as one decorator, shown in this order."""

    def add(command: Any) -> Any:
        for option in reversed(those):
            command = option(command)
        return command

    return add


# Options that several commands share, by what they are about.
MODEL = options(
    click.option(
        *("-m", "--model"),
        default="bert-base-uncased",
        envvar="AFN_MODEL",
        show_default=True,
        show_envvar=True,
        help="A name on the Hugging Face hub, a folder, or minilm (embedded).",
    ),
    click.option("--revision", help="Branch, tag or commit on the hub."),
    click.option("--precision", default="f32", show_default=True, help="f32 or bf16."),
    click.option("--engine", default="auto", show_default=True, help="auto, openvino or torch."),
    click.option(
        "--batch-tokens",
        type=click.IntRange(1),
        default=1024,
        show_default=True,
        help="Tokens in a batch.",
    ),
    click.option("--threads", type=click.IntRange(1), help="Default: all cores."),
    click.option(
        "--allow-pickle", is_flag=True, help="Load pickled weights; they can run any code."
    ),
    click.option(
        "--trust-remote-code", is_flag=True, help="Run the code that a repository brings."
    ),
)
BUCKETS = options(
    click.option(
        "--quantile", type=float, default=0.75, show_default=True, help="Of S, that makes τ."
    ),
    click.option(
        "--quantile-method", default="midpoint", show_default=True, help="Any numpy method."
    ),
    click.option(
        "--threshold-scope",
        default="text",
        show_default=True,
        help="τ of each text, or one over all: text or corpus.",
    ),
    click.option("--include-special", is_flag=True, help="Special tokens count in τ and ranks."),
)
TOKENS = options(
    click.option(
        "--kinds", default="list", show_default=True, help="list (English function words) or none."
    ),
    click.option("--words", is_flag=True, help="Aggregate the tokenizer's pieces to words."),
    click.option(
        "--words-by", help="The same, by max (default), mean, sum, first or l2 of the pieces."
    ),
    click.option(
        "--max-length", type=int, help="Tokens of an input; a longer text is read in windows."
    ),
    click.option("--stride", type=int, help="Tokens that windows share. Default: half."),
)
OUTPUT = options(
    click.option("--save", metavar="PATH", help="Write to a .json .csv .parquet or .html file."),
    click.option(
        "--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else."
    ),
    click.option("--debug", is_flag=True, help="Show the traceback of an error."),
)


@click.group(context_settings=WIDE, no_args_is_help=True)
@click.version_option(__version__, prog_name="afn", message="%(prog)s %(version)s")
def app() -> None:
    """How strongly a transformer encodes each token, layer by layer."""


@app.command("strength")
@click.argument("texts", metavar="TEXT...", nargs=-1)
@click.option("-f", "--file", metavar="FILE", help="Texts from a file, one a line; - is stdin.")
@click.option("-l", "--layer", help="8, 6-9, -1, all. Default: two thirds of the depth.")
@click.option(
    "--text-pair", multiple=True, metavar="TEXT", help="A second segment; once for each text."
)
@click.option("--top", type=click.IntRange(1), help="List the K strongest tokens only.")
@options(TOKENS, BUCKETS, MODEL, OUTPUT)
def strength_command(
    texts: tuple[str, ...],
    file: str | None,
    layer: str | None,
    text_pair: tuple[str, ...],
    top: int | None,
    save: str | None,
    as_json: bool,
    debug: bool,
    **settings: Any,
) -> None:
    """Strength of every token of every TEXT.

    S = L2 norm of a token's hidden state; HIGH above the upper quartile of its text, else LOW.
    """
    from activation_flow import document, files, output, report, source
    from activation_flow.encoder import Encoder

    if save is not None:
        output.check_path(save, [*files.WRITERS])
    if bool(texts) == (file is not None):
        raise click.UsageError("give texts, or a file with -f (one of the two)")
    if top is not None and as_json:
        raise click.UsageError("--top is for the table on the terminal; --json gives all tokens")
    lines = source.read_lines(file) if file is not None else None
    if lines is not None and lines.blank:
        log.warning("%s: blank lines left out: %d", lines.name, lines.blank)
    model, how = _split(settings, MODEL_OPTIONS)
    by = how.pop("words_by")
    how["words"] = by or ("max" if how["words"] else None)
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    with _progress() as progress:
        results = encoder.strength(
            list(texts) if lines is None else lines.texts,
            list(text_pair) or None,
            layers=layer,
            errors="collect",
            progress=progress,
            **how,
        )
    if save is not None:
        results.save(save)
        log.info("Saved %s", save)
    if as_json:
        _print_json(document.to_dict(results))
    else:
        # Texts without a result are told on stderr, below.
        report.print_terminal(replace(results, errors=()), _console(), top=top)
    for error in results.errors:
        where = f"{lines.name}, line {lines.lines[error.text_number - 1]}, " if lines else ""
        click.echo(f"afn: {where}text {error.text_number}: {error.reason}", err=True)
    if results.errors:
        raise click.exceptions.Exit(1)


MODEL_OPTIONS = (
    *("model", "revision", "precision", "engine", "batch_tokens", "threads"),
    *("allow_pickle", "trust_remote_code"),
)


def _split(settings: dict[str, Any], names: tuple[str, ...]) -> tuple[Any, Any]:
    """The options with these names, and the others."""
    inside = {name: value for name, value in settings.items() if name in names}
    return inside, {name: value for name, value in settings.items() if name not in names}


@app.group("models", invoke_without_command=True, context_settings=WIDE)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
@click.pass_context
def models_command(context: click.Context, as_json: bool) -> None:
    """List the models made ready on this machine: revision, sizes, age, engine."""
    if context.invoked_subcommand is not None:
        return
    from activation_flow import inventory, report_models

    entries = inventory.list_folders()
    if as_json:
        _print_json([asdict(entry) for entry in entries])
    else:
        report_models.print_models(entries, _console())


@models_command.command("clear")
@click.argument("model", required=False)
def clear_command(model: str | None) -> None:
    """Remove the engine folders of MODEL (as `afn models` names it), or all of them.

    They are built again when they are needed. What was downloaded stays.
    """
    from activation_flow import inventory

    removed, size = inventory.clear(model)
    folders = "1 engine folder" if removed == 1 else f"{removed} engine folders"
    click.echo(f"Removed {folders}, {size / 1e6:,.0f} MB.")


def _print_json(document: object) -> None:
    import json

    # JSON is UTF-8, whatever the terminal's encoding is.
    sys.stdout.flush()
    sys.stdout.buffer.write(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    sys.stdout.buffer.write(b"\n")


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A bar on stderr for long work; none where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), transient=True)
    task = bar.add_task("texts", total=None)

    def show(done: int, total: int) -> None:
        if not bar.live.is_started and total > LONG:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()


def _messages() -> None:
    """The library's messages, as plain lines on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def silence_stdout() -> None:
    """What is still in the buffer cannot be written; Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run the command; the one place where errors become text and exit codes."""
    _messages()
    debug = "--debug" in sys.argv or bool(os.environ.get("AFN_DEBUG"))
    try:
        code = app(prog_name="afn", standalone_mode=False)
        sys.stdout.flush()  # here, where a full disk or a closed pipe can still be told
        sys.exit(code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except ActivationFlowError as problem:
        if debug:
            raise
        click.echo(f"afn: {problem}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("afn: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        silence_stdout()
        sys.exit(0)
    except OSError as problem:
        if debug:
            raise
        silence_stdout()
        click.echo(f"afn: cannot write or read: {problem}", err=True)
        sys.exit(1)
    except Exception as problem:
        if debug:
            raise
        click.echo(
            f"afn: internal error: {type(problem).__name__}: {problem}\n"
            "This is a fault of activation-flow; with AFN_DEBUG=1 it says where. Please report it.",
            err=True,
        )
        sys.exit(1)
