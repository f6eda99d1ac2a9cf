"""What a picture of shifts is made of: rows, marks, scale, legend, overview.

The same parts serve terminal (report_shift.py) and HTML (html_shift.py). Computes no statistics.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from activation_flow.picture import Legend, number, quantile_words, source_line, visible
from activation_flow.result_shift import Marked, Pair, ShiftResult, ShiftResults, Values

# How a row's change is marked; nothing where the token is the same.
MARKS = {"same": "", "replaced": "→", "deleted": "−", "inserted": "+"}
# Heads of the numbers that ``overview`` gives.
OVERVIEW = ("total Δ", "R_H", "k/n", "enrichment", "p")
_CHANGES = {"→": "replaced", "−": "only in A", "+": "only in B"}
_WAYS = {
    "text": "by the text's own characters (text); the prompts' tokens stand alone",
    "diff": "by a longest common subsequence (diff)",
    "position": "index by index (position)",
}


@dataclass(frozen=True)
class Row:
    """A row of a comparison, as it is drawn; numbers as text, "" where there is none.

    Attributes:
        pair: its tokens and numbers.
        high_a: True where the first text's token is marked as HIGH.
        high_b: the same of the second's.
        strengths: S, of the texts that say which tokens are HIGH (see ``sides``).
        bucket: HIGH or LOW, by these texts.
        cosine: 1 − cos; "nan" if a vector has no direction.
        place: where its shift is on the colour scale, 0 to 1; NaN: it has no colour.
    """

    pair: Pair
    high_a: bool
    high_b: bool
    strengths: tuple[str, ...]
    bucket: str
    cosine: str
    place: float

    @property
    def special(self) -> bool:
        """True where the tokenizer added the tokens: both, as alignment pairs no others."""
        return self.pair.kind == "special"

    @property
    def mark(self) -> str:
        """Of its change."""
        return MARKS[self.pair.change]


@dataclass(frozen=True)
class ShiftPicture:
    """All that is drawn, and the words around it.

    Attributes:
        listed: the comparisons of the overview; ``left_out`` more are not shown at all.
        shown: those that are drawn token by token.
        end: of the scale, which begins at 0: the largest shift of all tokens shown, special ones
            apart; NaN if there is none.
        legend: mark, its look and its meaning, in the order in which they are read.
        rows: at most so many of a comparison are drawn.
        hint: how to get all of them.
    """

    listed: ShiftResults
    shown: ShiftResults
    end: float
    legend: Legend
    left_out: int
    rows: int
    hint: str

    @property
    def several(self) -> bool:
        """True if more than one comparison was made, so that each needs its number."""
        return len(self.listed) + self.left_out + len(self.listed.errors) > 1

    @property
    def sides(self) -> str:
        """The texts whose strengths say which tokens are HIGH: A, B or AB."""
        by = self.listed.provenance.settings["bucket_by"]
        return {"a": "A", "b": "B", "union": "AB"}[by]

    def drawn(self, pair: Pair) -> Row:
        """A row with its marks and its place on the scale."""
        sides = self.sides
        buckets = {"A": pair.bucket_a, "B": pair.bucket_b}
        strengths = {"A": pair.strength_a, "B": pair.strength_b}
        own = {buckets[side] for side in sides} - {None}
        undirected = pair.shift is not None and pair.cosine_distance is None
        shift = float("nan") if pair.kind == "special" or pair.shift is None else pair.shift
        return Row(
            pair=pair,
            high_a="A" in sides and pair.bucket_a == "HIGH",
            high_b="B" in sides and pair.bucket_b == "HIGH",
            strengths=tuple(_number(strengths[side]) for side in sides),
            bucket="HIGH" if "HIGH" in own else "LOW" if own else "",
            cosine="nan" if undirected else distance(pair.cosine_distance),
            place=shift / self.end if self.end > 0 else shift,
        )


def picture_of_shifts(
    results: ShiftResults, *, listed: int, drawn: int, rows: int, hint: str
) -> ShiftPicture:
    """The first comparisons; the very first token by token, on the scale that they share."""
    head, shown = results[:listed], results[:drawn]
    largest = [float(np.nanmax(on)) for r in shown if not np.isnan(on := _on_scale(r)).all()]
    end = max(largest, default=float("nan"))
    legend = tuple(_meaning(shown, end, len(results) > 1)) if len(shown) else ()
    return ShiftPicture(head, shown, end, legend, len(results) - len(head), rows, hint)


def distance(value: float | None) -> str:
    """A shift or a cosine distance in a table: short, "" for none, and 0 only where it is 0.

    >>> distance(15.4917), distance(2.7e-05), distance(0.0), distance(None)
    ('15.492', '3e-05', '0.000', '')
    """
    if value is None:
        return ""
    tiny = 0 < value < 0.0005
    return f"{value:.0e}" if tiny else number(round(value, 3)) if value < 1 else number(value)


def overview(result: ShiftResult) -> list[str]:
    """The numbers under ``OVERVIEW``; "" where there is none."""
    values = [number(result.total), *map(_number, (result.high_ratio, result.high_share))]
    enrichment = "" if result.enrichment is None else f"{result.enrichment:.2f}"
    return [*values, enrichment, _number(result.p_value)]


def contrast(a: str, b: str, width: int) -> tuple[str, str]:
    """Two texts that are to be cut at ``width``, without a long beginning that they share.

    >>> contrast("It was a beautiful day", "It was a beautiful walk", 20)
    ('…day', '…walk')
    """
    differs = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    common = next(differs, min(len(a), len(b)))
    if max(len(a), len(b)) > width and common > width // 2:
        start = a.rfind(" ", 0, common) + 1
        a, b = (f"…{text[start : start + width]}" for text in (a, b))
    return visible(a[: width + 1]), visible(b[: width + 1])


def special(result: ShiftResult) -> Marked:
    """True for rows of special tokens: alignment pairs them with no others."""
    found: Marked = result.kind == "special"
    return found


def _on_scale(result: ShiftResult) -> Values:
    values: Values = np.where(special(result), np.nan, result.shift)
    return values


def _number(value: float | None) -> str:
    return "" if value is None else number(value)


def _meaning(shown: ShiftResults, end: float, several: bool) -> Iterator[tuple[str, str, str]]:
    """What the picture means; only of marks that occur."""
    settings = shown.provenance.settings
    words = settings["words"]
    mean = "; of a word: between the means of its pieces" if words else ""
    yield "Δ", "", f"shift ‖h_A − h_B‖₂, how far a token's hidden state moves{mean}"
    yield "1 − cos", "", "cosine distance of the two hidden states, 0 to 2"
    how = f"; of a word: {words} over its pieces" if words else ""
    yield "S", "", f"strength ‖h‖₂, L2 norm of a token's hidden state; not its importance{how}"
    yield "model", "", source_line(shown)
    if not np.isnan(end):
        ends = f"0 to {number(end)}, the largest Δ of all tokens shown but special ones"
        yield "scale", "", ends
    by = {"a": "S of A", "b": "S of B", "union": "S of A or of B"}[settings["bucket_by"]]
    yield "HIGH", "bold, underlined: ", f"{by} > τ{quantile_words(settings)}"
    changes = {change for result in shown for change in result.change.tolist()}
    marks = [mark for change, mark in MARKS.items() if mark and change in changes]
    if marks:
        named = ", ".join(f"{mark} {_CHANGES[mark]}" for mark in marks)
        alone = "; without a partner there is no Δ" if marks != ["→"] else ""
        yield "marks", "", named + alone
    yield "aligned", "", _WAYS[settings["align"]]
    if any(special(result).any() for result in shown):
        part = "" if settings["include_special"] else ", not of R_H"
        yield "special", "grey: ", f"added by the tokenizer, off the scale; part of the total{part}"
    if several:
        yield "R_H", "", "part of the shift that HIGH tokens hold; k/n by chance, k of n being HIGH"
        yield "p", "", "part of all ways to choose k of n tokens that hold at least as much"
    if any((result.paired & np.isnan(result.cosine_distance)).any() for result in shown):
        yield "nan", "", "a hidden state of zeros has no direction"
