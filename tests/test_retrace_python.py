"""The lines of Python that a page shows, run: they must make the same result."""

import ast
import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from run_folders import make_run

import activation_flow as af
from activation_flow import analysis, html, retrace, retrace_python
from activation_flow.data import Failure, Provenance
from activation_flow.result_shift import ShiftResults
from activation_flow.results import StrengthResults
from activation_flow.strength import QUANTILE_METHODS

DAY, WALK = "Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the old beach!"
HOSTILE = [
    *('"', "'", "\"'", '"""', "'''", "\\", "\\n", "a\nb", "\r\n", "\0", "\x1b[31m", "{}", "{0}"),
    *("{prompt}", "%s", "\ud800", "\udc00x", "\u202eevil", "\u2028", "\ufeff", "e\u0301", "\u0301"),
    *(
        "#",
        "# \n",
        "日本語 😀",
        "👩\u200d👩",
        "\N{LATIN SMALL LETTER A}",
        "\\N{BULLET}",
        "\x85",
        "\xa0",
        "",
    ),
    *("</script>", "\ufffe", "\U0010ffff", "-x", "f'{1}'", "\\u0041", "a\\", 'b\\"'),
]
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=9), max_size=4).map("".join)
# Those that a model reads.
READABLE = TEXTS.map(lambda text: f"a {text}".encode(errors="ignore").decode())


def run(lines: str, **names: Any) -> Any:
    """What the lines make, in a module of their own."""
    compile(lines, "page", "exec")
    exec(lines, names)
    return names["result"]


@contextlib.contextmanager
def opened(**known: Any) -> Iterator[None]:
    """``from_pretrained`` of one of these names, and of nothing more, gives what is open already.

    Anything else that lines ask for is opened in truth. Each that is opened compiles its layers
    anew, which takes longer than all that is tested here.
    """
    real = af.Encoder.from_pretrained

    def give(*asked: Any, **options: Any) -> Any:
        if not options and len(asked) == 1 and isinstance(asked[0], str) and asked[0] in known:
            return known[asked[0]]
        return real(*asked, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(af.Encoder, "from_pretrained", give)
        yield


@pytest.fixture(autouse=True, scope="module")
def open_already(minilm: af.Encoder) -> Iterator[None]:
    with opened(minilm=minilm):
        yield


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": "all", "quantile": 0.5, "quantile_method": "linear", "include_special": True},
        {"layers": "2-4", "words": "max", "kinds": "none", "threshold_scope": "corpus"},
        {"layers": [6, 0], "words": "l2", "max_length": 16, "stride": 4},
        {"layers": 0, "max_length": 5, "truncate": True},
    ],
)
def test_strength(minilm: af.Encoder, options: dict[str, Any]) -> None:
    texts = ['It\'s "quoted" \\n !', "two\nlines", "日本語 😀", "a\0b\x1b", "\u202eevil"]
    several = minilm.strength(texts, **options)
    assert run(retrace_python.python(several)) == several
    one = minilm.strength(texts[0], **options)
    assert run(retrace_python.python(one)) == one
    # A list of one is written as one text.
    assert run(retrace_python.python(one._as_list())) == one
    pairs = minilm.strength(texts[:2], texts[2:4], layers=3)
    assert run(retrace_python.python(pairs)) == pairs
    assert run(retrace_python.python(pairs[1])) == pairs[1]
    none = minilm.strength([], **options)
    assert run(retrace_python.python(none)) == none


def test_the_lines_are_short(minilm: af.Encoder) -> None:
    result = minilm.strength("A day.", layers=3, quantile=0.9)
    assert retrace_python.python(result, longest=minilm.max_length) == (
        "import activation_flow as af\n"
        "\n"
        'encoder = af.Encoder.from_pretrained("minilm")\n'
        'result = encoder.strength("A day.", layers=3, quantile=0.9)'
    )
    long = minilm.strength([DAY, WALK], quantile=0.9, include_special=True)
    lines = retrace_python.python(long, longest=minilm.max_length).split("\n")
    assert max(map(len, lines)) <= retrace_python.WIDTH
    assert lines[3:7] == ["texts = [", f'    "{DAY}",', f'    "{WALK}",', "]"]


