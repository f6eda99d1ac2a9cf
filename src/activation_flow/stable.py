"""How much of the norm's order is left where a text is changed a little: texts -> rows.

Formulas stand in stability, the changes in perturbed_texts, the alignment in alignment. Norms of
the fast engine only; what moves inside of the vectors is the shift's business.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from activation_flow import alignment, analysis, perturbed_texts, stability, two_texts
from activation_flow import strength as formulas
from activation_flow.analysis import Buckets
from activation_flow.audit_data import Progress
from activation_flow.audit_texts import Left
from activation_flow.data import Marks, Strength, TokenizedText
from activation_flow.explanation_tables import StableRow
from activation_flow.text_pairs import TextPairs

if TYPE_CHECKING:
    from jaxtyping import Float

    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

    PerLayer = Float[np.ndarray, "layers"]
else:
    PerLayer = np.ndarray

PARAPHRASE = "paraphrase"
FEWEST = 3  # aligned tokens: of two, τ is 1 or -1
_TAU, _SHARE = (-1.0, 1.0), (0.0, 1.0)  # what can be
_ALIGNED = "aligned are equal pieces of both texts, special tokens left out"
_FOLDED = "aligned are pieces that are equal but for case, special tokens left out"


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
            are not special: ``aligned`` and ``unaligned``.
    """

    rows: tuple[StableRow, ...]
    notes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]


class _Asked(NamedTuple):
    """A text and its change; ``text`` is what is drawn, the same number for the same text."""

    change: str
    text: int
    a: str
    b: str
    done: str


class _Read(NamedTuple):
    """What the model says of a text, [layers tokens] each."""

    norms: Strength
    high: Marks


class _Judged(NamedTuple):
    """A text beside its change, [layers] each."""

    text: int
    tau: PerLayer
    jaccard: PerLayer
    chance: PerLayer
    same: bool
    aligned: int
    unaligned: int


