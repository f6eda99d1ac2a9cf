"""What the summary of a run looks like on a terminal."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from run_folders import make_run

import activation_flow as af
from activation_flow import picture_summary, report_summary
from activation_flow.picture import shade
from activation_flow.run import Run


def printed(summary: af.Summary, width: int = 80, **console: Any) -> str:
    out = io.StringIO()
    report_summary.print_terminal(summary, Console(file=out, width=width, **console))
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n"))


def row_of(text: str, name: str) -> list[str]:
    """The cells of its first row."""
    line = re.findall(rf"^ *{re.escape(name)}  .*$", text, re.MULTILINE)[0]
    return re.split(r"  +", line.strip())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    make_run(path, layers=(4,), tags=True)
    return path


@pytest.fixture(scope="module")
def summary(folder: Path) -> af.Summary:
    return Run(folder).summary(types=["nope"], top=3)


def test_the_numbers_are_those_of_the_table(summary: af.Summary) -> None:
    assert repr(summary) == printed(summary).rstrip()
    text = printed(summary, width=120)
    shown = [*summary.rows("all", 4), *summary.rows("kind", 4), *summary.rows("special", 4)]
    for row in shown:
        name = "all" if row["section"] == "all" else row["name"] or "(no kind)"
        cells = row_of(text, name)
        assert cells[1:6] == [
            f"{row['tokens']:,}",
            f"{row['mean']:.3f}",
            f"{row['sd']:.3f}",
            f"{row['percentile']:.1f}",
            f"{row['percentile_low']:.1f}-{row['percentile_high']:.1f}",
        ]
        if row["high_share"] is None:
            assert cells[6:] == ["-", "-", "-", "-", "-"]
        else:
            shares = [f"{100 * row[key]:.1f} %" for key in ("share_of_high", "base_rate")]
            between = f"{100 * row['high_share_low']:.1f}-{100 * row['high_share_high']:.1f}"
            high = [f"{100 * row['high_share']:.1f} %", between]
            assert cells[6:] == [*high, *shares, f"{row['lift']:.2f}"]
    for row in summary.rows("tag", 4):
        assert row_of(text, row["name"] or "(no tag)")[1] == f"{row['tokens']:,}"
    assert row_of(text, "nope")[1:] == ["0", *"-" * 9]
    pairs = zip(summary.rows("strongest", 4), summary.rows("weakest", 4), strict=True)
    lines = text[text.index("strongest") :].splitlines()[1:]
    for (a, b), line in zip(pairs, lines, strict=False):
        cells = re.split(r"  +", line)
        assert cells[:3] == [a["name"], f"{a['tokens']:,}", f"{a['mean']:.3f}"]
        assert cells[4:7] == [b["name"], f"{b['tokens']:,}", f"{b['mean']:.3f}"]


def test_the_sentences_set_content_words_beside_chance(summary: af.Summary) -> None:
    text = printed(summary, width=200)
    content = next(row for row in summary.rows("kind", 4) if row["name"] == "content")
    (every,) = summary.rows("all", 4)
    share, chance = (f"{100 * row['high_share']:.1f} %" for row in (content, every))
    assert (
        f"Of the content tokens, {share} are HIGH; chance, the share of all tokens: {chance}."
        in text
    )
    share, chance = (f"{100 * content[key]:.1f} %" for key in ("share_of_high", "base_rate"))
    assert f"Of the HIGH tokens, {share} are content; chance, the share of all" in text
    assert f"all tokens: {chance}." in text


def test_what_was_read_and_what_was_not(summary: af.Summary, tmp_path: Path) -> None:
    counts = summary.counts
    lines = printed(summary, width=200).splitlines()
    assert lines[:3] == [
        f"60 texts, {counts['tokens']} tokens; tiny, layer 4 of 6, openvino f32",
        "Rows: 62; without a result: 2 (rejects.jsonl says why); blank, left out: 1.",
        f"Long texts: {counts['windowed']} read in overlapping windows; {counts['truncated']} cut, "
        f"and {counts['dropped']} tokens dropped.",
    ]
    make_run(tmp_path, finished=False, done=(1,))
    text = printed(Run(tmp_path).summary())
    assert "This run is not finished: 1 of 3 shards are in these numbers." in text
    assert "Rows:" not in text


@pytest.mark.parametrize("width", [26, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(folder: Path, width: int) -> None:
    text = printed(
        Run(folder).summary(types=["a very long type of token that is not there"]), width
    )
    assert max(map(cell_len, text.split("\n"))) <= width
    for word in ("punctu", "strongest", "weakest", "mean skew", "pooled skew"):
        assert word in text


def test_without_kinds_there_are_no_sentences(tmp_path: Path) -> None:
    make_run(tmp_path, kinds="none", include_special=True)
    text = printed(Run(tmp_path).summary())
    assert "Of the content tokens" not in text
    assert row_of(text, "special")[5].endswith(" %")
    assert "takes no part" not in text
    assert "their part of all tokens" in text


def test_a_small_share_is_not_shown_as_none() -> None:
    shown = [picture_summary.percent(value) for value in (0.0, 1e-9, 0.0004999, 0.0005, 1.0)]
    assert shown == ["0.0 %", "<0.1 %", "<0.1 %", "0.1 %", "100.0 %"]


def test_no_type_occurs_so_often(folder: Path) -> None:
    assert "None occurs so often." in printed(Run(folder).summary(min_count=10**6))


def test_places_have_the_colours_of_the_scale(summary: af.Summary) -> None:
    text = printed(summary, color_system="truecolor", force_terminal=True)
    content = next(row for row in summary.rows("kind", 4) if row["name"] == "content")
    background = shade(content["percentile"] / 100)[0]
    red, green, blue = (int(background[k : k + 2], 16) for k in (1, 3, 5))
    assert re.search(rf"48;2;{red};{green};{blue}m *{content['percentile']:.1f}", text)
    assert "\x1b" not in printed(summary, color_system=None)


def test_a_run_without_a_text(tmp_path: Path) -> None:
    from pyarrow import parquet

    made = make_run(tmp_path, texts=3, shards=1)
    for table in ("tokens", "texts"):
        path = tmp_path / table / "part-00000.parquet"
        parquet.write_table(parquet.read_table(path).slice(0, 0), path)
    assert made.manifest["finished"]
    summary = Run(tmp_path).summary()
    assert "No text has a result." in repr(summary)
    assert summary.to_dict()["by_layer"] == []
    assert summary.counts["tokens"] == 0


class TestCommand:
    def test_the_table(self, afn: Any, folder: Path, summary: af.Summary) -> None:
        code, out, err = afn("summary", str(folder), "--top", "3", "--type", "nope")
        assert (code, err) == (0, "")
        assert "\n".join(line.rstrip() for line in out.splitlines()).rstrip() == repr(summary)

    def test_the_document(self, afn: Any, folder: Path, summary: af.Summary) -> None:
        words = ("--top", "3", "--type", "nope", "--json")
        assert json.loads(afn("summary", str(folder), *words)[1]) == summary.to_dict()

    def test_options(self, afn: Any, tmp_path: Path) -> None:
        make_run(tmp_path, layers=(1, 2, 3, 5))
        words = ("-l", "1", "-l", "3-3,5", "--min-count", "2", "--type", "a", "--type", "##b")
        document = json.loads(afn("summary", str(tmp_path), *words, "--json")[1])
        assert document["layers"] == [1, 3, 5]
        assert document["options"] == {"min_count": 2, "top": 10, "types": ["a", "##b"]}
        assert afn("summary", str(tmp_path), "--top", "0")[0] == 2

    def test_files(self, afn: Any, folder: Path, tmp_path: Path) -> None:
        path = tmp_path / "x.csv"
        code, out, err = afn("summary", str(folder), "--save", str(path))
        assert (code, err) == (0, f"Saved {path}\n")
        assert out.startswith("60 texts")
        assert path.exists()
        code, out, err = afn("summary", str(folder), "--save", "x.xlsx")
        assert (code, out) == (1, "")
        assert "must be one of .json, .csv, .parquet, .html, .png, .svg" in err

    def test_errors(self, afn: Any, tmp_path: Path) -> None:
        code, out, err = afn("summary", str(tmp_path))
        assert (code, out) == (1, "")
        assert err == (
            f"afn: {tmp_path} is not a run: it has no manifest.json (afn corpus INPUT --out DIR "
            "makes one)\n"
        )
