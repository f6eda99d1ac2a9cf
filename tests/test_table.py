import json
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
from equality import assert_same
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from run_folders import make_run

import activation_flow as af
from activation_flow import document, files, table
from activation_flow.data import (
    KINDS,
    ActivationFlowError,
    Failure,
    Provenance,
)
from activation_flow.results import StrengthResult, StrengthResults

HEAD = Provenance(
    model="tiny",
    revision=None,
    engine="openvino",
    precision="f32",
    n_layers=12,
    final_norm=True,
    settings={"quantile": 0.75, "words": None, "include_special": False},
    versions={"numpy": "2", "tokenizers": "0.23"},
)
COLUMNS = {
    "text_number": "int32",
    "token_index": "int32",
    "token": "string",
    "id": "int64",
    "start": "int64",
    "end": "int64",
    "segment": "int8",
    "word": "int64",
    "kind": "dictionary<values=string, indices=int32, ordered=0>",
    "layer": "int32",
    "strength": "float",
    "threshold": "double",
    "rank": "int64",
    "bucket": "dictionary<values=string, indices=int32, ordered=0>",
    "text": "string",
    "text_pair": "string",
    "n_windows": "int32",
    "n_dropped": "int64",
}


def make(text: str, rows: list[tuple], layers: tuple[int, ...], tau, **more: Any) -> StrengthResult:
    """From rows of (token, id, start, end, segment, word, kind, [S], [rank], [bucket])."""
    token, ids, start, end, segment, word, kind, s, rank, bucket = (
        list(column) for column in (zip(*rows, strict=True) if rows else [[]] * 10)
    )
    shape = (len(rows), len(layers))
    return StrengthResult(
        text=text,
        tokens=np.array(token, dtype=object),
        ids=np.array(ids, dtype=np.int64),
        start=np.array(start, dtype=np.int64),
        end=np.array(end, dtype=np.int64),
        segment=np.array(segment, dtype=np.int64),
        special=np.array(segment, dtype=np.int64) == -1,
        word=np.array(word, dtype=np.int64),
        kind=np.array(kind, dtype="<U11"),
        layers=layers,
        strength=np.array(s, dtype=np.float32).reshape(shape).T,
        threshold=np.array(tau, dtype=np.float64),
        rank=np.array(rank, dtype=np.int64).reshape(shape).T,
        bucket=np.array(bucket, dtype="<U4").reshape(shape).T,
        provenance=HEAD,
        **more,
    )


def example() -> StrengthResults:
    """Two layers, a special token, a word of another script, a failure between two texts."""
    high, low, none = ["HIGH", "LOW"], ["LOW", "HIGH"], ["", ""]
    first = make(
        "the слово",
        [
            ("[CLS]", 2, -1, -1, -1, -1, "special", [9.5, 0.1], [0, 0], none),
            ("the", 7, 0, 3, 0, 0, "function", [1.1, 3.25], [2, 1], low),
            ("слово", 8, 4, 9, 0, 1, "", [2.2, 3.125], [1, 2], high),
        ],
        (8, 3),
        [1.65, 3.1875],
    )
    pair = make(
        "a",
        [
            ("a", 5, 0, 1, 0, 0, "function", [1, 2], [1, 2], low),
            ("[SEP]", 3, -1, -1, -1, -1, "special", [0, 0], [0, 0], none),
            ("!", 4, 0, 1, 1, -1, "punctuation", [1, 3], [1, 1], high),
        ],
        (8, 3),
        [1, 2.5],
        text_pair="!",
        n_windows=3,
        n_dropped=7,
    )
    errors = (Failure(2, "it is empty"),)
    return StrengthResults((first, pair), HEAD, (8, 3), errors, numbers=(1, 3))


def same(a: StrengthResults, b: StrengthResults) -> None:
    """Equal in everything, arrays bit for bit and of one dtype kind."""

    def arrays(value: np.ndarray, other: np.ndarray, name: str) -> None:
        assert value.dtype.kind == other.dtype.kind, name
        assert value.shape == other.shape, name
        assert value.tolist() == other.tolist(), name

    assert_same(a, b, arrays)


def saved(results: StrengthResults, folder: Path, ending: str) -> Path:
    path = folder / f"r{ending}"
    results.save(path)
    return path


# any results

characters = st.characters(exclude_categories=["Cs"])
strengths = st.floats(0, width=32, allow_nan=False, allow_infinity=False)


