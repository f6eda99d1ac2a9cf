"""Results <-> JSON documents (DESIGN section 7): one head, then texts or comparisons, then errors.

No formula, no file and no picture. What is absent is null: -1, "" and 0 of the arrays, NaN too.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from activation_flow.data import ActivationFlowError, Failure, Provenance, TokenizedText
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.result_shift import ShiftResult, ShiftResults
from activation_flow.results import Exports, LayersResult, Results, StrengthResult, StrengthResults
from activation_flow.shift import Concentration

KINDS_OF_RESULT: dict[str, type[Results[Any]]] = {
    kind.schema: kind for kind in (StrengthResults, LayersResult, ShiftResults, HiddenResults)
}

Json = dict[str, Any]


def to_dict(result: Exports) -> Json:
    """The JSON document of one result or of many.

    Arrays inside are parallel to ``layers``. One comparison stands at the top level, the
    comparisons of a list stand in ``comparisons``.
    """
    results = result._as_list()
    document = head(results)
    if isinstance(result, ShiftResult):
        document |= {**_comparison(result), "pair_number": 1}
    elif isinstance(results, ShiftResults):
        document["comparisons"] = _numbered(results, _comparison)
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
    return results.provenance.head(results.schema, results.layers, **more)


def errors_of(results: Results[Any]) -> list[Json]:
    """The texts (or pairs) without a result."""
    number = f"{results.noun}_number"
    return [{number: error.text_number, "reason": error.reason} for error in results.errors]


def _numbered(results: Results[Any], describe: Callable[[Any], Json]) -> list[Json]:
    number = f"{results.noun}_number"
    return [{number: n, **describe(r)} for n, r in zip(results.numbers, results, strict=True)]


def text_head(text: TokenizedText) -> Json:
    """What a text is, but for its tokens."""
    pair = {} if text.text_pair is None else {"text_pair": text.text_pair}
    about = {"text": text.text, **pair, "n_windows": text.n_windows, "n_dropped": text.n_dropped}
    if isinstance(text, StrengthResult):
        about["threshold"] = floats(text.threshold)
    return about


def token_columns(text: TokenizedText) -> dict[str, list[Any]]:
    """What a token is, whatever the layer; -1 and "" become None."""

    def known(values: np.ndarray) -> list[int | None]:
        return [None if v < 0 else v for v in values.tolist()]

    return {
        "token": [str(t) for t in text.tokens],
        "id": text.ids.tolist(),
        "start": known(text.start),
        "end": known(text.end),
        "word": known(text.word),
        "kind": [k or None for k in text.kind.tolist()],
        "segment": known(text.segment),
    }


def floats(values: np.ndarray) -> list[float]:
    """Shortest decimals that read back as the same float32 (or float64)."""
    return [float(str(value)) for value in values]


def _tokens(text: TokenizedText, **per_token: list[Any]) -> list[Json]:
    columns = token_columns(text)
    if text.text_pair is None:
        del columns["segment"]
    columns |= per_token
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def strength_text(result: StrengthResult) -> Json:
    """A text with the strength, rank and bucket of its tokens."""
    return {
        **text_head(result),
        "tokens": _tokens(
            result,
            strength=[floats(row) for row in result.strength.T],
            rank=[[r or None for r in row] for row in result.rank.T.tolist()],
            bucket=[[b or None for b in row] for row in result.bucket.T.tolist()],
        ),
    }


def hidden_text(result: HiddenStates) -> Json:
    """A text with the hidden states of its tokens, [layers][width] each."""
    states = [[floats(h) for h in layers] for layers in result.hidden.swapaxes(0, 1)]
    strength = [floats(row) for row in result.strength.T]
    return {**text_head(result), "tokens": _tokens(result, strength=strength, hidden=states)}


def _comparison(result: ShiftResult) -> Json:
    return {
        "a": strength_text(result.a),
        "b": strength_text(result.b),
        "pairs": [pair._asdict() for pair in result.pairs],
        "total_shift": result.total,
        "unpaired_high": result.unpaired_high,
        **concentration_fields(result.concentration),
    }


def concentration_fields(held: Concentration) -> Json:
    """R_H and what is needed to read it, by the names that documents and tables use."""
    fields = asdict(held)
    return {"aligned_shift": fields.pop("total"), "high_shift": fields.pop("high_total"), **fields}


def from_dict(document: Json) -> Results[Any]:
    """What ``to_dict`` made, back again, value for value; one result as a list of one.

    Raises:
        ActivationFlowError: it is no document of a known schema.
    """
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema not in KINDS_OF_RESULT:
        known = ", ".join(KINDS_OF_RESULT)
        raise ActivationFlowError(
            f"this is no result of activation-flow (schema {schema!r}, not one of {known})"
        )
    kind = KINDS_OF_RESULT[schema]
    provenance = Provenance(**{name: document[name] for name in Provenance.__dataclass_fields__})
    layers = tuple(document["layers"])
    number = f"{kind.noun}_number"
    if kind is ShiftResults:
        items = document.get("comparisons", [document])
        results: Any = [_from_comparison(item, provenance, layers) for item in items]
    else:
        items = document["texts"]
        read = _from_hidden if kind is HiddenResults else _from_strength
        results = [read(item, provenance, layers) for item in items]
    errors = tuple(Failure(e[number], e["reason"]) for e in document["errors"])
    return kind(tuple(results), provenance, layers, errors, tuple(i[number] for i in items))


def _column(rows: list[Json], name: str, dtype: Any, absent: Any) -> np.ndarray:
    values = [row.get(name) for row in rows]
    return np.array([absent if v is None else v for v in values], dtype=dtype)


def _from_text(text: Json) -> dict[str, Any]:
    """The fields of a TokenizedText."""
    rows, pair = text["tokens"], text.get("text_pair")
    kind = _column(rows, "kind", "<U11", "")
    special = kind == "special"
    segment = _column(rows, "segment", np.int64, -1)
    return {
        **{name: text[name] for name in ("text", "n_windows", "n_dropped")},
        "text_pair": pair,
        "tokens": _column(rows, "token", object, ""),
        **{name: _column(rows, name, np.int64, -1) for name in ("start", "end", "word")},
        "ids": _column(rows, "id", np.int64, -1),
        "segment": segment if pair is not None else np.where(special, -1, 0),
        "special": special,
        "kind": kind,
    }


def _per_layer(text: Json, layers: tuple[int, ...], name: str, dtype: Any, absent: Any) -> Any:
    rows = text["tokens"]
    table = [[absent if v is None else v for v in row[name]] for row in rows]
    values = np.array(table, dtype=dtype)
    return values.reshape(len(rows), len(layers), *values.shape[2:]).swapaxes(0, 1)


def _from_strength(text: Json, provenance: Provenance, layers: tuple[int, ...]) -> StrengthResult:
    return StrengthResult(
        **_from_text(text),
        layers=layers,
        strength=_per_layer(text, layers, "strength", np.float32, np.nan),
        threshold=np.array(text["threshold"], dtype=np.float64),
        rank=_per_layer(text, layers, "rank", np.int64, 0),
        bucket=_per_layer(text, layers, "bucket", "<U4", ""),
        provenance=provenance,
    )


def _from_hidden(text: Json, provenance: Provenance, layers: tuple[int, ...]) -> HiddenStates:
    return HiddenStates(
        **_from_text(text),
        layers=layers,
        hidden=_per_layer(text, layers, "hidden", np.float32, np.nan),
        strength=_per_layer(text, layers, "strength", np.float32, np.nan),
        provenance=provenance,
    )


def _from_comparison(item: Json, provenance: Provenance, layers: tuple[int, ...]) -> ShiftResult:
    rows = item["pairs"]
    scalars = ("n", "k", "high_ratio", "high_share", "enrichment", "p_value", "p_floor")
    return ShiftResult(
        a=_from_strength(item["a"], provenance, layers),
        b=_from_strength(item["b"], provenance, layers),
        a_index=_column(rows, "a_index", np.int64, -1),
        b_index=_column(rows, "b_index", np.int64, -1),
        change=_column(rows, "change", "<U8", ""),
        shift=_column(rows, "shift", np.float64, np.nan),
        cosine_distance=_column(rows, "cosine_distance", np.float64, np.nan),
        high=_column(rows, "high", bool, False),
        concentration=Concentration(
            total=item["aligned_shift"],
            high_total=item["high_shift"],
            **{name: item[name] for name in scalars},
        ),
        provenance=provenance,
    )
