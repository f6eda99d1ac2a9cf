"""What a run says as a whole: per layer, statistics of kinds and types of token, and of texts.

Computes nothing: the numbers are made by summary.py, the picture by report_summary.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activation_flow.result_run import OfRun
from activation_flow.table_columns import Columns

if TYPE_CHECKING:
    import pyarrow

TABLE: Columns = {
    "section": ("string", "all, kind, special, tag, strongest, weakest or type"),
    "name": ("string", "kind, tag or token; null: of section all, and of no known kind or tag"),
    "layer": ("int32", "0 = embeddings, k = output of block k"),
    "tokens": ("int64", "number of tokens, those that take no part included"),
    "texts": ("int64", "number of texts with such tokens"),
    "mean": ("double", "mean strength"),
    "sd": ("double", "standard deviation of strength, n - 1 in the denominator"),
    "percentile": ("double", "mean place in their texts, 0 (weakest) to 100"),
    "percentile_low": ("double", "where its 95 % interval over texts begins; null: one text"),
    "percentile_high": ("double", "where it ends"),
    "high_share": ("double", "P(HIGH | these): the part that is HIGH of those that take part"),
    "high_share_low": ("double", "where its 95 % interval over texts begins; null: one text"),
    "high_share_high": ("double", "where it ends"),
    "share_of_high": ("double", "P(these | HIGH): their part of all HIGH tokens"),
    "base_rate": ("double", "P(these): their part of all tokens that take part"),
    "lift": ("double", "P(these | HIGH) / P(these)"),
}
TEXTS: Columns = {
    "layer": TABLE["layer"],
    "texts": ("int64", "number of texts"),
    "threshold": ("double", "tau, the mean of all texts"),
    "mean_skew": ("double", "mean of the skews of the texts, each over its tokens that take part"),
    "right_skewed": ("double", "part of the texts that have a skew whose skew is above 0"),
    "pooled_skew": ("double", "skew, g1 = m3 / m2^1.5, of all tokens that take part together"),
}
HISTOGRAM: Columns = {
    "layer": TABLE["layer"],
    "kind": ("string", "special, punctuation, function, content; null: unknown"),
    "low": ("double", "strength at which the bin begins"),
    "high": ("double", "strength at which it ends; the last bin holds it, too"),
    "count": ("int64", "number of tokens of this kind in it"),
}
BINS = 40  # of a histogram, from the weakest to the strongest token of a layer
SECTIONS = ("all", "kind", "special", "tag", "strongest", "weakest", "type")  # in this order
MANY = {"kind": "kinds", "special": "specials", "tag": "tags", "type": "types"}


@dataclass(frozen=True, repr=False, kw_only=True)
class Summary(OfRun):
    """Statistics of a run, layer by layer.

    Attributes:
        provenance: model, engine, settings and versions of the run.
        layers: those of this summary, in the order in which they stand below.
        shards: how many of the run are done, and of how many.
        counts: ``texts``, ``tokens``, ``windowed`` (texts read in several windows), ``truncated``
            (texts cut), ``dropped`` (tokens cut off); and of a finished run ``rows``, ``rejects``,
            ``blank`` and ``computed``, else None.
        path: the folder of the run.
        manifest: what is in its manifest.json.
        options: ``min_count``, ``top`` and ``types`` as they were asked for.
        table: a row for each section, name and layer: the columns of ``TABLE``. Sections: all;
            kind (special, punctuation, function, content, null where unknown); special (each
            special token); tag (the corpus's own); strongest and weakest (types of token, from
            the first place on); type (those asked for).
        texts: a row for each layer: the columns of ``TEXTS``.
        histogram: a row for each layer, kind that occurs there, and each of ``BINS`` bins of
            strength: the columns of ``HISTOGRAM``.
    """

    options: Mapping[str, Any]
    texts: "pyarrow.Table"
    histogram: "pyarrow.Table"

    def rows(self, section: str, layer: int) -> list[dict[str, Any]]:
        """The rows of ``table`` of one section at one layer."""
        from pyarrow.compute import field

        mine = (field("section") == section) & (field("layer") == layer)
        found: list[dict[str, Any]] = self.table.filter(mine).to_pylist()
        return found

    def bins(self, layer: int) -> list[dict[str, Any]]:
        """The rows of ``histogram`` at one layer."""
        from pyarrow.compute import field

        found: list[dict[str, Any]] = self.histogram.filter(field("layer") == layer).to_pylist()
        return found

    def to_dict(self) -> dict[str, Any]:
        """The JSON document; ``by_layer`` is parallel to ``layers``."""
        return {**self._head(), "by_layer": [self._layer(row) for row in self.texts.to_pylist()]}

    def _head(self) -> dict[str, Any]:
        return {
            **self.provenance.head("summary/1", self.layers),
            **{"options": dict(self.options), "counts": dict(self.counts)},
            "shards": {"done": self.shards[0], "all": self.shards[1]},
        }

    def _layer(self, texts: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = dict(texts)
        for section in SECTIONS:
            found[MANY.get(section, section)] = [
                {name: row[name] for name in TABLE if name not in ("section", "layer")}
                for row in self.rows(section, texts["layer"])
            ]
        (found["all"],) = found["all"]
        del found["all"]["name"]
        found["histogram"] = [
            {name: row[name] for name in HISTOGRAM if name != "layer"}
            for row in self.bins(texts["layer"])
        ]
        return found

    def about(self) -> dict[str, Any]:
        """What the document holds beside ``table``; no histogram, which the files do without."""
        return {**self._head(), "texts": self.texts.to_pylist()}

    def __repr__(self) -> str:
        from activation_flow import report_summary

        return report_summary.plain(self)
