"""What INPUT stands for: files, folders, patterns, standard input."""

import io
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow import finding
from activation_flow.data import ActivationFlowError
from activation_flow.finding import find_files, spool
from activation_flow.inputs import InputFile


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def found(folder: Path, pattern: str = "", format: str | None = None) -> tuple[list[str], ...]:
    """Names of the files, and of those left out, relative to the folder."""
    files, left_out = find_files(str(folder / pattern), format)
    names = ([file.path for file in files], left_out)
    return tuple([os.path.relpath(name, folder) for name in some] for some in names)


class TestOneFile:
    @pytest.mark.parametrize(
        ("name", "format", "compression"),
        [
            ("a.txt", "txt", ""),
            ("a.b.jsonl", "jsonl", ""),
            ("A.CSV", "csv", ""),
            ("a.tsv.gz", "tsv", "gz"),
            ("a.CoNLLu.ZST", "conllu", "zst"),
            ("a.parquet", "parquet", ""),
            ("a[1].txt", "txt", ""),
            (".hidden.txt", "txt", ""),
        ],
    )
    def test_what_it_is(self, tmp_path, name, format, compression):
        make(tmp_path, name)
        path = tmp_path / name
        status = path.stat()
        file = InputFile(str(path), format, compression, 1, status.st_mtime_ns)
        assert find_files(str(path)) == ([file], [])

    @pytest.mark.parametrize(
        ("name", "format", "compression"),
        [("a", "txt", ""), ("a.md", "txt", ""), ("a.csv", "tsv", ""), ("a.log.gz", "jsonl", "gz")],
    )
    def test_the_format_that_is_said_counts(self, tmp_path, name, format, compression):
        make(tmp_path, name)
        ((file,), _) = find_files(str(tmp_path / name), format)
        assert (file.format, file.compression) == (format, compression)

    @pytest.mark.parametrize("name", ["a", "a.json", "a.gz", "a.txt.bz2", ".txt", "txt"])
    def test_an_ending_that_says_nothing(self, tmp_path, name):
        make(tmp_path, name)
        message = (
            rf"{re.escape(name)}: its ending does not say what it is; known are \.txt, \.jsonl, "
            r"\.csv, \.tsv, \.parquet, \.conllu, also with \.gz or \.zst but for Parquet; --format "
        )
        with pytest.raises(ActivationFlowError, match=message):
            find_files(str(tmp_path / name))

    def test_a_format_that_is_not_known(self):
        with pytest.raises(ActivationFlowError, match=r"--format xml is not one of txt, jsonl, "):
            find_files("a.txt", "xml")

    def test_parquet_is_not_compressed_twice(self, tmp_path):
        make(tmp_path, "a.parquet.gz")
        with pytest.raises(ActivationFlowError, match=r"compressed inside; unpack the \.gz file"):
            find_files(str(tmp_path / "a.parquet.gz"))

    @pytest.mark.parametrize("name", ["absent.txt", "absent"])
    def test_a_file_that_is_not_there(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ActivationFlowError, match=r"^absent.* cannot be read: No such file"):
            find_files(name)

    def test_no_name(self):
        with pytest.raises(ActivationFlowError, match=r"^'' cannot be read: No such file"):
            find_files("")

    def test_a_link(self, tmp_path):
        make(tmp_path, "a.txt")
        (tmp_path / "b.txt").symlink_to("a.txt")
        (tmp_path / "c.txt").symlink_to("absent")
        ((file,), _) = find_files(str(tmp_path / "b.txt"))
        assert (file.path, file.size) == (str(tmp_path / "b.txt"), 1)
        with pytest.raises(ActivationFlowError, match=r"c\.txt cannot be read: No such file"):
            find_files(str(tmp_path / "c.txt"))

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "a.txt")
        with pytest.raises(
            ActivationFlowError, match="is not a regular file; pipe it in and give - as"
        ):
            find_files(str(tmp_path / "a.txt"))

    def test_a_name_that_no_result_could_hold(self, tmp_path):
        path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")
        Path(path).touch()
        with pytest.raises(ActivationFlowError, match=r"\\udcff\.txt': this name is not UTF-8"):
            find_files(path)

    def test_home(self, tmp_path, monkeypatch):
        make(tmp_path, "a.txt")
        monkeypatch.setenv("HOME", str(tmp_path))
        assert find_files("~/a.txt") == find_files("~/*.txt") == find_files(str(tmp_path))


