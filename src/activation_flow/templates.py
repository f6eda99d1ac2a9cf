"""A prompt and a text put together by a template, and where the text then stands."""

from dataclasses import dataclass, field
from string import Formatter
from typing import NamedTuple

from activation_flow.data import ActivationFlowError

DEFAULT = "{prompt} {text}"
FIELDS = ("prompt", "text")


class Filled(NamedTuple):
    """What the model reads for one prompt, and the characters of it that are the text's own.

    Attributes:
        text: prompt, text, and what the template has besides.
        start: first character of the text in it.
        end: one past its last character.
    """

    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Template:
    """A text around one ``{prompt}`` and one ``{text}``; ``{{`` and ``}}`` are braces.

    >>> Template("{prompt}: {text}").fill("Summarize", "It rains.")
    Filled(text='Summarize: It rains.', start=11, end=20)
    >>> Template().fill(None, "It rains.")  # no prompt: the bare text
    Filled(text='It rains.', start=0, end=9)

    Attributes:
        template: as it was given.

    Raises:
        ActivationFlowError: it has not exactly these two fields, as plain as they stand here.
    """

    template: str = DEFAULT
    _parts: tuple[tuple[str, str | None], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            parsed = [*Formatter().parse(self.template)]
        except (ValueError, TypeError) as problem:
            raise self._refused(f"{problem}; {{{{ and }}}} stand for braces") from problem
        for _, name, form, conversion in parsed:
            if name is None:
                continue
            if name not in FIELDS:
                raise self._refused(f"it has a field {{{name}}}; {{{{ and }}}} stand for braces")
            if form or conversion:
                raise self._refused(f"{{{name}}} takes no conversion and no format")
        names = [name for _, name, _, _ in parsed if name is not None]
        for name in FIELDS:
            if names.count(name) != 1:
                raise self._refused(f"{{{name}}} is there {names.count(name)} times")
        object.__setattr__(self, "_parts", tuple((text, name) for text, name, _, _ in parsed))

    def _refused(self, why: str) -> ActivationFlowError:
        return ActivationFlowError(
            f"template {self.template!r}: {why}; it must hold {{prompt}} and {{text}} once each, "
            f"as in {DEFAULT!r}"
        )

    def fill(self, prompt: str | None, text: str) -> Filled:
        """What the model reads; of no prompt, the bare text without the template."""
        if prompt is None:
            return Filled(text, 0, len(text))
        whole, start = "", 0
        for literal, name in self._parts:
            whole += literal
            if name == "text":
                start = len(whole)
            whole += {"prompt": prompt, "text": text, None: ""}[name]
        return Filled(whole, start, start + len(text))
