"""What is said of norms follows from what was measured, and from nothing else."""

from dataclasses import replace

import pytest
from audit_results import audit_result

from activation_flow.audit_tables import NormAtLayer
from activation_flow.result_audit import AuditResult
from activation_flow.sentences_audit import norm_sentences

FOUND = audit_result()


def with_norms(*means: float, layout: str = "pre-LayerNorm") -> AuditResult:
    """Content words of these mean strengths, layer by layer from 2, before a LayerNorm."""
    rows = (
        NormAtLayer(layer=layer, layout=layout, strength={"content": mean, "function": mean + 1})
        for layer, mean in enumerate(means, 2)
    )
    return replace(FOUND, norms=tuple(rows))


def test_what_grows_is_said_to_grow() -> None:
    (first, *_) = norm_sentences(with_norms(5, 6, 8, 9))
    assert first.endswith(
        "which grows from layer 2 to layer 5 at every step, in the mean of every kind of token, "
        "and which the next block divides out again."
    )
    for means in ((5, 6, 6, 9), (9, 8, 7, 6)):
        (first, *_) = norm_sentences(with_norms(*means))
        assert first.endswith("the residual stream itself, which the next block divides out again.")


def at_layer(**columns: object) -> list[str]:
    rows = tuple(replace(r, **columns) if r.layer == FOUND.layer else r for r in FOUND.norms)
    return [*norm_sentences(replace(FOUND, norms=rows))]


@pytest.mark.parametrize(
    ("strength", "said"),
    [
        (8.2, ": so its strength is low (8.200 on average)."),
        (15.0, "; yet its strength is not below S* (15.000 on average)."),
        (None, " are below the typical 0.690."),
    ],
)
def test_a_strength_is_low_only_below_that_of_even_energy(
    strength: float | None, said: str
) -> None:
    means = {} if strength is None else {"[SEP]": strength}
    (line,) = (line for line in at_layer(strength=means) if line.startswith("[SEP] has"))
    assert line.endswith(said)


def test_both_errors_are_told() -> None:
    said = " ".join(at_layer(error=3e-7, audited_error=2e-3))
    assert "off by at most 3.0e-07 of it" in said
    assert "The strengths that the claims rest on" in said
    assert "off by at most 2.0e-03 of what is so computed" in said
    assert "claims rest on" not in " ".join(at_layer(error=3e-7, audited_error=None))
