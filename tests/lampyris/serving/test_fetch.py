import errno
import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.domain.layout import blob_key
from lampyris.domain.manifest import Artifact, Blob
from lampyris.domain.store import Store
from lampyris.errors import ArtifactDamaged, ObjectNotFound, StorageFull, StoreUnavailable
from lampyris.registry.blobs import put_blobs
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE, discard, fetch

GRAPH = b"graph" * 10
WEIGHTS = np.random.default_rng(0).bytes(1000)
PART_BYTES = 64


def in_parts(store: Store, data: bytes) -> Blob:
    """Store a blob of many small parts, as a large one would have them."""
    parts = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
    digests = tuple(blake3(part).hexdigest() for part in parts)
    return msgspec.structs.replace(
        put_blobs(store, "a test", [data])[0],
        part_size_bytes=PART_BYTES,
        part_digests=digests,
        part_hash="blake3",
    )


@pytest.fixture
def artifact(store: Store) -> Artifact:
    return Artifact(graph=in_parts(store, GRAPH), weights=in_parts(store, WEIGHTS), onnxruntime="1")


def test_all_parts_arrive_in_their_places(artifact: Artifact, store: Store, tmp_path: Path) -> None:
    fetch(artifact, store, tmp_path / "a")

    assert (tmp_path / "a" / GRAPH_FILE).read_bytes() == GRAPH
    assert (tmp_path / "a" / WEIGHTS_FILE).read_bytes() == WEIGHTS


def test_an_artifact_without_weights_is_one_file(store: Store, tmp_path: Path) -> None:
    artifact = Artifact(graph=put_blobs(store, "a test", [GRAPH])[0], weights=None, onnxruntime="1")

    fetch(artifact, store, tmp_path / "a")

    assert [file.name for file in (tmp_path / "a").iterdir()] == [GRAPH_FILE]


@pytest.mark.parametrize("byte", [0, 63, 64, 500, 999])
def test_a_flipped_bit_is_found_and_nothing_is_left(
    artifact: Artifact, watched: Any, tmp_path: Path, byte: int
) -> None:
    assert artifact.weights is not None
    watched.damage[blob_key(artifact.weights.digest)] = byte * 8

    with pytest.raises(ArtifactDamaged) as found:
        fetch(artifact, watched, tmp_path / "a")

    assert found.value.part == byte // PART_BYTES
    assert not (tmp_path / "a").exists()


def test_a_part_damaged_on_its_way_is_fetched_again(artifact: Artifact, watched: Any, tmp_path: Path) -> None:
    assert artifact.weights is not None
    key = blob_key(artifact.weights.digest)
    watched.damage[key], watched.damages = 70 * 8, 1

    fetch(artifact, watched, tmp_path / "a")

    assert (tmp_path / "a" / WEIGHTS_FILE).read_bytes() == WEIGHTS
    assert watched.reads.count(key) == len(artifact.weights.part_digests) + 1


@given(bit=st.integers(0, 8 * len(WEIGHTS) - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_any_flipped_bit_is_found(artifact: Artifact, watched: Any, tmp_path: Path, bit: int) -> None:
    assert artifact.weights is not None
    watched.damage = {blob_key(artifact.weights.digest): bit}

    with pytest.raises(ArtifactDamaged):
        fetch(artifact, watched, tmp_path / "a")


def test_a_blob_cut_short_is_damaged(artifact: Artifact, watched: Any, tmp_path: Path) -> None:
    watched.cut[blob_key(artifact.graph.digest)] = 1

    with pytest.raises(ArtifactDamaged):
        fetch(artifact, watched, tmp_path / "a")


def test_a_disk_without_room_is_said_and_left_empty(artifact: Artifact, watched: Any, tmp_path: Path) -> None:
    watched.failures.append(OSError(errno.ENOSPC, "No space left on device"))

    with pytest.raises(StorageFull, match=f"{len(GRAPH) + len(WEIGHTS):,} bytes"):
        fetch(artifact, watched, tmp_path / "a")

    assert not (tmp_path / "a").exists()


FILL_THE_DISK = """
import resource, sys
from pathlib import Path
import msgspec
from lampyris.adapters.object_store import memory_store
from lampyris.domain.manifest import Artifact
from lampyris.registry.blobs import put_blobs
from lampyris.errors import StorageFull
from lampyris.serving.fetch import fetch
store = memory_store()
artifact = Artifact(graph=put_blobs(store, "a test", [bytes(10_000)])[0], weights=None, onnxruntime="1")
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
try:
    fetch(artifact, store, Path(sys.argv[1]))
except StorageFull:
    print("full", Path(sys.argv[1]).exists())
"""


def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(tmp_path / "a")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "full False\n", done.stderr


def test_a_store_that_is_away_leaves_nothing(artifact: Artifact, watched: Any, tmp_path: Path) -> None:
    watched.away = True

    with pytest.raises(StoreUnavailable):
        fetch(artifact, watched, tmp_path / "a")

    assert not (tmp_path / "a").exists()


def test_a_missing_blob_is_named(store: Store, tmp_path: Path) -> None:
    blob = Blob(digest="f" * 64, size_bytes=4, part_size_bytes=4, part_digests=("0",))

    with pytest.raises(ObjectNotFound, match="f" * 64):
        fetch(Artifact(graph=blob, weights=None, onnxruntime="1"), store, tmp_path / "a")


def test_parts_of_before_there_was_blake3_are_verified_too(
    artifact: Artifact, store: Store, tmp_path: Path
) -> None:
    graph = msgspec.structs.replace(artifact.graph, part_hash="sha256")
    digests = [
        hashlib.sha256(GRAPH[at : at + PART_BYTES]).hexdigest() for at in range(0, len(GRAPH), PART_BYTES)
    ]
    sound = msgspec.structs.replace(graph, part_digests=tuple(digests))

    fetch(msgspec.structs.replace(artifact, graph=sound), store, tmp_path / "a")

    assert (tmp_path / "a" / GRAPH_FILE).read_bytes() == GRAPH
    with pytest.raises(ArtifactDamaged):
        fetch(msgspec.structs.replace(artifact, graph=graph), store, tmp_path / "b")


def test_discarding_twice_is_fine(artifact: Artifact, store: Store, tmp_path: Path) -> None:
    fetch(artifact, store, tmp_path / "a")

    discard(tmp_path / "a")
    discard(tmp_path / "a")

    assert not (tmp_path / "a").exists()
