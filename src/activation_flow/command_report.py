"""The command ``afn report``: arguments -> library call -> a page. No logic."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activation_flow import options, screen
from activation_flow.data import ActivationFlowError, Failure

if TYPE_CHECKING:
    from activation_flow.results import StrengthResults

log = logging.getLogger("activation_flow")


@click.command("report")
@click.argument("texts", metavar="TEXT... | RESULT | DIR", nargs=-1)
@click.option("-f", "--file", metavar="FILE", help="Texts from a file, one a line; - is stdin.")
@click.option("--save", metavar="PATH", help="The page: an .html file. Needed.")
@options.group(options.LAYERS, options.TEXT_PAIR, options.KINDS, options.WORDS, options.LENGTH)
@options.group(options.BUCKETS, options.MODEL, options.DEBUG)
def report_command(
    texts: tuple[str, ...], file: str | None, save: str | None, **settings: Any
) -> None:
    """Write one HTML page that needs no network: tokens, charts, numbers, settings, the command.

    Of texts: their strengths at the chosen layer, and how they stand at every layer. Of a RESULT, a
    .json or .parquet file that a command saved; or of DIR, a corpus run: what it holds, without a
    model. One argument is a RESULT if its name ends so and there is such a file, and DIR if it is a
    folder with a manifest.json; all else is text.
    """
    from activation_flow import output

    if save is None:
        raise click.UsageError("say where the page is to be written: --save report.html")
    path = output.check_path(save, [".html"])
    failures: Sequence[Failure] = ()
    alone = Path(texts[0]) if len(texts) == 1 and file is None else None
    if alone is not None and _is(alone.is_file) and alone.suffix.lower() in (".json", ".parquet"):
        log.info("%s is a file: the page of the result in it", texts[0])
        holds = _of_result(alone, path)
    elif alone is not None and _is((alone / "manifest.json").is_file):
        log.info("%s is a folder: the page of the corpus run in it", texts[0])
        holds = _of_run(alone, path)
    else:
        results = _of_texts(texts, file, path, settings)
        holds, failures = _count(len(results), "text"), results.errors
    click.echo(f"{path}: {holds}, {path.stat().st_size / 1e6:.1f} MB")
    screen.stop_if(failures)


def _is(asked: Any) -> bool:
    """Whether a path is one; a text may be too long for a name, or hold what no name can."""
    try:
        return bool(asked())
    except (OSError, ValueError):
        return False


def _of_result(file: Path, path: Path) -> str:
    from activation_flow import files, html

    results = files.load(file)
    _write(path, html.html_page(results))
    return _count(len(results), results.noun)


def _write(path: Path, page: str) -> None:
    from activation_flow import output

    with output.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _of_run(folder: Path, path: Path) -> str:
    from activation_flow.run import Run

    Run(folder).summary().save(path)
    return "a corpus run"


def _of_texts(
    texts: tuple[str, ...], file: str | None, path: Path, settings: dict[str, Any]
) -> "StrengthResults":
    from activation_flow import html
    from activation_flow.encoder import Encoder

    given = screen.given([(text,) for text in texts], file)
    rows = list(given)
    pairs = settings.pop("text_pair")
    screen.check_pairs(pairs, len(given))
    model, how = options.split(settings)
    chosen = how.pop("layers")
    encoder = Encoder.from_pretrained(model.pop("model"), **model)
    chosen = encoder.layers_from(chosen)
    with screen.progress() as progress:
        everywhere = encoder.layers(
            [row.texts[0] for row in rows],
            [pairs[row.number - 1] for row in rows] if pairs else None,
            errors="collect",
            progress=progress,
            **how,
        )
    everywhere = everywhere.renumber([row.number for row in rows], given.bad)
    results = everywhere.at(chosen)
    numbered = zip(results.numbers, results, strict=True)
    cut = [line for number, one in numbered for line in screen.cut("text", number, one)]
    screen.tell(cut, results.errors, given, "text")
    if not len(results):
        raise ActivationFlowError("no text has a result, so no page was written")
    _write(path, html.html_page(results, everywhere))
    return results


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"
