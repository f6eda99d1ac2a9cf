"""The composition: an encoder and a corpus, or neither -> the paper reproduced.

Which numbers, and by which rules, is said by the paper_*.py files.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from activation_flow import (
    paper_arithmetic,
    paper_corpus,
    paper_model,
    paper_pair,
    paper_prompts,
    running,
)
from activation_flow.data import ActivationFlowError, Provenance
from activation_flow.output import check_folder
from activation_flow.paper import PaperTable, Row
from activation_flow.paper_places import Probe
from activation_flow.result_reproduction import Reproduction
from activation_flow.result_summary import Summary
from activation_flow.state import State

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

log = logging.getLogger("activation_flow")

RUN = "run"  # folder of the corpus run, in the folder of the reproduction


def reproduce(
    encoder: "Encoder | None" = None,
    corpus: "str | os.PathLike[str] | None" = None,
    out: "str | os.PathLike[str] | None" = None,
    *,
    text_column: str = "text",
    progress: Callable[[State], None] | None = None,
) -> Reproduction:
    """Every number, table, figure and claim of the paper, recomputed, with a verdict each.

    Args:
        encoder: the model; None: only the rows that need none.
        corpus: sentences, for the claims of section 3.1.4; the paper's are the Kaggle "Social
            Media Sentiments Analysis Dataset", column Text. They need an encoder.
        out: folder for report.html, rows.csv, table-1.csv to table-6.csv, figure-1.png to
            figure-7.png, and the corpus run; made if its parent is there.
        text_column: of the corpus, where it is a table.
        progress: called when a part of the corpus was done.

    Raises:
        ActivationFlowError: a corpus without an encoder, a folder that cannot be written, or
            what the encoder and the corpus run raise.
    """
    if corpus is not None and encoder is None:
        raise ActivationFlowError(
            "the claims about a corpus need a model: give an encoder with the corpus"
        )
    folder = None if out is None else check_folder(os.fspath(out))
    rows, tables = [*paper_arithmetic.rows()], [*paper_model.tables(None, {})]
    if encoder is None:
        rows = [*paper_model.facts(None), *rows]
        tables += [paper_pair.table(None, []), paper_pair.table_6()]
        found = Reproduction(tuple(rows), _sorted(tables))
    else:
        found = _with_model(Probe.of_encoder(encoder), rows)
        if corpus is not None:
            found = _with_corpus(found, encoder, corpus, folder, text_column, progress)
    if folder is not None:
        found.save(folder)
    return found


def _with_model(probe: Probe, rows: list[Row]) -> Reproduction:
    strengths, shifts = paper_model.strengths(probe), paper_pair.shifts(probe)
    steering = paper_prompts.steer(probe)
    tables = [*paper_model.tables(probe, strengths), paper_pair.table(probe, shifts)]
    return Reproduction(
        rows=(
            *paper_model.facts(probe),
            *rows,
            *paper_model.rows(probe, strengths),
            *paper_pair.rows(probe, shifts),
            *paper_prompts.rows(probe, steering),
        ),
        tables=_sorted([*tables, paper_pair.table_6()]),
        provenance=probe.provenance,
        main=probe.main,
        layers=probe.layers,
        steering=steering,
    )


def _with_corpus(
    found: Reproduction,
    encoder: "Encoder",
    corpus: "str | os.PathLike[str]",
    folder: Path | None,
    text_column: str,
    progress: Callable[[State], None] | None,
) -> Reproduction:
    probe = Probe.of_encoder(encoder)
    with ExitStack() as stack:
        if folder is None:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="afn-")))
        else:
            folder.mkdir(exist_ok=True)
            place = folder
        run = running.run_corpus(
            encoder,
            corpus,
            out=place / RUN,
            layers=probe.main,
            text_column=text_column,
            keep_text=True,
            progress=progress,
        )
        more = [*paper_corpus.rows(probe, run)]
        summary = run.summary(probe.main)
        assert isinstance(summary, Summary)  # of a run of strengths
    settings = {"corpus": str(corpus), "text_column": text_column}
    provenance: Provenance = probe.provenance
    provenance = replace(provenance, settings={**provenance.settings, **settings})
    return replace(found, rows=(*found.rows, *more), provenance=provenance, summary=summary)


def _sorted(tables: list[PaperTable]) -> tuple[PaperTable, ...]:
    return tuple(sorted(tables, key=lambda table: table.name))
