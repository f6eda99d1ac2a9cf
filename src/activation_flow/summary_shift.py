"""Statistics of a run that compares texts: SQL over ``comparisons`` and ``shifts``.

Of each layer and pair of prompts: means over texts with intervals, and mean shifts of tokens.
"""

from collections.abc import Sequence
from math import sqrt
from typing import TYPE_CHECKING, Any

from activation_flow.data import KINDS
from activation_flow.database import EXACT_SUM, ask, quoted
from activation_flow.result_shift_summary import LEVEL, MEASURES, POSSIBLE, SECTIONS, SHARES, TABLE
from activation_flow.stats import t_quantile
from activation_flow.table_columns import schema

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

CHANGES = ("same", "replaced")  # of tokens that have a partner

# One value for each text, layer, pair of prompts and measure; without those that have none. Two
# prompts are known by their places, 0 and 1 where texts are pairs: null equals nothing.
_VALUES = """
CREATE TEMP VIEW per_text AS
SELECT layer, {a} AS a, {b} AS b, anchor_shift, anchor_cosine, total_shift, mean_shift, high_ratio,
    CASE WHEN high_ratio IS NOT NULL THEN high_share END AS high_share,
    high_ratio - high_share AS excess, p_value, p_floor
FROM comparisons WHERE layer IN ({layers});
CREATE TEMP VIEW long AS
FROM per_text UNPIVOT (x FOR name IN ({measures}))
"""

# Deviations from the smallest value are summed, exactly; their spread is 0 where it is beyond the
# digits of these.
_MEANS = """
WITH ends AS (
    SELECT layer, name, min(x) AS low, CASE WHEN max(x) > low THEN max(x) - low ELSE 1 END AS span
    FROM long GROUP BY ALL
), sums AS (
    SELECT layer, a, b, name, count(*) AS n, max(low) AS low,
        exact_sum(x - low, span) / count(*) AS above,
        exact_sum((x - low) ** 2, span ** 2) AS squares
    FROM long JOIN ends USING (layer, name) GROUP BY layer, a, b, name
)
SELECT layer, a, b, 'text' AS section, name, n, low + above AS mean,
    squares - n * above ** 2 AS spread,
    CASE WHEN n > 1 THEN
        CASE WHEN spread > 1e-13 * squares THEN sqrt(spread / (n - 1)) ELSE 0 END
    END AS sd
FROM sums
UNION ALL BY NAME
SELECT layer, a, b, 'share' AS section, name, count(p) AS n,
    count(*) FILTER (p < {level}) / nullif(count(p), 0) AS mean
FROM (
    SELECT layer, a, b, p_value AS significant, p_floor AS possible FROM per_text
) UNPIVOT INCLUDE NULLS (p FOR name IN (significant, possible))
GROUP BY layer, a, b, name
"""

# The texts' own tokens that have a partner.
_TOKENS = """
WITH own AS (
    SELECT layer, {a} AS a, {b} AS b, kind::VARCHAR AS kind, change::VARCHAR AS change, shift
    FROM shifts WHERE layer IN ({layers}) AND shift IS NOT NULL AND {own}
), widest AS (
    SELECT layer, CASE WHEN max(shift) > 0 THEN max(shift) ELSE 1 END AS span
    FROM own GROUP BY layer
)
SELECT layer, a, b, CASE WHEN grouping(kind) = 0 THEN 'kind' ELSE 'change' END AS section,
    CASE WHEN grouping(kind) = 0 THEN kind ELSE change END AS name,
    count(*) AS n, exact_sum(shift, span) / count(*) AS mean
FROM own JOIN widest USING (layer)
GROUP BY GROUPING SETS ((layer, a, b, kind), (layer, a, b, change))
"""

_COUNTS = """
SELECT count(DISTINCT text_id) AS texts,
    count(DISTINCT text_id) FILTER (n_dropped_a > 0 OR n_dropped_b > 0) AS truncated,
    count(DISTINCT text_id) FILTER (n_text IS NULL) AS unknown
FROM comparisons WHERE layer = {layer}
"""


def statistics(
    connection: "DuckDBPyConnection", layers: Sequence[int], prompts: Sequence[str | None]
) -> "pyarrow.Table":
    """The table of ``result_shift_summary.ShiftSummary``.

    Args:
        connection: with the relations ``comparisons`` and ``shifts``.
        layers: those wanted, in their order.
        prompts: those before each text; none where texts are pairs.
    """
    import pyarrow as pa

    names = {
        **{"layers": ", ".join(map(str, layers)), "level": LEVEL},
        **{"a": _place("prompt_a", prompts, 0), "b": _place("prompt_b", prompts, 1)},
        "own": "part = 'text'" if prompts else "kind IS DISTINCT FROM 'special'",
        "measures": ", ".join(MEASURES),
    }
    connection.execute(EXACT_SUM)
    connection.execute(_VALUES.format(**names))
    rows = [
        row
        for query in (_MEANS, _TOKENS)
        for row in ask(connection, query.format(**names)).read_all().to_pylist()
    ]
    orders: dict[str, list[str | None]] = {
        "text": [*MEASURES],
        "share": [*SHARES],
        "kind": [*KINDS, None],
        "change": [*CHANGES],
    }

    def place(row: dict[str, Any]) -> tuple[int, ...]:
        section = SECTIONS.index(row["section"])
        within = orders[row["section"]].index(row["name"])
        return layers.index(row["layer"]), row["a"], row["b"], section, within

    made = [{**row, **_interval(row), **_named(row, prompts)} for row in sorted(rows, key=place)]
    return pa.Table.from_pylist(made, schema=schema(TABLE))


def _place(column: str, prompts: Sequence[str | None], default: int) -> str:
    """The place of a prompt, in SQL."""
    cases = [
        f"WHEN {column} {'IS NULL' if prompt is None else f'= {quoted(prompt)}'} THEN {k}"
        for k, prompt in enumerate(prompts)
    ]
    return f"CASE {' '.join(cases)} END" if cases else str(default)


def _named(row: dict[str, Any], prompts: Sequence[str | None]) -> dict[str, str | None]:
    a, b = (prompts[row["a"]], prompts[row["b"]]) if prompts else (None, None)
    return {"prompt_a": a, "prompt_b": b}


def _interval(row: dict[str, Any]) -> dict[str, float | None]:
    """The 95 % interval of a mean over texts, by Student's t; none of one text.

    Student's t knows no bounds: where it goes beyond a possible value, the interval ends there.
    """
    n, mean, sd = row["n"], row["mean"], row.get("sd")
    if row["section"] != "text" or sd is None:
        return {"low": None, "high": None}
    half = t_quantile(n - 1) * sd / sqrt(n)
    least, most = POSSIBLE[row["name"]]
    return {"low": max(mean - half, least), "high": min(mean + half, most)}


def counts(connection: "DuckDBPyConnection", layer: int) -> dict[str, int]:
    """Texts (or pairs); those of which something was cut; those whose own tokens nobody knows.

    Args:
        connection: with the relation ``comparisons``.
        layer: any that is there; all texts are there for each.
    """
    (found,) = ask(connection, _COUNTS.format(layer=layer)).read_all().to_pylist()
    return dict(found)


def anchors(connection: "DuckDBPyConnection") -> tuple[str, ...]:
    """What stands for a text; the same for all of them, but for odd tokenizers."""
    rows = connection.execute("SELECT DISTINCT anchor::VARCHAR FROM comparisons ORDER BY 1")
    return tuple(row[0] for row in rows.fetchall())
