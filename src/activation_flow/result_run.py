"""What a run says as a whole can become: JSON, tables, files. Computes nothing."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow.data import ActivationFlowError, Provenance
from activation_flow.output import save_whole
from activation_flow.table_columns import HEAD

if TYPE_CHECKING:
    import pandas
    import pyarrow


@dataclass(frozen=True, repr=False, kw_only=True)
class OfRun:
    """Statistics of a run, layer by layer.

    Attributes:
        provenance: model, engine, settings and versions of the run.
        layers: those of this summary, in the order in which they stand below.
        shards: how many of the run are done, and of how many.
        counts: how many there are of what; None where only a finished run knows.
        table: the numbers; its columns are said by the class.
        path: the folder of the run.
        manifest: what is in its manifest.json.
    """

    provenance: Provenance
    layers: tuple[int, ...]
    shards: tuple[int, int]
    counts: Mapping[str, int | None]
    table: "pyarrow.Table"
    path: Path
    manifest: dict[str, Any]

    @property
    def compares(self) -> bool:
        """The run holds shifts, not strengths."""
        return "tables" in self.manifest

    @property
    def finished(self) -> bool:
        """All of the run is in it."""
        return self.shards[0] == self.shards[1]

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        raise NotImplementedError

    def about(self) -> dict[str, Any]:
        """What the document holds beside ``table``."""
        raise NotImplementedError

    def to_arrow(self) -> "pyarrow.Table":
        """``table``, with all else of the document as its metadata."""
        about = {**self.about(), "rows": self.table.num_rows}
        return self.table.replace_schema_metadata({HEAD: json.dumps(about)})

    def to_pandas(self) -> "pandas.DataFrame":
        """``table`` as a DataFrame.

        Raises:
            ActivationFlowError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401
        except ImportError as problem:
            raise ActivationFlowError(
                "to_pandas() needs pandas: pip install pandas (.table does without)"
            ) from problem
        return self.table.to_pandas()

    def save(self, path: str | Path) -> None:
        """Write the document to .json, the table to .csv or .parquet, pictures to .html .png .svg.

        Raises:
            ActivationFlowError: unknown ending, missing folder, or the file cannot be written.
        """
        save_whole(self, path, self._html_page)

    def _html_page(self) -> str:
        from activation_flow import html_summary

        return html_summary.html_page(self)

    def chart(self, *, layer: int | None = None) -> Any:
        """The picture of the run: a Vega-Altair chart.

        Args:
            layer: the only one to draw.

        Raises:
            ActivationFlowError: there is nothing to draw, or the summary does not hold that layer.
        """
        from activation_flow import charts

        return charts.chart(self, layer=layer)

    def _repr_html_(self) -> str:
        from activation_flow import html_summary

        return html_summary.html_fragment(self)

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        """What notebooks show; nothing of it loads from a network."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}
