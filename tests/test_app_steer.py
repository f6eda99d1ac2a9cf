"""Steer: the chosen pair in either order, drift and depth of all; numbers are the result's."""

from dataclasses import replace

import numpy as np
import pytest
from test_app_explore import plain, rows
from test_report import EVIL

from activation_flow import retrace, retrace_python
from activation_flow.app_inputs import Steer
from activation_flow.app_steer import shown
from activation_flow.data import ActivationFlowError
from activation_flow.picture import number
from activation_flow.shift import Concentration

TEXT = "The weather is nice today."
PROMPTS = ["Summarize", "Translate to French", "Classify sentiment"]


@pytest.fixture(scope="module")
def paper(minilm):
    return minilm.prompts(TEXT, PROMPTS, layers="all")


@pytest.fixture(scope="module")
def many(minilm):
    prompts = [f"MARK{k} {EVIL} \u202e مرحبا 😀" for k in range(4)]
    return minilm.prompts(f"MARK {EVIL} fine \0 text", prompts, baseline=True, layers="all")


@pytest.mark.parametrize(("a", "b"), [(0, 2), (2, 0)])
def test_numbers_are_those_of_the_result(paper, a, b):
    view = shown(paper, Steer(a=a, b=b, layer=6))
    said, between = plain(view), paper.between(a, b, 6)
    drift, shift, depth = view.charts
    matrix = {(row["a"], row["b"]): row["drift"] for row in rows(drift, "drift")}
    assert matrix == {(i, j): paper.drift[6, i, j] for i in range(3) for j in range(3)}
    bars = [row["shift"] for row in rows(shift, "shift")]
    expected = [pair.shift for pair in between.pairs]
    assert bars == expected
    assert [row["a"] for row in rows(shift, "shift")] == [pair.a or "" for pair in between.pairs]
    lines = rows(depth, "anchor_shift")
    assert {row["pair"] for row in lines} == {0, 1, 2}
    values = np.array([row["anchor_shift"] for row in lines]).reshape(3, 7)
    assert np.allclose(values, [paper.anchor_shift[:, i, j] for i, j in ((0, 1), (0, 2), (1, 2))])
    assert f"Total shift {number(between.total)}, over 8 aligned pairs" in said
    assert f"R_H = {number(between.high_ratio)}" in said
    chance = between.concentration
    assert f"chance gives {100 * chance.high_share:.1f} %" in said
    assert f"p = {number(between.p_value)}" in said
    assert "title" not in shift.spec, "R_H and its chance level stand above, in the page"
    assert "at layer 6 of 6" in said
    assert (view.layers, view.layer) == (paper.layers, 6)
    assert view.command == retrace.command(paper._as_list())
    assert view.python == retrace_python.python(paper)


def test_the_pair_turned_around_is_the_same_tokens_with_a_below_b(paper):
    there, back = (shown(paper, Steer(a=a, b=b)) for a, b in ((0, 1), (1, 0)))
    assert there.layer == back.layer == 4
    for view, first, second in ((there, *PROMPTS[:2]), (back, *PROMPTS[1::-1])):
        assert view.html.index(f"<bdi>{first}</bdi>") < view.html.index(f"<bdi>{second}</bdi>")
        own, others = view.html.split("own tokens, without a partner:")
        assert own.count('class="afn-pair ') == 1 + 8  # the names of the sides
        assert others.count("afn-deleted") == others.count("afn-inserted") == 3
    parts = paper.parts_between(1, 0)
    assert sorted(parts) == sorted(paper.parts_between(0, 1))
    shaded = [row["part"] for row in rows(back.charts[1], "shift")]
    assert shaded == parts.tolist()
    assert [row["change"] for row in rows(back.charts[1], "shift")].count("deleted") == sum(
        part == "prompt" for part in paper.parts[1]
    )


def test_the_chosen_pair_is_among_the_lines_of_many(many):
    pairs = [(one.a, one.b) for one in many.comparisons]
    assert len(pairs) == 10
    view = shown(many, Steer(a=4, b=3))
    depth = rows(view.charts[2], "anchor_shift")
    last = [row["anchor_shift"] for row in depth if row["pair"] == 5]
    assert np.allclose(last, many.anchor_shift[:, 3, 4])
    assert "4 more pairs are not drawn." in view.charts[2].sentence


def test_text_and_prompts_of_users_are_shown_as_text(many):
    view = shown(many, Steer(a=0, b=1))
    said = plain(view)
    assert EVIL in said
    assert "(bare text)" in said
    assert "\\u202e" in said
    assert "<img" not in view.html + view.below


def test_the_same_input_gives_the_same_view(paper):
    assert shown(paper, Steer()) == shown(paper, Steer())


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"a": 1, "b": 1}, "A and B are both 'Translate to French': choose two different prompts"),
        ({"a": 3}, "prompt A is at place 3, and there are 3: give 0 to 2"),
        ({"b": -1}, "prompt B is at place -1, and there are 3: give 0 to 2"),
        ({"layer": 7}, "layer"),
    ],
)
def test_what_cannot_be_shown(paper, inputs, said):
    with pytest.raises(ActivationFlowError) as refused:
        shown(paper, Steer(**inputs))
    assert said in str(refused.value)


def test_the_last_layer_from_behind(paper):
    assert shown(paper, Steer(layer=-1)).layer == 6


def test_one_layer_has_no_depth(minilm):
    found = minilm.prompts(TEXT, PROMPTS[:1], baseline=True, layers=[3])
    view = shown(found, Steer())
    plain(view)
    assert [one.name for one in view.charts] == ["drift", "shift"]


def test_prompts_of_which_nothing_pairs(paper):
    one = paper.comparison(0, 1)
    alone = replace(
        one,
        a_index=np.where(one.paired, -1, one.a_index),
        change=np.where(one.paired, "inserted", one.change),
        shift=np.full(one.shift.shape, np.nan),
        cosine_distance=np.full(one.shift.shape, np.nan),
        high=np.zeros(one.shift.shape, bool),
        concentration=(Concentration(0.0, 0.0, 0, 0, *[None] * 5),) * 7,
    )
    found = replace(paper, comparisons=(alone, *paper.comparisons[1:]))
    view = shown(found, Steer())
    said = plain(view)
    assert "None of the text's own tokens has a partner." in said
    assert "No R_H" in said
