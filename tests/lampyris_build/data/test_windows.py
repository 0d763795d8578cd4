from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.errors import DatasetBroken, InvalidRecipe

LENGTH, HORIZON = 5, 3
WINDOW = {"length": LENGTH, "horizon": HORIZON}


def series(tmp_path: Path, order: Any = range(100)) -> dict[str, Any]:
    """A table whose moment `t` is in every column of it, so that a window says where it is from."""
    path = tmp_path / "series.csv"
    rows = "".join(f"{t},{t + 0.25},{-t},{'a' if t < 50 else 'b'}\n" for t in order)
    path.write_text(f"t,load,heat,site\n{rows}")
    return {"source": "csv", "path": str(path), "target": "load"}


def moments(samples: Samples) -> Any:
    """Return the moments of each window, (N, L)."""
    return -samples.inputs["series"][:, :, 1]


def check_windows(samples: Samples) -> None:
    assert samples.targets is not None
    first = moments(samples)[:, :1]
    np.testing.assert_array_equal(moments(samples), first + np.arange(LENGTH))
    np.testing.assert_array_equal(samples.targets, first[:, 0] + LENGTH - 1 + HORIZON + 0.25)


def test_target_comes_horizon_rows_after_its_window(tmp_path: Path, load: Any) -> None:
    dataset: Dataset = load(
        series(tmp_path) | {"columns": ["load", "heat"]}, task="regression", window=WINDOW
    )

    assert [(one.name, one.kind, one.shape) for one in dataset.features] == [
        ("series", "series", (LENGTH, 2))
    ]
    assert "load, heat, in this order" in dataset.notes[-1]
    for samples in (dataset.train, dataset.validation, dataset.test):
        check_windows(samples)
    assert len(dataset.test) == 20 - (LENGTH + HORIZON) + 1


def test_no_moment_of_a_set_is_seen_in_another(tmp_path: Path, load: Any) -> None:
    shuffled = np.random.default_rng(0).permutation(100)

    dataset: Dataset = load(
        series(tmp_path, shuffled) | {"columns": ["load", "heat"]},
        task="regression",
        window=WINDOW,
        split={"by": "time", "column": "t"},
    )

    for samples in (dataset.train, dataset.validation, dataset.test):
        check_windows(samples)
    seen = [
        np.union1d(moments(one).ravel(), one.targets)
        for one in (dataset.train, dataset.validation, dataset.test)
        if one.targets is not None
    ]
    assert seen[0].max() < seen[1].min()
    assert seen[1].max() < seen[2].min()


def test_moments_follow_each_other_whatever_their_time_zone(tmp_path: Path, load: Any) -> None:
    path = tmp_path / "zones.csv"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    zones = [timezone(timedelta(hours=hours)) for hours in (0, 2)]
    written = [(start + timedelta(hours=t)).astimezone(zones[t % 2]).isoformat() for t in range(100)]
    path.write_text("at,load,heat\n" + "".join(f"{at},{t + 0.25},{-t}\n" for t, at in enumerate(written)))

    dataset: Dataset = load(
        {"source": "csv", "path": str(path), "target": "load", "columns": ["load", "heat"]},
        task="regression",
        window=WINDOW,
        split={"by": "time", "column": "at"},
    )

    for samples in (dataset.train, dataset.validation, dataset.test):
        check_windows(samples)


def test_windows_do_not_cross_from_group_to_group(tmp_path: Path, load: Any) -> None:
    path = tmp_path / "sites.csv"
    rows = "".join(
        f"{site},{100 * site + t + 0.25},{-100 * site - t}\n" for t in range(20) for site in range(5)
    )
    path.write_text(f"site,load,heat\n{rows}")

    dataset: Dataset = load(
        {"source": "csv", "path": str(path), "target": "load"},
        task="regression",
        window=WINDOW,
        split={"by": "group", "column": "site"},
    )

    for samples in (dataset.train, dataset.validation, dataset.test):
        check_windows(samples)
        assert len(samples) % (20 - (LENGTH + HORIZON) + 1) == 0


def test_stride_leaves_moments_between_windows(tmp_path: Path, load: Any) -> None:
    dataset: Dataset = load(
        series(tmp_path) | {"columns": ["load", "heat"]}, task="regression", window={**WINDOW, "stride": 4}
    )

    assert np.diff(moments(dataset.train)[:, 0]).tolist() == [4.0] * (len(dataset.train) - 1)
    check_windows(dataset.train)


def test_windows_take_no_more_memory_than_their_rows(tmp_path: Path, load: Any) -> None:
    dataset: Dataset = load(
        series(tmp_path) | {"columns": ["load", "heat"]}, task="regression", window=WINDOW
    )

    windows = dataset.train.inputs["series"]
    assert np.shares_memory(windows[0], windows[1])
    assert windows.flags.writeable, "torch warns of any other"


@pytest.mark.parametrize(
    ("columns", "split", "sentence"),
    [
        (["load", "site"], {}, "'site' is no column of numbers, but category"),
        (["load"], {"by": "random"}, 'split.by is \'random\'.*"time" or "group"'),
    ],
)
def test_rows_that_are_no_series_are_told(
    tmp_path: Path, load: Any, columns: list[str], split: dict[str, str], sentence: str
) -> None:
    with pytest.raises((DatasetBroken, InvalidRecipe), match=sentence):
        load(series(tmp_path) | {"columns": columns}, task="regression", window=WINDOW, split=split)


def test_series_shorter_than_a_window_is_told(tmp_path: Path, load: Any) -> None:
    with pytest.raises(DatasetBroken, match=r"the validation set has 8 rows in a run, fewer than the 23"):
        load(series(tmp_path) | {"columns": ["load"]}, task="regression", window={"length": 20, "horizon": 3})
