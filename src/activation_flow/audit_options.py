"""What is asked of an audit, in one value: checked once, written into its result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activation_flow import audit_parts
from activation_flow.audit_defaults import (
    DRAWS,
    EXPLAINED,
    FREQUENCY,
    PERTURBED,
    PROMPTS,
    SAMPLE,
    TEXTS,
)
from activation_flow.data import ActivationFlowError
from activation_flow.prompting import Prompting
from activation_flow.templates import DEFAULT

_LEAST = {"sample": 1, "texts": 1, "explained": 1, "perturbed": 1, "draws": 1, "seed": 0}
_FILES = ("pairs", "rationales", "salient", "labels", "paraphrases")  # each of which may be "-"
# The parts that an option is for.
_FOR = {"rationales": ("C6", "C11"), "salient": ("C11",), "labels": ("C10",)}
_FOR |= {"prompts": ("C10",), "pairs": ("C5",), "paraphrases": (audit_parts.STABILITY,)}


@dataclass(frozen=True, kw_only=True)
class Options:
    """As ``auditing.audit`` takes them; see there."""

    layer: int | str | None = None
    kinds: str | None = None
    pairs: str | None = None
    rationales: str | None = None
    salient: str | None = None
    labels: str | None = None
    prompts: Sequence[str] | None = None
    template: str = DEFAULT
    paraphrases: str | None = None
    only: str | Sequence[str] | None = None
    sample: int = SAMPLE
    explained: int = EXPLAINED
    perturbed: int = PERTURBED
    texts: int = TEXTS
    frequency: str = FREQUENCY
    draws: int = DRAWS
    seed: int = 0
    controls: bool | None = None
    text_column: str = "text"
    format: str | None = None
    max_length: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be done before anything is read.

        Raises:
            ActivationFlowError: says which option, and what it takes.
        """
        for name, least in _LEAST.items():
            if (value := getattr(self, name)) < least:
                raise ActivationFlowError(f"{name}={value} is not at least {least}")
        parts_run = {*self.parts}
        for name, parts in _FOR.items():
            if getattr(self, name) is not None and not {*parts} & parts_run:
                raise ActivationFlowError(
                    f"{name} is for {' and '.join(parts)}, which only={self.only!r} leaves out"
                )
        for name, usual in (("prompts", None), ("template", DEFAULT)):
            if getattr(self, name) != usual and self.labels is None:
                raise ActivationFlowError(
                    f"{name}: prompts are put before labelled texts; give labels, too"
                )
        prompts = PROMPTS if self.prompts is None else self.prompts
        Prompting.of(prompts, baseline=True, template=self.template)

    def check_input(self, corpus: object) -> None:
        """Refuse to read standard input twice.

        Raises:
            ActivationFlowError: names what would.
        """
        names = [name for name in _FILES if getattr(self, name) == "-"]
        names = [*(["the corpus"] if corpus == "-" else []), *names]
        if len(names) > 1:
            many, some = ("both", "one") if len(names) == 2 else ("all", "all but one")
            raise ActivationFlowError(
                f"{' and '.join(names)} cannot {many} be standard input; name a file for {some} of "
                "them"
            )

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are run."""
        return audit_parts.asked(self.only)

    @property
    def needed(self) -> frozenset[str]:
        """What must be measured for them."""
        return audit_parts.needed(self.parts)

    @property
    def asked_prompts(self) -> tuple[str, ...]:
        """Those of C10."""
        return PROMPTS if self.prompts is None else tuple(self.prompts)

    @property
    def settings(self) -> Mapping[str, Any]:
        """As they stand in the result, but for those that the texts decide."""
        only = self.only
        return {
            **{name: getattr(self, name) for name in ("pairs", "rationales", "salient", "labels")},
            "prompts": None if self.prompts is None else [*self.prompts],
            "template": self.template,
            "paraphrases": self.paraphrases,
            "only": only if only is None or isinstance(only, str) else ",".join(only),
            **{name: getattr(self, name) for name in ("sample", "explained", "perturbed")},
            "draws": self.draws,
            "controls": self.controls,
        }
