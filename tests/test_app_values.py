"""Values of fields <-> inputs: what a link says comes back from the fields that it sets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.app_inputs import Compare, Corpus, Explore, Inputs, Steer, view_of
from activation_flow.app_values import fields_of, inputs_of, linked, pairs, subject
from activation_flow.data import ActivationFlowError

LINE = st.text(st.characters(blacklist_characters="\n\r", codec="utf-8"), min_size=1).filter(
    str.strip
)
USUAL: dict[str, dict[str, object]] = {
    "explore": {"words": "Pieces"},
    "compare": {"words": "Pieces"},
    "steer": {"prompts": "Summarize\nTranslate to French\nClassify sentiment", "pair": "0-1"},
    "corpus": {},
}


def through_fields(asked: Inputs) -> Inputs:
    """As the page does it: fields as they begin, then what the link says, then read again."""
    view = view_of(asked)
    begun = {name: value for name, value in vars(type(asked)()).items() if name not in ("prompts",)}
    if view == "steer":
        del begun["a"], begun["b"]
    return inputs_of(view, {**begun, **USUAL[view], **fields_of(asked)}, "minilm")


@given(
    st.builds(Explore, text=st.text(), layer=st.none() | st.integers(0, 99), words=st.booleans())
    | st.builds(Compare, a=st.text(), b=st.text(), align=st.sampled_from(["diff", "position"]))
    | st.builds(Corpus, run=LINE, find=st.text(), layer=st.none() | st.integers(0, 9))
)
def test_what_a_link_says_comes_back(asked: Inputs) -> None:
    assert through_fields(asked) == asked


@given(st.lists(LINE, min_size=2, max_size=5, unique=True), st.booleans(), st.data())
def test_so_do_prompts_and_the_chosen_pair(
    prompts: list[str], bare: bool, data: st.DataObject
) -> None:
    places = st.permutations(range(len(prompts) + bare))
    a, b, *_ = data.draw(places)
    asked = Steer(prompts=tuple(prompts), baseline=bare, a=a, b=b)
    assert through_fields(asked) == asked
    named = {value: name for name, value in pairs(asked)}
    assert f"{a}-{b}" in named
    assert len(named) == len(prompts + [""] * bare) * (len(prompts) + bare - 1) // 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Steer(prompts=("a", "b"), a=5), "a=5 and b=1 are not two of its 2 prompts"),
        (Steer(prompts=("a", "b"), a=1, b=1), "are not two of its 2 prompts"),
        (Steer(prompts=("a\nb", "c")), "more than one line"),
    ],
)
def test_what_no_field_can_hold_is_refused(asked: Steer, said: str) -> None:
    with pytest.raises(ActivationFlowError, match=said):
        fields_of(asked)


def test_a_pair_of_prompts_that_are_gone_is_the_first() -> None:
    fields = {"prompts": "one\n\n  \ntwo", "pair": "2-3", "baseline": False, "layer": 2.0}
    fields |= {"text": "x", "model": "minilm", "quantile": 0.5}
    found = inputs_of("steer", fields, "minilm")
    assert found == Steer(text="x", prompts=("one", "two"), layer=2, quantile=0.5)


def test_layers_belong_to_a_model_or_a_run() -> None:
    assert subject({"model": "minilm", "text": "a"}) == "=minilm"
    assert subject({"run": "runs/a"}) == "=runs/a"
    assert subject({"model": None}) == "="  # and never what stands there before anything is shown


def test_a_link_leaves_out_the_usual_layer() -> None:
    every = tuple(range(13))
    assert linked(Explore(layer=8), every) == Explore()
    assert linked(Explore(layer=7), every) == Explore(layer=7)
    assert linked(Corpus(run="r", layer=8), every) == Corpus(run="r", layer=8)
