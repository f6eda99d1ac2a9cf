import io
import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.console import Console

from activation_flow import html, picture, report, report_models
from activation_flow import strength as formulas
from activation_flow.data import ActivationFlowError, Failure, Provenance
from activation_flow.results import StrengthResult, StrengthResults

SETTINGS = {"quantile": 0.75, "quantile_method": "midpoint", "threshold_scope": "text"}
CANADA = ["[CLS]", "who", "is", "the", "prime", "minister", "of", "canada", "?", "[SEP]"]
STRENGTHS = [11.9, 13.0, 12.4, 12.2, 14.142, 13.761, 12.7, 14.541, 11.2, 9.799]
EVIL = "</script><img src=x onerror=alert(1)>"


def one(tokens, strength, layers=(4,), n_layers=6, text="a text", head=None, **more):
    """A result as analysis makes it; "[CLS]" and "[SEP]" are special."""
    values = np.atleast_2d(np.asarray(strength, dtype=np.float32))
    n = len(tokens)
    special = np.array([t in ("[CLS]", "[SEP]") for t in tokens], dtype=bool)
    part = ~special & ~np.isnan(values).any(axis=0)
    tau = formulas.threshold(values[:, part]) if part.any() else np.full(len(values), np.nan)
    return StrengthResult(
        text=text,
        tokens=np.array(tokens, dtype=object),
        ids=np.arange(n) + 100,
        start=np.where(special, -1, np.arange(n)),
        end=np.where(special, -1, np.arange(n) + 1),
        segment=np.where(special, -1, 0),
        special=special,
        word=np.where(special, -1, np.arange(n)),
        kind=np.where(special, "special", "content"),
        layers=tuple(layers),
        strength=values,
        threshold=tau,
        rank=formulas.rank(values, part),
        bucket=formulas.bucket(values, tau, part),
        provenance=head or Provenance("minilm", "c9745e", "openvino", "f32", n_layers, **more),
    )


def many(*results, errors=()):
    return StrengthResults(results, results[0].provenance, results[0].layers, tuple(errors))


def canada():
    return one(CANADA, STRENGTHS, text="Who is the PM of Canada?", settings=SETTINGS)


def printed(results, *, top=None, color_system=None, width=80, **options):
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        color_system=color_system,
        force_terminal=color_system is not None,
        _environ=options.pop("environ", {}),
        **options,
    )
    report.print_terminal(results, console, top=top)
    return file.getvalue()


def lines(text):
    return [line.rstrip() for line in text.split("\n")]


def runs(results, **options):
    """What is printed in colour, as {text: its styles}."""
    console = Console(file=io.StringIO(), width=80, color_system="truecolor", force_terminal=True)
    found = {}
    for segment in console.render(report.render(results, **options)):
        found.setdefault(segment.text.strip(), []).append(str(segment.style))
    return found


def wcag(a, b):
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# colours


@given(st.floats(0, 1))
def test_text_on_every_shade_can_be_read(fraction):
    assert wcag(*picture.shade(fraction)) >= 4.5


@pytest.mark.parametrize("fraction", np.linspace(0, 1, 101))
def test_text_can_be_read_on_a_terminal_of_256_colours(fraction):
    pair = [Color.parse(c).downgrade(ColorSystem.EIGHT_BIT) for c in picture.shade(fraction)]
    # The nearest of 256 colours is a little lighter than the one for which white was chosen.
    assert wcag(*(colour.get_truecolor().hex for colour in pair)) >= 4.2


def test_the_ramp_falls_in_lightness_all_the_way():
    shades = [wcag("#000000", picture.shade(f)[0]) for f in np.linspace(0, 1, 60)]
    assert shades == sorted(shades, reverse=True)
    assert len(set(shades)) == 60


def test_a_fraction_outside_is_taken_as_the_end():
    assert picture.shade(-1) == picture.shade(0)
    assert picture.shade(7) == picture.shade(1)


