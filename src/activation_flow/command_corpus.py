"""The command ``afn corpus``: arguments -> library call -> print. No logic."""

from typing import Any

import click

from activation_flow import options, screen
from activation_flow.data import ActivationFlowError


@click.command("corpus")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("--out", required=True, metavar="DIR", help="Folder of the run, new or gone on with.")
@options.group(options.LAYERS)
@click.option("--vectors", metavar="LAYERS", help="Write the hidden states of these layers, too.")
@click.option("--format", help="Of INPUT, where its ending does not say it; of -, default txt.")
@click.option("--text-column", default="text", show_default=True, help="Holds the texts.")
@click.option("--id-column", help="Holds ids of your own, which are kept.")
@options.group(options.COMPARED)
@click.option("--keep-text", is_flag=True, help="Write the texts themselves, too.")
@click.option(
    "--shard-size",
    type=click.IntRange(1),
    help="Texts of a shard, the unit of work and of resume. Default: 8192, fewer if they are long.",
)
@click.option(
    "--on-error",
    default="reject",
    show_default=True,
    help="A row without a result: reject (into rejects.jsonl) or fail.",
)
@click.option(
    "--ray",
    is_flag=False,
    flag_value="local",
    metavar="[ADDRESS]",
    help="Share the work out on Ray: on the cluster at ADDRESS, or on this machine. Behind INPUT.",
)
@click.option(
    "--kinds",
    help="list (English function words), gold (tags of .conllu) or none. Default: gold if all "
    "INPUT is .conllu, else list.",
)
@options.group(options.WORDS, options.LENGTH, options.BUCKETS, options.MODEL)
@click.option("-v", "--verbose", is_flag=True, help="A line for every shard.")
@options.group(options.JSON, options.DEBUG)
def corpus_command(
    inputs: tuple[str, ...],
    out: str,
    ray: str | None,
    verbose: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Measure a corpus of any size into Parquet files in DIR.

    Of each text, the strength of its tokens; with --pairs, the shift from a text to another, and
    with --prompt what each prompt before a text moves, both token by token.

    INPUT: .txt (a text a line) .jsonl .csv .tsv .parquet .conllu, all but Parquet also as .gz or
    .zst; a folder or a pattern of these; or - for standard input. Interrupted at any moment, the
    same command goes on where it was. Then: afn summary DIR, afn sql DIR QUERY.
    """
    from activation_flow import finding, screen_corpus
    from activation_flow.encoder import Encoder
    from activation_flow.running import run_corpus

    for path in inputs:
        if path != "-":  # a wrong name is told before a model is loaded
            finding.find_files(path, settings["format"])
    model, how = options.split(settings)
    how["prompts"] = how["prompts"] or None
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    with screen_corpus.watching(verbose) as (watch, last):
        run = run_corpus(
            encoder,
            inputs,
            out=out,
            ray=True if ray == "local" else ray or False,
            progress=watch,
            **how,
        )
    (state,) = last
    if as_json:
        screen.print_json(screen_corpus.document(run, state))
    else:
        for line in screen_corpus.closing(run, state, out):
            click.echo(line)
    if not run.manifest["finished"]["texts"]:
        raise ActivationFlowError(f"no row has a result; {run.rejects} says why")
