"""The shards of a corpus on Ray: the same ``run_shard``, on all CPUs of a cluster.

Ray is asked to place workers and to carry shards to them, nothing else. A worker needs the engine
folder, the input files and the folder of the run; of these only the first is sent where it is not.
"""

import logging
import os
import platform
import re
import signal
import socket
import textwrap
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from activation_flow import corpus, manifest
from activation_flow.blocks import Job
from activation_flow.corpus import Counts
from activation_flow.data import ActivationFlowError
from activation_flow.encoder import Encoder
from activation_flow.portable import Lacking, Portable
from activation_flow.shards import Shard

if TYPE_CHECKING:
    from activation_flow.folder import Packed

log = logging.getLogger("activation_flow")

TRIES = 4  # so often a shard is begun whose worker dies


def run(
    encoder: Encoder,
    job: Job,
    todo: Iterator[Shard],
    watch: Callable[[Counts], None],
    address: str | bool = True,
) -> Generator[tuple[Shard, Counts]]:
    """Run shards on Ray; each comes out when it is done, in no order.

    Args:
        encoder: the model; its threads are the CPUs of a worker, by default all of a machine.
        job: what is done with every shard.
        todo: the shards; at most one a worker is taken ahead.
        watch: told of each shard what was in it; may raise to stop the work.
        address: of a cluster; True: the one that is running here, else one of this machine alone,
            for this run. One to which this process is connected already is used as it is.

    Raises:
        ActivationFlowError: a shard failed; its worker died time and again; the model cannot be
            sent; Ray is not installed, or cannot be reached.
    """
    portable = encoder.portable
    with _connected(address) as ray:
        threads, most = _shares(ray.nodes(), portable.threads)
        log.info("Ray: at most %d x %d CPUs", most, threads)
        pool = _Pool(ray, encoder, job, threads)
        try:
            for shard in islice(todo, most):
                pool.begin(shard, pool.worker())
            while pool.tasks:
                worker, shard, counts = pool.next_done()
                following = next(todo, None)
                if following is None:  # one that takes the place of a dead one may need its CPUs
                    ray.kill(worker)
                else:
                    pool.begin(following, worker)
                watch(counts)
                yield shard, counts
        finally:
            pool.close()


class _Pool:
    """The workers, and the shard on which each of them is."""

    def __init__(self, ray: Any, encoder: Encoder, job: Job, threads: int):
        self._ray, self._encoder, self._job, self._threads = ray, encoder, job, threads
        self._make = ray.remote(num_cpus=threads)(Worker).remote
        self._workers: list[Any] = []
        self._packed: Any = None
        self.tasks: dict[Any, tuple[Any, Shard, int]] = {}

    def worker(self) -> Any:
        """A new one."""
        self._workers.append(self._make(self._job, self._portable()))
        return self._workers[-1]

    def _portable(self) -> Portable:
        return replace(self._encoder.portable, threads=self._threads)

    def begin(self, shard: Shard, worker: Any, tries: int = 1) -> None:
        """Give a shard to a worker that has none."""
        self.tasks[worker.run.remote(shard)] = worker, shard, tries

    def next_done(self) -> tuple[Any, Shard, Counts]:
        """Wait for the next shard that is done; one whose worker died is begun again."""
        while True:
            (ready,), _ = self._ray.wait([*self.tasks])
            worker, shard, tries = self.tasks.pop(ready)
            try:
                outcome = self._ray.get(ready)
            except self._ray.exceptions.RayActorError as problem:
                self._ray.kill(worker)  # it may only be out of reach
                _say(shard, tries, problem)
                self.begin(shard, self.worker(), tries + 1)
                continue
            if isinstance(outcome, Lacking) and tries < TRIES:
                # Kept by Ray from now on, and sent once to every machine that asks.
                self._packed = self._packed or self._ray.put(self._encoder.pack())
                worker.receive.remote(self._portable(), self._packed)
                self.begin(shard, worker, tries + 1)
                continue
            if isinstance(outcome, ActivationFlowError):
                raise outcome
            return worker, shard, outcome

    def close(self) -> None:
        """Stop all workers, whatever they are at."""
        for worker in self._workers:
            self._ray.kill(worker)


