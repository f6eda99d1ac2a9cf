import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from activation_flow.claim_tests_salient import in_text, salient_above_others
from activation_flow.data import ActivationFlowError


def words(seed, texts=40, types=60, per_text=9):
    """Strengths, salient, other, frequencies, texts and types: salient types are every fifth."""
    random = np.random.default_rng(seed)
    text = np.repeat(np.arange(texts), per_text)
    type_ = random.integers(0, types, len(text))
    content = random.random(len(text)) < 0.7
    salient = content & (type_ % 5 == 0)
    values = random.normal(size=len(text)) + random.normal(size=texts)[text]
    frequency = -np.log(1.0 + type_)
    return values, salient, content & ~salient, frequency, text, type_


def of_pairs(values, salient, other, frequency, text):
    """The AUC by going through all pairs; and how many of all of them are of one tenth."""
    standard = np.full(len(values), np.nan)
    for one in set(text):
        here = (text == one) & ~np.isnan(values)
        if here.any() and np.ptp(values[here]) > 0:
            standard[here] = (values[here] - values[here].mean()) / values[here].std()
    part = (salient | other) & ~np.isnan(standard) & ~np.isnan(frequency)
    edges = [np.quantile(frequency[part], k / 10) for k in range(1, 10)]
    tenth = [sum(edge < one for edge in edges) for one in frequency]
    won, same, every = 0.0, 0, 0
    for i in np.flatnonzero(salient & part):
        for j in np.flatnonzero(other & part):
            every += 1
            if tenth[i] == tenth[j]:
                same += 1
                won += (standard[i] > standard[j]) + (standard[i] == standard[j]) / 2
    return won / same, same, every


@given(st.integers(0, 10**6))
@settings(max_examples=8, deadline=None)
def test_it_is_the_share_of_pairs_of_a_tenth_that_the_salient_win(seed):
    values, salient, other, frequency, text, type_ = words(seed, texts=25)
    random = np.random.default_rng(seed)
    values = np.where(random.random(len(text)) < 0.05, np.nan, np.round(values, 1))
    values[text == 3] = 2.5
    frequency = np.where(random.random(len(text)) < 0.1, np.nan, frequency)
    found = salient_above_others(values, salient, other, frequency, text, type_)
    won, same, every = of_pairs(values, salient, other, frequency, text)
    assert found.tested.effect == pytest.approx(won)
    assert found.kept == pytest.approx(same / every)
    assert found.tested.n["pairs"] == same
    unknown = (salient | other) & np.isnan(frequency) & ~np.isnan(values) & (text != 3)
    assert found.tested.n["left out"] == unknown.sum()


def test_the_error_is_that_of_leaving_out_texts_where_no_word_recurs():
    *of_words, text, _ = words(1, texts=80)

    def auc(part):
        kept = (array[part] for array in (*of_words, text))
        return salient_above_others(*kept, np.arange(part.sum())).tested

    found = auc(text >= 0)
    moved = [auc(text != one).effect - found.effect for one in range(80)]
    error = np.sqrt(np.square(moved).sum())
    expected = scipy_stats.norm.sf((found.effect - 0.5) / error)
    assert found.p == pytest.approx(expected, abs=0.05)
    assert np.diff(found.interval) == pytest.approx(3.92 * error, rel=0.15)


def test_words_that_recur_make_it_wider():
    values, salient, other, frequency, text, type_ = words(2)
    values = values + np.random.default_rng(3).normal(0, 2, 60)[type_]
    narrow = salient_above_others(values, salient, other, frequency, text, np.arange(len(text)))
    found = salient_above_others(values, salient, other, frequency, text, type_)
    assert found.tested.effect == narrow.tested.effect
    assert np.diff(found.tested.interval) > 1.3 * np.diff(narrow.tested.interval)


def test_what_is_stronger_is_found_and_what_is_weaker_is_not():
    values, salient, other, *rest = words(4)
    for sign in (1, -1):
        found = salient_above_others(values + 2 * sign * salient, salient, other, *rest).tested
        assert (found.p < 1e-4) if sign > 0 else (found.p > 1 - 1e-4)
        assert (found.interval[0] > 0.5) == (sign > 0)
    assert found.method == "Student's t over texts and word types"
    assert found.n["salient"] == salient.sum()


def test_frequency_alone_is_little_within_tenths():
    _, salient, other, _, text, type_ = words(5, types=2000)
    frequency = -type_ / 100 + 3.0 * salient
    found = salient_above_others(frequency, salient, other, frequency, text, type_)
    plain = salient_above_others(frequency, salient, other, 0 * frequency, text, type_)
    assert abs(found.tested.effect - 0.5) < 0.5 * abs(plain.tested.effect - 0.5)
    assert plain.kept == 1


def test_neither_the_level_nor_the_scale_of_a_text_matters():
    values, *rest, text, type_ = words(6)
    random = np.random.default_rng(0)
    other = values * random.uniform(0.5, 3, 40)[text] + random.normal(0, 50, 40)[text]
    found = salient_above_others(values, *rest, text, type_).tested
    assert salient_above_others(other, *rest, text, type_).tested == found


def test_a_rival_is_compared_on_the_same_words():
    values, salient, other, *rest = words(7)
    rival = np.where(np.random.default_rng(1).random(len(values)) < 0.2, np.nan, values[::-1])
    found = salient_above_others(values + 2 * salient, salient, other, *rest, rival=rival)
    assert found.difference == pytest.approx(found.tested.effect - found.rival)
    assert 0 < found.difference_interval[0] < found.difference < found.difference_interval[1]
    back = salient_above_others(rival, salient, other, *rest, rival=values + 2 * salient)
    assert back.difference == pytest.approx(-found.difference)
    assert back.tested.effect == pytest.approx(found.rival)
    same = salient_above_others(values, salient, other, *rest, rival=3 * values)
    assert (same.difference, same.difference_interval) == (0, (0, 0))
    alone = salient_above_others(values, salient, other, *rest)
    assert (alone.rival, alone.difference, alone.difference_interval) == (None, None, None)


def test_too_few_are_not_tested():
    values, salient, other, frequency, text, type_ = words(8)

    def missing(salient=salient, other=other, frequency=frequency, values=values):
        found = salient_above_others(values, salient, other, frequency, text, type_)
        assert found.tested.effect is found.kept is None
        return found.tested.missing

    few = "a salient word of known frequency; it takes 10"
    texts = np.unique(text[salient])
    assert missing(salient & (text <= texts[8])) == f"9 texts have {few}"
    assert missing(salient & (text == texts[0])) == f"1 text has {few}"
    assert missing(frequency=np.full(len(text), np.nan)) == f"0 texts have {few}"
    assert missing(values=np.ones(len(text))) == f"0 texts have {few}"
    four = "4 different salient words; it takes 5"
    assert missing((salient | other) & (type_ < 4), other & (type_ >= 4)) == four
    assert missing(other=other & (type_ < 5)) == "4 different other content words; it takes 5"
    apart = np.where(salient, -1.0, 1.0)
    assert missing(frequency=apart).startswith("no salient and other content word are of the same")


def test_no_word_can_be_both():
    values, salient, other, *rest = words(9)
    with pytest.raises(ActivationFlowError, match="masks overlap"):
        salient_above_others(values, salient, other | salient, *rest)


def test_a_text_of_one_level_has_no_standard_deviation():
    values = np.array([5.0, 5.0, 5.0, 1e9, 1e9 + 1, np.nan, 7.0])
    found = in_text(values, np.array([0, 0, 0, 1, 1, 1, 2]))
    assert np.isnan(found[[0, 1, 2, 5, 6]]).all()
