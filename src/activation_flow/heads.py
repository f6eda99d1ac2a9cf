"""The live torch model of an encoder with its head, where it has a trained one, for a while.

What a model is asked depends on its head: a masked-language or next-word head for words, a
classifier for its class, a model without a head for its embedding. Which one is decided here.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activation_flow import eager, loading
from activation_flow.data import ActivationFlowError
from activation_flow.encoder import Encoder

if TYPE_CHECKING:
    from torch import nn

    from activation_flow.tap import Tap

NO_PADDING = -1  # no token has this number


@dataclass(frozen=True, eq=False, kw_only=True)
class Headed:
    """A live model that can be asked.

    Attributes:
        tap: of its base model, ``tap.model``; names its inputs.
        model: with its head; the base model where no head is asked.
        kind: ``mlm``, ``classifier``, ``next`` or ``embedding``.
        mask_id: vocabulary number of the mask token; None where there is none. Likewise
            ``pad_id``, ``unk_id`` and ``eos_id``.
        blank_id: what a word is replaced by where nothing better is known: mask, else pad, else
            unk, else eos, else 0.
        note: what is asked, and why, in a clause.
    """

    tap: "Tap"
    model: "nn.Module"
    kind: str
    mask_id: int | None
    pad_id: int | None
    unk_id: int | None
    eos_id: int | None
    note: str

    @property
    def blank_id(self) -> int:
        """See the class."""
        ids = (self.mask_id, self.pad_id, self.unk_id, self.eos_id, 0)
        return next(number for number in ids if number is not None)


@contextmanager
def opened(encoder: Encoder) -> Iterator[Headed]:
    """The model of this encoder with its head: float32, on the CPU, in eval mode.

    Its parameters take no gradients meanwhile. A user's live model is left as it was.

    Raises:
        ActivationFlowError: as ``eager.opened``.
    """
    from activation_flow import tap as taps

    model, tokenizer, why = _model(encoder)
    with ExitStack() as stack:
        model = stack.enter_context(taps.as_measured(model))
        stack.enter_context(_frozen(model))
        tap = taps.make_tap(model, encoder.origin[1].meta["inputs"])
        ids = _special_ids(tap, tokenizer)
        kind, note = _kind(encoder, model, ids["mask_id"], why)
        if kind == "classifier":
            stack.enter_context(_without_padding(model))
        asked = tap.model if kind == "embedding" else model
        yield Headed(tap=tap, model=asked, kind=kind, note=note, **ids)


def _model(encoder: Encoder) -> tuple[Any, Any, str]:
    """Model, tokenizer, and why the model has no head ("" where it has one)."""
    request, prepared = encoder.origin
    try:
        request, origin = eager.same_origin(encoder, request)
    except ActivationFlowError as why:
        if prepared.tap is None or request is None or request.live is None:
            raise
        # The eager engine has its own copy of what a live model was; it has no head.
        return prepared.tap.model, request.live[1], str(why)
    return loading.load_headed(request, origin)


@contextmanager
def _frozen(model: Any) -> Iterator[None]:
    """Its parameters take no gradients, until it is left."""
    taking = [p for p in model.parameters() if p.requires_grad]
    try:
        for parameter in taking:
            parameter.requires_grad_(False)
        yield
    finally:
        for parameter in taking:
            parameter.requires_grad_(True)


@contextmanager
def _without_padding(model: Any) -> Iterator[None]:
    """A decoder's classifier reads the last token that is no padding; here nothing is padded."""
    before = model.config.pad_token_id
    try:
        model.config.pad_token_id = NO_PADDING
        yield
    finally:
        model.config.pad_token_id = before


def _special_ids(tap: "Tap", tokenizer: Any) -> dict[str, int | None]:
    """Vocabulary numbers of the special tokens for which the model has an embedding."""
    rows: int = tap.model.get_input_embeddings().num_embeddings  # type: ignore[operator]

    def number(name: str) -> int | None:
        found = getattr(tokenizer, f"{name}_token_id", None)
        return found if found is not None and 0 <= found < rows else None

    return {f"{name}_id": number(name) for name in ("mask", "pad", "unk", "eos")}


def _kind(encoder: Encoder, model: Any, mask_id: int | None, why: str) -> tuple[str, str]:
    """What the model is asked, and a note."""
    names = [kind.__name__ for kind in type(model).__mro__]  # a user's class has one of these
    kind = next((k for name in names for end, k in loading.HEADS.items() if name.endswith(end)), "")
    if why or not kind:
        why = why or f"{names[0]} has no head that is asked"
    elif getattr(model.config, "is_encoder_decoder", False):
        why = "of an encoder-decoder the encoder is read"
    elif kind == "mlm" and mask_id is None:
        why = "its tokenizer has no mask token"
    elif kind == "next" and not encoder.causal:
        why = f"{names[0]} does not read from left to right"
    if why:
        return "embedding", f"asked for its embedding: {why}"
    only = kind == "classifier" and getattr(model.config, "num_labels", 0) == 1
    signed = "; its one logit is asked with the sign that it has for the unchanged text"
    return kind, f"asked with its head, {names[0]}{signed if only else ''}"
