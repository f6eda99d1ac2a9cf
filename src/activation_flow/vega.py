"""Vega, Vega-Lite and vega-embed in one script, for pages; put together once and kept on disk.

vl-convert takes 1.5 s to bundle them, each time; to read them again takes 2 ms.
"""

import hashlib
import logging
import os
import threading
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

from activation_flow import drawing, folder

log = logging.getLogger("activation_flow")

_EXPOSED = "window.vegaEmbed = vegaEmbed;"


@cache
def bundle() -> str:
    """The script; a page that runs it has ``window.vegaEmbed``."""
    version, maker = drawing.vega_lite(), metadata.version("vl-convert-python")
    path = folder.cache_root() / "scripts" / f"vega-{version}-{maker}.js"
    kept = _read(path)
    if kept is not None:
        return kept
    import vl_convert

    made = str(vl_convert.javascript_bundle(_EXPOSED, version))
    _keep(made, path)
    return made


def _read(path: Path) -> str | None:
    """What was kept; None if there is nothing, or if it is not what was written."""
    try:
        checksum, _, script = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return script.decode() if checksum.decode("latin-1") == _checksum(script) else None


def _keep(script: str, path: Path) -> None:
    data = script.encode()
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(_checksum(data).encode() + b"\n" + data)
        os.replace(temporary, path)
    except OSError as problem:  # it only costs the next page the same time
        log.info("cannot keep %s: %s", path, problem.strerror)
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _checksum(script: bytes) -> str:
    return hashlib.sha256(script).hexdigest()
