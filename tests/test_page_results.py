"""The page of every kind of result, and ``afn report``, opened in a headless Chromium."""

import io
import re
from importlib.resources import files

import numpy as np
import pytest
from altair.utils.schemapi import SchemaValidationError
from run_folders import make_run
from test_report import many, one

import activation_flow as af
from activation_flow import charts, charts_theme, html, page, picture
from activation_flow.result_shift import ShiftResults

EVIL = '</script><img src=x onerror=document.title="hacked">'
TEXTS = [
    "Who is the prime minister of Canada?",
    f"{EVIL} {{{{7*7}}}} javascript:alert(1) <!--<script>",
    "She sold the old house by the river and moved to a small flat in the city, where nobody "
    "knew her name.",
    "a\x00b \u202eevil \ufffe \x1b[31m 日本語 😀 &amp; \u2028",
]
KINDS = ("strength", "one", "layers", "two", "shift", "prompts", "hidden")


@pytest.fixture(scope="module")
def pages(minilm, tmp_path_factory):
    """A page of each kind of result: its path."""
    found = {
        "strength": minilm.strength(TEXTS),
        "one": minilm.strength(TEXTS[1:2]),
        "layers": minilm.layers(TEXTS[:2]),
        "two": minilm.layers(TEXTS[:1], layers="4,5"),
        "shift": minilm.shift(TEXTS[:2], TEXTS[1:3]),
        "prompts": minilm.prompts(TEXTS[0], [EVIL, "{{7*7}}"], baseline=True, layers="all"),
        "hidden": minilm.hidden_states(TEXTS[:2]),
    }
    folder = tmp_path_factory.mktemp("pages")

    def write(name):
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(html.html_page(found[name]._as_list()), encoding="utf-8")
        return path

    write.results = found
    return write


@pytest.fixture
def settled(browser, pages):
    """Opens a page, and in the end it must have done nothing wrong."""

    def open_(name, **how):
        return browser.open(pages(name), **how)

    return open_


def live(tab):
    return tab.js("document.querySelectorAll('.afn-live svg.marks').length")


@pytest.mark.parametrize("name", KINDS)
def test_all_charts_are_live_and_nothing_is_asked_for(settled, name):
    with settled(name) as tab:
        assert live(tab) == tab.js("document.querySelectorAll('.afn-figure').length") > 0
        assert tab.js("document.querySelectorAll('.afn-chart:not(.afn-live)').length") == 0
        assert tab.js("document.querySelectorAll('nav a').length") >= 4
        assert tab.js("document.querySelectorAll('img, [onerror], iframe').length") == 0
        assert "hacked" not in tab.js("document.title").split(":")[0]
        for word in ("NaN", "undefined", "[object Object]"):
            assert word not in tab.js("document.body.innerText")
        assert tab.problems() == []


@pytest.mark.parametrize("name", ["strength", "one", "layers", "shift", "prompts"])
def test_hostile_text_is_shown_as_text(settled, name):
    with settled(name) as tab:
        tab.js("document.querySelectorAll('details').forEach(e => e.open = true)")
        text = tab.js("document.body.innerText")
        assert EVIL in text
        assert "{{7*7}}" in text
        if name == "strength":
            assert r"\x00" in text
            assert r"\u202e" in text
            assert "日本語 😀 &amp;" in text
        drawn = tab.js("[...document.querySelectorAll('svg')].map(e => e.textContent).join()")
        assert "</script>" in drawn
        assert tab.problems() == []


@pytest.mark.parametrize("name", KINDS)
def test_it_can_be_read_without_scripts(settled, pages, name):
    with settled(name, scripts=False) as tab:
        figures = tab.js("document.querySelectorAll('.afn-figure').length")
        assert tab.js("document.querySelectorAll('.afn-chart > svg').length") == figures > 0
        assert live(tab) == 0
        text = tab.js("document.body.innerText")
        if name not in ("hidden", "one"):
            assert "minister" in text
        assert (
            tab.js("document.querySelectorAll('.afn-t, .afn-pair').length") > 5 or name == "hidden"
        )
        assert "afn " in tab.js("document.querySelector('.afn-command').textContent")
        assert tab.problems() == []


def test_pointing_at_a_mark_tells_its_numbers(settled, pages):
    result = pages.results["strength"][0]
    with settled("strength") as tab:
        tab.hover("#strength-1 .role-mark.mark-rect path")
        tab.wait("document.querySelector('#vg-tooltip-element.visible')")
        tip = tab.js("document.querySelector('#vg-tooltip-element').innerText")
        assert str(result.tokens[0]) in tip
        assert f"{result.strength[0, 0]:.3f}" in tip
        assert tab.problems() == []


