"""Faithfulness over texts, against the definitions in plain loops; and of an additive output."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import plain_calls
import pytest
from architectures import TEXTS
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import faithful, faithful_rows, heads, outputs, units
from activation_flow.audit_data import AuditTokens, Score
from activation_flow.data import ActivationFlowError
from activation_flow.faithfulness import grid
from activation_flow.outputs import Answer, Question
from activation_flow.tokens import Encoded

MASK = 1
Material = tuple[list[Encoded], AuditTokens, units.Units]


def score(name: str, values: np.ndarray, **more: Any) -> Score:
    return Score(name=name, title=name.upper(), layer=None, values=values, **more)


@pytest.fixture(scope="module")
def pair() -> tuple[Any, Any]:
    return plain_calls.made("embedding")


@pytest.fixture(scope="module")
def encoder(pair: tuple[Any, Any]) -> af.Encoder:
    return af.Encoder.from_pretrained(pair, engine="torch", threads=1)


@pytest.fixture(scope="module")
def material(encoder: af.Encoder) -> Material:
    encoded, _ = encoder.tokenize([*TEXTS, "Alone."])
    tokens = tokens_of(encoded)
    return list(encoded), tokens, units.of_words(encoded, tokens)


@pytest.fixture
def additive(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, np.ndarray]:
    """A model whose output is a sum over tokens, the mask's part 0; and the part of each id."""
    parts = np.random.default_rng(5).exponential(size=2000)
    parts[MASK] = 0

    def ask(_: Any, __: Any, ids: np.ndarray, *___: Any) -> Answer:
        return Answer(parts[ids].sum(axis=1), np.ones((len(ids), 1)), np.ones((len(ids), 1)))

    def held_out(_: Any, one: Encoded, unit: np.ndarray, __: int) -> Question:
        none = np.arange(0)
        return Question(ids=one.text.ids, type_ids=one.type_ids, free=unit >= 0, target_at=none,
                        target_ids=none)  # fmt: skip

    def distance(before: Answer, after: Answer) -> Any:
        return before.f - after.f, 2 * (before.f - after.f)

    for name, fake in (("ask", ask), ("held_out", held_out), ("distance", distance)):
        monkeypatch.setattr(outputs, name, fake)
    headed = SimpleNamespace(kind="embedding", mask_id=MASK, blank_id=MASK, note="a sum")
    return headed, parts


def of_sum(additive: Any, material: Material, scores: list[Score], **more: Any) -> Any:
    options = {"texts": range(5), "orders": 50, "seed": 1, **more}
    return faithful.faithful(additive[0], *material, scores, **options)


def test_of_a_sum_its_parts_are_the_best_order(additive: Any, material: Material) -> None:
    _, tokens, words = material
    parts = additive[1][tokens.id]
    scores = [score("parts", parts, pooling="sum"), score("least", -parts, pooling="sum")]
    found = of_sum(additive, material, [*scores, score("random", parts)])
    assert found.keys == (("parts", None), ("least", None), ("random", None))
    best, least, random = found.normalised
    assert (best >= 1).all()
    assert (least <= 0).all()
    assert (found.normalised_sufficiency[0] <= 0).all()
    assert (found.normalised_sufficiency[1] >= 1).all()
    np.testing.assert_allclose(found.tau[:2], [[1] * 5, [-1] * 5])
    assert abs(found.tau[2]).max() < 0.15
    assert abs(random.mean() - 0.5) < 0.1
    assert (random > 0.2).all()
    assert (random < 0.8).all()
    main, double, deleted, _ = found.moved
    assert [(one.operator, one.main) for one in found.moved] == [
        ("masked", True), ("masked", False), ("deleted", False), ("deleted", False),
    ]  # fmt: skip
    np.testing.assert_allclose(double.comprehensiveness, 2 * main.comprehensiveness)
    np.testing.assert_allclose(deleted.sufficiency[:2], main.sufficiency[:2])
    of_text = found.unit_text == 0
    own = abs(found.chosen[0, of_text] - found.chosen[0, of_text].mean())
    np.testing.assert_allclose(found.share(("parts", None))[of_text], own)
    shares = abs(found.chosen[0] - found.chosen[1])
    np.testing.assert_array_equal(found.share(*found.keys[:2]), shares)
    np.testing.assert_array_equal(found.ahead(*found.keys[:2]), best - least)
    np.testing.assert_array_equal(words.text[found.unit], found.text[found.unit_text])
    np.testing.assert_array_equal(words.type[found.unit], found.unit_type)
    assert "words are masked, and again deleted; the model is a sum" in found.notes[0]
    assert (
        "lowest and highest of 50 random orders of the words of each text, seed 1"
        in (found.notes[1])
    )


