"""Results of prompts: checked, compared, written and read back; the document of the design."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import activation_flow as af
from activation_flow import files, table
from activation_flow.data import ActivationFlowError

TEXT = "The weather is nice today."
PROMPTS = ["Summarize", "Translate to French", "Classify sentiment"]


@pytest.fixture
def result(minilm: af.Encoder) -> af.PromptsResult:
    return minilm.prompts(TEXT, PROMPTS, baseline=True, layers="3-4")


@pytest.fixture
def many(minilm: af.Encoder) -> af.PromptsResults:
    texts = [TEXT, "", 'odd: 👩\n\x00\u202e "', "last"]
    return minilm.prompts(texts, PROMPTS[:2], align="diff", errors="collect")


class TestFiles:
    @pytest.mark.parametrize("ending", [".json", ".parquet"])
    def test_saved_and_read_back(
        self, result: Any, many: Any, minilm: af.Encoder, tmp_path: Path, ending: str
    ) -> None:
        nothing = minilm.prompts([], PROMPTS)
        for one in (result, many, nothing):
            one.save(tmp_path / f"r{ending}")
            assert af.load(tmp_path / f"r{ending}") == one._as_list()

    @pytest.mark.parametrize("ending", [".json", ".parquet"])
    def test_nan_is_read_back(self, result: Any, tmp_path: Path, ending: str) -> None:
        angles = result.anchor_cosine.copy()
        angles[1, 0, 1] = angles[1, 1, 0] = np.nan
        first, *others = result.comparisons
        turned = first.cosine_distance.copy()
        turned[0, 0] = np.nan
        comparisons = (replace(first, cosine_distance=turned), *others)
        odd = replace(result, anchor_cosine=angles, comparisons=comparisons)
        odd.save(tmp_path / f"r{ending}")
        assert af.load(tmp_path / f"r{ending}")[0] == odd != result

    def test_csv_has_a_row_for_each_row_and_layer(self, many: Any, tmp_path: Path) -> None:
        import pandas

        many.save(tmp_path / "r.csv")
        frame = pandas.read_csv(tmp_path / "r.csv", keep_default_na=False)
        assert len(frame) == sum(len(c) for r in many for c in r.comparisons)
        assert set(frame["prompt_a"]) == {"Summarize"}
        assert {*frame.columns} >= {"shift", "anchor_shift", "mean_shift", "high_ratio", "p_value"}

    def test_columns_say_what_they_are(self, result: Any) -> None:
        whole = result.to_arrow()
        assert all(field.metadata[b"about"] for field in whole.schema)
        frame = result.to_pandas()
        first = frame[(frame.a == 0) & (frame.b == 2) & (frame.row == 0)]
        assert first.anchor_shift.tolist() == result.anchor_shift[:, 0, 2].tolist()
        assert first.total_shift.tolist() == result.drift[:, 0, 2].tolist()
        own = frame[(frame.a == 0) & (frame.b == 1) & (frame.layer == 4) & (frame.part == "text")]
        assert own.token_a.tolist() == ["the", "weather", "is", "nice", "today", "."]
        assert frame.prompt_a.isna().sum() == (frame.a == 0).sum() > 0  # the bare text

    def test_a_table_that_lost_rows_is_refused(self, result: Any) -> None:
        whole = result.to_arrow()
        half = whole.slice(0, 2 * len(result.comparisons[0]))
        for damaged in (whole.slice(1), half, whole.sort_by("strength_a"), whole.sort_by("b")):
            head = json.loads(whole.schema.metadata[b"activation_flow"])
            metadata = {"activation_flow": json.dumps({**head, "rows": damaged.num_rows})}
            with pytest.raises(ActivationFlowError, match="rows are missing from this table"):
                table.from_arrow(damaged.replace_schema_metadata(metadata))

    @pytest.mark.parametrize(
        "change",
        [
            lambda d: d.update(comparisons=[]),
            lambda d: d.update(anchor_shift=[]),
            lambda d: d.update(prompts=["x"]),
            lambda d: d["variants"].pop(),
            lambda d: d["comparisons"][0].update(a=3),
            lambda d: d["comparisons"][0].update(n=[]),
            lambda d: d["comparisons"][0]["pairs"][0].update(shift=[1]),
            lambda d: d["comparisons"][0].update(pairs=[7]),
        ],
    )
    def test_a_document_that_was_damaged(self, result: Any, tmp_path: Path, change: Any) -> None:
        document = result.to_dict()
        change(document)
        (tmp_path / "r.json").write_text(json.dumps(document))
        with pytest.raises(ActivationFlowError, match=r"r\.json holds no results"):
            af.load(tmp_path / "r.json")

    def test_what_can_be_written(self) -> None:
        assert {".json", ".csv", ".parquet", ".html"} <= {*files.WRITERS}


def test_the_document_is_the_one_of_the_design(result: Any, many: Any) -> None:
    document = result.to_dict()
    assert document["schema"] == "prompts/1"
    assert document["prompts"] == [None, *PROMPTS]
    assert (document["text"], document["template"]) == (TEXT, "{prompt} {text}")
    assert (document["anchor"], document["align"]) == ("cls", "text")
    for name in ("anchor_shift", "anchor_cosine", "drift", "mean_drift"):
        assert document[name] == getattr(result, name).tolist()
    assert [v["prompt"] for v in document["variants"]] == [None, *PROMPTS]
    assert [v["straddling"] for v in document["variants"]] == [0] * 4
    first = document["comparisons"][0]
    assert (first["a"], first["b"]) == (0, 1)
    layers = ("total_shift", "mean_shift", "high_ratio", "high_share", "enrichment", "p_value")
    for name in (*layers, "p_floor", "n", "k", "aligned_shift", "high_shift", "unpaired_high"):
        assert len(first[name]) == 2, name
    assert first["high_ratio"][1] == result.between(0, 1, 4).high_ratio
    row = first["pairs"][4]
    assert (row["change"], row["part"], row["a"], row["b"]) == ("same", "text", "the", "the")
    assert (row["a_index"], row["b_index"], row["kind"]) == (1, 4, "function")
    assert row["shift"] == result.comparisons[0].shift[:, 4].tolist()
    inserted = first["pairs"][1]
    assert (inserted["a"], inserted["a_index"], inserted["b"]) == (None, None, "sum")
    assert inserted["shift"] == inserted["cosine_distance"] == [None, None]
    several = many.to_dict()
    assert [t["text_number"] for t in several["texts"]] == [1, 3, 4]
    assert several["errors"][0]["text_number"] == 2
    alone = many[:1].to_dict()["texts"][0]
    assert {**alone, **document, "x": 0}.keys() == {**document, "x": 0}.keys()


class TestChecks:
    def test_shapes(self, result: Any) -> None:
        one = result.comparisons[0]
        with pytest.raises(ValueError, match=r"shift has shape \(1, 11\), not \(2, 11\)"):
            replace(one, shift=one.shift[:1])
        with pytest.raises(ValueError, match="part has shape"):
            replace(one, part=one.part[1:])
        with pytest.raises(ValueError, match="3 variants of 4 prompts"):
            replace(result, variants=result.variants[1:])
        with pytest.raises(ValueError, match="not those of every pair of prompts"):
            replace(result, comparisons=result.comparisons[::-1])
        with pytest.raises(ValueError, match="anchor_shift has shape"):
            replace(result, anchor_shift=result.anchor_shift[:1])

    def test_arrays_are_read_only(self, result: Any) -> None:
        for array in (result.anchor_shift, result.comparisons[0].shift):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1

    def test_every_comparison_counts_as_equal_and_close(self, result: Any) -> None:
        first, *others = result.comparisons
        for change, near in ((1e-7, True), (1.0, False)):
            moved = replace(first, shift=first.shift + change)
            other = replace(result, comparisons=(moved, *others))
            assert other != result
            assert result.allclose(other) is near
        turned = replace(first, cosine_distance=first.cosine_distance + 1e-4)
        assert not result.allclose(replace(result, comparisons=(turned, *others)))
        assert not result.allclose(replace(result, anchor_shift=result.anchor_shift + 0.1))
        part = replace(first, part=np.full(len(first), "prompt"))
        assert not result.allclose(replace(result, comparisons=(part, *others)))

    def test_no_pair_has_no_mean(self, result: Any) -> None:
        first = result.comparisons[0]
        none = np.full(len(first), -1)
        alone = replace(first, b_index=none, shift=np.full(first.shift.shape, np.nan))
        assert alone.total_shift.tolist() == [0, 0]
        assert np.isnan(alone.mean_shift).all()
