"""The command: what a person types, what comes out, and what is never shown: a traceback."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from slow_models import make_slow

import activation_flow as af
from activation_flow import cli

CANADA = "Who is the prime minister of Canada?"
FRANCE = "Who is the president of France?"


class TestOutput:
    def test_json_is_the_document_of_the_design(self, afn: Any) -> None:
        code, out, _ = afn("strength", CANADA, FRANCE, "-m", "minilm", "--json")
        assert code == 0
        document = json.loads(out)
        head = ["schema", "model", "revision", "engine", "precision", "n_layers", "layers"]
        assert [*document][:5] == head[:5]
        assert set(head) | {"settings", "versions", "texts", "errors"} <= set(document)
        assert document["schema"] == "strength/1"
        assert (document["layers"], document["n_layers"]) == ([4], 6)
        token = document["texts"][0]["tokens"][7]
        assert token["token"] == "canada"
        assert (token["start"], token["end"], token["kind"]) == (29, 35, "content")
        assert (token["rank"], token["bucket"]) == ([1], ["HIGH"])
        special = document["texts"][0]["tokens"][0]
        assert (special["start"], special["word"], special["rank"]) == (None, None, [None])
        assert document["errors"] == []

    def test_a_terminal_shows_tokens_threshold_and_legend(self, afn: Any) -> None:
        code, out, _ = afn("strength", CANADA, "-m", "minilm")
        assert code == 0
        for part in ("canada", "14.541", "HIGH", "τ", "layer 4 of 6", "minilm"):
            assert part in out
        assert "\x1b" not in out  # no terminal: no colours
        assert max(map(len, out.splitlines())) <= 80

    def test_top(self, afn: Any) -> None:
        _, out, _ = afn("strength", CANADA, "-m", "minilm", "--top", "2")
        assert "14.142" in out
        assert "13.761" not in out

    @pytest.mark.parametrize("ending", ["json", "csv", "parquet", "html"])
    def test_save(self, afn: Any, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"x.{ending}"
        code, _, err = afn(
            "strength", CANADA, "-m", "minilm", "--layer", "all", "--save", str(path)
        )
        assert code == 0
        assert str(path) in err
        assert path.stat().st_size > 500
        if ending in ("json", "parquet"):
            (back,) = af.load(path)
            assert back.layers == tuple(range(7))
            assert back.strength[4, 7] == pytest.approx(14.541, abs=5e-4)

    def test_layers_and_words(self, afn: Any) -> None:
        text = "Don't unfold, connoisseurs!"
        for how in (["--words"], ["--words-by", "mean"]):
            words = ("strength", text, "-m", "minilm", "-l", "2,4-5", *how, "--json")
            document = json.loads(afn(*words)[1])
            assert document["layers"] == [2, 4, 5]
            tokens = [t["token"] for t in document["texts"][0]["tokens"]]
            assert tokens == ["[CLS]", "Don't", "unfold", ",", "connoisseurs", "!", "[SEP]"]
        assert document["settings"]["words"] == "mean"

    def test_text_pairs(self, afn: Any) -> None:
        words = ("strength", "a day", "--text-pair", "a walk", "-m", "minilm", "--json")
        text = json.loads(afn(*words)[1])["texts"][0]
        assert text["text_pair"] == "a walk"
        assert [t["segment"] for t in text["tokens"]] == [None, 0, 0, None, 1, 1, None]

    def test_a_file_and_standard_input(self, afn: Any, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_text(f"{CANADA}\n\n{FRANCE}\n", encoding="utf-8")
        code, out, err = afn("strength", "-f", str(tmp_path / "t.txt"), "-m", "minilm", "--json")
        assert code == 0
        assert [t["text"] for t in json.loads(out)["texts"]] == [CANADA, FRANCE]
        assert "blank lines left out: 1" in err

    def test_standard_input(self) -> None:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "activation_flow",
                *["strength", "-f", "-", "-m", "minilm", "--json"],
            ],
            input=f"{CANADA}\r\n{FRANCE}",
            capture_output=True,
            text=True,
            check=True,
        )
        assert [t["text"] for t in json.loads(done.stdout)["texts"]] == [CANADA, FRANCE]

    def test_json_is_utf8_whatever_the_terminal(self, minilm: af.Encoder) -> None:
        command = [sys.executable, "-m", "activation_flow", "strength", "naïve 日本 τ"]
        done = subprocess.run(
            [*command, "-m", "minilm", "--json"],
            env={**os.environ, "PYTHONIOENCODING": "latin-1"},
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout.decode())["texts"][0]["text"] == "naïve 日本 τ"

    def test_version_and_help(self, afn: Any) -> None:
        assert afn("--version")[1].strip() == f"afn {af.__version__}"
        code, out, _ = afn("strength", "--help")
        assert code == 0
        for option in ("--model", "--layer", "--quantile", "--words", "--json", "--save"):
            assert option in out


class TestErrors:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["a", "-m", "bert-base-uncased"], r"--model minilm.*folder"),
            (["a", "-m", "minilm", "-l", "7"], r"layer 7 is out of range.*0 \(embeddings\) to 6"),
            (["a", "-m", "minilm", "-l", "x"], "layer 'x' is not understood"),
            (["a", "-m", "minilm", "--save", "x.xlsx"], r"\.json, \.csv, \.parquet, \.html"),
            (["a", "-m", "minilm", "--save", "/no/such/x.json"], "there is no folder /no/such"),
            (["-f", "/no/such.txt", "-m", "minilm"], "such.txt cannot be read"),
            (["a", "-m", "minilm", "--quantile", "7"], "quantile 7.0 is not between"),
        ],
    )
    def test_one_line_says_what_to_do(self, afn: Any, words: list[str], message: str) -> None:
        code, out, err = afn("strength", *words)
        assert (code, out) == (1, "")
        assert re.search(message, err)
        assert err.count("\n") <= 2

    def test_a_bad_line_costs_no_other_text(self, afn: Any, tmp_path: Path) -> None:
        path = tmp_path / "t.txt"
        path.write_bytes(f"{CANADA}\n\nbad \xff\n\0\n{FRANCE}\n".encode("latin1"))
        code, out, err = afn("strength", "-f", str(path), "-m", "minilm", "--json")
        assert code == 1
        document = json.loads(out)
        texts = [(t["text_number"], t["text"]) for t in document["texts"]]
        assert texts == [(1, CANADA), (4, FRANCE)]
        assert [e["text_number"] for e in document["errors"]] == [2, 3]
        told = [line for line in err.splitlines() if line.startswith("afn: ")]
        assert told[0].startswith(f"afn: {path}, line 3, text 2: not UTF-8 (byte 5 of the line is")
        assert told[1].startswith(f"afn: {path}, line 4, text 3: it has no token of its own")
        assert "blank lines left out: 1" in err
        alone = json.loads(afn("strength", CANADA, FRANCE, "-m", "minilm", "--json")[1])
        assert [t["tokens"] for t in alone["texts"]] == [t["tokens"] for t in document["texts"]]

    def test_a_file_of_bad_lines_has_no_result(self, afn: Any, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_bytes(b"bad \xff\n")
        code, out, err = afn("strength", "-f", str(tmp_path / "t.txt"), "-m", "minilm")
        assert (code, out) == (1, "")
        assert "t.txt, line 1, text 1: not UTF-8" in err

    def test_a_bad_line_moves_no_second_segment(self, afn: Any, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_bytes(b"one\nbad \xff\nthree\n")
        words = ["strength", "-f", str(tmp_path / "t.txt"), "-m", "minilm", "--json"]
        pairs = [w for text in ("uno", "due", "tre") for w in ("--text-pair", text)]
        code, out, _ = afn(*words, *pairs)
        assert code == 1
        texts = [(t["text"], t["text_pair"]) for t in json.loads(out)["texts"]]
        assert texts == [("one", "uno"), ("three", "tre")]
        code, out, err = afn(*words, *pairs[:4])  # as many as good texts
        assert (code, out) == (1, "")
        assert "--text-pair is given 2 times for 3 texts" in err

    def test_a_text_without_tokens_costs_no_other_text(self, afn: Any) -> None:
        code, out, err = afn("strength", CANADA, " ", FRANCE, "-m", "minilm", "--json")
        assert code == 1
        document = json.loads(out)
        assert [t["text_number"] for t in document["texts"]] == [1, 3]
        assert document["errors"][0]["text_number"] == 2
        assert "text 2: it has no token of its own" in err

    def test_words_of_a_tokenizer_that_knows_no_places(self, afn: Any, tmp_path: Path) -> None:
        make_slow("esm", tmp_path / "esm")
        code, out, _ = afn("strength", "M K", "-m", str(tmp_path / "esm"), "--json")
        assert code == 0
        tokens = json.loads(out)["texts"][0]["tokens"]
        assert [(t["token"], t["start"], t["kind"]) for t in tokens] == [
            ("<cls>", None, "special"),
            ("M", None, None),
            ("K", None, None),
            ("<eos>", None, "special"),
        ]
        code, out, err = afn("strength", "M K", "-m", str(tmp_path / "esm"), "--words")
        assert (code, out) == (1, "")
        assert re.fullmatch(
            r"afn: the tokenizer of .*esm does not say .*; leave out --words\n", err
        )

    @pytest.mark.parametrize(
        "words",
        [["strength"], ["strength", "a", "-f", "b"], ["strenght", "a"], ["strength", "--x"]],
    )
    def test_wrong_usage_is_2(self, afn: Any, words: list[str]) -> None:
        code, _, err = afn(*words)
        assert code == 2
        assert "Usage" in err

    def test_interrupted_is_130(self, afn: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(af.Encoder, "from_pretrained", interrupt)
        assert afn("strength", "a")[0] == 130

    def test_a_fault_of_ours_is_said_to_be_one(self, afn: Any, monkeypatch: Any) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(af.Encoder, "from_pretrained", fail)
        code, _, err = afn("strength", "a")
        assert code == 1
        assert "internal error: RuntimeError: boom" in err
        monkeypatch.setattr(sys, "argv", ["afn", "strength", "a", "--debug"])
        with pytest.raises(RuntimeError):
            cli.main()
        monkeypatch.setattr(sys, "argv", ["afn", "strength", "a"])
        monkeypatch.setenv("AFN_DEBUG", "1")
        with pytest.raises(RuntimeError):
            cli.main()


class TestModels:
    def test_list_and_clear(self, afn: Any, tiny: Any, tmp_path: Path, empty_cache: Path) -> None:
        assert afn("models")[0] == 0
        model, tokenizer = tiny("bert")
        for name in ("one", "two"):
            model.save_pretrained(tmp_path / name)
            tokenizer.save_pretrained(tmp_path / name)
        (tmp_path / "two" / "vocab.txt").write_text("makes it another model")
        for name in ("one", "two"):
            afn("strength", "a", "-m", str(tmp_path / name))
        entries = json.loads(afn("models", "--json")[1])
        assert [Path(e["model"]).name for e in entries] == ["one", "two"]
        assert all(e["engine"] == "openvino" and e["blobs"] > 0 for e in entries)
        assert "one" in afn("models")[1].replace("\n", "")
        (tmp_path / "copy").symlink_to(tmp_path / "one")  # the same weights by another name
        left = empty_cache / "engines" / ".new-key"
        left.mkdir()
        (empty_cache / "refs" / "x.json").write_text("garbage")
        assert "unfinished" in afn("models")[1]
        code, out, _ = afn("models", "clear", str(tmp_path / "copy"))
        assert (code, out.split()[1]) == (0, "1")
        left.rmdir()
        assert len(json.loads(afn("models", "--json")[1])) == 1
        code, _, err = afn("models", "clear", "nothing")
        assert code == 1
        assert str(tmp_path / "two") in err
        afn("models", "clear")
        assert json.loads(afn("models", "--json")[1]) == []

    def test_a_damaged_folder_is_listed_as_such(
        self, afn: Any, tiny: Any, empty_cache: Path
    ) -> None:
        af.Encoder.from_pretrained(tiny("bert"))
        (graph,) = empty_cache.glob("engines/*/graph.bin")
        graph.unlink()
        (entry,) = json.loads(afn("models", "--json")[1])
        assert entry["state"].startswith("damaged")
        assert "damaged" in afn("models")[1]


HEAVY = ("torch", "transformers", "huggingface_hub", "pyarrow", "duckdb", "altair", "pandas")


GUARD = """
import socket, sys, os
def refuse(*a, **k):
    print("CALLED", a[1:] if a and isinstance(a[0], socket.socket) else a, file=sys.stderr)
    os._exit(99)
