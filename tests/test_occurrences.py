"""Where a type or a word occurs in a run, against a plain loop over its rows."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import csv, parquet
from run_folders import make_run

import activation_flow as af
from activation_flow import cli, output
from activation_flow.data import ActivationFlowError
from activation_flow.result_occurrences import TABLE, Occurrences

HOSTILE = [
    *["'; DROP TABLE tokens; --", '"', "'", "''", "a\0b", "\n", "%", "\\", "{form}", "<b>", ""],
    *["[CLS", "##", "Ġ", "▁", "</w>", "\x1b[31m", "\u202eevil", "İ", "x" * 10_000, "(?i)dog"],
]
TEXTS = [
    "The Connoisseur likes Canada.",
    "A connoisseur's canada café, a well-known café.",
    "Canada connoisseur canada! 😀 connoisseur",
    "CONNOISSEUR 犬",
    "İ CANADA <b>&amp;</b> naïve",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_run(tmp_path_factory.mktemp("run") / "a run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    rows = [json.dumps({"id": f"<{k}>", "text": text}) for k, text in enumerate(TEXTS)]
    (folder / "in.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return folder


def of(folder: Path, minilm: af.Encoder, name: str, **how: Any) -> af.Run:
    """A run of ``TEXTS``; after the first call there is nothing to do."""
    return af.run_corpus(minilm, folder / "in.jsonl", out=folder / name, id_column="id", **how)


def looked(run: af.Run, layer: int) -> pd.DataFrame:
    """All rows of a layer, read part by part."""
    parts = sorted((run.path / "tokens").iterdir())
    rows = pd.concat([parquet.read_table(part).to_pandas() for part in parts])
    return rows[rows.layer == layer].reset_index(drop=True)


def expected(rows: pd.DataFrame, top: int) -> tuple[dict[str, Any], list[int]]:
    """Numbers and first texts, of the rows that match; a loop."""
    best: dict[int, float] = {}
    places, high, ranked = [], 0, 0
    for row in rows.to_dict("records"):
        place = -1.0 if pd.isna(row["percentile"]) else float(row["percentile"])
        best[row["text_id"]] = max(best.get(row["text_id"], -1.0), place)
        places += [place] if place >= 0 else []
        ranked += not pd.isna(row["rank"])
        high += row["high"] is True or row["high"] is np.True_
    numbers = {
        **{"n_tokens": len(rows), "n_texts": len(best)},
        "percentile": sum(places) / len(places) if places else None,
        "high_share": high / ranked if ranked else None,
    }
    return numbers, sorted(best, key=lambda text: (-best[text], text))[:top]


def assert_found(found: Occurrences, rows: pd.DataFrame, matches: Any) -> None:
    """What was found is what a loop over the rows of this layer finds."""
    numbers, order = expected(rows[matches], found.top)
    for name, value in numbers.items():
        assert getattr(found, name) == (value if value is None else pytest.approx(value, rel=1e-9))
    assert [text.text_id for text in found.texts] == order
    for text in found.texts:
        mine = rows[rows.text_id == text.text_id].sort_values("token_index")
        assert [*text.strength.tokens] == [*mine.token]
        assert [*text.matched] == [*matches[mine.index]]
        assert text.strength.layers == (found.layer,)
        assert [*text.strength.strength[0]] == [*mine.strength]
        assert [*text.strength.rank[0]] == [*mine["rank"].fillna(0)]
        assert [*text.strength.kind] == [*mine.kind.astype(object).fillna("")]
        said = {True: "HIGH", False: "LOW", None: ""}
        highs = [said[None if pd.isna(high) else bool(high)] for high in mine.high]
        assert [*text.strength.bucket[0]] == highs
        np.testing.assert_array_equal(text.percentile, mine.percentile.to_numpy(np.float32))


class TestTypes:
    @pytest.mark.parametrize("token", ["the", "##fold", 'a"b', "it's", "NULL", "犬", "[CLS]", "."])
    @pytest.mark.parametrize("layer", [3, 4])
    def test_what_a_loop_finds(self, made: Any, token: str, layer: int) -> None:
        run = af.Run(made.path)
        rows = made.tokens[made.tokens.layer == layer].reset_index(drop=True)
        found = run.occurrences(token, layer, top=7)
        assert (found.asked, found.searched, found.matched) == (token, (token,), "token")
        assert found.n_places == found.n_tokens > 0
        assert_found(found, rows, rows.token == token)
        about = made.texts[made.texts.layer == layer].set_index("text_id")
        for text in found.texts:
            assert (text.file, text.line, text.id, text.text) == ("a.txt", text.text_id, None, None)
            assert text.strength.threshold[0] == about.threshold[text.text_id]
            assert text.strength.n_dropped == about.n_dropped[text.text_id]

    @pytest.mark.parametrize("scope", ["text", "corpus"])
    @pytest.mark.parametrize("include_special", [True, False])
    def test_the_numbers_are_those_of_the_summary(
        self, tmp_path: Path, scope: str, include_special: bool
    ) -> None:
        make_run(tmp_path, texts=20, scope=scope, include_special=include_special, seed=5)
        run = af.Run(tmp_path)
        types = ["the", "##fold", "слово", "[SEP]", "absent"]
        summary = run.summary(types=types)
        assert isinstance(summary, af.Summary)
        for layer in run.layers:
            for row in summary.rows("type", layer):
                found = run.occurrences(row["name"], layer)
                assert found.percentile == row["percentile"]  # to the last digit
                assert found.high_share == row["high_share"]
                assert (found.n_tokens, found.n_texts) == (row["tokens"], row["texts"])

    def test_one_tau_for_the_corpus(self, tmp_path: Path) -> None:
        made = make_run(tmp_path, texts=20, scope="corpus")
        rows = made.tokens[made.tokens.layer == 4].reset_index(drop=True)
        found = af.Run(tmp_path).occurrences("dog")
        assert_found(found, rows, rows.token == "dog")
        assert {text.strength.threshold[0] for text in found.texts} == {*made.texts.threshold[1::2]}

    def test_all_texts_come_along_where_top_allows_it(self, made: Any) -> None:
        found = af.Run(made.path).occurrences("the", top=1000)
        assert len(found.texts) == found.n_texts
        (first,) = af.Run(made.path).occurrences("the", top=1).texts
        assert first.text_id == found.texts[0].text_id

    def test_what_does_not_occur(self, made: Any) -> None:
        found = af.Run(made.path).occurrences("absent")
        assert (found.n_tokens, found.n_places, found.n_texts) == (0, 0, 0)
        assert found.percentile is found.high_share is found.matched is None
        assert found.texts == ()
        assert repr(found).startswith("absent does not occur\nLooked for absent, neither as a tok")
        assert "absent does not occur" in found._repr_html_()
        assert found.to_dict()["texts"] == []
        assert found.to_arrow().num_rows == 0

    @pytest.mark.parametrize("token", HOSTILE)
    def test_hostile_types_are_data(self, made: Any, token: str) -> None:
        found = af.Run(made.path).occurrences(token)
        assert (found.n_tokens, found.asked) == (0, token)
        assert repr(found)
        assert "\x1b" not in repr(found)
        assert "<b>" not in found._repr_html_()
        assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["asked"] == token

    @pytest.mark.parametrize("token", ["<b>", "a\0b", "\u202eevil", HOSTILE[0]])
    def test_hostile_types_in_files(self, made: Any, token: str, tmp_path: Path) -> None:
        run = af.Run(made.path)
        found = run.occurrences(token)
        found.save(tmp_path / "x.html")
        page = (tmp_path / "x.html").read_text(encoding="utf-8")
        assert not {*"\0\u202e"} & {*page}
        assert "<b>&lt;b&gt;</b>" in page or "<b><b>" not in page
        found.save(tmp_path / "x.json")
        assert json.loads((tmp_path / "x.json").read_text()) == found.to_dict()
        assert len(run.sql("SELECT 1 FROM tokens")) > 0

    def test_hostile_types_that_occur(self, tmp_path: Path) -> None:
        make_run(tmp_path, texts=20)
        for part in (tmp_path / "tokens").iterdir():
            table = parquet.read_table(part)
            names = [HOSTILE[k % len(HOSTILE)] for k in range(len(table))]
            few = pa.array(names).dictionary_encode()
            parquet.write_table(table.set_column(2, table.schema.field("token"), few), part)
        run = af.Run(tmp_path)
        rows = looked(run, 4)
        for token in {*rows.token}:
            found = run.occurrences(token, 4, top=3)
            assert_found(found, rows, rows.token == token)
            html = found._repr_html_()
            assert "<b>&lt;b&gt;</b>" in html or "<b><b>" not in html
            assert "\x1b" not in html + repr(found)
            assert "\u202e" not in html + repr(found)

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            ({"token": "\udcff"}, "no type and no word: character 1 is half of a surrogate"),
            ({"token": 7}, "no type and no word: it is not a string but int"),
            ({"token": "a", "top": 0}, "top is 0: give a whole number from 1"),
            ({"token": "a", "ways": []}, "ways is .*: give token, word, or both"),
            ({"token": "a", "ways": ["piece"]}, "ways is .*: give token, word, or both"),
            ({"token": "a", "layer": 5}, "this run holds layers 3 and 4, not 5"),
            ({"token": "a", "layer": "3-4"}, "layer is '3-4': give one layer"),
        ],
    )
    def test_what_is_refused(self, made: Any, call: dict[str, Any], message: str) -> None:
        with pytest.raises(ActivationFlowError, match=message):
            af.Run(made.path).occurrences(**call)

    def test_runs_that_compare_are_refused(
        self, folder: Path, minilm: af.Encoder, tmp_path: Path
    ) -> None:
        run = af.run_corpus(minilm, folder / "in.jsonl", out=tmp_path / "r", prompts=["a", "b"])
        with pytest.raises(ActivationFlowError, match="compares texts: types of token are looked"):
            run.occurrences("a")

    def test_an_unfinished_run(self, tmp_path: Path, caplog: Any) -> None:
        made = make_run(tmp_path, texts=20, finished=False, done=(0, 2))
        shutil.copy(
            tmp_path / "tokens" / "part-00000.parquet", tmp_path / "tokens" / "part-00001.parquet"
        )
        found = af.Run(tmp_path).occurrences("the", 3)
        rows = made.tokens[made.tokens.layer == 3].reset_index(drop=True)
        assert_found(found, rows, rows.token == "the")
        assert "is not finished: 2 of 3 shards are in this" in caplog.text
        assert (found.shards, found.finished) == ((2, 3), False)
        said = "This run is not finished: 2 of 3 shards are in these numbers."
        assert said in repr(found)
        assert found._repr_html_().count(said) == 1

    def test_the_layer_is_the_usual_one(self, made: Any) -> None:
        assert af.Run(made.path).occurrences("the").layer == 4
        assert af.Run(made.path).occurrences("the", "3").layer == 3


class TestWords:
    """Of the tokenizer of minilm, which knows no capitals."""

    @pytest.mark.parametrize("keep_text", [True, False])
    def test_a_word_that_was_cut(self, folder: Path, minilm: af.Encoder, keep_text: bool) -> None:
        run = of(folder, minilm, f"kept-{keep_text}", keep_text=keep_text, layers="2,4")
        rows = looked(run, 4)
        for asked, searched, matched in (
            ("connoisseur", ("connoisseur",), "word"),
            ("Connoisseur", ("Connoisseur", "connoisseur"), "lower-cased word"),
        ):
            found = run.occurrences(asked)
            assert (found.searched, found.matched) == (searched, matched)
            assert (found.n_places, found.n_tokens, found.n_texts) == (4, 16, 3)
            ids = [1, 3, 4]
            own = rows.token.isin(["con", "##no", "##isse", "##ur"]) & rows.text_id.isin(ids)
            assert_found(found, rows, own)
            for text in found.texts:
                whole = TEXTS[text.text_id - 1]
                assert text.text == (whole if keep_text else None)
                assert (text.id, text.file, text.line) == (
                    f"<{text.text_id - 1}>",
                    "in.jsonl",
                    text.text_id,
                )

    def test_a_word_is_whole_and_alone(self, folder: Path, minilm: af.Encoder) -> None:
        run = of(folder, minilm, "kept-False", keep_text=False, layers="2,4")
        found = run.occurrences("connoisseur's")
        assert (found.matched, found.n_places, found.n_tokens) == ("word", 1, 6)
        assert run.occurrences("well-known").n_places == 1
        for absent in ("connoiss", "noisseur", "connoisseur likes", "Canada."):
            assert run.occurrences(absent).n_tokens == 0

    def test_lower_case_of_a_type(self, folder: Path, minilm: af.Encoder) -> None:
        run = of(folder, minilm, "kept-True", keep_text=True, layers="2,4")
        rows = looked(run, 2)
        found = run.occurrences("CANADA", 2)
        assert (found.searched, found.matched) == (("CANADA", "canada"), "lower-cased token")
        assert_found(found, rows, rows.token == "canada")
        said = "CANADA does not occur; as no token of this run has a capital, canada was looked for"
        assert said in " ".join(repr(found).split())

    def test_letters_that_only_the_text_has(self, folder: Path, minilm: af.Encoder) -> None:
        kept = of(folder, minilm, "kept-True", keep_text=True, layers="2,4")
        rows = looked(kept, 4)
        found = kept.occurrences("café")
        assert (found.matched, found.n_places) == ("word", 2)
        assert_found(found, rows, rows.token == "cafe")
        found = kept.occurrences("Naïve")
        assert (found.matched, found.n_places) == ("lower-cased word", 1)
        without = of(folder, minilm, "kept-False", keep_text=False, layers="2,4")
        assert without.occurrences("café").n_tokens == 0

    def test_only_one_way(self, folder: Path, minilm: af.Encoder) -> None:
        run = of(folder, minilm, "kept-True", keep_text=True, layers="2,4")
        assert run.occurrences("connoisseur", ways=["token"]).matched is None
        found = run.occurrences("canada", ways=["word"])
        assert (found.matched, found.n_places) == ("word", 5)
        assert found.percentile == run.occurrences("canada").percentile

    def test_runs_of_words(self, folder: Path, minilm: af.Encoder) -> None:
        run = of(folder, minilm, "words", words="max")
        rows = looked(run, 4)
        found = run.occurrences("connoisseur's")
        assert found.matched == "token"
        assert_found(found, rows, rows.token == "connoisseur's")
        # Their types are as the texts are written: this run knows capitals.
        assert run.occurrences("Canada").n_tokens == 2
        assert run.occurrences("cONNOISSEUR").searched == ("cONNOISSEUR",)


class TestMarks:
    """Pieces of other tokenizers, by hand."""

    @pytest.fixture
    def run(self, tmp_path: Path) -> af.Run:
        make_run(tmp_path, texts=6, shards=1)
        path = tmp_path / "tokens" / "part-00000.parquet"
        # text, token, start, end, word
        pieces = [
            *[(1, "Ġun", 0, 3, 0), (1, "fold", 3, 7, 0), (1, "Ġthe", 7, 11, 1)],
            *[(2, "▁unfold", 0, 6, 0), (2, "▁un", 6, 9, 1), (2, "▁fold", 9, 14, 2)],
            *[(3, "un", 0, 2, 0), (3, "fold</w>", 2, 6, 0), (3, "un", 7, 9, 1)],
            *[(4, "un", 0, 2, 0), (4, "##fold", 2, 6, 0), (4, "##ed", 6, 8, 0)],
            *[(5, "Ã", 0, 1, 0), (5, "©", 0, 1, 0), (5, "Ġx", 1, 3, 1), (5, "y", 3, 4, 1)],
            *[(6, "[UNK]", 0, 4, 0), (6, "UN", 5, 7, 1), (6, "##FOLD", 7, 11, 1)],
        ]
        texts = {1: "unfold the", 2: "unfold un fold", 3: "unfold un", 4: "unfolded", 5: "é xy"}
        rows = [
            {
                **{"text_id": t, "token_index": i, "token": token, "start": start, "end": end},
                **{"word": word, "kind": "content", "layer": 4, "strength": float(i), "rank": 1},
                **{"percentile": 10.0 * t + i, "high": True},
            }
            for i, (t, token, start, end, word) in enumerate(pieces)
        ]
        schema = parquet.read_schema(path)
        parquet.write_table(pa.Table.from_pylist(rows, schema=schema), path)
        about = tmp_path / "texts" / "part-00000.parquet"
        table = parquet.read_table(about)
        whole = [texts.get(t, "wörd UNFOLD") for t in table["text_id"].to_pylist()]
        parquet.write_table(table.append_column("text", pa.array(whole)), about)
        return af.Run(tmp_path)

    def test_pieces_put_together(self, run: af.Run) -> None:
        found = run.occurrences("unfold")
        assert (found.matched, found.n_places, found.n_tokens) == ("word", 3, 5)
        assert [text.text_id for text in found.texts] == [3, 2, 1]
        assert run.occurrences("un").matched == "token"
        assert run.occurrences("un", ways=["word"]).n_places == 2
        assert run.occurrences("unfolded").n_tokens == 3
        assert run.occurrences("UNFOLD").n_places == 1

    def test_what_only_the_text_says(self, run: af.Run) -> None:
        for word, text_id in (("é", 5), ("xy", 5), ("wörd", 6)):
            found = run.occurrences(word)
            assert (found.matched, found.n_places, found.texts[0].text_id) == ("word", 1, text_id)
        assert run.occurrences("unfold un").n_tokens == 0

    def test_a_run_with_capitals(self, run: af.Run) -> None:
        found = run.occurrences("Unfold")
        assert (found.searched, found.matched) == (("Unfold",), None)


class TestForms:
    @pytest.fixture
    def found(self, folder: Path, minilm: af.Encoder) -> Occurrences:
        run = of(folder, minilm, "kept-True", keep_text=True, layers="2,4")
        return run.occurrences("Canada", top=2)

    def test_the_document(self, found: Occurrences) -> None:
        document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert document["schema"] == "occurrences/1"
        assert document["layers"] == [4]
        assert (document["asked"], document["searched"]) == ("Canada", ["Canada", "canada"])
        assert document["matched"] == "lower-cased token"
        assert (document["n_tokens"], document["n_places"], document["n_texts"]) == (5, 5, 4)
        assert document["shards"] == {"done": 1, "all": 1}
        text, own = document["texts"][0], found.texts[0]
        assert (text["text_id"], text["text"]) == (own.text_id, own.text)
        assert text["threshold"] == own.strength.threshold[0]
        assert [token["token"] for token in text["tokens"]] == [*own.strength.tokens]
        assert [token["matched"] for token in text["tokens"]] == [*own.matched]
        first = text["tokens"][0]
        assert (first["kind"], first["rank"], first["high"]) == ("special", None, None)
        assert "id" not in first

    def test_files(self, found: Occurrences, tmp_path: Path) -> None:
        for ending in output.TOLD:
            found.save(tmp_path / f"x{ending}")
        assert json.loads((tmp_path / "x.json").read_text()) == found.to_dict()
        table = parquet.read_table(tmp_path / "x.parquet")
        assert table.schema.names == [*TABLE]
        assert table.num_rows == sum(len(text.strength) for text in found.texts)
        assert table.to_pylist() == found.to_arrow().to_pylist()
        assert sum(table["matched"].to_pylist()) == sum(t.matched.sum() for t in found.texts)
        assert [text for text in table["text"].to_pylist() if text] == [t.text for t in found.texts]
        assert csv.read_csv(tmp_path / "x.csv").num_rows == table.num_rows
        assert len(found.to_pandas()) == table.num_rows
        with pytest.raises(ActivationFlowError, match=r"one of \.json, \.csv, \.parquet, \.html"):
            found.save(tmp_path / "x.png")

    def test_the_page(self, found: Occurrences, tmp_path: Path) -> None:
        found.save(tmp_path / "x.html")
        page = (tmp_path / "x.html").read_text(encoding="utf-8")
        assert page.count('class="afn-t afn-found ') == sum(t.matched.sum() for t in found.texts)
        assert "in.jsonl, line" in page
        assert "<script" not in page
        assert "afn find " in page
        assert "http" not in page.replace("http-equiv", "")

    def test_text_is_escaped(self, folder: Path, minilm: af.Encoder) -> None:
        run = of(folder, minilm, "kept-True", keep_text=True, layers="2,4")
        html = run.occurrences("<")._repr_html_()
        assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in html
        assert "(&lt;4&gt;)" in html  # the input's own id
        assert "<b>&amp;" not in html

    def test_a_strength_that_is_no_number(self, tmp_path: Path) -> None:
        make_run(tmp_path, texts=3, shards=1)
        path = tmp_path / "tokens" / "part-00000.parquet"
        table = parquet.read_table(path)
        at = table.schema.get_field_index("strength")
        values = pa.array([math.nan] * len(table), pa.float32())
        parquet.write_table(table.set_column(at, table.schema.field(at), values), path)
        found = af.Run(tmp_path).occurrences("[CLS]")
        assert json.dumps(found.to_dict(), allow_nan=False)
        assert repr(found)
        assert found._repr_html_()

    def test_the_first_texts_of_a_repr(self, made: Any) -> None:
        found = af.Run(made.path).occurrences("the", top=9)
        assert repr(found).count("τ = ") == 5
        assert f"{found.n_texts - 5} more texts, in which it stands no higher" in repr(found)
        assert found._repr_mimebundle_()["text/plain"] == repr(found)


class TestCommand:
    def run(self, *words: str) -> Any:
        return CliRunner().invoke(cli.app, ["find", *words])

    def test_on_a_terminal(self, folder: Path, minilm: af.Encoder) -> None:
        run = of(folder, minilm, "kept-True", keep_text=True, layers="2,4")
        done = self.run(str(run.path), "connoisseur", "-l", "2", "--top", "1")
        assert done.exit_code == 0
        assert "connoisseur, as a word: 4 times in 3 texts, 16 tokens" in done.output
        assert "layer 2 of 6" in done.output
        assert ">##no<" in done.output.replace("*", "")
        assert "2 more texts" in done.output

    def test_what_does_not_occur_is_no_error(self, made: Any) -> None:
        done = self.run(str(made.path), "--", "--absent")
        assert done.exit_code == 0
        assert "--absent does not occur" in done.output

    def test_json_and_files(self, made: Any, tmp_path: Path) -> None:
        path = tmp_path / "x.csv"
        done = self.run(str(made.path), "the", "--json", "--as", "token", "--save", str(path))
        assert (
            json.loads(done.stdout)
            == af.Run(made.path).occurrences("the", ways=["token"]).to_dict()
        )
        assert path.exists()

    def test_what_is_refused(self, made: Any, tmp_path: Path) -> None:
        assert self.run(str(made.path), "the", "--top", "0").exit_code == 2
        assert self.run(str(made.path), "the", "--as", "piece").exit_code == 2
        done = self.run(str(made.path), "the", "--save", str(tmp_path / "x.png"))
        assert isinstance(done.exception, ActivationFlowError)
