"""afn prompts: what it prints, saves and refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

import activation_flow as af

TEXT = "The weather is nice today."
MINILM = ("-m", "minilm")
TWO = ("-p", "Summarize", "-p", "Translate to French")


def test_json_is_what_python_gives(afn: Any, minilm: af.Encoder) -> None:
    code, out, err = afn("prompts", TEXT, *TWO, *MINILM, "--json")
    assert (code, err) == (0, "")
    expected = minilm.prompts(TEXT, ["Summarize", "Translate to French"])
    assert json.loads(out) == json.loads(json.dumps(expected.to_dict()))


def test_options_reach_the_library(afn: Any, minilm: af.Encoder) -> None:
    words = ("-l", "2,4", "--align", "diff", "--bucket-by", "union", "--baseline")
    more = ("--quantile", "0.5", "--include-special", "--kinds", "none", "--max-length", "20")
    template = "{text} ({prompt})"
    _, out, _ = afn("prompts", TEXT, "-p", "a", *MINILM, *words, *more, "--template", template)
    assert "(bare text)" in out
    assert "template" in out
    _, out, _ = afn(
        *("prompts", TEXT, "It rains.", "-p", "a", *MINILM, *words, *more),
        *("--template", template, "--truncate", "--json"),
    )
    expected = minilm.prompts(
        [TEXT, "It rains."],
        ["a"],
        layers="2,4",
        align="diff",
        bucket_by="union",
        baseline=True,
        quantile=0.5,
        include_special=True,
        kinds="none",
        max_length=20,
        truncate=True,
        template=template,
    )
    assert json.loads(out) == json.loads(json.dumps(expected.to_dict()))


def test_a_terminal_shows_every_pair(afn: Any) -> None:
    code, out, _ = afn("prompts", TEXT, *TWO, "--baseline", *MINILM, "-l", "all", "--top", "3")
    assert code == 0
    for part in ("Summarize", "(bare text)", "32.981", "0.270", "Where in depth", "top 3 of 8"):
        assert part in out, part
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("ending", [".json", ".parquet", ".csv", ".html"])
def test_a_file_of_texts_is_saved(
    afn: Any, minilm: af.Encoder, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "t.txt").write_bytes(f"{TEXT}\n\nbad ".encode() + b"\xff\n")
    path = tmp_path / f"r{ending}"
    code, out, err = afn(
        "prompts", "-f", str(tmp_path / "t.txt"), *TWO, *MINILM, "--save", str(path)
    )
    assert code == 1  # a line has no result
    assert "blank lines left out: 1" in err
    assert "line 3, text 2: not UTF-8" in err
    assert "Translate to French" in out
    if ending in (".json", ".parquet"):
        loaded = af.load(path)
        assert loaded[0] == minilm.prompts(TEXT, ["Summarize", "Translate to French"])
        assert loaded.errors[0].text_number == 2
    assert path.stat().st_size > 1000


def test_a_cut_variant_is_told(afn: Any) -> None:
    words = ("--max-length", "8", "--truncate", "--baseline")
    code, _, err = afn("prompts", "dog " * 10, "-p", "Summarize", *words, *MINILM)
    assert code == 0
    assert "text 1, the bare text: cut to 6 tokens; 4 dropped" in err
    assert 'text 1, with prompt "Summarize": cut to 6 tokens; 7 dropped' in err
    code, _, err = afn("prompts", "dog " * 10, "-p", "Summarize", "-p", "a", *words[:2], *MINILM)
    assert code == 1
    assert "afn: text 1: with prompt 'Summarize': it has 15 tokens" in err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((TEXT,), 2, 'give the prompts that are to be compared: -p "Summarize" -p'),
        ((TEXT, "-p", "a"), 1, "give two of them, or one and baseline=True"),
        ((TEXT, "-p", "a", "-p", "a"), 1, "prompt 'a' is given twice"),
        ((TEXT, "-p", "", "--baseline"), 1, "prompt 1 is empty; the bare text"),
        ((TEXT, "-p", "  ", "--baseline"), 1, "prompt 1 is only spaces; the bare text"),
        ((TEXT, "-p", "a", "-p", "b", "--template", "{x}"), 1, "template '{x}': it has a field"),
        ((TEXT, "-p", "a", "-p", "b", "--align", "x"), 1, "align='x' is not one of text, diff"),
        ((TEXT, "-p", "a", "-p", "b", "--save", "x.xyz"), 1, "ending '.xyz'"),
        ((TEXT, "-p", "a", "-p", "b", "--top", "3", "--json"), 2, "--top is for the table"),
        (("-p", "a", "-p", "b"), 2, "give texts, or a file with -f"),
        ((TEXT, "-p", "a", "-p", "b", "-f", "x.txt"), 2, "give texts, or a file with -f"),
    ],
)
def test_what_is_refused_before_a_model_is_loaded(
    afn: Any, words: tuple[str, ...], code: int, message: str
) -> None:
    """The default model is out of reach here: it is not asked for."""
    found, out, err = afn("prompts", *words)
    assert (found, out) == (code, "")
    assert message in err