def test_the_style_sheet_holds_the_same_shades():
    css = files("activation_flow").joinpath("report.css").read_text(encoding="utf-8")
    found = re.findall(
        r"\.afn-s(\d+) \{ background: (\S+); color: (\S+);\s+"
        r"background: light-dark\((\S+), (\S+)\); color: light-dark\((\S+), (\S+)\) \}",
        css,
    )
    assert [int(step) for step, *_ in found] == list(range(html.LEVELS + 1))
    for step, back, fore, light, dark, light_text, dark_text in found:
        assert (back, fore) == (light, light_text) == picture.shade(int(step) / html.LEVELS)
        assert (dark, dark_text) == picture.shade(1 - int(step) / html.LEVELS)
    assert ", ".join(picture.RAMP) in css


def test_equal_values_have_a_place():
    result = one(["a", "b"], [5.0, 5.0])
    scale = picture.scale_of([result], 1)
    assert scale.fraction(result).tolist() == [[0.5, 0.5]]
    assert "5.000 to 5.000" in printed(many(result))


@given(st.lists(st.floats(0, 2.0**120, width=32), min_size=1, max_size=9))
def test_every_number_has_a_place_on_the_scale(values):
    result = one(["t"] * len(values), values)
    place = picture.scale_of([result], 1).fraction(result)
    assert ((place >= 0) & (place <= 1)).all()
    assert printed(many(result))
    assert html.html_fragment(many(result))


# escaping


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本 👍", "plain é 日本 👍"),
        ("\0\x1b[31m\n\t", r"\x00\x1b[31m\n\t"),
        ("a\u202eb\u200f", r"a\u202eb\u200f"),
        ("\ud800", r"\ud800"),
        ("\u2028", r"\u2028"),
        ("\u0301", "\u25cc\u0301"),
        ("e\u0301", "e\u0301"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("\u200ca\u200d", r"\u200ca\u200d"),
    ],
)
def test_nothing_hides(text, shown):
    assert picture.visible(text) == shown


def test_the_escape_knows_quotes_and_tags():
    assert html.escape("<a b='\"&\0") == "&lt;a b=&#x27;&quot;&amp;\\x00"


# terminal


def test_a_text_without_colour():
    assert lines(printed(many(canada()))) == [
        "Who is the PM of Canada?",
        "",
        "[CLS] who is the *prime* minister of *canada* ? [SEP]",
        "τ = 13.951  HIGH: 2 of 8 tokens",
        "",
        "#  token     kind     strength                rank  bucket",
        "0  [CLS]     special    11.900",
        "1  who       content    13.000  ██████▌          4  LOW",
        "2  is        content    12.400  ████▎            6  LOW",
        "3  the       content    12.200  ███▋             7  LOW",
        "4  prime     content    14.142  ██████████▋      2  HIGH",
        "5  minister  content    13.761  █████████▎       3  LOW",
        "6  of        content    12.700  █████▍           5  LOW",
        "7  canada    content    14.541  ████████████     1  HIGH",
        "8  ?         content    11.200  ▏                8  LOW",
        "9  [SEP]     special     9.799",
        "",
        "S        strength ‖h‖₂, L2 norm of a token's hidden state; not its importance",
        "model    minilm, layer 4 of 6, openvino f32",
        "scale    11.200 to 14.541, the lowest to the highest S of all texts shown",
        "HIGH     *token*: S > τ, upper quartile of each text (method midpoint)",
        "special  added by the tokenizer, off the scale, no part in τ and rank",
        "",
    ]


def test_in_colour_high_is_bold_and_underlined_and_special_is_grey():
    found = runs(many(canada()))
    back, fore = picture.shade(1)
    assert f"bold underline {fore} on {back}" in found["canada"]
    (minister,) = [style for style in found["minister"] if " on " in style]
    assert "bold" not in minister
    assert found["[CLS]"] == ["#808080", "#808080"]
    assert "bold, underlined: S > τ, upper quartile of each text (method midpoint)" in found
    assert "grey: added by the tokenizer, off the scale, no part in τ and rank" in found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"environ": {"NO_COLOR": "1"}, "color_system": "truecolor"},
        {"color_system": "standard"},
    ],
)
def test_without_colour_there_is_no_escape_code(options):
    text = printed(many(canada()), **options)
    assert "\x1b" not in text
    assert "*canada*" in text


