"""How long an input may be: limits, what is cut off, windows and who is read in which.

Counts tokens, and knows neither texts nor tokenizers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from activation_flow.data import ActivationFlowError, Ids, Mask

Span = tuple[int, int]


@dataclass(frozen=True)
class Limits:
    """How long an input may be, and what becomes of a longer text.

    Attributes:
        max_length: tokens of an input, special ones included.
        stride: tokens that neighbouring windows share; None is half of a window.
        long: what becomes of a longer text: read in "windows", "cut" at its end, or "refused".
    """

    max_length: int
    stride: int | None = None
    long: str = "windows"


def limits(
    model_max: int, max_length: int | None, stride: int | None, long: str = "windows"
) -> Limits:
    """The user's limits, checked against the model's.

    Raises:
        ActivationFlowError: out of range, or a stride where there are no windows.
    """
    longest = model_max if max_length is None else max_length
    if not 1 <= longest <= model_max:
        raise ActivationFlowError(
            f"max_length {longest} is out of range: this model reads 1 to {model_max} tokens"
        )
    if stride is not None and not 0 <= stride < longest:
        raise ActivationFlowError(
            f"stride {stride} is out of range: windows of {longest} tokens can share 0 to "
            f"{longest - 1}"
        )
    if stride is not None and long != "windows":
        raise ActivationFlowError(
            f"stride {stride} is how much windows share, and here no text is read in windows: "
            "leave out stride, or truncate"
        )
    return Limits(longest, stride, long)


def cut(segment: Ids, excess: int) -> Mask:
    """True for the tokens that stay: the ends go, of two segments the longer one's first.

    The same tokens stay as in transformers ("longest_first").

    Args:
        segment: 0 or 1; -1 for special tokens, which all stay.
        excess: number of tokens to drop.
    """
    first, second = int((segment == 0).sum()), int((segment == 1).sum())
    # The longer one comes down to the shorter one; what is left to drop, both share.
    longer = min(excess, abs(first - second))
    shared = excess - longer
    # An odd one goes from the shorter, from the first where they are equally long.
    fewer, more = shared // 2, shared - shared // 2
    drop = (longer + fewer, more) if first > second else (more, longer + fewer)
    kept = np.ones(len(segment), dtype=bool)
    for number, dropped in enumerate(drop):
        (mine,) = np.nonzero(segment == number)
        kept[mine[len(mine) - dropped :]] = False
    return kept


def windows(content: int, room: int, shared: int) -> list[Span]:
    """Spans of at most ``room`` tokens that cover 0..content, neighbours sharing ``shared`` < room.

    >>> windows(10, 4, 2)
    [(0, 4), (2, 6), (4, 8), (6, 10)]
    """
    step = room - shared
    spans = [(0, min(room, content))]
    while spans[-1][1] < content:
        first = spans[-1][0] + step
        spans.append((first, min(first + room, content)))
    return spans


def owners(content: int, spans: Sequence[Span], causal: bool) -> Ids:
    """Which window each content token is taken from.

    The one in which its distance to the nearer edge is largest, ties to the earlier; in causal
    models the one that gives it most left context.

    >>> owners(6, [(0, 4), (2, 6)], causal=False)
    array([0, 0, 0, 1, 1, 1])
    """
    best = np.full(content, -1)
    owner = np.zeros(content, dtype=np.int64)
    for number, (first, last) in enumerate(spans):
        place = np.arange(first, last)
        score = place - first if causal else np.minimum(place - first, last - 1 - place)
        better = score > best[first:last]
        owner[first:last][better] = number
        best[first:last] = np.maximum(best[first:last], score)
    return owner
