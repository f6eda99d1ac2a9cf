"""A run, as the page shows it: what was read, a type and its sentences, tables, charts.

Computes nothing and asks the run nothing: all is in what was opened.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from activation_flow import (
    app_words,
    charts_summary,
    html_shift_summary,
    html_strength_summary,
    retrace_python,
    retrace_run,
)
from activation_flow import picture_shift_summary as picture_shift
from activation_flow import picture_summary as picture_strength
from activation_flow.app_charts import drawn
from activation_flow.app_inputs import Corpus
from activation_flow.app_shown import Drawn, Shown
from activation_flow.charts_run import shown as at_layer
from activation_flow.html_occurrences import strip_parts
from activation_flow.html_run import warning
from activation_flow.html_summary import noun_of, read_parts
from activation_flow.markup import block, escape, folded, legend, note, tiles
from activation_flow.occurrences import WAYS
from activation_flow.picture import Legend, model_line
from activation_flow.picture_occurrences import command, hidden_line, picture, sentences, title
from activation_flow.result_occurrences import Occurrences
from activation_flow.result_run import OfRun
from activation_flow.result_shift_summary import ShiftSummary
from activation_flow.result_summary import Summary

if TYPE_CHECKING:
    from activation_flow.app_answers import Opened

_RUNS = 8  # whose charts are kept
_TOP = 20  # as in Run.occurrences
_MAKES = "afn corpus texts.txt --out runs/texts -m minilm --keep-text"
_STRIPS = (
    "Stronger colour = larger S ({strength}) within its text. Bold, underlined = HIGH; outlined = "
    "what was looked for. The texts in which it stands highest come first. {caution}"
)
_COLUMNS = (
    "place: 0 is the weakest token of a text, 100 the strongest; 95 %: the interval of the number "
    "before it; lift: how many times as many of them are HIGH as chance gives."
)
_UNKNOWN = "not known, as for words in a script for which there is no list of function words"
_Section = tuple[str, str, list[str]]


def shown(found: "Opened", inputs: Corpus) -> Shown:
    """The run at one layer, and a type in it if one was looked for.

    Args:
        found: what was opened; its summary holds all layers.
        inputs: that it was asked for with.
    """
    summary, layer, kept = found.summary, found.layer, _kept(found.summary)
    commands, lines = [retrace_run.command(summary)], [retrace_python.of_run(summary)]
    if found.found is not None:
        commands.append(command(found.found, "found.html"))
        lines.append(_python(found.found))
    return Shown(
        html=block(_above(summary, found.found, layer)),
        charts=(*_curves(kept), *_of_layer(kept, layer)),
        below=block(_below(summary, found.found, layer)),
        command="\n".join(commands),
        python="\n".join(lines),
        layers=tuple(found.layers),
        layer=layer,
    )


def nothing() -> Shown:
    """What stands where no run is chosen yet: how there comes to be one."""
    said = "Choose the folder of a run. A run is made of a file of texts, of any size, like this:"
    code = (
        f'<div class="afn-code"><pre class="afn-command"><code>{escape(_MAKES)}</code></pre></div>'
    )
    return Shown(html=block([note(said), code]))


def _python(found: Occurrences) -> str:
    """The line that finds it in the run that is open."""
    given = [retrace_python.literal(found.asked), str(found.layer)]
    given += [f"top={found.top}"] if found.top != _TOP else []
    given += [f"ways={list(found.ways)!r}"] if found.ways != WAYS else []
    return f"found = run.occurrences({', '.join(given)})"


def _above(summary: OfRun, found: Occurrences | None, layer: int) -> Iterator[str]:
    yield from warning(*summary.shards)
    yield tiles(_read(summary))
    yield note(f"Made with {model_line(summary.provenance, summary.layers)}.")
    if found is not None:
        yield from _found(found)
    for head, said, held in _sections(summary, layer):
        yield f'<p class="afn-title">{escape(head)}</p>'
        yield from [note(said)] if said else []
        yield from held


def _read(summary: OfRun) -> Iterator[tuple[str, str, str]]:
    """How much was read, and how much of it has no result."""
    counts, noun = summary.counts, noun_of(summary)
    of = "" if counts["rows"] is None else f"of {counts['rows']:,} rows"
    yield f"{noun}s", f"{counts['texts'] or 0:,}", of
    if counts.get("tokens") is not None:
        yield "tokens", f"{counts['tokens']:,}", ""
    if counts["rejects"] is not None:
        why = "rejects.jsonl says why" if counts["rejects"] else "every row was read"
        yield "rows without a result", f"{counts['rejects']:,}", why


def _found(found: Occurrences) -> Iterator[str]:
    """The type's own numbers; its texts."""
    yield f'<p class="afn-title">{escape(title(found))}</p>'
    # That the run is not finished is said above all.
    yield from map(note, list(sentences(found, ways=False))[not found.finished :])
    if found.texts:
        words = {"strength": app_words.STRENGTH, "caution": app_words.CAUTION}
        yield app_words.line(_STRIPS.format(**words))
    yield from strip_parts(found, "the command at the end gives all")
    if more := hidden_line(
        found, len(found.texts), "a larger --top in the command at the end shows more"
    ):
        yield note(more)


