"""Parquet as it is split, and as its rows are read."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lampyris.batch.parquet import read_parquet, split_parquet
from lampyris.batch.parquet_footer import read_footer
from lampyris.batch.room import Room, shards_of
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidInput

ROWS = 1000
KEY = "data/in.parquet"


@pytest.fixture
def features() -> Array:
    return np.random.default_rng(5).normal(size=(ROWS, 8)).astype(np.float32)


def put(store: Store, folder: Path, table: pa.Table, **how: Any) -> int:
    pq.write_table(table, folder / "in.parquet", **how)
    data = (folder / "in.parquet").read_bytes()
    store.put(KEY, data)
    return len(data)


def table_of(values: Array) -> pa.Table:
    return pa.table({f"f{place}": values[:, place] for place in range(values.shape[1])})


def signature(*inputs: TensorSpec) -> Signature:
    return Signature(inputs=inputs, outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, 3)),))


FEATURES = signature(TensorSpec(name="features", datatype="FP32", shape=(-1, 8)))


def test_footer_says_where_row_groups_stand(store: Store, tmp_path: Path, features: Array) -> None:
    size_bytes = put(store, tmp_path, table_of(features), row_group_size=130, write_page_index=True)

    footer = read_footer(store, store.head(KEY), size_bytes)

    assert [group.rows for group in footer.row_groups] == [130] * 7 + [90]
    data = store.get(KEY).data
    for number, group in enumerate(footer.row_groups):
        alone = bytearray(footer.start)
        alone[group.start : group.end] = data[group.start : group.end]
        found = pq.ParquetFile(pa.BufferReader(bytes(alone) + footer.with_only(group))).read()
        assert found.column("f3").to_pylist() == features[number * 130 : (number + 1) * 130, 3].tolist()


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"none of it", b"\x00" * 40 + b"\x1c\x00\x00\x00PAR1"])
def test_what_is_no_parquet_is_refused(store: Store, damage: bytes) -> None:
    store.put(KEY, damage)

    with pytest.raises(InvalidInput):
        read_footer(store, store.head(KEY), len(damage))


def test_damaged_footer_is_refused_and_nothing_else_happens(
    store: Store, tmp_path: Path, features: Array
) -> None:
    size_bytes = put(store, tmp_path, table_of(features), row_group_size=500)
    data = store.get(KEY).data
    start = size_bytes - 8 - int.from_bytes(data[-8:-4], "little")
    random = np.random.default_rng(1)

    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[int(random.integers(start, size_bytes - 8))] ^= 1 << int(random.integers(8))
        store.put(KEY, bytes(damaged))
        try:
            read_footer(store, store.head(KEY), size_bytes)
        except InvalidInput:
            refused += 1

    assert refused > 20


@pytest.mark.parametrize("compression", ["snappy", "zstd", "none"])
def test_rows_of_all_pieces_are_the_rows_of_the_file(
    store: Store, tmp_path: Path, features: Array, compression: str
) -> None:
    put(store, tmp_path, table_of(features), row_group_size=300, compression=compression)

    def split(room: Room) -> Any:
        return split_parquet(store, store.head(KEY), room, after=0)

    shards = list(shards_of(split, lambda _: (130, 2**40), shards=0, rows=0))
    chunks = [
        chunk
        for shard in shards
        for piece in shard.pieces
        for chunk in read_parquet(store, piece, FEATURES, first_row=shard.first_row, batch_size=7)
    ]

    found = np.concatenate([rows.inputs["features"] for chunk in chunks for rows in chunk.rows])
    np.testing.assert_array_equal(found, features)
    assert sum(shard.rows for shard in shards) == ROWS


def test_missing_and_misfitting_cells_fail_their_rows_alone(store: Store, tmp_path: Path) -> None:
    table = pa.table(
        {
            "age": pa.array([1, None, 3, 4], pa.int64()),
            "name": pa.array(["a", "b", None, "d"]),
            "weight": pa.array([0.5, 1.5, 2.5, float("inf")], pa.float64()),
            "more": pa.array([1, 2, 3, 4]),
        }
    )
    put(store, tmp_path, table)
    wanted = signature(
        TensorSpec(name="name", datatype="BYTES", shape=(-1, 1), nullable=True),
        TensorSpec(name="age", datatype="INT32", shape=(-1, 1)),
        TensorSpec(name="weight", datatype="FP32", shape=(-1,)),
    )
    (piece,) = split_parquet(store, store.head(KEY), Room(100, 100), after=0)

    (chunk,) = read_parquet(store, piece, wanted, first_row=1, batch_size=4)

    (rows,) = chunk.rows
    assert rows.numbers.tolist() == [1, 3]
    assert rows.inputs["name"].tolist() == [["a"], [""]]
    assert rows.inputs["age"].tolist() == [[1], [3]]
    assert rows.inputs["weight"].tolist() == [0.5, 2.5]
    assert [one.row for one in chunk.failed] == [2, 4]
    assert "'age'" in chunk.failed[0].detail


def test_column_of_lists_is_a_row_each(store: Store, tmp_path: Path, features: Array) -> None:
    put(store, tmp_path, pa.table({"x": features[:50].tolist()}))
    (piece,) = split_parquet(store, store.head(KEY), Room(100, 100), after=0)

    (chunk,) = read_parquet(store, piece, FEATURES, first_row=1, batch_size=64)

    np.testing.assert_allclose(chunk.rows[0].inputs["features"], features[:50])


def test_other_columns_than_the_models_are_refused_at_once(
    store: Store, tmp_path: Path, features: Array
) -> None:
    put(store, tmp_path, table_of(features[:, :5]))
    (piece,) = split_parquet(store, store.head(KEY), Room(1000, 100), after=0)

    with pytest.raises(InvalidInput, match="5 columns; the model wants 8"):
        list(read_parquet(store, piece, FEATURES, first_row=1, batch_size=64))
