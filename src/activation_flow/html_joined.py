"""Two texts side by side as HTML: A's tokens left, B's right, each aligned pair joined by a bar.

Computes no statistics. Rows, scale and marks are those of picture_shift; the looks are report.css.
"""

from collections.abc import Iterator, Sequence

from activation_flow.charts_theme import text_width
from activation_flow.markup import escape, hover, level, note
from activation_flow.picture import number, reading_note, token_text
from activation_flow.picture_shift import Row, ShiftPicture, distance
from activation_flow.result_shift import Pair, ShiftResult

# So many rows stand below each other; the next ones beside them, where there is room.
_BLOCK = 16
_TALL = 5  # more blocks than this are scrolled
_ALONE = {"deleted": "only in A", "inserted": "only in B"}


def joined_parts(picture: ShiftPicture, result: ShiftResult) -> Iterator[str]:
    """The rows of a comparison; how its texts were read, and what is not shown.

    Args:
        picture: the scale, and how many rows there are at most.
        result: one of its comparisons.
    """
    pairs = result.pairs
    rows = [picture.drawn(pair) for pair in pairs[: picture.rows]]
    blocks = [rows[k : k + _BLOCK] for k in range(0, len(rows), _BLOCK)]
    several, tall = len(blocks) > 1, len(blocks) > _TALL
    name = f"afn-joined{' afn-several' * several}{' afn-tall' * tall}"
    # What is scrolled must be in reach of the keyboard.
    reach = ' tabindex="0" role="region" aria-label="Aligned tokens"' * tall
    held = "\n".join(
        _block(block, result, f"rows {_BLOCK * k + 1:,} to {_BLOCK * k + len(block):,}" * several)
        for k, block in enumerate(blocks)
    )
    room = f' style="{_room(rows)}"' * several
    yield f'<div class="{name}"{room}{reach}>\n{held}</div>'
    for side, text in (("A", result.a), ("B", result.b)):
        if how := reading_note(text):
            yield note(f"{side}: {how}")
    if len(rows) < len(pairs):
        yield note(f"{len(pairs) - len(rows):,} of {len(pairs):,} rows not shown; {picture.hint}")


def _block(rows: Sequence[Row], result: ShiftResult, which: str) -> str:
    """A table; its roles are said because its cells are laid out as a grid."""
    heads = "".join(f'<th role="columnheader">{head}</th>' for head in ("A", "Δ", "B"))
    named = f"Aligned tokens{f', {which}' if which else ''}"
    seen = f'<caption aria-hidden="true">{which}</caption>' * bool(which)
    body = "\n".join(_row(row, result) for row in rows)
    return (
        '<div class="afn-block"><table class="afn-lines" role="table" '
        f'aria-label="{named}">{seen}\n'
        f'<thead role="rowgroup"><tr role="row">{heads}</tr></thead>\n'
        f'<tbody role="rowgroup">{body}</tbody></table></div>'
    )


def _room(rows: Sequence[Row]) -> str:
    """The width of the widest token of each side, so that all blocks' bars have one scale."""
    sides = {"a": [row.pair.a for row in rows], "b": [row.pair.b for row in rows]}
    widths = {
        side: max((text_width(token_text(token), 1) for token in tokens if token), default=0)
        for side, tokens in sides.items()
    }
    return ";".join(f"--afn-{side}:{1.1 * width + 1.4:.1f}em" for side, width in widths.items())


def _row(row: Row, result: ShiftResult) -> str:
    """A's token, the bar, B's token; where one is missing, the mark of that."""
    pair = row.pair
    a = _side(row, pair.a, pair.strength_a, row.high_a)
    b = _side(row, pair.b, pair.strength_b, row.high_b)
    return (
        f'<tr role="row" {_hover(pair, result)}>'
        f'<td role="cell">{a}</td><td role="cell">{_bar(row)}</td><td role="cell">{b}</td></tr>'
    )


def _side(row: Row, token: str | None, strength: float | None, high: bool) -> str:
    """A token with its strength beside it."""
    if token is None or strength is None:
        return f'<span class="afn-gap">{row.mark}</span>'
    shown = f"<bdi>{escape(token_text(token))}</bdi>"
    shown = f"<b>{shown}</b>" if high else shown
    grey = "afn-special " if row.special else ""
    chip = f'<span class="afn-t {grey}afn-{row.pair.change}">{shown}</span>'
    return f'<span class="afn-end">{chip} <small>{number(strength)}</small></span>'


def _bar(row: Row) -> str:
    """What joins two tokens: as long, and as dark, as the shift is large beside the largest."""
    shift = row.pair.shift
    if shift is None:
        return f'<span class="afn-alone">{_ALONE[row.pair.change]}</span>'
    bar = ""
    if not row.special:  # special tokens are off the scale
        # subtle: not a number has a look of its own, and the whole length.
        width = 100 if row.place != row.place else 100 * row.place
        bar = f'<i class="{level(row.place)}" style="width:{width:.1f}%"></i>'
    end = f'<span class="afn-tip">{row.mark}</span>'
    return (
        f'<span class="afn-join"><span class="afn-track">{bar}</span>'
        f'<span class="afn-delta">{distance(shift)}</span>{end}</span>'
    )


def _hover(pair: Pair, result: ShiftResult) -> str:
    """All numbers of a row."""
    names = [token_text(token) for token in (pair.a, pair.b) if token is not None]
    numbers = ["no partner, so no shift"]
    if pair.shift is not None:
        cosine = "nan" if pair.cosine_distance is None else number(pair.cosine_distance)
        numbers = [f"shift {number(pair.shift)}", f"1 − cos {cosine}"]
    sides = (
        ("A", result.a, pair.a_index, pair.strength_a, pair.bucket_a),
        ("B", result.b, pair.b_index, pair.strength_b, pair.bucket_b),
    )
    lines = []
    for side, text, index, strength, bucket in sides:
        if index is not None and strength is not None:
            rank = int(text.rank[0, index])
            held = f"{bucket} (τ = {number(text.threshold[0])})" if bucket else ""
            place = f"rank {rank:,}" if rank else ""
            lines.append([f"strength of {side} {number(strength)}", held, place])
    shown = " → ".join(names) if pair.change == "replaced" else names[0]
    return hover([[shown], numbers, *lines, [pair.change, pair.kind or ""]])
