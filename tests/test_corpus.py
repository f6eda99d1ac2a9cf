"""A corpus run against the same texts measured one by one; its files in the hands of others."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pyarrow as pa
import pytest
from data_files import data_file
from pyarrow import parquet
from scipy import stats

import activation_flow as af
from activation_flow import blocks
from activation_flow.data import ActivationFlowError

TEXTS = [
    "Enjoying a beautiful day at the park!",
    "Traffic was terrible this morning.",
    "A rainy-day in the city, unfolds slowly ...",
    "Don't re-read snake_case!",
    "Enjoying a beautiful day at the park!",
    "!",
]


def write(path: Path, texts: list[str]) -> str:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return str(path)


def table(run: af.Run | Path, name: str) -> pa.Table:
    """All parts of a table, in order."""
    folder = (run.path if isinstance(run, af.Run) else run) / name
    return pa.concat_tables(parquet.read_table(path) for path in sorted(folder.iterdir()))


def rows(run: af.Run | Path, name: str) -> list[dict[str, Any]]:
    return table(run, name).to_pylist()


def expected_tokens(result: af.StrengthResult, text_id: int) -> list[dict[str, Any]]:
    """The rows that a result stands for, by plain loops."""
    found = []
    for i, token in enumerate(result.tokens):
        for k, layer in enumerate(result.layers):
            weaker = result.strength[k][result.rank[k] > 0]
            found.append(
                {
                    "text_id": text_id,
                    "token_index": i,
                    "token": token,
                    "start": int(result.start[i]) if result.start[i] >= 0 else None,
                    "end": int(result.end[i]) if result.end[i] >= 0 else None,
                    "word": int(result.word[i]) if result.word[i] >= 0 else None,
                    "kind": str(result.kind[i]) or None,
                    "layer": layer,
                    "strength": float(result.strength[k, i]),
                    "rank": int(result.rank[k, i]) or None,
                    "percentile": place(weaker, result.strength[k, i]),
                    "high": {"HIGH": True, "LOW": False, "": None}[str(result.bucket[k, i])],
                }
            )
    return found


def place(values: np.ndarray, own: np.float32) -> float:
    """The percentile, those within 1e-6 of one's own counted half."""
    doubled = 0
    for value in values.tolist():
        tied = abs(value - float(own)) <= 1e-6 * float(own)
        doubled += 1 if tied else 2 * (value < float(own))
    return 100 * doubled / (2 * len(values)) if len(values) else float("nan")


def close(
    found: list[dict[str, Any]], expected: list[dict[str, Any]], percents: float = 1e-4
) -> None:
    """Equal in all but percentiles, which are computed otherwise."""
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.pop("percentile") == pytest.approx(theirs.pop("percentile"), abs=percents)
        assert mine == theirs


