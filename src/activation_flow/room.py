"""Is there room: memory and disk, asked before anything is loaded, computed or written."""

import shutil
from pathlib import Path

from activation_flow.data import ActivationFlowError

# Peak of converting and compiling at bert-base shape: 2.2 x the float32 weights (design.md).
CONVERSION_FACTOR = 2.5
LOADING_FACTOR = 1.2
DISK_FACTOR = 2.0  # graph and one blob
STATES_FACTOR = 3.5  # windows that share half of their tokens, and the text put together from them


def check_disk(parameters: int, label: str, into: Path) -> None:
    """Refuse before a conversion that the disk has no room for.

    Raises:
        ActivationFlowError: says how much is needed and how much there is.
    """
    needed, free = parameters * 4 * DISK_FACTOR, shutil.disk_usage(into).free
    if needed > free:
        raise ActivationFlowError(
            f"the engine of {label} takes about {needed / 1e6:,.0f} MB and the disk of "
            f"{into.parent} has {free / 1e6:,.0f} MB left; free some, or set AFN_CACHE to another"
        )


def check_memory(parameters: int, label: str, factor: float = CONVERSION_FACTOR) -> None:
    """Refuse before loading a model that would not fit.

    Raises:
        ActivationFlowError: says how much is needed and how much there is.
    """
    needed, free = parameters * 4 * factor, available_memory()
    if needed > free:
        raise ActivationFlowError(
            f"{label} has {parameters / 1e9:.1f} billion parameters: making it ready takes about "
            f"{needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are available; "
            "free some memory, or take a machine with more"
        )


def why_no_states(tokens: int, layers: int, width: int) -> str:
    """Why the hidden states of one text cannot be had, or "": they would not fit in memory."""
    needed, free = tokens * layers * width * 4 * STATES_FACTOR, available_memory()
    if needed <= free:
        return ""
    return (
        f"the hidden states of its {tokens:,} tokens at {layers} layers take about "
        f"{needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are available; ask for "
        "fewer layers, or cut it with --truncate (truncate=True)"
    )


def available_memory() -> int:
    """Bytes that can be had: of the machine, or less where a container has its own limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        cgroup = Path("/sys/fs/cgroup")
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
        # Cached files, such as weights just downloaded, give way.
        free = min(free, limit - used + int(stat.get("inactive_file", 0)))
    except (OSError, ValueError):  # no cgroup, or "max"
        pass
    return free
