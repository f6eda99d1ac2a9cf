"""A headless Chromium and the few words of its DevTools protocol that the tests need.

It is driven through two pipes (``--remote-debugging-pipe``: messages that end in a zero byte), so
no port is opened and nothing is installed. Nothing of it is left behind when ``close`` returns.
"""

import base64
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TIMEOUT = 20  # seconds for any answer; the machine may be busy
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-quic"),
    *("--disable-background-networking", "--no-first-run", "--disable-gpu"),
    *("--disable-dev-shm-usage", "--force-color-profile=srgb", "--disable-component-update"),
)
# The browser finds its pipes at 3 and 4. A process of our own puts them there: preexec_fn is not
# safe where threads run, and dash knows no descriptors above 9.
PIPES = "import os, sys; r, w, *c = sys.argv[1:]; os.dup2(int(r), 3); os.dup2(int(w), 4); "
PIPES += "os.execvp(c[0], c)"
SEEN = "addEventListener('securitypolicyviolation', e => console.error('CSP', e.blockedURI));"


def find() -> str | None:
    """The path of a Chromium."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One browser with a profile of its own."""

    def __init__(self, command: str):
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours, theirs = os.pipe(), os.pipe()  # (read, write): what it reads, what it writes
        # Both above 4, so that putting one in its place does not close the other.
        read, write = (_above(fd) for fd in (ours[0], theirs[1]))
        folder = [f"--user-data-dir={self._profile.name}"]
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", PIPES, str(read), str(write), command, *FLAGS, *folder],
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for fd in (read, write):
            os.close(fd)
        self._to, self._from = ours[1], theirs[0]
        self._rest, self._count = b"", 0
        self.events: list[dict] = []

    def call(self, method: str, session: str | None = None, **params: object) -> dict:
        """Ask for something, and wait for the answer; what comes meanwhile is kept in events."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to, data) :]
        deadline = time.monotonic() + TIMEOUT
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def listen(self, seconds: float) -> None:
        """Keep whatever comes in that time."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if b"\0" in self._rest or select.select([self._from], [], [], left)[0]:
                self.events.append(self._next(deadline + TIMEOUT, "listen"))

    def _next(self, deadline: float, waiting: str) -> dict:
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise TimeoutError(f"the browser did not answer: {waiting}")
            piece = os.read(self._from, 1 << 20)
            if not piece:
                raise RuntimeError(f"the browser is gone: {waiting}")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path | str, **how: object) -> "Page":
        """A file in a tab of its own, with the network off; see Page."""
        return Page(self, Path(path).resolve().as_uri(), **how)

    def close(self) -> None:
        """End the browser and all that it has started, and remove its profile."""
        try:
            self.call("Browser.close")
            self._process.wait(10)
        except (OSError, RuntimeError, TimeoutError, subprocess.TimeoutExpired):
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            os.close(self._to)
            os.close(self._from)
            self._profile.cleanup()


def _above(fd: int) -> int:
    import fcntl

    high = fcntl.fcntl(fd, fcntl.F_DUPFD, 10)
    os.close(fd)
    return high


class Page:
    """A loaded page; what it did that it should not is in ``problems``."""

    def __init__(
        self,
        browser: Browser,
        url: str,
        *,
        dark: bool = False,
        width: int = 1000,
        height: int = 900,
        scripts: bool = True,
    ):
        self.browser, self.url, self.scripts = browser, url, scripts
        self._start = len(browser.events)
        self._target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        off = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
        self.call("Network.emulateNetworkConditions", offline=True, **off)
        self.call("Page.addScriptToEvaluateOnNewDocument", source=SEEN)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.resize(width, height)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        if error := self.call("Page.navigate", url=url).get("errorText"):
            raise FileNotFoundError(f"{url}: {error}")
        deadline = time.monotonic() + TIMEOUT
        while not self._events("Page.loadEventFired"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} did not load")
            browser.listen(0.05)
        if scripts and self.js("!!document.querySelector('.afn-figure')"):
            self.wait("document.documentElement.dataset.afn === 'ready'")
        browser.listen(0.2)

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *_: object) -> None:
        self.browser.call("Target.closeTarget", targetId=self._target)
        del self.browser.events[:]

    def call(self, method: str, **params: object) -> dict:
        return self.browser.call(method, self.session, **params)

    def _events(self, method: str) -> list[dict]:
        events = self.browser.events[self._start :]
        mine = (e for e in events if e.get("sessionId") == self.session)
        return [e["params"] for e in mine if e["method"] == method]

    def resize(self, width: int, height: int = 900) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def js(self, expression: str) -> object:
        """The value of an expression; also of a promise, and where the page's scripts are off."""
        how = {"returnByValue": True, "awaitPromise": self.scripts}
        found = self.call("Runtime.evaluate", expression=expression, **how)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Until it is true."""
        deadline = time.monotonic() + TIMEOUT
        while not self.js(f"!!({expression})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"never true: {expression}; {self.problems()}")
            self.browser.listen(0.05)

    def hover(self, selector: str) -> None:
        """Move the mouse to the middle of an element."""
        place = self.js(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for step in (3, 0):  # there must be a movement
            x, y = place[0] + step, place[1] + step
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def requests(self) -> list[str]:
        """What was asked for, but for the file itself."""
        asked = [e["request"]["url"] for e in self._events("Network.requestWillBeSent")]
        return [url for url in asked if url != self.url]

    def sent(self) -> list[str]:
        """What of it the page's own policy did not stop."""
        failed = self._events("Network.loadingFailed")
        stopped = {e["requestId"] for e in failed if e.get("blockedReason") == "csp"}
        asked = self._events("Network.requestWillBeSent")
        found = [e["request"]["url"] for e in asked if e["requestId"] not in stopped]
        return [url for url in found if url != self.url]

    def problems(self) -> list[str]:
        """Requests, warnings, errors, exceptions, violations of the page's own policy."""
        found = [f"request: {url}" for url in self.requests()]
        for entry in self._events("Log.entryAdded"):
            if entry["entry"]["level"] in ("warning", "error"):
                found.append(f"log: {entry['entry']['text']}")
        for message in self._events("Runtime.consoleAPICalled"):
            if message["type"] in ("warning", "error", "assert"):
                found.append(f"console: {[a.get('value') for a in message['args']]}")
        for thrown in self._events("Runtime.exceptionThrown"):
            found.append(f"exception: {thrown['exceptionDetails']['text']}")
        return found

    def screenshot(self, path: str | Path, *, whole: bool = True) -> None:
        found = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(found["data"]))

    def pdf(self) -> bytes:
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"])
