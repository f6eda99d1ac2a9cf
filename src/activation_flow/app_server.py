"""The server of ``afn app``: there at once with a first view, while Gradio is being imported.

One process, one port. What may be asked stands in app_guard, what is shown in app_page.
"""

import asyncio
import contextlib
import errno
import hashlib
import importlib.util
import json
import logging
import os
import signal
import socket
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from activation_flow import app_first, app_folder, app_memory, hub, vega
from activation_flow.app_answers import Answers
from activation_flow.app_guard import App, Guard, Receive, Scope, Send
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings
from activation_flow.data import ActivationFlowError

log = logging.getLogger("activation_flow")

CONNECTIONS = 1_000  # open at once; further ones are told that the server is busy
FIRST = 10.0  # seconds that Gradio's import waits for the first view
WAIT = 120.0  # seconds that a call waits for Gradio, when it comes before Gradio is there
_AGENTS = "/gradio_api/mcp"
_SILENT = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "mcp", "httpx", "asyncio")

T = TypeVar("T")


def serve(settings: Settings, *, open_browser: bool = False, debug: bool = False) -> None:
    """Serve the page until Ctrl-C (``KeyboardInterrupt``) or SIGTERM (``SystemExit(0)``).

    Args:
        settings: where, to whom, which models.
        open_browser: show it in the person's browser.
        debug: let Gradio and the server print what they have to say.

    Raises:
        ActivationFlowError: the extra is not installed, or the address cannot be had.
    """
    _check_installed()
    with _stopped_by_sigterm(), _bound(settings) as listening, _surroundings(debug) as files:
        port = listening.getsockname()[1]
        url = f"http://{_shown(settings.host)}:{port}/"
        models = Models(settings)
        entrance = Entrance(settings, models, port)
        code = _run(Guard(entrance, settings, files), entrance, listening, _tell(url, open_browser))
    if entrance.failed is not None:
        raise entrance.failed
    if code == signal.SIGINT:
        raise KeyboardInterrupt
    if code == signal.SIGTERM:
        raise SystemExit(0)


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
        found._local_url = f"http://{user}{_bracketed(host)}:{port}/"


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


def _run(app: App, entrance: Entrance, listening: socket.socket, tell: Callable[[], None]) -> int:
    """Serve; the signal that ended it, or 0."""
    import uvicorn

    class Server(uvicorn.Server):
        """Notes the signal; uvicorn's own would raise it once more, inside asyncio."""

        stopped_by = 0

        def handle_exit(self, sig: int, frame: Any) -> None:
            self.stopped_by, self.should_exit = sig, True

    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=0,  # streams to browsers stay open for ever
    )
    server = Server(config)

    async def main() -> None:
        async def prepare() -> None:
            await entrance.prepare(tell)
            server.should_exit = True

        preparing = asyncio.create_task(prepare())
        await server.serve(sockets=[listening])
        if not entrance.close():
            preparing.cancel()
        await asyncio.wait([preparing], timeout=1)

    asyncio.run(main())
    return server.stopped_by


def _tell(url: str, open_browser: bool) -> Callable[[], None]:
    def tell() -> None:
        log.info("Activation Flow is at %s (Ctrl-C stops it)", url)
        if open_browser:
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    return tell


def _check_installed() -> None:
    if any(importlib.util.find_spec(name) is None for name in ("gradio", "uvicorn", "fastapi")):
        raise ActivationFlowError(
            'the page needs more packages: pip install "activation-flow[app]"'
        )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown(host: str) -> str:
    """The host of the address that a person opens on this machine."""
    return _bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))


def _bound(settings: Settings) -> socket.socket:
    """A socket that listens at the address; at once after a crash, too.

    Raises:
        ActivationFlowError: it is taken, or it is none of this machine's.
    """
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, *_, address = found[0]
        return socket.create_server(address[:2], family=family, backlog=512)
    except (OSError, UnicodeError) as problem:
        where = f"{_bracketed(settings.host)}:{settings.port}"
        raise _cannot_listen(where, settings.port, problem) from problem


def _cannot_listen(where: str, port: int, problem: Exception) -> ActivationFlowError:
    number = getattr(problem, "errno", None)
    if number == errno.EADDRINUSE:
        return ActivationFlowError(
            f"{where} is taken, perhaps by another afn app; give another port: --port {port + 1}"
        )
    if number in (errno.EACCES, errno.EPERM):
        return ActivationFlowError(f"{where}: a port below 1024 is not for users; --port 7860")
    why = getattr(problem, "strerror", None) or problem
    return ActivationFlowError(
        f"cannot listen at {where}: {why}; --host takes an address of this machine"
    )


@contextlib.contextmanager
def _surroundings(debug: bool) -> Iterator[str]:
    """What Gradio is to find when it is imported: no telemetry, a folder of its own, silence.

    Yields:
        The folder that Gradio gives files out of; it is private, and removed at the end.
    """
    hub.no_telemetry()
    with app_folder.private() as files:
        os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_TEMP_DIR=files)
        # A proxy that this machine goes out by is not asked for this machine itself.
        here = ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1,localhost,::1")))
        os.environ.update(NO_PROXY=here, no_proxy=here)
        if debug:
            yield files
            return
        warnings.simplefilter("ignore")
        for name in _SILENT:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        with (
            open(os.devnull, "w", encoding="utf-8") as no,
            contextlib.redirect_stdout(no),
            _no_tracebacks(),
        ):
            yield files


@contextlib.contextmanager
def _no_tracebacks() -> Iterator[None]:
    """Gradio prints one for each request that fails; the bars of downloads stay, on stderr, too."""
    before = traceback.print_exc
    traceback.print_exc = lambda *_, **__: None
    try:
        yield
    finally:
        traceback.print_exc = before


@contextlib.contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM unwinds like Ctrl-C, before the server takes it over and after."""

    def stop(*_: object) -> None:
        raise SystemExit(0)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
