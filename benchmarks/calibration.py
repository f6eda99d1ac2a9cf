"""Do the audit's primary tests say yes where nothing is, and find what is there?

Corpora are simulated with what makes real ones hard: words that follow Zipf's law and recur in
other texts, levels of their own that words have at every place, levels of texts, and noise.

(a) Null: kinds are drawn per word type, blind to all else. Share of corpora in which the test
    rejects at 5 %, with its binomial interval.
(b) Planted: function words are few and frequent ("the" is 12 % of them), content words many, and
    the effect is of known size. Share of the 95 % intervals that hold the truth, and share of the
    tests that reject (power). Truth is theory where "mean" does not stand behind it, else the mean
    over the simulated corpora.

(c) --pigeonhole: coverage of C1's AUC by the bootstrap that draws texts and word types anew at once
    (Owen 2007, "The pigeonhole bootstrap"), beside ours.

Prints a table, writes nothing. All of it takes about 15 minutes on two cores.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import explaining
import numpy as np
from scipy.stats import binomtest, norm, spearmanr

from activation_flow.audit_data import AuditTokens, Tested
from activation_flow.claim_tests import (
    content_above_function,
    more_than_next,
    words_above_punctuation,
)
from activation_flow.claim_tests_better import better_than_attention
from activation_flow.claim_tests_confounds import beyond_confounds
from activation_flow.claim_tests_high import consistently_high
from activation_flow.claim_tests_layers import layer_stands_out
from activation_flow.claim_tests_prompts import shift_predicts_gain
from activation_flow.claim_tests_salient import salient_above_others
from activation_flow.claim_tests_shift import above_chance
from activation_flow.claim_tests_skew import right_skew
from activation_flow.within import by_kind, within_auc

LEVEL = 0.05
DRAWS = 199  # of each test: enough for a level of 5 %
TYPES = 4000
OF_TYPE, OF_TEXT, NOISE = 0.7, 0.4, 0.7  # standard deviations of levels and of noise
APART = np.hypot(OF_TYPE, NOISE) * np.sqrt(2)  # of the difference of two tokens of one text
LAYERS = 6
BOOTSTRAPS = 400
SIZES = (0.2, 0.5, 1.0)
TEXTS = (150, 300)

Random = np.random.Generator


@dataclass(frozen=True)
class World:
    """What words there are: how probable each type is, and of which kind."""

    probability: np.ndarray  # [types]
    kind: np.ndarray  # [types]


def zipf(n: int, flat: float = 2.7) -> np.ndarray:
    """Probabilities by rank, Zipf's law as Mandelbrot has it."""
    weight = 1 / (np.arange(n) + flat)
    return weight / weight.sum()


def blind(random: Random, slope: float = 0.0, names: tuple[str, str] = ("content", "function")):
    """Kinds drawn per type; with a slope, rarer types are more often of the first kind."""
    probability = zipf(TYPES)
    rarity = -np.log(probability) + np.log(probability).mean()
    first = random.random(TYPES) < 1 / (1 + np.exp(-slope * rarity))
    return World(probability, np.where(first, *names))


def english(words: float = 0.55) -> World:
    """4,000 content types, which share of the tokens, and 150 function types."""
    kinds = np.repeat(["content", "function"], [TYPES, 150])
    return World(np.concatenate([zipf(TYPES, 8) * words, zipf(150, 1.9) * (1 - words)]), kinds)


def with_punctuation(random: Random, *, drawn: bool) -> World:
    """Words, and 12 % punctuation of 12 types; drawn: the kinds of all types are, 12 % of them."""
    if drawn:
        return World(zipf(TYPES), np.where(random.random(TYPES) < 0.12, "punctuation", "content"))
    kinds = np.repeat(["content", "punctuation"], [TYPES, 12])
    return World(np.concatenate([zipf(TYPES) * 0.88, zipf(12) * 0.12]), kinds)