def stable(
    encoder: "Encoder",
    texts: Sequence[str],
    layers: Sequence[int],
    main: int,
    *,
    paraphrases: TextPairs | None = None,
    max_length: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Stable:
    """Kendall τ of the norms and Jaccard index of HIGH, before and after each small change.

    HIGH is as each text has it by itself (its own τ, the defaults of ``Buckets``), then looked at
    in aligned tokens only. A text is used for each change that it has.

    Args:
        encoder: the model.
        texts: the texts, each once.
        layers: of the hidden states; 0 is the embeddings, the baseline.
        main: the one of them that the counts are of.
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
    failed, judged = Left(), {name: list[_Judged | None]() for name in _names(paraphrases)}
    for number, a, b in sides:
        one = asked[number - 1]
        of_a, of_b = read[_key(a)], read[_key(b)]
        if isinstance(of_a, _Read) and isinstance(of_b, _Read):
            judged[one.change].append(_judge(one, a.text, b.text, of_a, of_b))
        else:
            bad = (f"text {n}: {of}" for n, of in (("A", of_a), ("B", of_b)) if isinstance(of, str))
            reasons[number] = "; ".join(bad)
    for number in sorted(reasons):
        failed.add(f"{asked[number - 1].change}, {asked[number - 1].a!r:.60}", reasons[number])
    of_pairs = len(paraphrases or ())
    rows: list[StableRow] = []
    counts: dict[str, Mapping[str, int]] = {}
    for name, found in judged.items():
        wanted = of_pairs if name == PARAPHRASE else len(texts)
        good = [one for one in found if one is not None]
        done = Counter(one.done for one in asked if one.change == name)
        counts[name] = _counted(wanted, done.total(), len(found), good, layers.index(main))
        rows += _rows(name, layers, good, done, counts[name])
    notes = () if paraphrases is None else paraphrases.notes
    told = failed.told("texts beside their small changes that cannot be compared")
    return Stable(rows=tuple(rows), notes=(*notes, *told, *_notes(counts)), counts=counts)


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
    if not good:
        return found
    sizes = [len(one.text) for one, _ in good]
    number = np.repeat(np.arange(len(good)), sizes)
    s = np.concatenate([norms for _, norms in good], axis=1)
    buckets = Buckets()
    part = np.concatenate([analysis.takes_part(one.text, buckets) for one, _ in good])
    tau = formulas.thresholds(s, part, number, buckets.quantile, buckets.quantile_method)
    high = formulas.bucket(s, tau[:, number], part) == "HIGH"
    of_each = np.split(high, np.cumsum(sizes)[:-1], axis=1)
    for (one, norms), marks in zip(good, of_each, strict=True):
        found[_key(one)] = _Read(norms, marks)
    return found


def _judge(
    asked: _Asked, a: TokenizedText, b: TokenizedText, of_a: _Read, of_b: _Read
) -> _Judged | None:
    """The measures at every layer; None where too few tokens are aligned."""
    pieces_a, pieces_b = (_pieces(text, asked.change) for text in (a, b))
    rows = alignment.align_equal(pieces_a, pieces_b, a.special, b.special)
    use = rows.paired & ~a.special[rows.a_index]
    i, j = rows.a_index[use], rows.b_index[use]
    n = len(i)
    if n < FEWEST:
        return None
    norms = zip(of_a.norms[:, i], of_b.norms[:, j], strict=True)
    marks = [*zip(of_a.high[:, i], of_b.high[:, j], strict=True)]
    sizes = ((int(x.sum()), int(y.sum())) for x, y in marks)
    return _Judged(
        text=asked.text,
        tau=np.array([stability.kendall(x, y) for x, y in norms]),
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


def _counted(
    wanted: int, asked: int, measured: int, good: Sequence[_Judged], at: int
) -> dict[str, int]:
    return {
        "asked": wanted,
        "without": wanted - asked,
        "failed": asked - measured,
        "short": measured - len(good),
        "texts": len(good),
        "same": sum(one.same for one in good),
        "tied": sum(bool(np.isnan(one.tau[at])) for one in good),
        "without_high": sum(bool(np.isnan(one.jaccard[at])) for one in good),
        "aligned": sum(one.aligned for one in good),
        "unaligned": sum(one.unaligned for one in good),
    }


def _rows(
    name: str,
    layers: tuple[int, ...],
    good: Sequence[_Judged],
    done: Mapping[str, int],
    counts: Mapping[str, int],
) -> Iterator[StableRow]:
    text = np.array([one.text for one in good], dtype=np.int64)
    what = "; ".join(f"{what}: {n:,}" for what, n in done.items())
    note = f"{what}; {_FOLDED if name == 'case' else _ALIGNED}" if what else ""
    nothing = f"no text has this change and {FEWEST} aligned tokens" if not good else ""
    for k, layer in enumerate(layers):
        tau, tau_interval = stability.mean_over_clusters(_at(good, "tau", k), text, _TAU)
        share, share_interval = stability.mean_over_clusters(_at(good, "jaccard", k), text, _SHARE)
        chance, _ = stability.mean_over_clusters(_at(good, "chance", k), text, _SHARE)
        yield StableRow(
            change=name,
            score="norm",
            title="norm",
            layer=layer,
            tau=tau,
            tau_interval=tau_interval,
            jaccard=share,
            jaccard_interval=share_interval,
            chance=chance,
            same=counts["same"] / len(good) if good else 0.0,
            texts=len(good),
            tokens=counts["aligned"],
            note=note,
            missing=nothing,
        )


def _at(good: Sequence[_Judged], measure: str, k: int) -> np.ndarray:
    """A measure of every text at a layer."""
    return np.array([getattr(one, measure)[k] for one in good], dtype=np.float64)


def _notes(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """What was left out of each change, where there is something."""
    words = {
        "without": "without the change",
        "short": f"with less than {FEWEST} aligned tokens",
        "tied": "whose norms are all tied at the main layer, in τ",
        "without_high": "without an aligned HIGH token at the main layer, in the Jaccard index",
    }
    for name, of in counts.items():
        left = [f"{of[key]:,} {told}" for key, told in words.items() if of[key]]
        if left:
            yield f"{name}: of {of['asked']:,} texts left out: {'; '.join(left)}"
