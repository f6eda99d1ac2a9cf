"""From what the tests found to verdicts, and a sentence each for who knows no statistics.

The claims and their rules are declared in claims.py; nothing is computed here but comparisons.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any

from activation_flow.audit_data import (
    NO_BETTER,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    Claim,
    Detail,
    Interval,
    RatioRow,
    Tested,
)
from activation_flow.claim_tests import Consistent
from activation_flow.claim_tests_confounds import Beyond
from activation_flow.claim_tests_layers import Standout
from activation_flow.claim_tests_skew import Skewed
from activation_flow.claims import ALPHA, CONSISTENTLY, DECLARED, HIGH_PLACE, MARGIN, Declared
from activation_flow.kind_places import Places
from activation_flow.multiplicity import holm

Judged = tuple[str, str, Sequence[Detail]]  # verdict, sentence, details


@dataclass(frozen=True, kw_only=True)
class Beside:
    """An AUC and how far the strength's is above it, on the same tokens.

    Attributes:
        auc: of the other.
        difference: the strength's less that.
        interval: of the difference, 95 %.
    """

    auc: float
    difference: float
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class Findings:
    """All that verdicts follow from.

    Attributes:
        layer: the one that was asked about.
        next_layer: the one above it.
        layers: all that were measured.
        content: of C1.
        baselines: of C1, each score of no model, or of no layer, by its title.
        shuffled: the copy of the model with shuffled weights; None where there was none.
        beyond: of C2.
        standout: of C3.
        high: of C4.
        high_rate: share of HIGH among content and function tokens.
        ratio: of C5.
        ratios: R of every bucket.
        pair_details: of single pairs.
        punctuation: of C7.
        places: of kinds and special tokens.
        skew: of C8.
        difference: of C9.
    """

    layer: int
    next_layer: int
    layers: tuple[int, ...]
    content: Tested
    baselines: tuple[Detail, ...]
    shuffled: Beside | None
    beyond: Beyond
    standout: Standout
    high: Consistent
    high_rate: float
    ratio: Tested
    ratios: tuple[RatioRow, ...]
    pair_details: tuple[Detail, ...]
    punctuation: Tested
    places: Places | None
    skew: Skewed
    difference: Tested


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
    )


def _above(tested: Tested, p: float | None, null: float) -> bool:
    """The primary test finds an effect in the claim's direction."""
    return p is not None and p < ALPHA and tested.interval is not None and tested.interval[0] > null


def _in_100(share: float) -> str:
    """A share as a count: "89", or "fewer than 1"; with a decimal where 50 would hide a side."""
    count = round(100 * share)
    if count == 0 and share > 0:
        return "fewer than 1"
    if count == 100 and share < 1:
        return "more than 99"
    return f"{100 * share:.1f}" if count == 50 and abs(share - 0.5) >= 0.0005 else str(count)


def _content(found: Findings, tested: Tested, p: float | None) -> Judged:
    auc, copy = tested.effect or 0.0, found.shuffled
    details = [*_of_copy(copy), *found.baselines]
    stronger = "A content word is stronger than a function word"
    pairs = f"in {_in_100(auc)} of 100 pairs from one text; chance gives 50"
    if _above(tested, p, 0.5) and (copy is None or copy.interval[0] > 0):
        return SUPPORTED, f"{stronger} {pairs}.", details
    if _above(tested, p, 0.5) and copy is not None:
        other = f"with shuffled weights, which have learnt nothing, in {_in_100(copy.auc)}"
        more = "" if copy.difference <= 0 else ", and the difference may be chance"
        return NO_BETTER, f"{stronger} {pairs}; but in copies of the model {other}{more}.", details
    if tested.interval is not None and tested.interval[1] < 0.5:
        return (
            NOT_SUPPORTED,
            f"It is the other way round: {_lower(stronger)} only {pairs}.",
            details,
        )
    if tested.interval is not None and tested.interval[0] > 0.5:
        other = "kinds dealt out blindly among the words may give as much"
    else:
        other = "with other texts and words it could as well be half"
    return NOT_SUPPORTED, f"{stronger} {pairs}; {other}.", details


def _of_copy(copy: Beside | None) -> Iterator[Detail]:
    if copy is not None:
        yield Detail(
            name="strength in copies of the model with shuffled weights",
            value=copy.auc,
            null=0.5,
            note=f"the model's own is above it by {_number(copy.difference)} "
            f"({_range(copy.interval)}), same texts",
        )


