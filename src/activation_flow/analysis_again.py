"""Results made anew from the strengths that they hold: of words, with another quantile.

No model is run. τ, buckets and ranks are judged by the same steps as in analysis.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from activation_flow import analysis
from activation_flow.analysis import Buckets, Measured
from activation_flow.data import ActivationFlowError
from activation_flow.grouping import check_offsets, to_words
from activation_flow.results import StrengthResults

Many = TypeVar("Many", bound=StrengthResults)


def words(results: Many, how: str = "max") -> Many:
    """Results of pieces -> results of words; τ, buckets and ranks are made anew over words.

    Raises:
        ActivationFlowError: an unknown ``how``, the results are of words already, or it is not
            known where their tokens stand.
    """
    settings = results.provenance.settings
    if settings.get("words") is not None:
        raise ActivationFlowError(f"these results are of words already ({settings['words']})")
    check_offsets(results, results.provenance.model)
    measured = [
        (number, *to_words(result, result.strength, how))
        for number, result in zip(results.numbers, results, strict=True)
    ]
    return _judged(results, measured, words=how)


def rebucket(
    results: Many, quantile: float | None = None, quantile_method: str | None = None
) -> Many:
    """Results with another quantile; None keeps what they have.

    Raises:
        ActivationFlowError: the quantile is not a number of 0 to 1, or the method is unknown.
    """
    asked = {"quantile": quantile, "quantile_method": quantile_method}
    changed = {name: value for name, value in asked.items() if value is not None}
    measured = [
        (number, result, result.strength)
        for number, result in zip(results.numbers, results, strict=True)
    ]
    return _judged(results, measured, **changed)


def _judged(results: Many, measured: Sequence[Measured], **changed: Any) -> Many:
    """The same texts judged once more; what changed stands in the settings."""
    settings = {**results.provenance.settings, **changed}
    buckets = Buckets(**{f.name: settings[f.name] for f in fields(Buckets)})
    provenance = replace(results.provenance, settings=settings)
    judged = analysis.judge(measured, buckets, provenance, results.layers)
    return replace(results, results=judged, provenance=provenance)
