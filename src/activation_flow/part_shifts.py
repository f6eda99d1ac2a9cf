"""The tables of a run that compares texts: comparisons -> columns. Computes sums and counts only.

No file. pyarrow is imported only where it is used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from activation_flow.alignment import kinds_of_rows
from activation_flow.data import Names, PerLayer
from activation_flow.part_tables import (
    LAYER,
    PLACE,
    TEXT_ID,
    Layout,
    Row,
    by_row,
    known,
    places,
    repeated,
    without_nan,
    words,
)
from activation_flow.results import StrengthResult
from activation_flow.shift import Concentration
from activation_flow.table_columns import HELD, STRENGTH, Columns, schema

if TYPE_CHECKING:
    import pyarrow
    from jaxtyping import Bool, Float, Int

    Index = Int[np.ndarray, "rows"]
    PerRow = Float[np.ndarray, "layers rows"]
    Marked = Bool[np.ndarray, "layers rows"]
    Paired = Bool[np.ndarray, "rows"]
else:
    Index = PerRow = Marked = Paired = np.ndarray

PROMPTS: Columns = {
    "prompt_a": ("few", "prompt before the first text; null: the bare text"),
    "prompt_b": ("few", "prompt before the second"),
}
_INDEX = ("int32", "place of the token in its text, from 0; null: it is in the other only")
SHIFTS: Columns = {
    "text_id": TEXT_ID,
    **PROMPTS,
    "layer": LAYER,
    "row": ("int32", "place of the row in its comparison, from 0: every token of both texts once"),
    "change": ("few", "same, replaced, deleted (only in a), inserted (only in b)"),
    "part": ("few", "whose: text, prompt (or template), special; mixed: of two; null: unknown"),
    "token_a": ("few", "piece of the tokenizer, or word, of the first text"),
    "token_b": ("few", "the same of the second"),
    "index_a": _INDEX,
    "index_b": _INDEX,
    "kind": ("few", "special, punctuation, function, content; null: unknown"),
    "strength_a": STRENGTH,
    "strength_b": STRENGTH,
    "high": ("bool", "HIGH, by the bucket that the settings name (bucket_by)"),
    "shift": ("double", "L2 norm of h_A - h_B (paper eq. 6); null: no partner"),
    "cosine_distance": ("double", "1 - cos, 0 to 2; null: no partner"),
}
_RATIO = ("n", "k", "high_ratio", "high_share", "enrichment", "p_value", "p_floor")
COMPARISONS: Columns = {
    "text_id": TEXT_ID,
    **PLACE,
    **PROMPTS,
    "layer": LAYER,
    "n_tokens_a": ("int32", "number of tokens of the first text, special ones included"),
    "n_tokens_b": ("int32", "the same of the second"),
    "n_dropped_a": ("int64", "number of tokens of the first text that were cut off"),
    "n_dropped_b": ("int64", "the same of the second"),
    "n_aligned": ("int32", "number of aligned pairs of tokens, special ones included"),
    "n_text": ("int32", "number of those that are the text's own; null: unknown"),
    "total_shift": ("double", "sum of the shifts of all aligned pairs, special ones included"),
    "mean_shift": ("double", "total_shift / n_aligned; null: there is none"),
    **{name: HELD[name] for name in _RATIO},
    "unpaired_high": ("int32", "number of HIGH tokens without a partner, so without a part in R_H"),
    "anchor": ("few", "what stands for a text: cls (token), last (token) or mean (of all tokens)"),
    "anchor_shift": ("double", "L2 norm of the difference of the two anchors"),
    "anchor_cosine": ("double", "1 - cos of the anchors, 0 to 2"),
    "text": ("string", "the text itself"),
    "text_b": ("string", "the second text itself"),
}


@dataclass(frozen=True)
class Compared:
    """Two texts compared, at all layers.

    Attributes:
        a: tokens and strengths of the first.
        b: those of the second.
        a_index: of each row, the token's index in the first text; -1: it is only in the second.
        b_index: its index in the second.
        change: see ``alignment.Alignment``.
        shift: Δ of each row, [layers rows]; NaN where a token has no partner.
        cosine_distance: 1 − cos, likewise.
        high: is the token HIGH, [layers rows].
        concentration: of each layer, how much of the shift HIGH tokens hold.
        total_shift: sum of the shifts of all aligned pairs, [layers].
        anchor: what stands for a whole text, see ``anchor.kind_of``.
        anchor_shift: Δ of the anchors, [layers].
        anchor_cosine: their 1 − cos.
        prompts: places of the two prompts; of a pair of texts, (0, 1).
        part: of each row, whose token it is; None for pairs of texts.
    """

    a: StrengthResult
    b: StrengthResult
    a_index: Index
    b_index: Index
    change: Names
    shift: PerRow
    cosine_distance: PerRow
    high: Marked
    concentration: tuple[Concentration, ...]
    total_shift: PerLayer
    anchor: str
    anchor_shift: PerLayer
    anchor_cosine: PerLayer
    prompts: tuple[int, int] = (0, 1)
    part: Names | None = None

    @property
    def paired(self) -> Paired:
        """True for rows with a token of both texts."""
        return (self.a_index >= 0) & (self.b_index >= 0)

    @property
    def kind(self) -> Names:
        """Kind of each row's token: the first text's, or the second's where it was inserted."""
        return kinds_of_rows(self.a_index, self.b_index, self.a.kind, self.b.kind)

    @property
    def n_text(self) -> int | None:
        """Number of aligned pairs of the text's own tokens; None where nobody knows them."""
        if self.part is None:
            return int((self.paired & (self.kind != "special")).sum())
        return None if (self.part == "").any() else int((self.paired & (self.part == "text")).sum())


