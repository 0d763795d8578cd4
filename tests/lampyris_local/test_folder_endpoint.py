from collections.abc import Callable
from pathlib import Path

import pytest

from lampyris_local.deployment import NoApi, find_deployment
from lampyris_local.folder_endpoint import NotAFolder, folder_at


def test_folder_is_a_deployment_without_an_api(tmp_path: Path) -> None:
    deployment = find_deployment(endpoint=tmp_path.as_uri())

    deployment.store.put("models/x", b"1")

    assert (tmp_path / "models/x").read_bytes() == b"1"
    with pytest.raises(NoApi, match=r"answers no HTTP.*--endpoint.*aws s3 sync"):
        deployment.api()


def test_folder_that_is_not_there_is_made_by_the_first_write(tmp_path: Path) -> None:
    store = find_deployment(endpoint=(tmp_path / "new").as_uri()).store

    assert list(store.list("models/")) == []
    assert not (tmp_path / "new").exists()

    store.create("models/x", b"1")

    assert (tmp_path / "new/models/x").read_bytes() == b"1"


def test_address_may_hold_what_a_url_must_quote(tmp_path: Path) -> None:
    folder = tmp_path / "my models #1 (50%) ünï"

    assert folder_at(folder.as_uri()) == folder
    assert folder_at(f"{folder.as_uri()}/") == folder


@pytest.mark.parametrize(
    "endpoint", ["file:models", "file://models", "file://host/models", "file://", "file:/x"]
)
def test_address_without_a_whole_path_is_refused_with_an_example(endpoint: str) -> None:
    with pytest.raises(NotAFolder, match=r"whole path, as in file:///.*/registry"):
        find_deployment(endpoint=endpoint)


def test_folder_below_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAFolder, match=r"missing does not exist. Make that folder first"):
        find_deployment(endpoint=(tmp_path / "missing/models").as_uri())


def test_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()

    with pytest.raises(NotAFolder, match="it is a file; name a folder"):
        find_deployment(endpoint=(tmp_path / "model.onnx").as_uri())


def test_name_that_no_file_system_takes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAFolder, match="name too long"):
        find_deployment(endpoint=(tmp_path / ("x" * 300)).as_uri())
    with pytest.raises(NotAFolder, match="NUL"):
        find_deployment(endpoint="file:///models%00")


def test_folder_without_permission_is_refused(
    tmp_path: Path, as_anybody: Callable[[Callable[[], object]], object]
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)

    with pytest.raises(NotAFolder, match="may not read"):
        as_anybody(lambda: find_deployment(endpoint=closed.as_uri()))
