"""What is asked of several prompts: checked once, written into every result, run and page."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from activation_flow import aligned, parts
from activation_flow.data import ActivationFlowError
from activation_flow.templates import DEFAULT, Filled, Template
from activation_flow.tokens import unreadable

QUOTED = 60  # letters of a prompt in a message


@dataclass(frozen=True, kw_only=True)
class Prompting:
    """Which variants of a text there are and how they are compared; stands in the settings.

    Attributes:
        prompts: in order; None, at the first place only, is the bare text.
        template: see ``templates.Template``.
        align: one of ``parts.WAYS``.
        bucket_by: whose strengths say which tokens are HIGH: those of the first prompt of a pair,
            ``a``, of the second, ``b``, or of either, ``union``.
    """

    prompts: tuple[str | None, ...]
    template: str = DEFAULT
    align: str = "text"
    bucket_by: str = "a"

    def __post_init__(self) -> None:
        for place, prompt in enumerate(self.prompts[self.prompts[:1] == (None,) :], 1):
            if reason := unreadable(prompt):
                raise ActivationFlowError(f"prompt {place}: {reason}")
            if prompt is not None and not prompt.strip():
                held = "is only spaces" if prompt else "is empty"
                raise ActivationFlowError(
                    f"prompt {place} {held}; the bare text is asked for with baseline=True "
                    "(--baseline)"
                )
        twice = [prompt for prompt in self.prompts if self.prompts.count(prompt) > 1]
        if twice:
            raise ActivationFlowError(f"prompt {twice[0]!r} is given twice")
        if len(self.prompts) < 2:
            raise ActivationFlowError(
                "prompts are compared in pairs: give two of them, or one and "
                "baseline=True (--baseline), the bare text"
            )
        Template(self.template)
        parts.check_way(self.align)
        aligned.check_bucket_by(self.bucket_by)

    @classmethod
    def of(cls, prompts: Sequence[str], baseline: bool, **how: str) -> "Prompting":
        """From what a user gives.

        Raises:
            ActivationFlowError: it cannot be done so; see above.
        """
        if isinstance(prompts, str) or not isinstance(prompts, Sequence):
            raise ActivationFlowError(
                f"prompts is {type(prompts).__name__}; give a list of strings"
            )
        for place, prompt in enumerate(prompts, 1):
            if reason := unreadable(prompt):
                raise ActivationFlowError(f"prompt {place}: {reason}")
        return cls(prompts=((None,) if baseline else ()) + tuple(prompts), **how)

    @property
    def settings(self) -> dict[str, Any]:
        """As they stand in a result; its tokens are pieces, not words."""
        return {**asdict(self), "prompts": [*self.prompts], "words": None}

    def fill(self, text: str) -> list[Filled]:
        """The variants of a text."""
        template = Template(self.template)
        return [template.fill(prompt, text) for prompt in self.prompts]

    def named(self, place: int) -> str:
        """A variant, as messages call it."""
        prompt = self.prompts[place]
        if prompt is None:
            return "the bare text"
        return f"with prompt {prompt if len(prompt) <= QUOTED else prompt[:QUOTED] + '…'!r}"
