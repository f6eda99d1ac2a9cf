"""An audit on a terminal: verdicts with their sentences, scores, controls, notes.

Computes nothing; the words are those of picture_audit, the layout that of terminal.py.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from activation_flow import terminal
from activation_flow.audit_tables import NO_BETTER, NOT_SUPPORTED, SUPPORTED, ScoreRow
from activation_flow.document_audit import known
from activation_flow.picture import visible
from activation_flow.picture_audit import (
    about_line,
    control_text,
    controls_at,
    draws_line,
    effect_text,
    kind_text,
    p_text,
    passed_text,
    scores_at,
    scores_told,
    seconds_text,
    share_text,
    surplus,
    swept,
    top_text,
    topic,
    where_text,
)
from activation_flow.picture_counts import sizes
from activation_flow.report_audit_explained import Cells, Section, sections
from activation_flow.result_audit import AuditResult
from activation_flow.sentences_audit import norm_sentences, summary_line
from activation_flow.sentences_explained import cost_line
from activation_flow.terminal import GAP, GREY, Column, Page, fit, packed, width_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Verdicts are words; colour only helps to find them.
STYLES = {SUPPORTED: "green", NO_BETTER: "yellow", NOT_SUPPORTED: "bold red"}
_MORE = (
    "Sweeps: --all. Everything, with pictures: --save audit.html; as numbers: --json",
    ".claims, .scores, .to_pandas() and .save('audit.html') give all",
)
_ID, _VERDICT, _EFFECT, _P = 3, 15, 24, 7  # columns of the console
_TITLE = 16  # the least of them for a claim; narrower consoles get one thing below the other
_TOPIC = 44  # of a claim in one line, at most
_LEAST = 16  # of the names in a table
_COLUMNS = (
    "texts: some scores are of a sample, compare those of as many; top 1/3: of norms, the share of "
    "the squared norm in its largest and its three largest dimensions; s/1,000: seconds per 1,000 "
    "tokens, – where no pass of its own is needed"
)


@dataclass(frozen=True, kw_only=True)
class AuditPage(Page):
    """A report of an audit.

    Attributes:
        found: what is reported.
        everything: with the sweeps.
        brief: the verdicts only, a line each.
    """

    found: AuditResult
    everything: bool = False
    brief: bool = False

    def parts(self, width: int) -> "Iterator[RenderableType]":
        """How many claims hold, each claim, then what bears on them."""
        yield self.text(visible(about_line(self.found)), "bold")
        yield self.text(summary_line(self.found))
        if self.brief:
            yield from [self._one_line_each()] if self.found.claims else []
        else:
            yield from self._claims(width)
            yield from self._scores(width)
            yield from self._explained(width)
            yield from self._controls(width)
            yield from self._normalisation()
            if self.everything:
                yield from self._sweeps(width)
            yield from self._notes()
        if not self.everything:
            yield self.text(f"\n{_MORE[self.brief]}")

    def _one_line_each(self) -> Any:
        columns = {
            "": lambda claim: fit(topic(claim), _TOPIC),
            "verdict": lambda claim: claim.verdict,
            "effect [95 %]": lambda claim: effect_text(claim.effect, claim.interval),
        }
        return self.table(_columns(columns, self.found.claims))

    def _claims(self, width: int) -> "Iterator[RenderableType]":
        """A row of a table each, and its sentence below."""
        if not self.found.claims:
            return
        title = width - _ID - _VERDICT - _EFFECT - _P - 8
        yield self.text("")
        if title >= _TITLE:
            heads = ("", "claim", "verdict", "effect [95 %]", "p Holm")
            yield self._row(heads, title, "bold", "bold")
        for n, claim in enumerate(self.found.claims):
            if n:
                yield self.text("")
            effect, p = effect_text(claim.effect, claim.interval), p_text(claim.p_holm)
            style = STYLES.get(claim.verdict, GREY)
            if title >= _TITLE:
                cells = (claim.id, visible(claim.title), claim.verdict, effect, p)
                yield self._row(cells, title, "bold", style)
            else:
                yield self.text(visible(topic(claim)), "bold")
                yield self.text(claim.verdict, style)
                yield self.text(f"{effect}  p Holm {p}")
            yield self._below(claim.sentence, width)
            if self.everything and claim.method:
                yield self._below(f"p {p_text(claim.p)}: {claim.method}", width, GREY)

    def _row(self, cells: Sequence[str], title: int, style: str, of_verdict: str) -> Any:
        from rich.table import Table

        table = Table.grid(padding=(0, 2, 0, 0))
        widths = (_ID, title, _VERDICT, _EFFECT, _P)
        styles = (style, style, of_verdict, "", "")
        for columns in widths:
            table.add_column(width=columns, overflow="fold")
        table.add_row(*(self.text(cell, look) for cell, look in zip(cells, styles, strict=True)))
        return table

    def _below(self, said: str, width: int, style: str = "") -> Any:
        from rich.padding import Padding

        return Padding(self.text(visible(said), style), (0, 0, 0, _ID + GAP if width > 40 else 0))

    def _scores(self, width: int) -> "Iterator[RenderableType]":
        """At the layer of the claims, best first, with what they cost."""
        rows = scores_at(self.found, self.found.layer)
        if not rows or not scores_told(self.found):
            return
        where = self.found.provenance.layer_name(self.found.layer)
        yield self.text(f"\nScores, {where} (exploratory)", "bold")
        yield self.text("AUC: a content word above a function word of its text; 0.5 is chance")
        columns: Cells = {
            "score": lambda row: row.title,
            "AUC [95 %]": _auc,
            "texts": lambda row: f"{row.texts:,}",
            "top 1/3": lambda row: top_text(row.top_share),
            "s/1,000": lambda row: seconds_text(row.seconds_per_1000_tokens),
        }
        yield from self._tables(columns, rows, width)
        yield self.text(_COLUMNS, GREY)
        if said := cost_line(self.found):
            yield self.text(visible(said))

    def _explained(self, width: int) -> "Iterator[RenderableType]":
        """Explanations, prompts, stability: those that were measured."""
        for one in sections(self.found, self.everything):
            if one.title:
                yield self.text(f"\n{one.title}", "bold")
            if one.about:
                yield self.text(visible(one.about))
            if one.rows:
                yield from self._tables(self._roomy(one, width), one.rows, width)
            for note in one.notes:
                yield self.text(visible(note), GREY)

    def _roomy(self, one: Section, width: int) -> Cells:
        """Its columns, without spare ones that would need a second table."""
        columns, spare = dict(one.columns), [*one.spare]
        while spare and len([*self._tables(columns, one.rows, width)]) > 1:
            columns.pop(spare.pop(0), None)
        return columns

    def _controls(self, width: int) -> "Iterator[RenderableType]":
        rows = self.found.controls if self.everything else controls_at(self.found)
        if not rows:
            return
        yield self.text("\nControls: here nothing must be found", "bold")
        columns: Cells = {
            "control": lambda row: f"{row.control}: {row.score}",
            "layer": lambda row: where_text(self.found, row.layer),
            "AUC [95 %]": lambda row: control_text(row)[0],
            "p": lambda row: control_text(row)[1],
            "result": passed_text,
        }
        yield from self._tables(columns, rows, width)
        if more := len(self.found.controls) - len(rows):
            yield self.text(f"{more:,} more, at other layers: none failed")
        for row in controls_at(self.found):
            if row.note:
                yield self.text(visible(f"{row.control}, {row.score}: {row.note}"), GREY)

    def _normalisation(self) -> "Iterator[RenderableType]":
        for n, sentence in enumerate(norm_sentences(self.found)):
            if not n:
                yield self.text("\nWhat normalisation does", "bold")
            yield self.text(visible(sentence))

    def _sweeps(self, width: int) -> "Iterator[RenderableType]":
        """What is exploratory."""
        found = self.found
        sweeps: tuple[tuple[str, Cells, Sequence[Any]], ...] = (
            ("Thresholds (exploratory)", _THRESHOLDS, swept(found)),
            ("R_H beside chance (exploratory, but for what C5 rests on)", _RATIOS, surplus(found)),
            ("Confounds (exploratory)", _CONFOUNDS, found.confounds),
            ("Dimensions that carry the strength (no test)", _DIMENSIONS, found.dimensions),
            (
                "Scores, layer by layer (exploratory, but for the norm, which C3 rests on)",
                self._layered(),
                found.scores if scores_told(found) else (),
            ),
        )
        for title, columns, rows in sweeps:
            if rows:
                yield self.text(f"\n{title}", "bold")
                yield from self._tables(columns, rows, width)

    def _layered(self) -> Cells:
        return {
            "score": lambda row: row.title,
            "layer": lambda row: where_text(self.found, row.layer),
            "AUC [95 %]": _auc,
            "p (BH)": lambda row: p_text(row.p_bh),
            "texts": lambda row: f"{row.texts:,}",
        }

    def _notes(self) -> "Iterator[RenderableType]":
        yield self.text("\nNotes", "bold")
        for line in (*sizes(self.found), draws_line(self.found), *dict.fromkeys(self.found.notes)):
            if not line:
                continue
            yield self.text(visible(line))

    def _tables(self, cells: Cells, rows: Sequence[Any], width: int) -> "Iterator[RenderableType]":
        """In as many tables as the width asks for; the names stand in each, and wrap."""
        names, *values = _columns(cells, rows)
        room = max(width - width_of(values) - GAP, min(_LEAST, width // 2))
        short = replace(names, cells=[fit(name, room) for name in names.cells])
        # subtle: rich takes what is missing from the widest column first, which holds the names.
        for _, *columns in packed([short], values, width):
            table = self.table([names, *columns])
            if width_of(columns) + GAP + _LEAST <= width:  # else names would leave them no room
                for column in table.columns[1:]:
                    column.no_wrap = True
            yield table


def _columns(cells: Cells, rows: Sequence[Any]) -> list[Column]:
    columns = []
    for head, fill in cells.items():
        texts = [visible(fill(row)) for row in rows]
        columns.append(Column(head, texts, [""] * len(texts), right=False))
    return columns


def _auc(row: ScoreRow) -> str:
    return "not available" if row.missing else effect_text(row.auc, row.interval)


_THRESHOLDS: Cells = {
    "scope": lambda row: row.scope,
    "q": lambda row: f"{row.quantile:g}",
    "HIGH": lambda row: f"{row.high:,}",
    "P(content | HIGH)": lambda row: share_text(row.precision),
    "P(content)": lambda row: share_text(row.base_rate),
    "P(HIGH | content)": lambda row: share_text(row.recall),
}
_RATIOS: Cells = {
    "tokens: bucket": lambda row: f"{row.tokens}: {row.bucket}",
    "R − k/n [95 %]": lambda row: effect_text(row.excess, row.interval),
    "pairs": lambda row: f"{row.pairs:,}",
}
_CONFOUNDS: Cells = {
    "what": lambda row: row.name,
    "value [95 %]": lambda row: effect_text(row.value, row.interval),
    "kept": lambda row: "all" if row.kept is None else share_text(row.kept),
}
_DIMENSIONS: Cells = {
    "kind": lambda row: kind_text(row.kind),
    "dimension": lambda row: str(row.dim),
    "share": lambda row: share_text(row.share),
    "gain": lambda row: "none" if row.gamma is None else f"{row.gamma:.3f}",
    "typical": lambda row: "none" if row.typical is None else f"{row.typical:.3f}",
}


def print_terminal(found: AuditResult, console: "Console", *, everything: bool = False) -> None:
    """The report; with ``everything``, the sweeps too."""
    console.print(AuditPage(found=known(found), everything=everything))


def plain(found: AuditResult, width: int = 100) -> str:
    """The verdicts, a line each, as text for ``repr``."""
    return terminal.plain(AuditPage(found=known(found), width=width, brief=True))
