"""One text under several prompts as a view: two of them token by token, drift, depth, numbers."""

from collections.abc import Iterator

from activation_flow import (
    app_words,
    charts_depth,
    charts_shift,
    html_prompts,
    retrace,
    retrace_python,
)
from activation_flow import charts_theme as theme
from activation_flow.app_charts import drawn
from activation_flow.app_inputs import Steer
from activation_flow.app_shown import Drawn, Shown
from activation_flow.charts_prompts import DrawnPrompts
from activation_flow.data import ActivationFlowError, main_layer, resolve_layers
from activation_flow.markup import block, folded, legend, note
from activation_flow.picture import number
from activation_flow.picture_prompts import ANCHORS, CAUTION, PromptsPicture, name, picture_of_pair
from activation_flow.result_prompts import PromptsResult
from activation_flow.sentences_prompts import comparison_sentences, overall

ROWS = 500  # of two variants are shown as a strip and in the table; charts show fewer
HINT = "a .csv or .json file holds all"
_NUMBERS = "Numbers of all pairs, layers and tokens"


def shown(found: PromptsResult, inputs: Steer, *, longest: int | None = None) -> Shown:
    """Two prompts token by token, and all pairs at one layer and over the layers.

    Args:
        found: the text under its prompts, at every layer.
        inputs: what was typed and chosen.
        longest: the longest input of its model.

    Raises:
        ActivationFlowError: the two chosen are the same, or one of them or the layer is not there.
    """
    a, b = _chosen(found, inputs)
    layer = _layer(found, inputs.layer)
    picture = picture_of_pair(found, a, b, layer, rows=ROWS, hint=HINT)
    return Shown(
        html=block(_above(picture)),
        charts=tuple(_charts(found, a, b, layer)),
        below=block(_below(picture)),
        command=retrace.command(found._as_list(), longest=longest),
        python=retrace_python.python(found, longest=longest),
        layers=found.layers,
        layer=layer,
    )


def _chosen(found: PromptsResult, inputs: Steer) -> tuple[int, int]:
    n = len(found.prompts)
    for side, place in (("A", inputs.a), ("B", inputs.b)):
        if not 0 <= place < n:
            raise ActivationFlowError(
                f"prompt {side} is at place {place}, and there are {n}: give 0 to {n - 1}"
            )
    if inputs.a == inputs.b:
        which = name(found.prompts[inputs.a])
        raise ActivationFlowError(f"A and B are both {which!r}: choose two different prompts")
    return inputs.a, inputs.b


def _layer(found: PromptsResult, layer: int | None) -> int:
    if layer is None:
        return main_layer(found.layers, found.provenance)
    (chosen,) = resolve_layers(layer, found.provenance.n_layers)
    return chosen


def _charts(found: PromptsResult, a: int, b: int, layer: int) -> Iterator[Drawn]:
    prompts = DrawnPrompts(found, layer, theme.TOKENS)
    yield drawn(charts_depth.drift_figure(prompts, "drift"))
    yield drawn(charts_shift.figure(prompts.shift(a, b), "shift"))
    if len(found.layers) > 1:
        pair = (min(a, b), max(a, b))
        yield drawn(charts_depth.depth_figure(prompts, "depth", pair))


def _above(picture: PromptsPicture) -> Iterator[str]:
    (result,) = picture.listed
    yield from html_prompts.pair_parts(picture)
    high = app_words.border(result.provenance.settings)
    yield app_words.line(
        "Stronger colour = larger shift Δ (how far the hidden state moves from A to B). Bold, "
        f"underlined = HIGH: strength S above τ, {high} of the tokens of A. {CAUTION}"
    )
    if said := overall(result, picture.layer):
        anchor = f"The anchor, {ANCHORS[result.anchor]}, stands for the whole of what is read"
        yield note(f"{said} {anchor}; the mean is over all aligned tokens.")
    for one in picture.drawn:
        yield folded("What the numbers of A and B say", map(note, comparison_sentences(one)))


def _below(picture: PromptsPicture) -> Iterator[str]:
    yield folded(_NUMBERS, html_prompts.number_parts(picture))
    ends = ("0", number(picture.shifts.end))
    yield app_words.end([legend(picture.legend, ends)], picture.listed.provenance)
