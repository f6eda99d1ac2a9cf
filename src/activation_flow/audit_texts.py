"""INPUT, or texts -> the texts of an audit: each once, sampled where there are too many.

What is left out is counted, with the reasons of the first few. Tokens are made in material.py.
"""

import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from activation_flow import planning, shards
from activation_flow.audit_data import Progress
from activation_flow.blocks import too_long
from activation_flow.conllu import Gold
from activation_flow.data import ActivationFlowError
from activation_flow.formats import Reading, Record
from activation_flow.inputs import InputFile
from activation_flow.reservoir import Reservoir
from activation_flow.tokens import unreadable

FEW = 3  # reasons that are told
_STEP = 1000  # rows between two calls of progress

Row = tuple[str, str, Gold | None, str]  # where it stands, its text, its tags; why it is none


@dataclass
class Left:
    """What was left out of an audit: how many, and why the first few.

    Attributes:
        n: how many.
        reasons: of the first ``FEW``, each with its place.
    """

    n: int = 0
    reasons: list[str] = field(default_factory=list[str])

    def add(self, where: str, reason: str) -> None:
        """Count one."""
        self.n += 1
        if self.n <= FEW:
            self.reasons.append(f"{where}: {reason}")

    def told(self, what: str) -> list[str]:
        """A note about them, if there are any.

        >>> left = Left()
        >>> left.add("a.txt, line 3", "not UTF-8")
        >>> left.told("rows that cannot be read"), Left().told("rows")
        (['rows that cannot be read, left out: 1 (a.txt, line 3: not UTF-8)'], [])
        """
        if not self.n:
            return []
        more = "; ..." if self.n > len(self.reasons) else ""
        return [f"{what}, left out: {self.n} ({'; '.join(self.reasons)}{more})"]


@dataclass(frozen=True)
class Texts:
    """The texts of an audit, in the order of the input.

    Attributes:
        where: where each stands, for messages.
        texts: the texts, each once.
        gold: the tags of each, if all files are .conllu.
        name: of the input, for people.
        kinds: where kinds are to come from.
        rows: of the input, blank ones too.
        blank: rows with nothing, or nothing but spaces.
        duplicates: rows whose text stood there before.
        distinct: number of texts from which the sample was taken.
        bad: rows that cannot be read.
    """

    where: tuple[str, ...]
    texts: tuple[str, ...]
    gold: tuple[Gold | None, ...]
    name: str
    kinds: str
    rows: int
    blank: int
    duplicates: int
    distinct: int
    bad: Left


def read(
    corpus: "str | os.PathLike[str] | Iterable[str]",
    *,
    most: int,
    kinds: str | None = None,
    reading: Reading,
    format: str | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Texts:
    """All texts of an input, or, where it has more than ``most``, a uniform sample of them.

    Args:
        corpus: a file, folder or pattern, "-" for standard input, or a list of texts.
        most: how many texts are kept.
        kinds: where kinds are to come from; None: tags if all files have them, else the list.
        reading: which columns hold texts.
        format: of all files, whatever their endings say.
        seed: of the sample.
        progress: called now and then with the number of rows read, and 0: nobody knows of how many.

    Raises:
        ActivationFlowError: the input cannot be found or read, or kinds are asked for that it has
            not.
    """
    with tempfile.TemporaryDirectory(prefix="activation-flow-") as folder:
        if isinstance(corpus, str | os.PathLike):
            kept = Path(folder, "input")  # standard input
            kept.mkdir()
            files = planning.find(os.fspath(corpus), format, kept)
            source = planning.source_of_kinds(kinds or "", files)
            name, rows = planning.shown(files), _of_files(files, reading)
        else:
            if kinds == "gold":
                raise ActivationFlowError(
                    "kinds gold are those of .conllu files, and a list of texts has none"
                )
            source, name, rows = kinds or "list", "texts given", _of_list(corpus)
        return _distinct(rows, name, source, Reservoir(most, seed), progress)


def _of_files(files: Sequence[InputFile], reading: Reading) -> Iterator[Row]:
    pieces = shards.plan(files, reading, sys.maxsize)
    for shard in shards.shards(files, pieces):
        of = "row" if shard.source.format == "parquet" else "line"
        for record in shards.read(shard, reading):
            one = record or Record(0, "")
            yield f"{shard.source.name}, {of} {one.line}", one.text, one.gold, one.reason


def _of_list(texts: Iterable[str]) -> Iterator[Row]:
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise ActivationFlowError(
            f"corpus is {type(texts).__name__}; give the name of an input, or a list of texts"
        )
    for number, text in enumerate(texts, 1):
        if isinstance(text, str):
            yield f"text {number}", text, None, ""
        else:
            yield f"text {number}", "", None, unreadable(text)


def _distinct(
    rows: Iterator[Row],
    name: str,
    kinds: str,
    kept: "Reservoir[tuple[str, str, Gold | None]]",
    progress: Progress | None,
) -> Texts:
    bad = Left()
    seen: set[bytes] = set()
    number = blank = duplicates = 0
    for number, (where, text, gold, reason) in enumerate(rows, 1):
        if progress is not None and number % _STEP == 0:
            progress(number, 0)
        if reason := reason or unreadable(text) or too_long(text):
            bad.add(where, reason)
        elif not text.strip():
            blank += 1
        # Of texts that are not kept, too, it must be known that they were there.
        elif (key := blake2b(text.encode(), digest_size=16).digest()) in seen:
            duplicates += 1
        else:
            seen.add(key)
            kept.add((where, text, gold))
    items = kept.items()
    return Texts(
        where=tuple(where for where, _, _ in items),
        texts=tuple(text for _, text, _ in items),
        gold=tuple(gold for _, _, gold in items),
        name=name,
        kinds=kinds,
        rows=number,
        blank=blank,
        duplicates=duplicates,
        distinct=kept.seen,
        bad=bad,
    )
