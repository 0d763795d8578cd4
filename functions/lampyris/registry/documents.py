"""The registry's documents, one by one. The predict function needs no more of the registry than this."""

from contextlib import suppress

import msgspec

from lampyris.domain.layout import (
    MODELS,
    alias_key,
    aliases_prefix,
    rejected_key,
    revision_key,
    version_key,
    version_of_key,
    versions_prefix,
)
from lampyris.domain.manifest import Alias, Manifest, Rejection, Tombstone
from lampyris.domain.sealed import Sealed, unseal
from lampyris.domain.store import Store
from lampyris.errors import (
    AliasNotFound,
    DocumentDamaged,
    ModelNotFound,
    NotFound,
    ObjectNotFound,
    VersionDeleted,
    VersionNotFound,
)


class StoredVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version as it is stored; `etag` is what a conditional write of it compares."""

    document: Manifest | Tombstone
    sealed: Sealed
    etag: str


def list_models(store: Store) -> list[str]:
    """Name every model that ever had a version or an alias, in order."""
    return list(store.list_folders(MODELS))


def list_versions(store: Store, model: str) -> list[int]:
    """Number every version of a model, deleted ones too, lowest first; empty if there is no such model."""
    numbers = (version_of_key(entry.key) for entry in store.list(versions_prefix(model)))
    return sorted(number for number in numbers if number is not None)


def read_aliases(store: Store, model: str) -> list[Alias]:
    """Read every alias of a model that points anywhere, in order of their names."""
    found = []
    for name in list_aliases(store, model):
        with suppress(NotFound):
            found.append(read_alias(store, model, name)[0])
    return found


def list_aliases(store: Store, model: str) -> list[str]:
    """Name every alias of a model, in order; one that was never pointed anywhere too."""
    prefix = aliases_prefix(model)
    files = (entry.key.removeprefix(prefix) for entry in store.list(prefix))
    return [file.removesuffix(".json") for file in files if file.endswith(".json") and "/" not in file]


def read_version(store: Store, model: str, version: int) -> Manifest:
    """Read what a version promises. Raises: VersionNotFound, VersionDeleted, DocumentDamaged."""
    found = find_version(store, model, version)
    if isinstance(found, Tombstone):
        raise VersionDeleted(model=model, version=version)
    return found


def find_version(store: Store, model: str, version: int) -> Manifest | Tombstone:
    """Read a version, or what is left of it. Raises: VersionNotFound, DocumentDamaged."""
    return read_stored_version(store, model, version).document


def read_stored_version(store: Store, model: str, version: int) -> StoredVersion:
    """Read a version, or what is left of it, as it is stored. Raises: VersionNotFound, DocumentDamaged."""
    try:
        found = store.get(version_key(model, version))
    except ObjectNotFound:
        raise VersionNotFound(model=model, version=version) from None
    sealed = unseal(found.data)
    document = decode_version(sealed)
    check_place(sealed, (document.model, document.version), (model, version))
    return StoredVersion(document=document, sealed=sealed, etag=found.etag)


def decode_version(sealed: Sealed) -> Manifest | Tombstone:
    """Read a version's document. Raises: DocumentDamaged if it is none."""
    try:
        return msgspec.json.decode(sealed.document, type=Manifest)
    except msgspec.ValidationError:
        return sealed.decode(Tombstone)


def read_alias(store: Store, model: str, alias: str) -> tuple[Alias, str]:
    """Read an alias, and the etag that says later whether it has moved.

    Raises: ModelNotFound if the model has no version at all, else AliasNotFound; DocumentDamaged.
    """
    try:
        found = store.get(alias_key(model, alias))
    except ObjectNotFound:
        raise no_alias(store, model, alias) from None
    sealed = unseal(found.data)
    read = sealed.decode(Alias)
    check_place(sealed, (read.model, read.alias), (model, alias))
    if not read.routes:
        raise no_alias(store, model, alias)
    return read, found.etag


def no_alias(store: Store, model: str, alias: str) -> ModelNotFound | AliasNotFound:
    """Say what is missing: the alias, or its model."""
    if list_versions(store, model):
        return AliasNotFound(model=model, alias=alias)
    return ModelNotFound(model=model)


def decode_alias(data: bytes) -> Alias:
    """Read an alias' document. Raises: DocumentDamaged."""
    return unseal(data).decode(Alias)


def read_revision(store: Store, model: str, alias: str, revision: int) -> Alias:
    """Read an alias as it once was. Raises: ObjectNotFound, DocumentDamaged."""
    sealed = unseal(store.get(revision_key(model, alias, revision)).data)
    read = sealed.decode(Alias)
    check_place(sealed, (read.model, read.alias, read.revision), (model, alias, revision))
    return read


def check_place(sealed: Sealed, found: tuple[str | int, ...], expected: tuple[str | int, ...]) -> None:
    """Raises: DocumentDamaged if a document, whole as it is, stands where another belongs."""
    if found != expected:
        raise DocumentDamaged(digest=sealed.digest)


def read_rejection(store: Store, model: str, upload: str) -> Rejection | None:
    """Read why an upload was refused; None if it was not. Raises: DocumentDamaged if it cannot be read."""
    try:
        found = store.get(rejected_key(model, upload))
    except ObjectNotFound:
        return None
    try:
        return msgspec.json.decode(found.data, type=Rejection)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DocumentDamaged(digest="") from None


def write_rejection(store: Store, rejection: Rejection) -> None:
    store.put(rejected_key(rejection.model, rejection.upload), msgspec.json.encode(rejection))
