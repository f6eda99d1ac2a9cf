"""How far the model's output moves when one word is hidden: the plainest score there is.

Every word is hidden alone, all of its pieces at once, by the operator that leaves all tokens at
their places. What words do together is not seen.
"""

from time import perf_counter

import numpy as np

from activation_flow import outputs, perturbing
from activation_flow.audit_data import AuditTokens, PerToken, Score
from activation_flow.data import Ids
from activation_flow.eager import Sample
from activation_flow.encoder import Encoder
from activation_flow.heads import Headed
from activation_flow.tokens import Encoded
from activation_flow.units import Units

NAME, TITLE = "occlusion", "occlusion"


def score(encoder: Encoder, headed: Headed, sampled: Sample, units: Units) -> tuple[Score, ...]:
    """Occlusion of every word of a sample of texts.

    Args:
        encoder: of the audit.
        headed: its model.
        sampled: the texts.
        units: the words of all texts of the audit.
    """
    values, began = sampled.empty(), perf_counter()
    starts = np.searchsorted(sampled.tokens.text, range(len(sampled.encoded)))
    for done, i in enumerate(sampled.texts, 1):
        one = sampled.encoded[i]
        rows = slice(int(starts[i]), int(starts[i]) + len(one.text))
        values[rows] = of_text(headed, one, units.of_token[rows])
        if sampled.watch is not None:
            sampled.watch(done, len(sampled.texts))
    seconds = perf_counter() - began
    how = perturbing.replacing(headed)
    end = "0 by construction for a word of one token that nothing follows; "
    note = (
        f"{outputs.NAMES[headed.kind][0]} of a text and of the same with all pieces of one word "
        f"{how}; each piece gets its word's; {end if headed.kind == 'next' else ''}{sampled.note}"
    )
    return (
        Score(
            name=NAME,
            title=TITLE,
            layer=None,
            values=values,
            seconds_per_1000_tokens=seconds * 1000 / len(sampled),
            role="baseline",
            note=note,
        ),
    )


def unavailable(tokens: AuditTokens, reason: str) -> list[Score]:
    """The same, of a model that cannot be asked: the row says why."""
    none = np.full(len(tokens), np.nan)
    return [Score(name=NAME, title=TITLE, layer=None, values=none, role="baseline", missing=reason)]


def of_text(headed: Headed, one: Encoded, unit: Ids) -> PerToken:
    """One value per token of a text; NaN for tokens of no word, and of words that never go.

    Where the model is asked several questions about the text, each about words that then stay, the
    mean of those in which the word goes.

    Args:
        headed: the model.
        one: the text.
        unit: [tokens], numbers of their words, in any numbering; -1 where of none.
    """
    local = perturbing.numbered(unit)
    n = int(local.max(initial=-1)) + 1
    sums, asked = np.zeros(n), np.zeros(n)
    for question in outputs.questions(headed, one, local):
        free = perturbing.free_units(question, local)
        alone = np.eye(n, dtype=bool)[free]
        moved, _ = perturbing.distances(
            headed, question, local, alone, perturbing.replacing(headed)
        )
        sums[free] += moved
        asked[free] += 1
    mean = np.full(n + 1, np.nan)  # the last one is that of tokens of no word
    mean[:n][asked > 0] = sums[asked > 0] / asked[asked > 0]
    found: PerToken = mean[local]
    return found
