"""What answers first: a view at once, while Gradio is being imported; then all goes to Gradio.

Pure ASGI; what may be asked is the guard's.
"""

import asyncio
import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from activation_flow import app_first, app_memory, vega
from activation_flow.app_answers import Answers
from activation_flow.app_guard import App, Receive, Scope, Send
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings

FIRST = 10.0  # seconds that Gradio's import waits for the first view
WAIT = 120.0  # seconds that a call waits for Gradio, when it comes before Gradio is there
_AGENTS = "/gradio_api/mcp"

T = TypeVar("T")


class Entrance:
    """Answers by itself until Gradio's app is there, then passes all on to it.

    Attributes:
        failed: why there is no Gradio's app, and never will be.
    """

    def __init__(self, settings: Settings, models: Models, port: int):
        """Begins nothing: see ``prepare``."""
        self.failed: Exception | None = None
        self._settings, self._models, self._port = settings, models, port
        self._answers = Answers(settings, models)
        self._page: App | None = None
        self._ready, self._over = asyncio.Event(), asyncio.Event()
        self._first: list[asyncio.Task[str]] = []

    async def prepare(self, started: Callable[[], None]) -> None:
        """Make the first view, then Gradio's app, and keep that one alive until ``close``."""
        try:
            self._first = self._parts("")
            started()
            # subtle: the view would be late if Gradio's import ran beside it.
            done, _ = await asyncio.wait(self._first, timeout=FIRST)
            for part in done:
                part.result()
            app = await in_thread(self._mounted)
            async with app.router.lifespan_context(app):
                self._page = app
                self._ready.set()
                # What charts are drawn by is made before it is asked for.
                early = asyncio.create_task(in_thread(vega.bundle))
                await self._over.wait()
                early.cancel()
        except Exception as problem:
            self.failed = problem

    def close(self) -> bool:
        """Let Gradio's app end; False if there is none yet."""
        self._over.set()
        return self._page is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"]
        if path == "/afn/ready":
            await _send(send, json.dumps({"ready": self._page is not None}), "application/json")
        elif path == "/afn/vega.js":
            await _send_script(scope, send)
        elif self._page is None and path == "/":
            await self._send_first(scope, send)
        elif await self._has_page():
            assert self._page is not None
            if path == _AGENTS:  # what is mounted there would send its visitors to _AGENTS/
                scope = {**scope, "path": f"{path}/"}
            await self._page(scope, receive, send)
        else:
            await _send(send, "the page is not ready yet; try again\n", "text/plain", status=503)

    async def _has_page(self) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), WAIT)
        return self._page is not None

    async def _send_first(self, scope: Scope, send: Send) -> None:
        """The first view, each part as soon as it is there."""
        query = scope["query_string"].decode("latin-1")
        policy = (b"content-security-policy", app_first.policy().encode())
        about = [(b"content-type", b"text/html; charset=utf-8"), policy]
        await send({"type": "http.response.start", "status": 200, "headers": about})

        async def give(text: str, more: bool = True) -> None:
            body = text.encode(errors="replace")
            await send({"type": "http.response.body", "body": body, "more_body": more})

        if scope["method"] != "HEAD":
            await give(app_first.head(query, self._settings.model))
            for part in self._parts(query) if query or not self._first else self._first:
                await give(await asyncio.shield(part))
        await give("", more=False)

    def _parts(self, query: str) -> list[asyncio.Task[str]]:
        """The parts of a first view as they are made, one after the other."""
        parts = app_first.parts(query, self._answers)

        async def made(before: asyncio.Task[str] | None) -> str:
            if before is not None:
                await before
            return await in_thread(partial(next, parts, ""))

        tasks: list[asyncio.Task[str]] = []
        for _ in range(app_first.PARTS):
            tasks.append(asyncio.create_task(made(tasks[-1] if tasks else None)))
        return tasks

    def _mounted(self) -> Any:
        from activation_flow import app_page

        app = app_page.mounted(self._settings, self._models, self._answers)
        for blocks in _blocks(app):
            app_memory.bound(blocks)
            _calls_of_agents_stay_here(blocks, self._settings, self._port)
        return app


def _blocks(app: Any) -> Iterator[Any]:
    """Gradio's Blocks that are mounted in an app."""
    for route in app.routes:
        if (found := getattr(getattr(route, "app", None), "blocks", None)) is not None:
            yield found


def _calls_of_agents_stay_here(blocks: Any, settings: Settings, port: int) -> None:
    """Say at which address Gradio finds itself.

    What an agent calls, Gradio asks of itself, by HTTP; and it takes its address from the first
    request that comes, whatever that names.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    user = ":".join(quote(part, safe="") for part in settings.auth) + "@" if settings.auth else ""
    if found := getattr(blocks, "mcp_server_obj", None):
        found.postprocess_output_data = _as_json
        found._local_url = f"http://{user}{bracketed(host)}:{port}/"


def _as_json(data: list[Any], _: str) -> list[Any]:
    """What an agent gets: JSON, where Gradio would write down Python's values."""
    from mcp import types

    written = (json.dumps(one, ensure_ascii=False, allow_nan=False) for one in data)
    return [types.TextContent(type="text", text=text) for text in written]


async def in_thread(function: Callable[..., T], *given: Any) -> T:
    """What a function returns or raises, run in a thread that never keeps the process alive."""
    loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        if not done.done():
            set_it(value)

    def work() -> None:
        settled: tuple[Callable[[Any], None], Any]
        try:
            settled = done.set_result, function(*given)
        except BaseException as problem:
            settled = done.set_exception, problem
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *settled)

    threading.Thread(target=work, daemon=True).start()
    result: T = await done
    return result


async def _send(
    send: Send,
    text: str,
    kind: str,
    headers: list[tuple[bytes, bytes]] | None = None,
    status: int = 200,
) -> None:
    body = text.encode()
    about = [
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        *(headers or ()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": about})
    await send({"type": "http.response.body", "body": body})


async def _send_script(scope: Scope, send: Send) -> None:
    """What draws charts, as a file. A browser keeps it, and asks whether it is still the one."""
    # As a script of its own, its top-level names would clash with those of Gradio's.
    text = f"(() => {{{await in_thread(vega.bundle)}\n}})();"
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:24]}"'.encode()
    headers = [(b"etag", tag), (b"cache-control", b"no-cache")]
    same = any(key.lower() == b"if-none-match" and tag in value for key, value in scope["headers"])
    await _send(send, "" if same else text, "text/javascript", headers, 304 if same else 200)


def bracketed(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host else host
