"""The command ``afn app``: options -> settings -> a server. No logic."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from activation_flow import options, screen
from activation_flow.app_settings import Bounds, Settings
from activation_flow.data import ActivationFlowError

_USUAL = Bounds()


@click.command("app")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=7860,
    show_default=True,
    help="Port; 0 takes any that is free.",
)
@click.option(
    "--auth",
    metavar="USER:PASSWORD",
    envvar="AFN_AUTH",
    show_envvar=True,
    help="Asked of whoever opens the page; needed where other machines can.",
)
@click.option(
    *("--allow", "allowed"),
    multiple=True,
    metavar="MODEL",
    help="A further model to choose; other machines can use these only. May be given often.",
)
@click.option(
    *("--run", "runs"),
    multiple=True,
    metavar="DIR",
    help="A corpus run to choose; other machines can open these only. May be given often.",
)
@click.option(
    "--max-chars",
    type=click.IntRange(1),
    default=_USUAL.characters,
    show_default=True,
    help="Characters of a text, or of a prompt.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(1),
    default=_USUAL.waiting,
    show_default=True,
    help="Requests that may wait; further ones are refused.",
)
@click.option("--mcp", is_flag=True, help="Serve agents, too: /gradio_api/mcp.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
@options.group(options.MODEL, options.DEBUG)
def app_command(
    host: str,
    port: int,
    auth: str | None,
    allowed: tuple[str, ...],
    runs: tuple[str, ...],
    max_chars: int,
    max_queue: int,
    mcp: bool,
    open_browser: bool,
    **given: Any,
) -> None:
    """Open a local page: explore a text, compare two, steer by prompts, look into a corpus.

    It listens at this machine only, asks no other host for anything (but the model hub, for a model
    that is not on this machine), and runs until Ctrl-C. With --host 0.0.0.0, other machines can
    use it: with a password, for the models and runs named here, and unencrypted, unless a proxy
    with HTTPS stands before it.

    Needs pip install "activation-flow[app]".
    """
    model, _ = options.split(given)
    settings = Settings(
        host=host.strip("[]"),
        port=port,
        model=model.pop("model"),
        models=allowed,
        runs=tuple(map(_run, runs)),
        auth=_auth(auth),
        mcp=mcp,
        bounds=Bounds(characters=max_chars, waiting=max_queue),
        options=model,
    )
    from activation_flow import app_server

    try:
        app_server.serve(settings, open_browser=open_browser, debug=given["debug"])
    except KeyboardInterrupt:
        screen.error("interrupted")
        _leave(130)
    except SystemExit as stop:
        _leave(int(stop.code or 0))


def _auth(given: str | None) -> tuple[str, str] | None:
    if given is None:
        return None
    user, colon, password = given.partition(":")
    if not (user and colon and password):
        raise ActivationFlowError("--auth takes USER:PASSWORD, neither of them empty")
    return user, password


def _run(path: str) -> str:
    if not Path(path).expanduser().is_dir():
        raise ActivationFlowError(f"--run {path}: there is no such folder")
    return path


def _leave(code: int) -> None:
    """End the process at once.

    A model at work in a thread cannot be stopped, and C++ that meets an interpreter that is
    shutting down brings the process to a crash.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
