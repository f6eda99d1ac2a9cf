"""Charts and page of a run that compares: what is drawn is what the summary's table holds."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from test_charts_summary import rows_in

import activation_flow as af
from activation_flow import charts, drawing
from activation_flow.result_shift_summary import ShiftSummary

TEXTS = ["The dog runs fast.", "Who is it?", "Nobody saw the bright sun", "A b c", "It is late."]
PROMPTS = ["query:", "</script><b>\x1b[31m"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "x.txt").write_text("\n".join(TEXTS) + "\n")
    return folder


@pytest.fixture
def summary(minilm: af.Encoder, folder: Path) -> ShiftSummary:
    """Three prompts at two layers; after the first test there is nothing to run."""
    how: dict[str, Any] = {"layers": "2,4", "prompts": PROMPTS, "baseline": True}
    found = af.run_corpus(minilm, folder / "x.txt", out=folder / "run", **how).summary()
    assert isinstance(found, ShiftSummary)
    return found


_SPECS: dict[str, Any] = {}


@pytest.fixture
def specs(summary: ShiftSummary) -> dict[str, Any]:
    """The specifications of the page's figures, by their names, made once."""
    if not _SPECS:
        _SPECS.update({one.name: drawing.spec(one.chart) for one in charts.figures(summary)})
    return _SPECS


def test_they_are_what_altair_takes(summary: ShiftSummary) -> None:
    for one in charts.figures(summary):
        one.chart.to_dict()


def expected(summary: ShiftSummary, measure: str, scale: float = 1) -> set[tuple[Any, ...]]:
    found = set()
    for layer in summary.layers:
        for i, pair in enumerate(summary.pairs):
            for row in summary.rows("text", layer, pair):
                if row["name"] == measure:
                    ends = (scale * row[name] for name in ("mean", "low", "high"))
                    found.add((summary.provenance.layer_name(layer), i, *ends))
    return found


@pytest.mark.parametrize(
    ("name", "measure", "scale"),
    [
        ("anchor-cosine-by-layer", "anchor_cosine", 1),
        ("anchor-shift-by-layer", "anchor_shift", 1),
        ("drift", "total_shift", 1),
        ("ratio", "high_ratio", 100),
        ("ratio", "high_share", 100),
    ],
)
def test_means_and_intervals_are_the_table(
    summary: ShiftSummary, specs: dict[str, Any], name: str, measure: str, scale: float
) -> None:
    rows = [row for row in rows_in(specs[name]) if row.get("measure") == measure]
    found = {(row["name"], row["i"], row["value"], row["low"], row["high"]) for row in rows}
    assert found == expected(summary, measure, scale)
    assert len(found) == 6


def test_kinds_are_the_table(summary: ShiftSummary, specs: dict[str, Any]) -> None:
    rows = [row for row in rows_in(specs["kinds"]) if "kind" in row]
    found = {(row["layer"], row["i"], row["kind"], row["value"]) for row in rows}
    assert found == {
        (layer, i, row["name"] or "(no kind)", row["mean"])
        for layer in summary.layers
        for i, pair in enumerate(summary.pairs)
        for row in summary.rows("kind", layer, pair)
    }


def test_sentences_say_what_the_numbers_are(summary: ShiftSummary, specs: dict[str, Any]) -> None:
    said = {figure.name: figure.sentence for figure in charts.figures(summary)}
    assert said["drift"].startswith("The sum of Δ over all aligned tokens")
    assert "no proof" in said["anchor-cosine-by-layer"]
    assert "pooled over tokens, no interval" in specs["kinds"]["title"]["subtitle"]


def test_prompts_are_text_wherever_they_stand(summary: ShiftSummary, specs: dict[str, Any]) -> None:
    names = ["bare text → query:", "bare text → </script><b>\\x1b[31m"]
    for spec in specs.values():
        kept = {**spec, "datasets": None, "params": None}
        assert "script" not in str([*without_data(kept)])
    params = {param["name"]: param["value"] for param in specs["kinds"]["params"]}
    assert params["pairs_of_kinds"][:2] == names
    html = summary._repr_html_()
    assert "</script><b>" not in html
    assert "&lt;/script&gt;&lt;b&gt;\\x1b[31m" in html


def without_data(node: Any) -> Any:
    """The leaves of a specification; not those of data."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name not in ("data", "datasets"):
                yield from without_data(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from without_data(inner)
    else:
        yield node


def test_the_page_and_the_pictures(summary: ShiftSummary, tmp_path: Path) -> None:
    summary.save(tmp_path / "x.html")
    html = (tmp_path / "x.html").read_text("utf-8")
    assert "<h1>Token activation shift over a corpus</h1>" in html
    assert html.count('<figure class="afn-figure"') == 5
    assert html.count("<details open>") == 3  # of each pair of prompts the usual layer
    assert "afn corpus" in html
    assert "What HIGH tokens hold of the shift, layer 2 of 6" in drawing.svg(summary.chart(layer=2))


def test_pairs_have_no_names(minilm: af.Encoder, tmp_path: Path) -> None:
    lines = "\n".join(f"{a}\t{b}" for a, b in pairwise(TEXTS))
    (tmp_path / "x.tsv").write_text(f"text\tb\n{lines}\n")
    summary = af.run_corpus(
        minilm, tmp_path / "x.tsv", out=tmp_path / "run", pairs="text,b"
    ).summary()
    told = drawing.svg(summary.chart())
    assert "first text → second" in told
    assert "; 4 pairs" in told
    assert "pairs with a result" in summary._repr_html_()
