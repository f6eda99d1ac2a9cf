"""Two texts on the page: their own numbers, aligned tokens joined, all that is typed as text."""

import re
from html import unescape

import pytest
from test_report import EVIL, harmless
from test_report_shift import shifted, small

from activation_flow import app_compare, html_joined, retrace, retrace_python
from activation_flow.app_inputs import Compare
from activation_flow.markup import style
from activation_flow.picture import number
from activation_flow.picture_shift import picture_of_shifts
from activation_flow.sentences import sentences


def rows_of(html):
    """Of each row: its cells as they are read."""
    body = re.findall(r'<tr role="row" .*?</tr>', html, re.DOTALL)
    cells = (re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in body)
    return [[unescape(re.sub("<.*?>", " ", cell)).split() for cell in row] for row in cells]


def bars_of(html):
    """Class and length of each bar."""
    return re.findall(r'<i class="(.*?)" style="width:(.*?)%"></i>', html)


def view(result, layers=range(7)):
    return app_compare.shown(result, Compare(), layers)


def test_each_row_is_a_token_the_shift_and_a_token():
    result = small()
    html = view(result).html
    strengths = {
        (side, token): number(float(s))
        for side, text in (("a", result.a), ("b", result.b))
        for token, s in zip(text.tokens, text.strength[0], strict=True)
    }
    assert rows_of(html) == [
        [["[CLS]", strengths["a", "[CLS]"]], ["8.000"], ["[CLS]", strengths["b", "[CLS]"]]],
        [["a", strengths["a", "a"]], ["1.000"], ["a", strengths["b", "a"]]],
        [["b", strengths["a", "b"]], ["4.000", "→"], ["c", strengths["b", "c"]]],
        [["k", strengths["a", "k"]], ["2.000"], ["k", strengths["b", "k"]]],
        [["f", strengths["a", "f"]], ["only", "in", "A"], ["−"]],
        [["l", strengths["a", "l"]], ["0.000"], ["l", strengths["b", "l"]]],
        [["+"], ["only", "in", "B"], ["i", strengths["b", "i"]]],
        [["+"], ["only", "in", "B"], ["j", strengths["b", "j"]]],
        [["[SEP]", strengths["a", "[SEP]"]], ["0.500"], ["[SEP]", strengths["b", "[SEP]"]]],
    ]


def test_a_bar_is_as_long_and_as_dark_as_its_shift_beside_the_largest():
    assert bars_of(view(small()).html) == [
        ("afn-s10", "25.0"),
        ("afn-s40", "100.0"),
        ("afn-s20", "50.0"),
        ("afn-s0", "0.0"),
    ]  # none of special tokens, which are off the scale


def test_marks_are_those_of_a_strip():
    html = view(small()).html
    assert '<span class="afn-t afn-replaced"><b><bdi>b</bdi></b></span>' in html
    assert '<span class="afn-t afn-replaced"><bdi>c</bdi></span>' in html
    assert '<span class="afn-t afn-deleted"><b><bdi>f</bdi></b></span>' in html
    assert '<span class="afn-t afn-inserted"><bdi>i</bdi></span>' in html
    assert html.count('<span class="afn-t afn-special afn-same">') == 4
    assert (
        'title="b → c&#10;shift 4.000, 1 − cos 0.040&#10;strength of A 9.000, HIGH (τ = 9.000), '
        "rank 1&#10;strength of B 1.020, LOW (τ = 1.045), rank 5&#10;replaced, content"
    ) in html


def test_numbers_stand_above_beside_chance_with_the_sentences():
    result = small()
    html = view(result).html
    tiles = re.findall(r"<dt>(.*?)</dt><dd>(.*?)<small>(.*?)</small>", html)
    found = result.concentration
    assert tiles == [
        ("total shift Δ", number(result.total), "sum over 6 aligned pairs"),
        (
            "R_H: share of the shift held by HIGH tokens",
            number(result.high_ratio),
            f"by chance {number(result.high_share)} = 1 / {found.n}",
        ),
        ("enrichment: R_H / chance", f"{result.enrichment:.2f}", "by chance 1.00"),
        (
            "p: how often chance gives as much",
            number(result.p_value),
            f"smallest possible {number(result.p_floor)}",
        ),
    ]
    for sentence in sentences(result):
        assert sentence in unescape(html)
    assert "1 HIGH token has no partner and no part in R_H." in html


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (shifted(["[CLS]", "a"], ["[CLS]", "a"], [1.0, 2.0]), "none is HIGH"),
        (shifted(["[CLS]", "a"], ["[CLS]", "b", "c"], [1.0], high=["a"]), "there is no pair"),
        (shifted(["a", "b"], ["a", "b"], [0.0, 0.0], high=["a"]), "did not shift at all"),
    ],
)
def test_without_a_ratio_words_say_why(result, said):
    html = view(result).html
    assert "held by HIGH tokens</dt><dd>none" in html
    assert said in html
    assert "<details>" not in html
    assert "enrichment" not in html


