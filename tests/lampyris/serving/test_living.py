from datetime import UTC, datetime
from typing import Any

import pytest

from lampyris.domain.layout import version_key
from lampyris.domain.store import Store
from lampyris.errors import StoreUnavailable
from lampyris.registry.changes import Author
from lampyris.registry.versions import delete_version
from lampyris.serving.living import Living

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def three_versions(publish_linear: Any) -> None:
    for seed in range(3):
        publish_linear(seed=seed)


def delete(store: Store, version: int) -> None:
    delete_version(store, "glow", version, author=Author(key=f"delete {version}", by="a test"), now=NOW)


def test_versions_are_numbered_but_for_the_deleted(three_versions: None, store: Store) -> None:
    delete(store, 1)

    assert Living(store).versions("glow") == [2, 3]


def test_a_deletion_is_noticed_at_once(three_versions: None, store: Store) -> None:
    living = Living(store)
    before = living.versions("glow")

    delete(store, 1)

    assert (before, living.versions("glow")) == ([1, 2, 3], [2, 3])


def test_documents_are_read_once(
    three_versions: None, store: Store, watched: Any, publish_linear: Any
) -> None:
    delete(store, 1)
    living = Living(watched)
    living.versions("glow")
    reads = len(watched.reads)
    publish_linear(seed=3)

    assert [living.versions("glow") for _ in range(3)] == [[2, 3, 4]] * 3
    assert reads == 3
    assert watched.reads[reads:] == [version_key("glow", 4)]


def test_a_model_that_is_not_there_has_none(store: Store) -> None:
    assert Living(store).versions("glow") == []


def test_a_document_that_cannot_be_read_is_no_deletion_and_is_read_again(
    three_versions: None, store: Store, watched: Any
) -> None:
    whole = store.get(version_key("glow", 2)).data
    store.put(version_key("glow", 2), whole[:-9])
    living = Living(watched)

    damaged = living.versions("glow")
    reads = len(watched.reads)
    living.versions("glow")

    assert damaged == [1, 2, 3]
    assert watched.reads[reads:] == [version_key("glow", 2)]


def test_while_the_store_is_away_nothing_is_said(three_versions: None, watched: Any) -> None:
    watched.away = True

    with pytest.raises(StoreUnavailable):
        Living(watched).versions("glow")
