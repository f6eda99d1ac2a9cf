"""Pieces and rows of Parquet files, held against pyarrow's own reading of the whole."""

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activation_flow.data import ActivationFlowError
from activation_flow.finding import find_files
from activation_flow.formats import Reading, Record
from activation_flow.inputs import InputFile
from activation_flow.parquet import plan_parquet, read_parquet

TEXT = Reading()
BOTH = Reading("text", "id")


def file(folder: Path, table: pa.Table | dict[str, Any], **options: Any) -> InputFile:
    path = folder / "a.parquet"
    pq.write_table(pa.table(table) if isinstance(table, dict) else table, path, **options)
    ((found,), _) = find_files(str(path))
    return found


def read(source: InputFile, reading: Reading = TEXT, shard_size: int = 10**6) -> list[Record]:
    pieces = plan_parquet(source, reading, shard_size)
    return [row for piece in pieces for row in read_parquet(source, *piece, reading)]


@given(
    groups=st.lists(st.integers(0, 12), max_size=8),
    shard_size=st.integers(1, 15),
    kind=st.sampled_from([pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]),
)
def test_shards_cover_all_rows_in_order(tmp_path_factory, groups, shard_size, kind):
    path = tmp_path_factory.getbasetemp() / "groups.parquet"
    schema = pa.schema([("x", pa.int8()), ("id", pa.int64()), ("text", kind)])
    texts = [random.Random(k).choice(["", "é", f"text {k}", None]) for k in range(sum(groups))]
    with pq.ParquetWriter(path, schema) as writer:
        row = 0
        for n in groups:
            columns = [[1] * n, range(row, row + n), texts[row : row + n]]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=max(n, 1))
            row += n
    ((source,), _) = find_files(str(path))
    pieces = plan_parquet(source, BOTH, shard_size)
    assert [begin for begin, _ in pieces] == [0, *[end for _, end in pieces]][: len(pieces)]
    assert all(0 < end - begin <= shard_size for begin, end in pieces)
    assert sum(end - begin for begin, end in pieces) == len(texts)
    plain = pq.read_table(path).column("text").to_pylist()
    rows = read(source, BOTH, shard_size)
    assert [row.line for row in rows] == list(range(1, len(plain) + 1))
    assert [row.text if not row.reason else None for row in rows] == plain == texts
    assert [row.id for row in rows if not row.reason] == [
        str(k) for k, text in enumerate(plain) if text is not None
    ]
    borders = {sum(groups[:k]) for k in range(len(groups) + 1)}
    for begin, end in pieces:  # a row group that fits is never cut
        inside = [a for a, b in pairwise(sorted(borders)) if a < begin < b or a < end < b]
        assert all(n > shard_size for n in (groups_at(groups, a) for a in inside))


def groups_at(groups: list[int], first: int) -> int:
    """Size of the row group, not empty, that begins with this row."""
    return next(n for k, n in enumerate(groups) if n and sum(groups[:k]) == first)


@pytest.mark.parametrize(
    ("groups", "shard_size", "pieces"),
    [
        ([2, 2, 2, 2, 2], 5, [(0, 4), (4, 8), (8, 10)]),
        ([4, 4, 2], 3, [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]),
        ([1, 7, 1], 3, [(0, 1), (1, 3), (3, 5), (5, 8), (8, 9)]),
        ([3, 3], 3, [(0, 3), (3, 6)]),
        ([2, 2, 2], 4, [(0, 4), (4, 6)]),
        ([5], 5, [(0, 5)]),
        ([], 5, []),
        ([0], 5, []),
    ],
)
def test_whole_row_groups_or_ranges_of_a_large_one(tmp_path, groups, shard_size, pieces):
    path = tmp_path / "a.parquet"
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())])) as writer:
        for n in groups:
            writer.write_table(pa.table({"text": pa.array(["x"] * n, pa.string())}))
    ((source,), _) = find_files(str(path))
    assert plan_parquet(source, TEXT, shard_size) == pieces


