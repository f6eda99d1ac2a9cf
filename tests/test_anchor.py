"""The vector that stands for a whole text."""

import numpy as np
import pytest
from test_parts import text_of

from activation_flow import anchor

FRAMED = text_of("a b", [("[CLS]", 0, 0), ("a", 0, 1), ("b", 2, 3), ("[SEP]", 0, 0)])
TRAILING = text_of("a b", [("a", 0, 1), ("b", 2, 3), ("[SEP]", 0, 0), ("[CLS]", 0, 0)])
BARE = text_of("a b", [("a", 0, 1), ("b", 2, 3)])
CLS = int(FRAMED.ids[0])
HIDDEN = np.arange(24, dtype=np.float32).reshape(2, 4, 3)


@pytest.mark.parametrize(
    ("texts", "cls_id", "causal", "kind"),
    [
        ([FRAMED], CLS, False, "cls"),
        ([TRAILING], CLS, False, "cls"),
        ([TRAILING], CLS, True, "cls"),  # it sees the whole text
        ([FRAMED], CLS, True, "last"),  # it sees nothing of the text
        ([FRAMED], None, False, "mean"),
        ([BARE], CLS, False, "mean"),  # the tokenizer adds none
        ([BARE], int(BARE.ids[0]), False, "mean"),  # a typed one is text
        ([BARE], None, True, "last"),
        ([FRAMED, BARE], CLS, False, "mean"),  # one kind for all
    ],
)
def test_which_it_is(texts, cls_id, causal, kind):
    assert anchor.kind_of(texts, cls_id, causal) == kind


@pytest.mark.parametrize(("text", "place"), [(FRAMED, 0), (TRAILING, 3)])
def test_what_it_is(text, place):
    found = anchor.vectors(text, HIDDEN, "cls", CLS)
    assert found.dtype == np.float64
    assert (found == HIDDEN[:, place]).all()
    assert (anchor.vectors(text, HIDDEN, "last", None) == HIDDEN[:, 3]).all()
    mean = anchor.vectors(text, HIDDEN, "mean", None)
    assert mean.tolist() == [[4.5, 5.5, 6.5], [16.5, 17.5, 18.5]]
