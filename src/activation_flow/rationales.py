"""Rationales: texts in which people marked the words that are the reason for something.

How files hold them stands in rationale_rows.py. Knows no model and no score.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from activation_flow import rationale_rows, source
from activation_flow.audit_texts import Left
from activation_flow.data import ActivationFlowError
from activation_flow.rationale_rows import Words
from activation_flow.reservoir import Reservoir
from activation_flow.units import Span

_COUNTED = ("rows", "blank", "rejected", "duplicates", "unmarked", "all_marked")


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Marked:
    """Texts in which people marked some of the words, and not all.

    Attributes:
        texts: each once: its words with one space between them.
        spans: of each text, the first character and one past the last of each word.
        marked: of each text, which words are marked.
        name: of the input, for people.
        counts: how many there were of what: ``rows``, of them ``blank``; of texts, ``rejected``
            (cannot be read), ``duplicates``, ``unmarked`` (no word is marked), ``all_marked``
            (every word is); ``distinct``: those left, from which the sample was taken.
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
    seen: set[str] = set()
    kept: Reservoir[tuple[str, Words]] = Reservoir(texts, seed)
    for line, found in rationale_rows.rows(path, name):
        counts["rows"] += 1
        counts["blank"] += not found
        for one in found:
            if isinstance(one, str):
                bad.add(f"{name}, line {line}", one)
                continue
            text = " ".join(one[0])
            if text in seen:
                counts["duplicates"] += 1
                continue
            seen.add(text)
            if any(one[1]) and not all(one[1]):
                kept.add((text, one))
            else:
                counts["all_marked" if any(one[1]) else "unmarked"] += 1
    counts["rejected"], counts["distinct"] = bad.n, kept.seen
    if not kept.seen:
        raise ActivationFlowError(f"{name} {_nothing(counts, bad)}")
    return _marked(name, kept, counts, bad, seed)


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
    kept: "Reservoir[tuple[str, Words]]",
    counts: Mapping[str, int],
    bad: Left,
    seed: int,
) -> Marked:
    items = kept.items()
    marks = tuple(of for _, (_, of) in items)
    share = sum(sum(of) / len(of) for of in marks) / len(marks)
    notes = [f"people marked {share:.1%} of the words of a text of {name}, on average"]
    if len(items) < kept.seen:
        notes.append(
            f"of {kept.seen:,} different texts with rationales a uniform sample of {len(items):,} "
            f"is taken (seed {seed})"
        )
    if left := [f"{what} in {n:,}" for what, n in _saying_nothing(counts) if n]:
        notes.append(f"texts left out, as they have no order to judge: {', '.join(left)}")
    return Marked(
        texts=tuple(text for text, _ in items),
        spans=tuple(_spans(words) for _, (words, _) in items),
        marked=marks,
        name=name,
        counts=counts,
        notes=(*notes, *bad.told("rationales that cannot be read")),
    )


def _spans(words: Sequence[str]) -> tuple[Span, ...]:
    ends = accumulate(len(word) + 1 for word in words)
    return tuple((end - 1 - len(word), end - 1) for word, end in zip(words, ends, strict=True))
