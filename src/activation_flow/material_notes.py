"""What is said about the material of an audit: how many there were of what, and what to know."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from activation_flow import word_kinds
from activation_flow.audit_data import AuditTokens
from activation_flow.audit_texts import Left, Texts
from activation_flow.data import KINDS, TokenizedText

if TYPE_CHECKING:
    from activation_flow.tokens import Encoded

# English prose has 40 to 50 % function words; with less than this, the list may be the wrong one.
_FEW_FUNCTION_WORDS = 0.2


def counted(
    found: Texts, encoded: "Sequence[Encoded]", tokens: AuditTokens, refused: Left
) -> dict[str, int]:
    """How many there were of what, see ``Material``."""
    return {
        "rows": found.rows,
        "blank": found.blank,
        "rejected": found.bad.n,
        "duplicates": found.duplicates,
        "distinct": found.distinct,
        "sampled": len(found.texts),
        "refused": refused.n,
        **sizes(encoded, tokens),
    }


def sizes(encoded: "Sequence[Encoded]", tokens: AuditTokens) -> dict[str, int]:
    """How many texts, windows, tokens and types there are: of those that are audited alone."""
    of_kind = Counter(tokens.kind.tolist())
    windows = [one.text.n_windows for one in encoded]
    return {
        "texts": len(encoded),
        "long": sum(n > 1 for n in windows),
        "windows": sum(windows),
        "tokens": len(tokens),
        **{kind: of_kind[kind] for kind in reversed(KINDS)},
        "unknown": of_kind[""],
        "types": int(tokens.type.max()) + 1,
    }


def without_offsets(texts: Iterable[TokenizedText]) -> bool:
    """Is there a text whose tokenizer does not say which characters its tokens stand for?"""
    return any((text.start[~text.special] < 0).any() for text in texts)


def on_kinds(kinds: str, encoded: "Sequence[Encoded]", counts: Mapping[str, int]) -> Iterator[str]:
    """How true the kinds are, or why they are not known."""
    if kinds != "none" and without_offsets(one.text for one in encoded):
        yield (
            "this tokenizer does not say which characters a token stands for, so kinds of words "
            "are unknown, and what is claimed of kinds cannot be tested"
        )
        return
    yield word_kinds.noise(kinds)
    words = counts["content"] + counts["function"]
    if kinds == "list" and counts["function"] < _FEW_FUNCTION_WORDS * words:
        yield (
            f"only {counts['function'] / words:.0%} of the tokens of words are function words by "
            "the English list; if the texts are not English, its kinds mean nothing: take tags "
            "(--kinds gold, spacy:MODEL) or none"
        )
    if kinds != "none" and counts["unknown"]:
        why = "words in other scripts, and spaces" if kinds == "list" else "their tags say none"
        yield f"tokens of no kind, left out where kinds are compared: {counts['unknown']:,} ({why})"


def on_texts(found: Texts, refused: Left, counts: Mapping[str, int], seed: int) -> Iterator[str]:
    """What was left out, and why."""
    if found.distinct > len(found.texts):
        yield (
            f"of {found.distinct:,} different texts a uniform sample of {len(found.texts):,} is "
            f"audited (seed {seed})"
        )
    if found.duplicates:
        yield f"rows whose text stood there before, left out: {found.duplicates:,}"
    if found.blank:
        yield f"blank rows, left out: {found.blank:,}"
    yield from found.bad.told("rows that cannot be read")
    yield from refused.told("texts that the model cannot read")
    if counts["long"]:
        yield (
            f"texts read in several windows, as they are too long for one: {counts['long']:,}; "
            "they take no part in what is measured on a sample of texts"
        )
