"""One text under several prompts as a view: two of them token by token, drift, depth, numbers."""

from collections.abc import Iterator

from activation_flow import charts_depth, charts_shift, html_prompts, retrace, retrace_python
from activation_flow import charts_theme as theme
from activation_flow.app_charts import drawn
from activation_flow.app_inputs import Steer
from activation_flow.app_shown import Drawn, Shown
from activation_flow.charts_prompts import DrawnPrompts
from activation_flow.data import ActivationFlowError, main_layer, resolve_layers
from activation_flow.markup import block, escape, facts, note
from activation_flow.picture_prompts import PromptsPicture, name, picture_of_pair
from activation_flow.result_prompts import PromptsResult
from activation_flow.sentences_prompts import overall

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
    at = result.provenance.layer_name(picture.layer)
    yield note(f"The colour at {at}: how far the token's hidden state moves from A to B.")
    if said := overall(result, picture.layer):
        yield note(said)


def _below(picture: PromptsPicture) -> Iterator[str]:
    yield f"<details><summary>{escape(_NUMBERS)}</summary>"
    yield from html_prompts.number_parts(picture)
    yield "</details>"
    yield from html_prompts.end_parts(picture)
    yield facts(picture.listed.provenance)
