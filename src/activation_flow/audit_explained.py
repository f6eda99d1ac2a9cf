"""What an audit needs gradients and changed texts for: scores of them, and how faithful each is.

Where the model cannot be asked, every row says why, and the audit goes on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import eager, faithful, gradients, heads, occlusion
from activation_flow.audit_data import AuditTokens, Score
from activation_flow.data import ActivationFlowError, Ids
from activation_flow.faithful import Faithful
from activation_flow.units import Units

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

# Torch has one class for all that it cannot do, memory that it cannot have included.
_FAILURES = (ActivationFlowError, RuntimeError)
RANDOM_ORDERS = 50

Watch = Callable[[str, int, int], None]

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
    among: Ids,
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
        chosen = spread_out(among, tokens, asked.explained)
        sampled = eager.sample(encoded, tokens, chosen.tolist())
        n = len(sampled.texts)
        with heads.opened(encoder) as headed:

            def stage(name: str, total: int = n) -> Callable[[int, int], None]:
                watch(f"{asked.stage}{name}", 0, total)
                return lambda done, _: watch(f"{asked.stage}{name}", done, total)

            read = replace(sampled, watch=stage("gradients"))
            scores, notes = gradients.scores(encoder, headed, read, units)
            read = replace(sampled, watch=stage("occlusion"))
            scores += occlusion.score(encoder, headed, read, units)
            found = None
            if asked.perturbed:
                texts = spread_out(np.array(sampled.texts), tokens, asked.perturbed)
                found = faithful.faithful(
                    headed,
                    encoded,
                    tokens,
                    units,
                    judged([*beside, *scores], asked.main),
                    texts.tolist(),
                    orders=RANDOM_ORDERS,
                    seed=asked.seed,
                    watch=stage("removing words", len(texts)),
                )
                notes = (*notes, *found.notes)
        return Explained(scores=scores, faithful=found, notes=tuple(notes), texts=n)
    except _FAILURES as why:
        scores = [
            *gradients.unavailable(tokens, str(why)),
            *occlusion.unavailable(tokens, str(why)),
        ]
        note = f"gradients and changed texts are not available: {why}"
        return Explained(scores=scores, notes=(note,), missing=str(why))


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
