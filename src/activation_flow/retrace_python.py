"""From a result to the Python that makes it again: ``encoder.strength(...)`` and the like.

What options are by default, and how layers and models are named, is known in retrace.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from activation_flow import retrace
from activation_flow.data import Provenance
from activation_flow.result_hidden import HiddenResults
from activation_flow.result_prompts import PromptsResults
from activation_flow.result_run import OfRun
from activation_flow.result_shift import ShiftResults
from activation_flow.result_summary import Summary
from activation_flow.results import Exports, LayersResult, Results, StrengthResults

WIDTH = 88  # of a line, as most formatters break them
_INDENT = "    "
_METHODS = {
    StrengthResults: "strength",
    LayersResult: "layers",
    ShiftResults: "shift",
    PromptsResults: "prompts",
    HiddenResults: "hidden_states",
}
_SAVE = 'result.save("report.html")'
_OF_TEXTS = (
    'the page of "afn report TEXT..." shows every layer, too, and only that command makes it:',
    f"{_SAVE} writes a page of this result alone",
)
# Of what was taken out of a comparison nothing says out of which, nor where it stood there.
_OF_PROMPTS = "this is .between(a, b, layer) or .variants[k] of what encoder.prompts() gives"
_OF_SHIFT = "this is .a or .b of what encoder.shift() gives"

Texts = str | Sequence[str]


def python(results: Exports, report: bool = False, *, longest: int | None = None) -> str:
    """The lines that make such a result, ready to be run; comments say what else is needed.

    Only options that differ from what they are by default stand in it. One text gives one result,
    as one text that is typed does; several, a list. Texts that are many or long are in a file of
    JSON, which a comment describes: unlike a file of lines, it holds any text.

    Args:
        results: what was made; one, or of many texts.
        report: a last line that writes the page of it, where one line does.
        longest: the longest input of the model (``encoder.max_length``), where it is known; then
            it is left out where it was not changed. A result does not say whose it was.
    """
    many = results._as_list()
    settings = many.provenance.settings
    if settings.get("prompts") and not isinstance(many, PromptsResults):
        return f"# {_OF_PROMPTS}"
    if "bucket_by" in settings and isinstance(many, StrengthResults):
        return f"# {_OF_SHIFT}"
    texts, prompts = _texts(many), _prompts(many)
    notes = [*_live_note(many.provenance)]
    files = {} if _few(many, texts) else {name: f"{name}.json" for name in texts}
    if files:
        held = f"{' and '.join(files.values())} {'holds' if len(files) == 1 else 'hold'}"
        written = " and ".join(f"json.dumps({name})" for name in files)
        notes.append(f"{held} {retrace.count(len(many), many.noun)}, as {written} gives it")
    notes += retrace.failures_note(many)
    names: dict[str, str] = {}
    body = [_encoder(many.provenance)]
    for name, value in (texts | prompts).items():
        if name in files:
            names[name] = name
            body.append(f'{name} = json.loads(Path("{files[name]}").read_text())')
        elif isinstance(value, str):
            names[name] = literal(value)
        else:
            names[name] = name
            body.append("\n".join(_broken(f"{name} = [", map(literal, value), "]")))
    options = [f"{name}={_value(value)}" for name, value in _options(many, longest).items()]
    call = f"result = encoder.{_METHODS[type(many)]}("
    body.append("\n".join(_broken(call, [*names.values(), *options], ")")))
    if report and type(many) is StrengthResults:
        notes += _OF_TEXTS
    elif report:
        body.append(_SAVE)
    return _lines(body, notes, bool(files))


def of_run(summary: OfRun, report: bool = False) -> str:
    """The lines that read the summary of a run; the path is that of the machine it was made on.

    Args:
        summary: what ``Run.summary`` gave.
        report: a last line that writes its page, that of ``afn report DIR``.
    """
    options: dict[str, Any] = {}
    if summary.layers != tuple(summary.manifest["layers"]):
        options["layers"] = _layers(summary.layers, summary.provenance)
    if isinstance(summary, Summary):
        usual = {"min_count": 5, "top": 10, "types": []}
        asked = {name: summary.options.get(name, value) for name, value in usual.items()}
        options |= {name: value for name, value in asked.items() if value != usual[name]}
    given = [f"{name}={_value(value)}" for name, value in options.items()]
    body = [
        f"run = af.Run({literal(str(summary.path))})",
        "\n".join(_broken("result = run.summary(", given, ")")),
        *([_SAVE] if report else []),
    ]
    return _lines(body, [], False)


def literal(text: str) -> str:
    r"""A string as Python reads it; every character that is not seen is an escape.

    >>> print(literal("A day."), literal('"it\'s"\0\ud800'))
    "A day." '"it\'s"\x00\ud800'
    """
    # subtle: of str, as a string type of somebody else (numpy) has a repr of its own.
    written = str.__repr__(text)
    # A combining mark would sit on the quote.
    if text and unicodedata.category(text[0]).startswith("M"):
        written = ascii(str(text))
    # Double quotes where nothing is in their way; there is a quote inside in no other case.
    return f'"{written[1:-1]}"' if written[0] == "'" and '"' not in written else written


def _value(value: Any) -> str:
    """An option's value; the numbers of numpy as Python's."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value.item() if isinstance(value, np.generic) else value)


