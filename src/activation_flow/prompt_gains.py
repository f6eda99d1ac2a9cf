"""The composition for C10: an encoder, labelled texts and prompts -> probes, rows and the test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import audit_defaults, labelled, probing, prompt_vectors
from activation_flow.audit_data import Tested, Watch
from activation_flow.claim_tests import untested
from activation_flow.claim_tests_prompts import shift_predicts_gain
from activation_flow.explanation_tables import ProbeRow
from activation_flow.labelled import Labelled
from activation_flow.prompting import Prompting
from activation_flow.templates import DEFAULT

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Probed:
    """How well labels are read under each prompt, and whether the shift tells it.

    Attributes:
        rows: of each layer and vector, the bare text and every prompt.
        tested: C10.
        prompts: those that were asked about.
        notes: sentences for the reader.
        counts: how many there were of what.
    """

    rows: tuple[ProbeRow, ...]
    tested: Tested
    prompts: tuple[str, ...]
    notes: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict[str, int])


def probe_all(
    encoder: "Encoder",
    given: Labelled,
    prompts: Sequence[str] = audit_defaults.PROMPTS,
    *,
    layers: Sequence[int],
    main: int,
    template: str = DEFAULT,
    max_length: int | None = None,
    draws: int = audit_defaults.DRAWS,
    seed: int = 0,
    progress: Watch | None = None,
) -> Probed:
    """Labels read from every vector under every prompt, and C10 on the anchor's at one layer.

    Args:
        encoder: the model.
        given: the labelled texts.
        prompts: at least one; the claim takes five.
        layers: at which labels are read.
        main: the one that the claim is about, one of them.
        template: how prompt and text are put together.
        max_length: longest input, prompt and text; None: the model's.
        draws: random orders of the prompts, where there are too many for all.
        seed: of all that is random.
        progress: called with the stage, how much of it is done, and of how much.

    Raises:
        ActivationFlowError: prompts or template are none.
    """
    watch = progress or (lambda *_: None)
    asked = Prompting.of(prompts, baseline=True, template=template)
    if not given.missing:
        given = labelled.once(given, prompt_vectors.read_as(encoder, given.texts, max_length))
    if missing := given.missing or prompt_vectors.why_no_room(
        encoder, len(given), len(asked.prompts), len(layers)
    ):
        return _nothing(missing, prompts, given.notes, given.counts)
    found = prompt_vectors.vectors(
        encoder,
        given.texts,
        prompts,
        layers,
        template=template,
        max_length=max_length,
        progress=lambda done, n: watch("prompts", done, n),
    )
    names = [given.labels[i] for i in found.texts.tolist()]
    usable, rare = labelled.enough(names)
    notes = [*given.notes, *found.left.told("labelled texts that cannot be read"), *rare]
    counts = {**given.counts, "unread": found.left.n, "texts": int(usable.sum())}
    if missing := labelled.why_not(names, given.name):
        return _nothing(missing, prompts, notes, counts)
    kept = [name for name, use in zip(names, usable, strict=True) if use]
    different, labels = np.unique(kept, return_inverse=True)
    values = found.values if usable.all() else found.values[:, :, :, usable]
    probed = probing.probe(
        values, labels, seed=seed, progress=lambda done, n: watch("probes", done, n)
    )
    rows = tuple(probing.rows(probed, prompts, layers, found.names, labels))
    at = [*layers].index(main)
    tested = shift_predicts_gain(
        probed.shift[:, at, 0],
        probed.correct[:, at, 0],
        labels=len(different),
        draws=draws,
        seed=seed,
    )
    return Probed(
        rows=rows,
        tested=tested,
        prompts=tuple(prompts),
        notes=(*notes, *_how(found, probed, len(labels), len(different), seed)),
        counts={**counts, "labels": len(different), "unsettled": probed.unsettled},
    )


def _nothing(
    missing: str, prompts: Sequence[str], notes: Sequence[str], counts: Mapping[str, int]
) -> Probed:
    return Probed(
        rows=(),
        tested=untested(missing),
        prompts=tuple(prompts),
        notes=tuple(notes),
        counts=dict(counts),
    )


def _how(
    found: prompt_vectors.PromptVectors,
    probed: probing.Probes,
    texts: int,
    labels: int,
    seed: int,
) -> list[str]:
    """What was done, as a reader is told."""
    told = [
        f"labels: logistic probes of {labels} labels on {texts:,} texts, standardised features, "
        f"penalty C = {probing.PRIOR:g} / width, {audit_defaults.FOLDS} folds (seed {seed}), the "
        f"same for all prompts, layers and vectors; the anchor is {found.anchor}"
    ]
    if len(found.names) < len(prompt_vectors.VECTORS):
        told.append(
            "the tokenizer does not say which characters a token stands for: labels are read from "
            "the anchor only, not from the mean of the text's own tokens"
        )
    if probed.unsettled:
        told.append(
            f"probes that had not come to rest after {probing.STEPS:,} steps: "
            f"{probed.unsettled:,} of {probed.fitted:,}"
        )
    return told
