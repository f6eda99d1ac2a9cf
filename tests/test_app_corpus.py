"""A run on the page: numbers of its summary at one layer, a type's sentences, charts, commands."""

import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from run_folders import make_run
from test_html_summary import tables
from test_report import EVIL, harmless

from activation_flow import app_corpus, retrace_run
from activation_flow.app_inputs import Corpus
from activation_flow.app_shown import Shown
from activation_flow.picture_summary import cell
from activation_flow.result_shift_summary import MEASURES, ShiftSummary
from activation_flow.result_shift_summary import TABLE as SHIFTS
from activation_flow.run import Run
from activation_flow.table_columns import schema


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("run")
    make_run(path, texts=20, layers=(2, 3))
    return Run(path)


@pytest.fixture(scope="module")
def summary(run: Run) -> Any:
    return run.summary()


def view(summary: Any, layer: int, found: Any = None) -> Shown:
    opened = SimpleNamespace(summary=summary, found=found, layers=summary.layers, layer=layer)
    return app_corpus.shown(opened, Corpus(layer=layer))  # type: ignore[arg-type]


def tiles(html: str) -> list[tuple[str, ...]]:
    return re.findall(r"<dt>(.*?)</dt><dd>(.*?)(?:<small>(.*?)</small>)?</dd>", html)


def test_the_numbers_are_those_of_the_summary_at_the_layer(summary: Any) -> None:
    shown = view(summary, 3)
    kinds, strongest, weakest = tables(shown.html)
    rows = {name: rest for name, *rest in kinds[1:]}
    for section in ("all", "kind", "special"):
        for row in summary.rows(section, 3):
            name = "all" if section == "all" else row["name"] or "(no kind)"
            assert rows[name][:2] == [cell("tokens", row), cell("mean", row)]
    for table, name in ((strongest, "strongest"), (weakest, "weakest")):
        assert [row[0] for row in table[1:]] == [row["name"] for row in summary.rows(name, 3)]
    assert tiles(shown.html) == [
        ("texts", "20", "of 22 rows"),
        ("tokens", f"{summary.counts['tokens']:,}", ""),
        ("rows without a result", "2", "rejects.jsonl says why"),
    ]
    assert "Kinds of token, layer 3 of 6" in shown.html
    assert "layer 2 of 6" not in shown.html
    read, texts = tables(shown.below)
    assert ["rows of the input", "22"] in read
    assert [row[0] for row in texts[1:]] == ["2", "3"]
    assert (shown.layers, shown.layer) == ((2, 3), 3)


def test_curves_are_of_all_layers_and_no_chart_has_a_slider(summary: Any) -> None:
    shown = view(summary, 3)
    assert [one.name for one in shown.charts] == [
        *("percentile-by-layer", "high-share-by-layer", "skew", "strengths", "types")
    ]
    params = [p for one in shown.charts for p in one.spec.get("params", ())]
    assert params
    assert not any("bind" in param for param in params)
    titles = {one.name: str(one.spec["title"]) for one in shown.charts}
    assert "layer 3 of 6" in titles["strengths"]
    assert "layers 2, 3" in titles["percentile-by-layer"]
    again = view(summary, 3)
    assert all(a is b for a, b in zip(shown.charts, again.charts, strict=True))  # kept
    other = view(summary, 2)
    assert other.charts[0] is shown.charts[0]
    assert "layer 2 of 6" in str(other.charts[3].spec["title"])


def test_one_layer_has_bars_of_kinds(tmp_path: Path) -> None:
    make_run(tmp_path / "run", texts=6, layers=(3,), finished=False, done=(1,))
    shown = view(Run(tmp_path / "run").summary(), 3)
    assert {"percentile", "strengths"} <= {one.name for one in shown.charts}
    said = "This run is not finished: 1 of 3 shards are in these numbers."
    assert shown.html.index(said) < shown.html.index("<dl")
    assert [name for name, *_ in tiles(shown.html)] == ["texts", "tokens"]  # no more is known


