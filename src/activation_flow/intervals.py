"""How far the shares and places of a summary would move with other texts: SQL, then arithmetic.

Texts are what was sampled, and the tokens of one text are alike; so the variance of a mean over
tokens is found by leaving out each text in turn (the delete-one-group jackknife of a ratio). The
words that recur from text to text are not sampled here: docs/design.md says what that means.
"""

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

_PREPARE = """
CREATE TEMP TABLE spread (
    section VARCHAR, name VARCHAR, layer INTEGER, texts BIGINT,
    placed_texts BIGINT, place_variance DOUBLE, ranked_texts BIGINT, high_variance DOUBLE
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
(SELECT section, name, tokens.* FROM tokens JOIN (
    SELECT section, name, layer FROM measured WHERE section IN ('strongest', 'weakest', 'type')
) AS listed ON tokens.token = listed.name AND tokens.layer = listed.layer
WHERE section = 'type' OR kind IS DISTINCT FROM 'special')
"""

# Without text i a ratio y / n becomes smaller by d = (y_i - y / n * n_i) / (n - n_i); its variance
# is (m - 1) / m * sum(d^2), of m texts. No |d| is beyond most / (n - most): y_i is at most n_i.
_SPREAD = """
INSERT INTO spread
WITH whole AS (
    SELECT section, name, layer, count(*) AS texts,
        sum(placed)::DOUBLE AS placed, sum(places)::DOUBLE AS places, max(placed) AS most_placed,
        sum(ranked)::DOUBLE AS ranked, sum(high)::DOUBLE AS high, max(ranked) AS most_ranked
    FROM of_text GROUP BY ALL
), apart AS (
    SELECT whole.section, whole.name, whole.layer, texts, of_text.placed > 0 AS has_place,
        of_text.ranked > 0 AS has_rank,
        (of_text.places - whole.places / whole.placed * of_text.placed) / 1677721600
            / nullif(whole.placed - of_text.placed, 0) AS place,
        (most_placed / nullif(whole.placed - most_placed, 0)) ** 2 AS place_span,
        (of_text.high - whole.high / whole.ranked * of_text.ranked)
            / nullif(whole.ranked - of_text.ranked, 0) AS high,
        (most_ranked / nullif(whole.ranked - most_ranked, 0)) ** 2 AS high_span
    FROM of_text JOIN whole
        ON of_text.section = whole.section AND of_text.layer = whole.layer
        AND of_text.name IS NOT DISTINCT FROM whole.name
)
SELECT section, name, layer, max(texts),
    count(*) FILTER (has_place) AS m, exact_sum(place ** 2, place_span) * (m - 1) / nullif(m, 0),
    count(*) FILTER (has_rank) AS h, exact_sum(high ** 2, high_span) * (h - 1) / nullif(h, 0)
FROM apart GROUP BY section, name, layer
"""

# For a join with ``measured``, and what ``bounded`` needs.
JOIN = """
LEFT JOIN spread AS s
    ON s.section = m.section AND s.layer = m.layer AND s.name IS NOT DISTINCT FROM m.name
"""
COLUMNS = """
    coalesce(s.texts, 0) AS texts, s.placed_texts, s.place_variance, s.ranked_texts, s.high_variance
"""


def measure(connection: "DuckDBPyConnection", tagged: bool) -> None:
    """The table ``spread``: for each row of ``measured`` its texts, and its variances over them.

    Args:
        connection: with ``tokens``, ``measured`` and the macro ``exact_sum``.
        tagged: the tokens have tags of the corpus.
    """
    layers = "layer IN (SELECT layer FROM ends)"
    connection.execute(_PREPARE)

    def add(section: str, name: str, source: str) -> None:
        query = _BY_TEXT.format(section=section, name=name, source=source, sums=_SUMS)
        connection.execute(query)
        connection.execute(_SPREAD)

    add(quoted("kind"), "kind::VARCHAR", f"tokens WHERE {layers}")
    connection.execute(_TOGETHER)
    connection.execute(_SPREAD)
    add(quoted("special"), "token::VARCHAR", f"tokens WHERE kind = 'special' AND {layers}")
    if tagged:
        add(quoted("tag"), "tag::VARCHAR", f"tokens WHERE {layers}")
    add("section", "name", _LISTED)
    connection.execute("DROP TABLE of_text")


def bounded(table: "pyarrow.Table") -> "pyarrow.Table":
    """The same rows with their intervals, in place of the variances."""
    import pyarrow as pa

    for name, scale, variance, texts in (
        ("percentile", 100, "place_variance", "placed_texts"),
        ("high_share", 1, "high_variance", "ranked_texts"),
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