def test_with_colour_there_are_no_stars():
    text = printed(many(canada()), color_system="truecolor")
    assert "\x1b[" in text
    assert "*canada*" not in text


def test_markup_and_control_characters_are_shown_as_they_are():
    tokens = ["[red]x[/red]", ":smile:", "\x1b[31m", "\0", "a\nb", " the", ""]
    result = one(tokens, range(1, 8), text="[bold]\x1b[2J\r\nx[/nope]")
    text = printed(many(result), color_system="truecolor")
    assert "\x1b[2J" not in text
    plain = lines(printed(many(result)))
    assert plain[0] == r"[bold]\x1b[2J\r\nx[/nope]"
    assert plain[2] == r"[red]x[/red] :smile: \x1b[31m \x00 a\nb *␣the* *''*"


hostile = st.text(max_size=60) | st.sampled_from(
    [
        "\x1b[31m",
        "[red]",
        "日本語" * 20,
        "👨‍👩‍👧",
        "\u0301",
        "\u202e",
        "\ud800",
        "w" * 200,
        "🇫🇷",
        "❤️",
    ]
)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(hostile, min_size=1, max_size=30),
    hostile,
    st.integers(1, 6),
    st.sampled_from([None, "truecolor"]),
)
def test_no_line_is_wider_than_the_console(tokens, text, n_layers, color_system):
    rng = np.random.default_rng(len(tokens))
    strength = rng.gamma(2, 100, size=(n_layers, len(tokens)))
    result = one(tokens, strength, range(n_layers), text=text, settings=SETTINGS)
    results = many(result, errors=[Failure(2, text)])
    shown = printed(results, color_system=color_system)
    shown = re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert all(cell_len(line) <= 80 for line in shown.split("\n"))
    assert "\x1b" not in shown
    assert all(cell_len(line) <= 80 for line in repr(results).split("\n"))


@pytest.mark.parametrize("width", [30, 40, 50, 60, 120, 200])
@pytest.mark.parametrize("n_layers", [1, 3, 13])
def test_other_widths(width, n_layers):
    strength = np.array(STRENGTHS) + np.arange(n_layers)[:, None]
    results = many(one(CANADA, strength, range(n_layers), 12, settings=SETTINGS))
    text = printed(results, width=width)
    assert max(map(cell_len, text.split("\n"))) <= width
    assert "14.541" in text


def test_a_width_can_be_asked_for():
    console = Console(file=io.StringIO(), width=200, color_system=None)
    console.print(report.render(many(canada()), width=50))
    assert max(map(len, lines(console.file.getvalue()))) <= 50


def test_an_ascii_console_gets_ascii():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    console = Console(file=file, width=80, color_system=None)
    report.print_terminal(many(one(["é", "b"], [1, 2], text="日本")), console)
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert "tau = 1.500  HIGH: 1 of 2 tokens" in text
    assert r"\xe9" in text
    assert max(map(len, text.split("\n"))) <= 80


def test_layers_side_by_side_have_a_strip_and_a_scale_each():
    results = many(one(["a", "b"], [[1, 2], [40, 30]], (2, 6), settings=SETTINGS, final_norm=True))
    assert lines(printed(results))[:10] == [
        "a text",
        "",
        "a *b*",
        "layer 2 of 6: τ = 1.500  HIGH: 1 of 2 tokens",
        "",
        "*a* b",
        "layer 6 of 6 (after the final norm): τ = 35.000  HIGH: 1 of 2 tokens",
        "",
        "#  token  kind     layer 2  rank  bucket  layer 6  rank  bucket",
        "0  a      content    1.000     2  LOW      40.000     1  HIGH",
    ]
    text = " ".join(printed(results).split())
    assert "minilm, layers 2, 6 of 6 (6 after the final norm), openvino f32" in text
    assert "layer by layer: 2: 1.000 to 2.000; 6: 30.000 to 40.000" in text


