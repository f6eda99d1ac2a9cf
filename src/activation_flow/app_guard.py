"""What stands before the page: who may ask, for what, how much; and what browsers may do with it.

Pure ASGI: knows no Gradio but for its paths, and holds no response back.
"""

import asyncio
import base64
import binascii
import hmac
import json
import os.path
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from activation_flow import app_arguments
from activation_flow.app_settings import LOCAL, Settings
from activation_flow.data import ActivationFlowError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

BODY = 1_000_000  # bytes of a request
PATIENCE = 20.0  # seconds that a request may take to arrive
PENALTY = 0.5  # seconds that a wrong password costs, one after the other

# Gradio's page needs these and no more. Not here: uploads, its proxy, streams, deep links, its
# dashboards, recordings, components' own servers, its editor, and calls past the queue (run, api).
_READ = ("GET", "HEAD")
_SESSION = "[A-Za-z0-9_-]{1,64}"
PAGE: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (methods, re.compile(path))
    for methods, path in (
        (_READ, "/"),
        (_READ, "/(config|theme\\.css|favicon\\.ico|manifest\\.json|robots\\.txt)/?"),
        (_READ, "/(assets|static)/[^\\0]+"),
        (_READ, "/afn/(ready|[a-z]+\\.(js|css))"),
        (_READ, "/gradio_api/(info|openapi\\.json|app_id|user|theme\\.css)/?"),
        (_READ, f"/gradio_api/heartbeat/{_SESSION}"),
        (("GET",), "/gradio_api/queue/data"),
        (("POST",), "/gradio_api/queue/join/?"),
        (("POST",), "/gradio_api/(cancel|reset)/?"),
        (("POST",), "/gradio_api/call/(v2/)?[a-z0-9_]+/?"),
        (("GET",), "/gradio_api/call/(v2/)?[a-z0-9_]+/[a-z0-9]+"),
    )
)
MCP = re.compile("/gradio_api/mcp(/|/http/?|/schema/?|/sse/?|/messages/?)?")
FILE = "/gradio_api/file="
# May be kept by a browser: they hold no text of anyone.
KEPT = re.compile("/(assets|static)/.*|/afn/[a-z]+\\.(js|css)|/theme\\.css|/favicon\\.ico")

# Gradio's page has scripts and styles in it; Vega compiles expressions. Nothing is loaded from, or
# sent to, any other host.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' data: blob:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
OF_FILES = "default-src 'none'; sandbox"  # a saved page does not run as a part of this one
_ALWAYS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",  # links hold texts
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"x-frame-options": b"DENY",
}


class _Refused(Exception):
    """A request is not answered."""

    def __init__(self, status: int, why: str, headers: Headers | None = None):
        super().__init__(why)
        self.status, self.why, self.headers = status, why, headers or []


class Guard:
    """Refuses in plain words, or passes on to the page.

    A page on another site that the same person has open must not be able to use this one: hence
    the rules for Host (names that are made to point here), Origin and Sec-Fetch-Site.
    """

    def __init__(self, app: App, settings: Settings, files: str | None = None):
        """Files are given out of this folder only; None gives none."""
        self._app, self._settings = app, settings
        self._files = None if files is None else os.path.join(os.path.realpath(files), "")
        self._wrong = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks through a WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        send = _with_headers(scope["path"], send)
        try:
            _check_host(scope, self._settings)
            _check_origin(scope)
            await self._check_user(scope)
            self._check_path(scope["method"], scope["path"])
            body = await asyncio.wait_for(_body(scope, receive), PATIENCE)
            app_arguments.check(scope["method"], scope["path"], body)
        except _Refused as refused:
            await _answer(send, refused)
        except ActivationFlowError as problem:
            await _answer_json(send, 422, {"error": str(problem)})
        except TimeoutError:
            await _answer(send, _Refused(408, "the request did not arrive in time"))
        else:
            # What a proxy would say of itself: Gradio would take its own address from there, and
            # send the calls of agents to it.
            headers = [(k, v) for k, v in scope["headers"] if not _of_proxy(k)]
            await self._app({**scope, "headers": headers}, _again(body, receive), send)

    async def _check_user(self, scope: Scope) -> None:
        if self._settings.auth is None:
            return
        given = _all(scope, b"authorization")
        if given and _same(given[0], self._settings.auth):
            return
        if given:
            async with self._wrong:  # all that guess wait for each other; who is right does not
                await asyncio.sleep(PENALTY)
        ask = (b"www-authenticate", b'Basic realm="activation-flow", charset="UTF-8"')
        why = "wrong user or password" if given else "this page asks for a user and a password"
        raise _Refused(401, why, [ask])

    def _check_path(self, method: str, path: str) -> None:
        allowed = {m for methods, pattern in PAGE if pattern.fullmatch(path) for m in methods}
        if path.startswith(FILE) and self._own_file(path.removeprefix(FILE)):
            allowed.update(_READ)
        if self._settings.mcp and MCP.fullmatch(path):
            allowed.update((*_READ, "POST", "DELETE"))
        if not allowed:
            raise _Refused(404, "there is nothing here; the page is at /")
        if method not in allowed:
            listed = ", ".join(sorted(allowed))
            raise _Refused(405, f"only {listed} here", [(b"allow", listed.encode())])

    def _own_file(self, path: str) -> bool:
        """Whether it lies in the folder of files, whatever links and dots are in its name."""
        try:
            return self._files is not None and os.path.realpath(path).startswith(self._files)
        except (OSError, ValueError):
            return False


