"""What Gradio keeps in memory: bounded in bytes, and gone when it is fetched."""

import asyncio
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


def test_gradio_has_what_is_bounded_and_keeps_no_values():
    gradio = pytest.importorskip("gradio")
    from gradio.state_holder import SessionState, StateHolder

    with gradio.Blocks() as blocks:
        box = gradio.Textbox()
    blocks.queue()
    holder = StateHolder()
    holder.set_blocks(blocks)
    app_memory.bound(blocks)
    assert isinstance(blocks._queue.pending_messages_per_session, Unread)
    state = holder["session"]
    assert isinstance(state, SessionState)
    state._update_value_in_config(box._id, "typed")
    assert "typed" not in repr(state.config_values)


def test_a_gradio_that_is_made_otherwise_is_left_alone():
    app_memory.bound(SimpleNamespace())
    app_memory.bound(SimpleNamespace(_queue=SimpleNamespace()))
