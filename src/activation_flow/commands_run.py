"""The commands over a run: arguments -> library call -> print. No logic."""

import logging
import sys
from typing import TYPE_CHECKING

import click

from activation_flow import options, screen
from activation_flow.data import ActivationFlowError

if TYPE_CHECKING:
    from activation_flow.result_occurrences import How

log = logging.getLogger("activation_flow")

DIR = click.argument("folder", metavar="DIR")


@click.command("summary")
@DIR
@click.option("-l", "--layer", "layers", multiple=True, help="8, 6-9. Default: all in the run.")
@click.option(
    "--min-count",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Occurrences that a type needs to be listed.",
)
@click.option(
    "--top",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="List the K strongest and the K weakest types of token.",
)
@click.option(
    *("--type", "types"),
    multiple=True,
    metavar="TOKEN",
    help="This type, too, as the tokenizer writes it: canada, ##fold. May be given often.",
)
@options.group(
    options.save("Write to a .json .csv .parquet .html .png or .svg file."),
    options.JSON,
    options.DEBUG,
)
def summary_command(
    folder: str,
    layers: tuple[str, ...],
    min_count: int,
    top: int,
    types: tuple[str, ...],
    save: str | None,
    as_json: bool,
    debug: bool,
) -> None:
    """What a corpus run in DIR says as a whole, layer by layer.

    For each kind of token: how strong it is, how often it is HIGH, and how often chance would make
    it so; the strongest and the weakest types of token; how strengths are spread in the texts.

    Of a run with --pairs or --prompt: how far the anchor and the tokens move from one text, or
    prompt, to the other, with 95 % intervals over texts, and which kinds of token move.
    """
    from activation_flow import output, report_shift_summary, report_summary
    from activation_flow.result_summary import Summary
    from activation_flow.run import Run

    if save is not None:
        output.check_path(save, output.WHOLE)
    summary = Run(folder).summary(
        ",".join(layers) or None, min_count=min_count, top=top, types=types
    )
    if save is not None:
        summary.save(save)
        log.info("Saved %s", save)
    if as_json:
        screen.print_json(summary.to_dict())
    elif isinstance(summary, Summary):
        report_summary.print_terminal(summary, screen.console())
    else:
        report_shift_summary.print_terminal(summary, screen.console())


@click.command("find")
@DIR
@click.argument("token")
@click.option("-l", "--layer", help="8. Default: the one nearest to two thirds of the depth.")
@click.option(
    *("--top", "top"),
    type=click.IntRange(1),
    default=20,
    show_default=True,
    metavar="K",
    help="Show the K texts in which it stands highest.",
)
@click.option(
    *("--as", "way"),
    type=click.Choice(["token", "word"]),
    help="Look for it only so. Default: as a token, else as a word.",
)
@options.group(
    options.save("Write to a .json .csv .parquet or .html file."), options.JSON, options.DEBUG
)
def find_command(
    folder: str,
    token: str,
    layer: str | None,
    top: int,
    way: "How | None",
    save: str | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Where TOKEN occurs in the corpus run in DIR, and the texts in which it stands highest.

    TOKEN is a type as the tokenizer writes it (canada, ##fold) or a word that it may have cut
    (connoisseur). If it does not occur as typed, and no token of the run has a capital, it is
    looked for in lower case; what was looked for is always said.
    """
    from activation_flow import output, report_occurrences
    from activation_flow.occurrences import WAYS
    from activation_flow.run import Run

    if save is not None:
        output.check_path(save, output.TOLD)
    found = Run(folder).occurrences(token, layer, top=top, ways=WAYS if way is None else (way,))
    if save is not None:
        found.save(save)
        log.info("Saved %s", save)
    if as_json:
        screen.print_json(found.to_dict())
    else:
        report_occurrences.print_terminal(found, screen.console())


@click.command("sql")
@DIR
@click.argument("query")
@options.group(options.save("Write to a .csv .json or .parquet file."), options.JSON, options.DEBUG)
def sql_command(folder: str, query: str, save: str | None, as_json: bool, debug: bool) -> None:
    """Ask a corpus run in DIR anything: QUERY is SQL (DuckDB's); - reads it from standard input.

    Tables: tokens (a row per token and layer), texts (a row per text and layer), and vectors where
    the run has them. "DESCRIBE tokens" lists the columns; "end" is one that needs its quotes. Of a
    run with --pairs or --prompt: shifts (a row per aligned tokens) and comparisons.
    """
    from activation_flow import database, output, report_sql
    from activation_flow.run import Run

    if save is not None:
        output.check_path(save, database.ENDINGS)
        if as_json:
            raise click.UsageError("give --json or --save, not both: they are two forms of one")
    if query == "-":
        query = _typed()
    with Run(folder).stream(query) as reader:
        if save is not None:
            count = database.save(reader, save)
            log.info("Saved %s: %d %s", save, count, "row" if count == 1 else "rows")
        elif as_json:
            screen.print_json(database.document(reader))
        else:
            rows, count = database.head(reader, report_sql.ROWS)
            page = report_sql.AnswerPage(names=reader.schema.names, rows=rows, count=count)
            screen.console().print(page)


def _typed() -> str:
    """What stands on standard input."""
    raw = b"" if sys.stdin is None else sys.stdin.buffer.read()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ActivationFlowError("the query on standard input is not UTF-8") from problem


def add_to(app: click.Group) -> None:
    """Make them commands of ``afn``."""
    app.add_command(summary_command)
    app.add_command(find_command)
    app.add_command(sql_command)