class Worker:
    """What runs on the machines of the cluster, each on its share of CPUs."""

    def __init__(self, job: Job, portable: Portable):
        # The tokenizers' threads. It is read when they are first used.
        os.environ["RAYON_NUM_THREADS"] = str(portable.threads)
        self._job, self._portable = job, portable
        self._packed: Packed | None = None
        self._encoder: Encoder | None = None

    def receive(self, portable: Portable, packed: "Packed") -> None:
        """Take the files of an engine folder that this machine lacks."""
        self._portable, self._packed, self._encoder = portable, packed, None

    def run(self, shard: Shard) -> Counts | ActivationFlowError:
        """Run a shard; what went wrong is returned: Ray would put a traceback around it."""
        try:
            _check_within_reach(self._job, shard)
            if self._encoder is None:
                self._encoder = Encoder.from_portable(self._portable, self._packed)
                self._packed = None
            return corpus.run_shard(self._encoder, self._job, shard)
        except ActivationFlowError as problem:
            return problem


def _check_within_reach(job: Job, shard: Shard) -> None:
    """Refuse to work where files are missing, rather than say that they do not exist."""
    for path in (shard.source.path, job.out / manifest.NAME):
        if not os.path.exists(path):
            raise ActivationFlowError(
                f"{path} is not to be seen on {platform.node()}, where a Ray worker runs: the "
                "input and the folder of the run must have the same path on all machines, as on "
                "a shared disk"
            )


def _say(shard: Shard, tries: int, problem: Any) -> None:
    """A worker died. That is a reason to begin again, but not for ever."""
    which = f"shard {shard.number} ({corpus.where(shard, shard.first_line)} on)"
    why = _last_line(problem)
    if problem.actor_init_failed:
        raise ActivationFlowError(
            f"Ray cannot start a worker: {why}; the same version of activation-flow[ray] must be "
            "installed on all machines"
        )
    if tries == TRIES:
        raise ActivationFlowError(f"{which}: its Ray worker died {tries} times: {why}")
    log.warning("%s is run again, for its Ray worker died: %s", which, why)


def _shares(nodes: Sequence[Mapping[str, Any]], threads: int | None) -> tuple[int, int]:
    """CPUs of a worker, and how many workers of that size the machines of a cluster hold.

    Raises:
        ActivationFlowError: they hold none.
    """
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    cpus = [count for each in alive if (count := int(each.get("CPU", 0)))]
    if not cpus:
        raise ActivationFlowError("no machine of the Ray cluster offers a CPU")
    share = threads or min(cpus)
    if share > max(cpus):
        raise ActivationFlowError(
            f"--threads {share}: no machine of the Ray cluster has so many CPUs; the largest has "
            f"{max(cpus)}"
        )
    return share, sum(count // share for count in cpus)


@contextmanager
def _connected(address: str | bool) -> Iterator[Any]:
    """Ray, quiet, and left as it was found: one that was started for us is stopped."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reports to its makers otherwise
    try:
        import ray
        from ray._private import worker as inner
    except ImportError as problem:
        raise ActivationFlowError(
            "Ray is not installed: pip install 'activation-flow[ray]'"
        ) from problem
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address if isinstance(address, str) else None)
    # When a worker dies Ray prints so on standard output, which belongs to results, and has no
    # other switch for that. What happened is said by _say.
    before, inner._worker_logs_enabled = inner._worker_logs_enabled, False
    try:
        yield ray
    except ray.exceptions.RayError as problem:
        raise ActivationFlowError(f"Ray failed: {_last_line(problem)}") from problem
    finally:
        if ours:
            ray.shutdown()
        inner._worker_logs_enabled = before


def _connect(ray: Any, address: str | None) -> None:
    """Start Ray or connect to it; it puts its own handler of SIGTERM in the place of ours."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if found := re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address or ""):
            # Ray itself goes on trying for minutes.
            socket.create_connection((found[1], int(found[2])), timeout=20).close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR
            )
    except Exception as problem:  # of many kinds
        raise ActivationFlowError(
            f"Ray {f'at {address}' if address else 'here'} cannot be used: {_last_line(problem)}"
            + (f" ({_last_line(problem.__cause__)})" if problem.__cause__ else "")
        ) from problem
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _last_line(problem: BaseException) -> str:
    """The end of what Ray says, where the reason stands, without the advice that follows."""
    lines = str(problem).strip().splitlines() or [type(problem).__name__]
    return textwrap.shorten(lines[-1], 300, placeholder=" ...")
