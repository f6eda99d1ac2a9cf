import numpy as np
import pytest
from audited import audit_tokens, random_tokens
from scipy import stats as scipy_stats
from scipy.optimize import brentq

from activation_flow.claim_tests_skew import right_skew


def of_texts(tokens, strength, without=None):
    """g1 of each text, as scipy has it, without the tokens of a type."""
    found = {}
    for text in range(tokens.n_texts):
        here = strength[(tokens.text == text) & (tokens.type != without)]
        if len(here) >= 3:
            found[text] = scipy_stats.skew(here)
    return found


@pytest.fixture(scope="module")
def corpus():
    tokens, random = random_tokens(0, types=30)
    return tokens, 20 + np.exp(random.normal(size=len(tokens)))


def test_skewness_is_scipys(corpus):
    tokens, strength = corpus
    own = list(of_texts(tokens, strength).values())
    found = right_skew(tokens, strength)
    assert found.tested.effect == pytest.approx(np.mean(own))
    assert found.positive == pytest.approx(np.mean(np.array(own) > 0))
    assert found.pooled == pytest.approx(scipy_stats.skew(strength))
    assert found.tested.p < 0.01
    assert found.tested.interval[0] > 0
    assert found.tested.n["texts"] == 40


def test_its_variance_is_that_of_leaving_out_texts_and_types(corpus):
    tokens, strength = corpus
    own = np.array(list(of_texts(tokens, strength).values()))
    n = len(own)
    by_text = ((own - own.mean()) ** 2).sum() / (n - 1) ** 2
    by_type = by_cell = 0.0
    for type_ in np.unique(tokens.type):
        left = of_texts(tokens, strength, without=type_)
        moved = [(own[text] - left[text]) / n for text in left]
        by_type += sum(moved) ** 2
        by_cell += np.square(moved).sum()
    found = right_skew(tokens, strength).tested
    error = np.sqrt(by_text + max(0.0, by_type - by_cell))
    half = (found.interval[1] - found.interval[0]) / 2
    degrees = brentq(lambda df: scipy_stats.t.ppf(0.975, df) * error - half, 1, 100)
    assert found.p == pytest.approx(scipy_stats.t.sf(found.effect / error, degrees))


def test_the_mirror_image_is_skewed_the_other_way(corpus):
    tokens, strength = corpus
    found, other = right_skew(tokens, strength), right_skew(tokens, 50 - strength)
    assert other.tested.effect == pytest.approx(-found.tested.effect)
    assert other.tested.p == pytest.approx(1 - found.tested.p)
    assert other.positive == pytest.approx(1 - found.positive)


def test_special_tokens_short_and_flat_texts_are_left_out(corpus):
    tokens, strength = corpus
    n = len(tokens)
    more = audit_tokens(
        np.concatenate([tokens.kind, ["special", "content", "content"], ["content"] * 3]),
        np.concatenate([tokens.text, [0, 40, 40], [41] * 3]),
        np.arange(n + 6) % 30,
    )
    same = audit_tokens(tokens.kind, tokens.text, np.arange(n) % 30)
    found = right_skew(more, np.concatenate([strength, [9e9, 1, 2], [21.3] * 3]))
    assert found.tested.n["left out"] == 2
    assert found.tested.effect == pytest.approx(right_skew(same, strength).tested.effect)


def test_too_little_is_not_tested():
    tokens, random = random_tokens(1, texts=9)
    found = right_skew(tokens, random.normal(size=len(tokens)))
    assert found.tested.missing == "9 texts have 3 tokens of different strength; it takes 10"
    assert found.positive is None
    tokens, random = random_tokens(2, types=4)
    found = right_skew(tokens, random.normal(size=len(tokens)))
    assert found.tested.missing == "4 different word types; it takes 5"
