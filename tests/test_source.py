import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.data import ActivationFlowError
from activation_flow.source import TABLES, Lines, read_lines


@pytest.fixture
def file(tmp_path: Path):
    """Writes bytes to a file and gives its name."""

    def write(content: bytes, name: str = "texts.txt") -> str:
        (tmp_path / name).write_bytes(content)
        return str(tmp_path / name)

    return write


def set_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


@pytest.mark.parametrize(
    ("content", "texts", "lines", "blank"),
    [
        (b"one\ntwo\n", ["one", "two"], [1, 2], 0),
        (b"one\ntwo", ["one", "two"], [1, 2], 0),
        (b"one\r\ntwo\r\n", ["one", "two"], [1, 2], 0),
        (b"\xef\xbb\xbfone\ntwo\n", ["one", "two"], [1, 2], 0),
        (b"\n one \n\n \t\r\ntwo\n\n", [" one ", "two"], [2, 5], 4),
        (b"\xe2\x80\x83\none", ["one"], [2], 1),  # an em space alone is blank, too
        ("слово 👩\n世界".encode(), ["слово 👩", "世界"], [1, 2], 0),
        (b"a\rb\n", ["a\rb"], [1], 0),
        (b"a\x00b\n", ["a\x00b"], [1], 0),
    ],
)
def test_texts_and_their_lines(file, content, texts, lines, blank):
    path = file(content)
    assert read_lines(path) == Lines(texts, lines, blank, path)


@pytest.mark.parametrize("inner", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1e"])
def test_only_a_newline_ends_a_line(file, inner):
    text = f"one{inner}two"
    assert read_lines(file(f"{text}\nthree\n".encode())).texts == [text, "three"]


def test_a_byte_order_mark_is_text_after_the_beginning(file):
    assert read_lines(file("\ufeffa\n\ufeffb".encode())).texts == ["a", "\ufeffb"]


lines_of_text = st.lists(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\ufeff")), min_size=1
)


@given(lines_of_text, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_line_comes_out_once(tmp_path_factory, rows, end, closed):
    path = tmp_path_factory.getbasetemp() / "any.txt"
    path.write_bytes((end.join([*rows, "last"]) + end * closed).encode())
    kept = [(k, row) for k, row in enumerate([*rows, "last"], 1) if row.strip()]
    found = read_lines(str(path))
    assert list(zip(found.lines, found.texts, strict=True)) == kept
    assert found.blank == len(rows) + 1 - len(kept)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"one\n\ncaf\xe9 two\n", "line 3: not UTF-8 (byte 4 of the line is 0xe9)"),
        (b"\xff\xfeo\x00", "line 1: not UTF-8 (byte 1 of the line is 0xff)"),
        (b"ok\n\xed\xa0\xbd\n", "line 2: not UTF-8 (byte 1 of the line is 0xed)"),  # half a pair
        (b"ok\ncut \xe4\xb8", "line 2: not UTF-8 (byte 5 of the line is 0xe4)"),
    ],
)
def test_what_is_not_utf8_has_a_file_and_a_line(file, content, where):
    path = file(content)
    with pytest.raises(ActivationFlowError, match=re.escape(f"{path}, {where}; convert the file")):
        read_lines(path)


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\t\r\n", b"\xef\xbb\xbf"])
def test_no_text(file, content):
    path = file(content)
    with pytest.raises(ActivationFlowError, match=re.escape(f"{path} holds no text")):
        read_lines(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(ActivationFlowError, match=r"absent\.txt cannot be read: No such file"):
        read_lines(str(tmp_path / "absent.txt"))


def test_a_folder(tmp_path):
    with pytest.raises(ActivationFlowError, match="cannot be read: Is a directory"):
        read_lines(str(tmp_path))


@pytest.mark.parametrize("ending", [*TABLES, ".CSV"])
def test_a_table_is_not_taken_for_texts(file, ending):
    path = file(b"a,b\n", "texts" + ending)
    expected = rf"-f reads plain text, .* \{ending} files are not that; .* \.txt file first"
    with pytest.raises(ActivationFlowError, match=expected):
        read_lines(path)


@pytest.mark.parametrize("name", ["texts", "texts.text", "texts.md", "v1.2"])
def test_any_other_ending_is_text(file, name):
    assert read_lines(file(b"one", name)).texts == ["one"]


def test_standard_input(monkeypatch):
    set_stdin(monkeypatch, "\ufeffone\r\n\nдва\n".encode())
    assert read_lines("-") == Lines(["one", "два"], [1, 3], 1, "standard input")


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"a\n\xe9", "standard input, line 2: not UTF-8"), (b"\n", "standard input holds no text")],
)
def test_messages_name_standard_input(monkeypatch, content, message):
    set_stdin(monkeypatch, content)
    with pytest.raises(ActivationFlowError, match=message):
        read_lines("-")
