"""What a trial hands to the process that times a cold start."""

from pathlib import Path

import numpy as np
import pytest

from lampyris.publishing.first_run import read_row, write_row


def test_row_arrives_as_it_was_whatever_its_inputs_are_called(tmp_path: Path) -> None:
    inputs: dict[str, np.ndarray] = {
        "../pixels": np.arange(4, dtype=np.uint8).reshape(1, 4),
        "": np.array(0.5, np.float32),
        "words": np.array([["dark", ""]], object),
    }

    write_row(tmp_path, inputs, list(inputs))
    row = read_row(tmp_path, list(inputs))

    assert list(row) == list(inputs)
    assert [values.dtype for values in row.values()] == [values.dtype for values in inputs.values()]
    for name, values in inputs.items():
        np.testing.assert_array_equal(row[name], values)
    assert all(file.parent == tmp_path for file in tmp_path.rglob("*"))


def test_pickles_are_not_read(tmp_path: Path) -> None:
    write_row(tmp_path, {"x": np.zeros(1)}, ["x"])
    (file,) = tmp_path.iterdir()
    np.save(file, np.array([{}], object), allow_pickle=True)

    with pytest.raises(ValueError, match="allow_pickle"):
        read_row(tmp_path, ["x"])
