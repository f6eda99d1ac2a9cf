"""Tiny models with heads for the tests of what a model is asked, and the encoder of one."""

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import transformers
from architectures import TABLE, TEXTS, make_model, make_tokenizer
from audit_tokens import tokens_of

import activation_flow as af
from activation_flow import eager, heads, units

HEADS = {
    "base": "AutoModel",
    "mlm": "AutoModelForMaskedLM",
    "next": "AutoModelForCausalLM",
    "classifier": "AutoModelForSequenceClassification",
    "tokens": "AutoModelForTokenClassification",
    "pretraining": "AutoModelForPreTraining",
}


@functools.cache
def made(model_type: str, head: str, mask: bool = True, labels: int = 3) -> tuple[Any, Any]:
    """(model, tokenizer), once each; the tokenizer has a mask token if ``mask``."""
    row = TABLE[model_type]
    tokenizer = make_tokenizer(row.tokenizer, row.inputs)
    if mask and tokenizer.mask_token is None:
        tokenizer.add_special_tokens({"mask_token": "<mask>"})
    auto = getattr(transformers, HEADS[head])
    more = {"num_labels": labels} if head == "classifier" else {}
    return make_model(model_type, tokenizer, auto, **more), tokenizer


def sample_of(
    encoder: af.Encoder, texts: Sequence[str] = TEXTS
) -> tuple[eager.Sample, units.Units]:
    """All of these texts, and their words."""
    encoded, failures = encoder.tokenize(texts)
    assert not failures
    tokens = tokens_of(encoded)
    sampled = eager.sample(encoded, tokens, range(len(encoded)))
    return sampled, units.of_words(encoded, tokens)


@contextmanager
def opened(
    model: Any, texts: Sequence[str] = TEXTS
) -> Iterator[tuple[heads.Headed, eager.Sample, units.Units]]:
    """A live (model, tokenizer), opened, with a sample and its words."""
    encoder = af.Encoder.from_pretrained(model, engine="torch", threads=1)
    with heads.opened(encoder) as headed:
        yield headed, *sample_of(encoder, texts)


def unit_of(sampled: eager.Sample, words: units.Units, i: int) -> Any:
    """Of the tokens of text i, the numbers of their words."""
    return words.of_token[sampled.tokens.text == i]
