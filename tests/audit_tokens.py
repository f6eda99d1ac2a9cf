"""Texts as the tokens of an audit, in the plainest way; frequencies and types are of no account."""

from collections.abc import Sequence

import numpy as np

from activation_flow.audit_data import AuditTokens
from activation_flow.tokens import Encoded


def tokens_of(encoded: Sequence[Encoded]) -> AuditTokens:
    """All tokens of these texts."""
    text = [i for i, one in enumerate(encoded) for _ in one.text.tokens]
    n = len(text)

    def all_of(name: str) -> np.ndarray:
        return np.concatenate([getattr(one.text, name) for one in encoded])

    return AuditTokens(
        text=np.array(text),
        index=np.concatenate([np.arange(len(one.text)) for one in encoded]),
        token=all_of("tokens"),
        id=all_of("ids"),
        kind=all_of("kind"),
        type=all_of("ids"),
        length=np.ones(n, dtype=np.int64),
        subword=np.zeros(n, dtype=bool),
        position=np.zeros(n),
        frequency=np.zeros(n),
        n_texts=len(encoded),
    )
