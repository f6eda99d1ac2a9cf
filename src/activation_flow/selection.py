"""The exact quantile of strengths in files: which sorted values make it, found by counting.

Memory does not grow with the number of tokens: nothing is sorted but what is left at the end.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.database import connect, double, parquet

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BINS = 2**14  # of each layer, in each pass
FEW = 2**20  # values of all layers together: so many are sorted

# Of Hyndman and Fan's continuous methods, alpha and beta; "linear" is not computed by them.
_CONTINUOUS = {
    "interpolated_inverted_cdf": (0, 1),
    "hazen": (0.5, 0.5),
    "weibull": (0, 0),
    "median_unbiased": (1 / 3.0, 1 / 3.0),
    "normal_unbiased": (3 / 8.0, 3 / 8.0),
}
# (fraction of the place, number of the value below it) -> weight of the value above.
_WEIGHTS: dict[str, Callable[[float, int], float]] = {
    "midpoint": lambda part, _: 0.5 * (part > 0),
    "lower": lambda part, _: 0.0,
    "higher": lambda part, _: float(part > 0),
    "nearest": lambda part, below: float(part > 0.5 or (part == 0.5 and below % 2 == 1)),
    "inverted_cdf": lambda part, _: float(part > 0),
    "averaged_inverted_cdf": lambda part, _: 0.5 if part == 0 else 1.0,
    "closest_observation": lambda part, below: float(part > 0 or below % 2 == 0),
}


def order_statistics(n: int, quantile: float, method: str = "midpoint") -> tuple[int, int, float]:
    """Which of n sorted values make their quantile, so that no others need to be at hand.

    ``np.quantile([x[lower], x[upper]], weight)`` is then, bit for bit, ``np.quantile(x, quantile,
    method=method)`` of the sorted float64 values x. At the borders numpy stays inside: where a
    method's place is before the first value or after the last, that value is the quantile; so it
    is for quantile 0 and 1, whatever the method.

    Args:
        n: number of values, at least 1.
        quantile: 0 to 1.
        method: one of ``strength.QUANTILE_METHODS``.

    Returns:
        lower, upper (from 0; upper is lower or the next), and the weight of upper, 0 to 1.

    >>> order_statistics(6, 0.75), order_statistics(6, 0.75, "linear"), order_statistics(5, 0.75)
    ((3, 4, 0.5), (3, 4, 0.75), (3, 3, 0.0))
    """
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        # subtle: in numpy's own order of operations; another would round to another digit.
        place = n * quantile + (alpha + quantile * (1 - alpha - beta)) - 1
    elif method in ("inverted_cdf", "averaged_inverted_cdf"):
        place = n * quantile - 1
    elif method == "closest_observation":
        place = n * quantile - 1 - 0.5
    else:
        place = (n - 1) * quantile
    lower = math.floor(place)
    weight = place - lower
    if method in _WEIGHTS:
        weight = _WEIGHTS[method](weight, lower)
    if lower < 0 or lower >= n - 1:
        lower, weight = min(max(lower, 0), n - 1), 0.0
    return (lower, lower, 0.0) if weight == 0 else (lower, lower + 1, weight)


def corpus_threshold(
    parts: Sequence[Path], quantile: float = 0.75, method: str = "midpoint"
) -> dict[int, float]:
    """τ of every layer over all tokens of a run that take part (those that have a rank).

    Bit for bit what ``strength.threshold`` gives for all of them in one array.

    Args:
        parts: absolute paths of all its ``tokens`` files.
        quantile: of S that makes τ, 0 to 1.
        method: one of ``strength.QUANTILE_METHODS``.

    Returns:
        Layer -> τ; none where no token takes part.

    Raises:
        ActivationFlowError: a file cannot be read, or the disk is full.
    """
    if not parts:
        return {}
    with connect("the threshold over all texts cannot be found") as connection:
        connection.execute(
            "CREATE VIEW taking_part AS SELECT layer, strength::DOUBLE AS s "
            f"FROM {parquet(parts)} WHERE rank IS NOT NULL"
        )
        counts = connection.execute(
            "SELECT layer, count(*), min(s), max(s) FROM taking_part GROUP BY layer"
        ).fetchall()
        places = {layer: order_statistics(n, quantile, method) for layer, n, _, _ in counts}
        found = _pairs(
            connection,
            {layer: _Range(low, high, n, places[layer][0]) for layer, n, low, high in counts},
        )
    taus = {}
    for layer, (lower, upper, weight) in places.items():
        pair = found[layer] if upper > lower else found[layer][:1] * 2
        taus[layer] = float(np.quantile(np.array(pair), weight))
    return dict(sorted(taus.items()))


@dataclass(frozen=True)
class _Range:
    """Where the value that is sought must lie.

    Attributes:
        low: the smallest value there.
        high: the largest.
        n: how many values are there.
        place: number of the value that is sought among them, from 0.
        above: the smallest value above ``high``.
    """

    low: float
    high: float
    n: int
    place: int
    above: float = math.nan


Pair = tuple[float, float]  # a value, and the next one in sorted order


def _pairs(connection: "DuckDBPyConnection", ranges: dict[int, _Range]) -> dict[int, Pair]:
    """The value sought in each layer, and the one after it: ranges are narrowed until few fit."""
    found: dict[int, Pair] = {}
    while ranges:
        for layer, r in list(ranges.items()):
            if r.low == r.high:  # all the same, however many
                found[layer] = (r.low, r.low if r.place + 1 < r.n else r.above)
                del ranges[layer]
        if sum(r.n for r in ranges.values()) <= FEW:
            return found | _sorted(connection, ranges)
        ranges = _narrowed(connection, ranges)
    return found


def _inside(ranges: Mapping[int, _Range], columns: str) -> str:
    """Tokens whose strength ``s`` lies in the range of their layer."""
    rows = ", ".join(f"({k}, {double(r.low)}, {double(r.high)})" for k, r in ranges.items())
    return (
        f"SELECT layer, s, {columns} FROM taking_part "
        f"JOIN (VALUES {rows}) AS r(layer, low, high) USING (layer) WHERE s BETWEEN low AND high"
    )


def _narrowed(connection: "DuckDBPyConnection", ranges: Mapping[int, _Range]) -> dict[int, _Range]:
    """One pass: how many values are in each bin of each range; the bin of the value is the next."""
    # subtle: the bins need only be in the order of the values, so that rounding does no harm; and
    # the lowest value and the highest are in different ones, so that each pass narrows.
    bins = connection.execute(
        "SELECT layer, count(*) AS n, min(s) AS low, max(s) AS high FROM ("
        + _inside(ranges, f"floor((s - low) / (high - low) * {BINS}) AS bin")
        + ") GROUP BY layer, bin ORDER BY layer, bin"
    ).fetchnumpy()
    narrowed = {}
    for layer, r in ranges.items():
        n, low, high = (bins[name][bins["layer"] == layer] for name in ("n", "low", "high"))
        up_to = np.cumsum(n)
        k = int(np.searchsorted(up_to, r.place, side="right"))
        above = float(low[k + 1]) if k + 1 < len(low) else r.above
        place = r.place - int(up_to[k] - n[k])
        narrowed[layer] = _Range(float(low[k]), float(high[k]), int(n[k]), place, above)
    return narrowed


def _sorted(connection: "DuckDBPyConnection", ranges: Mapping[int, _Range]) -> dict[int, Pair]:
    """The last pass: the few values that are left."""
    if not ranges:
        return {}
    left = connection.execute(_inside(ranges, "low, high")).fetchnumpy()
    found = {}
    for layer, r in ranges.items():
        values = np.append(np.sort(left["s"][left["layer"] == layer]), r.above)
        found[layer] = (float(values[r.place]), float(values[r.place + 1]))
    return found
