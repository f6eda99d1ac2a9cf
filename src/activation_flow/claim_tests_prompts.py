"""The primary test of C10: do prompts that shift texts further make their labels easier to read?

The prompts are what is compared, so p comes from their orders: if shift says nothing about the
gain, every order of the gains is as likely as any other. The interval is over texts, of these
prompts: how well their ρ is known, not what other prompts would do. Source of the interval: Efron
and Tibshirani (1993), "An introduction to the bootstrap", 10.3.
"""

from functools import lru_cache
from itertools import permutations
from math import factorial
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.audit_data import Interval, Tested
from activation_flow.audit_defaults import DRAWS
from activation_flow.claim_tests import untested
from activation_flow.claims import FEWEST_PROMPTS, FEWEST_TEXTS
from activation_flow.stats import CONFIDENCE
from activation_flow.strength import TIED

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    Shifts = Float[np.ndarray, "prompts texts"]
    Correct = Bool[np.ndarray, "variants texts"]
    Rows = Float[np.ndarray, "rows prompts"]
    Rhos = Float[np.ndarray, "rows"]
    Orders = Int[np.ndarray, "orders prompts"]
else:
    Shifts = Correct = Rows = Rhos = Orders = np.ndarray

EXACT_UP_TO = 50_000  # orders; of more prompts than 8 they are drawn
BOOTSTRAPS = 2000


def shift_predicts_gain(
    shift: Shifts, correct: Correct, *, labels: int, draws: int = DRAWS, seed: int = 0
) -> Tested:
    """C10: the more a prompt shifts texts, the more of their labels are read. Effect: Spearman's ρ.

    Args:
        shift: how far each prompt moves each text's vector, finite.
        correct: whether the label of each text is read, of the bare text first, then under each
            prompt.
        labels: how many different labels there are.
        draws: random orders, where there are too many to go through all.
        seed: of these, and of the texts that are drawn anew.
    """
    prompts, texts = shift.shape
    gains = correct[1:].astype(np.int64) - correct[0]
    n = {"prompts": prompts, "texts": texts, "labels": labels}
    if missing := _why_not(prompts, texts) or _all_alike(shift, gains):
        return untested(missing)
    own = _ranks(shift.mean(axis=1)[None]), _ranks(gains.sum(axis=1)[None].astype(np.float64))
    effect = float(_rho(*own)[0])
    p, how = _p(*own, draws, seed)
    anew = f"{BOOTSTRAPS:,} times texts drawn anew, less its bias, seed {seed}"
    return Tested(
        effect=effect,
        interval=_interval(effect, _drawn_anew(shift, gains, seed)),
        p=p,
        n=n,
        method=f"{how}; interval: {anew}",
    )


def _why_not(prompts: int, texts: int) -> str:
    if prompts < FEWEST_PROMPTS:
        given = "is 1 prompt" if prompts == 1 else f"are {prompts} prompts"
        return f"there {given}; it takes {FEWEST_PROMPTS}"
    if texts < FEWEST_TEXTS:
        given = "is 1 labelled text" if texts == 1 else f"are {texts} labelled texts"
        return f"there {given}; it takes {FEWEST_TEXTS}"
    return ""


def _all_alike(shift: Shifts, gains: Shifts) -> str:
    total = gains.sum(axis=1)
    if not total.any():
        return "no prompt changes how many labels are read"
    if not np.ptp(total):
        return "all prompts change how many labels are read alike"
    if not np.ptp(_ranks(shift.mean(axis=1)[None])):
        return "all prompts shift the texts equally far"
    return ""


def _ranks(values: Rows) -> Rows:
    """Ranks of each row from 1; those closer than 1e-6 relative share the mean of theirs.

    >>> _ranks(np.array([[3.0, 1.0, 3.0 + 1e-9]]))
    array([[2.5, 1. , 2.5]])
    """
    from scipy.stats import rankdata

    order = np.argsort(values, axis=1, kind="stable")
    rising = np.take_along_axis(values, order, axis=1)
    apart = np.diff(rising, axis=1, prepend=rising[:, :1]) > TIED * np.abs(rising)
    groups = np.empty(values.shape)
    np.put_along_axis(groups, order, np.cumsum(apart, axis=1).astype(np.float64), axis=1)
    found: Rows = rankdata(groups, axis=1)
    return found


def _rho(a: Rows, b: Rows) -> Rhos:
    """Pearson's correlation of each row of ranks; 0 where all of a row are alike."""
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (a, b))
    length = np.sqrt(np.square(a).sum(axis=1) * np.square(b).sum(axis=1))
    product = (a * b).sum(axis=1)
    found: Rhos = np.divide(product, length, out=np.zeros(len(product)), where=length > 0)
    return found.clip(-1.0, 1.0)


def _p(shift: Rows, gains: Rows, draws: int, seed: int) -> tuple[float, str]:
    """One-sided p of the ρ of two rows of ranks, and how it was found."""
    n = shift.shape[1]
    # Ranks are whole or half numbers: these sums are exact, and say the same as ρ.
    own = float((shift * gains).sum())
    if factorial(n) <= EXACT_UP_TO:
        orders = _orders(n)
        hits = np.count_nonzero(gains[0][orders] @ shift[0] >= own)
        return float(hits / len(orders)), f"all {len(orders):,} orders of the prompts"
    rows = np.broadcast_to(gains, (draws, n))
    drawn = np.random.default_rng(seed).permuted(rows, axis=1) @ shift[0]
    p = (1 + np.count_nonzero(drawn >= own)) / (1 + draws)
    return float(p), f"{draws:,} random orders of the prompts, seed {seed}"


@lru_cache(maxsize=4)
def _orders(n: int) -> Orders:
    """All orders of n, a row each."""
    return np.array([*permutations(range(n))], dtype=np.int8)


def _interval(effect: float, drawn: Rhos) -> Interval:
    """Of the bootstrap's standard deviation, around the effect less the bias that it shows.

    A gain is truth and noise, and of texts drawn anew it is noisier still; so their ρ lies nearer
    to 0 than that of the texts, as much as that lies nearer to 0 than the truth. The percentiles
    would take that twice.
    """
    middle = 2 * effect - float(drawn.mean())
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * float(drawn.std())
    low, high = max(middle - half, -1.0), min(middle + half, 1.0)
    return min(low, effect), max(high, effect)


def _drawn_anew(shift: Shifts, gains: Shifts, seed: int) -> Rhos:
    """ρ of as many texts, drawn with replacement, again and again."""
    texts = shift.shape[1]
    random = np.random.default_rng(seed)
    often = random.multinomial(texts, np.full(texts, 1 / texts), size=BOOTSTRAPS)
    weights = often.astype(np.float64)
    return _rho(_ranks(weights @ shift.T), _ranks(weights @ gains.T.astype(np.float64)))
