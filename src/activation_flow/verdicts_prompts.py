"""The verdict on C10: do prompts that shift a text more make its labels easier to read?

The rule is that of claims.py; nothing is computed but comparisons.
"""

from collections.abc import Iterator, Sequence

from activation_flow.audit_data import Interval, Tested
from activation_flow.audit_tables import NO_BETTER, NOT_SUPPORTED, SUPPORTED, Detail
from activation_flow.claims import ALPHA
from activation_flow.explanation_tables import ProbeRow
from activation_flow.findings import Findings, Judged
from activation_flow.verdict_words import by_chance, found_above, in_100, number, range_of


def prompts(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C10, on the anchor at the layer of the claims."""
    rows = [row for row in found.probes if row.layer == found.layer and row.vector == "anchor"]
    bare = next((row for row in rows if row.prompt is None), None)
    under = sorted((row for row in rows if row.prompt is not None), key=_gain, reverse=True)
    details = [*_details(bare, under)]
    texts = _other_texts(tested.interval)
    told = (
        f"Between how far a prompt shifts the anchor and how much better labels are read there, "
        f"ρ is {number(tested.effect)} over {len(under)} prompts ({texts}); "
        f"of their orders {in_100(tested.p or 0.0)} in 100 give as much"
    )
    best = "".join(f" {said}" for said in _best(bare, under))
    if found_above(tested, p, 0.0):
        if any(row.gain_interval is not None and row.gain_interval[0] > 0 for row in under):
            return SUPPORTED, f"{told}.{best}", details
        return NO_BETTER, f"{told}; but no prompt is shown to help at all.{best}", details
    if tested.interval is not None and tested.interval[1] < 0:
        return NOT_SUPPORTED, f"{told}: those that shift it further help less.{best}", details
    return NOT_SUPPORTED, f"{told}{_not_found(tested, p)}.{best}", details


def _other_texts(interval: Interval | None) -> str:
    """The interval is over texts, and p over orders of the prompts."""
    said = range_of(interval)
    return f"{said} with other texts" if interval is not None else said


def _not_found(tested: Tested, p: float | None) -> str:
    """Why a ρ is not found: it is none, the orders of the prompts say so, or the texts do."""
    if (tested.effect or 0.0) > 0 and (tested.p or 0.0) < ALPHA:
        if p is not None and p >= ALPHA:
            return ", more than the other claims leave room for: that may be chance"
        return ", but with other texts it may be gone: that may be chance"
    return f": {by_chance(tested.effect or 0.0)}"


def _gain(row: ProbeRow) -> float:
    return row.gain or 0.0


def _best(bare: ProbeRow | None, under: Sequence[ProbeRow]) -> Iterator[str]:
    if bare is not None and under:
        yield (
            f"From the bare text {100 * bare.accuracy:.1f} % of the labels are read "
            f"(the most frequent is {100 * bare.chance:.1f} %), under “{under[0].prompt}” "
            f"{100 * under[0].accuracy:.1f} %, the most of all prompts."
        )


def _details(bare: ProbeRow | None, under: Sequence[ProbeRow]) -> Iterator[Detail]:
    if bare is not None:
        yield Detail(
            name="share of labels read from the bare text",
            value=bare.accuracy,
            interval=bare.interval,
            null=bare.chance,
        )
    for row in under:
        yield Detail(
            name=f"gain under “{row.prompt}”",
            value=row.gain,
            interval=row.gain_interval,
            null=0.0,
            note=f"shift {number(row.shift)}",
        )
