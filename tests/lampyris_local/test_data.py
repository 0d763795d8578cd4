"""Files on their way to a job: the same are named the same, and sent once."""

from pathlib import Path

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris_local.data import NoData, pack, send


def folder_of(path: Path, **files: str) -> Path:
    path.mkdir(parents=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_file_is_named_after_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    (tmp_path / "b.csv").write_text("2")

    first, other = pack(tmp_path / "a.csv"), pack(tmp_path / "b.csv")

    assert first.key.startswith("data/")
    assert first.key.endswith("/a.csv")
    assert first.key.split("/")[1] != other.key.split("/")[1]
    assert first == pack(tmp_path / "a.csv")


def test_folder_is_named_after_its_files_and_not_after_where_it_is(tmp_path: Path) -> None:
    here = folder_of(tmp_path / "here" / "x", a="1", b="2")
    there = folder_of(tmp_path / "there" / "x", a="1", b="2")
    other = folder_of(tmp_path / "other" / "x", a="2", b="1")

    assert pack(here).key == pack(there).key
    assert pack(here).key != pack(other).key
    assert pack(here).key.endswith("/x/")


def test_only_what_is_not_there_yet_is_sent(tmp_path: Path) -> None:
    store, told = MemoryStore(), list[int]()
    packed = pack(folder_of(tmp_path / "x", a="1", b="22", c="333"))
    store.put(f"{packed.key}a", b"1")
    store.put(f"{packed.key}b", b"2")  # cut off

    first = send(store, packed, on_sent=told.append)
    again = send(store, packed, on_sent=told.append)

    assert (first, again) == (2, 0)
    assert sorted(told) == [1, 1, 2, 2, 3, 3]
    assert {entry.key: entry.size_bytes for entry in store.list("data/")} == {
        f"{packed.key}a": 1,
        f"{packed.key}b": 2,
        f"{packed.key}c": 3,
    }


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoData, match="no such file"):
        pack(tmp_path / "absent")
    with pytest.raises(NoData, match="no files in it"):
        pack(folder_of(tmp_path / "empty"))
