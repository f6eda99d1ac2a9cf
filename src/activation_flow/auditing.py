"""The composition of an audit: a model and a corpus -> verdicts, and every number behind them.

What is claimed stands in claims.py, the tests in claim_tests*.py, the scores in scoring.py,
norms.py and attention.py; here it is said what is done with which texts, and in what order.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import (
    audit_controls,
    audit_files,
    audit_passes,
    audit_rows,
    audit_tests,
    material,
    threshold_sweep,
    verdicts,
)
from activation_flow.audit_data import Watch
from activation_flow.audit_defaults import (
    DRAWS,
    EXPLAINED,
    FREQUENCY,
    PERTURBED,
    SAMPLE,
    TEXTS,
)
from activation_flow.audit_options import Options
from activation_flow.audit_pairs import Moved
from activation_flow.audit_passes import Got
from activation_flow.audit_tables import Control, ScoreRow
from activation_flow.confounds import confounds
from activation_flow.data import ActivationFlowError
from activation_flow.explanations import Explanations
from activation_flow.material import Material, Source
from activation_flow.result_audit import AuditResult
from activation_flow.templates import DEFAULT

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder


def audit(
    encoder: "Encoder",
    corpus: Source,
    *,
    layer: int | str | None = None,
    kinds: str | None = None,
    pairs: str | os.PathLike[str] | None = None,
    rationales: str | os.PathLike[str] | None = None,
    salient: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    prompts: Sequence[str] | None = None,
    template: str = DEFAULT,
    paraphrases: str | os.PathLike[str] | None = None,
    only: str | Sequence[str] | None = None,
    sample: int = SAMPLE,
    explained: int = EXPLAINED,
    perturbed: int = PERTURBED,
    texts: int = TEXTS,
    frequency: str | os.PathLike[str] = FREQUENCY,
    draws: int = DRAWS,
    seed: int = 0,
    controls: bool | None = None,
    text_column: str = "text",
    format: str | None = None,
    max_length: int | None = None,
    progress: Watch | None = None,
) -> AuditResult:
    """Which readings of strength and shift hold on this model and corpus.

    Eleven claims of the paper, each with a test that was declared beforehand, baselines that need
    no model, controls in which nothing must be found, and intervals over texts and word types.

    Args:
        encoder: the model.
        corpus: what ``run_corpus`` takes (a file, folder, pattern or "-"), or a list of texts.
        layer: the one that the claims are about; None: two thirds of the depth.
        kinds: where kinds of words come from: ``list``, ``gold`` (tags of .conllu files),
            ``spacy:MODEL`` or ``none``; None: gold if all files are .conllu, else list.
        pairs: a file of pairs of texts (columns a, b), for R_H; None: each text of a sample with
            one word replaced by another of its kind.
        rationales: a file of texts in which people marked words, for C6 and C11; see
            ``rationales.read``.
        salient: a file of words that should stand out in the corpus, one a line, for C11; there it
            goes before ``rationales``.
        labels: a file of labelled texts (columns text, label), for C10.
        prompts: what is put before these, at least five; None: eight instructions.
        template: how a prompt and a text are put together.
        paraphrases: a file of pairs of texts (columns a, b) that mean the same, for stability.
        only: the parts that are run, as "C1,C6"; None: all. See ``audit_parts.PARTS``.
        sample: how many texts are read for attention, norms and the shuffled copies, and how many
            pairs of texts are compared.
        explained: how many texts, of the corpus and of ``rationales``, get scores of gradients and
            occlusion.
        perturbed: of these texts of the corpus, from how many words are removed, for C6.
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
        ActivationFlowError: an option is not valid, a file cannot be read, or no text of the corpus
            can be measured.
    """
    given = dict(locals())
    options = Options(**{name: given[name] for name in Options.__dataclass_fields__})
    options.check_input(corpus)
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
    files = audit_files.read(found, options)  # a file that cannot be read is refused at once
    got = audit_passes.Passes(encoder, found, files, options, layers, main, watch).run()
    watch("tests", 0, 1)
    result = _result(encoder, found, got, options, layers, main)
    watch("tests", 1, 1)
    name = os.fspath(corpus) if isinstance(corpus, (str, os.PathLike)) else ""
    return replace(result, input=name)


def _result(
    encoder: "Encoder",
    found: Material,
    got: Got,
    options: Options,
    layers: tuple[int, ...],
    main: int,
) -> AuditResult:
    """Tests and tables of what was measured."""
    tokens, fast = got.measured.tokens, got.measured.fast
    parts, needed = options.parts, options.needed
    scores = [*fast.scores, *got.slow.scores, *(got.explained.scores if got.explained else ())]
    judged = audit_tests.Evidence(
        tokens=tokens,
        layers=layers,
        at=layers.index(main),
        norms=fast.norms,
        n_layers=encoder.n_layers,
        shuffled=got.slow.shuffled,
        moved=got.moved,
        cls_id=encoder.cls_id,
        explanations=Explanations(
            explained=got.explained, marked=got.marked if "C6" in parts else None, main=main
        ),
        salient=got.salient,
        probed=got.probed,
    )
    rows = audit_rows.score_rows(scores, tokens)
    beside = confounds(tokens, judged.strength) if "confounds" in needed else ()
    findings = audit_tests.findings(
        judged, scores, beside, parts, draws=options.draws, seed=options.seed
    )
    return AuditResult(
        provenance=encoder.provenance(
            {
                **found.settings,
                "kinds": found.kinds,
                **options.settings,
                "quantile": 0.75,
                "quantile_method": "midpoint",
            }
        ),
        layer=main,
        layers=layers,
        claims=verdicts.claims(findings, parts),
        scores=rows,
        controls=tuple(_controls(judged, rows, options)),
        norms=got.slow.explained.norms,
        dimensions=got.slow.explained.dimensions,
        thresholds=threshold_sweep.thresholds(tokens, judged.strength, moved=got.moved)
        if "thresholds" in needed
        else (),
        ratios=findings.ratios,
        confounds=beside,
        faithful=findings.faithful,
        plausible=findings.plausible,
        probes=got.probed.rows if got.probed else (),
        stable=got.stable.rows if got.stable else (),
        counts=dict(_counts(found, got)),
        notes=tuple(_notes(found, got, options)),
    )


def _counts(found: Material, got: Got) -> Iterator[tuple[str, int]]:
    """How many there were of what, of the texts and of each file."""
    yield from {**found.counts, **got.measured.counts, "sample": len(got.slow.chosen)}.items()
    if got.moved is not None:
        yield "pairs", got.moved.n_pairs
        yield from ((f"pairs_{name}", n) for name, n in got.moved.counts.items() if name != "pairs")
    if got.explained is not None:
        yield "explained", got.explained.texts
        yield "perturbed", len(got.explained.faithful.text) if got.explained.faithful else 0
    if got.marked is not None:
        yield "rationales", got.marked.units.n_texts
        yield from ((f"rationales_{name}", n) for name, n in got.marked.counts.items())
    if got.probed is not None:
        yield "labels", got.probed.counts.get("texts", 0)
        yield from ((f"labels_{name}", n) for name, n in got.probed.counts.items())
    if got.stable is not None:
        yield from got.stable.judged


def _notes(found: Material, got: Got, options: Options) -> Iterator[str]:
    """What a reader must know."""
    yield from options.notes
    if options.salient is not None and options.rationales is not None and "C11" in options.parts:
        yield "C11 is asked of the list of words, not of the words that people marked"
    yield from found.notes
    yield from got.measured.notes
    yield from got.measured.fast.notes
    yield from got.slow.notes
    for part in (
        *(got.explained, got.marked, got.salient, got.moved),
        *(got.probed, got.stable),
    ):
        if part is not None:
            yield from part.notes
    if got.moved is not None:
        yield from _on_frequency(got.moved)


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


def _controls(
    judged: audit_tests.Evidence, rows: Sequence[ScoreRow], options: Options
) -> Iterator[Control]:
    copies, layers, tokens = judged.shuffled, judged.layers, judged.tokens
    seed = options.seed
    note = (
        "mean of copies with the entries of every weight tensor shuffled, "
        f"seeds {seed} to {seed + len(copies) - 1}"
    )
    yield from audit_controls.shuffled_controls(copies, layers, tokens, note)
    often = {"draws": options.draws, "seed": seed}
    claims = audit_controls.claims_control(copies, layers, judged.at, tokens, **often)
    if claims is not None:
        yield claims
    yield from audit_controls.normalised_controls(rows)
    if "C1" in options.parts:
        random = audit_controls.random_control(tokens, seed)
        yield from [random] if random is not None else []
