"""Formulas of plausibility: beside scikit-learn, and beside every order that ties leave open."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, precision_recall_curve

from activation_flow import plausibility
from activation_flow.plausibility import Ranked, expected_precision

# Few values, so that many are tied; 2.0 and 2.0 + 1e-9 are, too, and 2.00001 is not.
VALUES = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 2.0 + 1e-9, 2.00001])


def ranked(scores, marked, text=None):
    text = np.zeros(len(scores), dtype=int) if text is None else np.asarray(text)
    return Ranked(scores=np.asarray(scores, float), marked=np.asarray(marked, bool), text=text)


def orders(scores):
    """Every order of the words, high first, that differs from the scores in ties only."""
    for order in permutations(range(len(scores))):
        falling = [scores[k] for k in order]
        if all(a >= b - 1e-6 * abs(b) for a, b in pairwise(falling)):
            yield order


def plain(marked, order):
    """AP, F1 and overlap of the first m, by counting."""
    m = sum(marked)
    seen, precisions = 0, []
    for place, k in enumerate(order, 1):
        if marked[k]:
            seen += 1
            precisions.append(seen / place)
    first, wanted = {*order[:m]}, {k for k, mark in enumerate(marked) if mark}
    iou = len(first & wanted) / len(first | wanted)
    return sum(precisions) / m, len(first & wanted) / m, float(iou >= 0.5)


@st.composite
def texts(draw, most=6):
    """A few texts of a few words each, with a marked word in each."""
    made = []
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, most))
        marked = draw(st.lists(st.booleans(), min_size=n, max_size=n).filter(any))
        made.append((draw(st.lists(VALUES, min_size=n, max_size=n)), marked))
    return made


def rounded(made):
    """So that what is tied here is equal, as scikit-learn has it."""
    return [([round(score, 5) for score in scores], marked) for scores, marked in made]


def together(made):
    return ranked(
        np.concatenate([scores for scores, _ in made]),
        np.concatenate([marked for _, marked in made]),
        np.repeat(np.arange(len(made)), [len(marked) for _, marked in made]),
    )


@settings(max_examples=25)
@given(texts())
def test_ties_are_the_mean_over_all_their_orders(made):
    of = together(made)
    found = [plausibility.average_precision, plausibility.f1_first, plausibility.overlaps]
    found = np.array([formula(of) for formula in found])
    for k, (scores, marked) in enumerate(made):
        wanted = np.mean([plain(marked, order) for order in orders(scores)], axis=0)
        assert found[:, k] == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=25)
@given(st.permutations(range(12)), st.lists(st.booleans(), min_size=12, max_size=12).filter(any))
def test_scikit_learn_finds_the_same_without_ties(scores, marked):
    of = ranked(scores, marked)
    wanted = average_precision_score(marked, scores)
    assert plausibility.average_precision(of)[0] == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=25)
@given(texts(most=12).map(rounded))
def test_the_area_is_that_of_scikit_learn_with_ties(made):
    found = plausibility.auprc(together(made))
    for k, (scores, marked) in enumerate(made):
        precision, recall, _ = precision_recall_curve(marked, scores)
        assert found[k] == pytest.approx(auc(recall, precision), abs=1e-12)


@settings(max_examples=25)
@given(texts(most=12))
def test_f1_of_high_words_is_that_of_a_plain_loop(made):
    found = plausibility.f1_high(together(made))
    for k, (scores, marked) in enumerate(made):
        high = np.asarray(scores) > np.quantile(scores, 0.75, method="midpoint")
        both = sum(h and m for h, m in zip(high, marked, strict=True))
        assert found[k] == pytest.approx(2 * both / (sum(high) + sum(marked)))


@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_chance_is_the_mean_over_all_orders(n):
    for m in range(1, n + 1):
        marked = [k < m for k in range(n)]
        every = np.mean([plain(marked, order)[0] for order in permutations(range(n))])
        chance = expected_precision(np.array([n]), np.array([m]))[0]
        assert chance == pytest.approx(every, abs=1e-12)
        # A score that says nothing has exactly what chance gives.
        nothing = plausibility.average_precision(ranked(np.full(n, 3.0), marked))[0]
        assert nothing == pytest.approx(every, abs=1e-12)


def test_figures_of_the_design():
    assert expected_precision(np.array([14]), np.array([2]))[0] == pytest.approx(0.291, abs=5e-4)


def test_without_a_marked_word_there_is_no_number():
    of = ranked([1.0, 2.0, 3.0], [False, False, True], text=[0, 0, 1])
    for name in ("average_precision", "auprc", "f1_first", "f1_high", "overlaps"):
        found = getattr(plausibility, name)(of)
        assert np.isnan(found[0])
        assert not np.isnan(found[1])
    assert np.isnan(expected_precision(np.array([2]), np.array([0]))[0])


def test_a_score_that_says_nothing_has_a_large_area_all_the_same():
    """Why tables are ordered by AP: trapezoids from the point (0, 1) reward ties."""
    of = ranked(np.zeros(20), [k == 0 for k in range(20)])
    assert plausibility.auprc(of)[0] == pytest.approx((1 + 1 / 20) / 2)
    assert plausibility.average_precision(of)[0] < 0.2


def test_a_thousand_texts_and_twenty_scores_take_no_time():
    random = np.random.default_rng(0)
    text = np.repeat(np.arange(1000), 15)
    marked = random.random(len(text)) < 0.2
    for _ in range(20):
        of = ranked(random.integers(0, 5, len(text)), marked, text)
        each = plausibility.average_precision(of), plausibility.overlaps(of)
        assert all(len(one) == 1000 for one in each)
