"""A tokenizer that only transformers has, in the form that tokens.py needs.

Such a "slow" tokenizer has no JSON form. Here it gets the part of ``tokenizers.Tokenizer`` that is
used. It does not say which characters a token stands for, and nothing here guesses it.
"""

import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

UNKNOWN = (-1, -1)  # where a token stands in its text


class Untokenizable(Exception):
    """A text that the tokenizer cannot read; says why."""


@dataclass(frozen=True)
class Encoding:
    """The tokens of a text; the names are those of ``tokenizers.Encoding``."""

    ids: list[int]
    tokens: list[str]
    type_ids: list[int]
    special_tokens_mask: list[int]
    offsets: list[tuple[int, int]]
    sequence_ids: list[int | None]


class _Typed(int):
    """The number of a token that comes from the text, and from which segment of it."""

    segment: int


class SlowTokenizer:
    """Adapts a tokenizer of transformers that has no ``backend_tokenizer``."""

    def __init__(self, tokenizer: Any):
        """Takes the tokenizer as its own: nobody else may change it."""
        self._tokenizer = tokenizer
        self._name = type(tokenizer).__name__
        self._lock = (
            threading.Lock()
        )  # caught warnings and the tokenizer's state are for one thread

    def encode_batch(
        self, texts: Sequence[str | tuple[str, str]]
    ) -> list["Encoding | Untokenizable"]:
        """Tokens of every text or pair of texts, or why it has none."""
        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [self._try(t, None) if isinstance(t, str) else self._try(*t) for t in texts]

    def num_special_tokens_to_add(self, pair: bool) -> int:
        """How many tokens are added to a text, or to a pair; the same where pairs are refused."""
        try:
            return int(self._tokenizer.num_special_tokens_to_add(pair))
        except Exception:
            return self.num_special_tokens_to_add(False) if pair else 0

    def get_vocab(self) -> dict[str, int]:
        """The number of every token; the name is that of ``tokenizers.Tokenizer``.

        Raises:
            NotImplementedError: this tokenizer has no list of its tokens.
        """
        with self._lock:
            return dict(self._tokenizer.get_vocab())

    def _try(self, text: str, pair: str | None) -> "Encoding | Untokenizable":
        try:
            return self._encode(text, pair)
        except Untokenizable as problem:
            return problem
        except Exception as problem:  # whatever it stumbles over, the other texts have results
            why = " ".join(f"{type(problem).__name__}: {problem}".split())
            return Untokenizable(f"its tokenizer ({self._name}) cannot read it: {why[:300]}")

    def _encode(self, text: str, pair: str | None) -> Encoding:
        whole = self._tokenizer(text, pair, verbose=False)  # verbose: it warns of long texts
        ids = list(whole["input_ids"])
        segments = [self._typed(text, 0)]
        if pair is not None:
            segments.append(self._typed(pair, 1))
        # Which tokens are added is seen by marking the others. Neither their numbers say it ("</s>"
        # may be typed), nor get_special_tokens_mask (of ByT5 it is too long for such a text).
        built = self._tokenizer.build_inputs_with_special_tokens(*segments)
        typed = [token for token in built if isinstance(token, _Typed)]
        if list(built) != ids or len(typed) != sum(map(len, segments)):
            raise Untokenizable(
                f"its tokenizer ({self._name}) does not let see which tokens it adds to a text"
            )
        sequence_ids = [token.segment if isinstance(token, _Typed) else None for token in built]
        return Encoding(
            ids=ids,
            tokens=[str(token) for token in self._tokenizer.convert_ids_to_tokens(ids)],
            type_ids=list(whole.get("token_type_ids", [0] * len(ids))),
            special_tokens_mask=[int(segment is None) for segment in sequence_ids],
            offsets=[UNKNOWN] * len(ids),
            sequence_ids=sequence_ids,
        )

    def _typed(self, text: str, segment: int) -> list[_Typed]:
        """The tokens of one segment alone, marked."""
        marked = []
        for token in self._tokenizer.tokenize(text):
            number = self._tokenizer.convert_tokens_to_ids(token)
            if number is None:
                raise Untokenizable(f"its tokenizer ({self._name}) has no number for {token!r}")
            marked.append(_Typed(number))
            marked[-1].segment = segment
        return marked
