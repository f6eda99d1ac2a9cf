"""The page in a real browser, with the network off but for this machine: what a person does there.

Truth is the library itself: the same text, layer and quantile, asked of an encoder here.
"""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser as browsers
import pytest
from click.testing import CliRunner
from served import Served

import activation_flow as af
from activation_flow import cli
from activation_flow.picture import number

playwright = pytest.importorskip("playwright.sync_api")

FIRST = "Who is the prime minister of Canada?"
TEXT = "The connoisseur was nonchalant as the story unfolds."
HOSTILE = (
    '<img src=x onerror="window.hacked=1"> ${window.hacked=1} {{value}} <script>window.hacked=1'
    "</script> \u202eabc\u202c 'quoted' \\ &amp; 👩\u200d👧"
)
OFF = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = browsers.find()
    if path is None:
        pytest.skip("there is no Chromium here")
    flags = [flag for flag in browsers.FLAGS if "headless" not in flag and "pipe" not in flag]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=path, args=[*flags, f"--host-resolver-rules={OFF}"]
        )
        yield opened
        opened.close()


class Seen:
    """A page, and what it did that it should not: requests elsewhere, errors of scripts."""

    def __init__(self, browser: Any, url: str, width: int = 1440, settled: bool = True):
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda problem: self.problems.append(str(problem)))
        self.page.on("console", self._said)
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.url = url
        self.page.goto(url)
        if settled:
            self.settled()

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def settled(self) -> None:
        """The view of the link is shown, and the other ones after it."""
        self.page.wait_for_selector("#afn-views", timeout=30_000)
        playwright.expect(self.page.locator("html")).to_have_attribute(
            "data-afn", "ready", timeout=30_000
        )

    def reload(self) -> None:
        """What Gradio was asking when the page went away is broken off, and says so."""
        self.page.reload()
        self.settled()
        broken = ("AbortError", "Connection errored out")
        self.problems = [one for one in self.problems if not any(part in one for part in broken)]

    def shown(self, selector: str) -> Any:
        """Of the view that is seen."""
        return self.page.locator(f"[role=tabpanel]:visible {selector}")

    def choose(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def waits_for(self, selector: str, text: str) -> None:
        playwright.expect(self.shown(selector).first).to_contain_text(text, timeout=20_000)

    def slide(self, name: str, value: float) -> None:
        slider = self.shown(f".{name} input[type=range]")
        slider.evaluate(
            "(element, value) => { element.value = value;"
            "element.dispatchEvent(new Event('input', {bubbles: true})) }",
            value,
        )

    def saved(self, button: str) -> tuple[str, bytes]:
        with self.page.expect_download() as waiting:
            self.shown(f"button:has-text('{button}')").click()
        return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()

    def elsewhere(self) -> list[str]:
        own = ("http://127.0.0.1:", "data:", "blob:", "about:")
        return [url for url in self.requests if not url.startswith(own)]


@pytest.fixture(scope="module")
def page(chromium: Any, page_server: Served) -> Iterator[Seen]:
    """One page for many tests: each says all that its view depends on."""
    opened = Seen(chromium, page_server.url)
    yield opened
    opened.context.close()
    assert opened.elsewhere() == []
    assert opened.problems == []


@pytest.fixture
def seen(page: Seen) -> Seen:
    """The page at Explore, as it begins."""
    page.choose("Explore")
    page.page.locator("#afn-text textarea").fill(FIRST)
    page.slide("afn-layer", 4)
    page.slide("afn-quantile", 0.75)
    page.shown("label:has-text('Pieces')").click()
    playwright.expect(page.shown(".afn-again code").last).to_have_text(f"{page.url}#view=explore")
    return page


def _tokens(seen: Seen) -> list[str]:
    return seen.shown(".afn-strip").first.locator(".afn-t").all_inner_texts()


def _tau(result: af.StrengthResult) -> str:
    return f"τ = {number(result.threshold[0])}"


def test_a_text_is_explored_as_it_is_typed(seen: Seen, minilm: af.Encoder) -> None:
    seen.waits_for(".afn-tau", _tau(minilm.strength(FIRST)))
    seen.page.locator("#afn-text textarea").fill("")
    seen.page.locator("#afn-text textarea").press_sequentially(TEXT)
    result = minilm.strength(TEXT)
    seen.waits_for(".afn-tau", _tau(result))
    assert _tokens(seen) == result.tokens.tolist()
    high = seen.shown(".afn-strip").first.locator("b").all_inner_texts()
    assert high == result.tokens[result.bucket[0] == "HIGH"].tolist()

    seen.slide("afn-layer", 2)
    seen.waits_for(".afn-tau", _tau(minilm.strength(TEXT, layers=2)))
    seen.slide("afn-quantile", 0.5)
    halved = minilm.strength(TEXT, layers=2, quantile=0.5)
    seen.waits_for(".afn-tau", _tau(halved))
    seen.shown("label:has-text('Words')").click()
    words = minilm.strength(TEXT, layers=2, quantile=0.5, words="max")
    seen.waits_for(".afn-tau", _tau(words))
    assert _tokens(seen) == words.tokens.tolist()
    hover = seen.shown(".afn-strip .afn-t").nth(2).get_attribute("title")
    assert f"strength {number(words.strength[0, 2])}" in hover
    charts = seen.shown(".afn-figure:not([hidden]) svg.marks")
    playwright.expect(charts).to_have_count(2)


def test_an_example_is_shown_at_a_click(seen: Seen, minilm: af.Encoder) -> None:
    seen.shown("button:has-text('The weather is nice today.')").click()
    seen.waits_for(".afn-tau", _tau(minilm.strength("The weather is nice today.")))
    seen.choose("Compare")
    seen.shown("button:has-text('The bank of the river')").click()
    found = minilm.shift("The bank of the river was steep.", "The bank of the city was closed.")
    seen.waits_for(".afn-view .afn-part", number(found.total))


def test_what_was_asked_last_is_shown(
    chromium: Any, page_server: Served, minilm: af.Encoder, page_model: Path
) -> None:
    """Another model takes longer than what is typed after it, and has other layers."""
    seen = Seen(chromium, page_server.url)
    text, model = seen.page.locator("#afn-text textarea"), seen.page.locator("#afn-model input")
    text.fill("the quick brown fox jumps over lazy dogs " * 20)
    seen.waits_for(".afn-strip", "fox")
    for name in (str(page_model), "minilm"):
        model.fill(name)
        model.press("Enter")
        text.fill(f"new short text {len(name)}")
        encoder = minilm if name == "minilm" else af.Encoder.from_pretrained(name)
        result = encoder.strength(f"new short text {len(name)}")
        seen.waits_for(".afn-tau", _tau(result))
        seen.waits_for(".afn-again code", f"new short text {len(name)}")
        slider = seen.shown(".afn-layer input[type=range]")
        playwright.expect(slider).to_have_value(str(result.layers[0]))
        assert slider.get_attribute("max") == str(encoder.n_layers)
    seen.context.close()
    assert seen.problems == []


def test_what_is_typed_while_the_page_opens_stays(
    chromium: Any, page_server: Served, minilm: af.Encoder
) -> None:
    seen = Seen(chromium, page_server.url, settled=False)
    box = seen.page.locator("#afn-text textarea")
    box.fill("typed at once by me")
    seen.settled()
    playwright.expect(box).to_have_value("typed at once by me")
    seen.waits_for(".afn-tau", _tau(minilm.strength("typed at once by me")))
    seen.context.close()
    assert seen.problems == []


def test_hover_over_a_chart_gives_the_numbers(seen: Seen, minilm: af.Encoder) -> None:
    seen.waits_for(".afn-tau", "τ")
    bar = seen.shown(".afn-figure:not([hidden]) svg.marks .mark-rect path").nth(3)
    bar.hover()
    tip = seen.page.locator("#vg-tooltip-element.visible")
    playwright.expect(tip).to_contain_text("strength", ignore_case=True)


def test_two_texts_are_compared(seen: Seen, minilm: af.Encoder) -> None:
    seen.choose("Compare")
    found = minilm.shift("A day in the park", "A night in the old park")
    seen.page.locator("#afn-a textarea").fill("A day in the park")
    seen.page.locator("#afn-b textarea").fill("A night in the old park")
    seen.waits_for(".afn-view .afn-part", number(found.total))
    drawn = seen.shown(".afn-view .afn-part").all_inner_texts()
    for pair in found.pairs:
        assert pair.shift is None or number(pair.shift) in " ".join(drawn)
    assert found.concentration.high_share is not None
    assert number(found.concentration.high_share) in " ".join(drawn)


def test_a_text_is_steered(seen: Seen, minilm: af.Encoder) -> None:
    seen.choose("Steer")
    seen.page.locator("#afn-prompts textarea").fill("Praise\nTranslate to German")
    found = minilm.prompts("The weather is nice today.", ["Praise", "Translate to German"])
    seen.waits_for(".afn-view .afn-part", number(found.comparisons[0].total_shift[0]))
    playwright.expect(seen.page.locator("#afn-pair input")).to_have_value(
        "Praise → Translate to German"
    )
    playwright.expect(seen.shown(".afn-figure:not([hidden]) svg.marks")).not_to_have_count(0)


def test_a_run_is_opened_and_searched(seen: Seen, page_run: Path) -> None:
    seen.choose("Corpus")
    seen.waits_for(".afn-view .afn-part", "rows without a result")
    seen.page.locator("#afn-find textarea, #afn-find input").fill("park")
    seen.page.locator("#afn-find textarea, #afn-find input").press("Enter")
    found = af.Run(page_run).occurrences("park")
    seen.waits_for(".afn-view .afn-part", f"{found.n_texts}")
    playwright.expect(seen.shown(".afn-strip")).to_have_count(found.n_texts)
    # A run that has none of the layers of the one before.
    field = seen.page.locator("#afn-run input")
    field.fill(str(page_run.parent / "deep"))
    field.press("Enter")
    seen.waits_for(".afn-view .afn-part", "layer 5 of 6")
    playwright.expect(seen.page.locator("#afn-run-layer input")).to_have_value("5")


def test_what_is_seen_can_be_taken_away(seen: Seen, minilm: af.Encoder) -> None:
    seen.slide("afn-layer", 3)
    result = minilm.strength(FIRST, layers=3)
    seen.waits_for(".afn-tau", _tau(result))
    name, data = seen.saved(".json")
    assert name.endswith(".json")
    assert json.loads(data) == result.to_dict()
    assert seen.saved(".png")[1].startswith(b"\x89PNG")
    assert b"canada" in seen.saved(".csv")[1]
    page = seen.saved(".html")[1].decode()
    assert "Content-Security-Policy" in page
    assert not re.search(r'(src|href)="https?:', page)
    # And the same once more: nothing is held back as known.
    assert seen.saved(".json")[1] == data


def test_the_command_and_the_lines_make_the_same(seen: Seen, minilm: af.Encoder) -> None:
    seen.slide("afn-layer", 3)
    result = minilm.strength(FIRST, layers=3)
    seen.waits_for(".afn-tau", _tau(result))
    command, lines, link = seen.shown(".afn-again code").all_inner_texts()
    ran = CliRunner().invoke(cli.app, [*shlex.split(command)[1:], "--json"], standalone_mode=False)
    assert json.loads(ran.stdout)["texts"] == result.to_dict()["texts"]
    scope: dict[str, Any] = {}
    exec(lines, scope)
    assert any(isinstance(value, af.StrengthResult) and value == result for value in scope.values())
    assert "layer=3" in link


DAY, NIGHT = "A day <b>", "A night"
LINKS = {
    "explore": "#view=explore&text=A+day+%3Cb%3E&layer=2&quantile=0.5&words=1",
    "compare": "#view=compare&a=A+day+%3Cb%3E&b=A+night&layer=5&align=position",
    "steer": "?view=steer&text=A+night&p=One&p=Two&p=Three&a=2&b=1&layer=3",
}


def _of_link(view: str, minilm: af.Encoder) -> tuple[list[str], dict[str, str]]:
    """Numbers that the view of a link shows, and what stands in its fields."""
    if view == "explore":
        result = minilm.strength(DAY, layers=2, quantile=0.5, words="max")
        return [number(result.threshold[0])], {"#afn-text textarea": DAY}
    if view == "compare":
        shift = minilm.shift(DAY, NIGHT, layers=5, align="position")
        return [number(shift.total)], {"#afn-a textarea": DAY, "#afn-b textarea": NIGHT}
    steered = minilm.prompts(NIGHT, ["One", "Two", "Three"], layers="all")
    found = steered.between(2, 1, 3)
    fields = {"#afn-prompts textarea": "One\nTwo\nThree", "#afn-pair input": "Three → Two"}
    return [number(found.total)], fields


@pytest.mark.parametrize("view", LINKS)
def test_a_link_brings_a_view_back(
    view: str, chromium: Any, page_server: Served, minilm: af.Encoder
) -> None:
    seen = Seen(chromium, page_server.url + LINKS[view])
    numbers, fields = _of_link(view, minilm)
    address = ""
    for again in range(1 + (view == "compare")):
        for one in numbers:
            seen.waits_for(".afn-view .afn-part", one)
        for field, value in fields.items():
            playwright.expect(seen.page.locator(field)).to_have_value(value)
        assert "layer=" in seen.page.url
        address = address or seen.page.url
        assert seen.page.url == address
        if view == "compare" and not again:
            seen.reload()
    seen.context.close()
    assert seen.problems == []


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("#view=foo", "view='foo' is not one of"),
        ("#layer=99", "layer 99 is out of range"),
    ],
)
def test_a_link_that_cannot_be_shown_says_why(
    link: str, said: str, chromium: Any, page_server: Served, minilm: af.Encoder
) -> None:
    seen = Seen(chromium, page_server.url + link)
    seen.waits_for(".afn-problem", said)
    seen.waits_for(".afn-tau", _tau(minilm.strength(FIRST)))
    playwright.expect(seen.shown(".afn-layer input[type=range]")).to_have_value("4")
    seen.context.close()


