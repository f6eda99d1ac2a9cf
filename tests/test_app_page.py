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
import numpy as np
import pytest
from click.testing import CliRunner
from served import Served

import activation_flow as af
from activation_flow import cli
from activation_flow.picture import number

playwright = pytest.importorskip("playwright.sync_api")

TEXT = "The connoisseur was nonchalant as the story unfolds."
HOSTILE = (
    '<img src=x onerror="window.hacked=1"> ${window.hacked=1} {{value}} <script>window.hacked=1'
    "</script> \u202eabc\u202c 'quoted' \\ &amp; 👩\u200d👧"
)
OFF = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, minilm: af.Encoder) -> Path:
    folder = tmp_path_factory.mktemp("app")
    lines = ["A day in the park.", "The park was closed.", "Canada is cold in the winter."] * 3
    (folder / "texts.txt").write_text("\n".join(f"{k} {line}" for k, line in enumerate(lines)))
    af.run_corpus(minilm, folder / "texts.txt", out=folder / "run", layers="2-4")
    return folder / "run"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, run_folder: Path) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("served") / "log.txt"
    server = Served("-m", "minilm", "--run", str(run_folder), log=log)
    yield server
    server.close()
    said = log.read_text()
    assert "Traceback" not in said, said


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

    def __init__(self, browser: Any, url: str, width: int = 1440):
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
        self.open(url)

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.settled()

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


@pytest.fixture
def seen(chromium: Any, served: Served, request: pytest.FixtureRequest) -> Iterator[Seen]:
    opened = Seen(chromium, served.url + getattr(request, "param", ""))
    yield opened
    opened.context.close()
    assert opened.elsewhere() == []
    assert opened.problems == []


def _tokens(seen: Seen) -> list[str]:
    return seen.shown(".afn-strip").first.locator(".afn-t").all_inner_texts()


def _tau(result: af.StrengthResult) -> str:
    return f"τ = {number(result.threshold[0])}"


def test_a_text_is_explored_as_it_is_typed(seen: Seen, minilm: af.Encoder) -> None:
    seen.waits_for(".afn-tau", _tau(minilm.strength("Who is the prime minister of Canada?")))
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


def test_a_run_is_opened_and_searched(seen: Seen, run_folder: Path) -> None:
    seen.choose("Corpus")
    seen.waits_for(".afn-view .afn-part", "rows without a result")
    seen.page.locator("#afn-find textarea, #afn-find input").fill("park")
    seen.page.locator("#afn-find textarea, #afn-find input").press("Enter")
    found = af.Run(run_folder).occurrences("park")
    seen.waits_for(".afn-view .afn-part", f"{found.n_texts}")
    playwright.expect(seen.shown(".afn-strip")).to_have_count(found.n_texts)


def test_what_is_seen_can_be_taken_away(seen: Seen, minilm: af.Encoder) -> None:
    seen.slide("afn-layer", 3)
    result = minilm.strength("Who is the prime minister of Canada?", layers=3)
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
    result = minilm.strength("Who is the prime minister of Canada?", layers=3)
    seen.waits_for(".afn-tau", _tau(result))
    command, lines, link = seen.shown(".afn-again code").all_inner_texts()
    ran = CliRunner().invoke(cli.app, [*shlex.split(command)[1:], "--json"], standalone_mode=False)
    assert json.loads(ran.stdout)["texts"] == result.to_dict()["texts"]
    scope: dict[str, Any] = {}
    exec(lines, scope)
    assert any(isinstance(value, af.StrengthResult) and value == result for value in scope.values())
    assert "layer=3" in link


LINKS = {
    "explore": "#view=explore&text=A+day+%3Cb%3E&layer=2&quantile=0.5&words=1",
    "compare": "#view=compare&a=A+day&b=A+night&layer=5",
    "steer": "#view=steer&text=A+day&p=One&p=Two&p=Three&a=1&b=2&layer=3",
}


@pytest.mark.parametrize("seen", LINKS.values(), ids=LINKS, indirect=True)
def test_a_link_brings_a_view_back(seen: Seen, minilm: af.Encoder) -> None:
    seen.waits_for(".afn-tau", "")
    address = seen.page.url
    playwright.expect(seen.shown(".afn-again code").last).to_contain_text("layer=")
    before = seen.shown(".afn-view .afn-part").all_inner_texts()
    seen.reload()
    seen.waits_for(".afn-tau", "")
    playwright.expect(seen.shown(".afn-again code").last).to_contain_text("layer=")
    assert seen.page.url == address
    assert seen.shown(".afn-view .afn-part").all_inner_texts() == before


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
    chromium: Any, served: Served, minilm: af.Encoder
) -> None:
    seen = Seen(chromium, served.url)
    seen.waits_for(".afn-tau", "τ")
    served.kill()
    served.start()
    seen.page.locator("#afn-text textarea").fill(TEXT)
    seen.waits_for(".afn-tau", _tau(minilm.strength(TEXT)))
    seen.reload()
    seen.waits_for(".afn-tau", _tau(minilm.strength(TEXT)))
    seen.context.close()


def test_it_fits_a_phone(chromium: Any, served: Served) -> None:
    seen = Seen(chromium, served.url, width=390)
    for view in LINKS.values():
        seen.page.goto("about:blank")
        seen.open(served.url + view)
        seen.waits_for(".afn-tau", "")
        width = seen.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, (view, width)
    assert np.all([url not in ("", None) for url in seen.requests])
    seen.context.close()