def test_the_slider_of_the_threshold_moves_tokens_between_high_and_low(settled, pages):
    result = pages.results["strength"][0]
    part = result.strength[0][result.bucket[0] != ""]
    high = (
        "[...document.querySelectorAll('#strength-1 .role-mark.mark-rect path')]"
        ".filter(mark => mark.getAttribute('fill') === '#5f30a2').length"
    )
    with settled("strength") as tab:
        assert tab.js(high) == (result.bucket[0] == "HIGH").sum()
        for share in (0.1, 0.55, 0.9):
            tau = float(part.min() + share * (part.max() - part.min()))
            tab.js(
                "(() => { const slider = document.querySelector('#strength-1 input');"
                f"slider.step = 'any'; slider.value = {tau};"
                "slider.dispatchEvent(new Event('input')) })()"
            )
            tab.wait(f"{high} === {int((part > tau).sum())}")
        shown = tab.js("document.querySelector('#strength-1 input + *').textContent")
        assert len(shown) <= 6
        assert tab.problems() == []


@pytest.mark.parametrize("n_layers", [1, 2, 5])
def test_odd_values_have_their_marks(browser, tmp_path, n_layers):
    """Not a number, and 10 times the median: in strip, table, legend and chart."""
    values = [[1, np.nan, 100, 2, 3, 4]] * n_layers
    results = many(one(list("abcdef"), values, range(n_layers)))
    path = tmp_path / "odd.html"
    path.write_text(html.html_page(results), encoding="utf-8")
    with browser.open(path) as tab:
        text = tab.js("document.querySelector('#tokens').innerText")
        assert "clipped in pictures, never in numbers" in text
        assert "not a number: no colour and no rank" in text
        drawn = tab.js("[...document.querySelectorAll('svg text')].map(e => e.textContent)")
        assert any("!" in words for words in drawn)
        assert {"nan", "×"} & {*drawn}
        assert live(tab) > 0
        assert tab.problems() == []


# looks

