"""One text, layer by layer, as a view: strip, bars with τ, map of all layers, numbers, legend."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from activation_flow import (
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
from activation_flow.markup import block, facts, note
from activation_flow.picture import Picture, picture_of
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
    yield from html_strength.strip_parts(picture)
    _, _, meaning = picture.legend[0]  # the first says what is measured, and what is not
    at = picture.shown.provenance.layer_name(picture.shown.layers[0])
    yield note(f"The colour at {at}: {meaning}.")


def _below(picture: Picture) -> Iterator[str]:
    yield from html_strength.number_parts(picture, unfolded=False)
    yield from html_strength.legend_parts(picture)
    yield facts(picture.shown.provenance)


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
