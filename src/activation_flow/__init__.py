"""Activation Flow: how strongly a transformer encodes each token, layer by layer.

Implements and goes beyond "Towards Explainability of SLMs by investigating Token Level
Activation" (arXiv 2605.22377). Nothing heavy is imported until it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from activation_flow.data import ActivationFlowError
    from activation_flow.encoder import Encoder
    from activation_flow.results import StrengthResult, StrengthResults
    from activation_flow.table import load

_HOME = {
    "ActivationFlowError": "data",
    "StrengthResult": "results",
    "StrengthResults": "results",
    "Encoder": "encoder",
    "load": "table",
}

__all__ = ["ActivationFlowError", "Encoder", "StrengthResult", "StrengthResults", "load"]


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for (PEP 562)."""
    if name in _HOME:
        return getattr(import_module(f"activation_flow.{_HOME[name]}"), name)
    raise AttributeError(f"module 'activation_flow' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
