"""Peak memory of ``run_corpus``: so many short sentences, and 100 times as many.

Flat means that the second peak is at most 1.1 times the first; else the exit code is 1. Each run is
a process of its own, with an engine that was made and compiled before, so that neither torch nor
the compiler is in the peak. The model is a made-up BERT (2 layers, 128 wide) with the tokenizer of
minilm: small, so that what grows with the corpus would show. All sentences differ.
"""

import argparse
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common

LAYER = 2
LIMIT = 1.10
MOST_WORDS = 12
PRIME = 15_485_863


def sentences(n: int) -> Iterator[str]:
    """Sentences of 5 to 12 words. The first words of each are its number: no two are alike.

    Scattered by a prime, so that the first sentences are like the later ones.
    """
    words, rng = list(dict.fromkeys(common.WORDS.split())), random.Random(20)
    digits = max(4, math.ceil(math.log(n, len(words))))
    for number in range(n):
        scattered = number * PRIME % len(words) ** digits
        first = [words[scattered // len(words) ** k % len(words)] for k in range(digits)]
        rest = rng.choices(words, k=rng.randint(1, max(1, MOST_WORDS - digits)))
        yield " ".join([*first, *rest]) + "."


def write(path: Path, n: int) -> Path:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{sentence}\n" for sentence in sentences(n))
    return path


def make_model(folder: Path) -> None:
    model, tokenizer = common.bert(
        hidden_size=128, num_hidden_layers=2, num_attention_heads=2, intermediate_size=512
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def run(model: Path, texts: Path, out: Path, threads: int) -> dict[str, Any]:
    """One corpus run in this process, and what it took."""
    import pyarrow.parquet as pq

    import activation_flow as af

    encoder = af.Encoder.from_pretrained(str(model), threads=threads, local_files_only=True)
    seconds = common.timed(lambda: af.run_corpus(encoder, str(texts), out=str(out), layers=LAYER))
    # Before anything is read: the peak is to be the run's.
    own, child = (_peak(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    parts = {kind: sorted((out / kind).glob("*.parquet")) for kind in ("tokens", "texts")}
    rows = {kind: sum(pq.read_metadata(p).num_rows for p in parts[kind]) for kind in parts}
    return {
        "texts": rows["texts"],
        "tokens": rows["tokens"],
        "seconds": seconds,
        "peak_bytes": own + child,
        "of_a_child_bytes": child,
        "parts": len(parts["tokens"]),
        "parquet_bytes": sum(path.stat().st_size for kind in parts.values() for path in kind),
    }


def _peak(who: int) -> int:
    """Largest resident size of this process so far, or of the largest child that has ended."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(who).ru_maxrss


def in_a_process(*arguments: object) -> dict[str, Any]:
    """``run`` in a new process. This one stays small: a child's peak begins with its parent's."""
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(texts: int, times: int, threads: int) -> dict[str, Any]:
    runs = []
    with tempfile.TemporaryDirectory(prefix="afn-memory-") as temporary:
        folder = Path(temporary)
        few = write(folder / "few.txt", 100)
        in_a_process(folder / "model", few, folder / "first", threads)  # makes model and engine
        for n in (texts, times * texts):
            print(f"{n:,} sentences ...", file=sys.stderr)
            source = write(folder / f"{n}.txt", n)
            size = source.stat().st_size
            found = in_a_process(folder / "model", source, folder / str(n), threads)
            if found["texts"] != n:
                raise SystemExit(f"{n:,} sentences went in, {found['texts']:,} came out")
            runs.append({**found, "input_bytes": size})
    return {
        "benchmark": "memory",
        **common.machine(threads),
        "runs": runs,
        "ratio": runs[1]["peak_bytes"] / runs[0]["peak_bytes"],
        "limit": LIMIT,
    }


def report(result: dict[str, Any]) -> None:
    print(f"{result['processor']}, {result['threads']} threads, openvino {result['openvino']}")
    print(f"BERT of 2 layers, 128 wide, layer {LAYER}; short sentences, all different\n")
    header = "sentences,tokens,seconds,texts/s,tokens/s,parts,input MB,Parquet MB,peak MB"
    table = [
        [
            f"{run['texts']:,}",
            f"{run['tokens']:,}",
            f"{run['seconds']:.1f}",
            f"{run['texts'] / run['seconds']:,.0f}",
            f"{run['tokens'] / run['seconds']:,.0f}",
            f"{run['parts']}",
            f"{run['input_bytes'] / 1e6:.1f}",
            f"{run['parquet_bytes'] / 1e6:.1f}",
            f"{run['peak_bytes'] / 1e6:.1f}",
        ]
        for run in result["runs"]
    ]
    common.show(header.split(","), table)
    verdict = "flat" if result["ratio"] <= LIMIT else "NOT FLAT"
    print(f"\npeak: {result['ratio']:.3f} times as much, {verdict} (at most {LIMIT:.2f})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--threads", type=int, default=common.cores())
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)  # a run in a process of its own
    options = parser.parse_args()
    if options.one:
        model, texts, out = map(Path, options.one[:3])
        if not model.exists():
            make_model(model)
        print(json.dumps(run(model, texts, out, int(options.one[3]))))
        return 0
    with common.throwaway_cache():
        result = measure(options.texts, options.times, options.threads)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        report(result)
    return 0 if result["ratio"] <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
