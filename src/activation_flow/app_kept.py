"""What was computed, kept for a while: each key is computed once, whoever asks for it and when.

Bounded by number and by memory; what was used longest ago goes first. Safe among threads.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, cast

T = TypeVar("T")

ENTRIES = 256
BYTES = 64 * 2**20


class Kept:
    """Values by key.

    Attributes:
        entries: so many are kept at most.
        bytes: so much memory their numbers and texts take at most, roughly; one that is larger
            alone is given, and not kept.
    """

    def __init__(self, entries: int = ENTRIES, bytes: int = BYTES):
        self.entries, self.bytes = entries, bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._computing: dict[Hashable, Future[Any]] = {}
        self._held = 0

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value of a key; computed if it is not kept.

        Who asks while it is being computed waits for it, and gets the same value, or the same
        error. An error is not kept.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(T, self._kept[key][0])
            waiting = self._computing.get(key)
            if waiting is None:
                self._computing[key] = mine = Future[Any]()
        if waiting is not None:
            return cast(T, waiting.result())
        try:
            value = compute()
            size = weight(value)
        except BaseException as problem:
            with self._lock:
                del self._computing[key]
            mine.set_exception(problem)
            raise
        with self._lock:
            del self._computing[key]
            self._keep(key, value, size)
        mine.set_result(value)
        return value

    def _keep(self, key: Hashable, value: Any, size: int) -> None:
        if size > self.bytes:
            return
        self._kept[key] = value, size
        self._held += size
        while len(self._kept) > self.entries or self._held > self.bytes:
            _, (_, gone) = self._kept.popitem(last=False)
            self._held -= gone


def weight(value: Any) -> int:
    """Bytes of the arrays, tables and texts in a value, roughly.

    >>> weight(("text", ["more"], {"n": 1}))
    9
    """
    if isinstance(value, str):
        return len(value)
    if (size := getattr(value, "nbytes", None)) is not None:  # an array of numpy, a table of arrow
        return int(size)
    if is_dataclass(value):
        return sum(weight(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(weight(name) + weight(one) for name, one in value.items())
    if isinstance(value, tuple | list):
        return sum(map(weight, value))
    return 0
