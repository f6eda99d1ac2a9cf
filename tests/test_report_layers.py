"""Layers and hidden states as people read them, and what there is no report of."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from test_report import EVIL, checked, harmless, hostile, lines, one, printed, runs

from activation_flow import html, picture, report
from activation_flow.data import Failure, Provenance
from activation_flow.result_hidden import HiddenResults, HiddenStates
from activation_flow.results import LayersResult, Results

KINDS = ["special", "function", "content", "content", ""]
SETTINGS = {"quantile": 0.75, "quantile_method": "midpoint", "threshold_scope": "text"}


def layered(n_layers, *, tokens=("[CLS]", "the", "sun", "day", "??"), copies=1):
    rng = np.random.default_rng(n_layers)
    strength = rng.gamma(5, 2, (n_layers, len(tokens))).round(3)
    text = one(tokens, strength, range(n_layers), 12, text="<a> text", settings=SETTINGS)
    text = replace(text, kind=np.array(KINDS))
    return LayersResult((text,) * copies, text.provenance, text.layers)


def states(tokens=("[CLS]", "a", "b"), layers=(2, 4), text="a text", **more):
    strength = one(tokens, np.ones((len(layers), len(tokens))), layers, text=text, settings={})
    shape = (len(layers), len(tokens), 8)
    names = ("tokens", "ids", "start", "end", "segment", "special", "word", "kind")
    return HiddenStates(
        text=text,
        **{name: getattr(strength, name) for name in names},
        layers=layers,
        hidden=np.full(shape, 7.25, dtype=np.float32),
        strength=strength.strength,
        provenance=strength.provenance,
        **more,
    )


def hidden(*found, errors=()):
    return HiddenResults(found, found[0].provenance, found[0].layers, tuple(errors))


# layers


def test_kinds_by_layer(minilm):
    results = minilm.layers(["Enjoying a beautiful day at the park!"], layers="3,4")
    shown = lines(printed(results))
    start = shown.index("Where each kind of token stands, layer by layer")
    assert shown[start - 1 : start + 10] == [
        "",
        "Where each kind of token stands, layer by layer",
        "mean rank percentile within its text: 0 weakest, 50 the middle of the text, 100",
        "strongest; n tokens of all texts",
        "",
        "kind         n  layer 3  layer 4",
        "special      2      0.0      0.0",
        "punctuation  1     18.8     31.2",
        "function     3     27.1     22.9",
        "content      4     75.0     75.0",
        "",
    ]
    assert "layer 3 of 6: τ = 12.176" in printed(results)
    page = html.html_page(results)
    assert "<h1>Token activation strength, layer by layer</h1>" in page
    assert "<tr><td></td><th>punctuation</th><td>1</td>" in page
    assert repr(results).startswith("1 text, minilm, layers 3, 4 of 6, openvino f32")


def test_strengths_alone_have_no_kinds(minilm):
    results = minilm.strength(["a day"], layers="3,4")
    assert "Where each kind" not in printed(results) + html.html_page(results)


@pytest.mark.parametrize("n_layers", [1, 2, 5, 13])
@pytest.mark.parametrize("width", [30, 80, 120])
def test_every_percentile_is_shown(n_layers, width):
    results = layered(n_layers)
    text = printed(results, width=width)
    table = text[text.index("Where each kind") :]
    assert max(map(cell_len, text.split("\n"))) <= width
    page = html.html_fragment(results)
    checked(page)
    for found in results.kinds:
        value = f"{found.mean_rank_percentile:.1f}"
        assert value in table
        place = round(found.mean_rank_percentile / 100 * html.LEVELS)
        assert f'<td class="afn-s{place}">{value}</td>' in page
    assert "(no kind)" in table
    assert "<th>(no kind)</th>" in page
    heads = re.findall(r"layer (\d+)", table[: table.index("\nS ")])
    assert [int(head) for head in heads] == list(range(n_layers))


def test_kinds_are_those_of_all_texts_not_only_of_those_shown():
    results = layered(2, copies=30)
    assert "10 more texts not shown" in printed(results)
    assert re.search(r"^content +60 ", printed(results), re.M)
    assert re.search(r"^content +60 ", repr(results), re.M)


def test_percentiles_have_the_colours_of_the_scale():
    results = layered(1)
    content = next(k for k in results.kinds if k.kind == "content").mean_rank_percentile
    style = "{1} on {0}".format(*picture.shade(content / 100))
    assert style in runs(results)[f"{content:.1f}"]


def test_without_a_text_there_are_no_kinds():
    results = layered(2)
    nothing = replace(results, results=(), numbers=(), errors=(Failure(1, "why"),))
    assert "Where each kind" not in printed(nothing)
    assert "Where each kind" not in html.html_page(nothing)


# hidden states


def test_hidden_states_are_described_and_not_dumped():
    results = hidden(states(n_windows=3), states(["x"], text=""), errors=[Failure(3, "why")])
    assert lines(printed(results)) == [
        "text 1: a text",
        "read in 3 overlapping windows",
        "[2 layers, 3 tokens, width 8] float32, layers 2, 4",
        "[CLS] a b",
        "",
        "text 2: (empty text)",
        "[2 layers, 1 token, width 8] float32, layers 2, 4",
        "x",
        "",
        "h      .hidden: the hidden state of each token at each layer, [layers tokens",
        "       width]",
        "model  minilm, layers 2, 4 of 6, openvino f32",
        "",
        "Without a result",
        "text 3: why",
        "",
    ]
    assert repr(states()).startswith(
        "1 text, minilm, layers 2, 4 of 6, openvino f32\n\na text\n[2 la"
    )
    page = html.html_page(results)
    checked(page)
    assert "<h1>Hidden states</h1>" in page
    assert "[2 layers, 3 tokens, width 8] float32, layers 2, 4" in page
    assert "[CLS] a b" in page
    assert "read in 3 overlapping windows" in page
    assert "text 3: why" in page
    assert "7.25" not in printed(results) + page


def test_many_hidden_states_are_cut_and_that_is_said(minilm):
    long = states([f"token{i}" for i in range(1000)], n_dropped=5)
    results = hidden(*[long] * 300)
    text = printed(results)
    assert "280 more texts not shown" in text
    assert re.search(r"^token0 .* token\d+ …$", text, re.M)
    assert "cut to 1,000 tokens; 5 dropped" in text
    assert "297 more texts not shown" in repr(results)
    page = html.html_page(results)
    assert "100 more texts are not shown" in page
    assert "token49 …" in page
    assert "token60" not in page  # charts draw 60
    one_text = minilm.hidden_states("A day")
    assert "[1 layer, 4 tokens, width 384] float32, layer 4" in repr(one_text)
    assert "[CLS] a day [SEP]" in one_text._repr_html_()


@settings(deadline=None, max_examples=50)
@given(st.lists(hostile, min_size=1, max_size=8), hostile, st.integers(20, 200))
def test_no_line_is_wider_than_the_console(tokens, text, width):
    results = hidden(states(tokens, text=text), errors=[Failure(2, text)])
    for colour in (None, "truecolor"):
        shown = re.sub(r"\x1b\[[\d;]*m", "", printed(results, width=width, color_system=colour))
        assert "\x1b" not in shown
        assert all(cell_len(line) <= width for line in shown.split("\n"))
    checked(html.html_fragment(results))


def test_html_is_escaped():
    head = Provenance(EVIL, None, "openvino", "f32", 6)
    evil = replace(states([EVIL, "\x00"], text=EVIL), provenance=head)
    for text in (html.html_page(hidden(evil)), html.html_page(layered(5))):
        harmless(text)


# others


def test_there_is_no_report_of_what_is_unknown():
    class Others(Results):
        schema = "others/1"

    others = Others((), states().provenance, (4,))
    with pytest.raises(TypeError, match="no report of Others"):
        report.render(others)
    with pytest.raises(TypeError, match="no HTML of Others"):
        html.html_fragment(others)
