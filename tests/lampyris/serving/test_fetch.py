import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from lampyris.domain.layout import blob_key
from lampyris.domain.manifest import Artifact, Blob
from lampyris.domain.registry import put_blob
from lampyris.domain.store import Store
from lampyris.errors import ArtifactDamaged, ObjectNotFound, StoreUnavailable
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE, discard, fetch

GRAPH = b"graph" * 10
WEIGHTS = np.random.default_rng(0).bytes(1000)
PART_BYTES = 64


def in_parts(store: Store, data: bytes) -> Blob:
    """Store a blob of many small parts, as a large one would have them."""
    parts = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
    digests = tuple(hashlib.sha256(part).hexdigest() for part in parts)
    return msgspec.structs.replace(put_blob(store, data), part_size_bytes=PART_BYTES, part_digests=digests)


@pytest.fixture
def artifact(store: Store) -> Artifact:
    return Artifact(graph=in_parts(store, GRAPH), weights=in_parts(store, WEIGHTS), onnxruntime="1")


def test_all_parts_arrive_in_their_places(artifact: Artifact, store: Store, tmp_path: Path) -> None:
    fetch(artifact, store, tmp_path / "a")

    assert (tmp_path / "a" / GRAPH_FILE).read_bytes() == GRAPH
    assert (tmp_path / "a" / WEIGHTS_FILE).read_bytes() == WEIGHTS


def test_an_artifact_without_weights_is_one_file(store: Store, tmp_path: Path) -> None:
    artifact = Artifact(graph=put_blob(store, GRAPH), weights=None, onnxruntime="1")

    fetch(artifact, store, tmp_path / "a")

    assert [file.name for file in (tmp_path / "a").iterdir()] == [GRAPH_FILE]


@pytest.mark.parametrize("byte", [0, 63, 64, 500, 999])
def test_a_flipped_bit_is_found_and_nothing_is_left(
    artifact: Artifact, watched: Any, tmp_path: Path, byte: int
) -> None:
    assert artifact.weights is not None
    watched.damage[blob_key(artifact.weights.digest)] = byte

    with pytest.raises(ArtifactDamaged) as found:
        fetch(artifact, watched, tmp_path / "a")

    assert found.value.part == byte // PART_BYTES
    assert not (tmp_path / "a").exists()


def test_a_store_that_is_away_leaves_nothing(artifact: Artifact, watched: Any, tmp_path: Path) -> None:
    watched.away = True

    with pytest.raises(StoreUnavailable):
        fetch(artifact, watched, tmp_path / "a")

    assert not (tmp_path / "a").exists()


def test_a_missing_blob_is_named(store: Store, tmp_path: Path) -> None:
    blob = Blob(digest="f" * 64, size_bytes=4, part_size_bytes=4, part_digests=("0",))

    with pytest.raises(ObjectNotFound, match="f" * 64):
        fetch(Artifact(graph=blob, weights=None, onnxruntime="1"), store, tmp_path / "a")


def test_discarding_twice_is_fine(artifact: Artifact, store: Store, tmp_path: Path) -> None:
    fetch(artifact, store, tmp_path / "a")

    discard(tmp_path / "a")
    discard(tmp_path / "a")

    assert not (tmp_path / "a").exists()
