"""The HIGH bucket cut in other ways: quantile, method, scope, special tokens, > or ≥.

The paper fixes one cut and gives no reason for it; what holds under one cut only is a property of
the cut. Exploratory: one thing is changed at a time, and p is adjusted over all rows. Source: paper
eqs. 3 and 4 (arXiv 2605.22377).
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import strength as formulas
from activation_flow.audit_data import AuditTokens
from activation_flow.audit_tables import ThresholdRow
from activation_flow.claim_tests_high import as_lift, log_lift
from activation_flow.claim_tests_shift import excess_over_chance
from activation_flow.crossed import p_apart
from activation_flow.data import Ids, Mask
from activation_flow.multiplicity import benjamini_hochberg

if TYPE_CHECKING:
    from activation_flow.audit_data import PerToken
    from activation_flow.audit_pairs import Moved
else:
    PerToken = np.ndarray

QUANTILES = (0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95)
# Those whose τ can be a strength itself: there > and ≥ differ most.
ON_A_TOKEN = ("linear", "lower", "higher", "interpolated_inverted_cdf")


@dataclass(frozen=True)
class Cut:
    """One way to say which tokens are HIGH; without arguments, the paper's.

    Attributes:
        quantile: of τ.
        method: numpy's name of it, or ``midpoint``.
        scope: τ of each ``text``, or one of the whole ``corpus``.
        special: special tokens count in τ.
        strict: HIGH is > τ; else ≥ τ.
    """

    quantile: float = 0.75
    method: str = "midpoint"
    scope: str = "text"
    special: bool = False
    strict: bool = True


def design() -> tuple[Cut, ...]:
    """The cuts that are tried: one thing is changed at a time, but for a few that are crossed.

    All quantiles in both scopes; all methods at 0.75; special tokens and ≥, each and both, in both
    scopes at 0.75; ≥ with the methods whose τ is often a strength itself.

    >>> len(design()), len(set(design())), design()[3] == Cut()
    (36, 36, True)
    """
    scopes = ("text", "corpus")
    return (
        *(Cut(quantile=q, scope=scope) for scope in scopes for q in QUANTILES),
        *(Cut(method=method) for method in formulas.QUANTILE_METHODS if method != "midpoint"),
        *(
            Cut(scope=scope, special=special, strict=strict)
            for scope in scopes
            for special, strict in ((True, True), (False, False), (True, False))
        ),
        *(Cut(method=method, strict=False) for method in ON_A_TOKEN),
    )


def high_tokens(strength: PerToken, takes_part: Mask, text: Ids, cut: Cut) -> Mask:
    """Which tokens are HIGH under a cut; none of those that take no part.

    Args:
        strength: of all tokens, text after text.
        takes_part: the tokens over which τ is taken.
        text: number of the text of each token, never decreasing.
        cut: what is asked.

    >>> table_5 = np.array([18.2, 17.9, 18.5, 22.4, 17.6, 21.8])
    >>> high_tokens(table_5, table_5 > 0, np.zeros(6, dtype=int), Cut()).nonzero()[0]
    array([3, 5])
    """
    high = np.zeros(len(strength), dtype=bool)
    values = strength[takes_part].astype(np.float64)
    whose = text[takes_part] if cut.scope == "text" else np.zeros(len(values), dtype=np.int64)
    whose = np.cumsum(np.diff(whose, prepend=whose[:1]) > 0)  # texts without a token have no number
    if len(values):
        everyone = np.ones(len(values), dtype=bool)
        τ = formulas.thresholds(values[None], everyone, whose, cut.quantile, cut.method)[0, whose]
        high[takes_part] = values > τ if cut.strict else values >= τ
    return high


def thresholds(
    tokens: AuditTokens, strength: PerToken, *, moved: "Moved | None" = None
) -> tuple[ThresholdRow, ...]:
    """What HIGH says of content words under every cut of ``design``.

    Precision, base rate, recall and lift count the tokens of content and function words of all
    texts. Interval and p are of the lift, over texts and word types, as those of the claim; a τ of
    the whole corpus is taken as given. p is adjusted over all rows (Benjamini-Hochberg).

    Args:
        tokens: of the audited texts.
        strength: one finite value per token, special tokens too.
        moved: pairs of texts, for the mean of R_H − k/n. HIGH is cut anew in the first texts, of
            which τ is taken; the special tokens themselves have no shift that counts.
    """
    not_special = tokens.kind != "special"
    rows = []
    for cut in design():
        takes_part = np.ones(len(tokens), dtype=bool) if cut.special else not_special
        high = high_tokens(strength, takes_part, tokens.text, cut)
        rows.append(_row(tokens, high, cut, _excess(moved, cut)))
    adjusted = benjamini_hochberg([row.p for row in rows])
    return tuple(replace(row, p_bh=p) for row, p in zip(rows, adjusted, strict=True))


def _row(tokens: AuditTokens, high: Mask, cut: Cut, excess: float | None) -> ThresholdRow:
    part = tokens.compared
    content, chosen = tokens.kind[part] == "content", high[part]
    n_high, n_content = int(chosen.sum()), int(content.sum())
    both = int((content & chosen).sum())
    found = log_lift(high, tokens, per_text=cut.scope == "text")
    return ThresholdRow(
        **vars(cut),
        high=n_high,
        precision=both / n_high if n_high else None,
        base_rate=n_content / len(content) if len(content) else None,
        recall=both / n_content if n_content else None,
        interval=as_lift(*found) if found else None,
        p=p_apart(*found) if found else None,
        p_bh=None,
        excess=excess,
    )


def _excess(moved: "Moved | None", cut: Cut) -> float | None:
    """Mean of R_H − k/n, HIGH cut anew among all tokens of the first texts."""
    if moved is None or not len(moved.pair):
        return None
    takes_part = np.ones(len(moved.all_pair), dtype=bool) if cut.special else ~moved.all_special
    high = high_tokens(moved.all_strength, takes_part, moved.all_pair, cut)[moved.row]
    known = np.isfinite(moved.shift)
    found = excess_over_chance(
        moved.pair[known], moved.type[known], high[known], moved.shift[known]
    )
    return found.excess if found.pairs else None
