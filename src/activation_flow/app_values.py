"""The values of the fields of a view <-> what was typed and chosen; no Gradio, no result.

A layer is chosen anew with each model, or run. So beside the fields stands what was looked at last.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from activation_flow.app_inputs import VIEWS, Corpus, Inputs, Steer
from activation_flow.data import ActivationFlowError, resolve_layers
from activation_flow.result_prompts import pairs_of
from activation_flow.sentences_prompts import quoted

WORDS = "Words"  # as the field says it
PAIR = "pair"  # the one field that is two inputs, a and b


def subject(fields: Mapping[str, Any]) -> str:
    """What layers are of: a model, or a run; a mark stands before it, so it is never empty."""
    return f"={fields.get('model', fields.get('run')) or ''}"


def inputs_of(view: str, fields: Mapping[str, Any], default: str) -> Inputs:
    """The inputs that the values of a view's fields say; bad ones are refused by whoever answers.

    Args:
        view: its name.
        fields: values by the names of the fields.
        default: the model that the page began with; links leave it out.
    """
    given = {name: "" if value is None else value for name, value in fields.items()}
    given["layer"] = None if fields["layer"] is None else int(fields["layer"])
    if "words" in given:
        given["words"] = given["words"] == WORDS
    if given.get("model") == default:
        given["model"] = ""
    if view == "steer":
        given["prompts"] = tuple(line for line in given["prompts"].split("\n") if line.strip())
        a, b = map(int, (given.pop(PAIR) or "0-1").split("-"))
        n = len(given["prompts"]) + bool(given["baseline"])
        given["a"], given["b"] = (a, b) if max(a, b) < n else (0, 1)
    kind: Any = VIEWS[view]
    return cast(Inputs, kind(**given))


def fields_of(given: Inputs) -> dict[str, Any]:
    """What a link says of the fields; what it leaves out may have been typed in already.

    Raises:
        ActivationFlowError: there is no field that could hold one of them.
    """
    usual = _fields(type(given)())
    if isinstance(given, Steer):
        n = len(given.prompts) + given.baseline
        if not (0 <= given.a < n and 0 <= given.b < n and given.a != given.b):
            raise ActivationFlowError(
                f"a={given.a} and b={given.b} are not two of its {n} prompts, from 0 on"
            )
        if any("\n" in prompt for prompt in given.prompts):
            raise ActivationFlowError("a prompt of it has more than one line; the page takes one")
    return {name: value for name, value in _fields(given).items() if usual[name] != value}


def _fields(given: Inputs) -> dict[str, Any]:
    held: dict[str, Any] = dict(vars(given))
    if isinstance(given, Steer):
        held["prompts"] = "\n".join(given.prompts)
        held[PAIR] = f"{held.pop('a')}-{held.pop('b')}"
    if "words" in held:
        held["words"] = WORDS if held["words"] else "Pieces"
    return held


def linked(given: Inputs, layers: tuple[int, ...]) -> Inputs:
    """The inputs without a layer that is the usual one."""
    if isinstance(given, Corpus) or not layers:
        return given
    usual = resolve_layers(None, max(layers))[0]
    return replace(given, layer=None) if given.layer == usual else given


def pairs(given: Steer) -> list[tuple[str, str]]:
    """Every pair of prompts, by name, and by places; the other way round, if that is chosen."""
    names = [*([quoted(None)] if given.baseline else []), *given.prompts]
    places = [*pairs_of(len(names))]
    if given.a > given.b:
        places[places.index((given.b, given.a))] = (given.a, given.b)
    return [(f"{names[a]} → {names[b]}", f"{a}-{b}") for a, b in places]