@dataclass(frozen=True)
class Comparisons:
    """What is said about a row of the input.

    Attributes:
        texts: its own: one, or the two of a pair.
        of: two of its texts, or two prompts before it, at a time.
    """

    texts: tuple[str, ...]
    of: tuple[Compared, ...]


@dataclass(frozen=True, kw_only=True)
class ShiftLayout(Layout):
    """What the tables of a run that compares hold.

    Attributes:
        prompts: those before each text, None for the bare text; none where texts are pairs.
    """

    prompts: tuple[str | None, ...] = ()

    unique: ClassVar = frozenset(COMPARISONS) - {"file", "layer", "anchor", *PROMPTS} | {
        *("strength_a", "strength_b", "shift", "cosine_distance")
    }
    group_rows: ClassVar = {"shifts": 2**15, "comparisons": 2**12}

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, in the order in which their parts are renamed."""
        return "shifts", "comparisons"

    def schemas(self) -> "dict[str, pyarrow.Schema]":
        """Of both tables."""
        prompted = bool(self.prompts)
        there = {"prompt_a": prompted, "prompt_b": prompted, "part": prompted, "id": self.ids}
        there |= {"text": self.keep_text, "text_b": self.keep_text and not prompted}
        return {
            name: schema({field: kind for field, kind in columns.items() if there.get(field, True)})
            for name, columns in (("shifts", SHIFTS), ("comparisons", COMPARISONS))
        }

    def columns(self, rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
        """The columns of both tables; each row has found ``Comparisons``."""
        numbers = [row.text_id for row in rows for _ in row.found.of]
        every = [one for row in rows for one in row.found.of]
        depth = len(self.layers)
        sizes = [len(one.change) for one in every]
        tall = np.multiply(sizes, depth)
        shifts = {
            "text_id": np.repeat(numbers, tall),
            **self._prompts(every, tall),
            "layer": np.tile(self.layers, sum(sizes)),
            "row": np.repeat(np.concatenate([np.arange(n) for n in sizes]), depth),
            **_rows(every, depth),
        }
        times = [depth * len(row.found.of) for row in rows]
        of_rows = [row.found.texts for row in rows]
        comparisons = {
            **places(rows, times),
            **self._prompts(every, [depth] * len(every)),
            "layer": np.tile(self.layers, len(every)),
            **_whole(every),
            "text": repeated([texts[0] for texts in of_rows], times) if self.keep_text else [],
            "text_b": repeated([texts[-1] for texts in of_rows], times) if self.keep_text else [],
        }
        return {"shifts": shifts, "comparisons": comparisons}

    def _prompts(self, every: Sequence[Compared], times: Any) -> dict[str, Any]:
        """The prompts of each comparison, each so many times."""
        import pyarrow as pa

        if not self.prompts:
            return {}
        known_ones = pa.array([prompt or "" for prompt in self.prompts])
        bare = np.array([prompt is None for prompt in self.prompts])
        columns = {}
        for side, name in enumerate(PROMPTS):
            index = np.repeat([one.prompts[side] for one in every], times).astype(np.int32)
            indices = pa.array(index, mask=bare[index])
            columns[name] = pa.DictionaryArray.from_arrays(indices, known_ones)
        return columns


def _rows(every: Sequence[Compared], depth: int) -> dict[str, Any]:
    """What a row of a comparison is: who it is about, and its shift at each layer."""
    columns: dict[str, Any] = {
        "change": words(np.concatenate([one.change for one in every]), depth),
        "kind": words(np.concatenate([one.kind for one in every]), depth),
        "high": by_row(np.concatenate([one.high for one in every], axis=1)),
    }
    if every[0].part is not None:
        columns["part"] = words(np.concatenate([one.part for one in every]), depth)
    for name in ("shift", "cosine_distance"):
        columns[name] = without_nan(np.concatenate([getattr(one, name) for one in every], axis=1))
    for side in ("a", "b"):
        index = np.concatenate([getattr(one, f"{side}_index") for one in every])
        alone = np.broadcast_to(index < 0, (depth, len(index)))
        columns[f"index_{side}"] = known(np.tile(index, (depth, 1)), alone)
        sides = [(getattr(one, side), getattr(one, f"{side}_index")) for one in every]
        tokens = np.concatenate([text.tokens[own] for text, own in sides]).astype(object)
        tokens[index < 0] = None
        columns[f"token_{side}"] = words(tokens, depth, null=None)
        strength = np.concatenate([text.strength[:, own] for text, own in sides], axis=1)
        columns[f"strength_{side}"] = known(strength, alone)
    return columns


def _whole(every: Sequence[Compared]) -> dict[str, list[Any]]:
    """What a comparison is as a whole, at each layer."""
    rows = [row for one in every for row in _each_layer(one)]
    return {name: [row[name] for row in rows] for name in rows[0]}


def _each_layer(one: Compared) -> Iterator[dict[str, Any]]:
    paired = one.paired
    n = int(paired.sum())
    sizes = {
        **{"n_tokens_a": len(one.a), "n_tokens_b": len(one.b)},
        **{"n_dropped_a": one.a.n_dropped, "n_dropped_b": one.b.n_dropped},
        **{"n_aligned": n, "n_text": one.n_text},
    }
    for k, held in enumerate(one.concentration):
        total = float(one.total_shift[k])
        yield {
            **sizes,
            **{"total_shift": total, "mean_shift": total / n if n else None},
            **{name: getattr(held, name) for name in _RATIO},
            "unpaired_high": int((one.high[k] & ~paired).sum()),
            "anchor": one.anchor,
            "anchor_shift": float(one.anchor_shift[k]),
            "anchor_cosine": _finite(one.anchor_cosine[k]),
        }


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
