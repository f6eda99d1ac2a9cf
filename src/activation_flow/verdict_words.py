"""What the sentences of verdicts are made of: shares, numbers, intervals; is an effect found."""

from math import isfinite

from activation_flow.audit_data import Interval, Tested
from activation_flow.claims import ALPHA


def found_above(tested: Tested, p: float | None, null: float) -> bool:
    """The primary test finds an effect in the claim's direction."""
    return p is not None and p < ALPHA and tested.interval is not None and tested.interval[0] > null


def in_100(share: float) -> str:
    """A share as a count: "89", or "fewer than 1"; with a decimal where 50 would hide a side."""
    count = round(100 * share)
    if count == 0 and share > 0:
        return "fewer than 1"
    if count == 100 and share < 1:
        return "more than 99"
    return f"{100 * share:.1f}" if count == 50 and abs(share - 0.5) >= 0.0005 else str(count)


def range_in_100(interval: Interval | None) -> str:
    """An interval of a share, in words, as ``in_100`` counts."""
    if interval is None or not all(map(isfinite, interval)):
        return range_of(interval)
    return f"{in_100(interval[0])} to {in_100(interval[1])}"


def by_chance(more: float) -> str:
    """What is said of an effect that the test does not find."""
    return "that may be chance" if more > 0 else "no more than chance gives"


def lower(sentence: str) -> str:
    """A sentence that goes on within another."""
    return sentence[0].lower() + sentence[1:]


def upper(words: str) -> str:
    """Words that begin a sentence."""
    return words[0].upper() + words[1:]


def number(value: float | None) -> str:
    """Three decimals, with a real minus sign."""
    return "none" if value is None else f"{value:.3f}".replace("-", "−")


def range_of(interval: Interval | None) -> str:
    """An interval in words."""
    if interval is None or not all(map(isfinite, interval)):
        return "how uncertain, cannot be told"
    return f"{number(interval[0])} to {number(interval[1])}"
