"""One text, layer by layer, as a view: strip, bars with τ, map of all layers, numbers, legend."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from activation_flow import (
    app_words,
    charts_layers,
    charts_strength,
    charts_tokens,
    html_strength,
    retrace,
    retrace_python,
)
from activation_flow import charts_theme as theme
from activation_flow.app_charts import drawn
from activation_flow.app_inputs import Explore
from activation_flow.app_shown import Drawn, Shown
from activation_flow.markup import block, note
from activation_flow.picture import (
    OUTLIER,
    Picture,
    number,
    outliers,
    picture_of,
    reading_note,
    threshold_line,
)
from activation_flow.results import StrengthResult

if TYPE_CHECKING:
    from activation_flow.app_answers import Explored

TOKENS = 1_000  # of the text are shown as a strip and in the table; charts show fewer
HINT = "a .csv or .json file holds all"
_MAPS = 16  # are kept; the largest are a few MB


def shown(found: "Explored", inputs: Explore, *, longest: int | None = None) -> Shown:
    """The text at the layer that is looked at, and where that stands among all layers.

    Args:
        found: the text at every layer, and at the one that is looked at.
        inputs: what was typed and chosen.
        longest: the longest input of its model.
    """
    everywhere, at = found.everywhere[0], found.at
    results = at._as_list()
    picture = picture_of(results, texts=1, tokens=TOKENS, hint=HINT)
    return Shown(
        html=block(_above(picture)),
        charts=(_bars(at), _map(_Kept(_key(everywhere), everywhere))),
        below=block(_below(picture)),
        command=retrace.command(results, longest=longest),
        python=retrace_python.python(results, longest=longest),
        layers=everywhere.layers,
        layer=at.layers[0],
    )


def _above(picture: Picture) -> Iterator[str]:
    for _, cells in picture.texts():
        if how := reading_note(cells.result):
            yield note(how)
        yield from html_strength.strips(cells, [0], picture.tokens, picture.hint, _reading)


def _reading(result: StrengthResult, k: int) -> str:
    """How the strip is to be read."""
    settings = result.provenance.settings
    how = "; of a word, that of its strongest piece" if settings.get("words") == "max" else ""
    colour = f"Stronger colour = larger S ({app_words.STRENGTH}{how})."
    part = int((result.bucket[k] != "").sum())
    if not part:
        return f"{colour} There is {threshold_line(result, k)}. {app_words.CAUTION}"
    high, apart = int((result.bucket[k] == "HIGH").sum()), len(result) > part
    counted = f"{high:,} of {part:,} token{'s' * (part != 1)}{', special ones left out' * apart}"
    tau = f"above τ = {number(float(result.threshold[k]))}, {app_words.border(settings)}"
    far = f" ! = over {OUTLIER} times the median, cut in pictures." * bool(
        outliers(result)[k].any()
    )
    return f"{colour} Bold, underlined = HIGH: {tau} ({counted}).{far} {app_words.CAUTION}"


def _below(picture: Picture) -> Iterator[str]:
    yield from html_strength.number_parts(picture, unfolded=False)
    meanings = (
        (mark, look, said.replace("of all texts shown", "of this text"))
        for mark, look, said in picture.legend
    )
    one = replace(picture, legend=tuple(meanings))
    yield app_words.end(html_strength.legend_parts(one), picture.shown.provenance)


def _bars(at: StrengthResult) -> Drawn:
    return drawn(charts_strength.figure(_first_tokens(at), "strength"))


def _first_tokens(result: StrengthResult) -> charts_tokens.Drawn:
    n = theme.how_many(len(result), theme.TOKENS)
    return charts_tokens.Drawn(result, n, live=False)  # the page has sliders of its own


@dataclass(frozen=True)
class _Kept:
    """A result by what it says, so that its map is made once for all its layers."""

    key: bytes
    result: StrengthResult = field(compare=False)


def _key(result: StrengthResult) -> bytes:
    """The same for two results only if their maps are."""
    arrays = (result.strength, result.threshold, result.rank, result.bucket, result.kind)
    said = (result.text, result.tokens.tolist(), result.layers, result.provenance)
    found = hashlib.sha256(repr(said).encode("utf-8", "surrogatepass"))
    for array in (*arrays, result.special):
        found.update(array.tobytes())
    return found.digest()


@lru_cache(maxsize=_MAPS)
def _map(kept: _Kept) -> Drawn:
    return drawn(charts_layers.map_figure(_first_tokens(kept.result), "layers"))
