"""Hidden states <-> .npz and .safetensors, text by text: neither side needs them all in memory.

The files can be read with numpy, or safetensors, and json alone. Text number n of the list that
was given has the key "n" (a second text of that number "n_2"), and

- ``n.hidden`` float32 [layers tokens width], ``n.strength`` float32 [layers tokens];
- ``n.ids``, ``n.start``, ``n.end``, ``n.segment``, ``n.word`` int64 [tokens], -1 where a token has
  none; ``n.special`` bool [tokens];
- as one JSON document: text, text_pair (where there is one), n_windows, n_dropped, tokens, kinds
  (null: unknown). In .npz the array ``n.about``, unicode, 0-d; in .safetensors the entry ``n`` of
  the metadata. JSON, because numpy drops NULs at the end of strings, and pickles objects.

Once, in the same way, as ``head`` or the entry ``activation_flow``: the head of every document
(schema, model, layers, settings ...), text_numbers in their order, errors.

Besides one text, memory holds 4 kB of each text for .npz, and for .safetensors its part of the
header: strings and shapes, 100 MB in all, which is enough for some 70,000 sentences. A .safetensors
file needs room on the disk twice while it is written. Damage is found by the checksums of .npz;
.safetensors has none.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self, overload

import numpy as np

from activation_flow import document
from activation_flow.analysis_hidden import Outcome
from activation_flow.containers import READERS, WRITERS, Reader
from activation_flow.data import ActivationFlowError, Failure, Provenance
from activation_flow.document_parts import Json, text_head, token_columns
from activation_flow.output import check_path, replacing
from activation_flow.result_hidden import HiddenResults, HiddenStates

ENDINGS = tuple(WRITERS)
ARRAYS: dict[str, np.dtype[Any]] = {
    **dict.fromkeys(("hidden", "strength"), np.dtype("<f4")),
    **dict.fromkeys(("ids", "start", "end", "segment", "word"), np.dtype("<i8")),
    "special": np.dtype(bool),
}


def write(
    path: str | Path,
    outcomes: Iterable[Outcome],
    provenance: Provenance,
    layers: tuple[int, ...],
) -> tuple[int, list[Failure]]:
    """Write texts as they come; the file is there whole, or not at all.

    Args:
        path: of a .npz or .safetensors file; one that is there already is replaced.
        outcomes: (number of a text, its hidden states), or why it has none; as from
            ``analysis_hidden.stream``. Each is written before the next is asked for.
        provenance: of all of them.
        layers: of each of them.

    Returns:
        The number of texts written; the failures that came by, by number.

    Raises:
        ActivationFlowError: see ``output.check_path``; the file cannot be written; or it is to be
            a .safetensors file, and these are too many texts for it.
    """
    path = check_path(path, ENDINGS)
    head = document.head(HiddenResults((), provenance, layers))
    numbers: list[int] = []
    failures: list[Failure] = []
    seen: Counter[int] = Counter()

    def errors(failures: Sequence[Failure]) -> list[Json]:
        return document.errors_of(HiddenResults((), provenance, layers, tuple(failures)))

    try:
        with replacing(path) as temporary, WRITERS[path.suffix.lower()](temporary) as file:
            file.expect(json.dumps({**head, "text_numbers": [], "errors": []}))
            for outcome in _guarded(outcomes):
                if isinstance(outcome, Failure):
                    failures.append(outcome)
                    file.expect(json.dumps(errors([outcome])))
                    continue
                number, states = outcome
                numbers.append(int(number))
                file.expect(json.dumps(numbers[-1]))
                file.add(_key(number, seen), _arrays(states), _about(states))
            failures.sort(key=lambda failure: failure.text_number)
            whole = {**head, "text_numbers": numbers, "errors": errors(failures)}
            file.finish(json.dumps(whole, ensure_ascii=False, allow_nan=False))
    except _OfTheStream as wrapped:
        raise wrapped.problem from None
    return len(numbers), failures


class _OfTheStream(Exception):
    def __init__(self, problem: OSError):
        self.problem = problem


def _guarded(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """What goes wrong where the texts come from must not pass for a file that cannot be written."""
    try:
        yield from outcomes
    except OSError as problem:
        raise _OfTheStream(problem) from problem


def _key(number: int, seen: Counter[int]) -> str:
    seen[number] += 1
    return f"{number}" if seen[number] == 1 else f"{number}_{seen[number]}"


def _arrays(states: HiddenStates) -> dict[str, np.ndarray]:
    return {name: np.asarray(getattr(states, name), dtype) for name, dtype in ARRAYS.items()}


def _about(states: HiddenStates) -> str:
    columns = token_columns(states)
    strings = {"tokens": columns["token"], "kinds": columns["kind"]}
    return json.dumps({**text_head(states), **strings}, ensure_ascii=False)


def read(path: str | Path) -> HiddenResults:
    """What ``write`` wrote. A text is read when it is asked for, and each time anew.

    The file stays open for as long as the results are held.

    Raises:
        ActivationFlowError: the file cannot be read, or holds no hidden states. Damage within a
            text is found when that text is asked for.
    """
    path = Path(path).expanduser()
    with _refusing(path):
        file = READERS[path.suffix.lower()](path)
        head = json.loads(file.head())
        results = document.from_dict({**head, "texts": []})
        if not isinstance(results, HiddenResults):
            raise ActivationFlowError(f"its schema is {head['schema']}")
        seen: Counter[int] = Counter()
        keys = [_key(number, seen) for number in head["text_numbers"]]
        texts = _Stored(partial(_text, path, file, results), keys)
        return replace(results, results=texts, numbers=tuple(head["text_numbers"]))


class _Stored(Sequence[HiddenStates]):
    """Texts in a file, by their keys; a slice of them is in the file, too."""

    def __init__(self, read: Callable[[str], HiddenStates], keys: Sequence[str]):
        self._read, self._keys = read, keys

    def __len__(self) -> int:
        return len(self._keys)

    @overload
    def __getitem__(self, index: int) -> HiddenStates: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> HiddenStates | Self:
        if isinstance(index, slice):
            return type(self)(self._read, self._keys[index])
        return self._read(self._keys[index])

    def __iter__(self) -> Iterator[HiddenStates]:
        return map(self._read, self._keys)


def _text(path: Path, file: Reader, results: HiddenResults, key: str) -> HiddenStates:
    with _refusing(path):
        about = json.loads(file.about(key))
        arrays = {name: file.array(f"{key}.{name}") for name in ARRAYS}
        for name, array in arrays.items():
            if array.dtype != ARRAYS[name]:
                raise ActivationFlowError(f"{key}.{name} is {array.dtype}, not {ARRAYS[name]}")
        return HiddenStates(
            text=about["text"],
            text_pair=about.get("text_pair"),
            n_windows=about["n_windows"],
            n_dropped=about["n_dropped"],
            tokens=np.array(about["tokens"], dtype=object),
            kind=np.array([kind or "" for kind in about["kinds"]], dtype="<U11"),
            **arrays,
            layers=results.layers,
            provenance=results.provenance,
        )


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        why = os.strerror(problem.errno) if problem.errno else document.damage(problem)
        raise ActivationFlowError(f"{path} cannot be read: {why}") from problem
    except MemoryError as problem:
        raise ActivationFlowError(f"{path} cannot be read: there is too little memory") from problem
    except Exception as problem:
        # Whatever zipfile, numpy, safetensors and json say of a file that was not written here.
        raise ActivationFlowError(
            f"{path} holds no hidden states: {document.damage(problem)}"
        ) from problem
