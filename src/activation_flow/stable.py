"""How much of a score's order is left where a text is changed a little: texts -> rows.

Formulas stand in stability, the changes in perturbed_texts, the alignment in alignment, the rows in
stable_rows. Norms are the fast engine's; the score beside them is asked of whoever knows it. What
moves inside of the vectors is the shift's business.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from activation_flow import alignment, analysis, perturbed_texts, stability, stable_rows, two_texts
from activation_flow import strength as formulas
from activation_flow.analysis import Buckets
from activation_flow.audit_data import Progress, Score
from activation_flow.audit_texts import Left
from activation_flow.data import Marks, Strength, TokenizedText
from activation_flow.explanation_tables import StableRow
from activation_flow.stable_rows import FEWEST, Judged, Of
from activation_flow.text_pairs import TextPairs

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

PARAPHRASE = "paraphrase"

Ask = Callable[["Sequence[Encoded]"], Score]  # a score of all tokens of texts, NaN where unknown


@dataclass(frozen=True, eq=False, kw_only=True)
class Stable:
    """What was found.

    Attributes:
        rows: change by change, layer by layer.
        notes: sentences for the reader.
        counts: of each change: ``asked`` texts; of them ``without`` it, ``failed``, ``short``
            (less than three aligned tokens) and ``texts``, which were judged; of those ``same``
            (the model reads no difference), ``tied`` and ``without_high`` (at the main layer, all
            scores of a text are tied; no aligned token is HIGH); tokens of the unchanged texts that
            are not special: ``aligned`` and ``unaligned``. All of the norm.
    """

    rows: tuple[StableRow, ...]
    notes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]

    @property
    def judged(self) -> Iterator[tuple[str, int]]:
        """How many texts each change was judged on, by names for the counts of an audit."""
        for change, of in self.counts.items():
            name = f"changed_{change.replace(' ', '_')}"
            yield "paraphrases" if change == PARAPHRASE else name, of["texts"]


class _Asked(NamedTuple):
    """A text and its change; ``text`` is what is drawn, the same number for the same text."""

    change: str
    text: int
    a: str
    b: str
    done: str


class _Read(NamedTuple):
    """Values of a text's tokens and which of them are HIGH, [layers tokens] each."""

    values: Strength
    high: Marks


class _Found(NamedTuple):
    """Of a change, each text that the model read: None where too few tokens are aligned."""

    of_norm: list[Judged | None]
    of_other: list[Judged]

    def add(
        self, asked: _Asked, a: "Encoded", b: "Encoded", norms: "_ByKey", others: "_ByKey"
    ) -> str:
        """A text and its change; why they cannot be compared, or ""."""
        of_a, of_b = norms[_key(a)], norms[_key(b)]
        if isinstance(of_a, str) or isinstance(of_b, str):
            each = (("A", of_a), ("B", of_b))
            return "; ".join(f"text {name}: {why}" for name, why in each if isinstance(why, str))
        self.of_norm.append(_judge(asked, a.text, b.text, of_a, of_b))
        of_a, of_b = others.get(_key(a), ""), others.get(_key(b), "")
        if isinstance(of_a, _Read) and isinstance(of_b, _Read):
            found = _judge(asked, a.text, b.text, of_a, of_b)
            self.of_other.extend([found] if found is not None else [])
        return ""


_ByKey = Mapping[tuple[bytes, bytes], _Read | str]  # by what was read; str: why there is nothing


