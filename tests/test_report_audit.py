"""An audit on a terminal, at several widths, in ASCII, and as ``repr``."""

import io
from typing import Any

import pytest
from audit_results import audit_result, hostile_result
from rich.console import Console

from activation_flow import report_audit, screen_audit

FOUND = audit_result()


class Ascii(io.StringIO):
    """A terminal that knows nothing else."""

    encoding = "ascii"


def printed(found: Any = FOUND, width: int = 80, out: Any = None, **how: Any) -> str:
    out = io.StringIO() if out is None else out
    report_audit.print_terminal(found, Console(file=out, width=width, highlight=False), **how)
    return str(out.getvalue())


def flat(text: str) -> str:
    return " ".join(text.split())


def test_verdicts_with_their_sentences_then_what_bears_on_them() -> None:
    text = printed()
    read = flat(text)
    assert "Of 11 claims, 1 is supported, 4 are no better than their baselines" in read
    first = next(line for line in text.splitlines() if line.startswith("C1 "))
    assert any(line.startswith("C11 ") for line in text.splitlines())
    assert "supported" in first
    assert "0.823 [0.790, 0.856]" in first
    assert first.split()[-1] == "0.004"
    places = [read.index(claim.sentence) for claim in FOUND.claims]
    assert places == sorted(places)
    for said in ("Scores, layer 4 of 6", "rarity (−log f)", "shuffled weights: norm", "FAILED"):
        assert said in text
    assert "attention received 0.390 [0.359, 0.418] 720 – 3.94" in read
    assert "[SEP] has 84.0 % of its energy" in read
    assert "400 texts in the sample of slow scores" in read
    assert "2 more, at other layers: none failed" in text
    assert "Sweeps: --all" in text
    assert "P(HIGH | content)" not in text
    assert "−0.046 [−0.066, −0.026]" in text
    assert text.count("…") == 1  # names wrap; a long prompt is cut
    assert "kinds permuted" not in text


def test_controls_say_how_they_were_judged() -> None:
    read = flat(printed(width=100))
    assert "shuffled weights: norm 4 0.513 [0.468, 0.559] – passed" in read
    assert "shuffled weights: claims C1, C4 4 – 0.210 passed" in read
    assert "shuffled weights, claims C1, C4: 6 tests, the smallest p after Holm" in read
    assert "the same at other layers" not in read


def test_all_prints_the_sweeps() -> None:
    text = printed(everything=True)
    assert "P(HIGH | content)" in text
    assert "Function words have" in text
    assert "unchanged: HIGH" in text
    assert "R_H beside chance (exploratory, but for what C5 rests on)" in text
    assert flat(text).count("kinds permuted among word types, 2,000 draws, seed 0") == 11
    assert "Sweeps: --all" not in text


@pytest.mark.parametrize("width", [24, 38, 72, 80, 140])
@pytest.mark.parametrize("found", [FOUND, hostile_result()], ids=["plain", "hostile"])
def test_it_fits(found: Any, width: int) -> None:
    for out in (io.StringIO(), Ascii()):
        text = printed(found, width, out, everything=True)
        assert max(map(len, text.split("\n"))) <= width
        assert "\u202e" not in text
        assert "\x1b" not in text
    assert text.isascii()


def test_the_repr_is_a_line_each() -> None:
    lines = repr(FOUND).split("\n")
    assert lines[0].startswith("minilm, layer 4 of 6, openvino f32; sentences.txt: 732 texts")
    for claim in FOUND.claims:
        (line,) = (line for line in lines if line.startswith(f"{claim.id} "))
        assert claim.verdict in line
    assert len(lines) < 21
    assert "\x1b" not in repr(hostile_result())


def test_bars_are_for_terminals_only(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    with screen_audit.watching() as nobody:
        assert nobody is None
    monkeypatch.setattr("sys.stderr", Terminal())
    with screen_audit.watching() as show:
        assert show is not None
        show("reading", 10, 0)
        show("scores", 1, 4)
        show("scores", 4, 4)


class Terminal(io.StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True