@pytest.mark.parametrize("options", [{}, {"layers": "2-4", "quantile": 0.9}])
def test_layers(minilm: af.Encoder, options: dict[str, Any]) -> None:
    for results in (minilm.layers([DAY], **options), minilm.layers([DAY, WALK], **options)):
        assert run(retrace_python.python(results)) == results
    (four,) = {results.layers[-1]}
    # What was taken out of all layers, and what was judged anew, are made directly.
    part = results.at([four]).rebucket(quantile=0.3)
    assert type(part) is af.StrengthResults
    assert run(retrace_python.python(part)) == part


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"align": "position", "bucket_by": "union", "layers": -1},
        {"words": "mean", "truncate": True, "max_length": 6, "include_special": True},
    ],
)
def test_shift(minilm: af.Encoder, options: dict[str, Any]) -> None:
    one = minilm.shift("-a day", WALK, **options)
    assert run(retrace_python.python(one)) == one
    several = minilm.shift([DAY, "a\nb"], [WALK, "c"], **options)
    assert run(retrace_python.python(several)) == several


def test_hidden_states(minilm: af.Encoder) -> None:
    several = minilm.hidden_states([DAY, WALK], layers="2,4", kinds="none")
    assert run(retrace_python.python(several)) == several
    assert run(retrace_python.python(several[0])) == several[0]
    shift = minilm.hidden_states(WALK) - minilm.hidden_states(DAY)
    assert run(retrace_python.python(shift)) == shift


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"baseline": True, "template": "-{prompt}: {{{text}}}", "layers": "all"},
        {"align": "diff", "bucket_by": "b", "quantile": 0.6, "threshold_scope": "corpus"},
    ],
)
def test_prompts(minilm: af.Encoder, options: dict[str, Any]) -> None:
    one = minilm.prompts("-the weather", ["Summarize:", '--json"{}'], **options)
    assert run(retrace_python.python(one)) == one
    several = minilm.prompts([DAY, "{text}"], ["Summarize:", "b"], **options)
    assert run(retrace_python.python(several)) == several


# any text, any option


@given(text=TEXTS)
@example("\ud83d\ude00")  # two halves that are no emoji
@example("'" * 3 + '"' * 3)
def test_a_literal_is_the_text(text: str) -> None:
    written = retrace_python.literal(text)
    assert ast.literal_eval(written) == text
    assert written.isprintable()
    written.encode()


@settings(max_examples=50)
@given(texts=st.lists(TEXTS, max_size=5), second=st.lists(TEXTS, min_size=5, max_size=5))
def test_texts_survive(minilm: af.Encoder, texts: list[str], second: list[str]) -> None:
    """Whatever they are: those that no model reads, too."""
    one = minilm.strength("a")
    results = StrengthResults(
        tuple(replace(one, text=text) for text in texts), one.provenance, one.layers
    )
    asked: list[Any] = []

    class Asked:
        def strength(self, *given: Any, **_: Any) -> None:
            asked.append(given)

        shift = prompts = strength

    with opened(minilm=Asked()):
        run(retrace_python.python(results))
        assert asked.pop() == (texts if len(texts) != 1 else texts[0],)
        both = zip(results, second, strict=False)
        pairs = replace(results, results=tuple(replace(r, text_pair=b) for r, b in both))
        if texts:
            run(retrace_python.python(pairs))
            seconds = second[: len(texts)]
            assert asked.pop() == ((texts, seconds) if len(texts) > 1 else (texts[0], seconds[0]))


SHARED: dict[str, Any] = {
    "quantile": st.sampled_from([0.75, 0.5, 0.9]) | st.floats(0, 1),
    "quantile_method": st.sampled_from(QUANTILE_METHODS),
    "threshold_scope": st.sampled_from(["text", "corpus"]),
    "include_special": st.booleans(),
    "kinds": st.sampled_from(["list", "none"]),
    "truncate": st.booleans(),
    "max_length": st.sampled_from([None, 512, 40, 300]),
}
WORDS = st.sampled_from([None, "max", "mean", "sum", "first", "l2"])
LAYERS = st.sampled_from([None, "all", 4, -1, "2-4", [6, 0]])  # few, as each is compiled


def options(**more: Any) -> Any:
    return st.fixed_dictionaries({}, optional=SHARED | more)


@settings(max_examples=30)
@given(
    texts=READABLE | st.lists(READABLE, max_size=4),
    how=options(words=WORDS, layers=LAYERS, stride=st.sampled_from([None, 4])),
    known=st.booleans(),
    method=st.sampled_from(["strength", "layers"]),
)
def test_any_strength(minilm: af.Encoder, texts: Any, how: Any, known: bool, method: str) -> None:
    how = {name: value for name, value in how.items() if value is not None}
    if how.get("truncate"):  # then there are no windows
        how.pop("stride", None)
    results = getattr(minilm, method)(texts, **how)
    longest = minilm.max_length if known else None
    again = run(retrace_python.python(results, longest=longest))
    one = isinstance(results, af.StrengthResults) and len(results) == 1
    assert again == (results[0] if one and method == "strength" else results)


