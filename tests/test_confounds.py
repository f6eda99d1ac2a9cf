from dataclasses import replace

import numpy as np
import pytest
from made_tokens import made_tokens
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score

from activation_flow.confounds import confounds


@pytest.fixture(scope="module")
def tokens():
    return made_tokens(60, types=80)


@pytest.fixture(scope="module")
def strength(tokens):
    draw = np.random.default_rng(1)
    frequency = np.nan_to_num(tokens.frequency)
    return 10 + (tokens.kind == "content") - frequency + draw.normal(size=len(tokens))


@pytest.fixture(scope="module")
def rows(tokens, strength):
    return {row.name: row for row in confounds(tokens, strength)}


def within(values, content, text):
    """AUC of each text by scikit-learn, weighted with its pairs."""
    total = weight = 0.0
    for number in np.unique(text):
        own = text == number
        pairs = content[own].sum() * (~content[own]).sum()
        if pairs:
            total += pairs * roc_auc_score(content[own], values[own])
            weight += pairs
    return total / weight


def test_every_group_is_there_and_within_its_interval(rows):
    assert [row.group for row in rows.values()] == (
        ["alone"] * 4 + ["stratified"] * 2 + ["partial"] + ["matched"] * 2 + ["correlation"] * 8
    )
    for row in rows.values():
        assert row.interval[0] < row.value < row.interval[1]
        assert row.null == (0 if row.group in ("partial", "correlation") else 0.5)
        assert (row.kept is None) == (row.group not in ("stratified", "matched"))


def test_confounds_alone_are_aucs_of_scikit_learn(tokens, rows):
    part = tokens.compared
    content, text = (tokens.kind == "content")[part], tokens.text[part]
    for name, values in {
        "frequency (rarer above)": -tokens.frequency,
        "length (longer above)": tokens.length,
        "position (later above)": tokens.position,
        "sub-word (later pieces above)": tokens.subword,
    }.items():
        assert rows[name].value == pytest.approx(within(values[part], content, text))


def test_strata_are_tenths_of_the_compared_tokens(tokens, strength, rows):
    part = tokens.compared
    content, values, text = (tokens.kind == "content")[part], strength[part], tokens.text[part]
    frequency = tokens.frequency[part]
    edges = np.quantile(frequency, np.arange(0.1, 0.95, 0.1))
    tenth = np.array([sum(edge < one for edge in edges) for one in frequency])
    all_texts = rows["AUC within frequency tenths, all texts at once"]
    assert all_texts.value == pytest.approx(within(values, content, tenth))
    pairs = sum((content[tenth == t]).sum() * (~content[tenth == t]).sum() for t in range(10))
    assert all_texts.kept == pytest.approx(pairs / (content.sum() * (~content).sum()))
    same_text = rows["AUC within frequency tenths, within texts"]
    assert same_text.value == pytest.approx(within(values, content, text * 10 + tenth))
    assert same_text.n < all_texts.n


def test_partial_correlation_is_that_of_linear_algebra(tokens, strength, rows):
    part = tokens.compared
    columns = (strength, tokens.kind == "content", tokens.frequency, tokens.length)
    columns = (*columns, tokens.position, tokens.subword)
    ranks = np.stack([scipy_stats.rankdata(column[part]) for column in columns])
    inverse = np.linalg.inv(np.corrcoef(ranks))
    expected = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    assert rows["strength with kind, confounds held constant"].value == pytest.approx(expected)


def test_correlations_are_those_of_scipy(tokens, strength, rows):
    masks = {"": tokens.compared}
    masks |= {f", {kind} only": tokens.kind == kind for kind in ("content", "function")}
    others = {"log frequency": tokens.frequency, "length": tokens.length}
    others |= {"position": tokens.position}
    seen = 0
    for other, values in others.items():
        for which, mask in masks.items():
            row = rows.get(f"strength with {other}{which}")
            if row:
                expected = scipy_stats.spearmanr(strength[mask], values[mask]).statistic
                assert (row.value, row.n) == (pytest.approx(expected), mask.sum())
                seen += 1
    assert seen == 7
    own = [(tokens.text == k) & (tokens.kind != "special") for k in range(tokens.n_texts)]
    own = [mask for mask in own if mask.any()]
    expected = scipy_stats.spearmanr([strength[m].mean() for m in own], [m.sum() for m in own])
    row = rows["mean strength of a text with its number of tokens"]
    assert (row.value, row.n) == (pytest.approx(expected.statistic), len(own))


def test_unknown_frequencies_are_left_out_and_counted(tokens, strength):
    frequency = np.where(tokens.type == 4, np.nan, tokens.frequency)
    kind = tokens.kind[tokens.type == 4]
    assert set(kind) == {"content"}
    for row in confounds(replace(tokens, frequency=frequency), strength):
        needs_it = row.group in ("stratified", "partial", "matched") or "frequency" in row.name
        needs_it &= "function only" not in row.name
        told = row.note.endswith(f"; {len(kind)} tokens of unknown frequency left out")
        assert told == needs_it


def test_without_frequencies_what_needs_none_is_there(tokens, strength):
    unknown = replace(tokens, frequency=np.full(len(tokens), np.nan))
    rows = {row.name: row for row in confounds(unknown, strength)}
    assert rows["length (longer above)"].value is not None
    for row in rows.values():
        if "frequency" in row.name or row.group == "partial":
            assert (row.value, row.interval) == (None, None)
            assert "no pair can be compared" in row.note or "too few tokens" in row.note


def test_intervals_over_types_are_wider_where_types_are_few(tokens, strength):
    few = replace(tokens, type=np.where(tokens.kind == "content", tokens.type % 3, tokens.type))
    name = "AUC within frequency tenths, all texts at once"
    wide, narrow = (
        next(row.interval for row in confounds(one, strength) if row.name == name)
        for one in (few, replace(tokens, type=np.arange(len(tokens))))
    )
    assert wide[1] - wide[0] > narrow[1] - narrow[0]
