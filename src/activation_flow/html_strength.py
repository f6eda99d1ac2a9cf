"""Strengths as HTML: strips and tables of the tokens; with layers, where kinds of token stand."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from activation_flow.data import resolve_layers
from activation_flow.markup import errors, escape, heading, hover, legend, level, note
from activation_flow.picture import (
    KINDS_NOTE,
    KINDS_TITLE,
    STRIPS,
    Cells,
    Picture,
    number,
    reading_note,
    shortened,
    threshold_line,
    token_text,
)
from activation_flow.results import StrengthResult

_NAMED = 80  # letters of a text that names its table


def strength_parts(picture: Picture) -> Iterator[str]:
    """Texts, each with its table; kinds of token, legend, errors."""
    for n, cells in picture.texts():
        few = len(cells.result.layers) <= STRIPS
        yield from heading(f"text {n}" if picture.several else "", cells.result)
        yield from _strips(picture, cells, range(len(cells.result.layers)) if few else ())
        yield _table(picture, cells, "Table" if few else "Strength at each layer", not few)
    yield from _more(picture)
    yield from _kinds_parts(picture)
    yield from legend_parts(picture)
    yield from errors(picture.shown)


def token_parts(picture: Picture) -> Iterator[str]:
    """For a page: each text as a strip, at one layer where there are many; legend, errors."""
    yield from strip_parts(picture)
    yield from legend_parts(picture)
    yield from errors(picture.shown)


def strip_parts(picture: Picture) -> Iterator[str]:
    """The same without legend and errors."""
    for n, cells in picture.texts():
        layers = cells.result.layers
        few = range(len(layers)) if len(layers) <= STRIPS else [layers.index(_usual(cells.result))]
        if picture.several or cells.result.text_pair is not None:
            yield from heading(f"text {n:,}" if picture.several else "", cells.result)
        elif how := reading_note(cells.result):  # the text stands at the head of the page
            yield note(how)
        yield from _strips(picture, cells, few)
    yield from _more(picture)


def number_parts(picture: Picture, *, unfolded: bool = True) -> Iterator[str]:
    """For a page: where kinds of token stand; the numbers of each token.

    Args:
        picture: the texts.
        unfolded: whether the table of a text that is the only one can be read at once.
    """
    yield from _kinds_parts(picture)
    for n, cells in picture.texts():
        named = f"text {n:,}: {shortened(cells.result.text, _NAMED)}"
        name = named if picture.several else "Tokens"
        yield _table(picture, cells, name, unfolded and not picture.several)


def _usual(result: StrengthResult) -> int:
    """The layer that stands for all: two thirds of the depth, or the middle one."""
    (usual,) = resolve_layers(None, result.provenance.n_layers)
    return usual if usual in result.layers else result.layers[len(result.layers) // 2]


def _more(picture: Picture) -> Iterator[str]:
    if picture.hidden_texts:
        yield note(f"{picture.hidden_texts:,} more texts are not shown; {picture.hint}")


def _kinds_parts(picture: Picture) -> Iterator[str]:
    if picture.kinds:
        yield f'<p class="afn-title">{KINDS_TITLE}</p>'
        yield note(KINDS_NOTE)
        yield _kinds(picture)


def legend_parts(picture: Picture) -> Iterator[str]:
    """The marks that occur, and what they mean."""
    if picture.legend:
        low, high = picture.scale.low, picture.scale.high
        one = len(low) == 1
        yield legend(
            picture.legend, (number(low[0]), number(high[0])) if one else ("lowest", "highest")
        )


def _strips(picture: Picture, cells: Cells, layers: Iterable[int]) -> Iterator[str]:
    return strips(cells, layers, picture.tokens, picture.hint)


def strips(
    cells: Cells,
    layers: Iterable[int],
    tokens: int,
    hint: str,
    said: Callable[[StrengthResult, int], str] = threshold_line,
) -> Iterator[str]:
    """The tokens of a text in reading order, with their colours and marks, and τ below them.

    Args:
        cells: the text.
        layers: places of those that are drawn, each a strip.
        tokens: at most so many are drawn.
        hint: how to get the others.
        said: the line below a strip, of the text and the place of its layer.
    """
    result, drawn = cells.result, _Drawn(**vars(cells))
    n = min(len(result), tokens)
    for k in layers:
        layer = result.provenance.layer_name(result.layers[k])
        name = f"{layer}: " if len(result.layers) > 1 else ""
        yield drawn.strip(k, n)
        yield f'<p class="afn-tau">{escape(name + said(result, k))}</p>'
    if n < len(result):
        yield note(f"{len(result) - n:,} of {len(result):,} tokens not shown; {hint}")


def _table(picture: Picture, cells: Cells, name: str, unfolded: bool) -> str:
    drawn = _Drawn(**vars(cells))
    table = drawn.table(min(len(cells.result), picture.tokens))
    head = f"<details{' open' * unfolded}><summary>{escape(name)}</summary>"
    return f'{head}<div class="afn-scroll">{table}</div></details>'


def _kinds(picture: Picture) -> str:
    """Kinds by layers, with the colours of percentiles."""
    heads = ["", "kind", "n", *map(str, picture.shown.layers)]
    top = "".join(f"<th>{head}</th>" for head in heads)
    body = ""
    for name, count, places in picture.kinds:
        cells = (f'<td class="{level(place / 100)}">{place:.1f}</td>' for place in places)
        body += f"<tr><td></td><th>{escape(name)}</th><td>{count:,}</td>{''.join(cells)}</tr>\n"
    table = f'<table class="afn-heat"><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table>'
    return f'<div class="afn-scroll">{table}</div>'


@dataclass(frozen=True)
class _Drawn(Cells):
    """The tokens of one text, each with its colour and marks, as HTML."""

    def _wrap(self, k: int, i: int, text: str, tag: str = "span", name: str = "") -> str:
        """A text in the colour of a token, with its marks and the numbers as hover text."""
        look = "afn-special" if self.result.special[i] else level(float(self.place[k, i]))
        shown = escape(text)
        shown = f"<b>{shown}</b>" if self.result.bucket[k, i] == "HIGH" else shown
        shown += "<sup>!</sup>" if self.far[k, i] else ""
        return f'<{tag} class="{name}{look}" {self._hover(k, i)}>{shown}</{tag}>'

    def _hover(self, k: int, i: int) -> str:
        r = self.result
        rank = f"rank {r.rank[k, i]:,} of {(r.rank[k] > 0).sum():,}" if r.rank[k, i] else ""
        bucket = f"{r.bucket[k, i]} (τ = {number(r.threshold[k])})" if r.bucket[k, i] else ""
        segment = f" of segment {r.segment[i] + 1}" if r.text_pair is not None else ""
        where = f"characters {r.start[i]}:{r.end[i]}{segment}" if r.start[i] >= 0 else ""
        lines = (
            [token_text(str(r.tokens[i]))],
            [f"strength {number(r.strength[k, i])}", r.provenance.layer_name(r.layers[k])],
            [rank, bucket],
            [str(r.kind[i]), f"id {r.ids[i]}" if r.ids[i] >= 0 else "", where],
        )
        return hover(lines)

    def strip(self, k: int, n: int) -> str:
        """The first n tokens in reading order."""
        nan = np.where(np.isnan(self.result.strength[k]), " (nan)", "")
        shown = [token_text(str(self.result.tokens[i])) + str(nan[i]) for i in range(n)]
        found = np.zeros(n, dtype=bool) if self.found is None else self.found
        names = ["afn-t afn-found " if found[i] else "afn-t " for i in range(n)]
        tokens = "\n".join(self._wrap(k, i, shown[i], name=names[i]) for i in range(n))
        return f'<div class="afn-strip">{tokens}</div>'

    def table(self, n: int) -> str:
        """The first n tokens; with many layers the strengths only, as a heat table."""
        r, few = self.result, len(self.result.layers) <= STRIPS
        heads = ["#", "token", "kind"]
        for layer in r.layers:
            name = "strength" if len(r.layers) == 1 else f"layer {layer}"
            heads.extend([name, "rank", "bucket"] if few else [str(layer)])
        top = "".join(f"<th>{head}</th>" for head in heads)
        rows = [self._row(i, few) for i in range(n)]
        if not few:
            high = (f"{(row == 'HIGH').sum()}/{(row != '').sum()}" for row in r.bucket)
            for name, values in (("τ", map(number, r.threshold)), ("HIGH", high)):
                tds = "".join(f"<td>{value}</td>" for value in values)
                rows.append(f'<tr class="afn-foot"><td></td><th>{name}</th><td></td>{tds}</tr>')
        body = "\n".join(rows)
        heat = "" if few else ' class="afn-heat"'
        return f"<table{heat}><thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody></table>"

    def _row(self, i: int, few: bool) -> str:
        r = self.result
        token = escape(token_text(str(r.tokens[i])))
        cells = [f"<td>{i}</td><th><bdi>{token}</bdi></th><td>{escape(r.kind[i])}</td>"]
        for k in range(len(r.layers)):
            cells.append(self._wrap(k, i, number(r.strength[k, i]), "td"))
            if few:
                cells.append(f"<td>{r.rank[k, i] or ''}</td><td>{r.bucket[k, i]}</td>")
        return f"<tr>{''.join(cells)}</tr>"