def _beyond(found: Findings, tested: Tested, p: float | None) -> Judged:
    gain, base, full = tested.effect or 0.0, found.beyond.base or 0.0, found.beyond.full or 0.0
    details = [
        Detail(name="AUC of frequency, length and place", value=base, null=0.5),
        Detail(name="AUC of these and strength", value=full, null=0.5),
    ]
    known = (
        "How often a word occurs, how long it is and where it stands tell content from function "
        f"words in {_in_100(base)} of 100 pairs"
    )
    if _above(tested, p, 0.0) and gain >= MARGIN:
        return SUPPORTED, f"{known}; with strength it is {_in_100(full)}.", details
    content = _above(found.content, found.content.p, 0.5)
    adds = f"strength adds {_number(gain)} to the AUC ({_range(tested.interval)})"
    if _above(tested, p, 0.0):
        told = f"{known}. {adds[0].upper()}{adds[1:]}: real, but less than {MARGIN}."
    else:
        told = f"{known}; {adds}: {_unsettled(tested.interval, 1 - base)}."
    return (NO_BETTER if content else NOT_SUPPORTED), told, details


def _unsettled(interval: Interval | None, left: float) -> str:
    """What is said of a gain that is none by its test, or may be none by its interval."""
    if interval is None:
        return "without an interval nobody can say whether that is more than noise"
    if interval[0] < -MARGIN and interval[1] > MARGIN:
        wide = "" if interval[1] <= left else f", and at most {_number(left)} is left to gain"
        return f"with other texts and words it may as well add as take away{wide}"
    return "no more than nothing, or noise"


def _layer(found: Findings, tested: Tested, p: float | None) -> Judged:
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


def _high(found: Findings, tested: Tested, p: float | None) -> Judged:
    high, recall = found.high, tested.effect or 0.0
    details = [
        Detail(
            name="share of HIGH tokens that are content",
            value=high.precision,
            null=high.base_rate,
            note="null: share of content among content and function tokens",
        ),
        Detail(
            name="lift of content in HIGH", value=high.lift, interval=high.lift_interval, null=1
        ),
        Detail(
            name="share of content tokens among as many of the rarest",
            value=high.rarest,
            interval=high.rarest_interval,
            note="" if high.rarest is not None else "frequencies are not known",
        ),
    ]
    told = f"Of 100 content tokens, {_in_100(recall)} are HIGH"
    if _above(tested, p, CONSISTENTLY):
        return SUPPORTED, f"{told}: more are than are not.", details
    if p is None or p >= ALPHA:
        every = f"of 100 tokens of any word, {_in_100(found.high_rate)}"
        return NOT_SUPPORTED, f"{told}; {every}: {_by_chance(recall - found.high_rate)}.", details
    more = (
        f"{told}; HIGH tokens are content words in {_in_100(high.precision or 0)} of 100 cases "
        f"(all words: {_in_100(high.base_rate or 0)})"
    )
    if high.rarest is not None and high.rarest >= recall:
        rare = f"as many of the rarest tokens hold {_in_100(high.rarest)} of 100 content tokens"
        return NO_BETTER, f"{more}; but {rare}: no model is needed for that.", details
    return NOT_SUPPORTED, f"{more}: over-represented, but not consistently HIGH.", details


