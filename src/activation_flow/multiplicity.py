"""Many tests at once: p-values adjusted for how many there are. Standard library only.

Sources: Holm (1979), "A simple sequentially rejective multiple test procedure"; Benjamini and
Hochberg (1995), "Controlling the false discovery rate".
"""

from collections.abc import Sequence


def holm(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted so that the chance of any false finding at all stays at the level.

    The smallest of m is multiplied by m, the next by m - 1, and so on; none becomes smaller than
    one before it, none is above 1. Holds for tests that depend on each other in any way.

    Args:
        p: None where there was no test, which does not count.

    Returns:
        In the same order, at least the p-value each; None stays None.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    found, order = _in_order(p)
    highest = 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - place) * _known(p[i])))
        found[i] = highest
    return found


def benjamini_hochberg(p: Sequence[float | None]) -> list[float | None]:
    """Adjusted so that the expected share of false findings among all found stays at the level.

    The i-th smallest of m is multiplied by m / i; none becomes larger than one behind it. Holds
    for tests that are independent or depend on each other positively, as layers do.

    Args:
        p: None where there was no test, which does not count.

    Returns:
        In the same order, at least the p-value and at most 1 each; None stays None.

    >>> benjamini_hochberg([0.01, None, 0.04, 0.03])
    [0.03, None, 0.04, 0.04]
    """
    found, order = _in_order(p)
    lowest = 1.0
    for place, i in reversed(list(enumerate(order, start=1))):
        lowest = min(lowest, max(_known(p[i]), _known(p[i]) * len(order) / place))
        found[i] = lowest
    return found


def _in_order(p: Sequence[float | None]) -> tuple[list[float | None], list[int]]:
    """Room for the results, and the places of the tests, the smallest p first."""
    tested = [i for i, value in enumerate(p) if value is not None]
    return [None] * len(p), sorted(tested, key=lambda i: _known(p[i]))


def _known(p: float | None) -> float:
    if p is None:  # never: only places of tests come here
        raise TypeError("no p-value")
    return p
