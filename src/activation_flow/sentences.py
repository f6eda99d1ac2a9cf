"""What the numbers of a comparison say, in sentences; written once, for terminal and HTML.

Says what was computed and computes nothing; a ratio never stands without its chance level.
"""

from collections.abc import Iterator
from math import comb

from activation_flow.picture import number
from activation_flow.picture_shift import special
from activation_flow.result_shift import ShiftResult
from activation_flow.shift import Concentration
from activation_flow.stats import EXACT_UP_TO

_ALONE = (("deleted", "A"), ("inserted", "B"))


def sentences(result: ShiftResult) -> list[str]:
    """What the numbers of a comparison say, beside what chance would give."""
    return [" ".join(_shift_words(result)), *_ratio_words(result)]


def _shift_words(result: ShiftResult) -> Iterator[str]:
    pairs = int(result.paired.sum())
    all_of_them = " (special tokens included)" * bool((result.paired & special(result)).any())
    yield f"Total shift {number(result.total)}, over {count(pairs, 'aligned pair')}{all_of_them}."
    alone = {name: int((result.change == change).sum()) for change, name in _ALONE}
    if any(alone.values()):
        named = " and ".join(f"{n:,} of {name}" for name, n in alone.items() if n)
        yield f"Without a partner, so without a shift: {named}."
    same = result.total == 0 and (result.change == "same").all()
    if same and result.a.text != result.b.text:
        yield "The two texts differ, and the model reads both as the same tokens."


def _ratio_words(result: ShiftResult) -> Iterator[str]:
    found = result.concentration
    kept = result.provenance.settings["include_special"] or not special(result).any()
    whose = f"{count(found.n, 'pair')}{'' if kept else ' that ' + _be(found.n) + ' not special'}"
    if found.n == 0:
        yield f"No R_H: there is no pair{'' if kept else ' that is not special'}."
    elif found.k == 0:
        yield f"No R_H: of the {whose}, none is HIGH."
    elif found.high_ratio is None or found.high_share is None:
        yield f"No R_H: the {whose} did not shift at all."
    else:
        part = f"HIGH tokens hold {_percent(found.high_ratio)} of the shift of the {whose}"
        high = f"{found.k:,} of these {found.n:,} {_be(found.k)} HIGH"
        chance = f"chance gives {_percent(found.high_share)} (enrichment {found.enrichment:.2f})"
        yield f"R_H = {number(found.high_ratio)}: {part}. {high}, so {chance}."
        yield _p_words(found)
    if result.unpaired_high:
        n = result.unpaired_high
        has = "has" if n == 1 else "have"
        yield f"{count(n, 'HIGH token')} {has} no partner and no part in R_H."


def _p_words(found: Concentration) -> str:
    """p, how it was found, and whether it could have been smaller."""
    assert found.p_value is not None
    assert found.p_floor is not None
    exact = comb(found.n, found.k) <= EXACT_UP_TO
    how = "exact" if exact else "by random choices"
    if found.k == found.n:
        return f"p = {number(found.p_value)}: all are HIGH, so there is nothing to compare."
    start = f"p = {number(found.p_value)}, {how}; the smallest that {found.k:,} of {found.n:,}"
    floor = f"{start} could give is {number(found.p_floor)}"
    if found.p_value > found.p_floor:
        return f"{floor}."
    return f"{floor}: {'such a small table' if exact else 'so few choices'} cannot give less."


def count(n: int, noun: str) -> str:
    """A number of things, in words."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _be(n: int) -> str:
    return "is" if n == 1 else "are"


def _percent(part: float) -> str:
    return f"{100 * part:.1f} %"
