"""Verdicts on strength as an explanation: C6, better than attention, and C11, sentiment words.

The rules are those that claims.py declares; nothing is computed but comparisons.
"""

from collections.abc import Iterator, Mapping, Sequence

from activation_flow.audit_data import Tested
from activation_flow.audit_tables import NO_BETTER, NOT_SUPPORTED, SUPPORTED, Detail
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow
from activation_flow.findings import Findings, Judged
from activation_flow.verdict_words import by_chance, found_above, in_100, number, range_in_100

ATTENTION = "attention"
# What strength must beat besides attention, to be worth its while; called so where it has no row.
RIVALS = {
    "gradient_input": "gradient × input",
    "gradient_norm": "norm of the gradient",
    "integrated": "integrated gradients",
    "integrated_second": "integrated gradients, second baseline",
    "frequency": "rarity",
    "layer_0_norm": "norm at layer 0 (embeddings)",
}

Row = FaithfulRow | PlausibleRow
Measured = Mapping[str, Sequence[Row]]  # rows of each measure


def better(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C6: better than attention, by all that was measured, and than what else there is."""
    rows: Measured = {"faithfulness": _main(found.faithful), "plausibility": _all(found.plausible)}
    details = [detail for name, of in rows.items() for detail in _details(name, of)]
    lacking = found.better.lacking
    measures = {name: of for name, of in rows.items() if of and name not in lacking}
    told = " ".join([*_told(found, measures), *_alone(measures, lacking)])
    by = f", by {found.better.measure}" if len(measures) > 1 else ""
    if found_above(tested, p, 0.0):
        failing = "; it ".join([*_behind(measures), *_uncompared(measures)])
        if not failing:
            others = "gradients, frequency and layer 0"
            return SUPPORTED, f"{told} It is better than attention, and than {others}.", details
        return NO_BETTER, f"{told} It is better than attention, but {failing}.", details
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
                note=f"{row.compared:,} texts",
            )


def _behind(measures: Measured) -> Iterator[str]:
    """What strength is not shown to be better than, and by which measures."""
    behind: dict[str, list[str]] = {}
    for score in RIVALS:
        for measure, rows in measures.items():
            row = _row_of(score, rows)
            if row is not None and not _why_not(row):
                interval = row.difference_interval
                if interval is not None and interval[0] <= 0:
                    behind.setdefault(row.title, []).append(measure)
    names = [
        title if len(by) == len(measures) else f"{title} ({by[0]})" for title, by in behind.items()
    ]
    if names:
        yield f"is not shown to be better than {_listed(names)}"


def _uncompared(measures: Measured) -> Iterator[str]:
    """What strength could not be compared with, by which measures, and why."""
    titles: dict[tuple[str, ...], list[str]] = {}
    for score, name in RIVALS.items():
        of = {measure: _row_of(score, rows) for measure, rows in measures.items()}
        whys: dict[str, list[str]] = {}
        for measure, row in of.items():
            if why := _why_not(row):
                whys.setdefault(why, []).append(measure)
        title = next((row.title for row in of.values() if row is not None), name)
        for why, by in whys.items():
            where = () if len(by) == len(measures) else (by[0],)
            titles.setdefault((*where, why), []).append(title)
    said = [f"{_listed(names)} ({': '.join(why)})" for why, names in titles.items()]
    if said:
        yield f"could not be compared with {_listed(said)}"


def _row_of(score: str, rows: Sequence[Row]) -> Row | None:
    return next((row for row in rows if row.score == score), None)


def _why_not(row: Row | None) -> str:
    """Why strength cannot be compared with this; "" where it can."""
    if row is None:
        return "it was not measured"
    if row.missing or row.difference_interval is not None:
        return row.missing
    return "no text has both"


def _listed(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _alone(measures: Measured, lacking: Mapping[str, str]) -> Iterator[str]:
    """What it could not be tested by, where it is by another."""
    without = "; ".join(f"{name}: {why}" for name, why in lacking.items())
    if without:
        yield f"That is by {' and '.join(measures)} alone ({without})."


def _told(found: Findings, measures: Measured) -> Iterator[str]:
    """Strength and attention over the texts that both have, beside chance."""
    if (of := _beside_attention(measures.get("faithfulness", ()))) is not None:
        random = next(
            (r.normalised for r in found.faithful if r.main and r.score == "random"), None
        )
        yield (
            "Removing the words that strength puts first moves the model's output by "
            f"{number(of.norm)}, where the worst of many random orders is 0 and the best 1; by "
            f"attention it is {_own(of)}, in random order {number(random)}."
        )
    if isinstance(of := _beside_attention(measures.get("plausibility", ())), PlausibleRow):
        yield (
            "It puts the words that people marked first with an average precision of "
            f"{number(of.norm)}, attention with {_own(of)}; chance gives {number(of.chance)}."
        )


def _beside_attention(rows: Sequence[Row]) -> Row | None:
    """Attention's row, over all layers; None where strength is not beside it."""
    of = (row for row in rows if row.score == ATTENTION and row.layer is None)
    return next((row for row in of if row.norm is not None), None)


def _own(row: Row) -> str:
    """Its own value, over the texts that strength has, too."""
    return number((row.norm or 0.0) - (row.difference or 0.0))


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
        f"stronger in {in_100(auc)} of 100 pairs ({range_in_100(tested.interval)}); chance gives 50"
    )
    if found_above(tested, p, 0.5):
        of_0 = in_100(beside.rival or 0.0)
        if beside.difference_interval is not None and beside.difference_interval[0] > 0:
            return SUPPORTED, f"{told}, and the embeddings {of_0}.", details
        return NO_BETTER, f"{told}; but in the embeddings it is so in {of_0}.", details
    if tested.interval is not None and tested.interval[1] < 0.5:
        return NOT_SUPPORTED, f"{told}: it is the other way round.", details
    return NOT_SUPPORTED, f"{told}: {by_chance(auc - 0.5)}.", details