def test_text_is_never_more_than_text(seen: Seen, minilm: af.Encoder) -> None:
    seen.page.locator("#afn-text textarea").fill(HOSTILE)
    result = minilm.strength(HOSTILE)
    seen.waits_for(".afn-tau", _tau(result))
    seen.choose("Compare")
    seen.page.locator("#afn-a textarea").fill(HOSTILE)
    seen.page.locator("#afn-b textarea").fill(HOSTILE[::-1])
    seen.waits_for(".afn-view .afn-part", number(minilm.shift(HOSTILE, HOSTILE[::-1]).total))
    seen.choose("Steer")
    seen.page.locator("#afn-steered textarea").fill(HOSTILE)
    seen.page.locator("#afn-prompts textarea").fill(f"{HOSTILE}\nTwo")
    found = minilm.prompts(HOSTILE, [HOSTILE, "Two"])
    seen.waits_for(".afn-view .afn-part", number(found.comparisons[0].total_shift[0]))
    seen.page.locator("#afn-prompts textarea").fill(f"{HOSTILE}\n{HOSTILE}")
    seen.waits_for(".afn-problem", "<img src=x")  # a prompt given twice is quoted
    assert seen.page.evaluate("window.hacked") is None
    assert seen.page.locator("img[src='x']").count() == 0