def test_many_layers_are_a_compact_table():
    strength = np.array([[1.0], [2.0]]).repeat(7, axis=1).T
    shown = lines(printed(many(one(["a", "b"], strength, range(7), settings=SETTINGS))))
    assert shown[2:7] == [
        "#  token  layer 0   layer 1   layer 2   layer 3   layer 4   layer 5   layer 6",
        "0  a        1.000     1.000     1.000     1.000     1.000     1.000     1.000",
        "1  b        2.000*    2.000*    2.000*    2.000*    2.000*    2.000*    2.000*",
        "   τ        1.500     1.500     1.500     1.500     1.500     1.500     1.500",
        "   HIGH       1/2       1/2       1/2       1/2       1/2       1/2       1/2",
    ]


def test_a_text_far_over_the_others_is_clipped_and_marked():
    result = one(["a", "b", "c", "d"], [10, 11, 12, 5000])
    text = printed(many(result))
    assert "a b c *d*!" in text
    assert "5000.000!  ████████████" in text
    assert "10.000 to 12.000, the lowest to the highest" in text
    assert "!      over 10x the median S of its text; clipped in pictures, never in numbers" in text
    assert "<b>d</b><sup>!</sup>" in html.html_page(many(result))
    assert "over 10x" not in printed(many(canada()))


def test_not_a_number_has_its_own_mark():
    result = one(["a", "b", "c"], [1, np.nan, 2])
    text = printed(many(result), color_system=None)
    assert "a b(nan) *c*" in text
    assert "nan    not a number: no colour and no rank" in text
    assert 'class="afn-t afn-nan"' in html.html_page(many(result))
    assert printed(many(one(["a"], [np.nan])))
    assert html.html_page(many(one(["a"], [np.nan])))


def test_special_tokens_are_outside_the_scale():
    scale = picture.scale_of([one(["[CLS]", "a", "b"], [900, 1, 2])], 1)
    assert (scale.low, scale.high) == (1, 2)


def test_a_text_of_special_tokens_only():
    text = printed(many(one(["[CLS]", "[SEP]"], [3, 4], text="")))
    assert "(empty text)" in text
    assert "no threshold: no token takes part" in text


def test_texts_share_one_scale():
    results = many(one(["a", "b"], [10, 20]), one(["c", "d"], [20, 30]))
    found = runs(results)
    (b,) = [style for style in found["b"] if " on " in style]
    (c,) = [style for style in found["c"] if " on " in style]
    assert b.removeprefix("bold underline ") == c == "{1} on {0}".format(*picture.shade(0.5))
    steps = dict(re.findall(r'afn-t (afn-s\d+)" title="(\w)', html.html_fragment(results))[::-1])
    assert steps == {"afn-s0": "a", "afn-s20": "b", "afn-s40": "d"}
    assert "text 1: a text" in printed(results)


def test_top_shows_the_strongest_by_rank():
    shown = lines(printed(many(canada()), top=3))
    assert shown[6:10] == [
        "7  canada    content    14.541  ████████████     1  HIGH",
        "4  prime     content    14.142  ██████████▋      2  HIGH",
        "5  minister  content    13.761  █████████▎       3  LOW",
        "top 3 of 8 ranked tokens",
    ]
    two = many(one(["a", "b"], [[1, 2], [4, 3]], (2, 4)))
    assert "top 1 of 2 ranked tokens at layer 2 of 6" in printed(two, top=1)


def test_top_must_be_a_number_from_one():
    with pytest.raises(ActivationFlowError, match="top is 0: give a whole number from 1"):
        report.render(many(canada()), top=0)


