"""Publishing, as who publishes sees it: a bundle or a model into the inbox, then wait for the verdict."""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from lampyris.domain.bundle import Bundle, Instructions
from lampyris.domain.layout import BUNDLE_FILE, FILES, INBOX, Upload
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.domain.names import LIVE, check_model_name
from lampyris.domain.store import Store
from lampyris.errors import AliasNotFound, LampyrisError, ModelNotFound
from lampyris.registry.documents import read_alias, read_rejection
from lampyris.registry.versions import find_upload

_POLL_S = 0.1

# A version that is held is registered, and answers by its number; `live` was not pointed at it.
Outcome = Literal["live", "held", "held-by-gates"]


@dataclass(eq=False, kw_only=True)
class BrokenBundle(LampyrisError):
    """A folder is not the whole bundle that it should be; nothing was sent."""

    code = "broken-bundle"
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} is not a bundle that can be published: {self.reason}."


@dataclass(eq=False, kw_only=True)
class NotPublishable(LampyrisError):
    code = "not-publishable"
    path: Path

    def __str__(self) -> str:
        if not self.path.exists():
            return f"There is nothing at {self.path}; give a bundle's folder or a .onnx file."
        return f"{self.path} cannot be published; give a bundle's folder (with bundle.json) or a .onnx file."


@dataclass(eq=False, kw_only=True)
class ModelNameMissing(LampyrisError):
    code = "model-name-missing"
    path: Path

    def __str__(self) -> str:
        return f"{self.path} does not say which model it is; add --model NAME."


@dataclass(eq=False, kw_only=True)
class Rejected(LampyrisError):
    """The publish function refused the upload; `code` and the sentence are its own."""

    rejection: Rejection

    @property
    def code(self) -> str:  # type: ignore[override]  # the rejection's code, known only from its document
        return self.rejection.code

    def __str__(self) -> str:
        return self.rejection.detail


@dataclass(eq=False, kw_only=True)
class NoVerdict(LampyrisError):
    code = "no-verdict"
    upload: Upload
    waited_s: float

    def __str__(self) -> str:
        return (
            f"Nothing was heard of upload {self.upload.upload} for {self.waited_s:.0f} s. It may still be "
            f"published; to look again: lampyris models {self.upload.model}"
        )


@dataclass(eq=False, kw_only=True)
class NothingToSign(LampyrisError):
    """A signature is over a bundle's document, and there is none."""

    code = "nothing-to-sign"
    path: Path

    def __str__(self) -> str:
        return f"{self.path} is no bundle, and only bundles are signed; publish it without --sign-key."


@dataclass(eq=False, kw_only=True)
class UnreadableKey(LampyrisError):
    code = "unreadable-key"
    path: Path
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.path} cannot be read: {self.reason}. To make a key: openssl genpkey -algorithm ed25519 "
            "-out key.pem"
        )


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What goes into the inbox: objects by key, in the order of sending. The last completes the upload."""

    upload: Upload
    objects: tuple[tuple[str, Path | bytes], ...]

    @property
    def size_bytes(self) -> int:
        return sum(size_bytes(source) for _, source in self.objects)


def size_bytes(source: Path | bytes) -> int:
    """Return what is sent of a file, or of bytes."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size


def pack(
    path: Path,
    *,
    model: str | None,
    at: datetime,
    instructions: Instructions | None = None,
    sign_key: Path | None = None,
) -> Parcel:
    """Check what is to be published and name its place in the inbox.

    A bundle knows its model's name; a bare .onnx needs one. `sign_key` is a private key in PEM.
    Raises: NotPublishable, BrokenBundle, ModelNameMissing, NothingToSign, UnreadableKey,
        InvalidKey; InvalidName.
    """
    if model is not None:
        check_model_name(model)
    if (path / BUNDLE_FILE).is_file():
        return _pack_bundle(path, model=model, at=at, instructions=instructions, sign_key=sign_key)
    if path.suffix != ".onnx" or not path.is_file():
        raise NotPublishable(path=path)
    if sign_key is not None:
        raise NothingToSign(path=path)
    if model is None:
        raise ModelNameMissing(path=path)
    upload = Upload(model=model, upload=new_upload_id(at), file="model.onnx")
    return Parcel(upload=upload, objects=(*_told(upload, instructions), (upload.key, path)))


