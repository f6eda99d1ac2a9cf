"""The command ``afn report``: what is to be reported on -> library call -> a page."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activation_flow import options, screen
from activation_flow.data import ActivationFlowError, Failure

if TYPE_CHECKING:
    from activation_flow.results import StrengthResults

log = logging.getLogger("activation_flow")

WHOLE = (".json", ".parquet", ".npz", ".safetensors")  # files that hold whole results
# What else we and others write: one word that ends so is hardly meant as a text.
OTHERS = (".csv", ".html", ".png", ".svg", ".txt", ".jsonl")


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
    .json .parquet .npz or .safetensors file that a command saved, or of DIR, a corpus run: what it
    holds, without a model; of all options, these take --save alone, and a run --layer.

    One argument is a path if there is such a file or folder, or if it is one word that ends as
    files do: .json .parquet .npz .safetensors .csv .html .png .svg .txt .jsonl. As a text, give it
    on standard input: echo notes.txt | afn report -f - --save report.html
    """
    from activation_flow import output

    if save is None:
        raise click.UsageError("say where the page is to be written: --save report.html")
    path = output.check_path(save, [".html"])
    failures: Sequence[Failure] = ()
    given = _path_of(texts)
    if given is None:
        results = _of_texts(texts, file, path, settings)
        holds, failures = _count(len(results), "text"), results.errors
    elif _is(given.is_dir):
        holds = _of_run(given, path, settings["layers"])
    else:
        holds = _of_result(given, path)
    click.echo(f"{path}: {holds}, {path.stat().st_size / 1e6:.1f} MB")
    screen.stop_if(failures)


def _path_of(texts: Sequence[str]) -> Path | None:
    """The one argument, where it is a path: something is there, or it is named as files are."""
    if len(texts) != 1 or not texts[0]:
        return None
    path = Path(texts[0])
    named = path.suffix.lower() in (*WHOLE, *OTHERS) and len(texts[0].split()) == 1
    return path if named or _is(path.exists) else None


def _is(asked: Any) -> bool:
    """Whether a path is one; a text may be too long for a name, or hold what no name can."""
    try:
        return bool(asked())
    except (OSError, ValueError):
        return False


def _of_result(file: Path, path: Path) -> str:
    from activation_flow import files, html
    from activation_flow.result_audit import AuditResult

    if not _is(file.is_file):
        raise ActivationFlowError(f"there is no file {file}{_or_text(file)}")
    if file.suffix.lower() not in WHOLE:
        lines = f", texts of a file with -f {file}" if file.suffix.lower() not in OTHERS[:4] else ""
        raise ActivationFlowError(
            f"{file} holds no whole result; {', '.join(WHOLE)} do{lines}{_or_text(file)}"
        )
    _refuse_options(f"{file} holds what was measured", ())
    log.info("%s is a file: the page of the result in it", file)
    results = files.load(file)
    if isinstance(results, AuditResult):
        results.save(path)
        return "an audit"
    _write(path, html.html_page(results))
    return _count(len(results), results.noun)


def _or_text(path: Path) -> str:
    return f" (as a text: echo {shlex.quote(str(path))} | afn report -f - --save ...)"


def _refuse_options(why: str, taken: Sequence[str]) -> None:
    """Refuse what would have no effect without texts; what the environment says is no option.

    Raises:
        click.UsageError: an option was given that is neither of all pages nor in ``taken``.
    """
    context = click.get_current_context()
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        typed = source is click.core.ParameterSource.COMMANDLINE
        if typed and name not in ("texts", "save", "debug", *taken):
            raise click.UsageError(f"{max(option.opts, key=len)} is for texts; {why}")


def _write(path: Path, page: str) -> None:
    from activation_flow import output

    with output.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _of_run(folder: Path, path: Path, layers: str | None) -> str:
    from activation_flow import manifest
    from activation_flow.run import Run

    if not _is((folder / manifest.NAME).is_file):
        raise ActivationFlowError(
            f"{folder} is no run: it has no {manifest.NAME}{_or_text(folder)}"
        )
    _refuse_options(f"{folder} holds a run, of which only --layer can be chosen", ("layers",))
    log.info("%s is a folder: the page of the corpus run in it", folder)
    Run(folder).summary(layers).save(path)
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
