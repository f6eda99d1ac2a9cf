"""Results as HTML: a fragment for notebooks, a page to send. Escaping lives here.

No script, no request to any host; the looks are report.css.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape as _escape
from importlib.resources import files

import numpy as np

from activation_flow.picture import (
    HINT,
    STRIPS,
    Cells,
    Picture,
    number,
    picture_of,
    threshold_line,
    token_text,
    visible,
)
from activation_flow.results import StrengthResults

_FILES = "a .csv or .json file holds all"
# Steps of colour: one class each in report.css.
LEVELS = 40


def escape(text: object) -> str:
    r"""The one way of any text into HTML, attributes included.

    >>> escape("<b>\0")
    '&lt;b&gt;\\x00'
    """
    return _escape(visible(str(text)), quote=True)


def html_fragment(results: StrengthResults) -> str:
    """A self-contained ``<div>`` for notebooks."""
    return _fragment(_bounded(results, texts=10, cells=10_000, hint=HINT))


def html_page(results: StrengthResults) -> str:
    """A complete document to read offline, print and send; settings and versions at its end."""
    head = results.provenance
    about = f": {results[0].text[:60]}" if len(results) == 1 else ""
    layers = f"{', '.join(map(str, results.layers))} of {head.n_layers}"
    facts = {"model": head.model, "revision": head.revision or "unknown", "layers": layers}
    facts |= {"engine": head.engine, "precision": head.precision}
    rows = "".join(
        f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>\n"
        for group in (facts, head.settings, head.versions)
        for key, value in group.items()
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Token activation strength{escape(about)}</title>\n</head>\n"
        '<body class="afn-page">\n<h1>Token activation strength</h1>\n'
        f"{_fragment(_bounded(results, texts=200, cells=100_000, hint=_FILES))}\n"
        '<div class="afn"><p class="afn-title">Model, settings, versions</p>\n'
        f'<table class="afn-facts">{rows}</table></div>\n</body>\n</html>\n'
    )


def _bounded(results: StrengthResults, *, texts: int, cells: int, hint: str) -> Picture:
    """A picture of about so many cells, so that a page of any results can be opened."""
    share = cells // max(1, min(len(results), texts) * len(results.layers))
    return picture_of(results, texts=texts, tokens=max(50, share), hint=hint)


def _fragment(picture: Picture) -> str:
    """A ``<div>`` with its own style, for a notebook or as the body of a page."""
    parts = [part for n, cells in picture.texts() for part in _text(picture, n, cells)]
    if picture.hidden_texts:
        parts.append(_note(f"{picture.hidden_texts:,} more texts are not shown; {picture.hint}"))
    if picture.legend:
        parts.append(_legend(picture))
    if picture.shown.errors:
        lines = (f"text {e.text_number}: {e.reason}" for e in picture.shown.errors)
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        parts.append(f'<p class="afn-title">Without a result</p><ul>{items}</ul>')
    body = "\n".join(parts)
    return f'<div class="afn" translate="no">\n<style>\n{_style()}</style>\n{body}\n</div>'


def _style() -> str:
    return files("activation_flow").joinpath("report.css").read_text(encoding="utf-8")


def _note(text: str) -> str:
    return f'<p class="afn-note">{escape(text)}</p>'


def _text(picture: Picture, text: int, cells: Cells) -> Iterator[str]:
    result, drawn = cells.result, _Drawn(cells.result, cells.place, cells.far)
    lead = f'<span class="afn-number">text {text}</span> ' if picture.several else ""
    segments = [result.text] if result.text_pair is None else [result.text, result.text_pair]
    quoted = "<br>".join(f"<bdi>{escape(segment) or '(empty)'}</bdi>" for segment in segments)
    yield f'<p class="afn-title">{lead}{quoted}</p>'
    if result.n_windows > 1:
        yield _note(f"read in {result.n_windows:,} overlapping windows")
    n = min(len(result), picture.tokens)
    if len(result.layers) <= STRIPS:
        for k, layer in enumerate(result.layers):
            name = f"{result.provenance.layer_name(layer)}: " if len(result.layers) > 1 else ""
            yield drawn.strip(k, n)
            yield f'<p class="afn-tau">{escape(name + threshold_line(result, k))}</p>'
    if n < len(result):
        yield _note(f"{len(result) - n:,} of {len(result):,} tokens not shown; {picture.hint}")
    few = len(result.layers) <= STRIPS
    head = "<details><summary>Table" if few else "<details open><summary>Strength at each layer"
    yield f'{head}</summary><div class="afn-scroll">{drawn.table(n)}</div></details>'


def _legend(picture: Picture) -> str:
    looks = {"HIGH": "<b>HIGH</b>", "special": '<span class="afn-t afn-special">special</span>'}
    one = len(picture.shown.layers) == 1
    ends = (
        [number(picture.scale.low[0]), number(picture.scale.high[0])]
        if one
        else ["lowest", "highest"]
    )
    bar = f'<span class="afn-range">{ends[0]}<span class="afn-bar"></span>{ends[1]}</span>'
    rows = "".join(
        f"<dt>{looks.get(mark, escape(mark))}</dt>"
        f"<dd>{bar if mark == 'scale' else ''}{escape(look + meaning)}</dd>"
        for mark, look, meaning in picture.legend
    )
    return f'<dl class="afn-legend">{rows}</dl>'


@dataclass(frozen=True)
class _Drawn(Cells):
    """The tokens of one text, each with its colour and marks, as HTML."""

    def _wrap(self, k: int, i: int, text: str, tag: str = "span", name: str = "") -> str:
        """A text in the colour of a token, with its marks and the numbers as hover text."""
        fraction = self.place[k, i]
        look = "afn-nan" if np.isnan(fraction) else f"afn-s{round(fraction * LEVELS)}"
        look = "afn-special" if self.result.special[i] else look
        shown = escape(text)
        shown = f"<b>{shown}</b>" if self.result.bucket[k, i] == "HIGH" else shown
        shown += "<sup>!</sup>" if self.far[k, i] else ""
        return f'<{tag} class="{name}{look}" title="{self._hover(k, i)}">{shown}</{tag}>'

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
            [str(r.kind[i]), f"id {r.ids[i]}", where],
        )
        joined = (escape(", ".join(filter(None, line))) for line in lines)
        return "&#10;".join(filter(None, joined))

    def strip(self, k: int, n: int) -> str:
        """The first n tokens in reading order."""
        nan = np.where(np.isnan(self.result.strength[k]), " (nan)", "")
        shown = [token_text(str(self.result.tokens[i])) + str(nan[i]) for i in range(n)]
        tokens = "\n".join(self._wrap(k, i, shown[i], name="afn-t ") for i in range(n))
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