@st.composite
def any_result(draw, layers: tuple[int, ...]) -> StrengthResult:
    n = len(layers)
    paired = draw(st.booleans())

    def per_layer(values: st.SearchStrategy) -> st.SearchStrategy:
        return st.lists(values, min_size=n, max_size=n)

    values = (
        per_layer(strengths),
        per_layer(st.integers(0, 9)),
        per_layer(st.sampled_from(["HIGH", "LOW", ""])),
    )
    token, number = st.text(characters, max_size=4), st.integers(0, 2**40)
    special = st.tuples(token, number, *map(st.just, (-1, -1, -1, -1, "special")), *values)
    segment, kind = st.integers(0, int(paired)), st.sampled_from(["", *KINDS[1:]])
    own = st.tuples(token, number, number, number, segment, st.integers(-1, 5), kind, *values)
    text = st.text(characters, max_size=20)
    return make(
        draw(text),
        draw(st.lists(st.one_of(own, special), min_size=1, max_size=5)),
        layers,
        draw(per_layer(st.floats(0, allow_nan=False, allow_infinity=False))),
        text_pair=draw(text) if paired else None,
        n_windows=draw(st.integers(1, 9)),
        n_dropped=draw(st.integers(0, 9)),
    )


@st.composite
def any_results(draw) -> StrengthResults:
    layers = tuple(draw(st.lists(st.integers(0, 12), min_size=1, max_size=3, unique=True)))
    results = tuple(draw(st.lists(any_result(layers), max_size=3)))
    numbers = sorted(draw(st.permutations(range(1, 10)))[: len(results)])
    failure = st.builds(Failure, st.integers(1, 99), st.text(characters, max_size=9))
    errors = tuple(draw(st.lists(failure, max_size=2)))
    return StrengthResults(results, HEAD, layers, errors, tuple(numbers))


@settings(max_examples=60)
@given(any_results())
def test_json_round_trip_of_any_results(results):
    text = json.dumps(document.to_dict(results), allow_nan=False)
    same(document.from_dict(json.loads(text)), results)


@settings(max_examples=60)
@given(any_results())
def test_arrow_round_trip_of_any_results(results):
    made = table.to_arrow(results)
    same(table.from_arrow(made), results)
    assert made.num_rows == sum(len(one) for one in results) * len(results.layers)


@pytest.mark.parametrize("ending", [".json", ".parquet"])
@settings(max_examples=30)
@given(results=any_results())
def test_save_and_load_any_results(tmp_path_factory, ending, results):
    same(af.load(saved(results, tmp_path_factory.mktemp("any"), ending)), results)


def test_the_judge_sees_differences():
    one = example()[0]
    for other in (
        replace(one, strength=np.nextafter(one.strength, np.float32(99))),
        replace(one, segment=one.segment + 1),
        replace(one, n_windows=2),
        replace(one, n_dropped=1),
    ):
        with pytest.raises(AssertionError):
            same(replace(example(), results=(other, example()[1])), example())


# the JSON document


def test_the_document_is_the_one_of_the_design():
    assert example().to_dict() == {
        "schema": "strength/1",
        "model": "tiny",
        "revision": None,
        "engine": "openvino",
        "precision": "f32",
        "n_layers": 12,
        "final_norm": True,
        "layers": [8, 3],
        "settings": {"quantile": 0.75, "words": None, "include_special": False},
        "versions": {"numpy": "2", "tokenizers": "0.23"},
        "texts": [
            {
                "text_number": 1,
                "text": "the слово",
                "n_windows": 1,
                "n_dropped": 0,
                "threshold": [1.65, 3.1875],
                "tokens": [
                    {
                        "token": "[CLS]",
                        "id": 2,
                        "start": None,
                        "end": None,
                        "word": None,
                        "kind": "special",
                        "strength": [9.5, 0.1],
                        "rank": [None, None],
                        "bucket": [None, None],
                    },
                    {
                        "token": "the",
                        "id": 7,
                        "start": 0,
                        "end": 3,
                        "word": 0,
                        "kind": "function",
                        "strength": [1.1, 3.25],
                        "rank": [2, 1],
                        "bucket": ["LOW", "HIGH"],
                    },
                    {
                        "token": "слово",
                        "id": 8,
                        "start": 4,
                        "end": 9,
                        "word": 1,
                        "kind": None,
                        "strength": [2.2, 3.125],
                        "rank": [1, 2],
                        "bucket": ["HIGH", "LOW"],
                    },
                ],
            },
            example().to_dict()["texts"][1],  # a pair: the next test
        ],
        "errors": [{"text_number": 2, "reason": "it is empty"}],
    }