def test_no_pair_at_all_and_no_number_have_no_length():
    nothing = shifted(["a"], ["b", "c"], [])
    assert bars_of(view(nothing).html) == []
    odd = shifted(["a", "b"], ["a", "b"], [float("nan"), 1.0])
    assert bars_of(view(odd).html) == [("afn-nan", "100.0"), ("afn-s40", "100.0")]
    harmless(view(nothing).html)


def test_what_is_typed_is_only_text():
    for token in (EVIL, '" onmouseover="x', "\u202eevil", "\0"):
        result = shifted(["[CLS]", token, "x"], ["[CLS]", "x", token], [1, 2], high=[token])
        shown = view(result)
        for html in (shown.html, shown.below):
            page = harmless(html)
            assert "script" not in page.tags
        assert "\u202e" not in shown.html + shown.below


def test_a_long_text_stands_in_blocks_with_one_scale_and_a_bound():
    tokens = [f"t{i}" for i in range(100)]
    result = shifted(tokens, tokens, [float(i) for i in range(100)])
    picture = picture_of_shifts(result._as_list(), listed=1, drawn=1, rows=40, hint="so")
    html = "\n".join(html_joined.joined_parts(picture, result))
    assert re.findall('aria-label="(.*?)"', html) == [
        f"Aligned tokens, rows {rows}" for rows in ("1 to 16", "17 to 32", "33 to 40")
    ]
    assert [row[0][0] for row in rows_of(html)] == tokens[:40]
    assert len(re.findall(r"--afn-a:[\d.]+em;--afn-b:[\d.]+em", html)) == 1
    assert "60 of 100 rows not shown; so" in html
    assert 'tabindex="0"' not in html
    assert 'tabindex="0"' in view(result).html  # scrolled, so in reach of the keyboard


def test_on_screens_of_any_width_a_row_joins_its_tokens(tmp_path, browser):
    tokens = ["[CLS]", "a", "k" * 60, *(f"t{i}" for i in range(30)), "[SEP]"]
    others = [token.replace("a", EVIL) for token in tokens]
    result = shifted(tokens, others, [1.0] * len(tokens), align="position")
    path = tmp_path / "x.html"
    body = f"<style>{style()}</style>{view(result).html}"
    path.write_text(f"<!doctype html><meta charset=utf-8>{body}", encoding="utf-8")
    for width in (390, 1400):
        with browser.open(path, width=width) as shown:
            assert shown.js("document.documentElement.scrollWidth <= innerWidth")
            places = shown.js(
                "[...document.querySelectorAll('.afn-lines tbody tr')].map(row => "
                "[...row.querySelectorAll('.afn-t, .afn-join')].map(part => "
                "(r => [r.left, r.right, r.top, r.bottom].map(Math.round))("
                "part.getBoundingClientRect())))"
            )
            assert len(places) == len(tokens)
            for a, bar, b in places:
                assert a[1] <= bar[0] + 1 < bar[1] <= b[0] + 1
                assert max(a[2], bar[2], b[2]) < min(a[3], bar[3], b[3])
            columns = {row[0][1] // 300 for row in places}
            assert len(columns) == (1 if width == 390 else 2)
            assert shown.problems() == []


def test_charts_table_commands_and_layers():
    result = small()
    shown = view(result)
    (chart,) = shown.charts
    assert chart.name == "shift-1"
    assert "title" not in chart.spec, "it stands above the chart in the page"
    assert "<details><summary>Table</summary>" in shown.below
    assert "Δ" in shown.below
    assert shown.command == retrace.command(result._as_list())
    assert shown.python == retrace_python.python(result)
    assert (shown.layers, shown.layer) == ((0, 1, 2, 3, 4, 5, 6), 4)
