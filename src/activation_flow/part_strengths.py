"""The tables of a run of strengths: texts measured -> columns, by the formulas of strength.

No file. pyarrow is imported only where it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from activation_flow import strength as formulas
from activation_flow.analysis import takes_part
from activation_flow.data import Hidden, Names, Strength, TokenizedText
from activation_flow.part_tables import (
    LAYER,
    PLACE,
    TEXT_ID,
    Layout,
    Row,
    by_row,
    known,
    places,
    repeated,
    without_nan,
    words,
)
from activation_flow.table_columns import STRENGTH, Columns, schema

if TYPE_CHECKING:
    import pyarrow

TOKENS: Columns = {
    "text_id": TEXT_ID,
    "token_index": ("int32", "place of the token in its text, from 0"),
    "token": ("few", "piece of the tokenizer, or word"),
    "start": ("int32", "first character in the text; null: special token, or unknown"),
    "end": ("int32", "one past the last character"),
    "word": ("int32", "number of the word in its text; null: none"),
    "kind": ("few", "special, punctuation, function, content; null: unknown"),
    "tag": ("few", "the corpus's own tag (UPOS); null: none"),
    "layer": LAYER,
    "strength": STRENGTH,
    "rank": ("int32", "1 = strongest of its text; null: not ranked"),
    "percentile": ("float", "place among the ranked tokens of its text, 0 (weakest) to 100"),
    "high": ("bool", "S > tau (paper eq. 4); null: takes no part"),
}
TEXTS: Columns = {
    "text_id": TEXT_ID,
    **PLACE,
    "n_tokens": ("int32", "number of tokens, special ones included"),
    "n_windows": ("int32", "number of overlapping windows in which it was read"),
    "n_dropped": ("int64", "number of its tokens that were cut off"),
    "layer": LAYER,
    "threshold": ("double", "tau, unit of strength (paper eq. 3)"),
    "mean": ("double", "mean strength of the tokens that take part"),
    "sd": ("double", "their standard deviation, n - 1 in the denominator; null: of one token"),
    "skew": ("double", "their skew, g1 = m3 / m2^1.5; null: all the same"),
    "text": ("string", "the text itself"),
}
VECTORS: Columns = {name: TOKENS[name] for name in ("text_id", "token_index", "layer")}


@dataclass(frozen=True, kw_only=True)
class StrengthLayout(Layout):
    """What the tables of a run of strengths hold; of one τ for the corpus, no τ and no ``high``.

    Attributes:
        vectors: layers of which vectors are kept, too.
        width: numbers in a vector.
        tags: the input has tags of its own.
    """

    vectors: tuple[int, ...] = ()
    width: int = 0
    tags: bool = False

    unique: ClassVar = frozenset(
        {"strength", "vector", "threshold", "mean", "sd", "skew", "id", "text"}
    )
    group_rows: ClassVar = {"tokens": 2**15, "texts": 2**12, "vectors": 1}

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, in the order in which their parts are renamed."""
        return (*(("vectors",) if self.vectors else ()), "tokens", "texts")

    @property
    def head(self) -> dict[str, Any]:
        """What the manifest says of it, beside the layers; its tables go without saying."""
        return {"vectors": [*self.vectors]}

    def with_input(self, *, ids: bool, tags: bool) -> Self:
        """The same, for an input that has ids, or tags, of its own."""
        return replace(self, ids=ids, tags=tags)

    def schemas(self) -> "dict[str, pyarrow.Schema]":
        """Of every table that is written."""
        import pyarrow as pa

        corpus = self.buckets.threshold_scope == "corpus"
        without = {"tag": self.tags, "high": not corpus}
        tokens = {name: kind for name, kind in TOKENS.items() if without.get(name, True)}
        without = {"id": self.ids, "threshold": not corpus, "text": self.keep_text}
        texts = {name: kind for name, kind in TEXTS.items() if without.get(name, True)}
        found = {"tokens": schema(tokens), "texts": schema(texts)}
        if self.vectors:
            vector = pa.list_(pa.float32(), self.width)
            about = {"about": "h, the hidden state: width numbers"}
            found["vectors"] = schema(VECTORS).append(pa.field("vector", vector, metadata=about))
        return found

    def columns(self, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
        """The columns of every table; each row has found ``Strengths``."""
        found: list[Strengths] = [row.found for row in rows]
        number = np.repeat(np.arange(len(rows)), [len(one.text) for one in found])
        part = np.concatenate([takes_part(one.text, self.buckets) for one in found])
        s = np.concatenate([one.strength for one in found], axis=1)
        tokens, texts = _tokens(rows, self), _texts(rows, self)
        rank = formulas.rank(s, part, number)
        tokens["strength"] = by_row(s)
        tokens["rank"] = known(rank, rank == 0)
        tokens["percentile"] = without_nan(formulas.percentile(s, rank, number))
        moments = formulas.moments(s, part, number)
        for name, values in zip(("mean", "sd", "skew"), moments, strict=True):
            texts[name] = without_nan(values)
        if self.buckets.threshold_scope == "text":
            how = self.buckets.quantile, self.buckets.quantile_method
            tau = formulas.thresholds(s, part, number, *how)
            high = formulas.bucket(s, tau[:, number], part) == "HIGH"
            tokens["high"] = known(high, np.broadcast_to(~part, high.shape))
            texts["threshold"] = by_row(tau)
        made = {"tokens": tokens, "texts": texts}
        return {**made, "vectors": _vectors(rows, self)} if self.vectors else made


@dataclass(frozen=True)
class Strengths:
    """What the model made of a text.

    Attributes:
        text: its tokens.
        strength: S of each, [layers tokens].
        tag: tags of the input's own, "" for none.
        hidden: vectors, where they are kept.
    """

    text: TokenizedText
    strength: Strength
    tag: Names | None = None
    hidden: Hidden | None = None


def _tokens(rows: Sequence[Row], layout: StrengthLayout) -> dict[str, Any]:
    """What a token is, whatever its strength."""
    depth = len(layout.layers)
    texts: list[TokenizedText] = [row.found.text for row in rows]
    columns: dict[str, Any] = {
        **_places_of(rows, layout.layers),
        "token": words(np.concatenate([text.tokens for text in texts]), depth, null=None),
        "kind": words(np.concatenate([text.kind for text in texts]), depth),
    }
    for name in ("start", "end", "word"):
        values = np.concatenate([getattr(text, name) for text in texts])
        columns[name] = known(*(np.tile(each, (depth, 1)) for each in (values, values < 0)))
    if layout.tags:
        none = [np.full(len(text), "", dtype=object) for text in texts]
        tags = [row.found.tag for row in rows]
        own = [each if tag is None else tag for tag, each in zip(tags, none, strict=True)]
        columns["tag"] = words(np.concatenate(own), depth)
    return columns


def _places_of(rows: Sequence[Row], layers: Sequence[int]) -> dict[str, Any]:
    """Which token of which text, at which layer, a row is about."""
    sizes = [len(row.found.text) for row in rows]
    depth = len(layers)
    return {
        "text_id": np.repeat([row.text_id for row in rows], np.multiply(sizes, depth)),
        "token_index": np.repeat(np.concatenate([np.arange(n) for n in sizes]), depth),
        "layer": np.tile(layers, sum(sizes)),
    }


def _texts(rows: Sequence[Row], layout: StrengthLayout) -> dict[str, Any]:
    """What a text is as a whole, but for the statistics of its strengths."""
    times = [len(layout.layers)] * len(rows)
    texts = [row.found.text for row in rows]
    plain = {
        "n_tokens": [len(text) for text in texts],
        "n_windows": [text.n_windows for text in texts],
        "n_dropped": [text.n_dropped for text in texts],
        "text": [text.text for text in texts] if layout.keep_text else [None] * len(texts),
    }
    columns = {name: repeated(each, times) for name, each in plain.items()}
    return {**places(rows, times), "layer": np.tile(layout.layers, len(rows)), **columns}


def _vectors(rows: Sequence[Row], layout: StrengthLayout) -> dict[str, Any]:
    import pyarrow as pa

    states = [row.found.hidden for row in rows]
    numbers = np.concatenate([hidden.swapaxes(0, 1).reshape(-1) for hidden in states])
    vectors = pa.FixedSizeListArray.from_arrays(numbers, layout.width)
    return {**_places_of(rows, layout.vectors), "vector": vectors}
