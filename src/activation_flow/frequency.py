"""How often tokens occur: log f of each, from the vocabulary, the corpus, or a file of counts.

Frequency is the baseline that strength must beat, so where it comes from is always said. Knows the
vocabulary of an encoder and no model. A proxy and a corpus's own counts need no file.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import counts_file
from activation_flow.audit_data import PerToken
from activation_flow.counts_file import Counts
from activation_flow.data import ActivationFlowError, Ids, Mask

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

VOCABULARY, CORPUS = "vocabulary", "corpus"


@dataclass(frozen=True, eq=False)
class Frequencies:
    """Log f of tokens by one source, which was read once.

    Attributes:
        name: what −log f is called beside other scores: "rarity by ...".
        note: where it comes from, one sentence for people.
        count: how often each vocabulary number occurs; None: its place in the vocabulary is taken.
    """

    name: str
    note: str
    count: PerToken | None = None

    def of(self, ids: Ids, special: Mask | None = None) -> PerToken:
        """Log f of each number, of any texts; NaN where the source does not say, and if special."""
        found = -np.log1p(ids.astype(np.float64)) if self.count is None else _log(self.count, ids)
        return found if special is None else np.where(special, np.nan, found)


def source(
    spec: "str | os.PathLike[str]",
    ids: Ids,
    encoder: "Encoder",
    special: Mask | None = None,
) -> Frequencies:
    """Where log f of tokens comes from, ready to be asked.

    Args:
        spec: "vocabulary": −log(number + 1), a proxy: vocabularies are mostly in the order of
            frequency; "corpus": the log of how often the number occurs in ``ids``; else a file of
            counts, see ``counts_file.read``.
        ids: vocabulary numbers of the tokens of all texts, duplicates removed.
        encoder: whose numbers they are; its vocabulary is asked for files that name tokens.
        special: True for special tokens: of them no frequency is given, and none is counted.

    Raises:
        ActivationFlowError: the file cannot be read, is of none of these forms, or knows none of
            the tokens.
    """
    own = np.ones(len(ids), dtype=bool) if special is None else ~special
    if spec == VOCABULARY:
        return Frequencies("rarity by vocabulary rank", _PROXY)
    if spec == CORPUS:
        note = f"log of how often the token occurs among the {own.sum():,} of these texts"
        return Frequencies("rarity by counts of this corpus", note, np.bincount(ids[own]))
    return _from_file(Path(spec).expanduser(), ids[own], encoder)


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


def _from_file(path: Path, ids: Ids, encoder: "Encoder") -> Frequencies:
    counts = counts_file.read(str(path))
    numbers, unknown = _numbers(counts, encoder)
    # Several rows of one token, as of a word in two spellings, are summed.
    count = np.bincount(numbers, counts.count[~unknown])
    share = np.isfinite(_log(count, ids)).mean() if len(ids) else 0.0
    if not share:
        raise ActivationFlowError(
            f"{path} knows none of the {len(ids):,} tokens; it must name the tokens of "
            f"{encoder.model}, as they are spelled there, or their numbers"
        )
    note = f"log of the counts of {path}, which knows {share:.1%} of the tokens"
    if strange := int(unknown.sum()):
        note += f"; {strange:,} of its {len(unknown):,} rows are not in the vocabulary"
    return Frequencies(f"rarity by counts of {path.name}", note, count)


def _numbers(counts: Counts, encoder: "Encoder") -> tuple[Ids, Mask]:
    """The vocabulary number of each row that has one, and which rows have none."""
    vocabulary = encoder.vocabulary()
    if counts.id is not None:
        unknown = ~np.isin(counts.id, np.fromiter(vocabulary.values(), np.int64, len(vocabulary)))
        return counts.id[~unknown], unknown
    of = np.array([vocabulary.get(token, -1) for token in counts.token], dtype=np.int64)
    return of[of >= 0], of < 0
