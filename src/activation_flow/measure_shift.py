"""A run of comparisons: pairs of texts, or texts under prompts -> shift of every aligned token.

The steps are those of analysis_shift and analysis_prompts, so that the numbers are the same.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from activation_flow import analysis_prompts, grouping, two_texts, variants
from activation_flow import anchor as anchors
from activation_flow import shift as formulas
from activation_flow.blocks import Job, Measure, Once
from activation_flow.data import ActivationFlowError, PerLayer
from activation_flow.formats import Record
from activation_flow.part_shifts import Compared, Comparisons, ShiftLayout
from activation_flow.prompting import Prompting
from activation_flow.result_prompts import PromptsResult
from activation_flow.two_texts import Comparing, Judged, Side

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

    Read = list[tuple[int, tuple[Encoded, ...]]]  # by number, what the model is to read
Anchors = tuple[str, PerLayer, PerLayer]  # kind; Δ and 1 − cos at each layer


@dataclass(frozen=True)
class ShiftMeasure(Measure):
    """Comparisons of texts, of whatever kind.

    Attributes:
        layout: what the tables hold.
    """

    layout: ShiftLayout

    def with_input(self, *, ids: bool, tags: bool) -> Self:
        """The same, for an input that has ids of its own."""
        return replace(self, layout=self.layout.with_input(ids=ids, tags=tags))

    def check(self, encoder: "Encoder", job: Job) -> None:
        """Refuse bad options before anything is read."""
        if self.layout.buckets.threshold_scope != "text":
            raise ActivationFlowError(
                "where texts are compared, τ is that of each text: leave out --threshold-scope"
            )
        if job.kinds == "gold":
            raise ActivationFlowError("where texts are compared, kinds are list or none, not gold")
        self.tokenize(encoder, job, [Once(("a", "a", None))])

    def tokenize(self, encoder: "Encoder", job: Job, new: Sequence[Once]) -> None:
        """Give each text, or pair, what the model is to read, or the reason why it cannot."""
        # In windows a token's place would pass for shift.
        long = "cut" if job.truncate else "refused"
        how = {"kinds": job.kinds or "list", "max_length": job.max_length, "long": long}
        ready, reasons = self._tokenized(encoder, new, how)
        for number, reason in reasons.items():
            new[number - 1].reason = reason
        for number, read in ready:
            new[number - 1].read = read
            new[number - 1].tokens = sum(len(one.text) for one in read)

    @abstractmethod
    def _tokenized(
        self, encoder: "Encoder", new: Sequence[Once], how: dict[str, Any]
    ) -> "tuple[Read, dict[int, str]]":
        """What the model is to read; of the others, by number from 1, why they cannot be read."""

    def run(self, encoder: "Encoder", job: Job, todo: Sequence[Once]) -> None:
        """Vectors of a few texts at a time, and what becomes of them."""
        self._compared(encoder, todo)
        for one in todo:
            one.read = ()

    @abstractmethod
    def _compared(self, encoder: "Encoder", todo: Sequence[Once]) -> None:
        """Give each text what was found, or the reason why nothing was."""


@dataclass(frozen=True)
class PairMeasure(ShiftMeasure):
    """Shift from the first text of each pair to the second, as ``encoder.shift`` finds it.

    Attributes:
        asked: how two texts are compared.
    """

    asked: Comparing

    @property
    def settings(self) -> dict[str, Any]:
        """What stands in the manifest."""
        return asdict(self.asked)

    def letters(self, record: Record) -> int:
        """Of both texts, at each layer."""
        return super().letters(record) * len(self.layout.layers)

    def _tokenized(
        self, encoder: "Encoder", new: Sequence[Once], how: dict[str, Any]
    ) -> "tuple[Read, dict[int, str]]":
        first, second = [one.key[0] for one in new], [one.key[1] for one in new]
        sides, reasons = two_texts.tokenize(encoder, first, second, how)
        if self.asked.words is not None:
            grouping.check_offsets((e.text for _, *both in sides for e in both), encoder.model)
        return [(number, tuple(both)) for number, *both in sides], reasons

    def _compared(self, encoder: "Encoder", todo: Sequence[Once]) -> None:
        layers, buckets = self.layout.layers, self.layout.buckets
        sides = [(k, one.read[0], one.read[1]) for k, one in enumerate(todo)]
        moved, whole = [], {}
        for k, outcome in two_texts.measured(encoder, sides, layers):
            if isinstance(outcome, str):
                todo[k].reason = outcome
                continue
            whole[k] = _anchors(encoder, *outcome)
            moved.append(two_texts.move(k, *outcome, self.asked))
        provenance = encoder.provenance({**asdict(buckets), **self.settings})
        for found in two_texts.judge(moved, buckets, self.asked, provenance, layers):
            k = found.moved.number
            todo[k].found = Comparisons(todo[k].key[:2], (_of_pair(found, whole[k]),))


def _anchors(encoder: "Encoder", a: Side, b: Side) -> Anchors:
    """Of two texts, before pieces are put together to words."""
    kind = anchors.kind_of([a[0], b[0]], encoder.cls_id, encoder.causal)
    both = [anchors.vectors(text, hidden, kind, encoder.cls_id) for text, _, hidden in (a, b)]
    return kind, formulas.shift(*both), formulas.cosine_distance(*both)


def _of_pair(found: Judged, whole: Anchors) -> Compared:
    moved = found.moved
    kind, shift, angle = whole
    return Compared(
        a=found.a,
        b=found.b,
        a_index=moved.rows.a_index,
        b_index=moved.rows.b_index,
        change=moved.rows.change,
        shift=moved.shift,
        cosine_distance=moved.cosine_distance,
        high=found.high,
        concentration=found.concentration,
        total_shift=np.array([np.nansum(row) for row in moved.shift]),  # as ``ShiftResult.total``
        anchor=kind,
        anchor_shift=shift,
        anchor_cosine=angle,
    )


@dataclass(frozen=True)
class PromptMeasure(ShiftMeasure):
    """Every text under every prompt, compared in pairs, as ``encoder.prompts`` does it.

    Attributes:
        asked: the prompts, and how they are compared.
    """

    asked: Prompting

    @property
    def settings(self) -> dict[str, Any]:
        """What stands in the manifest."""
        return self.asked.settings

    def letters(self, record: Record) -> int:
        """Of the text under each prompt, at each layer, once for each other prompt."""
        asked, n = self.asked, len(self.asked.prompts)
        around = sum(len(asked.template) + len(prompt or "") for prompt in asked.prompts)
        letters = n * super().letters(record) + around
        return letters * (n - 1) * len(self.layout.layers)

    def _tokenized(
        self, encoder: "Encoder", new: Sequence[Once], how: dict[str, Any]
    ) -> "tuple[Read, dict[int, str]]":
        texts = [one.key[0] for one in new]
        ready, reasons = variants.tokenize(encoder, texts, self.asked, how)
        return [(number, tuple(read)) for number, read in ready], reasons

    def _compared(self, encoder: "Encoder", todo: Sequence[Once]) -> None:
        layers, buckets = self.layout.layers, self.layout.buckets
        ready = [(k, [*one.read]) for k, one in enumerate(todo)]
        moved = []
        for k, measured in variants.measured(encoder, ready, self.asked, layers):
            if isinstance(measured, str):
                todo[k].reason = measured
                continue
            found = analysis_prompts.move(encoder, k, todo[k].key[0], measured, self.asked)
            if isinstance(found, str):
                todo[k].reason = found
            else:
                moved.append(found)
        provenance = encoder.provenance({**asdict(buckets), **self.settings})
        results = analysis_prompts.judge(moved, self.asked, buckets, provenance, layers)
        for item, result in zip(moved, results, strict=True):
            todo[item.number].found = Comparisons((item.text,), _of_prompts(result))


def _of_prompts(result: PromptsResult) -> tuple[Compared, ...]:
    return tuple(
        Compared(
            a=result.variants[one.a],
            b=result.variants[one.b],
            a_index=one.a_index,
            b_index=one.b_index,
            change=one.change,
            shift=one.shift,
            cosine_distance=one.cosine_distance,
            high=one.high,
            concentration=one.concentration,
            total_shift=one.total_shift,
            anchor=result.anchor,
            anchor_shift=result.anchor_shift[:, one.a, one.b],
            anchor_cosine=result.anchor_cosine[:, one.a, one.b],
            prompts=(one.a, one.b),
            part=one.part,
        )
        for one in result.comparisons
    )
