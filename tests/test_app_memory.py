"""What Gradio keeps in memory: bounded in bytes, and gone when it is fetched."""

import asyncio
import os
import subprocess
import sys
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


def test_a_gradio_that_is_made_otherwise_is_left_alone():
    app_memory.bound(SimpleNamespace())
    app_memory.bound(SimpleNamespace(_queue=SimpleNamespace()))


def test_gradio_has_what_is_bounded():
    """In a process of its own: Gradio changes more of Python than other tests can bear."""
    code = """
import gradio as gr
from gradio.mcp import GradioMCPServer
from gradio.state_holder import SessionState
from activation_flow import app_memory

with gr.Blocks(analytics_enabled=False) as blocks:
    gr.Textbox()
assert callable(SessionState._update_value_in_config)
assert callable(GradioMCPServer.postprocess_output_data)
blocks.queue(max_size=9)
gr.mount_gradio_app(__import__("fastapi").FastAPI(), blocks, path="", ssr_mode=False)
app_memory.bound(blocks)
assert blocks._queue.pending_event_ids_session == {}
assert type(blocks._queue.pending_messages_per_session) is app_memory.Unread
holder = blocks.state_holder
assert holder["a session"]._update_value_in_config is app_memory._no_value
"""
    env = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False"}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
