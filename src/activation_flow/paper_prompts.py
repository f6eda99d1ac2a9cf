"""Section 3.2.3 and Figures 4 to 7 of the paper through a model: what its prompts move.

The paper gives no value, does not say how prompt and sentence are joined, and names a prompt in
its figures that is not in its text. So three templates are tried, and tokens are aligned both by
the text's own characters and, as in the paper's tables, index by index.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from activation_flow.paper import Row, counted, measured, published
from activation_flow.paper_places import Probe
from activation_flow.result_prompts import PromptsResult

TEMPLATES = {
    "plain": "{prompt} {text}",
    "colon": "{prompt}: {text}",
    "the-sentence": "{prompt} the sentence: {text}",
}
FIGURES = ("figure-4", "figure-5", "figure-6")


@dataclass(frozen=True)
class Steering:
    """What the prompts of section 3.2.3 move.

    Attributes:
        templates: the prompts of the text and "Classify sentiment", by each template.
        by_position: the prompts of the figures, aligned index by index.
        by_text: the same, the sentence's tokens aligned by its characters; None where the
            tokenizer does not say which characters a token stands for.
    """

    templates: dict[str, PromptsResult]
    by_position: PromptsResult
    by_text: PromptsResult | None

    @property
    def aligned(self) -> list[tuple[str, PromptsResult]]:
        """The prompts of the figures in each way in which they are aligned."""
        both = (("text", self.by_text), ("position", self.by_position))
        return [(how, result) for how, result in both if result is not None]


def steer(probe: Probe) -> Steering:
    """Run the sentence under all prompts."""
    about = published()["prompts"]
    figures, text = about["figures_prompts"], about["text"]
    prompts = [*about["prompts"], *(p for p in figures if not _named(p, about["prompts"]))]
    run, layers = probe.encoder.prompts, probe.layers
    # The anchor is the same however tokens are aligned; by position, any tokenizer can.
    templates = {
        name: run(text, prompts, template=template, layers=layers, align="position")
        for name, template in TEMPLATES.items()
    }
    by_position = run(text, figures, layers=layers, align="position")
    known = all((variant.start >= 0).any() for variant in by_position.variants)
    return Steering(templates, by_position, run(text, figures, layers=layers) if known else None)


def _named(prompt: str, others: list[str]) -> bool:
    return any(prompt.startswith(other) for other in others)


def rows(probe: Probe, found: Steering) -> Iterator[Row]:
    """All rows of this file."""
    for name, result in found.templates.items():
        yield from _anchor(probe, name, result)
    for figure in FIGURES:
        for name, result in found.aligned:
            yield from _totals(probe, figure, name, result)
    yield _largest(probe, found.by_position)
    yield from _drift(probe, found)


def _anchor(probe: Probe, name: str, result: PromptsResult) -> Iterator[Row]:
    """Δ and 1 − cos of the vector that stands for the whole, for every pair of prompts."""
    where, k = published()["prompts"]["place"], probe.index
    for one in result.comparisons:
        a, b = (str(result.prompts[i]) for i in (one.a, one.b))
        id_ = f"section-3.2.3/{name}/{_slug(a)}/{_slug(b)}"
        about = f"of the anchor, {a} → {b}, “{result.template}”, {probe.name(probe.main)}"
        for quantity, symbol, values in (
            ("shift", "Δ", result.anchor_shift[:, one.a, one.b]),
            ("cosine", "1 − cos", result.anchor_cosine[:, one.a, one.b]),
        ):
            others = (
                f"layer {layer}: {value:.4g}"
                for layer, value in zip(probe.layers, values, strict=True)
                if layer != probe.main
            )
            note = f"{'; '.join(others)}; anchor: {_anchor_name(result)}"
            value = float(values[k]) if np.isfinite(values[k]) else None
            yield measured(
                f"{id_}/{quantity}", where, f"{symbol} {about}", None, value, note, of=probe.of
            )


def _anchor_name(result: PromptsResult) -> str:
    names = {"cls": "the first token, [CLS]", "last": "the last token", "mean": "the mean vector"}
    return names.get(result.anchor, result.anchor)


def pair_of(figure: str, result: PromptsResult) -> tuple[int, int]:
    """Which two of the prompts a figure is about; it names them in their order."""
    a, b = (result.prompts.index(prompt) for prompt in published()[figure]["prompts"])
    return a, b


def _totals(probe: Probe, figure: str, name: str, result: PromptsResult) -> Iterator[Row]:
    """Sum and mean of the shifts of a figure, whose bars have no printed values."""
    about = published()[figure]
    one = result.comparison(*pair_of(figure, result))
    n, k = int(one.paired.sum()), probe.index
    how = "by the sentence's characters" if name == "text" else "index by index"
    alone = len(one) - n
    note = f"{n} pairs aligned {how}; {alone} tokens without a partner"
    if name == "position":
        replaced = int((one.change[one.paired] == "replaced").sum())
        note += f"; {replaced} of the pairs are two different tokens"
    for quantity, value in (("total", one.total_shift[k]), ("mean", one.mean_shift[k])):
        yield measured(
            f"{figure}/{quantity}/{name}",
            about["place"],
            f"{quantity} Δ, {' → '.join(about['prompts'])}, {probe.name(probe.main)}",
            None,
            float(value) if np.isfinite(value) else None,
            note,
            of=probe.of,
        )


def _largest(probe: Probe, result: PromptsResult) -> Row:
    """Which token of Figure 5 shifts most, index by index."""
    about = published()["prompts"]
    a, b = pair_of("figure-5", result)
    moved = result.between(a, b, probe.main)
    k = int(np.nanargmax(np.where(moved.kind == "special", np.nan, moved.shift)))
    pair = moved.pairs[k]
    part = str(result.comparison(a, b).part[k])
    return counted(
        "figure-5/largest",
        about["place"],
        f"the largest Δ, index by index, {probe.name(probe.main)}",
        about["largest"],
        f"{pair.a} → {pair.b}, {pair.shift:.3f}",
        part in ("prompt", "mixed"),
        f"“{about['largest_quote']}”; a token of one prompt against a token of the other is "
        "a replaced word",
        of=probe.of,
    )


def _drift(probe: Probe, found: Steering) -> Iterator[Row]:
    """Figure 7: which two prompts are furthest apart, by total and by mean shift."""
    about = published()["figure-7"]
    for name, result in found.aligned:
        for quantity, matrix in (("total", result.drift), ("mean", result.mean_drift)):
            values = {
                f"{result.prompts[c.a]} / {result.prompts[c.b]}": matrix[probe.index, c.a, c.b]
                for c in result.comparisons
            }
            yield measured(
                f"figure-7/{quantity}/{name}",
                about["place"],
                f"prompts with the largest {quantity} Δ, {probe.name(probe.main)}",
                None,
                max(values, key=lambda pair: values[pair]),
                "; ".join(f"{pair} {value:.3f}" for pair, value in values.items())
                + (f"; aligned by {name}" + ("" if quantity == "mean" else ", grows with length")),
                of=probe.of,
            )


def _slug(prompt: str) -> str:
    return prompt.lower().replace(" ", "-")
