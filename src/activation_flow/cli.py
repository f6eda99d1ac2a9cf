"""The command ``afn``: arguments -> library call -> print. No logic.

Exit codes: 0 done, 1 an error of the user's (one or two lines), 2 wrong usage, 130 interrupted.
"""

import logging
import os
import sys
from dataclasses import replace
from typing import Annotated, Any

import typer

from activation_flow import __version__
from activation_flow.data import ActivationFlowError

app = typer.Typer(
    name="afn",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help="How strongly a transformer encodes each token, layer by layer.",
)
models_app = typer.Typer(
    rich_markup_mode=None, help="Models made ready on this machine: list them, or clear them."
)
app.add_typer(models_app, name="models")

log = logging.getLogger("activation_flow")

# Wrong usage of any kind. The class is click's or typer's own, by the version of typer.
USAGE: Any = typer.BadParameter.__mro__[1]


def _version(value: bool) -> None:
    if value:
        print(f"afn {__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """How strongly a transformer encodes each token, layer by layer."""


Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        envvar="AFN_MODEL",
        help="A name on the Hugging Face hub, a folder, or minilm (embedded).",
    ),
]
File = Annotated[
    str | None, typer.Option("--file", "-f", help="Read texts from a file, one a line; - is stdin.")
]
Layer = Annotated[
    str | None,
    typer.Option("--layer", "-l", help="8, 6-9, -1, all. Default: two thirds of the depth."),
]
JSON = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


@app.command("strength")
def strength_command(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT...", help="The texts.")] = None,
    file: File = None,
    model: Model = "bert-base-uncased",
    layer: Layer = None,
    text_pair: Annotated[
        list[str] | None,
        typer.Option("--text-pair", help="A second segment; once for each text."),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="List the K strongest tokens only.")
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Aggregate the tokenizer's pieces to words.")
    ] = False,
    words_by: Annotated[
        str, typer.Option("--words-by", help="How: max, mean, sum, first or l2.")
    ] = "max",
    quantile: Annotated[float, typer.Option("--quantile", help="Of S, that makes τ.")] = 0.75,
    quantile_method: Annotated[
        str, typer.Option("--quantile-method", help="Any numpy method.")
    ] = "midpoint",
    threshold_scope: Annotated[
        str, typer.Option("--threshold-scope", help="τ of each text, or one: text or corpus.")
    ] = "text",
    include_special: Annotated[
        bool, typer.Option("--include-special", help="Special tokens count in τ and ranks.")
    ] = False,
    kinds: Annotated[
        str, typer.Option("--kinds", help="list (English function words) or none.")
    ] = "list",
    max_length: Annotated[
        int | None, typer.Option("--max-length", help="Tokens; longer texts: several windows.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option("--stride", help="Tokens that windows share. Default: half.")
    ] = None,
    precision: Annotated[str, typer.Option("--precision", help="f32 or bf16.")] = "f32",
    engine: Annotated[str, typer.Option("--engine", help="auto, openvino or torch.")] = "auto",
    batch_tokens: Annotated[
        int, typer.Option("--batch-tokens", min=1, help="Tokens in a batch.")
    ] = 1024,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Default: all cores.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="Branch, tag or commit on the hub.")
    ] = None,
    allow_pickle: Annotated[
        bool, typer.Option("--allow-pickle", help="Load pickled weights; they can run any code.")
    ] = False,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run the code that a repository brings.")
    ] = False,
    save: Annotated[
        str | None, typer.Option("--save", help="Write to a .json .csv .parquet or .html file.")
    ] = None,
    json: JSON = False,
    debug: Debug = False,
) -> None:
    """Strength of every token: S = L2 norm of its hidden state; HIGH/LOW at the upper quartile."""
    from activation_flow import report, source, table

    if save is not None:
        table.check_path(save)
    if bool(texts) == (file is not None):
        raise typer.BadParameter("give texts, or a file with -f (one of the two)")
    where = None
    if file is not None:
        lines = source.read_lines(file)
        texts, where = lines.texts, lines
        if lines.blank:
            log.warning("%s: %d blank lines left out", lines.name, lines.blank)
    from activation_flow.encoder import Encoder

    encoder = Encoder.from_pretrained(
        model,
        revision=revision,
        precision=precision,
        engine=engine,
        batch_tokens=batch_tokens,
        threads=threads,
        allow_pickle=allow_pickle,
        trust_remote_code=trust_remote_code,
    )
    results = encoder.strength(
        texts or [],
        text_pair,
        layers=layer,
        quantile=quantile,
        quantile_method=quantile_method,
        threshold_scope=threshold_scope,
        include_special=include_special,
        kinds=kinds,
        words=words_by if words else None,
        max_length=max_length,
        stride=stride,
        errors="collect",
    )
    if save is not None:
        results.save(save)
        log.info("Saved %s", save)
    if json:
        import json as codec

        print(codec.dumps(table.to_dict(results), ensure_ascii=False, allow_nan=False))
    else:
        # Texts without a result are told on stderr, below.
        report.print_terminal(replace(results, errors=()), _console(), top=top)
    for error in results.errors:
        place = f"{where.name}, line {where.lines[error.text_number - 1]}, " if where else ""
        print(f"afn: {place}text {error.text_number}: {error.reason}", file=sys.stderr)
    if results.errors:
        raise typer.Exit(1)


@models_app.callback(invoke_without_command=True)
def models_command(
    context: typer.Context,
    json: JSON = False,
) -> None:
    """List the engine folders: model, revision, sizes, age, engine."""
    if context.invoked_subcommand is not None:
        return
    from activation_flow import inventory, report

    entries = inventory.list_folders()
    if json:
        import json as codec

        print(codec.dumps([entry.__dict__ for entry in entries]))
    else:
        report.print_models(entries, _console())


@models_app.command("clear")
def clear_command(
    model: Annotated[
        str | None, typer.Argument(help="As `afn models` names it. Default: all of them.")
    ] = None,
) -> None:
    """Remove engine folders; they are built again when they are needed. Downloads stay."""
    from activation_flow import inventory

    removed, size = inventory.clear(model)
    print(f"Removed {removed} engine folders, {size / 1e6:,.0f} MB.")


def _console() -> Any:
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)


def _messages() -> None:
    """The library's messages, as plain lines on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def main() -> None:
    """Run the command; the one place where errors become text and exit codes."""
    _messages()
    debug = "--debug" in sys.argv[1:]
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except ActivationFlowError as problem:
        if debug:
            raise
        print(f"afn: {problem}", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, typer.Abort):
        print("afn: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as problem:
        if isinstance(problem, USAGE):
            problem.show()
            sys.exit(2)
        if debug:
            raise
        print(
            f"afn: internal error: {type(problem).__name__}: {problem}\n"
            "This is a fault of activation-flow; --debug shows where. Please report it.",
            file=sys.stderr,
        )
        sys.exit(1)
