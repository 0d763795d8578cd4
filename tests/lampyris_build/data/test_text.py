import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lampyris_build.data.text import read_text
from lampyris_build.errors import DatasetBroken, DatasetMissing
from lampyris_build.recipe.sources import TextSource

TEXT = "Hello, wörld! Hello again: 你好.\n" * 10


def source(path: Path, context: int = 8) -> TextSource:
    return TextSource(path=str(path), context=context)


def test_target_is_the_character_after_each(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_text(TEXT)

    read = read_text(source(path), path)

    assert read.classes is not None
    assert read.classes == tuple(sorted(set(TEXT)))
    assert read.samples.targets is not None
    windows = read.samples.inputs["tokens"]
    assert windows.shape == read.samples.targets.shape == ((len(TEXT) - 1) // 8, 8)
    letters = np.array(read.classes)
    assert "".join(letters[windows.ravel()]) == TEXT[: windows.size]
    assert "".join(letters[read.samples.targets.ravel()]) == TEXT[1 : windows.size + 1]


def test_files_of_a_folder_follow_each_other_and_may_be_gzipped(tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/b.txt").write_text(TEXT[100:])
    (tmp_path / "texts/a.txt").write_text(TEXT[:100])
    zipped = tmp_path / "some.gz"
    zipped.write_bytes(gzip.compress(TEXT.encode()))

    folder = read_text(source(tmp_path), tmp_path / "texts")

    assert folder.digest == read_text(source(zipped), zipped).digest


def test_test_set_is_the_last_part_of_the_text(tmp_path: Path, load: Any) -> None:
    path = tmp_path / "some.txt"
    path.write_text("".join(chr(ord("a") + place // 100) for place in range(2001)))

    dataset = load({"source": "text", "path": str(path), "context": 10}, task="language")

    assert len(dataset.test) == 40
    assert dataset.train.inputs["tokens"].max() < dataset.test.inputs["tokens"].min()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "it has 0 characters; dataset.context = 8 takes one more"),
        (b"12345678", "it has 8 characters"),
        (b"\xff\xfeH\x00i\x00", "it is no text in UTF-8"),
        ("".join(map(chr, range(0x4E00, 0x7E00))).encode(), "12,288 different characters"),
    ],
    ids=["empty", "short", "utf-16", "dictionary"],
)
def test_what_is_no_text_to_learn_from_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes(content)

    with pytest.raises(DatasetBroken, match=sentence):
        read_text(source(path), path)


def test_character_that_is_cut_by_a_block_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    text = "a" * (4 * 1024**2 - 1) + "é" + "b" * 20
    path.write_text(text)

    assert read_text(source(path), path).classes == ("a", "b", "é")


def test_missing_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match="looked for a text in UTF-8"):
        read_text(source(tmp_path), tmp_path / "none.txt")
    with pytest.raises(DatasetMissing, match=r"without files called \.txt"):
        read_text(source(tmp_path), tmp_path)