def _pack_bundle(
    path: Path, *, model: str | None, at: datetime, instructions: Instructions | None, sign_key: Path | None
) -> Parcel:
    bundle = read_bundle(path)
    named = check_model_name(model or bundle.model)
    upload = Upload(model=named, upload=new_upload_id(at), file=BUNDLE_FILE)
    objects: list[tuple[str, Path | bytes]] = [
        (upload.file_key(name), path / FILES / name) for name in sorted(bundle.files)
    ]
    if sign_key is not None:
        objects.append((upload.signature_key, _signature(path / BUNDLE_FILE, sign_key)))
    objects += [*_told(upload, instructions), (upload.key, path / BUNDLE_FILE)]
    return Parcel(upload=upload, objects=tuple(objects))


def _told(upload: Upload, instructions: Instructions | None) -> list[tuple[str, bytes]]:
    return [] if instructions is None else [(upload.instructions_key, msgspec.json.encode(instructions))]


def _signature(document: Path, key: Path) -> bytes:
    """Raises: UnreadableKey, InvalidKey."""
    from lampyris.publishing.signing import sign  # noqa: PLC0415 - for those who sign

    try:
        private_key = key.read_bytes()
    except OSError as error:
        raise UnreadableKey(path=key, reason=(error.strerror or str(error)).lower()) from None
    return sign(document.read_bytes(), private_key)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle's document and hold its files against it.

    Raises: BrokenBundle.
    """
    try:
        bundle = msgspec.json.decode((path / BUNDLE_FILE).read_bytes(), type=Bundle)
    except msgspec.DecodeError as error:
        raise BrokenBundle(path=path, reason=f"{BUNDLE_FILE} cannot be read: {error}") from None
    for name, expected in bundle.files.items():
        file = path / FILES / name
        if not file.is_file():
            raise BrokenBundle(path=path, reason=f"{FILES}{name} is missing")
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        if digest != expected.digest:
            raise BrokenBundle(path=path, reason=f"{FILES}{name} was changed since it was built")
    return bundle


def new_upload_id(at: datetime) -> str:
    """Name an upload: sorts by time, and no two are alike."""
    return f"{at.astimezone(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(4)}"


def send(store: Store, parcel: Parcel, *, on_sent: Callable[[int], None]) -> None:
    """Put a parcel into the inbox, telling the size of each object that has arrived.

    Raises: StoreUnavailable.
    """
    for key, source in parcel.objects:
        store.put(key, source)
        on_sent(size_bytes(source))


def wait_for_verdict(
    store: Store,
    upload: Upload,
    *,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Manifest:
    """Wait until an upload is a version, and `live` points at it unless it is held back (`outcome_of`).

    Raises: Rejected, NoVerdict.
    """
    started = clock()
    # The store's own clock, which is the one that its versions are dated by.
    inbox = store.list(f"{INBOX}{upload.model}/{upload.upload}/")
    sent_at = next((entry.modified_at for entry in inbox if entry.key == upload.key), None)
    while clock() - started < timeout_s:
        manifest = find_upload(store, upload.model, upload.upload, sent_at)
        if isinstance(manifest, Manifest) and (outcome_of(manifest) != "live" or _went_live(store, manifest)):
            return manifest
        rejection = read_rejection(store, upload.model, upload.upload)
        if rejection is not None:
            raise Rejected(rejection=rejection)
        sleep(_POLL_S)
    raise NoVerdict(upload=upload, waited_s=timeout_s)


def outcome_of(manifest: Manifest) -> Outcome:
    """Tell what publishing did with a version: whether `live` was pointed at it, and if not, why."""
    if not manifest.evidence.passed:
        return "held-by-gates"
    return "held" if manifest.hold else "live"


def _went_live(store: Store, manifest: Manifest) -> bool:
    try:
        alias, _ = read_alias(store, manifest.model, LIVE)
    except (AliasNotFound, ModelNotFound):
        return False
    return alias.newest_published >= manifest.version
