"""Where the time of a corpus run goes: what each thread was doing, looked at while it runs.

Every few milliseconds all threads of this process are looked at while ``run_corpus`` runs on texts
of throughput.py. A look is booked to the innermost function of this package, and says if the thread
was waiting for another one. So a row is time of one thread by the clock, and rows of different
threads overlap; the CPU seconds are the system's count. Threads without Python (the engine's own,
pyarrow's) have only that count.

A look needs the interpreter's lock, and while one long call in C holds it, comes when that is over,
still in the function that called. Waiting for that lock passes for work: where a thread has far
fewer CPU seconds than time at work, it waited. What the looking costs is said.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import common
import psutil
from rivals import write_texts
from throughput import MODELS

import activation_flow as af

PACKAGE = Path(af.__file__).resolve().parent
WAITING = ("threading.py", "queue.py", "selectors.py", "thread.py")  # files of the innermost frame
INTERVAL = 0.003  # seconds from look to look
LIBRARIES = "threads without Python"


class Looks:
    """What was seen of the threads during a piece of work.

    Attributes:
        rounds: how often all threads were looked at.
        seen: how often each thread was in each function, waiting or not.
        cpu: CPU seconds of each thread.
        seconds: that the work took.
    """

    def __init__(self, work: Callable[[], object]):
        self.rounds = 0
        self.seen: Counter[tuple[str, str, bool]] = Counter()
        self.cpu: dict[str, float] = {}
        self._before, self._names = _cpu_seconds(), {}
        self._last: dict[int, float] = {}
        self._over = threading.Event()
        looker = threading.Thread(target=self._look, name="looker", daemon=True)
        looker.start()
        try:
            self.seconds = common.timed(work)
        finally:
            self._over.set()
            looker.join()
        for number, seconds in self._last.items():
            name = self._names.get(number, LIBRARIES)
            used = seconds - self._before.get(number, 0.0)
            self.cpu[name] = self.cpu.get(name, 0.0) + used

    def _look(self) -> None:
        next_count = 0.0
        while not self._over.wait(INTERVAL):
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():
                if ident != threading.get_ident():
                    self.seen[(names.get(ident, "?"), *place(frame))] += 1
            self.rounds += 1
            if time.perf_counter() > next_count:  # often, as threads that have ended are not listed
                self._count()
                next_count = time.perf_counter() + 0.1
        self._count()

    def _count(self) -> None:
        self._last |= _cpu_seconds()
        self._names |= {t.native_id: t.name for t in threading.enumerate() if t.native_id}


def _cpu_seconds() -> dict[int, float]:
    return {t.id: t.user_time + t.system_time for t in psutil.Process().threads()}


def place(frame: FrameType) -> tuple[str, bool]:
    """The innermost function of the package (else of all), and whether the thread waits."""
    inner: FrameType | None = frame
    while inner is not None and Path(inner.f_code.co_filename).parent != PACKAGE:
        inner = inner.f_back
    code = (inner or frame).f_code
    waits = Path(frame.f_code.co_filename).name in WAITING
    return f"{Path(code.co_filename).stem}.{code.co_qualname}", waits


def measure(name: str, copies: int, precision: str, threads: int) -> dict[str, Any]:
    """A corpus run without looking, with looking, and the engine alone."""
    layer = MODELS[name][0]
    texts = common.repeated(common.corpus_texts()[0], copies)
    with tempfile.TemporaryDirectory(prefix="afn-benchmark-") as temporary:
        folder = Path(temporary)
        source = write_texts(folder / "texts.txt", texts)
        few = write_texts(folder / "few.txt", common.evenly(texts, 256))
        encoder = af.Encoder.from_pretrained(
            str(common.model_folder(name, folder)), precision=precision, threads=threads
        )

        def corpus(texts: Path, out: str) -> None:
            af.run_corpus(encoder, str(texts), out=str(folder / out), layers=layer)

        corpus(few, "warm")
        unseen = common.timed(lambda: corpus(source, "unseen"))
        looks = Looks(lambda: corpus(source, "seen"))
    encoded, _ = encoder.tokenize(texts)
    engine = common.timed(lambda: common.run_all(encoder, encoded, layer))
    rows = [
        {"thread": thread, "function": function, "waiting": waits, "share": n / looks.rounds}
        for (thread, function, waits), n in looks.seen.most_common()
    ]
    return {
        "benchmark": "where_time_goes",
        "model": name,
        "precision": precision,
        **common.machine(threads),
        "texts": len(texts),
        "tokens": sum(len(item.text) for item in encoded),
        "seconds": unseen,
        "seconds_looked_at": looks.seconds,
        "engine_alone_seconds": engine,
        "looks": looks.rounds,
        "cpu_seconds": looks.cpu,
        "rows": rows,
    }


def report(result: dict[str, Any]) -> None:
    print(f"{result['processor']}, {result['threads']} threads; {result['model']}", end=" ")
    print(f"{result['precision']}, {result['texts']:,} texts, {result['tokens']:,} tokens")
    print(
        f"run: {result['seconds']:.2f} s, looked at: {result['seconds_looked_at']:.2f} s "
        f"({result['looks']:,} looks); engine alone: {result['engine_alone_seconds']:.2f} s\n"
    )
    threads = sorted(result["cpu_seconds"].items(), key=lambda item: -item[1])
    common.show(["thread", "CPU seconds"], [[name, f"{s:.2f}"] for name, s in threads])
    print()
    table = [
        [
            f"{row['thread']}: {row['function']}",
            "waiting" if row["waiting"] else "",
            f"{row['share']:.1%}",
            f"{row['share'] * result['seconds_looked_at']:.2f}",
        ]
        for row in result["rows"]
        if row["share"] >= 0.005
    ]
    common.show(["thread: function", "", "of the time", "seconds"], table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="minilm")
    parser.add_argument("--copies", type=int, default=4, help="how often the texts are repeated")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    parser.add_argument("--threads", type=int, default=common.cores())
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    options = parser.parse_args()
    with common.throwaway_cache():
        result = measure(options.model, options.copies, options.precision, options.threads)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        report(result)


if __name__ == "__main__":
    main()
