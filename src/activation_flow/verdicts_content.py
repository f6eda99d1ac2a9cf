"""Verdicts on content words against function words: C1 to C4 and C9.

The rules are those that claims.py declares; nothing is computed but comparisons.
"""

from collections.abc import Iterator, Sequence

from activation_flow.audit_data import Interval, Tested
from activation_flow.audit_tables import NO_BETTER, NOT_SUPPORTED, SUPPORTED, Detail
from activation_flow.claims import ALPHA, CONSISTENTLY, MARGIN
from activation_flow.findings import Baseline, Beside, Findings, Judged
from activation_flow.verdict_words import (
    by_chance,
    found_above,
    in_100,
    lower,
    number,
    range_of,
    upper,
)


def content(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C1: content words above function words."""
    auc, copy = tested.effect or 0.0, found.shuffled
    details = [*_of_copy(copy), *_of_baselines(found.baselines)]
    stronger = "A content word is stronger than a function word"
    pairs = f"in {in_100(auc)} of 100 pairs from one text; chance gives 50"
    above = "".join(f" {sentence}" for sentence in _higher(found.baselines))
    if found_above(tested, p, 0.5) and (copy is None or copy.interval[0] > 0):
        return SUPPORTED, f"{stronger} {pairs}.{above}", details
    if found_above(tested, p, 0.5) and copy is not None:
        other = (
            f"on the texts that both have read it is so in {in_100(copy.own)}, and in copies of "
            f"the model with shuffled weights, which have learnt nothing, in {in_100(copy.auc)}"
        )
        more = "" if copy.difference <= 0 else ": the difference may be chance"
        return NO_BETTER, f"{stronger} {pairs}; but {other}{more}.{above}", details
    if tested.interval is not None and tested.interval[1] < 0.5:
        return (
            NOT_SUPPORTED,
            f"It is the other way round: {lower(stronger)} only {pairs}.",
            details,
        )
    if tested.interval is not None and tested.interval[0] > 0.5:
        other = "kinds dealt out blindly among the words may give as much"
    else:
        other = "with other texts and words it could as well be half"
    return NOT_SUPPORTED, f"{stronger} {pairs}; {other}.{above}", details


def _of_copy(copy: Beside | None) -> Iterator[Detail]:
    if copy is not None:
        yield Detail(
            name="AUC less that in copies of the model with shuffled weights",
            value=copy.difference,
            interval=copy.interval,
            null=0.0,
            note=f"{number(copy.own)} and {number(copy.auc)}, of the same tokens",
        )


def _of_baselines(baselines: Sequence[Baseline]) -> Iterator[Detail]:
    for one in baselines:
        yield Detail(
            name=f"AUC less that of: {one.title}",
            value=one.beside.difference,
            interval=one.beside.interval,
            null=0.0,
            note=f"{number(one.beside.own)} and {number(one.beside.auc)}, of the same tokens",
        )


def _higher(baselines: Sequence[Baseline]) -> Iterator[str]:
    """The baselines that order the same tokens better than strength does, if there are any."""
    higher = sorted((one for one in baselines if one.beside.difference < 0), key=_difference)
    if higher:
        listed = [
            f"{one.title} in {100 * one.beside.auc:.1f} (strength, of the same tokens, in "
            f"{100 * one.beside.own:.1f}{_or_chance(one.beside.interval)})"
            for one in higher
        ]
        yield f"By other scores it is so more often: {', '.join(listed)}."


def _difference(one: Baseline) -> float:
    return one.beside.difference


def _or_chance(interval: Interval) -> str:
    return "" if interval[1] < 0 else "; may be chance"


def beyond(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C2: beyond frequency, length and place."""
    gain, base, full = tested.effect or 0.0, found.beyond.base or 0.0, found.beyond.full or 0.0
    details = [
        Detail(name=f"AUC of {found.frequency}, length and place", value=base, null=0.5),
        Detail(name="AUC of these and strength", value=full, null=0.5),
        *(
            Detail(
                name=f"strength: {row.name}",
                value=row.value,
                interval=row.interval,
                null=row.null,
                note="no pair is left" if row.kept is None else f"{row.kept:.1%} of the pairs kept",
            )
            for row in found.stratified
        ),
    ]
    known = (
        f"{upper(found.frequency)}, length and place tell content from function words in "
        f"{in_100(base)} of 100 pairs"
    )
    if found_above(tested, p, 0.0) and gain >= MARGIN:
        return SUPPORTED, f"{known}; with strength it is {in_100(full)}.", details
    content = found_above(found.content, found.content.p, 0.5)
    adds = f"strength adds {number(gain)} to the AUC ({range_of(tested.interval)})"
    if found_above(tested, p, 0.0):
        told = f"{known}. {upper(adds)}: real, but less than {MARGIN}."
    else:
        told = f"{known}; {adds}: {_unsettled(tested.interval, 1 - base, p)}."
    return (NO_BETTER if content else NOT_SUPPORTED), told, details


def _unsettled(interval: Interval | None, left: float, p: float | None) -> str:
    """What is said of a gain that is none by its test, or may be none by its interval."""
    if interval is None:
        return "without an interval nobody can say whether that is more than noise"
    if interval[0] < -MARGIN and interval[1] > MARGIN:
        wide = "" if interval[1] <= left else f", and at most {number(left)} is left to gain"
        return f"with other texts and words it may as well add as take away{wide}"
    if p is not None and p < ALPHA and interval[1] > 0:
        return "its test finds something, but the interval of what is gained holds 0"
    return "no more than noise"


def layer(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C3: this layer above the others."""
    standout, at = found.standout, found.layers.index(found.layer)
    aucs = standout.aucs
    best = found.layers[standout.layer or 0]
    picked = [found.layers[pick.layer] for pick in standout.picks]
    details = [
        Detail(name=f"AUC at layer {layer}", value=auc, null=0.5)
        for layer, auc in zip(found.layers, aucs, strict=True)
    ]
    details += [
        Detail(
            name=f"layer {found.layers[pick.layer]}, picked on one half of the texts",
            value=pick.difference,
            interval=pick.interval,
            null=0.0,
            note="AUC above the mean of the others, on the other half",
        )
        for pick in standout.picks
    ]
    own = (
        f"At layer {found.layer} content words are stronger than function words in "
        f"{100 * aucs[at]:.1f} of 100 pairs"
    )
    embeddings = found.layers[0] == 0 and found.layer != 0 and aucs[0] >= aucs[at]
    stands = p is not None and p < ALPHA
    if stands and picked and all(layer == found.layer for layer in (best, *picked)):
        return SUPPORTED, f"{own}, more than any other, in either half of the texts, too.", details
    if embeddings:
        return (
            NO_BETTER,
            (
                f"{own}; in the embeddings, before the model has read any context, in "
                f"{100 * aucs[0]:.1f}."
            ),
            details,
        )
    if not stands:
        return (
            NOT_SUPPORTED,
            f"{own}; no layer stands out from the others by more than noise.",
            (details),
        )
    if best != found.layer:
        return (
            NOT_SUPPORTED,
            (f"{own}; layer {best} is the one that stands out, with {100 * max(aucs):.1f}."),
            details,
        )
    if not picked:
        halves = "half of the texts is too few to see whether it would be picked again"
    else:
        halves = f"of one half of the texts it is layer {picked[0]}, of the other layer {picked[1]}"
    return NOT_SUPPORTED, f"{own}, the largest; but {halves}.", details


def consistently(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C4: content words are HIGH."""
    high, recall = found.high, tested.effect or 0.0
    told = f"Of 100 content tokens, {in_100(recall)} are HIGH{_out_of_reach(high.largest)}"
    rare, as_well = _rarest(found)
    details = _of_high(found)
    if p is None or p >= ALPHA:
        every = f"of 100 tokens of any word, {in_100(found.high_rate)}"
        return NOT_SUPPORTED, f"{told}; {every}: {by_chance(recall - found.high_rate)}.", details
    more = (
        f"{told}; of 100 content and function words that are HIGH, "
        f"{in_100(high.precision or 0)} are content words (HIGH or not: "
        f"{in_100(high.base_rate or 0)})"
    )
    if as_well:
        return NO_BETTER, f"{more}; but {rare}: no model is needed for that.", details
    if found_above(tested, p, CONSISTENTLY):
        return SUPPORTED, f"{told}: more are than are not{rare and f'; {rare}'}.", details
    return NOT_SUPPORTED, f"{more}: over-represented, but not consistently HIGH.", details


def _out_of_reach(largest: float | None) -> str:
    """How many could be, where that bounds what is found."""
    if largest is None or largest >= 1:
        return ""
    never = "" if largest > CONSISTENTLY else ": more than half is out of reach, whatever they are"
    return f" (so few tokens of a text are that {in_100(largest)} at most could be{never})"


def _rarest(found: Findings) -> tuple[str, bool]:
    """What as many of the rarest tokens hold, in words, and whether they do as well as HIGH."""
    high = found.high
    if high.rarest is None or high.above_rarest is None:
        return "", False
    difference, interval = high.above_rarest
    as_well = not interval[0] > 0
    held = (
        f"as many of the rarest tokens (by {found.frequency}) hold {in_100(high.rarest)} of 100 "
        "content tokens"
    )
    may = ", and the difference may be chance" if as_well and difference > 0 else ""
    return held + may, as_well


def _of_high(found: Findings) -> list[Detail]:
    high = found.high
    rarest = f"share of content tokens among as many of the rarest, by {found.frequency}"
    unknown = "" if high.rarest is not None else "frequencies are not known"
    above, interval = high.above_rarest or (None, None)
    return [
        Detail(
            name="largest share of content tokens that can be HIGH",
            value=high.largest,
            note="if content tokens took every place that a text has",
        ),
        Detail(
            name="share of HIGH content and function tokens that are content",
            value=high.precision,
            null=high.base_rate,
            note="null: share of content among content and function tokens",
        ),
        Detail(
            name="share of all HIGH tokens that are content",
            value=high.precision_of_all,
            note="punctuation and tokens of no kind are counted, too",
        ),
        Detail(
            name="lift of content in HIGH", value=high.lift, interval=high.lift_interval, null=1
        ),
        Detail(name=rarest, value=high.rarest, interval=high.rarest_interval, note=unknown),
        Detail(
            name="share of content tokens that are HIGH, less that among the rarest",
            value=above,
            interval=interval,
            null=0.0,
            note=unknown,
        ),
    ]


def against_next(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C9: this layer against the one above it."""
    effect, interval = tested.effect or 0.0, tested.interval
    better, worse = found.layer, found.next_layer
    reverse = effect < 0
    if reverse:  # told the way it is: a negative gain is read as a gain
        better, worse = worse, better
        interval = None if interval is None else (-interval[1], -interval[0])
    told = (
        f"Beside function words, content words stand {number(abs(effect))} standard deviations "
        f"higher at layer {better} than at layer {worse} ({range_of(interval)})"
    )
    if found_above(tested, p, 0.0):
        return SUPPORTED, f"{told}.", ()
    if tested.interval is not None and tested.interval[1] < 0:
        return NOT_SUPPORTED, f"{told}: the reverse of the claim.", ()
    against = "not the claim's direction, and " if reverse else ""
    return NOT_SUPPORTED, f"{told}: {against}no more than noise.", ()
