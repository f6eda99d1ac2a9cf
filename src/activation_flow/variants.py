"""The variants of texts, one for each prompt: tokenized, measured, or why there are none.

Which prompts there are is in prompting; what is made of the numbers, in analysis_prompts.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from activation_flow import parts
from activation_flow.analysis_hidden import in_groups, measure
from activation_flow.data import Hidden, Strength, TokenizedText
from activation_flow.prompting import Prompting
from activation_flow.tokens import no_token, unreadable

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

Variant = tuple[TokenizedText, Strength, Hidden]  # tokens; [layers tokens]; [... width]


def nothing_own(variant: TokenizedText, span: parts.Span, text: str, align: str) -> str:
    """Why a variant has nothing that could be compared; "" if it has."""
    if not parts.known(variant):
        unknown = (
            "the tokenizer does not say which characters a token stands for, so the text's own "
            "tokens cannot be told; use --align position or diff (align=)"
        )
        return unknown if align == "text" else ""
    if (parts.parts(variant, span) == "text").any():
        return ""
    if parts.straddling(variant, span).any():
        return "all tokens of the text are joined with others; put a space into the template"
    if variant.n_dropped:
        return "of the text nothing is left: all its tokens were cut off; shorten the prompt"
    return no_token(text)


def tokenize(
    encoder: "Encoder", texts: Sequence[str], asked: Prompting, how: dict[str, Any]
) -> "tuple[list[tuple[int, list[Encoded]]], dict[int, str]]":
    """The variants of the texts that can be run; of the others, by number, why not."""
    reasons: dict[int, str] = {}
    for number, text in enumerate(texts, 1):
        if reason := unreadable(text) or ("" if text.strip() else no_token(text)):
            reasons[number] = reason
    good = [number for number in range(1, len(texts) + 1) if number not in reasons]
    filled = [one.text for number in good for one in asked.fill(texts[number - 1])]
    encoded, failures = encoder.tokenize(filled, **how)
    n = len(asked.prompts)
    for failure in failures:
        k, place = divmod(failure.text_number - 1, n)
        # Of all prompts that fail the first is named.
        reasons.setdefault(good[k], f"{asked.named(place)}: {failure.reason}")
    by_number = {one.number: one for one in encoded}
    return [
        (number, [by_number[k * n + place + 1] for place in range(n)])
        for k, number in enumerate(good)
        if number not in reasons
    ], reasons


def measured(
    encoder: "Encoder",
    ready: "Sequence[tuple[int, list[Encoded]]]",
    asked: Prompting,
    layers: tuple[int, ...],
) -> Iterator[tuple[int, list[Variant] | str]]:
    """The measured variants of each text, or why there are none."""
    groups = in_groups(ready, lambda item: sum(len(e.text) for e in item[1]) * len(layers))
    found = measure(encoder, ([e for _, each in g for e in each] for g in groups), layers)
    for number, each in ready:
        variants = [next(found) for _ in each]
        odd = [(k, v) for k, v in enumerate(variants) if isinstance(v, str)]
        if odd:
            yield number, f"{asked.named(odd[0][0])}: {odd[0][1]}"
        else:
            yield number, [v for v in variants if not isinstance(v, str)]
