"""The composition: an encoder and texts -> results. No formula, no file, no model.

Formulas stand in strength; words and kinds in words; what a model is, in encoder. Results made anew
from the strengths that they hold: analysis_again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from activation_flow import strength as formulas
from activation_flow.data import (
    ActivationFlowError,
    Failure,
    Mask,
    Provenance,
    Strength,
    TokenizedText,
)
from activation_flow.grouping import check_offsets, to_words
from activation_flow.results import (
    LayersResult,
    Results,
    StrengthResult,
    StrengthResults,
    TextsFailed,
)

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

SCOPES = ("text", "corpus")
TOKENIZED = tuple(field.name for field in fields(TokenizedText))

All = TypeVar("All", bound=Results[Any])
Measured = tuple[int, TokenizedText, Strength]  # number of the text, its tokens, S


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """How tokens are put into buckets; written into every result's settings.

    Attributes:
        quantile: of S that makes τ.
        quantile_method: one of ``strength.QUANTILE_METHODS``.
        threshold_scope: ``text``: τ of each text; ``corpus``: one τ over all texts.
        include_special: special tokens take part in τ, buckets and ranks.
    """

    quantile: float = 0.75
    quantile_method: str = "midpoint"
    threshold_scope: str = "text"
    include_special: bool = False

    def __post_init__(self) -> None:
        if self.threshold_scope not in SCOPES:
            raise ActivationFlowError(
                f"threshold scope {self.threshold_scope!r} is not one of {', '.join(SCOPES)}"
            )
        # Refuses a bad quantile or method before a model is run.
        formulas.threshold(np.zeros((1, 1)), self.quantile, self.quantile_method)


def strength(
    encoder: "Encoder",
    texts: "str | Sequence[str]",
    text_pair: "str | Sequence[str] | None" = None,
    *,
    layers: "int | str | Sequence[int] | None" = None,
    quantile: float = 0.75,
    quantile_method: str = "midpoint",
    threshold_scope: str = "text",
    include_special: bool = False,
    kinds: str = "list",
    words: str | None = None,
    max_length: int | None = None,
    stride: int | None = None,
    truncate: bool = False,
    errors: str = "raise",
    progress: Callable[[int, int], None] | None = None,
) -> StrengthResult | StrengthResults:
    """Strength, rank, threshold, bucket and kind of every token (paper eqs. 1-4).

    Args:
        encoder: the model.
        texts: one text, or a list of them.
        text_pair: a second segment (for each text), for models that take two.
        layers: 8, "6-9", -1, "all", a list; default two thirds of the depth.
        quantile: of S over a text's tokens that makes τ.
        quantile_method: "midpoint" gives the paper's τ; any numpy method.
        threshold_scope: "text", or "corpus" for one τ over all texts given.
        include_special: let special tokens take part in τ, buckets and ranks.
        kinds: "list" (closed list of English function words) or "none".
        words: aggregate pieces to words: max, mean, sum, first or l2.
        max_length: longest input; a longer text is read in windows.
        stride: tokens that neighbouring windows share; default half.
        truncate: cut a longer text instead; each result says how many tokens were dropped.
        errors: "raise" TextsFailed (it carries the other results), or "collect" the reasons of
            those texts of a list that have no result.
        progress: called after each text with the number done and the number of all.

    Returns:
        One result for one text; for a list, all results, in order.

    Raises:
        TextsFailed: a text has no result, unless ``errors="collect"``.
        ActivationFlowError: an option is not valid, or not for this model.
    """
    buckets = Buckets(
        quantile=quantile,
        quantile_method=quantile_method,
        threshold_scope=threshold_scope,
        include_special=include_special,
    )
    if words is not None:
        formulas.check_aggregate(words)
    one, many = as_list(texts, errors)
    pairs = [text_pair] if isinstance(text_pair, str) else text_pair
    wanted = encoder.layers_from(layers)
    encoded, failures = encoder.tokenize(
        many,
        pairs,
        kinds=kinds,
        max_length=max_length,
        stride=stride,
        long="cut" if truncate else "windows",
    )
    if words is not None:
        check_offsets([e.text for e in encoded], encoder.model)
    measured: list[Measured] = []
    for done, (i, norms, _) in enumerate(encoder.run(encoded, wanted), 1):
        if progress is not None:
            progress(done, len(encoded))
        number, text = encoded[i].number, encoded[i].text
        if np.isfinite(norms).all():
            measured.append((number, text, norms))
        else:
            failures.append(Failure(number, not_finite(text, norms, wanted)))
    measured.sort(key=lambda item: item[0])
    failures.sort(key=lambda failure: failure.text_number)
    settings = {
        **asdict(buckets),
        "kinds": kinds,
        "words": words,
        "max_length": max_length or encoder.max_length,
        "stride": stride,
        "truncate": truncate,
    }
    if words is not None:
        measured = [(n, *to_words(text, norms, words)) for n, text, norms in measured]
    provenance = encoder.provenance(settings)
    judged = judge(measured, buckets, provenance, wanted)
    numbers = tuple(number for number, _, _ in measured)
    results = StrengthResults(judged, provenance, wanted, tuple(failures), numbers)
    return one_or_all(results, one, errors)


def as_list(texts: object, errors: str) -> tuple[bool, list[str]]:
    """Whether one text was given, and the texts as a list.

    Raises:
        ActivationFlowError: it is neither a text nor a list, or ``errors`` is unknown.
    """
    if errors not in ("raise", "collect"):
        raise ActivationFlowError(f"errors={errors!r} is not one of raise, collect")
    if isinstance(texts, str):
        return True, [texts]
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise ActivationFlowError(
            f"texts is {type(texts).__name__}; give a string or a list of strings"
        )
    return False, list(texts)


def one_or_all(results: All, one: bool, errors: str) -> All | Any:
    """What a call gives back: its only result, or all of them.

    Raises:
        TextsFailed: there are failures, and ``errors`` is "raise" or one result was asked for.
    """
    if results.errors and (errors == "raise" or one):
        raise TextsFailed(results)
    return results[0] if one else results


def not_finite(text: TokenizedText, norms: Strength, layers: Sequence[int]) -> str:
    """Why a text has no result, where its strengths are not finite."""
    layer, token = np.argwhere(~np.isfinite(norms))[0]
    return (
        f"the model's hidden state at layer {layers[layer]} is not finite for token "
        f"{text.tokens[token]!r} (number {token}); no value of this text is given"
    )


def takes_part(text: TokenizedText, buckets: Buckets) -> Mask:
    """The tokens over which τ is taken, and that have a bucket and a rank."""
    return np.ones(len(text), dtype=bool) if buckets.include_special else ~text.special


def judge(
    measured: Sequence[Measured],
    buckets: Buckets,
    provenance: Provenance,
    layers: tuple[int, ...],
) -> tuple[StrengthResult, ...]:
    """Thresholds, buckets and ranks of measured texts."""
    if not measured:
        return ()
    # All texts at once, one after the other: formulas cost less so than text by text.
    sizes = [len(text) for _, text, _ in measured]
    number = np.repeat(np.arange(len(sizes)), sizes)
    part = np.concatenate([takes_part(text, buckets) for _, text, _ in measured])
    s = np.concatenate([s for _, _, s in measured], axis=1)
    if buckets.threshold_scope == "corpus":
        common = formulas.threshold(s[:, part], buckets.quantile, buckets.quantile_method)
        tau = np.repeat(common[:, None], len(sizes), axis=1)
    else:
        tau = formulas.thresholds(s, part, number, buckets.quantile, buckets.quantile_method)
    rank, bucket = formulas.rank(s, part, number), formulas.bucket(s, tau[:, number], part)
    ends = np.cumsum(sizes)
    return tuple(
        StrengthResult(
            **{name: getattr(text, name) for name in TOKENIZED},
            layers=layers,
            strength=own,
            # Copies: one result kept must not keep the arrays of all.
            threshold=tau[:, k].copy(),
            rank=rank[:, end - len(text) : end].copy(),
            bucket=bucket[:, end - len(text) : end].copy(),
            provenance=provenance,
        )
        for k, ((_, text, own), end) in enumerate(zip(measured, ends, strict=True))
    )


def layers(
    encoder: "Encoder",
    texts: "str | Sequence[str]",
    text_pair: "str | Sequence[str] | None" = None,
    *,
    layers: "int | str | Sequence[int]" = "all",
    **options: Any,
) -> LayersResult:
    """Strength of every token at every layer in one pass, and where each kind stands.

    Args:
        encoder: the model.
        texts: one text, or a list of them; either gives a list, as kinds are taken over all.
        text_pair: as in ``strength``.
        layers: default all; "8,9" sets two side by side.
        options: as in ``strength``.

    Raises:
        TextsFailed: a text has no result, unless ``errors="collect"``.
        ActivationFlowError: an option is not valid.
    """
    many = [texts] if isinstance(texts, str) else texts
    pairs = [text_pair] if isinstance(text_pair, str) else text_pair
    found = strength(encoder, many, pairs, layers=layers, **options)
    assert isinstance(found, StrengthResults)
    return LayersResult(found.results, found.provenance, found.layers, found.errors, found.numbers)
