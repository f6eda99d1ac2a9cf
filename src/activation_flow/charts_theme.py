"""How every chart looks: colours, type, steps, and titles that are never clipped.

Knows Altair, and no result. Text is in the colour of the text around it ("currentColor"), so that
a picture in a page follows light and dark.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from math import ceil
from typing import Any, ParamSpec, TypeVar
from unicodedata import combining, east_asian_width

from activation_flow import drawing
from activation_flow.picture import RAMP, shade, shortened, token_text, visible

P = ParamSpec("P")
T = TypeVar("T")
INK = "currentColor"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
GREY = "#8a8796"
# Fill, outline and dashes of each look; HIGH and LOW are far apart in lightness, special is empty.
LOOKS = {
    "HIGH": ("#5f30a2", INK, [1, 0]),
    "LOW": ("#c9bde6", "#8a6dc2", [1, 0]),
    "special": ("transparent", GREY, [3, 2]),
    "token": ("#9f88cf", "#7550b4", [1, 0]),
}
CHANCE = "#c9731a"  # what chance gives, beside HIGH
# Told apart by lightness too, and always with a shape or a label of their own.
SERIES = ("#7550b4", "#c9731a", "#2f9e9e", "#8a8796", "#b4a3db", "#c2477f")
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
PURPLES = list(RAMP)
# Begins the names of marks whose colours are places on PURPLES: page.css turns these around on a
# dark page, where what is strong is bright, as in strips.
TURNED = "afn_turned"
# Ink on a light page and on a dark one; page.css exchanges only the plain black and white.
_INKS = {"#000000": ("#000001", "#000000"), "#ffffff": ("#ffffff", "#fffffe")}

SIZE, TITLE, SMALL = 12, 15, 11
HEIGHT = 240
NARROW, WIDE = 440, 640  # of a picture's words, at least; of a plot, about
LABEL, LABEL_WIDTH = 16, 120  # letters and pixels of a token below a bar
LETTERS = 1000  # of a text are looked at for a title; far fewer fit
TOKENS = 60  # of a text are drawn, unless more are asked for
FEW = 4  # more are drawn too, if these are all


@dataclass(frozen=True)
class Figure:
    """A chart and the words beside it.

    Attributes:
        name: unique in a page; letters, digits and dashes.
        title: plain text.
        sentence: what the picture means.
        chart: of Altair.
        notes: what small lines of the chart say that stands in no page: what is left out, what
            marks mean; for those who draw it without them. None: nobody says, so they must stay.
    """

    name: str
    title: str
    sentence: str
    chart: Any
    notes: tuple[str, ...] | None = None


def text_width(text: str, size: float) -> float:
    """About the width of a text in pixels, rather too much than too little.

    >>> text_width("mm", 10) > text_width("ii", 10)
    True
    """
    return sum(_em(letter) for letter in text) * size


def _em(letter: str) -> float:
    if combining(letter):
        return 0.0
    if east_asian_width(letter) in "WF":
        return 1.1
    if letter in "fijlrtI.,:;'|!()[] ":
        return 0.36
    return 0.9 if letter in "mwMW@%…→" or ord(letter) > 0x2FFF else 0.62


def wrapped(text: str, width: float, size: float, lines: int = 2) -> list[str]:
    """The text in lines that fit; what does not fit in the last one is cut, with a mark.

    >>> wrapped("one two three", 50, 10)
    ['one two', 'three']
    """
    found: list[str] = [""]
    for word in visible(shortened(text, LETTERS)).split(" "):
        longer = f"{found[-1]} {word}".strip(" ")
        if text_width(longer, size) > width and found[-1]:
            found.append(word)
        else:
            found[-1] = longer
    rest = [_cut(line, width, size) for line in found[:lines]]
    if len(found) > lines and not rest[-1].endswith("…"):
        rest[-1] = _cut(f"{rest[-1]} …", width, size)
    return rest


def _cut(text: str, width: float, size: float) -> str:
    if text_width(text, size) <= width:
        return text
    while text and text_width(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def heading(title: Sequence[str], notes: Iterable[str], width: float) -> Any:
    """A title, at most two lines of each part, and smaller lines below it; wrapped to a width."""
    import altair as alt

    width = max(width, NARROW)
    # A title is bold, and so a little wider.
    top = [line for part in title for line in wrapped(part, width, TITLE * 1.06)]
    small = [line for note in notes if note for line in wrapped(note, width, SIZE, 3)]
    return alt.TitleParams(text=top, subtitle=small)


def ink(place: float) -> str:
    """Black or white on the colour of a place; on a dark page, on that of 1 − place.

    >>> ink(0.0), ink(1.0)
    ('#000000', '#ffffff')
    """
    return _INKS[shade(place)[1]][shade(1 - place)[1] == "#ffffff"]


def step(n: int) -> float:
    """Pixels from one token to the next."""
    return min(64.0, max(16.0, WIDE / max(n, 1)))


def how_many(n: int, limit: int) -> int:
    """So many of n tokens are drawn: up to a limit, and all where only a few would be left out.

    >>> how_many(64, 60), how_many(65, 60), how_many(2, 1)
    (64, 60, 1)
    """
    return n if n <= limit + (FEW if limit == TOKENS else 0) else limit


def plot_width(n: int) -> float:
    """Pixels of a plot of so many tokens."""
    return max(2 * 64.0, ceil(n * step(n)))


def bar_width(n: int) -> Any:
    """Of a plot of so many tokens: most of a step, and no wider where there are few."""
    return {"band": 0.8} if n > 1 else 51


def data(rows: Sequence[Any]) -> Any:
    """Rows as the data of a chart.

    As a tuple in a dict: Altair holds an InlineData to its schema, row by row, and copies lists
    each time that a chart is given one more property.
    """
    return {"values": tuple(rows)}


def from_zero(largest: float) -> Any:
    """A scale that begins at 0, even if nothing is above it."""
    import altair as alt

    return alt.Scale(domainMin=0, nice=True) if largest > 0 else alt.Scale(domain=[0, 1])


def label(token: str) -> str:
    """A token on an axis: one short line in which nothing hides."""
    return _cut(shortened(token_text(token), LABEL), LABEL_WIDTH, SMALL)


def _room(labels: Sequence[str]) -> float:
    return plot_width(len(labels)) / max(len(labels), 1)


def upright(labels: Sequence[str]) -> bool:
    """Whether all tokens of an axis have room to stand upright."""
    lines = (line for text in labels for line in text.split("\n"))
    return all(text_width(line, SMALL) <= _room(labels) - 4 for line in lines)


def token_axis(labels: Sequence[str], name: str, gap: float = 0.2) -> tuple[Any, Any]:
    """The axis of tokens in reading order, and the parameter that holds their names.

    A place is the token's index, so that a token that occurs twice stays two. The names are
    values of a parameter: no text of a user is ever in an expression.

    Args:
        labels: a line break in one counts only if all can stand upright.
        name: of the parameter.
        gap: between two tokens, of a step.
    """
    import altair as alt

    room, flat = _room(labels), upright(labels)
    lines = [line for text in labels for line in text.split("\n")]
    named = f"{name}[datum.value]"
    if not flat:
        labels = [text.replace("\n", "") for text in labels]
    elif len(lines) > len(labels):
        named = f"split({named}, '\\n')"
    angle = 0 if flat else -45 if room > 22 else -60
    axis = alt.Axis(
        title=None,
        labelExpr=named,
        labelAngle=angle,
        labelAlign="center" if flat else "right",
        labelBaseline="top" if flat else "middle",
        labelOverlap=False,
        labelLimit=0,
        ticks=False,
        labelPadding=6,
    )
    scale = alt.Scale(domain=list(range(len(labels))), paddingInner=gap, paddingOuter=gap / 2)
    return alt.X("i:O", axis=axis, scale=scale), alt.param(name=name, value=list(labels))


def below_each_other(charts: Sequence[Any], note: str) -> Any:
    """Several charts, each with its own scales and legends; above them what is not drawn."""
    import altair as alt

    column = alt.vconcat(*charts, spacing=40)
    column = column.resolve_scale(
        fill="independent", stroke="independent", strokeDash="independent"
    )
    return column.properties(title=alt.TitleParams([], subtitle=[note])) if note else column


def unchecked(make: Callable[P, T]) -> Callable[P, T]:
    """Draws without Altair's own check of every part, which is half of the time.

    Whole charts of every kind are checked by the tests.
    """

    @wraps(make)
    def made(*args: P.args, **options: P.kwargs) -> T:
        from altair.utils.schemapi import debug_mode

        with debug_mode(False):
            return make(*args, **options)

    return made


def finished(chart: Any) -> Any:
    """The chart with the looks of all of ours, and able to show itself in a notebook."""
    import altair as alt

    small = {"labelColor": INK, "titleColor": INK, "labelFontSize": SMALL, "titleFontSize": SIZE}
    config = {
        "font": FONT,
        "aria": False,
        "background": "transparent",
        "view": {"stroke": None},
        "text": {"color": INK, "fontSize": SMALL},
        "rule": {"color": INK},
        "title": {
            **{"color": INK, "subtitleColor": INK, "anchor": "start", "frame": "group"},
            **{"fontSize": TITLE, "fontWeight": 600, "subtitleFontSize": SIZE, "offset": 14},
            **{"subtitlePadding": 6, "lineHeight": 19, "subtitleLineHeight": 16},
        },
        "axis": {
            **{**small, "titleFontWeight": "normal", "titlePadding": 10, "tickSize": 4},
            **{"domainColor": GREY, "tickColor": GREY, "gridColor": GREY, "gridOpacity": 0.2},
        },
        "legend": {
            **{**small, "titleFontWeight": "normal", "orient": "top", "direction": "horizontal"},
            **{"columnPadding": 16, "symbolSize": 120, "labelLimit": 0, "titleLimit": 0},
            **{"symbolStrokeWidth": 1, "offset": 12},
        },
    }
    chart = drawing.shown(chart)  # a copy
    chart.config = alt.Config(**config)
    return chart