def test_what_is_hidden_is_said():
    tokens = [f"token{i}" for i in range(500)]
    long = one(tokens, np.arange(500) + 100, text="word " * 100)
    text = printed(many(replace(long, n_windows=3)))
    assert lines(text)[0].endswith("… (500 characters)")
    assert "read in 3 overlapping windows" in text
    assert re.search(r"… \d+ of 500 tokens not in this strip", text)
    assert "… 440 of 500 tokens not shown; --save x.csv or --json gives all" in text
    assert "488 of 500 tokens not shown; .to_pandas() or .save('x.csv')" in repr(long)
    texts = many(*[canada()] * 25)
    assert "5 more texts not shown; --save x.csv" in printed(texts)
    assert "22 more texts not shown; .to_pandas()" in repr(texts)
    assert "15 more texts are not shown; .to_pandas()" in html.html_fragment(texts)
    layers = one(tokens, np.ones((400, 500)), range(400), 399)
    assert "450 of 500 tokens not shown; a .csv or .json file holds all" in html.html_page(
        many(layers)
    )


def test_errors_are_listed():
    results = many(canada(), errors=[Failure(2, "too \x1b long <b>")])
    assert "text 2: too \\x1b long <b>" in printed(results)
    assert "<li>text 2: too \\x1b long &lt;b&gt;</li>" in html.html_page(results)
    nothing = replace(results, results=(), numbers=())
    assert lines(printed(nothing))[-3:] == ["Without a result", "text 2: too \\x1b long <b>", ""]
    assert "text 2" in html.html_fragment(nothing)
    assert "0 texts, minilm" in repr(nothing)


def test_settings_are_told():
    head = {**SETTINGS, "quantile": 0.9, "threshold_scope": "corpus", "words": "max"}
    result = one(CANADA, STRENGTHS, settings={**head, "include_special": True})
    text = " ".join(printed(many(result)).split())
    assert "S > τ, 0.9 quantile over all texts (method midpoint)" in text
    assert "of a word: max over its pieces" in text
    assert "added by the tokenizer, off the scale" in text
    assert "no part" not in text


def test_a_pair_of_segments_is_shown():
    pair = replace(canada(), text_pair="<second>")
    assert lines(printed(many(pair)))[:2] == ["Who is the PM of Canada?", "<second>"]
    assert "<bdi>&lt;second&gt;</bdi>" in html.html_fragment(many(pair))


def test_plain_starts_with_model_and_layer():
    text = repr(canada())
    assert text.startswith("1 text, minilm, layer 4 of 6, openvino f32\n\nWho is")
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.split("\n"))


def test_plain_knows_no_environment(monkeypatch):
    expected = repr(canada())
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE", "COLUMNS"):
        monkeypatch.setenv(name, "1")
    assert repr(canada()) == expected


# HTML

VOID = {"br", "img", "meta", "link", "input", "hr"}


class Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    return checker


