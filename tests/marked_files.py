"""Files that an audit takes beside its texts, made of its sentences."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

LONG = 5  # letters of a word that is marked


def words_of(sentence: str) -> list[str]:
    """The words of a sentence as a file of rationales has them."""
    return sentence.split()


def marks_of(sentence: str) -> list[int]:
    """1 for its long words."""
    return [int(len(word.strip(".,;:!?")) >= LONG) for word in words_of(sentence)]


def rationales(path: Path, sentences: Sequence[str]) -> str:
    """A file of these sentences, the long words of each marked."""
    rows = [{"words": words_of(one), "rationale": marks_of(one)} for one in sentences]
    return written(path, map(json.dumps, rows))


def labels(path: Path, sentences: Sequence[str], kinds: str = "ab") -> str:
    """A file of these sentences with labels in turn."""
    rows = [{"text": one, "label": kinds[k % len(kinds)]} for k, one in enumerate(sentences)]
    return written(path, map(json.dumps, rows))


def written(path: Path, lines: Iterable[str]) -> str:
    """The file of these lines."""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(path)
