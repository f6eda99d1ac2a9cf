"""What is typed and chosen <-> what stands behind ``#`` in a link to a person's own view.

Knows no server. Names of parameters are those of the fields of app_inputs; prompts are ``p``, once
each. What is as it is by default is left out, so links stay short and readable.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from activation_flow.app_inputs import VIEWS, Inputs, view_of
from activation_flow.data import ActivationFlowError

VIEW, PROMPT = "view", "p"
FIRST = next(iter(VIEWS))  # the view of a link that names none
NONE = "none"  # the value of ``prompts`` where there is no prompt at all
NOT_OURS = "__"  # before the names of parameters of the page's machinery, such as __theme
_QUOTED = 40  # letters of a value in a message


def link(inputs: Inputs) -> str:
    """What says all of it, from the "#" on.

    Browsers send nothing of it with an address, so no log of a server or proxy holds texts.

    Raises:
        ActivationFlowError: a text holds half of a surrogate pair, which no link can hold.

    >>> from activation_flow.app_inputs import Compare
    >>> link(Compare(a="a day", b="50 % more", layer=3))
    '#view=compare&a=a+day&b=50+%25+more&layer=3'
    """
    written = "&".join(f"{name}={_quoted(name, value)}" for name, value in _pairs(inputs))
    # subtle: where addresses in a text are made links, a full stop at the end is the sentence's.
    return f"#{written[:-1]}%2E" if written.endswith(".") else f"#{written}"


def _pairs(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Names and values, unquoted."""
    yield VIEW, view_of(inputs)
    for field in fields(inputs):
        value = getattr(inputs, field.name)
        if value == field.default:
            continue
        if isinstance(value, tuple):
            yield from ((PROMPT, prompt) for prompt in value)
            if not value:
                yield field.name, NONE
        elif isinstance(value, bool):
            yield field.name, str(int(value))
        else:
            yield field.name, value if isinstance(value, str) else repr(value)


def _quoted(name: str, value: str) -> str:
    try:
        return quote_plus(value)
    except UnicodeEncodeError as problem:
        raise ActivationFlowError(
            f"{name}: character {problem.start + 1} is half of a surrogate pair, which no link "
            "can hold"
        ) from problem


def from_link(query: "Mapping[str, str | Sequence[str]] | str") -> Inputs:
    """What a link says; what it does not say is as it is by default.

    Parameters that begin with ``__`` are the page's own, and no inputs.

    Args:
        query: with or without its "#", or the "?" of a query; or its parameters, already decoded.

    Raises:
        ActivationFlowError: an unknown view or parameter, a parameter given twice, or a value that
            is not of its kind.

    >>> from_link("?view=explore&text=a+day&words=1")
    Explore(text='a day', model='', layer=None, quantile=0.75, words=True)
    """
    given: dict[str, list[str]] = {}
    for name, value in _decoded(query):
        if not name.startswith(NOT_OURS):
            given.setdefault(name, []).append(value)
    view = _once(VIEW, given.pop(VIEW, [FIRST]))
    if view not in VIEWS:
        raise ActivationFlowError(f"view={_short(view)} is not one of {', '.join(VIEWS)}")
    usual = {field.name: field.default for field in fields(VIEWS[view])}
    found: dict[str, Any] = {}
    for name, values in given.items():
        if name == PROMPT and "prompts" in usual:
            found["prompts"] = tuple(values)
        elif name in usual:
            found.setdefault(name, _read(name, _once(name, values), usual[name]))
        else:
            taken = ", ".join(PROMPT if name == "prompts" else name for name in usual)
            raise ActivationFlowError(
                f"a link has no parameter {_short(name)} in the view {view}; it takes {taken}"
            )
    return VIEWS[view](**found)


def _decoded(query: "Mapping[str, str | Sequence[str]] | str") -> Iterator[tuple[str, str]]:
    if isinstance(query, str):
        try:
            yield from parse_qsl(query.lstrip("#?"), keep_blank_values=True, errors="strict")
        except UnicodeDecodeError as problem:
            raise ActivationFlowError(f"this link is not UTF-8: {problem.reason}") from problem
        return
    for name, values in query.items():
        for value in [values] if isinstance(values, str) else values:
            yield name, value


def _once(name: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise ActivationFlowError(f"{name} is given {len(values)} times in this link; give it once")
    return values[0]


def _read(name: str, value: str, usual: Any) -> Any:
    """A value of the kind of the one that is usual.

    Raises:
        ActivationFlowError: it is none; the message says what is taken.
    """
    if isinstance(usual, tuple):
        if value != NONE:
            raise _not_taken(name, value, f"{NONE}; each prompt is {PROMPT}=...")
        return ()
    if isinstance(usual, str):
        return value
    if isinstance(usual, bool):
        if value not in ("0", "1"):
            raise _not_taken(name, value, "1 (yes) or 0 (no)")
        return value == "1"
    if isinstance(usual, float):
        if not re.fullmatch(r"[-+.\de]{1,40}", value, re.ASCII) or not _finite(value):
            raise _not_taken(name, value, "a number, such as 0.75")
        return float(value)
    if not re.fullmatch(r"-?\d{1,9}", value, re.ASCII):
        raise _not_taken(name, value, "a whole number, such as 8")
    return int(value)


def _finite(value: str) -> bool:
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _not_taken(name: str, value: str, taken: str) -> ActivationFlowError:
    return ActivationFlowError(f"{name}={_short(value)} is not understood: it takes {taken}")


def _short(value: str) -> str:
    return repr(value if len(value) <= _QUOTED else f"{value[:_QUOTED]}…")