def test_a_pair_also_names_its_second_segment():
    pair = example().to_dict()["texts"][1]
    assert (pair["text"], pair["text_pair"], pair["n_windows"], pair["n_dropped"]) == (
        "a",
        "!",
        3,
        7,
    )
    assert [token["segment"] for token in pair["tokens"]] == [0, None, 1]
    assert "text_pair" not in example().to_dict()["texts"][0]


def test_one_result_is_a_list_of_one():
    document = example()[0].to_dict()
    assert [text["text_number"] for text in document["texts"]] == [1]
    assert document["errors"] == []


@given(st.lists(strengths, min_size=1, max_size=8))
def test_strengths_are_short_decimals_that_read_back_bit_for_bit(values):
    rows = [("a", 1, 0, 1, 0, 0, "", [v], [0], [""]) for v in values]
    results = StrengthResults((make("a", rows, (8,), [0.1]),), HEAD, (8,))
    text = json.dumps(results.to_dict(), allow_nan=False)
    found = [token["strength"][0] for token in json.loads(text)["texts"][0]["tokens"]]
    expected = np.array(values, dtype=np.float32)
    assert np.array(found, dtype=np.float32).tobytes() == expected.tobytes()
    assert max(len(Decimal(repr(v)).normalize().as_tuple().digits) for v in found) <= 9


def test_the_json_file_is_plain_json(tmp_path):
    text = saved(example(), tmp_path, ".json").read_text(encoding="utf-8")
    assert "слово" in text
    assert not re.search("NaN|Infinity", text)
    assert json.loads(text) == example().to_dict()


def test_a_value_that_is_not_finite_is_never_written(tmp_path):
    bad = replace(example()[0], strength=example()[0].strength * np.float32(np.inf))
    with pytest.raises(ValueError, match="not JSON compliant"):
        bad.save(tmp_path / "r.json")
    assert list(tmp_path.iterdir()) == []


# tables


def test_columns_types_and_units():
    schema = example().to_arrow().schema
    assert {field.name: str(field.type) for field in schema} == COLUMNS
    about = {field.name: field.metadata[b"about"].decode() for field in schema}
    assert all(about.values())
    assert "L2 norm" in about["strength"]
    assert "unit of strength" in about["threshold"]


def test_the_head_stands_in_the_metadata_of_the_parquet_file(tmp_path):
    metadata = parquet.read_schema(saved(example(), tmp_path, ".parquet")).metadata
    head = json.loads(metadata[b"activation_flow"])
    assert head["schema"] == "strength/1"
    assert (head["model"], head["layers"]) == ("tiny", [8, 3])
    assert head["errors"] == [{"text_number": 2, "reason": "it is empty"}]
    # No text stands there: readers refuse a file whose metadata is too large.
    assert "слово" not in metadata[b"activation_flow"].decode("unicode_escape")


def test_one_row_per_token_and_layer():
    rows = example().to_arrow().to_pylist()
    assert [(r["text_number"], r["token_index"], r["layer"]) for r in rows] == [
        (text, token, layer) for text in (1, 3) for token in range(3) for layer in (8, 3)
    ]
    assert rows[0] == {
        "text_number": 1,
        "token_index": 0,
        "token": "[CLS]",
        "id": 2,
        "start": None,
        "end": None,
        "segment": None,
        "word": None,
        "kind": "special",
        "layer": 8,
        "strength": 9.5,
        "threshold": 1.65,
        "rank": None,
        "bucket": None,
        "text": "the слово",
        "text_pair": None,
        "n_windows": 1,
        "n_dropped": 0,
    }
    assert [r["text"] for r in rows] == ["the слово", *[None] * 5, "a", *[None] * 5]
    assert [r["segment"] for r in rows[2::2]] == [0, 0, 0, None, 1]
    assert rows[3]["strength"] == 3.25
    assert rows[3]["bucket"] == "HIGH"
    assert rows[4]["kind"] is None


def read_csv(path: Path) -> pandas.DataFrame:
    # A token "null" is text; only what is empty and not quoted is absent.
    return pandas.read_csv(path, keep_default_na=False, na_values={"kind": "", "bucket": ""})


