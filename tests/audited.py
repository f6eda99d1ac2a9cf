"""Tokens for tests of the audit's statistics: made from kinds, texts and types alone."""

import numpy as np

from activation_flow.audit_data import AuditTokens


def audit_tokens(kind, text, type_, **columns):
    """Tokens of which nothing else matters; columns replace what is made up."""
    kind, text, type_ = np.asarray(kind), np.asarray(text), np.asarray(type_)
    n = len(kind)
    made_up = {
        "index": np.arange(n),
        "token": type_.astype(str),
        "id": type_,
        "length": np.ones(n, dtype=int),
        "subword": np.zeros(n, dtype=bool),
        "position": np.zeros(n),
        "frequency": np.zeros(n),
        "n_texts": int(text.max()) + 1 if n else 0,
    }
    return AuditTokens(kind=kind, text=text, type=type_, **{**made_up, **columns})


def random_tokens(seed, texts=40, types=60, mean=10, **columns):
    """Kinds drawn per word type; few types are most of the tokens."""
    random = np.random.default_rng(seed)
    weight = 1 / (np.arange(types) + 2)
    text = np.repeat(np.arange(texts), random.integers(mean - 4, mean + 5, texts))
    type_ = random.choice(types, len(text), p=weight / weight.sum())
    kinds = np.where(random.permutation(types) % 2 == 0, "content", "function")
    rare = {"frequency": np.log(weight)[type_], "position": random.random(len(text))}
    return audit_tokens(kinds[type_], text, type_, **{**rare, **columns}), random
