"""A registry to ask for changes, what must hold of it, and a store whose every call can be disturbed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any, cast

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import memory_store
from lampyris.domain.layout import audit_key, blob_key, change_key, revision_key, version_key
from lampyris.domain.manifest import Alias, Artifact, Blob, Manifest, Tombstone
from lampyris.domain.sealed import unseal
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.errors import ObjectNotFound
from lampyris.registry import aliases
from lampyris.registry.audit import Entry, Head, find_end, read_entry
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.changes import Author, begin
from lampyris.registry.documents import (
    find_version,
    list_aliases,
    list_models,
    list_versions,
    read_alias,
    read_revision,
)
from lampyris.registry.moves import find_alias
from lampyris.registry.versions import commit_version, delete_version

NOW = datetime(2026, 7, 1, tzinfo=UTC)
TENSOR = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
KEYS = count(1)
SIGNATURE = Signature(inputs=(TENSOR,), outputs=(TENSOR,))

# What is done instead of a store's call: given its method, its key, and the call itself.
Around = Callable[[str, str, Callable[[], Any]], Any]


class Registry:
    """Asks for changes; each has a key of its own unless it is given one."""

    def __init__(self, store: Store, model: str = "iris") -> None:
        self.store = store
        self.model = model

    def author(self, key: str = "") -> Author:
        return Author(key=key or f"key {next(KEYS)}", by="ann", reason="to test")

    def draft(self, upload: str, graph: Blob, *, at: datetime = NOW) -> Manifest:
        change = begin(
            self.store,
            self.author(f"publish:{self.model}/{upload}"),
            "publish",
            about=(self.model, upload),
            at=at,
        )
        return Manifest(
            model=self.model,
            version=0,
            created_at=at,
            upload=upload,
            source="ef" * 32,
            signature=SIGNATURE,
            artifact=Artifact(graph=graph, weights=None, onnxruntime="1.31.1"),
            published=change,
        )

    def commit(self, upload: str) -> Manifest | Tombstone:
        """Do what publishing does, but leave the aliases alone."""
        owner = f"{self.model}/{upload}"
        (graph,) = put_blobs(self.store, owner, [f"graph of {upload}".encode()])
        made = commit_version(self.store, self.draft(upload, graph), None)
        release(self.store, owner)
        return made

    def publish(self, upload: str, alias: str = "live") -> Manifest:
        manifest = self.commit(upload)
        assert isinstance(manifest, Manifest)
        author = self.author(f"{alias}:{self.model}:{manifest.version}")
        aliases.publish_to_alias(self.store, manifest, alias=alias, author=author, now=NOW)
        return manifest

    def set(
        self, shares: dict[int, int], alias: str = "live", *, key: str = "", expected: int | None = None
    ) -> Alias:
        return aliases.set_routes(
            self.store, self.model, alias, shares, author=self.author(key), now=NOW, expected=expected
        )

    def shadow(self, version: int | None, alias: str = "live", *, share: int = 100, key: str = "") -> Alias:
        return aliases.set_shadow(
            self.store, self.model, alias, version, share=share, author=self.author(key), now=NOW
        )

    def promote(
        self,
        version: int | None = None,
        alias: str = "live",
        *,
        key: str = "",
        expected: int | None = None,
    ) -> Alias:
        return aliases.promote(
            self.store, self.model, alias, version, author=self.author(key), now=NOW, expected=expected
        )

    def roll_back(self, alias: str = "live", *, key: str = "", expected: int | None = None) -> Alias:
        return aliases.roll_back(
            self.store, self.model, alias, author=self.author(key), now=NOW, expected=expected
        )

    def delete(self, version: int, *, key: str = "") -> Tombstone:
        return delete_version(self.store, self.model, version, author=self.author(key), now=NOW)

    def alias(self, alias: str = "live") -> Alias:
        return read_alias(self.store, self.model, alias)[0]

    def shares(self, alias: str = "live") -> dict[int, int]:
        return {route.manifest.version: route.weight for route in self.alias(alias).routes}


@pytest.fixture
def store() -> MemoryStore:
    return memory_store()


@pytest.fixture
def registry(store: MemoryStore) -> Registry:
    return Registry(store)


@pytest.fixture(scope="session")
def registry_of() -> Callable[[Store], Registry]:
    return Registry


class _Watched:
    """A store each call of which is handed to `around`; a listing is one call."""

    def __init__(self, store: Store, around: Around) -> None:
        self._store = store
        self._around = around

    def __getattr__(self, method: str) -> Callable[..., Any]:
        called = getattr(self._store, method)

        def call(key: str, *arguments: Any, **named: Any) -> Any:
            return self._around(method, key, lambda: called(key, *arguments, **named))

        return call

    def list(self, prefix: str, after: str = "") -> Iterator[Any]:
        return iter(self._around("list", prefix, lambda: [*self._store.list(prefix, after)]))

    def generations(self, prefix: str) -> Iterator[Any]:
        return iter(self._around("generations", prefix, lambda: [*self._store.generations(prefix)]))

    def purge(self, generations: Any) -> None:
        for generation in generations:  # a purge of many may take effect in part
            self._around("purge", generation.key, partial(self._store.purge, [generation]))


@pytest.fixture(scope="session")
def watch() -> Callable[[Store, Around], Store]:
    """Wrap a store so that `around(method, key, call)` stands for each of its calls."""
    return lambda store, around: cast("Store", _Watched(store, around))


def _named(store: Store, alias: Alias) -> set[int]:
    """Return every version that an alias names, and that to which it would be rolled back."""
    named = {route.manifest.version for route in alias.routes}
    if alias.shadow is not None:
        named.add(alias.shadow.manifest.version)
    if alias.before is not None:
        former = read_revision(store, alias.model, alias.alias, alias.before)
        named |= {route.manifest.version for route in former.routes}
    return named


def check_aliases(store: Store, model: str) -> None:
    """No alias names what is absent."""
    for name in list_aliases(store, model):
        found = find_alias(store, model, name)
        if found is None:
            continue
        for version in _named(store, found.alias):
            assert isinstance(find_version(store, model, version), Manifest), f"{name} names {version}"


def _check_versions(store: Store, model: str) -> None:
    """Each is whole, or a tombstone, and the numbers have no gap."""
    versions = list_versions(store, model)
    assert versions == list(range(1, len(versions) + 1))
    uploads = []
    for version in versions:
        document = find_version(store, model, version)
        if document.upload is not None:  # as of those that were erased
            uploads.append(document.upload)
        if isinstance(document, Manifest):
            assert store.size_bytes(blob_key(document.artifact.graph.digest))
    assert len(set(uploads)) == len(uploads)


def _check_revisions(store: Store, model: str) -> None:
    for name in list_aliases(store, model):
        standing = find_alias(store, model, name)
        assert standing is not None
        digest = None
        for revision in range(1, standing.alias.revision + 1):
            try:
                sealed = unseal(store.get(revision_key(model, name, revision)).data)
            except ObjectNotFound:  # only of the last may the rest be missing
                assert revision == standing.alias.revision
                sealed = standing.sealed
            assert sealed.decode(Alias).previous == digest
            digest = sealed.digest
        if standing.alias.revision:
            assert digest == standing.sealed.digest


def audit_of(store: Store) -> list[Entry]:
    """Read the whole audit, and check that nothing in it is missing, altered or there twice."""
    entries = []
    previous = ""
    for number in range(1, find_end(store) + 1):
        sealed = unseal(store.get(audit_key(number)).data)
        entry = sealed.decode(Entry)
        assert (entry.number, entry.previous) == (number, previous)
        previous = sealed.digest
        entries.append(entry)
    assert read_entry(store, len(entries) + 1) is None
    changes = [(entry.change.id, entry.model, entry.subject) for entry in entries]
    assert len(set(changes)) == len(changes)
    try:
        head = unseal(store.get("audit-head.json").data).decode(Head)
    except ObjectNotFound:
        assert len(entries) <= 1
    else:
        assert head.digest == unseal(store.get(audit_key(head.number)).data).digest
    return entries


def check_invariants(store: Store) -> list[Entry]:
    """Check what holds whoever dies when; return the audit."""
    for model in list_models(store):
        check_aliases(store, model)
        _check_versions(store, model)
        _check_revisions(store, model)
    return audit_of(store)


def check_all_settled(store: Store) -> None:
    """Check that each change has its entry and its outcome, and that there are no others."""
    entries = check_invariants(store)
    accounted = {
        (entry.model, entry.subject, entry.change.id, entry.document): entry.number for entry in entries
    }
    expected: list[tuple[str | None, str, str, str]] = []
    for model in list_models(store):
        for version in list_versions(store, model):
            sealed = unseal(store.get(version_key(model, version)).data)
            document = find_version(store, model, version)
            subject = f"version {version}"
            if isinstance(document, Tombstone):
                expected.append((model, subject, document.deleted.id, sealed.digest))
                published = [key for key in accounted if key[:2] == (model, subject) and key not in expected]
                assert len(published) == 1
                expected += published
            elif document.closing is None:
                expected.append((model, subject, document.published.id, sealed.digest))
        for name in list_aliases(store, model):
            standing = find_alias(store, model, name)
            assert standing is not None
            for revision in range(1, standing.alias.revision + 1):
                sealed = unseal(store.get(revision_key(model, name, revision)).data)
                change = sealed.decode(Alias).change
                expected.append((model, f"alias {name}", change.id, sealed.digest))
    assert set(expected) == set(accounted)
    for _, _, change_id, _ in expected:
        assert store.size_bytes(change_key(change_id))


@pytest.fixture(scope="session")
def checks() -> Any:
    """What must hold: `aliases(store, model)`, `invariants(store)`, `all_settled(store)`, `audit(store)`."""

    class Checks:
        aliases = staticmethod(check_aliases)
        invariants = staticmethod(check_invariants)
        all_settled = staticmethod(check_all_settled)
        audit = staticmethod(audit_of)

    return Checks
