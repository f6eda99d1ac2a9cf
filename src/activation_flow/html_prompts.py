"""Prompts as HTML: every pair in one table, where in depth they act, the comparisons one by one.

Computes no statistics. Names, numbers and legend are in picture_prompts.py; a comparison is drawn
as a shift, with the tools of html_shift.py.
"""

from collections.abc import Iterator

from activation_flow.html_shift import SIDES, cell, pairs_table, table
from activation_flow.markup import errors, escape, legend, level, note, quoted_text
from activation_flow.picture import number, reading_note, shortened
from activation_flow.picture_prompts import (
    CAUTION,
    DEPTH_NOTE,
    DEPTH_TITLE,
    DISTANCES,
    HELD,
    Drawn,
    PromptsPicture,
    Table,
    by_layer,
    name,
    names,
    overview,
)
from activation_flow.picture_shift import Row
from activation_flow.result_prompts import PromptComparison, PromptsResult
from activation_flow.sentences_prompts import comparison_sentences, overall

_NAME = 80  # letters of a prompt in a table


def prompts_parts(picture: PromptsPicture) -> Iterator[str]:
    """Texts, legend, errors."""
    listed = picture.listed
    for n, result in zip(listed.numbers, listed, strict=True):
        yield from _text(picture, n, result)
    yield from end_parts(picture)


def end_parts(picture: PromptsPicture) -> Iterator[str]:
    """What stands below all texts: what no number says, legend, errors."""
    if picture.left_out:
        yield note(f"{picture.left_out:,} more texts are not shown; {picture.hint}")
    if len(picture.listed):
        yield note(CAUTION)
        yield legend(picture.legend, ("0", number(picture.shifts.end)))
    yield from errors(picture.listed)


def token_parts(picture: PromptsPicture) -> Iterator[str]:
    """For a page: the comparisons as strips, with what their numbers say; legend, errors."""
    listed = picture.listed
    for n, result in zip(listed.numbers, listed, strict=True):
        if picture.several:
            yield from quoted_text(f"text {n:,}", [result.text])
        if words := overall(result, picture.layer):
            yield _sentence(words)
        for one in picture.drawn_of(n):
            yield from _comparison(picture, one)
        yield from _not_drawn(picture, n, result)
    yield from end_parts(picture)


def pair_parts(picture: PromptsPicture) -> Iterator[str]:
    """Of one text the comparisons that were chosen, token by token."""
    for one in picture.drawn:
        yield from _strips(picture, one, "A")


def number_parts(picture: PromptsPicture) -> Iterator[str]:
    """For a page: all pairs, where in depth they act, the numbers of each aligned pair."""
    listed = picture.listed
    for n, result in zip(listed.numbers, listed, strict=True):
        if picture.several:
            yield from quoted_text(f"text {n:,}", [result.text])
        yield _overview(picture, result)
        yield from _depths(result)
        for one in picture.drawn_of(n):
            yield _numbers(picture, one, f"Aligned tokens of pair {_place(one):,}")


def _text(picture: PromptsPicture, n: int, result: PromptsResult) -> Iterator[str]:
    yield from quoted_text(f"text {n:,}" if picture.several else "", [result.text])
    yield _overview(picture, result)
    if words := overall(result, picture.layer):
        yield _sentence(words)
    yield from _depths(result)
    for one in picture.drawn_of(n):
        yield from _comparison(picture, one)
        yield _numbers(picture, one, "Table")
    yield from _not_drawn(picture, n, result)


def _depths(result: PromptsResult) -> Iterator[str]:
    if len(result.layers) > 1:
        yield f'<p class="afn-title">{DEPTH_TITLE}</p>'
        yield note(DEPTH_NOTE)
        for values in by_layer(result):
            yield _depth(result, values)


def _not_drawn(picture: PromptsPicture, n: int, result: PromptsResult) -> Iterator[str]:
    if left := len(result.comparisons) - len(picture.drawn_of(n)):
        yield note(f"{left:,} more pairs are not shown token by token; {picture.hint}")


