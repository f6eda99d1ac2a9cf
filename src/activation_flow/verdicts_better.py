"""Verdicts on strength as an explanation: C6, better than attention, and C11, sentiment words.

The rules are those that claims.py declares; nothing is computed but comparisons.
"""

from collections.abc import Iterator, Mapping, Sequence

from activation_flow.audit_data import Tested
from activation_flow.audit_tables import NO_BETTER, NOT_SUPPORTED, SUPPORTED, Detail
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow
from activation_flow.findings import Findings, Judged
from activation_flow.verdict_words import by_chance, found_above, in_100, number, range_of

ATTENTION = "attention"
# What strength must beat besides attention, to be worth its while.
RIVALS = (
    *("gradient_input", "gradient_norm", "integrated", "integrated_second"),
    *("frequency", "layer_0_norm"),
)

Row = FaithfulRow | PlausibleRow


def better(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C6: better than attention, by all that was measured, and than what else there is."""
    measures = {"faithfulness": _main(found.faithful), "plausibility": _all(found.plausible)}
    measures = {name: rows for name, rows in measures.items() if rows}
    details = [detail for name, rows in measures.items() for detail in _details(name, rows)]
    told = " ".join([*_of_faithful(found.faithful), *_of_plausible(found)])
    by = f", by {found.better.measure}" if len(measures) > 1 else ""
    if found_above(tested, p, 0.0):
        if not (failing := [*_failing(measures)]):
            others = "gradients, frequency and layer 0"
            return SUPPORTED, f"{told} It is better than attention, and than {others}.", details
        said = f"It is better than attention, but not shown to be better than {_listed(failing)}"
        return NO_BETTER, f"{told} {said}.", details
    if tested.interval is not None and tested.interval[1] < 0:
        return NOT_SUPPORTED, f"{told} Attention is better{by}.", details
    if (tested.effect or 0.0) > 0:
        return NOT_SUPPORTED, f"{told} That strength leads may be chance{by}.", details
    return NOT_SUPPORTED, f"{told} Strength does not lead{by}.", details


def _main(rows: Sequence[FaithfulRow]) -> list[Row]:
    return [row for row in rows if row.main]


def _all(rows: Sequence[PlausibleRow]) -> list[Row]:
    return [row for row in rows if row.score != "norm" and row.layer is None]


def _details(measure: str, rows: Sequence[Row]) -> Iterator[Detail]:
    """By how much the norm is ahead of each of the others."""
    for row in rows:
        if row.difference is not None and row.score != "norm":
            yield Detail(
                name=f"{measure}: norm less {row.title}",
                value=row.difference,
                interval=row.difference_interval,
                null=0.0,
                note=f"{row.texts:,} texts",
            )


def _failing(measures: Mapping[str, Sequence[Row]]) -> Iterator[str]:
    """What strength is not shown to be better than, and by which measures."""
    behind: dict[str, list[str]] = {}
    for measure, rows in measures.items():
        for row in rows:
            interval = row.difference_interval
            if row.score in RIVALS and not row.missing and (interval is None or interval[0] <= 0):
                behind.setdefault(row.title, []).append(measure)
    for title, by in behind.items():
        yield title if len(measures) == 1 or len(by) == len(measures) else f"{title} ({by[0]})"


def _listed(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _of_faithful(rows: Sequence[FaithfulRow]) -> Iterator[str]:
    # Attention is there twice: over all layers, which is the one, and at one.
    of = {
        row.score: row.normalised
        for row in rows
        if row.main and (row.layer is None or row.score == "norm")
    }
    if of.get("norm") is not None:
        yield (
            "Removing the words that strength puts first moves the model's output by "
            f"{number(of['norm'])}, where the worst of many random orders is 0 and the best 1; by "
            f"attention it is {number(of.get(ATTENTION))}, in random order "
            f"{number(of.get('random'))}."
        )


def _of_plausible(found: Findings) -> Iterator[str]:
    of = {
        row.score: row
        for row in found.plausible
        if row.layer == (found.layer if row.score == "norm" else None)
    }
    if "norm" in of and of["norm"].precision is not None:
        attention = of[ATTENTION].precision if ATTENTION in of else None
        yield (
            "It puts the words that people marked first with an average precision of "
            f"{number(of['norm'].precision)}, attention with {number(attention)}; chance gives "
            f"{number(of['norm'].chance)}."
        )


def salient(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C11: sentiment words above other content words that are as frequent."""
    beside = found.salient
    details = [
        Detail(
            name="AUC of the norm at layer 0 (embeddings), of the same words",
            value=beside.rival,
            null=0.5,
        ),
        Detail(
            name="AUC less that at layer 0",
            value=beside.difference,
            interval=beside.difference_interval,
            null=0.0,
        ),
        Detail(name="share of the pairs that are of one tenth of frequency", value=beside.kept),
    ]
    auc = tested.effect or 0.0
    told = (
        f"Of {found.salient_words} and another content word of like frequency, the former is the "
        f"stronger in {in_100(auc)} of 100 pairs ({range_of(tested.interval)}); chance gives 50"
    )
    if found_above(tested, p, 0.5):
        of_0 = in_100(beside.rival or 0.0)
        if beside.difference_interval is not None and beside.difference_interval[0] > 0:
            return SUPPORTED, f"{told}, and the embeddings {of_0}.", details
        return NO_BETTER, f"{told}; but in the embeddings it is so in {of_0}.", details
    if tested.interval is not None and tested.interval[1] < 0.5:
        return NOT_SUPPORTED, f"{told}: it is the other way round.", details
    return NOT_SUPPORTED, f"{told}: {by_chance(auc - 0.5)}.", details
