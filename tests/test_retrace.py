"""The command that a page gives, run: it must make the same document."""

import json
import shlex

import pytest

from activation_flow import cli, retrace
from activation_flow.data import Failure, Provenance
from activation_flow.results import StrengthResults

DAY, WALK = "Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the old beach!"


@pytest.fixture
def again(afn, tmp_path):
    """Runs a command and gives its document; texts of a FILE are written for it."""

    def run(results, rows=(), ending="txt"):
        words = shlex.split(retrace.command(results), comments=True)
        assert words[0] == "afn"
        file = tmp_path / f"texts.{ending}"
        file.write_bytes("".join(f"{row}\n" for row in rows).encode())
        words = [str(file) if word == f"FILE.{ending}" else word for word in words]
        code, out, err = afn(words[1], "--json", *words[2:])
        assert code == 0, err
        return json.loads(out)

    return run


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": "all", "quantile": 0.5, "quantile_method": "linear", "include_special": True},
        {"layers": "2-4", "words": "max", "kinds": "none", "threshold_scope": "corpus"},
        {"layers": [6, 0], "words": "l2", "max_length": 16, "stride": 4},
        {"max_length": 5, "truncate": True},
    ],
)
def test_strength(minilm, again, options):
    texts = ['It\'s "quoted" $HOME `x` \\n !', "-x --json", "two\nlines", "日本語 😀", "#no"]
    results = minilm.strength(texts, **options)
    assert again(results) == results.to_dict()


def test_pairs_of_segments(minilm, again):
    results = minilm.strength(["a day", "-b"], ["-l 3", "c d"])
    assert again(results) == results.to_dict()


@pytest.mark.parametrize("options", [{}, {"layers": "4,5"}, {"layers": "1-3", "quantile": 0.9}])
def test_layers(minilm, again, options):
    results = minilm.layers([DAY], **options)
    assert again(results) == results.to_dict()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"align": "position", "bucket_by": "union", "layers": -1},
        {"words": "mean", "truncate": True, "max_length": 6, "include_special": True},
    ],
)
def test_shift(minilm, again, options):
    result = minilm.shift("-a day", WALK, **options)
    assert again(result._as_list()) == result.to_dict()


def test_hidden(minilm, again):
    results = minilm.hidden_states([DAY], layers="2,4", kinds="none")
    assert again(results) == results.to_dict()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"baseline": True, "template": "-{prompt}: {{{text}}}", "layers": "all"},
        {"align": "diff", "bucket_by": "b", "quantile": 0.6},
    ],
)
def test_prompts(minilm, again, options):
    if "prompts" not in cli.app.commands:
        pytest.skip("afn prompts is not there yet")
    result = minilm.prompts("-the weather", ["Summarize:", "--json"], **options)
    assert again(result._as_list()) == result.to_dict()


# what a command line cannot carry


@pytest.mark.parametrize("text", ["a\0b", "a\x1b[31m", "tab\there", "\u202eevil", "word " * 1000])
def test_a_text_that_cannot_be_typed_is_in_a_file(minilm, again, text):
    results = minilm.strength([text, DAY])
    command = retrace.command(results)
    assert text not in command
    assert command.endswith(
        "-f FILE.txt -m minilm --max-length 512\n# FILE.txt holds the 2 texts, one a line"
    )
    assert again(results, [text, DAY]) == results.to_dict()


def test_many_pairs_are_in_a_file(minilm, again):
    pairs = [("a\0\nb", DAY), (DAY, WALK)]
    results = minilm.shift(*map(list, zip(*pairs, strict=True)))
    rows = [json.dumps({"a": a, "b": b}) for a, b in pairs]
    assert again(results, rows, "jsonl") == results.to_dict()
    assert "FILE.jsonl holds the 2 pairs" in retrace.command(results)


def test_many_texts_are_in_a_file(minilm, again):
    texts = [f"text {n}" for n in range(21)]
    results = minilm.strength(texts)
    assert again(results, texts) == results.to_dict()


def test_what_no_file_of_lines_can_hold_is_said(minilm):
    results = minilm.strength(["a\0\nb"])
    assert "give them in Python" in retrace.command(results)


# models and failures


def head(model, revision, **more):
    return Provenance(model, revision, more.pop("engine", "openvino"), "f32", 12, **more)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (
            head("bert-base-uncased", "0123456789" * 4),
            f"-m bert-base-uncased --revision {'0123456789' * 4}",
        ),
        (head("my models/b", "sha256:12"), "-m 'my models/b'"),
        (head("x", None, engine="torch"), "-m x --engine torch"),
        (head("gpt2 (live)", "xxh3:1"), "-m FOLDER"),
    ],
)
def test_models(about, words):
    command = retrace.command(StrengthResults((), about, (8,)))
    assert command.split("\n")[0] == f"afn strength {words}"
    assert ("live in Python" in command) == ("FOLDER" in words)


def test_texts_without_a_result_are_told(minilm):
    results = minilm.strength([DAY, ""], errors="collect")
    assert retrace.command(results).endswith("# one text without a result is not in it")
    none = StrengthResults((), results.provenance, (4,), (Failure(1, "x"), Failure(2, "y")))
    assert retrace.command(none).endswith("# 2 texts without a result are not in it")


def test_the_defaults_are_those_of_the_commands():
    for name in ("strength", "layers", "shift", "hidden", "prompts"):
        if name not in cli.app.commands:
            continue
        usual = retrace.DEFAULTS | retrace.OF_COMMAND.get(name, {})
        for option in cli.app.commands[name].params:
            if option.name in usual:
                assert option.to_info_dict()["default"] == usual[option.name]
            if option.name == "template":
                assert option.default == retrace.TEMPLATE
