"""What documents are made of: a text with its tokens, R_H; to JSON and back, value for value.

What is absent is null: -1, "" and 0 of the arrays, NaN too.
"""

from dataclasses import astuple, fields
from typing import Any

import numpy as np

from activation_flow.data import Provenance, TokenizedText
from activation_flow.results import StrengthResult
from activation_flow.shift import Concentration

Json = dict[str, Any]

# What R_H is made of, by the names that documents and tables use.
CONCENTRATION = ("aligned_shift", "high_shift", *[f.name for f in fields(Concentration)[2:]])


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


def tokens(text: TokenizedText, **per_token: list[Any]) -> list[Json]:
    """The tokens of a text, with further values of each."""
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
        "tokens": tokens(
            result,
            strength=[floats(row) for row in result.strength.T],
            rank=[[r or None for r in row] for row in result.rank.T.tolist()],
            bucket=[[b or None for b in row] for row in result.bucket.T.tolist()],
        ),
    }


def concentration_fields(held: Concentration) -> Json:
    """R_H and what is needed to read it, by the names that documents and tables use."""
    return dict(zip(CONCENTRATION, astuple(held), strict=True))


def from_concentration(item: Json) -> Concentration:
    """What ``concentration_fields`` made, back again."""
    total, high_total, *scalars = CONCENTRATION
    values = {name: item[name] for name in scalars}
    return Concentration(total=item[total], high_total=item[high_total], **values)


def column(rows: list[Json], name: str, dtype: Any, absent: Any) -> np.ndarray:
    """One value of every row, as an array."""
    values = [row.get(name) for row in rows]
    return np.array([absent if v is None else v for v in values], dtype=dtype)


def from_text(text: Json) -> dict[str, Any]:
    """The fields of a TokenizedText."""
    rows, pair = text["tokens"], text.get("text_pair")
    kind = column(rows, "kind", "<U11", "")
    special = kind == "special"
    segment = column(rows, "segment", np.int64, -1)
    return {
        **{name: text[name] for name in ("text", "n_windows", "n_dropped")},
        "text_pair": pair,
        "tokens": column(rows, "token", object, ""),
        **{name: column(rows, name, np.int64, -1) for name in ("start", "end", "word")},
        "ids": column(rows, "id", np.int64, -1),
        "segment": segment if pair is not None else np.where(special, -1, 0),
        "special": special,
        "kind": kind,
    }


def per_layer(text: Json, layers: tuple[int, ...], name: str, dtype: Any, absent: Any) -> Any:
    """One value of every token at every layer, [layers tokens]."""
    rows = text["tokens"]
    table = [[absent if v is None else v for v in row[name]] for row in rows]
    values = np.array(table, dtype=dtype)
    return values.reshape(len(rows), len(layers), *values.shape[2:]).swapaxes(0, 1)


def from_strength(text: Json, provenance: Provenance, layers: tuple[int, ...]) -> StrengthResult:
    """What ``strength_text`` made, back again."""
    return StrengthResult(
        **from_text(text),
        layers=layers,
        strength=per_layer(text, layers, "strength", np.float32, np.nan),
        threshold=np.array(text["threshold"], dtype=np.float64),
        rank=per_layer(text, layers, "rank", np.int64, 0),
        bucket=per_layer(text, layers, "bucket", "<U4", ""),
        provenance=provenance,
    )
