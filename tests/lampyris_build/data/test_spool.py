import resource
import subprocess
import sys
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lampyris_build.data.spool import Spool, concatenate, gather

ROWS = np.arange(600, dtype=np.float32).reshape(100, 2, 3)


def spooled(limit_bytes: int) -> np.ndarray:
    spool = Spool(np.float32, (2, 3), limit_bytes=limit_bytes)
    for start in range(0, len(ROWS), 7):
        spool.append(ROWS[start : start + 7])
    return spool.finish()


@pytest.mark.parametrize("limit_bytes", [0, 1000, 2400, 10_000])
def test_rows_come_back_as_they_went_wherever_they_were(limit_bytes: int) -> None:
    np.testing.assert_array_equal(spooled(limit_bytes), ROWS)


def test_rows_beyond_the_limit_live_in_a_file() -> None:
    assert isinstance(spooled(2399), np.memmap)
    assert not isinstance(spooled(2400), np.memmap)


def test_rows_are_converted_and_may_be_written_to() -> None:
    spool = Spool(np.float32, (), limit_bytes=4)
    spool.append(np.array([1, 2], np.int64))

    rows = spool.finish()

    assert rows.dtype == np.float32
    assert rows.flags.writeable, "torch warns of any other"


@pytest.mark.parametrize("limit_bytes", [0, 10])
def test_spool_that_got_nothing_is_an_array_of_no_rows(limit_bytes: int) -> None:
    assert Spool(np.uint8, (4, 4), limit_bytes=limit_bytes).finish().shape == (0, 4, 4)


@pytest.mark.parametrize("limit_bytes", [0, 10_000_000])
def test_gathered_rows_are_those_that_were_named(limit_bytes: int) -> None:
    with TemporaryFile() as file:
        mapped = np.memmap(file, np.float32, "w+", shape=ROWS.shape)
    mapped[:] = ROWS
    arrays: dict[str, NDArray[Any]] = {
        "mapped": mapped,
        "column": mapped[:, 1, 2],
        "bytes": np.arange(100, dtype=np.uint8),
        "words": np.array([f"word {place}" for place in range(100)], object),
    }
    index = np.array([3, 99, 3, 0])

    gathered = gather(arrays, index, limit_bytes=limit_bytes)

    assert list(gathered) == list(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(gathered[name], values[index])
    is_mapped = {name: isinstance(values, np.memmap) for name, values in gathered.items()}
    assert is_mapped["bytes"] == is_mapped["column"] == (limit_bytes == 0)


@pytest.mark.parametrize("limit_bytes", [0, 10_000_000])
def test_arrays_of_several_sources_follow_each_other(limit_bytes: int) -> None:
    words = np.array(["a", "b"] * 50, object)

    both = concatenate([{"x": ROWS, "w": words}, {"x": ROWS[:3], "w": words[:3]}], limit_bytes=limit_bytes)

    np.testing.assert_array_equal(both["x"], np.concatenate([ROWS, ROWS[:3]]))
    assert both["w"].tolist() == [*words, *words[:3]]
    assert isinstance(both["x"], np.memmap) == (limit_bytes == 0)


FULL = """
import numpy as np
from lampyris_build.data.spool import Spool, gather
from lampyris_build.errors import WriteFailed
rows = np.zeros((1000, 100))
try:
    {statement}
except WriteFailed as error:
    print(error)
"""


@pytest.mark.parametrize(
    "statement",
    [
        "spool = Spool(float, (100,), limit_bytes=9); spool.append(rows); spool.finish()",
        "gather({'x': rows}, np.arange(1000), limit_bytes=9)",
    ],
    ids=["spool", "gather"],
)
def test_full_disk_is_told_with_what_would_help(statement: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", FULL.format(statement=statement)],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )

    assert "too full for the data" in answer.stdout
    assert "TMPDIR" in answer.stdout
