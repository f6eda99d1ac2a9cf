"""Charts of a run: what is drawn is what the summary's tables hold."""

import json
from pathlib import Path
from typing import Any

import pytest
from run_folders import make_run

import activation_flow as af
from activation_flow import charts, charts_run_spread, drawing
from activation_flow.charts_run import HIGH, PLACE, Measure, shown
from activation_flow.data import ActivationFlowError
from activation_flow.run import Run

MEASURES = pytest.mark.parametrize("measure", [PLACE, HIGH], ids=["place", "high"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    make_run(path, texts=40, layers=(2, 3, 4), seed=7)
    return path


@pytest.fixture(scope="module")
def summary(folder: Path) -> af.Summary:
    return Run(folder).summary(min_count=3, top=3)


@pytest.fixture(scope="module")
def specs(summary: af.Summary) -> dict[str, Any]:
    """The specifications of the page's figures, by their names."""
    return {one.name: drawing.spec(one.chart) for one in charts.figures(summary)}


def test_they_are_what_altair_takes(summary: af.Summary) -> None:
    for one in charts.figures(summary):
        one.chart.to_dict()


def rows_in(spec: Any) -> list[dict[str, Any]]:
    """All rows of all data, each once; Altair may keep them apart, by name."""
    named = list(spec.get("datasets", {}).values())

    def walk(node: Any) -> Any:
        if isinstance(node, dict):
            values = node.get("data", {}).get("values") if isinstance(node.get("data"), dict) else 0
            if values:
                yield values
            for inner in node.values():
                yield from walk(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from walk(inner)

    rows = []
    for values in [*named, *walk(spec)]:
        rows += [row for row in values if row not in rows]
    return rows


def drawn(spec: Any, section: str) -> dict[Any, tuple[Any, ...]]:
    return {
        (row["name"], row["kind"]): (row["value"], row["low"], row["high"])
        for row in rows_in(spec)
        if row.get("section") == section and "low" in row
    }


def expected(summary: af.Summary, section: str, measure: Measure) -> dict[Any, tuple[Any, ...]]:
    found = {}
    for layer in summary.layers:
        for row in summary.rows(section, layer):
            if row[measure.column] is not None:
                names = (measure.column, f"{measure.column}_low", f"{measure.column}_high")
                where = summary.provenance.layer_name(layer)
                found[where, row["name"] or "(no kind)"] = tuple(
                    measure.scale * row[name] for name in names
                )
    return found


@MEASURES
@pytest.mark.parametrize("form", ["", "-by-layer"])
def test_marks_and_bands_are_the_table(
    summary: af.Summary, specs: dict[str, Any], measure: Measure, form: str
) -> None:
    spec = specs[measure.column.replace("_", "-") + form]
    assert drawn(spec, "kind") == expected(summary, "kind", measure)
    if not form:
        assert drawn(spec, "special") == expected(summary, "special", measure)
    every = [measure.scale * summary.rows("all", k)[0][measure.column] for k in summary.layers]
    reference = [50.0] * 3 if measure is PLACE else every
    beside = [row["value"] for row in rows_in(spec) if row.get("kind", "(no kind)") == "(no kind)"]
    assert set(reference) <= set(beside)


def test_bins_are_the_histogram(summary: af.Summary, specs: dict[str, Any]) -> None:
    rows = [row for row in rows_in(specs["strengths"]) if "part" in row]
    assert len(rows) == sum(count > 0 for count in summary.histogram["count"].to_pylist())
    for layer in summary.layers:
        held = {(row["kind"] or "(no kind)", row["low"]): row for row in summary.bins(layer)}
        mine = [row for row in rows if row["layer"] == layer]
        for row in mine:
            same = held[row["kind"], row["low"]]
            assert (row["high"], row["count"]) == (same["high"], same["count"])
        for kind in {row["kind"] for row in mine}:
            assert sum(row["part"] for row in mine if row["kind"] == kind) == pytest.approx(1)


def test_types_are_the_strongest_and_weakest(summary: af.Summary, specs: dict[str, Any]) -> None:
    rows = [row for row in rows_in(specs["types"]) if "token" in row]
    for layer in summary.layers:
        mine = sorted((row for row in rows if row["layer"] == layer), key=lambda row: row["i"])
        strongest, weakest = (summary.rows(name, layer) for name in ("strongest", "weakest"))
        listed = [*strongest, *weakest[::-1]]
        assert [row["token"] for row in mine] == [row["name"] for row in listed]
        assert [row["mean"] for row in mine] == [row["mean"] for row in listed]


def test_skew_is_that_of_the_texts(summary: af.Summary, specs: dict[str, Any]) -> None:
    rows = [row for row in rows_in(specs["skew"]) if "of" in row]
    for name, said in (("mean_skew", "mean of the texts"), ("pooled_skew", "all tokens pooled")):
        found = [row["skew"] for row in rows if row["of"] == said]
        assert found == summary.texts[name].to_pylist()


def test_another_layer_may_be_chosen(summary: af.Summary, specs: dict[str, Any]) -> None:
    for name in ("percentile", "high-share", "strengths", "types"):
        params = {param["name"]: param for param in specs[name]["params"]}
        assert params["layer"]["value"] == 4  # of 6, the usual one
        assert params["layers"]["value"] == [2, 3, 4]
        assert [title.rpartition(", ")[2] for title in params["titles"]["value"]] == [
            f"layer {k} of 6" for k in (2, 3, 4)
        ]
    # Layers that do not follow each other, in an order of their own.
    other = charts_run_spread.types(shown(Run(summary.path).summary("4,2")))
    params = {param["name"]: param for param in drawing.spec(other)["params"]}
    assert params["layer"]["bind"]["options"] == [4, 2]


def test_one_layer_has_nothing_to_choose(folder: Path) -> None:
    one = Run(folder).summary(3)
    figures = {found.name: drawing.spec(found.chart) for found in charts.figures(one)}
    assert [*figures] == ["percentile", "high-share", "strengths", "types"]
    assert all("params" not in spec for spec in figures.values())


def test_the_picture_of_a_run(summary: af.Summary) -> None:
    by_layer = drawing.svg(summary.chart())
    assert "layer by layer" in by_layer
    assert "tiny, layers 2-4 of 6, openvino f32; 40 texts" in by_layer
    assert "layer 3 of 6" in drawing.svg(summary.chart(layer=3))
    with pytest.raises(ActivationFlowError, match="holds layer 2, 3, 4, not 1"):
        summary.chart(layer=1)


def test_an_unfinished_run_says_so_in_each_picture(tmp_path: Path) -> None:
    make_run(tmp_path, finished=False, done=(1,))
    summary = Run(tmp_path).summary()
    for found in charts.figures(summary):
        told = json.dumps(drawing.spec(found.chart)["title"])
        assert "NOT FINISHED: 1 of 3 shards" in told, found.name


def test_without_kinds_intervals_or_text(tmp_path: Path) -> None:
    from pyarrow import parquet

    make_run(tmp_path / "one", texts=1, shards=1, kinds="none")
    one = Run(tmp_path / "one").summary(min_count=1)
    assert "none of one text" in drawing.svg(one.chart(layer=3))
    make_run(tmp_path / "none", texts=2, shards=1)
    for table in ("tokens", "texts"):
        path = tmp_path / "none" / table / "part-00000.parquet"
        parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    none = Run(tmp_path / "none").summary()
    assert charts.figures(none) == []
    with pytest.raises(ActivationFlowError, match="nothing to draw: no text has a result"):
        none.chart()


def test_types_that_are_markup_are_text(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    make_run(tmp_path, texts=20, shards=1)
    path = tmp_path / "tokens" / "part-00000.parquet"
    table = parquet.read_table(path)
    at = table.schema.get_field_index("token")
    hostile = ["</script><b>" if t == "dog" else t for t in table["token"].to_pylist()]
    parquet.write_table(table.set_column(at, "token", pa.array(hostile)), path)
    summary = Run(tmp_path).summary(min_count=1, top=20)
    types = charts_run_spread.types(shown(summary, 3))
    assert "&lt;/script&gt;&lt;b&gt;" in drawing.svg(types)
    values = {row["token"] for row in rows_in(drawing.spec(types)) if "token" in row}
    assert "</script><b>" in values
