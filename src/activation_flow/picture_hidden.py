"""What is shown of hidden states: which there are, in words; not the numbers."""

from activation_flow.picture import Legend, layer_names, source_line
from activation_flow.result_hidden import HiddenResults, HiddenStates


def shape_line(states: HiddenStates) -> str:
    """The axes of the array, its type and its layers, as in "[1 layer, 10 tokens, ...]"."""
    sizes = zip(states.hidden.shape, ("layer", "token"), strict=False)
    axes = [f"{size:,} {name}{'' if size == 1 else 's'}" for size, name in sizes]
    width = f"width {states.hidden.shape[2]:,}"
    return f"[{', '.join([*axes, width])}] {states.hidden.dtype}, {layer_names(states.layers)}"


def hidden_legend(results: HiddenResults) -> Legend:
    """What the array is, and how to get it."""
    if not len(results):
        return ()
    return (
        ("h", "", ".hidden: the hidden state of each token at each layer, [layers tokens width]"),
        ("model", "", source_line(results)),
    )
