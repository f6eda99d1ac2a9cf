"""What Gradio keeps in memory: bounded in bytes, and gone when it is fetched."""

import asyncio
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest

from activation_flow import app_memory
from activation_flow.app_memory import Unread


def answer(size: int) -> SimpleNamespace:
    return SimpleNamespace(output={"data": ["x" * (size - len('{"data":[""]}'))]})


pytest.importorskip("orjson")


def test_answers_that_nobody_fetches_are_let_go_from_the_oldest_on():
    ids = {name: {"event"} for name in "abcd"}
    unread = Unread(ids, most=250)
    for name in "abcd":
        unread[name] = asyncio.Queue()
        unread[name].put_nowait(SimpleNamespace())  # how far it is: weighs nothing
        unread[name].put_nowait(answer(100))
    assert ([*unread], [*ids], unread.weight) == (["c", "d"], ["c", "d"], 200)


def test_what_is_fetched_weighs_nothing_any_more():
    unread = Unread({}, most=250)
    for name in "abcdefgh":
        unread[name] = asyncio.Queue()
        unread[name].put_nowait(answer(100))
        assert asyncio.run(unread[name].get()).output
        assert unread.weight == 0
    assert [*unread] == [*"abcdefgh"]


def test_one_answer_alone_is_never_let_go_and_a_late_one_does_not_count():
    unread = Unread({}, most=250)
    unread["a"] = asyncio.Queue()
    kept = unread["a"]
    kept.put_nowait(answer(1000))
    assert unread["a"] is kept
    unread["b"] = asyncio.Queue()
    unread["b"].put_nowait(answer(100))
    assert ([*unread], unread.weight) == (["b"], 100)
    kept.put_nowait(answer(1000))  # to who was let go
    assert kept.get_nowait().output
    assert unread.weight == 100


def test_sessions_are_bounded_by_number_too():
    unread = Unread({}, sessions=3)
    for name in "abcd":
        unread[name] = asyncio.Queue()
    assert [*unread] == ["b", "c", "d"]


def test_sessions_keep_no_values():
    kept: list[str] = []
    session = SimpleNamespace(_update_value_in_config=lambda _, value: kept.append(value))
    queue = SimpleNamespace(pending_messages_per_session={}, pending_event_ids_session={})
    blocks = SimpleNamespace(_queue=queue, state_holder=SimpleNamespace(session_data={}))
    app_memory.bound(blocks)
    assert isinstance(queue.pending_messages_per_session, Unread)
    blocks.state_holder.session_data["one"] = session
    session._update_value_in_config(3, "typed")
    assert (kept, [*blocks.state_holder.session_data]) == ([], ["one"])


def test_gradio_has_what_is_bounded():
    found = importlib.util.find_spec("gradio")  # read, not imported: that takes seconds
    if found is None or found.origin is None:
        pytest.skip("gradio is not installed")
    folder = Path(found.origin).parent
    queue = (folder / "queueing.py").read_text(encoding="utf-8")
    assert "self.pending_messages_per_session[body.session_hash] = AsyncQueue()" in queue
    assert "self.pending_event_ids_session: dict[str, set[str]] = {}" in queue
    state = (folder / "state_holder.py").read_text(encoding="utf-8")
    assert "self.session_data[session_id] = SessionState(self.blocks)" in state
    assert "def _update_value_in_config(self, key: int, value: Any):" in state


def test_a_gradio_that_is_made_otherwise_is_left_alone():
    app_memory.bound(SimpleNamespace())
    app_memory.bound(SimpleNamespace(_queue=SimpleNamespace()))
