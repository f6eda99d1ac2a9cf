"""What every picture of a run that compares is made of: names, sentences, legend; no statistics.

The same serve the terminal (report_shift_summary.py), charts and the page.
"""

from collections.abc import Callable, Iterator, Mapping
from math import isclose
from typing import Any

from activation_flow.picture import model_line, number, quantile_words, shortened, visible
from activation_flow.result_shift_summary import ShiftSummary

Row = Mapping[str, Any]
Prompts = tuple[str | None, str | None]

NAMES = {
    "anchor_shift": "anchor: Δ",
    "anchor_cosine": "anchor: 1 − cos",
    "total_shift": "all tokens: sum of Δ",
    "mean_shift": "all tokens: mean Δ",
    "high_ratio": "R_H",
    "high_share": "k/n, chance",
    "excess": "R_H − k/n",
}
_LETTERS = 40  # of a prompt; more of it is not shown
_BUCKETS = {
    "a": "in the first of two",
    "b": "in the second of two",
    "union": "in one of the two",
}


def noun(summary: ShiftSummary) -> str:
    """What is compared."""
    return "text" if summary.prompts else "pair"


def heading(summary: ShiftSummary, prompts: Prompts) -> str:
    """From what to what."""
    if not summary.prompts:
        return "From the first text to the second"
    return f"From {named(prompts[0])} to {named(prompts[1])}"


def named(prompt: str | None) -> str:
    """A prompt, as it is shown."""
    return "the bare text" if prompt is None else f'"{visible(shortened(prompt, _LETTERS))}"'


def read_lines(summary: ShiftSummary) -> Iterator[str]:
    """What the numbers are about, and what is not in them."""
    counts, (done, many) = summary.counts, summary.shards
    under = f" under {len(summary.prompts)} prompts" if summary.prompts else ""
    yield f"{_many(counts['texts'], noun(summary))}{under}; " + model_line(
        summary.provenance, summary.layers
    )
    if not summary.finished:
        yield f"This run is not finished: {done:,} of {many:,} shards are in these numbers."
    if counts["rows"] is not None:
        why = " (rejects.jsonl says why)" if counts["rejects"] else ""
        yield (
            f"Rows: {counts['rows']:,}; without a result: {counts['rejects']:,}{why}; "
            f"blank, left out: {counts['blank']:,}."
        )
    if counts["truncated"]:
        yield f"Long texts: {_many(counts['truncated'], noun(summary))} cut."


def sentences(summary: ShiftSummary, layer: int, prompts: Prompts) -> Iterator[str]:
    """What the numbers of one layer and pair of prompts say, R_H beside its chance level."""
    found = {row["name"]: row for row in summary.rows("text", layer, prompts)}
    shares = {row["name"]: row for row in summary.rows("share", layer, prompts)}
    if "anchor_shift" in found:
        anchor, n = found["anchor_shift"], found["anchor_shift"]["n"]
        start = f"Over {_many(n, noun(summary))}, {_mover(summary, prompts)}"
        token = found.get("mean_shift")
        rest = f", and an aligned token by {_mean(token)} on average" if token else ""
        yield f"{start} by {_mean(anchor)}{rest}."
    if "excess" in found:
        yield _ratio(found)
        yield _chance(shares, noun(summary))
    else:
        yield f"No R_H: no {noun(summary)} has HIGH tokens that moved."
    if summary.counts["unknown"]:
        yield (
            f"No means of kinds of {_many(summary.counts['unknown'], noun(summary))}: which tokens "
            "are their own is not known, as the tokenizer does not say where a token stands."
        )
    kinds = [row for row in summary.rows("kind", layer, prompts) if row["name"] is not None]
    if len(kinds) > 1:
        most, least = (pick(kinds, key=_by_mean) for pick in (max, min))
        yield (
            f"Of the own tokens of all {noun(summary)}s together, {most['name']} moves "
            f"most ({number(most['mean'])}) and {least['name']} least ({number(least['mean'])})."
        )


def _by_mean(row: Row) -> float:
    return float(row["mean"])


def _mover(summary: ShiftSummary, prompts: Prompts) -> str:
    what = f"the anchor ({', '.join(summary.anchors)})"
    if not summary.prompts:
        return f"{what} moves from the first text to the second"
    a, b = prompts
    return f"{named(b)}{f' in place of {named(a)}' if a is not None else ''} moves {what}"


def _ratio(found: Mapping[str, Row]) -> str:
    ratio, share, excess = (found[name] for name in ("high_ratio", "high_share", "excess"))
    start = (
        f"R_H = {number(ratio['mean'])} on average: HIGH tokens hold {_percent(ratio['mean'])} of "
        "the shift, "
        f"and chance, k/n, gives {_percent(share['mean'])}"
    )
    if excess["low"] is None:
        return f"{start}."
    points = _points(excess["mean"])
    ends = f"points ({_points(excess['low'])} to {_points(excess['high'])})"
    if excess["low"] <= 0 <= excess["high"]:
        return f"{start}: the difference, {points} {ends}, may be none."
    return f"{start}: a difference of {points} {ends}."


