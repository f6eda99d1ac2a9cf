"""Where log f comes from, and what is said about it."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slow_models import TABLE

import activation_flow as af
from activation_flow import frequency
from activation_flow.data import ActivationFlowError
from activation_flow.slow import Encoding, SlowTokenizer

TEXTS = ["the day of the park", "the days at the park!"]


def looked_up(spec: Any, ids: Any, encoder: af.Encoder, special: Any = None) -> tuple[Any, str]:
    """Log f of these tokens by this source, and where it comes from."""
    known = frequency.source(spec, ids, encoder, special)
    return known.of(ids, special), known.note


@pytest.fixture
def read(tiny_encoder: af.Encoder) -> Any:
    """Vocabulary numbers, pieces and special marks of the texts, one after the other."""
    texts = [one.text for one in tiny_encoder.tokenize(TEXTS)[0]]
    return tuple(
        np.concatenate([getattr(t, n) for t in texts]) for n in ("ids", "tokens", "special")
    )


def test_the_vocabulary_is_a_proxy_and_says_so(tiny_encoder: af.Encoder, read: Any) -> None:
    ids, _, special = read
    found, note = looked_up("vocabulary", ids, tiny_encoder, special)
    np.testing.assert_allclose(found[~special], -np.log(ids[~special] + 1))
    assert np.isnan(found[special]).all()
    assert "a proxy and no count" in note


def test_the_corpus_counts_its_own_tokens(tiny_encoder: af.Encoder, read: Any) -> None:
    ids, _, special = read
    found, note = looked_up("corpus", ids, tiny_encoder, special)
    count = Counter(ids[~special].tolist())
    np.testing.assert_allclose(found[~special], [np.log(count[i]) for i in ids[~special].tolist()])
    assert np.isnan(found[special]).all()
    assert f"among the {(~special).sum()} of these texts" in note
    everything, _ = looked_up("corpus", ids, tiny_encoder)
    assert np.isfinite(everything).all()


@pytest.mark.parametrize("by_number", [False, True])
def test_a_file_knows_some_tokens(
    tiny_encoder: af.Encoder, read: Any, tmp_path: Path, by_number: bool
) -> None:
    ids, tokens, special = read
    the, day = (int(ids[tokens == token][0]) for token in ("the", "day"))
    path = tmp_path / "counts.txt"
    if by_number:
        path.write_text(
            f"1 40 {the}\n2 9 {day}\n3 2 {the}\n4 5 99999\n5 0 {ids[tokens == 'of'][0]}\n"
        )
    else:
        path.write_text("the 40\nday 9\nthe 2\nnosuchtoken 5\nof 0\n")
    found, note = looked_up(path, ids, tiny_encoder, special)
    known = np.isin(ids, [the, day])
    np.testing.assert_array_equal(np.isfinite(found), known)  # a count of 0 says nothing
    np.testing.assert_allclose(found[ids == the], np.log(42))
    np.testing.assert_allclose(found[ids == day], np.log(9))
    share = known.sum() / (~special).sum()
    assert f"counts of {path}, which knows {share:.1%} of the tokens" in note
    assert "1 of its 5 rows are not in the vocabulary" in note


def test_a_file_of_another_vocabulary_is_refused(
    tiny_encoder: af.Encoder, read: Any, tmp_path: Path
) -> None:
    (tmp_path / "counts.txt").write_text("Ġthe 40\n")
    with pytest.raises(ActivationFlowError, match=r"counts.txt knows none of the \d+ tokens"):
        frequency.source(str(tmp_path / "counts.txt"), read[0], tiny_encoder, read[2])


def test_no_token_has_no_frequency(tiny_encoder: af.Encoder) -> None:
    for spec in ("vocabulary", "corpus"):
        found, _ = looked_up(spec, np.zeros(0, np.int64), tiny_encoder)
        assert found.shape == (0,)


def test_a_slow_tokenizer_has_a_vocabulary_too(tmp_path: Path) -> None:
    tokenizer = SlowTokenizer(TABLE["esm"].make(tmp_path))
    vocabulary = tokenizer.get_vocab()
    (encoding,) = tokenizer.encode_batch(["MKTAYIAK"])
    assert isinstance(encoding, Encoding)
    assert [vocabulary[token] for token in encoding.tokens] == encoding.ids


def test_a_tokenizer_without_a_list_of_its_tokens_says_so(
    tiny_encoder: af.Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nameless:
        def get_vocab(self) -> dict[str, int]:
            raise NotImplementedError

    monkeypatch.setattr(tiny_encoder, "_tokenizer", SlowTokenizer(Nameless()))
    with pytest.raises(ActivationFlowError, match="has no list of its tokens"):
        tiny_encoder.vocabulary()


def test_a_source_is_named_and_asked_again_without_its_file(
    tiny_encoder: af.Encoder, read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, tokens, special = read
    path = tmp_path / "counts.txt"
    path.write_text("the 40\n! 9\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    known = frequency.source("~/counts.txt", ids, tiny_encoder, special)
    path.unlink()
    other = np.unique(ids[(tokens == "day") | (tokens == "the")])
    assert np.isfinite(known.of(other)).sum() == 1
    assert np.isnan(known.of(np.array([10**6, int(ids[tokens == "day"][0])]))).all()
    names = [frequency.source(spec, ids, tiny_encoder).name for spec in ("vocabulary", "corpus")]
    assert [*names, known.name] == [
        "rarity by vocabulary rank",
        "rarity by counts of this corpus",
        "rarity by counts of counts.txt",
    ]
