"""What a folder does beyond the contract: plain files, several processes, and whatever else lies there."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lampyris.adapters.folder_store import FolderStore
from lampyris.errors import InvalidName, ObjectExists, ObjectNotFound, StoreUnavailable

ADD = """
import sys
from pathlib import Path
from lampyris.adapters.folder_store import FolderStore
from lampyris.errors import ObjectChanged, ObjectExists

store, added = FolderStore(Path(sys.argv[1])), 0
while added < 20:
    found = store.get("m/count")
    try:
        store.replace("m/count", str(int(found.data) + 1).encode(), found.etag)
        added += 1
    except ObjectChanged:
        pass
won = 0
for number in range(20):
    try:
        store.create(f"m/{number}", b"x")
        won += 1
    except ObjectExists:
        pass
print(won)
"""
WRITE_ON = """
import sys
from itertools import count
from pathlib import Path
from lampyris.adapters.folder_store import FolderStore

store = FolderStore(Path(sys.argv[1]))
for number in count():
    store.put(f"m/{number % 3}", bytes([number % 256]) * 2_000_000)
    if number == 3:
        print("writing", flush=True)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "registry"


@pytest.fixture
def store(root: Path) -> FolderStore:
    return FolderStore(root)


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".lampyris" not in path.parts
    }


def test_folder_holds_objects_as_files_and_nothing_else(store: FolderStore, root: Path) -> None:
    store.create("models/iris/versions/1.json", b"{}")
    store.put("blobs/sha256/ab", b"\x00\x01", {"content-type": "application/octet-stream"})
    store.put("gone/for/good", b"x")
    store.delete("gone/for/good")

    assert files(root) == {"models/iris/versions/1.json": b"{}", "blobs/sha256/ab": b"\x00\x01"}
    assert sorted(path.name for path in root.iterdir()) == [".lampyris", "blobs", "models"]
    assert list((root / ".lampyris/waiting").iterdir()) == []


def test_files_that_were_copied_there_are_objects(store: FolderStore, root: Path) -> None:
    (root / "models/iris").mkdir(parents=True)
    (root / "models/iris/1.json").write_bytes(b"{}")

    assert store.get("models/iris/1.json").data == b"{}"
    assert [entry.key for entry in store.list("models/")] == ["models/iris/1.json"]


def test_folder_without_anything_is_empty_and_reading_makes_nothing(store: FolderStore, root: Path) -> None:
    assert not [*store.list(""), *store.list_folders(""), *store.generations("")]
    with pytest.raises(ObjectNotFound):
        store.get("models/x")
    store.delete("models/x")

    assert not root.exists()


def test_folder_below_nothing_is_not_made(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "missing/registry")

    with pytest.raises(StoreUnavailable, match="missing/registry"):
        store.create("m/key", b"x")
    assert list(tmp_path.iterdir()) == []


def test_each_writing_has_an_etag_of_its_own_even_of_the_same_bytes(store: FolderStore) -> None:
    etags = set()
    for _ in range(50):
        store.put("m/key", b"same")
        etags.add(store.get("m/key").etag)

    assert len(etags) == 50


def test_what_a_folder_keeps_for_itself_is_no_object(store: FolderStore) -> None:
    store.put("m/key", b"x")

    with pytest.raises(InvalidName, match=r"the first is not '\.lampyris'"):
        store.get(".lampyris/lock")
    with pytest.raises(InvalidName):
        store.put(".lampyris/waiting/x", b"x")
    assert [entry.key for entry in store.list("")] == ["m/key"]
    assert list(store.list_folders("")) == ["m"]


def test_links_are_not_followed(store: FolderStore, root: Path, tmp_path: Path) -> None:
    store.put("m/key", b"x")
    secret = tmp_path / "outside"
    secret.mkdir()
    (secret / "secret").write_bytes(b"secret")
    (root / "m/link").symlink_to(secret)
    (root / "m/file").symlink_to(secret / "secret")
    (root / "m/inside").symlink_to(root / "m")

    assert [entry.key for entry in store.list("")] == ["m/key"]
    assert not [*store.list("m/link/"), *store.list("m/inside/"), *store.list_folders("m/")]
    with pytest.raises(ObjectNotFound):
        store.get("m/file")
    for key in ("m/link/secret", "m/link/new", "m/inside/key"):
        with pytest.raises(InvalidName, match="leads through a link"):
            store.get(key)
        with pytest.raises(InvalidName, match="leads through a link"):
            store.put(key, b"x")
        with pytest.raises(InvalidName, match="leads through a link"):
            store.delete(key)
    store.put("m/file", b"mine")

    assert (secret / "secret").read_bytes() == b"secret"
    assert store.get("m/file").data == b"mine"


