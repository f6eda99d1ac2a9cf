"""From a run to the commands that make it, and its page, again: ``afn corpus``, ``afn report``."""

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from activation_flow.data import resolve_layers
from activation_flow.manifest import files_of
from activation_flow.part import WORK
from activation_flow.result_run import OfRun
from activation_flow.retrace import TEMPLATE, model_note, of_layers, of_model, of_settings

# More files than this are not for a command line.
_FILES = 5


def command(summary: OfRun) -> str:
    """The command that goes on with such a run, or makes it again, and the one of its page.

    Only options that differ from what they are by default stand in it, and the longest input,
    whose default is the model's own. Paths are those of the machine where it was made.
    """
    head, manifest = summary.provenance, summary.manifest
    settings = head.settings
    inputs, notes = _inputs(manifest)
    layers = of_layers(tuple(manifest["layers"]), head, resolve_layers(None, head.n_layers))
    words = ["afn", "corpus", *inputs, "--out", str(summary.path), *layers]
    if manifest["vectors"]:
        words += ["--vectors", ",".join(map(str, manifest["vectors"]))]
    words += [*_reading(settings), *_compared(settings), *of_model(head)]
    verb = "prompts" if settings.get("prompts") else "shift" if summary.compares else "corpus"
    words += _without_gold(of_settings(head, verb), manifest)
    page = ["afn", "report", str(summary.path), "--save", "report.html"]
    lines = [" ".join(map(shlex.quote, line)) for line in (words, page)]
    return "\n".join([*lines, *(f"# {note}" for note in [*notes, *model_note(head)])])


def _inputs(manifest: dict[str, Any]) -> tuple[list[str], list[str]]:
    """INPUT, and what else is needed."""
    files = files_of(manifest)
    paths = [file.path for file in files]
    if len(files) == 1 and Path(paths[0]).parent.name == WORK:
        return ["-", "--format", files[0].format], ["- is standard input: the same must come again"]
    formats = {
        file.format
        for file in files
        if not file.path.removesuffix(f".{file.compression}").endswith(f".{file.format}")
    }
    named = [word for name in sorted(formats) for word in ("--format", name)]
    if len(files) <= _FILES:
        return [*paths, *named], []
    note = f"INPUT is the {len(files):,} files from {paths[0]} to {paths[-1]}"
    return ["INPUT", *named], [note]


def _reading(settings: Mapping[str, Any]) -> Iterator[str]:
    """How rows were read, and what was kept of them."""
    pairs = settings.get("pair_column")
    if pairs is not None:
        yield from ("--pairs", f"{settings['text_column']},{pairs}")
    elif settings.get("text_column", "text") != "text":
        yield from ("--text-column", settings["text_column"])
    if settings.get("id_column") is not None:
        yield from ("--id-column", settings["id_column"])
    if settings.get("keep_text"):
        yield "--keep-text"
    if settings.get("shard_size") is not None:
        yield from ("--shard-size", str(settings["shard_size"]))


def _compared(settings: Mapping[str, Any]) -> Iterator[str]:
    """The prompts that were put before every text."""
    prompts = settings.get("prompts", ())
    # With "=", as a prompt may begin like an option.
    yield from (f"--prompt={prompt}" for prompt in prompts if prompt is not None)
    if None in prompts:
        yield "--baseline"
    if prompts and settings["template"] != TEMPLATE:
        yield f"--template={settings['template']}"


def _without_gold(words: Iterator[str], manifest: dict[str, Any]) -> list[str]:
    """Of input that is all .conllu, gold tags are the kinds by default, and the list is not."""
    found = [*words]
    every = all(file.format == "conllu" for file in files_of(manifest))
    if every and "--kinds" not in found:
        return [*found, "--kinds", "list"]
    if every and found[found.index("--kinds") + 1] == "gold":
        at = found.index("--kinds")
        del found[at : at + 2]
    return found
