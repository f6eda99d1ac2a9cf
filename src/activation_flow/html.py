"""The picture of strengths: colours, scale, legend, escaping; and its HTML form.

The terminal form, made of the same parts, is report.py. Computes no statistics, only positions on
a colour scale. The HTML holds no script and asks nothing of any host; its looks are report.css.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape as _escape
from importlib.resources import files

import numpy as np
from jaxtyping import Bool, Float

from activation_flow.data import PerLayer, Provenance, StrengthResult, StrengthResults

# One hue, even steps of lightness (OKLab 0.96 to 0.29); readable with every colour blindness.
RAMP = (
    "#f4f1fb",
    "#dfd8f1",
    "#c9bde6",
    "#b4a3db",
    "#9f88cf",
    "#8a6dc2",
    "#7550b4",
    "#5f30a2",
    "#46108a",
)
# A token this many times the median strength of its text is clipped in pictures, never in numbers.
OUTLIER = 10
# More layers than this are drawn as a heat table instead of one strip each.
STRIPS = 4
_LEVELS = 40


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
    """A token as it is shown: visible, and so are spaces at its ends and an empty one.

    >>> token_text(" the"), token_text("")
    ('␣the', "''")
    """
    shown = visible(token)
    inner = shown.strip(" ")
    lead = len(shown) - len(shown.lstrip(" "))
    return "␣" * lead + inner + "␣" * (len(shown) - lead - len(inner)) if shown else "''"


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


def layers_name(provenance: Provenance, layers: Sequence[int]) -> str:
    """How one or several layers are named in a head line.

    >>> layers_name(Provenance("m", None, "openvino", "f32", 12, final_norm=True), [2, 4])
    'layers 2, 4 of 12'
    """
    if len(layers) == 1:
        return provenance.layer_name(layers[0])
    run = len(layers) > 2 and list(layers) == list(range(layers[0], layers[-1] + 1))
    names = f"{layers[0]}-{layers[-1]}" if run else ", ".join(map(str, layers))
    last = provenance.final_norm and provenance.n_layers in layers
    note = f" ({provenance.n_layers} after the final norm)" if last else ""
    return f"layers {names} of {provenance.n_layers}{note}"


def threshold_line(result: StrengthResult, k: int) -> str:
    """Threshold and number of HIGH tokens of one layer, out of those that take part."""
    part = int((result.bucket[k] != "").sum())
    if not part:
        return "no threshold: no token takes part"
    high = int((result.bucket[k] == "HIGH").sum())
    return f"τ = {number(float(result.threshold[k]))}  HIGH: {high:,} of {part:,} tokens"


def legend(shown: StrengthResults, scale: Scale) -> Iterator[tuple[str, str]]:
    """What the picture means, as pairs of mark and sentence; only marks that occur."""
    head, settings = shown.provenance, shown.provenance.settings
    how = f"; of a word: {settings['words']} over its pieces" if settings.get("words") else ""
    yield "S", f"strength, ‖h‖₂: the L2 norm of a token's hidden state (not its importance){how}"
    yield (
        "model",
        f"{visible(head.model)}, {layers_name(head, shown.layers)}, {head.engine} {head.precision}",
    )
    if len(shown.layers) > 1:
        ends = zip(shown.layers, scale.low, scale.high, strict=True)
        ranges = "; ".join(f"layer {k}: {number(a)} to {number(b)}" for k, a, b in ends)
        yield "colour", f"lowest to highest S of all texts shown, each layer on its own: {ranges}"
    elif not np.isnan(scale.low[0]):
        ends = (number(scale.low[0]), number(scale.high[0]))
        yield "colour", f"{ends[0]} to {ends[1]}, the lowest to the highest S of all texts shown"
    yield "HIGH", f"S > τ{_quantile(settings)}"
    if any(result.special.any() for result in shown):
        yield (
            "special",
            "added by the tokenizer: outside the colour scale"
            + ("" if settings.get("include_special") else ", takes no part in τ and rank"),
        )
    if any(outliers(result).any() for result in shown):
        yield "!", f"more than {OUTLIER}x the median S of its text: colour clipped, number exact"
    if any(np.isnan(result.strength).any() for result in shown):
        yield "(nan)", "not a number: no colour and no rank"


def _quantile(settings: object) -> str:
    assert hasattr(settings, "get")
    quantile, scope = settings.get("quantile"), settings.get("threshold_scope", "text")
    if quantile is None:
        return ""
    name = "upper quartile" if quantile == 0.75 else f"{quantile:g} quantile"
    method = settings.get("quantile_method")
    where = "over all texts" if scope == "corpus" else "of each text"
    return f", the {name} of S {where}" + (f" (method {method})" if method else "")