@settings(max_examples=20)
@given(
    pairs=st.lists(st.tuples(READABLE, READABLE), max_size=3),
    how=options(
        words=WORDS,
        layers=st.sampled_from([0, 4, 6]),
        align=st.sampled_from(["diff", "position"]),
        bucket_by=st.sampled_from(["a", "b", "union"]),
    ),
)
def test_any_shift(minilm: af.Encoder, pairs: Any, how: Any) -> None:
    a, b = [one for one, _ in pairs], [one for _, one in pairs]
    results = minilm.shift(a, b, **how, errors="collect")
    again = run(retrace_python.python(results))
    assert again == (results[0] if len(results) == 1 else results)


@settings(max_examples=15)
@given(
    texts=READABLE | st.lists(READABLE, max_size=2),
    prompts=st.lists(READABLE, min_size=2, max_size=3, unique=True),
    how=options(
        layers=LAYERS,
        align=st.sampled_from(["text", "diff", "position"]),
        bucket_by=st.sampled_from(["a", "b", "union"]),
        baseline=st.booleans(),
        template=st.sampled_from(["{prompt} {text}", '{text}\n"""{prompt}', "{{}}{prompt}{text}'"]),
    ),
)
def test_any_prompts(minilm: af.Encoder, texts: Any, prompts: Any, how: Any) -> None:
    try:
        results = minilm.prompts(texts, prompts, **how)
    except af.ActivationFlowError:  # texts that are too long, and the like
        return
    again = run(retrace_python.python(results))
    one = isinstance(results, af.PromptsResults) and len(results) == 1
    assert again == (results[0] if one else results)


# texts in files


def files_of(lines: str) -> list[str]:
    return re.findall(r'Path\("(.*)"\)', lines)


