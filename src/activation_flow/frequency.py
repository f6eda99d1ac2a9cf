"""How often tokens occur: log f of each, from the vocabulary, the corpus, or a file of counts.

Frequency is the baseline that strength must beat, so where it comes from is always said. Knows the
vocabulary of an encoder and no model. A proxy and a corpus's own counts need no file.
"""

import os
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import counts_file
from activation_flow.audit_data import PerToken
from activation_flow.counts_file import Counts
from activation_flow.data import ActivationFlowError, Ids, Mask

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

VOCABULARY, CORPUS = "vocabulary", "corpus"


def source(
    spec: "str | os.PathLike[str]",
    ids: Ids,
    encoder: "Encoder",
    special: Mask | None = None,
) -> tuple[PerToken, str]:
    """Log f of every token, and where it comes from.

    Args:
        spec: "vocabulary": −log(number + 1), a proxy: vocabularies are mostly in the order of
            frequency; "corpus": the log of how often the number occurs in ``ids``; else a file of
            counts, see ``counts_file.read``.
        ids: vocabulary numbers of the tokens of all texts, duplicates removed.
        encoder: whose numbers they are; its vocabulary is asked for files that name tokens.
        special: True for special tokens: of them no frequency is given, and none is counted.

    Returns:
        [tokens], NaN where the source does not say; and one sentence for people.

    Raises:
        ActivationFlowError: the file cannot be read, is of none of these forms, or knows none of
            the tokens.
    """
    own = np.ones(len(ids), dtype=bool) if special is None else ~special
    if spec == VOCABULARY:
        found, note = -np.log1p(ids.astype(np.float64)), _PROXY
    elif spec == CORPUS:
        count = np.bincount(ids[own]) if own.any() else np.zeros(0)
        found = _log(count, ids)
        note = f"log of how often the token occurs among the {own.sum():,} of these texts"
    else:
        found, note = _from_file(os.fspath(spec), ids, encoder, own)
    return np.where(own, found, np.nan), note


_PROXY = (
    "−log(vocabulary number + 1), a proxy and no count: WordPiece numbers go by frequency "
    "(bert-base-uncased: Spearman −0.90 with counts), those of byte-level BPE by merges; noisy at "
    "their head, where special and byte tokens are"
)


def _log(count: PerToken, ids: Ids) -> PerToken:
    """Log of the count of each number; NaN beyond the last, and of 0."""
    known = ids < len(count)
    of = np.zeros(len(ids))
    of[known] = count[ids[known]]
    return np.log(of, where=of > 0, out=np.full(len(ids), np.nan))


def _from_file(path: str, ids: Ids, encoder: "Encoder", own: Mask) -> tuple[PerToken, str]:
    counts = counts_file.read(path)
    numbers, unknown = _numbers(counts, encoder)
    size = max(int(numbers.max(initial=0)), int(ids.max(initial=0))) + 1
    # Several rows of one token, as of a word in two spellings, are summed.
    found = _log(np.bincount(numbers, counts.count[~unknown], size), ids)
    share = np.isfinite(found[own]).mean() if own.any() else 0.0
    if not share:
        raise ActivationFlowError(
            f"{path} knows none of the {own.sum():,} tokens; it must name the tokens of "
            f"{encoder.model}, as they are spelled there, or their numbers"
        )
    note = f"log of the counts of {path}, which knows {share:.1%} of the tokens"
    if strange := int(unknown.sum()):
        note += f"; {strange:,} of its {len(unknown):,} rows are not in the vocabulary"
    return found, note


def _numbers(counts: Counts, encoder: "Encoder") -> tuple[Ids, Mask]:
    """The vocabulary number of each row that has one, and which rows have none."""
    vocabulary = encoder.vocabulary()
    if counts.id is not None:
        unknown = ~np.isin(counts.id, np.fromiter(vocabulary.values(), np.int64, len(vocabulary)))
        return counts.id[~unknown], unknown
    of = np.array([vocabulary.get(token, -1) for token in counts.token], dtype=np.int64)
    return of[of >= 0], of < 0
