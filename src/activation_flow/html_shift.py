"""Shifts as HTML: an overview of all comparisons; aligned tokens, sentences and a table of each.

Computes no statistics. Rows, scale and legend are in picture_shift.py.
"""

from collections.abc import Iterator, Sequence

from activation_flow.markup import errors, escape, heading, hover, legend, level, note
from activation_flow.picture import number, shortened, token_text
from activation_flow.picture_shift import (
    OVERVIEW,
    Row,
    ShiftPicture,
    contrast,
    distance,
    overview,
)
from activation_flow.result_shift import ShiftResult
from activation_flow.sentences import sentences

_TEXT = 60  # letters of a text in the overview


def shift_parts(picture: ShiftPicture) -> Iterator[str]:
    """Overview, comparisons, each with its table; legend, errors."""
    yield from _overview_parts(picture)
    for n, result in zip(picture.shown.numbers, picture.shown, strict=True):
        yield from _comparison(picture, n, result)
        yield _numbers(picture, result, "Table", False)
    yield from _end(picture)


def pair_parts(picture: ShiftPicture) -> Iterator[str]:
    """For a page: each comparison as a strip, with what its numbers say; legend, errors."""
    for n, result in zip(picture.shown.numbers, picture.shown, strict=True):
        yield from _comparison(picture, n, result)
    yield from _end(picture)


def number_parts(picture: ShiftPicture) -> Iterator[str]:
    """For a page: the overview; the numbers of each aligned pair."""
    yield from _overview_parts(picture)
    for n, result in zip(picture.shown.numbers, picture.shown, strict=True):
        name = f"pair {n:,}" if picture.several else "Aligned tokens"
        yield _numbers(picture, result, name, not picture.several)


def _overview_parts(picture: ShiftPicture) -> Iterator[str]:
    if picture.several and len(picture.listed):
        yield _overview(picture)
        if picture.left_out:
            yield note(f"{picture.left_out:,} more are not shown; {picture.hint}")


def _end(picture: ShiftPicture) -> Iterator[str]:
    if plain := len(picture.listed) - len(picture.shown):
        yield note(f"{plain:,} more are not shown token by token; {picture.hint}")
    if picture.legend:
        yield legend(picture.legend, ("0", number(picture.end)))
    yield from errors(picture.listed)


def _overview(picture: ShiftPicture) -> str:
    """A row for each comparison."""
    rows = []
    for n, result in zip(picture.listed.numbers, picture.listed, strict=True):
        a, b = (shortened(text, _TEXT) for text in contrast(result.a.text, result.b.text, _TEXT))
        texts = "".join(f'<td class="afn-wrap"><bdi>{escape(text)}</bdi></td>' for text in (a, b))
        numbers = "".join(f"<td>{value}</td>" for value in overview(result))
        rows.append(f"<tr><td>{n:,}</td>{texts}{numbers}</tr>")
    return table(["pair", "A", "B", *OVERVIEW], rows, "afn-overview")


def _comparison(picture: ShiftPicture, n: int, result: ShiftResult) -> Iterator[str]:
    if picture.several:
        yield f'<p class="afn-title afn-number">pair {n:,}</p>'
    yield from heading("A", result.a)
    yield from heading("B", result.b)
    pairs = result.pairs
    rows = [picture.drawn(pair) for pair in pairs[: picture.rows]]
    cells = "\n".join(cell(row, result) for row in rows)
    yield f'<div class="afn-strip">{SIDES}\n{cells}</div>'
    if len(rows) < len(pairs):
        yield note(f"{len(pairs) - len(rows):,} of {len(pairs):,} rows not shown; {picture.hint}")
    for sentence in sentences(result):
        yield f'<p class="afn-tau">{escape(sentence)}</p>'


def _numbers(picture: ShiftPicture, result: ShiftResult, name: str, unfolded: bool) -> str:
    rows = [picture.drawn(pair) for pair in result.pairs[: picture.rows]]
    return pairs_table(picture, rows, name, unfolded)


def pairs_table(
    picture: ShiftPicture, rows: Sequence[Row], name: str = "Table", unfolded: bool = False
) -> str:
    """The rows with all their numbers, to be opened."""
    heads = ["A", "", "B", "kind", *(f"S of {side}" for side in picture.sides)]
    body = table([*heads, "bucket", "Δ", "1 − cos"], [*map(pair_row, rows)], "afn-pairs")
    return f"<details{' open' * unfolded}><summary>{escape(name)}</summary>{body}</details>"


SIDES = '<span class="afn-pair afn-sides"><span>A</span><span>B</span></span>'


def cell(row: Row, result: ShiftResult) -> str:
    """Two tokens, one above the other, in the colour of their shift; or one and an empty half."""
    look = "afn-special" if row.special else level(row.place) if row.pair.shift is not None else ""
    halves = "".join(
        f'<span class="afn-gap">{row.mark}</span>' if token is None else f"<span>{token}</span>"
        for token in _tokens(row)
    )
    change = row.pair.change
    return f'<span class="afn-pair afn-{change} {look}" {_hover(row, result)}>{halves}</span>'


def _tokens(row: Row) -> tuple[str | None, str | None]:
    """Both tokens, HIGH ones in bold; None where there is none."""
    a, b = (
        None if token is None else f"<b>{_token(token)}</b>" if high else _token(token)
        for token, high in ((row.pair.a, row.high_a), (row.pair.b, row.high_b))
    )
    return a, b


def _token(token: str) -> str:
    return f"<bdi>{escape(token_text(token))}</bdi>"


def _hover(row: Row, result: ShiftResult) -> str:
    """All numbers of a row."""
    pair = row.pair
    names = [token_text(token) for token in (pair.a, pair.b) if token is not None]
    shown = f"{' → '.join(names)}" if pair.change == "replaced" else names[0]
    numbers = ["no partner, so no shift"]
    if pair.shift is not None:
        cosine = "nan" if pair.cosine_distance is None else number(pair.cosine_distance)
        numbers = [f"shift {number(pair.shift)}", f"1 − cos {cosine}"]
    sides = (
        ("A", pair.strength_a, pair.bucket_a, result.a.threshold[0]),
        ("B", pair.strength_b, pair.bucket_b, result.b.threshold[0]),
    )
    strengths = [
        [f"strength of {side} {number(strength)}", f"{bucket} (τ = {number(tau)})" * bool(bucket)]
        for side, strength, bucket, tau in sides
        if strength is not None
    ]
    return hover([[shown], numbers, *strengths, [pair.change, pair.kind or ""]])


def pair_row(row: Row) -> str:
    """A row of the table."""
    pair = row.pair
    a, b = (token or "" for token in _tokens(row))
    place = "afn-special" if row.special else level(row.place) if pair.shift is not None else ""
    grey = ' class="afn-special"' if row.special else ""
    numbers = "".join(f"<td{grey}>{value}</td>" for value in row.strengths)
    return (
        f"<tr><th{grey}>{a}</th><td>{row.mark}</td><th{grey}>{b}</th>"
        f"<td{grey}>{escape(pair.kind or '')}</td>"
        f'{numbers}<td{grey}>{row.bucket}</td><td class="{place}">{distance(pair.shift)}</td>'
        f"<td{grey}>{row.cosine}</td></tr>"
    )


def table(heads: Sequence[str], rows: Sequence[str], name: str) -> str:
    """A table that scrolls, of rows that are HTML already."""
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = "\n".join(rows)
    return (
        f'<div class="afn-scroll"><table class="{name}"><thead><tr>{top}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )
