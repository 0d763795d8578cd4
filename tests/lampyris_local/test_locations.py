from pathlib import Path

import pytest

from lampyris.adapters.folder_store import FolderStore
from lampyris.adapters.object_store import memory_store
from lampyris.domain.store import Store
from lampyris_local.deployment import Deployment
from lampyris_local.folder_endpoint import NotAFolder
from lampyris_local.locations import NotALocation, open_location


@pytest.fixture
def opened() -> list[str]:
    """The buckets that were opened."""
    return []


@pytest.fixture
def deployment(opened: list[str]) -> Deployment:
    def open_bucket(name: str) -> Store:
        opened.append(name)
        return memory_store()

    return Deployment(store=memory_store(), api_url=None, open_bucket=open_bucket)


def test_bucket_is_opened_where_the_deployments_own_is(deployment: Deployment, opened: list[str]) -> None:
    open_location("s3://my-backups/", deployment)

    assert opened == ["my-backups"]


@pytest.mark.parametrize("as_endpoint", [True, False])
def test_folder_is_opened_by_its_path_or_address(
    deployment: Deployment, tmp_path: Path, *, as_endpoint: bool
) -> None:
    folder = tmp_path / "backup"

    store = open_location(folder.as_uri() if as_endpoint else str(folder), deployment)
    store.put("k", b"v")

    assert isinstance(store, FolderStore)
    assert (folder / "k").read_bytes() == b"v"


@pytest.mark.parametrize("location", ["s3://", "s3://a/b", "s3://UPPER", "gs://bucket", "https://x", ""])
def test_other_places_are_refused(deployment: Deployment, location: str) -> None:
    with pytest.raises(NotALocation, match="give a folder, or a whole bucket: s3://NAME"):
        open_location(location, deployment)


def test_folder_that_cannot_be_is_named(deployment: Deployment, tmp_path: Path) -> None:
    with pytest.raises(NotAFolder, match="Make that folder first"):
        open_location(str(tmp_path / "absent" / "backup"), deployment)
