"""What a reproduction of the paper gives: rows, tables, and what they were made from.

Computes nothing; the rows are made by reproducing.py and the paper_*.py files.
"""

import json
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activation_flow import __version__
from activation_flow.data import ActivationFlowError, Provenance
from activation_flow.paper import OF, VERDICTS, PaperTable, Row
from activation_flow.paper_prompts import Steering
from activation_flow.table_columns import HEAD, Columns, schema

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from activation_flow.result_summary import Summary

COLUMNS = ("id", "place", "what", "paper", "ours", "difference", "verdict", "note", "of")
SCHEMA = "reproduce/1"
FIGURES = 7  # of the paper
TABLE: Columns = {
    "id": ("string", "of the row: table-4/enjoying/shift"),
    "place": ("string", "where in the paper it stands"),
    "what": ("string", "what it is, in a few words"),
    "paper": ("string", "the paper's, as printed; null: it says nothing"),
    "ours": ("double", "ours, where it is a number"),
    "ours_words": ("string", "ours, where it is words"),
    "difference": ("double", "ours - the paper's, where both are numbers and compared"),
    "verdict": ("string", "arithmetic ok, matches, differs, contradicts itself ..."),
    "note": ("string", "why, in one sentence"),
    "of": ("string", "where ours comes from: arithmetic, bert-base-uncased, another model"),
}


@dataclass(frozen=True, repr=False, eq=False)
class Reproduction:
    """Every number, table, figure and claim of the paper, ours beside it.

    Attributes:
        rows: one for each published number, claim or formula, and for what the paper leaves open.
        tables: Tables 1 to 6, the paper's columns first.
        provenance: of the model; None where none was run.
        main: the layer that stands for the paper's layer 8; -1 without a model.
        layers: those that were measured: main − 1, main, main + 1.
        steering: what the prompts of section 3.2.3 move; None without a model.
        summary: of the corpus; None without one.
    """

    rows: tuple[Row, ...]
    tables: tuple[PaperTable, ...]
    provenance: Provenance | None = None
    main: int = -1
    layers: tuple[int, ...] = ()
    steering: Steering | None = None
    summary: "Summary | None" = None

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each verdict, in the order of ``paper.VERDICTS``."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in VERDICTS if found[verdict]}

    @property
    def another(self) -> bool:
        """True where the model is not the paper's."""
        return any(row.of == OF[2] for row in self.rows)

    @property
    def command(self) -> str:
        """The command that makes it again; "" where none can: of a live model."""
        if self.provenance is None:
            return "afn reproduce --no-model"
        if self.provenance.model.endswith("(live)"):
            return ""
        settings = self.provenance.settings
        words = ["afn", "reproduce", "-m", self.provenance.model]
        if settings.get("corpus"):
            words += ["--corpus", str(settings["corpus"])]
            if settings["text_column"] != "text":
                words += ["--text-column", settings["text_column"]]
        return shlex.join(words)

    def row(self, id: str) -> Row:
        """One row.

        Raises:
            ActivationFlowError: there is no such row.
        """
        for row in self.rows:
            if row.id == id:
                return row
        near = [row.id for row in self.rows if row.group == id.partition("/")[0]]
        hint = f"; there are {', '.join(near[:5])} ..." if near else ""
        raise ActivationFlowError(f"there is no row {id!r}{hint}")

    def table(self, name: str) -> PaperTable:
        """One table, "table-1" to "table-6"."""
        return next(table for table in self.tables if table.name == name)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document: head, counts of verdicts, rows."""
        rows = [
            {name: getattr(row, "value" if name == "paper" else name) for name in COLUMNS}
            for row in self.rows
        ]
        return {**self._head(), "counts": self.counts, "rows": rows}

    def _head(self) -> dict[str, Any]:
        if self.provenance is not None:
            return self.provenance.head(SCHEMA, self.layers)
        empty = Provenance("", None, "", "", 0, versions={"activation_flow": __version__})
        head = empty.head(SCHEMA, ())
        return {name: value or (value if name in _KEPT else None) for name, value in head.items()}

    def to_pandas(self) -> "pandas.DataFrame":
        """The rows as a DataFrame; ``paper`` as printed.

        Raises:
            ActivationFlowError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as problem:
            raise ActivationFlowError(
                "to_pandas() needs pandas: pip install pandas (.rows does without)"
            ) from problem
        rows = [[getattr(row, name) for name in COLUMNS] for row in self.rows]
        return pandas.DataFrame(rows, columns=[*COLUMNS])

    def to_arrow(self) -> "pyarrow.Table":
        """The rows as a table, ``paper`` as printed; ``ours`` as number and as words."""
        import pyarrow as pa

        columns: dict[str, list[Any]] = {
            name: [getattr(row, name) for row in self.rows] for name in COLUMNS
        }
        ours = columns["ours"]
        columns["ours"] = [None if isinstance(value, str) else value for value in ours]
        columns["ours_words"] = [value if isinstance(value, str) else None for value in ours]
        table = pa.table({name: columns[name] for name in TABLE}, schema=schema(TABLE))
        head = {**self._head(), "counts": self.counts, "rows": table.num_rows}
        return table.replace_schema_metadata({HEAD: json.dumps(head)})

    def chart(self, figure: int = 1) -> Any:
        """One of the paper's figures with ours beside it: a Vega-Altair chart.

        Args:
            figure: 1 to 7; those from 4 on need a model.

        Raises:
            ActivationFlowError: there is no such figure, or it needs a model and none was run.
        """
        from activation_flow import charts_paper

        if isinstance(figure, bool) or figure not in range(1, FIGURES + 1):
            raise ActivationFlowError(f"there is no figure {figure!r}: give 1 to {FIGURES}")
        drawn = charts_paper.figure(self, figure)
        if drawn is None:
            raise ActivationFlowError(
                f"figure {figure} needs a model, and none was run: reproduce(encoder) draws it"
            )
        return charts_paper.alone(drawn)

    def save(self, path: str | Path) -> tuple[Path, ...]:
        """Write to a .json, .csv or .html file; or, without an ending, all files to a folder.

        Returns:
            What was written; of a folder, no other file is touched.

        Raises:
            ActivationFlowError: unknown ending, missing folder, or a file cannot be written.
        """
        from activation_flow import paper_files

        return paper_files.save(self, path)

    def __repr__(self) -> str:
        from activation_flow import report_paper

        return report_paper.plain(self)

    def _repr_html_(self) -> str:
        from activation_flow import html_paper

        return html_paper.html_fragment(self)

    def _repr_mimebundle_(self, *_: Any, **__: Any) -> dict[str, str]:
        """What notebooks show; nothing of it loads from a network."""
        return {"text/plain": repr(self), "text/html": self._repr_html_()}


_KEPT = ("settings", "versions", "layers")  # empty without a model, never null
