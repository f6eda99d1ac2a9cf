"""The torch module around any Hugging Face model, and what can be learnt of a model by running it.

A *tap* returns, separately, the norm and the hidden state of every layer 0..N. It is run as it is
(the oracle) or converted once to a graph; whoever compiles the graph picks outputs, and all that
lies above them is dead code and removed: early exit. No model is named here: what differs between
architectures is read from configs, signatures and numbers.
"""

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from activation_flow.data import ActivationFlowError


class Tap(nn.Module):
    """A model whose outputs are norm_0, ..., norm_N, hidden_0, ..., hidden_N.

    Norms have shape [texts tokens], hidden states [texts tokens width].

    Args:
        model: a ``PreTrainedModel`` without a head.
        inputs: names of the positional inputs of ``forward``, each [texts tokens], int64.
    """

    def __init__(self, model: nn.Module, inputs: Sequence[str]):
        super().__init__()
        self.model = model
        self.inputs = tuple(inputs)
        takes = inspect.signature(model.forward).parameters
        self.options: dict[str, Any] = {"output_hidden_states": True, "return_dict": True}
        if "use_cache" in takes:
            self.options["use_cache"] = False

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        named = dict(zip(self.inputs, inputs, strict=True))
        hidden = self.model(**named, **self.options).hidden_states
        norms = tuple(torch.linalg.vector_norm(h, dim=-1) for h in hidden)
        return norms + tuple(hidden)


def make_tap(model: nn.Module, tokenizer_inputs: Sequence[str]) -> Tap:
    """The tap of a live model: without its head; of an encoder-decoder model, its encoder.

    Args:
        model: any ``PreTrainedModel``; it is shared, not copied.
        tokenizer_inputs: the tokenizer's ``model_input_names``.
    """
    config: Any = model.config
    if getattr(config, "is_encoder_decoder", False):
        model = model.get_encoder()  # type: ignore[operator]
    else:
        model = getattr(model, "base_model", model)
    takes = inspect.signature(model.forward).parameters
    known = ("input_ids", "attention_mask", "token_type_ids")
    # An input that the tokenizer does not name stays out, even if the model would take it:
    # zeros as GPT-2's token_type_ids add the embedding of word 0 to every token.
    inputs = [n for n in known if n in takes and (n in tokenizer_inputs or n == "input_ids")]
    return Tap(model, inputs)


@contextmanager
def as_measured(model: nn.Module, attention: str | None = None) -> Iterator[nn.Module]:
    """The model in float32, on the CPU, in eval mode; the user's own object is left as it was.

    Args:
        model: the user's model. Copied only if it is not float32 on the CPU.
        attention: attention implementation to use meanwhile, ``sdpa`` or ``eager``.
    """
    floats = [p for p in model.parameters() if p.is_floating_point()]
    if any(p.dtype != torch.float32 or p.device.type != "cpu" for p in floats):
        model = copy.deepcopy(model).float().cpu()
    training = [module for module in model.modules() if module.training]
    config: Any = model.config
    before = getattr(config, "_attn_implementation", None)
    try:
        model.eval()
        if attention is not None and attention != before:
            model.set_attn_implementation(attention)  # type: ignore[operator]
        yield model
    finally:
        if attention is not None and attention != before:
            model.set_attn_implementation(before)  # type: ignore[operator]
        for module in training:
            module.training = True


def feed(tap: Tap, ids: Tensor, type_ids: Tensor | None = None) -> tuple[Tensor, ...]:
    """The tap's inputs for texts of equal length, ids [texts tokens]; nothing is padded."""
    values = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids) if type_ids is None else type_ids,
    }
    return tuple(values[name] for name in tap.inputs)


def depth_and_width(tap: Tap, ids: Tensor) -> tuple[int, int]:
    """Number of blocks and size of a hidden state, from a forward pass of ids [1 tokens].

    Raises:
        ActivationFlowError: the model's hidden states are not one vector per token and layer.
    """
    with torch.inference_mode():
        out = tap(*feed(tap, ids))
    hidden = out[len(out) // 2 :]
    shapes = {tuple(h.shape) for h in hidden}
    if len(shapes) != 1 or hidden[0].shape[:2] != ids.shape:
        raise ActivationFlowError(
            f"{type(tap.model).__name__} does not give one hidden state per token and layer "
            f"(shapes {sorted(shapes)} for {ids.shape[1]} tokens); it cannot be measured"
        )
    return len(hidden) - 1, hidden[0].shape[2]


def is_causal(tap: Tap, ids: Tensor) -> bool:
    """True if no token sees a later one: another last token leaves all others unchanged."""
    other = ids.clone()
    other[0, -1] = ids[0, 0] if ids[0, -1] != ids[0, 0] else ids[0, 1]
    with torch.inference_mode():
        last, last_other = tap(*feed(tap, ids))[-1], tap(*feed(tap, other))[-1]
    return bool(torch.allclose(last[0, :-1], last_other[0, :-1], rtol=1e-4, atol=1e-6))


def has_final_norm(tap: Tap, ids: Tensor) -> bool:
    """True if hidden_states[-1] is taken after a norm that no layer below it passes.

    Decided by who produces the states: the classes of the modules whose output is some
    hidden_states[1..N-1] against those whose output is hidden_states[N].
    """
    outputs: list[tuple[nn.Module, Tensor]] = []

    def remember(module: nn.Module, _: Any, output: Any) -> None:
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, Tensor):
            outputs.append((module, first))

    inner = [m for m in tap.model.modules() if m is not tap.model]
    handles = [m.register_forward_hook(remember) for m in inner]
    try:
        with torch.inference_mode():
            out = tap(*feed(tap, ids))
    finally:
        for handle in handles:
            handle.remove()
    hidden = out[len(out) // 2 :]

    def producers(states: Sequence[Tensor]) -> set[type]:
        return {
            type(module)
            for module, output in outputs
            if any(output.shape == h.shape and torch.equal(output, h) for h in states)
        }

    middle, last = producers(hidden[1:-1]), producers(hidden[-1:])
    if not middle:  # a single block: only the classes that hold other modules can be blocks
        return bool(last) and all("norm" in kind.__name__.lower() for kind in last)
    return not middle & last


def max_positions(model: nn.Module) -> int | None:
    """The longest input the model has positions for; None where it has no such limit.

    Position tables that keep rows for padding (RoBERTa's 514) have that many fewer places.
    """
    limit = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit <= 0:
        return None
    for name, module in model.named_modules():
        if isinstance(module, nn.Embedding) and "position" in name and module.padding_idx:
            limit = min(limit, module.num_embeddings - module.padding_idx - 1)
    return limit


def attention_window(model: nn.Module) -> int:
    """The widest local attention window in the config; 0 where there is none."""
    values = vars(model.config).items()
    return max(
        (v for k, v in values if ("window" in k or k == "local_attention") and type(v) is int),
        default=0,
    )