def stable(
    encoder: "Encoder",
    texts: Sequence[str],
    layers: Sequence[int],
    main: int,
    *,
    beside: Ask | None = None,
    paraphrases: TextPairs | None = None,
    max_length: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Stable:
    """Kendall τ of scores and Jaccard index of HIGH, before and after each small change.

    HIGH is as each text has it by itself (its own τ, the defaults of ``Buckets``), then looked at
    in aligned tokens only. A text is used for each change that it has.

    Args:
        encoder: the model.
        texts: the texts, each once.
        layers: of the hidden states; 0 is the embeddings, the baseline.
        main: the one of them that the counts are of.
        beside: another score, asked once for all texts and their changes.
        paraphrases: texts in pairs: what people say is the same in other words.
        max_length: longest input; longer texts are counted and not used.
        seed: of the typos.
        progress: called after each text that is read with the number done and of all.
    """
    layers = tuple(layers)
    asked = [*_asked(texts, paraphrases, seed)]
    how: dict[str, Any] = {"kinds": "none", "max_length": max_length, "long": "refused"}
    first, second = [one.a for one in asked], [one.b for one in asked]
    sides, reasons = two_texts.tokenize(encoder, first, second, how)
    read = _read(encoder, [one for _, a, b in sides for one in (a, b)], layers, progress)
    other, of_other = (None, {}) if beside is None else _read_other(beside, sides, read)
    found = {name: _Found([], []) for name in _names(paraphrases)}
    for number, a, b in sides:
        one = asked[number - 1]
        reasons[number] = found[one.change].add(one, a, b, read, of_other)
    failed = Left()
    for number in sorted(number for number, why in reasons.items() if why):
        failed.add(f"{asked[number - 1].change}, {asked[number - 1].a!r:.60}", reasons[number])
    of_pairs = len(paraphrases or ())
    rows: list[StableRow] = []
    counts: dict[str, Mapping[str, int]] = {}
    for name, (measured, also) in found.items():
        wanted = of_pairs if name == PARAPHRASE else len(texts)
        good = [one for one in measured if one is not None]
        done = Counter(one.done for one in asked if one.change == name)
        counts[name] = stable_rows.counted(
            wanted, done.total(), len(measured), good, layers.index(main)
        )
        rows += stable_rows.rows(Of(name, "norm", "norm", layers), good, done)
        if other is not None:
            of = Of(name, other.name, other.title, (other.layer,), other.missing)
            rows += stable_rows.rows(of, also, done, lost=len(good) - len(also))
    notes = [] if paraphrases is None else [*paraphrases.notes]
    notes += failed.told("texts beside their small changes that cannot be compared")
    notes += stable_rows.notes(counts)
    return Stable(rows=tuple(rows), notes=tuple(notes), counts=counts)


def _names(paraphrases: TextPairs | None) -> tuple[str, ...]:
    return (*perturbed_texts.CHANGES, *(() if paraphrases is None else (PARAPHRASE,)))


def _asked(texts: Sequence[str], paraphrases: TextPairs | None, seed: int) -> Iterator[_Asked]:
    pairs = [*zip(paraphrases.a, paraphrases.b, strict=True)] if paraphrases else []
    every = (*texts, *(a for a, _ in pairs))
    number = {text: k for k, text in enumerate(dict.fromkeys(every))}
    for text in texts:
        for name, changed, done in perturbed_texts.changes(text, seed):
            yield _Asked(name, number[text], text, changed, done)
    for a, b in pairs:
        yield _Asked(PARAPHRASE, number[a], a, b, "pairs of texts that were given")


def _key(one: "Encoded") -> tuple[bytes, bytes]:
    """What the model reads: texts of one key have the same norms, and are read once."""
    return one.text.ids.tobytes(), one.type_ids.tobytes()


def _read(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    layers: tuple[int, ...],
    progress: Progress | None,
) -> dict[tuple[bytes, bytes], _Read | str]:
    """Norms and HIGH by what was read, or why there are none."""
    once = {_key(one): one for one in encoded}
    texts = [*once.values()]
    found: dict[tuple[bytes, bytes], _Read | str] = {}
    good: list[tuple[Encoded, Strength]] = []
    for done, (i, norms, _) in enumerate(encoder.run(texts, layers), 1):
        if np.isfinite(norms).all():
            good.append((texts[i], norms))
        else:
            found[_key(texts[i])] = analysis.not_finite(texts[i].text, norms, layers)
        if progress is not None:
            progress(done, len(texts))
    return {**found, **_marked(good)}


def _read_other(
    beside: Ask,
    sides: "Sequence[tuple[int, Encoded, Encoded]]",
    read: _ByKey,
) -> tuple[Score | None, dict[tuple[bytes, bytes], _Read]]:
    """Another score of every text whose norms are known, and the same by what was read."""
    every = {_key(one): one for _, a, b in sides for one in (a, b)}
    texts = [one for key, one in every.items() if isinstance(read[key], _Read)]
    if not texts:
        return None, {}
    score = beside(texts)
    each = np.split(score.values, np.cumsum([len(one.text) for one in texts])[:-1])
    good = [(one, v[None]) for one, v in zip(texts, each, strict=True) if np.isfinite(v).all()]
    return score, _marked(good)


def _marked(good: "Sequence[tuple[Encoded, Strength]]") -> dict[tuple[bytes, bytes], _Read]:
    """Which tokens are HIGH, each text by itself."""
    if not good:
        return {}
    sizes = [len(one.text) for one, _ in good]
    number = np.repeat(np.arange(len(good)), sizes)
    s = np.concatenate([values for _, values in good], axis=1)
    buckets = Buckets()
    part = np.concatenate([analysis.takes_part(one.text, buckets) for one, _ in good])
    tau = formulas.thresholds(s, part, number, buckets.quantile, buckets.quantile_method)
    high = formulas.bucket(s, tau[:, number], part) == "HIGH"
    of_each = np.split(high, np.cumsum(sizes)[:-1], axis=1)
    return {
        _key(one): _Read(values, marks) for (one, values), marks in zip(good, of_each, strict=True)
    }


def _judge(
    asked: _Asked, a: TokenizedText, b: TokenizedText, of_a: _Read, of_b: _Read
) -> Judged | None:
    """The measures at every layer; None where too few tokens are aligned."""
    pieces_a, pieces_b = (_pieces(text, asked.change) for text in (a, b))
    rows = alignment.align_equal(pieces_a, pieces_b, a.special, b.special)
    use = rows.paired & ~a.special[rows.a_index]
    i, j = rows.a_index[use], rows.b_index[use]
    n = len(i)
    if n < FEWEST:
        return None
    values = zip(of_a.values[:, i], of_b.values[:, j], strict=True)
    marks = [*zip(of_a.high[:, i], of_b.high[:, j], strict=True)]
    sizes = ((int(x.sum()), int(y.sum())) for x, y in marks)
    return Judged(
        text=asked.text,
        tau=np.array([stability.kendall(x, y) for x, y in values]),
        jaccard=np.array([stability.jaccard(x, y) for x, y in marks]),
        chance=np.array([stability.expected_jaccard(*both, n) for both in sizes]),
        same=np.array_equal(a.ids, b.ids),
        aligned=n,
        unaligned=int((~a.special).sum()) - n,
    )


def _pieces(text: TokenizedText, change: str) -> list[str]:
    """By what tokens are told apart: by number as in ``two_texts``, but not by case under it."""
    if change == "case":
        return [str(token).casefold() for token in text.tokens]
    return [*map(str, text.ids)]