def test_a_type_stands_first_with_its_texts(run: Run, summary: Any) -> None:
    found = run.occurrences('a"b', 3, top=2)
    shown = view(summary, 3, found)
    html = shown.html
    assert html.index("as a token: ") < html.index("Kinds of token")
    assert f"{found.n_places:,} times in {found.n_texts:,} texts" in html
    assert f": {found.percentile:.1f}" in html
    assert html.count('<div class="afn-strip">') == 2
    assert html.count("afn-t afn-found") > 1
    assert "--as word" not in html
    assert html.count("<dl") + shown.below.count('<dl class="afn-legend">') == 2  # tiles, legend
    harmless(html)
    last = shown.command.splitlines()[-1]
    assert last.startswith("afn find ")
    assert last.endswith("-- 'a\"b'")
    space: dict[str, Any] = {}
    exec(shown.python, space)
    assert space["result"].to_dict() == summary.to_dict()
    assert space["found"].to_dict() == found.to_dict()


def test_commands_without_a_type(summary: Any) -> None:
    shown = view(summary, 2)
    assert shown.command == retrace_run.command(summary)
    assert "occurrences" not in shown.python


def shifts(run: Run, prompts: tuple[str | None, ...]) -> ShiftSummary:
    pairs = [(a, b) for i, a in enumerate(prompts) for b in prompts[i + 1 :]] or [(None, None)]
    rows = [
        {
            **{"layer": layer, "prompt_a": a, "prompt_b": b, "section": section, "name": name},
            **{"n": 9, "mean": 0.25 + layer + k, "sd": 0.1, "low": None, "high": None},
        }
        for layer in (2, 3)
        for k, (a, b) in enumerate(pairs)
        for section, names in (
            ("text", [*MEASURES]),
            ("share", ["significant", "possible"]),
            ("kind", ["content", "function"]),
        )
        for name in names
    ]
    counts = {"texts": 9, "truncated": 0, "unknown": 0}
    ends = dict.fromkeys(("rows", "tokens", "rejects", "blank", "computed"))
    settings = {**run.provenance.settings, "prompts": list(prompts), "template": "{prompt} {text}"}
    how = {"align": "text", "bucket_by": "a"}
    return ShiftSummary(
        provenance=run.provenance.__class__(
            **{**vars(run.provenance), "settings": {**settings, **how}}
        ),
        layers=(2, 3),
        shards=(1, 3),
        counts=counts | ends,
        table=pa.Table.from_pylist(rows, schema=schema(SHIFTS)),
        path=run.path,
        manifest={**run.manifest, "tables": ["pairs"], "finished": None},
        prompts=prompts,
        anchors=("cls",),
    )


def test_a_run_that_compares(run: Run) -> None:
    summary = shifts(run, (None, "query:", EVIL))
    shown = view(summary, 3)
    page = harmless(shown.html)
    assert page.tags.count("details") == 3
    assert shown.html.count("<details open>") == 1
    assert 'From the bare text to "query:"' in unescape(shown.html)
    (first, *_) = tables(shown.html)
    assert [row[1] for row in first[1:3]] == ["3.250", "3.250"]
    assert "This run is not finished: 1 of 3 shards" in shown.html
    assert [one.name for one in shown.charts] == [
        *("anchor-cosine-by-layer", "anchor-shift-by-layer", "drift", "ratio", "kinds")
    ]
    assert not any("bind" in str(one.spec.get("params")) for one in shown.charts)
    harmless(shown.below)


def test_pairs_of_texts_need_nothing_to_unfold(run: Run) -> None:
    shown = view(shifts(run, ()), 2)
    assert "<details" not in shown.html
    assert tiles(shown.html)[0] == ("pairs", "9", "")


def test_without_a_run_the_command_that_makes_one_is_said() -> None:
    shown = app_corpus.nothing()
    assert "<code>afn corpus texts.txt --out runs/texts -m minilm --keep-text</code>" in shown.html
    assert not shown.command
