"""Which parts of an audit are asked for, and what each needs to be measured: words and sets."""

from collections.abc import Iterable, Sequence

from activation_flow.claims import DECLARED
from activation_flow.data import ActivationFlowError

CLAIMS = tuple(one.id for one in DECLARED)
NORMALISATION, STABILITY = "normalisation", "stability"  # parts that are no claim
PARTS = (*CLAIMS, NORMALISATION, STABILITY)

# What is measured for a claim alone; strengths, and what needs no model, are there for all.
NEEDS = {
    "C1": {"variants", "attention", "copies"},
    "C2": {"confounds"},
    "C4": {"copies", "thresholds"},
    "C5": {"pairs"},
    "C6": {"attention", "explained", "rationales"},
    "C7": {"copies"},
    "C9": {"copies"},
    "C10": {"labels"},
    "C11": {"rationales"},
    NORMALISATION: {"norms", "variants"},
    STABILITY: {"stability"},
}
WITH = {"C2": ("C1",)}  # its verdict asks whether that one was found


def asked(only: str | Iterable[str] | None) -> tuple[str, ...]:
    """The parts that are run, in their order; None: all.

    Args:
        only: claims and other parts, as "C1,C6" or a list; whatever a claim's verdict rests on
            comes with it.

    Raises:
        ActivationFlowError: there is no such part, or none is named.

    >>> asked("c6, stability"), asked(["C2"])
    (('C6', 'stability'), ('C1', 'C2'))
    """
    if only is None:
        return PARTS
    if not isinstance(only, str) and not isinstance(only, Iterable):
        raise ActivationFlowError(
            f"only={only!r} is {type(only).__name__}; give names of parts, as 'C1,C6' or a list"
        )
    names = only.split(",") if isinstance(only, str) else [*only]
    known = {name.casefold(): name for name in PARTS}
    wanted: set[str] = set()
    for name in filter(None, (str(name).strip() for name in names)):
        if name.casefold() not in known:
            raise ActivationFlowError(
                f"only={name!r} is no part of an audit; there are: {', '.join(PARTS)}"
            )
        part = known[name.casefold()]
        wanted |= {part, *WITH.get(part, ())}
    if not wanted:
        raise ActivationFlowError(f"only names nothing; there are: {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in wanted)


def needed(parts: Sequence[str]) -> frozenset[str]:
    """What has to be measured for these parts.

    >>> sorted(needed(("C5", "C7")))
    ['copies', 'pairs']
    """
    return frozenset().union(*(NEEDS.get(part, set()) for part in parts))
