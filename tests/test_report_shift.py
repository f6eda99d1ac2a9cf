"""Shifts as people read them: terminal, repr and HTML say the same, completely and truthfully."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from test_report import EVIL, checked, harmless, hostile, lines, one, printed, runs

from activation_flow import alignment, html, picture, picture_shift, report
from activation_flow import shift as formulas
from activation_flow.data import ActivationFlowError, Failure
from activation_flow.result_shift import ShiftResult, ShiftResults
from activation_flow.sentences import sentences

A = "Enjoying a beautiful day at the park!"
B = "Enjoying a beautiful walk at the beach!"
C = "We enjoyed a very nice day at the sunny park"
SETTINGS = {
    "quantile": 0.75,
    "quantile_method": "midpoint",
    "threshold_scope": "text",
    "include_special": False,
    "align": "diff",
    "bucket_by": "a",
    "words": None,
}


def shifted(a, b, shifts, high=(), *, cosine=None, texts=("text a", "text b"), **chosen):
    """Two lists of tokens; one shift for each aligned pair; ``high`` are tokens of a text."""
    chosen = {**SETTINGS, **chosen}
    sides = []
    for tokens, text in zip((a, b), texts, strict=True):
        strength = [9.0 if token in high else 1.0 + i / 100 for i, token in enumerate(tokens)]
        side = one(tokens, strength, text=text, settings=chosen)
        bucket = [["HIGH" if t in high else "" if t[0] == "[" else "LOW" for t in tokens]]
        sides.append(replace(side, bucket=np.array(bucket)))
    rows = alignment.align(a, b, chosen["align"], sides[0].special, sides[1].special)
    values, angles = np.full((2, len(rows.change)), np.nan)
    values[rows.paired] = shifts
    angles[rows.paired] = np.asarray(shifts) / 100 if cosine is None else cosine
    high_a, high_b = (
        (index >= 0) & (side.bucket[0, index] == "HIGH")
        for side, index in zip(sides, (rows.a_index, rows.b_index), strict=True)
    )
    marked = {"a": high_a, "b": high_b, "union": high_a | high_b}[chosen["bucket_by"]]
    special = (rows.a_index >= 0) & sides[0].special[rows.a_index]
    part = rows.paired & (chosen["include_special"] | ~special)
    return ShiftResult(
        a=sides[0],
        b=sides[1],
        a_index=rows.a_index,
        b_index=rows.b_index,
        change=rows.change,
        shift=values,
        cosine_distance=angles,
        high=marked,
        concentration=formulas.concentration(values[part], marked[part]),
        provenance=sides[0].provenance,
    )


def many(*results, errors=()):
    return ShiftResults(results, results[0].provenance, (4,), tuple(errors))


def small():
    """One row of each change: a kept, b → c replaced, f deleted, i and j inserted."""
    return shifted(
        ["[CLS]", "a", "b", "k", "f", "l", "[SEP]"],
        ["[CLS]", "a", "c", "k", "l", "i", "j", "[SEP]"],
        [8.0, 1.0, 4.0, 2.0, 0.0, 0.5],
        high=["b", "f"],
    )


def words(text):
    return " ".join(text.split())


# the paper's pair


@pytest.fixture
def paper(minilm):
    return minilm.shift(A, B)


def test_the_pair_of_the_paper(paper):
    assert lines(printed(paper._as_list())) == [
        "A: Enjoying a beautiful day at the park!",
        "B: Enjoying a beautiful walk at the beach!",
        "",
        "A            B          kind         S of A  bucket       Δ              1 − cos",
        "[CLS]        [CLS]      special      10.625           0.078                3e-05",
        "enjoying     enjoying   content      12.511  LOW      2.496  █▋            0.020",
        "a            a          function     11.126  LOW      4.328  ██▊           0.076",
        "beautiful    beautiful  content      13.275  LOW      2.901  █▉            0.024",
        "*day*      → walk       content      13.667  HIGH    15.492  ██████████    0.630",
        "at           at         function     12.061  LOW      4.656  ███           0.073",
        "the          the        function     11.414  LOW      4.605  ███           0.077",
        "*park*     → beach      content      13.682  HIGH    14.056  █████████▏    0.525",
        "!            !          punctuation  11.572  LOW      2.089  █▍            0.016",
        "[SEP]        [SEP]      special       9.890           2.869                0.041",
        "",
        "Total shift 53.568, over 10 aligned pairs (special tokens included).",
        "R_H = 0.584: HIGH tokens hold 58.4 % of the shift of the 8 pairs that are not",
        "special. 2 of these 8 are HIGH, so chance gives 25.0 % (enrichment 2.33).",
        "p = 0.036, exact; the smallest that 2 of 8 could give is 0.036: such a small",
        "table cannot give less.",
        "",
        "Δ        shift ‖h_A − h_B‖₂, how far a token's hidden state moves",
        "1 − cos  cosine distance of the two hidden states, 0 to 2",
        "S        strength ‖h‖₂, L2 norm of a token's hidden state; not its importance",
        "model    minilm, layer 4 of 6, openvino f32",
        "scale    0 to 15.492, the largest Δ of all tokens shown but special ones",
        "HIGH     *token*: S of A > τ, upper quartile of each text (method midpoint)",
        "marks    → replaced",
        "aligned  by a longest common subsequence (diff)",
        "special  added by the tokenizer, off the scale; part of the total, not of R_H",
        "",
    ]


def test_the_page_holds_every_number_of_the_table(paper):
    page = html.html_page(paper._as_list())
    checked(page)
    assert f"<title>Token activation shift: {A} → {B[:40]}</title>" in page
    assert "<h1>Token activation shift</h1>" in page
    for pair in paper.pairs:
        for value in (pair.shift, pair.strength_a, pair.cosine_distance):
            assert page.count(picture.number(value)) >= 1, value
        assert f"<bdi>{pair.a}</bdi>" in page
        assert f"<bdi>{pair.b}</bdi>" in page
    for sentence in sentences(paper):
        assert sentence in page
        assert sentence in words(printed(paper._as_list()))


def test_two_tokens_of_a_pair_stand_in_one_cell(paper):
    page = html.html_fragment(paper._as_list())
    assert (
        '<span class="afn-pair afn-replaced afn-s40" title="day → walk&#10;shift 15.492, '
        "1 − cos 0.630&#10;strength of A 13.667, HIGH (τ = 13.471)&#10;"
        'strength of B 13.937, HIGH (τ = 13.528)&#10;replaced, content">'
        "<span><b><bdi>day</bdi></b></span><span><bdi>walk</bdi></span></span>"
    ) in page
    assert '<span class="afn-pair afn-same afn-special" title="[CLS]' in page
    assert '0<span class="afn-bar"></span>15.492' in page


def test_repr_is_the_same_in_short(minilm):
    alone = repr(minilm.shift(A, B))
    assert alone.startswith("1 pair, minilm, layer 4 of 6, openvino f32\n\nA: Enjoying")
    assert "R_H = 0.584" in alone
    assert "\x1b" not in alone
    assert max(map(cell_len, alone.split("\n"))) <= 80
    pairs = repr(minilm.shift([A] * 9, [B] * 9))
    assert pairs.startswith("9 pairs, minilm")
    assert pairs.count("53.568") == 3 + 1
    assert "… 6 more not shown; .to_pandas() or .save('x.csv') gives all" in pairs


# rows


def test_every_kind_of_row():
    text = printed(many(small()))
    assert lines(text)[3:13] == [
        "A        B      kind     S of A  bucket      Δ                1 − cos",
        "[CLS]    [CLS]  special   1.000          8.000                  0.080",
        "a        a      content   1.010  LOW     1.000  ███             0.010",
        "*b*    → c      content   9.000  HIGH    4.000  ████████████    0.040",
        "k        k      content   1.030  LOW     2.000  ██████          0.020",
        "*f*    −        content   9.000  HIGH",
        "l        l      content   1.050  LOW     0.000                  0.000",
        "       + i      content",
        "       + j      content",
        "[SEP]    [SEP]  special   1.060          0.500                  0.005",
    ]
    assert "marks    → replaced, − only in A, + only in B; without a partner there is no Δ" in text


def test_a_cell_without_a_partner_has_an_empty_half_and_no_number():
    page = html.html_fragment(many(small()))
    deleted = re.search(r'<span class="afn-pair afn-deleted[^"]*" title="([^"]*)">(.*)', page)
    assert deleted[1].startswith("f&#10;no partner, so no shift&#10;strength of A 9.000, HIGH")
    assert deleted[2] == ('<span><b><bdi>f</bdi></b></span><span class="afn-gap">−</span></span>')
    inserted = re.search(r'<span class="afn-pair afn-inserted[^"]*" title="([^"]*)">(.*)', page)
    assert inserted[2] == '<span class="afn-gap">+</span><span><bdi>i</bdi></span></span>'
    assert not re.search(r"afn-(inserted|deleted) afn-(s\d|nan)", page)
    row = re.search(r"<tr><th></th><td>\+</td><th><bdi>i</bdi></th>(.*)</tr>", page)
    assert re.sub("<[^>]*>", "|", row[1]).replace("|", "") == "content"


def test_in_colour_only_the_token_is_underlined_and_special_tokens_are_grey():
    found = runs(
        many(shifted(["[CLS]", "a", "b"], ["[CLS]", "a", "c"], [8, 1, 4], "c", bucket_by="b"))
    )
    assert found["c"] == ["bold underline"]
    assert "underline" not in found["→"][0]
    assert set(found["[CLS]"]) == {"#808080"}
    assert found["8.000"] == ["#808080"]
    assert found["4.000"][0] == "{1} on {0}".format(*picture.shade(1))
    assert any(text.startswith("bold, underlined: S of B > τ, upper quartile") for text in found)


@pytest.mark.parametrize(
    ("by", "head", "marked"),
    [
        ("a", "S of A  bucket", {"*b*"}),
        ("b", "S of B  bucket", {"*c*", "*j*"}),
        ("union", "S of A  S of B  bucket", {"*b*", "*c*", "*j*"}),
    ],
)
def test_whose_high_tokens_are_marked(by, head, marked):
    result = shifted(["a", "b", "k"], ["a", "c", "k", "j"], [1, 2, 3], "bcj", bucket_by=by)
    text = printed(many(result))
    assert head in text
    assert {word for word in text.split() if re.fullmatch(r"\*.\*", word)} == marked
    legend = {"a": "S of A > τ", "b": "S of B > τ", "union": "S of A or of B > τ"}[by]
    assert legend in text
    page = html.html_fragment(many(result))
    assert {f"*{token}*" for token in re.findall(r"<b><bdi>(.)</bdi></b>", page)} == marked
    assert legend in page.replace("&gt;", ">")


def test_a_cosine_that_is_not_a_number_is_said():
    result = shifted(["a", "b"], ["a", "c"], [0, 2], cosine=[np.nan, 0.5])
    text = printed(many(result))
    assert re.search(r"^a .* 0\.000 +nan$", text, re.M)
    assert "nan      a hidden state of zeros has no direction" in text
    page = html.html_fragment(many(result))
    assert "1 − cos nan" in page
    assert "<td>nan</td>" in page
    assert "nan " not in printed(many(small()))


def test_a_distance_is_0_only_where_it_is_0():
    assert picture_shift.distance(4.4e-9) == "4e-09"
    assert picture_shift.distance(0.0005) != "0.000"
    assert picture_shift.distance(0.0) == "0.000"
    assert picture_shift.distance(12345678.9) == "1.235e+07"


# sentences


def said(result):
    return " ".join(sentences(result))


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (
            small(),
            "Total shift 15.500, over 6 aligned pairs (special tokens included). Without a "
            "partner, so without a shift: 1 of A and 2 of B. R_H = 0.571: HIGH tokens hold 57.1 % "
            "of the shift of the 4 pairs that are not special. 1 of these 4 is HIGH, so chance "
            "gives 25.0 % (enrichment 2.29). p = 0.250, exact; the smallest that 1 of 4 could "
            "give is 0.250: such a small table cannot give less. 1 HIGH token has no partner and "
            "no part in R_H.",
        ),
        (  # k = 0
            shifted(["a", "b"], ["a", "c"], [0, 2]),
            "Total shift 2.000, over 2 aligned pairs. No R_H: of the 2 pairs, none is HIGH.",
        ),
        (  # k = 0, but HIGH tokens without a partner
            shifted(["a", "f", "g"], ["a"], [1], "fg"),
            "Total shift 1.000, over 1 aligned pair. Without a partner, so without a shift: 2 of "
            "A. No R_H: of the 1 pair, none is HIGH. 2 HIGH tokens have no partner and no part "
            "in R_H.",
        ),
        (  # n = 0
            shifted(["[CLS]", "a"], ["[CLS]", "b", "c"], [2]),
            "Total shift 2.000, over 1 aligned pair (special tokens included). Without a partner, "
            "so without a shift: 1 of A and 2 of B. No R_H: there is no pair that is not special.",
        ),
        (  # no shift
            shifted(["a", "b"], ["a", "b"], [0, 0], "a", texts=("a b", "a b")),
            "Total shift 0.000, over 2 aligned pairs. No R_H: the 2 pairs did not shift at all.",
        ),
        (  # another text, and the same tokens, as where both are unknown to the tokenizer
            shifted(["a", "[UNK]"], ["a", "[UNK]"], [0, 0], "a"),
            "Total shift 0.000, over 2 aligned pairs. The two texts differ, and the model reads "
            "both as the same tokens. No R_H: the 2 pairs did not shift at all.",
        ),
        (  # k = n
            shifted(["a", "b"], ["a", "c"], [1, 2], "ab"),
            "Total shift 3.000, over 2 aligned pairs. R_H = 1.000: HIGH tokens hold 100.0 % of "
            "the shift of the 2 pairs. 2 of these 2 are HIGH, so chance gives 100.0 % (enrichment "
            "1.00). p = 1.000: all are HIGH, so there is nothing to compare.",
        ),
        (  # p above its floor; special tokens take part
            shifted(["[CLS]", "a", "b"], ["[CLS]", "a", "b"], [3, 2, 1], "a", include_special=True),
            "Total shift 6.000, over 3 aligned pairs (special tokens included). R_H = 0.333: HIGH "
            "tokens hold 33.3 % of the shift of the 3 pairs. 1 of these 3 is HIGH, so chance "
            "gives 33.3 % (enrichment 1.00). p = 0.667, exact; the smallest that 1 of 3 could "
            "give is 0.333.",
        ),
    ],
)
def test_what_the_numbers_say(result, expected):
    assert said(result) == expected
    assert expected in words(printed(many(result), width=200))
    for sentence in sentences(result):
        assert sentence in html.html_fragment(many(result))


def test_a_p_from_random_choices_is_not_called_exact():
    tokens = [f"t{i}" for i in range(60)]
    high = set(tokens[:20])
    strongest = shifted(tokens, tokens, [9 if t in high else 1 for t in tokens], high)
    assert "by random choices; the smallest that 20 of 60 could give is" in said(strongest)
    assert said(strongest).endswith("so few choices cannot give less.")
    weakest = shifted(tokens, tokens, [1 if t in high else 9 for t in tokens], high)
    assert "p = 1.000, by random choices" in said(weakest)
    assert "cannot give less" not in said(weakest)


# legend and settings


def test_settings_are_told():
    result = shifted(
        ["[CLS]", "a"],
        ["[CLS]", "b"],
        [1, 2],
        align="position",
        words="mean",
        quantile=0.9,
        threshold_scope="corpus",
        include_special=True,
    )
    text = words(printed(many(result)))
    assert "S of A > τ, 0.9 quantile over all texts (method midpoint)" in text
    assert "moves; of a word: between the means of its pieces" in text
    assert "importance; of a word: mean over its pieces" in text
    assert "aligned index by index (position)" in text
    assert "part of the total" in text
    assert "not of R_H" not in text
    page = html.html_page(many(result))
    assert "<tr><th>align</th><td>position</td></tr>" in page


def test_a_text_that_was_cut_is_said_to_be(minilm):
    long = minilm.shift(A + " and" * 20, B, max_length=12, truncate=True)
    assert "\ncut to 10 tokens; 18 dropped\nB: " in printed(long._as_list())
    assert printed(long._as_list()).count("dropped") == 1
    assert '<p class="afn-note">cut to 10 tokens; 18 dropped</p>' in html.html_fragment(
        long._as_list()
    )
    strength = minilm.strength([A + " and" * 20], max_length=12, truncate=True)
    assert lines(printed(strength))[1] == "cut to 10 tokens; 18 dropped"
    assert "cut to 10 tokens; 18 dropped" in html.html_page(strength)
    of_words = minilm.strength([A + " and" * 20], max_length=12, truncate=True, words="max")
    assert lines(printed(of_words))[1] == "cut; 18 tokens dropped"


# many comparisons


def test_many_begin_with_an_overview(minilm):
    results = minilm.shift([A, A, " "], [B, C, A], errors="collect")
    shown = lines(printed(results))
    assert shown[:4] == [
        "pair  A                B                total Δ    R_H    k/n  enrichment      p",
        "   1  …day at the pa…  …walk at the b…   53.568  0.584  0.250        2.33  0.036",
        "   2  Enjoying a bea…  We enjoyed a v…   30.492  0.365  0.400        0.91  1.000",
        "",
    ]
    assert shown[4:6] == ["pair 1", f"A: {A}"]
    assert shown[-3].startswith("Without a result")
    assert shown[-2].startswith("pair 3: text A: it has no token of its own")
    assert "k/n by chance" in words(printed(results))
    page = html.html_fragment(results)
    checked(page)
    assert page.index("<td>53.568</td>") < page.index('class="afn-strip"')
    assert f"<bdi>{C}</bdi></td><td>30.492</td><td>0.365</td><td>0.400</td><td>0.91</td>" in page
    assert "<li>pair 3: text A: it has no token" in page


def test_comparisons_share_one_scale():
    results = many(shifted(["a", "b"], ["a", "c"], [1, 2]), shifted(["d", "e"], ["d", "f"], [3, 4]))
    assert "0 to 4.000, the largest Δ of all tokens shown" in printed(results)
    found = re.findall(r'afn-pair afn-\w+ (afn-s\d+)" title="(\w)', html.html_fragment(results))
    assert found == [("afn-s10", "a"), ("afn-s20", "b"), ("afn-s30", "d"), ("afn-s40", "e")]


def test_much_is_bounded_and_what_is_left_out_is_said():
    tokens = [f"t{i}" for i in range(1000)]
    others = [f"u{i}" if i % 3 else token for i, token in enumerate(tokens)]
    long = shifted(tokens, others, np.arange(1000.0), texts=("w " * 1000, "v " * 1000))
    text = printed(many(long))
    assert text.count("\n") < 100
    assert "… 940 of 1,000 rows not shown; --save x.csv or --json gives all" in text
    assert repr(long).count("\n") < 50
    assert "988 of 1,000 rows not shown; .to_pandas()" in words(repr(long))
    assert len(html.html_page(many(long))) < 1_500_000
    results = many(*[small()] * 1500)
    text = printed(results)
    assert "… 1,480 more not shown; --save x.csv" in text
    assert "… 17 more not shown token by token; --save x.csv" in text
    assert text.count("\n") < 130
    page = html.html_page(results)
    assert "500 more are not shown; a .csv or .json file holds all" in page
    assert "800 more are not shown token by token; a .csv or .json file holds all" in page
    fragment = html.html_fragment(many(*[long] * 30))
    assert fragment.count("500 of 1,000 rows not shown; .to_pandas()") == 10
    assert len(fragment) < 3_000_000
    assert "20 more are not shown token by token; .to_pandas()" in fragment


def test_top_shows_the_largest_shifts():
    text = printed(many(small()), top=2)
    assert [line.split()[0] for line in lines(text)[4:6]] == ["[CLS]", "*b*"]
    assert "top 2 of 6 aligned pairs, by shift" in text
    with pytest.raises(ActivationFlowError, match="top is 0"):
        report.render(many(small()), top=0)


def test_nothing_but_errors():
    nothing = replace(many(small(), errors=[Failure(1, EVIL)]), results=(), numbers=())
    assert lines(printed(nothing))[-3:] == ["Without a result", f"pair 1: {EVIL}", ""]
    assert "pair 1: &lt;/script&gt;" in html.html_page(nothing)
    assert repr(nothing).startswith("0 pairs, minilm")


# any text, any width


def test_texts_that_begin_alike_are_shown_where_they_differ():
    a, b = "x" * 50 + " same one", "x" * 50 + " same two"
    assert picture_shift.contrast(a, b, 20) == ("…one", "…two")
    assert picture_shift.contrast("short", "texts", 20) == ("short", "texts")
    assert picture_shift.contrast("y" * 90, "y" * 95, 20)[0].startswith("…")
    assert picture_shift.contrast("a\x1b[2J", "b\n", 20) == (r"a\x1b[2J", r"b\n")


def hostile_pair(a, b, texts=(EVIL, EVIL), **chosen):
    pairs = alignment.align(a, b, chosen.get("align", "diff")).paired.sum()
    return shifted(a, b, np.arange(pairs) + 0.5, set(a[:1]), texts=texts, **chosen)


tokens_of = st.lists(hostile.filter(len), min_size=1, max_size=12)


@settings(deadline=None, max_examples=100)
@given(
    tokens_of,
    tokens_of,
    hostile,
    st.integers(20, 200),
    st.sampled_from([None, "truecolor"]),
    st.sampled_from(["a", "union"]),
    st.sampled_from(["diff", "position"]),
)
def test_no_line_is_wider_than_the_console(a, b, text, width, colour, by, align):
    result = hostile_pair(a, b, (text, text[::-1]), bucket_by=by, align=align)
    results = many(result, result, errors=[Failure(3, text)])
    shown = re.sub(r"\x1b\[[\d;]*m", "", printed(results, width=width, color_system=colour))
    assert "\x1b" not in shown
    assert all(cell_len(line) <= width for line in shown.split("\n"))
    assert all(cell_len(line) <= 80 for line in repr(results).split("\n"))
    checked(html.html_fragment(results)).close()


@pytest.mark.parametrize("width", range(20, 201, 5))
def test_every_width_shows_tokens_and_shifts(width):
    text = printed(many(small(), small()), width=width)
    assert max(map(cell_len, text.split("\n"))) <= width
    assert "4.000" in text
    assert "*b*" in text
    assert (width < 50) or "S of A" in text


def test_an_ascii_console_gets_ascii():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    report.print_terminal(many(small()), Console(file=file, width=80, color_system=None))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert re.search(r"^\*b\* +> c ", text, re.M)
    assert re.search(r"^\*f\* +- ", text, re.M)
    assert re.search(r"^ +\+ i ", text, re.M)
    assert "shift |h_A - h_B|_2" in text
    assert max(map(len, text.split("\n"))) <= 80


@pytest.mark.parametrize("options", [{}, {"environ": {"NO_COLOR": "1"}, "color_system": "256"}])
def test_without_colour_there_is_no_escape_code(options):
    assert "\x1b" not in printed(many(small()), **options)
    assert "\x1b" in printed(many(small()), color_system="truecolor")


def test_html_is_escaped_and_asks_no_host():
    evil = [EVIL, '" onmouseover="x', "\x00", "\u202eevil", "'"]
    result = hostile_pair(evil, [EVIL, *evil[2:], "<b>"])
    for text in (html.html_page(many(result, result)), html.html_fragment(many(result))):
        harmless(text)
        assert "\u202e" not in text
        assert r"\u202eevil" in text


def test_save_writes_the_page(tmp_path):
    small().save(tmp_path / "x.html")
    assert "R_H = 0.571" in (tmp_path / "x.html").read_text(encoding="utf-8")
