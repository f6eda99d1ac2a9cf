"""THE owner of statistics per kind of token: SQL over a run, or over a result in memory.

Relations: ``tokens`` and ``texts`` as a run has them. A token takes part where it has a rank.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import intervals
from activation_flow import strength as formulas
from activation_flow.data import KINDS, ActivationFlowError
from activation_flow.database import EXACT_SUM, ask, connect, quoted
from activation_flow.result_summary import BINS, SECTIONS
from activation_flow.results import KindAtLayer, StrengthResults

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

_KINDS = ", ".join(map(quoted, KINDS))

_PREPARE = """
CREATE TEMP TABLE ends AS
SELECT layer, low, high, CASE WHEN high > low THEN high - low ELSE 1 END AS span
FROM (
    SELECT layer, min(strength)::DOUBLE AS low, max(strength)::DOUBLE AS high
    FROM tokens WHERE layer IN ({layers}) GROUP BY layer
);
CREATE TEMP VIEW chosen AS
SELECT tokens.*, low, span, strength - low AS d FROM tokens JOIN ends USING (layer)
"""

# Of any set of tokens of one layer. Their deviation is 0 where it is beyond the digits of d.
_MEASURES = """
    count(*) AS tokens,
    exact_sum(d, span) / count(*) AS above,
    exact_sum(d * d, span * span) AS squares,
    squares - count(*) * above * above AS spread,
    max(low) + above AS mean,
    CASE WHEN count(*) > 1 THEN
        CASE WHEN spread > 1e-13 * squares THEN sqrt(spread / (count(*) - 1)) ELSE 0 END
    END AS sd,
    count(percentile) AS placed,
    exact_sum(percentile::DOUBLE, 100::DOUBLE) / nullif(count(percentile), 0) AS percentile,
    count(rank) AS ranked,
    count(*) FILTER (high) AS high
"""
_VALUES = "tokens, mean, sd, percentile, placed, ranked, high"

# {tags} is a grouping set more where the corpus has tags of its own.
_GROUPS = """
CREATE TEMP TABLE measured AS
SELECT section, name, layer, 0::BIGINT AS place, {values}
FROM (
    SELECT
        CASE WHEN grouping(kind) = 0 THEN 'kind' {tagged} ELSE 'all' END AS section,
        CASE WHEN grouping(kind) = 0 THEN kind::VARCHAR {tag} END AS name,
        layer, {measures}
    FROM chosen GROUP BY GROUPING SETS ((layer), (layer, kind) {tags})
)
"""

_TYPES = """
CREATE TEMP TABLE types AS
SELECT token::VARCHAR AS name, layer, coalesce(kind = 'special', false) AS special, {measures}
FROM chosen GROUP BY ALL
"""

_SPECIALS = (
    "INSERT INTO measured SELECT 'special', name, layer, 0, {values} FROM types WHERE special"
)

_EXTREMES = """
INSERT INTO measured
SELECT {section}, name, layer, row_number() OVER order_of_layer AS place, {values}
FROM types WHERE NOT special AND tokens >= {least}
WINDOW order_of_layer AS (PARTITION BY layer ORDER BY mean {direction}, name)
QUALIFY place <= {top}
"""

# Also those that do not occur.
_ASKED = """
INSERT INTO measured
SELECT 'type', asked.name, asked.layer, asked.place, coalesce(tokens, 0), mean, sd, percentile,
    coalesce(placed, 0), coalesce(ranked, 0), coalesce(high, 0)
