"""Tiny models with a head for tests, and what they say, by transformers itself."""

from typing import Any

import numpy as np
import torch
import transformers
from architectures import TABLE, make_tokenizer

HEADS = {
    "mlm": ("bert", transformers.AutoModelForMaskedLM),
    "classifier": ("bert", transformers.AutoModelForSequenceClassification),
    "next": ("gpt2", transformers.AutoModelForCausalLM),
    "embedding": ("bert", transformers.AutoModel),
}


def make(kind: str) -> tuple[Any, Any]:
    """A tiny (model, tokenizer) that is asked so, every parameter perturbed."""
    model_type, auto = HEADS[kind]
    tokenizer = make_tokenizer(TABLE[model_type].tokenizer, TABLE[model_type].inputs)
    torch.manual_seed(0)
    special = {
        f"{name}_token_id": getattr(tokenizer, f"{name}_token_id")
        for name in ("pad", "bos", "eos", "cls", "sep")
        if getattr(tokenizer, f"{name}_token_id") is not None
    }
    values = {**TABLE[model_type].config, **special}
    config = transformers.AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **values)
    model = auto.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model, tokenizer


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