def test_many_texts_are_in_a_file(
    minilm: af.Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = [f"text {n}\n\0😀\u2028\r" for n in range(retrace.TEXTS + 1)]
    few = minilm.strength(texts[:-1])
    assert not files_of(retrace_python.python(few))
    results = minilm.strength(texts)
    lines = retrace_python.python(results)
    assert files_of(lines) == ["texts.json"]
    assert lines.endswith("# texts.json holds the 21 texts, as json.dumps(texts) gives it")
    Path("texts.json").write_text(json.dumps(texts))
    assert run(lines) == results
    pairs = minilm.strength(texts, texts[::-1])
    lines = retrace_python.python(pairs)
    assert files_of(lines) == ["texts.json", "pairs.json"]
    Path("pairs.json").write_text(json.dumps(texts[::-1]))
    assert run(lines) == pairs


def test_many_pairs_and_a_long_text_are_in_files(
    minilm: af.Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    a, b = [DAY] * 21, [f"day {n}" for n in range(21)]
    shifts = minilm.shift(a, b)
    lines = retrace_python.python(shifts)
    assert files_of(lines) == ["a.json", "b.json"]
    Path("a.json").write_text(json.dumps(a))
    Path("b.json").write_text(json.dumps(b))
    assert run(lines) == shifts
    long = "word " * 1000
    one = minilm.strength(long)
    lines = retrace_python.python(one)
    assert "# text.json holds the text, as json.dumps(text) gives it" in lines
    Path("text.json").write_text(json.dumps(long))
    assert run(lines) == one


# pages


def test_the_last_line_writes_the_page(
    minilm: af.Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for result in (
        minilm.layers(DAY),
        minilm.shift(DAY, WALK),
        minilm.prompts(DAY, ["Summarize:", "Translate:"]),
    ):
        run(retrace_python.python(result, report=True))
        # What "afn report" makes of the file that holds it.
        assert Path("report.html").read_text(encoding="utf-8") == html.html_page(result._as_list())
        Path("report.html").unlink()
    lines = retrace_python.python(minilm.strength(DAY), report=True)
    run(lines)
    assert not Path("report.html").exists()
    assert lines.split("\n")[-2].startswith('# the page of "afn report TEXT..." shows every layer')


# models, failures, parts


def head(model: str, revision: str | None, **more: Any) -> Provenance:
    engine, precision = more.pop("engine", "openvino"), more.pop("precision", "f32")
    return Provenance(model, revision, engine, precision, 12, **more)


@pytest.mark.parametrize(
    ("about", "call"),
    [
        (
            head("bert-base-uncased", "0123456789" * 4),
            f'(\n    "bert-base-uncased",\n    revision="{"0123456789" * 4}",\n)',
        ),
        (head("my models/\"b'", "sha256:12"), "('my models/\"b\\'')"),
        (head("x", None, engine="torch"), '("x", engine="torch")'),
        (head("x", None, precision="bf16"), '("x", precision="bf16")'),
        (head("gpt2 (live)", "xxh3:1"), "((model, tokenizer))"),
    ],
)
def test_models(about: Provenance, call: str) -> None:
    lines = retrace_python.python(StrengthResults((), about, (8,)))
    assert f"encoder = af.Encoder.from_pretrained{call}\n" in lines
    assert ("live in Python" in lines) == ("(live)" in about.model)
    ast.parse(lines)


def test_models_that_are_there(tiny: Callable[..., Any], tmp_path: Path) -> None:
    model, tokenizer = tiny("bert")
    live = af.Encoder.from_pretrained((model, tokenizer)).strength("the dog sat")
    assert run(retrace_python.python(live), model=model, tokenizer=tokenizer) == live
    folder = tmp_path / "a 'model' of \"mine\""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for engine in ("auto", "torch"):
        encoder = af.Encoder.from_pretrained(folder, engine=engine)
        result = encoder.layers(["the dog sat", "a cat"])
        assert run(retrace_python.python(result)) == result


def test_texts_without_a_result_are_told(minilm: af.Encoder) -> None:
    results = minilm.strength([DAY, ""], errors="collect")
    assert retrace_python.python(results).endswith("# one text without a result is not in it")
    none = ShiftResults((), results.provenance, (4,), (Failure(1, "x"), Failure(2, "y")))
    assert retrace_python.python(none).endswith("# 2 pairs without a result are not in it")


def test_a_part_of_a_comparison_says_of_what(minilm: af.Encoder) -> None:
    prompts = minilm.prompts(DAY, ["Summarize:", "Translate:"])
    shift = minilm.shift(DAY, WALK)
    for part in (prompts.between(0, 1, 4), prompts.variants[1], shift.a, shift.b):
        lines = retrace_python.python(part)
        assert "encoder.shift()" in lines or "encoder.prompts()" in lines
        assert lines.startswith("# ")
        assert not ast.parse(lines).body
    # Nor does the command have options that it would refuse.
    assert "--align" not in retrace.command(prompts.variants[1]._as_list())


def test_an_option_of_every_default_is_one_of_the_method() -> None:
    """A new setting must not stand in lines that no method takes."""
    from inspect import signature

    from activation_flow import analysis_hidden, analysis_prompts, analysis_shift

    of_methods = {
        "strength": analysis.strength,
        "shift": analysis_shift.shift,
        "prompts": analysis_prompts.prompts,
        "hidden_states": analysis_hidden.stream,
    }
    for name, function in of_methods.items():
        usual = retrace.DEFAULTS | retrace.OF_COMMAND.get(name, {})
        taken = {
            option: one.default
            for option, one in signature(function).parameters.items()
            if option in usual
        }
        assert taken
        assert taken == {option: usual[option] for option in taken}
    assert signature(analysis_prompts.prompts).parameters["template"].default == retrace.TEMPLATE


# runs


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"layers": 3},
        {"layers": [4, 3], "top": 3},
        {"min_count": 1, "types": ['a"b', "it's", "##fold"]},
    ],
)
def test_the_summary_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a 'run' of \"mine\""
    make_run(folder)
    summary = af.Run(folder).summary(**asked)
    lines = retrace_python.of_run(summary)
    assert run(lines) == summary
    assert ("summary()" in lines) == (not asked)
    if asked == {"layers": 3}:  # a page takes a while
        run(retrace_python.of_run(summary, report=True))
        summary.save("other.html")
        assert Path("report.html").read_bytes() == Path("other.html").read_bytes()


def test_the_summary_of_a_run_that_compares(minilm: af.Encoder, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("the dog sat\na cat\n")
    made = af.run_corpus(
        minilm, tmp_path / "texts.txt", out=tmp_path / "run", prompts=["a", "b"], layers="2,4"
    )
    for layers in (None, 4):
        summary = made.summary(layers)
        assert run(retrace_python.of_run(summary)) == summary
