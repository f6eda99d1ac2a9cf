"""Two texts compared, as the page shows them: numbers, aligned tokens joined, charts, table.

Computes nothing and asks no model: all is in the result.
"""

from collections.abc import Iterator, Sequence

from activation_flow import app_words, charts, retrace, retrace_python
from activation_flow.app_charts import drawn
from activation_flow.app_inputs import Compare
from activation_flow.app_shown import Shown
from activation_flow.html_joined import joined_parts
from activation_flow.html_shift import pairs_table
from activation_flow.markup import block, folded, legend, note, tiles
from activation_flow.picture import number
from activation_flow.picture_shift import ShiftPicture, picture_of_shifts
from activation_flow.result_shift import ShiftResult
from activation_flow.sentences import sentences

_ROWS = 1_000  # of a comparison are drawn
_HINT = "the files hold all"
_RATIO = "R_H: share of the shift held by HIGH tokens"
_JOINED = (
    "A on the left, B on the right, each token with its strength S ({strength}). Longer bar = "
    "larger shift Δ (how far the hidden state moves from A to B). Bold, underlined = HIGH: above "
    "τ, {border} of the tokens of A. {caution}"
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
    said = map(note, sentences(found))
    # Without a ratio the sentences say why; else they say in words what stands above.
    if found.concentration.high_ratio is None:
        yield from said
    else:
        yield folded("The same in words", said)
    yield from joined_parts(picture, found)
    yield app_words.line(
        _JOINED.format(
            strength=app_words.STRENGTH,
            border=app_words.border(found.provenance.settings),
            caution=app_words.CAUTION,
        )
    )


def tiles_of(found: ShiftResult) -> Iterator[tuple[str, str, str]]:
    """Name, number, and what it is to be read beside; R_H never without its chance level."""
    pairs = int(found.paired.sum())
    over = f"sum over {pairs:,} aligned pair{'s' * (pairs != 1)}"
    yield "total shift Δ", number(found.total), over
    of = found.concentration
    if of.high_ratio is None or of.high_share is None or of.enrichment is None:
        yield _RATIO, "none", "why is said below"
        return
    yield _RATIO, number(of.high_ratio), f"by chance {number(of.high_share)} = {of.k:,} / {of.n:,}"
    yield "enrichment: R_H / chance", f"{of.enrichment:.2f}", "by chance 1.00"
    if of.p_value is not None and of.p_floor is not None:
        beside = f"smallest possible {number(of.p_floor)}"
        yield "p: how often chance gives as much", number(of.p_value), beside


def _numbers(picture: ShiftPicture, found: ShiftResult) -> Iterator[str]:
    rows = [picture.drawn(pair) for pair in found.pairs[: picture.rows]]
    yield pairs_table(picture, rows, "Table")
    meanings = [legend(picture.legend, ("0", number(picture.end)))] if picture.legend else []
    yield app_words.end(meanings, found.provenance)
