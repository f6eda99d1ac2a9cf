"""The verdict on C7: the cls token high, punctuation low, the token that ends a text lowest.

A model has the special tokens that it has: what it lacks is not tested, and the title does not
claim it. The rule is that of claims.py; nothing is computed but comparisons.
"""

from math import isfinite

from activation_flow.audit_data import Interval, Tested
from activation_flow.audit_tables import NOT_SUPPORTED, SUPPORTED, Detail
from activation_flow.claims import ALPHA, HIGH_PLACE
from activation_flow.findings import Findings, Judged
from activation_flow.kind_places import Places
from activation_flow.verdict_words import found_above, in_100, upper


def title(places: Places) -> str:
    """The parts of the claim that can be tested, in the model's own spelling.

    >>> title(Places(median={}, tokens={}, cls="<s>", sep="</s>", sep_weakest=0.0))
    '<s> is high, punctuation low, </s> lowest'
    >>> title(Places(median={}, tokens={}, cls="", sep="", sep_weakest=None))
    'Punctuation is low'
    """
    low = "punctuation low" if places.cls else "Punctuation is low"
    parts = [f"{places.cls} is high"] * bool(places.cls) + [low]
    return ", ".join([*parts, *[f"{places.sep} lowest"] * bool(places.sep)])


def kinds(found: Findings, tested: Tested, p: float | None) -> Judged:
    """C7: where the kinds stand."""
    places, auc = found.places, tested.effect or 0.0
    assert places is not None  # it was tested
    details = [
        Detail(
            name=f"median place of {name}",
            value=median,
            null=50.0,
            note=f"percentile among its text's ordinary tokens; {places.tokens[name]:,} tokens",
        )
        for name, median in places.median.items()
    ]
    parts = [f"punctuation is weaker than words in {in_100(auc)} of 100 pairs from one text"]
    holds = [found_above(tested, p, 0.5)]
    if places.cls:
        median = places.median[places.cls]
        parts.append(
            f"{places.cls} stands at percentile {median:.0f} of the ordinary tokens of its text"
        )
        holds.append(median > HIGH_PLACE)
    if places.sep and places.sep_weakest is not None:
        share = places.sep_weakest
        parts.append(f"{places.sep} is the weakest token in {in_100(share)} of 100 texts")
        details.append(
            Detail(name=f"texts in which {places.sep} is the weakest token", value=share, null=0.5)
        )
        holds.append(share > 0.5)
    why = [_why_punctuation_fails(auc, tested.interval)] + ["fails"] * (len(parts) - 1)
    each = zip(parts, holds, why, strict=True)
    told = [f"{part} ({'holds' if good else failing})" for part, good, failing in each]
    verdict = SUPPORTED if all(holds) else NOT_SUPPORTED
    return verdict, f"{upper('; '.join(told))}.{_untested(places)}", details


def _untested(places: Places) -> str:
    """The parts of the claim that are about tokens which this model does not have."""
    missing = [
        part
        for name, part in (
            (places.cls, "that [CLS] is high (the tokenizer puts no cls token)"),
            (places.sep, "that [SEP] is lowest (most texts end with no other special token)"),
        )
        if not name
    ]
    return f" Not tested: {' and '.join(missing)}." if missing else ""


def _why_punctuation_fails(auc: float, interval: Interval | None) -> str:
    """Whether it is the AUC itself, its interval or its p-value that fails."""
    if auc <= 0.5 or interval is None or not all(map(isfinite, interval)):
        return "fails"
    if interval[0] <= 0.5:
        ends = f"{in_100(interval[0])} to {in_100(interval[1])}"
        return f"fails: with other punctuation marks it could be otherwise, {ends}"
    return f"fails: p after Holm is not below {ALPHA}"
