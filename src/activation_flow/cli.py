"""The command ``afn``: arguments -> library call -> print. No logic.

Exit codes: 0 done, 1 an error of the user's (one or two lines), 2 wrong usage, 130 interrupted.
"""

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activation_flow import (
    __version__,
    command_app,
    command_audit,
    command_corpus,
    command_paper,
    command_prompts,
    command_report,
    commands_run,
    options,
    screen,
)
from activation_flow.data import ActivationFlowError, Failure

if TYPE_CHECKING:
    from activation_flow.analysis_hidden import Outcome
    from activation_flow.encoder import Encoder
    from activation_flow.source import Given, Source

log = logging.getLogger("activation_flow")

WIDE = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=WIDE, no_args_is_help=True)
@click.version_option(__version__, prog_name="afn", message="%(prog)s %(version)s")
def app() -> None:
    """How strongly a transformer encodes each token, layer by layer."""


@app.command("strength")
@options.group(options.TEXTS, options.LAYERS, options.TEXT_PAIR, options.TOP, options.KINDS)
@options.group(options.WORDS, options.LENGTH, options.BUCKETS, options.MODEL, options.OUTPUT)
def strength_command(**given: Any) -> None:
    """Strength of every token of every TEXT.

    S = L2 norm of a token's hidden state; HIGH above the upper quartile of its text, else LOW.
    """
    _strength("strength", **given)


@app.command("layers")
@options.group(options.TEXTS)
@click.option("-l", "--layer", "layers", default="all", show_default=True, help="all, 6-9, 8,9.")
@options.group(options.TEXT_PAIR, options.TOP, options.KINDS, options.WORDS, options.LENGTH)
@options.group(options.BUCKETS, options.MODEL, options.OUTPUT)
def layers_command(**given: Any) -> None:
    """Strength of every token at every layer, in one pass.

    Besides, for each kind of token, where it stands in its text on average: the rank percentile, 0
    (weakest) to 100. Layers 8 and 9 side by side: -l 8,9.
    """
    _strength("layers", **given)