@pytest.mark.parametrize("options", [{}, {"include_special": True}, {"quantile": 0.5}])
def test_a_run_says_what_each_text_alone_says(tiny_encoder, tmp_path, options):
    source = write(tmp_path / "texts.txt", TEXTS)
    run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", layers="0-2", **options)
    alone = [tiny_encoder.strength(text, layers="0-2", **options) for text in TEXTS]
    wanted = [row for k, r in enumerate(alone, 1) for row in expected_tokens(r, k)]
    close(rows(run, "tokens"), wanted)
    part = [r.strength[:, (r.rank > 0).any(axis=0)].astype(np.float64) for r in alone]
    texts = rows(run, "texts")
    assert [row["text_id"] for row in texts] == [k for k in range(1, 7) for _ in range(3)]
    for n, row in enumerate(texts):
        own, result, k = part[n // 3], alone[n // 3], n % 3
        assert row["threshold"] == result.threshold[k]
        assert row["mean"] == pytest.approx(own[k].mean())
        assert (row["n_tokens"], row["n_windows"], row["n_dropped"]) == (len(result), 1, 0)
        assert (row["layer"], row["line"], row["file"]) == (k, n // 3 + 1, "texts.txt")
        if own.shape[1] > 1:
            assert row["sd"] == pytest.approx(own[k].std(ddof=1))
            assert row["skew"] == pytest.approx(stats.skew(own[k]))
        else:
            assert row["sd"] is row["skew"] is None


def test_the_same_texts_in_any_format(tiny_encoder, tmp_path):
    lines = "".join(f"{text}\n" for text in TEXTS)
    records = [{"id": 7 * k, "text": text} for k, text in enumerate(TEXTS)]
    (tmp_path / "a.txt").write_text(lines)
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "c.txt.zst").write_bytes(pa.compress(lines.encode(), "zstd", asbytes=True))
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    quoted = "".join(f'{r["id"]},"{r["text"]}"\n' for r in records)
    (tmp_path / "e.csv").write_text("id,text\n" + quoted)
    (tmp_path / "f.tsv").write_text("id\ttext\n" + quoted.replace('"', "").replace(",", "\t", 1))
    parquet.write_table(pa.Table.from_pylist(records), tmp_path / "g.parquet", row_group_size=4)
    with_tabs = "".join(f"{r['id']}\t{r['text']}\n" for r in records)
    (tmp_path / "f.tsv").write_text("id\ttext\n" + with_tabs)
    first = None
    for path in sorted(tmp_path.iterdir()):
        ids = {} if "txt" in path.name else {"id_column": "id"}
        out = tmp_path / "runs" / path.name
        run = af.run_corpus(tiny_encoder, path, out=out, shard_size=4, **ids)
        found = table(run, "tokens").drop_columns("text_id")
        first = found if first is None else first
        assert found.combine_chunks().equals(first.combine_chunks()), path
        assert run.manifest["finished"]["rows"] == len(TEXTS)
        if ids:
            assert table(run, "texts")["id"].to_pylist() == [str(r["id"]) for r in records]


def test_a_folder_is_one_run_and_says_which_file_a_text_is_from(tiny_encoder, tmp_path, caplog):
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    write(folder / "a.txt", TEXTS[:2])
    write(folder / "more" / "b.txt", ["", TEXTS[2]])
    (folder / "notes.pdf").write_bytes(b"")
    run = af.run_corpus(tiny_encoder, folder, out=tmp_path / "run", keep_text=True)
    found = [(r["text_id"], r["file"], r["line"], r["text"]) for r in rows(run, "texts")]
    assert found == [
        (1, "a.txt", 1, TEXTS[0]),
        (2, "a.txt", 2, TEXTS[1]),
        (10**12 + 2, "more/b.txt", 2, TEXTS[2]),
    ]
    assert "files with other endings left out: 1" in caplog.text
    assert "notes.pdf" in caplog.text
    finished = run.manifest["finished"]
    assert (finished["rows"], finished["blank"], finished["texts"]) == (3, 1, 3)


def test_rows_in_are_rows_out_and_rejects(tiny_encoder, tmp_path):
    source = tmp_path / "texts.jsonl"
    good = [json.dumps({"text": text}).encode() for text in TEXTS]
    bad = [b"{", b'{"texts": "a"}', b'{"text": 3}', b'{"text": "\xff"}', b'{"text": ""}']
    lines = [good[0], bad[0], b"", good[1], *bad[1:], *good[2:]]
    source.write_bytes(b"\n".join(lines) + b"\n")
    run = af.run_corpus(tiny_encoder, str(source), out=tmp_path / "run", shard_size=3)
    finished = run.manifest["finished"]
    assert (finished["rows"], finished["texts"], finished["rejects"]) == (11, 6, 5)
    assert finished["blank"] == 1
    rejects = [json.loads(line) for line in run.rejects.read_text().splitlines()]
    assert [r["line"] for r in rejects] == [2, 5, 6, 7, 8]
    assert {r["file"] for r in rejects} == {"texts.jsonl"}
    reasons = ["not JSON", "no column 'text'", "a number (3)", "not UTF-8", "it is empty"]
    for reject, reason in zip(rejects, reasons, strict=True):
        assert reason in reject["reason"]
    assert [r["line"] for r in rows(run, "texts")] == [1, 4, 9, 10, 11, 12]


def test_the_first_bad_row_stops_a_run_that_is_to_fail(tiny_encoder, tmp_path):
    source = write(tmp_path / "texts.txt", [*TEXTS, "\u200b"])
    with pytest.raises(ActivationFlowError, match=r"texts\.txt, line 7: .*drops all of it"):
        af.run_corpus(tiny_encoder, source, out=tmp_path / "run", on_error="fail")
    run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run")
    assert run.manifest["finished"]["rejects"] == 1
    with pytest.raises(ActivationFlowError, match="1 rows have been rejected already"):
        af.run_corpus(tiny_encoder, source, out=tmp_path / "run", on_error="fail")


def test_the_same_text_is_computed_once_and_written_each_time(tiny_encoder, tmp_path):
    many = TEXTS * 800  # several blocks
    run = af.run_corpus(tiny_encoder, write(tmp_path / "t.txt", many), out=tmp_path / "run")
    assert run.manifest["finished"]["computed"] == len({*TEXTS})
    assert run.manifest["finished"]["texts"] == len(many)
    found = table(run, "tokens").to_pandas()
    once = found[found.text_id <= 6].drop(columns="text_id").to_numpy()
    size = len(once)
    for k in (1, 350, 799):
        again = found.iloc[k * size : (k + 1) * size].drop(columns="text_id").to_numpy()
        assert [*map(repr, again.ravel())] == [*map(repr, once.ravel())]


def test_one_threshold_for_the_corpus_is_that_of_all_texts_in_one_call(tiny_encoder, tmp_path):
    source = write(tmp_path / "t.txt", TEXTS)
    scope = {"threshold_scope": "corpus", "layers": "1,2"}
    run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", shard_size=2, **scope)
    alone = tiny_encoder.strength(TEXTS, **scope)
    tau = [float(value) for value in alone[0].threshold]
    assert [*run.manifest["finished"]["threshold"].values()] == tau
    assert "high" not in table(run, "tokens").column_names
    high = run.sql("SELECT high FROM tokens ORDER BY text_id, token_index, layer")["high"]
    buckets = [bucket for r in alone for bucket in r.bucket.T.ravel().tolist()]
    assert high.to_pylist() == [{"HIGH": True, "LOW": False, "": None}[b] for b in buckets]
    assert run.sql("SELECT DISTINCT threshold FROM texts ORDER BY layer")[0].to_pylist() == tau


def test_vectors_are_the_hidden_states(tiny_encoder, tmp_path):
    source = write(tmp_path / "t.txt", [*TEXTS, "\u200b"])
    options = {"layers": "2", "vectors": "0,3", "shard_size": 2}
    run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", **options)
    found = rows(run, "vectors")
    states = tiny_encoder.hidden_states(TEXTS, layers="0,3")
    wanted = [
        (k, i, layer, state.hidden[n, i].tolist())
        for k, state in enumerate(states, 1)
        for i in range(len(state))
        for n, layer in enumerate((0, 3))
    ]
    assert [(r["text_id"], r["token_index"], r["layer"], r["vector"]) for r in found] == wanted
    kind = table(run, "vectors").schema.field("vector").type
    assert kind == pa.list_(pa.float32(), tiny_encoder.width)
    assert {r["layer"] for r in rows(run, "tokens")} == {2}


def test_words_long_texts_and_cut_texts_are_as_in_strength(tiny_encoder, tmp_path):
    texts = [*TEXTS, " ".join(TEXTS * 20)]
    source = write(tmp_path / "t.txt", texts)
    for name, options in {
        "words": {"words": "mean"},
        "windows": {"max_length": 16, "stride": 4},
        "cut": {"max_length": 16, "truncate": True},
    }.items():
        run = af.run_corpus(tiny_encoder, source, out=tmp_path / name, **options)
        alone = [tiny_encoder.strength(text, **options) for text in texts]
        wanted = [row for k, r in enumerate(alone, 1) for row in expected_tokens(r, k)]
        # Of many tokens some are closer than 1e-6, which scipy does not take for a tie.
        close(rows(run, "tokens"), wanted, percents=0.5)
        about = [(r["n_windows"], r["n_dropped"]) for r in rows(run, "texts")]
        assert about == [(r.n_windows, r.n_dropped) for r in alone]
    with pytest.raises(ActivationFlowError, match="not of words"):
        af.run_corpus(tiny_encoder, source, out=tmp_path / "x", words="max", vectors=1)


CONLLU = """# sent_id = first
# text = Don't panic, 2 dogs!
1-2	Don't	_	_	_	_	_	_	_	_
1	Do	do	AUX	_	_	_	_	_	_
2	n't	not	PART	_	_	_	_	_	_
3	panic	panic	VERB	_	_	_	_	_	SpaceAfter=No
4	,	,	PUNCT	_	_	_	_	_	_
5	2	2	NUM	_	_	_	_	_	_
6	dogs	dog	X	_	_	_	_	_	SpaceAfter=No
7	!	!	PUNCT	_	_	_	_	_	_

"""


def test_gold_tags_are_kept_and_give_the_kinds(minilm, tmp_path):
    source = tmp_path / "gold.conllu"
    source.write_text(CONLLU)
    run = af.run_corpus(minilm, source, out=tmp_path / "run")
    found = [(r["token"], r["tag"], r["kind"]) for r in rows(run, "tokens")]
    assert found == [
        ("[CLS]", None, "special"),
        ("don", "AUX", "function"),
        ("'", "PART", "function"),
        ("t", "PART", "function"),
        ("panic", "VERB", "content"),
        (",", "PUNCT", "punctuation"),
        ("2", "NUM", "content"),
        ("dogs", "X", None),
        ("!", "PUNCT", "punctuation"),
        ("[SEP]", None, "special"),
    ]
    assert [r["id"] for r in rows(run, "texts")] == ["first"]
    assert run.manifest["settings"]["kinds"] == "gold"
    listed = af.run_corpus(minilm, source, out=tmp_path / "list", kinds="list")
    assert [r["kind"] for r in rows(listed, "tokens")][7] == "content"
    assert [r["tag"] for r in rows(listed, "tokens")][7] == "X"
    plain = write(tmp_path / "plain.txt", TEXTS)
    with pytest.raises(ActivationFlowError, match=r"kinds gold .*plain\.txt is none"):
        af.run_corpus(minilm, plain, out=tmp_path / "x", kinds="gold")


def test_every_gold_word_of_a_treebank_has_its_tag(minilm, tmp_path):
    """The pieces of "text" that start a gold word carry that word's tag."""
    source = data_file("ud-ewt/en_ewt-ud-test.conllu")
    lines = source.read_text(encoding="utf-8").split("\n\n")[:60]
    few = tmp_path / "few.conllu"
    few.write_text("\n\n".join(lines) + "\n\n", encoding="utf-8")
    run = af.run_corpus(minilm, few, out=tmp_path / "run", keep_text=True)
    tags = {row["text_id"]: [] for row in rows(run, "texts")}
    for row in rows(run, "tokens"):
        tags[row["text_id"]] += [] if row["tag"] is None else [row["tag"]]
    for sentence, found in zip(lines, tags.values(), strict=True):
        fields = [line.split("\t") for line in sentence.split("\n") if line[:1].isdigit()]
        gold = [f[3] for f in fields if f[0].isdigit()]
        deduplicated = [t for k, t in enumerate(found) if k == 0 or found[k - 1] != t]
        wanted = [t for k, t in enumerate(gold) if k == 0 or gold[k - 1] != t]
        assert deduplicated == wanted, sentence


def test_pandas_polars_and_duckdb_read_the_files_as_they_are(tiny_encoder, tmp_path):
    import duckdb
    import pandas

    source = write(tmp_path / "t.txt", TEXTS)
    run = af.run_corpus(tiny_encoder, source, out=tmp_path / "run", shard_size=2, vectors=1)
    truth = rows(run, "tokens")
    strengths = [row["strength"] for row in truth]
    frame = pandas.read_parquet(run.path / "tokens")
    assert frame.strength.tolist() == strengths
    assert frame.token.tolist() == [row["token"] for row in truth]
    other = polars.read_parquet(run.path / "tokens" / "*.parquet")
    assert other["strength"].to_list() == strengths
    assert other["kind"].to_list() == [row["kind"] for row in truth]
    asked = f"SELECT token, strength, high FROM '{run.path}/tokens/*.parquet'"
    wanted = [(row["token"], row["strength"], row["high"]) for row in truth]
    assert duckdb.sql(asked).fetchall() == wanted
    vectors = polars.read_parquet(run.path / "vectors" / "*.parquet")["vector"].to_list()
    assert (
        vectors
        == duckdb.sql(f"SELECT vector FROM '{run.path}/vectors/*.parquet'")
        .df()["vector"]
        .map(list)
        .tolist()
    )


def test_a_part_says_what_it_is(tiny_encoder, tmp_path):
    run = af.run_corpus(tiny_encoder, write(tmp_path / "t.txt", TEXTS), out=tmp_path / "run")
    for name in ("tokens", "texts"):
        schema = parquet.read_schema(run.path / name / "part-00000.parquet")
        head = json.loads(schema.metadata[b"activation_flow"])
        assert (head["schema"], head["table"], head["shard"]) == ("corpus/1", name, 0)
        assert head["layers"] == [2]
        assert head["versions"]["activation_flow"] == af.__version__
        assert all(field.metadata[b"about"] for field in schema)
        group = parquet.ParquetFile(run.path / name / "part-00000.parquet").metadata.row_group(0)
        assert {group.column(k).compression for k in range(group.num_columns)} == {"ZSTD"}


def test_the_papers_corpus_in_numbers(minilm, tmp_path):
    """Section 3.1.4 of the paper, counted: kinds, [CLS], and its examples ##fold, ##no, ##ant."""
    source = data_file("paper-corpus/paper_corpus.txt")
    run = af.run_corpus(minilm, source, out=tmp_path / "run")
    finished = run.manifest["finished"]
    assert (finished["rows"], finished["tokens"], finished["computed"]) == (732, 14283, 706)
    frame = table(run, "tokens").to_pandas()
    asked = ["##fold", "##no", "##ant"]
    summary = run.summary(types=asked).table.to_pandas().set_index(["section", "name"])
    for kind, own in frame.groupby("kind", observed=True):
        row = summary.loc["kind", kind]
        assert row.tokens == len(own)
        assert row["mean"] == pytest.approx(own.strength.astype(float).mean())
        assert row.sd == pytest.approx(own.strength.astype(float).std())
        assert row.percentile == pytest.approx(own.percentile.astype(float).mean())
        ranked = own[own["rank"].notna()]
        if len(ranked):
            high = frame[frame.high == True]  # noqa: E712
            everyone = frame["rank"].notna().sum()
            assert row.high_share == pytest.approx((ranked.high == True).mean())  # noqa: E712
            share = (high.kind == kind).mean()
            assert row.share_of_high == pytest.approx(share)
            assert row.lift == pytest.approx(share / (len(ranked) / everyone))
    percentile = summary.loc["kind"].percentile
    assert percentile["content"] > 60 > 40 > percentile["function"] > percentile["punctuation"]
    assert percentile["special"] < 10  # against the paper: [CLS] is not "consistently high"
    # SCIENCE.md: each ##fold comes from "unfolds", ##no from "connoisseur", ##ant "nonchalant".
    assert [summary.loc["type", name].tokens for name in asked] == [5, 2, 1]


def test_what_is_remembered_has_a_bound_and_changes_nothing(tiny_encoder, tmp_path, monkeypatch):
    many = [*TEXTS, "\u200b"] * 6
    source = write(tmp_path / "t.txt", many)
    whole = af.run_corpus(tiny_encoder, source, out=tmp_path / "whole", vectors=1)
    assert whole.manifest["finished"]["computed"] == len({*TEXTS})
    monkeypatch.setattr(blocks, "BLOCK_TEXTS", 9)
    for name, kept in (("few", 4), ("all", 100)):
        monkeypatch.setattr(blocks, "KEPT_TEXTS", kept)
        run = af.run_corpus(tiny_encoder, source, out=tmp_path / name)
        assert table(run, "tokens").to_pylist() == table(whole, "tokens").to_pylist()
        computed = run.manifest["finished"]["computed"]
        assert (computed == len({*TEXTS})) == (name == "all")
        assert run.rejects.read_bytes() == whole.rejects.read_bytes()


def test_a_text_as_long_as_a_file_is_refused(tiny_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "MOST_LETTERS", 30)
    run = af.run_corpus(tiny_encoder, write(tmp_path / "t.txt", TEXTS), out=tmp_path / "run")
    reasons = [json.loads(line)["reason"] for line in run.rejects.read_text().splitlines()]
    assert reasons[0] == "it has 37 letters; a text has at most 30"
    assert run.manifest["finished"]["rejects"] == sum(len(text) > 30 for text in TEXTS)
