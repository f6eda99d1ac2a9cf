"""What the columns of tables are: names, types, units; and what stands in the first row only."""

from typing import TYPE_CHECKING, Any

from activation_flow.data import ActivationFlowError
from activation_flow.document_parts import Json

if TYPE_CHECKING:
    import pyarrow

HEAD = "activation_flow"  # of the metadata
# name: (type, what it is). The text type is a dictionary of few strings.
Columns = dict[str, tuple[str, str]]

TOKEN: Columns = {
    "token": ("string", "piece of the tokenizer, or word"),
    "id": ("int64", "vocabulary number"),
    "start": ("int64", "first character in the text; null: special token, or unknown"),
    "end": ("int64", "one past the last character"),
    "segment": ("int8", "0: the text, 1: its pair; null: special token"),
    "word": ("int64", "number of the word in its text; null: none"),
    "kind": ("few", "special, punctuation, function, content; null: unknown"),
}
STRENGTH = ("float", "S = L2 norm of the hidden state (paper eq. 1)")
RANK = ("int64", "1 = strongest; null: not ranked")
BUCKET = ("few", "HIGH: S > tau; LOW; null: takes no part (eq. 4)")
# What a text (or a pair of texts) is as a whole stands in its first row only: a long text in each
# of its rows would fill a disk, and in the metadata of a file no reader would take it.
TEXT: Columns = {
    "text": ("string", "the text itself; in its first row only, as all that is of a text"),
    "text_pair": ("string", "its second segment; null: none"),
    "n_windows": ("int32", "number of overlapping windows in which it was read"),
    "n_dropped": ("int64", "number of its tokens that were cut off"),
}
THRESHOLD = ("double", "tau, unit of strength (eq. 3)")
SIDE: Columns = {
    "index": ("int32", "place of the token in its text, from 0; null: it is in the other only"),
    **TOKEN,
    "strength": STRENGTH,
    "rank": RANK,
    "bucket": BUCKET,
}
WHOLE: Columns = {**TEXT, "threshold": THRESHOLD}
HELD: Columns = {
    "total_shift": ("double", "sum of all shifts; in the first row of a pair only, as all below"),
    "aligned_shift": ("double", "sum of the shifts that R_H is about"),
    "high_shift": ("double", "sum of the shifts of HIGH tokens (eq. 8)"),
    "n": ("int64", "number of aligned pairs of tokens that R_H is about"),
    "k": ("int64", "number of HIGH ones among them"),
    "high_ratio": ("double", "R_H = high_shift / aligned_shift (eqs. 5, 11); null: none"),
    "high_share": ("double", "k / n, the R_H of chance"),
    "enrichment": ("double", "R_H / (k / n)"),
    "p_value": ("double", "part of all choices of k tokens that hold at least as much shift"),
    "p_floor": ("double", "the smallest p that k of n tokens could have had"),
}

MISSING = "rows are missing from this table, or in another order"


def schema(columns: Columns) -> "pyarrow.Schema":
    """Names, types, and as metadata of each field what it is and in which unit."""
    import pyarrow as pa

    few = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        pa.field(
            name,
            few if kind == "few" else pa.type_for_alias(kind),
            metadata={"about": about},
        )
        for name, (kind, about) in columns.items()
    )


def first_of(n: int, value: Any) -> list[Any]:
    """A value in the first of n rows."""
    return [value, *[None] * (n - 1)] if n else []


def whole(about: Json) -> Json:
    """What a text is as a whole, which stands in its first row."""
    if about["text"] is None:  # it stands in the first row
        raise ActivationFlowError(MISSING)
    return about
