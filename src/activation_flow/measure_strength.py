"""A run of strengths: the texts of a block -> S of every token, and vectors where they are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import analysis, grouping, room, word_kinds
from activation_flow import strength as formulas
from activation_flow.blocks import BLOCK_LETTERS, Job, Measure, Once
from activation_flow.conllu import Gold
from activation_flow.data import (
    ActivationFlowError,
    Failure,
    Names,
    TokenizedText,
)
from activation_flow.part_strengths import StrengthLayout, Strengths

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

# Letters times layers, so that the tables of many layers take no more memory than those of a few.
_CELLS = 2**22
# The same with vectors: about 50 MB of them, 768 wide, if a token has 4 letters.
_VECTORS = 2**16


@dataclass(frozen=True)
class StrengthMeasure(Measure):
    """Strength of every token.

    Attributes:
        layout: what the tables hold.
        words: how pieces are put together to words; None: they are not.
        stride: tokens that neighbouring windows share; None: half.
    """

    layout: StrengthLayout
    words: str | None = None
    stride: int | None = None

    def with_input(self, *, ids: bool, tags: bool) -> "StrengthMeasure":
        """The same, for an input that has ids, or tags, of its own."""
        return replace(self, layout=self.layout.with_input(ids=ids, tags=tags))

    @property
    def takes_gold(self) -> bool:
        """Can kinds be those of .conllu files?"""
        return True

    @property
    def remembers(self) -> bool:
        """Vectors are too large to be kept."""
        return not self.layout.vectors

    @property
    def room(self) -> int:
        """Letters of a block."""
        room_for = min(BLOCK_LETTERS, _CELLS // len(self.layout.layers))
        vectors = self.layout.vectors
        return min(room_for, _VECTORS // len(vectors)) if vectors else room_for

    @property
    def settings(self) -> dict[str, Any]:
        """What stands in the manifest."""
        return {"words": self.words, "stride": self.stride}

    def check(self, encoder: "Encoder", job: Job) -> None:
        """Refuse bad options before anything is read."""
        if self.words is not None:
            formulas.check_aggregate(self.words)
            if self.layout.vectors:
                raise ActivationFlowError(
                    "vectors are those of pieces, not of words: leave out one"
                )
        encoded, _ = self._tokens(encoder, job, ["a"])
        if self.words is not None:
            grouping.check_offsets([one.text for one in encoded], encoder.model)

    def _tokens(
        self, encoder: "Encoder", job: Job, texts: Sequence[str]
    ) -> "tuple[list[Encoded], list[Failure]]":
        """Tokens of texts, read as the job says."""
        return encoder.tokenize(
            texts,
            kinds=word_kinds.without_tags(job.kinds or "list"),
            max_length=job.max_length,
            stride=self.stride,
            long="cut" if job.truncate else "windows",
        )

    def tokenize(self, encoder: "Encoder", job: Job, new: Sequence[Once]) -> None:
        """Give each text its tokens, or the reason why it has none."""
        encoded, failures = self._tokens(encoder, job, [one.key[0] for one in new])
        for failure in failures:
            new[failure.text_number - 1].reason = failure.reason
        if self.words is not None:
            grouping.check_offsets([one.text for one in encoded], encoder.model)
        for one in encoded:
            once = new[one.number - 1]
            text, once.tag = _with_gold(one.text, once.key[-1], job.kinds)
            once.read, once.tokens = (replace(one, text=text),), len(text)

    def run(self, encoder: "Encoder", job: Job, todo: Sequence[Once]) -> None:
        """Strengths, and vectors where they are kept."""
        layout = self.layout
        encoded = [one.read[0] for one in todo]
        for text in encoded if layout.vectors else ():
            # Not a reject: on another day, or another machine, there may be room for it.
            if why := room.why_no_states(len(text.text), len(layout.vectors), encoder.width):
                raise ActivationFlowError(f"a text cannot be run: {why}")
        for i, norms, hidden in encoder.run(encoded, layout.layers, layout.vectors):
            one = todo[i]
            found = Strengths(encoded[i].text, norms, one.tag, hidden)
            one.read, one.reason = (), _why_none(found, layout)
            if not one.reason:
                one.found = found if self.words is None else _of_words(found, self.words)
                one.tokens = len(one.found.text)


def _with_gold(
    text: TokenizedText, gold: Gold | None, kinds: str
) -> tuple[TokenizedText, Names | None]:
    """The tags of the input's own, piece by piece; kinds from them, where that is asked for."""
    if gold is None:
        return text, None
    tag, kind = word_kinds.from_tags(text, gold)
    return (replace(text, kind=kind) if kinds == "gold" else text), tag


def _why_none(found: Strengths, layout: StrengthLayout) -> str:
    """Why a text that was run has no result, or ""."""
    norms, hidden = found.strength, found.hidden
    if not np.isfinite(norms).all():
        return analysis.not_finite(found.text, norms, layout.layers)
    if hidden is not None and not (finite := np.isfinite(hidden).all(axis=-1)).all():
        return analysis.not_finite(found.text, np.where(finite, 0, np.nan), layout.vectors)
    return ""


def _of_words(found: Strengths, how: str) -> Strengths:
    tag = None if found.tag is None else found.tag[grouping.word_starts(found.text)]
    return Strengths(*grouping.to_words(found.text, found.strength, how), tag, found.hidden)