def _check_host(scope: Scope, settings: Settings) -> None:
    """The name that a browser knows the page by.

    A name of another site that points to this machine (DNS rebinding) would make that site's pages
    of one origin with this one. Beyond this machine there is a password for that.
    """
    given = _all(scope, b"host")
    if len(given) != 1:
        raise _Refused(400, "a request names one host")
    name = _name(given[0])
    if settings.local and name not in LOCAL:
        raise _Refused(
            421, f"this page is served to this machine, as {' or '.join(LOCAL)}; not as {name!r}"
        )


def _check_origin(scope: Scope) -> None:
    (host,) = _all(scope, b"host")
    for origin in _all(scope, b"origin"):
        if origin.partition("://")[2].lower() != host.lower():
            raise _Refused(403, f"pages of {origin[:100]!r} may not use this one")
    # Images and scripts of other sites come without an Origin. A link may be followed.
    sites, modes = _all(scope, b"sec-fetch-site"), _all(scope, b"sec-fetch-mode")
    if {*sites} & {"cross-site", "same-site"} and modes != ["navigate"]:
        raise _Refused(403, "pages of other sites may not use this one")


def _all(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _name(host: str) -> str:
    """A host without its port.

    >>> _name("[::1]:7860"), _name("LocalHost:80"), _name("::1"), _name("[::1")
    ('::1', 'localhost', '::1', '[::1')
    """
    if found := re.fullmatch(r"\[([^\]]*)\](:\d*)?", host):
        return found[1].lower()
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() and ":" not in name else host).lower()


def _same(given: str, auth: tuple[str, str]) -> bool:
    """Whether an Authorization header (HTTP Basic) is of this user; takes as long if not."""
    scheme, _, rest = given.partition(" ")
    try:
        said = base64.b64decode(rest.strip(), validate=True)
    except (binascii.Error, ValueError):
        said = b""
    right = hmac.compare_digest(said, ":".join(auth).encode())
    return right and scheme.lower() == "basic"


def _of_proxy(name: bytes) -> bool:
    name = name.lower()
    return name.startswith((b"x-forwarded", b"x-direct-url", b"x-gradio-server")) or name in (
        b"forwarded",
        b"x-original-url",
        b"x-rewrite-url",
    )


async def _body(scope: Scope, receive: Receive) -> bytes:
    """All of it: it is small, or refused."""
    too_large = _Refused(413, f"a request may have {BODY:,} bytes")
    if any(int(said) > BODY for said in _all(scope, b"content-length") if said.isdecimal()):
        raise too_large
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the request ended too early")
        body += message.get("body", b"")
        if len(body) > BODY:
            raise too_large
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives what has been read, then waits for the end of the connection."""
    given = False

    async def read() -> Message:
        nonlocal given
        if not given:
            given = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return read


def _with_headers(path: str, send: Send) -> Send:
    """Adds the rules for browsers; those that an answer brings itself are stricter, and stay."""

    async def start(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Headers = [*message.get("headers", ())]
            if not KEPT.fullmatch(path) or message["status"] >= 400:
                headers = [*_without(headers, b"cache-control"), (b"cache-control", b"no-store")]
            held = {name.lower() for name, _ in headers}
            policy = OF_FILES if path.startswith(FILE) else POLICY
            wanted = {**_ALWAYS, b"content-security-policy": policy.encode()}
            headers.extend((name, value) for name, value in wanted.items() if name not in held)
            message = {**message, "headers": headers}
        await send(message)

    return start


def _without(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> Headers:
    return [(key, value) for key, value in headers if key.lower() != name]


async def _answer(send: Send, refused: _Refused) -> None:
    body = f"{refused.why}\n".encode(errors="replace")
    # What is left of the request is not read.
    headers = [(b"connection", b"close"), *refused.headers]
    await _send(send, refused.status, b"text/plain; charset=utf-8", body, headers)


async def _answer_json(send: Send, status: int, said: object) -> None:
    await _send(send, status, b"application/json", json.dumps(said).encode(), [])


async def _send(send: Send, status: int, kind: bytes, body: bytes, headers: Headers) -> None:
    about = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": about})
    await send({"type": "http.response.body", "body": body})
