"""The rivals of throughput.py: peers, each run in a process of its own, and this package."""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common
import environment
import numpy as np
from peers import PEERS

import activation_flow as af

HERE = Path(__file__).resolve().parent
Strengths = dict[int, np.ndarray]  # of texts by their lines, from 1


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        model: "bert-base" or "minilm".
        layer: whose strengths are computed.
        peer_texts: texts that the peers get.
        seconds: that each of our rivals should work at least.
    """

    model: str
    layer: int
    peer_texts: int
    seconds: float
    rounds: int
    threads: int


@dataclass
class Rival:
    """One way of doing the work.

    Attributes:
        work: does it, and gives the seconds that count.
        texts: what it works on.
        kind: "peer", "ours" or "engine".
        precision: "f32" or "bf16".
        padding: share of the tokens computed that are padding.
        found: strengths of the texts that all rivals have.
    """

    work: Callable[[], float]
    texts: list[str]
    kind: str
    precision: str = "f32"
    padding: float = 0.0
    found: Strengths = field(default_factory=dict)


def write_texts(path: Path, texts: Sequence[str]) -> Path:
    path.write_bytes("".join(f"{text}\n" for text in texts).encode())
    return path


def read_strengths(path: Path, lines: Sequence[int]) -> Strengths:
    """Of the texts on these lines, from a Parquet file or a folder of them."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["text_id", "strength"])
    ids, strengths = table["text_id"].to_numpy(), table["strength"].to_numpy()
    order = np.argsort(ids, kind="stable")
    ids, strengths = ids[order], strengths[order]
    begin, end = np.searchsorted(ids, lines), np.searchsorted(ids, lines, side="right")
    return {line: strengths[a:b] for line, a, b in zip(lines, begin, end, strict=True)}


class PeerFailed(Exception):
    """A peer gave no result; says why."""


def run_peer(name: str, python: Path, plan: Plan, model: Path, folder: Path) -> dict[str, Any]:
    """A peer, in a process of its own, on peers.txt of a folder."""
    command = [python, HERE / "peers.py", "--peer", name, "--model", model]
    command += ["--layer", plan.layer, "--threads", plan.threads]
    command += ["--texts", folder / "peers.txt", "--out", folder / f"{name}.parquet"]
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(plan.threads)}
    own = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=own | offline
    )
    if done.returncode:
        raise PeerFailed(environment.last_line(done))
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def peers(
    plan: Plan, texts: list[str], model: Path, folder: Path
) -> tuple[dict[str, Rival], dict[str, str], dict[str, str]]:
    """Those that run, those that do not with the reason, and the versions of their packages."""
    few = common.evenly(texts, plan.peer_texts)
    write_texts(folder / "peers.txt", few)
    python, not_installed = environment.prepare([p.package for p in PEERS.values() if p.package])
    rivals, missing, versions = {}, {}, {}
    for name, peer in PEERS.items():
        if peer.package in not_installed:
            missing[peer.title] = f"not installed: {not_installed[peer.package]}"
            continue
        # Those that need nothing that the project has not run on what the project has.
        own = python if peer.package else Path(sys.executable)

        def work(name: str = name, own: Path = own) -> float:
            return float(run_peer(name, own, plan, model, folder)["seconds"])

        try:
            first = run_peer(name, own, plan, model, folder)
        except PeerFailed as problem:
            missing[peer.title] = f"failed: {problem}"
            continue
        lines = range(1, len(few) + 1)
        found = read_strengths(folder / f"{name}.parquet", lines)
        rivals[peer.title] = Rival(work, few, "peer", padding=first["padding_share"], found=found)
        versions |= first["versions"]
    return rivals, missing, versions


def ours(
    plan: Plan, texts: list[str], model: Path, folder: Path, precision: str
) -> dict[str, Rival]:
    """The whole job, and the engine alone on texts that are tokenized already.

    Raises:
        ActivationFlowError: the chip does not have the precision.
    """
    encoder = af.Encoder.from_pretrained(
        str(model), precision=precision, threads=plan.threads, local_files_only=True
    )
    many = common.repeated(texts, copies(encoder, plan, texts))
    source = write_texts(folder / f"{precision}.txt", many)
    encoded, _ = encoder.tokenize(many)

    def corpus(out: Path) -> float:
        return common.timed(
            lambda: af.run_corpus(encoder, str(source), out=str(out), layers=plan.layer)
        )

    def whole() -> float:
        with tempfile.TemporaryDirectory(dir=folder) as fresh:
            return corpus(Path(fresh) / "run")

    corpus(folder / precision)  # warms up
    places = common.evenly(range(1, len(texts) + 1), plan.peer_texts)  # the peers' texts
    found = read_strengths(folder / precision / "tokens", places)
    found = {i: found[line] for i, line in enumerate(places, 1)}
    return {
        f"afn {precision}": Rival(whole, many, "ours", precision, found=found),
        f"afn {precision}, engine alone": Rival(
            lambda: common.timed(lambda: common.run_all(encoder, encoded, plan.layer)),
            many,
            "engine",
            precision,
        ),
    }


def copies(encoder: Any, plan: Plan, texts: list[str]) -> int:
    """How often the texts are repeated, so that the engine alone has enough to do."""
    encoded, _ = encoder.tokenize(common.evenly(texts, 512))
    common.run_all(encoder, encoded, plan.layer)  # compiles and warms up
    seconds = common.timed(lambda: common.run_all(encoder, encoded, plan.layer))
    return max(1, math.ceil(plan.seconds / (seconds * len(texts) / len(encoded))))
