"""From what the tests found to verdicts, and a sentence each for who knows no statistics.

The claims and their rules are declared in claims.py; nothing is computed here but comparisons.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from activation_flow import verdicts_better, verdicts_content, verdicts_kinds, verdicts_prompts
from activation_flow.audit_data import Tested
from activation_flow.audit_tables import (
    NO_BETTER,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    Claim,
    Detail,
    RatioRow,
)
from activation_flow.audit_parts import CLAIMS
from activation_flow.claims import DECLARED, Declared
from activation_flow.findings import Findings, Judged
from activation_flow.multiplicity import holm
from activation_flow.verdict_words import by_chance, found_above, in_100, number, range_of

MOST = 0.5  # of what is above chance
KINDS = ("content", "function")
WHERE_REPLACED = "R − k/n where a {kind} word is replaced"  # ratios.pair_details


def claims(found: Findings, asked: Sequence[str] = CLAIMS) -> tuple[Claim, ...]:
    """Every claim that is asked for, with its verdict; p-values adjusted over these.

    Args:
        found: what the tests found.
        asked: ids of claims; others are passed over.
    """
    tests = {id: tested for id, tested in _tests(found).items() if id in asked}
    adjusted = dict(zip(tests, holm([tested.p for tested in tests.values()]), strict=True))
    # C2 asks whether C1 was found, and so must look at the same p-value.
    found = replace(found, content=replace(found.content, p=adjusted.get("C1")))
    return tuple(
        _claim(declared, tests[declared.id], adjusted[declared.id], found)
        for declared in DECLARED
        if declared.id in tests
    )


def _tests(found: Findings) -> dict[str, Tested]:
    return {
        "C1": found.content,
        "C2": found.beyond.tested,
        "C3": found.standout.tested,
        "C4": found.high.tested,
        "C5": found.ratio,
        "C6": found.better.tested,
        "C7": found.punctuation,
        "C8": found.skew.tested,
        "C9": found.difference,
        "C10": found.prompted,
        "C11": found.salient.tested,
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
        title=_title(declared, found),
        place=declared.place,
        test=declared.test,
        rule=declared.rule,
        verdict=verdict,
        effect_name=_effect_name(declared, found),
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


def _title(declared: Declared, found: Findings) -> str:
    """Of C7 only what can be tested on this model is named, as the model spells it."""
    if declared.id == "C7" and found.places is not None:
        return verdicts_kinds.title(found.places)
    return declared.title.format(layer=found.layer, next=found.next_layer)


def _effect_name(declared: Declared, found: Findings) -> str:
    """Of C6, with the measure by which it is."""
    measure = found.better.measure if declared.id == "C6" else ""
    return f"{declared.effect_name}, {measure}" if measure else declared.effect_name


def _ratio(found: Findings, tested: Tested, p: float | None) -> Judged:
    rows = {(row.bucket, row.tokens): row for row in found.ratios if row.distance == "shift"}
    every = rows["HIGH", "all"]
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
    by_kind = "".join(f" {sentence}" for sentence in _by_kind(found.pair_details))
    if not found_above(tested, p, 0.0):
        return NOT_SUPPORTED, f"{told}: {by_chance(tested.effect or 0.0)}.{by_kind}", details
    if failing := _unchanged(rows["HIGH", "unchanged"], rows.get(("HIGH", "replaced")), every):
        return NO_BETTER, f"{told}; but {failing}.{by_kind}", details
    rivals = [
        name
        for bucket, name in (("rarest", "the rarest tokens"), ("nearest", "those next to the edit"))
        if (row := rows.get((bucket, "all")))
        and row.excess is not None
        and row.excess >= (every.excess or 0.0)
    ]
    if rivals:
        held = f"as many of {' or of '.join(rivals)} hold at least as much"
        return NO_BETTER, f"{told}; {held}.{by_kind}", details
    return SUPPORTED, f"{told}; among the unchanged tokens, too, they hold more.{by_kind}", details


def _unchanged(unchanged: RatioRow, replaced: RatioRow | None, every: RatioRow) -> str:
    """Why the unchanged tokens alone do not show what all tokens do; "" where they do."""
    if unchanged.interval is None:
        return "of the unchanged tokens nothing can be said"
    if unchanged.interval[0] > 0:
        return ""
    alone = (
        f"among the unchanged tokens alone they hold {in_100(unchanged.ratio or 0)} % and are "
        f"{in_100(unchanged.chance or 0)} %: {by_chance(unchanged.excess or 0.0)}"
    )
    part, whole = replaced.excess if replaced else None, every.excess
    if part is None or whole is None or part <= MOST * whole:
        return alone
    return f"{alone}, and most of what is above chance is in the replaced tokens themselves"


def _by_kind(pair_details: Sequence[Detail]) -> Iterator[str]:
    """The two halves of made pairs apart: by design as many of either, and they may differ."""
    of = {one.name: one.value for one in pair_details}
    content, function = (of.get(WHERE_REPLACED.format(kind=kind)) for kind in KINDS)
    if content is not None and function is not None:
        apart = (
            ": the mean of both hides that they differ in sign" if content * function < 0 else ""
        )
        yield (
            f"Above chance they hold {number(content)} of the shift where a content word is "
            f"replaced and {number(function)} where a function word is{apart}."
        )


def _skew(found: Findings, tested: Tested, p: float | None) -> Judged:
    share, mean = found.skew.positive or 0.0, tested.effect or 0.0
    details = [
        Detail(name="share of texts that are skewed to the right", value=share, null=0.5),
        Detail(name="skewness of all tokens at once", value=found.skew.pooled, null=0.0),
    ]
    told = (
        f"The skewness of the strengths of a text is {number(mean)} in the mean "
        f"({range_of(tested.interval)}), to the right in {in_100(share)} of 100 texts"
    )
    if found_above(tested, p, 0.0):
        far = (
            ": a few tokens stand far above the rest"
            if share > 0.5
            else (": the mean is that of few texts, where single tokens stand far above the rest")
        )
        return SUPPORTED, f"{told}{far}.", details
    if tested.interval is not None and tested.interval[1] < 0:
        return (
            NOT_SUPPORTED,
            f"{told}; on the whole to the left, a few tokens far below the rest.",
            details,
        )
    side = "left" if mean < 0 else "right"
    noise = f"on the whole to the {side}, by no more than other words could undo"
    return NOT_SUPPORTED, f"{told}; {noise}.", details


_JUDGES: dict[str, Callable[[Findings, Tested, Any], Judged]] = {
    "C1": verdicts_content.content,
    "C2": verdicts_content.beyond,
    "C3": verdicts_content.layer,
    "C4": verdicts_content.consistently,
    "C5": _ratio,
    "C6": verdicts_better.better,
    "C7": verdicts_kinds.kinds,
    "C8": _skew,
    "C9": verdicts_content.against_next,
    "C10": verdicts_prompts.prompts,
    "C11": verdicts_better.salient,
}
