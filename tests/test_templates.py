"""Templates: a prompt and a text put together, and where the text then stands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.data import ActivationFlowError
from activation_flow.templates import Filled, Template

anything = st.text(max_size=12)


@given(anything, anything, anything, anything, anything, st.booleans())
def test_prompt_and_text_stand_in_it_as_they_are(a, b, c, prompt, text, text_first):
    names = ("{text}", "{prompt}") if text_first else ("{prompt}", "{text}")
    literal = [part.replace("{", "{{").replace("}", "}}") for part in (a, b, c)]
    template = literal[0] + names[0] + literal[1] + names[1] + literal[2]
    found = Template(template).fill(prompt, text)
    first, second = (text, prompt) if text_first else (prompt, text)
    assert found.text == a + first + b + second + c == template.format(prompt=prompt, text=text)
    assert found.text[found.start : found.end] == text
    assert found.start == (len(a) if text_first else len(a + prompt + b))


@given(anything)
def test_no_prompt_is_the_bare_text(text):
    assert Template("[{prompt}] {text}").fill(None, text) == Filled(text, 0, len(text))


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{prompt}", r"'{prompt}': {text} is there 0 times"),
        ("{text}", "{prompt} is there 0 times"),
        ("", "{prompt} is there 0 times"),
        ("{prompt} {text} {text}", "{text} is there 2 times"),
        ("{{prompt}} {text}", "{prompt} is there 0 times"),
        ("{prompt} {text} {x}", "it has a field {x}; {{ and }} stand for braces"),
        ("{prompt} {text} {}", "it has a field {};"),
        ("{prompt.x} {text}", "it has a field {prompt.x}"),
        ("{prompt[0]} {text}", r"it has a field {prompt\[0]}"),
        ("{prompt!r} {text}", "{prompt} takes no conversion and no format"),
        ("{prompt} {text:>9}", "{text} takes no conversion and no format"),
        ("{prompt} {text} {", "Single '{' .*; {{ and }} stand for braces"),
        ("{prompt} {text} }", "Single '}' .*; {{ and }} stand for braces"),
        (7, "7: "),
    ],
)
def test_a_template_that_cannot_be_filled(template, message):
    with pytest.raises(ActivationFlowError, match=message) as caught:
        Template(template)
    assert "once each, as in '{prompt} {text}'" in str(caught.value)
