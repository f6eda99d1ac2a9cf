"""Rationales: texts in which people marked the words that are the reason for something.

How files hold them stands in rationale_rows.py. Knows no model and no score.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from activation_flow import rationale_rows, source
from activation_flow.audit_texts import Left
from activation_flow.data import ActivationFlowError
from activation_flow.rationale_rows import Words
from activation_flow.reservoir import Reservoir
from activation_flow.units import Span

_COUNTED = ("rows", "blank", "rejected", "duplicates", "differing", "unmarked", "all_marked")
_BETWEEN, _PLAIN, _MARKED = (
    b" 01"  # what a character of a text is: of no word, a word, a marked one
)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Marked:
    """Texts in which people marked some of the words, and not all.

    Attributes:
        texts: each once: its words with one space between them.
        spans: of each text, the first character and one past the last of each word.
        marked: of each text, which words are marked.
        name: of the input, for people.
        counts: how many there were of what: ``rows``, of them ``blank``; of texts, ``rejected``
            (cannot be read), ``duplicates`` (of a text that stood in another row), ``differing``
            (texts marked more than once, in several ways), ``unmarked`` (no word is marked),
            ``all_marked`` (every word is); ``distinct``: those left, from which the sample was
            taken.
        notes: sentences for the reader.
    """

    texts: tuple[str, ...]
    spans: tuple[tuple[Span, ...], ...]
    marked: tuple[tuple[bool, ...], ...]
    name: str
    counts: Mapping[str, int]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)


def read(path: str, *, texts: int, seed: int = 0) -> Marked:
    """The texts of a file of rationales, each once; of more than ``texts`` so many.

    A text of several rows has been marked by several people: a word is marked if half of those
    marked it, or more, who marked some of its words and not all. (In e-SNLI a sentence stands
    beside several others, and is marked with regard to each.)

    Args:
        path: a .jsonl file of objects with ``words`` and ``rationale`` (0 and 1, or true and
            false, one for each word); "-" is that on standard input. Or a .csv or .tsv file with
            the columns of e-SNLI; a word is marked if half of the annotators marked it, or more.
        texts: at most so many texts are taken, uniformly.
        seed: of their choice.

    Raises:
        ActivationFlowError: the file cannot be read, is of another form, or has no text with a
            marked word and another one.
    """
    path = os.path.expanduser(path)
    name = source.shown(path)
    bad = Left()
    counts = Counter(dict.fromkeys(_COUNTED, 0))
    marks: defaultdict[str, list[bytes]] = defaultdict(list)
    for line, found in rationale_rows.rows(path, name):
        counts["rows"] += 1
        counts["blank"] += not found
        for one in found:
            if isinstance(one, str):
                bad.add(f"{name}, line {line}", one)
            else:
                marks[" ".join(one[0])].append(_by_character(one))
    kept: Reservoir[tuple[str, bytes]] = Reservoir(texts, seed)
    for text, several in marks.items():
        counts["duplicates"] += len(several) - 1
        usable = [of for of in several if _of_use(of)] or several
        counts["differing"] += _of_use(usable[0]) and len({*usable}) > 1
        if _of_use(agreed := _agreed(usable)):
            kept.add((text, agreed))
        else:
            counts["all_marked" if _MARKED in agreed else "unmarked"] += 1
    counts["rejected"], counts["distinct"] = bad.n, kept.seen
    if not kept.seen:
        raise ActivationFlowError(f"{name} {_nothing(counts, bad)}")
    return _marked(name, kept, counts, bad, seed)


def _by_character(words: Words) -> bytes:
    """What each character of a text is: so texts of many rows take little memory.

    >>> _by_character((("so", "good"), (False, True)))
    b'00 1111'
    """
    return b" ".join(
        bytes([_MARKED if mark else _PLAIN]) * len(word) for word, mark in zip(*words, strict=True)
    )


def _of_use(marks: bytes) -> bool:
    return _MARKED in marks and _PLAIN in marks


def _agreed(several: Sequence[bytes]) -> bytes:
    """The marks of a text in which those of half the rows are, or of more; in any order the same.

    Words end where they end in any row.

    >>> _agreed([b"00 1111", b"1111111"]), _agreed([b"1 0 0", b"0 1 0", b"0 1 0"])
    (b'11 1111', b'0 1 0')
    """
    if len({*several}) == 1:
        return several[0]
    rows = np.array([np.frombuffer(of, dtype=np.uint8) for of in several])
    marked = 2 * (rows == _MARKED).sum(axis=0) >= len(rows)
    agreed = np.where(marked, _MARKED, _PLAIN)
    return np.where((rows == _BETWEEN).any(axis=0), _BETWEEN, agreed).astype(np.uint8).tobytes()


def _nothing(counts: Mapping[str, int], bad: Left) -> str:
    """Why nothing of a file can be used."""
    if counts["rows"] == counts["blank"]:
        return "holds no rationale"
    reasons = [f"{what} in {n:,}" for what, n in _saying_nothing(counts) if n]
    reasons += bad.told("texts that cannot be read")
    return "has no text with a marked word and one that is not: " + "; ".join(reasons)


def _saying_nothing(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return ("no word is marked", counts["unmarked"]), ("every word is", counts["all_marked"])


def _marked(
    name: str,
    kept: "Reservoir[tuple[str, bytes]]",
    counts: Mapping[str, int],
    bad: Left,
    seed: int,
) -> Marked:
    items = kept.items()
    spans = tuple(_spans(marks) for _, marks in items)
    marks = tuple(
        tuple(of[begin] == _MARKED for begin, _ in words)
        for (_, of), words in zip(items, spans, strict=True)
    )
    share = sum(sum(of) / len(of) for of in marks) / len(marks)
    notes = [f"people marked {share:.1%} of the words of a text of {name}, on average"]
    if len(items) < kept.seen:
        notes.append(
            f"of {kept.seen:,} different texts with rationales a uniform sample of {len(items):,} "
            f"is taken (seed {seed})"
        )
    if counts["differing"]:
        notes.append(
            f"texts marked more than once, in different ways: {counts['differing']:,}; a word is "
            "marked if it is in half of the text's rows, or in more"
        )
    if left := [f"{what} in {n:,}" for what, n in _saying_nothing(counts) if n]:
        notes.append(f"texts left out, as they have no order to judge: {', '.join(left)}")
    return Marked(
        texts=tuple(text for text, _ in items),
        spans=spans,
        marked=marks,
        name=name,
        counts=counts,
        notes=(*notes, *bad.told("rationales that cannot be read")),
    )


def _spans(marks: bytes) -> tuple[Span, ...]:
    return tuple(word.span() for word in re.finditer(rb"[^ ]+", marks))
