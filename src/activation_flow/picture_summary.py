"""What every picture of a run is made of: lines, names, cells, sentences, legend; no statistics.

The same serve the terminal (report_summary.py) and the page (html_summary.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from activation_flow.picture import model_line, number, quantile_words, token_text, visible
from activation_flow.result_summary import Summary

Row = Mapping[str, Any]

HEADS = {
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


def read_lines(summary: Summary) -> Iterator[str]:
    """What the numbers are about, and what is not in them."""
    counts = summary.counts
    done, many = summary.shards
    source = model_line(summary.provenance, summary.layers)
    yield f"{count_of(counts['texts'], 'text')}, {count_of(counts['tokens'], 'token')}; {source}"
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
        dropped = count_of(counts["dropped"], "token")
        long.append(f"{counts['truncated']:,} cut, and {dropped} dropped")
    if long:
        yield f"Long texts: {'; '.join(long)}."


def legend(summary: Summary) -> Iterator[tuple[str, str, str]]:
    """Heads of columns and what they mean."""
    settings = summary.provenance.settings
    words = settings.get("words")
    how = f"; of a word: {words} over its pieces" if words else ""
    part = "all tokens" if settings.get("include_special") else "tokens that are not special"
    yield "S", "", f"strength ‖h‖₂, L2 norm of a token's hidden state{how}"
    yield "sd", "", "standard deviation of S"
    yield "place", "", "mean place of these tokens in their texts, 0 (weakest) to 100"
    yield (
        "95 %",
        "",
        "interval of the number before it, over texts; it says nothing about other words",
    )
    yield "HIGH", "", f"the part of these that is HIGH: S > τ{quantile_words(settings)}"
    yield "of HIGH", "", "their part of all HIGH tokens"
    yield "of all", "", f"their part of {part}"
    yield "lift", "", "of HIGH / of all; 1 is chance"
    if not settings.get("include_special"):
        yield "special", "", "added by the tokenizer; takes no part in τ, HIGH and ranks"
    yield "τ", "", "threshold above which S is HIGH; where each text has its own, their mean"
    yield "skew", "", "g1 of S: mean of all texts, texts above 0, all tokens pooled"


def count_of(count: int | None, noun: str) -> str:
    """A number and its noun; None is 0."""
    return f"{count or 0:,} {noun}{'' if count == 1 else 's'}"


def with_specials(kinds: Sequence[Row], specials: Sequence[Row]) -> Iterator[Row]:
    """Each special token stands below the kind that it is of."""
    for row in kinds:
        yield row
        if row["name"] == "special":
            yield from specials


def name_of(row: Row) -> str:
    """How a row of the table is called; special tokens stand below their kind."""
    if row["section"] == "all":
        return "all"
    if row["name"] is None:
        return f"(no {row['section']})"
    if row["section"] in ("kind", "tag"):
        return visible(row["name"])
    indent = "  " if row["section"] == "special" else ""
    return indent + token_text(row["name"])


def apart(row: Row) -> bool:
    """These tokens take no part in buckets."""
    return row["high_share"] is None and row["tokens"] > 0


def cell(name: str, row: Row) -> str:
    """A number of the table, or an interval, as it is shown; "-" where there is none."""
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
        # What is small is not shown as none, and has no more decimals than the others.
        return "<0.001" if 0 < value < 0.0005 else f"{value:.3f}" if value < 1 else number(value)
    if name == "percentile":
        return f"{value:.1f}"
    return two(value) if name == "lift" else percent(value)


def percent(value: float) -> str:
    """A share; what is small is not shown as none."""
    return "<0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def two(value: float) -> str:
    """Two decimals."""
    return f"{value:.2f}"


def or_dash(value: float | None, shown: Any) -> str:
    """A number as it is shown, or "-"."""
    return "-" if value is None else str(shown(value))


def sentences(every: Row, kinds: Sequence[Row]) -> Iterator[str]:
    """Recall and precision of content words in HIGH, each beside what chance would give."""
    content = next((row for row in kinds if row["name"] == "content"), None)
    if content is None or content["lift"] is None:
        return
    yield (
        f"Of the content tokens, {percent(content['high_share'])} are HIGH; "
        f"chance, the share of all tokens: {percent(every['high_share'])}."
    )
    yield (
        f"Of the HIGH tokens, {percent(content['share_of_high'])} are content; "
        f"chance, the share of all tokens: {percent(content['base_rate'])}."
    )
