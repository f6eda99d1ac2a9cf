"""The page of an audit: whole, offline, safe, and read from the top by who knows no statistics."""

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from audit_results import EVIL, audit_result, hostile_result
from browser import Browser

from activation_flow.picture import visible
from activation_flow.picture_audit import effect_text, p_text
from activation_flow.sentences_audit import DEFINITIONS, MEANINGS, summary_line

FOUND = audit_result()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a hostile audit: everything that a friendly one has, and worse names."""
    path = tmp_path_factory.mktemp("audit") / "audit.html"
    hostile_result().save(path)
    return path


@pytest.fixture(scope="module")
def fragment() -> str:
    return FOUND._repr_html_()


def words(html: str) -> str:
    """What is read: no tags, no styles, one space between words."""
    html = re.sub(r"<(style|script).*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


def test_the_first_screen_is_verdicts_in_sentences(fragment: str) -> None:
    read = words(fragment)
    assert summary_line(FOUND) in read
    place = read.index(summary_line(FOUND))
    for claim in FOUND.claims:
        line = f"{claim.verdict} {claim.title} ( {claim.id} ) {claim.sentence}"
        at = " ".join(line.replace("( ", "(").replace(" )", ")").split())
        place, before = read.index(at), place
        assert place > before
    for meaning in MEANINGS.values():
        assert meaning in read
    assert "732 texts, 15,204 tokens" in read[: read.index(FOUND.claims[0].sentence)]
    assert "<script" not in fragment
    assert FOUND._repr_mimebundle_() == {"text/plain": repr(FOUND), "text/html": fragment}


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([], "No claim was asked for."),
        (["supported"], "Of 1 claim, 1 is supported."),
        (["not testable"] * 2, "Of 2 claims, 2 cannot be tested."),
        (
            ["supported", "supported", "not supported", "no better than its baseline"],
            "Of 4 claims, 2 are supported, 1 is no better than its baseline and 1 is not "
            "supported.",
        ),
    ],
)
def test_verdicts_are_counted(verdicts: list[str], said: str) -> None:
    from dataclasses import replace

    claims = tuple(replace(FOUND.claims[0], verdict=verdict) for verdict in verdicts)
    assert summary_line(audit_result(claims=claims)) == said


def test_every_number_is_in_the_page(page: Path) -> None:
    html = page.read_text("utf-8")
    read = words(html)
    assert page.stat().st_size < 5e6
    found = hostile_result()
    for claim in found.claims:
        assert claim.test in read
        assert claim.rule in read
        assert f"method {claim.method} rule" in read
        assert claim.place in read
        assert f"{p_text(claim.p)}; after Holm {p_text(claim.p_holm)}" in read
    for row in found.ratios:
        assert effect_text(row.excess, row.interval) in read
    for threshold in found.thresholds:
        assert effect_text(threshold.lift, threshold.interval) in read
    for score in found.scores:
        assert visible(score.title) in read
        assert not score.missing or f"not available: {score.missing}" in read
    for term, meaning in DEFINITIONS:
        assert f"{term} {meaning}" in read
    for said in ("Exploratory: looked at after the fact", "seed 0", "draws 2000", "numpy 2.2.0"):
        assert said in read, said
    assert html.count('<figure class="afn-figure"') == 10  # no control, no τ was measured
    assert "afn audit" in read


def test_in_a_browser_without_network_nothing_is_wrong(page: Path, browser: Browser) -> None:
    with browser.open(page, width=390) as shown:
        assert shown.requests() == []
        assert shown.problems() == []
        assert shown.js("document.title").startswith("Does token activation strength")
        assert shown.js("document.documentElement.scrollWidth <= innerWidth")
        assert shown.js("document.querySelectorAll('.afn-live svg.marks').length") == 10
    with browser.open(page, scripts=False, dark=True) as drawn:
        assert drawn.js("document.querySelectorAll('.afn-chart > svg').length") == 10
        assert drawn.problems() == []


def test_the_tables_of_norms_fit(page: Path, browser: Browser) -> None:
    too_wide = (
        "[...document.querySelectorAll('.afn-said ~ .afn-wide')]"
        ".map(one => one.scrollWidth - one.clientWidth)"
    )
    with browser.open(page, width=1280) as shown:
        assert shown.js(too_wide) == [0, 0, 0]


def test_texts_are_escaped(page: Path) -> None:
    html = page.read_text("utf-8")
    assert EVIL not in html
    assert "<img src=x" not in html
    assert "\u202e" not in html
    assert "\x1b" not in html


def test_why_sep_is_low(page: Path) -> None:
    from activation_flow.sentences_audit import norm_sentences

    said = [*norm_sentences(FOUND)]
    assert said[0].startswith("Layer 4 is taken behind a LayerNorm, which divides")
    assert "S* = 13.840" in said[1]
    assert "(promised: within 1e-04)" in said[2]
    assert said[3] == (
        "[SEP] has 84.0 % of its energy in dimensions 223, 127, 94, whose gains γ (0.310, 0.200, "
        "0.660) are below the typical 0.690: so its strength is low (8.200 on average)."
    )
    assert [line.split(" has ")[0].split(" have ")[0] for line in said[3:-1]] == [
        *("[SEP]", "Punctuation", "Function words", "Content words")
    ]
    assert said[-1].endswith("12.0 % (content): the larger this share, the lower the mean S.")
    assert "% of its energy in dimensions 223" in words(page.read_text("utf-8"))


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ("pre-RMSNorm", "Layer 4 is taken before a RMSNorm: S is the size of the residual stream"),
        ("unknown", "Layer 4: no module was found"),
        ("post-RMSNorm", "Layer 4 is taken behind a RMSNorm"),
    ],
)
def test_other_layouts(layout: str, said: str) -> None:
    from dataclasses import replace

    from activation_flow.sentences_audit import norm_sentences

    norms = tuple(replace(row, layout=layout) for row in FOUND.norms)
    lines = [*norm_sentences(audit_result(norms=norms))]
    assert lines[0].startswith(said)
    assert any("[SEP] has" in line for line in lines) == layout.startswith("post")
    assert [*norm_sentences(audit_result(norms=()))] == []


def test_an_audit_of_almost_nothing_is_a_page_too(afn: Any, tmp_path: Path) -> None:
    names = ("scores", "controls", "norms", "dimensions", "thresholds", "ratios", "confounds")
    names += ("faithful", "plausible", "probes", "stable")
    bare = audit_result(claims=(), counts={}, notes=(), input="", **dict.fromkeys(names, ()))
    bare.save(tmp_path / "a.json")
    code, out, _ = afn("report", str(tmp_path / "a.json"), "--save", str(tmp_path / "a.html"))
    assert code == 0
    assert out.startswith(f"{tmp_path / 'a.html'}: an audit, ")
    read = words((tmp_path / "a.html").read_text("utf-8"))
    assert "No claim was asked for." in read
    assert "Makes this page's numbers again" not in read  # texts given in Python: no command
