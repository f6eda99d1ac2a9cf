"""A model, ready to be set beside the paper: which it is, its layers, and where printed tokens are.

Another model's tokenizer may cut a printed word into several pieces, or add no [CLS].
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from activation_flow.data import Provenance, Strength, TokenizedText
from activation_flow.paper import (
    OF,
    Row,
    agrees,
    best_layer,
    measured,
    number_of,
    numbers,
    published,
    rmse,
)
from activation_flow.paper_tables import kinds_of

if TYPE_CHECKING:
    from activation_flow.encoder import Encoder

Places = list[list[int]]  # of each printed token, the indices of its pieces


@dataclass(frozen=True)
class Probe:
    """A model and the layers at which it is set beside the paper.

    Attributes:
        encoder: the model.
        of: "bert-base-uncased" if it is the paper's, known by its name on the hub and not by its
            shape; else "another model".
        main: two thirds of the depth, the paper's layer 8 of 12.
        layers: main − 1, main, main + 1, as far as they exist. "Layer 8" may mean the output of
            block 8, hidden_states[8], or encoder.layer[8] counted from 0, hidden_states[9].
    """

    encoder: "Encoder"
    of: str
    main: int
    layers: tuple[int, ...]

    @classmethod
    def of_encoder(cls, encoder: "Encoder") -> "Probe":
        """Which model it is, and at which layers it is looked at."""
        (main,) = encoder.layers_from(None)
        layers = (k for k in (main - 1, main, main + 1) if 0 <= k <= encoder.n_layers)
        return cls(encoder, origin(encoder.model, encoder.revision), main, tuple(layers))

    @property
    def provenance(self) -> Provenance:
        """Of everything that it measures."""
        return self.encoder.provenance({"quantile": 0.75, "quantile_method": "midpoint"})

    @property
    def index(self) -> int:
        """Where the main layer stands among the layers."""
        return self.layers.index(self.main)

    def name(self, layer: int) -> str:
        """As layers are always printed."""
        return self.provenance.layer_name(layer)


def origin(model: str, revision: str | None) -> str:
    """Whose numbers a model's are, by its name on the hub.

    A folder or a live model is known by its weights, never by its name: it is another model.

    >>> origin("bert-base-uncased", "86b5e09"), origin("bert-base-uncased", "xxh3:86b5e09")
    ('bert-base-uncased', 'another model')
    """
    on_hub = not (revision or "").startswith("xxh3:")
    return OF[1] if on_hub and model in published()["model"]["names"] else OF[2]


def places(text: TokenizedText, printed: list[str]) -> Places:
    """The pieces of each printed token in the text that a model read, in order; [] for none.

    [CLS] and [SEP] are the first and the last token if the tokenizer added them. Words are found
    by where they stand in the text, in any casing; where a tokenizer does not say that, a token
    must be spelled as it is printed.
    """
    found: Places = []
    cursor, lower = 0, text.text.lower()
    names = [str(token).lstrip("Ġ▁ ").lower() for token in text.tokens]
    known = bool((text.start >= 0).any())
    for token, kind in zip(printed, kinds_of(printed), strict=True):
        if kind == "special":
            end = len(text) - 1 if found else 0
            found.append([end] if len(text) and text.special[end] else [])
            continue
        if not known:
            spelled = [k for k, name in enumerate(names) if name == token.lower() and k >= cursor]
            found.append(spelled[:1])
            cursor = spelled[0] + 1 if spelled else cursor
            continue
        start = lower.find(token.lower(), cursor)
        if start < 0:
            found.append([])
            continue
        cursor = start + len(token)
        inside = (text.start < cursor) & (text.end > start) & (text.start >= 0)
        found.append(np.nonzero(inside)[0].tolist())
    return found


def at_places(values: Strength, where: Places) -> np.ndarray:
    """The strongest piece of each printed token, [layers printed]; NaN where there is none."""
    found = np.full((len(values), len(where)), np.nan)
    # subtle: by their shortest decimals, so that a float32 shows as it does in all documents.
    plain = values.astype(str).astype(np.float64)
    for column, pieces in enumerate(where):
        if pieces:
            found[:, column] = np.fmax.reduce(plain[:, pieces], axis=1)
    return found


def pieces_note(text: TokenizedText, pieces: Sequence[int]) -> str:
    """Why a printed token has no value, or one of several."""
    if not pieces:
        return "this model's tokenizer has no such token"
    if len(pieces) == 1:
        return ""
    names = " ".join(str(text.tokens[k]) for k in pieces)
    return f"{len(pieces)} pieces ({names}); the highest"


def beside(
    probe: Probe,
    id_: str,
    place: str,
    what: str,
    tokens: list[str],
    printed: list[str],
    ours: np.ndarray,
    notes: Sequence[str],
    layer: str,
) -> Iterator[Row]:
    """Rows of a printed column beside ours at each layer, and which layer is nearest.

    Args:
        probe: the model.
        id_: of the column, "table-1".
        place: of the column.
        what: the quantity, "strength".
        tokens: as printed.
        printed: numbers as printed.
        ours: [layers tokens].
        notes: of each token.
        layer: the layer that the paper names, "8".
    """
    paper = numbers(printed)
    for k, number in enumerate(probe.layers):
        for token, value, own, note in zip(tokens, printed, ours[k].tolist(), notes, strict=True):
            row = measured(
                f"{id_}/{token.lower()}/layer-{number}",
                place,
                f"{what} of “{token}” at {probe.name(number)}",
                value,
                own if np.isfinite(own) else None,
                note,
                of=probe.of,
            )
            yield replace(row, cell=True)
    if probe.of == OF[2]:  # how near another model comes to the printed numbers means nothing
        return
    known = np.isfinite(ours[0])
    errors = [rmse(paper, row) for row in ours]
    for number, error in zip(probe.layers, errors, strict=True):
        name = f"RMSE of {int(known.sum())} tokens at {probe.name(number)}"
        off = error if np.isfinite(error) else None
        yield measured(f"{id_}/rmse/layer-{number}", place, name, None, off, of=probe.of)
    best = best_layer(paper, ours, probe.layers)
    yield measured(
        f"{id_}/nearest-layer",
        place,
        "the layer with the lowest RMSE",
        f"layer {layer}",
        None if best is None else f"layer {best}",
        "; ".join(_nearness(probe, printed, ours)),
        of=probe.of,
    )


def _nearness(probe: Probe, printed: Sequence[str], ours: np.ndarray) -> Iterator[str]:
    """RMSE, median and number of equal values at each layer: one wrong value can rule an RMSE."""
    paper = numbers(printed)
    for number, row in zip(probe.layers, ours, strict=True):
        known = np.isfinite(row)
        if known.any():
            same = sum(
                agrees(value, own, measured=True)
                for value, own in zip(printed, row.tolist(), strict=True)
                if number_of(value) is not None and np.isfinite(own)
            )
            middle = float(np.median(np.abs(row - paper)[known]))
            yield (
                f"layer {number}: RMSE {rmse(paper, row):.4f}, median |difference| {middle:.4f}, "
                f"{same} of {int(known.sum())} values the same"
            )
