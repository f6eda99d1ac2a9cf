"""Two texts compared, as the page shows them: numbers, aligned tokens joined, charts, table.

Computes nothing and asks no model: all is in the result.
"""

from collections.abc import Iterator, Sequence

from activation_flow import charts, retrace, retrace_python
from activation_flow.app_charts import drawn
from activation_flow.app_inputs import Compare
from activation_flow.app_shown import Shown
from activation_flow.html_joined import joined_parts
from activation_flow.html_shift import pairs_table
from activation_flow.markup import block, escape, facts, legend, note, tiles
from activation_flow.picture import number
from activation_flow.picture_shift import ShiftPicture, picture_of_shifts
from activation_flow.result_shift import ShiftResult
from activation_flow.sentences import sentences

_ROWS = 1_000  # of a comparison are drawn
_HINT = "the files hold all"
_JOINED = (
    "Tokens of A on the left, the tokens of B that they are aligned to on the right, each with its "
    "strength S. The bar between them is as long and as dark as the shift Δ is large. Point at a "
    "row, or open the table, for all its numbers."
)


def shown(
    found: ShiftResult, inputs: Compare, layers: Sequence[int], *, longest: int | None = None
) -> Shown:
    """The view of one comparison.

    Args:
        found: of the two texts.
        inputs: that it was asked for with.
        layers: those of its model.
        longest: the longest input of its model.
    """
    results = found._as_list()
    picture = picture_of_shifts(results, listed=1, drawn=1, rows=_ROWS, hint=_HINT)
    return Shown(
        html=block(_parts(picture, found)),
        charts=tuple(drawn(figure) for figure in charts.figures(found)),
        below=block(_numbers(picture, found)),
        command=retrace.command(results, longest=longest),
        python=retrace_python.python(found, longest=longest),
        layers=tuple(layers),
        layer=found.layer,
    )


def _parts(picture: ShiftPicture, found: ShiftResult) -> Iterator[str]:
    """The numbers, what they say, and the tokens."""
    yield tiles(tiles_of(found))
    for sentence in sentences(found):
        yield f'<p class="afn-tau">{escape(sentence)}</p>'
    yield from joined_parts(picture, found)
    yield note(_JOINED)


def tiles_of(found: ShiftResult) -> Iterator[tuple[str, str, str]]:
    """Name, number, and what it is to be read beside; R_H never without its chance level."""
    pairs = int(found.paired.sum())
    yield "total Δ", number(found.total), f"over {pairs:,} aligned pair{'s' * (pairs != 1)}"
    of = found.concentration
    if of.high_ratio is None or of.high_share is None or of.enrichment is None:
        yield "R_H", "none", "why is said below"
        return
    yield "R_H", number(of.high_ratio), f"chance {number(of.high_share)} = {of.k:,} / {of.n:,}"
    yield "enrichment", f"{of.enrichment:.2f}", "chance 1.00"
    if of.p_value is not None and of.p_floor is not None:
        yield "p", number(of.p_value), f"smallest possible {number(of.p_floor)}"


def _numbers(picture: ShiftPicture, found: ShiftResult) -> Iterator[str]:
    rows = [picture.drawn(pair) for pair in found.pairs[: picture.rows]]
    yield pairs_table(picture, rows, "Table")
    if picture.legend:
        yield legend(picture.legend, ("0", number(picture.end)))
    yield facts(found.provenance)
