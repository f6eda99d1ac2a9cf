"""The values that cross borders inside the audit: tokens, scores, tests. Numpy only.

No formula, no file and no model is known here. What has nothing to say is NaN in arrays and None
elsewhere, and the reason stands beside it: nothing is dropped without a word.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Ids, Mask, Names

if TYPE_CHECKING:
    from jaxtyping import Float

    PerToken = Float[np.ndarray, "tokens"]
else:
    PerToken = np.ndarray

Interval = tuple[float, float]  # low and high, 95 % unless told
ScoreKey = tuple[str, int | None]  # name and layer of a score
Progress = Callable[[int, int], None]  # told how much is done, and of how much
Watch = Callable[[str, int, int], None]  # told the stage, too


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AuditTokens:
    """All tokens of the audited texts, one text after the other, in reading order.

    Attributes:
        text: number of the text, from 0; never decreasing.
        index: place of the token in its text, from 0, special tokens counted.
        token: the tokenizer's pieces.
        id: vocabulary numbers.
        kind: ``content``, ``function``, ``punctuation``, ``special``, "" where unknown.
        type: number of the word type, from 0: the unit that recurs in other texts. Pieces of one
            casefolded word share it, and have different ones where they differ in kind; what is
            of no word (punctuation, special tokens) is a type by its own spelling.
        length: letters of the word that the token is a piece of; of its own, if of none.
        subword: True for every piece of a word but its first.
        position: 0 for the first and 1 for the last token of the text that is not special; NaN
            for special tokens; 0 where there is only one.
        frequency: log of how often the token occurs, by the source that was chosen, in any unit;
            NaN where the source does not say.
        n_texts: how many texts.
        frequency_name: what −frequency is called for people, by its source.
    """

    text: Ids
    index: Ids
    token: Names
    id: Ids
    kind: Names
    type: Ids
    length: Ids
    subword: Mask
    position: PerToken
    frequency: PerToken
    n_texts: int
    frequency_name: str = "rarity"

    def __len__(self) -> int:
        return len(self.text)

    @property
    def compared(self) -> Mask:
        """Tokens of a content or function word: those whose kinds the claims compare."""
        compared: Mask = (self.kind == "content") | (self.kind == "function")
        return compared


@dataclass(frozen=True, eq=False, kw_only=True)
class Score:
    """One number per token: the interface of strength and of everything it is compared with.

    Attributes:
        name: ``norm``, ``centred``, ``attention`` ...: as in JSON.
        title: in words, for people.
        layer: where it was taken; None where it belongs to no layer.
        values: [tokens]; NaN where not measured (outside of the sample, special tokens).
        seconds_per_1000_tokens: what measuring it cost on this machine; None: not measured.
        role: ``strength``, ``variant`` (of it), ``baseline`` or ``control``.
        top_share: of norms, the share of the squared norm in the 1 and the 3 dimensions that
            carry most of it; None where it is no norm.
        note: definition, fit split, λ, rule: what a reader needs to make it again.
        missing: why it is not available; values are all NaN then. "" where it is.
        pooling: how the value of a word follows from those of its pieces: ``max``, or ``sum`` of
            what is a share of something (attention, gradients).
        gap: of integrated gradients, the completeness gap: by how much what the tokens get differs
            from what they share, Σ|…| / Σ|…| over texts; None of other scores.
    """

    name: str
    title: str
    layer: int | None
    values: PerToken
    seconds_per_1000_tokens: float | None = None
    role: str = "variant"
    top_share: tuple[float, float] | None = None
    note: str = ""
    missing: str = ""
    pooling: str = "max"
    gap: float | None = None


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What a test found.

    Attributes:
        effect: None where it cannot be tested.
        interval: of the effect, 95 %, over texts and word types.
        p: one-sided, in the direction of the claim.
        n: how many there were of what: ``texts``, ``types``, ``tokens``, ``pairs`` ...
        missing: why it cannot be tested; "" where it can.
        method: how p was found: what was drawn, how often, by which seed; "" where there is none.
    """

    effect: float | None
    interval: Interval | None
    p: float | None
    n: Mapping[str, int] = field(default_factory=dict[str, int])
    missing: str = ""
    method: str = ""
