"""What a picture of prompts is made of: names, overview, layers, the rows that are drawn, legend.

The same parts serve terminal (report_prompts.py) and HTML (html_prompts.py); single comparisons
are drawn as shifts (picture_shift.py). Computes no statistics.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from activation_flow.data import main_layer
from activation_flow.picture import Legend, number, visible
from activation_flow.picture_shift import ShiftPicture, contrast, distance, picture_of_shifts
from activation_flow.result_prompts import Matrix, PromptComparison, PromptsResult, PromptsResults
from activation_flow.result_shift import Marked, ShiftResult, ShiftResults
from activation_flow.templates import DEFAULT

# Heads of the numbers that ``overview`` gives; those about R_H are never shown one by one.
DISTANCES = ("anchor Δ", "1 − cos", "total Δ", "mean Δ")
HELD = ("R_H", "k/n", "p")
ANCHORS = {
    "cls": "the cls token",
    "last": "the last token that is read",
    "mean": "the mean vector of all tokens",
}
DEPTH_TITLE = "Where in depth the prompts act"
DEPTH_NOTE = (
    "Δ is in the unit of its own layer: compare it down a column, not along a row; 1 − cos has no "
    "unit"
)
# What no number here can say.
CAUTION = (
    "How far a prompt moves a text does not say whether the prompt is good for a task: that takes "
    "texts with known answers."
)


class Table(NamedTuple):
    """One quantity of every pair of prompts at every layer.

    Attributes:
        name: of the quantity.
        rows: of each pair, the numbers as text.
        places: of each pair, where they are on a scale from 0 to the largest; none if layers
            cannot be compared.
    """

    name: str
    rows: list[list[str]]
    places: list[list[float]]


@dataclass(frozen=True)
class Drawn:
    """A comparison that is drawn token by token.

    Attributes:
        text: number of its text.
        of: the result that it is part of.
        one: the comparison.
        shift: the same at one layer.
    """

    text: int
    of: PromptsResult
    one: PromptComparison
    shift: ShiftResult

    @property
    def apart(self) -> Marked:
        """True for the prompts' tokens that have no partner: they are listed by themselves."""
        found: Marked = ~self.one.paired & (self.one.part == "prompt")
        return found


@dataclass(frozen=True)
class PromptsPicture:
    """All that is drawn, and the words around it.

    Attributes:
        listed: the texts that are shown; ``left_out`` more are not.
        layer: at which overview and comparisons are shown.
        drawn: the comparisons that are drawn token by token.
        shifts: scale, marks and legend of these.
        legend: mark, its look and its meaning, in the order in which they are read.
        left_out: number of texts.
        hint: how to get all of them.
    """

    listed: PromptsResults
    layer: int
    drawn: tuple[Drawn, ...]
    shifts: ShiftPicture
    legend: Legend
    left_out: int
    hint: str

    @property
    def several(self) -> bool:
        """True if more than one text was given, so that each needs its number."""
        return len(self.listed) + self.left_out + len(self.listed.errors) > 1

    def drawn_of(self, text: int) -> list[Drawn]:
        """The comparisons of a text that are drawn."""
        return [one for one in self.drawn if one.text == text]


def picture_of_prompts(
    results: PromptsResults, *, texts: int, drawn: int, rows: int, hint: str
) -> PromptsPicture:
    """The first texts; of these the first comparisons, token by token, on one scale."""
    listed = results[:texts]
    layer = main_layer(results.layers, results.provenance)
    every = (
        (number, result, one)
        for number, result in zip(listed.numbers, listed, strict=True)
        for one in result.comparisons
    )
    chosen = tuple(
        Drawn(number, result, one, result.between(one.a, one.b, layer))
        for (number, result, one), _ in zip(every, range(drawn), strict=False)
    )
    shifts = ShiftResults(tuple(one.shift for one in chosen), results.provenance, (layer,))
    picture = picture_of_shifts(shifts, listed=drawn, drawn=drawn, rows=rows, hint=hint)
    legend = tuple(_meaning(listed, picture.legend)) if len(listed) else ()
    left_out = len(results) - len(listed)
    return PromptsPicture(listed, layer, chosen, picture, legend, left_out, hint)


def name(prompt: str | None) -> str:
    """A prompt as it is shown; how much of it, is said by who shows it."""
    return "(bare text)" if prompt is None else visible(prompt)


def names(result: PromptsResult, one: PromptComparison, width: int) -> tuple[str, str]:
    """Both prompts, to be cut at ``width``, without a long beginning that they share."""
    a, b = result.prompts[one.a], result.prompts[one.b]
    shown_a, shown_b = contrast(a or "", b or "", width)
    return name(None) if a is None else shown_a, shown_b


def overview(result: PromptsResult, one: PromptComparison, layer: int) -> list[str]:
    """The numbers under ``DISTANCES`` and ``HELD``; "" where there is none."""
    k, (a, b) = result.layers.index(layer), (one.a, one.b)
    held = one.concentration[k]
    ratios = (held.high_ratio, held.high_share, held.p_value)
    return [
        distance(float(result.anchor_shift[k, a, b])),
        distance(float(result.anchor_cosine[k, a, b])),
        number(float(one.total_shift[k])),
        number(float(one.mean_shift[k])),
        *("" if value is None else number(value) for value in ratios),
    ]


def by_layer(result: PromptsResult) -> list[Table]:
    """Anchor and mean shift of every pair of prompts, layer by layer."""
    return [
        _table(f"anchor Δ ({ANCHORS[result.anchor]})", result, result.anchor_shift, False),
        _table("anchor 1 − cos", result, result.anchor_cosine, True),
        _table("mean Δ of all aligned tokens", result, result.mean_drift, False),
    ]


def _table(name: str, result: PromptsResult, values: Matrix, on_scale: bool) -> Table:
    rows = [values[:, one.a, one.b] for one in result.comparisons]
    largest = float(np.nanmax(rows)) if on_scale and not np.isnan(rows).all() else 0.0
    places = [(row / largest).tolist() for row in rows] if largest > 0 else []
    return Table(name, [[distance(v) for v in row.tolist()] for row in rows], places)


def _meaning(listed: PromptsResults, shifts: Legend) -> Iterator[tuple[str, str, str]]:
    """What the picture means; only of what occurs."""
    settings = listed.provenance.settings
    kinds = dict.fromkeys(ANCHORS[result.anchor] for result in listed)
    yield "anchor", "", f"{' or '.join(kinds)}, which stands for the whole of what is read"
    yield "mean Δ", "", "total Δ / number of aligned pairs, special ones included"
    if settings["template"] != DEFAULT:
        yield "template", "", visible(settings["template"])
    for mark, look, meaning in shifts:
        yield mark, look, meaning
        if mark == "Δ":
            longer = "a longer prompt also moves the text to later positions: part of every Δ"
            yield "", "", longer
