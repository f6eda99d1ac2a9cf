"""The charts of an audit: which there are, what each means, and whether there is anything in it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from activation_flow import charts_audit_claims as claims
from activation_flow import charts_audit_explained as explained
from activation_flow import charts_audit_layers as layers
from activation_flow import charts_audit_sweeps as sweeps
from activation_flow import charts_theme as theme
from activation_flow.charts_theme import Figure
from activation_flow.data import ActivationFlowError
from activation_flow.document_audit import known
from activation_flow.picture_audit import surplus, swept
from activation_flow.result_audit import AuditResult


@dataclass(frozen=True)
class _Chart:
    """A kind of chart.

    Attributes:
        title: in a page.
        sentence: what it means.
        draw: makes it.
        there: whether the audit has numbers for it.
    """

    title: str
    sentence: str
    draw: Callable[[AuditResult], Any]
    there: Callable[[AuditResult], bool]


CHARTS = {
    "layers": _Chart(
        "Scores, layer by layer",
        "How often a score sets a content word above a function word of the same text. What counts "
        "is not whether the norm is above 0.5, but whether it is above the dashed lines.",
        layers.layers,
        layers.drawable,
    ),
    "claims": _Chart(
        "Each claim beside chance",
        "A line that crosses the dashed one is what chance could give, too.",
        claims.claims,
        lambda found: bool(found.claims),
    ),
    "faithful": _Chart(
        "What the output hangs on",
        "The output moves more when words are removed that it hangs on. A score whose line crosses "
        "the dashed one may be no better than a random order.",
        explained.faithful,
        lambda found: bool(explained.drawable_faithful(found)),
    ),
    "plausible": _Chart(
        "Found and marked",
        "How well a score finds the words that people marked, beside what a random order gives.",
        explained.plausible,
        lambda found: bool(explained.drawable_plausible(found)),
    ),
    "prompts": _Chart(
        "Shift and gain",
        "If prompts helped by shifting a text, the points would rise from left to right.",
        explained.prompts,
        lambda found: bool(explained.drawable_prompts(found)),
    ),
    "stable": _Chart(
        "Before and after",
        "How much of the order of the tokens, and of the HIGH ones, is left.",
        explained.stable,
        lambda found: bool(explained.drawable_stable(found)),
    ),
    "thresholds": _Chart(
        "Other thresholds",
        "A lower threshold makes more content words HIGH, and more others. No threshold makes both "
        "rates high unless strength itself tells the kinds apart.",
        sweeps.thresholds,
        lambda found: bool(swept(found)),
    ),
    "ratios": _Chart(
        "R_H beside chance and rivals",
        "Above 0 a bucket holds more of the shift than as many tokens chosen blindly. What counts "
        "are the unchanged tokens: that a replaced word moves is no finding.",
        sweeps.ratios,
        lambda found: bool(surplus(found)),
    ),
    "confounds": _Chart(
        "Frequency, length and position",
        "What is left of the effect among words that are alike in what a simpler story says.",
        sweeps.confounds,
        lambda found: any(row.value is not None for row in found.confounds),
    ),
    "dimensions": _Chart(
        "Dimensions that carry the strength",
        "A token whose energy sits in dimensions of a small gain γ has a low strength, whatever it "
        "means.",
        sweeps.dimensions,
        lambda found: bool(found.dimensions),
    ),
    "controls": _Chart(
        "What must say nothing",
        "A copy of the model with shuffled weights, and numbers drawn blindly: the audit must find "
        "nothing in them.",
        claims.controls,
        claims.any_controls,
    ),
    "cost": _Chart("Cost", "Seconds of computing for 1,000 tokens.", claims.cost, claims.has_cost),
}
USUAL = "layers"


@theme.unchecked
def chart(found: AuditResult, name: str | None = None) -> Any:
    """One picture of an audit; the scores layer by layer if none is named and they are there.

    Raises:
        ActivationFlowError: there is no such picture, or nothing to draw in it.
    """
    found = known(found)
    wanted = _usual(found) if name is None else name
    if wanted not in CHARTS:
        raise ActivationFlowError(f"there is no chart {name!r}; there are: {', '.join(CHARTS)}")
    if not CHARTS[wanted].there(found):
        there = ", ".join(one for one, about in CHARTS.items() if about.there(found))
        raise ActivationFlowError(
            f"there is nothing to draw in chart {wanted!r} of this audit; there is in: "
            f"{there or 'none'}"
        )
    return theme.finished(CHARTS[wanted].draw(found))


def _usual(found: AuditResult) -> str:
    """The scores layer by layer; of an audit without them, the first that has anything."""
    there = (name for name, about in CHARTS.items() if about.there(found))
    return USUAL if CHARTS[USUAL].there(found) else next(there, USUAL)


@theme.unchecked
def figures(found: AuditResult) -> dict[str, Figure]:
    """Those of a page that have something in them, by their names."""
    found = known(found)
    return {
        name: Figure(name, about.title, about.sentence, theme.finished(about.draw(found)))
        for name, about in CHARTS.items()
        if about.there(found)
    }
