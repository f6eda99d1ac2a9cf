"""The composition of an audit: a model and a corpus -> verdicts, and every number behind them.

What is claimed stands in claims.py, the tests in claim_tests*.py, the scores in scoring.py,
norms.py and attention.py; here it is said what is done with which texts, and in what order.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import (
    audit_controls,
    audit_pairs,
    audit_rows,
    audit_slow,
    audit_tests,
    audit_tokens,
    material,
    material_notes,
    scoring,
    text_pairs,
    threshold_sweep,
    verdicts,
)
from activation_flow.audit_data import AuditTokens
from activation_flow.audit_defaults import DRAWS, FREQUENCY, SAMPLE, TEXTS
from activation_flow.audit_pairs import Moved
from activation_flow.audit_tables import Control, ScoreRow
from activation_flow.audit_texts import Left
from activation_flow.claims import ALPHA, DECLARED
from activation_flow.confounds import confounds
from activation_flow.data import ActivationFlowError
from activation_flow.material import Material, Source
from activation_flow.result_audit import AuditResult
from activation_flow.scoring import FastScores
from activation_flow.text_pairs import TextPairs

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

Watch = Callable[[str, int, int], None]  # the stage, how much of it is done, of how much


def audit(
    encoder: "Encoder",
    corpus: Source,
    *,
    layer: int | str | None = None,
    kinds: str | None = None,
    pairs: str | None = None,
    sample: int = SAMPLE,
    texts: int = TEXTS,
    frequency: str = FREQUENCY,
    draws: int = DRAWS,
    seed: int = 0,
    controls: bool | None = None,
    text_column: str = "text",
    format: str | None = None,
    max_length: int | None = None,
    progress: Watch | None = None,
) -> AuditResult:
    """Which readings of strength and shift hold on this model and corpus.

    Eight claims of the paper, each with a test that was declared beforehand, baselines that need
    no model, controls in which nothing must be found, and intervals over texts and word types.

    Args:
        encoder: the model.
        corpus: what ``run_corpus`` takes (a file, folder, pattern or "-"), or a list of texts.
        layer: the one that the claims are about; None: two thirds of the depth.
        kinds: where kinds of words come from: ``list``, ``gold`` (tags of .conllu files),
            ``spacy:MODEL`` or ``none``; None: gold if all files are .conllu, else list.
        pairs: a file of pairs of texts (columns a, b), for R_H; None: each text of a sample with
            one word replaced by another of its kind.
        sample: how many texts are read for attention, norms and the shuffled copies, and how many
            pairs of texts are compared.
        texts: at most so many are audited; of more a uniform sample.
        frequency: of tokens: ``vocabulary`` (rank), ``corpus`` (counts in these texts), or a file
            of counts.
        draws: of every permutation test.
        seed: of all that is random.
        controls: also read copies of the model with shuffled weights; None: if it has at most 400
            million parameters.
        text_column: holds the texts of .jsonl, .csv, .tsv and .parquet files.
        format: of all files, whatever their endings say.
        max_length: longest input; longer texts are read in windows.
        progress: called with the stage, how much of it is done, and of how much.

    Raises:
        ActivationFlowError: an option is not valid, the corpus cannot be read, or no text of it
            can be measured.
    """
    for name, value, least in (("sample", sample, 1), ("draws", draws, 1), ("seed", seed, 0)):
        if value < least:
            raise ActivationFlowError(f"{name}={value} is not at least {least}")
    if corpus == pairs == "-":
        raise ActivationFlowError(
            "the corpus and the pairs cannot both be standard input; name a file for one of them"
        )
    watch = progress or (lambda *_: None)
    layers, main = _layers(encoder, layer)
    found = material.gather(
        encoder,
        corpus,
        kinds=kinds,
        texts=texts,
        text_column=text_column,
        format=format,
        max_length=max_length,
        frequency=frequency,
        seed=seed,
        progress=lambda done, n: watch("reading", done, n),
    )
    of_texts = _pairs(found, pairs, sample, seed)  # a file that cannot be read is refused at once
    measured = _measured(encoder, found.encoded, found.tokens, layers, main, seed, watch)
    asked = audit_slow.Asked(
        layers=layers,
        main=main,
        sample=sample,
        seed=seed,
        controls=controls,
        norms=measured.fast.norms,
    )
    slow = audit_slow.slow(encoder, measured.encoded, measured.tokens, asked, watch)
    moved, of_pairs = _moved(encoder, found, of_texts, main, watch)
    judged = audit_tests.Evidence(
        tokens=measured.tokens,
        layers=layers,
        at=layers.index(main),
        norms=measured.fast.norms,
        n_layers=encoder.n_layers,
        shuffled=slow.shuffled,
        moved=moved,
        cls_id=encoder.cls_id,
    )
    scores = [*measured.fast.scores, *slow.scores]
    rows = audit_rows.score_rows(scores, measured.tokens)
    watch("tests", 0, 2)
    beside = confounds(measured.tokens, judged.strength)
    findings = audit_tests.findings(judged, scores, beside, draws=draws, seed=seed)
    watch("tests", 1, 2)
    result = AuditResult(
        provenance=encoder.provenance(
            {
                **found.settings,
                "kinds": found.kinds,
                "pairs": pairs,
                "sample": sample,
                "draws": draws,
                "controls": controls,
                "quantile": 0.75,
                "quantile_method": "midpoint",
            }
        ),
        layer=main,
        layers=layers,
        claims=verdicts.claims(findings),
        scores=rows,
        controls=tuple(_controls(judged, rows, draws, seed)),
        norms=slow.explained.norms,
        dimensions=slow.explained.dimensions,
        thresholds=threshold_sweep.thresholds(measured.tokens, judged.strength, moved=moved),
        ratios=findings.ratios,
        confounds=beside,
        counts={**found.counts, **measured.counts, "sample": len(slow.chosen), **of_pairs},
        notes=(
            *_on_draws(draws),
            *found.notes,
            *measured.notes,
            *measured.fast.notes,
            *slow.notes,
            *moved.notes,
            *_on_frequency(moved),
        ),
        input=os.fspath(corpus) if isinstance(corpus, (str, os.PathLike)) else "",
    )
    watch("tests", 2, 2)
    return result


def _on_draws(draws: int) -> Iterator[str]:
    """A warning where permutation tests may be unable to find anything, whatever there is."""
    needed = round(len(DECLARED) / ALPHA)
    if draws < needed:
        yield (
            f"with {draws:,} draws a permutation test cannot have p below {1 / (draws + 1):.2g}, "
            f"which may be above {ALPHA} after Holm, whatever there is: it takes {needed}"
        )


def _on_frequency(moved: Moved) -> Iterator[str]:
    """Said of pairs of a file whose tokens the source of frequencies does not know."""
    if moved.n_pairs and not np.isfinite(moved.frequency).any():
        yield "the frequency of no token of the pairs is known: nothing is said of the rarest there"


def _layers(encoder: "Encoder", layer: int | str | None) -> tuple[tuple[int, ...], int]:
    """Those that are measured, and the one that the claims are about.

    Raises:
        ActivationFlowError: more than one is asked for, or one that cannot be set beside others.
    """
    wanted = encoder.layers_from(layer)
    if len(wanted) != 1:
        raise ActivationFlowError(
            f"an audit is about one layer, and {layer!r} names {len(wanted)}; all layers are "
            "measured beside it"
        )
    head, last = encoder.provenance({}), encoder.n_layers
    layers = tuple(range(last if head.final_norm else last + 1))
    if wanted[0] not in layers:
        raise ActivationFlowError(
            f"{head.layer_name(last)} cannot be set beside the other layers; audit one below it, "
            f"such as {encoder.layers_from(None)[0]}"
        )
    return layers, wanted[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class _Measured:
    """The texts that have finite strengths, and their scores."""

    encoded: "Sequence[Encoded]"
    tokens: AuditTokens
    fast: FastScores
    counts: Mapping[str, int]
    notes: tuple[str, ...]


def _measured(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    layers: tuple[int, ...],
    main: int,
    seed: int,
    watch: Watch,
) -> _Measured:
    """Scores of all texts but those whose hidden states are not finite: left out, and counted."""

    def run() -> FastScores:
        return scoring.fast_scores(
            encoder,
            encoded,
            tokens,
            layers,
            main=main,
            seed=seed,
            progress=lambda done, n: watch("strengths", done, n),
        )

    fast, left = run(), Left()
    counts: dict[str, int] = {}
    if fast.failed:  # seldom, so all is measured anew: no number of these texts stays anywhere
        for k, reason in fast.failed.items():
            left.add(f"text {k + 1}", reason)
        kept = [k for k in range(len(encoded)) if k not in fast.failed]
        if not kept:
            raise ActivationFlowError(f"no text has finite hidden states ({left.reasons[0]})")
        encoded, known = [encoded[k] for k in kept], tokens.frequency[np.isin(tokens.text, kept)]
        tokens = replace(
            audit_tokens.flattened([one.text for one in encoded]),
            frequency=known,
            frequency_name=tokens.frequency_name,
        )
        fast, counts = run(), {"failed": left.n, **material_notes.sizes(encoded, tokens)}
    return _Measured(
        encoded=encoded,
        tokens=tokens,
        fast=fast,
        counts=counts,
        notes=tuple(left.told("texts whose hidden states are not finite")),
    )


def _pairs(found: Material, path: str | None, sample: int, seed: int) -> TextPairs:
    """Those of a file, or made of the audited texts."""
    if path is None:
        return text_pairs.replaced(found, sample=sample, seed=seed)
    return text_pairs.read(path, kinds=found.kinds, sample=sample, seed=seed)


def _moved(
    encoder: "Encoder", found: Material, pairs: TextPairs, main: int, watch: Watch
) -> tuple[Moved, dict[str, int]]:
    """How far tokens move between the texts of the pairs."""
    moved = audit_pairs.moved(
        encoder,
        pairs,
        main,
        frequency=found.frequencies.of,
        max_length=found.settings["max_length"],
        progress=lambda done, n: watch("pairs", done, n),
    )
    counts = {f"pairs_{name}": n for name, n in moved.counts.items() if name != "pairs"}
    return moved, {"pairs": moved.n_pairs, **counts}


def _controls(
    judged: audit_tests.Evidence, rows: Sequence[ScoreRow], draws: int, seed: int
) -> Iterator[Control]:
    copies, layers, tokens = judged.shuffled, judged.layers, judged.tokens
    note = (
        "mean of copies with the entries of every weight tensor shuffled, "
        f"seeds {seed} to {seed + len(copies) - 1}"
    )
    yield from audit_controls.shuffled_controls(copies, layers, tokens, note)
    often = {"draws": draws, "seed": seed}
    claims = audit_controls.claims_control(copies, layers, judged.at, tokens, **often)
    if claims is not None:
        yield claims
    yield from audit_controls.normalised_controls(rows)
    if (random := audit_controls.random_control(tokens, seed)) is not None:
        yield random
