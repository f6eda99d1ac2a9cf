"""Words taken out of texts, against plain loops and calls of the model one text at a time."""

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import plain_calls
import pytest
from architectures import TEXTS
from hypothesis import given
from hypothesis import strategies as st

import activation_flow as af
from activation_flow import heads, outputs, perturbing
from activation_flow.outputs import Question

OTHER = {"mask_id": 7, "blank_id": 9}


def question(n: int, at: list[int]) -> Question:
    ids = np.arange(100, 100 + n)
    free = ~np.isin(np.arange(n), at)
    return Question(
        ids=ids, type_ids=ids % 2, free=free, target_at=np.array(at, int), target_ids=ids[at]
    )


@given(st.data())
def test_changed_texts(data: Any) -> None:
    n = data.draw(st.integers(1, 9))
    at = sorted(data.draw(st.sets(st.integers(0, n - 1))))
    asked = question(n, at)
    unit = np.array(data.draw(st.lists(st.integers(-1, 4), min_size=n, max_size=n)))
    unit[at] = -1
    some = data.draw(st.sets(st.integers(0, 4)))
    removed = np.isin(np.arange(5), list(some))[None]
    wanted_gone = [unit[i] in some for i in range(n)]
    headed: Any = SimpleNamespace(kind="mlm", **OTHER)
    for operator, token in (("masked", 7), ("blanked", 9), ("deleted", None)):
        task = perturbing.removing(headed, asked, unit, operator)
        gone = task.removed(removed)
        assert gone.tolist() == [wanted_gone]
        ids, kinds, target_at = task.changed(gone)
        kept = [i for i in range(n) if token is not None or not wanted_gone[i]]
        assert ids.tolist() == [[token if wanted_gone[i] else 100 + i for i in kept]]
        assert kinds.tolist() == [[(100 + i) % 2 for i in kept]]
        assert ids[0][target_at[0]].tolist() == asked.target_ids.tolist()


def test_free_units_are_whole_words_of_which_nothing_is_asked() -> None:
    asked = question(6, [3])
    assert perturbing.free_units(asked, np.array([-1, 0, 2, 2, 3, -1])).tolist() == [0, 3]


@pytest.fixture(scope="module")
def encoders() -> dict[str, tuple[Any, af.Encoder]]:
    made = {kind: plain_calls.made(kind) for kind in plain_calls.KINDS}
    return {
        kind: (pair[0], af.Encoder.from_pretrained(pair, engine="torch", threads=1))
        for kind, pair in made.items()
    }


@pytest.mark.parametrize(
    ("kind", "operator"),
    [
        ("mlm", "masked"),
        ("mlm", "deleted"),
        ("classifier", "blanked"),
        ("next", "deleted"),
        ("next", "blanked"),
        ("embedding", "deleted"),
    ],
)
def test_distances_are_those_of_plain_calls(
    encoders: dict[str, Any], kind: str, operator: str
) -> None:
    model, encoder = encoders[kind]
    (one,), _ = encoder.tokenize([TEXTS[3]])
    unit = perturbing.numbered(np.where(one.text.special, -1, one.text.word))
    with heads.opened(encoder) as headed:
        assert headed.kind == kind
        asked = outputs.held_out(headed, one, unit, 3)
        free = perturbing.free_units(asked, unit)
        removed = np.zeros((40, unit.max() + 1), dtype=bool)
        removed[:, free] = np.random.default_rng(0).random((40, len(free))) < 0.5
        removed[:, free[0]] = False  # something stays
        removed[20:30] = removed[:10]
        main, second = perturbing.distances(headed, asked, unit, removed, operator)
        token = {"masked": headed.mask_id, "deleted": None, "blanked": headed.blank_id}[operator]
    targets = set(asked.target_at.tolist())
    before = plain_calls.said(
        model, kind, asked.ids.tolist(), sorted(targets), asked.target_ids.tolist()
    )
    assert len(removed[0, free]) >= 4
    for number, away in enumerate(removed):
        ids, at = [], []
        for i, u in enumerate(unit):
            gone = u >= 0 and away[u]
            assert not (gone and i in targets)
            if i in targets:
                at.append(len(ids))
            if not gone or token is not None:
                ids.append(token if gone else int(asked.ids[i]))
        after = plain_calls.said(model, kind, ids, at, asked.target_ids.tolist())
        wanted = plain_calls.moved(kind, before, after)
        np.testing.assert_allclose((main[number], second[number]), wanted, rtol=1e-3, atol=2e-6)
    assert np.ptp(main) > 1e-3


def test_a_set_is_asked_once(encoders: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, encoder = encoders["embedding"]
    (one,), _ = encoder.tokenize([TEXTS[0]])
    unit = perturbing.numbered(np.where(one.text.special, -1, one.text.word))
    n = int(unit.max()) + 1
    sets = np.eye(n, dtype=bool)[[0, 1, 0, 0, 2, 1]]
    with heads.opened(encoder) as headed:
        asked = outputs.held_out(headed, one, unit, 0)
        alone = [perturbing.distances(headed, asked, unit, row[None], "masked")[0] for row in sets]
        read, ask = [], outputs.ask
        monkeypatch.setattr(outputs, "ask", lambda *a: read.append(len(a[2])) or ask(*a))
        together, _ = perturbing.distances(headed, asked, unit, sets, "masked")
        nothing = perturbing.distances(headed, asked, unit, sets[:0], "masked")
    assert read == [1, 3]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)
    assert together[0] == together[2] == together[3]
    assert [len(part) for part in nothing] == [0, 0]


def test_sets_that_cannot_be_asked(encoders: dict[str, Any]) -> None:
    _, encoder = encoders["next"]
    (one,), _ = encoder.tokenize([TEXTS[0]])
    n = len(one.text)
    with heads.opened(encoder) as headed:
        for at, unit in (([n - 1], [0] * (n - 1) + [-1]), ([], [0] * n)):
            asked = Question(
                ids=one.text.ids,
                type_ids=one.type_ids,
                free=np.array(unit) >= 0,
                target_at=np.array(at, int),
                target_ids=one.text.ids[at],
            )
            sets = np.array([[True], [False]])[: len(at) + 1]
            with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
                found = perturbing.distances(headed, asked, np.array(unit), sets, "deleted")
            assert np.isnan(found)[:, 0].all()  # nothing is before the target; nothing is left
            assert not np.isnan(found)[:, 1:].any()
        with pytest.raises(ValueError, match="not free"):
            perturbing.distances(headed, question(n, [0]), np.zeros(n, int), sets, "deleted")


def test_operators() -> None:
    for mask, wanted in ((7, ("masked", "deleted")), (None, ("deleted", "blanked"))):
        headed: Any = SimpleNamespace(mask_id=mask)
        assert perturbing.operators(headed) == wanted