socket.socket.connect = socket.socket.connect_ex = socket.socket.sendto = refuse
socket.getaddrinfo = socket.create_connection = socket.gethostbyname = refuse
sys.argv = ["afn", *sys.argv[1:]]
from activation_flow import cli
"""


def quiet(folder: Path) -> dict[str, str]:
    """What a process sees that has a home and a cache of its own."""
    kept = {k: v for k, v in os.environ.items() if k not in ("CI", "HF_HUB_OFFLINE")}
    (folder / "home").mkdir()
    return {**kept, "HOME": str(folder / "home"), "AFN_CACHE": str(folder / "cache")}


def guarded(home: dict[str, str], then: str, *words: str) -> Any:
    return subprocess.run(
        [sys.executable, "-c", GUARD + then, *words],
        env=home,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def quiet_home(tmp_path: Path) -> dict[str, str]:
    return quiet(tmp_path)


@pytest.fixture(scope="module")
def first_runs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two first runs at once, a warm one after them, and their home; no call is let through."""
    folder = tmp_path_factory.mktemp("first")
    home = quiet(folder)
    code = [sys.executable, "-c", GUARD + "cli.main()"]
    words = ["strength", CANADA, "-m", "minilm"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([*code, *words, "--json"], env=home, **pipes) for _ in range(2)]
    said = [run.communicate(timeout=300) for run in runs]
    first = [(run.returncode, *told) for run, told in zip(runs, said, strict=True)]
    warm = guarded(home, "cli.main()", *words)
    return first, (warm.returncode, warm.stdout, warm.stderr), folder / "home"


