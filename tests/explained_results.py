"""Rows of an audit on explanations, prompts and stability, made up; some words are hostile."""

from dataclasses import replace
from typing import Any

from activation_flow.audit_data import Interval
from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, ProbeRow, StableRow

# Name, title, role, layer, normalised comprehensiveness, AP.
SCORES = (
    ("occlusion", "occlusion (each word masked)", "baseline", None, 0.741, 0.433),
    ("integrated", "integrated gradients", "baseline", None, 0.622, 0.412),
    ("gradient_input", "gradient × input", "baseline", None, 0.571, 0.398),
    ("frequency", "rarity (−log f)", "baseline", None, 0.561, 0.455),
    ("norm", "norm", "strength", 4, 0.543, 0.441),
    ("layer_0_norm", "norm at layer 0 (embeddings)", "baseline", None, 0.538, 0.447),
    ("standardised", "norm of standardised dimensions", "variant", 4, 0.522, 0.404),
    ("random", "random numbers", "control", None, 0.497, 0.352),
    ("attention", "attention received", "baseline", None, 0.461, 0.339),
    ("norm", "norm", "strength", 6, 0.401, 0.372),
)
PROMPTS = (
    ("What is the feeling of this tweet? Answer with one word, please: angry, glad or sad:", 4.2),
    ("Tweet:", 1.9),
    ("Sentiment analysis.", 3.1),
    ("The weather is nice.", 2.8),
    ("</script><b>prompt</b>", 3.6),
    ("Read this:", 1.7),
)
_GAINS = (0.031, 0.004, 0.012, -0.009, 0.018, 0.003)
_CHANGES = {"case": 0.88, "final period": 0.93, "prefix": 0.71, "typo": 0.64, "paraphrase": 0.42}


def _about(value: float, half: float = 0.024) -> Interval:
    return round(value - half, 4), round(value + half, 4)


def faithful_rows() -> tuple[FaithfulRow, ...]:
    """Two outputs by two operators each, and one score that is not there."""
    rows = []
    for output, operator in (
        ("log-probability of the words that are left", "masked"),
        ("log-probability of the words that are left", "deleted"),
        ("1 − cos of the embedding", "masked"),
    ):
        main = (output, operator) == ("log-probability of the words that are left", "masked")
        for name, title, role, layer, value, _ in SCORES:
            less = None if (name, layer) == ("norm", 4) else round(0.543 - value, 4)
            rows.append(
                FaithfulRow(
                    **{"score": name, "title": title, "role": role, "layer": layer},
                    **{"output": output, "operator": operator, "main": main},
                    comprehensiveness=value + 1,
                    comprehensiveness_interval=_about(value + 1),
                    sufficiency=1.6 - value,
                    sufficiency_interval=_about(1.6 - value),
                    normalised=value if main else None,
                    normalised_interval=_about(value) if main else None,
                    normalised_sufficiency=1 - value if main else None,
                    difference=less,
                    difference_interval=None if less is None else _about(less, 0.02),
                    tau=value - 0.4,
                    pieces=1.24,
                    texts=64,
                )
            )
    none: dict[str, Any] = dict.fromkeys(
        (
            *("comprehensiveness", "comprehensiveness_interval", "sufficiency", "normalised"),
            *("sufficiency_interval", "normalised_interval", "normalised_sufficiency"),
            *("difference", "difference_interval", "tau", "pieces"),
        )
    )
    gone = {"score": "rollout", "title": "attention rollout", "texts": 0, "layer": None}
    why = "the architecture hides its attention"
    return (*rows, replace(rows[0], **none, **gone, role="baseline", missing=why))


def plausible_rows() -> tuple[PlausibleRow, ...]:
    """How each score finds marked words."""
    rows = []
    for name, title, role, layer, _, value in SCORES:
        less = None if (name, layer) == ("norm", 4) else round(0.441 - value, 4)
        rows.append(
            PlausibleRow(
                **{"score": name, "title": title, "role": role, "layer": layer},
                precision=value,
                interval=_about(value, 0.03),
                chance=0.348,
                auprc=value - 0.06,
                f1=value - 0.1,
                f1_high=value - 0.12,
                iou=0.08,
                difference=less,
                difference_interval=None if less is None else _about(less, 0.02),
                texts=1131,
                words=15117,
            )
        )
    none: dict[str, Any] = dict.fromkeys(
        ("precision", "interval", "chance", "auprc", "f1", "f1_high", "iou", "difference")
    )
    gone = {"score": "rollout", "title": "attention rollout", "texts": 0, "words": 0}
    rows.append(replace(rows[-1], **none, **gone, difference_interval=None, layer=None))
    rows[-1] = replace(rows[-1], role="baseline", missing="the architecture hides its attention")
    return tuple(rows)


def probe_rows() -> tuple[ProbeRow, ...]:
    """The bare text and six prompts, at two layers, by anchor and mean."""
    rows = []
    for layer in (0, 4):
        for vector in ("anchor", "mean"):
            bare = 0.52 if layer == 0 else 0.711
            given = {"layer": layer, "vector": vector, "chance": 0.512, "texts": 400}
            rows.append(
                ProbeRow(
                    **given,
                    prompt=None,
                    accuracy=bare,
                    interval=_about(bare, 0.04),
                    gain=None,
                    gain_interval=None,
                    shift=None,
                    cosine=None,
                )
            )
            for (prompt, shift), gain in zip(PROMPTS, _GAINS, strict=True):
                rows.append(
                    ProbeRow(
                        **given,
                        prompt=prompt,
                        accuracy=bare + gain,
                        interval=_about(bare + gain, 0.04),
                        gain=gain,
                        gain_interval=_about(gain, 0.015),
                        shift=shift * (1 + layer / 8),
                        cosine=shift / 40,
                    )
                )
    return tuple(rows)


def stable_rows() -> tuple[StableRow, ...]:
    """Five changes, the norm at each of three layers and a baseline; no paraphrases were given."""
    rows = []
    for change, tau in _CHANGES.items():
        there = change != "paraphrase"
        for name, title, layer, less in (
            ("norm", "norm", 0, -0.05),
            ("norm", "norm", 2, 0.02),
            ("norm", "norm", 4, 0.0),
        ):
            rows.append(
                StableRow(
                    **{"change": change, "score": name, "title": title, "layer": layer},
                    tau=tau - less if there else None,
                    tau_interval=_about(tau - less, 0.02) if there else None,
                    jaccard=tau - 0.1 if there else None,
                    jaccard_interval=_about(tau - 0.1, 0.03) if there else None,
                    chance=0.161 if there else None,
                    same=1.0 if change == "case" else 0.0,
                    texts=400 if there else 0,
                    tokens=6120 if there else 0,
                    note="upper and lower case exchanged" if change == "case" else "",
                    missing="" if there else "no --paraphrases were given",
                )
            )
    return tuple(rows)