def test_csv_is_read_by_pandas(tmp_path):
    frame = read_csv(saved(example(), tmp_path, ".csv"))
    assert list(frame.columns) == list(COLUMNS)
    assert frame["token"].tolist()[::2] == ["[CLS]", "the", "слово", "a", "[SEP]", "!"]
    assert frame["layer"].tolist() == [8, 3] * 6
    expected = example().to_pandas()["strength"].to_numpy()
    assert frame["strength"].to_numpy(dtype=np.float32).tolist() == expected.tolist()


def test_csv_keeps_tokens_that_are_hard_to_write(tmp_path):
    tokens = ['"', ",", "a\nb", "null", "NA", " ", "=1+1", "'", "слово\u2028"]
    rows = [(t, 1, 0, 1, 0, 0, "", [1], [1], ["LOW"]) for t in tokens]
    results = StrengthResults((make("x", rows, (8,), [1]),), HEAD, (8,))
    assert read_csv(saved(results, tmp_path, ".csv"))["token"].tolist() == tokens


def test_to_pandas_has_nothing_where_there_is_nothing():
    frame = example().to_pandas()
    assert list(frame.columns) == list(COLUMNS)
    assert frame["rank"].isna().tolist()[:3] == [True, True, False]
    assert frame["kind"].isna().sum() == 2


def test_pandas_is_wanted_only_by_to_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ActivationFlowError, match="pip install pandas"):
        example().to_pandas()
    assert example().to_arrow().num_rows == 12


def test_parquet_is_read_by_pandas(tmp_path):
    frame = pandas.read_parquet(saved(example(), tmp_path, ".parquet"))
    pandas.testing.assert_frame_equal(frame, example().to_pandas())


def test_parquet_is_read_by_duckdb(tmp_path):
    pytest.importorskip("duckdb")
    path = saved(example(), tmp_path, ".parquet")
    # In a process of its own: what duckdb leaves in this one could warn, and warnings are errors.
    query = (
        'import duckdb, sys; print(duckdb.sql("SELECT kind, count(*) FROM read_parquet(\'" + '
        'sys.argv[1] + "\') WHERE layer = 8 GROUP BY kind ORDER BY kind NULLS LAST").fetchall())'
    )
    done = subprocess.run(
        [sys.executable, "-c", query, str(path)], capture_output=True, text=True, check=True
    )
    expected = [("function", 2), ("punctuation", 1), ("special", 2), (None, 1)]
    assert done.stdout.strip() == str(expected)


def test_a_table_that_lost_rows_is_refused():
    whole = example().to_arrow()
    for damaged in (whole.slice(1), whole.slice(2), whole.sort_by("strength")):
        with pytest.raises(ActivationFlowError, match=r"rows are missing .* or in another order"):
            table.from_arrow(damaged)


def test_a_table_of_somebody_else():
    with pytest.raises(ActivationFlowError, match="not written by activation-flow"):
        table.from_arrow(pa.table({"a": [1]}))


# save

ENDINGS = [".json", ".csv", ".parquet"]


@pytest.mark.parametrize("ending", [*ENDINGS, ".JSON"])
def test_saving_leaves_one_file(tmp_path, ending):
    path = saved(example(), tmp_path, ending)
    assert list(tmp_path.iterdir()) == [path]
    example()[:1].save(str(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("problem", "raised", "message"),
    [
        (
            OSError(28, "No space left on device"),
            ActivationFlowError,
            "r.json cannot be written: No",
        ),
        (OSError("odd"), ActivationFlowError, "r.json cannot be written: odd"),
        (RuntimeError("a bug"), RuntimeError, "a bug"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
    ],
)
def test_a_writer_that_fails_leaves_the_old_file(tmp_path, monkeypatch, problem, raised, message):
    path = saved(example(), tmp_path, ".json")
    before = path.read_bytes()

    def half(results: StrengthResults, to: Path) -> None:
        to.write_text("{half")
        raise problem

    monkeypatch.setitem(files.WRITERS, ".json", half)
    with pytest.raises(raised, match=message):
        example()[:1].save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["r.xlsx", "r", ".json", "r.json.gz"])
def test_an_unknown_ending_lists_the_known_ones(tmp_path, name):
    with pytest.raises(
        ActivationFlowError, match=r"must be one of \.json, \.csv, \.parquet, \.html, \.png, \.svg"
    ):
        example().save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_is_made(tmp_path):
    with pytest.raises(ActivationFlowError, match=r"there is no folder .*/new; make it first"):
        example().save(tmp_path / "new" / "r.json")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "r.json").mkdir()
    with pytest.raises(ActivationFlowError, match="is a folder; give the name of a file"):
        example().save(tmp_path / "r.json")


