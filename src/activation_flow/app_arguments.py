"""The arguments of a call of the API: each known, none missing, none twice; said in words.

Gradio would answer what does not fit with "Internal Server Error". Values are checked by the call.
"""

import inspect
import json
import re
from collections.abc import Callable
from typing import Any

from activation_flow.app_calls import Calls
from activation_flow.data import ActivationFlowError

_PATH = re.compile("/gradio_api/call/(v2/)?([a-z0-9_]+)/?")
_CALLS: tuple[Callable[..., Any], ...] = (Calls.strength, Calls.shift, Calls.prompts)
# Name -> whether it must be given.
NAMES: dict[str, dict[str, bool]] = {
    call.__name__: {
        name: one.default is one.empty
        for name, one in inspect.signature(call).parameters.items()
        if name != "self"
    }
    for call in _CALLS
}


def check(method: str, path: str, body: bytes) -> None:
    """Refuse a request that calls nothing, or with arguments that do not fit; others pass.

    Raises:
        ActivationFlowError: it says what is taken.
    """
    found = _PATH.fullmatch(path)
    if method != "POST" or found is None:
        return
    by_name, name = bool(found[1]), found[2]
    if name not in NAMES:
        raise ActivationFlowError(f"there is no call {name!r}; there are: {', '.join(NAMES)}")
    asked = _read(body)
    if by_name:
        _check_names(name, asked)
    else:
        _check_list(name, asked.get("data"))


def _read(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body, object_pairs_hook=_once)
    except (ValueError, RecursionError) as problem:
        if isinstance(problem, ActivationFlowError):
            raise
        raise ActivationFlowError(f"the body of the request is not JSON: {problem}") from problem
    if not isinstance(asked, dict):
        raise ActivationFlowError("the body of the request is not an object: {...}")
    return asked


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if doubled := [*dict.fromkeys(name for name in names if names.count(name) > 1)]:
        raise ActivationFlowError(f"given twice: {_listed(doubled)}")
    return dict(pairs)


def _check_names(call: str, asked: dict[str, Any]) -> None:
    known = NAMES[call]
    if unknown := [name for name in asked if name not in known]:
        raise ActivationFlowError(f"{call} takes no {_listed(unknown)}; {_takes(call)}")
    if missing := [name for name, needed in known.items() if needed and name not in asked]:
        raise ActivationFlowError(f"{call} needs {_listed(missing)}; {_takes(call)}")


def _check_list(call: str, values: object) -> None:
    if not isinstance(values, list):
        raise ActivationFlowError(f'give "data": a list of the arguments; {_takes(call)}')
    if len(values) != len(NAMES[call]):
        raise ActivationFlowError(
            f'"data" holds {len(values)} of {len(NAMES[call])} arguments; {_takes(call)}'
        )


def _takes(call: str) -> str:
    words = (name if needed else f"{name} (optional)" for name, needed in NAMES[call].items())
    return f"it takes {', '.join(words)}"


def _listed(names: list[str]) -> str:
    """Names that someone gave: a few of them, not all of a long one."""
    shown = ", ".join(repr(name[:40]) for name in names[:5])
    return f"{shown} ..." if len(names) > 5 else shown
