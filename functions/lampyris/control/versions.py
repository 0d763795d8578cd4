"""Verbs about versions: what each promises, and its end."""

from datetime import datetime

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import ModelName, VersionNumber
from lampyris.control.pages import Page, PageArguments
from lampyris.domain.manifest import Gate, Manifest, Tombstone
from lampyris.domain.names import check_model_name
from lampyris.errors import ModelNotFound
from lampyris.registry.documents import find_version, list_versions, read_version
from lampyris.registry.reading import read_each
from lampyris.registry.versions import delete_version


class LivingVersion(msgspec.Struct, frozen=True, kw_only=True, tag_field="state", tag="living"):
    """A version in short. `metrics` are the build's own; `measured` and `gates` are what publishing saw.

    One that is `closing` is being deleted.
    """

    model: str
    version: int
    created_at: datetime
    published_by: str
    reason: str
    upload: str
    size_bytes: int
    metrics: dict[str, dict[str, float]]
    measured: dict[str, float]
    gates: tuple[Gate, ...]
    licences: tuple[str, ...]
    signed_by: str | None
    closing: bool


class DeletedVersion(msgspec.Struct, frozen=True, kw_only=True, tag_field="state", tag="deleted"):
    """What is left of a version: its number, which no other gets. Erased ones name no upload."""

    model: str
    version: int
    upload: str | None
    deleted_at: datetime
    deleted_by: str
    reason: str


class VersionPage(Page[LivingVersion | DeletedVersion], frozen=True, kw_only=True):
    """Versions of a model."""


class VersionsOf(PageArguments, frozen=True, kw_only=True):
    model: ModelName


class OneVersion(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName
    version: VersionNumber


def in_short(document: Manifest | Tombstone) -> LivingVersion | DeletedVersion:
    """Sum a version up."""
    if isinstance(document, Tombstone):
        return buried(document)
    return living(document)


def living(manifest: Manifest) -> LivingVersion:
    """Sum up a version that was not deleted."""
    weights = manifest.artifact.weights
    return LivingVersion(
        model=manifest.model,
        version=manifest.version,
        created_at=manifest.created_at,
        published_by=manifest.published.by,
        reason=manifest.published.reason,
        upload=manifest.upload,
        size_bytes=manifest.artifact.graph.size_bytes + (0 if weights is None else weights.size_bytes),
        metrics=manifest.metrics,
        measured=manifest.evidence.measured,
        gates=manifest.evidence.gates,
        licences=manifest.licences,
        signed_by=manifest.evidence.signed_by,
        closing=manifest.closing is not None,
    )


def buried(tombstone: Tombstone) -> DeletedVersion:
    """Sum up a version that was deleted."""
    return DeletedVersion(
        model=tombstone.model,
        version=tombstone.version,
        upload=tombstone.upload,
        deleted_at=tombstone.deleted.at,
        deleted_by=tombstone.deleted.by,
        reason=tombstone.deleted.reason,
    )


def list_all(registry: Registry, arguments: VersionsOf, _caller: Caller) -> VersionPage:
    """List a model's versions, the newest first. Raises: ModelNotFound, InvalidName."""
    store, model, before = registry.store, check_model_name(arguments.model), arguments.number_after()
    numbers = list_versions(store, model)
    if not numbers:
        raise ModelNotFound(model=model)
    left = [number for number in reversed(numbers) if before is None or number < before]
    chosen = left[: arguments.limit]
    documents = read_each(lambda number: find_version(store, model, number), chosen)
    return VersionPage(
        items=tuple(map(in_short, documents)),
        next=str(chosen[-1]) if len(left) > len(chosen) else None,
    )


def show(registry: Registry, arguments: OneVersion, _caller: Caller) -> Manifest:
    """Raises: VersionNotFound, VersionDeleted, InvalidName."""
    return read_version(registry.store, check_model_name(arguments.model), arguments.version)


def delete(registry: Registry, arguments: OneVersion, caller: Caller) -> DeletedVersion:
    """Raises: what `delete_version` raises."""
    tombstone = delete_version(
        registry.store, arguments.model, arguments.version, author=caller.author, now=registry.now()
    )
    return buried(tombstone)
