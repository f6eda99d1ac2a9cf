"""Where texts come from: a file with a text a line, or standard input. Reads, never guesses."""

import sys
from dataclasses import dataclass
from pathlib import Path

from activation_flow.data import ActivationFlowError

# Tables hold more than a text in a line; taking their lines for texts would be a silent mistake.
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".conllu", ".xlsx", ".gz", ".zst")


@dataclass(frozen=True)
class Lines:
    """The texts of a file.

    Attributes:
        texts: one a line, without the line end.
        lines: the number of each text's line, from 1.
        blank: number of lines that hold only spaces; they are left out.
        name: of the file, for messages.
    """

    texts: list[str]
    lines: list[int]
    blank: int
    name: str


def read_lines(path: str) -> Lines:
    """Texts of a UTF-8 file, one a line; "-" is standard input.

    Raises:
        ActivationFlowError: the file cannot be read, is not UTF-8 (with the line), is a table,
            or holds no text.
    """
    name = "standard input" if path == "-" else path
    if Path(path).suffix.lower() in TABLES:
        raise ActivationFlowError(
            f"{path}: -f reads plain text, one text a line, and {Path(path).suffix} files are not "
            "that; write the texts to a .txt file first"
        )
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as problem:
        raise ActivationFlowError(f"{name} cannot be read: {problem.strerror}") from problem
    texts: list[str] = []
    lines: list[int] = []
    blank = 0
    # Split as bytes: splitlines() of a string would cut at U+2028 and other characters of a text.
    rows = raw.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, row in enumerate(rows[:-1] if rows[-1] == b"" else rows, 1):
        try:
            text = row.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as problem:
            raise ActivationFlowError(
                f"{name}, line {number}: not UTF-8 (byte {problem.start + 1} of the line is "
                f"0x{row[problem.start]:02x}); convert the file, for example with "
                "iconv -f latin1 -t utf-8"
            ) from problem
        if text.strip():
            texts.append(text)
            lines.append(number)
        else:
            blank += 1
    if not texts:
        raise ActivationFlowError(f"{name} holds no text")
    return Lines(texts, lines, blank, name)
