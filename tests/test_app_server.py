"""The server of the page, as a process: there at once, kept to itself, gone when it is told to."""

import base64
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

import activation_flow as af
from activation_flow import app_first, app_server
from activation_flow.app_settings import Settings

pytest.importorskip("gradio")

LINK = "/?view=explore&text=%3Cb%3Eparis%3C%2Fb%3E&layer=2"
BASIC = {"Authorization": "Basic " + base64.b64encode(b"ute:geheim").decode()}
# In the server's process: whatever would reach another machine is written down, and fails.
KEPT_IN = """
import os, socket
def told(what):
    with open(os.environ["AFN_TEST_REACHED"], "a") as file:
        file.write(f"{what}\\n")
    raise OSError(f"not in this test: {what}")
def local(host):
    return host in (None, "", b"", "localhost", "127.0.0.1", "::1", "0.0.0.0")
class Socket(socket.socket):
    def connect(self, address):
        if isinstance(address, tuple) and not local(address[0]): told(address)
        return super().connect(address)
    def connect_ex(self, address):
        if isinstance(address, tuple) and not local(address[0]): told(address)
        return super().connect_ex(address)
resolve = socket.getaddrinfo
def getaddrinfo(host, *given, **named):
    if not local(host): told(host)
    return resolve(host, *given, **named)
socket.socket, socket.getaddrinfo = Socket, getaddrinfo
"""


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Served:
    """A running ``afn app``."""

    def __init__(self, folder: Path, *words: str, port: int = 0, **environ: str):
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(KEPT_IN)
        self.reached, self.temporary = folder / "reached", folder / "temporary"
        self.temporary.mkdir()
        left_out = ("CI", "HF_HUB_OFFLINE", "AFN_DEBUG")
        kept = {name: value for name, value in os.environ.items() if name not in left_out}
        paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {
            "PYTHONPATH": os.pathsep.join(paths),
            "AFN_TEST_REACHED": str(self.reached),
            "TMPDIR": str(self.temporary),
            "HTTP_PROXY": "http://proxy.example:3128",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "activation_flow", "app", "--port", str(port), *words],
            env={**kept, **own, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.line = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/ ", self.line)
        assert found, self.line + self.process.stderr.read()
        self.port = int(found[1])

    def ask(self, path: str, body: object = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            if body is None:
                connection.request("GET", path, headers=named)
            else:
                named["Content-Type"] = "application/json"
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                connection.request("POST", path, data, named)
            reply = connection.getresponse()
            about = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(reply.status, about, reply.read().decode())
        finally:
            connection.close()

    def until_ready(self, **headers: str) -> None:
        deadline = time.monotonic() + 90
        while not json.loads(self.ask("/afn/ready", **headers).text)["ready"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def stop(self, how: signal.Signals) -> tuple[int, str, str, float]:
        """Exit code, stdout, stderr, seconds."""
        start = time.perf_counter()
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err, time.perf_counter() - start


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model on disk, whose engine folder is there."""
    path = tmp_path_factory.mktemp("model") / "bert"
    for part in tiny("bert"):
        part.save_pretrained(path)
    af.Encoder.from_pretrained(str(path))  # made ready
    return str(path)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Of what a server writes."""
    return tmp_path / "served"


@contextlib.contextmanager
def served(*given: object, **named: object) -> Iterator[Served]:
    one = Served(*given, **named)
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            one.process.kill()
        one.process.communicate(timeout=30)


def test_from_the_first_view_to_the_last_signal(model, place):
    """One server, step by step: with a password, and open to agents."""
    with served(place, "-m", model, "--mcp", AFN_AUTH="ute:geheim") as page:
        # The first view, while Gradio is being imported: of the example, and of a link.
        assert page.ask("/").status == 401
        first = page.ask("/", **BASIC)
        assert first.status == 200
        assert "afn-strip" in first.text
        assert "<svg" in first.text
        assert "Who is the prime minister of Canada?" in first.text
        assert "gradio" not in first.text
        assert "Opening " in first.text
        linked = page.ask(LINK, **BASIC)
        assert "layer 2" in linked.text
        assert "&lt;b&gt;paris&lt;/b&gt;" in linked.text
        assert "<b>paris" not in linked.text
        assert "script-src 'sha256-" in linked.headers["content-security-policy"]

        # Then Gradio's page, under the same address.
        page.until_ready(**BASIC)
        whole = page.ask(LINK, **BASIC)
        assert "window.gradio_config" in whole.text
        assert "script-src 'self'" in whole.headers["content-security-policy"]
        script = page.ask("/afn/vega.js", **BASIC)
        assert "vegaEmbed" in script.text
        again = page.ask("/afn/vega.js", If_None_Match=script.headers["etag"], **BASIC)
        assert (again.status, again.text) == (304, "")

        # Its calls come through, and an answer streams.
        asked = page.ask(
            "/gradio_api/call/strength", {"data": [["paris"], "", "", 0.75, False]}, **BASIC
        )
        event = json.loads(asked.text)["event_id"]
        few = page.ask("/gradio_api/call/strength", {"data": [["paris"]]}, **BASIC)
        assert (few.status, json.loads(few.text)["error"][:20]) == (422, '"data" holds 1 of 5 ')
        assert "event: complete" in page.ask(f"/gradio_api/call/strength/{event}", **BASIC).text

        # An agent's call stays in this machine, whatever address it says it came to.
        call = {"name": "strength", "arguments": {"texts": ["paris"]}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        accept = {"Accept": "application/json, text/event-stream"}
        said = {"X_Forwarded_Host": "evil.example", **accept}
        assert page.ask("/gradio_api/mcp", message, **said).status == 401
        told = page.ask("/gradio_api/mcp", message, **said, **BASIC)
        assert '"isError":false' in told.text
        assert "paris" in told.text

        # What is not for it is refused, here too.
        assert page.ask("/gradio_api/upload", {}, **BASIC).status == 404
        assert page.ask("/", Host="evil.example", **BASIC).status == 421
        # Refused by what it says of its size: of one that is sent, the answer may get lost.
        large = page.ask("/gradio_api/queue/join", b"", Content_Length="1000001", **BASIC)
        assert large.text == "a request may have 1,000,000 bytes\n"

        # It ends at once, while a browser listens, and leaves nothing behind.
        with socket.create_connection(("127.0.0.1", page.port)) as stream:
            head = f"Host: localhost\r\nAuthorization: {BASIC['Authorization']}\r\n\r\n"
            stream.sendall(b"GET /gradio_api/heartbeat/abc HTTP/1.1\r\n" + head.encode())
            assert b"ALIVE" in stream.recv(9_999) + stream.recv(9_999)
            code, out, err, seconds = page.stop(signal.SIGTERM)
        assert (code, out, err) == (0, "", "")
        assert seconds < 10
        assert page.line.startswith("Activation Flow is at http://127.0.0.1:")
        assert "geheim" not in page.line
        assert [*page.temporary.iterdir()] == []
        assert not page.reached.exists(), page.reached.read_text()


def test_it_is_killed_starts_again_and_is_interrupted_before_it_is_ready(model, place):
    # With a model that cannot be had, which is said on the page.
    with served(place, "-m", "/no/such/model") as page:
        first = page.ask("/")
        assert first.status == 200
        found = re.search('role="alert">(.*?)</p>', first.text)
        assert found
        assert "/no/such/model" in found[1]
        page.process.kill()
        page.process.wait(30)
    with served(place.with_name("again"), "-m", model, port=page.port) as again:
        assert again.port == page.port
        assert "afn-strip" in again.ask("/").text
        # The page cannot be had by other ways meanwhile: they wait, and end with the server.
        with socket.create_connection(("127.0.0.1", again.port)) as waiting:
            waiting.sendall(b"GET /config HTTP/1.1\r\nHost: localhost\r\n\r\n")
            code, out, err, seconds = again.stop(signal.SIGINT)
        assert (code, out, err) == (130, "", "afn: interrupted\n")
        assert seconds < 10
        assert [*again.temporary.iterdir()] == []


# before there is a server


def test_a_port_that_is_taken(afn):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, out, err = afn("app", "--port", str(port))
    assert (code, out) == (1, "")
    assert err == (
        f"afn: 127.0.0.1:{port} is taken, perhaps by another afn app; "
        f"give another port: --port {port + 1}\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 lets other machines in: give --auth"),
        (["--auth", "ute"], "--auth takes USER:PASSWORD"),
        (["--auth", ":x"], "--auth takes USER:PASSWORD"),
        (["--run", "/no/such"], "--run /no/such: there is no such folder"),
        (["--host", "no such host", "--auth", "a:b"], "cannot listen at no such host:7860"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(afn, words, message):
    code, out, err = afn("app", *words)
    assert (code, out) == (1, "")
    assert message in err


@pytest.mark.parametrize("words", [["--port", "65536"], ["--max-chars", "0"], ["--port", "x"]])
def test_a_wrong_number_is_wrong_usage(afn, words):
    code, _, err = afn("app", *words)
    assert code == 2
    assert words[0] in err


def test_the_extra_is_named_where_it_is_missing(afn, monkeypatch):
    find = app_server.importlib.util.find_spec

    def without(name: str) -> object:
        return None if name == "gradio" else find(name)

    monkeypatch.setattr(app_server.importlib.util, "find_spec", without)
    code, _, err = afn("app")
    assert code == 1
    assert 'pip install "activation-flow[app]"' in err


def test_a_page_that_cannot_be_made_ends_the_server(monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("no page today")

    page = SimpleNamespace(mounted=broken)  # not the real one: it imports Gradio
    monkeypatch.setitem(sys.modules, "activation_flow.app_page", page)
    monkeypatch.setattr(af, "app_page", page, raising=False)
    monkeypatch.setattr(app_first, "parts", lambda *_: iter([]))
    with pytest.raises(RuntimeError, match="no page today"):
        app_server.serve(Settings(model="minilm", port=0), debug=True)