def test_a_row_group_is_cut_into_64_at_most(tmp_path):
    # A range is reached by reading what stands before it: more of them would be quadratic.
    pieces = plan_parquet(file(tmp_path, {"text": ["x"] * 10_000}), TEXT, 1)
    assert len(pieces) == 64
    assert {end - begin for begin, end in pieces} == {156, 157}


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_a_string_that_is_not_utf8_costs_no_other(tmp_path, kind):
    values = [b"one", b"caf\xe9" * 9, None, "zwölf".encode()]
    if kind == "dictionary":  # with other indices Arrow refuses the file: "Invalid UTF8 payload"
        some = pa.array([value for value in values if value]).view(pa.string())
        texts = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2], pa.int32()), some)
    else:
        binary = {"string": pa.binary(), "large_string": pa.large_binary()}
        texts = pa.array(values, binary.get(kind, pa.binary_view())).view(kind)
    found = read(file(tmp_path, {"text": texts, "id": texts}), BOTH)
    reason = "not UTF-8 (byte 4 of column text is 0xe9); write this column anew, as UTF-8"
    assert found == [
        Record(1, "one", "one"),
        Record(2, "", reason=reason),
        Record(3, "", reason="column text is null, not a string"),
        Record(4, "zwölf", "zwölf"),
    ]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([1, None, 2**64 - 1], pa.uint64()), ["1", None, "18446744073709551615"]),
        (pa.array([-5, 0, 7], pa.int8()), ["-5", "0", "7"]),
        (pa.array(["a", None, ""]), ["a", None, ""]),
        (pa.array(["a", None, "a"]).dictionary_encode(), ["a", None, "a"]),
    ],
)
def test_ids(tmp_path, ids, expected):
    source = file(tmp_path, {"x": [1.0] * 3, "id": ids, "text": ["t"] * 3})
    assert [row.id for row in read(source, BOTH)] == expected
    assert [row.id for row in read(source)] == [None] * 3


def test_one_column_may_be_both(tmp_path):
    assert read(file(tmp_path, {"text": ["a"]}), Reading("text", "text")) == [Record(1, "a", "a")]


def test_a_name_with_a_dot_is_no_path(tmp_path):
    source = file(tmp_path, {"a": [{"b": "inside"}], "a.b": ["outside"]})
    assert read(source, Reading("a.b")) == [Record(1, "outside")]


@pytest.mark.parametrize(
    ("table", "reading", "message"),
    [
        (
            {"texts": ["a"]},
            TEXT,
            r"no column 'text' \(there are: 'texts'\); --text-column names the",
        ),
        ({"text": ["a"]}, BOTH, r"no column 'id' \(there are: 'text'\); --id-column names the one"),
        ({"text": [1]}, TEXT, r"a\.parquet: column text is of type int64, not strings$"),
        ({"text": [b"a"]}, TEXT, "column text is of type binary, not strings$"),
        ({"text": [None]}, TEXT, "column text is of type null, not strings$"),
        ({"text": [["a"]]}, TEXT, r"column text is of type list<.*>, not strings$"),
        ({"text": ["a"], "id": [1.0]}, BOTH, "id is of type double, not strings or integers$"),
        (pa.table([["a"], ["b"]], ["text", "text"]), TEXT, "column 'text' is there 2 times"),
    ],
)
def test_columns_that_cannot_be_read(tmp_path, table, reading, message):
    with pytest.raises(ActivationFlowError, match=message):
        plan_parquet(file(tmp_path, table), reading, 10)


def test_what_is_no_parquet_file(tmp_path):
    path = tmp_path / "a.parquet"
    for content in (b"", b"text\n", b"PAR1" * 4):
        path.write_bytes(content)
        ((source,), _) = find_files(str(path))
        with pytest.raises(ActivationFlowError, match=r"a\.parquet (is no Parquet file|cannot be)"):
            plan_parquet(source, TEXT, 10)


def test_a_page_that_is_damaged(tmp_path):
    texts = [f"{k} {random.Random(k).random()}" for k in range(50_000)]
    options = {"compression": "zstd", "use_dictionary": False}
    source = file(tmp_path, {"text": texts}, **options)
    content = bytearray(Path(source.path).read_bytes())
    middle = len(content) // 2
    content[middle : middle + 500] = bytes(500)
    Path(source.path).write_bytes(content)
    with pytest.raises(
        ActivationFlowError, match=r"a\.parquet (is no Parquet file|cannot be read)"
    ):
        read(source)


def test_memory_does_not_grow_with_the_row_group(tmp_path):
    path = tmp_path / "a.parquet"
    schema = pa.schema([("text", pa.string()), ("other", pa.binary())])
    rng = random.Random(0)
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False) as writer:
        texts = [rng.randbytes(500).hex() for _ in range(60_000)]
        other = [rng.randbytes(500)] * len(texts)
        writer.write_table(pa.table([texts, other], schema=schema), row_group_size=len(texts))
    del texts, other
    ((source,), _) = find_files(str(path))
    arrow = pa.default_memory_pool()
    before, most, n = arrow.bytes_allocated(), 0, 0
    for _ in read_parquet(source, 0, 60_000, TEXT):
        n += 1
        if n % 1000 == 0:
            most = max(most, arrow.bytes_allocated() - before)
    assert n == 60_000
    assert most < 20e6  # of 60 MB in one row group, and 30 more in a column that is not read
