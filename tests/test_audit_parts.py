"""Which parts an audit has: names in any case, what comes along, what each needs."""

import os
import re
from pathlib import Path

import pytest

from activation_flow import ActivationFlowError
from activation_flow.audit_options import Options
from activation_flow.audit_parts import CLAIMS, NEEDS, PARTS, asked, needed
from activation_flow.claims import DECLARED


def test_all_parts_are_asked_for_where_nothing_is():
    assert asked(None) == PARTS
    assert CLAIMS == tuple(f"C{k}" for k in range(1, 12)) == tuple(one.id for one in DECLARED)
    assert {*NEEDS} <= {*PARTS}


def test_names_in_any_case_and_order_are_sorted():
    assert asked(" stability,c11 ,C3,C3") == ("C3", "C11", "stability")
    assert asked(["C5"]) == ("C5",)


def test_what_a_verdict_rests_on_comes_along():
    assert asked("C2") == ("C1", "C2")


@pytest.mark.parametrize("only", ["C12", "C1,gradients", "1", "C1;C2"])
def test_unknown_parts_are_refused_with_those_there_are(only):
    with pytest.raises(ActivationFlowError, match=r"is no part of an audit; there are: C1, .*C11"):
        asked(only)


@pytest.mark.parametrize("only", ["", " , ", []])
def test_nothing_is_no_part(only):
    with pytest.raises(ActivationFlowError, match="only names nothing"):
        asked(only)


def test_what_is_needed():
    assert needed(PARTS) == frozenset().union(*NEEDS.values())
    assert needed(("C3", "C8")) == frozenset()
    assert "explained" in needed(("C6",))
    assert "explained" not in needed(("C1", "C11"))


# options


@pytest.mark.parametrize("name", ["sample", "texts", "explained", "perturbed", "draws"])
def test_counts_are_at_least_one(name):
    with pytest.raises(ActivationFlowError, match=f"{name}=0 is not at least 1"):
        Options(**{name: 0})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rationales": "a.jsonl", "only": "C1"}, "rationales is for C6 and C11, which only='C1'"),
        ({"labels": "a.jsonl", "only": "C6"}, "labels is for C10"),
        ({"prompts": ["a"] * 5, "only": "C6"}, "prompts is for C10"),
        ({"salient": "a.txt", "only": "C1,C6"}, "salient is for C11"),
        ({"pairs": "a.csv", "only": "C1"}, "pairs is for C5"),
        ({"paraphrases": "a.csv", "only": "C1"}, "paraphrases is for stability"),
        ({"only": "C99"}, "is no part of"),
        ({"prompts": ["a", *"abcd"], "labels": "b.csv"}, "given twice"),
        ({"prompts": [], "labels": "b.csv"}, "prompts: none is given; C10 takes 5"),
        ({"labels": 3}, "labels: is int; give the name of a file"),
        ({"frequency": b"a.txt"}, "frequency: is bytes; give the name of a file"),
        ({"only": 1}, "only=1 is int; give names of parts"),
        ({"prompts": "Summarize", "labels": "b.csv"}, "prompts is str; give a list of strings"),
        ({"prompts": ["a"] * 5}, r"there are none \(labels=\)"),
        ({"template": "{prompt}: {text}"}, r"there are none \(labels=\)"),
        ({"template": "{text}", "labels": "b.csv"}, "must hold {prompt} and {text}"),
    ],
)
def test_options_that_cannot_be_are_refused(values, message):
    with pytest.raises(ActivationFlowError, match=message):
        Options(**values)


def test_options_that_are_for_what_is_asked_are_taken():
    given = Options(rationales="a.jsonl", labels="b.csv", salient="c.txt", only="C6,C10,C11")
    assert given.parts == ("C6", "C10", "C11")
    assert given.settings["only"] == "C6,C10,C11"
    assert given.settings["rationales"] == "a.jsonl"
    assert Options(only=["C6", "C10"]).settings["only"] == "C6,C10"
    assert Options().settings["only"] is None
    assert Options().settings["prompts"] is None
    assert len(Options().asked_prompts) >= 5
    assert Options(prompts=[*"abcde"], labels="b.csv").asked_prompts == (*"abcde",)


def test_standard_input_is_read_once():
    Options(pairs="-").check_input("a.txt")
    Options().check_input("-")
    Options().check_input(["a", "-"])
    with pytest.raises(
        ActivationFlowError, match="the corpus and pairs='-' cannot both be standard"
    ):
        Options(pairs="-").check_input("-")
    with pytest.raises(ActivationFlowError, match=r"pairs='-' and rationales='-' and .* all but"):
        Options(pairs="-", rationales="-", labels="-").check_input("a.txt")


def test_files_may_be_paths():
    names = ("pairs", "rationales", "salient", "labels", "paraphrases", "frequency")
    asked = Options(**{name: Path("a", f"{name}.csv") for name in names})
    for name in names:
        assert asked.file(name) == os.path.join("a", f"{name}.csv")
    assert asked.settings["labels"] == asked.labels == os.path.join("a", "labels.csv")


FIVE, EIGHT = [*"abcde"], [*"abcdefgh"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"only": "C7", "draws": 18}, ["p below 0.053, which may not be below 0.05 .* takes 20"]),
        ({"only": "C7", "draws": 19}, ["p below 0.05, which may not be below 0.05 .* takes 20"]),
        ({"only": "C7", "draws": 20}, []),
        ({"only": "C7,C8", "draws": 39}, ["with 39 draws .* takes 40"]),
        ({"only": "C7,C8", "draws": 40}, []),
        ({"only": "C8,stability", "draws": 1}, []),  # none of them draws
        ({"only": "C7,C10,C11", "draws": 20}, []),  # two have no file, and are not tested
        ({"only": "C7,C10", "draws": 39, "labels": "a.csv"}, ["with 39 draws"]),
        ({"labels": "a.csv", "prompts": FIVE}, ["with 5 prompts C10 cannot have p below 0.0083"]),
        ({"labels": "a.csv", "prompts": FIVE, "only": "C10"}, []),
        ({"labels": "a.csv", "prompts": FIVE[:4]}, ["with 4 prompts C10 cannot be tested: it ta"]),
        ({"labels": "a.csv", "prompts": EIGHT}, []),
        ({"perturbed": 9}, ["perturbed=9: .* C6 takes 10"]),
        ({"explained": 4}, ["explained=4: .* C6 takes 10"]),
        ({"perturbed": 9, "only": "C7,stability"}, []),
        ({"perturbed": 10, "explained": 10}, []),
    ],
)
def test_what_cannot_be_found_is_told_beforehand(values, told):
    notes = [*Options(**values).notes]
    assert len(notes) == len(told)
    for note, expected in zip(notes, told, strict=True):
        assert re.search(expected, note)