class TestStart:
    """What a warm start does not import, and whom it does not call."""

    def _imported(self, *words: str) -> set[str]:
        code = (
            "import sys, runpy\n"
            f"sys.argv = {['afn', *words]!r}\n"
            "try:\n    from activation_flow import cli; cli.main()\n"
            "except SystemExit as stop:\n    assert not stop.code, stop.code\n"
            "print('\\n', *sorted(m for m in sys.modules if '.' not in m), file=sys.stderr)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True
        )
        return set(done.stderr.split())

    @pytest.mark.parametrize(
        "words",
        [["strength", CANADA], ["shift", CANADA, FRANCE], ["layers", CANADA], ["hidden", "a"]],
    )
    def test_a_warm_start_imports_nothing_heavy(self, minilm: af.Encoder, words: list[str]) -> None:
        minilm.strength(CANADA)
        imported = self._imported(*words, "-m", "minilm")
        assert "openvino" in imported
        # Statistics of kinds are SQL, of which layers shows some.
        assert imported & set(HEAVY) == ({"duckdb"} if words[0] == "layers" else set())

    def test_the_assertion_above_can_fail(self, minilm: af.Encoder) -> None:
        imported = self._imported("strength", CANADA, "-m", "minilm", "--engine", "torch")
        assert {"torch", "transformers"} <= imported & set(HEAVY)

    def test_no_host_is_contacted_and_the_home_stays_clean(self, first_runs: Any) -> None:
        first, warm, home = first_runs  # the first convert, the last is warm
        for code, _, err in (*first, warm):
            assert code == 0, err
            assert "CALLED" not in err
        assert not [p for p in home.rglob("*") if p.is_file()]

    def test_offline_not_even_the_hub_is_looked_up(self, quiet_home: dict[str, str]) -> None:
        words = ("strength", "a", "-m", "someone/some-model")
        offline = {**quiet_home, "HF_HUB_OFFLINE": "1"}
        done = guarded(offline, "cli.main()", *words)
        assert done.returncode == 1
        assert "the hub may not be asked (offline mode)" in done.stderr

    def test_the_guard_notices_a_call(self, quiet_home: dict[str, str]) -> None:
        then = "socket.create_connection(('example.org', 443))"
        assert guarded(quiet_home, then).returncode == 99
        # A model of the hub that is not here is the one thing that asks a host: the hub.
        done = guarded(quiet_home, "cli.main()", "strength", "a", "-m", "someone/some-model")
        assert done.returncode == 99
        assert "huggingface.co" in done.stderr

    def test_two_first_runs_at_once_build_once(self, first_runs: Any) -> None:
        (one, out, err), (other, same, told) = first_runs[0]
        assert (one, other) == (0, 0), (err, told)
        assert out == same
        assert json.loads(out)["texts"][0]["text"] == CANADA
        assert (err + told).count("Preparing minilm") == 1

    def test_the_first_run_says_what_it_does(self, first_runs: Any) -> None:
        first, (_, out, err), _ = first_runs
        said = "".join(told for *_, told in first)
        assert "Preparing minilm" in said
        assert "once" in said
        assert err == ""
        assert "14.541" in out


def test_a_closed_pipe_is_no_error(minilm: af.Encoder, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(f"{CANADA}\n" * 300)
    command = (
        f"{sys.executable} -m activation_flow strength -m minilm -f {tmp_path}/t.txt | head -1"
    )
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_full_disk_is_told(minilm: af.Encoder, tmp_path: Path) -> None:
    import resource

    minilm.strength(CANADA)  # so that the command itself has nothing to keep
    # Unbuffered, Python itself drops what a short write leaves over.
    buffered = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "activation_flow", "strength", CANADA, "-m", "minilm"]
    for form in ([], ["--json"]):
        with (tmp_path / "out").open("w") as full:
            done = subprocess.run(
                [*command, *form],
                env=buffered,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
            )
        assert done.returncode == 1
        assert "cannot write or read" in done.stderr
        assert "Traceback" not in done.stderr
