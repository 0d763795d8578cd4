"""Read a model's documents so that they agree with each other, while others change them."""

from contextlib import suppress

import msgspec

from lampyris.domain.layout import alias_key, revision_key, version_key
from lampyris.domain.manifest import Alias, Blob, Manifest, Route
from lampyris.domain.sealed import Sealed, unseal
from lampyris.domain.store import Store
from lampyris.errors import CopyDamaged, DocumentDamaged, ObjectNotFound
from lampyris.registry.documents import decode_version, list_aliases, list_versions
from lampyris.registry.operations import MayGoOn, go_on
from lampyris.registry.reading import read_ahead

_REGISTRY = "registry"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A model's documents by key, each after what it names; and the blobs that they name."""

    documents: dict[str, bytes]
    blobs: tuple[Blob, ...]


def read_snapshot(store: Store, model: str, may_go_on: MayGoOn = go_on) -> Snapshot:
    """Read versions and aliases with all their revisions: no alias names what is not among them.

    An alias that was read may have moved, and its version gone, before that is read: then all is read again.
    Raises: CopyDamaged if something is missing, and no alias has moved; TimeIsOver.
    """
    seen: dict[str, bytes] | None = None
    while True:
        aliases = _read_aliases(store, model)
        keys = [version_key(model, version) for version in list_versions(store, model)]
        read = read_ahead(lambda key: read_sealed(store, key), keys, may_go_on)
        versions = dict(zip(keys, read, strict=True))
        decoded = {key: decode_version(sealed) for key, sealed in versions.items()}
        manifests = {key: document for key, document in decoded.items() if isinstance(document, Manifest)}
        revisions = _read_revisions(store, aliases, may_go_on)
        missing = _named_by(aliases) - manifests.keys() - revisions.keys()
        written = {key: sealed.data for key, sealed in aliases.items()}
        if not missing:
            documents = {key: sealed.data for key, sealed in versions.items()} | revisions | written
            blobs = {blob.digest: blob for document in manifests.values() for blob in blobs_of(document)}
            return Snapshot(documents=documents, blobs=tuple(blobs.values()))
        if written == seen:
            raise CopyDamaged(key=min(missing), place=_REGISTRY)
        seen = written


def read_sealed(store: Store, key: str) -> Sealed:
    """Read a document of the registry that is to be copied. Raises: CopyDamaged."""
    try:
        return _unseal(store, key)
    except ObjectNotFound:
        raise CopyDamaged(key=key, place=_REGISTRY) from None


def _unseal(store: Store, key: str) -> Sealed:
    """Raises: ObjectNotFound, CopyDamaged."""
    try:
        return unseal(store.get(key).data)
    except DocumentDamaged:
        raise CopyDamaged(key=key, place=_REGISTRY) from None


def blobs_of(manifest: Manifest) -> list[Blob]:
    """Return all blobs that a version names."""
    named = (manifest.artifact.graph, manifest.artifact.weights, manifest.evidence.bill_of_materials)
    return [blob for blob in named if blob is not None]


def routes_of(alias: Alias) -> list[Route]:
    """Return all routes of an alias, its shadow's too."""
    return [*alias.routes, *([] if alias.shadow is None else [alias.shadow])]


def _read_aliases(store: Store, model: str) -> dict[str, Sealed]:
    """Read the aliases that point anywhere, by key."""
    found = {}
    for name in list_aliases(store, model):
        with suppress(ObjectNotFound):  # erased meanwhile
            found[alias_key(model, name)] = _unseal(store, alias_key(model, name))
    return {key: sealed for key, sealed in found.items() if sealed.decode(Alias).routes}


def _read_revisions(store: Store, aliases: dict[str, Sealed], may_go_on: MayGoOn) -> dict[str, bytes]:
    """Read what aliases were and are, by key; the last revision need not be written down yet."""

    def read(key: str) -> tuple[str, bytes] | None:
        with suppress(ObjectNotFound):
            return key, _unseal(store, key).data
        return None

    keys = (
        revision_key(alias.model, alias.alias, revision)
        for alias in (sealed.decode(Alias) for sealed in aliases.values())
        for revision in range(1, alias.revision + 1)
    )
    return dict(found for found in read_ahead(read, keys, may_go_on) if found is not None)


def _named_by(aliases: dict[str, Sealed]) -> set[str]:
    """Return the keys of what aliases need: the versions that they name, and what they were before."""
    named = set()
    for sealed in aliases.values():
        alias = sealed.decode(Alias)
        named |= {version_key(alias.model, route.manifest.version) for route in routes_of(alias)}
        named |= {revision_key(alias.model, alias.alias, revision) for revision in range(1, alias.revision)}
    return named