CONTRAST = r"""
(() => {
  const parts = text => (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const over = (top, below) => {
    const a = top.length > 3 ? top[3] : 1;
    return below.map((v, i) => a * top[i] + (1 - a) * v);
  };
  const back = element => {
    if (!element) return document.documentElement.dataset.dark ? [21, 19, 28] : [255, 255, 255];
    return over(parts(getComputedStyle(element).backgroundColor), back(element.parentElement));
  };
  const light = rgb => {
    const [r, g, b] = rgb.map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const svg = element instanceof SVGElement;
    if (!own || element.closest("script, style")) continue;
    if (svg && !element.closest(".role-axis, .role-title, .role-legend")) continue;
    const style = getComputedStyle(element);
    const behind = back(svg ? element.closest("div") : element);
    const ink = over(parts(svg ? style.fill : style.color), behind);
    const [a, b] = [light(ink), light(behind)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push([ratio.toFixed(2), element.outerHTML.slice(0, 120)]);
  }
  return bad;
})()
"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["strength", "layers", "shift", "prompts"])
def test_all_text_can_be_read(settled, name, dark):
    with settled(name, dark=dark) as tab:
        paper = tab.js("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(21, 19, 28)" if dark else "rgb(255, 255, 255)")
        assert tab.js(CONTRAST) == []


@pytest.mark.parametrize("name", ["layers", "prompts"])
@pytest.mark.parametrize("scripts", [True, False])
def test_maps_are_turned_around_on_a_dark_page(settled, name, scripts):
    maps = "[...document.querySelectorAll('.afn-chart [class*=afn_turned]')]"
    for dark in (False, True):
        with settled(name, dark=dark, scripts=scripts) as tab:
            found = tab.js(f"{maps}.map(e => getComputedStyle(e).filter)")
            assert {*found} == {'url("#afn-turned")' if dark else "none"}
            assert tab.js("document.querySelectorAll('filter#afn-turned').length") == 1


def test_the_filter_turns_the_scale_around():
    tables = re.findall(r'tableValues="([^"]+)"', page.turned())
    for k, table in enumerate(tables):
        values = [float(value) for value in table.split()]
        for p in np.linspace(0, 1, 41):
            own, other = (
                int(picture.shade(float(q))[0][1 + 2 * k : 3 + 2 * k], 16) for q in (p, 1 - p)
            )
            assert 255 * values[own] == pytest.approx(other, abs=2)
    assert len(tables) == 3


@pytest.mark.parametrize("p", [k / 100 for k in range(101)])
def test_ink_can_be_read_on_both_pages(p):
    kept = {"#000001": "#000000", "#fffffe": "#ffffff"}
    turned = {"#000000": "#ffffff", "#ffffff": "#000000"}
    ink = charts_theme.ink(p)
    assert kept.get(ink, ink) == picture.shade(p)[1]
    assert (kept | turned)[ink] == picture.shade(1 - p)[1]


def test_text_that_cannot_be_read_is_seen(settled):
    with settled("one", dark=True) as tab:
        tab.js("document.querySelector('h1').style.color = '#444'")
        (found,) = tab.js(CONTRAST)
        assert "<h1" in found[1]


@pytest.mark.parametrize("width", [800, 390])
@pytest.mark.parametrize("name", KINDS)
def test_nothing_is_wider_than_the_window(settled, name, width):
    with settled(name, width=width) as tab:
        assert tab.js("document.documentElement.scrollWidth") <= width
        cut = "[...document.querySelectorAll('.afn-strip, header, h2, pre')]"
        assert tab.js(f"{cut}.filter(e => e.scrollWidth > e.clientWidth + 1).length") == 0


@pytest.mark.parametrize("name", ["strength", "layers"])
def test_on_paper_all_is_unfolded_and_light(settled, name):
    with settled(name, dark=True, width=720) as tab:
        folded = tab.js("document.querySelectorAll('details:not([open])').length")
        assert folded > 0
        assert tab.pdf().startswith(b"%PDF")
        assert tab.js("document.querySelectorAll('details:not([open])').length") == folded
        tab.call("Emulation.setEmulatedMedia", media="print")
        assert tab.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.js("document.querySelector('details:not([open]) table').offsetHeight") > 50
        scrolled = "[...document.querySelectorAll('.afn-chart, .afn-scroll')]"
        hidden = "getComputedStyle(e).overflow !== 'visible'"
        assert tab.js(f"{scrolled}.filter(e => {hidden}).length") == 0
        wide = (
            "[...document.querySelectorAll('.afn-chart svg')].filter(e => e.getBoundingClientRect()"
        )
        assert tab.js(f"{wide}.width > 720).length") == 0


# sizes


@pytest.mark.parametrize("name", KINDS)
def test_charts_are_what_altair_takes(pages, name):
    """They are made without its checks, part by part; here each is checked as a whole."""
    for figure in charts.figures(pages.results[name]):
        figure.chart.to_dict()
    if name != "hidden":
        pages.results[name].chart().to_dict()


def test_a_chart_that_altair_does_not_take_is_seen(pages):
    chart = pages.results["one"].chart()
    chart["width"] = "no number"
    with pytest.raises(SchemaValidationError, match="no number"):
        chart.to_dict()


def test_normal_pages_are_small(minilm):
    short = [f"Who is the prime minister of country number {n}?" for n in range(20)]
    long = "The quick brown fox jumps over the lazy dog again and again. " * 39
    for results in (minilm.strength(short), minilm.layers([long])):
        size = len(html.html_page(results).encode())
        assert 900_000 < size < 5_000_000


def test_charts_that_are_left_out_are_told(minilm):
    page = html.html_page(minilm.strength(["a day"] * 13))
    assert page.count('class="afn-figure" id="strength-') == 10
    assert "3 more texts are not drawn" in page
    assert "Vega" not in html.html_page(minilm.strength(["a"] * 2)[:0])


# the command


def test_a_report_of_texts(afn, tmp_path, browser):
    path = tmp_path / "r.html"
    code, out, err = afn("report", TEXTS[0], "-m", "minilm", "-l", "3", "--save", str(path))
    assert (code, err) == (0, "")
    assert re.fullmatch(rf"{path}: 1 text, 1\.\d MB\n", out)
    page = path.read_text(encoding="utf-8")
    assert "afn report -m minilm -l 3 --max-length 512 --save report.html" in page
    for part in ("Tokens", "Charts", "Numbers", "Numbers of every layer", "Command"):
        assert f">{part}</h2>" in page
    with browser.open(path) as tab:
        assert live(tab) == 3
        assert "layer 3 of 6" in tab.js("document.querySelector('.afn-source').innerText")
        assert tab.problems() == []


@pytest.mark.parametrize("ending", [".json", ".parquet"])
def test_a_report_of_a_result(afn, tmp_path, pages, ending):
    results = pages.results["shift"]
    assert isinstance(results, ShiftResults)
    results.save(tmp_path / f"x{ending}")
    code, out, err = afn("report", str(tmp_path / f"x{ending}"), "--save", str(tmp_path / "r.html"))
    assert code == 0
    assert "is a file: the page of the result in it" in err
    assert "2 pairs" in out
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == html.html_page(results)


def test_a_report_of_some_texts(afn, tmp_path):
    (tmp_path / "t.txt").write_text("A day.\n\nAnother one.\n", encoding="utf-8")
    path = str(tmp_path / "r.html")
    code, out, err = afn("report", "-f", str(tmp_path / "t.txt"), "-m", "minilm", "--save", path)
    assert (code, "blank lines left out: 1" in err, "2 texts" in out) == (0, True, True)
    code, out, err = afn("report", "A day.", "", "-m", "minilm", "--save", path)
    assert (code, "1 text" in out) == (1, True)
    assert "text 2: it has no token of its own" in err
    code, out, err = afn("report", "", "-m", "minilm", "--save", path)
    assert (code, out) == (1, "")
    assert "no page was written" in err


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_a_report_of_hidden_states(afn, tmp_path, pages, ending):
    pages.results["hidden"].save(tmp_path / f"h{ending}")
    code, out, _ = afn("report", str(tmp_path / f"h{ending}"), "--save", str(tmp_path / "r.html"))
    assert (code, "2 texts" in out) == (0, True)


@pytest.mark.parametrize("text", ["read notes.txt", "a/b c?.json", "x.py", "nothing", "Wait..."])
def test_what_is_no_path_is_a_text(afn, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    code, out, _ = afn("report", text, "-m", "minilm", "--save", "r.html")
    assert (code, "r.html: 1 text" in out) == (0, True)


def test_what_looks_like_a_path_is_a_text_on_standard_input(afn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"strength.json\n")))
    code, out, _ = afn("report", "-f", "-", "-m", "minilm", "--save", "r.html")
    assert (code, "r.html: 1 text" in out) == (0, True)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("absent.json", "there is no file absent.json (as a text: echo absent.json | afn report"),
        ("absent.txt", "there is no file absent.txt"),
        ("a:b/c?.json", "echo 'a:b/c?.json' |"),
        ("x" * 300 + ".json", "there is no file xxx"),
        (".", ". is no run: it has no manifest.json"),
        ("there", "there is no run: it has no manifest.json"),
        ("x.csv", "x.csv holds no whole result; .json, .parquet, .npz, .safetensors do (as"),
        ("x.txt", "do, texts of a file with -f x.txt"),
        ("plain", "do, texts of a file with -f plain"),
    ],
)
def test_a_path_that_holds_no_result(afn, tmp_path, monkeypatch, word, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    for name in ("x.csv", "x.txt", "plain"):
        (tmp_path / name).write_text("A day.\n", encoding="utf-8")
    # No such model: it is not asked for.
    code, out, err = afn("report", word, "-m", "no/such", "--save", "r.html")
    assert (code, out) == (1, "")
    assert said in err
    assert not (tmp_path / "r.html").exists()


OF_TEXTS = [
    *(["--quantile", "0.5"], ["-m", "minilm"], ["--kinds", "none"], ["--words"]),
    *(["-f", "x.txt"], ["--text-pair", "b"], ["--truncate"], ["--threads", "1"]),
]


@pytest.mark.parametrize("words", OF_TEXTS, ids=" ".join)
@pytest.mark.parametrize("name", ["r.json", "run"])
def test_options_of_texts_are_refused_with_what_was_measured(
    afn, tmp_path, monkeypatch, pages, words, name
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFN_MODEL", "no/such")
    pages.results["one"].save("r.json")
    make_run(tmp_path / "run")
    code, out, err = afn("report", name, *words, "--save", "r.html")
    assert (code, out) == (2, "")
    option = {"-f": "--file", "-m": "--model"}.get(words[0], words[0])
    assert f"{option} is for texts; {name} holds" in " ".join(err.split())
    assert not (tmp_path / "r.html").exists()


def test_the_layer_of_a_run_can_be_chosen_that_of_a_result_not(afn, tmp_path, monkeypatch, pages):
    monkeypatch.chdir(tmp_path)
    pages.results["one"].save("r.json")
    made = make_run(tmp_path / "run")
    code, _, err = afn("report", "r.json", "-l", "4", "--save", "r.html")
    assert (code, "--layer is for texts; r.json holds what was measured" in err) == (2, True)
    assert afn("report", "run", "-l", "4", "--save", "r.html")[0] == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    af.Run(made.path).summary(4).save("own.html")
    assert page == (tmp_path / "own.html").read_text(encoding="utf-8")
    code, out, err = afn("report", "run", "-l", "5", "--save", "r.html")
    assert (code, out) == (1, "")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["a"], 2, "say where the page is to be written: --save report.html"),
        (["a", "--save", "r.pdf"], 1, "it must be one of .html"),
        (["--save", "r.html"], 2, "give texts, or a file with -f"),
        (["bad.json", "--save", "r.html"], 1, "bad.json holds no results: it is damaged"),
        (["a", "b", "--text-pair", "c", "--save", "r.html"], 1, "--text-pair is given 1 times"),
    ],
)
def test_what_cannot_be_reported(afn, tmp_path, monkeypatch, words, code, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    found, out, err = afn("report", *words)
    assert (found, out) == (code, "")
    assert said in err
    assert not (tmp_path / "r.html").exists()


def test_the_looks_of_pages_are_in_the_package():
    for name in ("page.css", "page.js", "report.css"):
        assert files("activation_flow").joinpath(name).is_file()
