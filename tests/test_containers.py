"""The two forms of file: what the formats ask for, and what their own libraries make of them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from activation_flow import containers
from activation_flow.containers import NpzReader, NpzWriter, SafetensorsWriter
from activation_flow.data import ActivationFlowError

ARRAYS = {
    "flag": np.array([True, False, True]),
    "values": np.arange(3, dtype=np.float32),
    "numbers": np.arange(2, dtype=np.int64),
    "none": np.empty((2, 0, 5), dtype=np.float32),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
}


def header(path: Path) -> tuple[int, dict[str, Any]]:
    """Length and content of the header, as the format says."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    assert raw[8:9] == b"{"
    return length, json.loads(raw[8 : 8 + length])


def test_safetensors_is_what_the_format_asks_for(tmp_path):
    path = tmp_path / "a.safetensors"
    with SafetensorsWriter(path) as file:
        for key in ("1", "2", "3"):
            file.add(key, ARRAYS, "about \0 😀")
        file.finish("head")
    length, entries = header(path)
    assert entries.pop("__metadata__") == {
        "activation_flow": "head",
        **dict.fromkeys(("1", "2", "3"), "about \0 😀"),
    }
    assert length % 8 == 0
    widths = {"I64": 8, "F32": 4, "BOOL": 1}
    covered = 0
    for entry in sorted(entries.values(), key=lambda entry: entry["data_offsets"]):
        first, last = entry["data_offsets"]
        width = widths[entry["dtype"]]
        assert first == covered  # no hole
        assert first % width == 0
        assert last - first == np.prod(entry["shape"]) * width
        covered = last
    assert path.stat().st_size == 8 + length + covered
    for framework, type_ in (("np", np.ndarray), ("pt", torch.Tensor)):
        with safe_open(path, framework) as file:
            assert len(file.keys()) == 3 * len(ARRAYS)
            for name, array in ARRAYS.items():
                found = file.get_tensor(f"2.{name}")
                assert isinstance(found, type_)
                np.testing.assert_array_equal(np.asarray(found), array)


def test_npz_is_what_numpy_writes_and_not_pickled(tmp_path):
    with NpzWriter(tmp_path / "a.npz") as file:
        file.add("1", ARRAYS, "about")
        file.finish("head")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert {*file} == {*(f"1.{name}" for name in ARRAYS), "1.about", "head"}
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(file[f"1.{name}"], array)
        assert (file["head"].item(), file["1.about"].item()) == ("head", "about")


def test_npz_that_numpy_compressed_is_read(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", **{"head": np.array("head"), "1.a": np.zeros(9)})
    file = NpzReader(tmp_path / "a.npz")
    assert file.head() == "head"
    assert file.array("1.a").tolist() == [0] * 9


def test_arrays_of_more_than_four_gigabytes(tmp_path, monkeypatch):
    """As if the limit of plain zip files were 1,000 bytes."""
    big = np.arange(500.0)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    with NpzWriter(tmp_path / "a.npz") as file:
        file.add("1", {"a": big}, "about")
        file.add("2", {"a": big}, "about")
        file.finish("head")
    monkeypatch.undo()
    with np.load(tmp_path / "a.npz") as file:
        np.testing.assert_array_equal(file["2.a"], big)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for ending, writer in containers.WRITERS.items():
        paths = [tmp_path / f"{name}{ending}" for name in "ab"]
        for path in paths:
            with writer(path) as file:
                file.add("1", ARRAYS, "about")
                file.finish("head")
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_header_that_nobody_could_read_is_refused_before_it_is_written(tmp_path, monkeypatch):
    limit = 20_000
    monkeypatch.setattr(containers, "MAX_HEADER", limit)
    path = tmp_path / "a.safetensors"

    def write(most: float) -> int:
        with SafetensorsWriter(path) as file:
            file.expect('{"errors": []}')
            for number in range(10_000):
                if number >= most:
                    file.finish('{"errors": []}')
                    return number
                file.add(f"{number}", ARRAYS, '{"text": "слово"}')
        raise AssertionError

    message = (
        r"room for 20,000 bytes of texts, tokens and shapes, and (\d+) texts fill it: write \.npz"
    )
    with pytest.raises(ActivationFlowError, match=message) as caught:
        write(np.inf)
    assert not path.exists()
    assert write(int(str(caught.value).split(" and ")[2].split()[0]) - 1)
    length, _ = header(path)
    assert 0.7 * limit < length <= limit  # the room for offsets of many digits is not used here


def test_failures_take_part_of_the_header(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MAX_HEADER", 1000)
    with SafetensorsWriter(tmp_path / "a.safetensors") as file:
        for _ in range(8):
            file.expect("x" * 100)
        with pytest.raises(ActivationFlowError, match=r"write \.npz"):
            file.expect("x" * 100)


def test_the_limit_is_that_of_the_library(tmp_path):
    """100,000,000 bytes of header are read, and not a byte more."""
    path = tmp_path / "a.safetensors"
    for length, fits in ((containers.MAX_HEADER, True), (containers.MAX_HEADER + 8, False)):
        path.write_bytes(length.to_bytes(8, "little") + b'{"__metadata__":{}}'.ljust(length))
        if fits:
            assert safe_open(path, "np").metadata() in ({}, None)
        else:
            with pytest.raises(Exception, match="header too large"):
                safe_open(path, "np")
    path.unlink()
