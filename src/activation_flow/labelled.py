"""Texts with labels that people gave them: read, each once, and what is left out counted.

Knows no model. All texts of a file are held, as any later row may contradict an earlier one.
"""

import os
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import source
from activation_flow.audit_defaults import FOLDS, LABELLED
from activation_flow.audit_texts import Left
from activation_flow.reservoir import Reservoir

if TYPE_CHECKING:
    from jaxtyping import Bool

    OfText = Bool[np.ndarray, "texts"]
else:
    OfText = np.ndarray

MOST = 20  # labels: the time of a probe grows with their number
NAMED = 5  # labels in a note
SHOWN = 40  # letters of each


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Texts and what people call them.

    Attributes:
        texts: each once, in the order of the file.
        labels: one of each.
        name: where they come from, for people.
        counts: how many there were of what.
        notes: sentences for the reader.
        missing: why no label can be told from another; "" where one can.
    """

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    name: str
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()
    missing: str = ""

    def __len__(self) -> int:
        return len(self.texts)


def read(path: str, *, texts: int = LABELLED, seed: int = 0) -> Labelled:
    """The labelled texts of a .jsonl, .csv or .tsv file, each once; of more than so many a sample.

    A text that comes with two labels is left out, and so are labels too few to be learnt.

    Args:
        path: the file, with columns ``text`` and ``label``; "-" is JSON Lines on standard input.
        texts: at most so many are taken, uniformly.
        seed: of their choice.

    Raises:
        ActivationFlowError: the file cannot be found or read, or has not these columns.
    """
    rows = source.Given(source.read_labelled(os.path.expanduser(path)))
    bad, twice = Left(), Left()
    label_of: dict[str, str] = {}
    unclear: set[str] = set()  # texts of more than one label
    no_text = no_label = repeated = 0
    for row in rows:
        text, label = row.texts[0], row.texts[1].strip()
        if not text.strip():
            no_text += 1
        elif not label:
            no_label += 1
        elif text not in label_of:
            label_of[text] = label
        else:
            repeated += 1
            if label_of[text] != label and text not in unclear:
                unclear.add(text)
                both = f"{label_of[text][:SHOWN]!r} and {label[:SHOWN]!r}"
                twice.add(rows.where(row.number).removesuffix(", "), f"the text is {both}")
    for failure in rows.bad:
        bad.add(rows.where(failure.text_number).removesuffix(", "), failure.reason)
    kept: Reservoir[tuple[str, str]] = Reservoir(texts, seed)
    for text, label in label_of.items():
        if text not in unclear:
            kept.add((text, label))
    taken = kept.items()
    usable, notes = enough([label for _, label in taken])
    if kept.seen > len(taken):
        sample = f"of {kept.seen:,} different labelled texts a uniform sample of {len(taken):,}"
        notes.insert(0, f"{sample} is taken (seed {seed})")
    found = [one for one, use in zip(taken, usable, strict=True) if use]
    return Labelled(
        texts=tuple(text for text, _ in found),
        labels=tuple(label for _, label in found),
        name=rows.name,
        counts={
            "rows": len(rows) + rows.blank,
            "blank": rows.blank,
            "rejected": bad.n,
            "without_text": no_text,
            "without_label": no_label,
            "repeated": repeated,
            "two_labels": twice.n,
            "distinct": kept.seen,
            "rare": len(taken) - len(found),
        },
        notes=(
            *notes,
            *twice.told("texts with two labels"),
            *bad.told("rows of labelled texts that cannot be read"),
        ),
        missing=why_not([label for _, label in taken], rows.name),
    )


def enough(labels: Sequence[str], fewest: int = FOLDS) -> tuple[OfText, list[str]]:
    """Which texts have one of the ``MOST`` most frequent labels, of so many texts at least.

    Args:
        labels: of each text.
        fewest: texts that a label needs: one for every fold.

    Returns:
        True for those that can be used, and a note of each label that cannot be.

    >>> usable, notes = enough(["a", "b", "a", "c"], fewest=2)
    >>> usable
    array([ True, False,  True, False])
    >>> notes
    ["labels of fewer than 2 texts, left out: 2 ('b', 'c'; 2 texts)"]
    """
    often = Counter(labels)
    ordered = sorted(often, key=lambda label: (-often[label], label))
    rare = [label for label in ordered if often[label] < fewest]
    beyond = ordered[: len(ordered) - len(rare)][MOST:]
    out = {*rare, *beyond}
    usable = np.array([label not in out for label in labels], dtype=bool)
    notes = [
        f"labels {why}, left out: {len(some):,} ({_named(some)}; "
        f"{sum(often[label] for label in some):,} texts)"
        for some, why in (
            (rare, f"of fewer than {fewest} texts"),
            (beyond, f"beyond the {MOST} most frequent"),
        )
        if some
    ]
    return usable, notes


def _named(labels: Sequence[str]) -> str:
    first = ", ".join(repr(label[:SHOWN]) for label in labels[:NAMED])
    return first + (" ..." if len(labels) > NAMED else "")


def why_not(labels: Sequence[str], name: str, fewest: int = FOLDS) -> str:
    """Why labels cannot be told apart: there are not two of enough texts; "" if there are.

    Args:
        labels: of each text, rare ones, too.
        name: where they come from.
        fewest: texts that a label needs.

    >>> why_not(["good", "bad"], "a.csv", fewest=1), why_not(["good", "good"], "a.csv")
    ('', "a.csv: 'good' has 2 texts; it takes two labels of 5 texts each")
    """
    often = Counter(labels)
    ordered = sorted(often, key=lambda label: (-often[label], label))
    if sum(n >= fewest for n in often.values()) > 1:
        return ""
    first = [
        f"{label[:SHOWN]!r} has {often[label]:,} text{'s' * (often[label] > 1)}"
        for label in ordered[:NAMED]
    ]
    more = [f"{len(ordered) - NAMED:,} others have fewer"] if len(ordered) > NAMED else []
    what = ", ".join([*first, *more]) or "no text with a label is left"
    return f"{name}: {what}; it takes two labels of {fewest} texts each"


def once(given: Labelled, keys: Sequence[Hashable]) -> Labelled:
    """Of texts that a model reads alike the first, or none where their labels differ.

    Args:
        given: the texts.
        keys: of each, what the model reads.
    """
    first: dict[Hashable, int] = {}
    unclear: dict[Hashable, int] = {}  # the first other label
    for k, key in enumerate(keys):
        if given.labels[first.setdefault(key, k)] != given.labels[k]:
            unclear.setdefault(key, k)
    left = Left()
    for key, k in unclear.items():
        one = f"text {given.texts[first[key]][:SHOWN]!r}"
        left.add(
            one,
            f"it is {given.labels[first[key]]!r}, and {given.labels[k]!r} where it reads "
            f"{given.texts[k][:SHOWN]!r}",
        )
    kept = [k for key, k in first.items() if key not in unclear]
    alike = len(keys) - len(first)
    notes = [f"labelled texts that the model reads as another one, left out: {alike:,}"]
    return replace(
        given,
        texts=tuple(given.texts[k] for k in kept),
        labels=tuple(given.labels[k] for k in kept),
        counts={**given.counts, "alike": alike, "alike_two_labels": left.n},
        notes=(
            *given.notes,
            *(notes if alike else []),
            *left.told("texts that the model reads alike and that have two labels"),
        ),
    )
