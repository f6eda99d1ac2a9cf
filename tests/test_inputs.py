"""The bytes and lines of one file: compressed, damaged, changed."""

import gzip
import io
import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow import inputs
from activation_flow.data import ActivationFlowError
from activation_flow.finding import find_files
from activation_flow.inputs import InputFile, check_beginning, check_unchanged, lines, opened

CONTENT = b"".join(b"line %d of some\n" % k for k in range(20_000))


def zst(content: bytes) -> bytes:
    return pyarrow.compress(content, codec="zstd", asbytes=True)


SKIPPABLE = struct.pack("<II", 0x184D2A50, 5) + b"12345"  # a frame of zstd that holds no data
PACK = {"gz": gzip.compress, "zst": zst}


def file(folder: Path, content: bytes, name: str = "a.txt") -> InputFile:
    (folder / name).write_bytes(content)
    ((found,), _) = find_files(str(folder / name))
    return found


def content_of(source: InputFile) -> bytes:
    with opened(source) as stream:
        return stream.read()


class TestCompressed:
    @pytest.mark.parametrize("ending", PACK)
    @pytest.mark.parametrize("parts", [[CONTENT], [CONTENT, b"", b"x", CONTENT], [b"x"] * 5000])
    def test_all_members_and_frames_are_read(self, tmp_path, ending, parts):
        packed = b"".join(map(PACK[ending], parts))
        assert content_of(file(tmp_path, packed, f"a.txt.{ending}")) == b"".join(parts)

    def test_frames_without_data_are_passed_over(self, tmp_path):
        packed = SKIPPABLE + zst(b"one") + SKIPPABLE + zst(b"two") + SKIPPABLE
        assert content_of(file(tmp_path, packed, "a.txt.zst")) == b"onetwo"

    def test_as_the_program_gzip_writes_it(self, tmp_path):
        (tmp_path / "a.txt").write_bytes(CONTENT)
        subprocess.run(["gzip", "-1", tmp_path / "a.txt"], check=True)
        ((found,), _) = find_files(str(tmp_path / "a.txt.gz"))
        assert content_of(found) == CONTENT

    @pytest.mark.parametrize("ending", PACK)
    def test_nothing(self, tmp_path, ending):
        assert content_of(file(tmp_path, b"", f"a.txt.{ending}")) == b""
        assert content_of(file(tmp_path, PACK[ending](b""), f"b.txt.{ending}")) == b""

    @pytest.mark.parametrize("ending", PACK)
    @pytest.mark.parametrize(
        "damage",
        [
            lambda packed: packed[:-1],
            lambda packed: packed[: len(packed) // 2],
            lambda packed: packed[:3],
            lambda packed: packed + packed[:3],
            lambda packed: packed + packed[:-1],
            lambda packed: packed + b"no member and no frame",
            lambda packed: packed[:9] + b"\xff" * 9 + packed[18:],
            lambda packed: b"not compressed at all",
        ],
    )
    def test_what_is_damaged_is_not_the_end(self, tmp_path, ending, damage):
        source = file(tmp_path, damage(PACK[ending](CONTENT)), f"a.txt.{ending}")
        message = rf"a\.txt\.{ending} is truncated or damaged: .* beyond byte \d+ \(.+\); get the"
        with pytest.raises(ActivationFlowError, match=message):
            list(lines(source))

    @pytest.mark.parametrize("place", [50, -1, -5])  # of .zst, a frame without checksum cannot tell
    def test_one_wrong_byte_is_seen(self, tmp_path, place):
        packed = bytearray(gzip.compress(CONTENT))
        packed[place] ^= 1
        with pytest.raises(ActivationFlowError, match="is truncated or damaged"):
            list(lines(file(tmp_path, packed, "a.txt.gz")))

    @pytest.mark.parametrize("ending", PACK)
    def test_a_disk_that_fails_is_not_a_file_that_is_damaged(self, tmp_path, ending, monkeypatch):
        class Failing(io.BytesIO):
            def read(self, size: int | None = None) -> bytes:
                raise OSError(5, "Input/output error")

        source = file(tmp_path, PACK[ending](b"one"), f"a.txt.{ending}")
        monkeypatch.setattr(inputs, "open", lambda *_: Failing(), raising=False)
        with pytest.raises(ActivationFlowError, match="cannot be read: Input/output error"):
            list(lines(source))

    @pytest.mark.parametrize("ending", PACK)
    def test_what_stands_before_the_damage_is_read(self, tmp_path, ending):
        packed = PACK[ending](CONTENT) + PACK[ending](CONTENT * 10)[:-1]
        found = lines(file(tmp_path, packed, f"a.txt.{ending}"))
        assert [line for _, (_, line) in zip(range(20_000), found, strict=False)] == (
            CONTENT.splitlines(keepends=True)
        )
        with pytest.raises(ActivationFlowError):
            list(found)

    @pytest.mark.parametrize("ending", PACK)
    def test_memory_does_not_grow_with_the_file(self, tmp_path, ending):
        with (tmp_path / f"a.txt.{ending}").open("wb") as out:
            for _ in range(10):
                out.write(PACK[ending](b"word " * 10_000 + b"\n") * 100)
        ((source,), _) = find_files(str(tmp_path / f"a.txt.{ending}"))
        arrow = pyarrow.default_memory_pool()
        before, most, n = arrow.bytes_allocated(), 0, 0
        tracemalloc.start()
        for _ in lines(source):
            n += 1
            most = max(most, arrow.bytes_allocated() - before)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n == 1000
        assert peak + most < 4e6  # of 50 MB


class TestLines:
    @given(
        st.lists(st.sampled_from([b"\n", b"\r\n", b"a", "é\u2028".encode(), b"\xef\xbb\xbf"])),
        st.data(),
    )
    def test_a_part_of_a_file(self, tmp_path_factory, parts, data):
        content = b"".join(parts)
        source = file(tmp_path_factory.getbasetemp(), content)
        plain = io.BytesIO(content).readlines()
        if plain:
            plain[0] = plain[0].removeprefix(b"\xef\xbb\xbf")
        assert list(lines(source)) == list(enumerate(plain, 1))
        borders = [0] + [k for k, byte in enumerate(content, 1) if byte == 10] + [len(content)]
        begin = data.draw(st.sampled_from(borders))
        end = data.draw(st.sampled_from([border for border in borders if border >= begin]))
        first = content[:begin].count(b"\n") + 1
        n = len(io.BytesIO(content[begin:end]).readlines())
        assert (
            list(lines(source, begin, end, first)) == (list(enumerate(plain, 1))[first - 1 :][:n])
        )

    def test_the_file_is_closed(self, tmp_path):
        found = lines(file(tmp_path, CONTENT))
        next(found)
        found.close()
        assert not [name for name in os.listdir("/proc/self/fd") if self.points_to(name, tmp_path)]

    @staticmethod
    def points_to(name: str, folder: Path) -> bool:
        try:
            return os.readlink(f"/proc/self/fd/{name}").startswith(str(folder))
        except OSError:
            return False


class TestBeginning:
    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                "\ufeffone\n".encode("utf-16-le"),
                "is UTF-16, not UTF-8; convert it, .* iconv -f utf",
            ),
            ("\ufeffone\n".encode("utf-16-be"), "is UTF-16, not UTF-8"),
            (
                gzip.compress(b"one", mtime=0),  # part of the test's name
                r"is compressed with gzip; let its name end in \.gz, or unpack",
            ),
            (
                zst(b"one"),
                r"is compressed with zstd; let its name end in \.zst, or unpack it first",
            ),
            (b"PAR1\x15", r"is a Parquet file; let its name end in \.parquet, or say --format par"),
        ],
    )
    def test_something_else_than_the_ending_says(self, tmp_path, content, message):
        for packed, name in ((content, "a.txt"), (gzip.compress(content), "a.csv.gz")):
            with pytest.raises(ActivationFlowError, match=rf"{name} {message}"):
                check_beginning(file(tmp_path, packed, name))

    @pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbfone", b"PAR1", b"\x1f", b"\xff one"])
    def test_anything_else_is_for_the_rows_to_say(self, tmp_path, content):
        check_beginning(file(tmp_path, content))

    def test_a_file_that_cannot_be_opened(self, tmp_path):
        source = file(tmp_path, b"one")
        os.unlink(source.path)
        with pytest.raises(ActivationFlowError, match=r"a\.txt cannot be read: No such file"):
            check_beginning(source)


class TestUnchanged:
    def test_as_it_was(self, tmp_path):
        check_unchanged(file(tmp_path, b"one"))

    def test_another_size(self, tmp_path):
        source = file(tmp_path, b"one")
        file(tmp_path, b"one!")
        os.utime(source.path, ns=(source.mtime_ns, source.mtime_ns))
        with pytest.raises(ActivationFlowError, match=r"a\.txt was changed since this run began; "):
            check_unchanged(source)

    def test_another_time(self, tmp_path):
        source = file(tmp_path, b"one")
        os.utime(source.path, ns=(source.mtime_ns, source.mtime_ns + 1))
        with pytest.raises(ActivationFlowError, match=r"a\.txt was changed since this run began; "):
            check_unchanged(source)

    def test_gone(self, tmp_path):
        source = file(tmp_path, b"one")
        os.unlink(source.path)
        with pytest.raises(ActivationFlowError, match=r"a\.txt cannot be read: No such file"):
            check_unchanged(source)


def test_importing_it_needs_no_arrow():
    code = "import activation_flow.shards, sys; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
