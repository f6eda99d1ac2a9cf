"""Lists of words: what is read, what is refused, and which words of texts are in them."""

import numpy as np
import pytest

from activation_flow import salient_words, units
from activation_flow.audit_tokens import flattened
from activation_flow.data import ActivationFlowError


def write(tmp_path, text):
    path = tmp_path / "words.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_a_list_is_read(tmp_path):
    text = "\ufeff# feelings\nLove\n\n  joy  # as a noun\r\nDon’t\nSTRASSE\nstraße\nlove\n"
    assert salient_words.read(write(tmp_path, text)) == {"love", "joy", "don't", "strasse"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("love\ngood\t3\n", r"words.txt, line 2: 'good 3' is more than one word"),
        ("love\nnot good\n", "line 2: 'not good' is more than one word"),
        (b"love\ncaf\xe9\n", "line 2: not UTF-8"),
        ("# nothing\n\n", "holds no word"),
        (b"\xff\xfel\x00", "UTF-16"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path, text, reason):
    with pytest.raises(ActivationFlowError, match=reason):
        salient_words.read(write(tmp_path, text))


def test_words_of_texts_are_found(tiny_encoder):
    texts = ["I LOVE unfolds, don’t I?", "… love-love (love)", "lovely"]
    ready, failures = tiny_encoder.tokenize(texts)
    assert not failures
    tokens = flattened([one.text for one in ready])
    listed = frozenset({"love", "don't", "unfolds", "joy", "…"})
    of = units.of_words(ready, tokens)
    salient, occurring = salient_words.found(listed, of, ready)
    # I LOVE unfolds don’t I; love-love love; lovely
    assert salient.astype(int).tolist() == [0, 1, 1, 1, 0, 0, 1, 0]
    assert occurring == 3
    # The same in what stands between spaces, where punctuation is about the words.
    spans = [[(0, 6), (7, 15), (16, 24)], [(0, 1), (2, 11), (12, 18)], [(0, 6)]]
    salient, occurring = salient_words.found(listed, units.of_spans(ready, tokens, spans), ready)
    assert salient.astype(int).tolist() == [1, 1, 1, 0, 0, 1, 0]
    assert occurring == 3
    # A word that no unit holds does not count.
    none = units.of_spans(ready, tokens, [[], [(0, 1)], []])
    salient, occurring = salient_words.found(listed, none, ready)
    assert (salient.tolist(), occurring) == ([False], 0)
    assert salient.dtype == np.bool_
