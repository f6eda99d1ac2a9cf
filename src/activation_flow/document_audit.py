"""An audit <-> its JSON document (DESIGN section 7). No formula, no file and no picture.

What is absent, is no number or has no end is null: JSON has no form for it.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from typing import Any

from activation_flow.audit_tables import (
    Claim,
    ConfoundRow,
    Control,
    Detail,
    Dimension,
    NormAtLayer,
    RatioRow,
    ScoreRow,
    ThresholdRow,
)
from activation_flow.data import Provenance
from activation_flow.document_parts import Json
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, ProbeRow, StableRow
from activation_flow.result_audit import SCHEMA, AuditResult

# The tables of an audit, in the order of the document, and what a row of each is.
ROWS: dict[str, Any] = {
    "claims": Claim,
    "scores": ScoreRow,
    "controls": Control,
    "norms": NormAtLayer,
    "dimensions": Dimension,
    "thresholds": ThresholdRow,
    "ratios": RatioRow,
    "confounds": ConfoundRow,
    "faithful": FaithfulRow,
    "plausible": PlausibleRow,
    "probes": ProbeRow,
    "stable": StableRow,
}
LATER = ("faithful", "plausible", "probes", "stable")  # older documents have none
# Two numbers, or null.
_PAIRS = (
    *("interval", "top_share", "comprehensiveness_interval", "sufficiency_interval"),
    *("normalised_interval", "difference_interval", "gain_interval"),
    *("tau_interval", "jaccard_interval"),
)


def to_dict(found: AuditResult) -> Json:
    """The JSON document of an audit."""
    head = found.provenance.head(SCHEMA, found.layers, layer=found.layer)
    tables = {name: [vars(row) for row in getattr(found, name)] for name in ROWS}
    rest = {"counts": found.counts, "notes": found.notes, "input": found.input}
    plain: Json = _plain({**head, **tables, **rest})
    return plain


def known(found: AuditResult) -> AuditResult:
    """The same audit with None for every number that is none, and nothing of numpy in it."""
    return from_dict(to_dict(found))


def _plain(value: Any, name: str = "") -> Any:
    """As JSON has it; of a pair of which one number is missing, nothing is left."""
    if is_dataclass(value):
        value = vars(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        listed = [_plain(inner) for inner in value]
        return None if name in _PAIRS and None in listed else listed
    # subtle: most of numpy's own numbers are refused by json, and float32's NaN is no float.
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not isfinite(value) else value


def from_dict(document: Json) -> AuditResult:
    """What ``to_dict`` made, back again.

    Raises:
        LookupError: something is missing.
        TypeError: something else is in its place.
    """
    head = {name: document[name] for name in Provenance.__dataclass_fields__}
    known = {**dict.fromkeys(LATER, ()), **document}
    tables = {name: tuple(_row(kind, row) for row in known[name]) for name, kind in ROWS.items()}
    return AuditResult(
        provenance=Provenance(**head),
        layer=document["layer"],
        layers=tuple(document["layers"]),
        **tables,
        counts=document["counts"],
        notes=tuple(document["notes"]),
        input=document["input"],
    )


def _row(kind: Any, row: Json) -> Any:
    """One row of a table; only the columns that this version knows, and what it need not have."""
    values = {
        one.name: row[one.name]
        for one in fields(kind)
        if one.name in row or one.default is MISSING is one.default_factory
    }
    for name in _PAIRS:
        if values.get(name) is not None:
            low, high = values[name]
            values[name] = (low, high)
    if "details" in values:
        values["details"] = tuple(_row(Detail, one) for one in values["details"])
    return kind(**values)
