"""What a picture of strengths is made of: colours, scale, marks, legend, escapes of odd characters.

The same parts serve terminal (report.py) and HTML (html.py), strengths and shifts. Computes no
statistics, only positions on a colour scale.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activation_flow.data import Marks, Mask, PerLayer, Provenance, Strength
from activation_flow.result_hidden import HiddenStates
from activation_flow.results import LayersResult, Results, StrengthResult, StrengthResults

# One hue, even steps of lightness (OKLab 0.96 to 0.35); readable with every colour blindness.
_LIGHT, _DARK = ("#f4f1fb", "#dfd8f1", "#c9bde6", "#b4a3db"), ("#7550b4", "#5f30a2", "#46108a")
RAMP = (*_LIGHT, "#9f88cf", "#8a6dc2", *_DARK)
# A token this many times the median strength of its text is clipped in pictures, never in numbers.
OUTLIER = 10
# How to get what a picture leaves out.
HINT = ".to_pandas() or .save('x.csv') gives all"
# More layers than this are drawn as a heat table instead of one strip each.
STRIPS = 4
KINDS_TITLE = "Where each kind of token stands, layer by layer"
KINDS_NOTE = (
    "mean rank percentile within its text: 0 weakest, 50 the middle of the text, 100 strongest; "
    "n tokens of all texts"
)

# Marks of a picture, their look and their meaning, in the order in which they are read.
Legend = tuple[tuple[str, str, str], ...]
KindRow = tuple[str, int, list[float]]  # kind, number of tokens, percentile at each layer


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
        if _hides(letter) and not (letter in "\u200c\u200d" and i in inner)
        else letter
        for i, letter in enumerate(text)
    )


def _hides(letter: str) -> bool:
    """Whether it is seen only by what it does; or no picture can hold it, as U+FFFE in XML."""
    return (
        unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") or letter in "\ufffe\uffff"
    )


def token_text(token: str) -> str:
    """A token as it is shown: visible, with its spaces, if it is empty, and not all of a huge one.

    >>> token_text(" the"), token_text("")
    ('␣the', "''")
    """
    return visible(shortened(token, 100)).replace(" ", "␣") or "''"


def shortened(text: str, n: int) -> str:
    """The text, or its first n characters and a mark.

    >>> shortened("abc", 3), shortened("abcd", 3)
    ('abc', 'abc…')
    """
    return text if len(text) <= n else f"{text[:n]}…"


def failure_lines(results: Results[Any], n: int = 20) -> list[str]:
    """Texts, or pairs of texts, without a result: the first ones, and how many more there are."""
    lines = [f"{results.noun} {e.text_number}: {e.reason}" for e in results.errors[:n]]
    more = len(results.errors) - n
    return [*lines, f"… {more:,} more; .errors and .json files hold all"] if more > 0 else lines


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

    def fraction(self, result: StrengthResult) -> Strength:
        """Where each token is on its layer's scale, clipped to 0..1; NaN: it has no colour."""
        low, high = self.low[:, None], self.high[:, None]
        values = result.strength.astype(np.float64)
        span = np.where(high > low, high - low, 1.0)
        with np.errstate(invalid="ignore"):
            place = np.clip((values - low) / span, 0, 1)
        place = np.where((low == high) & (values <= high), 0.5, place)
        return np.where(result.special | np.isnan(values), np.nan, place)


