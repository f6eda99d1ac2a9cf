"""The summary of a run on a terminal: kinds and types of token layer by layer, and texts.

Computes nothing: the numbers are made by summary.py, the layout is that of terminal.py.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from activation_flow.picture import model_line, number, quantile_words, shade, token_text, visible
from activation_flow.result_summary import SECTIONS, Summary
from activation_flow.terminal import GREY, Column, Page, blocks, fit, width_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Row = Mapping[str, Any]

# Columns of a table, all of them or, for want of room, fewer.
_LAYOUTS = tuple(
    tuple(line.split())
    for line in (
        "tokens mean sd percentile place_95 high_share high_95 share_of_high base_rate lift",
        "tokens mean percentile place_95 high_share high_95 share_of_high base_rate lift",
        "tokens mean percentile place_95 high_share high_95 share_of_high lift",
        "tokens mean percentile place_95 high_share high_95 lift",
        "tokens mean percentile high_share lift",
        "mean percentile high_share",
        "high_share",
    )
)
_HEADS = {
    "tokens": "tokens",
    "mean": "mean S",
    "sd": "sd",
    "percentile": "place",
    "place_95": "95 %",
    "high_share": "HIGH",
    "high_95": "95 %",
    "share_of_high": "of HIGH",
    "base_rate": "of all",
    "lift": "lift",
}
_BOUNDS = {"place_95": ("percentile", 1), "high_95": ("high_share", 100)}


@dataclass(frozen=True, kw_only=True)
class SummaryPage(Page):
    """A report of a run."""

    summary: Summary

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """What was read, each layer, texts, legend."""
        for line in self._read():
            yield self.text(line)
        if not self.summary.table.num_rows:
            yield self.text("No text has a result.")
            return
        for layer in self.summary.layers:
            yield from self._layer(layer, width)
        yield from self._texts(width)
        yield from self.legend((*self._legend(),), {}, None)

    def _read(self) -> Iterator[str]:
        """What the numbers are about, and what is not in them."""
        summary, counts = self.summary, self.summary.counts
        done, many = summary.shards
        source = model_line(summary.provenance, summary.layers)
        yield f"{_many(counts['texts'], 'text')}, {_many(counts['tokens'], 'token')}; {source}"
        if not summary.finished:
            yield f"This run is not finished: {done:,} of {many:,} shards are in these numbers."
        if counts["rows"] is not None:
            why = " (rejects.jsonl says why)" if counts["rejects"] else ""
            yield (
                f"Rows: {counts['rows']:,}; without a result: {counts['rejects']:,}{why}; "
                f"blank, left out: {counts['blank']:,}."
            )
        long = []
        if counts["windowed"]:
            long.append(f"{counts['windowed']:,} read in overlapping windows")
        if counts["truncated"]:
            dropped = _many(counts["dropped"], "token")
            long.append(f"{counts['truncated']:,} cut, and {dropped} dropped")
        if long:
            yield f"Long texts: {'; '.join(long)}."

    def _layer(self, layer: int, width: int) -> "Iterator[RenderableType]":
        name = self.summary.provenance.layer_name(layer)
        rows = {section: self.summary.rows(section, layer) for section in SECTIONS}
        yield self.text(f"\n{name[0].upper()}{name[1:]}: kinds of token", "bold")
        yield self.text(
            "How strong each kind is, where it stands in its texts, how often it is HIGH.\n"
        )
        kinds = [*rows["all"], *_with_specials(rows["kind"], rows["special"])]
        yield self._table("kind", kinds, width)
        for sentence in _sentences(rows["all"][0], rows["kind"]):
            yield self.text(sentence)
        if rows["tag"]:
            yield self.text("\nTags", "bold")
            yield self.text("The same for the tags that came with the corpus.\n")
            yield self._table("tag", rows["tag"], width)
        least = _many(self.summary.options["min_count"], "time")
        yield self.text("\nStrongest and weakest types of token", "bold")
        yield self.text(
            f"Those that occur {least} or more, by mean S; special ones are left out.\n"
        )
        yield from self._extremes(rows["strongest"], rows["weakest"], width)
        if rows["type"]:
            yield self.text("\nTypes asked for", "bold")
            yield self.text(
                "However often they occur; a type is what the tokenizer makes of text.\n"
            )
            yield self._table("type", rows["type"], width)

    def _table(self, head: str, rows: Sequence[Row], width: int) -> Any:
        """A row for each kind, tag or type; as many columns as fit."""
        names = [fit(_name(row), max(width // 3, 8)) for row in rows]
        styles = [GREY if _apart(row) else "" for row in rows]
        lead = Column(head, names, styles, False)
        for layout in _LAYOUTS:
            columns = [lead, *(_column(name, rows, styles) for name in layout)]
            if width_of(columns) <= width:
                break
        return self.table(columns)

    def _extremes(
        self, strongest: Sequence[Row], weakest: Sequence[Row], width: int
    ) -> "Iterator[RenderableType]":
        """Strongest and weakest side by side, or, for want of room, one below the other."""
        if not strongest:
            yield self.text("None occurs so often.")
            return
        room = max(min((width - 2 * 26) // 2, 24), 8)
        both = [*_ranked("strongest", strongest, room), *_ranked("  weakest", weakest, room)]
        if width_of(both) <= width:
            yield self.table(both)
            return
        for head, rows in (("strongest", strongest), ("weakest", weakest)):
            columns = _ranked(head, rows, room)
            while width_of(columns) > width and len(columns) > 2:
                del columns[1]
            yield self.table(columns)
            yield self.text("")

    def _texts(self, width: int) -> "Iterator[RenderableType]":
        rows = self.summary.texts.to_pylist()
        plain = [""] * len(rows)
        yield self.text("\nTexts", "bold")
        yield self.text(
            "How strengths are spread. Skew above 0: a few tokens are much stronger than the "
            "others; below 0: a few are much weaker.\n"
        )
        columns = {
            "layer": [str(row["layer"]) for row in rows],
            "texts": [f"{row['texts']:,}" for row in rows],
            "τ": [_or_dash(row["threshold"], number) for row in rows],
            "mean skew": [_or_dash(row["mean_skew"], _two) for row in rows],
            "skew > 0": [_or_dash(row["right_skewed"], _percent) for row in rows],
            "pooled skew": [_or_dash(row["pooled_skew"], _two) for row in rows],
        }
        lead, *values = (Column(head, cells, plain) for head, cells in columns.items())
        for block in blocks([lead], values, width):
            yield self.table(block)
            yield self.text("")

    def _legend(self) -> Iterator[tuple[str, str, str]]:
        settings = self.summary.provenance.settings
        words = settings.get("words")
        how = f"; of a word: {words} over its pieces" if words else ""
        part = "all tokens" if settings.get("include_special") else "tokens that are not special"
        yield "S", "", f"strength ‖h‖₂, L2 norm of a token's hidden state{how}"
        yield "sd", "", "standard deviation of S"
        yield "place", "", "mean place of these tokens in their texts, 0 (weakest) to 100"
        yield "95 %", "", "interval of the number before it: other texts would move it so far"
        yield "HIGH", "", f"the part of these that is HIGH: S > τ{quantile_words(settings)}"
        yield "of HIGH", "", "their part of all HIGH tokens"
        yield "of all", "", f"their part of {part}"
        yield "lift", "", "of HIGH / of all; 1 is chance"
        if not settings.get("include_special"):
            yield "special", "", "added by the tokenizer; takes no part in τ, HIGH and ranks"
        yield "τ", "", "threshold above which S is HIGH; where each text has its own, their mean"
        yield "skew", "", "g1 of S: mean of all texts, texts above 0, all tokens pooled"


def print_terminal(summary: Summary, console: "Console") -> None:
    """Print on a ``rich`` console."""
    console.print(SummaryPage(summary=summary))


def plain(summary: Summary) -> str:
    """The same without colour, in 80 columns, for ``__repr__``."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(
        file=out, width=80, color_system=None, force_terminal=False, force_jupyter=False
    )
    console.print(SummaryPage(summary=summary, width=80))
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n")).rstrip()


