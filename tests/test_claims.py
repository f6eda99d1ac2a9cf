"""The declared claims: each once, in order, and each one judged."""

import string

import pytest

from activation_flow import claims, verdicts
from activation_flow.claim_tests import MIN_TEXTS, MIN_TYPES
from activation_flow.claims import DECLARED, Declared

IDS = tuple(f"C{k}" for k in range(1, 12))


def test_each_once_and_in_order():
    assert tuple(one.id for one in DECLARED) == IDS
    assert len({one.title for one in DECLARED}) == len(IDS)


def test_each_is_judged():
    assert tuple(verdicts._JUDGES) == IDS


@pytest.mark.parametrize("one", DECLARED, ids=lambda one: one.id)
def test_each_says_all(one: Declared):
    for text in (one.title, one.place, one.test, one.rule, one.effect_name):
        assert text == " ".join(text.split())
        assert text
    assert one.test.endswith(".")
    assert one.rule.startswith("supported: p after Holm below 0.05")
    assert one.rule.endswith("else not supported.")
    fields = {field for _, field, *_ in string.Formatter().parse(one.title) if field}
    assert fields <= {"layer", "next"}
    for text in (one.place, one.test, one.rule, one.effect_name):
        assert "{" not in text


def test_what_is_declared_is_what_is_done():
    assert (claims.FEWEST_TEXTS, claims.FEWEST_TYPES) == (MIN_TEXTS, MIN_TYPES)
    rules = {one.id: one.rule for one in DECLARED}
    assert claims.ALPHA == 0.05
    assert f"at least {claims.MARGIN} gained" in rules["C2"]
    assert f"the interval above {claims.CONSISTENTLY} " in rules["C4"]
    assert f"above the {claims.HIGH_PLACE}th percentile" in rules["C7"]
