"""Where a type of token, or a word, occurs in a run: SQL, and the first texts put together.

Relations: ``tokens`` and ``texts`` as a run has them. A word is found by its pieces without the
marks of tokenizers ("##", "Ġ", "▁", "</w>") and, where the run kept the texts, by the text itself.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow.data import ActivationFlowError, Provenance
from activation_flow.database import EXACT_SUM, ask, quoted
from activation_flow.result_occurrences import How, Sentence
from activation_flow.results import StrengthResult
from activation_flow.tokens import unreadable

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

WAYS: tuple[How, ...] = ("token", "word")

_BARE = """
CREATE TEMP MACRO bare(token) AS CASE
    WHEN starts_with(token, '##') AND length(token) > 2 THEN substr(token, 3)
    WHEN token[1] IN ('Ġ', '▁') THEN regexp_replace(substr(token, 2), '</w>$', '')
    ELSE regexp_replace(token, '</w>$', '') END
"""

# No capital in any type; marks such as [UNK], <unk> and <0xE2> are no text.
_UNCASED = """
SELECT count(*) = 0 FROM (
    SELECT DISTINCT token::VARCHAR AS token FROM tokens
    WHERE layer = {layer} AND kind IS DISTINCT FROM 'special'
) WHERE NOT regexp_full_match(token, '\\[.*\\]|<.*>') AND bare(token) <> lower(bare(token))
"""

_OCCURS = "SELECT 1 FROM tokens WHERE layer = {layer} AND token = {form} LIMIT 1"

_TOKEN = """
CREATE TEMP VIEW found AS SELECT * FROM tokens WHERE layer = {layer} AND token = {form}
"""

# Of a word the first piece begins it. Only of such words all pieces are put together.
_WORDS = """
CREATE OR REPLACE TEMP TABLE words AS
SELECT text_id, word FROM tokens SEMI JOIN (
    SELECT DISTINCT text_id, word FROM tokens
    WHERE layer = {layer} AND word IS NOT NULL AND bare(token) <> ''
        AND starts_with({form}, bare(token))
) USING (text_id, word)
WHERE layer = {layer}
GROUP BY text_id, word HAVING string_agg(bare(token), '' ORDER BY token_index) = {form}
"""

# Places of the form in a text are the lengths of what stands between, added up: substr() would
# count a long text's characters anew for each of its words. Some tokens begin with the space
# before them.
_IN_TEXT = """
INSERT INTO words
WITH written AS (
    SELECT text_id, {folded}(text) AS text, {form} AS form FROM texts
    WHERE layer = {layer} AND contains({folded}(text), {form})
), parts AS (
    SELECT text_id, length(form) AS size, unnest(string_split(text, form)) AS part,
        generate_subscripts(string_split(text, form), 1) AS number
    FROM written
), places AS (
    SELECT text_id, size, sum(length(part) + size) OVER (
        PARTITION BY text_id ORDER BY number ROWS UNBOUNDED PRECEDING
    ) AS last FROM parts
), spans AS (
    SELECT text_id, word, min("start") AS first, max("end") AS last
    FROM tokens SEMI JOIN written USING (text_id)
    WHERE layer = {layer} AND word IS NOT NULL GROUP BY text_id, word
)
SELECT DISTINCT spans.text_id, spans.word FROM spans JOIN places USING (text_id, last)
ANTI JOIN words ON words.text_id = spans.text_id AND words.word = spans.word
WHERE spans.last - spans.first IN (size, size + 1)
"""

_PIECES = """
CREATE TEMP VIEW found AS
SELECT tokens.* FROM tokens SEMI JOIN words USING (text_id, word) WHERE layer = {layer}
"""

# As in summary.py: the same sums, digit by digit.
_NUMBERS = """
SELECT count(*) AS n_tokens, count(DISTINCT text_id) AS n_texts,
    exact_sum(percentile::DOUBLE, 100::DOUBLE) / nullif(count(percentile), 0) AS percentile,
    count(*) FILTER (high) / nullif(count(rank), 0) AS high_share
FROM found
"""

_FIRST = """
SELECT text_id FROM found GROUP BY text_id
ORDER BY max(percentile) DESC NULLS LAST, text_id LIMIT {top}
"""

_TEXTS = """
SELECT text_id, {id} AS id, file::VARCHAR AS file, line, n_windows, n_dropped, threshold,
    {text} AS text
FROM texts WHERE layer = {layer} AND text_id IN ({ids})
"""

_TOKENS = """
SELECT tokens.text_id, tokens.token_index, token::VARCHAR AS token, "start", "end", word,
    kind::VARCHAR AS kind, strength, rank, percentile, high, own.token_index IS NOT NULL AS matched
FROM tokens LEFT JOIN (SELECT text_id, token_index FROM found WHERE text_id IN ({ids})) AS own
    ON own.text_id = tokens.text_id AND own.token_index = tokens.token_index
