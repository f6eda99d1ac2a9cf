"""What a bucket of tokens holds of the shift, beside what as many tokens chosen blindly would hold.

R means nothing alone (its chance level is k/n), and nothing for strength unless the k rarest
tokens, or the k tokens next to the edit, hold less. Exploratory; the test of the claim stands
elsewhere. Source: paper eq. 5 (arXiv 2605.22377); its chance level is ours.
"""

from math import comb
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import Interval
from activation_flow.audit_tables import Detail, RatioRow
from activation_flow.claim_tests_high import leading
from activation_flow.claim_tests_shift import excess_over_chance
from activation_flow.crossed import Crossed, crossed, interval
from activation_flow.data import Ids, Mask
from activation_flow.stats import mean_interval, permutation_p

if TYPE_CHECKING:
    from activation_flow.audit_data import PerToken
    from activation_flow.audit_pairs import Moved
else:
    PerToken = np.ndarray

BUCKETS = ("HIGH", "rarest", "nearest")
TOKENS = ("all", "replaced", "unchanged")
DISTANCES = ("shift", "cosine", "standardised")
LEVEL = 20  # a pair is tested at 1 / 20


def ratios(moved: "Moved") -> tuple[RatioRow, ...]:
    """R − k/n of every bucket, over all, replaced and unchanged tokens, by every distance.

    Each bucket has as many tokens as HIGH has in that pair: the k of lowest frequency, or the k
    nearest to the edit; those tied for its last places share them. ``unchanged``: k and n are
    counted anew among these tokens. ``replaced``: what these tokens add to the row of all tokens,
    for they are too few in a pair to hold a bucket of their own. Tokens whose distance or frequency
    is not known are left out before anything is counted, and so are pairs in which nothing can be
    chosen (k = 0, k = n) or nothing has moved; the row's note says how many.

    Intervals: over first texts and word types; pairs may share their first text.
    """
    return tuple(
        _row(moved, bucket, tokens, distance)
        for bucket in BUCKETS
        for tokens in TOKENS
        for distance in DISTANCES
    )


def _row(moved: "Moved", bucket: str, tokens: str, distance: str) -> RatioRow:
    asked = ~moved.replaced if tokens == "unchanged" else np.ones(len(moved.pair), dtype=bool)
    far = getattr(moved, distance)
    known = np.isfinite(far) & (np.isfinite(moved.frequency) | (bucket != "rarest"))
    those = asked & known
    pair, held = moved.pair[those], moved.high[those].astype(np.float64)
    if bucket != "HIGH":
        key = moved.frequency if bucket == "rarest" else moved.distance_to_edit
        held = leading(key[those], np.bincount(pair, held), pair)
    counted = moved.replaced[those] if tokens == "replaced" else None
    found = excess_over_chance(
        pair, moved.type[those], held, far[those], text=moved.text[those], counted=counted
    )
    unknown, idle = int((asked & ~known).sum()), moved.n_pairs - found.pairs
    notes = (
        f"pairs left out, k being 0 or n, or nothing moved: {idle}" if idle else "",
        f"tokens left out, of unknown distance or frequency: {unknown}" if unknown else "",
    )
    there = found.spread is not None
    return RatioRow(
        bucket=bucket,
        tokens=tokens,
        distance=distance,
        ratio=found.ratio if there else None,
        chance=found.chance if there else None,
        excess=found.excess if there else None,
        interval=_interval(found.excess, found.spread),
        pairs=found.pairs,
        note="; ".join(note for note in notes if note),
        texts=found.texts,
    )


def _interval(value: float, spread: Crossed | None) -> Interval | None:
    if spread is None or not np.isfinite(spread.variance):
        return None
    return interval(value, spread)


def pair_details(moved: "Moved", *, draws: int = 10_000, seed: int = 0) -> tuple[Detail, ...]:
    """What single pairs say: their own tests, by what was replaced, its part, who moves along.

    Args:
        moved: aligned tokens of pairs of texts.
        draws: random choices for the p of a pair with more than 20,000 ways to choose.
        seed: of these.
    """
    return (
        _own_tests(moved, draws, seed),
        *(_where_replaced(moved, kind) for kind in ("content", "function")),
        _replaced_part(moved),
        *(_carried_along(moved, kind) for kind in ("content", "function")),
    )