def test_home_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    example().save("~/r.json")
    same(af.load("~/r.json"), example())


# load


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.json", b"{", "r.json holds no results: it is damaged or .* not JSON from line 1, col"),
        ("r.json", b"\xff", r"r.json holds no results: .* \(it is not UTF-8\)$"),
        ("r.json", b"[]", "r.json: this is no result of activation-flow"),
        ("r.json", b"7", "r.json: this is no result of activation-flow"),
        ("r.json", b'{"schema": "audit/9"}', r"\(schema 'audit/9', not one of strength/1, "),
        (
            "r.json",
            b'{"schema": "strength/1"}',
            r"r.json holds no results: .* \('model' is missing\)$",
        ),
        ("r.parquet", b"PAR1", "r.parquet holds no results: it is damaged or of another version$"),
        ("r.json", b"[" * 200_000, "r.json holds no results: it is damaged or of another version$"),
        ("r.json", b'{"schema": ["strength/1"]}', "this is no result of activation-flow"),
        ("r.json", b'{"schema": "summary/1"}', "this is the summary of a run: open the run itself"),
        ("r.json", b'{"schema": "reproduce/1"}', "afn reproduce --out DIR"),
        ("r.csv", b"a", r"only \.json, .* hold whole results; \.csv does not"),
        ("r", b"a", r"only \.json, .* hold whole results; this does not"),
    ],
)
def test_files_that_hold_no_results(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ActivationFlowError, match=message):
        af.load(tmp_path / name)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(texts=[7]),
        lambda d: d.update(layers=None),
        lambda d: d.update(layers=[8]),
        lambda d: d["texts"][0].update(tokens=["a"]),
        lambda d: d["texts"][0].update(threshold=[1]),
        lambda d: d["texts"][0]["tokens"][0].update(id=10**30),
        lambda d: d["texts"][0]["tokens"][0].update(strength=[1]),
        lambda d: d["errors"].append({"reason": "?"}),
    ],
)
def test_a_document_that_was_damaged(tmp_path, change):
    document = example().to_dict()
    change(document)
    (tmp_path / "r.json").write_text(json.dumps(document))
    with pytest.raises(ActivationFlowError, match=r"r\.json holds no results"):
        af.load(tmp_path / "r.json")


def test_a_parquet_file_of_somebody_else(tmp_path):
    parquet.write_table(pa.table({"a": [1]}), tmp_path / "r.parquet")
    with pytest.raises(ActivationFlowError, match=r"r\.parquet: this table was not written by"):
        af.load(tmp_path / "r.parquet")


@pytest.mark.parametrize("name", ["r.json", "r.parquet"])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(ActivationFlowError, match=rf"{name} cannot be read: No such file or dir"):
        af.load(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(ActivationFlowError, match=rf"{name} cannot be read: Is a directory"):
        af.load(tmp_path / name)


def test_a_parquet_file_with_a_flipped_byte_gives_no_words_of_a_library(tmp_path):
    example().save(tmp_path / "r.parquet")
    whole, said = (tmp_path / "r.parquet").read_bytes(), []
    for place in range(0, len(whole), max(1, len(whole) // 60)):
        flipped = bytearray(whole)
        flipped[place] ^= 0xFF
        (tmp_path / "r.parquet").write_bytes(flipped)
        try:
            af.load(tmp_path / "r.parquet")
        except ActivationFlowError as problem:
            said.append(str(problem))
    assert said
    assert not re.search(r"Error|Arrow|[Tt]hrift|Exception", "".join(said))


@pytest.mark.parametrize("ending", [".json", ".parquet"])
def test_what_is_made_of_a_run_says_how_to_open_it(tmp_path, ending):
    made = make_run(tmp_path / "run")
    af.Run(made.path).summary().save(tmp_path / f"s{ending}")
    with pytest.raises(ActivationFlowError, match=rf"s{ending}: .* afn report DIR \(af\.Run\)$"):
        af.load(tmp_path / f"s{ending}")
    with pytest.raises(ActivationFlowError, match=r"this is a part of a run: .* afn report DIR"):
        af.load(made.path / "manifest.json")
