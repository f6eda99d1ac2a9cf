"""The page that is shown first: a text drawn, a link followed, a problem said; nothing runs."""

import base64
import hashlib
import re
from types import SimpleNamespace

import pytest

from activation_flow import app_first
from activation_flow.app_answers import Explored
from activation_flow.app_inputs import Explore
from activation_flow.data import ActivationFlowError


@pytest.fixture
def answers(tiny_encoder):
    """Those of a tiny model."""

    def explore(inputs: Explore) -> Explored:
        if inputs.model:
            raise ActivationFlowError(f"no model {inputs.model}\ngive another")
        everywhere = tiny_encoder.layers(inputs.text)
        return Explored(everywhere, everywhere[0].at(inputs.layer or 1))

    return SimpleNamespace(explore=explore)


def whole(query: str, answers: object) -> str:
    return app_first.head(query, "minilm") + "".join(app_first.parts(query, answers))


def main(page: str) -> str:
    (found,) = re.findall('<main id="afn-first">(.*)</main>', page, re.DOTALL)
    return found


def test_the_example_is_drawn(answers):
    shown = main(whole("", answers))
    assert "Who is the prime minister of Canada?" in shown
    assert shown.count('class="afn-strip"') == 1
    assert "<svg" in shown
    assert "application/json" not in shown


def test_a_link_is_followed_and_its_text_stays_text(answers):
    hostile = "%3C%2Fmain%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E"
    page = whole(f"?view=explore&text={hostile}&layer=2", answers)
    assert "&lt;/main&gt;&lt;script&gt;alert(1)" in main(page)
    assert page.count("<script") == 1
    assert "layer 2" in main(page)


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("model=%3Cb%3E", "no model &lt;b&gt;<br>give another"),
        ("layer=x", "layer=&#x27;x&#x27; is not understood"),
        ("view=%3Cb%3E", "is not one of explore"),
    ],
)
def test_what_cannot_be_shown_is_said(answers, link, said):
    shown = main(whole(link, answers))
    assert 'role="alert"' in shown
    assert said in shown


@pytest.mark.parametrize("view", ["compare", "steer", "corpus"])
def test_other_views_begin_empty(answers, view):
    page = whole(f"view={view}", answers)
    assert 'class="afn-strip"' not in main(page)
    assert "controls will be here" in page


def test_what_is_waited_for_is_said_before_anything_is_computed(answers):
    assert "Opening minilm ..." in app_first.head("", "minilm")
    head = app_first.head("model=%3Cb%3E&text=one", "minilm")
    assert "Opening &lt;b&gt; ..." in head
    assert "<title>Activation Flow: one</title>" in head
    assert "Opening" not in app_first.head("view=compare", "minilm")
    first, *later = app_first.parts("", answers)
    assert "afn-strip" in first
    assert "#afn-opening { display: none }" in first  # it is open now
    assert "<svg" not in first  # which comes after it
    assert "<svg" in later[0]
    assert 1 + len(later) == app_first.PARTS


def test_its_policy_lets_its_own_script_run_and_no_other(answers):
    page = whole("view=steer", answers)
    (script,) = re.findall("<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in app_first.policy().split("; "))
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["default-src"] == "'none'"
    assert not re.findall(r'(?:src|href)="(?!data:,)', page)
