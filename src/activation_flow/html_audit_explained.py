"""The sections of an audit's page on explanations, prompts and stability: words, figure, tables."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from activation_flow import page
from activation_flow.audit_data import Interval
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, StableRow
from activation_flow.html_audit_tables import Column, folded, table
from activation_flow.markup import note
from activation_flow.picture_audit import effect_text, share_text, value_text, where_text
from activation_flow.picture_explained import (
    absent,
    bounded,
    gain_text,
    layer_text,
    less_text,
    named,
    or_dash,
    outputs,
    prompt_text,
)
from activation_flow.result_audit import AuditResult
from activation_flow.sentences_explained import section_sentence


def sections(found: AuditResult, figures: Mapping[str, str]) -> Iterator[str]:
    """Those that were measured: what was tested, a figure, and every number, folded."""
    parts: tuple[tuple[str, str, str, Callable[[AuditResult], str]], ...] = (
        ("faithful", "Faithfulness", "faithful", faithful),
        ("plausible", "Plausibility", "plausible", plausible),
        ("probes", "Prompts and labels", "prompts", probes),
        ("stable", "Stability", "stable", stable),
    )
    for name, title, figure, make in parts:
        if rows := getattr(found, name):
            drawn = [figures[figure]] if figure in figures else []
            every = folded(f"All {len(rows):,} rows", make(found))
            yield page.section(title, section_sentence(found, name), [*drawn, every])


def faithful(found: AuditResult) -> str:
    """A table for each output and operator; that of C6 first."""
    parts = []
    for about in dict.fromkeys(outputs(found.faithful)):
        rows = [row for row in found.faithful if about == next(outputs([row]))]
        there = [row for row in rows if not row.missing]
        head = f"Output: {about}.{' C6 is judged by these.' * rows[0].main}"
        parts.append(note(head) + _of_output(found, there) + _gone(found, rows))
    return "".join(parts)


def _of_output(found: AuditResult, rows: Sequence[FaithfulRow]) -> str:
    columns: list[Column] = [("score", lambda row: named(found, row))]
    if bounded(rows):
        columns += [
            (
                "normalised compr. [95 %]",
                lambda row: _maybe(row.normalised, row.normalised_interval),
            ),
            ("normalised suff.", lambda row: or_dash(row.normalised_sufficiency)),
        ]
    columns += [
        ("norm − it [95 %]", less_text),
        ("norm, same texts", lambda row: or_dash(row.norm)),
        ("texts of both", _both),
        (
            "compr. [95 %]",
            lambda row: _maybe(row.comprehensiveness, row.comprehensiveness_interval),
        ),
        ("suff. [95 %]", lambda row: _maybe(row.sufficiency, row.sufficiency_interval)),
        ("τ", lambda row: or_dash(row.tau)),
        ("pieces", lambda row: or_dash(row.pieces)),
        ("texts", lambda row: f"{row.texts:,}"),
    ]
    return table(columns, rows) if rows else ""


def _both(row: FaithfulRow | PlausibleRow) -> str:
    return "–" if row.difference is None else f"{row.compared:,}"


def _maybe(value: float | None, interval: Interval | None) -> str:
    return "–" if value is None else effect_text(value, interval)


def _gone(found: AuditResult, rows: Sequence[FaithfulRow | PlausibleRow]) -> str:
    """What there is no number for, and why."""
    said = absent(found, rows)
    return note(f"Not available: {said}.") if said else ""


def plausible(found: AuditResult) -> str:
    """Every score at every layer."""
    rows = [row for row in found.plausible if not row.missing]
    columns: list[Column] = [
        ("score", lambda row: row.title),
        ("layer", lambda row: where_text(found, row.layer)),
        ("AP [95 %]", lambda row: _maybe(row.precision, row.interval)),
        ("by chance", lambda row: or_dash(row.chance)),
        ("norm − it [95 %]", less_text),
        ("norm, same texts", lambda row: or_dash(row.norm)),
        ("texts of both", _both),
        ("AUPRC", lambda row: or_dash(row.auprc)),
        ("F1 at m", lambda row: or_dash(row.f1)),
        ("F1 HIGH", lambda row: or_dash(row.f1_high)),
        ("half overlap", lambda row: "–" if row.iou is None else share_text(row.iou)),
        ("texts", lambda row: f"{row.texts:,}"),
        ("words", lambda row: f"{row.words:,}"),
    ]
    return (table(columns, rows) if rows else "") + _gone(found, found.plausible)


def probes(found: AuditResult) -> str:
    """Every prompt at every layer, from either vector."""
    columns: list[Column] = [
        ("prompt", prompt_text),
        ("layer", lambda row: where_text(found, row.layer)),
        ("vector", lambda row: row.vector),
        ("accuracy [95 %]", lambda row: effect_text(row.accuracy, row.interval)),
        ("most frequent label", lambda row: value_text(row.chance)),
        ("gain [95 %]", gain_text),
        ("shift", lambda row: or_dash(row.shift)),
        ("1 − cos", lambda row: or_dash(row.cosine)),
        ("texts", lambda row: f"{row.texts:,}"),
    ]
    return table(columns, found.probes)


def stable(found: AuditResult) -> str:
    """Every change at every layer."""
    columns: list[Column] = [
        ("change", lambda row: row.change),
        ("score", lambda row: row.title),
        ("layer", lambda row: layer_text(found, row)),
        ("Kendall's τ [95 %]", lambda row: _maybe(row.tau, row.tau_interval)),
        ("Jaccard of HIGH [95 %]", lambda row: _maybe(row.jaccard, row.jaccard_interval)),
        ("by chance", lambda row: or_dash(row.chance)),
        ("texts read no different", lambda row: share_text(row.same)),
        ("texts", lambda row: f"{row.texts:,}"),
        ("tokens", lambda row: f"{row.tokens:,}"),
        ("note", _how),
    ]
    return table(columns, found.stable)


def _how(row: StableRow) -> str:
    return f"not available: {row.missing}" if row.missing else row.note
