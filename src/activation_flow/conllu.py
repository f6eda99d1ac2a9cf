"""Lines of a CoNLL-U file -> sentences: a text, and the gold tag of each of its words.

As in https://universaldependencies.org/format.html; only forms, UPOS and SpaceAfter are looked at.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from unicodedata import category

from activation_flow.delimited import Line
from activation_flow.fields import BadRow, line_text

_FIELDS = 10
_ID, _FORM, _UPOS, _MISC = 0, 1, 3, 9
_NUMBER = "[1-9][0-9]{0,8}"
_WORD = re.compile(_NUMBER)
_SEVERAL = re.compile(f"({_NUMBER})-({_NUMBER})")
_EMPTY_NODE = re.compile(rf"(?:0|{_NUMBER})\.{_NUMBER}")
_COMMENT = re.compile(r"#\s*([^\s=]+)\s*=(.*)", flags=re.DOTALL)

Span = tuple[int, int]


@dataclass(frozen=True)
class Gold:
    """The words of a text, as people marked them.

    Attributes:
        spans: (start, end) of each in the text; in order, disjoint.
        tags: UPOS of each; "_" where the file has none. Words that share what stands in the text
            ("du" is "de le") are one, with their tags joined by "+".
    """

    spans: tuple[Span, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Sentence:
    """One sentence of a file.

    Attributes:
        comments: its lines "# key = value"; of a key that is there twice, the first.
        text: of "# text" if the words stand in it in this order and nothing else does, else put
            together from the words.
        gold: its words.
    """

    comments: dict[str, str]
    text: str
    gold: Gold


def sentences(lines: Iterator[Line]) -> Iterator[list[Line]]:
    """The lines of each sentence; any number of blank lines stands between two."""
    block: list[Line] = []
    for line in lines:
        if line[1].strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def parse(block: Sequence[Line]) -> Sentence:
    r"""The sentence that these lines are.

    Raises:
        BadRow: they are none; says on which line of the file.

    >>> rows = ["# text = No way.", "1 No no DET", "2 way way NOUN", "3 . . PUNCT"]
    >>> rows = [row if "#" in row else row.replace(" ", "\t") + "\t_" * 6 for row in rows]
    >>> sentence = parse([(number, row.encode()) for number, row in enumerate(rows, 1)])
    >>> sentence.text, sentence.gold.spans, sentence.gold.tags
    ('No way.', ((0, 2), (3, 6), (6, 7)), ('DET', 'NOUN', 'PUNCT'))
    """
    comments: dict[str, str] = {}
    tokens = _Tokens()
    for number, raw in block:
        try:
            line = line_text(raw)
            if not line.startswith("#"):
                tokens.add(line.split("\t"))
            elif comment := _COMMENT.fullmatch(line):
                comments.setdefault(comment[1], comment[2].strip())
        except BadRow as problem:
            raise BadRow(f"line {number}: {problem}") from problem
    found = tokens.finished()
    text = comments.get("text", "")
    spans = _places(found, text)
    if spans is None:
        text, spans = _put_together(found)
    words = [word for token, span in zip(found, spans, strict=True) for word in _words(token, span)]
    return Sentence(comments, text, Gold(tuple(s for s, _ in words), tuple(t for _, t in words)))


@dataclass
class _Token:
    """What stands in the text as one piece: a word, or several."""

    form: str
    space_after: bool
    words: list[tuple[str, str]] = field(default_factory=list)  # form and tag of each


class _Tokens:
    """The tokens of a sentence, as its lines come."""

    def __init__(self) -> None:
        self._tokens: list[_Token] = []
        self._next = 1  # number of the next word
        self._last = 0  # of the last word of a token that has several

    def add(self, fields: list[str]) -> None:
        """Take in a line, which is a word, the head of several, or an empty node."""
        if len(fields) != _FIELDS:
            raise BadRow(f"number of fields: {len(fields)}, in CoNLL-U: {_FIELDS}, between tabs")
        number, form, tag = fields[_ID], fields[_FORM], fields[_UPOS]
        if _EMPTY_NODE.fullmatch(number):  # a word that is understood, and not in the text
            return
        if not form or not tag:
            raise BadRow(
                "the form or the tag of the word is empty; it should be _ if there is none"
            )
        inside = self._next <= self._last
        space_after = "SpaceAfter=No" not in fields[_MISC].split("|")
        several = _SEVERAL.fullmatch(number)
        if several and not inside and int(several[1]) == self._next <= int(several[2]):
            self._tokens.append(_Token(form, space_after))
            self._last = int(several[2])
        elif number == str(self._next):
            if not inside:
                self._tokens.append(_Token(form, space_after))
            self._tokens[-1].words.append((form, tag))
            self._next += 1
        else:
            raise BadRow(f"word {number[:20]!r} where word {self._next} should be")

    def finished(self) -> list[_Token]:
        """All tokens, once all lines were taken in."""
        if not self._tokens:
            raise BadRow("the sentence has no words")
        if self._next <= self._last:
            raise BadRow(f"the sentence ends before its word {self._last}")
        return self._tokens


def _places(tokens: list[_Token], text: str) -> list[Span] | None:
    """Where the tokens stand in the text; None if it is not made of them, spaces aside."""
    spans: list[Span] = []
    at = 0
    for token in tokens:
        while not text.startswith(token.form, at):
            if not _shows_nothing(text[at : at + 1]):
                return None
            at += 1
        spans.append((at, at + len(token.form)))
        at += len(token.form)
    return spans if all(map(_shows_nothing, text[at:])) else None


def _shows_nothing(character: str) -> bool:
    """Is it a space, a control or a format character? The empty string is none."""
    return character.isspace() or (character != "" and category(character) in ("Cc", "Cf"))


def _put_together(tokens: list[_Token]) -> tuple[str, list[Span]]:
    spans: list[Span] = []
    text = ""
    for token in tokens:
        spans.append((len(text), len(text) + len(token.form)))
        text += token.form + " " * token.space_after
    return text.removesuffix(" " * tokens[-1].space_after), spans


def _words(token: _Token, span: Span) -> Iterator[tuple[Span, str]]:
    """Span and tag of each word of a token; of all as one where they cannot be told apart."""
    if "".join(form for form, _ in token.words) != token.form:
        yield span, "+".join(tag for _, tag in token.words)
        return
    at = span[0]
    for form, tag in token.words:
        yield (at, at + len(form)), tag
        at += len(form)