def _own_tests(moved: "Moved", draws: int, seed: int) -> Detail:
    known = np.isfinite(moved.shift)
    pair, high, shift = moved.pair[known], moved.high[known], moved.shift[known]
    n, k = np.bincount(pair), np.bincount(pair, high)
    ends = np.cumsum(n)
    tested = np.flatnonzero((k > 0) & (k < n) & (np.bincount(pair, shift) > 0))
    hits, by_chance = np.zeros(len(tested), dtype=bool), 0.0
    for i, number in enumerate(tested):
        these = slice(ends[number] - n[number], ends[number])
        p, _, exact = permutation_p(shift[these], high[these], draws, seed)
        # p is one of 1/m, 2/m ... 1, all as likely by chance unless choices tie.
        steps = comb(int(n[number]), int(k[number])) if exact else draws + 1
        hits[i] = p < 1 / LEVEL
        by_chance += (steps - 1) // LEVEL / steps
    name = f"pairs whose own permutation p is below {1 / LEVEL}"
    if not len(tested):
        return Detail(name=name, value=None, note="no pair can be tested")
    text = moved.text[known][ends[tested] - 1]
    return Detail(
        name=name,
        value=float(hits.mean()),
        interval=_share_interval(hits, text),
        null=by_chance / len(tested),
        note=f"pairs: {len(tested)}; {draws:,} draws, seed {seed}; interval over texts alone",
    )


def _share_interval(hits: Mask, text: Ids) -> Interval | None:
    """95 % of a share of pairs; those of one text stand or fall together."""
    _, number = np.unique(text, return_inverse=True)
    n = int(number.max()) + 1
    if n < 2:
        return None
    mean = float(hits.mean())
    of_text = np.bincount(number, hits - mean) / len(hits)
    return mean_interval(mean, float((of_text**2).sum()) * n / (n - 1), n)


def _where_replaced(moved: "Moved", kind: str) -> Detail:
    those = np.isfinite(moved.shift) & (np.array(moved.edited, dtype=str) == kind)[moved.pair]
    pair, high, shift = moved.pair[those], moved.high[those], moved.shift[those]
    found = excess_over_chance(pair, moved.type[those], high, shift, text=moved.text[those])
    there = found.spread is not None
    return Detail(
        name=f"R − k/n where a {kind} word is replaced",
        value=found.excess if there else None,
        interval=_interval(found.excess, found.spread),
        null=0.0,
        note=f"{found.pairs} pairs" if there else "there are no such pairs",
    )


def _replaced_part(moved: "Moved") -> Detail:
    known = np.isfinite(moved.shift)
    pair, replaced, shift = moved.pair[known], moved.replaced[known], moved.shift[known]
    n, total = np.bincount(pair), np.bincount(pair, shift)
    name, pairs = "replaced tokens' part of the shift", int((total > 0).sum())
    if not pairs:
        return Detail(name=name, value=None, note="nothing has moved")
    moves = total[pair] > 0
    part = np.divide(replaced * shift, total[pair], out=np.full(len(pair), np.nan), where=moves)
    one = moves / n[pair]  # each pair counts the same
    mean = float(np.nansum(part)) / pairs
    apart = (part - mean * one) / pairs
    spread = crossed(apart, moved.text[known], moved.type[known], weight=one)
    return Detail(
        name=name,
        value=mean,
        interval=_interval(mean, spread),
        null=float((replaced * one).sum()) / pairs,
        note=f"mean of {pairs} pairs; by chance: their part of the tokens",
    )


def _carried_along(moved: "Moved", kind: str) -> Detail:
    those = np.isfinite(moved.shift) & ~moved.replaced & (moved.kind == kind)
    name, n = f"mean shift of unchanged {kind} tokens", int(those.sum())
    if n == 0:
        return Detail(name=name, value=None, note="there are none")
    mean = float(moved.shift[those].mean())
    spread = crossed((moved.shift[those] - mean) / n, moved.text[those], moved.type[those])
    return Detail(name=name, value=mean, interval=_interval(mean, spread), note=f"{n} tokens")
