from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from made_tokens import made_moved

from activation_flow.claim_tests_shift import above_chance
from activation_flow.ratios import BUCKETS, DISTANCES, TOKENS, pair_details, ratios
from activation_flow.shift import concentration


@pytest.fixture(scope="module")
def moved():
    return made_moved()


@pytest.fixture(scope="module")
def rows(moved):
    return {(row.bucket, row.tokens, row.distance): row for row in ratios(moved)}


def by_hand(moved, bucket, tokens, distance):
    """R and its expectation over every choice of k tokens, pair by pair."""
    found = []
    for number in range(moved.n_pairs):
        asked = (moved.pair == number) & (~moved.replaced | (tokens != "unchanged"))
        far, high = getattr(moved, distance)[asked], moved.high[asked]
        n, k = len(far), int(high.sum())
        if k in (0, n) or far.sum() == 0:
            continue
        counted = moved.replaced[asked] | (tokens != "replaced")
        key = {"HIGH": ~high, "rarest": moved.frequency[asked]}
        key = key.get(bucket, moved.distance_to_edit[asked])
        last = np.sort(key)[k - 1]
        sure, tied = key < last, key == last
        held = sure + tied * (k - sure.sum()) / tied.sum()
        ways = [(far * counted)[list(way)].sum() for way in combinations(range(n), k)]
        found.append(((held * far * counted).sum() / far.sum(), np.mean(ways) / far.sum()))
    return np.mean(found, axis=0), len(found)


# ratios


@pytest.mark.parametrize("bucket", BUCKETS)
@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("distance", DISTANCES)
def test_every_row_is_that_of_plain_loops_and_all_choices(moved, rows, bucket, tokens, distance):
    row = rows[bucket, tokens, distance]
    (ratio, chance), pairs = by_hand(moved, bucket, tokens, distance)
    assert (row.ratio, row.chance) == pytest.approx((ratio, chance))
    assert row.excess == pytest.approx(ratio - chance)
    assert row.pairs == pairs
    assert row.interval[0] < row.excess < row.interval[1]


def test_the_first_row_is_the_claim(moved, rows):
    tested, row = above_chance(moved), rows["HIGH", "all", "shift"]
    assert (row.excess, *row.interval) == pytest.approx((tested.effect, *tested.interval))


def test_what_is_left_out_is_counted():
    moved = made_moved()
    moved.cosine[3], moved.frequency[:2] = np.nan, np.nan
    moved.high[moved.pair == 5] = False
    moved.shift[moved.pair == 6] = 0
    rows = {(row.bucket, row.tokens, row.distance): row for row in ratios(moved)}
    assert rows["HIGH", "all", "shift"].pairs == moved.n_pairs - 2
    assert rows["HIGH", "all", "shift"].note == (
        "pairs left out, k being 0 or n, or nothing moved: 2"
    )
    assert (
        "; tokens left out, of unknown distance or frequency: 1"
        in rows["nearest", "all", "cosine"].note
    )
    assert "of unknown distance or frequency: 3" in rows["rarest", "all", "cosine"].note


def test_without_pairs_there_is_nothing():
    moved = made_moved()
    moved.high[:] = False
    assert {(row.ratio, row.excess, row.interval, row.pairs) for row in ratios(moved)} == {
        (None, None, None, 0)
    }
    moved.shift[:] = 0
    own, content, _, part, *_ = pair_details(moved)
    assert (content.value, content.note) == (None, "there are no such pairs")
    assert (own.value, own.note) == (None, "no pair can be tested")
    assert (part.value, part.note) == (None, "nothing has moved")


# single pairs


def test_each_pair_has_its_own_test(moved):
    own, *_ = pair_details(moved)
    found = [
        concentration(moved.shift[those], moved.high[those])
        for those in (moved.pair == number for number in range(moved.n_pairs))
    ]
    assert own.value == pytest.approx(np.mean([one.p_value < 0.05 for one in found]))
    assert 0 < own.null < 0.05
    assert own.interval[0] <= own.value < own.interval[1]


def test_the_replaced_words_kind_splits_the_pairs(moved):
    _, content, function, *_ = pair_details(moved)
    for detail, kind in ((content, "content"), (function, "function")):
        of_kind = np.array([edited == kind for edited in moved.edited])
        part = SimpleNamespace(**vars(moved) | {"high": moved.high & of_kind[moved.pair]})
        assert detail.value == pytest.approx(ratios(part)[0].excess)
        assert detail.interval[0] < detail.value < detail.interval[1]


def test_pairs_that_share_a_text_are_one_observation(moved, rows):
    """Every pair twice: the same numbers, as uncertain as once."""
    n = moved.n_pairs
    twice = {
        name: np.concatenate([values, values])
        for name, values in vars(moved).items()
        if isinstance(values, np.ndarray)
    }
    twice["pair"] = np.concatenate([moved.pair, moved.pair + n])
    doubled = SimpleNamespace(
        **vars(moved) | twice | {"n_pairs": 2 * n, "edited": 2 * moved.edited}
    )
    for row in ratios(doubled):
        once = rows[row.bucket, row.tokens, row.distance]
        assert (row.pairs, row.texts) == (2 * once.pairs, once.pairs)
        assert (row.excess, *row.interval) == pytest.approx((once.excess, *once.interval))
    tested, once = above_chance(doubled), above_chance(moved)
    assert (tested.p, *tested.interval) == pytest.approx((once.p, *once.interval))
    assert (tested.n["texts"], tested.n["pairs"]) == (once.n["texts"], 2 * once.n["pairs"])
    for new, old in zip(pair_details(doubled), pair_details(moved), strict=True):
        assert (new.value, *new.interval) == pytest.approx((old.value, *old.interval))


def test_by_chance_as_many_pairs_are_below_the_level_as_expected():
    moved = made_moved(1, seed=3, sizes=(7, 8))
    hits = []
    for way in combinations(range(7), 2):
        moved.high = np.isin(np.arange(7), way)
        own, *_ = pair_details(moved)
        hits.append(own.value)
    assert own.null == np.mean(hits) == 1 / 21


def test_the_replaced_tokens_part_and_who_moves_along(moved):
    *_, part, content, function = pair_details(moved)
    shares, chance = [], []
    for number in range(moved.n_pairs):
        own = moved.pair == number
        shares.append(moved.shift[own & moved.replaced].sum() / moved.shift[own].sum())
        chance.append(moved.replaced[own].mean())
    assert (part.value, part.null) == pytest.approx((np.mean(shares), np.mean(chance)))
    assert part.interval[0] < part.value < part.interval[1]
    for detail, kind in ((content, "content"), (function, "function")):
        those = ~moved.replaced & (moved.kind == kind)
        assert detail.value == pytest.approx(moved.shift[those].mean())
        assert detail.interval[0] < detail.value < detail.interval[1]
