"""The command ``afn reproduce``: arguments -> library call -> print. No logic."""

import logging
from typing import Any

import click

from activation_flow import options, screen

log = logging.getLogger("activation_flow")


@click.command("reproduce")
@click.option("--corpus", metavar="FILE", help="Count the claims of section 3.1.4 over it.")
@click.option(
    "--text-column", default="text", show_default=True, help="Holds the sentences of a table."
)
@click.option(
    "--out", metavar="DIR", help="Write report.html, rows.csv, tables and figures into DIR."
)
@click.option("--no-model", is_flag=True, help="Only what follows from the paper's own numbers.")
@click.option(
    "--rows", is_flag=True, help="List every row, not only tables and what does not hold."
)
@options.group(options.MODEL, options.JSON, options.DEBUG)
def reproduce_command(
    corpus: str | None,
    text_column: str,
    out: str | None,
    no_model: bool,
    rows: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Recompute every number, table, figure and claim of the paper, with a verdict each.

    The paper is arXiv 2605.22377; its model, bert-base-uncased, is compared, any other stands
    beside it. Its corpus is on Kaggle: "Social Media Sentiments Analysis Dataset", column Text.
    Into DIR: report.html, rows.csv, table-1.csv to table-6.csv, figure-1.png to figure-7.png.
    """
    from activation_flow import finding, output, report_paper, screen_corpus
    from activation_flow.encoder import Encoder
    from activation_flow.reproducing import reproduce

    if no_model and corpus is not None:
        raise click.UsageError("the claims about a corpus need a model; leave --no-model out")
    context = click.get_current_context()
    source = context.get_parameter_source("text_column")
    if corpus is None and source is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--text-column is a column of the corpus: give --corpus FILE, too")
    if out is not None:
        output.check_folder(out)
    if corpus is not None:  # a wrong name is told before a model is loaded
        finding.find_files(corpus, None)
    model, _ = options.split(settings)
    name = model.pop("model")
    encoder = None if no_model else Encoder.from_pretrained(name, **model)
    with screen_corpus.watching(verbose=False) as (watch, _):
        found = reproduce(encoder, corpus, text_column=text_column, out=out, progress=watch)
    if as_json:
        screen.print_json(found.to_dict())
    else:
        report_paper.print_terminal(found, screen.console(), rows=rows)
    if out is not None:
        log.info("Wrote %s", out)