def _ratio(found: Findings, tested: Tested, p: float | None) -> Judged:
    rows = {(row.bucket, row.tokens): row for row in found.ratios if row.distance == "shift"}
    every, unchanged = rows["HIGH", "all"], rows["HIGH", "unchanged"]
    details = [
        Detail(
            name=f"{row.bucket}, {row.tokens} tokens: R − k/n",
            value=row.excess,
            interval=row.interval,
            null=0.0,
            note=f"R {_number(row.ratio)}, chance {_number(row.chance)}, {row.pairs} pairs",
        )
        for row in rows.values()
        if row.excess is not None
    ]
    details += found.pair_details
    told = (
        f"HIGH tokens hold {_in_100(every.ratio or 0)} % of the shift and are "
        f"{_in_100(every.chance or 0)} % of the tokens"
    )
    if not _above(tested, p, 0.0):
        return NOT_SUPPORTED, f"{told}: {_by_chance(tested.effect or 0.0)}.", details
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
                f"{_in_100(unchanged.ratio or 0)} %, where chance gives "
                f"{_in_100(unchanged.chance or 0)} %: it is the replaced word itself that moves."
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
    parts = [f"punctuation is weaker than words in {_in_100(auc)} of 100 pairs from one text"]
    holds = [_above(tested, p, 0.5)]
    if places.first:
        median = places.median[places.first]
        parts.append(f"{places.first} stands at percentile {median:.0f} of the words")
        holds.append(median > HIGH_PLACE)
    if places.last and places.last_weakest is not None:
        share = places.last_weakest
        parts.append(f"{places.last} is the weakest token in {_in_100(share)} of 100 texts")
        details.append(
            Detail(name=f"texts in which {places.last} is the weakest token", value=share, null=0.5)
        )
        holds.append(share > 0.5)
    why = [_why_punctuation_fails(auc, tested.interval)] + ["fails"] * (len(parts) - 1)
    told = [
        f"{part} ({'holds' if good else failing})"
        for (part, good), failing in zip(_both(parts, holds), why, strict=True)
    ]
    sentence = "; ".join(told)
    verdict = SUPPORTED if all(holds) else NOT_SUPPORTED
    return verdict, f"{sentence[0].upper()}{sentence[1:]}.", details


def _why_punctuation_fails(auc: float, interval: Interval | None) -> str:
    """Whether it is the AUC itself, its interval or its p-value that fails."""
    if auc <= 0.5 or interval is None or not all(map(isfinite, interval)):
        return "fails"
    if interval[0] <= 0.5:
        ends = f"{_in_100(interval[0])} to {_in_100(interval[1])}"
        return f"fails: with other punctuation marks it could be otherwise, {ends}"
    return f"fails: p after Holm is not below {ALPHA}"


def _both(parts: Sequence[str], holds: Sequence[bool]) -> Iterator[tuple[str, bool]]:
    return zip(parts, holds, strict=True)


def _skew(found: Findings, tested: Tested, p: float | None) -> Judged:
    share = found.skew.positive or 0.0
    details = [
        Detail(name="share of texts that are skewed to the right", value=share, null=0.5),
        Detail(name="skewness of all tokens at once", value=found.skew.pooled, null=0.0),
    ]
    told = f"Strengths are skewed to the right in {_in_100(share)} of 100 texts"
    if _above(tested, p, 0.0):
        return SUPPORTED, f"{told}: a few tokens stand far above the rest.", details
    if tested.interval is not None and tested.interval[1] < 0:
        left = "on average they are skewed to the left, a few tokens far below the rest"
        return NOT_SUPPORTED, f"{told}; {left}.", details
    side = "left" if (tested.effect or 0.0) < 0 else "right"
    mean = f"on average they are skewed to the {side}, by no more than other words could undo"
    return NOT_SUPPORTED, f"{told}; {mean}.", details


def _next(found: Findings, tested: Tested, p: float | None) -> Judged:
    effect, interval = tested.effect or 0.0, tested.interval
    better, worse = found.layer, found.next_layer
    reverse = effect < 0
    if reverse:  # told the way it is: a negative gain is read as a gain
        better, worse = worse, better
        interval = None if interval is None else (-interval[1], -interval[0])
    told = (
        f"Beside function words, content words stand {_number(abs(effect))} standard deviations "
        f"higher at layer {better} than at layer {worse} ({_range(interval)})"
    )
    if _above(tested, p, 0.0):
        return SUPPORTED, f"{told}.", ()
    if tested.interval is not None and tested.interval[1] < 0:
        return NOT_SUPPORTED, f"{told}: the reverse of the claim.", ()
    against = "not the claim's direction, and " if reverse else ""
    return NOT_SUPPORTED, f"{told}: {against}no more than noise.", ()


def _by_chance(more: float) -> str:
    return "that may be chance" if more > 0 else "no more than chance gives"


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}".replace("-", "−")


def _range(interval: Interval | None) -> str:
    if interval is None or not all(map(isfinite, interval)):
        return "how uncertain, cannot be told"
    return f"{_number(interval[0])} to {_number(interval[1])}"


_JUDGES: dict[str, Callable[[Findings, Tested, Any], Judged]] = {
    "C1": _content,
    "C2": _beyond,
    "C3": _layer,
    "C4": _high,
    "C5": _ratio,
    "C7": _kinds,
    "C8": _skew,
    "C9": _next,
}
