"""What a picture of strengths is made of (colours, scale, escaping), and its HTML form.

The terminal form, made of the same parts, is report.py. Computes no statistics, only positions on
a colour scale. The HTML holds no script and asks nothing of any host; its looks are report.css.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape as _escape
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from activation_flow.data import PerLayer, StrengthResult, StrengthResults

# One hue, even steps of lightness (OKLab 0.96 to 0.35); readable with every colour blindness.
_LIGHT, _DARK = ("#f4f1fb", "#dfd8f1", "#c9bde6", "#b4a3db"), ("#7550b4", "#5f30a2", "#46108a")
RAMP = (*_LIGHT, "#9f88cf", "#8a6dc2", *_DARK)
# A token this many times the median strength of its text is clipped in pictures, never in numbers.
OUTLIER = 10
# How to get what a picture leaves out.
HINT = ".to_pandas() or .save('x.csv') gives all"
_FILES = "a .csv or .json file holds all"
# More layers than this are drawn as a heat table instead of one strip each.
STRIPS = 4
# Steps of colour in HTML: one class each in report.css.
LEVELS = 40


def shade(fraction: float) -> tuple[str, str]:
    """Background and text colour of a position on the scale, 0 = lowest, 1 = highest.

    The text is black or white, whichever can be read better; the contrast is at least 4.5.

    >>> shade(0), shade(1)
    (('#f4f1fb', '#000000'), ('#46108a', '#ffffff'))
    """
    place = min(max(fraction, 0.0), 1.0) * (len(RAMP) - 1)
    below = min(int(place), len(RAMP) - 2)
    pair = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in RAMP[below : below + 2]]
    mixed = [round(a + (b - a) * (place - below)) for a, b in zip(*pair, strict=True)]
    linear = [((c / 255 + 0.055) / 1.055) ** 2.4 for c in mixed]
    luminance = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
    # subtle: at 0.179 black and white text have the same WCAG contrast, 4.58.
    return "#{:02x}{:02x}{:02x}".format(*mixed), "#000000" if luminance > 0.179 else "#ffffff"


def visible(text: str) -> str:
    r"""The text, with every control and direction character as an escape; nothing hides.

    A combining mark without a letter gets a dotted circle; joiners inside a word stay.

    >>> print(visible("a\x1b[31m\n"), visible("\u202eevil"))
    a\x1b[31m\n \u202eevil
    """
    if text and unicodedata.category(text[0]).startswith("M"):
        text = "\u25cc" + text
    if text.isprintable():
        return text
    inner = range(1, len(text) - 1)
    return "".join(
        letter.encode("unicode_escape").decode()
        if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        and not (letter in "\u200c\u200d" and i in inner)
        else letter
        for i, letter in enumerate(text)
    )


def token_text(token: str) -> str:
    """A token as it is shown: visible, with its spaces, and if it is empty.

    >>> token_text(" the"), token_text("")
    ('␣the', "''")
    """
    return visible(token).replace(" ", "␣") or "''"


def escape(text: object) -> str:
    r"""The one way of any text into HTML, attributes included.

    >>> escape("<b>\0")
    '&lt;b&gt;\\x00'
    """
    return _escape(visible(str(text)), quote=True)


def number(value: float) -> str:
    """Three decimals, unless these would say nothing or fill the line.

    >>> number(13.7612), number(1e-5), number(12345678.9)
    ('13.761', '1e-05', '1.235e+07')
    """
    plain = value == 0 or 0.001 <= abs(value) < 1e6 or not np.isfinite(value)
    return f"{value:.3f}" if plain else f"{value:.4g}"


@dataclass(frozen=True)
class Scale:
    """One colour scale for each layer, over all texts shown; NaN where there is nothing to show.

    Attributes:
        low: the lowest strength of any token on the scale.
        high: the highest; special tokens and outliers are not on the scale.
    """

    low: PerLayer
    high: PerLayer

    def fraction(self, result: StrengthResult) -> Float[np.ndarray, "layers tokens"]:
        """Where each token is on its layer's scale, clipped to 0..1; NaN: it has no colour."""
        low, high = self.low[:, None], self.high[:, None]
        values = result.strength.astype(np.float64)
        span = np.where(high > low, high - low, 1.0)
        with np.errstate(invalid="ignore"):
            place = np.clip((values - low) / span, 0, 1)
        place = np.where((low == high) & (values <= high), 0.5, place)
        return np.where(result.special | np.isnan(values), np.nan, place)


def outliers(result: StrengthResult) -> Bool[np.ndarray, "layers tokens"]:
    """True where a token is more than 10x the median strength of its text."""
    found = np.zeros(result.strength.shape, dtype=bool)
    for row, out in zip(result.strength.astype(np.float64), found, strict=True):
        usual = row[~result.special & np.isfinite(row)]
        if len(usual):
            out[:] = row > OUTLIER * np.median(usual)
    return found


def scale_of(results: Sequence[StrengthResult], n_layers: int) -> Scale:
    """The scale that these texts share, layer by layer."""
    ends = np.full((2, n_layers), np.nan)
    for result in results:
        values = result.strength.astype(np.float64)
        on_scale = ~result.special & np.isfinite(values) & ~outliers(result)
        for k in np.nonzero(on_scale.any(axis=1))[0]:
            row = values[k, on_scale[k]]
            ends[:, k] = np.fmin(ends[0, k], row.min()), np.fmax(ends[1, k], row.max())
    return Scale(ends[0], ends[1])


def threshold_line(result: StrengthResult, k: int) -> str:
    """Threshold and number of HIGH tokens of one layer, out of those that take part."""
    part = int((result.bucket[k] != "").sum())
    if not part:
        return "no threshold: no token takes part"
    high = int((result.bucket[k] == "HIGH").sum())
    return f"τ = {number(float(result.threshold[k]))}  HIGH: {high:,} of {part:,} tokens"


@dataclass(frozen=True)
class Picture:
    """All that is drawn, and the words around it.

    Attributes:
        shown: the results that are drawn; ``hidden_texts`` more are not.
        scale: of these.
        legend: mark, its look and its meaning, in the order in which they are read.
        tokens: at most so many tokens of a text are drawn.
        hint: how to get all of them.
    """

    shown: StrengthResults
    scale: Scale
    legend: tuple[tuple[str, str, str], ...]
    hidden_texts: int
    tokens: int
    hint: str

    @property
    def several(self) -> bool:
        """True if more than one text was given, so that each needs its number."""
        return len(self.shown) + self.hidden_texts + len(self.shown.errors) > 1

    def texts(self) -> "Iterator[tuple[int, Cells]]":
        """The number and the tokens of each text."""
        for text, result in zip(self.shown.numbers, self.shown, strict=True):
            yield text, Cells(result, self.scale.fraction(result), outliers(result))


def picture(results: StrengthResults, *, texts: int, tokens: int, hint: str) -> Picture:
    """The first texts, on the scale that they share; at most so many tokens of each."""
    shown = results[:texts]
    scale = scale_of(shown, len(shown.layers))
    words = tuple(_meaning(shown, scale)) if len(shown) else ()
    return Picture(shown, scale, words, len(results) - len(shown), tokens, hint)


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
    return picture(results, texts=texts, tokens=max(50, share), hint=hint)


def source_line(results: StrengthResults) -> str:
    """Model, layers, engine and precision."""
    head, layers = results.provenance, results.layers
    where = head.layer_name(layers[0])
    if len(layers) > 1:
        run = len(layers) > 2 and list(layers) == list(range(layers[0], layers[-1] + 1))
        names = f"{layers[0]}-{layers[-1]}" if run else ", ".join(map(str, layers))
        final = head.final_norm and head.n_layers in layers
        note = f" ({head.n_layers} after the final norm)" if final else ""
        where = f"layers {names} of {head.n_layers}{note}"
    return visible(f"{head.model}, {where}, {head.engine} {head.precision}")


def _meaning(shown: StrengthResults, scale: Scale) -> Iterator[tuple[str, str, str]]:
    """What the picture means: marks, how they look, and sentences; only of marks that occur."""
    settings = shown.provenance.settings
    how = f"; of a word: {settings['words']} over its pieces" if settings.get("words") else ""
    yield "S", "", f"strength ‖h‖₂, L2 norm of a token's hidden state; not its importance{how}"
    yield "model", "", source_line(shown)
    ends = [f"{number(a)} to {number(b)}" for a, b in zip(scale.low, scale.high, strict=True)]
    if len(ends) > 1:
        named = "; ".join(f"{k}: {end}" for k, end in zip(shown.layers, ends, strict=True))
        yield "scale", "", f"lowest to highest S of all texts shown, layer by layer: {named}"
    elif not np.isnan(scale.low).any():
        yield "scale", "", f"{ends[0]}, the lowest to the highest S of all texts shown"
    yield "HIGH", "bold, underlined: ", f"S > τ{_quantile(settings)}"
    if any(result.special.any() for result in shown):
        part = "" if settings.get("include_special") else ", no part in τ and rank"
        yield "special", "grey: ", f"added by the tokenizer, off the scale{part}"
    if any(outliers(result).any() for result in shown):
        far = f"over {OUTLIER}x the median S of its text"
        yield "!", "", f"{far}; clipped in pictures, never in numbers"
    if any(np.isnan(result.strength).any() for result in shown):
        yield "nan", "", "not a number: no colour and no rank"


def _quantile(settings: Mapping[str, Any]) -> str:
    if "quantile" not in settings:
        return ""
    quantile = settings["quantile"]
    name = "upper quartile" if quantile == 0.75 else f"{quantile:g} quantile"
    where = "over all texts" if settings.get("threshold_scope") == "corpus" else "of each text"
    method = settings.get("quantile_method")
    return f", {name} {where}" + (f" (method {method})" if method else "")


def _fragment(picture: Picture) -> str:
    """A ``<div>`` with its own style, for a notebook or as the body of a page."""
    parts = [part for text, cells in picture.texts() for part in _text(picture, text, cells)]
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


def _text(picture: Picture, text: int, cells: "Cells") -> Iterator[str]:
    result = cells.result
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
            yield cells.strip(k, n)
            yield f'<p class="afn-tau">{escape(name + threshold_line(result, k))}</p>'
    if n < len(result):
        yield _note(f"{len(result) - n:,} of {len(result):,} tokens not shown; {picture.hint}")
    few = len(result.layers) <= STRIPS
    head = "<details><summary>Table" if few else "<details open><summary>Strength at each layer"
    yield f'{head}</summary><div class="afn-scroll">{cells.table(n)}</div></details>'


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
class Cells:
    """The tokens of one text, each with its colour and marks."""

    result: StrengthResult
    place: Float[np.ndarray, "layers tokens"]
    far: Bool[np.ndarray, "layers tokens"]

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
