"""Arguments of calls: what fits passes, what does not is said by name."""

import json

import pytest

from activation_flow import app_arguments
from activation_flow.data import ActivationFlowError

V2, V1 = "/gradio_api/call/v2/", "/gradio_api/call/"
TEXTS = "it takes texts, model (optional), layers (optional)"


def said(path: str, body: object) -> str:
    """Why it is refused; empty if it is not."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        app_arguments.check("POST", path, data)
    except ActivationFlowError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{V2}strength", {"texts": ["a"]}),
        (f"{V2}strength/", {"texts": 3, "words": "?"}),  # values are for the call
        (f"{V2}shift", {"a": "x", "b": "y", "layer": "2"}),
        (f"{V1}prompts", {"data": ["a", ["b"], "", "", False, "text", 0.5]}),
        ("/gradio_api/queue/join", b"no JSON"),  # not of a call
    ],
)
def test_what_fits_passes(path, body):
    assert said(path, body) == ""


@pytest.mark.parametrize(
    ("path", "body", "why"),
    [
        (f"{V2}strength", {}, f"strength needs 'texts'; {TEXTS}"),
        (f"{V2}shift", {"layer": "3"}, "shift needs 'a', 'b'; it takes a, b, model (optional)"),
        (f"{V2}strength", {"texts": [], "foo": 1}, f"strength takes no 'foo'; {TEXTS}"),
        (f"{V2}strength", b'{"texts": [], "texts": []}', "given twice: 'texts'"),
        (f"{V2}strength", b"{", "is not JSON"),
        (f"{V2}strength", b"\xff", "is not JSON"),
        (f"{V2}strength", b"[" * 500_000, "is not JSON"),
        (f"{V2}strength", [], "is not an object"),
        (f"{V1}strength", {"data": [["a"]]}, '"data" holds 1 of 5 arguments'),
        (f"{V1}strength", {"data": [0] * 6}, '"data" holds 6 of 5 arguments'),
        (f"{V1}strength", {"texts": []}, 'give "data": a list of the arguments'),
        (f"{V2}nothing", {}, "there is no call 'nothing'; there are: strength, shift, prompts"),
        (f"{V2}shift", dict.fromkeys(map(str, range(9))), "'0', '1', '2', '3', '4' ...;"),
    ],
)
def test_what_does_not_fit_is_said_in_words(path, body, why):
    assert why in said(path, body)
