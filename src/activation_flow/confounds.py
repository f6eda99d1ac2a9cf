"""How much of "content words are stronger" is frequency, length, sub-words or place in the text.

Exploratory: what these confounds do alone, what is left where they are held constant, and how
strength goes with each. The model that takes all of them at once is tested elsewhere. Sources:
Clark (1973), "The language-as-fixed-effect fallacy", for intervals over texts and word types;
``rank_correlation`` and ``like_with_like`` for the formulas.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import AuditTokens, Interval
from activation_flow.audit_tables import ConfoundRow
from activation_flow.crossed import crossed, interval
from activation_flow.data import Ids, Mask
from activation_flow.like_with_like import (
    NEAR,
    STRATA,
    Won,
    tenths,
    won_by_matched,
    won_in_groups,
)
from activation_flow.rank_correlation import rank_correlation

if TYPE_CHECKING:
    from activation_flow.audit_data import PerToken
else:
    PerToken = np.ndarray


@dataclass(frozen=True, eq=False)
class _Compared:
    """Tokens of content and function words, and what is known of them."""

    strength: PerToken
    content: Mask
    text: Ids
    type: Ids
    frequency: PerToken
    length: PerToken
    subword: PerToken
    position: PerToken
    unknown: int = 0  # left out, because their frequency is not known

    def where(self, keep: Mask, unknown: int = 0) -> "_Compared":
        """Some of them."""
        arrays = {name: x[keep] for name, x in vars(self).items() if name != "unknown"}
        return _Compared(**arrays, unknown=unknown)

    def counted(self) -> "_Compared":
        """Those whose frequency is known."""
        known = np.isfinite(self.frequency)
        return self.where(known, int((~known).sum()))

    def note(self, note: str) -> str:
        """The definition, and what was left out."""
        left = f"; {self.unknown} tokens of unknown frequency left out" if self.unknown else ""
        return note + left


def confounds(tokens: AuditTokens, strength: PerToken) -> tuple[ConfoundRow, ...]:
    """Rows of the groups ``alone``, ``stratified``, ``partial``, ``matched`` and ``correlation``.

    Nothing here is random. Tokens whose frequency is not known are left out of what needs it, and
    counted in its note.

    Args:
        tokens: of the audited texts.
        strength: one value per token; finite for those that are not special.
    """
    part = tokens.compared
    every = _Compared(
        strength=strength[part].astype(np.float64),
        content=tokens.kind[part] == "content",
        text=tokens.text[part],
        type=tokens.type[part],
        frequency=tokens.frequency[part],
        length=tokens.length[part].astype(np.float64),
        subword=tokens.subword[part].astype(np.float64),
        position=tokens.position[part],
    )
    counted = every.counted()
    return (
        _alone("frequency (rarer above)", counted, -counted.frequency),
        _alone("length (longer above)", every, every.length),
        _alone("position (later above)", every, every.position),
        _alone("sub-word (later pieces above)", every, every.subword),
        _stratified(counted, within=True),
        _stratified(counted, within=False),
        _partial(counted),
        _matched(counted, within=True),
        _matched(counted, within=False),
        *_correlations(every),
        _text_means(tokens, strength),
    )


def _alone(name: str, those: _Compared, values: PerToken) -> ConfoundRow:
    found = won_in_groups(values, those.content, those.text, those.text)
    note = "AUC of content above function, pairs of the same text"
    return _won("alone", name, found, those, note)


def _stratified(those: _Compared, *, within: bool) -> ConfoundRow:
    """Pairs of the same tenth of the compared tokens by frequency."""
    text = those.text if within else np.zeros_like(those.text)
    group = text * STRATA + tenths(those.frequency)
    found = won_in_groups(those.strength, those.content, group, text)
    name = "AUC within frequency tenths, " + ("within texts" if within else "all texts at once")
    note = "pairs of the same tenth by frequency of all compared tokens"
    return _won("stratified", name, found, those, note, within=within)


def _matched(those: _Compared, *, within: bool) -> ConfoundRow:
    text = those.text if within else np.zeros_like(those.text)
    found = won_by_matched(those.strength, those.content, those.frequency, text)
    name = "content against its match by frequency, " + ("same text" if within else "all texts")
    note = (
        "share won against the function tokens of nearest log10 frequency, "
        f"at most {NEAR} away; kept: of the content tokens; a token may be the match of many"
    )
    return _won("matched", name, found, those, note, within=within)


def _won(
    group: str, name: str, found: Won, those: _Compared, note: str, *, within: bool = True
) -> ConfoundRow:
    spread: Interval | None = None
    if found.value is not None:
        # Pairs of one text are lost with it once, though both their tokens are.
        variance = crossed(
            found.contributions, those.text, those.type, weight=found.weight, paired=within
        )
        spread = interval(found.value, variance, bounds=(0.0, 1.0))
    return ConfoundRow(
        group=group,
        name=name,
        value=found.value,
        interval=spread,
        null=0.5,
        kept=None if group == "alone" else found.kept,
        n=found.n,
        note=those.note(note) + ("" if found.n else "; no pair can be compared"),
    )


def _partial(those: _Compared) -> ConfoundRow:
    given = (those.frequency, those.length, those.position, those.subword)
    note = (
        "Spearman of strength with content = 1, function = 0: correlation of what ranks of log "
        "frequency, length, position and sub-word leave unexplained of both ranks"
    )
    name = "strength with kind, confounds held constant"
    return _correlation("partial", name, those, those.content * 1.0, note, given)


def _correlation(
    group: str,
    name: str,
    those: _Compared,
    other: PerToken,
    note: str,
    given: Sequence[PerToken] = (),
) -> ConfoundRow:
    found = rank_correlation(those.strength, other, given)
    spread: Interval | None = None
    if found.value is not None:
        variance = crossed(found.contributions, those.text, those.type)
        spread = interval(found.value, variance, bounds=(-1.0, 1.0))
    return ConfoundRow(
        group=group,
        name=name,
        value=found.value,
        interval=spread,
        null=0.0,
        kept=None,
        n=len(other),
        note=those.note(note) + ("" if spread else "; too few tokens, or all alike"),
    )


def _correlations(every: _Compared) -> tuple[ConfoundRow, ...]:
    """Spearman of strength with each confound, over all texts at once."""

    def of(name: str, those: _Compared, other: PerToken) -> ConfoundRow:
        return _correlation("correlation", name, those, other, "Spearman, all texts at once")

    content, function = every.where(every.content), every.where(~every.content)
    by_frequency = [those.counted() for those in (every, content, function)]
    which = ("", ", content only", ", function only")
    return (
        *(
            of(f"strength with log frequency{only}", those, those.frequency)
            for only, those in zip(which, by_frequency, strict=True)
        ),
        of("strength with length", every, every.length),
        of("strength with length, content only", content, content.length),
        of("strength with position, content only", content, content.position),
        of("strength with position, function only", function, function.position),
    )


def _text_means(tokens: AuditTokens, strength: PerToken) -> ConfoundRow:
    """Do longer texts have stronger tokens? Each text counts once."""
    own = tokens.kind != "special"
    n = np.bincount(tokens.text[own], minlength=tokens.n_texts)
    there = np.flatnonzero(n)
    mean = np.bincount(tokens.text[own], strength[own], minlength=tokens.n_texts)[there] / n[there]
    found = rank_correlation(mean, n[there].astype(np.float64))
    spread = None
    if found.value is not None:
        spread = interval(found.value, crossed(found.contributions, there, there), bounds=(-1, 1))
    return ConfoundRow(
        group="correlation",
        name="mean strength of a text with its number of tokens",
        value=found.value,
        interval=spread,
        null=0.0,
        kept=None,
        n=len(there),
        note="Spearman over texts, special tokens left out",
    )
