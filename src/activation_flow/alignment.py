"""From two token sequences to pairs: which token of one text stands for which of the other.

Compares tokens as strings, and special ones only with special ones: no meaning, no distance
between words, no model. Source: Hyyrö (2004), "Bit-parallel LCS-length computation revisited";
one row of bits in √n is kept, to find the way back.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate
from math import isqrt
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import ActivationFlowError, Mask, Names

WAYS = ("diff", "position")

Symbol = tuple[str, bool]  # a token, and whether it is special: a typed "[SEP]" is not "[SEP]"
Row = tuple[int, int, str]
if TYPE_CHECKING:
    from jaxtyping import Bool, Int, Shaped

    Index = Int[np.ndarray, "rows"]
    Change = Shaped[np.ndarray, "rows"]
    Paired = Bool[np.ndarray, "rows"]
else:
    Index = Change = Paired = np.ndarray


@dataclass(frozen=True, eq=False)
class Alignment:
    """Every token of both texts once, in reading order; read-only.

    Attributes:
        a_index: the token's index in the first text; -1 where it is only in the second.
        b_index: its index in the second text; -1 where it is only in the first.
        change: ``same``, ``replaced``, ``deleted`` (only in the first), ``inserted`` (only in the
            second).
    """

    a_index: Index
    b_index: Index
    change: Change

    def __post_init__(self) -> None:
        for item in fields(self):
            view = getattr(self, item.name).view()
            view.flags.writeable = False
            object.__setattr__(self, item.name, view)

    @property
    def paired(self) -> Paired:
        """True where the token has a partner: ``same`` and ``replaced``."""
        return (self.a_index >= 0) & (self.b_index >= 0)


def kinds_of_rows(a_index: Index, b_index: Index, of_a: Names, of_b: Names) -> Names:
    """Kind of each row's token: the first text's, or the second's where it was inserted."""
    kinds: Names = np.where(a_index >= 0, of_a[a_index], of_b[b_index])
    return kinds


def align(
    a: Sequence[str],
    b: Sequence[str],
    how: str = "diff",
    special_a: Sequence[bool] | Mask | None = None,
    special_b: Sequence[bool] | Mask | None = None,
) -> Alignment:
    """Who stands for whom. Nothing is dropped, and a special token is never paired with text.

    ``diff`` keeps a longest common subsequence; between two kept tokens, a run of one text and a
    run of equal length of the other are ``replaced`` in order, all else is deleted or inserted.
    ``position`` pairs index by index, as the paper does: right only where no token was added.
    ``align(b, a)`` has the same pairs as ``align(a, b)``; deleted rows stand before inserted ones.

    Args:
        a: the tokens of the first text.
        b: the tokens of the second.
        how: diff or position.
        special_a: True where the tokenizer added the token; None if it added none.
        special_b: the same of the second text.

    Raises:
        ActivationFlowError: an unknown ``how``.

    >>> pairs = align("a day at sea".split(), "a long walk at sea".split())
    >>> list(zip(pairs.a_index.tolist(), pairs.b_index.tolist(), pairs.change.tolist()))[:3]
    [(0, 0, 'same'), (1, -1, 'deleted'), (-1, 1, 'inserted')]
    >>> align(["a", "day"], ["a", "walk"]).change.tolist()
    ['same', 'replaced']
    """
    if how not in WAYS:
        raise ActivationFlowError(f"align={how!r} is not one of {', '.join(WAYS)}")
    first = _symbols(a, special_a)
    second = _symbols(b, special_b)
    return _alignment((_diff if how == "diff" else _position)(first, second))


def align_equal(
    a: Sequence[str],
    b: Sequence[str],
    special_a: Sequence[bool] | Mask | None = None,
    special_b: Sequence[bool] | Mask | None = None,
) -> Alignment:
    """As ``align``'s ``diff``, but only equal tokens are partners: nothing is ``replaced``.

    >>> align_equal(["a", "day"], ["a", "walk"]).change.tolist()
    ['same', 'deleted', 'inserted']
    """
    first, second = _symbols(a, special_a), _symbols(b, special_b)
    return _alignment(_diff(first, second, replace=False))


def _alignment(found: Iterator[Row]) -> Alignment:
    rows = [*found]
    return Alignment(
        np.array([i for i, _, _ in rows], dtype=np.int64),
        np.array([j for _, j, _ in rows], dtype=np.int64),
        np.array([change for _, _, change in rows], dtype="<U8"),
    )


