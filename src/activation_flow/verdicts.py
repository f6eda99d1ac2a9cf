"""From what the tests found to verdicts, and a sentence each for who knows no statistics.

The claims and their rules are declared in claims.py; nothing is computed here but comparisons.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from activation_flow import verdicts_content
from activation_flow.audit_data import Interval, Tested
from activation_flow.audit_tables import (
    NO_BETTER,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    Claim,
    Detail,
)
from activation_flow.claims import ALPHA, DECLARED, HIGH_PLACE, Declared
from activation_flow.findings import Findings, Judged
from activation_flow.multiplicity import holm
from activation_flow.verdict_words import by_chance, found_above, in_100, number


def claims(found: Findings) -> tuple[Claim, ...]:
    """Every claim with its verdict; p-values adjusted over all of them that were tested."""
    tests = _tests(found)
    adjusted = dict(zip(tests, holm([tested.p for tested in tests.values()]), strict=True))
    # C2 asks whether C1 was found, and so must look at the same p-value.
    found = replace(found, content=replace(found.content, p=adjusted["C1"]))
    return tuple(
        _claim(declared, tests[declared.id], adjusted[declared.id], found) for declared in DECLARED
    )


def _tests(found: Findings) -> dict[str, Tested]:
    return {
        "C1": found.content,
        "C2": found.beyond.tested,
        "C3": found.standout.tested,
        "C4": found.high.tested,
        "C5": found.ratio,
        "C7": found.punctuation,
        "C8": found.skew.tested,
        "C9": found.difference,
    }


def _claim(declared: Declared, tested: Tested, p: float | None, found: Findings) -> Claim:
    null: float | None = found.high_rate if declared.id == "C4" else declared.null
    if tested.effect is None:
        verdict, sentence = NOT_TESTABLE, f"Not testable: {tested.missing}."
        details: Sequence[Detail] = ()
        null = None
    else:
        verdict, sentence, details = _JUDGES[declared.id](found, tested, p)
    return Claim(
        id=declared.id,
        title=declared.title.format(layer=found.layer, next=found.next_layer),
        place=declared.place,
        test=declared.test,
        rule=declared.rule,
        verdict=verdict,
        effect_name=declared.effect_name,
        effect=tested.effect,
        null=null,
        interval=tested.interval,
        p=tested.p,
        p_holm=p,
        n=tested.n,
        sentence=sentence,
        details=tuple(details),
        method=tested.method,
    )


def _ratio(found: Findings, tested: Tested, p: float | None) -> Judged:
    rows = {(row.bucket, row.tokens): row for row in found.ratios if row.distance == "shift"}
    every, unchanged = rows["HIGH", "all"], rows["HIGH", "unchanged"]
    details = [
        Detail(
            name=f"{row.bucket}, {row.tokens} tokens: R − k/n",
            value=row.excess,
            interval=row.interval,
            null=0.0,
            note=f"R {number(row.ratio)}, chance {number(row.chance)}, {row.pairs} pairs",
        )
        for row in rows.values()
        if row.excess is not None
    ]
    details += found.pair_details
    told = (
        f"HIGH tokens hold {in_100(every.ratio or 0)} % of the shift and are "
        f"{in_100(every.chance or 0)} % of the tokens"
    )
    if not found_above(tested, p, 0.0):
        return NOT_SUPPORTED, f"{told}: {by_chance(tested.effect or 0.0)}.", details
    rivals = [
        name
        for bucket, name in (("rarest", "the rarest tokens"), ("nearest", "those next to the edit"))
        if (row := rows.get((bucket, "all")))
        and row.excess is not None
        and row.excess >= (every.excess or 0.0)
    ]
    if unchanged.interval is None:
        return NO_BETTER, f"{told}; but of the unchanged tokens nothing can be said.", details
    if unchanged.interval[0] <= 0:
        return (
            NO_BETTER,
            (
                f"{told}; but of what moves in the unchanged tokens they hold "
                f"{in_100(unchanged.ratio or 0)} %, where chance gives "
                f"{in_100(unchanged.chance or 0)} %: it is the replaced word itself that moves."
            ),
            details,
        )
    if rivals:
        return (
            NO_BETTER,
            f"{told}; as many of {' or of '.join(rivals)} hold at least as much.",
            (details),
        )
    return SUPPORTED, f"{told}; among the unchanged tokens, too, they hold more.", details


def _kinds(found: Findings, tested: Tested, p: float | None) -> Judged:
    places, auc = found.places, tested.effect or 0.0
    assert places is not None  # it was tested
    details = [
        Detail(
            name=f"median place of {name}",
            value=median,
            null=50.0,
            note=f"percentile among the words of its text; {places.tokens[name]:,} tokens",
        )
        for name, median in places.median.items()
    ]
    parts = [f"punctuation is weaker than words in {in_100(auc)} of 100 pairs from one text"]
    holds = [found_above(tested, p, 0.5)]
    if places.first:
        median = places.median[places.first]
        parts.append(f"{places.first} stands at percentile {median:.0f} of the words")
        holds.append(median > HIGH_PLACE)
    if places.last and places.last_weakest is not None:
        share = places.last_weakest
        parts.append(f"{places.last} is the weakest token in {in_100(share)} of 100 texts")
        details.append(
            Detail(name=f"texts in which {places.last} is the weakest token", value=share, null=0.5)
        )
        holds.append(share > 0.5)
    why = [_why_punctuation_fails(auc, tested.interval)] + ["fails"] * (len(parts) - 1)
    each = zip(parts, holds, why, strict=True)
    told = [f"{part} ({'holds' if good else failing})" for part, good, failing in each]
    sentence = "; ".join(told)
    verdict = SUPPORTED if all(holds) else NOT_SUPPORTED
    return verdict, f"{sentence[0].upper()}{sentence[1:]}.", details


def _why_punctuation_fails(auc: float, interval: Interval | None) -> str:
    """Whether it is the AUC itself, its interval or its p-value that fails."""
    if auc <= 0.5 or interval is None or not all(map(isfinite, interval)):
        return "fails"
    if interval[0] <= 0.5:
        ends = f"{in_100(interval[0])} to {in_100(interval[1])}"
        return f"fails: with other punctuation marks it could be otherwise, {ends}"
    return f"fails: p after Holm is not below {ALPHA}"


def _skew(found: Findings, tested: Tested, p: float | None) -> Judged:
    share = found.skew.positive or 0.0
    details = [
        Detail(name="share of texts that are skewed to the right", value=share, null=0.5),
        Detail(name="skewness of all tokens at once", value=found.skew.pooled, null=0.0),
    ]
    told = f"Strengths are skewed to the right in {in_100(share)} of 100 texts"
    if found_above(tested, p, 0.0):
        return SUPPORTED, f"{told}: a few tokens stand far above the rest.", details
    if tested.interval is not None and tested.interval[1] < 0:
        left = "on average they are skewed to the left, a few tokens far below the rest"
        return NOT_SUPPORTED, f"{told}; {left}.", details
    side = "left" if (tested.effect or 0.0) < 0 else "right"
    mean = f"on average they are skewed to the {side}, by no more than other words could undo"
    return NOT_SUPPORTED, f"{told}; {mean}.", details


_JUDGES: dict[str, Callable[[Findings, Tested, Any], Judged]] = {
    "C1": verdicts_content.content,
    "C2": verdicts_content.beyond,
    "C3": verdicts_content.layer,
    "C4": verdicts_content.consistently,
    "C5": _ratio,
    "C7": _kinds,
    "C8": _skew,
    "C9": verdicts_content.against_next,
}
