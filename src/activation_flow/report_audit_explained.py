"""The tables of an audit on explanations, prompts and stability, as a terminal shows them.

Columns and rows only; the layout is report_audit's.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from activation_flow.explanation_tables import FaithfulRow
from activation_flow.picture import visible
from activation_flow.picture_audit import (
    counted,
    effect_text,
    share_text,
    value_text,
)
from activation_flow.picture_explained import (
    absent,
    bounded,
    changed,
    comprehensive,
    faithful_main,
    gain_text,
    layer_text,
    less_text,
    listed,
    named,
    of_texts,
    or_dash,
    outputs,
    plausible_main,
    probes_main,
    prompt_text,
    several_texts,
    stable_main,
)
from activation_flow.result_audit import AuditResult
from activation_flow.sentences_explained import TITLES, columns_line
from activation_flow.terminal import fit

Cells = dict[str, Callable[[Any], str]]
_LESS, _NORMS = "norm − it [95 %]", "norm's"
_PROMPT = 70  # letters of one, at most


@dataclass(frozen=True, kw_only=True)
class Section:
    """A table of a terminal.

    Attributes:
        title: above it; "" where it goes on with the one before.
        about: which rows these are, where there are several tables of a title.
        columns: heads, and how rows fill them; the first holds names, which wrap.
        rows: of it.
        notes: small lines below.
        spare: heads of columns that go, one by one, where not all have room in one table.
    """

    title: str = ""
    about: str = ""
    columns: Cells
    rows: Sequence[Any]
    notes: Sequence[str] = ()
    spare: Sequence[str] = ()


def sections(found: AuditResult, everything: bool) -> Iterator[Section]:
    """The tables that are there; short ones, or all rows of them."""
    makers = {"faithful": _faithful, "plausible": _plausible, "probes": _probes, "stable": _stable}
    for name, make in makers.items():
        if held := getattr(found, name):
            yield from _ended(found, name, held, [*make(found, everything)])


def _ended(
    found: AuditResult, name: str, held: Sequence[Any], made: list[Section]
) -> Iterator[Section]:
    """With the title above the first, and below the last what columns mean and what is not told."""
    gone = [] if name == "probes" else [row for row in held if row.missing]
    notes = [columns_line(found, name)]
    if said := absent(found, gone):
        notes.append(f"not available: {said}")
    if more := len(held) - len(gone) - sum(len(one.rows) for one in made):
        notes.append(f"{counted('more rows', more)}: --all")
    made[0] = replace(made[0], title=TITLES[name])
    made[-1] = replace(made[-1], notes=notes)
    yield from made


def _faithful(found: AuditResult, everything: bool) -> Iterator[Section]:
    if not everything:
        main = listed(faithful_main(found))
        yield _by_output(found, main, next(outputs(main or found.faithful)), everything)
        return
    for about in dict.fromkeys(outputs(found.faithful)):
        those = [row for row in found.faithful if about == next(outputs([row]))]
        yield _by_output(found, [row for row in those if not row.missing], about, everything)


def _by_output(
    found: AuditResult, rows: Sequence[FaithfulRow], about: str, everything: bool
) -> Section:
    normalised = bounded(rows)
    columns: Cells = {
        "score": lambda row: named(found, row),
        "compr. [95 %]": lambda row: effect_text(*comprehensive(row, normalised)),
        **_beside(rows),
        _LESS: less_text,
        "suffic.": lambda row: or_dash(
            row.normalised_sufficiency if normalised else row.sufficiency
        ),
        "τ": lambda row: or_dash(row.tau),
    }
    units = "" if normalised or not rows else "; compr. and suffic. in its own units"
    return _section(columns, rows, f"output: {about}{units}", everything, (_NORMS, "τ"))


def _section(
    columns: Cells, rows: Sequence[Any], about: str, everything: bool, spare: Sequence[str] = ()
) -> Section:
    """With how many texts: once where all rows have as many, else in a column."""
    if len({row.texts for row in rows}) > 1:
        columns = columns | {"texts": _texts}
    elif rows:
        about = "; ".join(filter(None, (several_texts(rows), about)))
    return Section(columns=columns, rows=rows, about=about, spare=() if everything else [*spare])


def _beside(rows: Sequence[Any]) -> Cells:
    """The norm's number on the texts of a row, where not all rows have the same texts."""
    if len({row.texts for row in rows}) < 2 or all(row.norm is None for row in rows):
        return {}
    return {_NORMS: lambda row: or_dash(row.norm)}


def _texts(row: Any) -> str:
    return f"{row.texts:,}"


def _plausible(found: AuditResult, everything: bool) -> Iterator[Section]:
    there = [row for row in found.plausible if not row.missing]
    rows = there if everything else listed(plausible_main(found))
    chances = {value_text(row.chance) for row in rows}
    columns: Cells = {
        "score": lambda row: named(found, row),
        "AP [95 %]": lambda row: effect_text(row.precision, row.interval),
    }
    if len(chances) > 1:
        columns["chance"] = lambda row: value_text(row.chance)
    columns |= {
        **_beside(rows),
        _LESS: less_text,
        "F1 m": lambda row: or_dash(row.f1),
        "F1 HIGH": lambda row: or_dash(row.f1_high),
    }
    about = f"AP of a random order: {chances.pop()}" if len(chances) == 1 else ""
    yield _section(columns, rows, about, everything, (_NORMS, "F1 HIGH", "F1 m"))


def _probes(found: AuditResult, everything: bool) -> Iterator[Section]:
    columns: Cells = {
        "prompt": lambda row: fit(visible(prompt_text(row)), _PROMPT),
        "accuracy [95 %]": lambda row: effect_text(row.accuracy, row.interval),
        "gain [95 %]": gain_text,
        "shift": lambda row: or_dash(row.shift),
    }
    main = probes_main(found)
    shown = found.probes if everything else main
    for layer, vector in dict.fromkeys((row.layer, row.vector) for row in shown):
        rows = [row for row in shown if (row.layer, row.vector) == (layer, vector)]
        where = f"{vector} vector, {found.provenance.layer_name(layer)}"
        label = f"the most frequent label is that of {share_text(rows[0].chance)}"
        yield _section(columns, rows, f"{where}; {label}", everything)


def _stable(found: AuditResult, everything: bool) -> Iterator[Section]:
    rows = found.stable if everything else stable_main(found)
    there = [row for row in rows if not row.missing]
    several = len({row.title for row in there}) > 1
    columns: Cells = {
        "change": lambda row: changed(row, several),
        "layer": lambda row: layer_text(found, row),
        "τ [95 %]": lambda row: effect_text(row.tau, row.tau_interval),
        "Jaccard [95 %]": lambda row: effect_text(row.jaccard, row.jaccard_interval),
        "chance": lambda row: value_text(row.chance),
        "same": lambda row: share_text(row.same),
    }
    if said := of_texts(there, lambda row: row.change):
        yield Section(columns=columns, rows=there, about=said, spare=("same",))
    else:
        yield _section(columns, there, "", everything, ("same",))
