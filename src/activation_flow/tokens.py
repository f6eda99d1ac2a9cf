"""Texts -> tokens with offsets, words and kinds; long texts -> windows, and back again.

Knows tokenizers (library ``tokenizers``, or slow.py) but no model: what comes out can be fed to
an engine. A text that cannot be tokenized is a Failure; it never takes another text with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from activation_flow import words
from activation_flow.data import (
    ActivationFlowError,
    Failure,
    Hidden,
    Ids,
    Mask,
    Strength,
    TokenizedText,
)
from activation_flow.lengths import Limits, Span, cut, owners, windows
from activation_flow.slow import Untokenizable


@dataclass(frozen=True)
class Encoded:
    """A text ready for the engine.

    Attributes:
        number: its place in the list that was given, from 1.
        text: its tokens.
        type_ids: the tokenizer's segment numbers, as the model wants them.
        lead: number of special tokens before the content; they come with every window.
        trail: number of special tokens after it.
        windows: (first, one past the last) content token of every window.
    """

    number: int
    text: TokenizedText
    type_ids: Ids
    lead: int
    trail: int
    windows: tuple[Span, ...]

    def window(self, values: Ids, number: int) -> Ids:
        """Of one value per token, those that a window reads."""
        first, last = self.windows[number]
        body = values[self.lead + first : self.lead + last]
        return np.concatenate([values[: self.lead], body, values[len(values) - self.trail :]])


def encode_all(
    tokenizer: Any,
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    limit: Limits,
    *,
    vocabulary: int,
    kinds: str = "list",
) -> tuple[list[Encoded], list[Failure]]:
    """Tokens of many texts; each text comes out once, here or there.

    Args:
        tokenizer: a ``tokenizers.Tokenizer`` that neither truncates nor pads, or a
            ``SlowTokenizer``.
        texts: the texts.
        pairs: a second segment for each of them.
        limit: what becomes of longer texts; longer pairs fail if they are not cut.
        vocabulary: number of rows in the model's embedding.
        kinds: see ``words.annotate``.

    Raises:
        ActivationFlowError: pairs do not match texts, or this tokenizer takes no pairs.
    """
    if pairs is not None:
        _check_pairs(tokenizer, len(texts), len(pairs))
    done: list[Encoded] = []
    failures: list[Failure] = []
    segments = [(t, None) for t in texts] if pairs is None else list(zip(texts, pairs, strict=True))
    usable: list[tuple[int, str, str | None]] = []
    for number, (text, pair) in enumerate(segments, 1):
        if reason := unreadable(text):
            failures.append(Failure(number, reason))
        elif pairs is not None and (reason := unreadable(pair)):
            failures.append(Failure(number, f"its text_pair: {reason}"))
        else:
            usable.append((number, text, pair))
    encodings = _encode(tokenizer, [t if p is None else (t, p) for _, t, p in usable])
    for (number, text, pair), encoding in zip(usable, encodings, strict=True):
        try:
            if isinstance(encoding, Untokenizable):
                raise _NoResult(str(encoding))
            tokens, type_ids = _tokenized(text, pair, encoding, kinds)
            done.append(_encoded(number, tokens, type_ids, limit, vocabulary))
        except _NoResult as problem:
            failures.append(Failure(number, str(problem)))
    return done, sorted(failures, key=lambda failure: failure.text_number)


class _NoResult(Exception):
    """This one text has no result; says why."""


def unreadable(text: object) -> str:
    """Why this is no text that a tokenizer can read; "" if it is one."""
    if not isinstance(text, str):
        return f"it is not a string but {type(text).__name__}"
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        code = ord(text[problem.start])
        return (
            f"character {problem.start + 1} is half of a surrogate pair (U+{code:04X}), "
            "which is no text; mend where it was decoded"
        )
    return ""


def _encode(tokenizer: Any, inputs: list[Any]) -> list[Any]:
    """Encodings of texts or pairs; Untokenizable for those that the tokenizer cannot read.

    A fast tokenizer refuses a whole batch for one text: some have no unknown token, some panic.
    """
    try:
        return list(tokenizer.encode_batch(inputs))
    except BaseException as problem:
        _raise_if_not_the_tokenizers(problem)
    found: list[Any] = []
    for one in inputs:
        try:
            found += tokenizer.encode_batch([one])
        except BaseException as problem:
            _raise_if_not_the_tokenizers(problem)
            found.append(Untokenizable(f"the tokenizer cannot read it: {problem}"))
    return found


def _raise_if_not_the_tokenizers(problem: BaseException) -> None:
    # A panic of the Rust library is no Exception, and its class can be had by name only.
    if not isinstance(problem, Exception) and type(problem).__name__ != "PanicException":
        raise problem


def _check_pairs(tokenizer: Any, n_texts: int, n_pairs: int) -> None:
    if n_texts != n_pairs:
        raise ActivationFlowError(f"text_pair holds {n_pairs} texts for {n_texts}; give one each")
    if tokenizer.num_special_tokens_to_add(True) == tokenizer.num_special_tokens_to_add(False):
        raise ActivationFlowError(
            "this model does not take two segments: its tokenizer puts nothing between them"
        )


def _tokenized(text: str, pair: str | None, encoding: Any, kinds: str) -> tuple[TokenizedText, Ids]:
    special = np.array(encoding.special_tokens_mask, dtype=bool)
    offsets = np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
    offsets[special] = -1
    start, end = offsets.T
    if pair is None:
        segment = np.where(special, -1, 0)
        word, kind = words.annotate(text, start, end, special, kinds)
    else:
        numbers = [-1 if number is None else number for number in encoding.sequence_ids]
        segment = np.where(special, -1, numbers)
        word, kind = _annotate_pair((text, pair), start, end, segment, kinds)
    tokens = TokenizedText(
        text=text,
        text_pair=pair,
        tokens=np.array(encoding.tokens, dtype=object),
        ids=np.array(encoding.ids, dtype=np.int64),
        start=start,
        end=end,
        segment=segment,
        special=special,
        word=word,
        kind=kind,
    )
    return tokens, np.array(encoding.type_ids, dtype=np.int64)


def _annotate_pair(
    segments: tuple[str, str], start: Ids, end: Ids, segment: Ids, kinds: str
) -> tuple[Ids, Any]:
    """Each segment on its own, the second one's words counted on from the first's."""
    word = np.full(len(start), -1)
    kind = np.full(len(start), "special", dtype="<U11")
    counted = 0
    for number, text in enumerate(segments):
        mine = segment == number
        none = np.zeros(mine.sum(), dtype=bool)
        in_text, kind[mine] = words.annotate(text, start[mine], end[mine], none, kinds)
        word[mine] = np.where(in_text < 0, -1, in_text + counted)
        counted += len(words.find_words(text))
    return word, kind


def _encoded(
    number: int, text: TokenizedText, type_ids: Ids, limit: Limits, vocabulary: int
) -> Encoded:
    n = len(text)
    if text.special.all():
        raise _NoResult(no_token(text.text + (text.text_pair or "")))
    if text.ids.max() >= vocabulary:
        raise _NoResult(
            f"token {text.tokens[text.ids.argmax()]!r} has number {text.ids.max()}, and the model "
            f"has embeddings for {vocabulary} only: tokenizer and model do not belong together"
        )
    too_long = f"it has {n} tokens, and an input has room for {limit.max_length}"
    if n > limit.max_length and limit.long == "cut":
        if text.special.sum() >= limit.max_length:
            raise _NoResult(f"{too_long}: for special tokens only")
        kept = cut(text.segment, n - limit.max_length)
        text, type_ids = _only(text, kept), type_ids[kept]
    own = np.flatnonzero(~text.special)
    lead, trail = int(own[0]), int(len(text) - 1 - own[-1])
    content = len(text) - lead - trail
    if len(text) <= limit.max_length:
        return Encoded(number, text, type_ids, lead, trail, ((0, content),))
    if limit.long == "refused":
        raise _NoResult(
            f"{too_long}; reading it in windows would pass for shift, so shorten it, or cut it "
            "with --truncate (truncate=True)"
        )
    room = limit.max_length - lead - trail
    if text.text_pair is not None or room < 1:
        raise _NoResult(too_long)
    shared = room // 2 if limit.stride is None else limit.stride
    if shared >= room:
        raise _NoResult(f"its windows hold {room} tokens of its own, and cannot share {shared}")
    spans = windows(content, room, shared)
    read = replace(text, n_windows=len(spans))
    return Encoded(number, read, type_ids, lead, trail, tuple(spans))


def no_token(given: str) -> str:
    """Why a text of which only special tokens are left has no result."""
    why = "it holds only spaces" if given else "it is empty"
    if dropped := [*dict.fromkeys("".join(given.split()))]:
        codes = ", ".join(f"U+{ord(character):04X}" for character in dropped[:3])
        why = f"the tokenizer drops all of it: {codes}{', ...' if len(dropped) > 3 else ''}"
    return f"it has no token of its own ({why})"


def _only(text: TokenizedText, kept: Mask) -> TokenizedText:
    arrays = {name: v[kept] for name, v in vars(text).items() if isinstance(v, np.ndarray)}
    return replace(text, **arrays, n_dropped=int((~kept).sum()))


def stitch(
    encoded: Encoded, parts: Sequence[tuple[Strength, Hidden | None]], causal: bool
) -> tuple[Strength, Hidden | None]:
    """One value per token, from the values in every window; tokens are on axis 1.

    The leading special tokens come from the first window, the trailing ones from the last.
    """
    if len(parts) == 1:
        return parts[0]
    content = encoded.windows[-1][1]
    owner = owners(content, encoded.windows, causal)

    def join(values: list[Any]) -> Any:
        shape = (values[0].shape[0], encoded.lead + content + encoded.trail, *values[0].shape[2:])
        out = np.empty(shape, dtype=values[0].dtype)
        for number, ((first, last), value) in enumerate(zip(encoded.windows, values, strict=True)):
            (mine,) = np.nonzero(owner[first:last] == number)
            out[:, encoded.lead + first + mine] = value[:, encoded.lead + mine]
        out[:, : encoded.lead] = values[0][:, : encoded.lead]
        tail = encoded.lead + content
        out[:, tail:] = values[-1][:, values[-1].shape[1] - encoded.trail :]
        return out

    hidden = [state for _, state in parts if state is not None]
    return join([norms for norms, _ in parts]), join(hidden) if hidden else None
