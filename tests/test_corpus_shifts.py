"""Runs that compare, against encoder.shift and encoder.prompts of the same texts, bit for bit."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import activation_flow as af
from activation_flow import blocks, part
from activation_flow.data import ActivationFlowError

PAIRS = [
    ("Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the beach!"),
    ("Traffic was terrible this morning.", "Traffic was fine."),
    ("A rainy-day in the city, unfolds slowly ...", "A rainy-day in the city, unfolds slowly ..."),
    ("Enjoying a beautiful day at the park!", "Don't re-read snake_case!"),
    ("Enjoying a beautiful day at the park!", "Enjoying a beautiful walk at the beach!"),
    ("!", "The morning, at last."),
]
TEXTS = [a for a, _ in PAIRS]
ODD = 'say {it} "so", [bold]'  # a prompt with all that templates, SQL and markup have a use for
RATIO = ("n", "k", "high_ratio", "high_share", "enrichment", "p_value", "p_floor")


def write(path: Path, pairs: list[tuple[Any, Any]]) -> str:
    rows = (json.dumps({"premise": a, "id": f"no {k}", "b": b}) for k, (a, b) in enumerate(pairs))
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    return str(path)


def lines(path: Path, texts: list[str]) -> str:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return str(path)


def table(run: af.Run | Path, name: str) -> pa.Table:
    folder = (run.path if isinstance(run, af.Run) else run) / name
    return pa.concat_tables(parquet.read_table(path) for path in sorted(folder.iterdir()))


def contents(out: Path) -> dict[str, bytes]:
    """All files of a run, byte for byte, but for its lock."""
    files = (path for path in out.rglob("*") if path.is_file() and path.name != "lock")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def shift_rows(
    result: af.ShiftResult, text_id: int, more: dict[str, Any], part: Any = None
) -> list[dict[str, Any]]:
    """The rows of ``shifts`` that a comparison at one layer stands for, by plain loops."""
    found = []
    for number, pair in enumerate(result.pairs):
        found.append(
            {
                **{"text_id": text_id, **more, "layer": result.layer, "row": number},
                "change": pair.change,
                **({} if part is None else {"part": str(part[number])}),
                **{"token_a": pair.a, "token_b": pair.b},
                **{"index_a": pair.a_index, "index_b": pair.b_index, "kind": pair.kind},
                "strength_a": strength(result.a, pair.a_index),
                "strength_b": strength(result.b, pair.b_index),
                "high": pair.high,
                **{"shift": pair.shift, "cosine_distance": pair.cosine_distance},
            }
        )
    return found


def strength(text: af.StrengthResult, index: int | None) -> float | None:
    return None if index is None else float(text.strength[0, index])


def whole(result: af.ShiftResult) -> dict[str, Any]:
    """What ``comparisons`` says of it, but for its place, its anchor and its own tokens."""
    return {
        **{"n_tokens_a": len(result.a), "n_tokens_b": len(result.b)},
        **{"n_dropped_a": result.a.n_dropped, "n_dropped_b": result.b.n_dropped},
        **{"n_aligned": int(result.paired.sum()), "unpaired_high": result.unpaired_high},
        **{name: getattr(result.concentration, name) for name in RATIO},
    }


def by_layer(rows: list[dict[str, Any]], depth: int) -> list[dict[str, Any]]:
    """Rows that stand layer after layer, in the order of the tables: the layers of each."""
    n = len(rows) // depth
    return [rows[k * n + i] for i in range(n) for k in range(depth)]


def held(row: dict[str, Any], names: Any) -> dict[str, Any]:
    return {name: row[name] for name in names}


class TestPairs:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"align": "position", "bucket_by": "union", "include_special": True},
            {"words": "mean", "bucket_by": "b", "quantile": 0.5, "kinds": "none"},
            {"max_length": 8, "truncate": True},
        ],
    )
    def test_a_run_says_what_shift_says(self, tiny_encoder, tmp_path, options):
        source = write(tmp_path / "pairs.jsonl", PAIRS)
        out = tmp_path / "run"
        named = {"pairs": ("premise", "b"), "id_column": "id", "keep_text": True}
        run = af.run_corpus(tiny_encoder, source, out=out, layers="1,3", **named, **options)
        shifts, comparisons = table(run, "shifts").to_pylist(), table(run, "comparisons")
        wanted, about = [], []
        for number, (a, b) in enumerate(PAIRS, 1):
            each = [tiny_encoder.shift(a, b, layers=layer, **options) for layer in (1, 3)]
            rows = [row for result in each for row in shift_rows(result, number, {})]
            wanted += by_layer(rows, 2)
            about += [
                {
                    **{"text_id": number, "id": f"no {number - 1}", "file": "pairs.jsonl"},
                    **{"line": number, "layer": result.layer, "text": a, "text_b": b},
                    **{"total_shift": result.total, **whole(result)},
                    "n_text": int((result.paired & (result.kind != "special")).sum()),
                    "mean_shift": result.total / int(result.paired.sum()),
                }
                for result in each
            ]
        assert shifts == wanted
        assert [held(row, about[0]) for row in comparisons.to_pylist()] == about
        assert "prompt_a" not in comparisons.column_names

    def test_the_anchor_is_the_cls_token(self, tiny_encoder, tmp_path):
        source = write(tmp_path / "pairs.jsonl", PAIRS)
        run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", pairs="premise, b")
        found = table(run, "comparisons").to_pylist()
        for row, (a, b) in zip(found, PAIRS, strict=True):
            first, second = (tiny_encoder.hidden_states(text).hidden[0, 0] for text in (a, b))
            first, second = first.astype(np.float64), second.astype(np.float64)
            assert row["anchor"] == "cls"
            assert row["anchor_shift"] == pytest.approx(np.linalg.norm(first - second), rel=1e-12)
            cos = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
            assert row["anchor_cosine"] == pytest.approx(1 - cos, abs=1e-12)

    def test_the_same_pairs_in_any_format(self, tiny_encoder, tmp_path):
        rows = [{"premise": a, "id": 7 * k, "b": b} for k, (a, b) in enumerate(PAIRS)]
        of_rows = pa.Table.from_pylist(rows)
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        csv.write_csv(of_rows, folder / "b.csv")
        tabs = "premise\tid\tb\n" + "".join("\t".join(map(str, r.values())) + "\n" for r in rows)
        (folder / "c.tsv").write_text(tabs)
        parquet.write_table(of_rows, folder / "d.parquet", row_group_size=4)
        (folder / "e.jsonl.gz").write_bytes(gzip.compress((folder / "a.jsonl").read_bytes()))
        first = None
        for path in sorted(folder.iterdir()):
            out = tmp_path / path.name
            how = {"pairs": ("premise", "b"), "id_column": "id", "shard_size": 4}
            run = af.run_corpus(tiny_encoder, path, out=out, **how)
            found = table(run, "shifts").drop_columns("text_id").to_pylist()
            first = found if first is None else first
            assert found == first, path
            assert table(run, "comparisons")["id"].to_pylist() == [str(r["id"]) for r in rows]
            assert run.manifest["finished"]["rows"] == len(PAIRS)
        everything = af.run_corpus(tiny_encoder, folder, out=tmp_path / "all", **how)
        assert table(everything, "shifts").num_rows == 5 * len(first)

    def test_rows_in_are_rows_out_and_rejects(self, tiny_encoder, tmp_path):
        long = "the morning sun rose slowly over hills nobody watched " * 9
        rows = [
            *[PAIRS[0], ("", "a"), ("a", "  "), (long, "a"), PAIRS[1], (long, long), ("a", 7)],
            *[(None, "a"), ("\u200b", ""), PAIRS[2]],
        ]
        source = Path(write(tmp_path / "pairs.jsonl", rows))
        source.write_bytes(source.read_bytes() + b'\n{"premise": "a"}\n{"premise": "\xff"}\n')
        run = af.run_corpus(
            tiny_encoder, source, out=tmp_path / "run", pairs="premise,b", max_length=64
        )
        finished = run.manifest["finished"]
        assert (finished["rows"], finished["texts"], finished["rejects"]) == (12, 3, 9)
        assert (finished["blank"], finished["computed"]) == (1, 3)
        rejects = [json.loads(line) for line in run.rejects.read_text().splitlines()]
        assert {reject["file"] for reject in rejects} == {"pairs.jsonl"}
        reasons = {
            2: "text A: it has no token of its own (it is empty)",
            3: "text B: it has no token of its own (it holds only spaces)",
            4: "text A: it has ",
            6: "; text B: it has ",
            7: "column b is a number (7), not a string",
            8: "column premise is null, not a string",
            9: "text A: it has no token of its own (the tokenizer drops all of it: U+200B); text B",
            12: "there is no column 'b' (there are: 'premise'); --pairs A,B names the two to read",
            13: "not UTF-8",
        }
        assert [reject["line"] for reject in rejects] == [*reasons]
        for reject in rejects:
            assert reasons[reject["line"]] in reject["reason"]
        assert table(run, "comparisons")["line"].to_pylist() == [1, 5, 10]
        with pytest.raises(ActivationFlowError, match=r"pairs\.jsonl, line 2: text A: it has no"):
            af.run_corpus(
                tiny_encoder, source, out=tmp_path / "x", pairs="premise,b", on_error="fail"
            )

    def test_a_pair_is_computed_once_and_written_each_time(
        self, tiny_encoder, tmp_path, monkeypatch
    ):
        many = PAIRS * 20
        source = write(tmp_path / "pairs.jsonl", many)
        whole_run = af.run_corpus(tiny_encoder, source, out=tmp_path / "a", pairs="premise,b")
        monkeypatch.setattr(blocks, "BLOCK_TEXTS", 7)
        run = af.run_corpus(tiny_encoder, source, out=tmp_path / "b", pairs="premise,b")
        for one in (whole_run, run):
            finished = one.manifest["finished"]
            assert (finished["texts"], finished["computed"]) == (len(many), len({*PAIRS}))
        for name in ("shifts", "comparisons"):
            assert table(run, name).to_pylist() == table(whole_run, name).to_pylist()

    def test_a_text_of_several_pairs_is_read_once(self, tiny_encoder, monkeypatch):
        """Of these six pairs three have one first text, and two are the same."""
        seen: list[int] = []
        ask = type(tiny_encoder).run

        def counted(self: Any, encoded: Any, *how: Any, **more: Any) -> Any:
            seen.append(len(encoded))
            return ask(self, encoded, *how, **more)

        alone = [tiny_encoder.shift(a, b) for a, b in PAIRS]
        monkeypatch.setattr(type(tiny_encoder), "run", counted)
        together = tiny_encoder.shift(*map(list, zip(*PAIRS, strict=True)))
        assert seen == [len({text for pair in PAIRS for text in pair})]
        assert list(together) == alone


class TestPrompts:
    @pytest.mark.parametrize(
        ("prompts", "options"),
        [
            (["query:", ODD], {"baseline": True}),
            (["query:", "passage:", "x"], {"template": "{{{prompt}}} » {text}.", "align": "diff"}),
            (["Summarize"], {"baseline": True, "align": "position", "bucket_by": "union"}),
        ],
    )
    def test_a_run_says_what_prompts_says(self, tiny_encoder, tmp_path, prompts, options):
        source = lines(tmp_path / "texts.txt", TEXTS)
        how = {"layers": "1,3", "prompts": prompts, **options}
        run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", keep_text=True, **how)
        shifts, about, texts = [], [], []
        for number, text in enumerate(TEXTS, 1):
            result = tiny_encoder.prompts(text, **how)
            for one in result.comparisons:
                names = {"prompt_a": result.prompts[one.a], "prompt_b": result.prompts[one.b]}
                each = [result.between(one.a, one.b, layer) for layer in (1, 3)]
                rows = [r for s in each for r in shift_rows(s, number, names, one.part)]
                shifts += by_layer(rows, 2)
                texts += [text, text]
                about += [
                    {
                        **{"text_id": number, **names, "layer": shift.layer, **whole(shift)},
                        "total_shift": one.total_shift[k],
                        "mean_shift": one.mean_shift[k],
                        "n_text": int((one.paired & (one.part == "text")).sum()),
                        "anchor": result.anchor,
                        "anchor_shift": result.anchor_shift[k, one.a, one.b],
                        "anchor_cosine": result.anchor_cosine[k, one.a, one.b],
                    }
                    for k, shift in enumerate(each)
                ]
        assert table(run, "shifts").to_pylist() == shifts
        found = table(run, "comparisons").to_pylist()
        assert [held(row, about[0]) for row in found] == about
        assert [row["text"] for row in found] == texts
        assert "text_b" not in found[0]
        assert run.manifest["settings"]["prompts"] == [
            *([None] if "baseline" in how else []),
            *prompts,
        ]

    def test_texts_that_are_too_long_are_told(self, tiny_encoder, tmp_path):
        long = "morning " * 14
        source = lines(tmp_path / "t.txt", [*TEXTS, "", long, "\u200b"])
        longest = len(tiny_encoder.strength(long))
        how = {"prompts": ["query: one two"], "baseline": True, "max_length": longest}
        run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", **how)
        finished = run.manifest["finished"]
        assert finished["rows"] == finished["texts"] + finished["rejects"] == len(TEXTS) + 2
        rejects = [json.loads(line) for line in run.rejects.read_text().splitlines()]
        assert {8, 9} <= {reject["line"] for reject in rejects}
        (reason,) = [reject["reason"] for reject in rejects if reject["line"] == 8]
        assert reason.startswith("with prompt 'query: one two': it has ")
        cut = af.run_corpus(tiny_encoder, source, out=tmp_path / "cut", truncate=True, **how)
        assert cut.manifest["finished"]["rejects"] == 1
        dropped = cut.sql("SELECT max(n_dropped_b) AS n FROM comparisons")["n"].to_pylist()
        assert dropped[0] > 0

    def test_a_treebank_under_prompts(self, minilm, tmp_path):
        source = tmp_path / "gold.conllu"
        source.write_text("# sent_id = s1\n1\tDogs\tdog\tNOUN" + "\t_" * 6 + "\n\n")
        run = af.run_corpus(minilm, source, out=tmp_path / "run", prompts=["a:", "b:"])
        assert table(run, "comparisons")["id"].to_pylist() == ["s1"]
        assert run.manifest["settings"]["kinds"] == "list"


@pytest.fixture(params=["pairs", "prompts"])
def asked(request, tmp_path) -> tuple[str, dict[str, Any]]:
    """A source of several shards, with a bad row, and what to ask of it."""
    if request.param == "pairs":
        rows = [*PAIRS, ("", ""), *((f"{a} {k}", b) for k, (a, b) in enumerate(PAIRS))]
        return write(tmp_path / "in.jsonl", rows), {"pairs": ("premise", "b"), "shard_size": 4}
    texts = [*TEXTS, "\u200b", *(f"{text} {k}" for k, text in enumerate(TEXTS))]
    how = {"prompts": ["query:"], "baseline": True, "shard_size": 4}
    return lines(tmp_path / "in.txt", texts), how


class TestRuns:
    def test_a_crash_between_any_two_renames_ends_as_if_it_never_was(
        self, tiny_encoder, tmp_path, asked, monkeypatch
    ):
        source, how = asked
        af.run_corpus(tiny_encoder, source, out=tmp_path / "whole", **how)
        truth = contents(tmp_path / "whole")
        renames = sum(name.endswith(".parquet") or "rejects-" in name for name in truth)
        rename = part._put
        for moment in range(renames + 1):
            left = [moment]

            def crash(*paths: Path, left: list[int] = left) -> None:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                rename(*paths)

            out = tmp_path / f"run {moment}"
            with monkeypatch.context() as patch:
                patch.setattr(part, "_put", crash)
                if moment < renames:
                    with pytest.raises(KeyboardInterrupt):
                        af.run_corpus(tiny_encoder, source, out=out, **how)
            af.run_corpus(tiny_encoder, source, out=out, **how)
            assert contents(out) == truth, moment
            shutil.rmtree(out)

    def test_a_lost_part_is_made_again(self, tiny_encoder, tmp_path, asked):
        source, how = asked
        out = tmp_path / "run"
        run = af.run_corpus(tiny_encoder, source, out=out, **how)
        truth = contents(out)
        assert run.done == tuple(range(len(run.manifest["shards"])))
        (out / "shifts" / "part-00001.parquet").unlink()
        with pytest.raises(ActivationFlowError, match=r"shifts/part-00001\.parquet is missing"):
            run.sql("SELECT 1")
        (out / "comparisons" / "part-00002.parquet").unlink()
        assert 2 not in run.done
        seen: set[int] = set()
        af.run_corpus(
            tiny_encoder,
            source,
            out=out,
            **how,
            progress=lambda state: seen.update([state.last[0].number] if state.last else []),
        )
        assert seen == {1, 2}
        assert contents(out) == truth

    @pytest.mark.parametrize(
        ("first", "second", "said"),
        [
            ({"prompts": ["a", "b"]}, {"prompts": ["a", "c"]}, 'prompts was ["a", "b"], now ["a"'),
            ({"prompts": ["a", "b"]}, {"prompts": ["b", "a"]}, 'prompts was ["a", "b"], now ["b"'),
            (
                {"prompts": ["a", "b"]},
                {"prompts": ["a", "b"], "baseline": True},
                "now [null,",
            ),
            (
                {"prompts": ["a", "b"]},
                {"prompts": ["a", "b"], "template": "{text} {prompt}"},
                'template was "{prompt} {text}", now',
            ),
            ({"prompts": ["a", "b"]}, {"prompts": ["a", "b"], "align": "diff"}, "align was"),
            ({"prompts": ["a", "b"]}, {}, 'tables was ["shifts", "comparisons"], now null'),
            ({}, {"prompts": ["a", "b"]}, "tables was null, now"),
            ({"pairs": "text,b"}, {"pairs": "b,text"}, 'pair_column was "b", now "text"'),
            ({"pairs": "text,b"}, {"pairs": "text,b", "bucket_by": "b"}, "bucket_by was"),
        ],
    )
    def test_other_settings_are_refused(self, tiny_encoder, tmp_path, first, second, said):
        source = tmp_path / "in.jsonl"
        source.write_text('{"text": "the sun", "b": "the morning"}\n')
        out = tmp_path / "run"
        af.run_corpus(tiny_encoder, source, out=out, **first)
        before = contents(out)
        with pytest.raises(ActivationFlowError) as caught:
            af.run_corpus(tiny_encoder, source, out=out, **second)
        assert said in str(caught.value)
        assert contents(out) == before

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"prompts": ["a"]}, "give two of them, or one and baseline=True"),
            ({"prompts": ["a", "a"]}, "prompt 'a' is given twice"),
            ({"prompts": ["a", ""]}, "prompt 2 is empty"),
            ({"prompts": ["a", "b"], "pairs": "text,b"}, "two ways to compare: leave out one"),
            ({"prompts": ["a", "b"], "template": "{text}"}, "prompt"),
            ({"prompts": ["a", "b"], "align": "words"}, "align='words' is not one of"),
            ({"prompts": ["a", "b"], "bucket_by": "c"}, "bucket_by='c' is not one of a, b, union"),
            ({"prompts": ["a", "b"], "words": "max"}, "--words is not for --prompt"),
            ({"prompts": ["a", "b"], "vectors": 1}, "--vectors is for strengths"),
            ({"prompts": ["a", "b"], "stride": 4}, "--stride is for strengths"),
            ({"prompts": ["a", "b"], "kinds": "gold"}, "kinds are list or none, not gold"),
            ({"prompts": ["a", "b"], "threshold_scope": "corpus"}, "leave out --threshold-scope"),
            ({"prompts": ["a", "b"], "max_length": 10**6}, "max_length 1000000 is out of range"),
            ({"pairs": "text,b", "align": "text"}, "align='text' is not one of diff, position"),
            ({"pairs": "text,b", "baseline": True}, "--baseline is for --prompt"),
            ({"pairs": "text,b", "template": "{prompt}{text}"}, "--template is for --prompt"),
            ({"pairs": "text"}, "--pairs text: give the names of two columns"),
            ({"pairs": "text,b,c"}, "give the names of two columns"),
            ({"pairs": "b,b"}, "--pairs names 'b' twice"),
            ({"pairs": "a,b", "text_column": "c"}, "leave out --text-column"),
            ({"pairs": "text,b", "words": "median"}, "words='median' is not one of"),
            ({"align": "diff"}, "--align diff of one text is compared with nothing"),
            ({"bucket_by": "a"}, "--bucket-by a of one text"),
            ({"baseline": True}, "--baseline is for --prompt"),
            ({"pairs": "text,c"}, "there is no column 'c'"),
        ],
    )
    def test_what_makes_no_sense_is_refused_before_anything_is_done(
        self, tiny_encoder, tmp_path, options, said
    ):
        source = tmp_path / "in.csv"
        source.write_text("text,b\nthe sun,the morning\n")
        with pytest.raises(ActivationFlowError) as caught:
            af.run_corpus(tiny_encoder, source, out=tmp_path / "run", **options)
        assert said in str(caught.value)
        assert not (tmp_path / "run" / "manifest.json").exists()

    def test_pairs_need_columns(self, tiny_encoder, tmp_path):
        lines(tmp_path / "a.txt", TEXTS)
        with pytest.raises(ActivationFlowError, match=r"a\.txt: a \.txt file has no columns, and"):
            af.run_corpus(tiny_encoder, tmp_path / "a.txt", out=tmp_path / "run", pairs="a,b")

    def test_pandas_polars_and_duckdb_read_the_files_as_they_are(
        self, tiny_encoder, tmp_path, asked
    ):
        import duckdb
        import pandas

        source, how = asked
        run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", layers="1,2", **how)
        for name, column in (("shifts", "cosine_distance"), ("comparisons", "p_value")):
            truth = table(run, name)[column].to_pylist()
            frame = pandas.read_parquet(run.path / name)[column]
            assert [None if pandas.isna(value) else value for value in frame] == truth
            folder = run.path / name / "*.parquet"
            assert polars.read_parquet(folder)[column].to_list() == truth
            assert duckdb.sql(f"SELECT {column} FROM '{folder}'").fetchall() == [
                (x,) for x in truth
            ]
            assert run.sql(f"SELECT {column} FROM {name}")[0].to_pylist() == truth
            schema = parquet.read_schema(run.path / name / "part-00000.parquet")
            assert all(field.metadata[b"about"] for field in schema)
            head = json.loads(schema.metadata[b"activation_flow"])
            assert (head["schema"], head["table"]) == ("corpus/1", name)

    def test_the_command(self, afn, tmp_path):
        source = write(tmp_path / "in.jsonl", PAIRS)
        how = ("-m", "minilm", "--out", str(tmp_path / "run"))
        code, out, err = afn("corpus", source, "--pairs", "premise,b", "-l", "2,4", *how)
        assert (code, err) == (0, "")
        assert out.startswith("6 pairs, ")
        assert "1 of the pairs were the same as one before" in out
        code, out, _ = afn("sql", str(tmp_path / "run"), "SELECT count(*) AS n FROM comparisons")
        assert out.split() == ["n", "12"]
        code, _, err = afn("corpus", source, "--prompt", "a", *how, "--text-column", "b")
        assert code == 1
        assert "give two of them, or one and baseline=True" in err
        how = ("-m", "minilm", "--out", str(tmp_path / "more"), "--text-column", "b")
        code, out, err = afn("corpus", source, "--prompt", "a", "--baseline", *how)
        assert (code, err) == (0, "")
