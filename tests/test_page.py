"""The offline page, opened in a headless Chromium with the network off."""

import re
from dataclasses import dataclass
from typing import Any

import altair as alt
import pytest

from activation_flow import page

EVIL = '</script><img src=x onerror=document.title="hacked">'
TEXTS = [EVIL, "{{7*7}}", "javascript:alert(1)", "plain", "\u202eevil", "<!--<script>"]
STRENGTHS = [1, 5, 2, 4, 3.5, 0.5]


@dataclass(frozen=True)
class Sample:
    """What charts.Figure is."""

    name: str
    title: str
    sentence: str
    chart: Any


def bars(tau=3.0):
    """Bars whose colour follows a slider."""
    slider = alt.param("tau", value=tau, bind=alt.binding_range(min=0, max=6, step=0.1, name="τ "))
    rows = [
        {"place": i, "token": token, "S": value}
        for i, (token, value) in enumerate(zip(TEXTS, STRENGTHS, strict=True))
    ]
    high = alt.condition("datum.S > tau", alt.value("#5f30a2"), alt.value("#c9bde6"))
    return (
        alt.Chart(alt.Data(values=rows), width=600, height=200)
        .mark_bar(clip=True)
        .encode(x="place:O", y="S:Q", color=high, tooltip=["token:N", "S:Q"])
        .add_params(slider)
        .configure(background="transparent")
    )


def figures(n=2):
    return [
        Sample(f"strength-{k}", EVIL, f"What it means: {EVIL}", bars()) for k in range(1, n + 1)
    ]


def made(parts=None, **more):
    parts = [page.figure(one) for one in figures()] if parts is None else parts
    given = {"title": "Strength", "facts": {"model": EVIL, EVIL: "1"}, "live": True}
    given |= {"command": f"afn strength '{EVIL}'\nand more", "about": EVIL}
    return page.page(parts=parts, **given | more)


@pytest.fixture
def saved(tmp_path):
    def write(text):
        path = tmp_path / "page.html"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def shown(tab):
    """All text that a reader sees."""
    return tab.js("document.body.innerText")


# the page in a browser


def test_charts_become_live_and_nothing_is_asked_for(browser, saved):
    with browser.open(saved(made())) as tab:
        assert tab.problems() == []
        assert tab.js("document.querySelectorAll('.afn-live svg.marks').length") == 2
        assert tab.js("document.querySelectorAll('.afn-chart').length") == 2


def test_texts_are_shown_and_nothing_runs(browser, saved):
    with browser.open(saved(made())) as tab:
        assert tab.js("document.title") == f"Strength: {EVIL}"
        assert tab.js("document.querySelectorAll('img').length") == 0
        text = shown(tab)
        assert text.count(EVIL) == 1 + 2 * 2 + 2 + 1  # about, titles and sentences, facts, command
        tab.hover(".mark-rect path:nth-child(1)")
        tab.wait("document.querySelector('#vg-tooltip-element.visible')")
        tip = tab.js("document.querySelector('#vg-tooltip-element').innerText")
        assert EVIL in tip
        assert tab.js("document.querySelectorAll('#vg-tooltip-element img').length") == 0
        assert tab.problems() == []


def test_the_threshold_moves_the_colours(browser, saved):
    high = (
        "[...document.querySelectorAll('#strength-1 .mark-rect path')]"
        ".filter(bar => bar.getAttribute('fill') === '#5f30a2').length"
    )
    with browser.open(saved(made())) as tab:
        for tau in (3.0, 1.5, 4.9, 5.0, 0.0):
            tab.js(
                "(() => { const slider = document.querySelector('#strength-1 input');"
                f"slider.value = {tau}; slider.dispatchEvent(new Event('input')) }})()"
            )
            expected = sum(value > tau for value in STRENGTHS)
            tab.wait(f"{high} === {expected}")
        assert tab.problems() == []


def test_without_scripts_the_drawings_stay(browser, saved):
    with browser.open(saved(made()), scripts=False) as tab:
        assert tab.js("document.querySelectorAll('.afn-chart > svg').length") == 2
        assert tab.js("document.querySelectorAll('.afn-live').length") == 0
        assert tab.js("document.querySelector('svg').getBoundingClientRect().width") > 300
        assert tab.problems() == []


