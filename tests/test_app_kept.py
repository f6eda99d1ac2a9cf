"""What is kept: computed once for all who ask, bounded, an error never."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from activation_flow.app_kept import Kept, weight


def counted(value, calls):
    def compute():
        calls.append(value)
        return value

    return compute


def test_a_value_is_computed_once():
    kept, calls = Kept(), []
    assert [kept.get("a", counted(1, calls)) for _ in range(3)] == [1, 1, 1]
    assert kept.get("b", counted(2, calls)) == 2
    assert calls == [1, 2]


def test_who_asks_meanwhile_waits_and_gets_the_same():
    kept, calls, begun, go_on = Kept(), [], threading.Event(), threading.Event()

    def compute():
        begun.set()
        assert go_on.wait(10)
        calls.append(1)
        return object()

    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(kept.get, "a", compute)
        assert begun.wait(10)
        others = [pool.submit(kept.get, "a", compute) for _ in range(9)]
        # another key does not wait for it
        assert kept.get("b", lambda: "b") == "b"
        go_on.set()
        found = {id(one.result(10)) for one in [first, *others]}
    assert (len(found), calls) == (1, [1])


def test_an_error_is_told_to_all_who_wait_and_not_kept():
    kept, begun, go_on = Kept(), threading.Event(), threading.Event()

    def fails():
        begun.set()
        assert go_on.wait(10)
        raise ValueError("no")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(kept.get, "a", fails)
        assert begun.wait(10)
        other = pool.submit(kept.get, "a", lambda: "not asked")
        go_on.set()
        for one in (first, other):
            if one is first or one.exception(10):
                with pytest.raises(ValueError, match="no"):
                    one.result(10)
    assert kept.get("a", lambda: 1) == 1


def test_the_one_used_longest_ago_goes_first():
    kept, calls = Kept(entries=2), []
    for name in ("a", "b", "a", "c", "a", "b"):
        kept.get(name, counted(name, calls))
    assert calls == ["a", "b", "c", "b"]


def test_memory_is_bounded():
    kept, calls = Kept(bytes=1000), []
    for size in (400, 600, 100, 600, 400, 2000, 2000):
        kept.get(size, counted(np.zeros(size, np.uint8), calls))
    assert [len(value) for value in calls] == [400, 600, 100, 400, 2000, 2000]
    assert kept._held <= 1000


def test_results_are_weighed(minilm):
    one = minilm.layers("a day")
    assert 7 * 4 * 20 < weight(one) < 5000
    assert weight(minilm.layers("a day " * 50)) > 5 * weight(one)
    assert weight(one.to_arrow()) > 0
