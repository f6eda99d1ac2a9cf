"""What an audit says in sentences: verdicts counted, what normalisation does, what terms mean.

Chooses and words; computes nothing but which numbers are told.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from activation_flow.audit_data import (
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

EXPLORATORY = "Exploratory: looked at after the fact, no verdict rests on it."
MEANINGS = {
    SUPPORTED: "The audit looked for it and found it, and nothing simpler does as well.",
    NO_BETTER: "It is there, but something that knows nothing of the model's work does as well.",
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
        "Values that agree with what was measured. Crossed over texts and word types: the same "
        "word comes back in many texts, so neither tokens nor texts are independent of each other.",
    ),
    ("p", "How often labels without any meaning would give as much; drawn per word type."),
    (
        "p (Holm)",
        "The same, adjusted for all primary tests of the audit: the chance of even one false "
        "finding among them is at most 5 %.",
    ),
    (
        "p (BH)",
        "Adjusted over all rows of a table (Benjamini-Hochberg): of the rows below 0.05, about "
        "5 % or fewer are false findings.",
    ),
    (
        "primary test",
        "One for each claim, chosen before the data were seen; only these give verdicts.",
    ),
    ("exploratory", "All else: it may suggest what to test on other texts, and proves nothing."),
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
        return "No claim was tested."
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
            level = f"A token whose energy is spread evenly has S* = {number(norm.level)}."
            if norm.error is not None:
                within = share_text(norm.error) if norm.error >= 0.001 else "0.1 %"
                level += f" The formula of gains γ and offsets β gives every S within {within}."
            yield level
    elif norm.layout.startswith("pre"):
        name = norm.layout.removeprefix("pre-")
        yield (
            f"{where} is taken before a {name}: S is the size of the residual stream itself, which "
            "grows from layer to layer and which the next block divides out again."
        )
    else:
        yield f"{where}: no module was found whose output or input the hidden state is."
    if norm.note:
        yield norm.note
    yield from why_low(found, norm)


def why_low(found: AuditResult, norm: NormAtLayer) -> Iterator[str]:
    """Kinds with most of their energy where the gain is small, hence a low S; most first."""
    if not norm.layout.startswith("post"):
        return
    lowered = {kind: _lowering(rows) for kind, rows in kinds_of(found.dimensions).items()}
    shares = {kind: sum(row.share for row in low) for kind, low in lowered.items()}
    for kind in sorted(shares, key=lambda kind: -shares[kind]):
        low, share = lowered[kind], shares[kind]
        if share < 0.5:
            return
        dims = ", ".join(str(row.dim) for row in low)
        gains = ", ".join(number(row.gamma or 0.0) for row in low)
        many = len(low) > 1
        strength = norm.strength.get(kind)
        is_low = f" ({number(strength)} on average)" if strength is not None else ""
        name, own, have = _NOUNS.get(kind, (kind_text(kind), "its", "has"))
        yield (
            f"{name} {have} {share_text(share)} of {own} energy in dimension{'s' * many} {dims}, "
            f"whose gain{'s' * many} γ ({gains}) {'are' if many else 'is'} below the typical "
            f"{number(low[0].typical or 0.0)}: so {own} strength is low{is_low}."
        )


def _lowering(rows: Sequence[Dimension]) -> list[Dimension]:
    """Those whose gain is below the typical one."""
    return [
        row
        for row in rows
        if row.gamma is not None and row.typical and abs(row.gamma) < row.typical
    ]