def test_a_chart_that_fails_leaves_its_drawing(browser, saved):
    broken = re.sub(r'"mark":\{', '"mark":{"type":"nothing"},"x":{', made(), count=1)
    with browser.open(saved(broken)) as tab:
        assert tab.js("document.querySelectorAll('.afn-live').length") == 1
        assert tab.js("document.querySelectorAll('#strength-1 .afn-chart > svg').length") == 1
        (problem,) = tab.problems()
        assert "strength-1 stays as it is drawn" in problem


def test_ids_of_drawings_do_not_collide(browser, saved):
    ids = "[...document.querySelectorAll('[id]')].map(e => e.id)"
    with browser.open(saved(made()), scripts=False) as tab:
        found = tab.js(ids)
        assert len(found) == len(set(found)) > 2
        drawn = "[...document.querySelectorAll('.afn-chart')].map(e => e.innerHTML).join()"
        used = re.findall(r"url\(#([^)]+)\)", tab.js(drawn))
        assert len(used) >= 2
        assert {*used} <= {*found}


@pytest.mark.parametrize("width", [800, 390])
def test_no_page_is_wider_than_its_window(browser, saved, width):
    with browser.open(saved(made()), width=width) as tab:
        assert tab.js("document.documentElement.scrollWidth") <= width


def test_a_picture_can_be_saved(browser, saved):
    with browser.open(saved(made())) as tab:
        saving = "HTMLAnchorElement.prototype.click = function () { window.saved = this }"
        for ending, start in (("png", "data:image/png"), ("svg", "blob:")):
            tab.js(f"window.saved = null; {saving}")
            tab.js(f"document.querySelector('#strength-2 button[title$={ending}]').click()")
            tab.wait("window.saved")
            assert tab.js("window.saved.download") == f"strength-2.{ending}"
            assert tab.js("window.saved.href").startswith(start)
        assert tab.problems() == []


def test_it_prints(browser, saved):
    with browser.open(saved(made())) as tab:
        assert tab.pdf().startswith(b"%PDF")


# these tests can fail


def without_policy(text):
    return re.sub(r"<meta http-equiv.*\n", "", text)


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ('<img src="http://127.0.0.1:9/a.png" alt="">', "request: http://127.0.0.1:9/a.png"),
        ('<link rel="stylesheet" href="style.css">', "style.css"),
        ("<script>console.error('oh')</script>", "console: ['oh']"),
        ("<script>nothing.at.all</script>", "exception: Uncaught"),
        ('<script>fetch("https://example.org/")</script>', "request: https://example.org/"),
    ],
)
def test_a_bad_page_is_seen(browser, saved, added, problem):
    bad = made([], live=False).replace("</header>", f"</header>{added}")
    with browser.open(saved(without_policy(bad))) as tab:
        assert any(problem in found for found in tab.problems())
        assert tab.sent() == tab.requests()
    with browser.open(saved(bad)) as tab:  # and with the policy it comes to nothing
        assert tab.sent() == []
        assert tab.problems() != []


def test_a_raw_text_would_run_without_the_policy(browser, saved):
    raw = made([], live=False).replace(
        "</header>", '</header><img src=x onerror=document.title="h">'
    )
    with browser.open(saved(without_policy(raw))) as tab:
        tab.wait("document.title === 'h'")
    with browser.open(saved(raw)) as tab:
        assert tab.js("document.title") == f"Strength: {EVIL}"


# the page as text


def test_a_page_without_charts_has_no_script():
    assert "<script" not in made([], live=False)
    assert len(made([], live=False)) < 30_000


def test_scripts_are_inlined_once_and_end_where_they_end():
    text = made()
    assert text.count("<script>") == 2
    assert text.count("</script>") == 4
    assert len(text) < 1_000_000


def test_unsafe_characters_do_not_break_a_chart():
    chart = alt.Chart(alt.Data(values=[{"a": "x\u2028</script>"}])).mark_point().encode(y="a:N")
    text = page.figure(Sample("f", "\0", "\ud800", chart))
    assert r"x \u003c/script>" in text
    assert "\0" not in text
    assert text.encode("utf-8")