def test_bounds_are_those_of_the_random_orders(additive: Any, material: Material) -> None:
    _, tokens, words = material
    found = of_sum(additive, material, [], orders=200, texts=[0])
    each = words.pooled(additive[1][tokens.id], "sum")[words.text == 0]
    ks = grid(len(each))
    source = np.random.default_rng(0)
    drawn = [
        np.mean([each[source.permutation(len(each))[:k]].sum() for k in ks]) for _ in range(4000)
    ]
    (area,) = found.moved[0].comprehensiveness[:, 0]
    assert area == pytest.approx(np.mean(drawn), rel=0.05)
    assert 0.3 < found.normalised[0, 0] < 0.7
    np.testing.assert_allclose(found.chosen[0].sum(), ks.mean())


def test_other_texts_and_their_order_change_nothing(additive: Any, material: Material) -> None:
    _, tokens, _words = material
    values = np.round(additive[1][tokens.id], 1)  # with ties
    told: list[Any] = []
    all_, some, again = (
        of_sum(additive, material, [score("a", values)], texts=texts, watch=watch)
        for texts, watch in (
            (range(5), None),
            ([3, 1], lambda *at: told.append(at)),
            ([1, 3], None),
        )
    )
    assert some.text.tolist() == again.text.tolist() == [1, 3]
    assert told == [(1, 2), (2, 2)]
    for name in ("normalised", "normalised_sufficiency", "tau", "pieces"):
        np.testing.assert_array_equal(getattr(some, name), getattr(all_, name)[:, [1, 3]])
        np.testing.assert_array_equal(getattr(some, name), getattr(again, name))
    # Nor does the place of a text: one more before it, or all the other way round.
    encoded, n = material[0], len(material[0])
    for order in ([0, *range(n)], [*range(n)][::-1]):
        others = [encoded[k] for k in order]
        turned = tokens_of(others)
        moved = np.concatenate([values[tokens.text == k] for k in order])
        found = of_sum(
            additive,
            (others, turned, units.of_words(others, turned)),
            [score("a", moved)],
            texts=[at for at, k in enumerate(order) if k in (1, 3) and at],
        )
        same = {k: found.text.tolist().index(at) for at, k in enumerate(order) if k in (1, 3)}
        for name in ("normalised", "normalised_sufficiency", "tau", "pieces"):
            np.testing.assert_array_equal(
                getattr(found, name)[:, [same[1], same[3]]], getattr(some, name)
            )
    other = of_sum(additive, material, [score("a", values)], seed=2)
    assert (other.normalised != all_.normalised).any()