def sample(random: Random, world: World, texts: int) -> AuditTokens:
    """Texts of 8 to 22 tokens, every token drawn alone."""
    lengths = random.integers(8, 23, texts)
    text = np.repeat(np.arange(texts), lengths)
    index = np.arange(len(text)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    type_ = random.choice(len(world.probability), len(text), p=world.probability)
    letters = np.random.default_rng(0).integers(1, 12, len(world.probability))
    return AuditTokens(
        text=text,
        index=index,
        token=type_.astype(str),
        id=type_,
        kind=world.kind[type_],
        type=type_,
        length=letters[type_],
        subword=(letters > 9)[type_],
        position=index / (lengths - 1)[text],
        frequency=np.log(world.probability)[type_],
        n_texts=texts,
    )


def levels(random: Random, tokens: AuditTokens, *, of_type: float = OF_TYPE) -> np.ndarray:
    """A level for every type and every text, and noise for every token."""
    types = random.normal(0, of_type, int(tokens.type.max()) + 1)[tokens.type]
    texts = random.normal(0, OF_TEXT, tokens.n_texts)[tokens.text]
    return types + texts + random.normal(0, NOISE, len(tokens))


def highest(tokens: AuditTokens, values: np.ndarray) -> np.ndarray:
    """The quarter of each text with the highest values."""
    order = np.lexsort((-values, tokens.text))
    first = np.searchsorted(tokens.text, tokens.text)
    k = np.bincount(tokens.text)[tokens.text] // 4
    high = np.zeros(len(tokens), dtype=bool)
    high[order] = np.arange(len(tokens)) - first < k
    return high


# One corpus of each claim: effect of a size (0: none) -> what the test says.


def c1(
    random: Random, texts: int, size: float, slope: float = 0.0, frequent: bool = False
) -> Tested:
    world = english() if size or frequent else blind(random)
    tokens = sample(random, world, texts)
    strength = levels(random, tokens) + size * (tokens.kind == "content") - slope * tokens.frequency
    return content_above_function(tokens, strength, draws=DRAWS)


def c2(random: Random, texts: int, size: float, slope: float = 0.0) -> Tested:
    tokens = sample(random, english() if size else blind(random, slope), texts)
    strength = levels(random, tokens) + size * (tokens.kind == "content") - 0.3 * tokens.frequency
    return beyond_confounds(tokens, strength, draws=DRAWS).tested


def c3(random: Random, texts: int, size: float, common: float = 0.0) -> Tested:
    tokens = sample(random, english() if size or common else blind(random), texts)
    shared = levels(random, tokens) + (common + size) * (tokens.kind == "content")
    own = [levels(random, tokens, of_type=0.5) for _ in range(LAYERS)]
    strengths = np.stack([shared + layer for layer in own])
    strengths[3] += size * (tokens.kind == "content")
    return layer_stands_out(tokens, strengths, 3, draws=2000).tested


def c4(
    random: Random, texts: int, size: float, slope: float = 0.0, frequent: bool = False
) -> Tested:
    tokens = sample(random, english() if size or frequent else blind(random), texts)
    strength = levels(random, tokens) + size * (tokens.kind == "content") - slope * tokens.frequency
    return consistently_high(tokens, highest(tokens, strength), draws=DRAWS).tested


def c5(random: Random, texts: int, size: float, times: int = 1) -> Tested:
    """``times``: so many pairs have one first text, whose tokens are moved alike in all of them."""
    tokens = sample(random, english(), texts)
    high = highest(tokens, levels(random, tokens))
    alike = levels(random, tokens)
    own = random.normal(0, NOISE if times > 1 else 0, (times, len(tokens)))  # of each pair
    moved = SimpleNamespace(
        pair=np.concatenate([tokens.text + k * texts for k in range(times)]),
        text=np.tile(tokens.text, times),
        type=np.tile(tokens.type, times),
        high=np.tile(high, times),
        shift=np.exp(alike + own + size / 3 * high).ravel(),
    )
    return above_chance(moved)


def c6(random: Random, texts: int, size: float, **how: float) -> Tested:
    measure = explaining.faithfulness(random, sample(random, english(), texts), size, **how)
    return better_than_attention([measure]).tested


def c6_marks(random: Random, texts: int, size: float, **how: bool) -> Tested:
    measure = explaining.plausibility(random, sample(random, english(), texts), size, **how)
    return better_than_attention([measure]).tested


def c6_both(random: Random, texts: int, size: float) -> Tested:
    """More faithful by so much, and far more plausible."""
    tokens = sample(random, english(), texts)
    faithful = explaining.faithfulness(random, tokens, size)
    plausible = explaining.plausibility(random, tokens, 1.0)
    return better_than_attention([faithful, plausible]).tested


def c7(random: Random, texts: int, size: float) -> Tested:
    tokens = sample(random, with_punctuation(random, drawn=not size), texts)
    strength = levels(random, tokens) + size * (tokens.kind == "content")
    return words_above_punctuation(tokens, strength, draws=DRAWS)


def c8(random: Random, texts: int, size: float) -> Tested:
    tokens = sample(random, english(), texts)
    values = levels(random, tokens)
    return right_skew(tokens, 20 + values + size / 2 * np.exp(values)).tested


def c9(random: Random, texts: int, size: float, common: float = 0.0) -> Tested:
    tokens = sample(random, english() if size or common else blind(random), texts)
    one = tokens.kind == "content"
    shared = levels(random, tokens) + common * one
    at = shared + levels(random, tokens, of_type=0.5)
    return more_than_next(
        tokens, at + size * one, shared + levels(random, tokens, of_type=0.5), draws=DRAWS
    )


# Of eight prompts in the order of their shifts, the order of their gains where they have to do
# with each other: a few are out of place.
GAINS = np.array([2, 1, 3, 5, 4, 6, 8, 7])


def c10(random: Random, texts: int, size: float, prompts: int = 8, helps: bool = True) -> Tested:
    """Texts differ in how hard they are and how far they move; ``helps``: prompts have gains."""
    hard = random.normal(0, 1, texts)
    if size:
        level, gains = np.linspace(-1, 1, prompts), 0.25 * size * (GAINS[:prompts] - 1)
    else:
        level, gains = random.normal(0, 0.5, prompts), random.normal(0, 0.3 * helps, prompts)
    own = random.normal(0, NOISE / 2, (prompts, texts))
    shift = np.exp(level[:, None] + OF_TEXT * hard + own)
    # A probe of another prompt is wrong where it was before, but for some texts.
    right = 1.0 - hard + np.array([0.0, *gains])[:, None]
    correct = right + random.normal(0, NOISE, (prompts + 1, texts)) > 0
    return shift_predicts_gain(shift, correct, labels=2, draws=DRAWS)


def c11(
    random: Random,
    texts: int,
    size: float,
    share: float = 0.08,
    slope: float = 0.0,
    goes: float = 0.0,
    marks: bool = False,
) -> Tested:
    """``slope`` of the strength by frequency; ``goes``: salience with rarity; marks of people."""
    tokens = sample(random, english(), texts)
    salient = explaining.salient(random, tokens, share, goes)
    if marks:
        salient = explaining.marks(random, tokens)
    strength = levels(random, tokens) + size * salient - slope * tokens.frequency
    other = (tokens.kind == "content") & ~salient
    words = tokens.frequency, tokens.text, tokens.type
    return salient_above_others(strength, salient, other, *words).tested


Corpus = Callable[[Random, int, float], Tested]


@dataclass(frozen=True)
class Case:
    """A claim's test, on null corpora of several sorts and on planted effects."""

    null: dict[str, Corpus]
    planted: Corpus
    truth: Callable[[float], float] | None = None  # of a size; None: the mean over the corpora
    also: dict[str, Corpus] = field(default_factory=dict)  # other effects that are planted


def auc_of(size: float) -> float:
    return float(norm.cdf(size / APART))


def rho_of_prompts(_: float) -> float:
    return float(spearmanr(np.arange(len(GAINS)), GAINS).statistic)


FEW, GOES = "function words frequent", "frequency effect"
CASES = {
    "C1": Case(
        {"": c1, "frequency effect": partial(c1, slope=0.3), FEW: partial(c1, frequent=True)},
        c1,
        auc_of,
    ),
    "C2": Case({"kinds blind": c2, "kinds go with frequency": partial(c2, slope=0.8)}, c2),
    "C3": Case({"": c3, "common effect": partial(c3, common=1.0)}, c3),
    "C4": Case(
        {"": c4, "frequency effect": partial(c4, slope=0.3), FEW: partial(c4, frequent=True)}, c4
    ),
    "C5": Case({"": c5, "three pairs of a text": partial(c5, times=3)}, c5),
    "C6": Case(
        {
            "": c6,
            "raw": partial(c6, normalised=False),
            "both know effects": partial(c6, common=1.0),
            "other: frequent words": partial(c6, frequent=True),
            "marks by type": c6_marks,
            "marks blind": partial(c6_marks, types=False),
            "more plausible only": c6_both,
        },
        c6,
        also={"marks by type": c6_marks},
    ),
    "C7": Case({"": c7}, c7, auc_of),
    "C8": Case({"": c8}, c8),
    "C9": Case({"": c9, "common effect": partial(c9, common=1.0)}, c9),
    "C10": Case(
        {
            "eight prompts": c10,
            "five prompts": partial(c10, prompts=5),
            "no prompt has a gain": partial(c10, helps=False),
        },
        c10,
        rho_of_prompts,
    ),
    "C11": Case(
        {
            "": c11,
            "frequency effect": partial(c11, slope=0.3),
            "both go with frequency": partial(c11, slope=0.3, goes=0.5),
            "few salient words": partial(c11, share=0.02),
            "marks by type": partial(c11, marks=True),
        },
        c11,
        also={"marks by type": partial(c11, marks=True)},
    ),
}


def pigeonhole(texts: int, size: float, seed: tuple[int, ...]) -> tuple[bool, bool]:
    """Does our interval hold the AUC, and does that of the bootstrap?"""
    random = np.random.default_rng(seed)
    tokens = sample(random, english(), texts)
    one = tokens.kind == "content"
    strength = levels(random, tokens) + size * one
    found = within_auc(by_kind(tokens), strength)
    above, below = np.flatnonzero(one), np.flatnonzero(~one)
    i, j = (
        side.ravel() for side in np.nonzero(tokens.text[above][:, None] == tokens.text[below][None])
    )
    i, j = above[i], below[j]
    wins = (strength[i] > strength[j]).astype(float)
    drawn = []
    for _ in range(BOOTSTRAPS):
        of_text = np.bincount(random.integers(0, texts, texts), minlength=texts)
        seen, type_ = np.unique(tokens.type, return_inverse=True)
        of_type = np.bincount(random.integers(0, len(seen), len(seen)), minlength=len(seen))
        weight = of_text[tokens.text[i]] * of_type[type_[i]] * of_type[type_[j]]
        drawn.append(weight @ wins / max(weight.sum(), 1))
    ends = np.quantile(drawn, [0.025, 0.975])
    truth = auc_of(size)
    return found.interval[0] <= truth <= found.interval[1], bool(ends[0] <= truth <= ends[1])


def one_corpus(corpus: Corpus, texts: int, size: float, seed: tuple[int, ...]) -> Tested:
    return corpus(np.random.default_rng(seed), texts, size)


def simulate(
    pool: ProcessPoolExecutor, corpus: Corpus, texts: int, size: float, seeds: list[tuple[int, ...]]
) -> list[Tested]:
    run = partial(one_corpus, corpus, texts, size)
    return [found for found in pool.map(run, seeds, chunksize=10) if found.effect is not None]


def share(hits: list[bool]) -> str:
    """A share in percent, with its binomial interval."""
    if not hits:
        return "not testable"
    result = binomtest(sum(hits), len(hits)).proportion_ci(method="wilson")
    mean = 100 * sum(hits) / len(hits)
    return f"{mean:5.1f} [{100 * result.low:4.1f}, {100 * result.high:4.1f}]"


def rows(pool: ProcessPoolExecutor, name: str, corpora: int, seed: int) -> Iterator[str]:
    case, number = CASES[name], int(name[1:])
    for title, corpus in case.null.items():
        for texts in TEXTS:
            seeds = [(seed, number, texts, i) for i in range(corpora)]
            found = simulate(pool, corpus, texts, 0.0, seeds)
            rejected = share([one.p <= LEVEL for one in found])
            yield f"{name}  {texts:5d}  null {title:26s}  rejected {rejected}  n {len(found)}"
    for title, corpus in {"": case.planted, **case.also}.items():
        for size in SIZES:
            for texts in TEXTS:
                seeds = [(seed, number, texts, int(100 * size), i) for i in range(corpora)]
                found = simulate(pool, corpus, texts, size, seeds)
                yield f"{name}  {texts:5d}  size {size:.1f} {_planted(found, size, case, title)}"


def _planted(found: list[Tested], size: float, case: Case, title: str) -> str:
    effects = np.array([one.effect for one in found])
    ends = np.array([one.interval for one in found])
    known = case.truth is not None and not title
    truth = case.truth(size) if known else float(effects.mean())
    covered = share(list((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
    power = share([one.p <= LEVEL for one in found])
    what = f"{title} truth {truth:.3f}{'' if known else ' (mean)'}".strip()
    wide = float(np.diff(ends).mean())
    return (
        f"{what:33s}  covered {covered}  power {power}"
        f"  mean {effects.mean():.3f}  sd {effects.std():.4f}  width {wide:.3f}"
    )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(CASES), help="claims, as C1,C5")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--pigeonhole", action="store_true", help="(c) alone")
    options = parser.parse_args(arguments)
    with ProcessPoolExecutor(options.processes) as pool:
        for size in SIZES if options.pigeonhole else ():
            seeds = [(options.seed, int(100 * size), i) for i in range(options.corpora)]
            held = list(pool.map(partial(pigeonhole, TEXTS[0], size), seeds, chunksize=10))
            ours, theirs = (share(list(kind)) for kind in zip(*held, strict=True))
            print(f"C1  {TEXTS[0]:5d}  size {size:.1f}  covered {ours}  pigeonhole {theirs}")
        if options.pigeonhole:
            return
        for name in options.only.split(","):
            start = time.perf_counter()
            for row in rows(pool, name, options.corpora, options.seed):
                print(row, flush=True)
            print(f"{name}  {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
