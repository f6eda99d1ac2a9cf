"""A corpus on Ray against the same corpus here: the same rows, whatever dies on the way.

Ray is started once, with two CPUs and a cache of its own, as another machine has one.
"""

import importlib.util
import json
import os
import pickle
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
from architectures import TEXTS
from pyarrow import parquet

import activation_flow as af
from activation_flow import on_ray, part
from activation_flow.blocks import Job
from activation_flow.data import ActivationFlowError
from activation_flow.on_ray import Worker
from activation_flow.part import WORK
from activation_flow.portable import Portable
from activation_flow.runner import Runner
from activation_flow.shards import Shard

if importlib.util.find_spec("ray") is None and os.environ.get("CI") != "true":
    pytest.skip("Ray is not installed: pip install 'activation-flow[ray]'", allow_module_level=True)

import ray

SHARD = 60  # texts


@pytest.fixture(scope="module")
def cluster() -> Iterator[Path]:
    """A Ray of two CPUs; returns the cache of its workers."""
    # Not below pytest's folder: the path of a socket has at most 107 letters.
    home = Path(tempfile.mkdtemp(prefix="afn-", dir="/tmp"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFN_CACHE", str(home / "cache"))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        handler = signal.getsignal(signal.SIGTERM)
        ray.init(
            "local",
            num_cpus=2,
            object_store_memory=80 * 2**20,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=str(home / "ray"),
        )
        yield home / "cache"
        ray.shutdown()
        signal.signal(signal.SIGTERM, handler)
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def encoder(tiny: Callable[..., Any]) -> af.Encoder:
    return af.Encoder.from_pretrained(tiny("bert"), threads=1)


def write_corpus(path: Path, texts: int) -> Path:
    """Random texts, one in four the same as another, some of them bad."""
    rng = random.Random(0)
    words = " ".join(TEXTS).split()
    rows: list[Any] = []
    for number in range(texts):
        text = " ".join(rng.choices(words, k=rng.randint(1, 20)))
        row = rng.choice(rows) if rows and number % 4 == 0 else {"text": text}
        rows.append({"text": number} if number % 40 == 20 else {} if number % 40 == 30 else row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus") / "corpus.jsonl", 10 * SHARD)


@pytest.fixture
def truth(encoder: af.Encoder, corpus: Path, tmp_path: Path) -> Path:
    """The run without Ray."""
    return run(encoder, corpus, tmp_path / "truth")


@pytest.fixture
def planned(encoder: af.Encoder, corpus: Path, tmp_path: Path) -> tuple[Job, list[Shard]]:
    """What ``on_ray.run`` is given."""
    given: list[Any] = []

    def keep(_: af.Encoder, job: Job, todo: Iterator[Shard], *__: Any, **___: Any) -> Any:
        given.extend((job, [*todo]))
        raise ActivationFlowError("that is all")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_ray, "run", keep)
        with pytest.raises(ActivationFlowError, match="is all"):
            run(encoder, corpus, tmp_path / "planned", ray=True)
    return given[0], given[1]


@pytest.fixture
def by_value(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[type[Worker]], None]]:
    """Takes what is to be run in place of ``Worker``. No other process can import a test."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield partial(monkeypatch.setattr, on_ray, "Worker")
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def run(encoder: af.Encoder, source: Path, out: Path, **options: Any) -> Path:
    settings: dict[str, Any] = {"layers": "1,3", "vectors": 2, "shard_size": SHARD, **options}
    return af.run_corpus(encoder, source, out=out, **settings).path


def assert_same_run(one: Path, other: Path) -> None:
    """Every row, every count, every word about it; and nothing left behind."""
    parts = sorted(path.relative_to(one) for path in one.glob("*/*.parquet"))
    assert len(parts) > 15
    assert parts == sorted(path.relative_to(other) for path in other.glob("*/*.parquet"))
    for path in parts:
        a, b = parquet.read_table(one / path), parquet.read_table(other / path)
        assert a.equals(b, check_metadata=True), path
    for name in ("manifest.json", "rejects.jsonl"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert not list((other / WORK).glob("unfinished-*"))


def workers() -> list[psutil.Process]:
    """The processes of workers that Ray runs for this process."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[0].startswith("ray::Worker"):
                found.append(process)
        except (psutil.Error, IndexError):
            pass
    return found


def wait_for(what: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.01)
    raise TimeoutError


def test_a_run_on_ray_is_the_run_here(
    cluster: Path, encoder: af.Encoder, corpus: Path, truth: Path, tmp_path: Path
) -> None:
    seen: list[tuple[int, int, int]] = []
    names: set[int] = set()

    def watch(state: Any) -> None:
        names.update(process.pid for process in workers())
        seen.append((state.done_shards, state.shards, state.fresh.rows))

    assert_same_run(truth, run(encoder, corpus, tmp_path / "out", ray=True, progress=watch))
    finished = json.loads((truth / "manifest.json").read_text())["finished"]
    assert seen[-1] == (10, 10, finished["rows"])
    texts = [json.loads(line).get("text") for line in corpus.read_text().splitlines()]
    assert finished["rejects"] == sum(not isinstance(text, str) for text in texts) > 10
    assert len(names) == 2
    assert ray.is_initialized()  # it is not ours to stop
    wait_for(lambda: not workers())


def test_a_run_that_compares_is_the_run_here(
    cluster: Path, encoder: af.Encoder, corpus: Path, tmp_path: Path
) -> None:
    asked = {"vectors": None, "prompts": ["query:"], "baseline": True}
    truth = run(encoder, corpus, tmp_path / "here", **asked)
    assert_same_run(truth, run(encoder, corpus, tmp_path / "out", ray=True, **asked))
    assert (truth / "rejects.jsonl").stat().st_size


def test_a_worker_that_is_killed_in_the_midst_of_a_shard_costs_nothing(
    cluster: Path,
    encoder: af.Encoder,
    corpus: Path,
    truth: Path,
    tmp_path: Path,
    by_value: Callable[[type[Worker]], None],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As it begins to write, when all is written, and when one of three parts has its name."""
    moments = {2: "write", 5: "finish", 7: "_put"}

    class Killed(Worker):
        def run(self, shard: Shard) -> Any:
            moment = moments.get(shard.number)
            was_there = tmp_path / str(moment)
            if moment and not was_there.exists():
                where: Any = part if moment == "_put" else part.PartWriter
                before = getattr(where, moment)

                def die(*args: Any) -> None:
                    was_there.touch()
                    if moment == "_put":
                        before(*args)
                    os.kill(os.getpid(), signal.SIGKILL)

                setattr(where, moment, die)
            return super().run(shard)

    by_value(Killed)
    assert_same_run(truth, run(encoder, corpus, tmp_path / "out", ray=True))
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert [line.split(" (")[0] for line in sorted(said)] == ["shard 2", "shard 5", "shard 7"]
    assert all(f"({corpus}, line " in line for line in said)
    assert all(" on) is run again, for its Ray worker died: " in line for line in said)
    time.sleep(0.5)  # what Ray says of it would come late
    assert capfd.readouterr().out == ""


def test_a_shard_that_kills_every_worker_is_given_up_and_named(
    cluster: Path,
    encoder: af.Encoder,
    corpus: Path,
    tmp_path: Path,
    by_value: Callable[[type[Worker]], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Dying(Worker):
        def run(self, shard: Shard) -> Any:
            if shard.number == 3:
                os._exit(7)
            return super().run(shard)

    by_value(Dying)
    with pytest.raises(ActivationFlowError, match=r"shard 3 \(.*corpus\.jsonl, line \d+ on\): its"):
        run(encoder, corpus, tmp_path / "out", ray=True)
    died = [record.message[:7] for record in caplog.records if "died" in record.message]
    assert died == ["shard 3"] * (on_ray.TRIES - 1)
    wait_for(lambda: not workers())


def test_a_worker_that_cannot_start_is_no_reason_to_try_again(
    cluster: Path,
    encoder: af.Encoder,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By its name, which the other process cannot import: as where the package is not installed.
    body = {"__module__": "activation_flow.absent", "run": lambda self, shard: shard}
    absent = type("Absent", (), {**body, "__init__": lambda self, job, portable: None})
    module = type(sys)("activation_flow.absent")
    module.Absent = absent  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "activation_flow.absent", module)
    monkeypatch.setattr(on_ray, "Worker", absent)
    wanted = "cannot start a worker: ModuleNotFoundError: No module named 'activation_flow.absent'"
    with pytest.raises(ActivationFlowError, match=wanted):
        run(encoder, corpus, tmp_path / "out", ray=True)


def test_a_driver_that_is_killed_loses_nothing(
    cluster: Path, encoder: af.Encoder, corpus: Path, truth: Path, tmp_path: Path, own_cache: Path
) -> None:
    """On a cluster that lives on, by its address; then the rest without Ray."""
    out = tmp_path / "out"
    (tmp_path / "encoder").write_bytes(pickle.dumps(encoder))
    code = (
        "import pickle, sys, activation_flow as af\n"
        "from pathlib import Path\n"
        f"encoder = pickle.loads(Path({str(tmp_path / 'encoder')!r}).read_bytes())\n"
        f"af.run_corpus(encoder, Path({str(corpus)!r}), out={str(out)!r}, layers='1,3',\n"
        f"    vectors=2, shard_size={SHARD}, ray={ray.get_runtime_context().gcs_address!r},\n"
        "    progress=lambda state: state.done_shards >= 2 and input())\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as driver:
        wait_for(lambda: len(list(out.glob("texts/*.parquet"))) >= 2)
        driver.kill()
        assert driver.stdout is not None
        assert driver.stdout.read() == b""
    wait_for(lambda: not workers())  # Ray ends what nobody waits for
    assert not json.loads((out / "manifest.json").read_text())["finished"]
    assert_same_run(truth, run(encoder, corpus, out))


def test_a_bad_row_ends_a_run_that_wants_it_so(
    cluster: Path, encoder: af.Encoder, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(ActivationFlowError, match=r"corpus\.jsonl, line \d+: ") as caught:
        run(encoder, corpus, tmp_path / "out", ray=True, on_error="fail")
    assert "Traceback" not in str(caught.value)
    assert "ray::" not in str(caught.value)
    wait_for(lambda: not workers())


def test_what_the_caller_raises_ends_all_workers(
    cluster: Path, encoder: af.Encoder, corpus: Path, truth: Path, tmp_path: Path
) -> None:
    def stop(state: Any) -> None:
        if state.last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        run(encoder, corpus, tmp_path / "out", ray=True, progress=stop)
    wait_for(lambda: not workers())
    assert caught.traceback  # which holds on to the run, and the workers are gone all the same
    assert_same_run(truth, run(encoder, corpus, tmp_path / "out", ray=True))


def test_a_machine_without_the_folder_is_sent_it_once(
    cluster: Path,
    encoder: af.Encoder,
    corpus: Path,
    truth: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portable, packed = encoder.portable, []
    pack = Runner.pack
    hidden = replace(portable, path=tmp_path / "of another machine" / portable.path.name)
    monkeypatch.setattr(Portable, "of", lambda runner: hidden)
    monkeypatch.setattr(Runner, "pack", lambda self: packed.append(1) or pack(self))
    assert_same_run(truth, run(encoder, corpus, tmp_path / "out", ray=True))
    assert (cluster / "engines" / portable.path.name / "graph.bin").is_file()
    assert_same_run(truth, run(encoder, corpus, tmp_path / "again", ray=True))
    assert len(packed) == 1  # for two workers and two runs


def test_a_worker_imports_neither_torch_nor_transformers(
    cluster: Path, encoder: af.Encoder, planned: tuple[Job, list[Shard]]
) -> None:
    job, todo = planned
    worker = ray.remote(num_cpus=1)(Worker).remote(job, replace(encoder.portable, threads=1))
    assert ray.get(worker.run.remote(todo[0])).texts > 0
    modules = {*ray.get(worker.__ray_call__.remote(lambda self: sorted(sys.modules)))}
    ray.kill(worker)
    assert {"activation_flow.corpus", "openvino", "pyarrow"} <= modules
    assert not {"torch", "transformers", "huggingface_hub"} & modules


def test_a_folder_that_is_damaged_is_made_anew_here_and_the_run_goes_on(
    cluster: Path,
    tiny: Callable[..., Any],
    corpus: Path,
    truth: Path,
    empty_cache: Path,
    tmp_path: Path,
) -> None:
    encoder = af.Encoder.from_pretrained(tiny("bert"), threads=1)
    graph = encoder.portable.path / "graph.bin"
    content = bytearray(graph.read_bytes())
    content[5000] ^= 1
    graph.write_bytes(content)
    assert_same_run(truth, run(encoder, corpus, tmp_path / "out", ray=True))


def test_a_slow_or_eager_model_is_refused_before_ray_is_asked(
    tiny: Callable[..., Any], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "_connected", lambda address: pytest.fail("Ray was asked"))
    encoder = af.Encoder.from_pretrained(tiny("bert"), engine="torch")
    with pytest.raises(ActivationFlowError, match="runs on the eager engine"):
        run(encoder, corpus, tmp_path / "out", ray=True)


def test_what_a_worker_cannot_see_is_named(
    encoder: af.Encoder, planned: tuple[Job, list[Shard]], monkeypatch: pytest.MonkeyPatch
) -> None:
    job, todo = planned
    monkeypatch.setenv("RAYON_NUM_THREADS", "1")  # put back afterwards
    worker = Worker(job, encoder.portable)
    absent = replace(todo[0], source=replace(todo[0].source, path="/not/here.jsonl"))
    said = worker.run(absent)
    assert isinstance(said, ActivationFlowError)
    assert str(said).startswith("/not/here.jsonl is not to be seen on ")
    shutil.rmtree(job.out)
    assert f"{job.out / 'manifest.json'} is not to be seen" in str(worker.run(todo[0]))


def test_without_ray_the_error_says_what_to_install(
    encoder: af.Encoder, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ActivationFlowError, match=r"pip install 'activation-flow\[ray\]'"):
        run(encoder, corpus, tmp_path / "out", ray=True)


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "ray://127.0.0.1:1", "no.such.host.invalid:6379"]
)
def test_an_address_where_nobody_answers_is_said_at_once(address: str) -> None:
    begun = time.monotonic()
    with pytest.raises(ActivationFlowError, match=rf"Ray at {address} cannot be used: "):
        on_ray._connect(ray, address)
    assert time.monotonic() - begun < 25


def nodes(*cpus: float, alive: bool = True) -> list[dict[str, Any]]:
    return [{"Alive": alive, "Resources": {"CPU": n} if n else {}} for n in cpus]


@pytest.mark.parametrize(
    ("cpus", "threads", "expected"),
    [
        ((2,), None, (2, 1)),
        ((2,), 1, (1, 2)),
        ((4, 16), None, (4, 5)),
        ((4, 16), 3, (3, 6)),
        ((0, 8), None, (8, 1)),  # a head that does no work
        ((0.5, 8), None, (8, 1)),
        ((4, 16), 8, (8, 2)),
    ],
)
def test_cpus_are_shared_out(cpus: Any, threads: int | None, expected: tuple[int, int]) -> None:
    assert on_ray._shares([*nodes(*cpus), *nodes(64, alive=False)], threads) == expected


def test_cpus_that_are_not_there_are_not_waited_for() -> None:
    with pytest.raises(ActivationFlowError, match=r"--threads 9: no machine .* the largest has 8"):
        on_ray._shares(nodes(4, 8), 9)
    with pytest.raises(ActivationFlowError, match="offers a CPU"):
        on_ray._shares(nodes(0), None)


def test_ray_of_our_own_is_started_quietly_and_leaves_nothing_behind(
    encoder: af.Encoder, corpus: Path, truth: Path, tmp_path: Path
) -> None:
    """Ray says nothing, not even when a worker dies; no process and no signal handler stays."""
    (tmp_path / "encoder").write_bytes(pickle.dumps(encoder))
    out, about = tmp_path / "out", tmp_path / "about.json"
    code = f"""
import json, os, pickle, signal, sys, time
from pathlib import Path
import activation_flow as af, psutil

before, seen = signal.getsignal(signal.SIGTERM), {{}}

def watch(state):
    ours = psutil.Process().children(recursive=True)
    if not state.last or seen:
        return
    for process in ours:
        if not process.cmdline()[0].startswith("ray::"):  # a title overwrites the environment
            seen[process.pid] = process.environ().get("RAY_USAGE_STATS_ENABLED")
    (worker, *_) = [p for p in ours if p.cmdline()[0].startswith("ray::Worker")]
    worker.kill()
    time.sleep(1)

encoder = pickle.loads(Path({str(tmp_path / "encoder")!r}).read_bytes())
af.run_corpus(encoder, {str(corpus)!r}, out={str(out)!r}, layers="1,3", vectors=2,
    shard_size={SHARD}, ray=True, progress=watch)
import ray
alive = [pid for pid in seen if psutil.pid_exists(pid)]
same = signal.getsignal(signal.SIGTERM) is before
Path({str(about)!r}).write_text(json.dumps([len(seen), [*seen.values()], alive, same,
    ray.is_initialized(), "torch" in sys.modules]))
"""
    home = tempfile.mkdtemp(prefix="afn-", dir="/tmp")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    environment["RAY_TMPDIR"] = home
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    shutil.rmtree(home, ignore_errors=True)
    assert done.stdout == ""
    (warning,) = done.stderr.splitlines()
    assert " is run again, for its Ray worker died: " in warning
    count, stats, alive, same, initialized, torch = json.loads(about.read_text())
    assert count > 3
    assert {*stats} == {"0"}
    assert (alive, same, initialized, torch) == ([], True, False, False)
    assert_same_run(truth, out)
