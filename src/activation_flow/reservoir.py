"""A uniform sample of a stream of unknown length, in one pass.

Source: Vitter (1985), "Random sampling with a reservoir", algorithm R.
"""

import random
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Reservoir(Generic[Item]):
    """So many items of a stream: each subset of them is as likely as any other of its size.

    The same stream and seed give the same sample. Memory is that of the sample.

    Attributes:
        seen: number of items so far.

    >>> reservoir = Reservoir(2, seed=0)
    >>> for letter in "abcde":
    ...     reservoir.add(letter)
    >>> reservoir.seen, len(reservoir.items()), reservoir.items() == sorted(reservoir.items())
    (5, 2, True)
    """

    def __init__(self, size: int, seed: int):
        """Takes the size of the sample and the seed of its choice."""
        self.seen = 0
        self._size, self._random = size, random.Random(seed)
        self._kept: list[tuple[int, Item]] = []

    def add(self, item: Item) -> None:
        """Take in the next item."""
        if self.seen < self._size:
            self._kept.append((self.seen, item))
        elif (place := self._random.randrange(self.seen + 1)) < self._size:
            self._kept[place] = (self.seen, item)
        self.seen += 1

    def items(self) -> list[Item]:
        """The sample, in the order of the stream."""
        return [item for _, item in sorted(self._kept, key=lambda kept: kept[0])]