def _symbols(tokens: Sequence[str], special: Sequence[bool] | Mask | None) -> list[Symbol]:
    marks = [False] * len(tokens) if special is None else map(bool, special)
    return list(zip(map(str, tokens), marks, strict=True))


def _position(a: list[Symbol], b: list[Symbol]) -> Iterator[Row]:
    common = min(len(a), len(b))
    for i in range(common):
        yield from _run(a, b, range(i, i + 1), range(i, i + 1))
    yield from _run(a, b, range(common, len(a)), range(common, len(b)))


def _diff(a: list[Symbol], b: list[Symbol], replace: bool = True) -> Iterator[Row]:
    i = j = 0
    for kept_i, kept_j in [*_common(a, b), (len(a), len(b))]:
        yield from _run(a, b, range(i, kept_i), range(j, kept_j), replace)
        if kept_i < len(a):
            yield kept_i, kept_j, "same"
        i, j = kept_i + 1, kept_j + 1


def _run(
    a: list[Symbol], b: list[Symbol], in_a: range, in_b: range, replace: bool = True
) -> Iterator[Row]:
    """Two runs in the same place: in pairs if equally long and special in the same places."""
    if replace and [a[i][1] for i in in_a] == [b[j][1] for j in in_b]:
        for i, j in zip(in_a, in_b, strict=True):
            yield i, j, "same" if a[i] == b[j] else "replaced"
    else:
        yield from ((i, -1, "deleted") for i in in_a)
        yield from ((-1, j, "inserted") for j in in_b)


def _common(a: list[Symbol], b: list[Symbol]) -> list[tuple[int, int]]:
    """The indices of a longest common subsequence; those of (b, a) are the same ones, swapped."""
    shorter = min(len(a), len(b))
    head = next((i for i in range(shorter) if a[i] != b[i]), shorter)
    rest = shorter - head
    tail = next((i for i in range(rest) if a[~i] != b[~i]), rest)
    end_a, end_b = len(a) - tail, len(b) - tail
    # Common ends always belong to a longest one, and what only one side has never does.
    both = {*a[head:end_a]} & {*b[head:end_b]}
    in_a = [i for i in range(head, end_a) if a[i] in both]
    in_b = [j for j in range(head, end_b) if b[j] in both]
    middle = _longest([a[i] for i in in_a], [b[j] for j in in_b])
    return [
        *((i, i) for i in range(head)),
        *((in_a[i], in_b[j]) for i, j in middle),
        *((end_a + i, end_b + i) for i in range(tail)),
    ]


def _longest(a: list[Symbol], b: list[Symbol]) -> list[tuple[int, int]]:
    """Time len(a)·len(b)/64 for any input; memory for about 2·√len(b) rows of len(a) bits."""
    if (len(a), a) < (len(b), b):  # one order for both, so that ties fall the same way
        return [(i, j) for j, i in _longest(b, a)]
    places = defaultdict(list)
    for i, symbol in enumerate(a):
        places[symbol].append(i)

    @lru_cache(maxsize=1024)  # bounded: all masks of a large vocabulary would be quadratic
    def where(symbol: Symbol) -> int:
        bits = bytearray(len(a) // 8 + 1)
        for i in places[symbol]:
            bits[i >> 3] |= 1 << (i & 7)
        return int.from_bytes(bits, "little")

    full = (1 << len(a)) - 1

    def next_row(row: int, symbol: Symbol) -> int:
        """Row j has bit i clear where a[:i+1] has more in common with b[:j] than a[:i] has."""
        hits = row & where(symbol)
        return ((row + hits) | (row - hits)) & full

    stride = isqrt(len(b)) + 1
    rows = enumerate(accumulate(b, next_row, initial=full))
    kept = [row for j, row in rows if j % stride == 0]
    pairs = []
    i, j = len(a), len(b)
    for block in reversed(range(len(kept))):
        start = block * stride
        again = accumulate(b[start : start + stride], next_row, initial=kept[block])
        packed = [row.to_bytes(len(a) // 8 + 1, "little") for row in again]
        while i > 0 and j > start:
            if a[i - 1] == b[j - 1]:
                i, j = i - 1, j - 1
                pairs.append((i, j))
            elif packed[j - start][(i - 1) >> 3] >> ((i - 1) & 7) & 1:
                i -= 1
            else:
                j -= 1
    return pairs[::-1]
