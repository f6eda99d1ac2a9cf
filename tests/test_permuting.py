from itertools import combinations

import numpy as np
import pytest
from audited import random_tokens

from activation_flow import permuting
from activation_flow.data import ActivationFlowError
from activation_flow.permuting import pairs_p, share_p
from activation_flow.within import Grouped, standing, within_auc

DRAWS = 4000
NEAR = 4 * 0.5 / np.sqrt(DRAWS)  # four standard errors of a share, at most


def few_types(seed):
    """Eight types, so that all 70 ways to deal four kinds out can be counted."""
    tokens, random = random_tokens(seed, texts=6, types=8, mean=6)
    kinds = np.array([(tokens.kind == "content")[tokens.type == t].any() for t in range(8)])
    return tokens, random.normal(size=len(tokens)), kinds


def deals(kinds):
    for chosen in combinations(range(len(kinds)), int(kinds.sum())):
        yield np.isin(np.arange(len(kinds)), chosen)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_p_of_an_auc_is_that_of_all_deals(seed):
    tokens, values, kinds = few_types(seed)

    def found(of_type):
        one = of_type[tokens.type]
        auc = within_auc(Grouped(one, ~one, tokens.text, tokens.type), values)
        pairs_of_types = np.bincount(tokens.type, auc.weight)
        return (auc.value - 0.5) * auc.pairs / np.sqrt((pairs_of_types**2).sum())

    exact = np.mean([not found(deal) < found(kinds) - 1e-9 for deal in deals(kinds)])
    kernel, one = standing(values, tokens.text), kinds[tokens.type]
    p = pairs_p(kernel, one, tokens.text, tokens.type, draws=DRAWS)
    assert p == pytest.approx(exact, abs=NEAR)


def test_p_of_a_share_is_that_of_all_deals():
    tokens, values, kinds = few_types(5)
    high = values > 0.3
    sizes = np.bincount(tokens.type, minlength=8)

    def found(of_type):
        one = of_type[tokens.type]
        shares = [(sizes[side] / sizes[side].sum()) ** 2 for side in (of_type, ~of_type)]
        return (high[one].mean() - high[~one].mean()) / np.sqrt(np.concatenate(shares).sum())

    exact = np.mean([found(deal) >= found(kinds) - 1e-9 for deal in deals(kinds)])
    p = share_p(high, kinds[tokens.type], tokens.type, draws=DRAWS)
    assert p == pytest.approx(exact, abs=NEAR)


def test_scores_share_the_draws_and_pieces_of_them_change_nothing(monkeypatch):
    tokens, random = random_tokens(4)
    one = tokens.kind == "content"
    kernels = np.stack([standing(random.normal(size=len(one)), tokens.text) for _ in range(3)])
    rest = (one, tokens.text, tokens.type)
    together = pairs_p(kernels, *rest, draws=300, seed=7)
    np.testing.assert_array_equal(
        [pairs_p(k, *rest, draws=300, seed=7)[0] for k in kernels], together
    )
    monkeypatch.setattr(permuting, "CELLS", 1000)
    np.testing.assert_array_equal(pairs_p(kernels, *rest, draws=300, seed=7), together)
    assert (pairs_p(kernels, *rest, draws=300, seed=8) != together).any()


def test_what_nothing_beats_has_the_smallest_p_and_what_all_reach_has_one():
    tokens, _ = random_tokens(5)
    one = tokens.kind == "content"
    best = standing(one.astype(float), tokens.text)
    assert pairs_p(best, one, tokens.text, tokens.type, draws=99) == [1 / 100]
    assert pairs_p(0 * best, one, tokens.text, tokens.type, draws=99) == [1.0]
    assert share_p(np.ones(len(one)), one, tokens.type, draws=99) == [1.0]


def test_kinds_are_dealt_to_types_not_to_tokens():
    """One frequent word of a kind is one piece of evidence, however often it stands there."""
    type_ = np.array([0, 1] * 50 + [2, 3])
    one = type_ % 2 == 0
    text = np.repeat(np.arange(51), 2)
    p = pairs_p(standing(one.astype(float), text), one, text, type_, draws=DRAWS)
    assert p[0] == pytest.approx(1 / 6, abs=NEAR)  # one of six deals


def test_a_type_of_two_kinds_is_refused():
    with pytest.raises(ActivationFlowError, match="two kinds"):
        share_p(np.ones(2), np.array([True, False]), np.array([0, 0]))