def _texts(results: Results[Any]) -> dict[str, Texts]:
    """The texts by the names that they have in the lines; one alone is a string."""
    if isinstance(results, ShiftResults):
        found = {"a": [one.a.text for one in results], "b": [one.b.text for one in results]}
    else:
        found = {"texts": [one.text for one in results]}
    if isinstance(results, StrengthResults) and any(one.text_pair is not None for one in results):
        found["pairs"] = [one.text_pair or "" for one in results]
    if len(results) != 1:
        return {**found}
    return {name.rstrip("s"): texts[0] for name, texts in found.items()}


def _prompts(results: Results[Any]) -> dict[str, Texts]:
    if not isinstance(results, PromptsResults):
        return {}
    asked = results.provenance.settings["prompts"]
    return {"prompts": [prompt for prompt in asked if prompt is not None]}


def _few(results: Results[Any], texts: Mapping[str, Texts]) -> bool:
    """Whether the texts can be read among other lines."""
    letters = sum(len("".join(given)) for given in texts.values())
    return len(results) <= retrace.TEXTS and letters <= retrace.LETTERS


def _options(results: Results[Any], longest: int | None) -> dict[str, Any]:
    head, verb = results.provenance, _METHODS[type(results)]
    settings = head.settings
    found: dict[str, Any] = {}
    if isinstance(results, PromptsResults):
        found |= {"baseline": True} if None in settings["prompts"] else {}
        template = settings["template"]
        found |= {"template": template} if template != retrace.TEMPLATE else {}
    if results.layers != retrace.usual_layers(head, verb):
        found["layers"] = _layers(results.layers, head)
    found |= retrace.changed(head, verb)
    # Of prompts and hidden states, tokens are always pieces.
    if settings.get("words") is not None:
        found["words"] = settings["words"]
    if settings.get("max_length") not in (None, longest):
        found["max_length"] = settings["max_length"]
    return found


def _layers(layers: tuple[int, ...], head: Provenance) -> int | str | list[int]:
    if len(layers) == 1:
        return layers[0]
    named = retrace.named_layers(layers, head)
    return [*layers] if "," in named else named


def _encoder(head: Provenance) -> str:
    model = "(model, tokenizer)" if retrace.is_live(head) else literal(head.model)
    options = [f"{name}={literal(value)}" for name, value in retrace.model_options(head).items()]
    call = "encoder = af.Encoder.from_pretrained("
    return "\n".join(_broken(call, [model, *options], ")"))


def _live_note(head: Provenance) -> Iterator[str]:
    if retrace.is_live(head):
        yield "model and tokenizer are those of transformers that were given, live in Python"


def _broken(opening: str, parts: Iterable[str], closing: str) -> Iterator[str]:
    """A call or a list in one line, or with a part in each where that would be too long."""
    parts = [*parts]
    line = f"{opening}{', '.join(parts)}{closing}"
    if len(line) <= WIDTH or not parts:
        yield line
    else:
        yield from (opening, *(f"{_INDENT}{part}," for part in parts), closing)


def _lines(body: Iterable[str], notes: Iterable[str], reads: bool) -> str:
    """All of it; ``reads``: texts come from files."""
    begin = ["import json", "from pathlib import Path", ""] if reads else []
    return "\n".join(
        [*begin, "import activation_flow as af", "", *body, *(f"# {note}" for note in notes)]
    )
