"""Kinds of words from tags: of people (CoNLL-U), or of a spaCy model. The list stands in words.py.

Both give the words of a text with a UPOS tag each, and go the same way from there. spaCy is an
extra, imported where it is used.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from activation_flow import words
from activation_flow.conllu import Gold
from activation_flow.data import ActivationFlowError, Names, TokenizedText

SPACY = "spacy:"  # before the name of a model
SOURCES = ("gold", *words.WAYS, f"{SPACY}MODEL")

_NOISE = {
    "gold": "kinds are those of the tags of the input",
    "none": "no kinds were asked for, so what is claimed of kinds cannot be tested",
    "list": (
        "kinds come from a closed list of English function words, which agrees with gold tags on "
        "97 % of the words of two treebanks, and on 94 % of minilm's tokens of one of them (97 % "
        "of content against function; points in numbers count as punctuation)"
    ),
}
_OF_SPACY = (
    "kinds come from the tags of {model}; those of en_core_web_sm agree with gold tags on 98 % of "
    "the words of two treebanks, and on 96 % of minilm's tokens of one of them (98 % of content "
    "against function)"
)

Word = tuple[int, int, str]  # begin, end, kind
Tagger = Callable[[Sequence[str]], Iterator[Gold]]


def check(kinds: str) -> None:
    """Refuse a source of kinds that is not known.

    Raises:
        ActivationFlowError: it is not one of ``SOURCES``, or names no spaCy model.
    """
    if kinds in ("gold", *words.WAYS):
        return
    if not kinds.startswith(SPACY):
        raise ActivationFlowError(f"kinds={kinds!r} is not one of {', '.join(SOURCES)}")
    if kinds in (SPACY, SOURCES[-1]):
        raise ActivationFlowError(
            f"kinds={kinds!r} names no spaCy model; give one, such as {SPACY}en_core_web_sm"
        )


def noise(kinds: str) -> str:
    """How true kinds of this source are, in a clause; measured on UD-EWT and GUM, test parts."""
    return _NOISE.get(kinds) or _OF_SPACY.format(model=kinds.removeprefix(SPACY))


def without_tags(kinds: str) -> str:
    """What ``Encoder.tokenize`` is to be asked for, where kinds come from this source."""
    return kinds if kinds in words.WAYS else "none"


def from_tags(text: TokenizedText, gold: Gold) -> tuple[Names, Names]:
    """Tag and kind of every token; "" where it is of no tagged word, or its tag has no kind.

    >>> at = np.array([-1, 0, 3, -1])
    >>> text = TokenizedText(
    ...     text="No way", tokens=np.array(["[CLS]", "no", "way", "[SEP]"]), ids=at, start=at,
    ...     end=np.array([-1, 2, 6, -1]), segment=at, special=at < 0, word=at, kind=at
    ... )
    >>> tag, kind = from_tags(text, Gold(((0, 2), (3, 6)), ("DET", "NOUN")))
    >>> tag.tolist(), kind.tolist()
    (['', 'DET', 'NOUN', ''], ['special', 'function', 'content', 'special'])
    """
    word = words.map_pieces(gold.spans, text.start, text.end)
    tag = np.array([*gold.tags, ""], dtype=object)[word]
    kind = np.array([*map(words.kind_of_tag, gold.tags), ""], dtype="<U11")[word]
    kind[text.special] = "special"
    return tag, kind


def with_kinds(text: TokenizedText, gold: Gold | None) -> TokenizedText:
    """The same text with the kinds of its tags; as it is where it has none."""
    return text if gold is None else replace(text, kind=from_tags(text, gold)[1])


def tags(
    texts: Sequence[str], kinds: str, what: str
) -> tuple[tuple[Gold | None, ...], str, list[str]]:
    """Tags of texts that bring none; where kinds come from then; what is to be said about it.

    Args:
        texts: the texts.
        kinds: where kinds of the audit come from.
        what: what these texts are, for people.
    """
    if kinds.startswith(SPACY):
        return tuple(tagger(kinds)(texts)), kinds, []
    nothing = (None,) * len(texts)
    if kinds == "gold":
        return nothing, "list", [f"{what} have no tags: the kinds of their tokens are the list's"]
    return nothing, kinds, []


def find(text: str, gold: Gold | None, kinds: str) -> list[Word]:
    """The words of a text, and their kinds; "" where they have none.

    Words are those of ``words.find_words``. Where there are tags, a word has the kind of the tag
    that stands for all of it; of a word that was cut up ("don't") the tags do not say it: "".

    Args:
        text: the text.
        gold: its tags, where kinds come from tags.
        kinds: the source of kinds.

    >>> find("No way!", None, "list")
    [(0, 2, 'function'), (3, 6, 'content')]
    """
    spans = words.find_words(text)
    if gold is not None:
        tags = dict(zip(gold.spans, gold.tags, strict=True))
        return [(a, b, words.kind_of_tag(tags.get((a, b), ""))) for a, b in spans]
    if kinds != "list":
        return [(a, b, "") for a, b in spans]
    return [(a, b, words.kind_of_word(text[a:b])) for a, b in spans]


def tagger(kinds: str) -> Tagger:
    """What a spaCy model says about texts, one after the other: their words and UPOS tags.

    Args:
        kinds: ``spacy:MODEL``, where MODEL is the name of a package or a folder.

    Raises:
        ActivationFlowError: spaCy or the model is not there, or the model gives no tags.
    """
    check(kinds)
    model = kinds.removeprefix(SPACY)
    nlp = _loaded(model)
    probe = nlp("A dog barks.")
    if not probe.has_annotation("POS"):
        raise ActivationFlowError(
            f"the spaCy model {model} gives no parts of speech, so {kinds} says nothing of kinds; "
            "take a model with a tagger, such as en_core_web_sm"
        )

    def tag(texts: Sequence[str]) -> Iterator[Gold]:
        # A guard of spaCy's against parsers that fill the memory; none runs here.
        nlp.max_length = max(map(len, texts), default=0) + 1
        return map(_gold, nlp.pipe(texts))

    return tag


def _loaded(model: str) -> Any:
    try:
        spacy = importlib.import_module("spacy")
    except ImportError as problem:
        raise ActivationFlowError(
            f"kinds {SPACY}{model} need spaCy, which cannot be imported here ({problem}); "
            "pip install 'activation-flow[spacy]'"
        ) from problem
    try:
        return spacy.load(model, exclude=["parser", "ner", "lemmatizer"])
    except (OSError, ImportError, ValueError) as problem:
        why = " ".join(str(problem).split())
        raise ActivationFlowError(
            f"the spaCy model {model} cannot be loaded: {why}; spaCy comes with pip install "
            f"'activation-flow[spacy]', a model with python -m spacy download {model}"
        ) from problem


def _gold(document: Any) -> Gold:
    tokens = [token for token in document if not token.is_space]
    spans = tuple((token.idx, token.idx + len(token)) for token in tokens)
    return Gold(spans, tuple(token.pos_ or "_" for token in tokens))
