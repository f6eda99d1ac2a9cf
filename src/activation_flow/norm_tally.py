"""What one layer of hidden states says about its norm module, gathered batch by batch.

One number per token and sums over tokens are kept, and no hidden state.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import norm_formulas
from activation_flow.audit_data import AuditTokens, PerToken
from activation_flow.data import KINDS, BatchIds, Mask
from activation_flow.norm_modules import Norm, Place

if TYPE_CHECKING:
    from jaxtyping import Float

    Vectors = Float[np.ndarray, "texts tokens width"]
    PerWidth = Float[np.ndarray, "width"]
else:
    Vectors = PerWidth = np.ndarray

WORDS = "not special"  # a group beside those of ``groups_of``: all tokens but special ones


def groups_of(tokens: AuditTokens, read: Mask) -> dict[str, Mask]:
    """The tokens of each kind among those that are read; special ones by their spelling."""
    special = tokens.kind == "special"
    labels = np.where(special, tokens.token.astype(str), tokens.kind.astype(str))
    found = dict.fromkeys(labels[read & ~special].tolist())
    order = [kind for kind in reversed(KINDS) if kind in found]
    order += [kind for kind in found if kind not in order]
    groups = {kind: read & ~special & (labels == kind) for kind in order}
    for spelling in dict.fromkeys(labels[read & special].tolist()):
        groups[spelling] = read & special & (labels == spelling)
    return groups


@dataclass(eq=False)
class Tally:
    """One layer of a sample of texts.

    Attributes:
        place: what normalises there.
        groups: tokens of which shares are wanted; see ``groups_of``.
        strength: of each token, NaN outside of the sample, as the next two.
        before: the norm before the norm module (post-norm only).
        control: ‖z‖ with ε = 0.
        error: largest relative error of the predicted strength (post-norm only).
        seconds: what gathering took, without the model's own time.
        audited: strength of each token as another engine measured it; None: there is none.
        audited_error: largest relative error against these; None likewise, or not post-norm.
    """

    place: Place
    groups: Mapping[str, Mask]
    strength: PerToken
    before: PerToken
    control: PerToken
    error: float = 0.0
    seconds: float = 0.0
    audited: PerToken | None = None
    audited_error: float | None = None
    _lengths: tuple[float, float] = (np.inf, 0.0)
    _sums: dict[str, PerWidth] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def norm(self) -> Norm | None:
        """The norm module whose output the hidden states are; None where they are not one."""
        return self.place.norm if self.place.post else None

    def add(self, rows: BatchIds, strength: np.ndarray, vectors: Vectors) -> None:
        """Take in a batch.

        Args:
            rows: the place of each token.
            strength: as measured.
            vectors: what the norm module reads (post-norm), else the hidden states.
        """
        self.strength[rows] = strength
        norm, energy = self.place.norm, vectors
        if norm is not None:
            exact = norm_formulas.normalised(vectors, norm.centring)
            self.control[rows] = np.linalg.norm(exact, axis=-1)
            z = np.nan_to_num(norm_formulas.normalised(vectors, norm.centring, norm.epsilon))
            self._add_lengths(np.linalg.norm(z, axis=-1))
            if self.place.post:
                energy = z
                self.before[rows] = norm_formulas.size(vectors, norm.centring)
                predicted = norm_formulas.strength_after(z, norm.gain, norm.bias)
                self.error = _worst(predicted, strength, self.error)
                if self.audited is not None:
                    least = self.audited_error or 0.0
                    self.audited_error = _worst(predicted, self.audited[rows], least)
        self._add_shares(rows, norm_formulas.shares(energy))

    def _add_lengths(self, lengths: np.ndarray) -> None:
        some = lengths[lengths > 0]
        least, most = self._lengths
        self._lengths = float(some.min(initial=least)), float(some.max(initial=most))

    def _add_shares(self, rows: BatchIds, shares: Vectors) -> None:
        for name, group in self.groups.items():
            mask = group[rows]
            if mask.any():
                self._sums[name] = self._sums.get(name, 0.0) + shares[mask].sum(axis=0)
                self._counts[name] = self._counts.get(name, 0) + int(mask.sum())

    @property
    def left(self) -> float:
        """By how much the model's own ε makes ‖z‖ differ between tokens, relatively."""
        least, most = self._lengths
        return 1 - least / most if most else 0.0

    def share(self, group: str) -> PerWidth | None:
        """Mean share of each dimension: of z² (post-norm), else of h²; None of no token."""
        count = self._counts.get(group, 0)
        return self._sums[group] / count if count else None


def _worst(predicted: np.ndarray, measured: np.ndarray, least: float) -> float:
    """The largest relative error, and at least ``least``."""
    some = measured > 0
    wrong = np.abs(predicted[some] / measured[some].astype(np.float64) - 1)
    return float(wrong.max(initial=least))
