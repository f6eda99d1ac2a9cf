"""What an audit needs gradients and changed texts for: scores of them, and how faithful each is.

Where the model cannot be asked, every row says why, and the audit goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import eager, faithful, gradients, heads, occlusion
from activation_flow.audit_data import AuditTokens, Score, Watch
from activation_flow.data import Ids
from activation_flow.faithful import Faithful
from activation_flow.units import Units

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

LONGEST = 128  # tokens of a text
AT_THE_END = (
    "gradients and occlusion: a word of one token has 0 by construction where it ends what the "
    "model reads, since nothing follows it that could be asked for; where all words are ranked, as "
    "beside people's marks, this is against them"
)

# The scores that are judged as explanations: strength, and what it stands beside.
EXPLAINING = (
    *("norm", "layer_0_norm", "attention", "rollout"),
    *("gradient_input", "gradient_input_signed", "gradient_norm"),
    *("integrated", "integrated_signed", "integrated_second", "occlusion"),
    *("frequency", "length", "position", "subword", "random"),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Asked:
    """What is wanted.

    Attributes:
        main: the layer that the claims are about.
        explained: how many texts get scores of gradients and changed texts.
        perturbed: from how many of these words are removed in many orders; 0: from none.
        seed: of all that is drawn.
        stage: what the texts are, in the names of stages; "" for those of the audit.
    """

    main: int
    explained: int
    perturbed: int
    seed: int
    stage: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Explained:
    """What was found.

    Attributes:
        scores: of gradients and changed texts.
        faithful: how far the model's output hangs on the words that scores put first; None where
            that was not asked for, or cannot be had.
        notes: sentences for the reader.
        texts: how many were read.
        missing: why nothing was; "" where something was.
    """

    scores: list[Score]
    faithful: Faithful | None = None
    notes: tuple[str, ...] = ()
    texts: int = 0
    missing: str = ""


def explain(
    encoder: "Encoder",
    encoded: "Sequence[Encoded]",
    tokens: AuditTokens,
    units: Units,
    beside: Sequence[Score],
    asked: Asked,
    among: Sequence[int],
    watch: Watch,
) -> Explained:
    """Scores of gradients and occlusion, and with ``asked.perturbed`` the faithfulness of all.

    Args:
        encoder: the model.
        encoded: the texts.
        tokens: theirs.
        units: their words.
        beside: scores that are there already.
        asked: what is wanted.
        among: numbers of the texts of which a part is taken: those that have slow scores.
        watch: told of each stage.
    """
    try:
        with heads.opened(encoder) as headed:  # first, so that this is the reason if it cannot be
            chosen, notes = within_reach(np.array(among, dtype=np.int64), tokens)
            chosen = spread_out(chosen, tokens, asked.explained)
            sampled = eager.sample(encoded, tokens, chosen.tolist())
            passes = _Passes(encoder, headed, units, sampled, asked, watch)
            scores, told = passes.scores()
            if headed.kind == "next":
                told.append(AT_THE_END)
            found: Faithful | None = None
            why: tuple[str, ...] = ()
            if asked.perturbed:
                found, why = passes.faithful(judged([*beside, *scores], asked.main))
        return Explained(
            scores=scores,
            faithful=found,
            notes=(*notes, *told, *(found.notes if found else why)),
            texts=len(sampled.texts),
            missing="; ".join(why),
        )
    except eager.FAILURES as why_none:
        why_not = str(why_none)
        scores = [*gradients.unavailable(tokens, why_not), *occlusion.unavailable(tokens, why_not)]
        note = f"gradients and changed texts are not available: {why_not}"
        return Explained(scores=scores, notes=(note,), missing=why_not)


@dataclass(frozen=True)
class _Passes:
    """The passes over the sample, one after the other."""

    encoder: "Encoder"
    headed: heads.Headed
    units: Units
    sampled: eager.Sample
    asked: Asked
    watch: Watch

    def scores(self) -> tuple[list[Score], list[str]]:
        """Gradients, then occlusion; where one fails, the other stays."""
        told: list[str] = []
        return [*self._gradients(told), *self._occlusion(told)], told

    def _gradients(self, told: list[str]) -> list[Score]:
        read = self._read("gradients")
        try:
            found, notes = gradients.scores(self.encoder, self.headed, read, self.units)
        except eager.FAILURES as why:
            told.append(f"gradients are not available: {why}")
            return gradients.unavailable(self.sampled.tokens, str(why))
        told.extend(notes)
        return found

    def _occlusion(self, told: list[str]) -> list[Score]:
        read = self._read("occlusion")
        try:
            return [*occlusion.score(self.encoder, self.headed, read, self.units)]
        except eager.FAILURES as why:
            told.append(f"occlusion is not available: {why}")
            return occlusion.unavailable(self.sampled.tokens, str(why))

    def _read(self, stage: str) -> eager.Sample:
        """The sample, telling how much of the stage is done."""
        return replace(self.sampled, watch=self._stage(stage, len(self.sampled.texts)))

    def faithful(self, scores: Sequence[Score]) -> tuple[Faithful | None, tuple[str, ...]]:
        """How faithful these are, or why nobody can say."""
        tokens, encoded = self.sampled.tokens, self.sampled.encoded
        texts = spread_out(np.array(self.sampled.texts), tokens, self.asked.perturbed)
        try:
            found = faithful.faithful(
                self.headed,
                encoded,
                tokens,
                self.units,
                scores,
                texts.tolist(),
                seed=self.asked.seed,
                watch=self._stage("removing words", len(texts)),
            )
        except eager.FAILURES as why:
            return None, (f"faithfulness: {why}",)
        return found, ()

    def _stage(self, name: str, n: int) -> Callable[[int, int], None]:
        stage = f"{self.asked.stage}{name}"
        self.watch(stage, 0, n)
        return lambda done, _: self.watch(stage, done, n)


def within_reach(texts: Ids, tokens: AuditTokens) -> tuple[Ids, tuple[str, ...]]:
    """Those of the texts that are short enough, else the shortest; and what is said about it.

    What is done for every word, or with many changed texts, takes the square of the length.
    """
    sizes = np.bincount(tokens.text, minlength=tokens.n_texts)[texts]
    short = sizes <= max(LONGEST, int(min(sizes, default=0)))
    if short.all():
        return texts, ()
    left = int((~short).sum())
    return texts[short], (
        f"gradients and changed texts: {left:,} texts of the sample have more than {LONGEST} "
        "tokens and are left out",
    )


def judged(scores: Sequence[Score], main: int, *, layers: bool = False) -> list[Score]:
    """Those that are judged as explanations: of no layer or of this one; or of all ``layers``."""
    return [
        score
        for score in scores
        if score.name in EXPLAINING and (layers or score.layer in (None, main))
    ]


def spread_out(texts: Ids, tokens: AuditTokens, n: int) -> Ids:
    """So many of these texts, as evenly over their lengths as can be; rising.

    >>> from types import SimpleNamespace
    >>> tokens = SimpleNamespace(text=np.repeat(np.arange(4), [9, 2, 5, 7]), n_texts=4)
    >>> spread_out(np.arange(4), tokens, 2)
    array([1, 3])
    """
    if n >= len(texts):
        return np.sort(texts)
    sizes = np.bincount(tokens.text, minlength=tokens.n_texts)[texts]
    order = np.argsort(sizes, kind="stable")
    return np.sort(texts[order[np.arange(n) * len(texts) // n]])
