"""Verbs about uploads to the inbox: a place for one, and what became of it."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import ModelName, UploadName
from lampyris.domain.layout import (
    BUNDLE_FILE,
    FILES,
    INSTRUCTIONS_FILE,
    SIGNATURE_FILE,
    Upload,
    version_of_key,
    versions_prefix,
)
from lampyris.domain.manifest import Manifest, Rejection, Tombstone
from lampyris.domain.names import LIVE, check_model_name, check_upload_id
from lampyris.domain.store import Store
from lampyris.errors import AliasNotFound, InvalidName, ModelNotFound, UploadNotFound
from lampyris.registry.documents import find_version, read_alias, read_rejection
from lampyris.registry.reading import read_ahead

_EXPIRES_S = 3600
_MODEL_FILE = "model.onnx"
_ID_DIGITS = 32
_LONGEST_REASON = 1000

FileName = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="A file of the bundle."),
]
Release = Literal["live", "hold"]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where to put one file: the address is signed, and needs no other authorisation."""

    name: str
    url: str
    method: Literal["PUT"] = "PUT"
    optional: bool = False


class OpenedUpload(msgspec.Struct, frozen=True, kw_only=True):
    """An upload that is awaited. Put its files in this order: the last one completes it."""

    model: str
    upload: str
    places: tuple[Place, ...]
    expires_at: datetime


class UploadState(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an upload, so far.

    "held" is registered as a version, without going live; "deleted" was a version once. `code` and `detail`
    say why it was refused or held.
    """

    model: str
    upload: str
    status: Literal["pending", "published", "held", "rejected", "deleted"]
    version: int | None = None
    code: str | None = None
    detail: str | None = None


class OpenUpload(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName
    files: Annotated[
        tuple[FileName, ...],
        msgspec.Meta(
            max_length=100, description="The files that the bundle's document names; none for a bare .onnx."
        ),
    ] = ()
    release: Annotated[
        Release, msgspec.Meta(description="Whether to go live, or to register the version and hold it.")
    ] = "live"


class OneUpload(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName
    upload: UploadName


def open_one(registry: Registry, arguments: OpenUpload, caller: Caller) -> OpenedUpload:
    """Make a place in the inbox, with the caller's instructions in it.

    They name the caller, since what S3 will tell of who uploads is this function. The same key makes the
    same place.
    Raises: InvalidName.
    """
    from lampyris.domain.bundle import Instructions  # noqa: PLC0415 - numpy is behind it

    upload = Upload(
        model=check_model_name(arguments.model),
        upload=_name(caller, arguments),
        file=BUNDLE_FILE if arguments.files else _MODEL_FILE,
    )
    if len(caller.reason) > _LONGEST_REASON:
        raise InvalidName(
            kind="a reason", name=caller.reason[:80] + "…", rule=f"it has {_LONGEST_REASON} letters at most"
        )
    by = f"opened by {caller.author.by}"
    reason = f"{caller.reason[: _LONGEST_REASON - len(by) - 2]}; {by}" if caller.reason else by
    instructions = Instructions(release=arguments.release, reason=reason)
    registry.store.put(upload.instructions_key, msgspec.json.encode(instructions))

    def place(name: str, key: str, *, optional: bool = False) -> Place:
        url = registry.store.presign("PUT", key, _EXPIRES_S)
        return Place(name=name, url=url, optional=optional)

    places = [place(f"{FILES}{name}", upload.file_key(name)) for name in arguments.files]
    if upload.is_bundle:
        places.append(place(SIGNATURE_FILE, upload.signature_key, optional=True))
    return OpenedUpload(
        model=upload.model,
        upload=upload.upload,
        places=(*places, place(upload.file, upload.key)),
        expires_at=registry.now() + timedelta(seconds=_EXPIRES_S),
    )


def _name(caller: Caller, arguments: OpenUpload) -> str:
    """Name an upload by the change that makes it."""
    named = msgspec.json.encode((caller.by, caller.key, arguments))
    return hashlib.sha256(named).hexdigest()[:_ID_DIGITS]


def show(registry: Registry, arguments: OneUpload, _caller: Caller) -> UploadState:
    """Raises: UploadNotFound, InvalidName."""
    store = registry.store
    model, name = check_model_name(arguments.model), check_upload_id(arguments.upload)
    place = Upload(model=model, upload=name, file=INSTRUCTIONS_FILE)
    entries = list(store.list(place.prefix))
    completed_at = next((entry.modified_at for entry in entries if Upload.from_key(entry.key)), None)
    made = _made_from(store, model, name, completed_at)
    if isinstance(made, Tombstone):
        return UploadState(model=model, upload=name, status="deleted", version=made.version)
    if made is not None:
        return _of_version(store, made)
    rejection = read_rejection(store, model, name)
    if rejection is not None and not _came_again(rejection, completed_at):
        return UploadState(
            model=model, upload=name, status="rejected", code=rejection.code, detail=rejection.detail
        )
    if not entries:
        raise UploadNotFound(upload=name, model=model)
    return UploadState(model=model, upload=name, status="pending")


def _made_from(store: Store, model: str, upload: str, since: datetime | None) -> Manifest | Tombstone | None:
    """Find what was made from an upload, the newest versions first: none is older than its upload."""
    entries = store.list(versions_prefix(model))
    recent = (version_of_key(entry.key) for entry in entries if since is None or entry.modified_at >= since)
    versions = sorted((version for version in recent if version is not None), reverse=True)
    documents = read_ahead(lambda version: find_version(store, model, version), versions)
    return next((document for document in documents if document.upload == upload), None)


def _came_again(rejection: Rejection, completed_at: datetime | None) -> bool:
    """Say whether the upload was written once more since it was refused."""
    if completed_at is None or rejection.completed_at is None:
        return False
    return completed_at > rejection.completed_at


def _of_version(store: Store, manifest: Manifest) -> UploadState:
    state = UploadState(
        model=manifest.model, upload=manifest.upload, status="published", version=manifest.version
    )
    if manifest.hold:
        return msgspec.structs.replace(
            state, status="held", code="hold", detail="It was uploaded to be held. Promote it when you like."
        )
    failed = [gate.name for gate in manifest.evidence.gates if not gate.passed]
    if failed:
        detail = f"It fails its gates: {', '.join(failed)}. It is registered, but was not made live."
        return msgspec.structs.replace(state, status="held", code="gate-failed", detail=detail)
    if not _went_live(store, manifest):
        return msgspec.structs.replace(state, status="pending")
    return state


def _went_live(store: Store, manifest: Manifest) -> bool:
    try:
        alias, _ = read_alias(store, manifest.model, LIVE)
    except (AliasNotFound, ModelNotFound):
        return False
    return alias.newest_published >= manifest.version
