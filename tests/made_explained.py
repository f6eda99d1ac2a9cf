"""Rows of explanations, made up: strength ahead of all else unless told otherwise."""

from activation_flow.explanation_tables import FaithfulRow, PlausibleRow, ProbeRow

TITLES = {
    "norm": "norm",
    "attention": "attention received, mean of all layers",
    "gradient_input": "gradient × input",
    "gradient_norm": "norm of the gradient",
    "integrated": "integrated gradients",
    "integrated_second": "integrated gradients, second baseline",
    "frequency": "rarity by vocabulary rank",
    "layer_0_norm": "norm at layer 0 (embeddings)",
    "random": "random",
}
AHEAD = (0.2, (0.1, 0.3))


def made_faithful(**ahead):
    """A row of each score, by how much the norm is ahead of some: attention=(-.1, (-.2, 0))."""
    rows = []
    for name, title in TITLES.items():
        difference, interval = (None, None) if name == "norm" else ahead.get(name, AHEAD)
        rows.append(
            FaithfulRow(
                score=name,
                title=title,
                role="strength" if name == "norm" else "baseline",
                layer=2 if name == "norm" else None,
                output="1 − cosine",
                operator="masked",
                main=True,
                comprehensiveness=0.1,
                comprehensiveness_interval=(0.05, 0.15),
                sufficiency=0.2,
                sufficiency_interval=(0.15, 0.25),
                normalised=0.7 if name == "norm" else 0.5,
                normalised_interval=(0.6, 0.8),
                normalised_sufficiency=0.3,
                difference=difference,
                difference_interval=interval,
                tau=0.2,
                pieces=1.2,
                texts=40,
                norm=None if name == "norm" else 0.7,
                compared=0 if name == "norm" else 40,
            )
        )
    return tuple(rows)


def made_plausible(**ahead):
    """The same of plausibility."""
    rows = []
    for name, title in TITLES.items():
        difference, interval = (None, None) if name == "norm" else ahead.get(name, AHEAD)
        rows.append(
            PlausibleRow(
                score=name,
                title=title,
                role="strength" if name == "norm" else "baseline",
                layer=2 if name == "norm" else None,
                precision=0.6 if name == "norm" else 0.4,
                interval=(0.3, 0.7),
                chance=0.33,
                auprc=0.4,
                f1=0.4,
                f1_high=0.35,
                iou=0.3,
                difference=difference,
                difference_interval=interval,
                texts=50,
                words=600,
                norm=None if name == "norm" else 0.6,
                compared=0 if name == "norm" else 50,
            )
        )
    return tuple(rows)


def made_probes(gains=(0.1, 0.05, 0.0, -0.02, -0.05), *, layer=2, helps=True):
    """The bare text and a prompt for each gain, at one layer, on the anchor."""
    prompts = (None, *(f"Prompt {k}" for k in range(1, len(gains) + 1)))
    rows = []
    for prompt, gain in zip(prompts, (None, *gains), strict=True):
        low = 0.01 if helps and gain == max(gains) else -0.1
        rows.append(
            ProbeRow(
                prompt=prompt,
                layer=layer,
                vector="anchor",
                accuracy=0.6 + (gain or 0.0),
                interval=(0.5, 0.8),
                chance=0.55,
                gain=gain,
                gain_interval=None if gain is None else (low, gain + 0.1),
                shift=None if gain is None else 3 + 10 * gain,
                cosine=None if gain is None else 0.1,
                texts=100,
            )
        )
    return tuple(rows)
