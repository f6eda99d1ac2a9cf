"""An environment of their own for the peers, benchmarks/.venv: made once, reused, never ours.

On Linux, PyPI's torch brings 3 GB of CUDA along. The CPU build, all that is needed here:
PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / ".venv"
REQUIREMENTS = HERE / "requirements.txt"
LOCK = HERE.parent / "requirements.lock"
ALL = ("torch", "pyarrow")  # what every peer needs


def prepare(packages: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """The environment's Python, and the packages that it lacks with the reason.

    Torch is installed first and alone, so that no other one is pulled by what needs it; then each
    package alone, so that one that cannot be had costs no other.
    """
    python = FOLDER / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = FOLDER / "installed"
    wanted = "\n".join([sys.version, *ALL, *packages, REQUIREMENTS.read_text(), LOCK.read_text()])
    if stamp.exists() and stamp.read_text() == wanted:
        return python, {}
    print(f"installing the peers into {FOLDER} (once, 1-2 minutes) ...", file=sys.stderr)
    problem = _run(sys.executable, "-m", "venv", "--clear", str(FOLDER))
    for package in ALL:
        problem = problem or _install(python, package)
    if problem:
        return python, dict.fromkeys(packages, problem)
    missing = {}
    for package in packages:
        if problem := _install(python, package):
            missing[package] = problem
    if not missing:
        stamp.write_text(wanted)
    return python, missing


def _install(python: Path, package: str) -> str:
    flags = ("--quiet", "--disable-pip-version-check")
    return _run(str(python), "-m", "pip", "install", *flags, "-c", str(REQUIREMENTS), package)


def _run(*command: str) -> str:
    """The last line of what went wrong; "" where all went well."""
    done = subprocess.run(command, capture_output=True, text=True)
    return last_line(done) if done.returncode else ""


def last_line(done: "subprocess.CompletedProcess[str]") -> str:
    """What a program that failed said last."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit code {done.returncode}"
