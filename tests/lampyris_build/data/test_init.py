import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import DatasetBroken, DatasetMissing, InvalidRecipe

CITIES = ("Bern", "Rome", "Oslo")


def table(path: Path, rows: int, text: str = "some words {}") -> dict[str, Any]:
    lines = [f"{place},{CITIES[place % 3]},{text.format(place)},{'yn'[place % 2]}" for place in range(rows)]
    path.write_text("\n".join(["age,city,remark,label", *lines, ""]))
    return {"source": "csv", "path": str(path), "target": "label"}


def test_table_becomes_three_sets_of_inputs_by_name(tmp_path: Path, load: Any) -> None:
    dataset: Dataset = load(table(tmp_path / "rows.csv", 200))

    assert {feature.name: feature.kind for feature in dataset.features} == {
        "age": "number",
        "city": "category",
        "remark": "text",
    }
    assert dataset.classes == ("n", "y")
    assert [len(one) for one in (dataset.train, dataset.validation, dataset.test)] == [144, 16, 40]
    assert dataset.train.targets is not None
    ages, labels = dataset.train.inputs["age"], dataset.train.targets
    np.testing.assert_array_equal(labels, 1 - ages % 2, "rows stay whole")


def test_same_files_give_the_same_digest(tmp_path: Path, load: Any) -> None:
    source = table(tmp_path / "rows.csv", 100)

    assert load(source).digest == load(source).digest
    other = load(table(tmp_path / "rows.csv", 100, text="other words {}"))
    assert other.digest != load(table(tmp_path / "rows.csv", 100)).digest


def test_second_table_is_read_as_the_first_was(tmp_path: Path, load: Any) -> None:
    train = table(tmp_path / "train.csv", 200)
    few = table(tmp_path / "test.csv", 12, text="word")  # alone, it would be a category

    dataset: Dataset = load([train, few | {"part": "test"}])

    assert [feature.kind for feature in dataset.features] == ["number", "category", "text"]
    assert len(dataset.test) == 12
    assert len(dataset.train) + len(dataset.validation) == 200


def test_column_that_vanished_is_named_with_what_is_near(tmp_path: Path, load: Any) -> None:
    train = table(tmp_path / "train.csv", 50)
    test = table(tmp_path / "test.csv", 50)
    path = Path(test["path"])
    path.write_text(path.read_text().replace("city", "City", 1))

    with pytest.raises(DatasetBroken, match=r"test\.csv.* no column 'city'; did you mean 'City'\?"):
        load([train, test | {"part": "test"}])


def test_pictures_of_a_second_source_take_the_size_of_the_first(tmp_path: Path, load: Any) -> None:
    sources = []
    for name, size in (("first", (6, 4)), ("second", (9, 9))):
        for label in ("cat", "dog"):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for number in range(5):
                Image.new("RGB", size, (number, number, number)).save(
                    folder / f"{number}.webp", lossless=True
                )
        sources.append({"source": "images", "path": str(tmp_path / name)})

    dataset: Dataset = load(sources)

    assert dataset.features[0].shape == (4, 6, 3)
    assert len(dataset.train) + len(dataset.validation) + len(dataset.test) == 20


@pytest.mark.parametrize(
    ("dataset", "sections", "sentence"),
    [
        ({"source": "csv", "path": "none.csv"}, {}, "looked for a file"),
        ({"source": "parquet", "path": "none"}, {}, "looked for a file or folder"),
        (
            {"source": "sklearn", "name": "iris"},
            {"split": {"by": "group", "column": "site"}},
            "split.column is 'site', but only csv, parquet and jsonl have columns",
        ),
        (
            {"source": "sklearn", "name": "iris"},
            {"window": {"length": 3}},
            "'features' is no column of numbers, but vector",
        ),
        (
            [{"source": "sklearn", "name": "iris"}, {"source": "csv", "path": "rows.csv", "part": "test"}],
            {},
            "one dataset is a table, and another holds vector",
        ),
    ],
)
def test_recipe_that_asks_for_what_is_not_there_is_told(
    tmp_path: Path,
    load: Any,
    monkeypatch: pytest.MonkeyPatch,
    dataset: Any,
    sections: dict[str, Any],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "rows.csv", 20)

    with pytest.raises((DatasetMissing, DatasetBroken, InvalidRecipe), match=sentence):
        load(dataset, **sections)


LOAD = """
import threading
from lampyris_build.data import load_dataset
from lampyris_build.recipe.reading import recipe_of

peak_kb, done = 0, threading.Event()

def watch():
    global peak_kb
    while not done.wait(0.02):
        with open("/proc/self/status") as file:
            # What is mapped from files may leave memory at any time.
            held = next(line for line in file if line.startswith("RssAnon"))
        peak_kb = max(peak_kb, int(held.split()[1]))

threading.Thread(target=watch).start()
dataset = load_dataset(recipe_of({
    "name": "some", "model": {"architecture": "mlp"}, "dataset": {"source": "images", "path": "%s"},
}, "some"))
done.set()
pixels = dataset.train.inputs["image"]
print(peak_kb * 1024, pixels.nbytes, (pixels[:, 0, 0, 0] == pixels[:, -1, -1, -1]).all())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is told so on Linux only")
def test_pictures_take_less_memory_than_they_have_bytes(tmp_path: Path) -> None:
    path = tmp_path / "pictures.zip"
    with ZipFile(path, "w") as archive:
        for number in range(1200):
            file = BytesIO()
            Image.new("RGB", (600, 500), (number % 256,) * 3).save(file, "PNG", compress_level=1)
            archive.writestr(f"{'cat' if number % 2 else 'dog'}/{number}.png", file.getvalue())

    answer = subprocess.run([sys.executable, "-c", LOAD % path], capture_output=True, text=True, check=True)

    peak_bytes, size_bytes, are_whole = answer.stdout.split()
    assert int(size_bytes) == 1200 * 72 // 100 * 600 * 500 * 3
    assert int(peak_bytes) < 0.7 * int(size_bytes)
    assert are_whole == "True"
