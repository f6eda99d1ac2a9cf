"""Calls of programs and agents: the documents of the commands, and what Gradio tells of them."""

import json

import pytest
from page_models import OneModel

from activation_flow.app_calls import Calls
from activation_flow.app_settings import Bounds, Settings
from activation_flow.data import ActivationFlowError

DAY, WALK = "Enjoying a beautiful day at the park!", "Enjoying a walk, nonchalant, at the beach!"
MINILM = ("-m", "minilm", "--json")


@pytest.fixture
def models(minilm):
    return OneModel(minilm)


@pytest.fixture
def calls(models):
    return Calls(Settings(model="minilm"), models)


def printed(afn, *words):
    code, out, err = afn(*words)
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ()),
        (
            {"layers": "2-4", "quantile": 0.5, "words": True, "model": "minilm"},
            ("-l", "2-4", "--quantile", "0.5", "--words"),
        ),
    ],
)
def test_strength(afn, calls, options, words):
    own = printed(afn, "strength", DAY, WALK, *MINILM, *words)
    assert calls.strength([DAY, WALK], **options) == own


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ()),
        (
            {"layer": "-1", "quantile": 0.5, "words": True, "align": "position"},
            ("-l", "-1", "--quantile", "0.5", "--words", "--align", "position"),
        ),
    ],
)
def test_shift(afn, calls, options, words):
    assert calls.shift(DAY, WALK, **options) == printed(afn, "shift", DAY, WALK, *MINILM, *words)


def test_prompts(afn, calls):
    own = calls.prompts(DAY, ["Hi", "No"], layers="all", baseline=True, align="diff", quantile=0.5)
    words = ("-l", "all", "--baseline", "--align", "diff", "--quantile", "0.5")
    assert own == printed(afn, "prompts", DAY, "-p", "Hi", "-p", "No", *MINILM, *words)
    assert calls.prompts(DAY, ["Hi", "No"])["layers"] == [4]


def test_a_layer_may_come_as_a_number(calls):
    assert calls.shift("a", "b", layer=2) == calls.shift("a", "b", layer=" 2 ")


def test_texts_without_a_result_are_told(calls):
    document = calls.strength(["a", "", "b"])
    assert [text["text"] for text in document["texts"]] == ["a", "b"]
    assert [error["text_number"] for error in document["errors"]] == [2]
    for fails in (lambda: calls.strength([""]), lambda: calls.shift("a", "")):
        with pytest.raises(ActivationFlowError, match="empty"):
            fails()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("strength", {"texts": "a text"}, "texts is str; give a list of strings"),
        ("strength", {"texts": []}, "texts is empty; give at least one"),
        ("strength", {"texts": ["a"] * 33}, "33 texts came; this page takes up to 32"),
        ("strength", {"texts": ["a", "x" * 11]}, "text 2 has 11 characters"),
        ("strength", {"texts": ["a", None]}, "text 2 is NoneType, not a text"),
        ("strength", {"texts": ["a"], "quantile": "0.5"}, "quantile '0.5' is not a number"),
        ("strength", {"texts": ["a"], "quantile": float("nan")}, "quantile nan"),
        ("strength", {"texts": ["a"], "words": "no"}, "words is 'no'; give true or false"),
        ("strength", {"texts": ["a"], "layers": [1]}, r"layers is \[1\]; give a string"),
        ("strength", {"texts": ["a"], "model": 3}, "the name of the model is int"),
        ("strength", {"texts": ["a"], "model": "other"}, "not served here"),
        ("shift", {"a": "a", "b": "x" * 11}, "text B has 11 characters"),
        ("shift", {"a": None, "b": "b"}, "text A is NoneType"),
        ("shift", {"a": "a", "b": "b", "align": "x"}, "'x' is not one of"),
        ("prompts", {"text": "x" * 11, "prompts": ["a", "b"]}, "the text has 11 characters"),
        ("prompts", {"text": "a", "prompts": ["a"] * 9}, "9 prompts came"),
        ("prompts", {"text": "a", "prompts": ["a", 2]}, "prompt 2 is int, not a text"),
        ("prompts", {"text": "a", "prompts": ["a"]}, "compared in pairs"),
        ("prompts", {"text": "a", "prompts": ["a", "b"], "align": "x"}, "'x' is not one of"),
        ("prompts", {"text": "a", "prompts": ["a"], "baseline": 1}, "baseline is 1"),
    ],
)
def test_what_is_not_taken_runs_no_model(models, name, arguments, message):
    calls = Calls(Settings(bounds=Bounds(characters=10)), models)
    with pytest.raises(ActivationFlowError, match=message):
        getattr(calls, name)(**arguments)
    assert not models.uses


@pytest.mark.parametrize("layers", ["x", "9", "6-2"])
def test_layers_are_those_of_the_command_line(calls, layers):
    with pytest.raises(ActivationFlowError, match="layer"):
        calls.strength(["a"], layers=layers)


@pytest.mark.parametrize("name", ["strength", "shift", "prompts"])
def test_gradio_understands_what_is_said_of_them(calls, name):
    utils = pytest.importorskip("gradio.utils")
    call = getattr(calls, name)
    description, parameters, returns = utils.get_function_description(call)
    assert len(description) > 300
    assert "afn " + name in description
    assert [*parameters] == [*call.__annotations__][:-1]
    for text in (*parameters.values(), *returns):
        assert text.endswith("."), text
    assert len(returns) == 1
    bounds = Bounds()
    assert f"{bounds.characters:,} characters" in description
    most = {"strength": f"{bounds.texts} texts", "prompts": f"{bounds.prompts} prompts"}
    assert f"At most {most.get(name, '5,000 characters each')}" in description


def test_an_answer_that_would_be_too_long_is_refused(models):
    calls = Calls(Settings(model="minilm", bounds=Bounds(numbers=6)), models)
    assert calls.strength(["paris"], layers="1,2")["layers"] == [1, 2]  # 2 layers of 3 tokens
    for ask in (
        lambda: calls.strength(["paris"], layers="1-3"),
        lambda: calls.shift(DAY, WALK),
        lambda: calls.prompts("paris", ["Hi", "No"], layers="all"),
    ):
        with pytest.raises(ActivationFlowError, match="this page gives up to 6: ask for fewer"):
            ask()
