"""A run folder, opened: what is refused, what views show, what a query can and cannot do."""

import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet
from run_folders import make_run

import activation_flow as af
from activation_flow import database
from activation_flow.data import ActivationFlowError
from activation_flow.run import Run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "a run"
    make_run(path, vectors=(4,))
    return path


@pytest.fixture(autouse=True)
def own_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where spilled rows go; it must be empty after each test."""
    path = tmp_path / "spilled"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


class TestOpening:
    def test_what_it_says_of_itself(self, folder: Path) -> None:
        run = af.Run(str(folder))
        assert run.path == folder
        assert run.finished
        assert run.done == (0, 1, 2)
        assert run.layers == (3, 4)
        assert run.rejects == folder / "rejects.jsonl"
        assert run.provenance.model == run.manifest["model"] == "tiny"
        assert repr(run).endswith("tiny, layers 3, 4 of 6, finished")

    def test_an_unfinished_one(self, tmp_path: Path) -> None:
        make_run(tmp_path, finished=False, done=(2, 0))
        run = Run(tmp_path)
        assert not run.finished
        assert run.done == (0, 2)
        assert repr(run).endswith("2 of 3 shards done")

    def test_other_files_are_no_shards(self, tmp_path: Path) -> None:
        make_run(tmp_path, finished=False, done=(1,))
        for name in (
            "part-00002.parquet.tmp",
            "unfinished-part-00002.parquet",
            "part-00099.parquet",
        ):
            (tmp_path / "texts" / name).touch()
        assert Run(tmp_path).done == (1,)

    @pytest.mark.parametrize(
        ("written", "message"),
        [
            (None, "is not a run: it has no manifest.json"),
            ('{"schema": "corpus/1", ', "is damaged: Expecting"),
            ("\udcff", "is damaged: 'utf-8'"),
            ("[]", "has the schema None; this version of activation-flow reads 'corpus/1'"),
            ('{"schema": "corpus/9"}', "has the schema 'corpus/9'"),
            ('{"schema": "corpus/1", "model": "m"}', "is damaged: 'engine' is missing"),
        ],
    )
    def test_what_is_no_run(self, tmp_path: Path, written: str | None, message: str) -> None:
        if written is not None:
            (tmp_path / "manifest.json").write_bytes(written.encode("utf-8", "surrogateescape"))
        with pytest.raises(ActivationFlowError, match=message) as problem:
            Run(tmp_path)
        assert str(tmp_path) in str(problem.value)
        with pytest.raises(ActivationFlowError, match="there is no folder"):
            Run(tmp_path / "nowhere")


class TestViews:
    def test_the_rows_are_those_of_the_parts(self, folder: Path) -> None:
        run = Run(folder)
        for table in ("tokens", "texts", "vectors"):
            whole = pa.concat_tables(
                parquet.read_table(path) for path in sorted((folder / table).iterdir())
            )
            found = run.sql(f"SELECT * FROM {table}")
            assert found.schema.names == whole.schema.names
            assert found.to_pylist() == whole.to_pylist()

    def test_only_shards_that_are_done(self, tmp_path: Path, caplog: Any) -> None:
        made = make_run(tmp_path, finished=False, done=(0, 2))
        shutil.copy(
            tmp_path / "tokens" / "part-00000.parquet", tmp_path / "tokens" / "part-00001.parquet"
        )
        run = Run(tmp_path)
        assert run.sql("SELECT count(*) AS n FROM tokens")["n"].to_pylist() == [len(made.tokens)]
        assert "is not finished: 2 of 3 shards are in this" in caplog.text
        assert run.summary().shards == (2, 3)
        assert "This run is not finished: 2 of 3 shards" in repr(run.summary())

    def test_nothing_done_yet(self, tmp_path: Path) -> None:
        make_run(tmp_path, finished=False, done=())
        for ask in (lambda run: run.sql("SELECT 1"), lambda run: run.summary()):
            with pytest.raises(ActivationFlowError, match="no shard of this run is done; run the"):
                ask(Run(tmp_path))

    @pytest.mark.parametrize("table", ["tokens", "texts", "vectors"])
    def test_a_part_that_is_gone_is_missed(self, tmp_path: Path, table: str) -> None:
        make_run(tmp_path, vectors=(4,))
        (tmp_path / table / "part-00001.parquet").unlink()
        with pytest.raises(
            ActivationFlowError, match=rf"{table}/part-00001.parquet is missing; run"
        ):
            Run(tmp_path).sql("SELECT 1")

    def test_a_damaged_part_is_told(self, tmp_path: Path) -> None:
        make_run(tmp_path)
        part = tmp_path / "tokens" / "part-00001.parquet"
        part.write_bytes(part.read_bytes()[:50])
        with pytest.raises(ActivationFlowError, match=r"cannot be summarized: .*part-00001"):
            Run(tmp_path).summary()
        with pytest.raises(ActivationFlowError, match=r"cannot be answered: .*part-00001"):
            Run(tmp_path).sql("SELECT avg(strength) FROM tokens")

    @pytest.mark.parametrize(
        "name",
        [
            'it\'s a "run"',
            "[x] * ? {a,b}",
            "lang=en",
            "ünï %20 $x;--",
            "back\\slash",
            "a\\[b]",
            "é",
        ],
    )
    def test_any_path_is_taken_literally(self, tmp_path: Path, name: str) -> None:
        made = make_run(tmp_path / name, texts=5, shards=1, scope="corpus")
        make_run(tmp_path / "x 1 2 a", texts=9, shards=1)  # what [x] * ? {a,b} would also match
        run = Run(tmp_path / name)
        assert run.sql("SELECT count(*) AS n FROM texts")["n"].to_pylist() == [10]
        assert "lang" not in run.sql("FROM tokens").schema.names
        assert run.summary().counts["texts"] == len(made.texts) / 2


class TestThresholdOverAllTexts:
    def test_the_columns_are_those_of_other_runs(self, tmp_path: Path) -> None:
        make_run(tmp_path / "text", vectors=(4,))
        make_run(tmp_path / "corpus", vectors=(4,), scope="corpus")
        text, corpus = Run(tmp_path / "text"), Run(tmp_path / "corpus")
        for table in ("tokens", "texts", "vectors"):
            query = f"SELECT * FROM {table}"
            assert corpus.sql(query).schema.equals(text.sql(query).schema)

    def test_high_and_the_threshold(self, tmp_path: Path) -> None:
        made = make_run(tmp_path, scope="corpus", layers=(6, 0, 3))
        run = Run(tmp_path)
        order = "ORDER BY text_id, token_index, layer"
        found = run.sql(f"SELECT high FROM tokens {order}")["high"].to_pylist()
        truth = made.tokens.sort_values(["text_id", "token_index", "layer"]).high
        assert found == [None if value is None else bool(value) for value in truth]
        taus = {int(k): tau for k, tau in run.manifest["finished"]["threshold"].items()}
        rows = run.sql("SELECT DISTINCT layer, threshold FROM texts").to_pylist()
        assert {row["layer"]: row["threshold"] for row in rows} == taus
        assert all(row["threshold"] in taus.values() for row in run.summary().texts.to_pylist())

    @given(tau=st.floats(allow_nan=False, allow_infinity=False))
    @settings(max_examples=100)
    def test_a_number_of_sql_is_the_same_to_the_last_bit(self, tau: float) -> None:
        (found,) = duckdb.execute(f"SELECT {database.double(tau)}").fetchone()
        assert (found, math.copysign(1, found)) == (tau, math.copysign(1, tau))

    def test_no_token_took_part(self, tmp_path: Path) -> None:
        made = make_run(tmp_path, scope="corpus")
        made.manifest["finished"]["threshold"] = None
        (tmp_path / "manifest.json").write_text(json.dumps(made.manifest))
        table = Run(tmp_path).sql("SELECT threshold, high FROM tokens JOIN texts USING (text_id)")
        assert table["threshold"].null_count == table["high"].null_count == len(table)

    def test_before_the_run_is_finished_it_is_not_known(self, tmp_path: Path) -> None:
        make_run(tmp_path, scope="corpus", finished=False, done=(0, 1))
        message = "2 of 3 shards are done, and τ over all texts is known when all are; run the same"
        for ask in (lambda run: run.sql("SELECT 1"), lambda run: run.summary()):
            with pytest.raises(ActivationFlowError, match=message):
                ask(Run(tmp_path))


class TestQueries:
    def test_a_wrong_query_is_told_in_duckdbs_words(self, folder: Path) -> None:
        run = Run(folder)
        for query, message in (
            ("SELECT nope FROM tokens", 'cannot be answered: Binder Error: .*"nope"'),
            ("selct", "Parser Error: syntax error"),
            ("SELECT * FROM nowhere", "nowhere does not exist"),
            # Late, when rows are coming already.
            (
                "SELECT CASE WHEN i = 900000 THEN 'a' ELSE '1' END::INT FROM range(999999) r(i)",
                "'a'",
            ),
        ):
            with pytest.raises(ActivationFlowError, match=message):
                run.sql(query)

    def test_the_run_cannot_be_changed_through_its_views(self, folder: Path) -> None:
        run = Run(folder)
        before = {path: path.stat() for path in folder.rglob("*")}
        for query in (
            "DELETE FROM tokens",
            "INSERT INTO texts FROM texts",
            "UPDATE tokens SET layer=1",
        ):
            with pytest.raises(ActivationFlowError, match="cannot be answered"):
                run.sql(query)
        run.sql("DROP VIEW tokens")  # its own view, in a database that is gone after the query
        assert run.sql("SELECT count(*) AS n FROM tokens")["n"].to_pylist()[0] > 0
        assert {path: path.stat() for path in folder.rglob("*")} == before

    def test_python_is_out_of_reach_and_so_are_hosts(self, folder: Path) -> None:
        mine = pd.DataFrame({"a": [1]})
        with pytest.raises(ActivationFlowError, match="mine does not exist"):
            Run(folder).sql("SELECT * FROM mine")
        assert len(mine)
        names = "('autoinstall_known_extensions', 'autoload_known_extensions')"
        query = f"SELECT value FROM duckdb_settings() WHERE name IN {names}"
        assert Run(folder).sql(query)["value"].to_pylist() == ["false", "false"]
        with pytest.raises(ActivationFlowError, match="httpfs"):
            Run(folder).sql("SELECT * FROM 'https://example.com/a.parquet'")

    def test_several_statements_give_the_rows_of_the_last(self, folder: Path) -> None:
        assert Run(folder).sql("SELECT 1 AS a; SELECT 2 AS b").to_pylist() == [{"b": 2}]
        assert Run(folder).sql("-- nothing").num_rows == 0

    def test_what_does_not_fit_is_spilled_and_cleaned_up(
        self, folder: Path, own_temp: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database, "available_memory", lambda: 0)
        monkeypatch.setattr(database, "LEAST", 60 * 2**20)
        seen: list[int] = []
        query = "SELECT hash(i) AS h, i FROM range(8000000) AS r(i) ORDER BY h"
        with Run(folder).stream(query) as reader:
            for batch in reader:
                seen.append(sum(p.stat().st_size for p in own_temp.rglob("*") if p.is_file()))
                assert batch.num_rows
                break
        assert seen[0] > 2**20
        assert list(own_temp.iterdir()) == []

    def test_ctrl_c_stops_a_query(self, folder: Path, own_temp: Path) -> None:
        query = (
            "SELECT count(*) FROM tokens a, tokens b, tokens c WHERE a.strength > b.rank * c.rank "
            "UNION ALL SELECT count(*) FROM range(999999999999)"
        )
        code = (
            "import sys; from activation_flow import Run; run = Run(sys.argv[1]); "
            "run.sql('SELECT 1'); print('ready', flush=True); run.sql(sys.argv[2])"
        )
        command = [sys.executable, "-c", code, str(folder), query]
        environment = {**os.environ, "TMPDIR": str(own_temp)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        # A process of its own: a signal to this one would reach whatever else it is at.
        with subprocess.Popen(command, env=environment, **pipes) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        assert err.rstrip().endswith("KeyboardInterrupt")
        assert list(own_temp.iterdir()) == []

    def test_rows_come_as_they_are_computed(self, folder: Path) -> None:
        with Run(folder).stream("SELECT * FROM range(100000000000)") as reader:
            assert next(iter(reader)).num_rows > 0


class TestSqlCommand:
    def test_a_table(self, afn: Any, folder: Path) -> None:
        query = (
            "SELECT kind, count(*) AS n, 0.5 AS half, NULL AS nothing FROM tokens WHERE layer = 3"
        )
        code, out, err = afn("sql", str(folder), f"{query} GROUP BY ALL ORDER BY ALL NULLS LAST")
        assert (code, err) == (0, "")
        rows = [line.split() for line in out.splitlines()]
        assert rows[0] == ["kind", "n", "half", "nothing"]
        counts = Run(folder).summary("3")
        assert rows[1][:2] == ["content", str(counts.rows("kind", 3)[3]["tokens"])]
        assert rows[-1][0] == "NULL"
        assert len(rows) == 6

    def test_at_most_forty_rows_and_how_to_get_the_others(self, afn: Any, folder: Path) -> None:
        out = afn("sql", str(folder), "SELECT * FROM range(12345)")[1].splitlines()
        assert len(out) == 42
        assert out[-1] == "… 12,305 more rows not shown; --save x.parquet or --json gives all"
        assert len(afn("sql", str(folder), "SELECT * FROM range(40)")[1].splitlines()) == 41
        assert afn("sql", str(folder), "FROM tokens LIMIT 0")[1].splitlines()[-1] == "0 rows"

    @pytest.mark.parametrize("width", [20, 80, 200])
    def test_every_column_is_shown_at_any_width(
        self, afn: Any, folder: Path, width: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        out = afn("sql", str(folder), "SELECT *, repeat('long ', 99) AS long FROM tokens LIMIT 3")[
            1
        ]
        assert max(map(len, out.splitlines())) <= width
        for name in Run(folder).sql("FROM tokens").schema.names:
            assert name in out.split()
        assert "…" in out

    def test_control_characters_are_shown_and_not_sent(self, afn: Any, folder: Path) -> None:
        out = afn("sql", str(folder), "SELECT chr(27) || '[31m' AS \"a\x1b[1m\"")[1]
        assert "\x1b" not in out
        assert out.count("\\x1b") == 2

    def test_one_document(self, afn: Any, folder: Path) -> None:
        query = (
            "SELECT 1 AS a, 'x' AS a, 'nan'::DOUBLE AS n, '-inf'::FLOAT AS i, NULL AS none, "
            "true AS t, [1, NULL] AS l, {'k': DATE '2020-01-02'} AS s, 'b'::BLOB AS b, "
            "sum(1) AS h, 1.5 AS d"
        )
        code, out, err = afn("sql", str(folder), query, "--json")
        assert (code, err) == (0, "")
        document = json.loads(out)
        assert document == {
            "schema": "sql/1",
            "columns": ["a", "a", "n", "i", "none", "t", "l", "s", "b", "h", "d"],
            "rows": [
                [1, "x", None, None, None, True, [1, None], {"k": "2020-01-02"}, "Yg==", 1, 1.5]
            ],
        }

    def test_files(self, afn: Any, folder: Path, tmp_path: Path) -> None:
        query = "SELECT text_id, token, strength, high FROM tokens"
        whole = Run(folder).sql(query)
        for ending in ("csv", "json", "parquet"):
            path = tmp_path / f"x.{ending}"
            code, out, err = afn("sql", str(folder), query, "--save", str(path))
            assert (code, out) == (0, "")
            assert err == f"Saved {path}: {len(whole)} rows\n"
        assert parquet.read_table(tmp_path / "x.parquet").to_pylist() == whole.to_pylist()
        assert csv.read_csv(tmp_path / "x.csv")["token"].to_pylist() == whole["token"].to_pylist()
        rows = json.loads((tmp_path / "x.json").read_text("utf-8"))["rows"]
        assert [row[2] for row in rows] == whole["strength"].to_pylist()

    def test_what_a_file_cannot_hold(self, afn: Any, folder: Path, tmp_path: Path) -> None:
        for query, name, message in (
            ("SELECT [1] AS l", "x.csv", "a .csv file cannot hold such columns"),
            ("SELECT INTERVAL 1 DAY AS d", "x.parquet", "a .parquet file cannot hold such columns"),
            ("SELECT 1 AS a, 2 AS a", "x.parquet", "two columns are called 'a': name them with AS"),
            ("SELECT 1", "x.html", "it must be one of .csv, .json, .parquet"),
            ("SELECT 1", "no/x.csv", "there is no folder"),
            ("SELECT nope", "x.csv", "Binder Error"),
        ):
            code, out, err = afn("sql", str(folder), query, "--save", str(tmp_path / name))
            assert (code, out) == (1, "")
            assert message in err
        assert [p.name for p in tmp_path.iterdir()] == ["spilled"]

    def test_from_standard_input(
        self, afn: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for raw, code, text in (
            ("\ufeffSELECT 'é' AS e -- a comment\n".encode(), 0, "é"),
            (b"SELECT '\xff'", 1, "is not UTF-8"),
        ):
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
            found = afn("sql", str(folder), "-")
            assert found[0] == code
            assert text in found[1] + found[2]

    def test_wrong_usage(self, afn: Any, folder: Path, tmp_path: Path) -> None:
        words = ("sql", str(folder), "SELECT 1", "--json", "--save", str(tmp_path / "x.csv"))
        assert afn(*words)[0] == 2
        code, out, err = afn("sql", str(tmp_path), "SELECT 1")
        assert (code, out) == (1, "")
        assert "is not a run" in err


def test_rows_of_an_answer_keep_their_types(folder: Path) -> None:
    table = Run(folder).sql("SELECT strength, rank, high, kind FROM tokens")
    types = [pa.float32(), pa.int32(), pa.bool_(), pa.string()]
    assert table.schema.types == types
    assert np.isfinite(table["strength"].to_numpy()).all()
