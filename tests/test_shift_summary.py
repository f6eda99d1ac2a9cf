"""Summaries of runs that compare, against numpy and scipy; what they say on a terminal."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import csv, parquet
from scipy import stats

import activation_flow as af
from activation_flow import summary_shift
from activation_flow.data import ActivationFlowError
from activation_flow.picture import number
from activation_flow.picture_shift_summary import with_half
from activation_flow.result_shift_summary import MEASURES, POSSIBLE, SECTIONS, TABLE
from activation_flow.run import Run

WORDS = ["the", "Morning", "sun", "rose", "slowly", ",", "over", "hills", "nobody", "!", "shine"]
PROMPTS = ["query:", 'say {it} "so", [bold]\x1b[31m']


def sentences(n: int) -> list[str]:
    draw = random.Random(3)
    return [" ".join(draw.choices(WORDS, k=draw.randint(1, 9))) for _ in range(n)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input of the runs, and later the runs."""
    folder = tmp_path_factory.mktemp("runs")
    texts = [*sentences(40), "\u200b"]
    (folder / "texts.txt").write_text("".join(f"{text}\n" for text in texts))
    rows = [{"text": a, "b": b} for a, b in zip(texts, [*texts[1:], "a"], strict=True)]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def prompts(folder: Path, minilm: af.Encoder) -> af.Run:
    """Three prompts at two layers; after the first test there is nothing to do."""
    how: dict[str, Any] = {"layers": "2,4", "prompts": PROMPTS, "baseline": True}
    source, out = folder / "texts.txt", folder / "prompts"
    return af.run_corpus(minilm, source, out=out, shard_size=11, **how)


@pytest.fixture
def pairs(folder: Path, minilm: af.Encoder) -> af.Run:
    """Pairs of texts at one layer."""
    source, out = folder / "pairs.jsonl", folder / "pairs"
    return af.run_corpus(minilm, source, out=out, shard_size=11, pairs="text,b")


@pytest.fixture(params=["prompts", "pairs"])
def run(request: pytest.FixtureRequest) -> af.Run:
    found: af.Run = request.getfixturevalue(request.param)
    return found


def frame(run: af.Run, name: str) -> pd.DataFrame:
    folder = run.path / name
    return pa.concat_tables(parquet.read_table(p) for p in sorted(folder.iterdir())).to_pandas()


def part_of(rows: pd.DataFrame, layer: int, pair: tuple[str | None, str | None]) -> pd.DataFrame:
    """Rows of one layer and pair of prompts."""
    rows = rows[rows.layer == layer]
    if "prompt_a" not in rows:
        return rows
    a, b = pair
    first = rows.prompt_a.isna() if a is None else rows.prompt_a == a
    return rows[first & (rows.prompt_b == b)]


