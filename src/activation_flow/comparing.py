"""Are two results the same, or close: value by value, through all that they hold.

Knows arrays, dataclasses and sequences, but no result; how large the numbers of an array count is
asked of the object that holds it (``size_of``).
"""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

# What follows from the measured numbers, or says who measured: not looked at by ``close``.
_NOT_MEASURED = ("provenance", "rank", "bucket", "high", "concentration")


def equal(a: Any, b: Any) -> bool:
    """The same in every value; NaN equals NaN.

    >>> equal((np.array([1.0, np.nan]), "a"), (np.array([1.0, np.nan]), "a"))
    True
    """
    if isinstance(a, np.ndarray):
        floats = a.dtype.kind == "f"
        return a.dtype.kind == b.dtype.kind and np.array_equal(a, b, equal_nan=floats)
    if is_dataclass(a):
        parts = (equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
        return type(a) is type(b) and all(parts)
    if isinstance(a, Sequence) and not isinstance(a, str):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def close(a: Any, b: Any, rtol: float, size: Any = None) -> bool:
    """The same texts and tokens, and floats as close as ``rtol`` times their size.

    Args:
        a: a result.
        b: another of the same type.
        rtol: relative tolerance.
        size: of what is a part of a result and does not know itself what it is held to.
    """
    if isinstance(a, Sequence) and not isinstance(a, str | tuple):  # results of many texts
        alike = equal((a.layers, a.numbers, a.errors), (b.layers, b.numbers, b.errors))  # type: ignore[attr-defined]
        return alike and len(a) == len(b) and all(map(close, a, b, [rtol] * len(a)))
    names = [f.name for f in fields(a) if f.name not in _NOT_MEASURED]
    sizes = {n: size if (own := a.size_of(n)) is None else own for n in names}
    return all(_near(getattr(a, n), getattr(b, n), rtol, sizes[n]) for n in names)


def _near(a: Any, b: Any, rtol: float, size: Any) -> bool:
    if is_dataclass(a):
        return close(a, b, rtol, size)
    if isinstance(a, tuple) and a and is_dataclass(a[0]):
        return len(a) == len(b) and all(_near(x, y, rtol, size) for x, y in zip(a, b, strict=True))
    if not isinstance(a, np.ndarray) or a.dtype.kind != "f":
        return equal(a, b)
    if a.shape != b.shape:
        return False
    near = np.abs(a.astype(np.float64) - b) <= rtol * size
    return bool((near | (np.isnan(a) & np.isnan(b))).all())
