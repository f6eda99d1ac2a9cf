"""The page of a run: the summary's numbers, an unfinished run on top, the command that made it."""

import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from browser import Browser
from run_folders import make_run

import activation_flow as af
from activation_flow import retrace_run
from activation_flow.picture_summary import cell
from activation_flow.run import Run


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> af.Summary:
    path = tmp_path_factory.mktemp("run")
    make_run(path, texts=40, layers=(2, 3), tags=True, seed=7)
    return Run(path).summary()


@pytest.fixture(scope="module")
def page(summary: af.Summary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "run.html"
    summary.save(path)
    return path


def tables(html: str) -> list[list[list[str]]]:
    """The cells of each table, row by row, as they are read."""
    found = []
    for table in re.findall(r"<table.*?</table>", html, re.DOTALL):
        rows = re.findall(r"<tr.*?</tr>", table, re.DOTALL)
        cells = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
        found.append([[unescape(re.sub("<.*?>", "", c)).strip() for c in row] for row in cells])
    return found


def test_the_numbers_are_those_of_the_table(summary: af.Summary, page: Path) -> None:
    found = tables(page.read_text("utf-8"))
    kinds = [table for table in found if table[0][0] == "kind"]
    columns = ("tokens", "mean", "sd", "percentile", "place_95", "high_share", "high_95")
    for layer, table in zip(summary.layers, kinds, strict=True):
        rows = {name: rest for name, *rest in table[1:]}
        for section in ("all", "kind", "special"):
            for row in summary.rows(section, layer):
                name = "all" if section == "all" else row["name"] or "(no kind)"
                assert rows[name][:7] == [cell(column, row) for column in columns]
    strongest = [table for table in found if table[0][0] == "strongest"]
    for layer, table in zip(summary.layers, strongest, strict=True):
        assert [row[0] for row in table[1:]] == [
            row["name"] for row in summary.rows("strongest", layer)
        ]
    (texts,) = [table for table in found if table[0][0] == "layer"]
    assert [row[0] for row in texts[1:]] == ["2", "3"]
    counts = dict(found[0])
    assert counts["rows of the input"] == "42"
    assert counts["texts with a result"] == "40"
    assert counts["rows without a result"] == "2"
    assert counts["texts that were the same as one before, and computed once"] == "1"


def test_it_is_one_page_with_charts_and_the_command(summary: af.Summary, page: Path) -> None:
    html = page.read_text("utf-8")
    assert page.stat().st_size < 5e6
    assert "<h1>Token activation strength over a corpus</h1>" in html
    assert html.count('<figure class="afn-figure"') == 7
    assert "afn-warning" not in html.partition("<body")[2].replace(".afn-warning", "")
    assert unescape(html).count(retrace_run.command(summary).splitlines()[0]) == 1
    assert "quantile_method" in html


def test_in_a_browser_without_network_nothing_is_wrong(page: Path, browser: Browser) -> None:
    with browser.open(page) as shown:
        assert shown.requests() == []
        assert shown.problems() == []
        shown.js(
            "(() => { const range = document.querySelector('#percentile input[type=range]');"
            "range.value = 2; range.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        shown.wait("document.querySelector('#percentile').innerHTML.includes('layer 2 of 6')")
        assert shown.problems() == []


def test_an_unfinished_run_says_so_on_top(tmp_path: Path) -> None:
    make_run(tmp_path / "run", finished=False, done=(1,), layers=(3,))
    summary = Run(tmp_path / "run").summary(3)
    said = "This run is not finished: 1 of 3 shards are in these numbers."
    summary.save(tmp_path / "x.html")
    html = (tmp_path / "x.html").read_text("utf-8")
    assert html.index(said) < html.index("<section")
    assert said in summary._repr_html_()
    assert "rows of the input" not in html  # nobody knows how many there are


def test_in_a_notebook_it_is_tables_without_scripts(summary: af.Summary) -> None:
    bundle = summary._repr_mimebundle_()
    assert bundle["text/plain"] == repr(summary)
    assert bundle["text/html"] == summary._repr_html_()
    assert "<script" not in bundle["text/html"]
    assert "Strongest and weakest types" in bundle["text/html"]


def test_pictures_by_their_endings(summary: af.Summary, tmp_path: Path) -> None:
    summary.save(tmp_path / "x.png")
    summary.save(tmp_path / "x.svg")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    assert "layer by layer" in (tmp_path / "x.svg").read_text("utf-8")


def test_afn_report_writes_it(afn: Any, summary: af.Summary, page: Path, tmp_path: Path) -> None:
    code, out, _ = afn("report", str(summary.path), "--save", str(tmp_path / "a.html"))
    assert (code, out.split(":")[0]) == (0, str(tmp_path / "a.html"))
    assert (tmp_path / "a.html").read_text("utf-8") == page.read_text("utf-8")


def test_types_asked_for_stand_below_the_others(summary: af.Summary) -> None:
    html = Run(summary.path).summary(3, types=["##fold", "nope"])._repr_html_()
    (asked,) = [table for table in tables(html) if table[0][0] == "type asked for"]
    assert [row[:2] for row in asked[1:]][1] == ["nope", "0"]


def test_a_run_without_a_text(tmp_path: Path) -> None:
    from pyarrow import parquet

    make_run(tmp_path, texts=3, shards=1)
    for table in ("tokens", "texts"):
        path = tmp_path / table / "part-00000.parquet"
        parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    html = Run(tmp_path).summary()._repr_html_()
    assert "No text has a result." in html


class TestCommand:
    """The command of a page makes a run with the same manifest."""

    @pytest.mark.parametrize(
        ("name", "rows", "how"),
        [
            ("a b.txt", "one text\n", {}),
            ("x.txt", "one text\n", {"layers": "all", "vectors": "2", "keep_text": True}),
            (
                "x.jsonl",
                '{"body": "who is it", "n": 1}\n',
                {"text_column": "body", "id_column": "n", "shard_size": 3, "words": "mean"},
            ),
            (
                "x.csv",
                "text,b\na b,c d\n",
                {"pairs": "text,b", "align": "position", "quantile": 0.5},
            ),
            (
                "x.txt",
                "one text\n",
                {"prompts": ["-q:", "it's"], "baseline": True, "template": "{text} {prompt}"},
            ),
            ("x.conllu", "1\tthe\tthe\tDET\t_\t_\t0\t_\t_\t_\n\n", {}),
            ("x.conllu", "1\tthe\tthe\tDET\t_\t_\t0\t_\t_\t_\n\n", {"kinds": "list"}),
            ("lines.log", "one text\n", {"format": "txt", "truncate": True, "max_length": 9}),
        ],
    )
    def test_the_same_run(
        self,
        afn: Any,
        minilm: af.Encoder,
        tmp_path: Path,
        name: str,
        rows: str,
        how: dict[str, Any],
    ) -> None:
        (tmp_path / name).write_text(rows)
        run = af.run_corpus(minilm, tmp_path / name, out=tmp_path / "run", **how)
        first, second, *_ = retrace_run.command(run.summary()).splitlines()
        word, *words = shlex.split(first)
        assert word == "afn"
        # The command goes on with the run: it is refused if a setting differs.
        code, _, err = afn(*words)
        assert code == 0, err
        assert json.loads((tmp_path / "run" / "manifest.json").read_text()) == run.manifest
        assert shlex.split(second)[1:3] == ["report", str(run.path)]

    def test_many_files_are_named_by_a_note(self, tmp_path: Path) -> None:
        made = make_run(tmp_path, texts=3, shards=1)
        made.manifest["files"] = [
            {**made.manifest["files"][0], "path": f"{k}.txt"} for k in range(9)
        ]
        (tmp_path / "manifest.json").write_text(json.dumps(made.manifest))
        lines = retrace_run.command(Run(tmp_path).summary()).splitlines()
        assert lines[0].startswith("afn corpus INPUT --out")
        assert lines[2] == "# INPUT is the 9 files from 0.txt to 8.txt"
