"""How many there were of what, as the notes of an audit tell it: a line for texts, tokens, files.

Computes nothing. Every name that an audit counts under has words here.
"""

from collections.abc import Iterator, Mapping

from activation_flow.picture_audit import counted
from activation_flow.result_audit import AuditResult

# What counts are of, where their name does not say it.
_COUNTS = {
    "blank": "blank rows left out",
    "rejected": "rows that could not be read",
    "duplicates": "duplicates left out",
    "distinct": "different texts",
    "sampled": "of these taken",
    "refused": "texts refused",
    "failed": "texts without a result",
    "long": "texts longer than the model reads",
    "content": "of content words",
    "function": "of function words",
    "punctuation": "of punctuation",
    "special": "special",
    "unknown": "of unknown kind",
    "types": "word types",
    "sample": "texts in the sample of slow scores",
    "explained": "texts for gradients",
    "perturbed": "texts from which words are removed",
    "changed_case": "texts of changed case",
    "changed_final_period": "texts with a changed final period",
    "changed_prefix": "texts with a prefix",
    "changed_typo": "texts with a typo",
    "paraphrases": "pairs of a text and its paraphrase",
}
# What is told together, and what need not be told where it is as many as another.
_GROUPS = {
    "texts": (
        *("rows", "blank", "rejected", "duplicates", "distinct", "sampled", "refused", "failed"),
        *("texts", "long", "windows", "sample", "explained", "perturbed"),
    ),
    "tokens": ("tokens", "content", "function", "punctuation", "special", "unknown", "types"),
    "stability": (
        *("changed_case", "changed_final_period", "changed_prefix", "changed_typo", "paraphrases"),
    ),
}
_SAME_AS = {"distinct": "texts", "sampled": "texts", "windows": "texts"}
_OF_FILE = {
    "blank": "blank rows",
    "distinct": "different texts",
    "duplicates": "texts that stood there before",
}
# Of pairs and of each file: what a count is of whose name begins with that of the group.
BESIDE: Mapping[str, Mapping[str, str]] = {
    "pairs": {
        "asked": "pairs asked for",
        "failed": "pairs that could not be compared",
        "same": "pairs without a difference",
        "resized": "pairs in which no token is replaced by one other",
        "unaligned": "tokens without a partner",
        "high_unaligned": "HIGH tokens without a partner",
    },
    "rationales": {
        **_OF_FILE,
        "rejected": "texts that could not be read",
        "differing": "texts of which rows mark different words",
        "unmarked": "texts without a marked word",
        "all_marked": "texts with all words marked",
    },
    "labels": {
        **_OF_FILE,
        "rejected": "rows that could not be read",
        "without_text": "rows without a text",
        "without_label": "rows without a label",
        "repeated": "rows of a text that stood there before",
        "two_labels": "texts with two labels",
        "rare": "texts of a label that is too rare",
        "unread": "texts that the model could not read",
        "alike": "texts that the model reads as another one",
        "alike_two_labels": "texts read alike with two labels",
        "labels": "different labels",
        "unsettled": "probes that did not come to rest",
    },
}
_NOUNS = {"pairs": "pairs of texts"}  # of the group itself; of the others "texts"
# As many as the group itself: these say nothing then.
_NO_MORE = ("asked", "distinct", "texts", "rows")


def sizes(found: AuditResult) -> Iterator[str]:
    """All that was counted, a line for texts, tokens, pairs and each file.

    Nothing of what there is none of, nor twice what is as many: all texts taken are all texts.
    """
    counts = dict(found.counts)
    if not _sampled(found):
        counts.pop("sample", None)
    told = {name: n for name, n in counts.items() if n and n != counts.get(_SAME_AS.get(name, ""))}
    known = {name for names in _GROUPS.values() for name in names}
    for group, names in _GROUPS.items():
        mine = [name for name in names if name in told]
        if group == "tokens":  # whatever else is counted
            mine += [n for n in told if n not in known and not n.startswith((*BESIDE,))]
        if mine:
            parts = (counted(_COUNTS.get(name, name), told[name]) for name in mine)
            yield f"{group}: {', '.join(parts)}"
    for group, nouns in BESIDE.items():
        if group in counts:
            yield f"{group}: {_beside(group, nouns, counts)}"


def _sampled(found: AuditResult) -> bool:
    """Whether anything slow was measured, of a sample."""
    slow = ("attention", "rollout")
    return (
        bool(found.norms)
        or any(row.score.startswith(slow) and not row.missing for row in found.scores)
        or any(row.control.startswith("shuffled") for row in found.controls)
    )


def _beside(group: str, nouns: Mapping[str, str], counts: Mapping[str, int]) -> str:
    """How many are used, of how many rows; then what became of the others, and what is in them.

    Args:
        group: of which file.
        nouns: by the rest of a count's name.
        counts: all of them.
    """
    used = counts[group]
    own = {
        name.removeprefix(f"{group}_"): n
        for name, n in counts.items()
        if name.startswith(f"{group}_")
    }
    told = {name: n for name, n in own.items() if n and not (name in _NO_MORE and n == used)}
    of = f" of {counted('rows', told.pop('rows'))}" if "rows" in told else ""
    told.pop("texts", None)
    head = counted(_NOUNS.get(group, "texts"), used) + of
    return "; ".join(
        filter(None, (head, ", ".join(counted(nouns.get(k, k), n) for k, n in told.items())))
    )
