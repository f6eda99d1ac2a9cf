"""What tiny models with heads say of one text at a time, by plain calls of transformers."""

from typing import Any

import headed_models
import numpy as np
import torch

KINDS = {
    "mlm": ("bert", "mlm"),
    "classifier": ("bert", "classifier"),
    "next": ("gpt2", "next"),
    "embedding": ("bert", "base"),
}


def made(kind: str) -> tuple[Any, Any]:
    """A tiny (model, tokenizer) that is asked so; GPT-2's has no mask token."""
    return headed_models.made(*KINDS[kind], mask=kind != "next")


def said(model: Any, kind: str, ids: list[int], at: list[int], targets: list[int]) -> Any:
    """(F, embedding) of one text; ``at``: where the targets stand. By plain calls."""
    with torch.no_grad():
        out = model(torch.tensor([ids]), output_hidden_states=True)
    h = out.hidden_states[-1][0].double().numpy()
    e = np.mean([row / np.linalg.norm(row) for row in h], axis=0)
    if kind == "embedding":
        return np.mean(h, axis=0), e
    logits = out.logits[0].double().numpy()
    if kind == "classifier":
        return logits, e
    shift = 1 if kind == "next" else 0
    of = []
    for place, token in zip(at, targets, strict=True):
        row = logits[place - shift]
        of.append(row[token] - np.log(np.exp(row).sum()))
    return np.mean(of), e


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """1 − cosine."""
    return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def moved(kind: str, before: Any, after: Any) -> tuple[float, float]:
    """The main and the second distance of two ``said``."""
    by_unit = apart(before[1], after[1])
    if kind == "embedding":
        return by_unit, apart(before[0], after[0])
    if kind == "classifier":
        best = int(before[0].argmax())
        return before[0][best] - after[0][best], by_unit
    return before[0] - after[0], by_unit
