"""The folder of a server: private, in use while it runs, gone after it, even if it was killed."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from activation_flow import app_folder

pytest.importorskip("fcntl")
KILLED = """
import os, signal
from activation_flow import app_folder
with app_folder.private() as folder:
    open(os.path.join(folder, "text"), "w").write("typed")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_temporary_files_are_made_in_it_and_go_with_it(temporary):
    with app_folder.private() as folder:
        assert Path(folder).parent == temporary
        assert Path(folder).stat().st_mode & 0o077 == 0
        with tempfile.TemporaryDirectory(prefix="afn-") as inner:
            assert Path(inner).parent == Path(folder)
        Path(tempfile.mkdtemp()).joinpath("left").write_text("typed")
    assert [*temporary.iterdir()] == []
    assert tempfile.gettempdir() == str(temporary)


def test_what_a_killed_server_left_goes_when_the_next_one_starts(temporary):
    subprocess.run([sys.executable, "-c", KILLED], check=False)
    (left,) = temporary.iterdir()
    assert (left / "text").read_text() == "typed"
    foreign = temporary / "afn-app-foreign"  # not of a server: it has no lock
    foreign.mkdir()
    (temporary / "afn-app-link").symlink_to(left)
    with app_folder.private() as first, app_folder.private() as second:
        assert not left.exists()
        assert Path(first).is_dir()  # in use: it stays
        assert Path(second).is_dir()
    assert {one.name for one in temporary.iterdir()} == {"afn-app-foreign", "afn-app-link"}
