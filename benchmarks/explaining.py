"""Simulated explanations: what calibration.py plants for C6 and C11.

The model's output is a sum of its words' effects, each of which has a level of its type and one of
its own. A score is good so far as it knows the types' levels. Tokens stand for words here.
"""

import numpy as np

from activation_flow.audit_data import AuditTokens
from activation_flow.claim_tests_better import Measure
from activation_flow.text_means import share_of_marked

OF_TYPE, NOISE = 0.7, 0.7  # of scores: standard deviations of the types' levels and of noise
OF_EFFECT, OWN = 0.7, 0.35  # of the logarithm of an effect, likewise
MARKED, ALWAYS, STRAY = 0.2, 0.75, 0.03  # share of types that are marked, how often, and others

Random = np.random.Generator


def unrelated(random: Random, tokens: AuditTokens) -> np.ndarray:
    """A score that knows nothing but words: a level for every type, and noise."""
    level = random.normal(0, OF_TYPE, int(tokens.type.max()) + 1)[tokens.type]
    return level + random.normal(0, NOISE, len(tokens))


def by_frequency(random: Random, tokens: AuditTokens) -> np.ndarray:
    """A score that prefers the same few words everywhere."""
    return tokens.frequency + random.normal(0, 0.1, len(tokens))


def rank(tokens: AuditTokens, score: np.ndarray) -> np.ndarray:
    """Place of each word in its text by a score, from 0, the highest."""
    order = np.lexsort((-score, tokens.text))
    place = np.empty(len(tokens), dtype=np.int64)
    place[order] = np.arange(len(tokens)) - np.searchsorted(tokens.text, tokens.text)
    return place


def chosen(tokens: AuditTokens, score: np.ndarray) -> np.ndarray:
    """For how many of k = 1 .. ⌈n/2⌉ the word is among the first k, as a share."""
    half = (np.bincount(tokens.text)[tokens.text] + 1) // 2
    return np.maximum(0, half - rank(tokens, score)) / half


def faithfulness(
    random: Random,
    tokens: AuditTokens,
    size: float,
    *,
    common: float = 0.0,
    frequent: bool = False,
    normalised: bool = True,
) -> Measure:
    """Comprehensiveness of one score less another's.

    Args:
        random: of levels and noise.
        tokens: whose words.
        size: how well the one knows the types' effects.
        common: and how well both do.
        frequent: the other prefers the most frequent words.
        normalised: from 0 to 1 between the worst and the best order.
    """
    level = random.normal(0, 1, int(tokens.type.max()) + 1)[tokens.type]
    effect = np.exp(OF_EFFECT * level + random.normal(0, OWN, len(tokens)))
    one = unrelated(random, tokens) + (size + common) * level
    other = by_frequency(random, tokens) if frequent else unrelated(random, tokens) + common * level
    shares = [chosen(tokens, score) for score in (one, other, effect, -effect)]
    moved = [np.bincount(tokens.text, share * effect) for share in shares]
    scale = moved[2] - moved[3] if normalised else np.bincount(tokens.text, effect)
    return Measure(
        name="faithfulness",
        per_text=(moved[0] - moved[1]) / scale,
        share=np.abs(shares[0] - shares[1]),
        unit_text=tokens.text,
        unit_type=tokens.type,
    )


def average_precision(tokens: AuditTokens, score: np.ndarray, marked: np.ndarray) -> np.ndarray:
    """[texts], NaN where nothing is marked."""
    place = rank(tokens, score)
    first = np.searchsorted(tokens.text, tokens.text)
    in_order = np.empty(len(tokens))
    in_order[first + place] = marked
    so_far = np.concatenate([[0], np.cumsum(in_order)])
    precision = (so_far[first + place + 1] - so_far[first]) / (place + 1)
    found = np.bincount(tokens.text, marked, tokens.n_texts)
    found[found == 0] = np.nan
    return np.bincount(tokens.text, precision * marked, tokens.n_texts) / found


def marks(random: Random, tokens: AuditTokens, *, types: bool = True) -> np.ndarray:
    """Content words that people marked: most often certain types, or blind to types."""
    share = np.full(int(tokens.type.max()) + 1, MARKED * ALWAYS)
    if types:
        share = np.where(random.random(len(share)) < MARKED, ALWAYS, STRAY)
    return (random.random(len(tokens)) < share[tokens.type]) & (tokens.kind == "content")


def plausibility(
    random: Random, tokens: AuditTokens, size: float, *, types: bool = True
) -> Measure:
    """Average precision of one score less another's; size: by how much marked words are higher."""
    marked = marks(random, tokens, types=types)
    scores = unrelated(random, tokens) + size * marked, unrelated(random, tokens)
    one, other = (average_precision(tokens, score, marked) for score in scores)
    return Measure(
        name="plausibility",
        per_text=one - other,
        share=share_of_marked(marked, tokens.text),
        unit_text=tokens.text,
        unit_type=tokens.type,
    )


def salient(random: Random, tokens: AuditTokens, share: float, slope: float) -> np.ndarray:
    """Content words of types that are salient; with a slope, the rarer more often."""
    content = tokens.kind == "content"
    rarity = np.median(tokens.frequency[content]) - tokens.frequency
    odds = share / (1 - share) * np.exp(slope * rarity)
    of_type = random.random(int(tokens.type.max()) + 1)[tokens.type]
    return content & (of_type < odds / (1 + odds))
