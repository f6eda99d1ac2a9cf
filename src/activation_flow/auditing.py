"""The composition of an audit: a model and a corpus -> verdicts, and every number behind them.

What is claimed stands in claims.py, the tests in claim_tests*.py, scores in scoring.py, norms.py
and attention.py; here it is said what is done with which texts, and in what order.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from activation_flow import (
    __version__,
    attention,
    audit_pairs,
    audit_rows,
    claim_tests,
    confounds,
    eager,
    frequency as frequencies,
    material,
    norms,
    ratios,
    scoring,
    shuffled,
    text_pairs,
    threshold_sweep,
    verdicts,
)
from activation_flow.audit_data import AuditTokens, Control, PerToken, Score, Tested
from activation_flow.audit_pairs import Moved
from activation_flow.data import ActivationFlowError, Mask, Strength
from activation_flow.material import Material
from activation_flow.result_audit import AuditResult

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

log = logging.getLogger("activation_flow")
