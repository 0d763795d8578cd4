from pathlib import Path

import numpy as np
import pytest
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from lampyris_build.data.spool import Spool
from lampyris_build.errors import InvalidRecipe
from lampyris_build.training.handing import from_bytes, to_bytes


def test_array_in_a_file_without_a_name_is_copied() -> None:
    spool = Spool(np.float32, (4,), limit_bytes=10)
    spool.append(np.arange(40, dtype=np.float32).reshape(10, 4))
    mapped = spool.finish()
    assert isinstance(mapped, np.memmap)

    again = from_bytes(to_bytes({"x": mapped}))

    np.testing.assert_array_equal(again["x"], mapped)


def test_array_in_a_file_is_copied_for_a_process_on_another_disk(tmp_path: Path) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.arange(40, dtype=np.float32).reshape(10, 4))
    mapped = np.load(file, mmap_mode="c")

    told = to_bytes({"x": mapped}, one_disk=False)
    file.unlink()

    np.testing.assert_array_equal(from_bytes(told)["x"], mapped)


def test_network_that_torch_cannot_hand_over_is_told() -> None:
    network = weight_norm(nn.Linear(3, 2))

    with pytest.raises(InvalidRecipe, match="Train it with one worker"):
        to_bytes(network)