def harmless(text):
    """Nothing in it runs but the page's own scripts, and it asks no host; the rest, parsed.

    A script is data, or one of two that the page's policy names by their hashes.
    """
    allowed = re.findall(r"'sha256-([^']+)'", text)
    assert len(allowed) in (0, 2)
    for kind, code in re.findall(r"<script([^>]*)>(.*?)</script>", text, re.S):
        if kind != ' type="application/json"':
            assert kind == ""
            assert b64encode(sha256(code.encode()).digest()).decode() in allowed
    rest = re.sub(r"(<script[^>]*>).*?(</script>)", r"\1\2", text, flags=re.S)
    page = checked(rest)
    assert not {"img", "link", "iframe", "object", "base", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name == "src" or name.startswith("on")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert "http:" not in rest
    assert "https:" not in rest
    assert "url(" not in rest.replace("url(#", "")
    assert "@import" not in rest
    assert "\0" not in text
    return page


def forms():
    layers = one(["a", EVIL], np.ones((7, 2)), range(7), text=EVIL)
    bad = Provenance(EVIL, EVIL, "openvino", "f32", 6, settings={EVIL: EVIL}, versions={EVIL: "1"})
    evil = one(["[CLS]", EVIL, '" onmouseover="x', "\0"], [1, 2, 3, 4], text=EVIL, head=bad)
    for results in (many(canada()), many(evil, errors=[Failure(2, EVIL)]), many(layers)):
        yield html.html_fragment(results)
        yield html.html_page(results)


@pytest.mark.parametrize("which", range(6))
def test_html_is_balanced_escaped_and_asks_no_host(which):
    harmless(list(forms())[which])


@settings(deadline=None, max_examples=20)  # each draws a chart
@given(st.lists(hostile, min_size=1, max_size=5), hostile)
def test_html_holds_any_text(tokens, text):
    page = html.html_page(many(one(tokens, np.arange(len(tokens)) + 1, text=text)))
    checked(page)
    assert page.encode("utf-8")


def test_a_page_is_complete():
    page = html.html_page(many(one(["a"], [1], settings=SETTINGS, versions={"numpy": "9.9"})))
    assert page.startswith('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')
    assert '<meta name="viewport"' in page
    assert "<title>Token activation strength: a text</title>" in page
    for key, value in {"quantile_method": "midpoint", "numpy": "9.9", "revision": "c9745e"}.items():
        assert f"<tr><th>{key}</th><td>{value}</td></tr>" in page
    assert "light-dark(" in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_fragment_is_scoped():
    fragment = html.html_fragment(many(canada()))
    assert fragment.startswith('<div class="afn"')
    assert "<body" not in fragment
    css = re.sub(r"/\*.*?\*/", "", fragment.split("<style>")[1].split("</style>")[0], flags=re.S)
    selectors = re.findall(r"([^{};@]+)\{", re.sub(r"@(media|container)[^{]*\{", "", css))
    assert selectors
    assert all(".afn" in part for group in selectors for part in group.split(","))


def test_a_token_tells_its_numbers_when_pointed_at():
    fragment = html.html_fragment(many(canada()))
    assert (
        '<span class="afn-t afn-s40" title="canada&#10;strength 14.541, layer 4 of 6&#10;'
        'rank 1 of 8, HIGH (τ = 13.951)&#10;content, id 107, characters 7:8"><b>canada</b></span>'
    ) in fragment
    assert (
        '<span class="afn-t afn-special" title="[CLS]&#10;strength 11.900, layer 4 of 6&#10;'
        'special, id 100">[CLS]</span>'
    ) in fragment
    assert '11.200<span class="afn-bar"></span>14.541' in fragment
    assert "τ = 13.951  HIGH: 2 of 8 tokens" in fragment
    assert "<details><summary>Table" in fragment


def test_few_layers_are_strips_and_many_a_heat_table():
    def strips(n):
        return html.html_fragment(many(one(["a", "b"], np.ones((n, 2)), range(n)))).count(
            '<div class="afn-strip">'
        )

    assert [strips(n) for n in (1, 4, 5)] == [1, 4, 0]
    heat = html.html_fragment(many(one(["a", "b"], [[1, 2]] * 5, range(5))))
    assert '<table class="afn-heat">' in heat
    assert heat.count('class="afn-s40"') == 5


def test_the_models_table():
    from activation_flow.inventory import Entry

    file = io.StringIO()
    console = Console(file=file, width=100, color_system=None)
    report_models.print_models([], console)
    good = Entry("[red]m", "0123456789abcdef", "openvino", "", 95_000_000, 30_000_000, 0, "/p")
    bad = replace(good, state="damaged: no meta.json")
    report_models.print_models([good, bad], console)
    assert lines(file.getvalue())[1:] == [
        "model   revision      engine    graph MB  compiled MB  download MB  age",
        "[red]m  0123456789ab  openvino        95           30            0",
        "[red]m  0123456789ab  openvino        95           30            0",
        "/p: damaged: no meta.json",
        "",
    ]
    assert json.dumps(good.__dict__)
