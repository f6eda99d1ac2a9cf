"""Links: whatever is typed comes back as it was, and what no link of ours holds is refused."""

from dataclasses import fields
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.app_inputs import VIEWS, Compare, Corpus, Explore, Steer
from activation_flow.app_link import from_link, link
from activation_flow.data import ActivationFlowError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
WHOLE = st.integers(-(10**9) + 1, 10**9 - 1)
OF_TYPE = {
    str: TEXT,
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    tuple: st.lists(TEXT).map(tuple),
    int: WHOLE,
    type(None): st.none() | WHOLE,
}
INPUTS = st.one_of(
    st.builds(kind, **{field.name: OF_TYPE[type(field.default)] for field in fields(kind)})
    for kind in VIEWS.values()
)


@given(INPUTS)
def test_a_link_gives_back_what_it_was_made_of(inputs):
    query = link(inputs)
    assert from_link(query) == from_link(query[1:]) == inputs
    assert from_link(parse_qs(query[1:], keep_blank_values=True)) == inputs
    assert query.isascii()
    assert not set(query) & set(" \"'<>`\\^{|}\n\r\t")
    assert not query.endswith((".", "!", "?", ",", ":", ";", ")"))


@pytest.mark.parametrize("kind", VIEWS.values())
def test_what_is_usual_is_left_out(kind):
    (view,) = (name for name, one in VIEWS.items() if one is kind)
    assert link(kind()) == f"#view={view}"
    assert from_link(f"#view={view}") == kind()


@pytest.mark.parametrize(
    ("inputs", "query"),
    [
        (Explore(text="Is 2 > 1?", layer=0), "#view=explore&text=Is+2+%3E+1%3F&layer=0"),
        (Explore(text="A day.", words=True), "#view=explore&text=A+day.&words=1"),
        (Explore(text="A day."), "#view=explore&text=A+day%2E"),
        (Compare(b="é&=", quantile=0.9), "#view=compare&b=%C3%A9%26%3D&quantile=0.9"),
        (Steer(prompts=("a", ""), b=2), "#view=steer&p=a&p=&b=2"),
        (Steer(prompts=()), "#view=steer&prompts=none"),
        (
            Corpus(run="/a b", find="##fold"),
            "#view=corpus&run=%2Fa+b&find=%23%23fold",
        ),
    ],
)
def test_links_are_readable(inputs, query):
    assert link(inputs) == query
    assert from_link(query) == inputs


def test_a_text_of_any_length():
    inputs = Compare(a="日本語 😀 " * 5000, b="x" * 100_000)
    assert from_link(link(inputs)) == inputs


def test_an_empty_link_is_the_first_view():
    assert from_link("") == from_link("#") == from_link("?") == from_link({}) == Explore()
    assert from_link({"text": "a", "__theme": "dark"}) == Explore(text="a")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("#view=other", "view='other' is not one of explore, compare, steer, corpus"),
        ("#view=compare&text=a", "no parameter 'text' in the view compare; it takes a, b, model"),
        ("#view=steer&q=a", "it takes text, p, baseline, model"),
        ("#view=explore&p=a", "no parameter 'p' in the view explore"),
        ("#text=a&text=b", "text is given 2 times"),
        ("#view=explore&view=steer", "view is given 2 times"),
        ("#layer=x", "layer='x' is not understood: it takes a whole number, such as 8"),
        ("#layer=1.0", "layer='1.0'"),
        ("#layer=", "layer=''"),
        ("#layer=１", "layer="),
        ("#layer=" + "9" * 5000, "layer='9{40}…'"),
        ("#quantile=nan", "quantile='nan' is not understood: it takes a number, such as 0.75"),
        ("#quantile=1e999", "quantile='1e999'"),
        ("#quantile=1_0", "quantile='1_0'"),
        ("#quantile=e", "quantile='e'"),
        ("#words=yes", r"words='yes' is not understood: it takes 1 \(yes\) or 0 \(no\)"),
        ("#view=steer&prompts=a", "prompts='a' is not understood: it takes none; each prompt is p"),
        ("#view=steer&a=x", "a='x' is not understood: it takes a whole number"),
        ("#text=%FF", "not UTF-8"),
        ("#text=%ED%A0%80", "not UTF-8"),
        ({"layer": ["1", "2"]}, "layer is given 2 times"),
    ],
)
def test_what_no_link_of_ours_says_is_refused(query, message):
    with pytest.raises(ActivationFlowError, match=message):
        from_link(query)


def test_half_a_surrogate_pair_is_refused():
    with pytest.raises(ActivationFlowError, match="a: character 2 is half of a surrogate pair"):
        link(Compare(a="x\ud800"))


def test_each_field_is_of_a_kind_that_links_hold():
    for kind in VIEWS.values():
        assert all(type(field.default) in OF_TYPE for field in fields(kind))
