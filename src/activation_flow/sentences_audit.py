"""What an audit says in sentences: verdicts counted, what normalisation does, what terms mean.

Chooses and words; computes nothing but which numbers are told.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from activation_flow.audit_tables import (
    NO_BETTER,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    VERDICTS,
    Dimension,
    NormAtLayer,
)
from activation_flow.picture import number
from activation_flow.picture_audit import kind_text, kinds_of, norm_at, share_text
from activation_flow.result_audit import AuditResult

WITHIN = 1e-4  # how well the formula of a norm module must give the strengths, relatively
EXPLORATORY = (
    "Exploratory: looked at after the fact. Verdicts use of it only what the rules of C3 (norms of "
    "all layers) and C5 (R of the buckets) name."
)
MEANINGS = {
    SUPPORTED: "Its declared test found it.",
    NO_BETTER: "Something simpler does at least as well, as far as this audit can tell.",
    NOT_SUPPORTED: "The audit looked for it and did not find it here. That is no proof against it.",
    NOT_TESTABLE: "These texts, or this model, do not hold what the test needs.",
}
# Kinds as the subject of a sentence; what else there is, is one special token.
_NOUNS = {
    "content": ("Content words", "their", "have"),
    "function": ("Function words", "their", "have"),
    "punctuation": ("Punctuation", "its", "has"),
    "special": ("Special tokens", "their", "have"),
}
_SAID = {
    SUPPORTED: ("is supported", "are supported"),
    NO_BETTER: ("is no better than its baseline", "are no better than their baselines"),
    NOT_SUPPORTED: ("is not supported", "are not supported"),
    NOT_TESTABLE: ("cannot be tested", "cannot be tested"),
}
DEFINITIONS = (
    (
        "strength S",
        "L2 norm of a token's hidden state at a layer. A claim about S is no claim about what the "
        "model uses: the audit tests what S goes with, not what it causes.",
    ),
    (
        "AUC",
        "Of a content word and a function word of the same text, how often the content word has "
        "the higher score; ties count half. 0.5 is what any score without information gives, 1 is "
        "perfect order, 0 perfect order the other way round.",
    ),
    (
        "95 % interval",
        "Values that agree with what was measured: how far the number would move with other texts "
        "and other words. A wide one means that these texts do not settle it.",
    ),
    (
        "crossed interval",
        "The same word comes back in many texts, so neither tokens nor texts are independent. The "
        "variance is that between texts plus that between word types, less that within both.",
    ),
    (
        "p",
        "How often it would come out as large if there were nothing. Small is rare: below 0.05 "
        "counts as found. It does not say how large the effect is, nor how likely the claim.",
    ),
    (
        "permutation over word types",
        "The kinds (content, function ...) are dealt out anew among the words, all tokens of a "
        "word getting the same one; p = (1 + draws that reach the number) / (1 + draws). The "
        "number is the statistic's distance from no effect over the root of the summed squares of "
        "what each word weighs in that deal, for deals do not scatter alike.",
    ),
    (
        "p (Holm)",
        "Adjusted for all primary tests of the audit: the chance of even one false finding among "
        "them is at most 5 %. The smallest p is taken times their number, the next times one less.",
    ),
    (
        "p (BH)",
        "Benjamini-Hochberg, over all rows of one table (scores; thresholds): of those below 0.05, "
        "about 5 % or fewer are false findings. Milder than Holm; for what is exploratory.",
    ),
    (
        "primary test",
        "One for each claim, chosen before the data were seen; only these give verdicts.",
    ),
    (
        "exploratory",
        "All else, but the norms of all layers for C3 and R of the buckets for C5, whose rules "
        "name them: it may suggest what to test on other texts, and proves nothing.",
    ),
    ("R_H", "The part of the shift between two texts that the HIGH tokens of the first hold."),
    (
        "k/n",
        "The part that k of n tokens hold if they are chosen blindly: what R_H is set against.",
    ),
    ("HIGH", "S above the upper quartile of its text, unless a table says otherwise."),
)


def summary_line(found: AuditResult) -> str:
    """The verdicts, counted: "Of 8 claims, 2 are supported and 6 ..."."""
    counts = Counter(claim.verdict for claim in found.claims)
    total = sum(counts.values())
    if not total:
        return "No claim was asked for."
    parts = [
        f"{counts[verdict]} {_SAID[verdict][counts[verdict] > 1]}"
        for verdict in VERDICTS
        if counts[verdict]
    ]
    listed = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
    return f"Of {total} claim{'s' * (total > 1)}, {listed}."


def norm_sentences(found: AuditResult) -> Iterator[str]:
    """What normalisation does to the strength at the layer of the claims, in plain words."""
    norm = norm_at(found)
    if norm is None:
        return
    where = f"Layer {norm.layer}"
    if norm.layout.startswith("post"):
        name = norm.layout.removeprefix("post-")
        yield (
            f"{where} is taken behind a {name}, which divides the size of a vector out: S says "
            "in which dimensions a token has its energy, not how much of it there is."
        )
        if norm.level is not None:
            yield f"A token whose energy is spread evenly has S* = {number(norm.level)}."
        if norm.error is not None:
            yield _formula(norm.error)
        if norm.audited_error is not None:
            yield (
                "The strengths that the claims rest on, which the audit's engine measured, are off "
                f"by at most {norm.audited_error:.1e} of what is so computed."
            )
    elif norm.layout.startswith("pre"):
        name = norm.layout.removeprefix("pre-")
        yield (
            f"{where} is taken before a {name}: S is the size of the residual stream itself, which "
            f"{_growing(found)}the next block divides out again."
        )
    else:
        yield f"{where}: no module was found whose output or input the hidden state is."
    if norm.note:
        yield norm.note
    yield from why_low(found, norm)


def _growing(found: AuditResult) -> str:
    """A clause on the mean strengths of all kinds of tokens, where they grow at every layer."""
    rows = sorted(found.norms, key=lambda row: row.layer)
    rows = [row for row in rows if row.layout.startswith("pre") and row.strength]
    pairs = [*pairwise(rows)]
    grows = pairs and all(
        kind in above.strength and above.strength[kind] > mean
        for below, above in pairs
        for kind, mean in below.strength.items()
    )
    if not grows:
        return ""
    ends = f"from layer {rows[0].layer} to layer {rows[-1].layer}"
    return f"grows {ends} at every step, in the mean of every kind of token, and which "


def _formula(error: float) -> str:
    """How well S follows from the module's own parameters, beside the bound that is promised.

    >>> _formula(3.1e-7)[-54:]
    'off by at most 3.1e-07 of it (promised: within 1e-04).'
    """
    said = (
        "Computed from the normalised state, gains γ and offsets β alone, S is "
        f"off by at most {error:.1e} of it (promised: within {WITHIN:.0e})"
    )
    return f"{said}." if error <= WITHIN else f"{said}: do not trust what is said below."


def why_low(found: AuditResult, norm: NormAtLayer) -> Iterator[str]:
    """Where each kind has its energy, and whether the gains there are small; the weakest first."""
    kinds = kinds_of(found.dimensions)
    if not norm.layout.startswith("post") or not kinds:
        return
    weakest_first = sorted(kinds, key=lambda kind: norm.strength.get(kind, float("inf")))
    for kind in weakest_first:
        rows = kinds[kind]
        low = _lowering(rows)
        share = sum(row.share for row in low)
        strength = norm.strength.get(kind)
        mean = f" ({number(strength)} on average)" if strength is not None else ""
        name, own, have = _NOUNS.get(kind, (kind_text(kind), "its", "has"))
        if not low:
            dims = ", ".join(str(row.dim) for row in rows)
            yield (
                f"{name} {have} no gain below the typical one where {own} energy is most "
                f"(dimensions {dims}): nothing there lowers {own} strength{mean}."
            )
            continue
        gains = ", ".join(number(row.gamma or 0.0) for row in low)
        many, dims = len(low) > 1, ", ".join(str(row.dim) for row in low)
        yield (
            f"{name} {have} {share_text(share)} of {own} energy in dimension{'s' * many} {dims}, "
            f"whose gain{'s' * many} γ ({gains}) {'are' if many else 'is'} below the typical "
            f"{number(low[0].typical or 0.0)}{_effect(own, share, strength, norm.level)}{mean}."
        )
    yield from _shared(kinds, norm)


def _effect(own: str, share: float, strength: float | None, level: float | None) -> str:
    """What small gains do to the strength of a kind, if it is below that of evenly spread energy.

    >>> _effect("its", 0.84, 8.2, 13.8), _effect("its", 0.2, 8.2, 13.8)
    (': so its strength is low', ', which lowers its strength')
    >>> _effect("its", 0.84, 14.5, 13.8)
    '; yet its strength is not below S*'
    """
    if strength is None or level is None:
        return ""
    if strength >= level:
        return f"; yet {own} strength is not below S*"
    return f": so {own} strength is low" if share >= 0.5 else f", which lowers {own} strength"


def _shared(kinds: Mapping[str, Sequence[Dimension]], norm: NormAtLayer) -> Iterator[str]:
    """The one dimension of a small gain that several kinds have most of their energy in."""
    first = Counter(row.dim for rows in kinds.values() for row in _lowering(rows[:1]))
    dim, n = first.most_common(1)[0] if first else (0, 0)
    if n < 2:
        return
    held = {kind: row for kind, rows in kinds.items() for row in rows if row.dim == dim}
    most_first = sorted(held, key=lambda kind: -held[kind].share)
    listed = ", ".join(
        f"{share_text(held[kind].share)} ({kind if kind in _NOUNS else kind_text(kind)})"
        for kind in most_first
    )
    strengths = [norm.strength[kind] for kind in most_first if kind in norm.strength]
    ordered = len(strengths) == len(held) and strengths == sorted(strengths)
    more = ": the larger this share, the lower the mean S" if ordered else ""
    yield (
        f"Dimension {dim} holds most energy of {n} of these {len(kinds)} kinds, in the mean "
        f"{listed}{more}."
    )


def _lowering(rows: Sequence[Dimension]) -> list[Dimension]:
    """Those whose gain is below the typical one."""
    return [
        row
        for row in rows
        if row.gamma is not None and row.typical and abs(row.gamma) < row.typical
    ]
