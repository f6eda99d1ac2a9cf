"""Results <-> JSON documents (DESIGN section 7): one head, then texts or comparisons, then errors.

No formula, no file and no picture. What is absent is null: -1, "" and 0 of the arrays, NaN too.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from activation_flow.data import ActivationFlowError, Failure, Provenance
from activation_flow.document_parts import (
    Json,
    column,
    concentration_fields,
    floats,
    from_concentration,
    from_strength,
    from_text,
    per_layer,
    strength_text,
    text_head,
    tokens,
)
from activation_flow.document_prompts import from_prompts, prompts_text
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.result_prompts import PromptsResult, PromptsResults
from activation_flow.result_shift import ShiftResult, ShiftResults
from activation_flow.results import Exports, LayersResult, Results, StrengthResults

KINDS_OF_RESULT: dict[str, type[Results[Any]]] = {
    kind.schema: kind
    for kind in (StrengthResults, LayersResult, ShiftResults, PromptsResults, HiddenResults)
}
# What else we write, by its schema: it is read by people and other programs, not by ``load``.
_OTHERS = {
    "summary/1": "this is the summary of a run: open the run itself with afn report DIR (af.Run)",
    "shift-summary/1": "this is the summary of a run that compares: open the run itself with "
    "afn report DIR (af.Run)",
    "reproduce/1": "this is a reproduction of the paper: afn reproduce --out DIR (af.reproduce) "
    "makes it again, as a page and tables",
    "audit/1": "this is the table of an audit's scores: the .json of the audit holds all of it",
    "corpus/1": "this is a part of a run: open the folder of the run with afn report DIR (af.Run)",
}


def to_dict(result: Exports) -> Json:
    """The JSON document of one result or of many.

    Arrays inside are parallel to ``layers``. One comparison stands at the top level, the
    comparisons of a list stand in ``comparisons``; so do one text under several prompts, and the
    ``texts`` of a list.
    """
    results = result._as_list()
    document = head(results)
    if isinstance(result, ShiftResult):
        document |= {**_comparison(result), "pair_number": 1}
    elif isinstance(results, ShiftResults):
        document["comparisons"] = _numbered(results, _comparison)
    elif isinstance(result, PromptsResult):
        document |= {**prompts_text(result), "text_number": 1}
    elif isinstance(results, PromptsResults):
        document["texts"] = _numbered(results, prompts_text)
    elif isinstance(results, HiddenResults):
        document["texts"] = _numbered(results, hidden_text)
    else:
        document["texts"] = _numbered(results, strength_text)
    if isinstance(results, LayersResult):
        document["kinds"] = [{**asdict(k), "kind": k.kind or None} for k in results.kinds]
    return document | {"errors": errors_of(results)}


def head(results: Results[Any]) -> Json:
    """What stands at the beginning of every document, and in the metadata of every table."""
    more = {}
    if isinstance(results, ShiftResults):
        more = {"layer": results.layers[0], "align": results.provenance.settings["align"]}
    if isinstance(results, PromptsResults):
        names = ("prompts", "template", "align")
        more = {name: results.provenance.settings[name] for name in names}
    return results.provenance.head(results.schema, results.layers, **more)


def errors_of(results: Results[Any]) -> list[Json]:
    """The texts (or pairs) without a result."""
    number = f"{results.noun}_number"
    return [{number: error.text_number, "reason": error.reason} for error in results.errors]


def _numbered(results: Results[Any], describe: Callable[[Any], Json]) -> list[Json]:
    number = f"{results.noun}_number"
    return [{number: n, **describe(r)} for n, r in zip(results.numbers, results, strict=True)]


def hidden_text(result: HiddenStates) -> Json:
    """A text with the hidden states of its tokens, [layers][width] each."""
    states = [[floats(h) for h in layers] for layers in result.hidden.swapaxes(0, 1)]
    strength = [floats(row) for row in result.strength.T]
    return {**text_head(result), "tokens": tokens(result, strength=strength, hidden=states)}


def _comparison(result: ShiftResult) -> Json:
    return {
        "a": strength_text(result.a),
        "b": strength_text(result.b),
        "pairs": [pair._asdict() for pair in result.pairs],
        "total_shift": result.total,
        "unpaired_high": result.unpaired_high,
        **concentration_fields(result.concentration),
    }


def from_dict(document: Json) -> Results[Any]:
    """What ``to_dict`` made, back again, value for value; one result as a list of one.

    Raises:
        ActivationFlowError: it is no document of a known schema.
    """
    schema = schema_of(document)
    kind = KINDS_OF_RESULT[schema]
    provenance = Provenance(**{name: document[name] for name in Provenance.__dataclass_fields__})
    layers = tuple(document["layers"])
    number = f"{kind.noun}_number"
    if kind is ShiftResults:
        items = document.get("comparisons", [document])
        results: Any = [_from_comparison(item, provenance, layers) for item in items]
    elif kind is PromptsResults:
        items = document.get("texts", [document])
        results = [from_prompts(item, document, provenance, layers) for item in items]
    else:
        items = document["texts"]
        read = _from_hidden if kind is HiddenResults else from_strength
        results = [read(item, provenance, layers) for item in items]
    errors = tuple(Failure(e[number], e["reason"]) for e in document["errors"])
    return kind(tuple(results), provenance, layers, errors, tuple(i[number] for i in items))


def schema_of(head: object) -> str:
    """The schema of a document, or of its head.

    Raises:
        ActivationFlowError: it is not that of a result; it says what it is, where that is known.
    """
    schema = head.get("schema") if isinstance(head, dict) else None
    if isinstance(schema, str) and schema in KINDS_OF_RESULT:
        return schema
    if isinstance(schema, str) and schema in _OTHERS:
        raise ActivationFlowError(_OTHERS[schema])
    raise ActivationFlowError(
        f"this is no result of activation-flow (schema {schema!r}, not one of "
        f"{', '.join(KINDS_OF_RESULT)})"
    )


def damage(problem: Exception) -> str:
    """Why a file could not be read back, for people: no words of Python or of a library."""
    cause = ""
    if isinstance(problem, ActivationFlowError):
        cause = str(problem)
    elif isinstance(problem, UnicodeDecodeError):
        cause = "it is not UTF-8"
    elif isinstance(problem, json.JSONDecodeError):
        cause = f"it is not JSON from line {problem.lineno}, column {problem.colno} on"
    elif isinstance(problem, KeyError) and str(problem.args[0]).isidentifier():
        cause = f"{problem.args[0]!r} is missing"
    return "it is damaged or of another version" + (f" ({cause})" if cause else "")


def _from_hidden(text: Json, provenance: Provenance, layers: tuple[int, ...]) -> HiddenStates:
    return HiddenStates(
        **from_text(text),
        layers=layers,
        hidden=per_layer(text, layers, "hidden", np.float32, np.nan),
        strength=per_layer(text, layers, "strength", np.float32, np.nan),
        provenance=provenance,
    )


def _from_comparison(item: Json, provenance: Provenance, layers: tuple[int, ...]) -> ShiftResult:
    rows = item["pairs"]
    return ShiftResult(
        a=from_strength(item["a"], provenance, layers),
        b=from_strength(item["b"], provenance, layers),
        a_index=column(rows, "a_index", np.int64, -1),
        b_index=column(rows, "b_index", np.int64, -1),
        change=column(rows, "change", "<U8", ""),
        shift=column(rows, "shift", np.float64, np.nan),
        cosine_distance=column(rows, "cosine_distance", np.float64, np.nan),
        high=column(rows, "high", bool, False),
        concentration=from_concentration(item),
        provenance=provenance,
    )