FROM (
    SELECT name, place, layer
    FROM (SELECT unnest([{names}]) AS name, generate_subscripts([{names}], 1) AS place),
         (SELECT unnest([{layers}]) AS layer)
) AS asked
LEFT JOIN (
    SELECT token::VARCHAR AS name, layer, {measures} FROM chosen
    WHERE token IN ({names}) GROUP BY ALL
) AS found USING (name, layer)
"""

# The edges are numpy's, bit for bit, and a strength is where these edges say, as in its histogram.
_HISTOGRAM = """
WITH edges AS (
    SELECT layer, CASE WHEN high > low THEN low ELSE low - 0.5 END AS first,
        CASE WHEN high > low THEN high ELSE high + 0.5 END AS last, (last - first) / {bins} AS step
    FROM ends
), near AS (
    SELECT layer, kind::VARCHAR AS kind, strength::DOUBLE AS s, first, step,
        least(floor((s - first) / step), {bins} - 1) AS bin
    FROM tokens JOIN edges USING (layer)
), counted AS (
    SELECT layer, kind, count(*) AS count, CASE
        WHEN s < first + bin * step THEN bin - 1
        WHEN s >= first + (bin + 1) * step AND bin < {bins} - 1 THEN bin + 1
        ELSE bin END AS bin
    FROM near GROUP BY ALL
)
SELECT e.layer, e.kind, first + r.bin * step AS low,
    CASE WHEN r.bin = {bins} - 1 THEN last ELSE first + (r.bin + 1) * step END AS high,
    coalesce(c.count, 0) AS count
FROM (SELECT DISTINCT layer, kind FROM counted) AS e JOIN edges USING (layer)
CROSS JOIN range({bins}) AS r(bin)
LEFT JOIN counted AS c
    ON c.layer = e.layer AND c.bin = r.bin AND c.kind IS NOT DISTINCT FROM e.kind
ORDER BY list_position([{layers}], e.layer), list_position([{kinds}], e.kind) NULLS LAST, r.bin
"""

# P(HIGH | these), P(these | HIGH), P(these), and the lift that both give.
_TABLE = """
SELECT
    m.section, m.name, m.layer, m.tokens, m.mean, m.sd, m.percentile,
    m.high / nullif(m.ranked, 0) AS high_share,
    m.high / nullif(every.high, 0) AS share_of_high,
    m.ranked / nullif(every.ranked, 0) AS base_rate,
    share_of_high / nullif(base_rate, 0) AS lift, {columns}
FROM measured AS m JOIN measured AS every ON m.layer = every.layer AND every.section = 'all' {join}
ORDER BY
    list_position([{layers}], m.layer), list_position([{sections}], m.section), m.place,
    CASE WHEN m.section = 'kind' THEN list_position([{kinds}], m.name) END NULLS LAST,
    m.name NULLS LAST