def _overview(picture: PromptsPicture, result: PromptsResult) -> str:
    """A row for each pair of prompts."""
    rows = []
    for number_of, one in enumerate(result.comparisons, 1):
        who = "".join(f'<td class="afn-wrap">{one_name}</td>' for one_name in _names(result, one))
        numbers = "".join(f"<td>{value}</td>" for value in overview(result, one, picture.layer))
        rows.append(f"<tr><td>{number_of:,}</td>{who}{numbers}</tr>")
    return table(["pair", "A", "B", *DISTANCES, *HELD], rows, "afn-overview")


def _names(result: PromptsResult, one: PromptComparison) -> list[str]:
    """Two prompts; the bare text in grey."""
    prompts = result.prompts[one.a], result.prompts[one.b]
    return [
        f'<span class="afn-gap">{text}</span>'
        if prompt is None
        else f"<bdi>{escape(shortened(text, _NAME))}</bdi>"
        for prompt, text in zip(prompts, names(result, one, _NAME), strict=True)
    ]


def _depth(result: PromptsResult, values: Table) -> str:
    """Pairs by layers."""
    rows = []
    for k, one in enumerate(result.comparisons):
        looks = map(level, values.places[k]) if values.places else [""] * len(values.rows[k])
        cells = "".join(
            f'<td class="{look}">{value}</td>'
            for look, value in zip(looks, values.rows[k], strict=True)
        )
        who = " · ".join(_names(result, one))
        rows.append(f"<tr><td>{k + 1:,}</td><th>{who}</th>{cells}</tr>")
    heads = ["pair", escape(values.name), *(f"layer {layer}" for layer in result.layers)]
    return table(heads, rows, "afn-heat")


def _comparison(picture: PromptsPicture, drawn: Drawn) -> Iterator[str]:
    yield from _strips(picture, drawn, f"pair {_place(drawn):,}, A")
    for sentence in comparison_sentences(drawn):
        yield _sentence(sentence)


def _strips(picture: PromptsPicture, drawn: Drawn, lead_a: str) -> Iterator[str]:
    """Both prompts; the text's tokens, and below them the prompts' own."""
    result = drawn.of
    for lead, place in ((lead_a, drawn.a), ("B", drawn.b)):
        prompt = result.prompts[place]
        yield from quoted_text(lead, [name(None) if prompt is None else prompt])
        if how := reading_note(result.variants[place]):
            yield note(how)
    own, others = _rows(picture, drawn)
    yield from _strip(picture, drawn, own)
    if others:
        yield note("the prompts' own tokens, without a partner:")
        yield from _strip(picture, drawn, others)


def _numbers(picture: PromptsPicture, drawn: Drawn, title: str) -> str:
    own, _ = _rows(picture, drawn)
    return pairs_table(picture.shifts, own[: picture.shifts.rows], title)


def _rows(picture: PromptsPicture, drawn: Drawn) -> tuple[list[Row], list[Row]]:
    """The text's own tokens; the prompts'."""
    rows = [picture.shifts.drawn(pair) for pair in drawn.shift.pairs]
    both = [*zip(rows, drawn.apart, strict=True)]
    return [row for row, apart in both if not apart], [row for row, apart in both if apart]


def _place(drawn: Drawn) -> int:
    """Number of a pair of prompts in the overview."""
    pairs = [(one.a, one.b) for one in drawn.of.comparisons]
    return pairs.index((min(drawn.a, drawn.b), max(drawn.a, drawn.b))) + 1


def _strip(picture: PromptsPicture, drawn: Drawn, rows: list[Row]) -> Iterator[str]:
    limit = picture.shifts.rows
    cells = "\n".join(cell(row, drawn.shift) for row in rows[:limit])
    yield f'<div class="afn-strip">{SIDES}\n{cells}</div>'
    if len(rows) > limit:
        yield note(f"{len(rows) - limit:,} of {len(rows):,} rows not shown; {picture.hint}")


def _sentence(words: str) -> str:
    return f'<p class="afn-tau">{escape(words)}</p>'
