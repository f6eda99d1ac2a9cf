"""Activation Flow: how strongly a transformer encodes each token, layer by layer.

Implements and goes beyond "Towards Explainability of SLMs by investigating Token Level
Activation" (arXiv 2605.22377). Nothing heavy is imported until it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from activation_flow.auditing import audit
    from activation_flow.data import ActivationFlowError
    from activation_flow.encoder import Encoder
    from activation_flow.files import load
    from activation_flow.reproducing import reproduce
    from activation_flow.result_audit import AuditResult
    from activation_flow.result_hidden import HiddenResults, HiddenStates
    from activation_flow.result_occurrences import Occurrences
    from activation_flow.result_prompts import PromptComparison, PromptsResult, PromptsResults
    from activation_flow.result_reproduction import Reproduction
    from activation_flow.result_shift import ShiftResult, ShiftResults
    from activation_flow.result_shift_summary import ShiftSummary
    from activation_flow.result_summary import Summary
    from activation_flow.results import (
        LayersResult,
        StrengthResult,
        StrengthResults,
        TextsFailed,
    )
    from activation_flow.run import Run
    from activation_flow.running import run_corpus

_HOME = {
    "ActivationFlowError": "data",
    "AuditResult": "result_audit",
    "Encoder": "encoder",
    "HiddenResults": "result_hidden",
    "HiddenStates": "result_hidden",
    "LayersResult": "results",
    "Occurrences": "result_occurrences",
    "PromptComparison": "result_prompts",
    "PromptsResult": "result_prompts",
    "PromptsResults": "result_prompts",
    "Reproduction": "result_reproduction",
    "Run": "run",
    "ShiftResult": "result_shift",
    "ShiftResults": "result_shift",
    "ShiftSummary": "result_shift_summary",
    "StrengthResult": "results",
    "StrengthResults": "results",
    "Summary": "result_summary",
    "TextsFailed": "results",
    "audit": "auditing",
    "load": "files",
    "reproduce": "reproducing",
    "run_corpus": "running",
}

__all__ = [
    "ActivationFlowError",
    "AuditResult",
    "Encoder",
    "HiddenResults",
    "HiddenStates",
    "LayersResult",
    "Occurrences",
    "PromptComparison",
    "PromptsResult",
    "PromptsResults",
    "Reproduction",
    "Run",
    "ShiftResult",
    "ShiftResults",
    "ShiftSummary",
    "StrengthResult",
    "StrengthResults",
    "Summary",
    "TextsFailed",
    "audit",
    "load",
    "reproduce",
    "run_corpus",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(f"activation_flow.{_HOME[name]}"), name)
    raise AttributeError(f"module 'activation_flow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
