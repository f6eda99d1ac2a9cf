"""What the numbers of prompts say, in sentences; written once, for terminal and HTML.

Says what was computed and computes nothing; the rest of a comparison is said as of any shift.
"""

from collections.abc import Iterator

import numpy as np

from activation_flow.picture import number, shortened, token_text, visible
from activation_flow.picture_prompts import ANCHORS, Drawn
from activation_flow.picture_shift import distance
from activation_flow.result_prompts import PromptsResult
from activation_flow.result_shift import Index, ShiftResult
from activation_flow.sentences import count, sentences

_QUOTED = 40  # letters of a prompt
UNKNOWN = (
    "Which tokens are the text's own is not known: the tokenizer does not say where a token stands."
)


def overall(result: PromptsResult, layer: int) -> str:
    """Which of several pairs of prompts differ most; "" if there is one pair only."""
    if len(result.comparisons) < 2:
        return ""
    k = result.layers.index(layer)
    words = []
    for what, values in (("anchor", result.anchor_shift), ("mean", result.mean_drift)):
        sizes = [values[k, one.a, one.b] for one in result.comparisons]
        if np.isfinite(sizes).all() and any(sizes):
            one = result.comparisons[int(np.argmax(sizes))]
            names = f"{quoted(result.prompts[one.a])} and {quoted(result.prompts[one.b])}"
            words.append(f"the {what} Δ ({distance(max(sizes))}) between {names}")
    if not words:
        return "Nothing moves between any two of these prompts at this layer."
    return f"Largest at {result.provenance.layer_name(layer)}: {'; '.join(words)}."


def quoted(prompt: str | None) -> str:
    """A prompt in a sentence."""
    if prompt is None:
        return "the bare text"
    return f'"{visible(shortened(prompt, _QUOTED))}"'


def comparison_sentences(drawn: Drawn) -> list[str]:
    """What the numbers of one pair of prompts say, beside what chance would give."""
    result = drawn.of
    k = result.layers.index(drawn.shift.layer)
    anchor, angle = (
        float(values[k, drawn.a, drawn.b]) for values in (result.anchor_shift, result.anchor_cosine)
    )
    first = f"The anchor, {ANCHORS[result.anchor]}, moves by {distance(anchor)}"
    return [
        f"{first} (1 − cos {distance(angle)}).",
        _own_words(drawn),
        *sentences(drawn.shift),
        *_straddling(drawn),
    ]


def _own_words(drawn: Drawn) -> str:
    """Which of the text's own tokens moved, and how far a token moved on average.

    Of all aligned tokens but special ones, where nobody knows which are the text's own.
    """
    shift, part = drawn.shift, drawn.part
    unknown = bool((part == "").any())
    whose = "aligned tokens" if unknown else "text's own tokens"
    own = np.flatnonzero(shift.paired & (part != "special" if unknown else part == "text"))
    return f"{UNKNOWN} " * unknown + _moved(shift, own, whose)


def _moved(shift: ShiftResult, own: Index, whose: str) -> str:
    moved = shift.shift[own]
    if not len(own):
        return f"None of the {whose} has a partner."
    if not moved.any():
        return f"None of the {whose} has moved."
    most, least = (int(own[pick(moved)]) for pick in (np.argmax, np.argmin))
    names = [f'"{token_text(str(shift.a.tokens[shift.a_index[row]]))}"' for row in (most, least)]
    farthest = f"{names[0]} moves farthest ({distance(shift.shift[most])})"
    nearest = f", {names[1]} least ({distance(shift.shift[least])})" if len(own) > 1 else ""
    mean = number(shift.total / int(shift.paired.sum()))
    return f"Of the {whose} {farthest}{nearest}; the mean over all aligned pairs is {mean}."


def _straddling(drawn: Drawn) -> Iterator[str]:
    marks = drawn.of.straddling
    if n := int(marks[drawn.a].sum() + marks[drawn.b].sum()):
        yield (
            f"{count(n, 'token')} {'holds' if n == 1 else 'hold'} characters of prompt and text at "
            f"once and {'counts' if n == 1 else 'count'} as the prompt's: put a space between them."
        )
