"""The server of ``afn app``: one process, one port, and what Gradio finds around it.

What may be asked stands in app_guard, what answers in app_entrance.
"""

import asyncio
import contextlib
import errno
import importlib.util
import logging
import os
import signal
import socket
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from activation_flow import app_folder, hub
from activation_flow.app_entrance import Entrance, bracketed
from activation_flow.app_guard import App, Guard
from activation_flow.app_models import Models
from activation_flow.app_settings import Settings
from activation_flow.data import ActivationFlowError

log = logging.getLogger("activation_flow")

CONNECTIONS = 1_000  # open at once; further ones are told that the server is busy
_SILENT = ("uvicorn", "uvicorn.error", "uvicorn.asgi", "mcp", "httpx", "asyncio")


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


def _shown(host: str) -> str:
    """The host of the address that a person opens on this machine."""
    return bracketed({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host))


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
        where = f"{bracketed(settings.host)}:{settings.port}"
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
