import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activation_flow.like_with_like import nearest_frequency, won_by_matched, won_in_groups

# value, content or not, frequency in tenths of a natural logarithm, text
drawn = st.lists(
    st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 25), st.integers(0, 2)),
    min_size=1,
    max_size=30,
).map(lambda rows: [np.array(column) for column in zip(*rows, strict=True)])


def beats(a, b):
    return (a > b) + (a == b) / 2


@given(drawn)
@settings(max_examples=50)
def test_groups_are_compared_pair_by_pair(drawn):
    values, one, group, text = drawn
    n, won = 0, 0.0
    for i in np.flatnonzero(one):
        for j in np.flatnonzero(~one & (group == group[i]) & (text == text[i])):
            n, won = n + 1, won + beats(values[i], values[j])
    of = sum(int((~one & (text == text[i])).sum()) for i in np.flatnonzero(one))
    found = won_in_groups(values.astype(float), one, text * 100 + group, text)
    assert (found.n, found.of) == (n, of)
    assert found.kept == (n / of if of else 0)
    assert found.value == (pytest.approx(won / n) if n else None)


@given(drawn)
@settings(max_examples=50)
def test_matches_are_the_nearest(drawn):
    values, one, tenths, text = drawn
    frequency = tenths / 10
    shares = []
    for i in np.flatnonzero(one):
        others = np.flatnonzero(~one & (text == text[i]))
        gaps = {int(abs(tenths[j] - tenths[i])) for j in others}
        if gaps and min(gaps) / 10 <= 0.2 * np.log(10):
            near = [j for j in others if abs(tenths[j] - tenths[i]) == min(gaps)]
            higher = max(tenths[j] for j in near)
            shares.append(
                np.mean([beats(values[i], values[j]) for j in near if tenths[j] == higher])
            )
    found = won_by_matched(values.astype(float), one, frequency, text)
    assert (found.n, found.of) == (len(shares), one.sum())
    assert found.value == (pytest.approx(np.mean(shares)) if shares else None)
    assert np.nansum(found.contributions) == pytest.approx(0, abs=1e-9)


def test_contributions_are_what_the_value_moves_without_a_token():
    draw = np.random.default_rng(0)
    n = 400
    values, one = draw.normal(size=n), draw.random(n) < 0.5
    frequency, text = draw.integers(0, 4, n).astype(float), np.zeros(n, dtype=int)
    found = won_by_matched(values, one, frequency, text)
    for token in range(0, n, 20):
        kept = np.arange(n) != token
        without = won_by_matched(values[kept], one[kept], frequency[kept], text[kept])
        moved = found.value - without.value
        if one[token]:
            assert found.contributions[token] == pytest.approx(moved, rel=0.02, abs=1e-9)
    groups = won_in_groups(values, one, frequency.astype(int), text)
    for token in range(0, n, 20):
        kept = np.arange(n) != token
        without = won_in_groups(values[kept], one[kept], frequency[kept].astype(int), text[kept])
        moved = groups.value - without.value
        assert groups.contributions[token] == pytest.approx(moved, rel=0.02, abs=1e-9)


def test_what_has_no_match_is_left_out():
    one, text = np.array([True, True, False]), np.array([0, 1, 0])
    frequency = np.array([1.0, 1.0, 1.0 + 0.2 * np.log(10)])
    assert nearest_frequency(frequency, one, text).tolist() == [frequency[2], np.inf, frequency[2]]
    found = won_by_matched(np.array([2.0, 2.0, 1.0]), one, frequency, text)
    assert (found.value, found.n, found.kept) == (1.0, 1, 0.5)
    none = won_by_matched(np.array([2.0, 2.0, 1.0]), one, frequency * 2, text)
    assert (none.value, none.kept) == (None, 0)
    assert won_by_matched(np.array([]), one[:0], np.array([]), text[:0]).value is None
    assert won_in_groups(np.array([]), one[:0], text[:0], text[:0]).kept == 0
