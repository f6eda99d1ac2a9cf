"""Probes against a plain pipeline; gains, intervals and shifts against their formulas."""

import numpy as np
import pytest
from scipy.spatial import distance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from activation_flow import probing
from activation_flow.stats import t_quantile

LAYERS, NAMES, PROMPTS = (2, 5), ("anchor", "mean"), ("Help", "Nothing")


def planted(seed=0, texts=90):
    """Three labels in 12 dimensions, which the first prompt sets further apart."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(texts) % 3)
    values = random.normal(size=(3, 2, 2, texts, 12)).astype(np.float32)
    for variant, size in enumerate((1.0, 4.0, 1.0)):
        values[variant, ..., :3] += size * np.eye(3, dtype=np.float32)[labels]
    return values, labels


def test_a_probe_is_a_plain_pipeline_of_the_other_folds():
    values, labels = planted()
    fold = probing.folds(labels, seed=4)
    assert not (np.ptp([np.bincount(labels[fold == k]) for k in range(5)], axis=0) > 1).any()
    assert (fold != probing.folds(labels, seed=5)).any()
    vectors = values[0, 0, 0]
    found, unsettled = probing.correct(vectors, labels, fold)
    expected = np.empty(len(labels), dtype=bool)
    for number in range(5):
        rest = fold != number
        model = LogisticRegression(C=10 / 12, max_iter=1000)
        probe = make_pipeline(StandardScaler(), model).fit(vectors[rest], labels[rest])
        for text in np.flatnonzero(~rest):
            expected[text] = probe.predict(vectors[text : text + 1])[0] == labels[text]
    np.testing.assert_array_equal(found, expected)
    assert unsettled == 0


def test_a_prompt_that_truly_helps_is_found_and_another_is_not():
    values, labels = planted()
    told = []
    found = probing.probe(values, labels, seed=1, progress=lambda *done: told.append(done))
    assert told[-1] == (12, 12)
    assert (found.fitted, found.unsettled) == (60, 0)
    rows = [*probing.rows(found, PROMPTS, LAYERS, NAMES, labels)]
    keys = [(row.layer, row.vector, row.prompt) for row in rows]
    assert keys == [(at, name, p) for at in LAYERS for name in NAMES for p in (None, *PROMPTS)]
    for row in rows:
        assert row.chance == pytest.approx(1 / 3)
        assert row.texts == 90
        if row.prompt is None:
            assert (row.gain, row.gain_interval, row.shift, row.cosine) == (None,) * 4
        elif row.prompt == "Help":
            assert row.accuracy > 0.9
            assert row.gain_interval[0] > 0.1
        else:
            assert row.gain_interval[0] < 0 < row.gain_interval[1]
    (row,) = [row for row in rows if (row.layer, row.vector, row.prompt) == (5, "mean", "Help")]
    bare, moved = values[0, 1, 1].astype(float), values[1, 1, 1].astype(float)
    pairs = [*zip(bare, moved, strict=True)]
    assert row.shift == pytest.approx(np.mean([distance.euclidean(*pair) for pair in pairs]))
    assert row.cosine == pytest.approx(np.mean([distance.cosine(*pair) for pair in pairs]))
    np.testing.assert_allclose(found.shift[0, 1, 1], [distance.euclidean(*p) for p in pairs])


def test_labels_that_have_nothing_to_do_with_the_vectors_are_read_by_chance():
    random = np.random.default_rng(0)
    labels = random.permutation(np.arange(200) % 2)
    found, _ = probing.correct(random.normal(size=(200, 10)), labels, probing.folds(labels))
    low, high = probing.accuracy(found)[1]
    assert low < 0.5 < high


def test_the_intervals():
    correct, bare = np.repeat([True, False], [70, 30]), np.repeat([True, False, True], [50, 40, 10])
    mean, (low, high) = probing.accuracy(correct)
    assert mean == 0.7
    z = t_quantile(99)  # Wilson: both ends are z standard errors of their own from the mean
    assert [abs(mean - p) for p in (low, high)] == pytest.approx(
        [z * np.sqrt(p * (1 - p) / 100) for p in (low, high)]
    )
    # 20 only with the prompt, 10 only bare; half a text is added to each cell.
    gain, (low, high) = probing.gain(correct, bare)
    assert gain == pytest.approx(0.1)
    each = np.repeat([1, -1, 0], [20, 10, 70])
    middle = each.sum() / 102
    error = np.sqrt((31 / 102 - middle**2) / 102)
    assert (low, high) == pytest.approx((middle - 1.959964 * error, middle + 1.959964 * error))
    assert probing.gain(bare, correct)[1] == pytest.approx((-high, -low))
    same, ends = probing.gain(correct, correct)
    assert (same, ends[0] < 0 < ends[1]) == (0, True)


def test_probes_that_do_not_settle_are_counted(monkeypatch):
    monkeypatch.setattr(probing, "STEPS", 1)
    values, labels = planted()
    found = probing.probe(values[:2, :1, :1], labels)
    assert (found.unsettled, found.fitted) == (10, 10)


def test_a_vector_without_direction_has_no_angle():
    values, labels = planted()
    values[1, 0, 0, 7] = 0
    found = probing.probe(values, labels)
    rows = [*probing.rows(found, PROMPTS, LAYERS, NAMES, labels)]
    assert [row.cosine is None for row in rows[:3]] == [True, True, False]
    assert rows[1].shift > 0