def _sections(summary: OfRun, layer: int) -> Iterator[_Section]:
    """The tables of one layer."""
    name = summary.provenance.layer_name(layer)
    if not summary.table.num_rows:
        yield "Nothing to show", f"No {noun_of(summary)} has a result.", []
    elif isinstance(summary, Summary):
        held = [*html_strength_summary.kinds(summary, layer), note(_COLUMNS)]
        yield f"Kinds of token, {name}", html_strength_summary.KINDS, held
        said = html_strength_summary.types_note(summary)
        held = [*html_strength_summary.types(summary, layer)]
        yield f"Strongest and weakest types of token, {name}", said, held
    elif isinstance(summary, ShiftSummary):
        yield f"Shift, {name}", "", [*_compared(summary, layer)]


def _compared(summary: ShiftSummary, layer: int) -> Iterator[str]:
    """Each pair of prompts, of several the first stands open."""
    for k, prompts in enumerate(summary.pairs):
        held = "\n".join(html_shift_summary.layer_parts(summary, prompts, layer))
        if len(summary.layers) > 1:
            held = "".join(map(note, picture_shift.deepest(summary, prompts))) + held
        if len(summary.pairs) == 1:
            yield held
            continue
        head = escape(picture_shift.heading(summary, prompts))
        yield f"<details{' open' * (k == 0)}><summary>{head}</summary>\n{held}</details>"


@dataclass(frozen=True)
class _Kept:
    """A summary by what it says, so that its charts are made once."""

    key: bytes
    summary: OfRun = field(compare=False)


def _kept(summary: OfRun) -> _Kept:
    said = json.dumps([str(summary.path), summary.manifest, summary.about()], default=str)
    found = hashlib.sha256(said.encode("utf-8", "surrogatepass"))
    tables = [summary.table]
    if isinstance(summary, Summary):
        tables += [summary.texts, summary.histogram]
    for table in tables:
        found.update(repr(table.to_pylist()).encode("utf-8", "surrogatepass"))
    return _Kept(found.digest(), summary)


@lru_cache(maxsize=_RUNS)
def _curves(kept: _Kept) -> tuple[Drawn, ...]:
    return tuple(map(drawn, charts_summary.curves(kept.summary)))


@lru_cache(maxsize=4 * _RUNS)
def _of_layer(kept: _Kept, layer: int) -> tuple[Drawn, ...]:
    return tuple(map(drawn, charts_summary.of_layer(at_layer(kept.summary, layer))))


def _below(summary: OfRun, found: Occurrences | None, layer: int) -> Iterator[str]:
    """All counts, the texts, what signs mean, and what files hold."""
    yield folded("What was read", read_parts(summary))
    if summary.table.num_rows and isinstance(summary, Summary):
        held = [note(html_strength_summary.TEXTS), html_strength_summary.texts_table(summary)]
        yield folded("Texts, layer by layer", held)
    meanings = _meanings(summary, found, layer) if summary.table.num_rows else ()
    held = [legend(meanings, ("lowest", "highest"))] if meanings else []
    yield app_words.end(held, summary.provenance)
    apart = "" if found is None else ", without what was looked for; afn find … --save saves that"
    yield note(f"Files hold the summary of all layers{apart}.")


def _meanings(summary: OfRun, found: Occurrences | None, layer: int) -> Legend:
    """What signs mean, each once: those of the tables, then those of the texts."""
    if isinstance(summary, ShiftSummary):
        return (*picture_shift.legend(summary),)
    if not isinstance(summary, Summary):
        return ()
    rows = [*picture_strength.legend(summary)]
    if any(row["name"] is None for row in summary.rows("kind", layer)):
        rows.append(("(no kind)", "", _UNKNOWN))
    said = {"model", *(mark for mark, _, _ in rows)}
    of_texts = picture(found).legend if found is not None else ()
    return (*rows, *(row for row in of_texts if row[0] not in said))
