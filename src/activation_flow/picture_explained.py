"""Explanations, prompts and stability of an audit: which rows are shown, and what they are called.

Computes nothing; numbers as text are picture_audit's.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import Any, TypeVar

from activation_flow.audit_data import Interval
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, ProbeRow, StableRow
from activation_flow.picture_audit import counted, effect_text, value_text, where_text
from activation_flow.result_audit import AuditResult
from activation_flow.verdicts_better import ATTENTION, RIVALS

MOST = 12  # rows of a table on a terminal, unless all are asked for
BARE = "none: the bare text"
STRENGTH, CONTROL = "strength", "control"  # the roles of the norm and of random numbers
_EMBEDDINGS = "layer_0_norm"
_NAMED = 3  # rows of other texts than most that are named in a line

Explained = FaithfulRow | PlausibleRow
Row = TypeVar("Row", FaithfulRow, PlausibleRow)


def here(found: AuditResult, layer: int | None) -> bool:
    """Whether it is of the layer of the claims, of the embeddings, or of no layer."""
    return layer in (found.layer, 0, None)


def named(found: AuditResult, row: FaithfulRow | PlausibleRow | StableRow) -> str:
    """A score by its title, and its layer where that is not the one of the claims."""
    elsewhere = row.layer not in (found.layer, None)
    return f"{row.title}, layer {row.layer}" if elsewhere else row.title


def bounded(rows: Sequence[FaithfulRow]) -> bool:
    """Whether faithfulness is told between the bounds of random orders."""
    return any(row.normalised is not None for row in rows)


def comprehensive(row: FaithfulRow, normalised: bool) -> tuple[float | None, Interval | None]:
    """How far the output moves, between the bounds or in its own units."""
    if normalised:
        return row.normalised, row.normalised_interval
    return row.comprehensiveness, row.comprehensiveness_interval


def faithful_main(found: AuditResult) -> list[FaithfulRow]:
    """What C6 is judged by, at the layers that are shown; best first, what is missing last."""
    rows = _once(found, [row for row in found.faithful if row.main and here(found, row.layer)])
    normalised = bounded(rows)
    return sorted(rows, key=lambda row: _last(comprehensive(row, normalised)[0]))


def plausible_main(found: AuditResult) -> list[PlausibleRow]:
    """Scores at the layers that are shown; best first, what is missing last."""
    rows = _once(found, [row for row in found.plausible if here(found, row.layer)])
    return sorted(rows, key=lambda row: _last(row.precision))


def _once(found: AuditResult, rows: list[Row]) -> list[Row]:
    """Without the norm of layer 0 where it is there as a baseline, too."""
    twice = found.layer != 0 and any(row.score == _EMBEDDINGS for row in rows)
    return [row for row in rows if not (twice and row.role == STRENGTH and row.layer == 0)]


def _last(value: float | None) -> float:
    """Sorts the highest first, and what is none behind all others."""
    return float("inf") if value is None or not isfinite(value) else -value


def probes_main(found: AuditResult) -> list[ProbeRow]:
    """What C10 is about: the anchor at the layer of the claims; bare text, then the highest gain.

    Of the first vector and layer there is, where it is not there.
    """
    for rows in (
        [r for r in found.probes if (r.layer, r.vector) == (found.layer, "anchor")],
        [r for r in found.probes if r.layer == found.layer],
        [*found.probes],
    ):
        if rows:
            first = (rows[0].layer, rows[0].vector)
            those = [row for row in rows if (row.layer, row.vector) == first]
            return sorted(those, key=lambda row: (row.prompt is not None, _last(row.gain)))
    return []


def stable_main(found: AuditResult) -> list[StableRow]:
    """Change by change, the layer of the claims before the embeddings."""
    changes = list(dict.fromkeys(row.change for row in found.stable))
    rows = [row for row in found.stable if here(found, row.layer)]
    return sorted(rows, key=lambda row: (changes.index(row.change), -(row.layer or 0)))


def changed(row: StableRow, several: bool) -> str:
    """What was done to the texts, and which of several scores it is; its layers stand beside it."""
    return f"{row.change}, {row.title.partition(',')[0]}" if several else row.change


def layer_text(found: AuditResult, row: StableRow) -> str:
    """Its layer; what belongs to none is of all of them."""
    return "all" if row.layer is None else where_text(found, row.layer)


def listed(rows: Sequence[Row], most: int = MOST) -> list[Row]:
    """The first that have numbers, at most so many.

    The norm, random numbers, and all that C6 sets the norm beside are among them; what has the
    numbers of another row comes last.
    """
    there = [row for row in rows if not row.missing]
    norm = [row for row in there if row.role == STRENGTH and row.difference is None][:1]
    kept = norm + [row for row in there if row.role == CONTROL][:1]
    kept += [row for row in there if row.score in (ATTENTION, *RIVALS)]
    others = [row for row in there if row not in kept]
    seen = {_numbers(row) for row in kept}
    twice = []
    for row in others:
        twice.append(_numbers(row) in seen)
        seen.add(_numbers(row))
    later = sorted(zip(twice, range(len(others)), others, strict=True), key=lambda one: one[:2])
    kept += [row for *_, row in later[: max(most - len(kept), 0)]]
    return [row for row in there if row in kept]


def _numbers(row: Explained) -> tuple[str, ...]:
    """What is read of a row but its name."""
    if isinstance(row, PlausibleRow):
        own = effect_text(row.precision, row.interval)
    else:
        own = effect_text(*comprehensive(row, row.normalised is not None))
    return own, less_text(row), f"{row.texts:,}"


def several_texts(rows: Sequence[Any]) -> str:
    """Of how many texts rows are: "100 to 1,000 texts"."""
    numbers = sorted({row.texts for row in rows})
    most = counted("texts", numbers[-1])
    return most if len(numbers) == 1 else f"{numbers[0]:,} to {most}"


def of_texts(rows: Sequence[Any], name: Callable[[Any], str]) -> str:
    """Of how many texts most rows are, then those of others: "400 texts; paraphrase 374".

    "" where that would be longer than a column, or there is no row.
    """
    numbers = Counter(row.texts for row in rows)
    if not numbers:
        return ""
    usual = numbers.most_common(1)[0][0]
    others = dict.fromkeys(f"{name(row)} {row.texts:,}" for row in rows if row.texts != usual)
    if len(others) > _NAMED:
        return ""
    return "; ".join([counted("texts", usual), *([", ".join(others)] if others else [])])


def absent(found: AuditResult, rows: Sequence[FaithfulRow | PlausibleRow | StableRow]) -> str:
    """What there is no number for, and why, each reason once; "" where all are there.

    Of what is changed, the change is named.
    """
    reasons: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.missing:
            name = row.change if isinstance(row, StableRow) else named(found, row)
            reasons.setdefault(row.missing, {})[name] = None
    said = (f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    return "; ".join(said)


def less_text(row: Explained) -> str:
    """The norm's number less this one's; of the norm itself there is none."""
    return "–" if row.difference is None else effect_text(row.difference, row.difference_interval)


def or_dash(value: float | None) -> str:
    """A number, or a dash where there is none for a good reason."""
    return "–" if value is None else value_text(value)


def gain_text(row: ProbeRow) -> str:
    """What a prompt adds to the accuracy; of the bare text there is nothing."""
    return "–" if row.gain is None else effect_text(row.gain, row.gain_interval)


def prompt_text(row: ProbeRow) -> str:
    """A prompt, or that there is none.

    An empty prompt is shown as one.
    """
    if row.prompt is None:
        return BARE
    return row.prompt or "(empty prompt)"


def outputs(rows: Sequence[FaithfulRow]) -> Iterator[str]:
    """What is measured, and what becomes of removed words; the main ones first."""
    for row in sorted(rows, key=lambda row: not row.main):
        yield f"{row.output}; removed words are {row.operator}"
