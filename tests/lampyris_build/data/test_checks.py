from typing import Any

import numpy as np
import pytest

from lampyris_build.data.checks import check_source
from lampyris_build.data.dataset import Feature, Kind, Samples, Source
from lampyris_build.errors import DatasetBroken

ROWS = np.ones((4, 2), np.float32)


def source(inputs: Any, targets: Any, test: Any = None, kind: Kind = "vector") -> Source:
    return Source(
        name="some",
        features=(Feature(name="features", kind=kind, shape=inputs.shape[1:]),),
        samples=Samples(inputs={"features": inputs}, targets=targets),
        test=None if test is None else Samples(inputs={"features": test}, targets=None),
    )


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (source(ROWS[:0], None), "the training set is empty"),
        (source(ROWS, np.zeros(3)), "the training set has 4 inputs, but 3 targets"),
        (source(ROWS[:, :0], None), r"a sample of the training set has shape \(0,\), which holds nothing"),
        (source(ROWS * np.nan, None), "the training set holds NaN or infinity"),
        (source(ROWS, None, ROWS * np.inf), "the test set holds NaN or infinity"),
        (source(ROWS, None, ROWS[:0]), "the test set is empty"),
        (source(ROWS, None, ROWS[:, :1]), r"shape \(2,\) in the training set, but \(1,\) in the test set"),
    ],
    ids=["empty", "fewer", "no-features", "nan", "infinity", "empty-test", "other-shape"],
)
def test_unfit_source_is_told(given: Source, sentence: str) -> None:
    with pytest.raises(DatasetBroken, match=sentence):
        check_source(given)


def test_numbers_of_a_table_may_be_missing() -> None:
    check_source(source(ROWS[:, 0] * np.nan, None, kind="number"))