class TestManyFiles:
    NAMES = ("b.txt", "a/z.csv", "a/b/c.txt.gz", "a.txt", "a/readme.md", "d.bin", "a-b/x.txt")
    HIDDEN = (".x.txt", ".git/a.txt", "a/.x/b.txt")

    def test_a_folder(self, tmp_path):
        make(tmp_path, *self.NAMES, *self.HIDDEN)
        files, left_out = found(tmp_path)
        assert files == ["a/b/c.txt.gz", "a/z.csv", "a-b/x.txt", "a.txt", "b.txt"]
        assert left_out == ["a/readme.md", "d.bin"]

    @given(st.permutations(NAMES))
    def test_the_order_is_that_of_the_names(self, tmp_path_factory, names):
        folder = tmp_path_factory.mktemp("order")
        make(folder, *names)
        files, _ = found(folder)
        assert files == ["a/b/c.txt.gz", "a/z.csv", "a-b/x.txt", "a.txt", "b.txt"]

    def test_a_format_that_is_said_is_that_of_all(self, tmp_path):
        make(tmp_path, *self.NAMES, *self.HIDDEN)
        files, left_out = find_files(str(tmp_path), "txt")
        assert len(files) == len(self.NAMES)
        assert {file.format for file in files} == {"txt"}
        assert left_out == []

    @pytest.mark.parametrize(
        ("pattern", "files", "left_out"),
        [
            ("*.txt", ["a.txt", "b.txt"], []),
            ("*", ["a.txt", "b.txt"], ["d.bin"]),
            ("**/*.txt", ["a-b/x.txt", "a.txt", "b.txt"], []),
            ("a/**", ["a/b/c.txt.gz", "a/z.csv"], ["a/readme.md"]),
            ("**/**", ["a/b/c.txt.gz", "a/z.csv", "a-b/x.txt", "a.txt", "b.txt"], NAMES[4:6]),
            ("a*/[x-z].*", ["a/z.csv", "a-b/x.txt"], []),
            ("?.txt", ["a.txt", "b.txt"], []),
        ],
    )
    def test_a_pattern(self, tmp_path, pattern, files, left_out):
        make(tmp_path, *self.NAMES, *self.HIDDEN)
        assert found(tmp_path, pattern) == (files, [*left_out])

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ("", r": there is no file with a known ending \(2 have others\); known are \.txt, "),
            ("*.txt", r"\*\.txt: there is no file with a known ending; known are \.txt"),
        ],
    )
    def test_nothing_to_read(self, tmp_path, pattern, message):
        make(tmp_path, "a.md", "b/c", ".d.txt")
        with pytest.raises(ActivationFlowError, match=message):
            find_files(str(tmp_path / pattern))

    def test_what_is_no_regular_file_is_left_out(self, tmp_path):
        make(tmp_path, "a.txt")
        os.mkfifo(tmp_path / "b.txt")
        assert found(tmp_path) == (["a.txt"], ["b.txt"])

    def test_a_link_to_nothing_is_not_left_out(self, tmp_path):
        make(tmp_path, "a.txt")
        (tmp_path / "b.txt").symlink_to("absent")
        with pytest.raises(ActivationFlowError, match=r"b\.txt cannot be read: No such file"):
            find_files(str(tmp_path))

    def test_links_to_folders_cannot_go_in_circles(self, tmp_path):
        make(tmp_path, "a/b.txt")
        (tmp_path / "a/c").symlink_to(tmp_path)
        assert found(tmp_path) == (["a/b.txt"], [])

    def test_a_folder_that_cannot_be_read(self, tmp_path, monkeypatch):
        make(tmp_path, "a.txt")

        def walk(folder, onerror):
            onerror(PermissionError(13, "Permission denied", f"{folder}/b"))

        monkeypatch.setattr(finding.os, "walk", walk)
        with pytest.raises(ActivationFlowError, match="/b cannot be read: Permission denied"):
            find_files(str(tmp_path))


class TestStandardInput:
    def pipe(self, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))

    def test_it_is_kept(self, tmp_path, monkeypatch):
        for content in (b"", b"one\ntwo", b"x" * 3_000_000):
            (tmp_path / "standard-input.jsonl").unlink(missing_ok=True)
            for _ in range(2):  # the second time it is compared
                self.pipe(monkeypatch, content)
                file = spool(tmp_path, "jsonl")
                assert Path(file.path).read_bytes() == content
                assert (file.format, file.size) == ("jsonl", len(content))
                assert file.name == "standard input"
        assert os.listdir(tmp_path) == ["standard-input.jsonl"]

    def test_the_same_is_not_written_again(self, tmp_path, monkeypatch):
        kept = []
        for _ in range(2):
            self.pipe(monkeypatch, b"one")
            kept.append(spool(tmp_path, "txt"))
        assert kept[0] == kept[1]

    LONG = b"x" * 2**20

    @pytest.mark.parametrize(
        ("first", "second", "byte"),
        [
            (b"one", b"two", 1),
            (b"one", b"on", 3),
            (b"one", b"one\n", 4),
            (b"one", b"", 1),
            (b"", b"one", 1),
            (LONG + b"one", LONG + b"ona", 2**20 + 3),
            (LONG, LONG * 2, 2**20 + 1),
            (LONG * 2, LONG, 2**20 + 1),
        ],
    )
    def test_something_else_is_refused(self, tmp_path, monkeypatch, first, second, byte):
        self.pipe(monkeypatch, first)
        file = spool(tmp_path, "txt")
        self.pipe(monkeypatch, second)
        message = (
            rf"^standard input is not what it was when .* \(from byte {byte} on\); pipe in the"
        )
        with pytest.raises(ActivationFlowError, match=message):
            spool(tmp_path, "txt")
        assert Path(file.path).read_bytes() == first

    def test_what_broke_off_is_not_kept(self, tmp_path, monkeypatch):
        def read(size: int) -> bytes:
            raise KeyboardInterrupt

        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=read)))
        with pytest.raises(KeyboardInterrupt):
            spool(tmp_path, "txt")
        assert os.listdir(tmp_path) == []

    def test_a_folder_that_is_not_there(self, tmp_path, monkeypatch):
        self.pipe(monkeypatch, b"one")
        with pytest.raises(ActivationFlowError, match="cannot be written: No such file"):
            spool(tmp_path / "absent", "txt")

    def test_closed(self, tmp_path, monkeypatch):
        monkeypatch.setattr(sys, "stdin", None)
        with pytest.raises(ActivationFlowError, match="standard input is closed"):
            spool(tmp_path, "txt")
