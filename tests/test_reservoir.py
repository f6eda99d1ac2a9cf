"""A sample of a stream: of the right size, in order, and every subset as likely as any other."""

from collections import Counter
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from activation_flow.reservoir import Reservoir


def sample(stream: range, size: int, seed: int) -> list[int]:
    reservoir: Reservoir[int] = Reservoir(size, seed)
    for item in stream:
        reservoir.add(item)
    assert reservoir.seen == len(stream)
    return reservoir.items()


@given(n=st.integers(0, 40), size=st.integers(1, 20), seed=st.integers(0, 5))
def test_so_many_different_items_in_order_and_the_same_ones_again(n, size, seed):
    found = sample(range(n), size, seed)
    assert len(found) == min(n, size)
    assert found == sorted({*found})
    assert {*found} <= {*range(n)}
    assert found == sample(range(n), size, seed)


def test_every_subset_is_as_likely_as_any_other():
    seen = Counter(tuple(sample(range(6), 3, seed)) for seed in range(4000))
    counts = [seen[subset] for subset in combinations(range(6), 3)]
    assert sum(counts) == 4000
    assert stats.chisquare(counts).pvalue > 0.001