def _column(name: str, rows: Sequence[Row], styles: Sequence[str]) -> Column:
    cells = [_cell(name, row) for row in rows]
    if name == "percentile":
        places = [row[name] for row in rows]
        shaded = ["" if p is None else "{1} on {0}".format(*shade(p / 100)) for p in places]
        styles = [grey or colour for grey, colour in zip(styles, shaded, strict=True)]
    return Column(_HEADS[name], cells, styles)


def _ranked(head: str, rows: Sequence[Row], room: int) -> list[Column]:
    """Types in their order; spaces before the head stand before each name, too."""
    plain = [""] * len(rows)
    indent = " " * (len(head) - len(head.lstrip()))
    names = [indent + fit(_name(row), room) for row in rows]
    values = [_column(name, rows, plain) for name in ("tokens", "mean", "high_share")]
    return [Column(head, names, plain, False), *values]


def _many(count: int | None, noun: str) -> str:
    return f"{count or 0:,} {noun}{'' if count == 1 else 's'}"


def _with_specials(kinds: Sequence[Row], specials: Sequence[Row]) -> Iterator[Row]:
    """Each special token stands below the kind that it is of."""
    for row in kinds:
        yield row
        if row["name"] == "special":
            yield from specials


def _name(row: Row) -> str:
    if row["section"] == "all":
        return "all"
    if row["name"] is None:
        return f"(no {row['section']})"
    if row["section"] in ("kind", "tag"):
        return visible(row["name"])
    indent = "  " if row["section"] == "special" else ""
    return indent + token_text(row["name"])


def _apart(row: Row) -> bool:
    """These tokens take no part in buckets."""
    return row["high_share"] is None and row["tokens"] > 0


def _cell(name: str, row: Row) -> str:
    if name in _BOUNDS:
        of, scale = _BOUNDS[name]
        low, high = row[f"{of}_low"], row[f"{of}_high"]
        return "-" if low is None else f"{scale * low:.1f}-{scale * high:.1f}"
    value: Any = row[name]
    if name == "tokens":
        return f"{value:,}"
    if value is None or (name in ("share_of_high", "base_rate") and row["high_share"] is None):
        return "-"
    if name in ("mean", "sd"):
        return number(value)
    if name == "percentile":
        return f"{value:.1f}"
    return _two(value) if name == "lift" else _percent(value)


def _percent(value: float) -> str:
    return "<0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def _two(value: float) -> str:
    return f"{value:.2f}"


def _or_dash(value: float | None, shown: Any) -> str:
    return "-" if value is None else str(shown(value))


def _sentences(every: Row, kinds: Sequence[Row]) -> Iterator[str]:
    """Recall and precision of content words in HIGH, each beside what chance would give."""
    content = next((row for row in kinds if row["name"] == "content"), None)
    if content is None or content["lift"] is None:
        return
    yield (
        f"Of the content tokens, {_percent(content['high_share'])} are HIGH; "
        f"chance, the share of all tokens: {_percent(every['high_share'])}."
    )
    yield (
        f"Of the HIGH tokens, {_percent(content['share_of_high'])} are content; "
        f"chance, the share of all tokens: {_percent(content['base_rate'])}."
    )
