"""Intervals over texts: against loops, a bootstrap of texts, scipy, and how often they hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from run_folders import Made, make_run
from scipy import optimize, stats

import activation_flow as af
from activation_flow.run import Run
from activation_flow.stats import mean_interval, t_quantile

MEASURES = ("percentile", "high_share")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_run(tmp_path_factory.mktemp("run"), texts=80, tags=True, seed=11)


@pytest.fixture(scope="module")
def summary(made: Made) -> af.Summary:
    return Run(made.path).summary(min_count=3, top=3, types=["[CLS]", "nope", "##fold"])


def rows_of(made: Made, row: dict[str, Any]) -> pd.DataFrame:
    """The tokens that a row of the table is about."""
    tokens = made.tokens[made.tokens.layer == row["layer"]]
    column = {"kind": "kind", "tag": "tag", "all": None}.get(row["section"], "token")
    if column is None:
        return tokens
    if row["section"] in ("strongest", "weakest"):
        tokens = tokens[tokens.kind != "special"]
    names = tokens[column]
    return tokens[names.isna() if row["name"] is None else names == row["name"]]


def ratios(rows: pd.DataFrame, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Of each text with such tokens: the sum of the measure from 0 to 1, and of how many."""
    sums, counts = [], []
    for _, text in rows.groupby("text_id"):
        values = [value / 100 for value in text.percentile.astype(float)]
        if measure == "high_share":
            values = [float(value) for value in text.high if value is not None]
        if values:
            sums.append(sum(values))
            counts.append(len(values))
    return np.array(sums), np.array(counts, dtype=float)


def jackknife(sums: np.ndarray, counts: np.ndarray) -> float:
    """The variance of a ratio, each text left out in turn."""
    n = len(sums)
    whole = sums.sum() / counts.sum()
    without = [np.delete(sums, k).sum() / np.delete(counts, k).sum() - whole for k in range(n)]
    return (n - 1) / n * sum(value**2 for value in without)


def wilson(mean: float, variance: float, n: int) -> tuple[float, float]:
    """The two means that lie just t standard errors from this one, found by looking for them."""
    t = stats.t.ppf(0.975, n - 1)
    draws = mean * (1 - mean) / variance if 0 < mean < 1 else n
    if variance == 0 and 0 < mean < 1:
        return mean, mean

    def apart(end: float) -> float:
        return (mean - end) ** 2 - t**2 * end * (1 - end) / draws

    def root(low: float, high: float) -> float:
        return float(optimize.brentq(apart, low, high, xtol=1e-14))

    # At 0 and 1 themselves the equation has a root that means nothing.
    low = 0.0 if mean == 0 else root(0, mean if mean < 1 else 1 - 1e-9)
    return low, 1.0 if mean == 1 else root(mean if mean > 0 else 1e-9, 1)


@pytest.mark.parametrize("measure", MEASURES)
def test_every_row_is_what_loops_find(made: Made, summary: af.Summary, measure: str) -> None:
    scale = 100 if measure == "percentile" else 1
    seen = set()
    for row in summary.table.to_pylist():
        rows = rows_of(made, row)
        assert row["texts"] == rows.text_id.nunique()
        sums, counts = ratios(rows, measure)
        found = [row[f"{measure}_{end}"] for end in ("low", "high")]
        if len(sums) < 2:
            assert found == [None, None]
            continue
        seen.add(row["section"])
        ends = wilson(sums.sum() / counts.sum(), jackknife(sums, counts), len(sums))
        assert found == pytest.approx([scale * end for end in ends], abs=1e-6 * scale), row
        assert found[0] <= row[measure] <= found[1]
    assert seen >= {"all", "kind", "tag", "strongest", "weakest", "type"}


@pytest.mark.parametrize("measure", MEASURES)
def test_as_wide_as_a_bootstrap_of_texts(tmp_path: Path, measure: str) -> None:
    made = make_run(tmp_path, texts=300, layers=(3,))
    random = np.random.default_rng(0)
    scale = 100 if measure == "percentile" else 1
    for row in Run(tmp_path).summary().rows("kind", 3):
        sums, counts = ratios(rows_of(made, row), measure)
        if sums.sum() == 0:
            continue  # never HIGH: there is nothing to draw
        drawn = random.integers(len(sums), size=(10_000, len(sums)))
        means = scale * sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        width = row[f"{measure}_high"] - row[f"{measure}_low"]
        assert 0.96 < width / (high - low) < 1.06, (row["name"], width / (high - low))


def simulated(random: np.random.Generator, texts: int, p: float) -> tuple[np.ndarray, np.ndarray]:
    """Texts of unlike length whose tokens are alike: each text has a p of its own."""
    counts = 1 + random.poisson(6, texts)
    own = random.beta(4 * p, 4 * (1 - p), texts)
    return random.binomial(counts, own).astype(float), counts.astype(float)


@pytest.mark.parametrize(("texts", "p"), [(5, 0.5), (20, 0.25), (20, 0.03), (200, 0.6)])
def test_it_holds_the_truth_as_often_as_it_says(texts: int, p: float) -> None:
    random = np.random.default_rng(texts)
    runs, hits, naive = 1000, 0, 0
    for _ in range(runs):
        sums, counts = simulated(random, texts, p)
        whole = sums.sum() / counts.sum()
        residuals = (sums - whole * counts) / (counts.sum() - counts)
        variance = (texts - 1) / texts * (residuals**2).sum()
        low, high = mean_interval(whole, variance, texts)
        hits += low <= p <= high
        margin = 1.96 * np.sqrt(whole * (1 - whole) / counts.sum())
        naive += abs(whole - p) <= margin
    assert 0.93 <= hits / runs <= 0.985, hits / runs
    assert naive / runs < 0.9  # tokens taken one by one would promise too much


def test_one_text_has_no_interval(tmp_path: Path) -> None:
    make_run(tmp_path, texts=1, shards=1)
    for row in Run(tmp_path).summary(min_count=1).table.to_pylist():
        assert row["texts"] == 1
        assert all(row[f"{name}_{end}"] is None for name in MEASURES for end in ("low", "high"))


def test_never_is_no_certainty(made: Made, summary: af.Summary) -> None:
    for layer in summary.layers:
        row = next(row for row in summary.rows("kind", layer) if row["name"] == "punctuation")
        assert row["high_share"] == row["high_share_low"] == 0.0
        # As of so many tosses of a coin as there are texts: the exact interval is 1 - 0.025^(1/n).
        exact = 1 - 0.025 ** (1 / row["texts"])
        assert exact * 0.9 < row["high_share_high"] < exact * 1.2
        special = next(row for row in summary.rows("kind", layer) if row["name"] == "special")
        assert special["high_share"] is special["high_share_low"] is None  # takes no part


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 30, 99, 100, 101, 150, 1000, 10**6])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99])
def test_students_t(degrees: int, confidence: float) -> None:
    expected = stats.t.ppf((1 + confidence) / 2, degrees)
    assert t_quantile(degrees, confidence) == pytest.approx(expected, rel=1e-9)
