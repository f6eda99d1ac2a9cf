"""What is refused before the page is asked, rule by rule; what an answer tells the browser."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from activation_flow import app_guard
from activation_flow.app_guard import Guard
from activation_flow.app_settings import Settings

LOCAL = Settings(model="minilm")
REMOTE = Settings(model="minilm", host="0.0.0.0", auth=("ute", "gäste:1"))


class Answer:
    """Status, headers and text; the request that came through, if one did."""

    def __init__(self) -> None:
        self.status, self.headers, self.body, self.passed = 0, {}, b"", None
        self.sent: list[dict] = []

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(
    path: str = "/",
    settings: Settings = LOCAL,
    method: str = "GET",
    body: list[bytes] | None = None,
    files: str | None = None,
    kind: str = "http",
    answer: tuple[tuple[bytes, bytes], ...] = (),
    **given: str | None,
) -> Answer:
    """One request; headers by name, None leaves one out."""
    found = Answer()
    named = {"host": "127.0.0.1:7860", **{k.replace("_", "-"): v for k, v in given.items()}}
    headers = [(k.encode(), v.encode()) for k, v in named.items() if v is not None]
    pieces = body or [b""]
    coming = [
        {"type": "http.request", "body": piece, "more_body": n < len(pieces)}
        for n, piece in enumerate(pieces, 1)
    ]

    async def receive() -> dict:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        found.sent.append(message)
        if message["type"] == "http.response.start":
            found.status = message["status"]
            found.headers = {k.decode().lower(): v.decode() for k, v in message["headers"]}
        found.body += message.get("body", b"")

    async def app(scope: dict, receive: object, send: object) -> None:
        read = await receive()
        found.passed = {**scope, "body": read["body"]}
        start = {"type": "http.response.start", "status": 200, "headers": [*answer]}
        await send(start)
        await send({"type": "http.response.body", "body": b"page"})

    scope = {"type": kind, "method": method, "path": path, "headers": headers}
    asyncio.run(Guard(app, settings, files)(scope, receive, send))
    return found


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


# (a) Host


@pytest.mark.parametrize(
    "host", ["127.0.0.1:7860", "localhost:8000", "[::1]:7860", "LOCALHOST", "127.0.0.1"]
)
def test_this_machine_is_known_by_its_names_at_any_port(host):
    assert ask(host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example:7860", "127.0.0.1.evil.example", "localhost.evil.example:7860"),
        *("", "127.0.0.1:7860@evil.example", "evil.example:127.0.0.1", "[::1].evil.example"),
        *("0.0.0.0:7860", "localhost:7860:1", "[::1"),
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(host):
    found = ask(host=host)
    assert (found.status, found.passed) == (421, None)
    assert "served to this machine, as 127.0.0.1 or localhost" in found.text


def test_a_request_names_one_host():
    assert ask(host=None).status == 400
    assert ask(Host="localhost").status == 400  # beside the other one


def test_beyond_this_machine_any_name_will_do_with_the_password():
    assert (
        ask(settings=REMOTE, host="lab.example", authorization=basic("ute:gäste:1")).status == 200
    )


# (b) Origin


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_page_itself_may_ask(scheme):
    assert ask(origin=f"{scheme}://127.0.0.1:7860").status == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("https://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:7860"),
        *("", "http://127.0.0.1", "http://127.0.0.1:7860.evil.example", "file://"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "OPTIONS"])
def test_another_page_may_not(origin, method):
    found = ask("/gradio_api/queue/join", method=method, origin=origin)
    assert (found.status, found.passed) == (403, None)
    assert "may not use this one" in found.text
    assert not any(name.startswith("access-control") for name in found.headers)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_may_be_followed_but_nothing_else_from_another_site(site):
    assert ask(sec_fetch_site=site, sec_fetch_mode="navigate").status == 200
    for mode in ("no-cors", "cors", None):
        assert ask("/config", sec_fetch_site=site, sec_fetch_mode=mode).status == 403
    assert ask("/config", sec_fetch_site="same-origin", sec_fetch_mode="cors").status == 200
    assert ask("/config", sec_fetch_site="none", sec_fetch_mode="no-cors").status == 200


# user and password


def test_a_password_is_asked_for_everything_also_what_is_not_there():
    for path in ("/", "/config", "/afn/ready", "/gradio_api/mcp", "/assets/x.js", "/nothing"):
        found = ask(path, REMOTE)
        assert (found.status, found.passed) == (401, None)
        assert found.headers["www-authenticate"].startswith("Basic ")
        assert "asks for a user and a password" in found.text


@pytest.mark.parametrize(
    "given",
    [
        *(basic("ute:wrong"), basic("ute"), basic(""), basic("ute:gäste:12"), "Basic !!"),
        *("Bearer x", "", basic("UTE:gäste:1"), basic("ute:gäste:1").replace("Basic", "Digest")),
    ],
)
def test_a_wrong_password_is_refused(given, monkeypatch):
    monkeypatch.setattr(app_guard, "PENALTY", 0)
    found = ask(settings=REMOTE, authorization=given)
    assert (found.status, found.passed) == (401, None)
    assert "gäste" not in found.text


def test_who_guesses_waits(monkeypatch):
    monkeypatch.setattr(app_guard, "PENALTY", 0.05)
    start = time.perf_counter()
    ask(settings=REMOTE, authorization=basic("ute:wrong"))
    assert time.perf_counter() - start >= 0.05


# (c) what there is


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/config", "/theme.css", "/assets/a-b.js", "/static/img/logo.svg", "/favicon.ico"),
        *(
            "/afn/ready",
            "/afn/vega.js",
            "/afn/app.js",
            "/gradio_api/info",
            "/gradio_api/heartbeat/ab12",
        ),
        *("/gradio_api/queue/data", "/gradio_api/call/strength/0123abc"),
        "/gradio_api/call/v2/strength/0123abc",
    ],
)
def test_what_the_page_reads_is_there(path):
    assert ask(path).status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/reset"),
        *("/gradio_api/call/strength", "/gradio_api/call/v2/strength"),
    ],
)
def test_what_the_page_sends_is_there(path):
    asked = {
        "call/strength": b'{"data": [["a"], "", "", 0.5, false]}',
        "call/v2/strength": b'{"texts": []}',
    }
    body = asked.get(path.removeprefix("/gradio_api/"), b"{}")
    assert ask(path, method="POST", body=[body]).status == 200
    refused = ask(path, method="DELETE")
    assert refused.status == 405
    assert "POST" in refused.headers["allow"]


@pytest.mark.parametrize(
    "path",
    [
        *("upload", "upload_progress", "proxy=http://evil.example", "proxy=x", "deep_link"),
        *("file=http://evil.example/x", "file=/etc/passwd", "file/etc/passwd", "file="),
        *("stream/1", "stream/a/b/1/playlist.m3u8", "component_server", "process_recording"),
        *("vibe-edit/", "vibe-code", "undo-vibe-edit", "vibe-starter-queries", "dev/reload"),
        *("custom_component/a/client/b/c.js", "run-history/records", "run-history/connect"),
        *("runs", "run/strength", "api/strength", "token", "startup-events", "profiling/traces"),
        *("mcp", "mcp/sse", "login_check", "call/strength/../../upload", "heartbeat/a/b"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_the_page_never_needs_is_not_there(path, method, tmp_path):
    found = ask(f"/gradio_api/{path}", method=method, files=str(tmp_path))
    assert (found.status, found.passed) == (404, None)


@pytest.mark.parametrize(
    "path", ["/monitoring", "/monitoring/summary", "/svelte/x.js", "/docs", "/login", "/pwa_icon"]
)
def test_nor_is_what_stands_beside_it(path):
    assert ask(path).status == 404


def test_agents_are_let_in_where_that_was_asked_for():
    open_to_agents = Settings(model="minilm", mcp=True)
    for path in ("", "/", "/http", "/sse", "/messages/", "/schema"):
        assert ask(f"/gradio_api/mcp{path}", open_to_agents, method="POST").status == 200
    assert ask("/gradio_api/mcpx", open_to_agents).status == 404


def test_files_come_out_of_one_folder(tmp_path):
    folder, other = tmp_path / "files", tmp_path / "files2"
    for place in (folder, other):
        place.mkdir()
        (place / "a.html").write_text("x")
    (folder / "link").symlink_to(other / "a.html")
    path = f"/gradio_api/file={folder}"
    found = ask(f"{path}/a.html", files=str(folder))
    assert found.status == 200
    assert "sandbox" in found.headers["content-security-policy"]
    for wrong in ("/../files2/a.html", "/link", "2/a.html", "", "/", "/a\0.html"):
        assert ask(path + wrong, files=str(folder)).status == 404, wrong
    assert ask(f"{path}/a.html").status == 404


def test_a_websocket_is_closed():
    assert ask(kind="websocket").sent == [{"type": "websocket.close", "code": 1008}]


# (d) how much


def test_a_body_comes_through_whole(monkeypatch):
    pieces = [b"a" * 400_000, b"", b"b" * 600_000]
    found = ask("/gradio_api/queue/join", method="POST", body=pieces)
    assert found.passed["body"] == b"".join(pieces)


def test_a_body_is_bounded_as_announced_and_as_it_comes():
    for given in ({"content_length": "1000001"}, {"body": [b"a" * 500_001] * 2}):
        found = ask("/gradio_api/queue/join", method="POST", **given)
        assert (found.status, found.passed) == (413, None)
        assert found.text == "a request may have 1,000,000 bytes\n"


def test_a_body_that_never_comes_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(app_guard, "PATIENCE", 0.02)
    sent = []

    async def main() -> None:
        async def receive() -> dict:
            await asyncio.sleep(9)
            return {}

        async def send(message: dict) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"::1")]}
        await Guard(send, LOCAL)(scope, receive, send)

    asyncio.run(main())
    assert sent[0]["status"] == 408


# (e) what a browser is told


def test_nothing_is_loaded_from_any_other_host():
    policy = ask().headers["content-security-policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'self'"
    assert rules["frame-ancestors"] == "'none'"
    own = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    assert {word for rule in rules.values() for word in rule.split()} <= own
    assert "data:" not in rules["script-src"]


def test_a_stricter_rule_of_an_answer_stays():
    own = ask(answer=((b"Content-Security-Policy", b"default-src 'none'"),))
    assert own.headers["content-security-policy"] == "default-src 'none'"


@pytest.mark.parametrize("path", ["/", "/upload"])
def test_every_answer_tells_a_browser_to_be_careful(path):
    found = ask(path).headers
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "no-referrer"
    assert found["cross-origin-resource-policy"] == "same-origin"


def test_texts_are_not_kept_by_a_browser_but_scripts_are():
    kept = ((b"cache-control", b"public, max-age=9"),)
    for path in ("/", "/config", "/gradio_api/queue/data"):
        assert ask(path, answer=kept).headers["cache-control"] == "no-store"
    for path in ("/assets/a.js", "/afn/vega.js", "/theme.css"):
        assert ask(path, answer=kept).headers["cache-control"] == "public, max-age=9"


# what comes through


def test_what_a_proxy_says_of_itself_is_not_believed():
    found = ask(
        x_forwarded_host="evil.example", x_forwarded_proto="https", forwarded="a", accept="b"
    )
    assert sorted(name for name, _ in found.passed["headers"]) == [b"accept", b"host"]


def test_a_stream_is_not_held_back():
    """Each piece of an answer is sent before the next one is made."""
    seen: list[object] = []

    async def pieces() -> AsyncIterator[bytes]:
        for n in range(3):
            seen.append(f"made {n}")
            yield b"data\n\n"

    async def app(scope: object, receive: object, send: object) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        async for piece in pieces():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    async def main() -> None:
        first = [{"type": "http.request", "body": b""}]

        async def receive() -> dict:
            return first.pop() if first else {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            seen.append(message["type"].rpartition(".")[2])

        path = "/gradio_api/queue/data"
        scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"::1")]}
        await Guard(app, LOCAL)(scope, receive, send)

    asyncio.run(main())
    assert seen == ["start", *(x for n in range(3) for x in (f"made {n}", "body"))]


def test_beginning_and_end_of_the_server_come_through():
    seen = []

    async def app(scope: dict, *_: object) -> None:
        seen.append(scope["type"])

    asyncio.run(Guard(app, LOCAL)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]


def test_the_folder_of_files_may_be_a_link(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "a").write_text("x")
    for place in ("real", "link"):
        assert ask(f"/gradio_api/file={tmp_path}/{place}/a", files=f"{tmp_path}/link").status == 200


def test_arguments_that_do_not_fit_are_refused_in_words_before_the_call():
    found = ask("/gradio_api/call/v2/shift", method="POST", body=[b'{"a": "x"}'])
    assert (found.status, found.passed) == (422, None)
    assert found.headers["content-type"] == "application/json"
    assert found.text.startswith('{"error": "shift needs \'b\'; it takes a, b, model (optional), ')