def outliers(result: StrengthResult) -> Marks:
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
        kinds: of all layers of a ``LayersResult``, see ``kind_rows``; else none.
    """

    shown: StrengthResults
    scale: Scale
    legend: Legend
    hidden_texts: int
    tokens: int
    hint: str
    kinds: tuple[KindRow, ...] = ()

    @property
    def several(self) -> bool:
        """True if more than one text was given, so that each needs its number."""
        return len(self.shown) + self.hidden_texts + len(self.shown.errors) > 1

    def texts(self) -> "Iterator[tuple[int, Cells]]":
        """The number and the tokens of each text."""
        for text, result in zip(self.shown.numbers, self.shown, strict=True):
            yield text, Cells(result, self.scale.fraction(result), outliers(result))


@dataclass(frozen=True)
class Cells:
    """The tokens of one text.

    Attributes:
        result: their numbers.
        place: where each is on the colour scale; NaN: it has no colour.
        far: True where it is clipped, and marked.
        found: True where it is what somebody looked for; None: nobody did.
    """

    result: StrengthResult
    place: Strength
    far: Marks
    found: Mask | None = None


def picture_of(results: StrengthResults, *, texts: int, tokens: int, hint: str) -> Picture:
    """The first texts, on the scale that they share; at most so many tokens of each."""
    shown = results[:texts]
    scale = scale_of(shown, len(shown.layers))
    words = tuple(_meaning(shown, scale)) if len(shown) else ()
    kinds = kind_rows(results) if isinstance(results, LayersResult) else ()
    return Picture(shown, scale, words, len(results) - len(shown), tokens, hint, kinds)


def reading_note(text: StrengthResult | HiddenStates) -> str:
    """How a text was read that is longer than the model reads; "" for all others."""
    if text.n_dropped:
        # Of words it is not known how many tokens they were.
        words = text.provenance.settings.get("words") is not None
        kept = "" if words else f" to {int((~text.special).sum()):,} tokens"
        return f"cut{kept}; {text.n_dropped:,}{' tokens' * words} dropped"
    return f"read in {text.n_windows:,} overlapping windows" if text.n_windows > 1 else ""


def kind_rows(results: LayersResult) -> tuple[KindRow, ...]:
    """The kinds that occur."""
    rows: dict[str, KindRow] = {}
    for found in results.kinds:
        missing = [float("nan")] * len(results.layers)
        row = rows.setdefault(found.kind, (found.kind or "(no kind)", found.n, missing))
        row[2][results.layers.index(found.layer)] = found.mean_rank_percentile
    return tuple(rows.values())


def layer_names(layers: Sequence[int]) -> str:
    """Layers as a user would write them: "layer 8", "layers 2, 4", "layers 6-9"."""
    if len(layers) == 1:
        return f"layer {layers[0]}"
    run = len(layers) > 2 and list(layers) == list(range(layers[0], layers[-1] + 1))
    return f"layers {f'{layers[0]}-{layers[-1]}' if run else ', '.join(map(str, layers))}"


def source_line(results: Results[Any]) -> str:
    """Model, layers, engine and precision."""
    return model_line(results.provenance, results.layers)


def model_line(head: Provenance, layers: Sequence[int]) -> str:
    """The same of anything that a model has made."""
    where = head.layer_name(layers[0])
    if len(layers) > 1:
        final = head.final_norm and head.n_layers in layers
        note = f" ({head.n_layers} after the final norm)" if final else ""
        where = f"{layer_names(layers)} of {head.n_layers}{note}"
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
    yield "HIGH", "bold, underlined: ", f"S > τ{quantile_words(settings)}"
    if any(result.special.any() for result in shown):
        part = "" if settings.get("include_special") else ", no part in τ and rank"
        yield "special", "grey: ", f"added by the tokenizer, off the scale{part}"
    if any(outliers(result).any() for result in shown):
        far = f"over {OUTLIER}x the median S of its text"
        yield "!", "", f"{far}; clipped in pictures, never in numbers"
    if any(np.isnan(result.strength).any() for result in shown):
        yield "nan", "", "not a number: no colour and no rank"


def quantile_words(settings: Mapping[str, Any]) -> str:
    """What τ is, as it stands behind "S > τ"."""
    if "quantile" not in settings:
        return ""
    quantile = settings["quantile"]
    name = "upper quartile" if quantile == 0.75 else f"{quantile:g} quantile"
    where = "over all texts" if settings.get("threshold_scope") == "corpus" else "of each text"
    method = settings.get("quantile_method")
    return f", {name} {where}" + (f" (method {method})" if method else "")
