"""Statistics of the texts of a run: how their strengths are skewed, and how many they are. SQL."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.database import ask

if TYPE_CHECKING:
    import pyarrow
    from duckdb import DuckDBPyConnection

# g1 = m3 / m2^1.5 about a mean that is known: by powers of S itself its digits would cancel.
_TEXTS = """
WITH centre AS (
    SELECT layer, max(low) + exact_sum(d, span) / count(*) AS mean
    FROM chosen WHERE rank IS NOT NULL GROUP BY layer
), powers AS (
    SELECT layer, max(mean) AS mean, exact_sum(d ** 2, span ** 2) / count(*) AS m2,
        exact_sum(d ** 3, span ** 3) / count(*) AS m3
    FROM (
        SELECT layer, mean, span, strength - mean AS d FROM chosen JOIN centre USING (layer)
        WHERE rank IS NOT NULL
    ) GROUP BY layer
), widest AS (
    SELECT layer, max(abs(threshold)) + 1 AS of_threshold, max(abs(skew)) + 1 AS of_skew
    FROM texts GROUP BY layer
), each AS (
    SELECT layer, count(*) AS texts, exact_sum(skew, of_skew) / count(skew) AS mean_skew,
        count(*) FILTER (skew > 0) / nullif(count(skew), 0) AS right_skewed,
        CASE WHEN min(threshold) = max(threshold) THEN min(threshold)
            ELSE exact_sum(threshold, of_threshold) / count(threshold) END AS threshold
    FROM texts JOIN widest USING (layer) GROUP BY layer
)
SELECT layer, texts, threshold, mean_skew, right_skewed,
    CASE WHEN m2 > (mean * {epsilon}) ** 2 THEN m3 / m2 ** 1.5 END AS pooled_skew
FROM each LEFT JOIN powers USING (layer)
WHERE layer IN ({layers}) ORDER BY list_position([{layers}], layer)
"""

_COUNTS = """
SELECT count(*) AS texts, coalesce(sum(n_tokens), 0)::BIGINT AS tokens,
    count(*) FILTER (n_windows > 1) AS windowed, count(*) FILTER (n_dropped > 0) AS truncated,
    coalesce(sum(n_dropped), 0)::BIGINT AS dropped
FROM texts WHERE layer = {layer}
"""


def of_texts(connection: "DuckDBPyConnection", layers: Sequence[int]) -> "pyarrow.Table":
    """Statistics of texts, a row for each layer; see ``result_summary.Summary.texts``.

    Args:
        connection: with the relation ``texts``, after ``summary.statistics``.
        layers: those wanted, in their order.
    """
    listed = ", ".join(map(str, layers))
    query = _TEXTS.format(layers=listed, epsilon=repr(float(np.finfo(np.float64).eps)))
    return ask(connection, query).read_all()


def counts(connection: "DuckDBPyConnection", layer: int) -> dict[str, int]:
    """Texts, tokens, texts in windows, texts that were cut, and tokens dropped from them.

    Args:
        connection: with the relation ``texts``.
        layer: any that is there; all texts are there for each.
    """
    (found,) = ask(connection, _COUNTS.format(layer=layer)).read_all().to_pylist()
    return dict(found)