class TestNumbers:
    def test_means_and_intervals(self, run: af.Run) -> None:
        summary = run.summary()
        every = frame(run, "comparisons")
        for layer in summary.layers:
            for pair in summary.pairs:
                rows = part_of(every, layer, pair)
                assert len(rows) == summary.counts["texts"] > 30
                rated = rows[rows.high_ratio.notna()]
                excess = rated.high_ratio - rated.high_share
                truth = {name: rows[name] for name in [*MEASURES][:4]}
                truth |= {name: rated[name] for name in ("high_ratio", "high_share")}
                truth["excess"] = excess
                found = summary.rows("text", layer, pair)
                assert [row["name"] for row in found] == [*MEASURES]
                for row in found:
                    values = truth[row["name"]].to_numpy()
                    n = len(values)
                    ends = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
                    low, high = np.clip(ends, *POSSIBLE[row["name"]])
                    assert row["n"] == n
                    assert row["mean"] == pytest.approx(values.mean(), rel=1e-12)
                    assert row["sd"] == pytest.approx(values.std(ddof=1), rel=1e-9)
                    assert (row["low"], row["high"]) == pytest.approx((low, high), rel=1e-9)
                shares = {
                    r["name"]: (r["n"], r["mean"]) for r in summary.rows("share", layer, pair)
                }
                assert shares == {
                    "significant": (len(rated), (rated.p_value < 0.05).mean()),
                    "possible": (len(rated), (rated.p_floor < 0.05).mean()),
                }

    def test_kinds_and_changes_of_the_texts_own_tokens(self, run: af.Run) -> None:
        summary = run.summary()
        every = frame(run, "shifts")
        own = every.part == "text" if "part" in every else every.kind != "special"
        every = every[own & every["shift"].notna()]
        for layer in summary.layers:
            for pair in summary.pairs:
                rows = part_of(every, layer, pair)
                for section in ("kind", "change"):
                    truth = rows.groupby(section, observed=True)["shift"]
                    found = summary.rows(section, layer, pair)
                    assert {r["name"]: r["n"] for r in found} == truth.size().to_dict()
                    for row in found:
                        assert row["mean"] == pytest.approx(truth.get_group(row["name"]).mean())
                        assert row["low"] is None
        assert {r["name"] for r in found} == ({"same"} if summary.prompts else {"same", "replaced"})

    def test_the_order_of_rows_changes_no_bit(self, run: af.Run) -> None:
        truth = run.summary().table
        draw = np.random.default_rng(0)
        with duckdb.connect() as connection:
            for name in ("comparisons", "shifts"):
                rows = frame(run, name)
                mixed = pa.Table.from_pandas(rows.iloc[draw.permutation(len(rows))])
                connection.register(name, mixed)
            prompts = run.summary().prompts
            found = summary_shift.statistics(connection, run.layers, prompts)
        assert found.equals(truth)

    def test_intervals_end_where_no_value_is_possible(
        self, minilm: af.Encoder, tmp_path: Path
    ) -> None:
        (tmp_path / "t.txt").write_text("sun\nThe sun rose, slowly, over hills of snow!\n")
        how: dict[str, Any] = {"prompts": ["a", "b c"], "layers": "0,6"}
        run = af.run_corpus(minilm, tmp_path / "t.txt", out=tmp_path / "run", **how)
        summary, every, cut = run.summary(), frame(run, "comparisons"), set()
        for layer in run.layers:
            rows = every[every.layer == layer]
            for row in summary.rows("text", layer):
                least, most = POSSIBLE[row["name"]]
                assert least <= row["low"] <= row["mean"] <= row["high"] <= most
                if row["name"] in rows and row["n"] == 2:
                    values = rows[row["name"]].dropna()
                    if values.std() == 0:
                        continue
                    ends = stats.t.interval(0.95, 1, values.mean(), stats.sem(values))
                    truth = [min(max(end, least), most) for end in ends]
                    assert [row["low"], row["high"]] == pytest.approx(truth, rel=1e-9)
                    cut |= {row["name"]} if tuple(truth) != ends else set()
                    if ends[0] < least:
                        shown = f"{number(row['mean'])} ({number(least)} to {number(truth[1])})"
                        assert with_half(row) == shown
        assert "anchor_shift" in cut or "total_shift" in cut
        assert "is cut where no value is possible" in " ".join(repr(summary).split())

    def test_one_text_has_no_interval(self, minilm: af.Encoder, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_text("The sun rose slowly over the hills.\n")
        run = af.run_corpus(minilm, tmp_path / "t.txt", out=tmp_path / "run", prompts=["a", "b"])
        rows = run.summary().rows("text", 4)
        assert len(rows) == len(MEASURES)
        assert all(r["sd"] is r["low"] is r["high"] is None and r["n"] == 1 for r in rows)
        assert 'Over 1 text, "b" in place of "a" moves the anchor (cls) by' in repr(run.summary())

    def test_texts_without_any_ratio(self, minilm: af.Encoder, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_text("sun\nrose\n")
        how = {"prompts": ["a", "b"], "quantile": 1.0}
        run = af.run_corpus(minilm, tmp_path / "t.txt", out=tmp_path / "run", **how)
        summary = run.summary()
        assert [r["name"] for r in summary.rows("text", 4)] == [*MEASURES][:4]
        assert [(r["n"], r["mean"]) for r in summary.rows("share", 4)] == [(0, None), (0, None)]
        assert "No R_H: no text has HIGH tokens that moved." in repr(summary)

    def test_a_run_without_a_result(self, minilm: af.Encoder, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_text("\u200b\n")
        run = af.run_corpus(minilm, tmp_path / "t.txt", out=tmp_path / "run", prompts=["a", "b"])
        assert "No text has a result." in repr(run.summary())
        assert run.summary().to_dict()["by_layer"][0]["comparisons"][0]["kinds"] == []


class TestForms:
    def test_one_document(self, run: af.Run, tmp_path: Path) -> None:
        summary = run.summary()
        summary.save(tmp_path / "x.json")
        document = json.loads((tmp_path / "x.json").read_text("utf-8"))
        assert document == summary.to_dict()
        assert document["schema"] == "shift-summary/1"
        assert document["layers"] == [*run.layers]
        assert document["prompts"] == [*summary.prompts]
        assert document["counts"]["texts"] + document["counts"]["rejects"] == 41
        for layer, found in zip(run.layers, document["by_layer"], strict=True):
            assert found["layer"] == layer
            assert len(found["comparisons"]) == len(summary.pairs)
            for one, pair in zip(found["comparisons"], summary.pairs, strict=True):
                assert (one["prompt_a"], one["prompt_b"]) == pair
                rows = {row["name"]: row for row in summary.rows("text", layer, pair)}
                assert one["excess"]["mean"] == rows["excess"]["mean"]
                assert one["anchor_shift"]["low"] == rows["anchor_shift"]["low"]
                assert [kind["name"] for kind in one["kinds"]] == [
                    row["name"] for row in summary.rows("kind", layer, pair)
                ]

    def test_tables(self, run: af.Run, tmp_path: Path) -> None:
        summary = run.summary()
        summary.save(tmp_path / "x.csv")
        summary.save(tmp_path / "x.parquet")
        back = parquet.read_table(tmp_path / "x.parquet")
        assert back.to_pylist() == summary.table.to_pylist() == summary.to_arrow().to_pylist()
        assert json.loads(back.schema.metadata[b"activation_flow"])["model"] == "minilm"
        assert csv.read_csv(tmp_path / "x.csv")["mean"].to_pylist() == back["mean"].to_pylist()
        assert [*summary.to_pandas().columns] == [*TABLE] == back.column_names
        assert list(dict.fromkeys(back["section"].to_pylist())) == [*SECTIONS]
        with pytest.raises(ActivationFlowError, match=r"one of \.json, \.csv, \.parquet"):
            summary.save(tmp_path / "x.docx")

    def test_options_of_other_runs_are_refused(self, run: af.Run) -> None:
        for options in ({"types": ["sun"]}, {"top": 3}, {"min_count": 2}):
            with pytest.raises(
                ActivationFlowError, match=r"types of token .* are those of runs of"
            ):
                run.summary(**options)
        with pytest.raises(ActivationFlowError, match="holds layer"):
            run.summary(6)

    def test_an_unfinished_run(self, pairs: af.Run, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        shutil.copytree(pairs.path, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "finished": None}))
        (folder / "comparisons" / "part-00001.parquet").unlink()
        summary = Run(folder).summary()
        done, many = summary.shards
        assert done == many - 1
        assert f"This run is not finished: {done} of {many} shards" in repr(summary)
        assert summary.counts["rows"] is None


class TestTerminal:
    @pytest.mark.parametrize("width", [40, 80, 200])
    def test_it_fits(self, afn: Any, run: af.Run, width: int, monkeypatch: Any) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        for more in ((), ("-l", str(run.layers[0]))):
            code, out, err = afn("summary", str(run.path), *more)
            assert (code, err) == (0, "")
            assert max(map(len, out.splitlines())) <= width
            assert "\x1b" not in out

    def test_what_it_says_of_prompts(self, prompts: af.Run) -> None:
        summary = prompts.summary(4)
        said = " ".join(repr(summary).split())
        rows = {row["name"]: row for row in summary.rows("text", 4)}
        anchor = rows["anchor_shift"]
        span = f"({anchor['low']:.3f} to {anchor['high']:.3f})"
        assert (
            f'Over 40 texts, "query:" moves the anchor (cls) by {anchor["mean"]:.3f} {span}' in said
        )
        assert "40 texts under 3 prompts; minilm, layer 4 of 6, openvino f32" in said
        assert 'From the bare text to "query:"' in said
        assert 'in place of "query:" moves the anchor' in said
        assert "[bold]\\x1b[31m" in said
        # R_H never without its chance level.
        assert said.count("R_H = ") == said.count("and chance, k/n, gives") == 3
        ratio, share = rows["high_ratio"]["mean"], rows["high_share"]["mean"]
        held = f"hold {100 * ratio:.1f} % of the shift, and chance, k/n, gives {100 * share:.1f} %"
        assert held in said
        assert said.count("chance gives 5 % at most") == 3
        assert "takes them as independent" in said
        kinds, changes = said.index("own tokens by kind"), said.index("own tokens by change")
        assert kinds < said.index("content", kinds) < changes < said.index("same", changes)
        assert said.count("of all texts together: a text with more of them counts more") == 3
        assert " p part of all choices" in said
        assert " own aligned tokens of the text itself" in said

    def test_several_layers_stand_below_each_other(self, prompts: af.Run) -> None:
        summary = prompts.summary()
        said = repr(summary)
        assert "layers 2, 4 of 6" in said
        assert said.count("The anchor turns most at layer") == 3
        signs = " ".join(said.split())
        assert "part of all choices" not in signs
        assert " own aligned tokens" not in signs
        assert " kinds aligned tokens of the text itself" in signs
        for layer in (2, 4):
            row = summary.rows("text", layer)[0]
            half = (row["high"] - row["low"]) / 2
            assert f"{number(row['mean'])} ±{number(half)}" in said

    def test_json_on_stdout(self, afn: Any, run: af.Run) -> None:
        code, out, err = afn("summary", str(run.path), "--json")
        assert (code, err) == (0, "")
        assert json.loads(out) == run.summary().to_dict()
