"""Engine folders: whole or not at all, and no damage goes unnoticed."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from activation_flow import folder
from activation_flow.folder import Damaged, EngineFolder


def fill(into: Path) -> dict[str, Any]:
    (into / "graph.bin").write_bytes(bytes(range(256)) * 100)
    (into / "tokenizer.json").write_text("{}")
    return {"model": "m"}


@pytest.fixture
def made(tmp_path: Path) -> EngineFolder:
    return folder.create(tmp_path / "engines" / "key", fill)


def test_a_folder_reads_back(made: EngineFolder) -> None:
    again = EngineFolder(made.path)
    assert again.meta["model"] == "m"
    assert again.file("graph.bin").stat().st_size == 25600
    assert again.size() > 25600
    assert not list(made.path.parent.glob(".new-*"))


@pytest.mark.parametrize("name", ["graph.bin", "tokenizer.json", "engine.json", "checksums.json"])
def test_a_missing_or_truncated_file_is_noticed_on_opening(made: EngineFolder, name: str) -> None:
    path = made.path / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Damaged):
        EngineFolder(made.path)
    path.unlink()
    with pytest.raises(Damaged):
        EngineFolder(made.path)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["graph.bin", "tokenizer.json"])
def test_one_flipped_bit_is_noticed_on_use(made: EngineFolder, name: str) -> None:
    flip(made.path / name)
    with pytest.raises(Damaged, match=f"{name} was altered"):
        EngineFolder(made.path).file(name)


def test_flipped_metadata_is_noticed_on_opening(made: EngineFolder) -> None:
    flip(made.path / "engine.json")
    with pytest.raises(Damaged, match=r"engine\.json was altered"):
        EngineFolder(made.path)


def test_an_added_file_is_checked_like_the_others(made: EngineFolder) -> None:
    made.add("blobs/a.blob", lambda path: path.write_bytes(b"blob"))
    other = EngineFolder(made.path)
    assert other.file("blobs/a.blob").read_bytes() == b"blob"
    assert other.size("blobs/") == 4
    flip(made.path / "blobs" / "a.blob")
    with pytest.raises(Damaged):
        EngineFolder(made.path).file("blobs/a.blob")


def test_two_holders_may_add_without_losing_each_others_files(made: EngineFolder) -> None:
    one, two = EngineFolder(made.path), EngineFolder(made.path)
    one.add("blobs/1", lambda path: path.write_bytes(b"1"))
    two.add("blobs/2", lambda path: path.write_bytes(b"22"))
    assert EngineFolder(made.path).size("blobs/") == 3


def test_a_failing_write_leaves_nothing_behind(made: EngineFolder) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        made.add("blobs/a", fail)
    assert not any((made.path / "blobs").iterdir())
    EngineFolder(made.path)


def test_a_failing_build_leaves_the_old_folder(made: EngineFolder) -> None:
    def fail(into: Path) -> dict[str, Any]:
        (into / "graph.bin").write_bytes(b"half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        folder.create(made.path, fail)
    assert EngineFolder(made.path).file("graph.bin").stat().st_size == 25600
    assert [p.name for p in made.path.parent.iterdir()] == ["key"]


def _count(path: Path, tally: Path) -> None:
    with folder.locked(path):
        try:
            EngineFolder(path)
        except FileNotFoundError:
            with tally.open("a") as file:
                file.write("built\n")
            folder.create(path, fill)


def test_two_processes_at_once_build_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path, tally = tmp_path / "engines" / "key", tmp_path / "tally"
    workers = [context.Process(target=_count, args=(path, tally)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [w.exitcode for w in workers] == [0, 0, 0]
    assert tally.read_text() == "built\n"


def test_hash_is_xxh3_of_the_content(tmp_path: Path) -> None:
    import xxhash

    (tmp_path / "f").write_bytes(b"x" * (5 << 20))
    assert folder.hash_file(tmp_path / "f") == xxhash.xxh3_128(b"x" * (5 << 20)).hexdigest()


def test_cache_root_follows_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFN_CACHE", str(tmp_path))
    assert folder.cache_root() == tmp_path
    monkeypatch.delenv("AFN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert folder.cache_root() == tmp_path / "x" / "activation-flow"


def test_a_cache_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError, match=r"cannot be written .* set AFN_CACHE"),
        folder.locked(tmp_path / "file" / "engines" / "key"),
    ):
        pass


def test_checksums_are_plain_json(made: EngineFolder) -> None:
    listed = json.loads((made.path / "checksums.json").read_text())
    assert set(listed) == {"graph.bin", "tokenizer.json", "engine.json"}