def test_root_may_be_reached_through_a_link(root: Path, tmp_path: Path) -> None:
    root.mkdir()
    (tmp_path / "link").symlink_to(root)

    FolderStore(tmp_path / "link").put("m/key", b"x")

    assert files(root) == {"m/key": b"x"}


def test_what_is_no_plain_file_is_no_object(store: FolderStore, root: Path) -> None:
    store.put("m/key", b"x")
    os.mkfifo(root / "m/pipe")
    (root / "m/empty").mkdir()
    (root / os.fsdecode(b"m/\xff")).write_bytes(b"not UTF-8")
    (root / "m/new\nline").write_bytes(b"no key")

    assert [entry.key for entry in store.list("")] == ["m/key"]
    assert list(store.list_folders("m/")) == []


def test_nothing_stands_both_at_a_key_and_below_it(store: FolderStore) -> None:
    store.put("m/key", b"x")

    for write in (store.put, store.create):
        with pytest.raises(InvalidName, match="both at a key and below it"):
            write("m/key/below", b"y")
        with pytest.raises(InvalidName, match="both at a key and below it"):
            write("m", b"y")
    assert [entry.key for entry in store.list("")] == ["m/key"]


def test_name_that_is_too_long_for_a_file_is_refused(store: FolderStore) -> None:
    with pytest.raises(InvalidName, match="at most 255 bytes"):
        store.put("m/" + "é" * 128, b"x")


def test_longest_path_is_kept(store: FolderStore) -> None:
    key = "/".join(["x" * 255] * 4)

    store.create(key, b"x")

    assert [entry.key for entry in store.list("")] == [key]


def test_processes_lose_no_update_and_create_once(store: FolderStore, root: Path) -> None:
    store.put("m/count", b"0")

    running = [
        subprocess.Popen([sys.executable, "-c", ADD, str(root)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    won = [int(process.communicate(timeout=60)[0]) for process in running]

    assert store.get("m/count").data == b"60"
    assert sum(won) == 20


def test_process_that_is_killed_leaves_whole_objects_and_no_lock(store: FolderStore, root: Path) -> None:
    for _ in range(3):
        command = [sys.executable, "-c", WRITE_ON, str(root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(signal.SIGKILL)

        found = [store.get(entry.key).data for entry in store.list("m/")]

        assert {len(data) for data in found} == {2_000_000}
        assert all(len(set(data)) == 1 for data in found)
        store.put("m/0", bytes(2_000_000))


def test_what_a_killed_process_left_is_removed_a_day_later(root: Path) -> None:
    waiting = root / ".lampyris/waiting"
    waiting.mkdir(parents=True)
    (waiting / "old").write_bytes(b"x")
    (waiting / "young").write_bytes(b"x")
    os.utime(waiting / "old", times=(time.time() - 90_000,) * 2)

    FolderStore(root).put("m/key", b"x")

    assert [path.name for path in waiting.iterdir()] == ["young"]


def test_write_that_fails_leaves_nothing(store: FolderStore, root: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="No such file"):
        store.put("m/a/b/key", tmp_path / "missing")
    store.create("m/key", b"x")
    with pytest.raises(ObjectExists):
        store.create("m/key", b"y")

    assert files(root) == {"m/key": b"x"}
    assert list((root / ".lampyris/waiting").iterdir()) == []
    assert not (root / "m/a").exists()


def test_address_is_the_files(store: FolderStore, root: Path) -> None:
    assert store.presign("PUT", "uploads/a b#1", 60) == (root / "uploads/a b#1").as_uri()
    assert store.presign("GET", "uploads/a b#1", 60).endswith("/registry/uploads/a%20b%231")


def test_folder_that_may_not_be_written_is_unavailable(
    store: FolderStore, root: Path, as_anybody: Callable[[Callable[[], object]], object]
) -> None:
    store.put("m/key", b"x")
    root.chmod(0o500)

    with pytest.raises(StoreUnavailable, match="Permission denied"):
        as_anybody(lambda: store.put("n/key", b"x"))
