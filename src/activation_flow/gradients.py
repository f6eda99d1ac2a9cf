"""How much each token does to what the model says: gradients, and integrated gradients.

Gradients are taken at the rows of the word embedding, before positions are added and before any
norm module. What the model is asked is decided in outputs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import headed_passes, integrated, outputs
from activation_flow.audit_data import AuditTokens, PerToken, Score
from activation_flow.data import ActivationFlowError
from activation_flow.eager import Sample
from activation_flow.encoder import Encoder
from activation_flow.heads import Headed
from activation_flow.integrated import GAP, MOST_STEPS, STEPS, Integral
from activation_flow.outputs import Question
from activation_flow.units import Units

if TYPE_CHECKING:
    from torch import Tensor

TITLES = {
    "gradient_input": "gradient × input",
    "gradient_input_signed": "gradient × input, signed",
    "gradient_norm": "norm of the gradient",
    "integrated": "integrated gradients",
    "integrated_signed": "integrated gradients, signed",
    "integrated_second": "integrated gradients, second baseline",
}
MEANS = {
    "gradient_input": "|e·∇F|, e the token's row of the word embedding",
    "gradient_input_signed": "e·∇F, e the token's row of the word embedding",
    "gradient_norm": "‖∇F‖ at the token's row of the word embedding",
    "integrated": "|∫∇F·de| over the token's row of the word embedding",
    "integrated_signed": "∫∇F·de over the token's row of the word embedding",
    "integrated_second": "|∫∇F·de| over the token's row of the word embedding",
}
FS = {
    "mlm": "F: mean log-probability of masked words, in three folds; mean over the folds in which "
    "a token is not masked",
    "classifier": "F: logit of the class that it gives the text (times its sign there, if the "
    "only one)",
    "next": "F: mean log-probability of each token after those before it",
    "embedding": "F = e·e₀/‖e₀‖, e the mean of h/‖h‖ over all tokens at the last layer, e₀ the "
    "same held fixed",
}
PASSES = ("questions", "gradient", "first", "second")  # every score needs the first of them


def scores(
    encoder: Encoder, headed: Headed, sampled: Sample, units: Units, *, steps: int = STEPS
) -> tuple[list[Score], tuple[str, ...]]:
    """Gradient × input, its norm, and integrated gradients of a sample of texts.

    Args:
        encoder: of the audit.
        headed: its model, opened.
        sampled: the texts; those with nothing to ask are left out and counted.
        units: the words of all texts of the audit.
        steps: of integrated gradients, to begin with.

    Returns:
        The scores, and sentences for the reader.

    Raises:
        ActivationFlowError: the model cannot be asked, or has no gradients.
    """
    tally = _Tally(headed, sampled, units, steps)
    for done, i in enumerate(sampled.texts, 1):
        tally.add(i)
        if sampled.watch is not None:
            sampled.watch(done, len(sampled.texts))
    if not tally.gaps:
        raise ActivationFlowError(
            f"{encoder.model} cannot be asked about any of the {len(sampled.texts):,} texts of "
            "the sample: they have too few words; give longer ones"
        )
    return tally.scores(), tally.notes()


def unavailable(tokens: AuditTokens, reason: str) -> list[Score]:
    """The same, of a model that cannot be asked: every row says why."""
    none = np.full(len(tokens), np.nan)
    return [
        Score(
            name=name,
            title=title,
            layer=None,
            values=none,
            role="baseline",
            missing=reason,
            pooling="sum",
        )
        for name, title in TITLES.items()
    ]


def baselines(headed: Headed) -> tuple[tuple[str, int | None], tuple[str, int | None]]:
    """What the rows of free tokens are at the two baselines: a name, and a vocabulary number.

    Mask and pad; where there is none unk, else eos; else the zero vector (None).
    """
    found: list[tuple[str, int | None]] = []
    for name, number in (("mask", headed.mask_id), ("pad", headed.pad_id)):
        others = ((name, number), ("unk", headed.unk_id), ("eos", headed.eos_id))
        taken = {n for _, n in found}
        usable = [(a, n) for a, n in others if n is not None and n not in taken]
        found.append(usable[0] if usable else ("zero", None))
    return found[0], found[1]


@dataclass(frozen=True, eq=False)
class _Gap:
    """Completeness of one text, over its questions, at the two baselines."""

    integrals: tuple[tuple[Integral, ...], tuple[Integral, ...]]

    def of(self, k: int) -> tuple[float, float]:
        """What is off, and of what, where that is defined."""
        defined = [one for one in self.integrals[k] if one.defined]
        return sum(one.error for one in defined), sum(abs(one.change) for one in defined)

    def large(self, k: int) -> bool:
        """True if it is still more than 2 %."""
        off, of = self.of(k)
        return off > GAP * of


@dataclass
class _Tally:
    """Values of the texts that are done."""

    headed: Headed
    sampled: Sample
    units: Units
    steps: int
    values: dict[str, PerToken] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PASSES, 0.0))
    gaps: list[_Gap] = field(default_factory=list)
    read: int = 0
    n_nothing: int = 0
    n_infinite: int = 0

    def __post_init__(self) -> None:
        self.values = {name: self.sampled.empty() for name in TITLES}
        of_text = range(len(self.sampled.encoded) + 1)
        self.starts = np.searchsorted(self.sampled.tokens.text, of_text)
        self.baselines = baselines(self.headed)

    def add(self, i: int) -> None:
        """One text."""
        one, at = self.sampled.encoded[i], slice(self.starts[i], self.starts[i + 1])
        self.read += len(one.text)
        began = perf_counter()
        asked = outputs.questions(self.headed, one, self.units.of_token[at])
        self.seconds["questions"] += perf_counter() - began
        asked = tuple(question for question in asked if question.free.any())
        if not asked:
            self.n_nothing += 1
            return
        found = [self._answers(question) for question in asked]
        per_name = {
            name: _mean([values[name] for values, _ in found], [q.free for q in asked])
            for name in TITLES
        }
        free = np.any([question.free for question in asked], axis=0)
        if not all(np.isfinite(values[free]).all() for values in per_name.values()):
            self.n_infinite += 1
            return
        for name, values in per_name.items():
            self.values[name][at] = values
        self.gaps.append(_Gap((tuple(a for _, (a, _) in found), tuple(b for _, (_, b) in found))))

    def _answers(self, question: Question) -> tuple[dict[str, PerToken], tuple[Integral, Integral]]:
        """[tokens] of every score, and the integrals from the two baselines."""
        output = partial(outputs.differentiable, self.headed, question)
        began = perf_counter()
        rows = headed_passes.rows(self.headed, question.ids)
        slope = integrated.gradient(output, rows[None])[0].double()
        product = (rows.double() * slope).sum(dim=-1).numpy()
        norm = slope.norm(dim=-1).numpy()
        self.seconds["gradient"] += perf_counter() - began
        first, second = (self._integral(question, rows, k) for k in (0, 1))
        return {
            "gradient_input": np.abs(product),
            "gradient_input_signed": product,
            "gradient_norm": norm,
            "integrated": np.abs(first.values),
            "integrated_signed": first.values,
            "integrated_second": np.abs(second.values),
        }, (first, second)

    def _integral(self, question: Question, rows: "Tensor", k: int) -> Integral:
        """From baseline k; tokens that are not free keep their rows."""
        import torch

        began = perf_counter()
        number = self.baselines[k][1]
        baseline, free = rows.clone(), torch.from_numpy(question.free)
        if number is None:
            baseline[free] = 0
        else:
            baseline[free] = headed_passes.rows(self.headed, np.array([number]))
        found = integrated.integrated(
            partial(outputs.differentiable, self.headed, question),
            rows,
            baseline,
            steps=self.steps,
            at_once=headed_passes.at_once(self.headed, len(rows)),
        )
        self.seconds[PASSES[k + 2]] += perf_counter() - began
        return found

    def scores(self) -> list[Score]:
        """All of them."""
        where = self._where()
        found = []
        for name, values in self.values.items():
            k = None if name.startswith("gradient") else int(name == "integrated_second")
            own = "gradient" if k is None else PASSES[k + 2]
            seconds = self.seconds["questions"] + self.seconds[own]
            path = "" if k is None else f", {self._path(k)}"
            found.append(
                Score(
                    name=name,
                    title=TITLES[name],
                    layer=None,
                    values=values,
                    seconds_per_1000_tokens=seconds * 1000 / self.read,
                    role="baseline",
                    note=f"{MEANS[name]}; {FS[self.headed.kind]}{path}; {where}",
                    pooling="sum",
                    gap=None if k is None else self._gap(k),
                )
            )
        return found

    def _gap(self, k: int) -> float | None:
        """Σ|ΣIG − ΔF| / Σ|ΔF| over texts; None where F hardly changes in any."""
        off, of = np.sum([gap.of(k) for gap in self.gaps], axis=0)
        return float(off / of) if of else None

    def _path(self, k: int) -> str:
        """Baseline, steps and gap, in a clause."""
        name = self.baselines[k][0]
        rows = "the zero vector" if name == "zero" else f"the row of the {name} token"
        all_ = [one for gap in self.gaps for one in gap.integrals[k]]
        most = max(one.steps for one in all_)
        more = f" to {most}" if most > self.steps else ""
        gap = self._gap(k)
        clause = f"from {rows} for every word that is not asked for, {self.steps}{more} steps"
        clause += "" if gap is None else f", completeness gap {100 * gap:.2g} %"
        flat = sum(not one.defined for one in all_)
        clause += f" ({flat} paths on which F hardly changes left out of it)" if flat else ""
        large = sum(gap.large(k) for gap in self.gaps)
        return clause + (f", above {100 * GAP:.0f} % in {large} texts" if large else "")

    def _where(self) -> str:
        """Which texts these are."""
        parts = [self.sampled.note]
        if self.headed.kind == "next":
            parts.insert(0, "0 by construction for a token that nothing follows")
        if self.n_nothing:
            parts.append(f"without {self.n_nothing} with too few words to ask about")
        if self.n_infinite:
            parts.append(f"without {self.n_infinite} whose gradients are not finite")
        return ", ".join(parts)

    def notes(self) -> tuple[str, ...]:
        """Sentences for the reader."""
        found = [f"gradients are of {FS[self.headed.kind]}; the model is {self.headed.note}"]
        for k in (0, 1):
            if large := sum(gap.large(k) for gap in self.gaps):
                found.append(
                    f"integrated gradients from {self.baselines[k][0]} are off by more than "
                    f"{100 * GAP:.0f} % in {large} texts, with {MOST_STEPS} steps"
                )
        return tuple(found)


def _mean(values: Sequence[PerToken], free: Sequence[np.ndarray]) -> PerToken:
    """Mean over the questions in which a token is free; NaN where it is in none.

    >>> _mean([np.array([1.0, 2.0]), np.array([3.0, 9.0])], [np.array([True, False])] * 2)
    array([ 2., nan])
    """
    times = np.sum(free, axis=0)
    total = np.sum([np.where(f, v, 0.0) for v, f in zip(values, free, strict=True)], axis=0)
    found: PerToken = np.where(times > 0, total / np.maximum(times, 1), np.nan)
    return found
