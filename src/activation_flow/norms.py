"""What normalisation does to the strength, layer by layer, of a sample of texts.

After a norm module (post-norm) the strength holds no magnitude: it says where a token's energy
lies among the gains. Found here with hooks: what the magnitude was, that the formula gives the
measured strength, which dimensions decide it, and that the normalised state says nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from activation_flow import eager, norm_formulas, norm_modules
from activation_flow.audit_data import AuditTokens, PerToken, Score
from activation_flow.audit_tables import Dimension, NormAtLayer
from activation_flow.data import Mask, Strength
from activation_flow.eager import Sample
from activation_flow.encoder import Encoder
from activation_flow.norm_tally import WORDS, Tally, groups_of
from activation_flow.strength import TIED

if TYPE_CHECKING:
    from activation_flow.tap import Tap

LONGEST = 64  # tokens of the text in which the norms are found: every module's output is kept
UNKNOWN = "the hidden state is neither what a norm module makes nor what one reads"
BEFORE = ("before_norm", "norm before the norm module", "variant")  # name, title, role
CONTROL = ("normalised", "norm of the normalised state", "control")
EMBEDDING = ("embedding_row", "norm of the word embedding's row", "baseline")


@dataclass(frozen=True, eq=False)
class Explained:
    """What was found.

    Attributes:
        norms: one per layer.
        dimensions: the 3 strongest per kind of token, at the main layer.
        scores: norm before the norm module and the normalised state, per layer; embedding rows.
        notes: sentences: what was left out.
    """

    norms: tuple[NormAtLayer, ...]
    dimensions: tuple[Dimension, ...]
    scores: list[Score]
    notes: tuple[str, ...] = ()


def explain(
    encoder: Encoder,
    tap: "Tap",
    sampled: Sample,
    layers: Sequence[int],
    main: int,
    *,
    audited: Strength | None = None,
) -> Explained:
    """Norms of a sample of texts, found and checked by hooks.

    Args:
        encoder: of the audit.
        tap: its model, opened.
        sampled: the texts that are read.
        layers: of the hidden states; one after a final norm is left out, and noted.
        main: the layer whose dimensions are wanted.
        audited: [layers tokens], the strengths that the audit rests on, to be set beside the
            formula's.
    """
    final = encoder.n_layers if encoder.provenance({}).final_norm else None
    name = encoder.provenance({}).layer_name(encoder.n_layers)
    notes = (f"{name} cannot be set beside the layers below it",) if final in layers else ()
    groups = groups_of(sampled.tokens, sampled.read)
    wanted = {**groups, WORDS: sampled.read & (sampled.tokens.kind != "special")}
    places = norm_modules.find(tap, _one_text(tap, sampled))
    tallies = [
        Tally(
            places[layer],
            wanted,
            sampled.empty(),
            sampled.empty(),
            sampled.empty(),
            audited=None if audited is None else audited[k],
        )
        for k, layer in enumerate(layers)
        if layer != final
    ]
    seconds = _gather(tap, sampled, tallies)
    scores = [score for tally in tallies for score in _scores(tally, seconds, sampled)]
    return Explained(
        norms=tuple(_row(tally, groups) for tally in tallies),
        dimensions=tuple(
            row
            for tally in tallies
            if tally.place.layer == main
            for group in groups
            for row in _dimensions(tally, group)
        ),
        scores=[*scores, embedding_rows(tap, sampled.tokens)],
        notes=notes,
    )


def unavailable(layers: Sequence[int], tokens: AuditTokens, reason: str) -> Explained:
    """The same, of a model that cannot be opened: every row says why."""
    rows = tuple(NormAtLayer(layer=layer, layout="unknown", note=reason) for layer in layers)
    scores = [
        _missing(about, layer, tokens, reason) for layer in layers for about in (BEFORE, CONTROL)
    ]
    return Explained(rows, (), [*scores, _missing(EMBEDDING, None, tokens, reason)])


def _missing(
    about: tuple[str, str, str], layer: int | None, tokens: AuditTokens, reason: str
) -> Score:
    name, title, role = about
    none = np.full(len(tokens), np.nan)
    return Score(name=name, title=title, layer=layer, values=none, role=role, missing=reason)


def _one_text(tap: "Tap", sampled: Sample) -> tuple[object, ...]:
    """The longest text of at most LONGEST tokens, else the shortest, to find the norms in."""
    lengths = {i: len(sampled.encoded[i].text) for i in sampled.texts}
    short = {i: n for i, n in lengths.items() if n <= LONGEST}
    chosen = max(short, key=short.__getitem__) if short else min(lengths, key=lengths.__getitem__)
    one = Sample(sampled.encoded, sampled.tokens, (chosen,), 0)
    return next(eager.batches(tap, one)).inputs


def _gather(tap: "Tap", sampled: Sample, tallies: Sequence[Tally]) -> float:
    """One pass over the sample; returns the seconds that the model itself took."""
    norms = {tally.place.layer: tally.norm for tally in tallies if tally.norm is not None}
    seconds = 0.0
    with norm_modules.inputs_of(tap, norms) as read:
        for batch in eager.batches(tap, sampled):
            began = perf_counter()
            out = eager.forward(tap, batch.inputs)
            seconds += perf_counter() - began
            for tally in tallies:
                began, layer = perf_counter(), tally.place.layer
                vectors = read[layer] if layer in norms else out[len(out) // 2 + layer]
                wide = vectors.double().numpy().reshape(*batch.rows.shape, -1)
                tally.add(batch.rows, out[layer].double().numpy(), wide)
                tally.seconds += perf_counter() - began
    return seconds


def _scores(tally: Tally, seconds: float, sampled: Sample) -> tuple[Score, Score]:
    """The norm before the norm module, and ‖z‖, which must say nothing."""
    place, norm, share = tally.place, tally.place.norm, tally.share(WORDS)
    cost = (seconds + tally.seconds) * 1000 / len(sampled)
    control = Score(
        name=CONTROL[0],
        title=CONTROL[1],
        layer=place.layer,
        values=tally.control,
        seconds_per_1000_tokens=cost if norm else None,
        role=CONTROL[2],
        note=_control_note(tally, sampled) if norm else "",
        missing="" if norm else UNKNOWN,
    )
    if norm is None or not place.post:
        why = UNKNOWN if norm is None else f"{norm.name} reads the hidden state itself (pre-norm)"
        return _missing(BEFORE, place.layer, sampled.tokens, why), control
    what = "‖x − mean x‖" if norm.centring else "‖x‖"
    before = Score(
        name=BEFORE[0],
        title=f"norm before {norm.kind}",
        layer=place.layer,
        values=tally.before,
        seconds_per_1000_tokens=cost,
        role=BEFORE[2],
        top_share=None if share is None else norm_formulas.top_share(share),
        note=f"{what} of the input x of {norm.name}, {sampled.note}",
    )
    return before, control


def _control_note(tally: Tally, sampled: Sample) -> str:
    text = f"‖z‖ before gain and bias, with ε = 0: the same for every token, {sampled.note}"
    if tally.left > TIED:
        text += f"; the model's own ε leaves differences of up to {tally.left:.1g}, relatively"
    return text


def embedding_rows(tap: "Tap", tokens: AuditTokens) -> Score:
    """The norm of each token's row in the word embedding: of every token, for it needs no pass."""
    import torch

    began = perf_counter()
    ids, inverse = np.unique(tokens.id, return_inverse=True)
    try:
        table = tap.model.get_input_embeddings().weight.detach()  # type: ignore[operator]
    except (AttributeError, NotImplementedError):
        return _missing(EMBEDDING, None, tokens, "the model names no table of word embeddings")
    if table.ndim != 2 or len(table) <= ids.max(initial=-1):
        return _missing(EMBEDDING, None, tokens, "the model's embedding has no row of each token")
    rows = table[torch.from_numpy(ids)].double().numpy()
    values = np.linalg.norm(rows, axis=1)[inverse]
    seconds = (perf_counter() - began) * 1000 / max(1, len(tokens))
    words = np.bincount(inverse[tokens.kind != "special"], minlength=len(ids))
    share = words @ norm_formulas.shares(rows) / max(1, words.sum())
    name, title, role = EMBEDDING
    return Score(
        name=name,
        title=title,
        layer=None,
        values=values,
        seconds_per_1000_tokens=seconds,
        role=role,
        top_share=norm_formulas.top_share(share) if words.any() else None,
        note="‖row of the token in the input embedding‖: without position and context",
    )


def _row(tally: Tally, groups: Mapping[str, Mask]) -> NormAtLayer:
    def means(values: PerToken) -> dict[str, float]:
        return {name: float(values[mask].mean()) for name, mask in groups.items()}

    at, post = tally.place.norm, tally.norm
    return NormAtLayer(
        layer=tally.place.layer,
        layout=tally.place.layout,
        module=at.name if at else "",
        level=norm_formulas.level(post.gain, post.bias) if post else None,
        error=tally.error if post else None,
        audited_error=tally.audited_error if post else None,
        strength=means(tally.strength),
        before=means(tally.before) if post else None,
        note="" if at else UNKNOWN,
    )


def _dimensions(tally: Tally, group: str) -> list[Dimension]:
    """The 3 dimensions that hold most energy of the tokens of a group."""
    share, norm = tally.share(group), tally.norm
    if share is None:
        return []
    return [
        Dimension(
            layer=tally.place.layer,
            kind=group,
            dim=dim,
            share=float(share[dim]),
            gamma=float(norm.gain[dim]) if norm else None,
            typical=norm_formulas.typical(norm.gain) if norm else None,
        )
        for dim in norm_formulas.top(share).tolist()
    ]
