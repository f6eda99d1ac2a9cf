"""What an audit gives: verdicts, every number behind them, and what these can become.

Computes nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow.audit_tables import (
    Claim,
    ConfoundRow,
    Control,
    Dimension,
    NormAtLayer,
    RatioRow,
    ScoreRow,
    ThresholdRow,
)
from activation_flow.data import ActivationFlowError, Provenance
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, ProbeRow, StableRow
from activation_flow.output import save_whole
from activation_flow.table_columns import HEAD, Columns, schema

if TYPE_CHECKING:
    import pandas
    import pyarrow

SCHEMA = "audit/1"
# The table of scores; everything else of an audit is its metadata.
TABLE: Columns = {
    "score": ("string", "short name of the score: norm, attention ..."),
    "title": ("string", "the same in words"),
    "role": ("string", "strength, variant (of it), baseline, control"),
    "layer": ("int32", "where it was taken; null: it belongs to no layer"),
    "auc": ("double", "content above function words of the same text; .5 is chance"),
    "low": ("double", "lower end of its 95 % interval, over texts and word types"),
    "high": ("double", "upper end"),
    "pooled": ("double", "the AUC over all texts at once"),
    "p": ("double", "two-sided, of auc = .5; exploratory"),
    "p_bh": ("double", "the same, adjusted over all rows (Benjamini-Hochberg)"),
    "tokens": ("int64", "tokens that were judged"),
    "texts": ("int64", "in so many texts"),
    "seconds_per_1000_tokens": ("double", "what measuring it cost; null: not measured"),
    "top_share_1": ("double", "of norms: share of the squared norm in its largest dimension"),
    "top_share_3": ("double", "the same, of its three largest"),
    "gap": ("double", "of integrated gradients: completeness gap, as a part of the whole"),
    "note": ("string", "definition"),
    "missing": ("string", "why there is no number"),
}


@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class AuditResult:
    """Which readings of strength and shift hold on this model and corpus.

    Attributes:
        provenance: model, engine, settings and versions.
        layer: the one that the claims are about.
        layers: all that were measured, ascending.
        claims: those that were asked for, of C1 to C11.
        scores: strength, its variants and its baselines, layer by layer.
        controls: in which nothing must be found.
        norms: what normalisation does to the strength, layer by layer.
        dimensions: where tokens of each kind have their energy, at ``layer``.
        thresholds: the HIGH bucket under other cuts.
        ratios: R_H and its rivals beside chance.
        confounds: frequency, length, sub-words, position.
        faithful: how much the model's output hangs on the words that each score puts first.
        plausible: how well each score finds the words that people marked.
        probes: how well labels can be read under each prompt, layer by layer.
        stable: how much of the order is left where texts are changed a little.
        counts: how many there are of what: ``texts``, ``duplicates``, ``failed``, ``tokens``,
            ``content``, ``function``, ``punctuation``, ``special``, ``unknown``, ``types``,
            ``sample`` (texts), ``pairs`` ...
        notes: what a reader must know: label noise, what was left out, what is not available.
        input: what was audited, as it was named; "" where texts were given.
    """

    provenance: Provenance
    layer: int
    layers: tuple[int, ...]
    claims: tuple[Claim, ...]
    scores: tuple[ScoreRow, ...]
    controls: tuple[Control, ...] = ()
    norms: tuple[NormAtLayer, ...] = ()
    dimensions: tuple[Dimension, ...] = ()
    thresholds: tuple[ThresholdRow, ...] = ()
    ratios: tuple[RatioRow, ...] = ()
    confounds: tuple[ConfoundRow, ...] = ()
    faithful: tuple[FaithfulRow, ...] = ()
    plausible: tuple[PlausibleRow, ...] = ()
    probes: tuple[ProbeRow, ...] = ()
    stable: tuple[StableRow, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    notes: tuple[str, ...] = ()
    input: str = ""

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each claim, by its id."""
        return {claim.id: claim.verdict for claim in self.claims}

    def claim(self, id: str) -> Claim:
        """One claim, "C1" to "C11".

        Raises:
            ActivationFlowError: it is not one of this audit's.
        """
        for claim in self.claims:
            if claim.id == id:
                return claim
        there = ", ".join(self.verdicts) or "none"
        raise ActivationFlowError(f"there is no claim {id!r}; there are: {there}")

    @property
    def command(self) -> str:
        """The command that makes it again; "" where none can: of a live model, or given texts."""
        from activation_flow import retrace_audit

        return retrace_audit.command(self)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document; what is not a number is null."""
        from activation_flow import document_audit

        return document_audit.to_dict(self)

    def to_arrow(self) -> "pyarrow.Table":
        """The scores as a table, with all else of the document as its metadata."""
        import pyarrow as pa

        document = self.to_dict()
        rows = document.pop("scores")
        for row in rows:
            row["low"], row["high"] = row["interval"] or (None, None)
            row["top_share_1"], row["top_share_3"] = row["top_share"] or (None, None)
        columns = {name: [row[name] for row in rows] for name in TABLE}
        table = pa.table(columns, schema=schema(TABLE))
        head = {**document, "rows": table.num_rows}
        return table.replace_schema_metadata({HEAD: json.dumps(head)})

    def to_pandas(self) -> "pandas.DataFrame":
        """The scores as a DataFrame.

        Raises:
            ActivationFlowError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401
        except ImportError as problem:
            raise ActivationFlowError(
                "to_pandas() needs pandas: pip install pandas (.scores does without)"
            ) from problem
        return self.to_arrow().to_pandas()

    def chart(self, name: str | None = None) -> Any:
        """One picture of the audit: a Vega-Altair chart.

        Args:
            name: ``layers`` (the AUC of scores, layer by layer: the default), ``claims``,
                ``faithful``, ``plausible``, ``prompts``, ``stable``, ``thresholds``, ``ratios``,
                ``confounds``, ``dimensions``, ``controls``, ``cost``.

        Raises:
            ActivationFlowError: there is no such picture, or this audit has nothing for it.
        """
        from activation_flow import charts_audit

        return charts_audit.chart(self, name)

    def save(self, path: str | Path) -> None:
        """Write the document to .json, the scores to .csv or .parquet, pictures to .html .png .svg.

        ``activation_flow.load`` reads the .json back.

        Raises:
            ActivationFlowError: unknown ending, missing folder, or the file cannot be written.
        """
        save_whole(self, path, self._html_page)

    def _html_page(self) -> str:
        from activation_flow import html_audit

        return html_audit.html_page(self)

    def __repr__(self) -> str:
        from activation_flow import report_audit

        return report_audit.plain(self)

    def _repr_html_(self) -> str:
        from activation_flow import html_audit

        return html_audit.html_fragment(self)

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        """What notebooks show; nothing of it loads from a network."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