def test_a_problem_is_told_and_the_last_view_stays(seen: Seen, minilm: af.Encoder) -> None:
    seen.waits_for(".afn-tau", "τ")
    tokens = _tokens(seen)
    seen.page.locator("#afn-text textarea").fill(" ")
    seen.waits_for(".afn-problem", "text")
    assert _tokens(seen) == tokens
    seen.page.locator("#afn-text textarea").fill("A day.")
    seen.waits_for(".afn-tau", _tau(minilm.strength("A day.")))
    playwright.expect(seen.shown(".afn-problem")).to_have_count(0)


def test_an_open_page_goes_on_when_the_server_was_started_again(
    chromium: Any, page_server: Served, minilm: af.Encoder
) -> None:
    seen = Seen(chromium, page_server.url)
    seen.waits_for(".afn-tau", "τ")
    page_server.kill()
    page_server.start()
    seen.page.locator("#afn-text textarea").fill(TEXT)
    seen.waits_for(".afn-tau", _tau(minilm.strength(TEXT)))
    seen.reload()
    seen.waits_for(".afn-tau", _tau(minilm.strength(TEXT)))
    seen.context.close()


def test_it_fits_a_phone(chromium: Any, page_server: Served) -> None:
    seen = Seen(chromium, page_server.url, width=390)
    for view in ("Explore", "Compare", "Steer", "Corpus"):
        seen.choose(view)
        playwright.expect(seen.shown(".afn-view .afn-part")).not_to_be_empty()
        playwright.expect(seen.shown("svg.marks").first).to_be_visible()
        width = seen.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, (view, width)
    seen.context.close()
    assert (seen.problems, seen.elsewhere()) == ([], [])