def _chance(shares: Mapping[str, Row], noun: str) -> str:
    real, possible = shares["significant"], shares["possible"]
    if not possible["mean"]:
        return f"No {noun} has so many tokens that the p of its R_H could be below 0.05."
    return (
        f"p is below 0.05 in {_percent(real['mean'])} of the {_many(real['n'], noun)} with an R_H; "
        f"chance gives 5 % at most, and {_percent(possible['mean'])} have tokens enough for it."
    )


def deepest(summary: ShiftSummary, prompts: Prompts) -> Iterator[str]:
    """At which layer it acts, by angles: lengths grow with the strengths of a layer."""
    rows = [
        (layer, row)
        for layer in summary.layers
        for row in summary.rows("text", layer, prompts)
        if row["name"] == "anchor_cosine"
    ]
    if rows:
        layer, row = max(rows, key=lambda one: float(one[1]["mean"]))
        where = summary.provenance.layer_name(layer)
        yield f"The anchor turns most at {where}: 1 − cos is {_mean(row)} there."


def own_tables(
    summary: ShiftSummary, layer: int, prompts: Prompts
) -> Iterator[tuple[str, list[Row]]]:
    """Heads and rows of the tables of the texts' own tokens: kinds, and changes apart."""
    for section in ("kind", "change"):
        if rows := summary.rows(section, layer, prompts):
            yield f"own tokens by {section}", rows


def pooled(summary: ShiftSummary) -> str:
    """What the means in these tables are."""
    return (
        f"Mean Δ of the own tokens of all {noun(summary)}s together: a {noun(summary)} with more "
        "of them counts more, and there is no interval."
    )


def legend(summary: ShiftSummary, *, whole: bool = True) -> Iterator[tuple[str, str, str]]:
    """Signs and heads of columns that occur, and what they mean.

    Args:
        summary: of a run.
        whole: sentences and tables of the layers are shown; else a row of means for each layer.
    """
    every = summary.table.to_pylist()
    sections = {row["section"] for row in every}
    settings = summary.provenance.settings
    words = f"; of words, by the {settings['words']} of their pieces" if settings["words"] else ""
    kind = {
        "cls": "the cls token",
        "last": "the last token",
        "mean": "the mean vector of all tokens",
    }
    yield "Δ", "", "shift, L2 norm of the difference of two hidden states; all tokens: aligned ones"
    yield "anchor", "", f"what stands for a text: {', '.join(kind[a] for a in summary.anchors)}"
    which = _BUCKETS[settings["bucket_by"]]
    yield "HIGH", "", f"S > τ{quantile_words(settings)}, {which}{words}"
    yield "R_H", "", "the part of the shift that HIGH tokens hold; k of n tokens are HIGH"
    if any(row["low"] is not None for row in every):
        yield (
            "95 %" if whole else "±",
            "",
            f"{'' if whole else '95 % interval, '}where the mean over {noun(summary)}s lies, by "
            "Student's t; takes them as independent, and is cut where no value is possible",
        )
    if whole and any(row["section"] == "share" and row["n"] for row in every):
        yield "p", "", "part of all choices of k of the n tokens that hold as much shift, or more"
    of_prompt = " and none of a prompt" if summary.prompts else ""
    own = f"aligned tokens of the {noun(summary)} itself, no special ones{of_prompt}"
    if whole and sections & {"kind", "change"}:
        yield "own", "", own
    elif "kind" in sections:
        together = f"those of all {noun(summary)}s together, so without an interval"
        yield "kinds", "", f"{own}; {together}"


def kind_name(kind: str | None) -> str:
    """A kind, as it is shown."""
    return kind or "(no kind)"


def _many(count: int | None, noun: str) -> str:
    return f"{count or 0:,} {noun}{'' if count == 1 else 's'}"


def _mean(row: Row) -> str:
    """A mean, and its interval if there is one."""
    ends = span(row)
    return number(row["mean"]) + (f" ({ends})" if ends else "")


def span(row: Row) -> str:
    """The interval of a mean; "" where there is none."""
    return "" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"


def with_half(row: Row | None) -> str:
    """A mean and half of its interval; of one that was cut, both ends."""
    if row is None:
        return "-"
    if row["low"] is None:
        return number(row["mean"])
    below, above = row["mean"] - row["low"], row["high"] - row["mean"]
    if not isclose(below, above, rel_tol=1e-6, abs_tol=1e-9 * abs(row["mean"])):
        return _mean(row)
    return f"{number(row['mean'])} ±{number((below + above) / 2)}"


def cell(value: float | None, shown: Callable[[float], str] = number) -> str:
    """A number as it is shown; "-" where there is none."""
    return "-" if value is None else shown(value)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
