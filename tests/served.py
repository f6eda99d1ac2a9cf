"""``afn app`` as a process of its own, as a user starts it, at a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

PATIENCE = 60  # seconds until it is ready; the machine may be busy


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Served:
    """A server that can be killed and started again at the same port.

    Attributes:
        url: of the page, with a slash at its end.
    """

    def __init__(self, *arguments: str, log: Path, env: Mapping[str, str] | None = None):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = log
        self._command = [sys.executable, "-m", "activation_flow", "app", "--port", str(self.port)]
        self._command += arguments
        self._env = {**os.environ, **(env or {})}
        self.start()

    def start(self) -> None:
        """Start it, and wait until Gradio's page is there."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, env=self._env, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + PATIENCE
        while not self.ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}afn/ready", timeout=10) as answer:
                return json.load(answer)["ready"]
        except OSError:
            return False

    def kill(self) -> None:
        """As a crash ends it."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
