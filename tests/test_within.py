import numpy as np
import pytest
from audited import audit_tokens, random_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from activation_flow.crossed import crossed
from activation_flow.data import ActivationFlowError
from activation_flow.stats import auc
from activation_flow.strength import TIED
from activation_flow.within import Grouped, auc_row, difference, standing, within_auc

some_tokens = st.lists(
    st.tuples(
        st.sampled_from(["content", "function", ""]),
        st.integers(0, 3),
        st.integers(0, 5) | st.just(np.nan),
    ),
    min_size=1,
    max_size=20,
)


def grouped_of(rows):
    kind = np.array([kind for kind, _, _ in rows])
    text = np.array([text for _, text, _ in rows])
    values = np.array([value for _, _, value in rows], dtype=float)
    one, other = kind == "content", kind == "function"
    return Grouped(one, other, text, np.arange(len(rows))), values


def all_pairs(grouped, values):
    """(one, other, who wins) of every pair, in plain loops."""
    for i in np.flatnonzero(grouped.one):
        for j in np.flatnonzero(grouped.other):
            if grouped.text[i] == grouped.text[j] and not np.isnan(values[i] + values[j]):
                tied = abs(values[i] - values[j]) <= TIED * abs(values[i])
                yield i, j, 0.5 if tied else float(values[i] > values[j])


@given(some_tokens)
@settings(max_examples=50)
def test_auc_and_influences_are_those_of_plain_loops(rows):
    grouped, values = grouped_of(rows)
    pairs = list(all_pairs(grouped, values))
    found = within_auc(grouped, values)
    assert found.pairs == len(pairs)
    if not pairs:
        assert np.isnan(found.value)
        assert np.isnan(found.contributions).all()
        return
    assert found.value == pytest.approx(np.mean([wins for _, _, wins in pairs]))
    influence, weight = np.zeros(len(values)), np.zeros(len(values))
    for i, j, wins in pairs:
        influence[[i, j]] += (wins - found.value) / len(pairs)
        weight[[i, j]] += 1
    np.testing.assert_array_equal(found.weight, weight)
    np.testing.assert_allclose(
        found.contributions, np.where(weight > 0, influence, np.nan), atol=1e-12
    )
    assert found.texts == len({grouped.text[i] for i, _, _ in pairs})


def test_one_text_is_the_auc_of_scikit_learn_and_of_the_package():
    tokens, random = random_tokens(1, texts=1, mean=200)
    one, values = tokens.kind == "content", np.round(random.normal(size=len(tokens)), 1)
    found = within_auc(Grouped(one, ~one, tokens.text, tokens.type), values).value
    assert found == pytest.approx(auc(values[one], values[~one]))
    assert found == pytest.approx(roc_auc_score(one, values))


def test_values_within_a_millionth_are_tied():
    one, text = np.array([True, False]), np.zeros(2, dtype=int)
    of = Grouped(one, ~one, text, np.arange(2))
    assert within_auc(of, np.array([20.0, 20.0 + 1e-5])).value == 0.5
    assert within_auc(of, np.array([20.0, 20.0 + 1e-4])).value == 0.0


def test_the_level_of_a_text_changes_nothing():
    tokens, random = random_tokens(2)
    one, values = tokens.kind == "content", random.normal(size=len(tokens))
    of = Grouped(one, ~one, tokens.text, tokens.type)
    moved = values + 100 * tokens.text
    assert within_auc(of, moved).value == pytest.approx(within_auc(of, values).value, abs=1e-3)


@given(some_tokens)
@settings(max_examples=30)
def test_standing_gives_the_auc_of_any_division_into_kinds(rows):
    grouped, values = grouped_of([row for row in rows if row[2] == row[2]] or [("", 0, 1)])
    stands = standing(values, grouped.text)
    everyone = Grouped(grouped.one, ~grouped.one, grouped.text, grouped.type_)
    found = within_auc(everyone, values)
    if found.pairs:
        expected = 0.5 + stands[everyone.one].sum() / found.pairs
        assert found.value == pytest.approx(expected)


def test_a_difference_of_a_score_and_itself_is_none():
    tokens, random = random_tokens(3)
    one = tokens.kind == "content"
    of = Grouped(one, ~one, tokens.text, tokens.type)
    first, second = (within_auc(of, random.normal(size=len(tokens))) for _ in range(2))
    assert difference(first, first) == (0.0, (0.0, 0.0), 1.0)
    effect, (low, high), p = difference(first, second)
    assert effect == first.value - second.value
    assert -1 <= low < effect < high <= 1
    assert 0 < p <= 1
    back, ends, same = difference(second, first)
    assert (back, *ends, same) == pytest.approx((-effect, -high, -low, p))


def test_scores_of_different_tokens_cannot_be_compared():
    tokens, random = random_tokens(4)
    one, values = tokens.kind == "content", random.normal(size=len(tokens))
    of = Grouped(one, ~one, tokens.text, tokens.type)
    lacking = np.where(np.arange(len(tokens)) == 3, np.nan, values)
    with pytest.raises(ActivationFlowError, match="same tokens"):
        difference(within_auc(of, values), within_auc(of, lacking))


def test_a_token_of_both_kinds_is_refused():
    both = np.array([True])
    with pytest.raises(ActivationFlowError, match="overlap"):
        Grouped(both, both, np.array([0]), np.array([0]))


def test_a_row_of_a_table_leaves_out_what_is_not_known():
    tokens, random = random_tokens(5)
    values = random.normal(size=len(tokens))
    lacking = np.where(np.arange(len(tokens)) % 3 == 0, np.nan, values)
    row = auc_row(lacking, tokens)
    known = ~np.isnan(lacking)
    one = tokens.kind == "content"
    assert row.pooled == pytest.approx(roc_auc_score(one[known], values[known]))
    assert row.tokens <= known.sum()
    assert row.interval[0] < row.auc < row.interval[1]
    assert (row.p < 0.05) == (not row.interval[0] <= 0.5 <= row.interval[1])
    nothing = auc_row(np.full(len(tokens), np.nan), tokens)
    assert (nothing.auc, nothing.interval, nothing.p, nothing.tokens) == (None, None, None, 0)


def test_texts_count_each_pair_once_and_types_each_token():
    kinds = ["content", "function", "function", "content", "function"]
    tokens = audit_tokens(kinds, [0, 0, 0, 1, 1], [0, 1, 2, 3, 4])
    one = tokens.kind == "content"
    found = within_auc(Grouped(one, ~one, tokens.text, tokens.type), np.array([2.0, 1, 3, 1, 2]))
    assert found.value == 1 / 3  # one of two pairs, none of one
    # Without the first text 0, without the second 1/2: by hand.
    moved = np.array([1 / 3 - 0, 1 / 3 - 1 / 2])
    alone = crossed(
        found.contributions, tokens.text, np.arange(5) % 2, weight=found.weight, paired=True
    )
    assert alone.texts == 2
    texts_only = crossed(
        found.contributions / 2, tokens.text, tokens.text, weight=found.weight / 2, paired=False
    )
    assert texts_only.variance == pytest.approx((moved**2).sum())
