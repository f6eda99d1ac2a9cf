"""Summaries of runs against plain numpy, pandas and scipy: not one number from the same SQL."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from run_folders import Made, make_run
from scipy import stats

import activation_flow as af
from activation_flow.data import ActivationFlowError
from activation_flow.result_summary import SECTIONS, TABLE, TEXTS
from activation_flow.run import Run

RUNS: dict[str, dict[str, Any]] = {
    "text": {},
    "corpus": {"scope": "corpus", "seed": 1},
    "special": {"include_special": True, "tags": True, "seed": 2},
    "corpus, tags": {"scope": "corpus", "include_special": True, "tags": True, "layers": (5, 2)},
    "no kinds": {"kinds": "none", "seed": 3},
    "far from zero": {"loc": 1e4, "scale": 0.01, "seed": 4},
    "unfinished": {"finished": False, "done": (0, 2), "seed": 5},
}


@pytest.fixture(scope="module", params=RUNS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_run(tmp_path_factory.mktemp("run"), **RUNS[request.param])


@pytest.fixture(scope="module")
def summary(made: Made) -> af.Summary:
    return Run(made.path).summary(min_count=3, top=4, types=["##fold", "nope", "[CLS]", "##fold"])


def measured(rows: pd.DataFrame, every: pd.DataFrame) -> dict[str, Any]:
    """The numbers of some tokens among all of a layer, by loops and numpy."""
    s = rows.strength.to_numpy().astype(np.float64)
    high = sum(value is True for value in rows.high)
    part = sum(value is not None for value in rows.high)
    all_high = sum(value is True for value in every.high)
    all_part = sum(value is not None for value in every.high)
    share, base = high / all_high, part / all_part
    return {
        "tokens": len(rows),
        "mean": s.mean() if len(s) else None,
        "sd": s.std(ddof=1) if len(s) > 1 else None,
        "percentile": rows.percentile.to_numpy().astype(float).mean() if len(s) else None,
        "high_share": high / part if part else None,
        "share_of_high": share,
        "base_rate": base,
        "lift": share / base if part else None,
    }


def assert_row(found: dict[str, Any], rows: pd.DataFrame, every: pd.DataFrame) -> None:
    for name, value in measured(rows, every).items():
        assert found[name] == (value if value is None else pytest.approx(value, rel=1e-9)), name


def groups(rows: pd.DataFrame, column: str) -> dict[str | None, pd.DataFrame]:
    names = [None if pd.isna(name) else name for name in rows[column]]
    return {name: rows[[other == name for other in names]] for name in dict.fromkeys(names)}


class TestStatistics:
    def test_all_and_every_kind(self, made: Made, summary: af.Summary) -> None:
        for layer in summary.layers:
            every = made.tokens[made.tokens.layer == layer]
            (whole,) = summary.rows("all", layer)
            assert whole["name"] is None
            assert_row(whole, every, every)
            kinds = groups(every, "kind")
            found = summary.rows("kind", layer)
            order = ["special", "punctuation", "function", "content", None]
            assert [row["name"] for row in found] == [kind for kind in order if kind in kinds]
            for row in found:
                assert_row(row, kinds[row["name"]], every)

    def test_every_special_token(self, made: Made, summary: af.Summary) -> None:
        for layer in summary.layers:
            every = made.tokens[made.tokens.layer == layer]
            found = summary.rows("special", layer)
            assert [row["name"] for row in found] == ["[CLS]", "[SEP]"]
            for row in found:
                assert_row(row, every[every.token == row["name"]], every)

    def test_tags_where_the_corpus_has_them(self, made: Made, summary: af.Summary) -> None:
        for layer in summary.layers:
            every = made.tokens[made.tokens.layer == layer]
            found = summary.rows("tag", layer)
            if "tag" not in Run(made.path).sql("from tokens limit 0").schema.names:
                assert found == []
                continue
            tags = groups(every, "tag")
            assert [row["name"] for row in found] == ["DET", "NOUN", "X", None]
            for row in found:
                assert_row(row, tags[row["name"]], every)

    def test_strongest_and_weakest_types(self, made: Made, summary: af.Summary) -> None:
        for layer in summary.layers:
            every = made.tokens[made.tokens.layer == layer]
            types = groups(every[every.kind != "special"], "token")
            often = {name: rows for name, rows in types.items() if len(rows) >= 3}
            means = {name: rows.strength.astype(float).mean() for name, rows in often.items()}
            for section, sign in (("strongest", -1), ("weakest", 1)):
                names = sorted(
                    means,
                    key=lambda name, sign=sign, means=means: (sign * means[name], name),
                )[:4]
                found = summary.rows(section, layer)
                assert [row["name"] for row in found] == names
                for row in found:
                    assert_row(row, often[row["name"]], every)

    def test_types_asked_for_whatever_their_number(self, made: Made, summary: af.Summary) -> None:
        for layer in summary.layers:
            every = made.tokens[made.tokens.layer == layer]
            found = summary.rows("type", layer)
            assert [row["name"] for row in found] == ["##fold", "nope", "[CLS]"]
            for row in found:
                assert_row(row, every[every.token == row["name"]], every)

    def test_texts(self, made: Made, summary: af.Summary) -> None:
        found = {row["layer"]: row for row in summary.texts.to_pylist()}
        assert tuple(found) == summary.layers
        for layer in summary.layers:
            texts = made.texts[made.texts.layer == layer]
            row = found[layer]
            skews = texts["skew"].dropna()
            assert row["texts"] == len(texts)
            assert row["threshold"] == pytest.approx(texts.threshold.mean(), rel=1e-12)
            assert row["mean_skew"] == pytest.approx(skews.mean())
            assert row["right_skewed"] == pytest.approx((skews > 0).sum() / len(skews))
            every = made.tokens[(made.tokens.layer == layer) & made.tokens["rank"].notna()]
            pooled = stats.skew(every.strength.to_numpy().astype(float))
            assert row["pooled_skew"] == pytest.approx(pooled, rel=1e-9)

    def test_histograms(self, made: Made, summary: af.Summary) -> None:
        assert summary.histogram["layer"].unique().to_pylist() == list(summary.layers)
        for layer in summary.layers:
            every = made.tokens[made.tokens.layer == layer]
            whole = every.strength.to_numpy().astype(np.float64)
            ends = (whole.min(), whole.max())
            kinds = groups(every, "kind")
            found = pd.DataFrame(summary.bins(layer))
            order = ["special", "punctuation", "function", "content", None]
            assert [*groups(found, "kind")] == [kind for kind in order if kind in kinds]
            for name, bins in groups(found, "kind").items():
                mine = kinds[name].strength.to_numpy().astype(np.float64)
                counts, edges = np.histogram(mine, bins=40, range=ends)
                assert bins["count"].tolist() == counts.tolist()
                assert [*bins.low, bins.high.iloc[-1]] == edges.tolist()
                assert bins.high.tolist() == edges[1:].tolist()

    def test_counts(self, made: Made, summary: af.Summary) -> None:
        texts = made.texts[made.texts.layer == summary.layers[0]]
        finished = made.manifest["finished"] or {}
        assert summary.counts == {
            "texts": len(texts),
            "tokens": texts.n_tokens.sum(),
            "windowed": (texts.n_windows > 1).sum(),
            "truncated": (texts.n_dropped > 0).sum(),
            "dropped": texts.n_dropped.sum(),
            **{name: finished.get(name) for name in ("rows", "rejects", "blank", "computed")},
        }
        assert summary.finished == bool(finished)


def tied_run(tmp_path: Path) -> Path:
    """A run in which all tokens of a layer are as strong, and one layer more."""
    made = make_run(tmp_path, texts=30, shards=1)
    path = tmp_path / "tokens" / "part-00000.parquet"
    table = parquet.read_table(path)
    at = table.schema.get_field_index("strength")
    same = np.where(table["layer"].to_numpy() == 3, np.float32(0.1), table["strength"].to_numpy())
    parquet.write_table(table.set_column(at, table.schema[at], [pa.array(same)]), path)
    assert made.manifest["layers"] == [3, 4]
    return tmp_path


def test_types_that_tie_go_by_name_and_what_is_the_same_has_no_skew(tmp_path: Path) -> None:
    summary = Run(tied_run(tmp_path)).summary(min_count=1, top=50)
    for section in ("strongest", "weakest"):
        names = [row["name"] for row in summary.rows(section, 3)]
        assert names == sorted(names, key=str.encode)
        assert len(names) > 5
        assert {row["sd"] for row in summary.rows(section, 3)} <= {0.0, None}
    assert {row["mean"] for row in summary.rows("kind", 3)} == {float(np.float32(0.1))}
    same = np.full(summary.rows("all", 3)[0]["tokens"], np.float32(0.1), dtype=np.float64)
    counts, edges = np.histogram(same, bins=40)
    bins = summary.bins(3)
    assert [sum(row["count"] for row in bins if row["low"] == low) for low in edges[:-1]] == [
        *counts
    ]
    assert summary.texts.to_pylist()[0]["pooled_skew"] is None
    assert summary.texts.to_pylist()[1]["pooled_skew"] is not None


def test_the_last_digit_does_not_hang_on_how_cores_share_the_work(
    tmp_path: Path,
) -> None:
    make_run(tmp_path, texts=300, shards=7)
    run = Run(tmp_path)
    once = run.summary().to_dict()
    assert all(run.summary().to_dict() == once for _ in range(5))
    # The same rows in one file, and in another order.
    for table in ("tokens", "texts"):
        paths = sorted((tmp_path / table).iterdir())
        whole = pa.concat_tables(parquet.read_table(path) for path in paths)
        order = np.random.default_rng(0).permutation(whole.num_rows)
        for path in paths:
            parquet.write_table(whole.slice(0, 0), path)
        parquet.write_table(whole.take(order), paths[3], row_group_size=100)
    assert run.summary().to_dict() == once


def test_one_token_has_no_deviation(tmp_path: Path) -> None:
    made = make_run(tmp_path, texts=1, shards=1, seed=8)
    rows = Run(tmp_path).summary(min_count=1).rows("strongest", 3)
    counts = made.tokens[made.tokens.layer == 3].token.value_counts()
    alone = [row for row in rows if counts[row["name"]] == 1]
    assert alone
    assert all(row["sd"] is None for row in alone)


def test_types_are_left_out_that_occur_too_seldom(tmp_path: Path) -> None:
    make_run(tmp_path, texts=5)
    summary = Run(tmp_path).summary(min_count=1000)
    assert summary.rows("strongest", 3) == summary.rows("weakest", 3) == []
    assert summary.options == {"min_count": 1000, "top": 10, "types": []}
    for wrong in ({"min_count": 0}, {"top": 0}):
        with pytest.raises(ActivationFlowError, match="is 0: give a whole number from 1"):
            Run(tmp_path).summary(**wrong)


def test_layers_stand_in_the_order_asked_for(tmp_path: Path) -> None:
    make_run(tmp_path, layers=(2, 3, 5))
    run = Run(tmp_path)
    assert run.summary().layers == run.summary("all").layers == (2, 3, 5)
    summary = run.summary("5,2")
    assert summary.layers == (5, 2)
    assert summary.texts["layer"].to_pylist() == [5, 2]
    assert list(dict.fromkeys(summary.table["layer"].to_pylist())) == [5, 2]
    assert run.summary(-1 - 1).layers == (5,)
    with pytest.raises(ActivationFlowError, match="this run holds layers 2, 3 and 5, not 4"):
        run.summary("4")
    # Of the run, not of the model, which has six.
    with pytest.raises(ActivationFlowError, match=r"run holds layers 2, 3 and 5, not 9$"):
        run.summary("9")


class TestForms:
    def test_the_table(self, summary: af.Summary) -> None:
        assert summary.table.schema.names == [*TABLE]
        assert all(field.metadata[b"about"] for field in summary.table.schema)
        assert summary.texts.schema.names == [*TEXTS]
        first = [row for row in summary.table.to_pylist() if row["layer"] == summary.layers[0]]
        places = [SECTIONS.index(row["section"]) for row in first]
        assert places == sorted(places)

    def test_the_document_holds_the_table_and_is_json(self, summary: af.Summary) -> None:
        document = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
        assert document["schema"] == "summary/1"
        assert document["model"] == "tiny"
        assert document["layers"] == [at["layer"] for at in document["by_layer"]]
        assert document["shards"] == dict(zip(("done", "all"), summary.shards, strict=True))
        names = {"kind": "kinds", "special": "specials", "tag": "tags", "type": "types"}
        for at in document["by_layer"]:
            for section in SECTIONS[1:]:
                rows = summary.rows(section, at["layer"])
                values = [
                    {k: v for k, v in r.items() if k not in ("section", "layer")} for r in rows
                ]
                assert at[names.get(section, section)] == values
            bins = [{**row, "layer": at["layer"]} for row in at["histogram"]]
            assert bins == summary.bins(at["layer"])
            (whole,) = summary.rows("all", at["layer"])
            assert {"section": "all", "name": None, "layer": at["layer"], **at["all"]} == whole

    def test_files(self, summary: af.Summary, tmp_path: Path) -> None:
        for ending in ("json", "csv", "parquet"):
            summary.save(tmp_path / f"x.{ending}")
        assert json.loads((tmp_path / "x.json").read_text("utf-8")) == summary.to_dict()
        table = parquet.read_table(tmp_path / "x.parquet")
        assert table.equals(summary.table)
        head = json.loads(table.schema.metadata[b"activation_flow"])
        assert head["counts"] == summary.counts
        assert head["texts"] == summary.texts.to_pylist()
        written = csv.read_csv(tmp_path / "x.csv")
        assert written.num_rows == summary.table.num_rows
        assert written.schema.names == [*TABLE]
        with pytest.raises(ActivationFlowError, match=r"one of .json, .csv, .parquet, .html, .png"):
            summary.save(tmp_path / "x.xlsx")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["x.csv", "x.json", "x.parquet"]

    def test_pandas_and_frozen(self, summary: af.Summary) -> None:
        assert list(summary.to_pandas().columns) == [*TABLE]
        with pytest.raises(dataclasses.FrozenInstanceError):
            summary.layers = ()  # type: ignore[misc]


def test_kinds_of_results_are_the_statistics_of_a_run(tiny_encoder: af.Encoder) -> None:
    results = tiny_encoder.layers(["the dog, it is", "who is it?"], layers="2,1")
    rows = pd.DataFrame(
        [
            (layer, kind, place)
            for text in results
            for k, layer in enumerate(text.layers)
            for kind, place in zip(
                text.kind, _percentiles(text.strength[k], text.rank[k]), strict=True
            )
        ],
        columns=["layer", "kind", "place"],
    )
    found = {(k.layer, k.kind): (k.n, k.mean_rank_percentile) for k in results.kinds}
    grouped = rows.groupby(["layer", "kind"]).place
    assert {*found} == {*grouped.groups}
    for key, places in grouped:
        assert found[key] == (len(places), pytest.approx(places.mean()))
    assert [k.layer for k in results.kinds] == sorted(
        (k.layer for k in results.kinds), reverse=True
    )


def _percentiles(strength: np.ndarray, rank: np.ndarray) -> list[float]:
    s = strength.astype(float)
    part = s[rank > 0]
    tied = [np.abs(part - value) <= 1e-6 * value for value in s]
    return [
        100 * ((part < value)[~t].sum() + t.sum() / 2) / len(part)
        for value, t in zip(s, tied, strict=True)
    ]
