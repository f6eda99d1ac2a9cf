"""The files that an audit takes beside its texts: all read, or refused, before a model runs."""

from dataclasses import dataclass

from activation_flow import labelled, rationales, salient_words, text_pairs
from activation_flow.audit_options import Options
from activation_flow.labelled import Labelled
from activation_flow.material import Material
from activation_flow.rationales import Marked
from activation_flow.text_pairs import TextPairs


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
    if "pairs" in needed and options.pairs is None:
        pairs = text_pairs.replaced(found, sample=sample, seed=seed)
    elif "pairs" in needed and options.pairs is not None:
        pairs = text_pairs.read(options.pairs, kinds=found.kinds, sample=sample, seed=seed)
    return Files(
        pairs=pairs,
        marked=None
        if options.rationales is None
        else rationales.read(options.rationales, texts=options.texts, seed=seed),
        salient=None if options.salient is None else salient_words.read(options.salient),
        labelled=None if options.labels is None else labelled.read(options.labels, seed=seed),
        paraphrases=None
        if options.paraphrases is None
        else text_pairs.read(options.paraphrases, kinds=found.kinds, sample=sample, seed=seed),
    )
