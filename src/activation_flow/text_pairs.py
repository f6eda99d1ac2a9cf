"""Pairs of texts for an audit: of a file, or each text with one word replaced by another.

Knows no model: how far tokens move between the two is found in audit_pairs.py.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import source, word_kinds
from activation_flow.audit_defaults import SAMPLE
from activation_flow.audit_texts import Left
from activation_flow.conllu import Gold
from activation_flow.data import TokenizedText
from activation_flow.reservoir import Reservoir

if TYPE_CHECKING:
    from activation_flow.material import Material

_BOTH = ("content", "function")

Slot = tuple[int, int, str, int]  # a word of a text: begin, end, kind, number of its tokens
Pool = Mapping[tuple[str, int], "Words"]  # by kind and number of tokens


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class TextPairs:
    """Texts in pairs, and where they come from.

    Attributes:
        a: the first text of each pair.
        b: the second.
        gold: tagged words of ``a``, where kinds come from tags; else None.
        kinds: where the kinds of the tokens of ``a`` come from, as in ``Material``.
        edited: kind of the word that was replaced; "" where that is not known.
        name: where the pairs come from, for people.
        counts: how many there were of what.
        notes: sentences for the reader.
    """

    a: tuple[str, ...]
    b: tuple[str, ...]
    gold: tuple[Gold | None, ...]
    kinds: str
    edited: tuple[str, ...]
    name: str
    counts: Mapping[str, int]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.a)


def read(
    path: str,
    *,
    kinds: str = "list",
    columns: tuple[str, str] = ("a", "b"),
    sample: int = SAMPLE,
    seed: int = 0,
) -> TextPairs:
    """The pairs of a .jsonl, .csv or .tsv file, each once; of more than ``sample`` so many.

    Args:
        path: the file; "-" is JSON Lines on standard input.
        kinds: where kinds of the audit come from; of ``gold`` the file has none, so they come from
            the list.
        columns: those that hold the first and the second text.
        sample: at most so many pairs are taken, uniformly.
        seed: of their choice.

    Raises:
        ActivationFlowError: the file cannot be read, or has not these columns.
    """
    hint = f"the columns of a pair are {' and '.join(columns)}"
    rows = source.Given(source.read_pairs(os.path.expanduser(path), columns, hint))
    bad = Left()
    kept: Reservoir[tuple[str, ...]] = Reservoir(sample, seed)
    seen: set[tuple[str, ...]] = set()
    duplicates = 0
    for row in rows:
        if row.texts in seen:
            duplicates += 1
            continue
        seen.add(row.texts)
        kept.add(row.texts)
    for failure in rows.bad:
        bad.add(rows.where(failure.text_number).removesuffix(", "), failure.reason)
    pairs = kept.items()
    first = tuple(a for a, _ in pairs)
    gold, kinds, notes = word_kinds.tags(first, kinds, "pairs")
    if kept.seen > len(pairs):
        notes.append(
            f"of {kept.seen:,} different pairs a uniform sample of {len(pairs):,} is taken "
            f"(seed {seed})"
        )
    return TextPairs(
        a=first,
        b=tuple(b for _, b in pairs),
        gold=gold,
        kinds=kinds,
        edited=("",) * len(pairs),
        name=rows.name,
        counts={
            "rows": len(rows) + rows.blank,
            "blank": rows.blank,
            "rejected": bad.n,
            "duplicates": duplicates,
            "distinct": kept.seen,
        },
        notes=(*notes, *bad.told("rows of pairs that cannot be read")),
    )


def replaced(material: "Material", *, sample: int = SAMPLE, seed: int = 0) -> TextPairs:
    """Texts of the corpus, each beside itself with one word replaced by another of its kind.

    The word is any of the text's, of the kind of which fewer were replaced so far if there is one,
    so that there are about as many of each. The other is drawn from the corpus, as often as it
    occurs there, among the words of the same kind and number of tokens (of any number, if there is
    none), and begins with a capital if the replaced one does. Without kinds it is any word.

    Args:
        material: the texts, and their kinds.
        sample: at most so many texts, chosen at random among those of one window.
        seed: of all that is random.
    """
    chance = np.random.default_rng(seed)
    usable = [k for k, one in enumerate(material.encoded) if one.text.n_windows == 1]
    texts = [one.text for one in material.encoded]
    slots = {k: [*_slots(texts[k], material.gold[k], material.kinds)] for k in usable}
    pool = _pool(texts, slots)
    drawn: list[tuple[int, str, str]] = []  # number of the text, its other version, kind
    of_kind: Counter[str] = Counter()
    tried = 0
    for k in chance.permutation(usable).tolist():
        if len(drawn) >= sample:
            break
        tried += 1
        wanted = min(_BOTH, key=of_kind.__getitem__)  # the first, if there are as many of each
        if other := _other_text(texts[k].text, slots[k], wanted, pool, chance):
            drawn.append((k, *other))
            of_kind[other[1]] += 1
    like = "" if material.kinds == "none" else " of its kind"
    named = ", ".join(f"{n:,} {kind or 'of unknown kind'}" for kind, n in sorted(of_kind.items()))
    return TextPairs(
        a=tuple(texts[k].text for k, *_ in drawn),
        b=tuple(text for _, text, _ in drawn),
        gold=tuple(material.gold[k] for k, *_ in drawn),
        kinds=material.kinds,
        edited=tuple(kind for *_, kind in drawn),
        name="one word replaced",
        counts={
            "texts": len(usable),
            "tried": tried,
            "without_word": tried - len(drawn),
            **{f"replaced_{kind or 'unknown'}": n for kind, n in of_kind.items()},
        },
        notes=(
            f"pairs: one word of {len(drawn):,} texts replaced by another{like}, drawn from the "
            f"corpus as often as it occurs there (seed {seed}; {named or 'none'})",
        ),
    )


def _slots(text: TokenizedText, gold: Gold | None, kinds: str) -> Iterator[Slot]:
    """The words of a text that can be replaced: those that have a kind, if any has."""
    tokens = np.bincount(text.word[text.word >= 0], minlength=1).tolist()
    for number, (begin, end, kind) in enumerate(word_kinds.find(text.text, gold, kinds)):
        if kind in _BOTH or kinds == "none":
            yield begin, end, kind, tokens[number] if number < len(tokens) else 0


@dataclass(frozen=True, eq=False)
class Words:
    """Words to draw from.

    Attributes:
        numbers: casefolded word -> its number.
        spelled: each, without capitals.
        weights: how often each occurs.
    """

    numbers: Mapping[str, int]
    spelled: Sequence[str]
    weights: Any

    def draw_other(self, word: str, chance: np.random.Generator) -> str | None:
        """Another word than this one, as it is written; None if there is none."""
        weights = self.weights.copy()
        if (own := self.numbers.get(word.casefold())) is not None:
            weights[own] = 0
        if not (total := weights.sum()):
            return None
        return self.spelled[chance.choice(len(weights), p=weights / total)]


def _pool(texts: Sequence[TokenizedText], slots: Mapping[int, Sequence[Slot]]) -> Pool:
    """All words of the texts by kind and number of tokens; with -1 for that, of any number."""
    counts: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    spelled: dict[str, str] = {}
    for k, words in slots.items():
        for begin, end, kind, tokens in words:
            word = texts[k].text[begin:end]
            key = word.casefold()
            spelled.setdefault(key, word.lower())
            counts[kind, tokens][key] += 1
            counts[kind, -1][key] += 1
    return {
        which: Words(
            {word: number for number, word in enumerate(of)},
            [spelled[word] for word in of],
            np.array([*of.values()], dtype=np.float64),
        )
        for which, of in counts.items()
    }


def _other_text(
    text: str, slots: Sequence[Slot], wanted: str, pool: Pool, chance: np.random.Generator
) -> tuple[str, str] | None:
    """The text with one word replaced, and the kind of that word; None if it cannot be done."""
    usable = [slot for slot in slots if slot[2] == wanted] or slots
    if not usable:
        return None
    begin, end, kind, tokens = usable[int(chance.integers(len(usable)))]
    word = text[begin:end]
    other = pool[kind, tokens].draw_other(word, chance) or pool[kind, -1].draw_other(word, chance)
    if other is None:
        return None
    cased = other[0].title() + other[1:] if word[0].isupper() else other
    return text[:begin] + cased + text[end:], kind
