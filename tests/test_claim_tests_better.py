import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from activation_flow.claim_tests_better import Measure, better_than_attention
from activation_flow.text_means import mean_over_texts, share_of_chosen, share_of_marked


def made(seed, texts=40, types=30, words=6):
    """A number per text, and shares, texts and types of its words."""
    random = np.random.default_rng(seed)
    text = np.repeat(np.arange(texts), words)
    type_ = random.integers(0, types, len(text))
    share = random.random(len(text)) * (random.random(len(text)) < 0.7)
    numbers = random.normal(0.3, 1, texts) + np.bincount(text, random.normal(size=types)[type_])
    return numbers, share, text, type_


def measure(numbers, share, text, type_, name="made"):
    return Measure(name=name, per_text=numbers, share=share, unit_text=text, unit_type=type_)


@pytest.mark.parametrize("words", [1, 5])
def test_without_words_that_recur_it_is_students_t_of_the_texts(words):
    numbers, _, text, _ = made(0, words=words)
    found = mean_over_texts(numbers, np.ones(len(text)), text, np.arange(len(text)))
    plain = scipy_stats.ttest_1samp(numbers, 0, alternative="greater")
    assert found.value == pytest.approx(numbers.mean())
    assert found.p == pytest.approx(plain.pvalue)
    both = scipy_stats.ttest_1samp(numbers, 0).confidence_interval(0.95)
    assert found.interval == pytest.approx(tuple(both))
    assert found.spread.degrees == pytest.approx(39)
    assert (found.texts, found.spread.types) == (40, 40 * words)


def test_texts_of_one_word_each_are_as_many_observations_as_types():
    random = np.random.default_rng(1)
    type_ = np.repeat(np.arange(50), 8)
    numbers = random.normal(size=50)[type_]
    found = mean_over_texts(numbers, np.ones(400), np.arange(400), type_)
    assert found.spread.error == pytest.approx(scipy_stats.sem(numbers[::8]), rel=0.03)
    assert found.spread.degrees == pytest.approx(49, rel=0.25)


def test_what_types_add_are_products_of_texts_that_share_a_word():
    numbers, share, text, type_ = made(2)
    apart, error = numbers - numbers.mean(), numbers.var(ddof=1) / 40
    parts = np.zeros((40, 30))
    for one in range(len(text)):
        parts[text[one], type_[one]] += share[one] / share[text == text[one]].sum()
    added = 0.0
    for one in range(30):
        told = [parts[this, one] / np.square(parts[this]).sum() for this in range(40)]
        mine = parts[:, one] - parts[:, one].mean()  # what the type does to the deviations
        known = np.dot(told, mine) / parts[:, one].sum()
        known = max(known, 0.5)
        for this in range(40):
            for that in set(range(40)) - {this}:
                product = apart[this] * apart[that] / 1600 + error / 1600
                added += told[this] * told[that] * product / known**2
    expected = error + added
    assert expected > 1.2 * error
    assert mean_over_texts(numbers, share, text, type_).spread.variance == pytest.approx(expected)


def test_the_error_is_what_other_texts_and_words_move_the_mean_by():
    """Over 200 corpora whose words follow one law and are all there is to their numbers."""
    random = np.random.default_rng(3)
    law = 1 / np.arange(3, 303)
    means, errors = [], []
    for _ in range(200):
        text = np.repeat(np.arange(80), 9)
        type_ = random.choice(300, len(text), p=law / law.sum())
        part = random.normal(size=300)[type_] + random.normal(size=len(text))
        found = mean_over_texts(np.bincount(text, part) / 9, np.ones(len(text)), text, type_)
        means.append(found.value)
        errors.append(found.spread.variance)
    assert np.sqrt(np.mean(errors)) / np.std(means) == pytest.approx(1, abs=0.15)
    assert np.std(means) > 1.5 * np.sqrt(2 / 9 / 80)  # that of independent texts


@given(st.permutations(range(20)), st.lists(st.floats(0.1, 10), min_size=20, max_size=20))
@settings(max_examples=30)
def test_neither_order_nor_names_nor_the_unit_of_a_texts_shares_matter(order, scale):
    numbers, share, text, type_ = made(4, texts=20)
    order, scale = np.array(order), np.array(scale)
    place = np.argsort(order)  # of each text in the other order
    other = mean_over_texts(
        numbers[order], (share * scale[text])[::-1], place[text][::-1], 90 - 3 * type_[::-1]
    )
    found = mean_over_texts(numbers, share, text, type_)
    assert other.p == pytest.approx(found.p)
    assert other.interval == pytest.approx(found.interval)


def test_a_text_whose_words_have_no_share_is_a_text():
    numbers, share, text, type_ = made(5)
    share[text == 7] = 0
    numbers[7] = 0
    found = mean_over_texts(numbers, share, text, type_)
    part = text != 7
    none_of_it = mean_over_texts(numbers, share[part], text[part], type_[part])
    assert found == none_of_it
    assert found.texts == found.spread.texts == 40
    assert found.value == pytest.approx(numbers.mean())


