"""From a result to the command that makes it again: ``afn ...``, of model, settings and texts."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activation_flow.data import Provenance, resolve_layers
from activation_flow.picture import visible
from activation_flow.result_hidden import HiddenResults
from activation_flow.result_prompts import PromptsResults
from activation_flow.result_shift import ShiftResults
from activation_flow.results import LayersResult, Results, StrengthResults

# Settings that are options of the same name, and what they are unless they are given.
DEFAULTS: dict[str, object] = {
    "align": "diff",
    "bucket_by": "a",
    "quantile": 0.75,
    "quantile_method": "midpoint",
    "threshold_scope": "text",
    "include_special": False,
    "kinds": "list",
    "stride": None,
    "truncate": False,
}
OF_COMMAND: dict[str, dict[str, object]] = {"prompts": {"align": "text"}}
TEMPLATE = "{prompt} {text}"
_COMMANDS = {
    StrengthResults: "strength",
    LayersResult: "layers",
    ShiftResults: "shift",
    PromptsResults: "prompts",
    HiddenResults: "hidden",
}
# Options of a comparison only: what was made of one keeps its settings, and may be no comparison.
_COMPARING = ("align", "bucket_by")
_COMPARE = ("shift", "prompts", "corpus")
# Longer or more than this, texts are not for a command line, nor for lines of Python.
TEXTS, LETTERS = 20, 4000


def command(results: Results[Any], report: bool = False, *, longest: int | None = None) -> str:
    """The command that makes such a result, ready for a shell; below it, what else is needed.

    Only options that differ from what they are by default stand in it, and the longest input,
    whose default is the model's own. Texts that are many, long, or have letters that no shell or
    page carries are in a FILE, which a note describes.

    Args:
        results: what was made.
        report: the command that makes a page of texts.
        longest: the longest input of the model (``encoder.max_length``), where it is known; then
            it is left out.
    """
    verb = "report" if report else _COMMANDS[type(results)]
    head, given = results.provenance, _given(results)
    notes = [*model_note(head), *given.notes, *failures_note(results)]
    words = ["afn", verb, *given.options, *of_model(head), *_layers(results, verb)]
    words += [*of_settings(head, verb, longest), *(["--save", "report.html"] if report else [])]
    # subtle: behind "--" nothing is an option, whatever it begins with.
    minus = ["--"] if any(text.startswith("-") for text in given.texts) else []
    line = " ".join(map(shlex.quote, [*words, *minus, *given.texts]))
    return "\n".join([line, *(f"# {note}" for note in notes)])


@dataclass(frozen=True)
class _Given:
    """How texts are given to a command."""

    texts: Sequence[str] = ()
    options: Sequence[str] = ()
    notes: Sequence[str] = ()


def _given(results: Results[Any]) -> _Given:
    if isinstance(results, ShiftResults):
        pairs = [(one.a.text, one.b.text) for one in results]
        if len(pairs) == 1 and _typed(pairs[0]):
            return _Given(pairs[0])
        note = f'FILE.jsonl holds {count(len(pairs), "pair")}: {{"a": "...", "b": "..."}} a line'
        return _Given((), ("-f", "FILE.jsonl"), (note,))
    if isinstance(results, PromptsResults):
        return _of_lines([one.text for one in results], *_prompts(results))
    texts = [one.text for one in results]
    segments = [one.text_pair for one in results if one.text_pair is not None]
    return _of_lines(texts, [f"--text-pair={text}" for text in segments], segments)


def _prompts(results: PromptsResults) -> tuple[list[str], list[str]]:
    """The options of prompts, and the texts in them."""
    settings = results.provenance.settings
    prompts = [prompt for prompt in settings["prompts"] if prompt is not None]
    options = [f"--prompt={prompt}" for prompt in prompts]
    options += ["--baseline"] * (None in settings["prompts"])
    if settings["template"] != TEMPLATE:
        options.append(f"--template={settings['template']}")
    return options, [*prompts, settings["template"]]


def _of_lines(texts: Sequence[str], options: Sequence[str], more: Sequence[str]) -> _Given:
    """Texts on the command line or in a file of lines; ``more`` are those within options."""
    if _typed([*texts, *more]):
        return _Given(texts, options)
    if all(_a_line(text) for text in texts) and _typed(more):
        note = f"FILE.txt holds {count(len(texts), 'text')}, one a line"
        return _Given((), (*options, "-f", "FILE.txt"), (note,))
    note = "not all of these texts can be typed, or be a line of FILE.txt: give them in Python"
    return _Given((), ("-f", "FILE.txt"), (note,))


def _typed(texts: Sequence[str]) -> bool:
    """Whether they can be read on a page, copied, and given to a shell."""
    few = len(texts) <= TEXTS and sum(map(len, texts)) <= LETTERS
    return few and all(visible(line) == line for text in texts for line in text.split("\n"))


def _a_line(text: str) -> bool:
    """Whether a file of lines can hold it."""
    return bool(text.strip()) and "\n" not in text and text[-1] != "\r" and text[0] != "\ufeff"


def count(n: int, noun: str) -> str:
    """So many of them, all that there are."""
    return f"the {noun}" if n == 1 else f"the {n:,} {noun}s"


def failures_note(results: Results[Any]) -> Iterator[str]:
    """What the command or the lines do not make."""
    if failed := len(results.errors):
        one = f"one {results.noun} without a result is"
        many = f"{failed:,} {results.noun}s without a result are"
        yield f"{one if failed == 1 else many} not in it"


def is_live(head: Provenance) -> bool:
    """Whether the model was given as an object, which has no name that finds it."""
    return head.model.endswith(" (live)")


def of_model(head: Provenance) -> Iterator[str]:
    """The options that name a model."""
    yield from ("-m", "FOLDER" if is_live(head) else head.model)
    for name, value in model_options(head).items():
        yield from (f"--{name}", value)


def model_options(head: Provenance) -> dict[str, str]:
    """What is said of a model besides its name, where it is not the usual."""
    revision = head.revision or ""
    # A commit of the hub; other models have the hash of their weights.
    commit = len(revision) == 40 and not set(revision) - set("0123456789abcdef")
    found = {"revision": revision} if commit else {}
    if head.precision != "f32":
        found["precision"] = head.precision
    if head.engine != "openvino":
        found["engine"] = head.engine
    return found


def model_note(head: Provenance) -> Iterator[str]:
    """What is needed besides."""
    if is_live(head):
        yield "FOLDER holds the model, which was live in Python: model.save_pretrained(FOLDER)"


def _layers(results: Results[Any], verb: str) -> Iterator[str]:
    return of_layers(results.layers, results.provenance, usual_layers(results.provenance, verb))


def usual_layers(head: Provenance, verb: str) -> tuple[int, ...]:
    """Those that are taken where none is asked for."""
    return resolve_layers("all" if verb == "layers" else None, head.n_layers)


def of_layers(layers: tuple[int, ...], head: Provenance, usual: tuple[int, ...]) -> Iterator[str]:
    """The option that names layers, where these are not the usual ones."""
    if layers != usual:
        yield from ("-l", named_layers(layers, head))


def named_layers(layers: tuple[int, ...], head: Provenance) -> str:
    """Layers in the words of ``data.resolve_layers``: "4", "2,4", "2-4", "all"."""
    first, last = layers[0], layers[-1]
    run = len(layers) > 2 and layers == tuple(range(first, last + 1))
    everything = run and len(layers) == head.n_layers + 1
    return "all" if everything else f"{first}-{last}" if run else ",".join(map(str, layers))


def changed(head: Provenance, verb: str) -> Iterator[tuple[str, Any]]:
    """The settings of ``DEFAULTS`` that are not what they are by default."""
    for name, usual in (DEFAULTS | OF_COMMAND.get(verb, {})).items():
        value = head.settings.get(name, usual)
        if value != usual and (verb in _COMPARE or name not in _COMPARING):
            yield name, value


def of_settings(head: Provenance, verb: str, longest: int | None = None) -> Iterator[str]:
    """The options that differ from what they are by default."""
    settings = head.settings
    for name, value in changed(head, verb):
        option = f"--{name.replace('_', '-')}"
        yield from (option,) if value is True else (option, str(value))
    if words := settings.get("words"):
        yield from ("--words",) if words == "max" else ("--words-by", str(words))
    if settings.get("max_length") not in (None, longest):
        yield from ("--max-length", str(settings["max_length"]))
