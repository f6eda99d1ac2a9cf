"""Two vectors of every text under every prompt: its anchor's, and the mean of its own tokens.

Hidden states go by; only these vectors are kept. What is read from them is not known here.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import analysis, parts, room, variants
from activation_flow import anchor as anchors
from activation_flow.audit_texts import Left
from activation_flow.data import Ids, Mask
from activation_flow.prompting import Prompting
from activation_flow.templates import DEFAULT

if TYPE_CHECKING:
    from jaxtyping import Float

    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

    Values = Float[np.ndarray, "variants layers vectors texts width"]
else:
    Values = np.ndarray

VECTORS = ("anchor", "mean")
SHARE = 0.25  # of the memory that is free, what vectors may take: some may be copied once

QUOTED = 40  # letters of a text that is left out


@dataclass(frozen=True, eq=False, kw_only=True)
class PromptVectors:
    """Vectors of texts, bare and under each prompt.

    Attributes:
        values: [variants layers vectors texts width] float32; the bare text comes first.
        names: of the vectors; ``mean`` is absent where the tokenizer does not say which characters
            a token stands for, so that a text's own tokens cannot be told.
        anchor: kind of the anchor, the same for all: see ``anchor.kind_of``.
        texts: which of the given texts these are, from 0.
        left: the others, with the reasons of the first few.
    """

    values: Values
    names: tuple[str, ...]
    anchor: str
    texts: Ids
    left: Left


def why_no_room(encoder: "Encoder", texts: int, variants: int, layers: int) -> str:
    """Why the vectors of so many texts cannot be kept; "" if they can."""
    needed = texts * variants * layers * len(VECTORS) * encoder.width * 4
    free = room.available_memory()
    if needed <= SHARE * free:
        return ""
    return (
        f"the vectors of {texts:,} labelled texts, under {variants - 1} prompts and bare, at "
        f"{layers} layers take {needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are "
        "available; give fewer prompts or labelled texts"
    )


def vectors(
    encoder: "Encoder",
    texts: Sequence[str],
    prompts: Sequence[str],
    layers: Sequence[int],
    *,
    template: str = DEFAULT,
    max_length: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PromptVectors:
    """The anchor's vector and the mean of the text's own tokens, under no prompt and under each.

    A text that cannot be read under one of them is left out under all: it is too long for the
    model, or its states are not finite. A token is the text's own if all its characters are.

    Args:
        encoder: the model.
        texts: different from each other.
        prompts: at least one.
        layers: of the hidden states.
        template: how prompt and text are put together.
        max_length: longest input, prompt and text; None: the model's.
        progress: called with the number of variants read, and of how many.

    Raises:
        ActivationFlowError: prompts or template are none.
    """
    asked = Prompting.of(prompts, baseline=True, template=template)
    ready, reasons = variants.tokenize(
        encoder, texts, asked, {"long": "refused", "max_length": max_length}
    )
    own = _own_tokens(ready, texts, asked, reasons)
    flat = [one for _, each in ready for one in each]
    kind = anchors.kind_of([one.text for one in flat], encoder.cls_id, encoder.causal)
    # One tokenizer: where it says nothing of one token's characters, it may be so of others'.
    names = VECTORS if all(parts.known(one.text) for one in flat) else VECTORS[:1]
    n, wanted = len(asked.prompts), tuple(layers)
    shape = (n, len(wanted), len(names), len(ready), encoder.width)
    values = np.empty(shape, dtype=np.float32)
    for done, (i, norms, hidden) in enumerate(encoder.run(flat, wanted, wanted), 1):
        assert hidden is not None  # they were asked for
        k, place = divmod(i, n)
        finite = np.isfinite(norms) & np.isfinite(hidden).all(axis=-1)
        if finite.all():
            values[place, :, 0, k] = anchors.vectors(flat[i].text, hidden, kind, encoder.cls_id)
            if len(names) > 1 and own[i].any():
                values[place, :, 1, k] = hidden[:, own[i]].mean(axis=1, dtype=np.float64)
        else:
            why = analysis.not_finite(flat[i].text, np.where(finite, norms, np.nan), wanted)
            reasons.setdefault(ready[k][0], f"{asked.named(place)}: {why}")
        if progress is not None:
            progress(done, len(flat))
    keep = np.array([number not in reasons for number, _ in ready], dtype=bool)
    left = Left()
    for number in sorted(reasons):
        left.add(f"text {texts[number - 1][:QUOTED]!r}", reasons[number])
    return PromptVectors(
        values=values if keep.all() else values[:, :, :, keep],
        names=names,
        anchor=kind,
        texts=np.array([number - 1 for number, _ in ready], dtype=np.int64)[keep],
        left=left,
    )


def read_as(encoder: "Encoder", texts: Sequence[str], max_length: int | None) -> list[Hashable]:
    """What the model reads of each bare text: equal for texts between which it sees no difference.

    A text that it cannot read stands for itself.
    """
    encoded, _ = encoder.tokenize(texts, max_length=max_length, long="refused")
    found: list[Hashable] = [*texts]
    for one in encoded:
        found[one.number - 1] = one.text.ids.tobytes(), one.type_ids.tobytes()
    return found


def _own_tokens(
    ready: "Sequence[tuple[int, list[Encoded]]]",
    texts: Sequence[str],
    asked: Prompting,
    reasons: dict[int, str],
) -> list[Mask]:
    """Which tokens of each variant are the text's own; a reason for each text that has none."""
    found = []
    for number, each in ready:
        text = texts[number - 1]
        for place, (one, filled) in enumerate(zip(each, asked.fill(text), strict=True)):
            span = (filled.start, filled.end)
            found.append(parts.parts(one.text, span) == "text")
            if why := variants.nothing_own(one.text, span, text, "diff"):
                reasons.setdefault(number, f"{asked.named(place)}: {why}")
    return found
