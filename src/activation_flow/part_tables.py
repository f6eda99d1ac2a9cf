"""The tables of a corpus run: texts measured -> Arrow, by the formulas of strength, many at once.

No file. pyarrow is imported only where it is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import strength as formulas
from activation_flow.analysis import Buckets, takes_part
from activation_flow.data import Hidden, Names, Strength, TokenizedText
from activation_flow.table_columns import STRENGTH, Columns, schema

if TYPE_CHECKING:
    import pyarrow

TABLES = ("vectors", "tokens", "texts")  # in the order in which their files are renamed
# Columns whose values hardly repeat: a dictionary of them would be larger than they are.
UNIQUE = ("strength", "vector", "threshold", "mean", "sd", "skew", "id", "text")

TOKENS: Columns = {
    "text_id": ("int64", "number of the file times 10^12, and the line (of Parquet: row) from 1"),
    "token_index": ("int32", "place of the token in its text, from 0"),
    "token": ("few", "piece of the tokenizer, or word"),
    "start": ("int32", "first character in the text; null: special token, or unknown"),
    "end": ("int32", "one past the last character"),
    "word": ("int32", "number of the word in its text; null: none"),
    "kind": ("few", "special, punctuation, function, content; null: unknown"),
    "tag": ("few", "the corpus's own tag (UPOS); null: none"),
    "layer": ("int32", "0 = embeddings, k = output of block k"),
    "strength": STRENGTH,
    "rank": ("int32", "1 = strongest of its text; null: not ranked"),
    "percentile": ("float", "place among the ranked tokens of its text, 0 (weakest) to 100"),
    "high": ("bool", "S > tau (paper eq. 4); null: takes no part"),
}
TEXTS: Columns = {
    "text_id": TOKENS["text_id"],
    "id": ("string", "the input's own id"),
    "file": ("few", "file of the input"),
    "line": ("int64", "line on which the text begins, of Parquet its row, from 1"),
    "n_tokens": ("int32", "number of tokens, special ones included"),
    "n_windows": ("int32", "number of overlapping windows in which it was read"),
    "n_dropped": ("int64", "number of its tokens that were cut off"),
    "layer": TOKENS["layer"],
    "threshold": ("double", "tau, unit of strength (paper eq. 3)"),
    "mean": ("double", "mean strength of the tokens that take part"),
    "sd": ("double", "their standard deviation, n - 1 in the denominator; null: of one token"),
    "skew": ("double", "their skew, g1 = m3 / m2^1.5; null: all the same"),
    "text": ("string", "the text itself"),
}
VECTORS: Columns = {name: TOKENS[name] for name in ("text_id", "token_index", "layer")}


@dataclass(frozen=True)
class Layout:
    """What the tables of a run hold.

    Attributes:
        layers: those of strength.
        vectors: those of which vectors are kept, too.
        width: numbers in a vector.
        buckets: how HIGH is decided; one τ for the corpus is not known here, so then neither
            it nor ``high`` is written.
        keep_text: write the texts themselves.
        tags: the input has tags of its own.
        ids: the input has ids of its own.
    """

    layers: tuple[int, ...]
    vectors: tuple[int, ...]
    width: int
    buckets: Buckets
    keep_text: bool = False
    tags: bool = False
    ids: bool = False

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that are written, in the order in which their parts are renamed."""
        return TABLES if self.vectors else TABLES[1:]

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


@dataclass(frozen=True)
class Measured:
    """A row of the input, and what the model made of it.

    Attributes:
        text_id: its number in the run.
        id: the input's own.
        file: where it is from.
        line: where it begins there.
        text: its tokens.
        strength: S of each, [layers tokens].
        tag: tags of the input's own, "" for none.
        hidden: vectors, where they are kept.
    """

    text_id: int
    id: str | None
    file: str
    line: int
    text: TokenizedText
    strength: Strength
    tag: Names | None = None
    hidden: Hidden | None = None


