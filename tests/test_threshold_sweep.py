from dataclasses import replace

import numpy as np
import pytest
from made_tokens import made_moved, made_tokens

from activation_flow.strength import QUANTILE_METHODS
from activation_flow.threshold_sweep import QUANTILES, Cut, design, high_tokens, thresholds


@pytest.fixture(scope="module")
def tokens():
    return made_tokens()


@pytest.fixture(scope="module")
def strength(tokens):
    draw = np.random.default_rng(1)
    # Rounded, so that > and ≥ differ.
    return np.round(10 + (tokens.kind == "content") + draw.normal(size=len(tokens)), 1)


@pytest.fixture(scope="module")
def rows(tokens, strength):
    return dict(zip(design(), thresholds(tokens, strength, moved=made_moved()), strict=True))


def by_hand(values, takes_part, text, cut):
    """HIGH by plain loops over numpy.quantile."""
    high = np.zeros(len(values), dtype=bool)
    for number in np.unique(text) if cut.scope == "text" else [None]:
        own = takes_part & ((text == number) | (number is None))
        τ = np.quantile(values[own], cut.quantile, method=cut.method)
        high[own] = values[own] > τ if cut.strict else values[own] >= τ
    return high


def test_the_design_changes_one_thing_at_a_time():
    cuts = design()
    assert len(set(cuts)) == len(cuts) == 36
    for scope in ("text", "corpus"):
        assert {cut.quantile for cut in cuts if cut == Cut(cut.quantile, scope=scope)} == {
            *QUANTILES
        }
        for special in (True, False):
            for strict in (True, False):
                assert Cut(scope=scope, special=special, strict=strict) in cuts
    assert {cut.method for cut in cuts if cut == Cut(method=cut.method)} == {*QUANTILE_METHODS}


@pytest.mark.parametrize("cut", design(), ids=str)
def test_every_row_is_that_of_plain_loops(tokens, strength, rows, cut):
    takes_part = (tokens.kind != "special") | cut.special
    high = by_hand(strength, takes_part, tokens.text, cut)
    row = rows[cut]
    kinds = [k for k in tokens.kind if k in ("content", "function")]
    of_high = [k for k, h in zip(tokens.kind, high, strict=True) if h and k in kinds]
    assert row.high == len(of_high)
    assert row.precision == pytest.approx(of_high.count("content") / len(of_high))
    assert row.base_rate == pytest.approx(kinds.count("content") / len(kinds))
    assert row.recall == pytest.approx(of_high.count("content") / kinds.count("content"))
    assert row.lift == pytest.approx(row.precision / row.base_rate)
    assert row.interval[0] < row.lift < row.interval[1]
    assert (row.quantile, row.method, row.scope) == (cut.quantile, cut.method, cut.scope)


@pytest.mark.parametrize("cut", design(), ids=str)
def test_excess_is_that_of_plain_loops(rows, cut):
    moved = made_moved()
    takes_part = ~moved.all_special | cut.special
    high = by_hand(moved.all_strength, takes_part, moved.all_pair, cut)[~moved.all_special]
    found = []
    for number in range(moved.n_pairs):
        own = moved.pair == number
        if high[own].any() and not high[own].all():
            part = moved.shift[own & high].sum() / moved.shift[own].sum()
            found.append(part - high[own].mean())
    assert rows[cut].excess == pytest.approx(np.mean(found))


def test_the_interval_is_that_of_leaving_out_texts_where_each_has_its_own_words():
    tokens = made_tokens(100)
    strength = np.random.default_rng(2).normal(10, 1, len(tokens)) + (tokens.kind == "content")
    row = thresholds(replace(tokens, type=tokens.text), strength)[design().index(Cut())]
    high = by_hand(strength, tokens.kind != "special", tokens.text, Cut())
    part, content = tokens.compared, tokens.kind == "content"

    def log_lift(kept):
        return np.log(content[kept & high].mean() / content[kept].mean())

    left = [log_lift(part & (tokens.text != number)) for number in range(tokens.n_texts)]
    centre, jackknife = log_lift(part), np.sqrt(np.square(left - log_lift(part)).sum())
    low, end = np.log(row.interval)
    assert (low + end) / 2 == pytest.approx(centre)
    assert 1.95 < (end - low) / 2 / jackknife < 2.15  # Student's t


def test_p_values_go_with_intervals_and_are_adjusted(rows):
    for row in rows.values():
        assert 0 <= row.p <= row.p_bh <= 1
    assert any(row.p < row.p_bh for row in rows.values())


def test_noise_is_not_found():
    few = 0
    for seed in range(20):
        tokens = made_tokens(40, seed=seed, types=60)
        noise = np.random.default_rng(seed).normal(10, 1, len(tokens))
        few += any(row.p_bh < 0.05 for row in thresholds(tokens, noise))
    assert few <= 4


def test_texts_of_special_tokens_only_have_no_high():
    values, text = np.array([1.0, 2.0, 3.0, 9.0]), np.array([0, 1, 1, 2])
    takes_part = np.array([False, True, True, False])
    assert high_tokens(values, takes_part, text, Cut()).tolist() == [False, False, True, False]
    assert not high_tokens(values, ~(values > 0), text, Cut()).any()


def test_without_content_or_pairs_there_is_no_number():
    tokens = made_tokens()
    function = replace(tokens, kind=np.where(tokens.kind == "content", "function", tokens.kind))
    row = thresholds(function, np.arange(1.0, len(tokens) + 1))[0]
    assert (row.precision, row.base_rate, row.recall) == (0, 0, None)
    assert (row.lift, row.interval, row.p, row.p_bh, row.excess) == (None,) * 5
    nothing = replace(tokens, kind=np.full(len(tokens), "special"))
    row = thresholds(nothing, np.ones(len(tokens)))[0]
    assert (row.high, row.precision, row.base_rate) == (0, None, None)
