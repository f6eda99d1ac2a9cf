"""What an audit says of explanations, prompts, stability and cost: tests and terms in words.

Chooses and words; computes nothing but how many times one cost is another.
"""

from collections.abc import Iterator

from activation_flow.audit_tables import ScoreRow
from activation_flow.picture_audit import scores_at, seconds_text
from activation_flow.picture_explained import (
    STRENGTH,
    bounded,
    faithful_main,
    outputs,
)
from activation_flow.result_audit import AuditResult

TITLES = {
    "faithful": "Faithfulness: does the model's output hang on the words a score puts first?",
    "plausible": "Plausibility: does it find the words that people marked?",
    "probes": "Prompts: how well can labels be read?",
    "stable": "Stability: is the order left where texts are changed a little?",
}
_NO_PASS = ("layer_0_norm", "embedding_row")  # of the norm's pass; rows of a table
_LESS = "norm − it (norm's: its own number): of the same texts; above 0 the norm does better"
_TAU = (
    "Kendall's τ",
    "Of two words or tokens, how often two orders agree on which comes first, less how often they "
    "do not: 1 is the same order, 0 what chance gives, −1 the reverse.",
)
_WORDS = {
    "faithful": (
        (
            "AOPC",
            "Area over the perturbation curve: mean over k = 1 .. ⌈n/2⌉ of how far the output "
            "moves when k of a text's n words are removed, in the order of a score.",
        ),
        (
            "comprehensiveness",
            "AOPC of removing the first k words: high where the output hangs on them.",
        ),
        (
            "sufficiency",
            "AOPC of keeping the first k words only: low where they are enough for the output.",
        ),
        (
            "normalised",
            "0 is the lowest and 1 the highest that random orders of the same words give: a text "
            "whose output hangs on nothing cannot make a score look bad, nor another one good. A "
            "score may be below 0 or above 1.",
        ),
        _TAU,
        (
            "intersection-union",
            "Where a claim says two things, both must hold: its p is the larger of the two, and "
            "the effect told is that one's.",
        ),
    ),
    "plausible": (
        (
            "AP",
            "Average precision, text by text: of the words down to each marked one, in the order "
            "of a score, the mean share that is marked. 1 where all marked words come first.",
        ),
        (
            "chance of AP",
            "What AP is expected to be in a random order, exactly; it is not 0, and the higher, "
            "the more of a text is marked.",
        ),
        (
            "F1 at m, F1 HIGH",
            "Agreement of two sets of words, mean of precision and recall (harmonic): the marked "
            "ones and the first m, as many as are marked; or those above the upper quartile.",
        ),
    ),
    "probes": (
        (
            "probe",
            "A logistic regression that reads a label from a text's vector, judged on texts it "
            "was not fitted on. What it can read the model need not use.",
        ),
        (
            "gain",
            "Accuracy of the probe under a prompt less that on the bare texts: the same texts, "
            "the same folds.",
        ),
    ),
    "stable": (
        _TAU,
        (
            "Jaccard index",
            "Of the tokens that are HIGH before or after a change, the share that is HIGH in "
            "both. By chance: what as many tokens drawn blindly give, exactly.",
        ),
    ),
}
_GAP = (
    "completeness gap",
    "Of integrated gradients: what the tokens get must sum to how far the output moved; by how "
    "much it does not, as a part of it. Above 2 % the steps are too coarse.",
)


def explained_definitions(found: AuditResult) -> Iterator[tuple[str, str]]:
    """Terms of the tables that are there, and what they mean."""
    there = (terms for name, terms in _WORDS.items() if getattr(found, name))
    yield from dict.fromkeys(term for terms in there for term in terms)
    if any(row.gap is not None for row in found.scores):
        yield _GAP


def columns_line(found: AuditResult, name: str) -> str:
    """What the columns of a table on a terminal mean, in plain words."""
    scale = "0 is the least and 1 the most that random orders give; "
    return {
        "faithful": "compr.: how far the output moves when the words that a score puts first are "
        "removed, high is good; suffic.: when they alone are kept, low is good; "
        f"{scale if bounded(found.faithful) else ''}{_LESS}; τ: agreement with the order of "
        "removing each word alone",
        "plausible": f"AP: how well the marked words come first, 1 is perfect; {_LESS}; F1 m: of "
        "the first m words, as many as are marked; F1 HIGH: of the words above the upper quartile "
        "of their text",
        "probes": "accuracy: share of texts whose label a probe reads from the vector; gain: above "
        "the bare text; shift: how far the vector moves from the bare text's",
        "stable": "τ: how much of the order of the tokens is left, 1 is all of it, 0 is chance; "
        "Jaccard: share of the HIGH tokens that are HIGH before and after; chance: of as many "
        "drawn blindly; same: texts that the model reads no different",
    }[name]


def section_sentence(found: AuditResult, name: str) -> str:
    """What a section of the page tests, and what it cannot say."""
    if name == "faithful":
        rows = faithful_main(found) or list(found.faithful)
        return (
            "The words that a score puts first are removed, or they alone are kept, and the "
            f"model's output is watched ({next(outputs(rows))}). Only the norm beside attention "
            "is tested (C6); all else is exploratory. A text without words is no text the model "
            "was made for: that is why random orders are beside it."
        )
    return {
        "plausible": "People marked the words that a label of a text rests on. That a score finds "
        "them says that it agrees with people, not that the model works like them. Only the norm "
        "beside attention is tested (C6); all else is exploratory.",
        "probes": "How well people's labels can be read from a text's vector when a prompt stands "
        "beside it. Tested is whether prompts that shift more also gain more (C10); each gain "
        "alone is exploratory.",
        "stable": "Exploratory: texts are changed in ways that leave what they mean, or nearly. A "
        "score that says what a text means should keep its order.",
    }[name]


def cost_line(found: AuditResult) -> str:
    """What the norm costs, and how many times as much attention and the dearest score do.

    What comes out of the norm's own pass, or of no pass of the model, is nothing to compare with.
    "" where the cost of the norm or of all others is not known.
    """
    rows = [row for row in scores_at(found, found.layer) if row.seconds_per_1000_tokens]
    norm = next((row for row in rows if row.role == STRENGTH), None)
    if norm is None:
        return ""
    unit = _seconds(norm)
    others = [
        row
        for row in rows
        if row.role == "baseline" and row.score not in _NO_PASS and _seconds(row) != unit
    ]
    if not others:
        return ""
    dearest = max(others, key=_seconds)
    attention = next((row for row in others if row.score.startswith("attention")), dearest)
    said = [
        f"{row.title}{', the dearest,' * (row is dearest)} {seconds_text(_seconds(row))} s "
        f"({_times(_seconds(row) / unit)} times)"
        for row in dict.fromkeys((attention, dearest))
    ]
    return (
        f"The norm takes {seconds_text(unit)} s per 1,000 tokens in the audit's engine; in the "
        f"live model {', '.join(said)}."
    )


def _seconds(row: ScoreRow) -> float:
    return row.seconds_per_1000_tokens or 0.0


def _times(ratio: float) -> str:
    """How many times, with two digits or so.

    >>> _times(2.14), _times(18.8), _times(1804.2), _times(0.034)
    ('2.1', '19', '1,804', '0.034')
    """
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 0.95 else f"{ratio:.2g}"