WHERE layer = {layer} AND tokens.text_id IN ({ids})
ORDER BY tokens.text_id, tokens.token_index
"""


def find(
    connection: "DuckDBPyConnection",
    asked: str,
    layer: int,
    *,
    ways: Sequence[How] = WAYS,
    top: int = 20,
    head: Provenance,
) -> dict[str, Any]:
    """The fields of ``Occurrences`` that a run says.

    The form as it was typed is looked for first, as a token, then as a word; where neither occurs
    and the run knows no capitals, the lower-cased form in the same way.

    Args:
        connection: with the relations ``tokens`` and ``texts``.
        asked: a type of token, as the tokenizer writes it, or a word.
        layer: at which.
        ways: those that are tried.
        top: so many texts at most.
        head: of the run.

    Raises:
        ActivationFlowError: ``top`` is less than 1, a way is unknown, or what is asked is no text.
    """
    check(asked, ways, top)
    search = _Search(connection, layer)
    searched: list[str] = []
    for lowered, form in search.forms(asked):
        searched.append(form)
        for way in ways:
            if search.look(form, way):
                matched = f"lower-cased {way}" if lowered else way
                texts = tuple(_sentences(connection, layer, top, search.columns, head))
                found = {"searched": tuple(searched), "matched": matched, "texts": texts}
                return {**found, **_numbers(connection, way)}
    none = {"n_tokens": 0, "n_places": 0, "n_texts": 0, "percentile": None, "high_share": None}
    return {"searched": tuple(searched), "matched": None, "texts": (), **none}


def check(asked: object, ways: Sequence[str], top: int) -> None:
    """Refuse what cannot be looked for.

    Raises:
        ActivationFlowError: ``top`` is less than 1, a way is unknown, or what is asked is no text.
    """
    if top < 1:
        raise ActivationFlowError(f"top is {top}: give a whole number from 1")
    if not ways or not {*ways} <= {*WAYS}:
        raise ActivationFlowError(f"ways is {ways!r}: give token, word, or both")
    if reason := unreadable(asked):
        raise ActivationFlowError(f"what is looked for is no type and no word: {reason}")


class _Search:
    """A run at one layer, in which forms are looked for."""

    def __init__(self, connection: "DuckDBPyConnection", layer: int):
        self.columns = {row[0] for row in connection.execute("DESCRIBE texts").fetchall()}
        self._connection = connection
        self._layer = layer
        connection.execute(EXACT_SUM)
        connection.execute(_BARE)

    @cached_property
    def _uncased(self) -> bool:
        ((found,),) = self._connection.execute(_UNCASED.format(layer=self._layer)).fetchall()
        return bool(found)

    def forms(self, asked: str) -> Iterator[tuple[bool, str]]:
        """What is looked for, one after the other, and whether it is lower-cased."""
        yield False, asked
        if asked.lower() != asked and self._uncased:
            yield True, asked.lower()

    def look(self, form: str, way: How) -> bool:
        """Whether it occurs so; if it does, there is a view of its tokens, ``found``."""
        connection = self._connection
        named = {"layer": self._layer, "form": quoted(form)}
        if way == "token":
            found = connection.execute(_OCCURS.format(**named)).fetchall()
            if found:
                connection.execute(_TOKEN.format(**named))
            return len(found) > 0
        if not form:  # it would be everywhere
            return False
        connection.execute(_WORDS.format(**named))
        if "text" in self.columns:
            # Of such a run "connoisseur" is "Connoisseur", too, as it is where no text was kept.
            folded = "lower" if self._uncased else ""
            connection.execute(_IN_TEXT.format(**named, folded=folded))
        found = connection.execute("SELECT 1 FROM words LIMIT 1").fetchall()
        if found:
            connection.execute(_PIECES.format(layer=self._layer))
        return len(found) > 0


def _numbers(connection: "DuckDBPyConnection", way: How) -> dict[str, Any]:
    (numbers,) = ask(connection, _NUMBERS).read_all().to_pylist()
    places = numbers["n_tokens"]
    if way == "word":
        ((places,),) = connection.execute("SELECT count(*) FROM words").fetchall()
    return {**numbers, "n_places": places}


def _sentences(
    connection: "DuckDBPyConnection", layer: int, top: int, columns: set[str], head: Provenance
) -> Iterator[Sentence]:
    """The first texts, in their order."""
    order = [row[0] for row in connection.execute(_FIRST.format(top=top)).fetchall()]
    named = {"layer": layer, "ids": ", ".join(map(str, order))}
    optional = {name: name if name in columns else "NULL::VARCHAR" for name in ("id", "text")}
    texts = ask(connection, _TEXTS.format(**named, **optional)).read_all().to_pylist()
    about = {text["text_id"]: text for text in texts}
    rows = ask(connection, _TOKENS.format(**named)).read_all()
    number = rows["text_id"].to_numpy()
    for text_id in order:
        first, last = np.searchsorted(number, [text_id, text_id + 1])
        yield _sentence(rows.slice(first, last - first), about[text_id], layer, head)


def _sentence(
    rows: "pyarrow.Table", about: dict[str, Any], layer: int, head: Provenance
) -> Sentence:
    """A text, of the rows of its tokens in their order."""
    columns = rows.to_pydict()

    def numbers(name: str, null: float, kind: Any = np.int64) -> np.ndarray:
        return np.array([null if v is None else v for v in columns[name]], dtype=kind)

    kind = np.array([kind or "" for kind in columns["kind"]], dtype="<U11")
    special = kind == "special"
    bucket = [{True: "HIGH", False: "LOW", None: ""}[high] for high in columns["high"]]
    strength = StrengthResult(
        text=about["text"] or "",
        tokens=np.array(columns["token"], dtype=object),
        ids=np.full(len(rows), -1),
        start=numbers("start", -1),
        end=numbers("end", -1),
        segment=np.where(special, -1, 0),
        special=special,
        word=numbers("word", -1),
        kind=kind,
        n_windows=about["n_windows"],
        n_dropped=about["n_dropped"],
        layers=(layer,),
        strength=numbers("strength", np.nan, np.float32)[None],
        threshold=np.array([np.nan if about["threshold"] is None else about["threshold"]]),
        rank=numbers("rank", 0)[None],
        bucket=np.array(bucket, dtype="<U4")[None],
        provenance=head,
    )
    return Sentence(
        **{name: about[name] for name in ("text_id", "id", "file", "line", "text")},
        strength=strength,
        percentile=numbers("percentile", np.nan, np.float32),
        matched=np.array(columns["matched"], dtype=bool),
    )
