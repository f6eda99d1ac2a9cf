import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from activation_flow.multiplicity import benjamini_hochberg, holm

p_values = st.lists(st.none() | st.floats(0, 1), max_size=12)
both = pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])


def holm_by_definition(p):
    """Step down: the i-th smallest, times how many are not smaller, and none below its elders."""
    found = []
    for value in p:
        smaller = sorted(p)[: sorted(p).index(value) + p.count(value)]
        steps = [min(1.0, (len(p) - i) * other) for i, other in enumerate(smaller)]
        found.append(max(steps))
    return found


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
@settings(max_examples=50)
def test_holm_is_the_step_down_of_its_definition(p):
    assert holm(p) == pytest.approx(holm_by_definition(p))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
@settings(max_examples=50)
def test_benjamini_hochberg_is_what_scipy_says(p):
    assert benjamini_hochberg(p) == pytest.approx(false_discovery_control(p))


@both
@given(p=p_values)
@settings(max_examples=50)
def test_none_stays_none_and_does_not_count(adjust, p):
    found = adjust(p)
    assert [value is None for value in found] == [value is None for value in p]
    tested = [value for value in p if value is not None]
    assert [value for value in found if value is not None] == adjust(tested)


@both
@given(p=st.lists(st.floats(0, 1), max_size=10), order=st.randoms())
@settings(max_examples=50)
def test_adjusted_values_are_larger_in_order_and_blind_to_places(adjust, p, order):
    found = adjust(p)
    assert all(before <= after <= 1 for before, after in zip(p, found, strict=True))
    ranked = [found[i] for i in np.argsort(p, kind="stable")]
    assert ranked == sorted(ranked)
    places = list(range(len(p)))
    order.shuffle(places)
    assert adjust([p[i] for i in places]) == [found[i] for i in places]
