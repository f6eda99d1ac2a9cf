"""afn shift, afn layers, afn hidden, and what happens to long texts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_files import data_file

import activation_flow as af

DAY, WALK = "Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the beach!"
MINILM = ("-m", "minilm")
LONG = "the dog sat on the mat " * 100


class TestShift:
    def test_json_is_what_python_gives(self, afn: Any, minilm: af.Encoder) -> None:
        code, out, err = afn("shift", DAY, WALK, *MINILM, "--json")
        assert (code, err) == (0, "")
        assert json.loads(out) == json.loads(json.dumps(minilm.shift(DAY, WALK).to_dict()))

    def test_options_reach_the_library(self, afn: Any, minilm: af.Encoder) -> None:
        words = ("-l", "2", "--align", "position", "--bucket-by", "union", "--words-by", "mean")
        more = ("--quantile", "0.5", "--include-special", "--kinds", "none")
        _, out, _ = afn("shift", DAY, "A long walk.", *MINILM, *words, *more, "--json")
        expected = minilm.shift(
            DAY,
            "A long walk.",
            layers=2,
            align="position",
            bucket_by="union",
            words="mean",
            quantile=0.5,
            include_special=True,
            kinds="none",
        )
        assert json.loads(out)["pairs"] == json.loads(json.dumps(expected.to_dict()))["pairs"]

    def test_a_terminal_shows_pairs_total_and_chance(self, afn: Any) -> None:
        code, out, _ = afn("shift", DAY, WALK, *MINILM)
        assert code == 0
        for part in ("day", "walk", "park", "beach", "15.492", "53.568", "0.584", "25", "0.036"):
            assert part in out, part
        assert max(map(len, out.splitlines())) <= 80

    @pytest.mark.parametrize("ending", [".jsonl", ".csv", ".tsv"])
    def test_files_of_pairs(
        self, afn: Any, minilm: af.Encoder, tmp_path: Path, ending: str
    ) -> None:
        pairs = [(DAY, WALK), ("a, b", 'say "x"'), ("слово\tтут", "х")]
        if ending == ".tsv":
            pairs = [(a.replace("\t", " "), b) for a, b in pairs]
        path = tmp_path / f"pairs{ending}"
        if ending == ".jsonl":
            rows = [json.dumps({"n": k, "x": a, "y": b}) for k, (a, b) in enumerate(pairs)]
        else:
            import csv
            import io

            out = io.StringIO()
            table = [("n", "x", "y"), *((str(k), *pair) for k, pair in enumerate(pairs))]
            csv.writer(out).writerows(table)
            tabs = ["\t".join(row) for row in table]
            rows = out.getvalue().splitlines() if ending == ".csv" else tabs
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        code, out_text, _ = afn("shift", "-f", str(path), "--columns", "x, y", *MINILM, "--json")
        assert code == 0
        document = json.loads(out_text)
        assert [(c["a"]["text"], c["b"]["text"]) for c in document["comparisons"]] == pairs
        expected = minilm.shift([a for a, _ in pairs], [b for _, b in pairs]).to_dict()
        assert document == json.loads(json.dumps(expected))

    def test_real_pairs(self, afn: Any, tmp_path: Path) -> None:
        path = data_file("cad-nli/minimal_pairs_dev.jsonl")
        save = tmp_path / "x.parquet"
        code, _, err = afn("shift", "-f", str(path), *MINILM, "--save", str(save))
        assert code == 0, err
        assert len(af.load(save)) == len(path.read_text().splitlines())

    def test_bad_pairs_cost_no_other(self, afn: Any, tmp_path: Path) -> None:
        rows = [
            '{"a": "x", "b": "y"}',
            "{",
            '{"a": "x"}',
            '{"a": "", "b": "y"}',
            '{"a":"1","b":"2"}',
        ]
        (tmp_path / "p.jsonl").write_text("\n".join(rows))
        code, out, err = afn("shift", "-f", str(tmp_path / "p.jsonl"), *MINILM, "--json")
        assert code == 1
        document = json.loads(out)
        assert [c["pair_number"] for c in document["comparisons"]] == [1, 5]
        assert [e["pair_number"] for e in document["errors"]] == [2, 3, 4]
        told = err.splitlines()
        assert "p.jsonl, line 2, pair 2: not JSON" in told[0]
        assert "line 3, pair 3: there is no column 'b'" in told[1]
        assert "line 4, pair 4: text A: it has no token of its own" in told[2]

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["a"], "give two texts, A and B; 1 came"),
            (["a", "b", "c"], "give two texts, A and B; 3 came"),
            ([], "give texts, or a file"),
            (["a", "b", "-f", "x.csv"], "give texts, or a file"),
            (["a", "b", "--columns", "x"], "give two names, such as premise,hypothesis"),
            (["a", "b", "--columns", "x,y,z"], "give two names"),
            (["a", "b", "--stride", "3"], "No such option"),
        ],
    )
    def test_wrong_usage(self, afn: Any, words: list[str], message: str) -> None:
        code, out, err = afn("shift", *words, *MINILM)
        assert (code, out) == (2, "")
        assert message in err

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["-l", "3-4"], "a shift is of one layer, and '3-4' is 2"),
            (["--align", "x"], "align='x' is not one of diff, position"),
            (["--bucket-by", "c"], "bucket_by='c' is not one of a, b, union"),
            (["--save", "x.npz"], r".json, .csv, .parquet, .html"),
        ],
    )
    def test_wrong_values(self, afn: Any, words: list[str], message: str) -> None:
        code, out, err = afn("shift", "a", "b", *words, *MINILM)
        assert (code, out) == (1, "")
        assert message in err
        assert err.count("\n") <= 2


class TestLayers:
    def test_json_is_what_python_gives(self, afn: Any, minilm: af.Encoder) -> None:
        code, out, _ = afn("layers", DAY, WALK, *MINILM, "--json")
        assert code == 0
        assert json.loads(out) == json.loads(json.dumps(minilm.layers([DAY, WALK]).to_dict()))

    def test_two_layers_side_by_side(self, afn: Any) -> None:
        code, out, _ = afn("layers", DAY, *MINILM, "-l", "4,5")
        assert code == 0
        for part in ("layer 4", "layer 5", "content", "function", "percentile"):
            assert part in out

    @pytest.mark.parametrize("ending", ["json", "parquet", "csv", "html"])
    def test_save(self, afn: Any, minilm: af.Encoder, tmp_path: Path, ending: str) -> None:
        path = tmp_path / f"x.{ending}"
        assert afn("layers", DAY, *MINILM, "--save", str(path))[0] == 0
        if ending in ("json", "parquet"):
            assert af.load(path) == minilm.layers([DAY])
        else:
            assert path.stat().st_size > 500


class TestHidden:
    @pytest.mark.parametrize("ending", [".npz", ".safetensors"])
    def test_saved_as_python_gives_it(
        self, afn: Any, minilm: af.Encoder, tmp_path: Path, ending: str
    ) -> None:
        path = tmp_path / f"x{ending}"
        code, out, err = afn("hidden", DAY, WALK, *MINILM, "-l", "all", "--save", str(path))
        assert (code, out) == (0, "")
        assert f"Saved {path}: 2 texts" in err
        assert af.load(path) == minilm.hidden_states([DAY, WALK], layers="all")

    def test_numpy_alone_reads_it(self, afn: Any, minilm: af.Encoder, tmp_path: Path) -> None:
        afn("hidden", DAY, *MINILM, "--save", str(tmp_path / "x.npz"))
        with np.load(tmp_path / "x.npz") as arrays:
            hidden = arrays["1.hidden"]
            assert (hidden.shape, hidden.dtype) == ((1, 10, 384), np.float32)
            norms = np.linalg.norm(hidden[0].astype(float), axis=1)
        assert norms == pytest.approx(minilm.strength(DAY).strength[0], rel=1e-5)

    def test_rows_of_a_file(self, afn: Any, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_bytes(b"one\n\n\xff\nthree\n\0\nfive\n")
        path = tmp_path / "x.npz"
        code, _, err = afn("hidden", "-f", str(tmp_path / "t.txt"), *MINILM, "--save", str(path))
        assert code == 1
        back = af.load(path)
        assert back.numbers == (1, 3, 5)
        assert [e.text_number for e in back.errors] == [2, 4]
        assert "t.txt, line 3, text 2: not UTF-8" in err
        assert "t.txt, line 5, text 4: it has no token" in err
        assert "blank lines left out: 1" in err
        assert "Saved" in err

    def test_json_and_terminal(self, afn: Any, minilm: af.Encoder) -> None:
        document = json.loads(afn("hidden", "a dog", *MINILM, "--json")[1])
        (text,) = document["texts"]
        states = np.array([token["hidden"] for token in text["tokens"]], dtype=np.float32)
        assert np.array_equal(states[:, 0], minilm.hidden_states("a dog").hidden[0])
        out = afn("hidden", "a dog", *MINILM)[1]
        assert "384" in out

    def test_of_a_file_all_is_for_keeping(self, afn: Any, tmp_path: Path) -> None:
        (tmp_path / "t.txt").write_text("one\ntwo\n")
        code, out, err = afn("hidden", "-f", str(tmp_path / "t.txt"), *MINILM)
        assert (code, out) == (2, "")
        assert "give --save PATH (or --json)" in err
        assert afn("hidden", "-f", str(tmp_path / "t.txt"), *MINILM, "--json")[0] == 0

    def test_json_or_save(self, afn: Any, tmp_path: Path) -> None:
        code, _, err = afn("hidden", "a", *MINILM, "--json", "--save", str(tmp_path / "x.npz"))
        assert code == 2
        assert "not both" in err
        code, _, err = afn("hidden", "a", *MINILM, "--save", str(tmp_path / "x.json"))
        assert code == 1
        assert ".npz, .safetensors" in err

    @pytest.mark.parametrize("ending", [".html", ".svg"])
    def test_a_page_and_a_picture(
        self, afn: Any, minilm: af.Encoder, tmp_path: Path, ending: str
    ) -> None:
        path = tmp_path / f"x{ending}"
        assert afn("hidden", DAY, WALK, *MINILM, "--save", str(path))[0] == 0
        minilm.hidden_states([DAY, WALK]).save(tmp_path / f"own{ending}")
        assert path.read_bytes() == (tmp_path / f"own{ending}").read_bytes()
        assert "beautiful" in path.read_text(encoding="utf-8")


class TestLongTexts:
    @pytest.mark.parametrize("command", ["strength", "layers", "hidden"])
    def test_truncated_texts_are_told(self, afn: Any, tmp_path: Path, command: str) -> None:
        save = ("--save", str(tmp_path / "x.npz")) if command == "hidden" else ()
        code, _, err = afn(
            command, "a", LONG, *MINILM, "-l", "1", "--max-length", "100", "--truncate", *save
        )
        assert code == 0
        assert "text 2: cut to 98 tokens; 502 dropped" in err
        assert "text 1:" not in err

    def test_shift_refuses_unless_truncated(self, afn: Any) -> None:
        code, _, err = afn("shift", "the dog", LONG, *MINILM)
        assert (code, "--truncate" in err) == (1, True)
        assert err.startswith("afn: pair 1: text B: it has 602 tokens")
        assert err.count("\n") == 1
        code, out, err = afn("shift", "the dog", LONG, *MINILM, "--truncate", "--json")
        assert code == 0
        assert "pair 1, text B: cut to 510 tokens; 90 dropped" in err
        assert json.loads(out)["b"]["n_dropped"] == 90

    def test_windows_are_counted(self, afn: Any) -> None:
        document = json.loads(afn("strength", LONG, *MINILM, "--json")[1])
        assert document["texts"][0]["n_windows"] == 2
        code, _, err = afn("strength", LONG, *MINILM, "--truncate", "--stride", "9")
        assert code == 1
        assert "no text is read in windows" in err


class TestWhatIsTold:
    def test_many_failures_are_counted(self, afn: Any, tmp_path: Path) -> None:
        rows = ['{"x": "a", "y": "b"}'] * 50
        (tmp_path / "p.jsonl").write_text("\n".join(rows))
        code, out, err = afn("shift", "-f", str(tmp_path / "p.jsonl"), *MINILM, "--json")
        assert code == 1
        assert len(json.loads(out)["errors"]) == 50
        assert err.count("there is no column 'a'") == 20
        assert "afn: ... and 30 more without a result" in err

    def test_what_cannot_be_saved_is_printed_all_the_same(
        self, afn: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.replace", full)
        path = tmp_path / "x.json"
        code, out, err = afn("strength", "a dog", "", *MINILM, "--json", "--save", str(path))
        assert code == 1
        assert [t["text"] for t in json.loads(out)["texts"]] == ["a dog"]
        assert "afn: text 2: it has no token of its own (it is empty)" in err
        assert f"{path} cannot be written: No space left on device" in err
        assert not path.exists()
        assert [*tmp_path.iterdir()] == []

    def test_a_path_is_tried_before_any_work(self, afn: Any, tmp_path: Path) -> None:
        folder = tmp_path / "closed"
        folder.mkdir()
        long = folder / ("x" * 300 + ".json")
        code, out, err = afn("strength", "a", "-m", "no/such", "--save", str(long))
        assert (code, out) == (1, "")
        assert "cannot be written: File name too long" in err
