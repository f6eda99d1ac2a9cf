"""The composition for hidden states: an encoder and texts -> vectors, in order, a few at a time."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from activation_flow import analysis, room
from activation_flow.data import Failure, Hidden, Provenance, Strength, TokenizedText
from activation_flow.result_hidden import HiddenResults, HiddenStates

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder
    from activation_flow.tokens import Encoded

# Texts, and letters of texts, that are tokenized at once: enough to fill batches of one length.
TEXTS, LETTERS = 2048, 2**20
# Tokens times layers whose vectors are held at once, of one text at least: 100 MB, 768 wide.
CELLS = 2**15

Item = TypeVar("Item")
Outcome = tuple[int, HiddenStates] | Failure


def hidden_states(
    encoder: "Encoder",
    texts: "str | Sequence[str]",
    *,
    layers: "int | str | Sequence[int] | None" = None,
    errors: str = "raise",
    **options: Any,
) -> HiddenStates | HiddenResults:
    """The hidden state of every token of every text, in memory.

    Args:
        encoder: the model.
        texts: one text, or a list of them.
        layers: 8, "6-9", -1, "all", a list; default two thirds of the depth.
        errors: "raise" TextsFailed (it carries the other results), or "collect" the reasons.
        options: as in ``stream``.

    Returns:
        One result for one text; for a list, all results, in order.

    Raises:
        TextsFailed: a text has no result, unless ``errors="collect"``.
        ActivationFlowError: an option is not valid.
    """
    one, many = analysis.as_list(texts, errors)
    provenance, wanted, outcomes = stream(encoder, enumerate(many, 1), layers=layers, **options)
    found: list[tuple[int, HiddenStates]] = []
    failures: list[Failure] = []
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            failures.append(outcome)
        else:
            found.append(outcome)
    results = HiddenResults(
        tuple(states for _, states in found),
        provenance,
        wanted,
        tuple(failures),
        tuple(number for number, _ in found),
    )
    return analysis.one_or_all(results, one, errors)


def stream(
    encoder: "Encoder",
    texts: Iterable[tuple[int, str]],
    *,
    layers: "int | str | Sequence[int] | None" = None,
    kinds: str = "list",
    max_length: int | None = None,
    stride: int | None = None,
    truncate: bool = False,
) -> tuple[Provenance, tuple[int, ...], Iterator[Outcome]]:
    """Hidden states text by text, so that neither texts nor vectors have to fit in memory at once.

    Args:
        encoder: the model.
        texts: (number, text), read as they are needed.
        layers: as in ``hidden_states``.
        kinds: "list" (closed list of English function words) or "none".
        max_length: longest input; a longer text is read in windows.
        stride: tokens that neighbouring windows share; default half.
        truncate: cut a longer text instead.

    Returns:
        The head of all results; the layers; for each text, in order, (its number, its hidden
        states) or why it has none.

    Raises:
        ActivationFlowError: an option is not valid.
    """
    wanted = encoder.layers_from(layers)

    def tokenize(texts: Sequence[str]) -> "tuple[list[Encoded], list[Failure]]":
        long = "cut" if truncate else "windows"
        return encoder.tokenize(texts, kinds=kinds, max_length=max_length, stride=stride, long=long)

    tokenize(["a"])  # refuses a bad option before a text of the user's is read
    settings = {
        "kinds": kinds,
        "max_length": max_length or encoder.max_length,
        "stride": stride,
        "truncate": truncate,
    }
    provenance = encoder.provenance(settings)

    def outcomes() -> Iterator[Outcome]:
        for some in _chunks(texts):
            encoded, failures = tokenize([text for _, text in some])
            failed = {failure.text_number: failure.reason for failure in failures}
            ready = measure(
                encoder, in_groups(encoded, lambda e: len(e.text) * len(wanted)), wanted
            )
            for place, (number, _) in enumerate(some, 1):
                found = failed[place] if place in failed else next(ready)
                if isinstance(found, str):
                    yield Failure(number, found)
                    continue
                text, norms, hidden = found
                yield (
                    number,
                    HiddenStates(
                        **vars(text),
                        layers=wanted,
                        hidden=hidden,
                        strength=norms,
                        provenance=provenance,
                    ),
                )

    return provenance, wanted, outcomes()


def _chunks(texts: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    some: list[tuple[int, str]] = []
    letters = 0
    for number, text in texts:
        some.append((number, text))
        letters += len(text) if isinstance(text, str) else 0
        if len(some) == TEXTS or letters >= LETTERS:
            yield some
            some, letters = [], 0
    if some:
        yield some


def in_groups(items: Iterable[Item], cells: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Items in order, as many together as ``CELLS`` allows, one at least."""
    group: list[Item] = []
    held = 0
    for item in items:
        own = cells(item)
        if group and held + own > CELLS:
            yield group
            group, held = [], 0
        group.append(item)
        held += own
    if group:
        yield group


def measure(
    encoder: "Encoder", groups: "Iterable[Sequence[Encoded]]", layers: tuple[int, ...]
) -> Iterator[tuple[TokenizedText, Strength, Hidden] | str]:
    """Each text of each group with its strengths and vectors, in order; or why it has none.

    The same object several times in a group is run once.
    """
    for group in groups:
        once = {id(one): one for one in group}
        left = Counter(map(id, group))
        reasons = {key: _too_large(encoder, one, layers) for key, one in once.items()}
        fit = [key for key in once if not reasons[key]]
        run = encoder.run([once[key] for key in fit], layers, hidden=layers)
        done = {fit[k]: (norms, hidden) for k, norms, hidden in run}
        for key, encoded in ((id(one), one) for one in group):
            if reasons[key]:
                yield reasons[key]
                continue
            left[key] -= 1
            norms, hidden = done[key] if left[key] else done.pop(key)
            assert hidden is not None
            finite = np.isfinite(norms) & np.isfinite(hidden).all(axis=-1)
            if finite.all():
                yield encoded.text, norms, hidden
            else:
                marked = np.where(finite, norms, np.nan)
                yield analysis.not_finite(encoded.text, marked, layers)


def _too_large(encoder: "Encoder", one: "Encoded", layers: tuple[int, ...]) -> str:
    tokens = len(one.text)
    if tokens * len(layers) <= CELLS:
        return ""
    return room.why_no_states(tokens, len(layers), encoder.width)
