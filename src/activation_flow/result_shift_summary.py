"""What a run of comparisons says as a whole: per layer and pair of prompts, means over texts.

Computes nothing: the numbers are made by summary_shift.py, the picture by report_shift_summary.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

from activation_flow.result_run import OfRun
from activation_flow.table_columns import Columns

# Of each text; their means, and intervals of the means. In this order.
MEASURES: dict[str, str] = {
    "anchor_shift": "shift of the anchor, what stands for a text",
    "anchor_cosine": "1 - cos of the anchor",
    "total_shift": "sum of the shifts of all aligned tokens",
    "mean_shift": "shift of an aligned token, mean of a text",
    "high_ratio": "R_H, the part of the shift that HIGH tokens hold; texts that have one",
    "high_share": "k / n, the R_H of chance, of the same texts",
    "excess": "R_H - k / n",
}
# Between which values of a text, and so their mean, can lie at all; intervals are cut there.
POSSIBLE: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("anchor_shift", "total_shift", "mean_shift"), (0.0, inf)),
    "anchor_cosine": (0.0, 2.0),
    **dict.fromkeys(("high_ratio", "high_share"), (0.0, 1.0)),
    "excess": (-1.0, 1.0),
}
# Parts of the texts that have an R_H.
SHARES: dict[str, str] = {
    "significant": "part of the texts with p < 0.05; chance gives 0.05 at most",
    "possible": "part of the texts whose smallest possible p is below 0.05",
}
SECTIONS = ("text", "share", "kind", "change")
LEVEL = 0.05
TABLE: Columns = {
    "layer": ("int32", "0 = embeddings, k = output of block k"),
    "prompt_a": ("string", "prompt before the first text; null: the bare text, or pairs of texts"),
    "prompt_b": ("string", "prompt before the second; null: pairs of texts"),
    "section": ("string", "text, share (of texts), kind or change (of the texts' own tokens)"),
    "name": ("string", "what is meant; of section kind null: unknown"),
    "n": ("int64", "number of texts; of sections kind and change, of aligned tokens"),
    "mean": ("double", "their mean; of sections kind and change, mean shift of a token"),
    "sd": ("double", "standard deviation between texts, n - 1 in the denominator"),
    "low": (
        "double",
        "where the 95 % interval of the mean over texts begins, cut to possible values; "
        "null: one text",
    ),
    "high": ("double", "where it ends, cut likewise"),
}

Row = Mapping[str, Any]


@dataclass(frozen=True, repr=False, kw_only=True)
class ShiftSummary(OfRun):
    """Means over the texts of a run that compares, layer by layer.

    Attributes:
        provenance: model, engine, settings and versions of the run.
        layers: those of this summary, in the order in which they stand below.
        shards: how many of the run are done, and of how many.
        counts: ``texts`` (or pairs of texts), ``truncated`` (those of which something was
            cut), ``unknown`` (those of which nobody knows which tokens are their own); and of a
            finished run ``rows``, ``tokens``, ``rejects``, ``blank`` and ``computed``, else None.
        path: the folder of the run.
        manifest: what is in its manifest.json.
        prompts: those before each text, None for the bare text; none where texts are pairs.
        anchors: what stands for a whole text: cls, last, mean.
        table: the columns of ``TABLE``. Of each layer and pair of prompts: section text, a row for
            each of ``MEASURES``, with a 95 % interval over texts (Student's t, cut to what is
            ``POSSIBLE``; it takes the texts as drawn independently of each other); share, of
            ``SHARES``; kind and change, the mean shift of the texts' own aligned tokens.
    """

    prompts: tuple[str | None, ...]
    anchors: tuple[str, ...]

    @property
    def pairs(self) -> tuple[tuple[str | None, str | None], ...]:
        """The pairs of prompts, in order; one, without prompts, where texts are pairs."""
        n = len(self.prompts)
        every = [(self.prompts[a], self.prompts[b]) for a in range(n) for b in range(a + 1, n)]
        return tuple(every) or ((None, None),)

    def rows(self, section: str, layer: int, prompts: Sequence[str | None] = ()) -> list[Row]:
        """The rows of ``table`` of one section, at one layer.

        Args:
            section: one of ``SECTIONS``.
            layer: one of ``layers``.
            prompts: two of them; by default the first pair.
        """
        return [*self._rows.get((section, layer, *(prompts or self.pairs[0])), ())]

    @cached_property
    def _rows(self) -> Mapping[tuple[Any, ...], Sequence[Row]]:
        """Those of each section, layer and pair of prompts: pages ask for each of them often."""
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.table.to_pylist():
            key = tuple(row[name] for name in ("section", "layer", "prompt_a", "prompt_b"))
            found.setdefault(key, []).append(row)
        return found

    def to_dict(self) -> dict[str, Any]:
        """The JSON document; ``by_layer`` is parallel to ``layers``."""
        by_layer = [
            {"layer": layer, "comparisons": [self._compared(layer, pair) for pair in self.pairs]}
            for layer in self.layers
        ]
        return {**self.about(), "by_layer": by_layer}

    def about(self) -> dict[str, Any]:
        """What the document holds beside ``table``."""
        return {
            **self.provenance.head("shift-summary/1", self.layers),
            "counts": dict(self.counts),
            "shards": {"done": self.shards[0], "all": self.shards[1]},
            **{"prompts": [*self.prompts], "anchors": [*self.anchors]},
        }

    def _compared(self, layer: int, pair: tuple[str | None, str | None]) -> dict[str, Any]:
        found: dict[str, Any] = {"prompt_a": pair[0], "prompt_b": pair[1]}
        for row in self.rows("text", layer, pair):
            found[row["name"]] = {name: row[name] for name in ("n", "mean", "sd", "low", "high")}
        for row in self.rows("share", layer, pair):
            found[row["name"]] = {name: row[name] for name in ("n", "mean")}
        for section, many in (("kind", "kinds"), ("change", "changes")):
            found[many] = [
                {name: row[name] for name in ("name", "n", "mean")}
                for row in self.rows(section, layer, pair)
            ]
        return found

    def __repr__(self) -> str:
        from activation_flow import report_shift_summary

        return report_shift_summary.plain(self)
