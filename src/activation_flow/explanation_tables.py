"""The rows of an audit that tell how good scores are as explanations, and what prompts do.

No logic. What has nothing to say is None, and the reason stands beside it.
"""

from dataclasses import dataclass

from activation_flow.audit_data import Interval


@dataclass(frozen=True, kw_only=True)
class FaithfulRow:
    """How much the model's output hangs on the words that a score puts first.

    Distances are those of ``output``. AOPC: mean over k = 1 .. ⌈n/2⌉ of n words (DeYoung 2020,
    arXiv:1911.03429). Normalised: 0 for the lowest and 1 for the highest that random orders of the
    same words give (after Edin 2024, arXiv:2408.08137).

    Attributes:
        score: its name.
        title: in words.
        role: as in ``Score``.
        layer: None where it belongs to none.
        output: what is measured: its name in words.
        operator: what becomes of a removed word: ``masked``, ``deleted`` or ``blanked``.
        main: the output and operator that C6 is judged by.
        comprehensiveness: AOPC of removing the first k words; high is good.
        comprehensiveness_interval: 95 %, over texts and word types.
        sufficiency: AOPC of keeping the first k words only; low is good.
        sufficiency_interval: likewise.
        normalised: comprehensiveness between the bounds of random orders; None where there are no
            bounds for this output and operator.
        normalised_interval: likewise.
        normalised_sufficiency: likewise of sufficiency; low is good.
        difference: the norm's ``normalised`` less this one's, of the same texts (where there are
            no bounds: the comprehensiveness's); None for the norm itself.
        difference_interval: 95 %, over texts and word types.
        tau: mean Kendall τ with the order of leave-one-out (occlusion).
        pieces: mean number of pieces of a word that is removed: equal words are not equal pieces.
        texts: how many were judged.
        missing: why there is no number; "" where there is.
        norm: what ``difference`` takes this one's from: the norm's, of the same texts; None for
            the norm itself.
        compared: of how many texts ``difference`` and ``norm`` are: those that both have, and that
            have bounds where it is ``normalised``.
    """

    score: str
    title: str
    role: str
    layer: int | None
    output: str
    operator: str
    main: bool
    comprehensiveness: float | None
    comprehensiveness_interval: Interval | None
    sufficiency: float | None
    sufficiency_interval: Interval | None
    normalised: float | None
    normalised_interval: Interval | None
    normalised_sufficiency: float | None
    difference: float | None
    difference_interval: Interval | None
    tau: float | None
    pieces: float | None
    texts: int
    missing: str = ""
    norm: float | None = None
    compared: int = 0


@dataclass(frozen=True, kw_only=True)
class PlausibleRow:
    """How well a score finds the words that people marked, text by text.

    Attributes:
        score: its name.
        title: in words.
        role: as in ``Score``.
        layer: None where it belongs to none.
        precision: mean average precision (AP) over texts.
        interval: of it, 95 %, over texts and word types.
        chance: mean over texts of what AP is expected to be in a random order, exactly.
        auprc: mean area under the curve of precision and recall, by trapezoids (ERASER).
        f1: mean token F1 of the first m words, m the number that was marked.
        f1_high: mean token F1 of the HIGH words: above the upper quartile of their text.
        iou: share of texts in which the first m words and the marked ones overlap by half.
        difference: the norm's AP less this one's, of the same texts; None for the norm itself.
        difference_interval: 95 %, over texts and word types.
        texts: how many were judged.
        words: how many words they have.
        missing: why there is no number; "" where there is.
        norm: the norm's AP on the same texts; None for the norm itself.
        compared: of how many texts ``difference`` and ``norm`` are: those that both have.
    """

    score: str
    title: str
    role: str
    layer: int | None
    precision: float | None
    interval: Interval | None
    chance: float | None
    auprc: float | None
    f1: float | None
    f1_high: float | None
    iou: float | None
    difference: float | None
    difference_interval: Interval | None
    texts: int
    words: int
    missing: str = ""
    norm: float | None = None
    compared: int = 0


@dataclass(frozen=True, kw_only=True)
class ProbeRow:
    """How well people's labels can be read from a text's vector under a prompt, at a layer.

    Attributes:
        prompt: None: the bare text.
        layer: of the hidden states.
        vector: ``anchor`` (cls, else the last token or the mean) or ``mean`` of the text's tokens.
        accuracy: share of texts whose label a cross-validated logistic probe gives.
        interval: of it, 95 %, over texts.
        chance: share of the most frequent label.
        gain: accuracy less that of the bare text, of the same texts; None for the bare text.
        gain_interval: 95 %, over texts.
        shift: mean over texts of how far the vector moves from the bare text's; None for it.
        cosine: the same as 1 − cos.
        texts: how many.
    """

    prompt: str | None
    layer: int
    vector: str
    accuracy: float
    interval: Interval
    chance: float
    gain: float | None
    gain_interval: Interval | None
    shift: float | None
    cosine: float | None
    texts: int


@dataclass(frozen=True, kw_only=True)
class StableRow:
    """How much of a score's order is left where a text is changed a little.

    Attributes:
        change: ``case``, ``final period``, ``prefix``, ``typo`` or ``paraphrase``.
        score: its name.
        title: in words.
        layer: None where it belongs to none.
        tau: mean Kendall τ-b of the scores of aligned tokens; chance gives 0.
        tau_interval: 95 %, over texts.
        jaccard: mean Jaccard index of the HIGH tokens before and after; None where none is HIGH.
        jaccard_interval: likewise.
        chance: mean over texts of the Jaccard index of as many tokens drawn blindly, exactly.
        same: share of texts that the model reads no different (an uncased model, under case).
        texts: how many.
        tokens: how many aligned tokens.
        note: what was done to the texts.
        missing: why there is no number; "" where there is.
    """

    change: str
    score: str
    title: str
    layer: int | None
    tau: float | None
    tau_interval: Interval | None
    jaccard: float | None
    jaccard_interval: Interval | None
    chance: float | None
    same: float
    texts: int
    tokens: int
    note: str = ""
    missing: str = ""
