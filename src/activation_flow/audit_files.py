"""The files that an audit takes beside its texts: all read, or refused, before a model runs."""

from dataclasses import dataclass
from typing import TypeVar

from activation_flow import labelled, rationales, salient_words, text_pairs
from activation_flow.audit_options import Options
from activation_flow.data import ActivationFlowError
from activation_flow.labelled import Labelled
from activation_flow.material import Material
from activation_flow.rationales import Marked
from activation_flow.text_pairs import TextPairs

_OTHERS = ("rationales", "salient", "labels", "paraphrases")

Read = TypeVar("Read", TextPairs, Labelled)


@dataclass(frozen=True, eq=False, kw_only=True)
class Files:
    """What they hold; None: there is no such file, or nothing that it is for is asked.

    Attributes:
        pairs: texts in pairs for R_H; where no file gives them, made of the texts.
        marked: texts in which people marked words.
        salient: a list of words.
        labelled: texts with labels.
        paraphrases: texts in pairs that mean the same.
    """

    pairs: TextPairs | None
    marked: Marked | None
    salient: frozenset[str] | None
    labelled: Labelled | None
    paraphrases: TextPairs | None


def read(found: Material, options: Options) -> Files:
    """All of them.

    Raises:
        ActivationFlowError: one cannot be read, or holds nothing of use.
    """
    sample, seed, needed = options.sample, options.seed, options.needed
    pairs: TextPairs | None = None
    if "pairs" in needed and (path := options.file("pairs")) is not None:
        pairs = _of_use(text_pairs.read(path, kinds=found.kinds, sample=sample, seed=seed))
    elif "pairs" in needed:
        pairs = text_pairs.replaced(found, sample=sample, seed=seed)
    marked, words, labels, same = (options.file(name) for name in _OTHERS)
    return Files(
        pairs=pairs,
        marked=None if marked is None else rationales.read(marked, texts=options.texts, seed=seed),
        salient=None if words is None else salient_words.read(words),
        labelled=None if labels is None else _of_use(labelled.read(labels, seed=seed)),
        # Stability asks for no kinds.
        paraphrases=None
        if same is None
        else _of_use(text_pairs.read(same, kinds="none", sample=sample, seed=seed)),
    )


def _of_use(read: Read) -> Read:
    """The same, if there is anything in it: a mistake in a file is told before hours are spent.

    Raises:
        ActivationFlowError: no row of it can be used.
    """
    if not read.counts["distinct"]:
        why = "".join(f": {note}" for note in read.notes[-1:])
        raise ActivationFlowError(f"{read.name} has no row that can be used{why}")
    return read
