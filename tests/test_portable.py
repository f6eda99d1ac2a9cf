"""An encoder in another process: the same bits without torch, or a clear word why not."""

import copy
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from architectures import TEXTS
from slow_models import make_slow

import activation_flow as af
from activation_flow import folder
from activation_flow.data import ActivationFlowError
from activation_flow.encoder import Encoder
from activation_flow.folder import Damaged, EngineFolder
from activation_flow.portable import Lacking

TEXT = TEXTS[0]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def fresh(tiny: Callable[..., Any], empty_cache: Path) -> af.Encoder:
    """An encoder whose engine folder is its own."""
    return af.Encoder.from_pretrained(tiny("bert"), threads=1, batch_tokens=77)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From now on this process is as on a machine with a cache of its own."""
    monkeypatch.setenv("AFN_CACHE", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def test_another_process_gets_the_same_bits_without_torch(
    tiny_encoder: af.Encoder, tmp_path: Path
) -> None:
    (tmp_path / "encoder").write_bytes(pickle.dumps(tiny_encoder))
    code = (
        "import pickle, sys\n"
        f"encoder = pickle.load(open({str(tmp_path / 'encoder')!r}, 'rb'))\n"
        f"result = encoder.strength({TEXT!r}, layers='all')\n"
        f"open({str(tmp_path / 'out')!r}, 'wb').write(result.strength.tobytes())\n"
        "heavy = {'torch', 'transformers', 'huggingface_hub'} & {*sys.modules}\n"
        "print(heavy or 'light', encoder, result.provenance)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = tiny_encoder.strength(TEXT, layers="all")
    assert done.stdout == f"light {tiny_encoder} {result.provenance}\n"
    assert done.stderr == ""
    assert (tmp_path / "out").read_bytes() == result.strength.tobytes()


def test_all_settings_travel(fresh: af.Encoder) -> None:
    portable = copy.deepcopy(fresh).portable
    assert portable == fresh.portable
    assert (portable.threads, portable.batch_tokens, portable.precision) == (1, 77, "f32")


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_what_cannot_travel_says_why(tiny: Callable[..., Any], tmp_path: Path, engine: str) -> None:
    model = tiny("bert") if engine == "torch" else make_slow("esm", tmp_path)
    encoder = af.Encoder.from_pretrained(model, engine=engine)
    why = "runs on the eager engine" if engine == "torch" else "tokenizer is a slow one"
    with pytest.raises(ActivationFlowError, match=rf"cannot be sent to another process .*{why}"):
        pickle.dumps(encoder)


def test_a_missing_folder_is_named(fresh: af.Encoder, elsewhere: Path) -> None:
    sent = pickle.dumps(fresh)
    shutil.rmtree(fresh.portable.path)
    with pytest.raises(Lacking, match=rf"{fresh.portable.path} is not there; {elsewhere}/"):
        pickle.loads(sent)


def test_a_truncated_file_is_seen_when_it_arrives(fresh: af.Encoder) -> None:
    sent = pickle.dumps(fresh)
    (fresh.portable.path / "graph.bin").write_bytes(b"")
    with pytest.raises(Lacking, match=r"graph\.bin has another size"):
        pickle.loads(sent)


def test_an_altered_file_is_seen_when_it_is_used(fresh: af.Encoder) -> None:
    sent = pickle.dumps(fresh)
    flip(fresh.portable.path / "graph.bin")
    encoder = pickle.loads(sent)
    with pytest.raises(Lacking, match="was altered"):
        encoder.strength(TEXT)


def test_a_folder_of_other_weights_under_the_same_path_is_not_taken(
    fresh: af.Encoder, tiny: Callable[..., Any]
) -> None:
    other = copy.deepcopy(tiny("bert")[0])
    other.encoder.layer[0].output.dense.bias.data += 0.5
    theirs = af.Encoder.from_pretrained((other, tiny("bert")[1])).portable
    sent = pickle.dumps(fresh)
    shutil.rmtree(fresh.portable.path)
    shutil.copytree(theirs.path, fresh.portable.path)
    with pytest.raises(Lacking, match="another time, or of another model"):
        pickle.loads(sent)


def test_other_versions_are_refused(fresh: af.Encoder) -> None:
    versions = {**fresh.portable.versions, "openvino": "2020.1"}
    with pytest.raises(ActivationFlowError, match=r"with openvino 2020\.1, and .* has openvino 2"):
        Encoder.from_portable(replace(fresh.portable, versions=versions))


# the folder itself is sent


def test_a_folder_that_is_sent_gives_the_same_bits_and_is_kept(
    fresh: af.Encoder, elsewhere: Path
) -> None:
    truth = fresh.strength(TEXT)
    portable, packed = fresh.portable, fresh.pack()
    assert {*packed} == {"graph.xml", "graph.bin", "tokenizer.json", "engine.json"}  # no blobs
    packed = {name: (known, np.array(content)) for name, (known, content) in packed.items()}
    shutil.rmtree(portable.path)
    there = Encoder.from_portable(portable, packed)
    np.testing.assert_array_equal(there.strength(TEXT).strength, truth.strength)
    assert there.portable.path == elsewhere / "engines" / portable.path.name
    EngineFolder(there.portable.path).check()
    assert Encoder.from_portable(portable).portable.path == there.portable.path


def test_a_folder_is_not_taken_where_one_is(fresh: af.Encoder, elsewhere: Path) -> None:
    there = Encoder.from_portable(fresh.portable, fresh.pack())
    assert there.portable.path == fresh.portable.path
    assert not elsewhere.exists()


def test_what_was_altered_on_the_way_is_not_kept(fresh: af.Encoder, elsewhere: Path) -> None:
    portable, packed = fresh.portable, fresh.pack()
    packed["graph.bin"] = packed["graph.bin"][0], np.array(packed["graph.bin"][1])
    packed["graph.bin"][1][1000] ^= 1
    shutil.rmtree(portable.path)
    with pytest.raises(Lacking, match=r"graph\.bin was altered"):
        Encoder.from_portable(portable, packed)
    assert not [path for path in (elsewhere / "engines").iterdir() if path.is_dir()]


def test_damage_in_a_kept_folder_is_repaired_by_one_that_is_sent(
    fresh: af.Encoder, elsewhere: Path
) -> None:
    truth, portable, packed = fresh.strength(TEXT), fresh.portable, fresh.pack()
    packed = {name: (known, np.array(content)) for name, (known, content) in packed.items()}
    shutil.rmtree(portable.path)
    own = Encoder.from_portable(portable, packed).portable.path
    flip(own / "graph.bin")
    there = Encoder.from_portable(portable, packed)
    np.testing.assert_array_equal(there.strength(TEXT).strength, truth.strength)
    EngineFolder(own).check()


def test_a_damaged_folder_is_never_sent(fresh: af.Encoder) -> None:
    kept = EngineFolder(fresh.portable.path)
    kept.check()
    flip(kept.path / "graph.bin")
    with pytest.raises(Damaged, match=r"graph\.bin was altered"):
        kept.pack()
    fresh.pack()  # made anew
    EngineFolder(fresh.portable.path).check()


def test_a_disk_that_cannot_take_a_folder_is_an_error(
    fresh: af.Encoder, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    portable, packed = fresh.portable, fresh.pack()
    shutil.rmtree(portable.path)
    monkeypatch.setattr(folder, "unpack", full)
    with pytest.raises(ActivationFlowError, match=r"cannot be kept on .* No space left"):
        Encoder.from_portable(portable, packed)


def test_an_empty_file_can_be_packed(tmp_path: Path) -> None:
    def fill(into: Path) -> dict[str, Any]:
        (into / "empty").write_bytes(b"")
        (into / "in").mkdir()
        (into / "in" / "a").write_bytes(b"abc")
        return {}

    packed = folder.create(tmp_path / "one", fill).pack()
    copied = folder.unpack(tmp_path / "two", packed)
    copied.check()
    assert (copied.path / "in" / "a").read_bytes() == b"abc"
    assert (copied.path / "empty").read_bytes() == b""
