"""Documents: found by name, and never taken for what they are not."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import (
    AUDIT_HEAD,
    alias_key,
    audit_key,
    change_key,
    rejected_key,
    revision_key,
    version_key,
)
from lampyris.domain.manifest import Rejection
from lampyris.domain.sealed import seal, unseal
from lampyris.errors import AliasNotFound, DocumentDamaged, ModelNotFound
from lampyris.registry.audit import find_end, read_entry
from lampyris.registry.changes import find_settled
from lampyris.registry.documents import (
    find_version,
    list_aliases,
    list_models,
    read_alias,
    read_aliases,
    read_rejection,
    read_revision,
    write_rejection,
)

NOW = datetime(2026, 7, 1, tzinfo=UTC)


def test_models_are_listed_once_each(registry: Any, store: MemoryStore, registry_of: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    registry_of(store, "digits").publish("u3")

    assert list_models(store) == ["digits", "iris"]


def test_unknown_alias_of_a_known_model_is_not_an_unknown_model(registry: Any, store: MemoryStore) -> None:
    registry.publish("u1")

    with pytest.raises(AliasNotFound):
        read_alias(store, "iris", "canary")
    with pytest.raises(ModelNotFound):
        read_alias(store, "rose", "live")


def test_aliases_are_listed_by_name(registry: Any, store: MemoryStore) -> None:
    registry.publish("u1")
    registry.set({1: 100}, "canary")

    assert list_aliases(store, "iris") == ["canary", "live"]
    assert [alias.alias for alias in read_aliases(store, "iris")] == ["canary", "live"]


def test_rejection_is_read_back_as_it_was_written(store: MemoryStore) -> None:
    rejection = Rejection(model="iris", upload="u1", code="not-onnx", detail="It is empty.", rejected_at=NOW)

    write_rejection(store, rejection)

    assert read_rejection(store, "iris", "u1") == rejection
    assert read_rejection(store, "iris", "u2") is None


def test_rejection_that_cannot_be_read_is_damaged(store: MemoryStore) -> None:
    store.put(rejected_key("iris", "u1"), b'{"model":"iris"')

    with pytest.raises(DocumentDamaged):
        read_rejection(store, "iris", "u1")


def test_documents_are_readable_json(registry: Any, store: MemoryStore) -> None:
    manifest = registry.publish("u1")

    document = msgspec.json.decode(store.get(version_key("iris", 1)).data)["document"]

    assert document["model"] == "iris"
    assert document["version"] == manifest.version
    assert document["created_at"] == "2026-07-01T00:00:00Z"


class _Later(msgspec.Struct, frozen=True):
    """An alias as a later release might write it."""

    format: int
    model: str
    alias: str


def test_document_of_a_later_format_is_neither_read_nor_replaced(registry: Any, store: MemoryStore) -> None:
    registry.publish("u1")
    key = alias_key("iris", "live")
    later = seal(_Later(format=2, model="iris", alias="live")).data
    store.put(key, later)

    with pytest.raises(DocumentDamaged):
        registry.publish("u2")

    assert store.get(key).data == later


def _whole(store: MemoryStore, key: str) -> bytes:
    return unseal(store.get(key).data).document


@pytest.fixture
def many(registry: Any, store: MemoryStore) -> MemoryStore:
    """A registry that holds a document of every kind."""
    registry.publish("u1")
    registry.publish("u2")
    registry.commit("u3")
    registry.set({1: 100}, key="k")
    registry.delete(3)
    return store


Read = Callable[[MemoryStore], object]
READERS: dict[str, Read] = {
    version_key("iris", 1): lambda store: find_version(store, "iris", 1),
    version_key("iris", 3): lambda store: find_version(store, "iris", 3),
    alias_key("iris", "live"): lambda store: read_alias(store, "iris", "live")[0],
    revision_key("iris", "live", 1): lambda store: read_revision(store, "iris", "live", 1),
    audit_key(2): lambda store: read_entry(store, 2),
    AUDIT_HEAD: find_end,
    change_key("k"): lambda store: find_settled(store, read_alias(store, "iris", "live")[0].change),
}


@pytest.mark.parametrize("key", READERS)
@pytest.mark.parametrize("flip", [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF])
def test_document_with_an_altered_byte_is_damaged_or_means_the_same(
    many: MemoryStore, key: str, flip: int
) -> None:
    read = READERS[key]
    data = many.get(key).data
    meaning = read(many)
    damaged = 0

    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= flip
        many.put(key, bytes(altered))
        try:
            assert read(many) == meaning, f"byte {position}"
        except DocumentDamaged:
            damaged += 1

    assert damaged > len(data) * 0.9


@pytest.mark.parametrize("key", READERS)
def test_document_that_was_cut_is_damaged(many: MemoryStore, key: str) -> None:
    data = many.get(key).data

    for length in range(len(data)):
        many.put(key, data[:length])
        with pytest.raises(DocumentDamaged):
            READERS[key](many)


@pytest.mark.parametrize("key", READERS)
@pytest.mark.parametrize("other", READERS)
def test_document_that_stands_where_another_belongs_is_damaged(
    many: MemoryStore, key: str, other: str
) -> None:
    if key == other or (key, other) == (alias_key("iris", "live"), revision_key("iris", "live", 1)):
        return  # that an alias is as it once was, only the audit tells
    many.put(key, many.get(other).data)

    with pytest.raises(DocumentDamaged):
        READERS[key](many)


@pytest.mark.parametrize("key", READERS)
@pytest.mark.parametrize("data", [b"", b"null", b"{}", b"[]", b"\xff", b'{"digest":"","document":null}'])
def test_what_is_no_document_is_damaged(many: MemoryStore, key: str, data: bytes) -> None:
    many.put(key, data)

    with pytest.raises(DocumentDamaged):
        READERS[key](many)