def test_texts_and_scores_that_cannot_be_judged(additive: Any, material: Material) -> None:
    encoded, tokens, words = material
    values = additive[1][tokens.id]
    holed = values.copy()
    holed[np.flatnonzero((tokens.text == 1) & (words.of_token >= 0))[2]] = np.nan
    several = list(encoded)
    several[4] = replace(encoded[4], windows=((0, 3), (3, 6)))
    scores = [
        score("a", values),
        score("holed", holed),
        score("none", values * np.nan, missing="x"),
    ]
    found = of_sum(additive, (several, tokens, words), scores, texts=range(6))
    assert found.text.tolist() == [0, 1, 2, 3]
    assert (
        "over 4 texts (left out: 1 that take several windows, 1 that have fewer than 2"
        in (found.notes[0])
    )
    known = ~np.isnan([found.normalised, found.tau, found.pieces, *(
        values for one in found.moved for values in (one.comprehensiveness, one.sufficiency)
    )])  # fmt: skip
    wanted = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]], dtype=bool)
    assert (known == wanted).all()
    rows = faithful_rows.rows(found, scores, ("a", None))
    assert len(rows) == 4 * 4
    a, holed_, none, random = rows[:4]
    assert (a.texts, holed_.texts, none.texts, random.texts) == (4, 3, 0, 4)
    assert (none.missing, none.comprehensiveness, none.difference) == ("x", None, None)
    assert (random.title, random.role, a.difference) == ("random", "control", None)
    ahead = found.ahead(("a", None), ("holed", None))
    assert holed_.difference == pytest.approx(np.nanmean(ahead))
    assert (a.compared, holed_.compared, none.compared, random.compared) == (0, 3, 0, 4)
    assert holed_.norm == pytest.approx(found.normalised[0, [0, 2, 3]].mean())
    assert holed_.norm - holed_.difference == pytest.approx(holed_.normalised)
    assert (a.norm, none.norm) == (None, None)
    assert [row.main for row in rows] == [True] * 4 + [False] * 12
    assert all(row.normalised is None and row.tau is None for row in rows[4:])
    last = found.moved[3].comprehensiveness
    assert rows[-1].difference == pytest.approx((last[0] - last[3]).mean())
    assert rows[-1].norm == pytest.approx(last[0].mean())
    with pytest.raises(ActivationFlowError, match="no text of the sample has 2 words"):
        of_sum(additive, material, scores, texts=[5])


def test_equal_orders_have_no_bounds(additive: Any, material: Material) -> None:
    additive[1][:] = 0
    found = of_sum(additive, material, [score("a", np.arange(len(material[1].id)))])
    assert np.isnan(found.normalised).all()
    assert np.isnan(found.tau).all()
    assert (found.moved[0].comprehensiveness == 0).all()
    assert "5 texts have no bounds: all random orders give the same" in found.notes
    row, random, *_ = faithful_rows.rows(found, [score("a", np.empty(0))], ("a", None))
    assert (random.texts, random.compared, random.norm) == (5, 0, None)
    assert (row.normalised, row.tau, row.comprehensiveness, row.missing) == (None, None, 0, "")


def test_metrics_of_eraser_by_plain_calls(
    pair: tuple[Any, Any], encoder: af.Encoder, material: Material
) -> None:
    encoded, tokens, words = material
    values = np.random.default_rng(2).normal(size=len(tokens))
    with heads.opened(encoder) as headed:
        found = faithful.faithful(headed, *material, [score("a", values)], [1, 3], orders=6)
        mask = headed.mask_id
    for at, i in enumerate((1, 3)):
        ids, unit = encoded[i].text.ids.tolist(), words.of_token[tokens.text == i]
        own = sorted(set(unit.tolist()) - {-1})
        best = {u: values[tokens.text == i][unit == u].max() for u in own}
        order = sorted(own, key=lambda u: -best[u])
        ks = range(1, -(-len(own) // 2) + 1)
        wanted = []
        for token in (mask, None):
            for sets in ([order[:k] for k in ks], [order[k:] for k in ks]):
                each = [without(pair[0], ids, unit, gone, token) for gone in sets]
                wanted.append(np.mean(each, axis=0))
        main, second, again, again_second = found.moved
        for which, (one, other) in enumerate(((main, again), (second, again_second))):
            measured = [
                area[0, at]
                for moved in (one, other)
                for area in (moved.comprehensiveness, moved.sufficiency)
            ]
            expected = [means[which] for means in wanted]
            np.testing.assert_allclose(measured, expected, rtol=1e-3, atol=2e-6)
        pieces = [sum(np.isin(unit, order[:k])) / k for k in ks]
        assert found.pieces[0, at] == pytest.approx(np.mean(pieces))


def without(
    model: Any, ids: list[int], unit: np.ndarray, removed: list[int], token: int | None
) -> tuple[float, float]:
    """How far a text's two outputs move when units are replaced by a token, or deleted."""
    other = [token if u in removed else one for one, u in zip(ids, unit, strict=True)]
    left = [one for one in other if one is not None]
    before, after = (plain_calls.said(model, "embedding", of, [], []) for of in (ids, left))
    return plain_calls.moved("embedding", before, after)