def tables(rows: Sequence[Measured], layout: Layout) -> "dict[str, pyarrow.Table]":
    """The rows that some texts, at least one, have in every table of the run."""
    import pyarrow as pa

    number = np.repeat(np.arange(len(rows)), [len(row.text) for row in rows])
    part = np.concatenate([takes_part(row.text, layout.buckets) for row in rows])
    s = np.concatenate([row.strength for row in rows], axis=1)
    tokens, texts = _tokens(rows, layout), _texts(rows, layout)
    rank = formulas.rank(s, part, number)
    tokens["strength"] = _by_row(s)
    tokens["rank"] = _known(rank, rank == 0)
    tokens["percentile"] = _without_nan(formulas.percentile(s, rank, number))
    for name, values in zip(("mean", "sd", "skew"), formulas.moments(s, part, number), strict=True):
        texts[name] = _without_nan(values)
    if layout.buckets.threshold_scope == "text":
        how = layout.buckets.quantile, layout.buckets.quantile_method
        tau = formulas.thresholds(s, part, number, *how)
        high = formulas.bucket(s, tau[:, number], part) == "HIGH"
        tokens["high"] = _known(high, np.broadcast_to(~part, high.shape))
        texts["threshold"] = _by_row(tau)
    made = {"tokens": tokens, "texts": texts}
    if layout.vectors:
        made["vectors"] = _vectors(rows, layout)
    return {
        name: pa.table([made[name][field.name] for field in schema], schema=schema)
        for name, schema in layout.schemas().items()
    }


def _by_row(values: np.ndarray) -> np.ndarray:
    """[layers tokens] (or texts) in the order of the rows: token by token, the layers of each."""
    return values.T.ravel()


def _known(values: np.ndarray, unknown: np.ndarray) -> Any:
    import pyarrow as pa

    return pa.array(_by_row(values), mask=_by_row(unknown))


def _without_nan(values: np.ndarray) -> Any:
    return _known(values, np.isnan(values))


def _words(values: np.ndarray, depth: int, null: str | None = "") -> Any:
    """Strings as a dictionary, each ``depth`` times; one of them stands for null."""
    import pyarrow as pa

    mask = None if null is None else values == null
    found = pa.array(values, pa.string(), mask=mask).dictionary_encode()
    return found if depth == 1 else found.take(np.repeat(np.arange(len(values)), depth))


def _tokens(rows: Sequence[Measured], layout: Layout) -> dict[str, Any]:
    """What a token is, whatever its strength."""
    depth = len(layout.layers)
    sizes = [len(row.text) for row in rows]
    columns: dict[str, Any] = {
        "text_id": np.repeat([row.text_id for row in rows], np.multiply(sizes, depth)),
        "token_index": np.repeat(np.concatenate([np.arange(n) for n in sizes]), depth),
        "token": _words(np.concatenate([row.text.tokens for row in rows]), depth, null=None),
        "kind": _words(np.concatenate([row.text.kind for row in rows]), depth),
        "layer": np.tile(layout.layers, sum(sizes)),
    }
    for name in ("start", "end", "word"):
        values = np.concatenate([getattr(row.text, name) for row in rows])
        columns[name] = _known(*(np.tile(each, (depth, 1)) for each in (values, values < 0)))
    if layout.tags:
        none = [np.full(len(row.text), "", dtype=object) for row in rows]
        tags = [own if row.tag is None else row.tag for row, own in zip(rows, none, strict=True)]
        columns["tag"] = _words(np.concatenate(tags), depth)
    return columns


def _texts(rows: Sequence[Measured], layout: Layout) -> dict[str, Any]:
    """What a text is as a whole, but for the statistics of its strengths."""
    depth = len(layout.layers)
    columns: dict[str, Any] = {
        "file": _words(np.array([row.file for row in rows], dtype=object), depth),
        "layer": np.tile(layout.layers, len(rows)),
    }
    plain: dict[str, list[Any]] = {
        "text_id": [row.text_id for row in rows],
        "id": [row.id for row in rows],
        "line": [row.line for row in rows],
        "n_tokens": [len(row.text) for row in rows],
        "n_windows": [row.text.n_windows for row in rows],
        "n_dropped": [row.text.n_dropped for row in rows],
        "text": [row.text.text for row in rows] if layout.keep_text else [],
    }
    repeated = {name: [v for v in each for _ in range(depth)] for name, each in plain.items()}
    return columns | repeated


def _vectors(rows: Sequence[Measured], layout: Layout) -> dict[str, Any]:
    import pyarrow as pa

    depth = len(layout.vectors)
    sizes = [len(row.text) for row in rows]
    hidden = [row.hidden.swapaxes(0, 1).reshape(-1) for row in rows if row.hidden is not None]
    return {
        "text_id": np.repeat([row.text_id for row in rows], np.multiply(sizes, depth)),
        "token_index": np.repeat(np.concatenate([np.arange(n) for n in sizes]), depth),
        "layer": np.tile(layout.vectors, sum(sizes)),
        "vector": pa.FixedSizeListArray.from_arrays(np.concatenate(hidden), layout.width),
    }
