"""The trivial scores: what strength must beat to mean anything. No model is asked.

SCIENCE's list of them: frequency, length, position, sub-word, random; and the type residual, in
which only what the token's identity does not say is left. All look like any other score.
"""

from collections.abc import Iterator

import numpy as np

from activation_flow.audit_data import AuditTokens, PerToken, Score
from activation_flow.data import Strength
from activation_flow.score_vectors import omega_squared, type_residual


def trivial_scores(tokens: AuditTokens, seed: int) -> list[Score]:
    """Frequency, length, position, sub-word and one random score; special tokens as they come.

    Their cost is None: nothing is measured.
    """
    own = tokens.kind != "special"
    known = np.isfinite(tokens.frequency[own]).mean() if own.any() else 0.0
    return [
        _baseline(
            "frequency",
            tokens.frequency_name,
            -tokens.frequency,
            note=(
                f"−log of the token's frequency, known of {known:.1%} of the tokens that are not "
                "special"
            ),
            missing="" if known else "the frequency of no token is known",
        ),
        _baseline("length", "length", tokens.length, note="letters of the token's word"),
        _baseline(
            "position",
            "position in the text",
            tokens.position,
            note="0 for the first and 1 for the last token that is not special",
        ),
        _baseline(
            "subword",
            "is a later piece of a word",
            tokens.subword,
            note="1 for every piece of a word but its first, else 0",
        ),
        _baseline(
            "random",
            "random",
            next(random_scores(tokens, 1, seed)),
            role="control",
            note=f"one draw of standard normal numbers, seed {seed}",
        ),
    ]


def of_layer_0(
    values: PerToken, seconds: float | None, share: tuple[float, float] | None = None
) -> Score:
    """The norm at layer 0 as a baseline of all layers."""
    return Score(
        name="layer_0_norm",
        title="norm at layer 0 (embeddings)",
        layer=None,
        values=values,
        seconds_per_1000_tokens=seconds,
        role="baseline",
        top_share=share,
        note="‖h‖ before the first block; its cost is that of the pass that gives all norms",
    )


def _baseline(
    name: str, title: str, values: PerToken, *, note: str, role: str = "baseline", missing: str = ""
) -> Score:
    return Score(
        name=name,
        title=title,
        layer=None,
        values=np.asarray(values, dtype=np.float64),
        role=role,
        note=note,
        missing=missing,
    )


def random_scores(tokens: AuditTokens, draws: int, seed: int) -> Iterator[PerToken]:
    """So many random scores, one after the other; the first is the one that ``random`` shows."""
    source = np.random.default_rng(seed)
    for _ in range(draws):
        yield source.standard_normal(len(tokens))


def type_residuals(
    tokens: AuditTokens,
    norms: Strength,
    layers: tuple[int, ...],
    *,
    cost: float | None = None,
) -> tuple[list[Score], tuple[float, ...]]:
    """What is left of S when the token's identity is known, and how much that identity explains.

    Special tokens have no residual and take no part in ω². Tokens without a strength (NaN) neither.

    Args:
        tokens: of the texts.
        norms: S, [layers tokens].
        layers: the numbers of these.
        cost: seconds per 1,000 tokens of S; the mean of a token takes next to nothing more.

    Returns:
        A score and an ω² of each layer.
    """
    scores: list[Score] = []
    explained: list[float] = []
    for layer, strength in zip(layers, norms, strict=True):
        judged = (tokens.kind != "special") & np.isfinite(strength)
        values = np.full(len(tokens), np.nan)
        values[judged] = type_residual(strength[judged], tokens.id[judged])
        share = omega_squared(strength[judged], tokens.id[judged])
        single = int(np.isnan(values[judged]).sum())
        scores.append(
            Score(
                name="type_residual",
                title="norm, less its mean for this token elsewhere",
                layer=layer,
                values=values,
                seconds_per_1000_tokens=cost if single < judged.sum() else None,
                note=(
                    "S − mean S of the other tokens of the same vocabulary number (leave-one-out); "
                    f"{single} tokens occur once and have none; identity explains "
                    f"{f'{share:.1%}' if np.isfinite(share) else 'an unknown part'} of the "
                    "variance of S (ω²)"
                ),
                missing="" if single < judged.sum() else "no token occurs twice",
            )
        )
        explained.append(share)
    return scores, tuple(explained)
