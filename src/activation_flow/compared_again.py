"""Comparisons made anew from the shifts and strengths that they hold: with another quantile.

No model is run, and no vector is needed: which tokens are HIGH, and what they hold of the shift, is
judged by the same steps as in analysis_shift and analysis_prompts. Of strengths: analysis_again.
"""

from dataclasses import fields, replace
from typing import Any

from activation_flow import analysis_prompts, two_texts
from activation_flow.alignment import Alignment
from activation_flow.analysis import Buckets
from activation_flow.data import Provenance
from activation_flow.prompting import Prompting
from activation_flow.result_prompts import PromptsResult
from activation_flow.result_shift import ShiftResult
from activation_flow.two_texts import Comparing


def shift(result: ShiftResult, quantile: float) -> ShiftResult:
    """What ``encoder.shift`` gives with this quantile, value for value; τ is of each text.

    Raises:
        ActivationFlowError: it is no quantile.
    """
    provenance, buckets = _asked(result.provenance, quantile)
    comparing = Comparing(**_of(Comparing, provenance))
    rows = Alignment(result.a_index, result.b_index, result.change)
    moved = two_texts.Moved(
        number=1,
        a=(1, result.a, result.a.strength),
        b=(1, result.b, result.b.strength),
        rows=rows,
        shift=result.shift[None],
        cosine_distance=result.cosine_distance[None],
    )
    (found,) = two_texts.judge([moved], buckets, comparing, provenance, result.a.layers)
    return replace(
        result,
        a=found.a,
        b=found.b,
        high=found.high[0],
        concentration=found.concentration[0],
        provenance=provenance,
    )


def prompts(result: PromptsResult, quantile: float) -> PromptsResult:
    """What ``encoder.prompts`` gives with this quantile, value for value; τ is of each variant.

    Raises:
        ActivationFlowError: it is no quantile.
    """
    provenance, buckets = _asked(result.provenance, quantile)
    asked = Prompting(**{**_of(Prompting, provenance), "prompts": result.prompts})
    rows = tuple(
        (Alignment(one.a_index, one.b_index, one.change), one.part, one.shift, one.cosine_distance)
        for one in result.comparisons
    )
    moved = analysis_prompts.Moved(
        number=1,
        text=result.text,
        variants=tuple((variant, variant.strength) for variant in result.variants),
        anchor=result.anchor,
        anchor_shift=result.anchor_shift,
        anchor_cosine=result.anchor_cosine,
        rows=rows,
    )
    return analysis_prompts.judge([moved], asked, buckets, provenance, result.layers)[0]


def _asked(head: Provenance, quantile: float) -> tuple[Provenance, Buckets]:
    provenance = replace(head, settings={**head.settings, "quantile": quantile})
    return provenance, Buckets(**_of(Buckets, provenance))


def _of(kind: type[Any], head: Provenance) -> dict[str, Any]:
    return {field.name: head.settings[field.name] for field in fields(kind)}
