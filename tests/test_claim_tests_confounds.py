import numpy as np
import pytest
from audited import audit_tokens, random_tokens
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from activation_flow import claim_tests_confounds
from activation_flow.claim_tests_confounds import (
    FOLDS,
    beyond_confounds,
    confounds,
    cross_fitted,
    folds,
    of_fit,
    on_parameters,
    residuals,
    score_p,
    standardised,
)
from activation_flow.within import by_kind, within_auc


@pytest.fixture(scope="module")
def corpus():
    tokens, random = random_tokens(0, texts=80, types=200)
    strength = random.normal(size=200)[tokens.type] - 0.5 * tokens.frequency
    return tokens, strength + 0.3 * random.normal(size=len(tokens))


def test_what_strength_adds_is_the_difference_of_cross_fitted_aucs(corpus):
    tokens, strength = corpus
    found = beyond_confounds(tokens, strength, draws=99, seed=2)
    assert found.tested.method == "99 draws of kinds from the model without strength, seed 2"
    one, fold = tokens.kind == "content", folds(tokens.text, 2)
    base = confounds(tokens, np.ones(len(one), dtype=bool))
    model = LogisticRegression(C=100, tol=1e-10, max_iter=1000)
    aucs = []
    for features in (base, np.hstack([base, standardised(strength[:, None])])):
        odds = cross_val_predict(
            model, features, one, cv=PredefinedSplit(fold), method="decision_function"
        )
        aucs.append(within_auc(by_kind(tokens), odds).value)
    assert (found.base, found.full) == pytest.approx(aucs, abs=1e-4)
    assert found.tested.effect == pytest.approx(found.full - found.base)
    assert found.tested.interval[0] < found.tested.effect < found.tested.interval[1]
    assert found.tested.n["left out"] == 0


def test_what_says_more_is_found_and_a_confound_is_not(corpus):
    tokens, strength = corpus
    more = beyond_confounds(tokens, strength + 2 * (tokens.kind == "content"), draws=99)
    assert more.tested.p == 0.01
    assert more.tested.interval[0] > 0
    copy = beyond_confounds(tokens, -tokens.frequency, draws=99)
    assert abs(copy.tested.effect) < 0.01
    assert copy.tested.p > 0.05


def test_no_text_is_in_two_folds_and_folds_are_of_one_size():
    text = np.repeat(np.arange(13), 3)
    found = folds(text, seed=4)
    assert [len(set(found[text == one])) for one in range(13)] == [1] * 13
    sizes = np.bincount(found)
    assert len(sizes) == FOLDS
    assert sizes.max() - sizes.min() <= 3


def test_what_is_left_of_strength_is_that_of_a_regression_with_a_level_for_each_text(corpus):
    tokens, strength = corpus
    base = confounds(tokens, np.ones(len(tokens), dtype=bool))
    weight = np.random.default_rng(1).random(len(tokens)) + 0.1
    levels = np.eye(tokens.n_texts)[tokens.text]
    design = np.hstack([base, levels])
    model = LinearRegression(fit_intercept=False).fit(design, strength, sample_weight=weight)
    left = residuals(strength, base, weight, tokens.text)
    np.testing.assert_allclose(left, strength - model.predict(design), atol=1e-8)


def test_the_influence_on_parameters_is_what_fitting_without_a_text_does(corpus):
    tokens, strength = corpus
    base = confounds(tokens, np.ones(len(tokens), dtype=bool))
    features, one = np.hstack([base, standardised(strength[:, None])]), tokens.kind == "content"
    model = LogisticRegression(C=100, tol=1e-8, max_iter=1000)
    whole = model.fit(features, one).coef_[0]
    influence = on_parameters(features, one, model.predict_proba(features)[:, 1])
    for text in range(5):
        rest = tokens.text != text
        moved = whole - model.fit(features[rest], one[rest]).coef_[0]
        told = influence[~rest].sum(axis=0)
        assert np.corrcoef(told, moved)[0, 1] > 0.98
        np.testing.assert_allclose(told[told != 0].std(), moved.std(), rtol=0.3)


def test_the_fit_is_of_no_influence_where_one_score_makes_the_order(corpus, monkeypatch):
    tokens, strength = corpus
    monkeypatch.setattr(claim_tests_confounds, "EXCEPTIONS", 0)
    strong = strength + 2 * (tokens.kind == "content")
    alone = of_fit(standardised(strong[:, None]), by_kind(tokens))
    np.testing.assert_array_equal(alone, 0)  # any positive factor gives the same AUC
    base = confounds(tokens, np.ones(len(tokens), dtype=bool))
    assert abs(of_fit(base, by_kind(tokens)).sum()) < 1e-3  # at the best fit scores sum to 0


def test_a_word_type_of_large_influence_is_really_left_out(corpus, monkeypatch):
    tokens, _ = corpus
    monkeypatch.setattr(claim_tests_confounds, "LARGE", 0.0)
    monkeypatch.setattr(claim_tests_confounds, "EXCEPTIONS", 3)
    grouped, everyone = by_kind(tokens), np.ones(len(tokens), dtype=bool)
    features = confounds(tokens, everyone)
    told = of_fit(features, grouped)
    monkeypatch.setattr(claim_tests_confounds, "EXCEPTIONS", 0)
    linear = np.bincount(tokens.type, of_fit(features, grouped))
    model = LogisticRegression(C=100, tol=1e-8, max_iter=1000)

    def auc(rest: np.ndarray) -> float:
        odds = model.fit(features[rest], grouped.one[rest]).decision_function(features)
        return within_auc(grouped, odds).value

    for number in np.argsort(-np.abs(linear))[:3]:
        own = tokens.type == number
        assert told[own].sum() == pytest.approx(auc(everyone) - auc(~own), abs=2e-4)
        assert told[own].sum() != linear[number]


def test_p_is_small_for_the_kind_itself_and_one_for_its_inverse(corpus):
    tokens, _ = corpus
    base = confounds(tokens, np.ones(len(tokens), dtype=bool))
    kind = (tokens.kind == "content").astype(float)
    assert score_p(base, kind, by_kind(tokens), draws=99, seed=0) == 0.01
    assert score_p(base, -kind, by_kind(tokens), draws=99, seed=0) == 1.0


def test_a_fold_without_a_kind_teaches_nothing():
    one, fold = np.array([True, True, False]), np.array([0, 1, 1])
    found = cross_fitted(np.array([[1.0], [2.0], [3.0]]), one, fold)
    assert (found[1:] == 0).all()


def test_what_cannot_be_tested_says_why(corpus):
    tokens, strength = corpus
    unknown = np.where(tokens.text > 8, np.nan, tokens.frequency)
    columns = {"frequency": unknown, "position": tokens.position}
    few = audit_tokens(tokens.kind, tokens.text, tokens.type, **columns)
    assert "9 texts" in beyond_confounds(few, strength).tested.missing
    assert "whose frequency is known" in beyond_confounds(few, strength).tested.missing
    flat = beyond_confounds(tokens, np.ones(len(tokens)))
    assert flat.tested.missing == "all strengths are the same"


def test_tokens_of_unknown_frequency_are_counted(corpus):
    tokens, strength = corpus
    unknown = np.where(np.arange(len(tokens)) % 10 == 0, np.nan, tokens.frequency)
    columns = {"frequency": unknown, "position": tokens.position}
    some = audit_tokens(tokens.kind, tokens.text, tokens.type, **columns)
    found = beyond_confounds(some, strength, draws=9)
    assert found.tested.n["left out"] == np.isnan(unknown).sum()
    assert np.isfinite(found.tested.effect)