def test_a_text_without_a_number_is_not_there():
    numbers, share, text, type_ = made(6)
    lacking = np.where(np.arange(40) % 3 == 0, np.nan, numbers)
    part = text % 3 != 0
    text_number = text[part] - text[part] // 3 - 1
    rest = mean_over_texts(numbers[np.arange(40) % 3 != 0], share[part], text_number, type_[part])
    assert mean_over_texts(lacking, share, text, type_) == rest
    assert rest.texts == 26


def test_too_few_say_nothing():
    nothing = mean_over_texts(np.array([np.nan]), np.ones(2), np.zeros(2, int), np.arange(2))
    assert (nothing.value, nothing.interval, nothing.p, nothing.texts) == (None, None, None, 0)
    one = mean_over_texts(np.array([2.0]), np.ones(2), np.zeros(2, int), np.arange(2))
    assert (one.value, one.p, one.texts) == (2, 1, 1)
    same = mean_over_texts(np.arange(9.0), np.ones(9), np.arange(9), np.zeros(9, int))
    assert (same.interval, same.p) == ((-np.inf, np.inf), 1)
    alike = mean_over_texts(np.zeros(9), np.zeros(9), np.arange(9), np.arange(9))
    assert (alike.value, alike.p, alike.spread.types) == (0, 1, 0)


def test_an_interval_stays_within_its_bounds():
    numbers = np.array([1.0] * 19 + [0.9])
    words = np.arange(20)
    low, high = mean_over_texts(numbers, np.ones(20), words, words, bounds=(0, 1)).interval
    assert 0.9 < low < numbers.mean() < high <= 1
    assert mean_over_texts(numbers, np.ones(20), words, words).interval[1] > 1


def test_the_measure_with_the_larger_p_decides():
    numbers, share, text, type_ = made(7)
    weak, strong = (measure(numbers + by, share, text, type_, str(by)) for by in (1, 9))
    alone = better_than_attention([weak])
    for both in ([weak, strong], [strong, weak]):
        found = better_than_attention(both)
        assert found.tested == alone.tested
        assert found.measure == "1"
        assert [mean.value for mean in found.means] == [one.per_text.mean() for one in both]
    mean = mean_over_texts(weak.per_text, share, text, type_)
    assert (found.tested.effect, found.tested.interval) == (mean.value, mean.interval)
    assert found.tested.p == mean.p > better_than_attention([strong]).tested.p
    assert found.tested.n == {"texts": 40, "types": mean.spread.types}
    assert found.tested.method == "Student's t over texts and word types"


def test_a_measure_that_cannot_be_tested_leaves_it_to_the_other():
    numbers, share, text, type_ = made(8)
    good = measure(numbers, share, text, type_)
    few = measure(np.where(np.arange(40) < 9, numbers, np.nan), share, text, type_, "marks")
    for measures in ([good, few], [few, good]):
        found = better_than_attention(measures)
        assert found.tested == better_than_attention([good]).tested
        assert (found.measure, len(found.means)) == ("made", 2)
        assert found.lacking == {"marks": "9 texts have a number; it takes 10"}
    types = measure(numbers, share, text, type_ % 4, "removal")
    found = better_than_attention([types, few])
    assert found.tested.missing == (
        "removal: 4 different word types; it takes 5; marks: 9 texts have a number; it takes 10"
    )
    assert (found.tested.effect, found.measure, len(found.means)) == (None, "", 2)
    assert better_than_attention([]).tested.missing == "nothing was measured"


def test_a_measure_without_numbers_is_told_beside_the_other():
    good = measure(*made(8))
    found = better_than_attention([good], {"removal": "no head"})
    assert found.tested == better_than_attention([good]).tested
    assert found.lacking == {"removal": "no head"}
    none = better_than_attention([], {"removal": "no head", "marks": "no head"})
    assert none.tested.missing == "removal and marks: no head"


def test_shares_of_marked_words_are_a_half_of_each_text():
    random = np.random.default_rng(9)
    text = np.sort(random.integers(0, 12, 90))
    marked = (random.random(90) < 0.3) & (text != 3)
    share = share_of_marked(marked, text)
    for one in set(text):
        here = text == one
        assert share[here & marked].sum() == (pytest.approx(0.5) if (here & marked).any() else 0)
        assert share[here & ~marked].sum() == pytest.approx(0.5)
        assert len(set(share[here])) <= 2


def test_shares_of_chosen_words_are_distances_from_the_texts_mean():
    random = np.random.default_rng(10)
    text, chosen = np.sort(random.integers(0, 12, 90)), random.random(90)
    for one in set(text):
        here = text == one
        expected = [abs(value - np.mean(chosen[here])) for value in chosen[here]]
        assert share_of_chosen(chosen, text)[here] == pytest.approx(expected)
