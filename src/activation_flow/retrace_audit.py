"""From an audit to the command that makes it again: ``afn audit ...``."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from activation_flow import audit_defaults
from activation_flow.data import resolve_layers
from activation_flow.result_audit import AuditResult
from activation_flow.retrace import TEMPLATE, of_layers, of_model

STDIN = "- is standard input: the same must come again"
# Settings that are options of the same name, and what they are unless they are given.
DEFAULTS: dict[str, object] = {
    "kinds": None,
    "pairs": None,
    "sample": audit_defaults.SAMPLE,
    "texts": audit_defaults.TEXTS,
    "frequency": audit_defaults.FREQUENCY,
    "draws": audit_defaults.DRAWS,
    "seed": 0,
    "text_column": "text",
    "format": None,
    "max_length": None,
    "rationales": None,
    "labels": None,
    "salient": None,
    "paraphrases": None,
    "template": TEMPLATE,
    "explained": audit_defaults.EXPLAINED,
    "perturbed": audit_defaults.PERTURBED,
    "only": None,
}


def command(found: AuditResult) -> str:
    """The command; "" of a live model or of texts that were given in Python.

    Only options that differ from what they are by default stand in it. Paths are those of the
    machine where it was made.
    """
    head = found.provenance
    if not found.input or head.model.endswith(" (live)"):
        return ""
    words = ["afn", "audit", *of_model(head)]
    words += of_layers((found.layer,), head, resolve_layers(None, head.n_layers))
    words += _of_settings(head.settings)
    # subtle: behind "--" nothing is an option, whatever it begins with.
    words += ["--"] if found.input.startswith("-") and found.input != "-" else []
    line = shlex.join([*words, found.input])
    read = (found.input, *(head.settings.get(name) for name in audit_defaults.FILES))
    return f"{line}\n# {STDIN}" if "-" in read else line


def _of_settings(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, usual in DEFAULTS.items():
        value = settings.get(name, usual)
        if value != usual and value is not None:
            yield from (f"--{name.replace('_', '-')}", str(value))
    # subtle: with "=" a prompt that begins with "-" is no option.
    prompts = (prompt for prompt in settings.get("prompts") or () if prompt is not None)
    yield from (f"--prompt={prompt}" for prompt in prompts)
    controls = settings.get("controls")
    if controls is not None:
        yield "--controls" if controls else "--no-controls"
