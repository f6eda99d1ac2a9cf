"""Where a type of token, or a word, occurs in a run: the numbers of all, the first texts whole.

Computes nothing: what is asked of the run is in occurrences.py, the picture in report_occurrences.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from activation_flow.data import Mask, Names, Provenance
from activation_flow.document_parts import floats, tokens
from activation_flow.output import save_told
from activation_flow.results import StrengthResult
from activation_flow.table_columns import HEAD, RANK, STRENGTH, TOKEN, Columns, first_of, schema

if TYPE_CHECKING:
    import pandas
    import pyarrow

How = Literal["token", "word"]

TABLE: Columns = {
    "text_id": ("int64", "number of the file times 10^12, and the line (of Parquet: row) from 1"),
    "id": ("string", "the input's own id; null: it has none"),
    "file": ("few", "file of the input"),
    "line": ("int64", "line on which the text begins, of Parquet its row, from 1"),
    "token_index": ("int32", "place of the token in its text, from 0"),
    **{name: TOKEN[name] for name in ("token", "start", "end", "word", "kind")},
    "strength": STRENGTH,
    "rank": RANK,
    "percentile": ("float", "place among the ranked tokens of its text, 0 (weakest) to 100"),
    "high": ("bool", "S > tau (paper eq. 4); null: takes no part"),
    "matched": ("bool", "it is what was looked for, or a piece of it"),
    "threshold": ("double", "tau; in the first row of a text only, as the text"),
    "text": ("string", "the text itself, where the run kept it"),
}
# What a token of a document has beside its strengths; the vocabulary number no run keeps.
_UNKNOWN = ("id",)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Sentence:
    """A text in which something was found, token by token.

    Attributes:
        text_id: its number in the run.
        id: the input's own; None where it has none.
        file: of the input.
        line: on which it begins there.
        text: the text itself; None where the run did not keep it.
        strength: its tokens at one layer. Vocabulary numbers are -1, as a run keeps none, and
            ``strength.text`` is empty where ``text`` is None.
        percentile: [tokens] place among the ranked ones, 0 (weakest) to 100; NaN: not ranked.
        matched: [tokens] True where it is what was looked for, or a piece of it.
    """

    text_id: int
    id: str | None
    file: str | None
    line: int | None
    text: str | None
    strength: StrengthResult
    percentile: Names
    matched: Mask


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Occurrences:
    """Where a type of token, or a word, occurs in a run.

    Attributes:
        provenance: model, engine, settings and versions of the run.
        path: the folder of the run.
        shards: how many of the run are done, and of how many.
        layer: at which strengths are.
        asked: what was looked for, as it was typed.
        searched: the forms that were looked for, in this order; the last is the one found, if any.
        matched: how it was found: "token", "word" (the pieces of a word, put together),
            "lower-cased token", "lower-cased word"; None: it does not occur.
        ways: the ways that were tried: as a token, as a word, or first the one, then the other.
        top: at most so many texts are in ``texts``.
        n_tokens: number of tokens that match, in all of the run; of a word, its pieces.
        n_places: number of times that it occurs.
        n_texts: number of texts in which it does.
        percentile: mean place of these tokens in their texts, 0 (weakest) to 100; None: none is
            ranked.
        high_share: the part that is HIGH of those that take part; None: none does.
        texts: the first ones, those in which it stands highest first.
    """

    provenance: Provenance
    path: Path
    shards: tuple[int, int]
    layer: int
    asked: str
    searched: tuple[str, ...]
    matched: str | None
    ways: tuple[How, ...]
    top: int
    n_tokens: int
    n_places: int
    n_texts: int
    percentile: float | None
    high_share: float | None
    texts: tuple[Sentence, ...]

    @property
    def finished(self) -> bool:
        """All of the run is in it."""
        return self.shards[0] == self.shards[1]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {**self._head(), "texts": [_document(text) for text in self.texts]}

    def _head(self) -> dict[str, Any]:
        names = ("asked", "matched", "top", "n_tokens", "n_places", "n_texts")
        return {
            **self.provenance.head("occurrences/1", (self.layer,)),
            **{name: getattr(self, name) for name in names},
            **{"searched": [*self.searched], "ways": [*self.ways]},
            **{"percentile": self.percentile, "high_share": self.high_share},
            "shards": {"done": self.shards[0], "all": self.shards[1]},
        }

    def to_arrow(self) -> "pyarrow.Table":
        """A row for each token of ``texts``, the columns of ``TABLE``; all else is its metadata."""
        import pyarrow as pa

        names = schema(TABLE)
        rows = [row for text in self.texts for row in _rows(text)]
        about = {**self._head(), "rows": len(rows)}
        return pa.Table.from_pylist(rows, schema=names).replace_schema_metadata(
            {HEAD: json.dumps(about)}
        )

    def to_pandas(self) -> "pandas.DataFrame":
        """The table of ``to_arrow`` as a DataFrame; it needs pandas."""
        return self.to_arrow().to_pandas()

    def save(self, path: str | Path) -> None:
        """Write the document to .json, the tokens of ``texts`` to .csv or .parquet, or a page.

        Raises:
            ActivationFlowError: the ending is none of .json .csv .parquet .html, the folder is
                missing, or the file cannot be written.
        """
        save_told(self, path, self._html_page)

    def _html_page(self) -> str:
        from activation_flow import html_occurrences

        return html_occurrences.html_page(self)

    def __repr__(self) -> str:
        from activation_flow import report_occurrences

        return report_occurrences.plain(self)

    def _repr_html_(self) -> str:
        from activation_flow import html_occurrences

        return html_occurrences.html_fragment(self)

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        """What notebooks show; nothing of it loads from a network."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


def _values(text: Sentence) -> dict[str, list[Any]]:
    """What is measured of each token; None where there is nothing."""
    r = text.strength
    return {
        "strength": _known(r.strength[0]),
        "rank": [rank or None for rank in r.rank[0].tolist()],
        "percentile": _known(text.percentile),
        "high": [{"HIGH": True, "LOW": False}.get(bucket) for bucket in r.bucket[0].tolist()],
        "matched": text.matched.tolist(),
    }


def _known(values: Names) -> list[float | None]:
    # As JSON has no NaN, and as a strength that is none says nothing.
    return [None if value != value else value for value in floats(values)]


def _place(text: Sentence) -> dict[str, Any]:
    return {name: getattr(text, name) for name in ("text_id", "id", "file", "line")}


def _document(text: Sentence) -> dict[str, Any]:
    found = tokens(text.strength, **_values(text))
    for token in found:
        for name in _UNKNOWN:
            del token[name]
    (tau,) = _known(text.strength.threshold)
    return {**_place(text), "text": text.text, "threshold": tau, "tokens": found}


def _rows(text: Sentence) -> list[dict[str, Any]]:
    n = len(text.strength)
    (tau,) = _known(text.strength.threshold)
    rows = tokens(text.strength, **_values(text))
    once = zip(first_of(n, tau), first_of(n, text.text), strict=True)
    return [
        {**row, **_place(text), "token_index": i, "threshold": threshold, "text": whole}
        for i, (row, (threshold, whole)) in enumerate(zip(rows, once, strict=True))
    ]