def _strength(
    method: str,
    *,
    texts: tuple[str, ...],
    file: str | None,
    text_pair: tuple[str, ...],
    top: int | None,
    save: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    from activation_flow.encoder import Encoder

    screen.check_output(save, as_json, top)
    given = screen.given([(text,) for text in texts], file)
    rows = list(given)
    screen.check_pairs(text_pair, len(given))
    model, how = options.split(settings)
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    with screen.progress() as progress:
        results = getattr(encoder, method)(
            [row.texts[0] for row in rows],
            [text_pair[row.number - 1] for row in rows] if text_pair else None,
            errors="collect",
            progress=progress,
            **how,
        )
    results = results.renumber([row.number for row in rows], given.bad)
    screen.deliver(results, results, given, save, as_json, top)


@app.command("shift")
@click.argument("texts", metavar="[A B]", nargs=-1)
@click.option("-f", "--file", metavar="FILE", help="Pairs of texts: .jsonl .csv .tsv; - is JSONL.")
@click.option(
    "--columns", default="a,b", show_default=True, help="The two columns of FILE that hold them."
)
@click.option("-l", "--layer", "layers", help="8, -1. Default: two thirds of the depth.")
@click.option(
    "--align",
    default="diff",
    show_default=True,
    help="diff (longest common subsequence) or position (index by index).",
)
@click.option(
    "--bucket-by", default="a", show_default=True, help="HIGH in a, in b, or in either: union."
)
@click.option("--top", type=click.IntRange(1), help="List the K largest shifts only.")
@options.group(options.KINDS, options.WORDS, options.CUT, options.BUCKETS, options.MODEL)
@options.group(options.OUTPUT)
def shift_command(
    texts: tuple[str, ...],
    file: str | None,
    columns: str,
    top: int | None,
    save: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """Shift of every token from text A to text B.

    The L2 distance of the hidden states of aligned tokens, its sum, and the part of it that HIGH
    tokens hold (R_H) beside the part that chance would give them.
    """
    from activation_flow import source
    from activation_flow.encoder import Encoder

    screen.check_output(save, as_json, top)
    if file is None and len(texts) not in (0, 2):
        raise click.UsageError(f"give two texts, A and B; {len(texts)} came")
    first, _, second = (part.strip() for part in columns.partition(","))
    if not (first and second) or "," in second:
        raise click.UsageError(f"--columns {columns}: give two names, such as premise,hypothesis")

    def read_pairs(path: str) -> "Source":
        return source.read_pairs(path, (first, second))

    given = screen.given([texts] if texts else [], file, read_pairs)
    rows = list(given)
    model, how = options.split(settings)
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    with screen.progress("pairs") as progress:
        results = encoder.shift(
            [row.texts[0] for row in rows],
            [row.texts[1] for row in rows],
            errors="collect",
            progress=progress,
            **how,
        )
    results = results.renumber([row.number for row in rows], given.bad)
    alone = file is None and len(results) == 1
    screen.deliver(results[0] if alone else results, results, given, save, as_json, top)


@app.command("hidden")
@options.group(options.TEXTS, options.LAYERS, options.KINDS, options.LENGTH, options.MODEL)
@options.group(
    options.save(
        "Write to a .npz or .safetensors file; .html .png .svg: a page, or a picture of S."
    )
)
@options.group(options.JSON, options.DEBUG)
def hidden_command(
    texts: tuple[str, ...], file: str | None, save: str | None, as_json: bool, **settings: Any
) -> None:
    """Hidden states of every token of every TEXT: [layers tokens width], for work to go on from.

    With --save x.npz or x.safetensors they go to the file as they come, so that a FILE of any size
    can be read (into .safetensors, about 70,000 sentences).
    """
    from activation_flow import files, output, tensors
    from activation_flow.encoder import Encoder

    pictured = save is not None and Path(save).suffix.lower() in files.PICTURES
    if save is not None:
        output.check_path(save, (*tensors.ENDINGS, *files.PICTURES))
        if as_json:
            raise click.UsageError("give --json or --save, not both: they are two forms of one")
    elif file is not None and not as_json:
        raise click.UsageError("give --save PATH (or --json): of a file, all is for keeping")
    given = screen.given([(text,) for text in texts], file)
    model, how = options.split(settings)
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    if save is not None and not pictured:
        _hidden_to_file(encoder, given, save, how)
        return
    rows = list(given)
    results = encoder.hidden_states([row.texts[0] for row in rows], errors="collect", **how)
    results = results.renumber([row.number for row in rows], given.bad)
    screen.deliver(results, results, given, save, as_json)


def _hidden_to_file(encoder: "Encoder", given: "Given", path: str, how: dict[str, Any]) -> None:
    from activation_flow import analysis_hidden, tensors

    cut: list[str] = []

    def noted(outcomes: "Iterable[Outcome]") -> "Iterator[Outcome]":
        with screen.progress() as show:
            for done, outcome in enumerate(outcomes, 1):
                if not isinstance(outcome, Failure):
                    cut.extend(screen.cut("text", *outcome))
                if show is not None:
                    show(done, None)
                yield outcome
        yield from given.bad  # known when all rows have been read

    texts = ((row.number, row.texts[0]) for row in given)
    provenance, layers, outcomes = analysis_hidden.stream(encoder, texts, **how)
    written, failures = tensors.write(path, noted(outcomes), provenance, layers)
    log.info("Saved %s: %d %s", path, written, "text" if written == 1 else "texts")
    screen.tell(cut, failures, given, "text")
    screen.stop_if(failures)


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
        screen.print_json([asdict(entry) for entry in entries])
    else:
        report_models.print_models(entries, screen.console())


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


app.add_command(command_app.app_command)
app.add_command(command_prompts.prompts_command)
app.add_command(command_report.report_command)
app.add_command(command_corpus.corpus_command)
app.add_command(command_audit.audit_command)
app.add_command(command_paper.reproduce_command)
commands_run.add_to(app)


def main() -> None:
    """Run the command; the one place where errors become text and exit codes."""
    screen.speak()
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
        screen.error(str(problem))
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        screen.error("interrupted")
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        screen.silence_stdout()
        sys.exit(0)
    except OSError as problem:
        if debug:
            raise
        screen.silence_stdout()
        screen.error(f"cannot write or read: {problem}")
        sys.exit(1)
    except Exception as problem:
        if debug:
            raise
        screen.error(
            f"internal error: {type(problem).__name__}: {problem}\n"
            "This is a fault of activation-flow; with AFN_DEBUG=1 it says where. Please report it."
        )
        sys.exit(1)
