"""Are two lists of results equal in everything: field by field, by plain Python."""

from collections.abc import Callable
from typing import Any

import numpy as np


def assert_same(a: Any, b: Any, same_arrays: Callable[[np.ndarray, np.ndarray, str], None]) -> None:
    """Equal in every field and type; how strictly arrays are compared, the caller says."""
    for name in ("provenance", "layers", "errors", "numbers"):
        assert getattr(a, name) == getattr(b, name)
    assert len(a) == len(b)
    for x, y in zip(a, b, strict=True):
        assert vars(x).keys() == vars(y).keys()
        for name, value in vars(x).items():
            other = getattr(y, name)
            if isinstance(value, np.ndarray):
                same_arrays(value, other, name)
            else:
                assert value == other, name
                assert type(value) is type(other), name
