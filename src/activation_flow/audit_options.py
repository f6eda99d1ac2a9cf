"""What is asked of an audit, in one value: checked once, written into its result."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

from activation_flow import audit_parts
from activation_flow.audit_defaults import (
    DRAWS,
    EXPLAINED,
    FILES,
    FREQUENCY,
    PERTURBED,
    PROMPTS,
    SAMPLE,
    TEXTS,
)
from activation_flow.claims import ALPHA, FEWEST_PROMPTS, FEWEST_TEXTS
from activation_flow.data import ActivationFlowError
from activation_flow.prompting import Prompting
from activation_flow.templates import DEFAULT

_LEAST = {"sample": 1, "texts": 1, "explained": 1, "perturbed": 1, "draws": 1, "seed": 0}
# The parts that an option is for.
_FOR = {"rationales": ("C6", "C11"), "salient": ("C11",), "labels": ("C10",)}
_FOR |= {"prompts": ("C10",), "pairs": ("C5",), "paraphrases": (audit_parts.STABILITY,)}
_DRAWN = {"C1", "C2", "C4", "C7", "C9"}  # claims whose p is that of permutations, drawn

Name = str | os.PathLike[str]  # of a file


@dataclass(frozen=True, kw_only=True)
class Options:
    """As ``auditing.audit`` takes them; see there."""

    layer: int | str | None = None
    kinds: str | None = None
    pairs: Name | None = None
    rationales: Name | None = None
    salient: Name | None = None
    labels: Name | None = None
    prompts: Sequence[str] | None = None
    template: str = DEFAULT
    paraphrases: Name | None = None
    only: str | Sequence[str] | None = None
    sample: int = SAMPLE
    explained: int = EXPLAINED
    perturbed: int = PERTURBED
    texts: int = TEXTS
    frequency: Name = FREQUENCY
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
        for name in (*FILES, "frequency"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _written(name, value))
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
                    f"{name}: prompts are put before labelled texts, and there are none (labels=)"
                )
        prompts = PROMPTS if self.prompts is None else self.prompts
        if not isinstance(prompts, str) and not len(prompts):
            raise ActivationFlowError(f"prompts: none is given; C10 takes {FEWEST_PROMPTS}")
        Prompting.of(prompts, baseline=True, template=self.template)

    def check_input(self, corpus: object) -> None:
        """Refuse to read standard input twice.

        Raises:
            ActivationFlowError: names what would.
        """
        names = [f"{name}='-'" for name in FILES if getattr(self, name) == "-"]
        names = [*(["the corpus"] if corpus == "-" else []), *names]
        if len(names) > 1:
            many, some = ("both", "one") if len(names) == 2 else ("all", "all but one")
            raise ActivationFlowError(
                f"{' and '.join(names)} cannot {many} be standard input; name a file for {some} of "
                "them"
            )

    def file(self, name: str) -> str | None:
        """The name of one of the files."""
        value: Name | None = getattr(self, name)
        return None if value is None else os.fspath(value)

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
    def notes(self) -> Iterator[str]:
        """What cannot be found, whatever there is: it can be told before anything is read."""
        claims = [part for part in self.parts if part in audit_parts.CLAIMS and self._has(part)]
        of_one = ALPHA / max(1, len(claims))  # Holm's first step; p must be below it
        if _DRAWN & {*claims} and (least := 1 / (self.draws + 1)) >= of_one:
            yield (
                f"with {self.draws:,} draws a permutation test cannot have p below {least:.2g}, "
                f"which may not be below {ALPHA} after Holm, whatever there is: it takes "
                f"{round(len(claims) / ALPHA):,}"
            )
        n = len(self.asked_prompts)
        if "C10" in claims and n < FEWEST_PROMPTS:
            yield f"with {n} prompt{'s' * (n > 1)} C10 cannot be tested: it takes {FEWEST_PROMPTS}"
        elif "C10" in claims and (least := 1 / factorial(n)) >= of_one:
            yield (
                f"with {n} prompts C10 cannot have p below {least:.2g}, which may not be below "
                f"{ALPHA} after Holm over {len(claims)} claims, whatever there is: give more, or "
                "ask for C10 alone"
            )
        if "C6" in claims and (few := min(self.explained, self.perturbed)) < FEWEST_TEXTS:
            name = "explained" if self.explained == few else "perturbed"
            yield (
                f"{name}={few}: words are removed from so many texts, and C6 takes {FEWEST_TEXTS} "
                "to be tested by faithfulness"
            )

    def _has(self, claim: str) -> bool:
        """Whether there are the files that a claim takes."""
        if claim == "C10":
            return self.labels is not None
        return claim != "C11" or (self.salient, self.rationales) != (None, None)

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


def _written(name: str, value: object) -> str:
    """The name of a file as text.

    Raises:
        ActivationFlowError: it is none.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(path := os.fspath(value), str):
        raise ActivationFlowError(f"{name}: is {type(value).__name__}; give the name of a file")
    return path
