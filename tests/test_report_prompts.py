"""Prompts as people read them: terminal, repr and HTML say the same, completely and truthfully."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from test_report import EVIL, checked, harmless, hostile, lines, printed, runs

import activation_flow as af
from activation_flow import html, picture, picture_prompts, report
from activation_flow.data import ActivationFlowError, Failure
from activation_flow.picture_shift import distance
from activation_flow.sentences_prompts import comparison_sentences, overall

TEXT = "The weather is nice today."
PROMPTS = ["Summarize", "Translate to French", "Classify sentiment"]


@pytest.fixture
def paper(minilm):
    return minilm.prompts(TEXT, PROMPTS)


@pytest.fixture
def bare(minilm):
    return minilm.prompts(TEXT, PROMPTS[:1], baseline=True)


@pytest.fixture
def deep(minilm):
    return minilm.prompts(TEXT, PROMPTS, baseline=True, layers="all")


def words(text):
    return " ".join(text.split())


def drawn(result, place=0):
    shown = picture_prompts.picture_of_prompts(
        result._as_list(), texts=9, drawn=99, rows=99, hint="ask"
    )
    return shown.drawn[place]


# the paper's prompts


def test_the_prompts_of_the_paper(paper):
    text = lines(printed(paper._as_list()))
    assert text[:28] == [
        "The weather is nice today.",
        "A                    B                    anchor Δ  1 − cos  total Δ  mean Δ",
        "Summarize            Translate to French     0.076    3e-05   25.956   3.245",
        "Summarize            Classify sentiment      0.061    2e-05   28.077   3.510",
        "Translate to French  Classify sentiment      0.082    3e-05   29.854   3.732",
        "",
        "A                    B                    R_H    k/n  p",
        "Summarize            Translate to French       0.000",
        "Summarize            Classify sentiment        0.000",
        "Translate to French  Classify sentiment        0.000",
        "",
        'Largest at layer 4 of 6: the anchor Δ (0.082) between "Translate to French" and',
        '"Classify sentiment"; the mean Δ (3.732) between "Translate to French" and',
        '"Classify sentiment".',
        "",
        "A: Summarize",
        "B: Translate to French",
        "",
        "A          B        kind         S of A  bucket      Δ               1 − cos",
        "[CLS]      [CLS]    special      10.625          0.076                 3e-05",
        "the        the      function     11.520  LOW     5.580  ██████████▉    0.119",
        "weather    weather  content      12.984  LOW     2.659  █████▎         0.020",
        "is         is       function     11.380  LOW     3.975  ███████▊       0.062",
        "nice       nice     content      13.293  LOW     2.848  █████▋         0.023",
        "today      today    content      13.416  LOW     2.762  █████▍         0.021",
        ".          .        punctuation   9.341  LOW     3.846  ███████▌       0.085",
        "[SEP]      [SEP]    special       9.772          4.212                 0.096",
        "without a partner, of prompt A: *sum* *##mar* ##ize",
    ]
    assert text.count("without a partner, of prompt B: classify sentiment") == 2
    assert "anchor   the cls token, which stands for the whole of what is read" in text
    said = words(printed(paper._as_list()))
    assert picture_prompts.CAUTION in said
    assert "aligned by the text's own characters (text); the prompts' tokens stand alone" in said


def test_the_bare_text_as_the_first(bare):
    assert lines(printed(bare._as_list()))[1:11] == [
        "A            B          anchor Δ  1 − cos  total Δ  mean Δ    R_H    k/n      p",
        "(bare text)  Summarize     0.065    2e-05   32.981   4.123  0.270  0.333  1.000",
        "",
        "A: (bare text)",
        "B: Summarize",
        "",
        "A            B        kind         S of A  bucket      Δ                1 − cos",
        "[CLS]        [CLS]    special      10.623          0.065                  2e-05",
        "the          the      function     12.101  LOW     6.130  ████████████    0.134",
        "*weather*    weather  content      13.446  HIGH    4.180  ████████▏       0.049",
    ]


def test_wide_enough_there_is_one_table(paper):
    text = lines(printed(paper._as_list(), width=140))
    assert " ".join(text[1].split()) == "A B anchor Δ 1 − cos total Δ mean Δ R_H k/n p"
    assert "Translate to French  Classify sentiment" in text[4]


def test_the_page_holds_every_number(deep):
    page = html.html_page(deep._as_list())
    checked(page)
    assert f"<title>What prompts move: {TEXT}</title>" in page
    k = deep.layers.index(4)
    for one in deep.comparisons:
        numbers = picture_prompts.overview(deep, one, 4)
        row = "".join(f"<td>{value}</td>" for value in numbers)
        assert row in page
        assert numbers[0] == distance(deep.anchor_shift[k, one.a, one.b])
        assert numbers[2:4] == [picture.number(v[k]) for v in (one.total_shift, one.mean_shift)]
        for layer in deep.layers:
            here = deep.layers.index(layer)
            assert page.count(distance(float(one.mean_shift[here]))) >= 1
        for value in one.shift[k, one.paired]:
            assert picture.number(value) in page
    assert page.count("<bdi>Classify sentiment</bdi>") >= 3
    assert page.count('<span class="afn-gap">(bare text)</span>') >= 3
    every = picture_prompts.picture_of_prompts(
        deep._as_list(), texts=9, drawn=99, rows=99, hint="ask"
    )
    for one in every.drawn:
        for sentence in comparison_sentences(one):
            assert sentence.replace('"', "&quot;").replace("'", "&#x27;") in page
    assert picture_prompts.CAUTION in page


def test_all_layers_stand_in_tables_by_layer(deep):
    for width in (60, 80, 140):
        text = printed(deep._as_list(), width=width)
        assert "Where in depth the prompts act" in text
        assert words(picture_prompts.DEPTH_NOTE) in words(text)
        for name in ("anchor Δ (the cls token)", "anchor 1 − cos", "mean Δ of all aligned tokens"):
            block = text.split(f"{name}, by layer\n")[1].split("\n\n")[0]
            heads = [h for row in block.split("\n") if row[:2] == "A " for h in row.split()[2:]]
            assert heads == [*"0123456"]
            assert block.count("(bare text)") == 3 * block.count("A  ")
    one = printed(deep._as_list(), width=140).split("mean Δ of all aligned tokens")[1]
    row = next(line for line in one.split("\n") if line.startswith("Summarize") and "Fren" in line)
    assert row.split()[-7:] == [distance(v) for v in deep.mean_drift[:, 1, 2].tolist()]


def test_only_what_has_no_unit_has_a_colour_along_layers(deep):
    page = html.html_page(deep._as_list())
    tables = re.findall(r'<table class="afn-heat">.*?</table>', page, re.DOTALL)
    assert len(tables) == 3
    assert ["afn-s" in table for table in tables] == [False, True, False]
    assert "afn-s40" in tables[1]


def test_one_layer_is_drawn_the_usual_one(deep, minilm):
    assert "Largest at layer 4 of 6" in overall(deep, 4)
    assert "minilm, layer 4 of 6, openvino f32" in printed(deep._as_list())
    other = minilm.prompts(TEXT, PROMPTS, layers="0,6")
    assert "layer 6 of 6" in printed(other._as_list())


# sentences


def test_what_the_numbers_say(bare):
    assert comparison_sentences(drawn(bare)) == [
        "The anchor, the cls token, moves by 0.065 (1 − cos 2e-05).",
        'Of the text\'s own tokens "the" moves farthest (6.130), "today" least (3.597); the mean '
        "over all aligned pairs is 4.123.",
        "Total shift 32.981, over 8 aligned pairs (special tokens included). Without a partner, so "
        "without a shift: 3 of B.",
        "R_H = 0.270: HIGH tokens hold 27.0 % of the shift of the 6 pairs that are not special. 2 "
        "of these 6 are HIGH, so chance gives 33.3 % (enrichment 0.81).",
        "p = 1.000, exact; the smallest that 2 of 6 could give is 0.067.",
    ]
    assert overall(bare, 4) == ""


def test_a_token_of_prompt_and_text_is_told(minilm):
    result = minilm.prompts("day after day", ["to"], template="{prompt}{text}", baseline=True)
    told = "1 token holds characters of prompt and text at once and counts as the prompt's"
    assert comparison_sentences(drawn(result))[-1].startswith(told)
    assert told in words(printed(result._as_list()))
    assert told.replace("'", "&#x27;") in html.html_fragment(result._as_list())
    text = printed(result._as_list())
    assert "template  {prompt}{text}" in text
    assert "without a partner, of prompt B: today\n" in text
    assert re.search(r"^\*?day\*? +−", text, re.M)  # the text's own, without a partner: a row


def test_nothing_has_moved(minilm):
    result = minilm.prompts(TEXT, PROMPTS[:2], layers=0)
    said = comparison_sentences(drawn(result))
    assert said[1] == "None of the text's own tokens has moved."
    still = minilm.prompts(TEXT, ["a", "b", "c"], layers=0, template="{text} {prompt}")
    assert overall(still, 0) == "Nothing moves between any two of these prompts at this layer."


def test_a_text_of_one_token_and_one_without_a_partner(minilm):
    said = comparison_sentences(drawn(minilm.prompts("rain", PROMPTS[:2])))
    assert re.match(
        r'Of the text\'s own tokens "rain" moves farthest \(\d\.\d+\); the mean', said[1]
    )
    result = minilm.prompts("rain", ["a", "b c"], align="position")
    assert comparison_sentences(drawn(result))[1] == "None of the text's own tokens has a partner."


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [("last", "The anchor, the last token that is read"), ("mean", "The anchor, the mean vector")],
)
def test_another_anchor_is_named(bare, kind, sentence):
    result = replace(bare, anchor=kind)
    assert comparison_sentences(drawn(result))[0].startswith(sentence)
    assert f"anchor   {picture_prompts.ANCHORS[kind]}" in printed(result._as_list())


# many texts, sizes


def test_several_texts_are_numbered(minilm):
    results = minilm.prompts([TEXT, "", "It rains."], PROMPTS[:2], errors="collect")
    text = printed(results)
    assert "text 1: The weather" in text
    assert "text 3: It rains." in text
    assert "text 2: it has no token of its own (it is empty)" in text
    page = html.html_page(results)
    assert '<span class="afn-number">text 3</span>' in page
    assert "<title>What prompts move: 2 texts</title>" in page


def test_what_is_left_out_is_said(minilm):
    names = [f"do {word}" for word in "abcd"]
    result = minilm.prompts(TEXT, names)
    assert "… 3 more pairs not shown token by token; --save x.csv or --json gives all" in words(
        printed(result._as_list())
    )
    many = minilm.prompts([TEXT] * 25, names[:2])
    text = words(printed(many))
    assert "… 5 more texts not shown" in text
    assert text.count("… 1 more pairs not shown token by token") == 17
    long = minilm.prompts("word " * 100, names[:2])
    assert "… 42 of 102 rows not shown" in printed(long._as_list())
    wide = minilm.prompts(TEXT, ["a", "very " * 80])
    assert re.search(r"without a partner, of prompt B:( \*?very\*?){60} …", words(
        printed(wide._as_list())
    ))  # fmt: skip


def test_top_shows_the_largest_shifts(paper):
    text = printed(paper._as_list(), top=2)
    assert [row.split()[0] for row in lines(text)[19:21]] == ["the", "[SEP]"]
    assert "top 2 of 8 aligned pairs, by shift" in text
    with pytest.raises(ActivationFlowError, match="top is 0"):
        report.render(paper._as_list(), top=0)


def test_repr_is_the_same_in_short(paper):
    short = repr(paper)
    assert short.startswith("1 text, minilm, layer 4 of 6, openvino f32\n\nThe weather")
    assert "… 2 more pairs not shown token by token; .to_pandas() or .save('x.csv')" in short
    assert "\x1b" not in short
    assert max(map(cell_len, short.split("\n"))) <= 80


def test_nothing_but_errors(paper):
    nothing = replace(paper._as_list(), results=(), numbers=(), errors=(Failure(1, EVIL),))
    assert lines(printed(nothing))[-3:] == ["Without a result", f"text 1: {EVIL}", ""]
    assert "text 1: &lt;/script&gt;" in html.html_page(nothing)
    assert repr(nothing).startswith("0 texts, minilm")


def test_a_cut_variant_is_told(minilm):
    result = minilm.prompts("dog " * 50, PROMPTS[:1], baseline=True, max_length=20, truncate=True)
    for shown in (printed(result._as_list()), html.html_page(result._as_list())):
        assert "cut to 18 tokens; 32 dropped" in shown
        assert "cut to 18 tokens; 35 dropped" in shown


# looks


def test_in_colour_only_the_token_is_underlined(bare):
    found = runs(bare._as_list())
    assert found["today"][0] == "bold underline"
    assert "*today*" not in found
    assert set(found["(bare text)"]) >= {"#808080"}
    prompt = runs(af.PromptsResults((bare,), bare.provenance, bare.layers))
    assert any("sum" in text for text in prompt)


def test_long_prompts_are_shown_where_they_differ(minilm):
    same = "Represent this sentence for searching relevant passages, in the style of "
    result = minilm.prompts(TEXT, [f"{same}cats", f"{same}dogs"])
    text = printed(result._as_list())
    assert re.search(r"^…cats +…dogs +\d", text, re.M)
    page = html.html_page(result._as_list())
    assert f"{same}cats" in page
    assert 'prompts: "Represent' not in words(text)


def test_an_ascii_console_gets_ascii(deep):
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    report.print_terminal(deep._as_list(), Console(file=file, width=80, color_system=None))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert "anchor D" in text
    assert max(map(len, text.split("\n"))) <= 80


odd = hostile.filter(lambda text: text.strip() and not any("\ud800" <= c <= "\udfff" for c in text))


@settings(max_examples=12)
@given(
    odd,
    st.lists(odd, min_size=2, max_size=3, unique=True),
    st.integers(24, 160),
    st.sampled_from([None, "truecolor"]),
    st.sampled_from(["text", "position"]),
)
def test_no_line_is_wider_than_the_console(minilm, text, prompts, width, colour, align):
    results = minilm.prompts([text, EVIL], prompts, layers="3-4", align=align, errors="collect")
    shown = re.sub(r"\x1b\[[\d;]*m", "", printed(results, width=width, color_system=colour))
    assert "\x1b" not in shown
    assert all(cell_len(line) <= width for line in shown.split("\n"))
    assert all(cell_len(line) <= 80 for line in repr(results).split("\n"))
    checked(html.html_fragment(results)).close()


def test_html_is_escaped_and_asks_no_host(minilm):
    evil = [EVIL, '" onmouseover="x', "\x00 a", "\u202eevil", "'"]
    results = minilm.prompts(evil[0], evil, template="<b>{prompt}</b>{text}", layers="all")
    for text in (html.html_page(results._as_list()), html.html_fragment(results._as_list())):
        harmless(text)
        read = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
        assert "\u202e" not in read
        assert r"\u202eevil" in read


def test_save_writes_the_page(paper, tmp_path):
    paper.save(tmp_path / "x.html")
    assert "Translate to French" in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_a_value_that_is_not_a_number_has_no_colour(deep):
    angles = deep.anchor_cosine.copy()
    angles[:, 0, 1] = angles[:, 1, 0] = np.nan
    odd_one = replace(deep, anchor_cosine=angles)
    assert "nan" in printed(odd_one._as_list())
    assert "afn-nan" in html.html_page(odd_one._as_list())
