"""How far the shares and places of a summary would move with other texts: SQL, then arithmetic.

Texts are what was sampled, and the tokens of one text are alike; so the variance of a mean over
tokens is found by leaving out each text in turn (the delete-one-group jackknife of a ratio). The
words that recur from text to text are not sampled here: docs/design.md says what that means.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from activation_flow.database import quoted
from activation_flow.stats import mean_interval

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

# Of the tokens of one text. Places are whole numbers of 2^-24, so that any order gives their sum.
_SUMS = """
    count(percentile)::INTEGER AS placed,
    coalesce(sum((percentile * 16777216)::INTEGER), 0)::BIGINT AS places,
    count(rank)::INTEGER AS ranked,
    (count(*) FILTER (high))::INTEGER AS high
"""

# Without text i a ratio y / n becomes smaller by d = (y_i - y / n * n_i) / (n - n_i); its variance
# is (m - 1) / m * sum(d^2), of m texts. No |d| is beyond most / (n - most), where no text has more
# than ``most`` tokens: y_i is at most n_i. The square of that is the span of an exact sum.
_PREPARE = """
CREATE TEMP TABLE whole AS
SELECT section, name, layer, placed, percentile / 100 AS place, ranked,
    high / nullif(ranked, 0) AS share, least(longest, placed - 1) AS most,
    (most / (placed - most)) ** 2 AS place_span,
    (least(longest, ranked - 1) / (ranked - least(longest, ranked - 1))) ** 2 AS share_span
FROM measured CROSS JOIN (SELECT max(n_tokens) AS longest FROM texts);
CREATE TEMP TABLE gathered (
    section VARCHAR, name VARCHAR, layer INTEGER, texts BIGINT,
    placed_texts BIGINT, place_sum HUGEINT, ranked_texts BIGINT, share_sum HUGEINT
)
"""

_BY_TEXT = """
CREATE OR REPLACE TEMP TABLE of_text AS
SELECT {section} AS section, {name} AS name, layer, text_id, {sums} FROM {source} GROUP BY ALL
"""

_TOGETHER = """
CREATE OR REPLACE TEMP TABLE of_text AS
SELECT 'all' AS section, NULL::VARCHAR AS name, layer, text_id, sum(placed)::INTEGER AS placed,
    sum(places)::BIGINT AS places, sum(ranked)::INTEGER AS ranked, sum(high)::INTEGER AS high
FROM of_text GROUP BY ALL
"""

# Types that a summary lists: of these alone, as there are almost as many as rows.
_LISTED = """
(SELECT section, name, tokens.* FROM {tokens} AS tokens JOIN (
    SELECT section, name, layer FROM whole WHERE section IN ('strongest', 'weakest', 'type')
) AS listed ON tokens.token = listed.name AND tokens.layer = listed.layer
WHERE section = 'type' OR kind IS DISTINCT FROM 'special')
"""

_GATHER = """
INSERT INTO gathered
SELECT section, name, layer, count(*), count(*) FILTER (has_place),
    sum((place ** 2 / place_span * 1152921504606846976)::BIGINT), count(*) FILTER (has_rank),
    sum((share ** 2 / share_span * 1152921504606846976)::BIGINT)
FROM (
    SELECT w.section, w.name, w.layer, place_span, share_span,
        t.placed > 0 AS has_place, t.ranked > 0 AS has_rank,
        (t.places / 1677721600 - w.place * t.placed) / nullif(w.placed - t.placed, 0) AS place,
        (t.high - w.share * t.ranked) / nullif(w.ranked - t.ranked, 0) AS share
    FROM of_text AS t JOIN whole AS w ON t.section = w.section AND t.layer = w.layer
        AND t.name IS NOT DISTINCT FROM w.name
) GROUP BY ALL
"""

_SPREAD = """
CREATE TEMP TABLE spread AS
SELECT w.section, w.name, w.layer, sum(g.texts)::BIGINT AS texts,
    sum(g.placed_texts)::BIGINT AS m, sum(g.ranked_texts)::BIGINT AS h,
    sum(place_sum)::DOUBLE * any_value(place_span) / 1152921504606846976
        * (m - 1) / nullif(m, 0) AS place_variance,
    sum(share_sum)::DOUBLE * any_value(share_span) / 1152921504606846976
        * (h - 1) / nullif(h, 0) AS share_variance
FROM gathered AS g JOIN whole AS w ON g.section = w.section AND g.layer = w.layer
    AND g.name IS NOT DISTINCT FROM w.name
GROUP BY w.section, w.name, w.layer
"""

# For a join with ``measured``, and what ``bounded`` needs.
JOIN = """
LEFT JOIN spread AS s
    ON s.section = m.section AND s.layer = m.layer AND s.name IS NOT DISTINCT FROM m.name
"""
COLUMNS = """
    coalesce(s.texts, 0) AS texts, s.m, s.place_variance, s.h, s.share_variance
"""


def measure(connection: "DuckDBPyConnection", pieces: Sequence[str], tagged: bool) -> None:
    """The table ``spread``: for each row of ``measured`` its texts, and its variances over them.

    Args:
        connection: with ``texts`` and, of the same layers, ``measured`` and ``ends``.
        pieces: relations that are ``tokens`` together, no text in two of them; so that the sums
            of few texts are held at once. They give the same bits however it is cut.
        tagged: the tokens have tags of the corpus.
    """
    connection.execute(_PREPARE)
    layers = connection.execute("SELECT string_agg(layer, ', ') FROM ends").fetchall()[0][0]
    for piece in pieces if layers else ():
        chosen = f"(FROM {piece} WHERE layer IN ({layers}))"
        _gather(connection, quoted("kind"), "kind::VARCHAR", chosen)
        connection.execute(_TOGETHER)
        connection.execute(_GATHER)
        special = f"{chosen} WHERE kind = 'special'"
        _gather(connection, quoted("special"), "token::VARCHAR", special)
        if tagged:
            _gather(connection, quoted("tag"), "tag::VARCHAR", chosen)
        _gather(connection, "section", "name", _LISTED.format(tokens=piece))
    connection.execute("DROP TABLE IF EXISTS of_text")
    connection.execute(_SPREAD)


def _gather(connection: "DuckDBPyConnection", section: str, name: str, source: str) -> None:
    """The sums of squares of some tokens of a piece, text by text."""
    query = _BY_TEXT.format(section=section, name=name, source=source, sums=_SUMS)
    connection.execute(query)
    connection.execute(_GATHER)


def bounded(table: "pyarrow.Table") -> "pyarrow.Table":
    """The same rows with their intervals, in place of the variances."""
    import pyarrow as pa

    for name, scale, variance, texts in (
        ("percentile", 100, "place_variance", "m"),
        ("high_share", 1, "share_variance", "h"),
    ):
        columns = (table[column].to_pylist() for column in (name, variance, texts))
        ends = [
            (None, None)
            if mean is None or spread is None
            else tuple(scale * end for end in mean_interval(mean / scale, spread, n))
            for mean, spread, n in zip(*columns, strict=True)
        ]
        for k, end in enumerate(("low", "high")):
            column = pa.array([pair[k] for pair in ends], pa.float64())
            table = table.append_column(f"{name}_{end}", column)
    return table