"""


def statistics(
    connection: "DuckDBPyConnection",
    layers: Sequence[int],
    *,
    pieces: Sequence[str] = ("tokens",),
    min_count: int = 5,
    top: int = 10,
    types: Sequence[str] = (),
) -> "pyarrow.Table":
    """Statistics of all tokens, of each kind, special token and tag, and of types of token.

    Args:
        connection: with the relations ``tokens`` and ``texts``.
        layers: those wanted, in their order.
        pieces: relations that are ``tokens`` together, no text in two of them.
        min_count: occurrences that a type must have to be among the strongest or weakest.
        top: so many of the strongest and of the weakest types.
        types: these besides, whatever their number.

    Returns:
        One row for each section, name and layer; see ``result_summary.Summary.table``.

    Raises:
        ActivationFlowError: ``min_count`` or ``top`` is less than 1.
    """
    for name, value in (("min_count", min_count), ("top", top)):
        if value < 1:
            raise ActivationFlowError(f"{name} is {value}: give a whole number from 1")
    listed = ", ".join(map(str, layers))
    tagged = _measure(connection, listed)
    connection.execute(_TYPES.format(measures=_MEASURES))
    connection.execute(_SPECIALS.format(values=_VALUES))
    for section, direction in (("strongest", "DESC"), ("weakest", "ASC")):
        connection.execute(
            _EXTREMES.format(
                section=quoted(section),
                direction=direction,
                values=_VALUES,
                least=min_count,
                top=top,
            )
        )
    if types:
        names = ", ".join(map(quoted, dict.fromkeys(types)))
        connection.execute(_ASKED.format(names=names, layers=listed, measures=_MEASURES))
    intervals.measure(connection, pieces, tagged)
    query = _TABLE.format(
        layers=listed,
        sections=", ".join(map(quoted, SECTIONS)),
        kinds=_KINDS,
        columns=intervals.COLUMNS,
        join=intervals.JOIN,
    )
    return intervals.bounded(ask(connection, query).read_all())


def histogram(connection: "DuckDBPyConnection", layers: Sequence[int]) -> "pyarrow.Table":
    """How the strengths of each kind are spread; see ``result_summary.Summary.histogram``.

    Args:
        connection: with the relation ``tokens``, after ``statistics``.
        layers: those wanted, in their order.
    """
    listed = ", ".join(map(str, layers))
    return ask(connection, _HISTOGRAM.format(layers=listed, kinds=_KINDS, bins=BINS)).read_all()


def _measure(connection: "DuckDBPyConnection", layers: str) -> bool:
    """The table ``measured``: all tokens, each kind, each tag; True if there are tags."""
    connection.execute(EXACT_SUM)
    connection.execute(_PREPARE.format(layers=layers))
    columns = [row[0] for row in connection.execute("DESCRIBE tokens").fetchall()]
    tagged = "tag" in columns
    query = _GROUPS.format(
        values=_VALUES,
        measures=_MEASURES,
        tags=", (layer, tag)" * tagged,
        tagged="WHEN grouping(tag) = 0 THEN 'tag'" * tagged,
        tag="WHEN grouping(tag) = 0 THEN tag" * tagged,
    )
    connection.execute(query)
    return tagged


def by_kind(results: StrengthResults) -> tuple[KindAtLayer, ...]:
    """For every layer and kind that occurs, the mean within-text rank percentile.

    The numbers of ``statistics``, of results in memory; tokens of a text in which none is ranked
    are left out, as they stand nowhere. No pyarrow is loaded.
    """
    if not len(results):
        return ()
    with connect("kinds of tokens cannot be counted", threads=1) as connection:
        connection.register("results", _arrays(results))
        connection.execute(
            "CREATE VIEW tokens AS SELECT layer, nullif(kind::VARCHAR, '') AS kind, strength, "
            "nullif(rank, 0) AS rank, percentile, nullif(high, -1) = 1 AS high "
            "FROM results WHERE NOT isnan(percentile)"
        )
        _measure(connection, ", ".join(map(str, results.layers)))
        rows = connection.execute(
            "SELECT layer, coalesce(name, ''), tokens, percentile FROM measured "
            "WHERE section = 'kind'"
        ).fetchall()
    found = {(layer, kind): KindAtLayer(layer, kind, n, mean) for layer, kind, n, mean in rows}
    order = [(layer, kind) for layer in results.layers for kind in (*KINDS, "")]
    return tuple(found[key] for key in order if key in found)


def _arrays(results: StrengthResults) -> dict[str, np.ndarray]:
    """The columns of ``tokens``, layer after layer."""
    kinds = np.concatenate([result.kind for result in results])
    strength = np.concatenate([result.strength for result in results], axis=1)
    rank = np.concatenate([result.rank for result in results], axis=1)
    bucket = np.concatenate([result.bucket for result in results], axis=1)
    whose = np.repeat(np.arange(len(results)), [len(result) for result in results])
    return {
        "layer": np.repeat(np.array(results.layers, dtype=np.int32), len(kinds)),
        "kind": np.tile(kinds, len(results.layers)),
        "strength": strength.ravel(),
        "rank": rank.ravel(),
        "percentile": formulas.percentile(strength, rank, whose).ravel(),
        "high": np.where(bucket == "", -1, bucket == "HIGH").astype(np.int8).ravel(),
    }
