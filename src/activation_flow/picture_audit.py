"""The words of an audit, for terminal, charts and page: numbers, sentences, what terms mean.

Chooses and names; computes nothing but which numbers are shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite

from activation_flow.audit_data import (
    NO_BETTER,
    NOT_SUPPORTED,
    NOT_TESTABLE,
    SUPPORTED,
    VERDICTS,
    Claim,
    Dimension,
    Interval,
    NormAtLayer,
    ScoreRow,
)
from activation_flow.picture import model_line, number, token_text
from activation_flow.result_audit import AuditResult

NOTHING = "none"
EXPLORATORY = "Exploratory: looked at after the fact, no verdict rests on it."
MEANINGS = {
    SUPPORTED: "The audit looked for it and found it, and nothing simpler does as well.",
    NO_BETTER: "It is there, but something that knows nothing of the model's work does as well.",
    NOT_SUPPORTED: "The audit looked for it and did not find it here. That is no proof against it.",
    NOT_TESTABLE: "These texts, or this model, do not hold what the test needs.",
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
    ("k/n", "The part that k of n tokens hold if they are chosen blindly: what R_H is set against."),
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


def about_line(found: AuditResult) -> str:
    """Model, layer, corpus, and how much of it there is."""
    layer = model_line(found.provenance, (found.layer,))
    where = found.input or "texts given in Python"
    return f"{layer}; {where}: {size_line(found)}"


def size_line(found: AuditResult) -> str:
    """How many texts and tokens, of which kinds."""
    counts = found.counts
    parts = [counted(name, counts[name]) for name in ("texts", "tokens") if name in counts]
    kinds = [f"{counts[kind]:,} {kind}" for kind in ("content", "function") if kind in counts]
    return ", ".join(parts) + (f" ({' and '.join(kinds)})" if kinds else "")


def counted(name: str, n: int) -> str:
    """A count and its noun.

    >>> counted("texts", 1), counted("word_types", 1204)
    ('1 text', '1,204 word types')
    """
    noun = name.replace("_", " ")
    return f"{n:,} {noun.removesuffix('s') if n == 1 else noun}"


def counts_text(n: Mapping[str, int]) -> str:
    """How many there were of what."""
    return ", ".join(counted(name, value) for name, value in n.items())


def value_text(value: float | None) -> str:
    """A number; "none" where there is none."""
    return NOTHING if value is None or not isfinite(value) else number(value)


def interval_text(interval: Interval | None) -> str:
    """Both ends; "" where there is no interval.

    >>> interval_text((0.79, 0.856))
    '[0.790, 0.856]'
    """
    if interval is None or not all(map(isfinite, interval)):
        return ""
    return f"[{number(interval[0])}, {number(interval[1])}]"


def effect_text(value: float | None, interval: Interval | None) -> str:
    """A number and its interval."""
    return f"{value_text(value)} {interval_text(interval)}".rstrip()


def p_text(p: float | None) -> str:
    """A p-value; no more digits than it can have.

    >>> p_text(0.0004), p_text(0.0312), p_text(None)
    ('< 0.001', '0.031', 'none')
    """
    if p is None or not isfinite(p):
        return NOTHING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def seconds_text(seconds: float | None) -> str:
    """What a score costs.

    >>> seconds_text(1.234), seconds_text(0.00012), seconds_text(None)
    ('1.23', '0.00012', 'not measured')
    """
    return "not measured" if seconds is None or not isfinite(seconds) else f"{seconds:.3g}"


def share_text(share: float | None) -> str:
    """A part of a whole, in per cent."""
    return NOTHING if share is None or not isfinite(share) else f"{100 * share:.1f} %"


def kind_text(kind: str) -> str:
    """A kind, or a special token by its spelling; nothing hides in it."""
    return token_text(kind or "unknown")


def where_text(found: AuditResult, layer: int | None) -> str:
    """A layer as tables name it."""
    if layer is None:
        return "any"
    last = found.provenance.final_norm and layer == found.provenance.n_layers
    return f"{layer}, final norm" if last else str(layer)


def scores_at(found: AuditResult, layer: int) -> list[ScoreRow]:
    """The scores of one layer, and those that belong to none; best first, then what is missing."""
    rows = [row for row in found.scores if row.layer in (layer, None)]
    return sorted(rows, key=lambda row: -1.0 if row.auc is None else row.auc, reverse=True)


def norm_at(found: AuditResult) -> NormAtLayer | None:
    """What normalisation does at the layer of the claims."""
    return next((row for row in found.norms if row.layer == found.layer), None)


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
                level += (
                    f" From its gains γ and offsets β alone the formula gives every measured S "
                    f"within {share_text(norm.error)}."
                    if norm.error >= 0.001
                    else " The formula of gains γ and offsets β gives every measured S within 0.1 %."
                )
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


def kinds_of(rows: Sequence[Dimension]) -> dict[str, list[Dimension]]:
    """The dimensions of each kind, those with most energy first."""
    kinds: dict[str, list[Dimension]] = {}
    for row in sorted(rows, key=lambda row: -row.share):
        kinds.setdefault(row.kind, []).append(row)
    return {kind: kinds[kind] for kind in dict.fromkeys(row.kind for row in rows)}


def why_low(found: AuditResult, norm: NormAtLayer) -> Iterator[str]:
    """Kinds of token that have most of their energy where the gain is small: hence their low S."""
    if not norm.layout.startswith("post"):
        return
    for kind, rows in kinds_of(found.dimensions).items():
        low = [
            row
            for row in rows
            if row.gamma is not None and row.typical and abs(row.gamma) < row.typical
        ]
        share = sum(row.share for row in low)
        if share < 0.5:
            continue
        dims = ", ".join(str(row.dim) for row in low)
        gains = ", ".join(number(row.gamma or 0.0) for row in low)
        many = len(low) > 1
        strength = norm.strength.get(kind)
        is_low = f" ({number(strength)} on average)" if strength is not None else ""
        yield (
            f"{kind_text(kind)} has {share_text(share)} of its energy in dimension{'s' * many} "
            f"{dims}, whose gain{'s' * many} γ ({gains}) {'are' if many else 'is'} below the "
            f"typical {number(low[0].typical or 0.0)}: so its strength is low{is_low}."
        )


def topic(claim: Claim) -> str:
    """A claim by number and title."""
    return f"{claim.id} {claim.title}"


def null_text(claim: Claim) -> str:
    """What the effect would be by chance; "" where nobody can say."""
    return "" if claim.null is None else number(claim.null)
